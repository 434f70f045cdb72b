package discovery

import (
	"net/netip"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/control"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
	"golang.org/x/time/rate"

	"github.com/caro-mesh/caro-node/policy"
	"github.com/caro-mesh/caro-node/protocol"
)

// Policy answers without recording (audit.Gate has it).
type Policy interface {
	Peek(policy.Request) policy.Decision
}

// The budget for strangers. A connection lives for the probation of package hello (10 s) at most, so at most
// 5 + 2 × 10 = 25 of them are open at once.
const (
	knocksPerSecond = 2
	knocksAtOnce    = 5
	knockInterval   = 10 * time.Second // per node
	// knocksPerPlace are the nodes of one place within knockInterval: a third of what all together may, so that somebody who
	// makes ever new keys on one machine leaves room for those who come from elsewhere.
	knocksPerPlace = 8
)

// barTime is how long a node that was cut off for what it sent stays outside. Whoever comes back at once costs a handshake,
// a Hello and records each time, which is more than what it was cut off for.
const barTime = time.Minute

// Knock is a node that was not let in.
type Knock struct {
	ID   protocol.NodeID
	Addr netip.Addr // zero without IP
	// From is the multiaddr that it came from; its port is not the one that it listens on.
	From string
	At   time.Time
	// Decision is why. Denied is set when somebody decided against the node; otherwise nobody has decided yet.
	Decision policy.Decision
	Denied   bool
}

// GateConfig is what a gate needs.
type GateConfig struct {
	Policy Policy
	// Knocked is told about nodes that came without being trusted, within the budget for strangers. It must not block.
	// May be nil.
	Knocked func(Knock)
	// Now is the node's clock, for the policy.
	Now func() time.Time
}

// Gate is the host's connection gate. It is safe for concurrent use.
type Gate struct {
	c GateConfig

	mu     sync.Mutex
	budget *rate.Limiter
	last   map[protocol.NodeID]knocked // those that used the budget within knockInterval
	// expected are keys that the node may dial although nobody has decided about them, each at one address.
	expected map[protocol.NodeID]ma.Multiaddr
	barred   map[protocol.NodeID]time.Time // until when
	refused  uint64
}

// NewGate returns a gate.
func NewGate(c GateConfig) *Gate {
	return &Gate{c: c, budget: rate.NewLimiter(knocksPerSecond, knocksAtOnce), last: make(map[protocol.NodeID]knocked), expected: make(map[protocol.NodeID]ma.Multiaddr),
		barred: make(map[protocol.NodeID]time.Time)}
}

// Bar keeps a node outside for a minute, whoever dials.
func (g *Gate) Bar(id protocol.NodeID) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	for other, until := range g.barred {
		if !now.Before(until) {
			delete(g.barred, other)
		}
	}
	g.barred[id] = now.Add(barTime)
}

func (g *Gate) isBarred(id protocol.NodeID) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return time.Now().Before(g.barred[id])
}

// Expect lets the node dial one key at one address, although nobody has decided about it, until over is called: a target's
// new key may answer there. A key that somebody decided against is never dialled.
func (g *Gate) Expect(id protocol.NodeID, addr ma.Multiaddr) (over func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.expected[id] = addr
	return func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		delete(g.expected, id)
	}
}

func (g *Gate) expects(id protocol.NodeID, addr ma.Multiaddr) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	at, ok := g.expected[id]
	return ok && at.Equal(addr)
}

// Refused returns how many connections were cut off at the gate.
func (g *Gate) Refused() uint64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.refused
}

// InterceptPeerDial stops dials to nodes that are denied by name; for others the address may count.
func (g *Gate) InterceptPeerDial(p peer.ID) bool {
	id, err := protocol.NodeIDFromPeerID(p)
	if err != nil {
		return false
	}
	if g.isBarred(id) {
		return false
	}
	d := g.decide(id, netip.Addr{})
	return d.Allowed || undecided(d)
}

// InterceptAddrDial lets the node dial only whom it trusts at that address.
func (g *Gate) InterceptAddrDial(p peer.ID, a ma.Multiaddr) bool {
	id, err := protocol.NodeIDFromPeerID(p)
	if err != nil {
		return false
	}
	d := g.decide(id, ipOf(a))
	return d.Allowed || undecided(d) && g.expects(id, a)
}

// Trusts reports whether the policy in force lets a node connect from an address.
func (g *Gate) Trusts(p peer.ID, from ma.Multiaddr) bool {
	id, err := protocol.NodeIDFromPeerID(p)
	return err == nil && g.decide(id, ipOf(from)).Allowed
}

// InterceptAccept knows no peer yet.
func (g *Gate) InterceptAccept(network.ConnMultiaddrs) bool { return true }

// InterceptSecured decides about an authenticated node.
func (g *Gate) InterceptSecured(dir network.Direction, p peer.ID, c network.ConnMultiaddrs) bool {
	id, err := protocol.NodeIDFromPeerID(p)
	if err != nil {
		return g.refuse()
	}
	if g.isBarred(id) {
		return g.refuse()
	}
	addr := ipOf(c.RemoteMultiaddr())
	d := g.decide(id, addr)
	if d.Allowed {
		return true
	}
	if dir == network.DirOutbound && undecided(d) && g.expects(id, c.RemoteMultiaddr()) {
		return true // as far as Hello, which tells whether it is the new key of a node that is trusted
	}
	if dir == network.DirOutbound || !g.spend(id, placeOf(addr)) {
		return g.refuse()
	}
	if g.c.Knocked != nil {
		g.c.Knocked(Knock{ID: id, Addr: addr, From: c.RemoteMultiaddr().String(), At: g.c.Now(), Decision: d, Denied: !undecided(d)})
	}
	return true // as far as Hello, which refuses it and says why
}

// InterceptUpgraded has nothing to add.
func (g *Gate) InterceptUpgraded(network.Conn) (bool, control.DisconnectReason) { return true, 0 }

func (g *Gate) decide(id protocol.NodeID, addr netip.Addr) policy.Decision {
	return g.c.Policy.Peek(policy.Request{Peer: id, Addr: addr, Action: policy.ActionConnect, Now: g.c.Now()})
}

func (g *Gate) refuse() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.refused++
	return false
}

// knocked is when a node used the budget for strangers, and from where.
type knocked struct {
	at    time.Time
	place netip.Prefix
}

// placeOf is what one machine can come from: an IPv4 address, or a /64 of IPv6; the zero Prefix without IP.
func placeOf(a netip.Addr) netip.Prefix {
	bits := 32
	if a.Is6() {
		bits = 64
	}
	p, err := a.WithZone("").Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}

// spend takes one knock of the budget. The table holds only nodes that were let through within the last knockInterval,
// at most knocksAtOnce + knocksPerSecond × 10 = 25.
func (g *Gate) spend(id protocol.NodeID, place netip.Prefix) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	neighbours := 0
	for other, k := range g.last {
		switch {
		case now.Sub(k.at) >= knockInterval:
			delete(g.last, other)
		case k.place == place:
			neighbours++
		}
	}
	if _, recent := g.last[id]; recent || neighbours >= knocksPerPlace || !g.budget.AllowN(now, 1) {
		return false
	}
	g.last[id] = knocked{at: now, place: place}
	return true
}

// undecided reports a refusal that stands only because nobody has named the node or its subnet.
func undecided(d policy.Decision) bool { return !d.Allowed && d.Rule.Name == "default_trust" }

func ipOf(a ma.Multiaddr) netip.Addr {
	ip, err := manet.ToIP(a)
	if err != nil {
		return netip.Addr{}
	}
	addr, _ := netip.AddrFromSlice(ip)
	return addr.Unmap()
}
