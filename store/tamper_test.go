package store

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/caro-mesh/caro-node/policy/audit"
	"github.com/caro-mesh/caro-node/protocol"
)

// tampering is one way to falsify a log; the owner of the machine may know everything and own every file on it.
type tampering struct {
	name   string
	change func(*forger)
	bad    uint64 // where it shows
	reason string
}

// foundByTheDatabase is what the database alone betrays, with nothing to compare it with but the node's own key.
var foundByTheDatabase = []tampering{
	{"a detail changed", func(f *forger) { f.exec(`UPDATE audit SET details = '{}' WHERE sequence = 14`) }, 14, "was altered"},
	{"a timestamp changed", func(f *forger) { f.exec(`UPDATE audit SET timestamp = timestamp + 1 WHERE sequence = 14`) }, 14, "was altered"},
	{"success turned round", func(f *forger) { f.exec(`UPDATE audit SET success = 1 - success WHERE sequence = 14`) }, 14, "was altered"},
	{"a peer blamed for another's deed", func(f *forger) {
		f.exec(`UPDATE audit SET peer = ? WHERE sequence = 14`, string(thief.NodeID()))
	}, 14, "was altered"},
	{"a type changed", func(f *forger) { f.exec(`UPDATE audit SET event_type = 'key_rotated' WHERE sequence = 14`) }, 14, "was altered"},
	{"the details of two entries swapped", func(f *forger) {
		f.exec(`UPDATE audit SET details = (SELECT details FROM audit a WHERE a.sequence = 29 - audit.sequence) WHERE sequence IN (14, 15)`)
	}, 14, "was altered"},
	{"changed and resealed", func(f *forger) {
		r := f.records()[13]
		r.Details = map[string]string{}
		h, err := r.ComputeHash()
		check(f.t, err)
		f.exec(`UPDATE audit SET details = '{}', hash = ? WHERE sequence = 14`, h[:])
	}, 14, "is not the one that was put into the tree"},
	{"changed, and the whole chain after it regrown", func(f *forger) {
		var trees [][]byte
		for n := 1; n <= 40; n++ {
			var b []byte
			check(f.t, f.db.QueryRow(`SELECT hashes FROM audit_tree WHERE sequence = ?`, n).Scan(&b))
			trees = append(trees, b)
		}
		f.rewrite(14, other)
		for i, b := range trees {
			f.exec(`UPDATE audit_tree SET hashes = ? WHERE sequence = ?`, b, i+1)
		}
	}, 14, "is not the one that was put into the tree"},
	{"changed, with chain and tree regrown", func(f *forger) { f.rewrite(14, other) }, 11, "entries 11 to 20 are not those over which checkpoint 2 was signed"},
	{"the first entry changed, with chain and tree regrown", func(f *forger) { f.rewrite(1, other) }, 1, "entries 1 to 10 are not those over which checkpoint 1"},
	{"a timestamp changed, with chain and tree regrown", func(f *forger) {
		f.rewrite(25, func(r *audit.Record) { r.Timestamp += 1e9 })
	}, 21, "entries 21 to 30 are not those over which checkpoint 3"},
	{"an entry removed", func(f *forger) { f.exec(`DELETE FROM audit WHERE sequence = 14`) }, 14, "entry 14 is missing"},
	{"the oldest entries removed, as if by retention", func(f *forger) { f.exec(`DELETE FROM audit WHERE sequence <= 5`) }, 1, "entry 1 is missing, and no checkpoint says"},
	{"the oldest entries removed, and a column said so", func(f *forger) {
		f.exec(`DELETE FROM audit WHERE sequence <= 5`)
		f.exec(`UPDATE audit_checkpoint SET pruned = 5`)
	}, 1, "entry 1 is missing, and no checkpoint says"},
	{"an entry removed and the rest renumbered", func(f *forger) {
		f.exec(`DELETE FROM audit WHERE sequence = 14`)
		for n := 15; n <= 40; n++ {
			f.exec(`UPDATE audit SET sequence = ? WHERE sequence = ?`, n-1, n)
		}
	}, 14, "does not refer to entry 13"},
	{"an entry removed, with chain and tree regrown", func(f *forger) { f.write(slices.Delete(f.records(), 13, 14)) }, 11, "entries 11 to 20"},
	{"two entries exchanged, with chain and tree regrown", func(f *forger) {
		list := f.records()
		list[13], list[14] = list[14], list[13]
		f.write(list)
	}, 11, "entries 11 to 20"},
	{"two entries exchanged", func(f *forger) {
		f.exec(`UPDATE audit SET sequence = -sequence WHERE sequence IN (14, 15)`)
		f.exec(`UPDATE audit SET sequence = 29 + sequence WHERE sequence < 0`)
	}, 14, "does not refer to entry 13"},
	{"an entry inserted, with chain and tree regrown", func(f *forger) {
		list := f.records()
		f.write(slices.Insert(list, 13, list[3]))
	}, 11, "entries 11 to 20"},
	{"truncated", func(f *forger) { f.exec(`DELETE FROM audit WHERE sequence > 25`) }, 26, "entry 26 is missing"},
	{"truncated and resealed", func(f *forger) { f.write(f.records()[:25]) }, 26, "checkpoint 3 was signed over 30 entries, but the log ends after 25"},
	{"the end after the last checkpoint truncated", func(f *forger) {
		f.exec(`DELETE FROM audit WHERE sequence > 35`)
		f.exec(`DELETE FROM audit_tree WHERE sequence > 35`)
	}, 36, "the chain ends after 35 entries, but it had 40"},
	{"everything removed", func(f *forger) {
		f.exec(`DELETE FROM audit`)
		f.exec(`DELETE FROM audit_tree`)
		f.exec(`DELETE FROM audit_head`)
	}, 1, "checkpoint 1 was signed over 10 entries, but the log ends after 0"},
	{"cut and regrown", func(f *forger) {
		list := f.records()
		for i := 25; i < len(list); i++ {
			other(&list[i])
		}
		f.write(list)
	}, 21, "entries 21 to 30 are not those over which checkpoint 3 was signed"},
	{"a leaf of the tree altered", func(f *forger) {
		f.exec(`UPDATE audit_tree SET hashes = zeroblob(length(hashes)) WHERE sequence = 13`)
	}, 13, "entry 13 is not the one that was put into the tree"},
	{"a hash inside the tree altered", func(f *forger) {
		f.exec(`UPDATE audit_tree SET hashes = CAST(substr(hashes, 1, 32) || zeroblob(length(hashes) - 32) AS BLOB) WHERE sequence = 14`)
	}, 14, "do not follow from the entries"},
	{"a row of the tree removed", func(f *forger) { f.exec(`DELETE FROM audit_tree WHERE sequence = 14`) }, 14, "the tree has nothing about entry 14"},
	{"the tree removed", func(f *forger) { f.exec(`DELETE FROM audit_tree`) }, 1, "the tree has nothing about entry 1"},
	{"the tree grown beyond the log", func(f *forger) {
		f.exec(`INSERT INTO audit_tree SELECT 41, hashes FROM audit_tree WHERE sequence = 39`)
	}, 41, "entry 41 is missing, and no checkpoint says"},
	{"a row put before the tree", func(f *forger) { f.exec(`INSERT INTO audit_tree VALUES (-1, zeroblob(32))`) }, 1, "cannot be decoded: the tree over the log"},
	{"a row put before the log", func(f *forger) { f.exec(`UPDATE audit SET sequence = -14 WHERE sequence = 14`) }, 1, "cannot be decoded"},
	{"a checkpoint removed", func(f *forger) { f.exec(`DELETE FROM audit_checkpoint WHERE number = 2`) }, 11, "checkpoint 2 is missing"},
	{"the last checkpoint removed", func(f *forger) { f.exec(`DELETE FROM audit_checkpoint WHERE number = 3`) }, 21, "there are 2 checkpoints, but 3 were made"},
	{"a cosigned checkpoint removed without trace but the cosignature", func(f *forger) {
		f.exec(`DELETE FROM audit_checkpoint WHERE number = 3`)
		f.exec(`UPDATE audit_head SET checkpoints = 2`)
	}, 41, "has cosigned checkpoint 3, which is not here"},
	{"a checkpoint altered", func(f *forger) {
		f.exec(`UPDATE audit_checkpoint SET note = CAST(replace(CAST(note AS TEXT), x'0a' || '20' || x'0a', x'0a' || '21' || x'0a') AS BLOB) WHERE number = 2`)
	}, 11, "checkpoint 2 was altered"},
	{"a checkpoint replaced by an earlier one", func(f *forger) {
		f.exec(`UPDATE audit_checkpoint SET note = (SELECT note FROM audit_checkpoint WHERE number = 1) WHERE number = 3`)
	}, 21, "checkpoint 3 covers 10 entries, fewer than the 20"},
	{"checkpoints signed anew with another key", func(f *forger) { f.sign(thief, 10, 20, 30) }, 10, "none of this node"},
	{"cut, regrown and signed anew with another key", func(f *forger) {
		f.rewrite(14, other)
		f.sign(thief, 10, 20, 30)
	}, 10, "none of this node"},
	{"a checkpoint passed off as another node's", func(f *forger) {
		f.exec(`UPDATE audit_checkpoint SET signer = ? WHERE number = 2`, string(thief.NodeID()))
	}, 11, "signed by another node"},
	{"a checkpoint's size altered beside its note", func(f *forger) {
		f.exec(`UPDATE audit_checkpoint SET size = 19 WHERE number = 2`)
	}, 20, "the database goes by 19 and 0: its columns were altered"},
	{"a column that lets records be removed", func(f *forger) {
		f.exec(`UPDATE audit_checkpoint SET pruned = 5 WHERE number = 3`)
	}, 30, "the database goes by 30 and 5: its columns were altered"},
	{"a cosignature's size altered beside it", func(f *forger) { f.exec(`UPDATE audit_cosignature SET size = 40`) }, 30, "its column was altered"},
	{"details that another reader takes for others", func(f *forger) {
		f.exec(`UPDATE audit SET details = replace(details, '{"', '{"rule":"another","') WHERE sequence = 14`)
		var first string // SQLite takes the first of two, this program the last
		check(f.t, f.db.QueryRow(`SELECT details ->> 'rule' FROM audit WHERE sequence = 14`).Scan(&first))
		if first != "another" {
			f.t.Errorf("the forgery is of no use: SQLite reads %q", first)
		}
	}, 14, "can be read in more than one way"},
	{"a cosignature altered", func(f *forger) {
		f.exec(`UPDATE audit_cosignature SET value = zeroblob(72)`)
	}, 30, "the cosignature of " + string(visitor.NodeID().Fingerprint()) + " under checkpoint 3 was altered"},
	{"a cosignature moved to another checkpoint", func(f *forger) { f.exec(`UPDATE audit_cosignature SET number = 2`) }, 20, "under checkpoint 2 was altered"},
	{"a cosignature passed off as another witness's", func(f *forger) {
		f.exec(`UPDATE audit_cosignature SET witness = ?`, string(thief.NodeID()))
	}, 30, "was altered"},
	{"the owner signs a rewritten log anew, and leaves the witness's word", func(f *forger) {
		value := []byte{}
		check(f.t, f.db.QueryRow(`SELECT value FROM audit_cosignature`).Scan(&value))
		f.rewrite(14, other)
		f.sign(owner, 10, 20, 30)
		f.exec(`INSERT INTO audit_cosignature (witness, number, size, value, received_at) VALUES (?, 3, 30, ?, 0)`, string(visitor.NodeID()), value)
	}, 30, "was altered"},
}

func TestEveryTamperingThatTheDatabaseBetraysIsFoundAtItsPlace(t *testing.T) {
	for _, c := range foundByTheDatabase {
		t.Run(c.name, func(t *testing.T) {
			s, _ := signedLog(t)
			forge(t, s, c.change)
			v, _, err := s.VerifyLog(t.Context(), audit.Remembered{Key: owner.NodeID()})
			if err != nil || v.OK || v.FirstBad != c.bad || !strings.Contains(v.Reason, c.reason) {
				t.Errorf("%+v, %v; want entry %d, %q", v, err, c.bad, c.reason)
			}
		})
	}
	t.Logf("%d kinds", len(foundByTheDatabase))
}

func TestADatabaseThatNoLongerRefusesChangesIsFound(t *testing.T) {
	for name, c := range map[string]struct{ query, reason string }{
		"a trigger dropped":     {`DROP TRIGGER audit_no_update`, "the trigger audit_no_update is gone"},
		"a trigger disarmed":    {`DROP TRIGGER audit_no_delete; CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit WHEN 0 BEGIN SELECT 1; END`, "the trigger audit_no_delete was altered"},
		"a trigger smuggled in": {`CREATE TRIGGER nice AFTER INSERT ON event BEGIN DELETE FROM spool; END`, "a trigger nice that this program did not make"},
	} {
		s, _ := signedLog(t)
		_, err := raw(t, s.Path()).ExecContext(t.Context(), c.query)
		check(t, err)
		v, err := s.VerifyAudit(t.Context())
		if err != nil || v.OK || v.FirstBad != 41 || !strings.Contains(v.Reason, c.reason) {
			t.Errorf("%s: %+v, %v", name, v, err)
		}
	}
}

// What an owner with the key can do so well that the database alone looks sound. The first verdict documents that; it takes
// a witness, or a checkpoint that was kept elsewhere.
var foundByOthersOnly = []tampering{
	{"rewritten, regrown and signed anew", func(f *forger) {
		f.rewrite(14, other)
		f.sign(owner, 10, 20, 30)
	}, 1, "history was written anew"},
	{"rewritten from the first entry on", func(f *forger) {
		list := f.records()
		for i := 1; i < len(list); i++ {
			other(&list[i])
		}
		f.write(list)
		f.sign(owner, 10)
	}, 1, "history was written anew"},
	{"truncated, with everything that remembers it", func(f *forger) {
		f.write(f.records()[:22])
		f.sign(owner, 10, 20)
	}, 23, "it was set back, or entries were cut off"},
	{"truncated and filled up with harmless entries", func(f *forger) {
		list := f.records()
		for i := 22; i < len(list); i++ {
			list[i] = list[3]
		}
		f.write(list)
		f.sign(owner, 10, 20)
	}, 1, "history was written anew"},
	{"an entry removed and everything signed anew", func(f *forger) {
		f.write(slices.Delete(f.records(), 13, 14))
		f.sign(owner, 10)
	}, 1, "history was written anew"},
	{"begun again from nothing", func(f *forger) {
		f.write(f.records()[:1])
		f.sign(owner)
	}, 2, "it was set back, or entries were cut off"},
}

func TestWhatTheOwnerCanForgeIsFoundByAWitnessAndByARememberedCheckpoint(t *testing.T) {
	for _, c := range foundByOthersOnly {
		t.Run(c.name, func(t *testing.T) {
			s, note := signedLog(t)
			witness := open(t, Options{})
			if j, reason := present(t, s, witness); j != audit.Consistent {
				t.Fatal(j, reason)
			}
			forge(t, s, c.change)
			if v, _, err := s.VerifyLog(t.Context(), audit.Remembered{Key: owner.NodeID()}); err != nil || !v.OK {
				t.Fatalf("the forgery is clumsier than it should be: %+v, %v", v, err)
			}
			v, _, err := s.VerifyLog(t.Context(), audit.Remembered{Key: owner.NodeID(), Notes: [][]byte{note}})
			if err != nil || v.OK || v.FirstBad == 0 || !strings.Contains(v.Reason, "the remembered checkpoint") {
				t.Errorf("with a checkpoint that was kept elsewhere: %+v, %v", v, err)
			}
			fillAudit(t, s, 5) // it goes on as if nothing had been
			if j, reason := present(t, s, witness); j != audit.Conflicting || !strings.Contains(reason, c.reason) {
				t.Errorf("the witness found %v %q, want %q", j, reason, c.reason)
			}
			conflicts, err := witness.Conflicts(t.Context())
			check(t, err)
			records, err := witness.AuditRecords(t.Context(), AuditFilter{Types: []protocol.AuditEventType{protocol.AuditPolicyViolation}})
			check(t, err)
			if len(conflicts) != 1 || len(records) != 1 || records[0].Peer != owner.NodeID() {
				t.Errorf("kept as evidence: %+v, recorded: %+v", conflicts, records)
			}
			for _, note := range [][]byte{conflicts[0].Note, conflicts[0].Known} {
				if _, err := protocol.OpenCheckpoint(note, owner.NodeID()); err != nil {
					t.Errorf("the evidence does not convince anybody else: %v", err)
				}
			}
		})
	}
}

func TestAFileThatIsRolledBackIsFoundByAWitnessAndByARememberedCheckpoint(t *testing.T) {
	s, _ := signedLog(t)
	before := filepath.Join(t.TempDir(), "caro.db")
	copyDatabase(t, s, before)
	fillAudit(t, s, 7)
	witness := open(t, Options{})
	present(t, s, witness)
	c, _, err := s.Checkpoint(t.Context(), owner)
	check(t, err)
	back := openAt(t, before, Options{})
	v, _, err := back.VerifyLog(t.Context(), audit.Remembered{Key: owner.NodeID()})
	if err != nil || !v.OK || v.Entries != 40 {
		t.Errorf("by itself: %+v, %v", v, err)
	}
	v, _, err = back.VerifyLog(t.Context(), audit.Remembered{Key: owner.NodeID(), Notes: [][]byte{c.Note}})
	if err != nil || v.OK || v.FirstBad != 41 || !strings.Contains(v.Reason, "signed over 47 entries, but the log ends after 40") {
		t.Errorf("with a remembered checkpoint: %+v, %v", v, err)
	}
	if j, reason := present(t, back, witness); j != audit.Conflicting || !strings.Contains(reason, "has 40 entries, but it had 47 before") {
		t.Errorf("the witness: %v %q", j, reason)
	}
	fillAudit(t, back, 20) // it grows past what the witness knows
	if j, reason := present(t, back, witness); j != audit.Conflicting || !strings.Contains(reason, "history was written anew") {
		t.Errorf("the witness, later: %v %q", j, reason)
	}
}

// A node that shows two witnesses two different logs deceives neither of them alone; once one sees what the other
// cosigned, both notes together prove it to anybody.
func TestTwoLogsForTwoWitnessesAreFoundWhenTheyCompare(t *testing.T) {
	s, _ := signedLog(t)
	first, second := open(t, Options{}), open(t, Options{})
	if j, _ := present(t, s, first); j != audit.Consistent {
		t.Fatal(j)
	}
	forge(t, s, func(f *forger) {
		f.rewrite(14, other)
		f.sign(owner, 10)
	})
	if j, _ := present(t, s, second); j != audit.Consistent {
		t.Fatal("the second witness has never seen the first log", j)
	}
	c, _, err := s.Checkpoint(t.Context(), owner)
	check(t, err)
	content, err := protocol.OpenCheckpoint(c.Note, owner.NodeID())
	check(t, err)
	j, reason, _, err := first.Witness(t.Context(), audit.Presented{Log: owner.NodeID(), Note: c.Note, Checkpoint: content, Old: content.Size})
	if err != nil || j != audit.Conflicting || !strings.Contains(reason, "two different audit logs of 40 entries") {
		t.Errorf("%v %q, %v", j, reason, err)
	}
}

func TestAWitnessIsNotDeceivedByForgedProofs(t *testing.T) {
	s, _ := signedLog(t)
	witness := open(t, Options{})
	present(t, s, witness)
	fillAudit(t, s, 23)
	honest, _, err := s.Checkpoint(t.Context(), owner)
	check(t, err)
	content, err := protocol.OpenCheckpoint(honest.Note, owner.NodeID())
	check(t, err)
	proof, err := s.AuditConsistency(t.Context(), 40, 63)
	check(t, err)
	stranger, _ := signedLog(t)
	fillAudit(t, stranger, 23)
	foreign, err := stranger.AuditConsistency(t.Context(), 40, 63)
	check(t, err)
	shorter, err := s.AuditConsistency(t.Context(), 39, 63)
	check(t, err)
	altered := slices.Clone(proof)
	altered[len(altered)-1][0] ^= 1
	for name, p := range map[string]audit.Presented{
		"none":                    {Old: 40},
		"cut":                     {Old: 40, Proof: proof[:len(proof)-1]},
		"lengthened":              {Old: 40, Proof: append(slices.Clone(proof), proof[0])},
		"altered":                 {Old: 40, Proof: altered},
		"of another log":          {Old: 40, Proof: foreign},
		"from another size":       {Old: 40, Proof: shorter},
		"for the wrong size":      {Old: 39, Proof: shorter},
		"as if nothing was known": {Old: 0},
	} {
		p.Log, p.Note, p.Checkpoint = owner.NodeID(), honest.Note, content
		want := audit.Conflicting
		if p.Old != 40 {
			want = audit.Stale
		}
		j, _, known, err := witness.Witness(t.Context(), p)
		if err != nil || j != want || known != 40 {
			t.Errorf("%s: %v, %d entries known, %v", name, j, known, err)
		}
	}
	if j, reason := present(t, s, witness); j != audit.Consistent {
		t.Errorf("and then the honest one: %v %q", j, reason)
	}
	again, err := witness.Witnessed(t.Context())
	if err != nil || len(again) != 1 || again[0].Entries != 63 {
		t.Errorf("%+v, %v", again, err)
	}
	sound(t, witness)
}

func TestEvidenceOfOneNodeIsBounded(t *testing.T) {
	witness := open(t, Options{})
	for n := range maxConflicts + 20 {
		c := protocol.Checkpoint{Size: 5, Root: [32]byte{byte(n)}}
		note, err := protocol.SignCheckpoint(c, owner)
		check(t, err)
		j, _, _, err := witness.Witness(t.Context(), audit.Presented{Log: owner.NodeID(), Note: note, Checkpoint: c})
		if err != nil || (j == audit.Conflicting) != (n > 0) {
			t.Errorf("%d: %v, %v", n, j, err)
		}
	}
	conflicts, err := witness.Conflicts(t.Context())
	check(t, err)
	if len(conflicts) != maxConflicts || auditCount(t, witness) != maxConflicts {
		t.Errorf("%d kept, %d recorded", len(conflicts), auditCount(t, witness))
	}
}
