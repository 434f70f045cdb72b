package hello

import (
	"context"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/protocol/exchange"
)

// DefaultProbation is how long a connection may stay open without an accepted Hello.
const DefaultProbation = 10 * time.Second

// settled is how much younger a connection has to be than another of the same node to supersede it. Two nodes that dial each
// other at once, or at several addresses, have two that are of an age.
const settled = 30 * time.Second

// Peer is what an accepted Hello told about a connected node.
type Peer struct {
	Identity protocol.NodeIdentity
	X25519   [32]byte
	Version  Version
	Addr     netip.Addr // where it is connected from; zero without IP
	Inbound  bool       // it dialled us
	Since    time.Time  // when it was admitted, by the node's clock
	// Former are the keys that it had before, by its own word and the signatures of all of them; oldest first.
	Former []protocol.NodeID
	// NextDigest is of the key that it says it will have next.
	NextDigest protocol.KeyDigest
	// Skew is how far its clock was ahead of ours, network delay included.
	Skew time.Duration
	// Goodbye is what it said before it left ([Registry.SaidGoodbye]); empty while it stays and when it just vanished.
	Goodbye string
}

// Hooks are told about admissions, one call at a time and in order: Down always follows the Up of the same node, and
// Changed, when the node told another name or other capabilities, comes between them. They may read the registry, and
// must not call Greet or close connections themselves.
type Hooks struct {
	Up      func(Peer)
	Changed func(Peer)
	Down    func(Peer)
}

// Registry knows the connected nodes whose Hello was accepted. It is safe for concurrent use.
type Registry struct {
	host      host.Host
	hooks     Hooks
	probation time.Duration

	order sync.Mutex // held while hooks run; taken before mu
	mu    sync.Mutex
	peers map[protocol.NodeID]*record
	// greeting has the nodes to which a Hello of ours is under way; the channel is closed at its end.
	greeting map[protocol.NodeID]chan struct{}
	timers   map[string]*time.Timer // by connection ID
	closed   bool
	wg       sync.WaitGroup
}

type record struct {
	peer Peer
	// told is what the node was last told of this one.
	told capabilities
	// covered are the connections that were open when the Hello was accepted. When the last is gone, a new Hello is
	// due, even if the node has connected anew in the meantime: whoever dials says Hello.
	covered map[string]struct{}
}

// NewRegistry returns an empty registry that watches the connections of h. A probation of zero means
// [DefaultProbation].
func NewRegistry(h host.Host, hooks Hooks, probation time.Duration) *Registry {
	if probation <= 0 {
		probation = DefaultProbation
	}
	r := &Registry{host: h, hooks: hooks, probation: probation, peers: make(map[protocol.NodeID]*record),
		greeting: make(map[protocol.NodeID]chan struct{}), timers: make(map[string]*time.Timer)}
	h.Network().Notify((*watcher)(r))
	return r
}

// Close stops watching; nobody is admitted any more, and the records stay readable. Close the host first for Down to be
// called for those who are connected.
func (r *Registry) Close() {
	r.host.Network().StopNotify((*watcher)(r))
	r.mu.Lock()
	r.closed = true
	for id, t := range r.timers {
		if t.Stop() {
			r.wg.Done()
		}
		delete(r.timers, id)
	}
	r.mu.Unlock()
	r.wg.Wait()
}

// Admitted reports whether the node's Hello was accepted. While our own Hello to it is under way it waits for the end,
// at most until ctx is done: the other side may speak as soon as it has accepted, which is before we know.
func (r *Registry) Admitted(ctx context.Context, id protocol.NodeID) bool {
	for {
		r.mu.Lock()
		_, ok := r.peers[id]
		wait := r.greeting[id]
		r.mu.Unlock()
		if ok || wait == nil {
			return ok
		}
		select {
		case <-wait:
		case <-ctx.Done():
			return false
		}
	}
}

// Peer returns what is known of an admitted node.
func (r *Registry) Peer(id protocol.NodeID) (Peer, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if rec := r.peers[id]; rec != nil {
		return rec.peer, true
	}
	return Peer{}, false
}

// Peers returns the admitted nodes, sorted by node ID.
func (r *Registry) Peers() []Peer {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]Peer, 0, len(r.peers))
	for _, rec := range r.peers {
		out = append(out, rec.peer)
	}
	slices.SortFunc(out, func(a, b Peer) int {
		switch {
		case a.Identity.NodeID < b.Identity.NodeID:
			return -1
		case a.Identity.NodeID > b.Identity.NodeID:
			return 1
		}
		return 0
	})
	return out
}

// SaidGoodbye notes that an admitted node announced its leaving, so that Down can tell it from a crash. Another Hello
// takes the note back.
func (r *Registry) SaidGoodbye(id protocol.NodeID, reason string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if rec := r.peers[id]; rec != nil {
		rec.peer.Goodbye = reason
	}
}

// admit records p, who was told what this node can do; it fails when the node is not connected any more.
func (r *Registry) admit(p Peer, told capabilities) error {
	id := p.Identity.NodeID
	pid, err := id.PeerID()
	if err != nil {
		return err
	}
	r.order.Lock()
	defer r.order.Unlock()
	isNew, err := r.record(pid, p, told)
	if err != nil {
		return err
	}
	if isNew && r.hooks.Up != nil {
		r.hooks.Up(p)
	}
	return nil
}

func (r *Registry) record(pid peer.ID, p Peer, told capabilities) (isNew bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	// Under the lock: a connection that is listed here has its end reported later, never before.
	covered := make(map[string]struct{})
	conns := r.host.Network().ConnsToPeer(pid)
	for _, c := range conns {
		covered[c.ID()] = struct{}{}
		if t := r.timers[c.ID()]; t != nil && t.Stop() {
			delete(r.timers, c.ID())
			r.wg.Done()
		}
	}
	if len(covered) == 0 || r.closed {
		return false, exchange.ErrNotConnected
	}
	old := r.peers[p.Identity.NodeID]
	if old != nil {
		p.Since = old.peer.Since
		r.supersede(conns, old.covered)
	}
	r.peers[p.Identity.NodeID] = &record{peer: p, told: told, covered: covered}
	return old == nil, nil
}

// supersede closes the connections that a node has replaced: it dials only when it has none, so when it comes anew, the old
// ones are dead, whatever this side's kernel thinks of them until a keep-alive fails, 40 s later. Until then the host would
// put new streams on them, since they have the more open ones. It needs r.mu.
func (r *Registry) supersede(conns []network.Conn, before map[string]struct{}) {
	var latest time.Time // when the node dialled last
	for _, c := range conns {
		if _, known := before[c.ID()]; !known && c.Stat().Direction == network.DirInbound && c.Stat().Opened.After(latest) {
			latest = c.Stat().Opened
		}
	}
	for _, c := range conns {
		if _, known := before[c.ID()]; known && latest.Sub(c.Stat().Opened) > settled {
			r.wg.Go(func() { _ = c.Close() }) // what is dead closes as well as it can
		}
	}
}

// startGreeting marks a Hello of ours as under way. When one is already, it returns its end instead of a done function.
func (r *Registry) startGreeting(id protocol.NodeID) (done func(), other <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if ch := r.greeting[id]; ch != nil {
		return nil, ch
	}
	ch := make(chan struct{})
	r.greeting[id] = ch
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.greeting, id)
		close(ch)
	}, nil
}

// watcher receives the host's connection events.
type watcher Registry

// Connected starts the probation of a connection that no Hello covers.
func (w *watcher) Connected(_ network.Network, c network.Conn) {
	r := (*Registry)(w)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return
	}
	r.wg.Add(1)
	r.timers[c.ID()] = time.AfterFunc(r.probation, func() {
		defer r.wg.Done()
		r.expire(c)
	})
}

func (r *Registry) expire(c network.Conn) {
	r.mu.Lock()
	delete(r.timers, c.ID())
	admitted := false
	if id, err := protocol.NodeIDFromPeerID(c.RemotePeer()); err == nil && r.peers[id] != nil {
		_, admitted = r.peers[id].covered[c.ID()]
	}
	r.mu.Unlock()
	if !admitted {
		_ = c.CloseWithError(network.ConnGated) // already closed is as good
	}
}

// Disconnected ends the admission with the last connection that it covers.
func (w *watcher) Disconnected(_ network.Network, c network.Conn) {
	r := (*Registry)(w)
	r.order.Lock()
	defer r.order.Unlock()
	if p, ended := r.drop(c); ended && r.hooks.Down != nil {
		r.hooks.Down(p)
	}
}

func (r *Registry) drop(c network.Conn) (Peer, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if t := r.timers[c.ID()]; t != nil {
		if t.Stop() {
			r.wg.Done()
		}
		delete(r.timers, c.ID())
	}
	id, err := protocol.NodeIDFromPeerID(c.RemotePeer())
	if err != nil || r.peers[id] == nil {
		return Peer{}, false
	}
	rec := r.peers[id]
	delete(rec.covered, c.ID())
	if len(rec.covered) > 0 {
		return Peer{}, false
	}
	delete(r.peers, id)
	return rec.peer, true
}

// Listen means nothing here.
func (w *watcher) Listen(network.Network, ma.Multiaddr) {}

// ListenClose means nothing here.
func (w *watcher) ListenClose(network.Network, ma.Multiaddr) {}
