package discovery

import (
	"context"
	"errors"
	"time"

	"github.com/libp2p/go-libp2p/core/sec"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/caro-mesh/caro-node/protocol"
)

// anotherAgain is how long the same key that answered in a target's place, and was not the target's new one, is left
// alone: this node tells its name to whoever it greets.
const anotherAgain = 10 * time.Minute

// another is a key that answered at a target's address.
type another struct {
	id protocol.NodeID
	at time.Time // when it was greeted, by the machine's clock
}

// attemptOwn tries the addresses that somebody configured. When another key answers at one of them, it is greeted, within the
// same attempt: if the target's key was rotated, its Hello proves that, and the target is replaced. Otherwise nothing
// follows, and the error tells who answered.
func (k *Keeper) attemptOwn(ctx context.Context, l *link, own Target) error {
	err := k.attempt(ctx, own)
	if id, addr, ok := answering(err); ok && k.c.Expect != nil && k.worthGreeting(l, id) {
		over := k.c.Expect(id, addr)
		defer over()
		_ = k.attempt(ctx, Target{ID: id, Addrs: []ma.Multiaddr{addr}}) // what came of it shows in the target
	}
	return err
}

// worthGreeting reports whether a key that answers in a target's place should be greeted now, and remembers that it is.
func (k *Keeper) worthGreeting(l *link, id protocol.NodeID) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if l.another.id == id && time.Since(l.another.at) < anotherAgain {
		return false
	}
	l.another = another{id, time.Now()}
	return true
}

// answering returns the key that answered, and where, when an attempt failed because it was not the expected one.
func answering(err error) (protocol.NodeID, ma.Multiaddr, bool) {
	var failed *swarm.DialError
	if !errors.As(err, &failed) {
		return "", nil, false
	}
	for _, d := range failed.DialErrors {
		var other sec.ErrPeerIDMismatch
		if !errors.As(d.Cause, &other) {
			continue
		}
		if id, err := protocol.NodeIDFromPeerID(other.Actual); err == nil {
			return id, d.Address, true
		}
	}
	return "", nil, false
}
