package discovery

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/sec"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/protocol/hello"
)

// Anybody on the local network can say that a node listens somewhere. Such an address is a candidate: tried after those
// that somebody configured, and dropped when it does not lead to the node.
const (
	// maxCandidates is how many are remembered of one node, which is enough for a laptop with cable, Wi-Fi and VPN.
	maxCandidates = 4
	// candidateTries is how often a candidate may fail in a row; one where another node answers is dropped at once.
	candidateTries = 3
	// mutedFor is how long a candidate that was dropped is not taken again.
	mutedFor = 5 * time.Minute
	// sightingWait is the least time between two attempts because of announcements. It is refusedWait for the same reason.
	sightingWait = refusedWait
	// provenFor is how long the address of a connection stays a candidate after the connection.
	provenFor = 10 * time.Minute
)

// foundNowhere is the reason when all candidates were dropped.
const foundNowhere = "the addresses at which it was announced do not lead to it"

type candidate struct {
	addr     ma.Multiaddr
	until    time.Time // machine's clock, as all times here
	failures int       // in a row
	proven   bool      // it led to the node; then only another node there, or time, makes it go
}

// candidates are what was found of one node. Keeper.mu guards it.
type candidates struct {
	list  []*candidate
	muted map[string]time.Time // until when dropped ones are not taken; at most maxCandidates
	woken time.Time            // when an announcement last caused an attempt
}

// take remembers an address until then and reports whether it is one to be tried.
func (c *candidates) take(a ma.Multiaddr, until, now time.Time) bool {
	maps.DeleteFunc(c.muted, func(_ string, end time.Time) bool { return !end.After(now) })
	if _, muted := c.muted[a.String()]; muted {
		return false
	}
	for _, k := range c.list {
		if k.addr.Equal(a) {
			k.until = until
			return true
		}
	}
	if len(c.list) >= maxCandidates && !c.makeRoom() {
		return false
	}
	c.list = append(c.list, &candidate{addr: a, until: until})
	return true
}

// makeRoom drops the candidate that failed most, or is the oldest; not one that was proven.
func (c *candidates) makeRoom() bool {
	worst := -1
	for i, k := range c.list {
		if !k.proven && (worst < 0 || k.failures > c.list[worst].failures) {
			worst = i
		}
	}
	if worst < 0 {
		return false
	}
	c.list = slices.Delete(c.list, worst, worst+1)
	return true
}

// drop forgets an address and does not take it again for a while.
func (c *candidates) drop(a ma.Multiaddr, now time.Time) {
	c.list = slices.DeleteFunc(c.list, func(k *candidate) bool { return k.addr.Equal(a) })
	if c.muted == nil {
		c.muted = make(map[string]time.Time)
	}
	for a := range c.muted {
		if len(c.muted) < maxCandidates {
			break
		}
		delete(c.muted, a)
	}
	c.muted[a.String()] = now.Add(mutedFor)
}

func (c *candidates) addrs() []ma.Multiaddr {
	out := make([]ma.Multiaddr, len(c.list))
	for i, k := range c.list {
		out[i] = k.addr
	}
	return out
}

// failed counts an attempt at tried, which failed with err.
func (c *candidates) failed(tried []ma.Multiaddr, err error, now time.Time) {
	var dial *swarm.DialError
	foreign := func(a ma.Multiaddr) bool { // another node answered there
		var mismatch sec.ErrPeerIDMismatch
		return errors.As(err, &dial) && slices.ContainsFunc(dial.DialErrors, func(e swarm.TransportError) bool {
			return e.Address.Equal(a) && errors.As(e.Cause, &mismatch)
		})
	}
	for _, k := range slices.Clone(c.list) {
		if !slices.ContainsFunc(tried, k.addr.Equal) {
			continue
		}
		if k.failures++; foreign(k.addr) || k.failures >= candidateTries && !k.proven {
			c.drop(k.addr, now)
		}
	}
}

// led notes which candidates the connections to the node prove. One that the node opened comes from another port, and
// shows all the same that the node is at that IP address.
func (c *candidates) led(to []ma.Multiaddr) {
	for _, k := range c.list {
		ip := ipOf(k.addr)
		if slices.ContainsFunc(to, func(a ma.Multiaddr) bool { return a.Equal(k.addr) || ip.IsValid() && ipOf(a) == ip }) {
			k.proven, k.failures = true, 0
		}
	}
}

// expire drops what was not heard of for long; a connection keeps its candidate fresh.
func (c *candidates) expire(connected bool, now time.Time) {
	for _, k := range c.list {
		if connected && k.proven {
			k.until = now.Add(provenFor)
		}
	}
	c.list = slices.DeleteFunc(c.list, func(k *candidate) bool { return !k.until.After(now) })
}

// Found tells the keeper that a node may listen at these addresses, for so long. It becomes a target, if it is none, for
// as long as there is such an address.
func (k *Keeper) Found(id protocol.NodeID, addrs []ma.Multiaddr, lifetime time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now, l := time.Now(), k.links[id]
	fresh := l == nil
	if fresh {
		l = k.newLink(id)
	}
	usable := false
	for _, a := range addrs {
		usable = l.found.take(a, now.Add(lifetime), now) || usable
	}
	if usable && l.state.Status != StatusConnected && now.Sub(l.found.woken) >= sightingWait {
		l.found.woken = now
		l.retry()
	}
	if !fresh {
		return
	}
	if k.links[id] = l; k.run != nil {
		k.start(l)
	}
}

// Lost takes addresses back that Found told; none means all. A node of which no other address is known is no target any
// more; an open connection stays open.
func (k *Keeper) Lost(id protocol.NodeID, addrs ...ma.Multiaddr) {
	k.mu.Lock()
	defer k.mu.Unlock()
	l := k.links[id]
	if l == nil {
		return
	}
	l.found.list = slices.DeleteFunc(l.found.list, func(c *candidate) bool {
		return len(addrs) == 0 || slices.ContainsFunc(addrs, c.addr.Equal)
	})
	k.endIfNowhere(l)
}

// ExpireFound drops the addresses whose time is over, and the targets that have no others.
func (k *Keeper) ExpireFound() {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := time.Now()
	for _, l := range k.links {
		l.found.expire(l.state.Status == StatusConnected, now)
		k.endIfNowhere(l)
	}
}

// Connected reports whether a target is connected.
func (k *Keeper) Connected(id protocol.NodeID) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	l := k.links[id]
	return l != nil && l.state.Status == StatusConnected
}

// endIfNowhere needs k.mu.
func (k *Keeper) endIfNowhere(l *link) {
	// A muted address may be announced again; forgetting that it was muted would have it dialled at once.
	if len(l.target.Addrs) > 0 || len(l.found.list) > 0 || l.found.muting(time.Now()) {
		return
	}
	delete(k.links, l.id)
	if l.cancel != nil {
		l.cancel()
	}
}

func (c *candidates) muting(now time.Time) bool {
	for _, end := range c.muted {
		if end.After(now) {
			return true
		}
	}
	return false
}

// reach tries the node's own addresses, and then what was found.
func (k *Keeper) reach(ctx context.Context, l *link, own Target, found []ma.Multiaddr) error {
	if len(found) == 0 {
		return k.attemptOwn(ctx, l, own)
	}
	var first error
	if len(own.Addrs) > 0 {
		if first = k.attemptOwn(ctx, l, own); first == nil || answered(first) || ctx.Err() != nil {
			return first
		}
	}
	err := k.attempt(ctx, Target{ID: own.ID, Addrs: found})
	k.mu.Lock()
	defer k.mu.Unlock()
	var dial *swarm.DialError
	if errors.As(err, &dial) && ctx.Err() == nil { // else TLS has shown that it is the node, whatever it said then
		l.found.failed(found, err, time.Now())
	}
	return both(first, err)
}

// prove notes what the connections to a node prove about its candidates.
func (k *Keeper) prove(l *link) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(l.found.list) > 0 {
		l.found.led(k.remotes(l.id))
	}
}

// remotes are where the connections to a node lead.
func (k *Keeper) remotes(id protocol.NodeID) []ma.Multiaddr {
	pid, err := id.PeerID()
	if err != nil {
		return nil
	}
	var out []ma.Multiaddr
	for _, c := range k.c.Host.Network().ConnsToPeer(pid) {
		out = append(out, c.RemoteMultiaddr())
	}
	return out
}

// answered reports that the node itself was reached, whatever it said.
func answered(err error) bool {
	var refused *hello.RefusedError
	var own *hello.DeniedError
	return errors.As(err, &refused) || errors.As(err, &own)
}

// both is what is told of two attempts, so that neither address is missing in it.
func both(first, second error) error {
	var a, b *swarm.DialError
	if errors.As(first, &a) && errors.As(second, &b) {
		return &swarm.DialError{Peer: b.Peer, DialErrors: slices.Concat(a.DialErrors, b.DialErrors), Cause: b.Cause, Skipped: b.Skipped}
	}
	return second
}
