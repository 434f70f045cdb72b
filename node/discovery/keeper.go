package discovery

import (
	"cmp"
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/caro-mesh/caro-node/protocol"
)

// Status says how things stand with a target.
type Status string

// Statuses of a target.
const (
	StatusConnecting Status = "connecting"
	StatusConnected  Status = "connected"
	// StatusOffline means that it does not answer; the reason has the last error.
	StatusOffline Status = "offline"
	// StatusRefused means that it refused our Hello; the reason quotes it, or tells both clocks.
	StatusRefused Status = "refused"
	// StatusNotTrusted means that our own policy does not let it connect, so it is not dialled.
	StatusNotTrusted Status = "not_trusted"
)

// State is how things stand with one target.
type State struct {
	ID       protocol.NodeID
	Addrs    []string
	Found    []string // where neighbours say that it listens
	Status   Status
	Reason   string // one sentence, empty when connected
	Since    time.Time
	Attempts int       // failed ones since it was last connected
	Next     time.Time // when it is dialled again; zero when connected
}

// KeeperConfig is what a keeper needs.
type KeeperConfig struct {
	Host   host.Host
	Policy Policy
	// Greet says Hello to a connected node (hello.Client.Greet) and tells why it failed.
	Greet func(ctx context.Context, id protocol.NodeID) error
	// Admitted reports whether a Hello was accepted (hello.Registry.Admitted).
	Admitted func(ctx context.Context, id protocol.NodeID) bool
	// Changed is told when a target's status or reason changed. It must not block. May be nil.
	Changed func(State)
	// Expect lets the node connect to a key that is not trusted, at one address and until the returned function is called
	// (Gate.Expect). Where another key answers at a target's address, it is greeted once: it may be the target's new one. May be nil.
	Expect func(id protocol.NodeID, addr ma.Multiaddr) (over func())
	// Now is the node's clock, for what is shown and for the policy.
	Now func() time.Time
}

// Times of a keeper.
const (
	firstWait   = time.Second
	longestWait = time.Minute
	// refusedWait is longer than the time for which a node ignores a stranger that it has just answered, so that the
	// next attempt is answered too.
	refusedWait = 15 * time.Second
	attemptTime = 15 * time.Second
	checkEvery  = 30 * time.Second
)

// Keeper keeps connections to its targets while it runs. It is safe for concurrent use.
type Keeper struct {
	c KeeperConfig
	// times, shorter in tests
	first, longest, refused time.Duration

	mu    sync.Mutex
	links map[protocol.NodeID]*link
	run   context.Context // not nil while running
	wg    sync.WaitGroup
}

type link struct {
	id   protocol.NodeID
	wake chan struct{} // holds at most one

	// owned by Keeper.mu
	target  Target
	found   candidates
	cancel  context.CancelFunc
	state   State
	now     bool // dial at the next wake, whatever due says
	gone    bool // another link has taken its place
	another another
	due     time.Time // machine's clock
}

// NewKeeper returns a keeper without targets.
func NewKeeper(c KeeperConfig) *Keeper {
	return &Keeper{c: c, first: firstWait, longest: longestWait, refused: refusedWait, links: make(map[protocol.NodeID]*link)}
}

// Run keeps connections until ctx ends, and returns when all its work has ended. It may be called once at a time.
func (k *Keeper) Run(ctx context.Context) error {
	events := &watcher{k}
	k.c.Host.Network().Notify(events)
	k.mu.Lock()
	k.run = ctx
	for _, l := range k.links {
		k.start(l)
	}
	k.mu.Unlock()

	<-ctx.Done()
	k.mu.Lock()
	k.run = nil
	k.mu.Unlock()
	k.c.Host.Network().StopNotify(events)
	k.wg.Wait()
	return nil
}

// Add makes t a target, or adds its addresses to the target that it is already.
func (k *Keeper) Add(t Target) {
	k.mu.Lock()
	defer k.mu.Unlock()
	l := k.links[t.ID]
	if l == nil {
		l = k.newLink(t.ID)
		k.links[t.ID] = l
		if k.run != nil {
			k.start(l)
		}
	}
	l.target = l.target.with(t.Addrs)
	l.state.Addrs = texts(l.target.Addrs)
	l.retry()
}

func (k *Keeper) newLink(id protocol.NodeID) *link {
	return &link{id: id, target: Target{ID: id}, wake: make(chan struct{}, 1), state: State{ID: id, Status: StatusConnecting, Since: k.c.Now()}}
}

// Remove forgets a target and reports whether it was one. An open connection stays open.
func (k *Keeper) Remove(id protocol.NodeID) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	l := k.links[id]
	if l == nil {
		return false
	}
	delete(k.links, id)
	if l.cancel != nil {
		l.cancel()
	}
	return true
}

// Replace makes the node to a target in place of from, at the same addresses: its key was rotated. It reports whether from
// was a target. An attempt that is under way is not broken off, since it may be the one that brought the news.
func (k *Keeper) Replace(from, to protocol.NodeID) bool {
	k.mu.Lock()
	l := k.links[from]
	if l != nil {
		delete(k.links, from)
		l.gone = true
		l.poke()
	}
	k.mu.Unlock()
	if l != nil && len(l.target.Addrs) > 0 { // what was found was found of the old key
		k.Add(Target{ID: to, Addrs: l.target.Addrs})
	}
	return l != nil
}

// Retry dials now instead of later: the given targets, or all. Call it when trust has changed.
func (k *Keeper) Retry(ids ...protocol.NodeID) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for id, l := range k.links {
		if len(ids) == 0 || slices.Contains(ids, id) {
			l.retry()
		}
	}
}

// States returns how things stand with every target, sorted by node ID.
func (k *Keeper) States() []State {
	k.mu.Lock()
	defer k.mu.Unlock()
	out := make([]State, 0, len(k.links))
	for _, l := range k.links {
		s := l.state
		s.Found = texts(l.found.addrs())
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b State) int { return cmp.Compare(a.ID, b.ID) })
	return out
}

// start needs k.mu.
func (k *Keeper) start(l *link) {
	ctx, cancel := context.WithCancel(k.run)
	l.cancel = cancel
	k.wg.Go(func() {
		defer cancel()
		k.keep(ctx, l)
	})
}

// retry needs k.mu.
func (l *link) retry() {
	l.now = true
	l.poke()
}

func (l *link) poke() {
	select {
	case l.wake <- struct{}{}:
	default: // a wake is waiting already
	}
}

func (k *Keeper) keep(ctx context.Context, l *link) {
	for ctx.Err() == nil && !k.replaced(l) {
		timer := time.NewTimer(k.step(ctx, l))
		select {
		case <-ctx.Done():
		case <-l.wake:
		case <-timer.C:
		}
		timer.Stop()
	}
}

func (k *Keeper) replaced(l *link) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return l.gone
}

// step looks how things stand, dials when it is time, and returns how long to wait unless something happens.
func (k *Keeper) step(ctx context.Context, l *link) time.Duration {
	if k.connected(ctx, l.id) {
		k.prove(l)
		k.set(l, StatusConnected, "", 0)
		return checkEvery
	}
	k.mu.Lock()
	target, found, wasConnected, forced, due := l.target, l.found.addrs(), l.state.Status == StatusConnected, l.now, l.due
	l.now = false
	k.mu.Unlock()
	if len(target.Addrs)+len(found) == 0 {
		k.set(l, StatusOffline, foundNowhere, k.longest)
		return k.longest
	}
	if reason, ok := k.trusted(target.with(found)); !ok {
		k.set(l, StatusNotTrusted, reason, k.longest)
		return k.longest
	}
	if wasConnected && !forced {
		// Everybody loses a node that restarts at the same moment; nobody should come back at the same moment.
		wait := k.wait(0)
		k.set(l, StatusOffline, "the connection was lost", wait)
		return wait
	}
	if wait := time.Until(due); wait > 0 && !forced {
		return wait
	}
	err := k.reach(ctx, l, target, found)
	if k.replaced(l) {
		return 0
	}
	if err == nil {
		k.prove(l)
		k.set(l, StatusConnected, "", 0)
		return checkEvery
	}
	if ctx.Err() != nil {
		return 0
	}
	k.mu.Lock()
	l.state.Attempts++
	wait := k.wait(l.state.Attempts - 1)
	status, reason := verdict(err, l.state)
	k.mu.Unlock()
	if status == StatusRefused {
		wait = max(wait, k.refused)
	}
	k.set(l, status, reason, wait)
	return wait
}

func (k *Keeper) connected(ctx context.Context, id protocol.NodeID) bool {
	pid, err := id.PeerID()
	return err == nil && k.c.Host.Network().Connectedness(pid) == network.Connected && k.c.Admitted(ctx, id)
}

func (k *Keeper) trusted(t Target) (reason string, ok bool) {
	for _, a := range t.Addrs {
		d := (&Gate{c: GateConfig{Policy: k.c.Policy, Now: k.c.Now}}).decide(t.ID, ipOf(a))
		if d.Allowed {
			return "", true
		}
		reason = d.Reason
	}
	return reason, false
}

func (k *Keeper) attempt(ctx context.Context, t Target) error {
	pid, err := t.ID.PeerID()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, attemptTime)
	defer cancel()
	// Only the addresses that somebody configured, and without the swarm's own, longer backoff.
	k.c.Host.Peerstore().ClearAddrs(pid)
	dial := network.WithForceDirectDial(ctx, "the keeper waits by itself")
	if err := k.c.Host.Connect(dial, peer.AddrInfo{ID: pid, Addrs: t.Addrs}); err != nil {
		return err
	}
	return k.c.Greet(ctx, t.ID)
}

// wait returns how long to wait after n failures in a row (the first is 0): doubling, between half of it and all of it.
func (k *Keeper) wait(n int) time.Duration {
	d := k.longest
	if n < 16 {
		d = min(k.longest, k.first<<n)
	}
	return d/2 + rand.N(d/2+1)
}

func (k *Keeper) set(l *link, status Status, reason string, wait time.Duration) {
	k.mu.Lock()
	changed := l.state.Status != status || l.state.Reason != reason
	if changed {
		l.state.Since = k.c.Now()
	}
	l.state.Status, l.state.Reason = status, reason
	l.state.Next = time.Time{}
	if status == StatusConnected {
		l.state.Attempts, l.now = 0, false
	} else {
		l.due = time.Now().Add(wait)
		l.state.Next = k.c.Now().Add(wait)
	}
	state := l.state
	k.mu.Unlock()
	if changed && k.c.Changed != nil {
		k.c.Changed(state)
	}
}

func texts(addrs []ma.Multiaddr) []string {
	out := make([]string, len(addrs))
	for i, a := range addrs {
		out[i] = a.String()
	}
	return out
}

// watcher looks again when a connection to a target began or ended.
type watcher struct{ k *Keeper }

func (w *watcher) poke(c network.Conn) {
	id, err := protocol.NodeIDFromPeerID(c.RemotePeer())
	if err != nil {
		return
	}
	w.k.mu.Lock()
	defer w.k.mu.Unlock()
	if l := w.k.links[id]; l != nil {
		l.poke()
	}
}

// Connected looks again.
func (w *watcher) Connected(_ network.Network, c network.Conn) { w.poke(c) }

// Disconnected looks again.
func (w *watcher) Disconnected(_ network.Network, c network.Conn) { w.poke(c) }

// Listen means nothing here.
func (w *watcher) Listen(network.Network, ma.Multiaddr) {}

// ListenClose means nothing here.
func (w *watcher) ListenClose(network.Network, ma.Multiaddr) {}
