package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// newCertificate makes a certificate for 127.0.0.1 that vouches for itself, and the file that holds it.
func newCertificate(t *testing.T, dir string) (*tls.Config, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "collector"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "ca.pem")
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, MinVersion: tls.VersionTLS12}, path
}

// Everything of one connection after the other, until the listener is closed.
func collect(t *testing.T, config *tls.Config) (addr string, connections <-chan string) {
	t.Helper()
	l, err := tls.Listen("tcp", "127.0.0.1:0", config)
	if err != nil {
		t.Fatal(err)
	}
	all := make(chan string)
	done := make(chan struct{})
	go func() {
		defer close(all)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			b, _ := io.ReadAll(c) // what came before an error is what came
			_ = c.Close()
			select {
			case all <- string(b):
			case <-done:
				return
			}
		}
	}()
	t.Cleanup(func() {
		close(done)
		_ = l.Close()
		for range all { // until its goroutine has ended
		}
	})
	return l.Addr().String(), all
}

func TestACollectorGetsTheLogAndLaterWhatIsNew(t *testing.T) {
	home := t.TempDir()
	config, ca := newCertificate(t, home)
	addr, connections := collect(t, config)
	getenv := func(name string) string {
		if name == "CARO_HOME" {
			return home
		}
		return ""
	}
	first := 1
	for _, n := range []int{5, 2} {
		if err := seedDatabase(t.Context(), filepath.Join(home, "caro.db"), n); err != nil {
			t.Fatal(err)
		}
		var out, errs bytes.Buffer
		code := make(chan int, 1)
		go func() {
			code <- execute([]string{"audit", "export", "--format", "syslog", "--to", "tls://" + addr, "--ca", ca}, stdio{strings.NewReader(""), &out, &errs}, getenv)
		}()
		got := <-connections
		if c := <-code; c != exitDone || out.Len() != 0 || !strings.Contains(errs.String(), strconv.Itoa(n)+" records exported") {
			t.Fatalf("exit code %d, %s%s", c, &out, &errs)
		}
		if strings.Count(got, " caro-node - ") != n || !strings.Contains(got, `sequence="`+strconv.Itoa(first)+`"`) || !strings.Contains(got, `sequence="`+strconv.Itoa(first+n-1)+`"`) {
			t.Errorf("came %q, want the records %d to %d", got, first, first+n-1)
		}
		first += n
	}
	if states, err := filepath.Glob(filepath.Join(home, "export-127.0.0.1_*-syslog.state")); err != nil || len(states) != 1 {
		t.Errorf("the state is in %v (%v)", states, err)
	}
}

func TestAnExportReadsTheDatabaseThatHasTheNameNow(t *testing.T) {
	home := t.TempDir()
	path := filepath.Join(home, "caro.db")
	c := &cli{getenv: func(name string) string {
		if name == "CARO_HOME" {
			return home
		}
		return ""
	}}
	log := &auditSource{open: c.openAudit}
	defer log.close()
	count := func(want int) {
		t.Helper()
		if got, err := log.records(t.Context(), 0, 100); err != nil || len(got) != want {
			t.Errorf("%d records, %v; want %d", len(got), err, want)
		}
	}
	if err := seedDatabase(t.Context(), path, 3); err != nil {
		t.Fatal(err)
	}
	count(3)
	if err := seedDatabase(t.Context(), path+".other", 5); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".other", path); err != nil { // as a repair does
		t.Fatal(err)
	}
	count(5)
	if err := seedDatabase(t.Context(), path, 2); err != nil {
		t.Fatal(err)
	}
	count(7)
}
