package export

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/caro-mesh/caro-node/policy/audit"
	"github.com/caro-mesh/caro-node/policy/audit/siem"
	"github.com/caro-mesh/caro-node/protocol"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(killedVariable); dir != "" {
		os.Exit(exportUntilKilled(dir))
	}
	goleak.VerifyTestMain(m)
}

var here = siem.Origin{Node: "caro:ed25519:iojj3XQJ8ZX9UtstPLpdcspnCb8dlBIb83SIAbQPb1w=", Host: "anna-laptop", Version: "0.1.0"}

// chain is an audit log in memory.
type chain struct {
	mu      sync.Mutex
	records []audit.Record
}

func newChain(t testing.TB, n int) *chain {
	t.Helper()
	c := &chain{}
	c.grow(t, n)
	return c
}

func (c *chain) grow(t testing.TB, n int) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for range n {
		var prev audit.Record
		if len(c.records) > 0 {
			prev = c.records[len(c.records)-1]
		}
		r, err := audit.Next(prev, audit.Event{Type: protocol.AuditQueryReceived, Peer: here.Node, Success: true,
			Details: map[string]string{"rule": "node anna", "n": fmt.Sprint(prev.Sequence)}}, time.Unix(1_800_000_000, 0).Add(time.Duration(len(c.records))*time.Second))
		if err != nil {
			t.Fatal(err)
		}
		c.records = append(c.records, r)
	}
}

// get is Config.Records.
func (c *chain) get(_ context.Context, after uint64, limit int) (out []audit.Record, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range c.records {
		if r.Sequence > after && len(out) < limit {
			out = append(out, r)
		}
	}
	return out, nil
}

// toFile is an export of the chain to a file beside its state.
func (c *chain) toFile(t testing.TB, dir string) Config {
	t.Helper()
	target, err := File(filepath.Join(dir, "audit.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	return Config{Records: c.get, Origin: here, Format: siem.JSONLines, Target: target, State: filepath.Join(dir, "state"), Every: 5 * time.Millisecond}
}

func run(t testing.TB, c Config) uint64 {
	t.Helper()
	n, err := Run(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// sequences reads the records of a file of JSON lines, and fails on a line that is none.
func sequences(t testing.TB, path string) (out []uint64) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		var r audit.Record
		if err := json.Unmarshal([]byte(line), &r); err != nil || !strings.HasSuffix(line, "\n") {
			t.Fatalf("line %q: %v", line, err)
		}
		out = append(out, r.Sequence)
	}
	return out
}

// rising returns first, first+1, …, last.
func rising(first, last uint64) (out []uint64) {
	for n := first; n <= last; n++ {
		out = append(out, n)
	}
	return out
}

// eventually polls until check returns nil.
func eventually(t testing.TB, check func() error) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.Now().Add(30 * time.Second)
	for err := check(); err != nil; err = check() {
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		<-tick.C
	}
}

// follow runs an export until the returned function is called, which returns its result.
func follow(t testing.TB, c Config) (stop func() error) {
	t.Helper()
	c.Follow = true
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := Run(ctx, c)
		done <- err
	}()
	var once sync.Once
	var err error
	stop = func() error {
		once.Do(func() {
			cancel()
			err = <-done
		})
		return err
	}
	t.Cleanup(func() { _ = stop() })
	return stop
}

// authority signs certificates for the tests' collectors.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t testing.TB) authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return authority{cert, key}
}

func (a authority) pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(a.cert)
	return p
}

// certificate is one for a collector on loopback.
func (a authority) certificate(t testing.TB) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "collector"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"logs.example"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// server is a collector that takes messages apart by RFC 5425.
type server struct {
	t        testing.TB
	config   *tls.Config
	addr     netip.AddrPort
	mu       sync.Mutex
	listener net.Listener
	conns    map[net.Conn]bool
	messages []string
	broken   []error
	wg       sync.WaitGroup
	// most is how many messages a connection may bring before it is cut off; 0: any number.
	most int
}

func newServer(t testing.TB, a authority) *server {
	t.Helper()
	s := &server{t: t, config: &tls.Config{Certificates: []tls.Certificate{a.certificate(t)}, MinVersion: tls.VersionTLS12}, conns: make(map[net.Conn]bool)}
	s.listen("127.0.0.1:0")
	t.Cleanup(s.stop)
	return s
}

func (s *server) listen(addr string) {
	s.t.Helper()
	raw, err := net.Listen("tcp", addr)
	if err != nil {
		s.t.Fatal(err)
	}
	s.mu.Lock()
	s.addr = netip.MustParseAddrPort(raw.Addr().String())
	s.listener = raw
	s.mu.Unlock()
	s.wg.Go(func() {
		for {
			c, err := raw.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.conns[c] = true
			s.mu.Unlock()
			s.wg.Go(func() { s.serve(tls.Server(c, s.config), c) })
		}
	})
}

func (s *server) serve(c *tls.Conn, raw net.Conn) {
	err := s.read(c)
	_ = c.Close() // answers with close_notify
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, raw)
	if err != nil && !errors.Is(err, net.ErrClosed) {
		s.broken = append(s.broken, err)
	}
}

// stop closes everything at once, as a collector that dies.
func (s *server) stop() {
	s.mu.Lock()
	_ = s.listener.Close()
	for c := range s.conns {
		_ = c.Close()
	}
	s.mu.Unlock()
	s.wg.Wait()
}

func (s *server) got() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.messages...)
}

func (s *server) target(a authority) Target { return Collector(s.addr, a.pool(), "") }
