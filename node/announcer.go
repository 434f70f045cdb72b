package node

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/protocol/exchange"
	"github.com/caro-mesh/caro-node/protocol/hello"
	"github.com/caro-mesh/caro-node/store"
)

const (
	// announceEvery is how long after one round the next may begin: a peer takes a message in two seconds, Hellos included.
	announceEvery = 10 * time.Second
	// announceAgain is how long after a round in which a peer could not be told it is tried again.
	announceAgain   = time.Minute
	announceTimeout = 5 * time.Second
	announcesAtOnce = 16
)

// announcer tells the connected peers when this node's capabilities have changed. Changes that follow each other quickly
// are told as one.
type announcer struct {
	peers  func() []hello.Peer
	tell   func(ctx context.Context, to protocol.NodeID) (sent bool, err error) // sends nothing to a peer that knows already
	logger *slog.Logger
	wake   chan struct{} // capacity 1
}

func newAnnouncer(peers func() []hello.Peer, tell func(context.Context, protocol.NodeID) (bool, error), logger *slog.Logger) *announcer {
	return &announcer{peers: peers, tell: tell, logger: logger, wake: make(chan struct{}, 1)}
}

// nudge makes the announcer look who was told something else.
func (a *announcer) nudge() { signal(a.wake) }

// run announces until ctx ends. It returns nil.
func (a *announcer) run(ctx context.Context) error {
	var again <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-a.wake:
		case <-again:
		}
		again = nil
		sent, failed := a.round(ctx)
		if failed {
			again = time.After(announceAgain)
		}
		if !sent {
			continue
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(announceEvery):
		}
	}
}

// round tells everybody who knows something else, and reports whether there was anybody, and whether any could not be told.
func (a *announcer) round(ctx context.Context) (sent, failed bool) {
	var wg sync.WaitGroup
	var some, missed atomic.Bool
	slots := make(chan struct{}, announcesAtOnce)
	for _, p := range a.peers() {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			ctx, cancel := context.WithTimeout(ctx, announceTimeout)
			defer cancel()
			sent, err := a.tell(ctx, p.Identity.NodeID)
			if sent {
				some.Store(true)
			}
			if err != nil && !errors.Is(err, exchange.ErrNotConnected) { // whose next Hello will tell
				a.logger.Debug("a peer was not told of changed capabilities", "peer", p.Identity.Fingerprint, "error", err)
				missed.Store(true)
			}
		})
	}
	wg.Wait()
	return some.Load(), missed.Load()
}

// Announce tells the connected peers this node's capabilities and display name, as far as they were told others before.
// It is called after anything that [Node.Identity] is made of has changed, and returns at once; the peers are told within
// ten seconds.
func (n *Node) Announce() { n.announcer.nudge() }

// peerChanged runs when a connected peer told another name or other capabilities.
func (n *Node) peerChanged(p hello.Peer) {
	id := p.Identity.NodeID
	n.c.Logger.Info("a peer has changed", "peer", id.Fingerprint(), "name", p.Identity.DisplayName,
		"max_share_level", p.Identity.Capabilities.MaxShareLevel, "version", p.Identity.Capabilities.CaroVersion)
	n.clerk.note(func(ctx context.Context) error { return n.met(ctx, p) })
}

// met remembers what a connected peer says of itself.
func (n *Node) met(ctx context.Context, p hello.Peer) error {
	return n.clerk.seen(ctx, p.Identity.NodeID, func(s *store.Peer) {
		s.DisplayName, s.LastSeen = p.Identity.DisplayName, p.Since
		s.CaroVersion, s.ProtocolVersion = p.Identity.Capabilities.CaroVersion, uint8(p.Version)
		n.rememberFound(s)
	})
}
