package store

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/caro-mesh/caro-node/policy/audit"
	"github.com/caro-mesh/caro-node/protocol"
)

// setBack returns a log whose owner went back to a backup of 10 records after the witness had seen 20, and the log as it
// would have been. The time passes with each look at the clock of the witness.
func setBack(t *testing.T) (restored, original, witness *Store) {
	t.Helper()
	now := noon
	witness = open(t, Options{Now: func() time.Time { now = now.Add(time.Second); return now }})
	original = open(t, Options{Now: fixedClock(noon)})
	fillAudit(t, original, 10)
	path := filepath.Join(t.TempDir(), "caro.db")
	copyDatabase(t, original, path)
	fillAudit(t, original, 10)
	present(t, original, witness)
	return openAt(t, path, Options{Now: fixedClock(noon.Add(time.Hour))}), original, witness
}

var accepting = audit.Event{Type: protocol.AuditTrustChanged, Success: true, Details: map[string]string{"change": "audit_log_accepted"}}

func TestALogThatWasSetBackIsWitnessedAgainOnlyAfterItWasAccepted(t *testing.T) {
	restored, original, witness := setBack(t)
	keys := []protocol.NodeID{owner.NodeID()}
	if _, err := witness.AcceptConflict(t.Context(), keys, accepting); !errors.Is(err, ErrNotFound) {
		t.Errorf("there is no conflict yet: %v", err)
	}
	open := func() (n int) {
		t.Helper()
		list, err := witness.Conflicts(t.Context())
		check(t, err)
		for _, c := range list {
			if c.Open {
				n++
			}
		}
		return n
	}
	for _, grown := range []int{2, 30} { // growing does not mend it
		fillAudit(t, restored, grown)
		if j, reason := present(t, restored, witness); j != audit.Conflicting {
			t.Fatalf("%v %s", j, reason)
		}
	}
	if open() != 2 {
		t.Errorf("%d conflicts are open", open())
	}
	a, err := witness.AcceptConflict(t.Context(), keys, accepting)
	if err != nil || a.Log != owner.NodeID() || a.Before != 20 || a.Now != 42 || a.Reason == "" || open() != 0 {
		t.Errorf("%+v, %v, %d open", a, err, open())
	}
	records, err := witness.AuditRecords(t.Context(), AuditFilter{NewestFirst: true, Limit: 1})
	check(t, err)
	if d := records[0].Details; records[0].Peer != owner.NodeID() || d["change"] != "audit_log_accepted" || d["entries_before"] != "20" || d["entries"] != "42" || d["reason"] != a.Reason {
		t.Errorf("recorded %+v", records[0])
	}
	fillAudit(t, restored, 1)
	if j, reason := present(t, restored, witness); j != audit.Consistent {
		t.Errorf("%v %s", j, reason)
	}
	fillAudit(t, original, 30)
	if j, _ := present(t, original, witness); j != audit.Conflicting || open() != 1 {
		t.Errorf("the log that was given up: %v, %d open", j, open())
	}
	if list, err := witness.Conflicts(t.Context()); err != nil || len(list) != 3 {
		t.Errorf("evidence: %d, %v", len(list), err)
	}
}

// The owner may have changed its key since: what was known under the old one is given up as well.
func TestALogIsAcceptedUnderTheNextKeyOfItsOwner(t *testing.T) {
	restored, _, witness := setBack(t)
	fillAudit(t, restored, 2)
	handOver(t, restored)
	show := func() audit.Judgement {
		c, _, err := restored.Checkpoint(t.Context(), thief)
		check(t, err)
		content, err := protocol.OpenCheckpoint(c.Note, thief.NodeID())
		check(t, err)
		p := audit.Presented{Log: thief.NodeID(), Former: []protocol.NodeID{owner.NodeID()}, Note: c.Note, Checkpoint: content}
		j, _, known, err := witness.Witness(t.Context(), p)
		check(t, err)
		if j == audit.Stale {
			p.Old = known
			p.Proof, err = restored.AuditConsistency(t.Context(), known, content.Size)
			check(t, err)
			j, _, _, err = witness.Witness(t.Context(), p)
			check(t, err)
		}
		return j
	}
	if j := show(); j != audit.Conflicting {
		t.Fatal(j)
	}
	a, err := witness.AcceptConflict(t.Context(), []protocol.NodeID{thief.NodeID(), owner.NodeID()}, accepting)
	if err != nil || a.Log != thief.NodeID() || a.Before != 20 {
		t.Errorf("%+v, %v", a, err)
	}
	fillAudit(t, restored, 3)
	if j := show(); j != audit.Consistent {
		t.Error(j)
	}
}

// Who shows another log and then the former one again had two of them: that stays told, though there is nothing to accept.
func TestALogThatWasOnlyPutBackIsNotTakenForAccepted(t *testing.T) {
	restored, original, witness := setBack(t)
	fillAudit(t, restored, 20)
	if j, reason := present(t, restored, witness); j != audit.Conflicting {
		t.Fatalf("%v %s", j, reason)
	}
	fillAudit(t, original, 1)
	if j, reason := present(t, original, witness); j != audit.Consistent {
		t.Fatalf("%v %s", j, reason)
	}
	list, err := witness.Conflicts(t.Context())
	if err != nil || len(list) != 1 || list[0].Open || list[0].Accepted {
		t.Errorf("%+v, %v", list, err)
	}
	fillAudit(t, restored, 1)
	present(t, restored, witness)
	if _, err := witness.AcceptConflict(t.Context(), []protocol.NodeID{owner.NodeID()}, accepting); err != nil {
		t.Fatal(err)
	}
	list, err = witness.Conflicts(t.Context())
	if err != nil || len(list) != 2 || !list[0].Accepted || !list[1].Accepted {
		t.Errorf("%+v, %v", list, err)
	}
}
