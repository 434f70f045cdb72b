package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/caro-mesh/caro-node/policy"
	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/store"
)

// maxClaims bounds the memory for successors whose claim could not be checked; it is above maxPending, the number of nodes
// that wait for a decision.
const maxClaims = 2 * maxPending

// lineage knows which key of another node followed which, and judges what nodes say about it. It is safe for concurrent
// use; what is added is decided under Node.trust.
type lineage struct {
	db     lineageStore
	now    func() time.Time
	logger *slog.Logger

	mu     sync.RWMutex
	after  map[protocol.NodeID]*protocol.KeyRotation // by old key
	before map[protocol.NodeID]*protocol.KeyRotation // by new key
	claims map[protocol.NodeID]claim                 // whose successor a node says to be
	told   map[protocol.NodeID]bool                  // nodes whose changed commitment was reported
}

// claim is what a node that waits for a decision says of its own past, and what this node thinks of it.
type claim struct {
	of protocol.NodeID // whose successor it says to be
	// refuted means that it contradicts what is known here; else it could not be checked.
	refuted bool
}

// String is one sentence for the person who decides.
func (c claim) String() string {
	if c.refuted {
		return fmt.Sprintf("it says that it is the successor of %s, which contradicts what is known here: somebody may have stolen that key, so ask its user before you decide",
			c.of.Fingerprint())
	}
	return fmt.Sprintf("it says that it is the successor of %s, which this node cannot check; nobody has decided about it yet", c.of.Fingerprint())
}

// lineageStore is what the lineage needs of the store.
type lineageStore interface {
	Successions(ctx context.Context) ([]*protocol.KeyRotation, error)
	Commitment(ctx context.Context, id protocol.NodeID) (protocol.KeyDigest, error)
	SaveCommitment(ctx context.Context, id protocol.NodeID, digest protocol.KeyDigest) (protocol.KeyDigest, error)
}

// Judgements of a chain of rotations that is not believed.
var (
	// errUnproven means that no key of the chain is known here, so that nothing follows from it.
	errUnproven = errors.New("this node has not met any of these keys, so it cannot tell; its user has to decide about the new key")
	// errContradiction means that the chain contradicts what is known: somebody tries something.
	errContradiction = errors.New("the rotation is not believed")
)

func newLineage(ctx context.Context, db lineageStore, now func() time.Time, logger *slog.Logger) (*lineage, error) {
	known, err := db.Successions(ctx)
	if err != nil {
		return nil, err
	}
	l := &lineage{db: db, now: now, logger: logger, after: make(map[protocol.NodeID]*protocol.KeyRotation), before: make(map[protocol.NodeID]*protocol.KeyRotation),
		claims: make(map[protocol.NodeID]claim), told: make(map[protocol.NodeID]bool)}
	for _, r := range known {
		l.add(r)
	}
	return l, nil
}

// add makes a rotation, which is stored and believed, part of what is known.
func (l *lineage) add(r *protocol.KeyRotation) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.after[r.OldID], l.before[r.NewID] = r, r
	delete(l.claims, r.NewID)
}

// successions are the rotations as the policy wants them.
func (l *lineage) successions() []policy.Succession {
	l.mu.RLock()
	defer l.mu.RUnlock()
	out := make([]policy.Succession, 0, len(l.after))
	for _, r := range l.after {
		out = append(out, policy.Succession{Old: r.OldID, New: r.NewID, ValidFrom: r.ValidFrom.Time(), Until: r.OldExpires.Time()})
	}
	return out
}

// heir returns the latest key of the node that has or had the given one.
func (l *lineage) heir(id protocol.NodeID) protocol.NodeID {
	l.mu.RLock()
	defer l.mu.RUnlock()
	for r := l.after[id]; r != nil; r = l.after[id] {
		id = r.NewID
	}
	return id
}

// ancestors returns the keys that the node had before the given one, the latest first.
func (l *lineage) ancestors(id protocol.NodeID) []protocol.NodeID {
	l.mu.RLock()
	defer l.mu.RUnlock()
	var out []protocol.NodeID
	for r := l.before[id]; r != nil; r = l.before[id] {
		id = r.OldID
		out = append(out, id)
	}
	return out
}

// keys returns every key of the node that has or had the given one, the latest first.
func (l *lineage) keys(id protocol.NodeID) []protocol.NodeID {
	latest := l.heir(id)
	return append([]protocol.NodeID{latest}, l.ancestors(latest)...)
}

// claim returns what a node says of its past that was not believed.
func (l *lineage) claim(id protocol.NodeID) (claim, bool) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	c, ok := l.claims[id]
	return c, ok
}

func (l *lineage) noteClaim(id protocol.NodeID, c claim) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, known := l.claims[id]; !known && len(l.claims) >= maxClaims {
		for other := range l.claims { // any of them
			delete(l.claims, other)
			break
		}
	}
	l.claims[id] = c
}

// judge returns the links of a verified chain that are believed and not known yet, oldest first; none when all of it is
// known. It returns [errUnproven] when no link starts from a key that is known here, and an error that wraps
// [errContradiction] when one contradicts what is known.
func (l *lineage) judge(ctx context.Context, chain []*protocol.KeyRotation, e *policy.Engine) ([]*protocol.KeyRotation, error) {
	var fresh []*protocol.KeyRotation
	believed := false // the link before is
	for i, r := range chain {
		l.mu.RLock()
		known, taken := l.after[r.OldID], l.before[r.NewID]
		l.mu.RUnlock()
		if known != nil {
			if known.NewID != r.NewID {
				return nil, contradiction(r, "another key, %s, followed it", known.NewID.Fingerprint())
			}
			believed = true
			continue
		}
		if !believed {
			commitment, err := l.db.Commitment(ctx, r.OldID)
			if errors.Is(err, store.ErrNotFound) {
				continue
			}
			if err != nil {
				return nil, err
			}
			if err := r.Keeps(commitment); err != nil {
				return nil, contradiction(r, "%w", err)
			}
		} else if last := l.successorOf(chain[i-1]); last != nil {
			// What is stored of the link before counts, should it have been stated twice.
			if err := r.Keeps(last.NextDigest); err != nil {
				return nil, contradiction(r, "%w", err)
			}
		}
		switch {
		case e.Denies(r.OldID):
			return nil, contradiction(r, "the old key is denied here, so it can endorse nothing")
		case taken != nil:
			return nil, contradiction(r, "the new key followed another one, %s", taken.OldID.Fingerprint())
		case r.IssuedAt.Time().After(l.now().Add(protocol.MaxSkew)):
			return nil, contradiction(r, "it is dated %s, which is in the future", r.IssuedAt)
		}
		fresh, believed = append(fresh, r), true
	}
	if !believed {
		return nil, errUnproven
	}
	return fresh, nil
}

// successorOf returns the stored statement about the same two keys, or nil.
func (l *lineage) successorOf(r *protocol.KeyRotation) *protocol.KeyRotation {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.after[r.OldID]
}

func contradiction(r *protocol.KeyRotation, format string, args ...any) error {
	return fmt.Errorf("%w: from %s to %s: %w", errContradiction, r.OldID.Fingerprint(), r.NewID.Fingerprint(), fmt.Errorf(format, args...))
}

// commit remembers what a trusted node says about its next key, unless something is remembered. It reports false, once,
// when the node says something else than the first time.
func (l *lineage) commit(ctx context.Context, id protocol.NodeID, digest protocol.KeyDigest) (consistent bool, err error) {
	kept, err := l.db.Commitment(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		kept, err = l.db.SaveCommitment(ctx, id, digest)
	}
	if err != nil {
		return true, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if kept == digest || l.told[id] {
		return true, nil
	}
	l.told[id] = len(l.told) < maxClaims
	return false, nil
}
