package node

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/caro-mesh/caro-node/node/discovery"
	"github.com/caro-mesh/caro-node/policy/audit"
	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/protocol/exchange"
	"github.com/caro-mesh/caro-node/store"
)

const (
	// clerkQueue is how many notes may wait: two for each peer that may be connected, since all of them may go at once.
	// Callbacks drop what is above it, and say so in the log.
	clerkQueue = 1024
	// clerkPatience is how long notes that wait, or are being written, may still take when the node has stopped.
	clerkPatience = 5 * time.Second
	// violationsPerSecond bounds the audit records that hostile peers can cause; the rest is counted in one record.
	violationsPerSecond = 1
	violationsAtOnce    = 20
	// maxPending is how many nodes may wait for a decision, and how many that were found on the local network are
	// remembered; the ones seen longest ago are forgotten.
	maxPending = 512
)

// clerk writes down what the network's callbacks report. The callbacks must not block, and writing does.
type clerk struct {
	db     clerkStore
	log    audit.Log
	now    func() time.Time
	logger *slog.Logger
	notes  chan func(context.Context) error
	budget *rate.Limiter
	rows   sync.Mutex // held while a peer's row is read, changed and written
	// muted counts violations above the budget; only run uses it.
	muted int
}

// clerkStore is what the clerk needs of the store.
type clerkStore interface {
	Peer(ctx context.Context, id protocol.NodeID) (store.Peer, error)
	SavePeer(ctx context.Context, p store.Peer, evs ...audit.Event) error
	PrunePending(ctx context.Context, keep int) (removed int64, err error)
}

func newClerk(db clerkStore, log audit.Log, now func() time.Time, logger *slog.Logger) *clerk {
	return &clerk{db: db, log: log, now: now, logger: logger, notes: make(chan func(context.Context) error, clerkQueue),
		budget: rate.NewLimiter(violationsPerSecond, violationsAtOnce)}
}

// run writes notes until ctx ends, and then, within clerkPatience, the one that is being written and those that wait: an
// audit record among them would be missing otherwise.
func (k *clerk) run(ctx context.Context) {
	writing, giveUp := context.WithCancel(context.WithoutCancel(ctx))
	defer giveUp()
	defer context.AfterFunc(ctx, func() {
		patience := time.NewTimer(clerkPatience)
		defer patience.Stop()
		select {
		case <-patience.C:
			giveUp()
		case <-writing.Done(): // everything is written
		}
	})()
	for {
		select {
		case note := <-k.notes:
			k.write(writing, note)
		case <-ctx.Done():
			k.drain(writing)
			return
		}
	}
}

// drain writes what waits.
func (k *clerk) drain(ctx context.Context) {
	for {
		select {
		case note := <-k.notes:
			k.write(ctx, note)
		default:
			return
		}
	}
}

func (k *clerk) write(ctx context.Context, note func(context.Context) error) {
	if err := note(ctx); err != nil {
		k.logger.Error("a report of the network was not written down", "error", err)
	}
}

func (k *clerk) note(f func(context.Context) error) {
	select {
	case k.notes <- f:
	default:
		k.logger.Error("too many reports of the network at once; one was not written down")
	}
}

// knocked remembers a node that came without being trusted, so that a person can decide about it.
func (k *clerk) knocked(n discovery.Knock) {
	k.note(func(ctx context.Context) error {
		k.logger.Warn("a node without trust tried to connect", "peer", n.ID.Fingerprint(), "address", n.From, "reason", n.Decision.Reason)
		if n.Denied {
			return nil // its Hello is refused on record
		}
		return k.seen(ctx, n.ID, func(p *store.Peer) {
			if len(p.Addrs) == 0 {
				p.Addrs = []string{n.From}
			}
		})
	})
}

// refused records what shows intent, and logs the rest.
func (k *clerk) refused(r exchange.Refusal) {
	if !r.Hostile() {
		k.logger.Debug("exchange failed", "peer", r.Peer.Fingerprint(), "protocol", r.Protocol, "error", r.Err)
		return
	}
	k.note(func(ctx context.Context) error {
		k.logger.Warn("refused a message", "peer", r.Peer.Fingerprint(), "protocol", r.Protocol, "error", r.Err, "cut_off", r.CutOff)
		details := map[string]string{"protocol": r.Protocol, "kind": string(r.Reason()), "reason": r.Err.Error(), "addr": r.Addr.String()}
		if r.CutOff {
			details["consequence"] = "disconnected"
		}
		return k.violation(ctx, r.Peer, details)
	})
}

// violation records within the budget. What was above it is told by the next record that fits.
func (k *clerk) violation(ctx context.Context, peer protocol.NodeID, details map[string]string) error {
	if !k.budget.Allow() {
		k.muted++
		return nil
	}
	if k.muted > 0 {
		details["not_recorded_before"] = strconv.Itoa(k.muted)
	}
	_, err := k.log.Append(ctx, audit.Event{Type: protocol.AuditPolicyViolation, Peer: peer, Details: details})
	if err == nil {
		k.muted = 0
	}
	return err
}

// linkChanged says how things stand with a peer that is kept connected. A refusal by the other side is recorded on this
// side too.
func (k *clerk) linkChanged(s discovery.State) {
	switch s.Status {
	case discovery.StatusConnected, discovery.StatusConnecting:
		return // the hooks of Hello tell it
	case discovery.StatusRefused:
		k.note(func(ctx context.Context) error {
			k.logger.Warn("a peer refuses this node", "peer", s.ID.Fingerprint(), "reason", s.Reason)
			_, err := k.log.Append(ctx, audit.Event{Type: protocol.AuditPeerConnected, Peer: s.ID,
				Details: map[string]string{"action": "connect", "reason": s.Reason, "refused_by": "peer"}})
			return err
		})
	case discovery.StatusNotTrusted:
		k.logger.Warn("a known peer is not trusted here, so it is not connected", "peer", s.ID.Fingerprint(),
			"fix", "caro-node trust set "+string(s.ID)+" peer")
	default:
		k.logger.Info("a peer is offline", "peer", s.ID.Fingerprint(), "reason", s.Reason, "attempts", s.Attempts)
	}
}

// seen updates what is remembered of a node, or begins to remember it as one that waits for a decision.
func (k *clerk) seen(ctx context.Context, id protocol.NodeID, change func(*store.Peer)) error {
	k.rows.Lock()
	defer k.rows.Unlock()
	p, err := k.db.Peer(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		p = store.Peer{ID: id, Source: sourcePending, FirstSeen: k.now()}
	} else if err != nil {
		return err
	}
	change(&p)
	if err := k.db.SavePeer(ctx, p); err != nil || p.Source != sourcePending && p.Source != sourceMDNS {
		return err
	}
	_, err = k.db.PrunePending(ctx, maxPending)
	return err
}

// update changes what is remembered of a node, unless it was forgotten meanwhile, and records ev with it in any case.
func (k *clerk) update(ctx context.Context, id protocol.NodeID, ev audit.Event, change func(*store.Peer)) error {
	k.rows.Lock()
	defer k.rows.Unlock()
	p, err := k.db.Peer(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		_, err = k.log.Append(ctx, ev)
		return err
	}
	if err != nil {
		return err
	}
	change(&p)
	return k.db.SavePeer(ctx, p, ev)
}
