package e2e

import (
	"context"
	"encoding/binary"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	libp2p "github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/core/sec"
	libp2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"github.com/caro-mesh/caro-node/node/identity"
	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/protocol/exchange"
	"github.com/caro-mesh/caro-node/protocol/health"
	"github.com/caro-mesh/caro-node/protocol/hello"
	"github.com/caro-mesh/caro-node/protocol/query"
	"github.com/caro-mesh/caro-node/protocol/summary"
	"github.com/caro-mesh/caro-node/scripts/hostile"
)

// tap is a peer that speaks the whole protocol and keeps every decrypted byte that the other side sent.
type tap struct {
	t        *testing.T
	id       *identity.Identity
	host     host.Host
	endpoint *exchange.Endpoint
	registry *hello.Registry
	topic    *health.Topic

	mu        sync.Mutex
	heard     [][]byte // one buffer per connection
	summaries []*protocol.NodeSummary
}

// counter numbers the tap's messages.
type counter struct {
	mu sync.Mutex
	n  uint64
}

func (c *counter) Next() (uint64, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n++
	return c.n, nil
}

func newTap(t *testing.T) *tap {
	t.Helper()
	id, err := identity.New(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	p := &tap{t: t, id: id}
	if p.host, _, err = hostile.Assemble(id, func(tls *libp2ptls.Transport) sec.SecureTransport { return &listening{tls, p} }); err != nil {
		t.Fatal(err)
	}
	// Nobody is admitted before Hello is served, below.
	p.registry = hello.NewRegistry(p.host, hello.Hooks{Up: func(up hello.Peer) { p.topic.Up(up.Identity.NodeID) }}, 0)
	p.endpoint, err = exchange.New(exchange.Config{Host: p.host, Sealer: protocol.NewSealer(id, &counter{}, time.Now),
		Opener: protocol.NewOpener(time.Now), Admitted: p.registry.Admitted, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	p.topic, err = health.Join(health.Config{Endpoint: p.endpoint, Key: id, Sequence: &counter{}, Admitted: p.registry.Admitted,
		Trusted: func(protocol.NodeID) bool { return true }})
	if err != nil {
		t.Fatal(err)
	}
	greeter := hello.Serve(p.endpoint, p.registry, p.introduction())
	taker := summary.Serve(p.endpoint, nil, func(_ context.Context, _ exchange.From, s *protocol.NodeSummary, _ []byte) (summary.Verdict, error) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.summaries = append(p.summaries, s)
		return summary.Verdict{Status: summary.StatusAccepted}, nil
	})
	t.Cleanup(func() {
		greeter.Close()
		taker.Close()
		p.topic.Close()
		if err := p.host.Close(); err != nil {
			t.Error(err)
		}
		p.registry.Close()
	})
	return p
}

func (p *tap) introduction() hello.Local {
	id := p.id.NodeID()
	who := protocol.NodeIdentity{NodeID: id, Fingerprint: id.Fingerprint(), CreatedAt: protocol.At(time.Now()),
		Capabilities: protocol.NodeCapabilities{ProtocolVersion: protocol.Version, CaroVersion: "tap", MaxShareLevel: protocol.LevelRaw}}
	return hello.Local{X25519: p.id.X25519(), NextDigest: p.id.X25519(), Identity: func() protocol.NodeIdentity { return who },
		Admit: func(context.Context, protocol.NodeID, netip.Addr, hello.Introduction) error { return nil }}
}

// address is the multiaddr under which the tap is dialled.
func (p *tap) address() string {
	return p.host.Addrs()[0].String() + "/p2p/" + p.host.ID().String()
}

// port is where the tap listens.
func (p *tap) port() netip.AddrPort { return addrPort(p.t, p.host.Addrs()[0]) }

func addrPort(t *testing.T, m ma.Multiaddr) netip.AddrPort {
	t.Helper()
	a, err := manet.ToNetAddr(m)
	if err != nil {
		t.Fatal(err)
	}
	return netip.MustParseAddrPort(a.String())
}

// ask sends a query that the tapped node has to answer.
func (p *tap) ask(to protocol.NodeID, qt protocol.QueryType, filters ...protocol.Filter) *protocol.MeshResponse {
	p.t.Helper()
	end := time.Now().UTC().Truncate(time.Hour).Add(time.Hour)
	q := &protocol.MeshQuery{QueryID: newUUID(), Requester: p.id.NodeID(), QueryType: qt, Filters: filters,
		TimeRange: protocol.TimeRange{Start: protocol.At(end.Add(-72 * time.Hour)), End: protocol.At(end)}}
	wire, err := protocol.SignQuery(q, p.id, time.Now())
	if err != nil {
		p.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	r, err := query.Ask(ctx, p.endpoint, p.id, to, q, wire)
	if err != nil {
		p.t.Fatalf("%s: %v", qt, err)
	}
	return r
}

// received returns the summaries that were pushed to the tap.
func (p *tap) received() []*protocol.NodeSummary {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]*protocol.NodeSummary(nil), p.summaries...)
}

// evidence returns everything that was heard: each connection as it was, and each stream of it on its own, because a
// word may be cut in two by a frame of the multiplexer.
func (p *tap) evidence() [][]byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out [][]byte
	for _, conn := range p.heard {
		out = append(out, conn)
		out = append(out, streams(conn)...)
	}
	return out
}

// streams joins the data frames of each yamux stream.
func streams(conn []byte) [][]byte {
	const header = 12 // version, type, flags (2), stream (4), length (4)
	bodies := make(map[uint32][]byte)
	// The two hosts agree on the multiplexer inside the TLS handshake, so the first byte is a frame's.
	for len(conn) >= header && conn[0] == 0 {
		kind, id, n := conn[1], binary.BigEndian.Uint32(conn[4:]), int(binary.BigEndian.Uint32(conn[8:]))
		conn = conn[header:]
		if kind != 0 {
			continue // not data: the length is a window, a ping or a code
		}
		n = min(n, len(conn))
		bodies[id] = append(bodies[id], conn[:n]...)
		conn = conn[n:]
	}
	out := make([][]byte, 0, len(bodies))
	for _, b := range bodies {
		out = append(out, b)
	}
	return out
}

// listening is TLS whose decrypted side is written down.
type listening struct {
	*libp2ptls.Transport
	tap *tap
}

func (l *listening) SecureInbound(ctx context.Context, c net.Conn, p peer.ID) (sec.SecureConn, error) {
	return l.wrap(l.Transport.SecureInbound(ctx, c, p))
}

func (l *listening) SecureOutbound(ctx context.Context, c net.Conn, p peer.ID) (sec.SecureConn, error) {
	return l.wrap(l.Transport.SecureOutbound(ctx, c, p))
}

func (l *listening) ID() libp2p.ID { return l.Transport.ID() }

func (l *listening) wrap(c sec.SecureConn, err error) (sec.SecureConn, error) {
	if err != nil {
		return nil, err
	}
	l.tap.mu.Lock()
	defer l.tap.mu.Unlock()
	l.tap.heard = append(l.tap.heard, nil)
	return &heardConn{c, l.tap, len(l.tap.heard) - 1}, nil
}

type heardConn struct {
	sec.SecureConn
	tap   *tap
	index int
}

func (c *heardConn) Read(b []byte) (int, error) {
	n, err := c.SecureConn.Read(b)
	c.tap.mu.Lock()
	defer c.tap.mu.Unlock()
	c.tap.heard[c.index] = append(c.tap.heard[c.index], b[:n]...)
	return n, err
}
