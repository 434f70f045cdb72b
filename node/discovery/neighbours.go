package discovery

import (
	"cmp"
	"context"
	"net/netip"
	"slices"
	"sync"
	"time"

	ma "github.com/multiformats/go-multiaddr"

	"github.com/caro-mesh/caro-node/node/discovery/mdns"
	"github.com/caro-mesh/caro-node/policy"
	"github.com/caro-mesh/caro-node/protocol"
)

// Anybody can announce a thousand nodes. What is remembered is bounded, and nobody can use it up alone.
const (
	// maxNeighbours is how many nodes are remembered: as many as may be connected. One takes about 1 KiB. Nodes that are
	// trusted by their ID have room beyond that.
	maxNeighbours = 512
	// perAddress is how many of them may be announced from one address: a machine may have many users with a node each.
	perAddress = 32
	// sweepEvery is how often what is over is forgotten.
	sweepEvery = 10 * time.Second
)

// Neighbour is a node that was announced on the local network.
type Neighbour struct {
	ID       protocol.NodeID
	Addrs    []string // multiaddrs where it says that it listens, the latest last
	LastSeen time.Time
}

// NeighboursConfig is what Neighbours needs. Every field is required.
type NeighboursConfig struct {
	Self   protocol.NodeID
	Policy Policy
	Keeper *Keeper
	// Now is the node's clock.
	Now func() time.Time
}

// Neighbours decides what becomes of nodes that were announced on the local network: those that the policy lets connect
// are kept connected, and those that nobody has decided about are remembered, so that a person can. It is safe for
// concurrent use.
type Neighbours struct {
	c NeighboursConfig

	mu   sync.Mutex
	seen map[protocol.NodeID]*neighbour
}

type neighbour struct {
	places []place // at most maxCandidates
	last   time.Time
}

type place struct {
	addr  ma.Multiaddr
	ip    netip.Addr
	until time.Time // machine's clock
}

// NewNeighbours returns an empty list.
func NewNeighbours(c NeighboursConfig) *Neighbours {
	return &Neighbours{c: c, seen: make(map[protocol.NodeID]*neighbour)}
}

// Run forgets what was not announced for long, until ctx ends. It returns nil.
func (n *Neighbours) Run(ctx context.Context) error {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			n.sweep(time.Now())
		}
	}
}

func (n *Neighbours) sweep(now time.Time) {
	n.mu.Lock()
	for id, e := range n.seen {
		e.places = slices.DeleteFunc(e.places, func(p place) bool { return !p.until.After(now) })
		if len(e.places) == 0 {
			delete(n.seen, id)
		}
	}
	n.mu.Unlock()
	n.c.Keeper.ExpireFound()
}

// Sighted takes an announcement. It does not block.
func (n *Neighbours) Sighted(s mdns.Sighting) {
	if s.ID == n.c.Self {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	e := n.seen[s.ID]
	if s.For <= 0 {
		if e != nil {
			e.places = slices.DeleteFunc(e.places, func(p place) bool { return slices.ContainsFunc(s.Addrs, p.addr.Equal) })
			if len(e.places) == 0 {
				delete(n.seen, s.ID)
			}
			n.c.Keeper.Lost(s.ID, s.Addrs...)
		}
		return
	}
	d := n.decide(s.ID, s.From)
	if !d.Allowed && !undecided(d) {
		return
	}
	if e == nil {
		if !n.decide(s.ID, netip.Addr{}).Allowed && !n.hasRoom(s.From) {
			return
		}
		e = &neighbour{}
		n.seen[s.ID] = e
	}
	e.last = n.c.Now()
	until := time.Now().Add(s.For)
	for _, a := range s.Addrs {
		e.places = slices.DeleteFunc(e.places, func(p place) bool { return p.addr.Equal(a) })
		if len(e.places) >= maxCandidates {
			e.places = slices.Delete(e.places, 0, 1)
		}
		e.places = append(e.places, place{addr: a, ip: s.From, until: until})
	}
	if d.Allowed {
		n.c.Keeper.Found(s.ID, s.Addrs, s.For)
	}
}

func (n *Neighbours) decide(id protocol.NodeID, ip netip.Addr) policy.Decision {
	return (&Gate{c: GateConfig{Policy: n.c.Policy, Now: n.c.Now}}).decide(id, ip)
}

// hasRoom reports whether one more may be remembered that was announced from ip, and makes room where it must: any node
// goes that is neither connected nor trusted by its ID, so that no liar can choose whom nobody hears of.
func (n *Neighbours) hasRoom(ip netip.Addr) bool {
	same := 0
	for id, e := range n.seen {
		if slices.ContainsFunc(e.places, func(p place) bool { return p.ip == ip }) && !n.decide(id, netip.Addr{}).Allowed {
			same++
		}
	}
	if same >= perAddress {
		return false
	}
	if len(n.seen) < maxNeighbours {
		return true
	}
	for id := range n.seen {
		if !n.c.Keeper.Connected(id) && !n.decide(id, netip.Addr{}).Allowed {
			delete(n.seen, id)
			n.c.Keeper.Lost(id)
			return true
		}
	}
	return false
}

// Reconsider asks the policy anew about every node. Call it when trust has changed.
func (n *Neighbours) Reconsider() {
	n.mu.Lock()
	defer n.mu.Unlock()
	now := time.Now()
	for id, e := range n.seen {
		trusted := false
		for _, p := range e.places {
			if n.decide(id, p.ip).Allowed && p.until.After(now) {
				trusted = true
				n.c.Keeper.Found(id, []ma.Multiaddr{p.addr}, p.until.Sub(now))
			}
		}
		if !trusted {
			n.c.Keeper.Lost(id)
		}
	}
}

// Pending returns the nodes that nobody has decided about, sorted by ID.
func (n *Neighbours) Pending() []Neighbour {
	n.mu.Lock()
	defer n.mu.Unlock()
	var out []Neighbour
	for id, e := range n.seen {
		if slices.ContainsFunc(e.places, func(p place) bool { return !undecided(n.decide(id, p.ip)) }) {
			continue
		}
		out = append(out, e.view(id))
	}
	slices.SortFunc(out, func(a, b Neighbour) int { return cmp.Compare(a.ID, b.ID) })
	return out
}

// Find returns what was announced of a node.
func (n *Neighbours) Find(id protocol.NodeID) (Neighbour, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	e := n.seen[id]
	if e == nil {
		return Neighbour{}, false
	}
	return e.view(id), true
}

func (e *neighbour) view(id protocol.NodeID) Neighbour {
	v := Neighbour{ID: id, LastSeen: e.last}
	for _, p := range e.places {
		v.Addrs = append(v.Addrs, p.addr.String())
	}
	return v
}
