// Package meshtest makes small meshes of real nodes for tests: loopback TCP, TLS 1.3, real keys, and nothing replaced
// except that sequence numbers and clocks live in memory.
package meshtest

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/connmgr"
	"github.com/libp2p/go-libp2p/core/control"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/caro-mesh/caro-node/node/host"
	"github.com/caro-mesh/caro-node/node/identity"
	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/protocol/exchange"
	"github.com/caro-mesh/caro-node/protocol/health"
	"github.com/caro-mesh/caro-node/protocol/hello"
)

// Node is one node of a test mesh, up to and including its Hello registry. It serves nothing by itself.
type Node struct {
	Key      *identity.Identity
	Host     *host.Host
	Registry *hello.Registry
	Endpoint *exchange.Endpoint
	Sealer   *protocol.Sealer
	Clock    *Clock

	topic atomic.Pointer[health.Topic]

	mu       sync.Mutex
	refusals []exchange.Refusal
	closers  []func()
}

// Options change what is usual.
type Options struct {
	Key       *identity.Identity // nil: a new one
	Listen    string             // "": a free port on loopback
	Gate      connmgr.ConnectionGater
	Hooks     hello.Hooks
	Probation time.Duration
	Timeout   time.Duration
	// Network puts the node into a network within the process; Listen is an address such as /memory/7 then.
	Network *Network
}

// Clock is a node's clock: the machine's, put forward by an offset.
type Clock struct{ offset atomic.Int64 }

// Now returns the time.
func (c *Clock) Now() time.Time { return time.Now().Add(time.Duration(c.offset.Load())) }

// Set changes how far the clock is ahead.
func (c *Clock) Set(d time.Duration) { c.offset.Store(int64(d)) }

// Sequence is a sequencer in memory.
type Sequence struct{ n atomic.Uint64 }

// Next returns the next number.
func (s *Sequence) Next() (uint64, error) { return s.n.Add(1), nil }

// NewSequence starts where a node that starts now would start.
func NewSequence() *Sequence {
	s := &Sequence{}
	s.n.Store(uint64(time.Now().UnixNano()))
	return s
}

// New starts a node that stops with the test.
func New(t testing.TB, o Options) *Node {
	t.Helper()
	n, err := Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Close)
	return n
}

// Start starts a node that the caller closes.
func Start(o Options) (*Node, error) {
	n := &Node{Key: o.Key, Clock: &Clock{}}
	var err error
	if n.Key == nil {
		if n.Key, err = identity.New(time.Now()); err != nil {
			return nil, err
		}
	}
	if o.Listen == "" {
		o.Listen = "/ip4/127.0.0.1/tcp/0"
	}
	c := host.Config{Key: n.Key.HostKey(), Listen: []string{o.Listen}, Gate: o.Gate}
	if o.Network != nil {
		c.Transport = o.Network.Transport(o.Listen)
	}
	if n.Host, err = host.New(c); err != nil {
		return nil, err
	}
	if err := n.Host.Listen(); err != nil {
		return nil, errors.Join(err, n.Host.Close())
	}
	n.Registry = hello.NewRegistry(n.Host, hello.Hooks{Up: n.up(o.Hooks.Up), Changed: o.Hooks.Changed, Down: o.Hooks.Down}, o.Probation)
	n.Sealer = protocol.NewSealer(n.Key, NewSequence(), n.Clock.Now)
	n.Endpoint, err = exchange.New(exchange.Config{Host: n.Host, Sealer: n.Sealer, Opener: protocol.NewOpener(n.Clock.Now),
		Admitted: n.Registry.Admitted, Refused: n.note, Timeout: o.Timeout, Now: n.Clock.Now})
	if err != nil {
		n.Close()
		return nil, err
	}
	return n, nil
}

func (n *Node) up(also func(hello.Peer)) func(hello.Peer) {
	return func(p hello.Peer) {
		if t := n.topic.Load(); t != nil {
			t.Up(p.Identity.NodeID)
		}
		if also != nil {
			also(p)
		}
	}
}

// Gossips joins the health topic; call it before the node meets others. Admitted are all neighbours whose Hello was
// accepted and for which may returns true, trusted all nodes for which it does; nil means all.
func (n *Node) Gossips(may func(protocol.NodeID) bool) (*health.Topic, error) {
	if may == nil {
		may = func(protocol.NodeID) bool { return true }
	}
	t, err := health.Join(health.Config{Endpoint: n.Endpoint, Key: n.Key, Sequence: NewSequence(), Trusted: may,
		Admitted: func(ctx context.Context, id protocol.NodeID) bool { return n.Registry.Admitted(ctx, id) && may(id) }})
	if err != nil {
		return nil, err
	}
	n.topic.Store(t)
	n.OnClose(t.Close)
	return t, nil
}

// Identity returns how the node introduces itself.
func (n *Node) Identity() protocol.NodeIdentity {
	return protocol.NodeIdentity{NodeID: n.Key.NodeID(), Fingerprint: n.Key.Fingerprint(), DisplayName: "node " + string(n.Key.Fingerprint()),
		Capabilities: protocol.NodeCapabilities{ProtocolVersion: protocol.Version, CaroVersion: "test", MaxShareLevel: protocol.LevelSummarized,
			SupportedQueries: []protocol.QueryType{protocol.QueryToolUsage, protocol.QuerySafetyPosture}},
		CreatedAt: protocol.At(n.Key.CreatedAt())}
}

// Local returns what hello needs, with an Admit (nil lets everybody in).
func (n *Node) Local(admit func(protocol.NodeID) error) hello.Local {
	return hello.Local{Identity: n.Identity, X25519: n.Key.X25519(), NextDigest: n.Key.X25519(), // any 32 bytes
		Admit: func(_ context.Context, id protocol.NodeID, _ netip.Addr, _ hello.Introduction) error {
			if admit == nil {
				return nil
			}
			return admit(id)
		}}
}

// Greets makes the node serve Hello and returns a client that says it.
func (n *Node) Greets(admit func(protocol.NodeID) error) *hello.Client {
	l := n.Local(admit)
	n.OnClose(hello.Serve(n.Endpoint, n.Registry, l).Close)
	return hello.NewClient(n.Endpoint, n.Registry, l)
}

// OnClose runs f before the host stops, last added first.
func (n *Node) OnClose(f func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.closers = append(n.closers, f)
}

// Close stops the node. It may be called more than once.
func (n *Node) Close() {
	n.mu.Lock()
	closers := n.closers
	n.closers = nil
	n.mu.Unlock()
	for i := len(closers) - 1; i >= 0; i-- {
		closers[i]()
	}
	n.Registry.Close()
	_ = n.Host.Close() // basic hosts always return nil
}

func (n *Node) note(r exchange.Refusal) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.refusals = append(n.refusals, r)
}

// Refusals returns what the node refused so far.
func (n *Node) Refusals() []exchange.Refusal {
	n.mu.Lock()
	defer n.mu.Unlock()
	return append([]exchange.Refusal(nil), n.refusals...)
}

// Info returns the node's addresses.
func (n *Node) Info() peer.AddrInfo {
	return peer.AddrInfo{ID: n.Host.ID(), Addrs: n.Host.Network().ListenAddresses()}
}

// Dial connects a to b without saying anything.
func Dial(t testing.TB, a, b *Node) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := a.Host.Connect(ctx, b.Info()); err != nil {
		t.Fatalf("connect: %v", err)
	}
}

// Meet connects a to b and admits each at the other. Both must serve Hello.
func Meet(t testing.TB, a *Node, client *hello.Client, b *Node) {
	t.Helper()
	Dial(t, a, b)
	if _, err := client.Greet(t.Context(), b.Key.NodeID()); err != nil {
		t.Fatalf("hello: %v", err)
	}
}

// Eventually retries check until it returns nil, and fails with its last error after a minute: what takes milliseconds alone
// takes seconds on a machine that is busy with other tests.
func Eventually(t testing.TB, check func() error) {
	t.Helper()
	await(t, time.Minute, 5*time.Millisecond, check)
}

// Settles asks every tenth of a second until there is no complaint any more, and fails with the last one after patience.
func Settles(t testing.TB, patience time.Duration, complaint func() string) {
	t.Helper()
	await(t, patience, 100*time.Millisecond, func() error {
		if c := complaint(); c != "" {
			return errors.New(c)
		}
		return nil
	})
}

func await(t testing.TB, patience, pause time.Duration, check func() error) {
	t.Helper()
	deadline := time.Now().Add(patience)
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("still not after %s: %v", patience, err)
		}
		select {
		case <-tick.C:
		case <-t.Context().Done():
			t.Fatal(err)
		}
	}
}

// OpenGate is a connection gate that lets everything through, to be embedded.
type OpenGate struct{}

// InterceptPeerDial lets through.
func (OpenGate) InterceptPeerDial(peer.ID) bool { return true }

// InterceptAddrDial lets through.
func (OpenGate) InterceptAddrDial(peer.ID, ma.Multiaddr) bool { return true }

// InterceptAccept lets through.
func (OpenGate) InterceptAccept(network.ConnMultiaddrs) bool { return true }

// InterceptSecured lets through.
func (OpenGate) InterceptSecured(network.Direction, peer.ID, network.ConnMultiaddrs) bool {
	return true
}

// InterceptUpgraded lets through.
func (OpenGate) InterceptUpgraded(network.Conn) (bool, control.DisconnectReason) { return true, 0 }
