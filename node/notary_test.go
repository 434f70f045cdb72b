package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/caro-mesh/caro-node/internal/meshtest"
	"github.com/caro-mesh/caro-node/policy"
	"github.com/caro-mesh/caro-node/policy/audit"
	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/protocol/checkpoint"
	"github.com/caro-mesh/caro-node/protocol/exchange"
)

// notaryOf is a notary whose peers are answered by judge.
func (b *bench) notaryOf(judge func(to protocol.NodeID, s checkpoint.Shown) (checkpoint.Answer, error), peers ...protocol.NodeID) *notary {
	n := newNotary(b.key, b.gate, b.db, b.clock, slog.New(slog.DiscardHandler))
	n.connected = func() []target {
		var out []target
		for _, id := range peers {
			out = append(out, target{id, policy.Request{Peer: id, Action: policy.ActionWitness, Now: noon}})
		}
		return out
	}
	n.show = func(_ context.Context, to protocol.NodeID, note []byte, old uint64, proof [][32]byte) (checkpoint.Answer, error) {
		c, err := protocol.OpenCheckpoint(note, b.key.NodeID())
		if err != nil {
			b.t.Error(err)
		}
		return judge(to, checkpoint.Shown{Note: note, Checkpoint: c, OldSize: old, Proof: proof})
	}
	return n
}

// grow adds n records.
func (b *bench) grow(n int) {
	b.t.Helper()
	for range n {
		if _, err := b.db.AuditLog().Append(b.t.Context(), audit.Event{Type: protocol.AuditPeerConnected, Success: true}); err != nil {
			b.t.Fatal(err)
		}
	}
}

func (b *bench) work(n *notary) {
	b.t.Helper()
	if err := n.work(b.t.Context()); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) cosigned(by protocol.NodeID) uint64 {
	b.t.Helper()
	known, err := b.db.Cosigned(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	return known[by]
}

func TestALogIsShownOnceAnHourAndOnlyWhereItHasGrown(t *testing.T) {
	witnessKey := newKey(t)
	b := newBench(t, trusting(witnessKey.NodeID(), "peer"))
	now := noon
	b.clock = func() time.Time { return now }
	var shown []checkpoint.Shown
	n := b.notaryOf(func(_ protocol.NodeID, s checkpoint.Shown) (checkpoint.Answer, error) {
		shown = append(shown, s)
		value, err := protocol.Cosign(s.Note, witnessKey, now)
		return checkpoint.Answer{Status: checkpoint.StatusCosigned, Size: s.Checkpoint.Size, Cosignature: value}, err
	}, witnessKey.NodeID())
	b.grow(5)
	for _, step := range []struct {
		after time.Duration
		grow  int
		shown int
		size  uint64
	}{
		{0, 0, 1, 6}, // that it is shown is the sixth record, and part of what is shown
		{time.Minute, 3, 1, 6},
		{59 * time.Minute, 0, 2, 10},
		{2 * time.Hour, 0, 2, 10}, // that it was shown is no reason to show it again
		{time.Hour, 1, 3, 12},
	} {
		now = now.Add(step.after)
		b.grow(step.grow)
		b.work(n)
		if len(shown) != step.shown || b.cosigned(witnessKey.NodeID()) != step.size {
			t.Errorf("%s: shown %d times, cosigned up to %d; want %d and %d", now.Sub(noon), len(shown), b.cosigned(witnessKey.NodeID()), step.shown, step.size)
		}
	}
	if last := shown[len(shown)-1]; last.OldSize != 10 || len(last.Proof) == 0 {
		t.Errorf("the last proof begins at %d with %d hashes", last.OldSize, len(last.Proof))
	}
	if rs := b.records(protocol.AuditSummaryShared); len(rs) != 3 || rs[0].Peer != witnessKey.NodeID() || rs[0].Details["topic"] != checkpoint.ID {
		t.Errorf("on record: %+v", rs)
	}
	v, vouched, err := b.db.VerifyLog(t.Context(), audit.Remembered{Key: b.key.NodeID()})
	if err != nil || !v.OK || len(vouched) != 1 || vouched[0].Entries != 12 {
		t.Errorf("%+v %+v, %v", v, vouched, err)
	}
}

func TestOnlyPeersAreShownTheLog(t *testing.T) {
	ids := make(map[string]protocol.NodeID)
	var doc policy.Document
	for _, trust := range protocol.TrustNames() {
		ids[trust] = newKey(t).NodeID()
		doc.Nodes = append(doc.Nodes, policy.NodeRule{ID: string(ids[trust]), Trust: trust})
	}
	b := newBench(t, doc)
	b.grow(1)
	var asked []protocol.NodeID
	n := b.notaryOf(func(to protocol.NodeID, _ checkpoint.Shown) (checkpoint.Answer, error) {
		asked = append(asked, to)
		return checkpoint.Answer{Status: checkpoint.StatusRefused, Reason: "no"}, nil
	}, slices.Collect(maps.Values(ids))...)
	b.work(n)
	if len(asked) != 1 || asked[0] != ids["peer"] {
		t.Errorf("shown to %v", asked)
	}
}

func TestAWitnessThatKnowsAnotherSizeGetsTheProofFromThere(t *testing.T) {
	peer := newKey(t)
	b := newBench(t, trusting(peer.NodeID(), "peer"))
	b.grow(9)
	var asked []uint64
	n := b.notaryOf(func(_ protocol.NodeID, s checkpoint.Shown) (checkpoint.Answer, error) {
		asked = append(asked, s.OldSize)
		if s.OldSize != 7 {
			return checkpoint.Answer{Status: checkpoint.StatusStale, Size: 7}, nil
		}
		value, err := protocol.Cosign(s.Note, peer, noon)
		return checkpoint.Answer{Status: checkpoint.StatusCosigned, Size: s.Checkpoint.Size, Cosignature: value}, err
	}, peer.NodeID())
	b.work(n)
	if fmt.Sprint(asked) != "[0 7]" || b.cosigned(peer.NodeID()) != 10 {
		t.Errorf("proofs from %v, cosigned up to %d", asked, b.cosigned(peer.NodeID()))
	}
}

func TestWitnessesThatDoNotCosignAreTold(t *testing.T) {
	peer := newKey(t)
	for name, c := range map[string]struct {
		answer checkpoint.Answer
		err    error
		doubts int
		again  time.Duration
	}{
		"an older version":      {err: exchange.ErrUnsupported, again: checkpointEvery},
		"no answer":             {err: exchange.ErrNoAnswer, again: showAgain},
		"it knows more than is": {answer: checkpoint.Answer{Status: checkpoint.StatusStale, Size: 1000}, again: showAgain},
		"it has seen another":   {answer: checkpoint.Answer{Status: checkpoint.StatusConflict, Size: 3, Reason: "history was written anew"}, doubts: 1, again: checkpointEvery},
		"it vouches for nobody": {answer: checkpoint.Answer{Status: checkpoint.StatusRefused, Reason: "no"}, again: checkpointEvery},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, trusting(peer.NodeID(), "peer"))
			now := noon
			b.clock = func() time.Time { return now }
			b.grow(3)
			shown := 0
			n := b.notaryOf(func(protocol.NodeID, checkpoint.Shown) (checkpoint.Answer, error) { shown++; return c.answer, c.err }, peer.NodeID())
			b.work(n)
			first := shown
			_, results, err := n.present(t.Context(), true)
			if err != nil || len(results) != 1 || results[0].Witness != peer.NodeID() || results[0].Reason == "" {
				t.Errorf("%+v, %v", results, err)
			}
			shown = 0
			if now = now.Add(c.again - time.Second); shown != 0 {
				t.Error("asked too early")
			}
			b.work(n)
			now = now.Add(time.Second)
			b.work(n)
			if shown != first || b.cosigned(peer.NodeID()) != 0 || len(n.doubted()) != c.doubts {
				t.Errorf("asked %d times, at first %d; doubts %v", shown, first, n.doubted())
			}
		})
	}
}

func TestALogThatCannotBeRecordedIsNotShown(t *testing.T) {
	peer := newKey(t)
	b := newBench(t, trusting(peer.NodeID(), "peer"))
	b.grow(1)
	b.gate = audit.NewGate(b.gate.Engine(), deafLog{})
	n := b.notaryOf(func(protocol.NodeID, checkpoint.Shown) (checkpoint.Answer, error) {
		t.Error("it was shown")
		return checkpoint.Answer{}, nil
	}, peer.NodeID())
	if err := n.work(t.Context()); !errors.Is(err, audit.ErrNotRecorded) {
		t.Error(err)
	}
}

func TestAWitnessVouchesForPeersOnlyAndAsksTheGate(t *testing.T) {
	for _, trust := range protocol.TrustNames() {
		owner := newKey(t)
		b := newBench(t, trusting(owner.NodeID(), trust))
		w := &witness{key: b.key, gate: b.gate, db: b.db, ancestors: func(protocol.NodeID) []protocol.NodeID { return nil }, now: b.clock, logger: slog.New(slog.DiscardHandler)}
		c := protocol.Checkpoint{Size: 4, Root: [32]byte{1}}
		note, err := protocol.SignCheckpoint(c, owner)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := w.judge(t.Context(), exchange.From{ID: owner.NodeID()}, checkpoint.Shown{Note: note, Checkpoint: c})
		want := checkpoint.StatusRefused
		if trust == "peer" {
			want = checkpoint.StatusCosigned
		}
		if err != nil || answer.Status != want {
			t.Errorf("%s: %+v, %v", trust, answer, err)
		}
		if rs := b.records(protocol.AuditPolicyViolation); (len(rs) == 1) != (trust == "untrusted") {
			t.Errorf("%s: on record %+v", trust, rs)
		}
	}
}

func TestTwoNodesWitnessEachOtherAndFollowANewKey(t *testing.T) {
	_, all := started(t, 2)
	a, b := all[0], all[1]
	meet(t, a, b)
	cosigned := func(of, by *member, atLeast uint64) (size uint64) {
		t.Helper()
		id := by.id()
		meshtest.Eventually(t, func() error {
			known, err := of.db.Cosigned(t.Context())
			if size = known[id]; err == nil && size < atLeast {
				return fmt.Errorf("%s has cosigned %d entries", id.Fingerprint(), size)
			}
			return err
		})
		return size
	}
	cosigned(a, b, 1)
	cosigned(b, a, 1)
	before := a.id()
	r := a.rotate(RotateOptions{})
	b.connected(r.NewID)
	a.connected(b.id())
	meshtest.Eventually(t, func() error {
		_, results, err := a.node.PresentCheckpoint(t.Context())
		if err == nil && (len(results) != 1 || results[0].Status != checkpoint.StatusCosigned) {
			return fmt.Errorf("%+v", results)
		}
		return err
	})
	witnessed, err := b.db.Witnessed(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	sizes := make(map[protocol.NodeID]uint64)
	for _, w := range witnessed {
		sizes[w.Log] = w.Entries
	}
	if sizes[before] == 0 || sizes[r.NewID] <= sizes[before] {
		t.Errorf("b vouches for %v", sizes)
	}
	for _, m := range all {
		v, vouched, err := m.db.VerifyLog(t.Context(), audit.Remembered{Key: m.id()})
		if err != nil || !v.OK || len(vouched) == 0 {
			t.Errorf("%+v %+v, %v", v, vouched, err)
		}
	}
}
