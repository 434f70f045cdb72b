package store

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/caro-mesh/caro-node/policy/audit"
	"github.com/caro-mesh/caro-node/protocol"
)

func TestAnUnchangedLogIsSignedOnce(t *testing.T) {
	s := open(t, Options{Now: fixedClock(noon)})
	if _, _, err := s.Checkpoint(t.Context(), owner); !errors.Is(err, ErrNotFound) {
		t.Errorf("an empty log: %v", err)
	}
	fillAudit(t, s, 5)
	first, fresh, err := s.Checkpoint(t.Context(), owner)
	check(t, err)
	again, freshAgain, err := s.Checkpoint(t.Context(), owner)
	check(t, err)
	if !fresh || freshAgain || string(first.Note) != string(again.Note) || first.MadeAt != noon || again.MadeAt != noon {
		t.Errorf("%v %+v, then %v %+v", fresh, first, freshAgain, again)
	}
	_, byAnother, err := s.Checkpoint(t.Context(), thief)
	check(t, err)
	if !byAnother {
		t.Error("after the key has changed nothing was signed")
	}
	fillAudit(t, s, 1)
	third, fresh, err := s.Checkpoint(t.Context(), thief)
	check(t, err)
	if c, err := protocol.OpenCheckpoint(third.Note, thief.NodeID()); !fresh || err != nil || c.Size != 6 || third.Number != 3 {
		t.Errorf("%v %+v %+v, %v", fresh, third, c, err)
	}
}

// handOver stores that the owner's key is followed by the thief's, which is no thief then.
func handOver(t *testing.T, s *Store) {
	t.Helper()
	at := protocol.At(noon)
	r := &protocol.KeyRotation{OldID: owner.NodeID(), NewID: thief.NodeID(), Generation: 1, IssuedAt: at, ValidFrom: at, OldExpires: at,
		NextDigest: protocol.DigestOf(keyOf(9).NodeID()), Reason: protocol.RotationScheduled}
	_, err := protocol.SignRotation(r, owner, thief, noon)
	check(t, err)
	check(t, s.SaveOwnRotations(t.Context(), []*protocol.KeyRotation{r}, &audit.Event{Type: protocol.AuditKeyRotated, Peer: r.NewID, Success: true}))
}

func TestCheckpointsOfAFormerKeyVerifyUnderThatKey(t *testing.T) {
	s, _ := signedLog(t)
	handOver(t, s)
	_, _, err := s.Checkpoint(t.Context(), thief)
	check(t, err)
	v, _, err := s.VerifyLog(t.Context(), audit.Remembered{Key: thief.NodeID()})
	if err != nil || !v.OK || v.Checkpoints != 4 || v.Signed != 41 {
		t.Errorf("%+v, %v", v, err)
	}
	fillAudit(t, s, 1)
	_, _, err = s.Checkpoint(t.Context(), owner)
	check(t, err)
	v, _, err = s.VerifyLog(t.Context(), audit.Remembered{Key: thief.NodeID()})
	if err != nil || v.OK || v.FirstBad != 42 || !strings.Contains(v.Reason, "which another had replaced by then") {
		t.Errorf("signed by the old key after the new one: %+v, %v", v, err)
	}
}

func TestAWitnessFollowsALogToItsOwnersNextKey(t *testing.T) {
	s, _ := signedLog(t)
	witness := open(t, Options{})
	present(t, s, witness)
	forge(t, s, func(f *forger) { f.rewrite(14, other); f.sign(owner, 10) })
	handOver(t, s)
	c, _, err := s.Checkpoint(t.Context(), thief)
	check(t, err)
	content, err := protocol.OpenCheckpoint(c.Note, thief.NodeID())
	check(t, err)
	proof, err := s.AuditConsistency(t.Context(), 40, content.Size)
	check(t, err)
	p := audit.Presented{Log: thief.NodeID(), Former: []protocol.NodeID{owner.NodeID()}, Note: c.Note, Checkpoint: content, Old: 40, Proof: proof}
	if j, reason, known, err := witness.Witness(t.Context(), p); err != nil || j != audit.Conflicting || known != 40 {
		t.Errorf("%v %q, %d known, %v", j, reason, known, err)
	}
}

func TestRetentionLeavesALogThatStillVerifies(t *testing.T) {
	now := noon
	s := open(t, Options{Now: func() time.Time { return now }})
	witness := open(t, Options{})
	for range 3 {
		fillAudit(t, s, 10)
		present(t, s, witness)
		now = now.Add(24 * time.Hour)
	}
	tooOld := noon.Add(30 * time.Hour)
	n, err := s.PruneAudit(t.Context(), tooOld, owner)
	check(t, err)
	if n != 20 {
		t.Fatalf("%d records removed", n)
	}
	if n, err := s.PruneAudit(t.Context(), tooOld, owner); err != nil || n != 0 {
		t.Errorf("once more: %d, %v", n, err)
	}
	left, err := s.AuditRecords(t.Context(), AuditFilter{})
	check(t, err)
	if len(left) != 10 || left[0].Sequence != 21 {
		t.Errorf("left: %v", sequences(left))
	}
	verify := func(entries uint64) {
		t.Helper()
		v, _, err := s.VerifyLog(t.Context(), audit.Remembered{Key: owner.NodeID(), Heads: []audit.Head{{Entries: 7}, {Entries: 25, Hash: left[4].Hash}}})
		if err != nil || !v.OK || v.Pruned != 20 || v.Entries != entries {
			t.Errorf("%+v, %v", v, err)
		}
	}
	verify(30)
	fillAudit(t, s, 5)
	if j, reason := present(t, s, witness); j != audit.Consistent {
		t.Errorf("the witness: %v %q", j, reason)
	}
	verify(35)
	if _, err := s.AuditProof(t.Context(), 12); !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "retention") {
		t.Errorf("proof of a removed record: %v", err)
	}
	p, err := s.AuditProof(t.Context(), 25)
	check(t, err)
	if c, err := p.Check(owner.NodeID()); err != nil || c.Size != 35 || c.Pruned != 20 {
		t.Errorf("proof: %+v, %v", c, err)
	}
	// Everything old goes, but the last record stays, so that numbers never begin again.
	now = now.Add(1000 * time.Hour)
	n, err = s.PruneAudit(t.Context(), now, owner)
	if err != nil || n != 14 {
		t.Errorf("%d, %v", n, err)
	}
	fillAudit(t, s, 1)
	v, _, err := s.VerifyLog(t.Context(), audit.Remembered{Key: owner.NodeID()})
	if err != nil || !v.OK || v.Pruned != 34 || v.Entries != 36 {
		t.Errorf("%+v, %v", v, err)
	}
}

func TestRetentionThatWasTamperedWithIsFound(t *testing.T) {
	for name, c := range map[string]struct {
		query, reason string
		bad           uint64
	}{
		"more removed than was said": {`DELETE FROM audit WHERE sequence <= 22`, "entry 21 is missing, and no checkpoint says that retention removed it", 21},
		"a removed entry put back":   {`INSERT INTO audit SELECT 20, id, timestamp, event_type, peer, details, success, prev_hash, hash FROM audit WHERE sequence = 21`, "entry 20 is here, though", 20},
		"hashes of removed entries altered": {`UPDATE audit_tree SET hashes = zeroblob(length(hashes)) WHERE sequence = 5`,
			"do not follow from the entries", 6},
		"hashes of removed entries gone": {`DELETE FROM audit_tree WHERE sequence <= 10`, "the tree has nothing about entry 1", 1},
		"the first that is left changed": {`UPDATE audit SET prev_hash = zeroblob(32) WHERE sequence = 21`, "does not refer to entry 20", 21},
	} {
		t.Run(name, func(t *testing.T) {
			now := noon
			s := open(t, Options{Now: func() time.Time { return now }})
			for range 3 {
				fillAudit(t, s, 10)
				_, _, err := s.Checkpoint(t.Context(), owner)
				check(t, err)
				now = now.Add(24 * time.Hour)
			}
			_, err := s.PruneAudit(t.Context(), noon.Add(30*time.Hour), owner)
			check(t, err)
			forge(t, s, func(f *forger) { f.exec(c.query) })
			v, _, err := s.VerifyLog(t.Context(), audit.Remembered{Key: owner.NodeID()})
			if err != nil || v.OK || v.FirstBad != c.bad || !strings.Contains(v.Reason, c.reason) {
				t.Errorf("%+v, %v", v, err)
			}
		})
	}
}

func TestTheDatabaseItselfRefusesToChangeWhatWasSigned(t *testing.T) {
	s, _ := signedLog(t)
	other := raw(t, s.Path())
	for _, q := range []string{
		`UPDATE audit_tree SET hashes = x'' WHERE sequence = 3`,
		`DELETE FROM audit_tree WHERE sequence = 40`,
		`INSERT INTO audit_tree (sequence, hashes) VALUES (42, x'')`,
		`REPLACE INTO audit_tree (sequence, hashes) VALUES (40, x'')`,
		`UPDATE audit_checkpoint SET size = 4`,
		`DELETE FROM audit_checkpoint WHERE number = 3`,
		`REPLACE INTO audit_checkpoint SELECT * FROM audit_checkpoint WHERE number = 3`,
		`INSERT INTO audit_checkpoint SELECT 5, 40, 0, signer, note, 0 FROM audit_checkpoint WHERE number = 3`,
		`INSERT INTO audit_checkpoint SELECT 4, 39, 0, signer, note, 0 FROM audit_checkpoint WHERE number = 3`,
		`INSERT INTO audit_checkpoint SELECT 4, 40, 40, signer, note, 0 FROM audit_checkpoint WHERE number = 3`,
		`DELETE FROM audit WHERE sequence = 1`,
		`UPDATE audit_cosignature SET number = 2`,
	} {
		if _, err := other.ExecContext(t.Context(), q); err == nil || !strings.Contains(err.Error(), "constraint failed") && !strings.Contains(err.Error(), "audit") && !strings.Contains(err.Error(), "cosignature") {
			t.Errorf("%s: %v", q, err)
		}
	}
	if _, err := other.ExecContext(t.Context(), `INSERT INTO audit_checkpoint SELECT 4, 40, 7, signer, note, 0 FROM audit_checkpoint WHERE number = 3;
		DELETE FROM audit WHERE sequence <= 7`); err != nil {
		t.Fatal("what retention does is refused:", err)
	}
	if _, err := other.ExecContext(t.Context(), `DELETE FROM audit WHERE sequence = 8`); err == nil {
		t.Error("more can be removed than was said")
	}
	if _, err := other.ExecContext(t.Context(), `INSERT INTO audit_checkpoint SELECT 5, 40, 6, signer, note, 0 FROM audit_checkpoint WHERE number = 3`); err == nil {
		t.Error("what was said to be removed can be taken back")
	}
}

func TestAProofOfAnyRecordHoldsWithoutTheDatabase(t *testing.T) {
	s, _ := signedLog(t)
	_, _, err := s.Checkpoint(t.Context(), owner)
	check(t, err)
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Uint64Range(1, 40).Draw(t, "record")
		p, err := s.AuditProof(context.Background(), n)
		noErr(t, err)
		file, err := p.Marshal()
		noErr(t, err)
		back, err := audit.UnmarshalProof(file)
		noErr(t, err)
		if c, err := back.Check(owner.NodeID()); err != nil || c.Size < n || back.Record.Hash != p.Record.Hash {
			t.Fatalf("%+v, %v", c, err)
		}
		if _, err := back.Check(thief.NodeID()); !errors.Is(err, audit.ErrProof) {
			t.Fatalf("under another key: %v", err)
		}
		i := rapid.IntRange(0, len(file)-1).Draw(t, "byte")
		altered := append([]byte(nil), file...)
		altered[i] ^= byte(1 << rapid.IntRange(0, 7).Draw(t, "bit"))
		if again, err := audit.UnmarshalProof(altered); err == nil {
			c, err := again.Check(owner.NodeID())
			witnessed := strings.Contains(string(p.Checkpoint[:]), visitor.NodeID().Origin()) // the lines of witnesses are not the owner's
			if err == nil && !witnessed {
				t.Fatalf("altered at byte %d, and still holds: %+v", i, c)
			}
		}
	})
	if _, err := s.AuditProof(t.Context(), 41); !errors.Is(err, ErrNotFound) {
		t.Errorf("a record that does not exist: %v", err)
	}
	fillAudit(t, s, 1)
	if _, err := s.AuditProof(t.Context(), 41); !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "checkpoint") {
		t.Errorf("a record that nothing covers yet: %v", err)
	}
}

func TestALogFromBeforeTheTreeGetsItsTree(t *testing.T) {
	path := filepath.Join(t.TempDir(), "caro.db")
	s, err := Open(t.Context(), path, Options{})
	check(t, err)
	fillAudit(t, s, 21)
	forge(t, s, func(f *forger) { f.exec(`DELETE FROM audit_tree`) })
	check(t, s.Close())
	s = openAt(t, path, Options{})
	fillAudit(t, s, 4)
	sound(t, s)
	_, _, err = s.Checkpoint(t.Context(), owner)
	check(t, err)
	sound(t, s)
}
