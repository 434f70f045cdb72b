package host_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
	multistream "github.com/multiformats/go-multistream"
	"go.uber.org/goleak"

	"github.com/caro-mesh/caro-node/internal/meshtest"
	"github.com/caro-mesh/caro-node/node/host"
	"github.com/caro-mesh/caro-node/node/identity"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newHost(t *testing.T, c host.Config) *host.Host {
	t.Helper()
	id, err := identity.New(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	c.Key = id.HostKey()
	h, err := host.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close() })
	if err := h.Listen(); err != nil {
		t.Fatal(err)
	}
	return h
}

func loopback() host.Config { return host.Config{Listen: []string{"/ip4/127.0.0.1/tcp/0"}} }

func dial(t *testing.T, a, b *host.Host) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	return a.Connect(ctx, peer.AddrInfo{ID: b.ID(), Addrs: b.Network().ListenAddresses()})
}

func TestConnectionsAreTLSOverTCPWithYamux(t *testing.T) {
	a, b := newHost(t, loopback()), newHost(t, loopback())
	if err := dial(t, a, b); err != nil {
		t.Fatal(err)
	}
	for _, c := range append(a.Network().ConnsToPeer(b.ID()), b.Network().ConnsToPeer(a.ID())...) {
		if s := c.ConnState(); s.Security != "/tls/1.0.0" || s.StreamMultiplexer != "/yamux/1.0.0" || s.Transport != "tcp" {
			t.Errorf("connection uses %+v", s)
		}
	}
}

// handshake negotiates TLS as a client of at most version highest would.
func handshake(t *testing.T, h *host.Host, highest uint16) (tls.ConnectionState, error) {
	t.Helper()
	_, addr, err := manet.DialArgs(h.Network().ListenAddresses()[0])
	if err != nil {
		t.Fatal(err)
	}
	conn, err := (&net.Dialer{Timeout: time.Minute}).DialContext(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if err := multistream.SelectProtoOrFail("/tls/1.0.0", conn); err != nil {
		t.Fatal(err)
	}
	c := tls.Client(conn, &tls.Config{InsecureSkipVerify: true, MaxVersion: highest, NextProtos: []string{"libp2p"}}) // the server's side is what is tested
	return c.ConnectionState(), errors.Join(c.HandshakeContext(t.Context()), version(c))
}

func version(c *tls.Conn) error {
	if v := c.ConnectionState().Version; v != tls.VersionTLS13 {
		return errors.New(tls.VersionName(v))
	}
	return nil
}

func TestNothingOlderThanTLS13IsSpoken(t *testing.T) {
	h := newHost(t, loopback())
	if _, err := handshake(t, h, tls.VersionTLS13); err != nil {
		t.Errorf("TLS 1.3: %v", err)
	}
	if _, err := handshake(t, h, tls.VersionTLS12); err == nil || !strings.Contains(err.Error(), "protocol version") {
		t.Errorf("TLS 1.2: %v", err)
	}
}

func TestNoOtherSecurityIsOffered(t *testing.T) {
	h := newHost(t, loopback())
	_, addr, err := manet.DialArgs(h.Network().ListenAddresses()[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, proto := range []string{"/noise", "/plaintext/2.0.0", "/secio/1.0.0"} {
		conn, err := (&net.Dialer{Timeout: time.Minute}).DialContext(t.Context(), "tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		if err := multistream.SelectProtoOrFail(proto, conn); err == nil {
			t.Errorf("%s was accepted", proto)
		}
		_ = conn.Close()
	}
}

func TestAConnectedPeerLearnsNoAddressesAndNoVersionOfCaro(t *testing.T) {
	a, b := newHost(t, loopback()), newHost(t, host.Config{Listen: []string{"/ip4/0.0.0.0/tcp/0"}})
	addrs, err := b.Network().InterfaceListenAddresses()
	if err != nil {
		t.Fatal(err)
	}
	local := addrs[slices.IndexFunc(addrs, func(a ma.Multiaddr) bool { return manet.IsIPLoopback(a) })]
	if err := a.Connect(t.Context(), peer.AddrInfo{ID: b.ID(), Addrs: []ma.Multiaddr{local}}); err != nil {
		t.Fatal(err)
	}
	// Opening a stream waits for identify, whatever becomes of the stream.
	if s, err := a.NewStream(t.Context(), b.ID(), "/nothing"); err == nil {
		_ = s.Reset()
	}
	agent, err := a.Peerstore().Get(b.ID(), "AgentVersion")
	if err != nil || agent != "caro/1" {
		t.Errorf("agent %q (%v)", agent, err)
	}
	protocols, err := a.Peerstore().GetProtocols(b.ID())
	slices.Sort(protocols)
	if err != nil || len(protocols) != 2 || protocols[0] != "/ipfs/id/1.0.0" || protocols[1] != "/ipfs/id/push/1.0.0" {
		t.Errorf("protocols %v (%v)", protocols, err)
	}
	if got := b.Addrs(); len(got) != 0 {
		t.Errorf("b announces %v", got)
	}
	for _, known := range a.Peerstore().Addrs(b.ID()) {
		if !known.Equal(local) {
			t.Errorf("a learnt %s", known)
		}
	}
}

func TestAPortThatIsTakenIsAClearError(t *testing.T) {
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	taken, err := manet.FromNetAddr(l.Addr())
	if err != nil {
		t.Fatal(err)
	}
	first := newHost(t, loopback())
	for name, addr := range map[string]string{"by another program": taken.String(), "by another node": first.Network().ListenAddresses()[0].String()} {
		t.Run(name, func(t *testing.T) {
			id, err := identity.New(time.Now())
			if err != nil {
				t.Fatal(err)
			}
			h, err := host.New(host.Config{Key: id.HostKey(), Listen: []string{"/ip4/127.0.0.1/tcp/0", addr}})
			if err != nil {
				t.Fatal(err)
			}
			defer h.Close()
			err = h.Listen()
			if !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(err.Error(), addr+": another program uses this port") || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestListeningInPublicOrByNameIsRefused(t *testing.T) {
	for addr, want := range map[string]string{
		"/ip4/8.8.8.8/tcp/9238":            "address is public",
		"/dns4/localhost/tcp/9238":         "names are not looked up",
		"/ip4/127.0.0.1/udp/9238/quic-v1":  "must be /ip4/",
		"127.0.0.1:9238":                   "must be /ip4/",
		"/ip4/192.0.2.1/tcp/9238/p2p/12D3": "must be /ip4/",
	} {
		if _, err := host.ParseListen([]string{addr}, false); err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "network.listen: ") {
			t.Errorf("%s: %v", addr, err)
		}
	}
	if _, err := host.ParseListen([]string{"/ip4/8.8.8.8/tcp/9238"}, true); err != nil {
		t.Errorf("with public addresses allowed: %v", err)
	}
}

// recorder is a gate that lets everything through and remembers what it was asked.
type recorder struct {
	meshtest.OpenGate
	dials chan ma.Multiaddr
}

func (r *recorder) InterceptAddrDial(_ peer.ID, a ma.Multiaddr) bool {
	r.dials <- a
	return true
}

func TestTheHostDialsNothingOutsideItsNetworkAndLooksNothingUp(t *testing.T) {
	gate := &recorder{dials: make(chan ma.Multiaddr, 16)}
	c := loopback()
	c.Gate = gate
	h := newHost(t, c)
	other, err := identity.New(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	id, err := peer.IDFromPrivateKey(other.HostKey())
	if err != nil {
		t.Fatal(err)
	}
	// However an address got into the peer store, nothing is dialled.
	for _, s := range []string{"/ip4/192.0.2.1/tcp/9238", "/ip6/2001:db8::1/tcp/9238", "/dns4/caro.invalid/tcp/9238", "/dnsaddr/caro.invalid", "/ip4/100.64.0.1/tcp/1"} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		err := h.Connect(ctx, peer.AddrInfo{ID: id, Addrs: []ma.Multiaddr{ma.StringCast(s)}})
		cancel()
		if err == nil || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v", s, err)
		}
		h.Peerstore().ClearAddrs(id)
	}
	close(gate.dials)
	for a := range gate.dials {
		t.Errorf("%s passed the rule about addresses", a)
	}
}

func TestAHostWithPublicAddressesAllowedStillLooksNothingUp(t *testing.T) {
	gate := &recorder{dials: make(chan ma.Multiaddr, 16)}
	h := newHost(t, host.Config{Gate: gate, AllowPublic: true})
	other := newHost(t, loopback())
	_, port, err := net.SplitHostPort(strings.ReplaceAll(other.Network().ListenAddresses()[0].String()[len("/ip4/"):], "/tcp/", ":"))
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Connect(t.Context(), peer.AddrInfo{ID: other.ID(), Addrs: []ma.Multiaddr{ma.StringCast("/dns4/localhost/tcp/" + port)}}); err == nil {
		t.Error("localhost was looked up")
	}
	if len(gate.dials) != 0 {
		t.Errorf("dialled %s", <-gate.dials)
	}
}

func TestConnectionsFromALostAddressAreEndedAndOthersStay(t *testing.T) {
	hub, peers := newHost(t, loopback()), []*host.Host{newHost(t, loopback()), newHost(t, loopback())}
	for _, p := range peers {
		if err := dial(t, p, hub); err != nil {
			t.Fatal(err)
		}
	}
	if n := peers[0].CloseFrom(func(a netip.Addr) bool { return a != netip.MustParseAddr("127.0.0.1") }); n != 0 {
		t.Errorf("%d connections from another address were ended", n)
	}
	if n := peers[0].CloseFrom(func(a netip.Addr) bool { return a == netip.MustParseAddr("127.0.0.1") }); n != 1 {
		t.Errorf("%d connections were ended", n)
	}
	meshtest.Eventually(t, func() error {
		if left := hub.Network().Peers(); len(left) != 1 || left[0] != peers[1].ID() {
			return fmt.Errorf("%d are connected", len(left))
		}
		return nil
	})
}

func TestAnOfficeBehindOneAddressConnects(t *testing.T) {
	hub := newHost(t, loopback())
	const office = 24 // libp2p's own limit is 8 per address
	for range office {
		if err := dial(t, newHost(t, host.Config{}), hub); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(hub.Network().Peers()); n != office {
		t.Errorf("%d connected", n)
	}
}

func TestOnePeerCannotHoldManyConnectionsOrStreams(t *testing.T) {
	a, b := newHost(t, host.Config{}), newHost(t, loopback())
	b.SetStreamHandler("/hold", func(network.Stream) {})
	if err := dial(t, a, b); err != nil {
		t.Fatal(err)
	}
	opened := 0
	for range 100 {
		s, err := a.NewStream(t.Context(), b.ID(), "/hold")
		if err != nil {
			break
		}
		opened++
		defer func() { _ = s.Reset() }()
	}
	if opened == 0 || opened > 24 {
		t.Errorf("%d streams at once", opened)
	}
}

func TestMultiaddrsAreWhatOthersCanDial(t *testing.T) {
	a, b := newHost(t, host.Config{}), newHost(t, host.Config{Listen: []string{"/ip4/0.0.0.0/tcp/0"}})
	addrs := b.Multiaddrs(false)
	if len(addrs) == 0 {
		t.Fatal("no addresses")
	}
	reached := false
	for _, s := range addrs {
		info, err := peer.AddrInfoFromString(s)
		if err != nil {
			t.Fatal(err)
		}
		ip, err := manet.ToIP(info.Addrs[0])
		if err != nil {
			t.Fatal(err)
		}
		if addr, _ := netip.AddrFromSlice(ip); !addr.IsPrivate() && !addr.IsLoopback() && !addr.IsLinkLocalUnicast() {
			t.Errorf("%s is public", s)
		}
		if a.Connect(t.Context(), *info) == nil {
			reached = true
		}
	}
	if !reached {
		t.Errorf("none of %v was reached", addrs)
	}
}

func TestTheImportGraphHasNoQUICAndNoWebRTC(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "github.com/caro-mesh/caro-node/node/host").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	for _, p := range strings.Fields(string(out)) {
		for _, bad := range []string{"quic-go", "pion", "webtransport", "go-libp2p-kad-dht"} {
			if strings.Contains(p, bad) {
				t.Errorf("%s is linked", p)
			}
		}
		if p == "github.com/libp2p/go-libp2p" || p == "github.com/libp2p/go-libp2p/config" {
			t.Errorf("%s is linked", p)
		}
	}
}
