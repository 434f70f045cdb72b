package store

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caro-mesh/caro-node/policy/audit"
	"github.com/caro-mesh/caro-node/protocol"
)

// answeredLog is a log whose entries 3, 6 and 9 are answers with receipts.
func answeredLog(t *testing.T) *Store {
	t.Helper()
	s := open(t, Options{Now: fixedClock(noon)})
	for i := range 3 {
		fillAudit(t, s, 2)
		_, err := s.SaveReceipt(t.Context(), fmt.Sprint("query ", i), []byte(fmt.Sprint("asked ", i)), []byte(fmt.Sprint("answered ", i)),
			responseSent(1, map[string]string{"query_id": fmt.Sprint("query ", i)}))
		check(t, err)
	}
	check(t, s.Countersign(t.Context(), 3, []byte("signed")))
	return s
}

func TestEveryTamperingWithReceiptsIsFoundByTheVerificationOfTheLog(t *testing.T) {
	for _, c := range []tampering{
		{"the bytes of an answer altered", func(f *forger) { f.exec(`UPDATE receipt SET response = x'00' WHERE sequence = 6`) },
			6, "the answer in entry 6 does not hold the bytes that left"},
		{"the query altered", func(f *forger) { f.exec(`UPDATE receipt SET query = x'00' WHERE sequence = 6`) },
			6, "the answer in entry 6 does not hold the query that was answered"},
		{"filed under another query", func(f *forger) { f.exec(`UPDATE receipt SET query_id = 'query 9' WHERE sequence = 6`) },
			6, "the answer in entry 6 is filed under another query"},
		{"removed", func(f *forger) { f.exec(`DELETE FROM receipt WHERE sequence = 6`) }, 6, "the receipt of the answer in entry 6 is missing"},
		{"the last removed", func(f *forger) { f.exec(`DELETE FROM receipt WHERE sequence = 9`) }, 9, "the receipt of the answer in entry 9 is missing"},
		{"all removed", func(f *forger) { f.exec(`DELETE FROM receipt`) }, 3, "the receipt of the answer in entry 3 is missing"},
		{"moved to another record", func(f *forger) { f.exec(`UPDATE receipt SET sequence = 5 WHERE sequence = 6`) },
			5, "there is a receipt number 5, but no such answer"},
		{"two exchanged", func(f *forger) {
			f.exec(`UPDATE receipt SET (query_id, query, response) = (SELECT query_id, query, response FROM receipt r WHERE r.sequence = 15 - receipt.sequence)
				WHERE sequence IN (6, 9)`)
		}, 6, "the answer in entry 6 does not hold the bytes that left"},
		{"added", func(f *forger) {
			f.exec(`INSERT INTO receipt SELECT 2, query_id, query, response, countersignature, countersigned_at FROM receipt WHERE sequence = 3`)
		}, 2, "there is a receipt number 2, but no such answer"},
		{"added behind the log", func(f *forger) {
			f.exec(`PRAGMA foreign_keys = OFF`)
			f.exec(`INSERT INTO receipt SELECT 20, query_id, query, response, countersignature, countersigned_at FROM receipt WHERE sequence = 3`)
		}, 20, "there is a receipt number 20, but no such answer"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := answeredLog(t)
			sound(t, s)
			forge(t, s, c.change)
			v, err := s.VerifyAudit(t.Context())
			if err != nil || v.OK || v.FirstBad != c.bad || !strings.Contains(v.Reason, c.reason) {
				t.Errorf("%+v, %v; want entry %d, %q", v, err, c.bad, c.reason)
			}
		})
	}
}

// A receipt that a repair could not save is no tampering, but no more of them are missing than the repair has said.
func TestReceiptsThatARepairHasLostAreNoTampering(t *testing.T) {
	for _, c := range []struct {
		lost    string
		missing int
		bad     uint64
	}{{"1", 1, 0}, {"1", 2, 6}, {"2", 2, 0}, {"at least 1", 3, 0}, {"", 1, 3}} {
		s := answeredLog(t)
		forge(t, s, func(f *forger) { f.exec(`DELETE FROM receipt WHERE sequence <= ?`, 3*c.missing) })
		_, err := s.AuditLog().Append(t.Context(), audit.Event{Type: protocol.AuditPolicyViolation,
			Details: map[string]string{"action": "database_repaired", "lost_receipts_of_answers": c.lost}})
		check(t, err)
		if v, err := s.VerifyAudit(t.Context()); err != nil || v.FirstBad != c.bad {
			t.Errorf("%q lost, %d missing: %+v, %v", c.lost, c.missing, v, err)
		}
	}
	s := answeredLog(t)
	_, err := s.AuditLog().Append(t.Context(), audit.Event{Type: protocol.AuditPolicyViolation,
		Details: map[string]string{"action": "database_repaired", "lost_receipts_of_answers": "5"}})
	check(t, err)
	_, err = s.SaveReceipt(t.Context(), "later", []byte("asked"), []byte("answered"), responseSent(1, nil))
	check(t, err)
	forge(t, s, func(f *forger) { f.exec(`DELETE FROM receipt WHERE sequence = 11`) })
	if v, err := s.VerifyAudit(t.Context()); err != nil || v.FirstBad != 11 {
		t.Errorf("removed after the repair: %+v, %v", v, err)
	}
}

// Receipts go with the records that retention removes, and with no others.
func TestRetentionRemovesReceiptsWithTheirRecordsAndTheRestVerifies(t *testing.T) {
	s := answeredLog(t)
	removed, err := s.PruneAudit(t.Context(), noon.AddDate(1, 0, 0), owner)
	check(t, err)
	if removed != 8 {
		t.Errorf("%d records went", removed)
	}
	list, err := s.Receipts(t.Context(), ReceiptFilter{})
	check(t, err)
	if fmt.Sprint(numbers(list)) != "[9]" || !bytes.Equal(list[0].Response, []byte("answered 2")) {
		t.Errorf("left are %v", numbers(list))
	}
	v, _, err := s.VerifyLog(t.Context(), audit.Remembered{Key: owner.NodeID()})
	if err != nil || !v.OK || v.Pruned != 8 {
		t.Errorf("%+v, %v", v, err)
	}
	if problems, err := s.Check(t.Context()); err != nil || len(problems) != 0 {
		t.Errorf("%q, %v", problems, err)
	}
}

// What the database remembered of the length of its log counts when its end cannot be read any more.
func TestARepairTellsHowLongTheLogWasWhoseEndIsLost(t *testing.T) {
	s := answeredLog(t)
	path := filepath.Join(t.TempDir(), "caro.db")
	forge(t, s, func(f *forger) {
		f.exec(`DELETE FROM audit WHERE sequence > 7`)
		f.exec(`DELETE FROM audit_tree WHERE sequence > 7`)
	})
	copyDatabase(t, s, path)
	if _, err := Rebuild(t.Context(), path, "a test", fixedClock(noon)); err != nil {
		t.Fatal(err)
	}
	back := openAt(t, path, Options{Now: fixedClock(noon)})
	list, err := back.AuditRecords(t.Context(), AuditFilter{Types: []protocol.AuditEventType{protocol.AuditPolicyViolation}, NewestFirst: true, Limit: 1})
	check(t, err)
	if len(list) != 1 || list[0].Details["audit_had"] != "9" || list[0].Details["audit_saved_up_to"] != "7" {
		t.Errorf("recorded %+v", list)
	}
	if v, err := back.VerifyAudit(t.Context()); err != nil || !v.OK {
		t.Errorf("%+v, %v", v, err)
	}
}

// A receipt that bit rot has changed proves nothing any more: a repair leaves it out and says so, and what is left verifies.
func TestARepairLeavesOutReceiptsThatAreNotWhatLeft(t *testing.T) {
	s := answeredLog(t)
	path := filepath.Join(t.TempDir(), "caro.db")
	forge(t, s, func(f *forger) { f.exec(`UPDATE receipt SET response = x'00' WHERE sequence = 6`) })
	copyDatabase(t, s, path)
	r, err := Rebuild(t.Context(), path, "a test", fixedClock(noon))
	check(t, err)
	if p := r.part(called["receipt"]); p.Saved != 2 || p.Lost != 1 {
		t.Errorf("reported %+v", p)
	}
	back := openAt(t, path, Options{Now: fixedClock(noon)})
	list, err := back.Receipts(t.Context(), ReceiptFilter{})
	check(t, err)
	if fmt.Sprint(numbers(list)) != "[9 3]" {
		t.Errorf("saved %v", numbers(list))
	}
	if v, err := back.VerifyAudit(t.Context()); err != nil || !v.OK {
		t.Errorf("%+v, %v", v, err)
	}
}
