package node

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"time"

	"github.com/caro-mesh/caro-node/node/identity"
	"github.com/caro-mesh/caro-node/policy/audit"
	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/store"
)

// DefaultGrace is how long an old key counts after a rotation unless its owner says otherwise.
const DefaultGrace = 24 * time.Hour

// ErrNextKey means that a rotation is impossible with the next key that is there: it is missing, or not the one that this
// node has committed to. The error says which, and what to do.
var ErrNextKey = errors.New("the next key is needed")

// Keys are this node's keys, as its files and its database know them. Whoever uses them excludes other processes.
type Keys struct {
	Ring  *identity.Ring
	Store *store.Store
	Now   func() time.Time

	// step is called between the steps of a rotation, for tests of crashes; may be nil.
	step func(string) error
}

// Standing is where a node stands in the course of its keys.
type Standing struct {
	Identity *identity.Identity
	Created  bool // just now
	// NextDigest commits to the key that may follow.
	NextDigest protocol.KeyDigest
	// NextHere tells that the next key lies beside the current one; otherwise it is kept elsewhere.
	NextHere bool
	// Rotations led to the current key, oldest first; all that are known.
	Rotations []*protocol.KeyRotation
}

// Wires returns the signed statements that peers are told: the latest protocol.MaxRotations, oldest first.
func (s Standing) Wires() [][]byte {
	list := s.Rotations[max(0, len(s.Rotations)-protocol.MaxRotations):]
	out := make([][]byte, len(list))
	for i, r := range list {
		out[i] = r.Wire()
	}
	return out
}

// Open loads the current key, or makes one, finishes a rotation that a crash has interrupted, and makes the next key
// where none was ever committed to.
func (k *Keys) Open(ctx context.Context) (Standing, error) {
	var s Standing
	id, created, err := k.Ring.Current()
	if err != nil {
		return s, err
	}
	all, err := k.Store.OwnRotations(ctx)
	if err != nil {
		return s, err
	}
	if n := len(all); n > 0 && all[n-1].OldID == id.NodeID() {
		if id, err = k.finish(all[n-1]); err != nil {
			return s, err
		}
	}
	s = Standing{Identity: id, Created: created, Rotations: leadingTo(all, id.NodeID())}
	if slices.ContainsFunc(all, func(r *protocol.KeyRotation) bool { return r.OldID == id.NodeID() }) {
		return s, fmt.Errorf("%s holds a former key of this node, whose peers know the newer key %s; put that one back (caro-node key restore FILE)",
			k.Ring.Path(), all[len(all)-1].NewID.Fingerprint())
	}
	return s, k.findNext(ctx, &s)
}

// leadingTo returns the rotations up to the one that led to id; none when no rotation did.
func leadingTo(all []*protocol.KeyRotation, id protocol.NodeID) []*protocol.KeyRotation {
	return all[:1+slices.IndexFunc(all, func(r *protocol.KeyRotation) bool { return r.NewID == id })]
}

// finish takes the last steps of a rotation that is stated.
func (k *Keys) finish(r *protocol.KeyRotation) (*identity.Identity, error) {
	if err := k.Ring.TakeNext(r.NewID); err != nil {
		return nil, fmt.Errorf("this node's key was rotated to %s, which is not in its place: %w; put it there (caro-node key restore FILE)", r.NewID.Fingerprint(), err)
	}
	if err := k.at("taken"); err != nil {
		return nil, err
	}
	if err := k.Ring.TakeComing(r.NextDigest); err != nil {
		return nil, err
	}
	return identity.Load(k.Ring.Path())
}

// findNext fills in what is known of the next key.
func (k *Keys) findNext(ctx context.Context, s *Standing) error {
	told, err := k.Store.Commitment(ctx, s.Identity.NodeID())
	known := err == nil
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if known {
		if err := k.Ring.TakeComing(told); err != nil { // a crash came before the last step
			return err
		}
	}
	next, err := k.Ring.Next()
	absent := errors.Is(err, fs.ErrNotExist)
	if err != nil && !absent {
		return err
	}
	if known { // what was told counts, whatever lies there
		s.NextDigest, s.NextHere = told, !absent && protocol.DigestOf(next.NodeID()) == told
		return nil
	}
	if absent {
		if next, err = k.Ring.MakeNext(); err != nil {
			return err
		}
	}
	s.NextHere = true
	s.NextDigest, err = k.Store.SaveCommitment(ctx, s.Identity.NodeID(), protocol.DigestOf(next.NodeID()))
	return err
}

func (k *Keys) at(step string) error {
	if k.step == nil {
		return nil
	}
	return k.step(step)
}

// RotateOptions say how a key is rotated.
type RotateOptions struct {
	// Grace is how long the old key counts beside the new one, from 0 to protocol.MaxGrace.
	Grace time.Duration
	// Compromised ends the old key at once.
	Compromised bool
	// Next is the next key where it was kept elsewhere; nil means the one beside the current key.
	Next *identity.Identity
	// Announce tells the statements to those who should know before the key changes; may be nil. What it does not reach
	// learns them at the next meeting.
	Announce func(ctx context.Context, rotations [][]byte)
}

// Rotate makes the next key the current one. The statement is in the database, with its audit record, before a key file
// changes; from then on the rotation is finished by [Keys.Open] if this does not return.
func (k *Keys) Rotate(ctx context.Context, o RotateOptions) (*protocol.KeyRotation, error) {
	s, err := k.Open(ctx)
	if err != nil {
		return nil, err
	}
	next, err := k.nextKey(s, o.Next)
	if err != nil {
		return nil, err
	}
	coming, err := k.Ring.MakeComing()
	if err != nil {
		return nil, err
	}
	if err := k.at("made"); err != nil {
		return nil, err
	}
	r, err := k.state(ctx, s, next, coming, o)
	if err != nil {
		return nil, err
	}
	if err := k.at("stated"); err != nil {
		return nil, err
	}
	if o.Announce != nil {
		s.Rotations = append(s.Rotations, r)
		o.Announce(ctx, s.Wires())
	}
	if err := k.at("announced"); err != nil {
		return nil, err
	}
	_, err = k.finish(r)
	return r, err
}

// nextKey returns the key that the node has committed to, and makes sure that it lies beside the current one.
func (k *Keys) nextKey(s Standing, given *identity.Identity) (*identity.Identity, error) {
	next := given
	if next == nil {
		var err error
		if next, err = k.Ring.Next(); errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%w: %s is not there; if it is kept elsewhere, give it with --next FILE", ErrNextKey, k.Ring.NextPath())
		} else if err != nil {
			return nil, err
		}
	}
	if protocol.DigestOf(next.NodeID()) != s.NextDigest {
		return nil, fmt.Errorf("%w: the key %s is not the one that this node has committed to, so that peers would refuse it; give the right one with --next FILE (docs/keys.md tells what to do when it is lost)",
			ErrNextKey, next.Fingerprint())
	}
	return next, k.Ring.PutNext(next)
}

func (k *Keys) state(ctx context.Context, s Standing, next, coming *identity.Identity, o RotateOptions) (*protocol.KeyRotation, error) {
	now := k.Now()
	r := &protocol.KeyRotation{OldID: s.Identity.NodeID(), NewID: next.NodeID(), Generation: 1, IssuedAt: protocol.At(now),
		NextDigest: protocol.DigestOf(coming.NodeID()), Reason: protocol.RotationScheduled}
	if n := len(s.Rotations); n > 0 {
		r.Generation = s.Rotations[n-1].Generation + 1
		r.IssuedAt = max(r.IssuedAt, s.Rotations[n-1].IssuedAt) // the clock may have been set back
	}
	r.ValidFrom = r.IssuedAt
	r.OldExpires = protocol.At(r.ValidFrom.Time().Add(o.Grace))
	if o.Compromised {
		r.Reason, r.OldExpires = protocol.RotationCompromised, r.ValidFrom
	}
	if _, err := protocol.SignRotation(r, s.Identity, next, now); err != nil {
		return nil, err
	}
	ev := audit.Event{Type: protocol.AuditKeyRotated, Peer: r.NewID, Success: true, Details: rotationDetails(r, "stated")}
	return r, k.Store.SaveOwnRotations(ctx, []*protocol.KeyRotation{r}, &ev)
}

// rotationDetails are the facts of a rotation for the audit log.
func rotationDetails(r *protocol.KeyRotation, step string) map[string]string {
	return map[string]string{"step": step, "old": string(r.OldID), "new": string(r.NewID), "generation": strconv.FormatUint(r.Generation, 10),
		"cause": string(r.Reason), "old_expires": r.OldExpires.String()}
}
