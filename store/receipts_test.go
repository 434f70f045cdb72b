package store

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caro-mesh/caro-node/policy/audit"
	"github.com/caro-mesh/caro-node/protocol"
)

func responseSent(peer byte, details map[string]string) audit.Event {
	return audit.Event{Type: protocol.AuditResponseSent, Peer: nodeID(peer), Details: details, Success: true}
}

func numbers(list []audit.Receipt) []uint64 {
	var n []uint64
	for _, r := range list {
		n = append(n, r.Record.Sequence)
	}
	return n
}

func TestAReceiptIsStoredWithTheRecordOfItsAnswer(t *testing.T) {
	s := open(t, Options{Now: fixedClock(noon)})
	fillAudit(t, s, 3)
	rec, err := s.SaveReceipt(t.Context(), "q", []byte("query"), []byte("response"), responseSent(1, map[string]string{"rule": "node", audit.DetailResponse: "forged"}))
	check(t, err)
	if rec.Sequence != 4 || rec.Details["rule"] != "node" || rec.Details[audit.DetailResponse] != protocol.DigestOfResponse([]byte("response")).String() {
		t.Errorf("recorded %+v", rec)
	}
	r, err := s.Receipt(t.Context(), 4)
	check(t, err)
	if fmt.Sprint(r.Record) != fmt.Sprint(rec) || string(r.Query) != "query" || string(r.Response) != "response" || r.Countersignature != nil || !r.CountersignedAt.IsZero() {
		t.Errorf("stored %+v", r)
	}
	sound(t, s)
}

func TestAReceiptIsCountersignedOnce(t *testing.T) {
	s := open(t, Options{Now: fixedClock(noon)})
	rec, err := s.SaveReceipt(t.Context(), "q", []byte("query"), []byte("response"), responseSent(1, nil))
	check(t, err)
	check(t, s.Countersign(t.Context(), rec.Sequence, []byte("receipt")))
	wantErr(t, s.Countersign(t.Context(), rec.Sequence, []byte("another")), ErrNotFound)
	wantErr(t, s.Countersign(t.Context(), rec.Sequence+1, []byte("receipt")), ErrNotFound)
	r, err := s.ReceiptOfQuery(t.Context(), "q")
	check(t, err)
	if string(r.Countersignature) != "receipt" || !r.CountersignedAt.Equal(noon) {
		t.Errorf("stored %+v", r)
	}
	sound(t, s)
}

func TestReceiptsAreChosenByFilterAndPageBackwards(t *testing.T) {
	now := noon
	s := open(t, Options{Now: func() time.Time { return now }})
	for i := range 6 { // receipts 1, 3, 5, …, an hour apart; peers 0, 1, 2, 0, …
		_, err := s.SaveReceipt(t.Context(), fmt.Sprint("q", i%2), []byte{1}, []byte{byte(i)}, responseSent(byte(i%3+1), nil))
		check(t, err)
		_, err = s.AuditLog().Append(t.Context(), audit.Event{Type: protocol.AuditPeerConnected})
		check(t, err)
		now = now.Add(time.Hour)
	}
	for _, c := range []struct {
		name   string
		filter ReceiptFilter
		want   []uint64
	}{
		{"all", ReceiptFilter{}, []uint64{11, 9, 7, 5, 3, 1}},
		{"a page", ReceiptFilter{Limit: 2}, []uint64{11, 9}},
		{"the next page", ReceiptFilter{Limit: 2, Before: 9}, []uint64{7, 5}},
		{"a node", ReceiptFilter{Peer: nodeID(2)}, []uint64{9, 3}},
		{"since", ReceiptFilter{Since: noon.Add(4 * time.Hour)}, []uint64{11, 9}},
		{"a node since", ReceiptFilter{Peer: nodeID(1), Since: noon.Add(time.Hour)}, []uint64{7}},
		{"a query", ReceiptFilter{QueryID: "q1"}, []uint64{11, 7, 3}},
		{"an unknown node", ReceiptFilter{Peer: nodeID(9)}, nil},
	} {
		got, err := s.Receipts(t.Context(), c.filter)
		check(t, err)
		if !slices.Equal(numbers(got), c.want) {
			t.Errorf("%s: %v, want %v", c.name, numbers(got), c.want)
		}
	}
	if r, err := s.ReceiptOfQuery(t.Context(), "q0"); err != nil || r.Record.Sequence != 9 {
		t.Errorf("the latest of a query is %d, %v", r.Record.Sequence, err)
	}
	for _, n := range []uint64{0, 2, 99, 1 << 63} {
		_, err := s.Receipt(t.Context(), n)
		wantErr(t, err, ErrNotFound)
	}
	_, err := s.ReceiptOfQuery(t.Context(), "")
	wantErr(t, err, ErrNotFound)
}

func TestTheDatabaseItselfRefusesToChangeReceipts(t *testing.T) {
	s := open(t, Options{})
	for range 2 {
		_, err := s.SaveReceipt(t.Context(), "q", []byte("query"), []byte("response"), responseSent(1, nil))
		check(t, err)
	}
	check(t, s.Countersign(t.Context(), 1, []byte("receipt")))
	other := raw(t, s.Path())
	for _, q := range []string{
		`UPDATE receipt SET response = x'00'`,
		`UPDATE receipt SET query = x'00' WHERE sequence = 2`,
		`UPDATE receipt SET response = x'00', countersignature = x'01', countersigned_at = 1 WHERE sequence = 2`,
		`UPDATE receipt SET countersignature = x'01', countersigned_at = 1 WHERE sequence = 1`,
		`UPDATE receipt SET countersignature = NULL WHERE sequence = 1`,
		`UPDATE receipt SET countersignature = x'01' WHERE sequence = 2`,
		`UPDATE receipt SET query_id = 'other' WHERE sequence = 2`,
		`DELETE FROM receipt`,
		`DELETE FROM receipt WHERE sequence = 2`,
	} {
		if _, err := other.ExecContext(t.Context(), q); err == nil || !strings.Contains(err.Error(), "receipts are") {
			t.Errorf("%s: %v", q, err)
		}
	}
	r, err := s.Receipt(t.Context(), 2)
	check(t, err)
	if !bytes.Equal(r.Response, []byte("response")) || r.Countersignature != nil {
		t.Errorf("stored %+v", r)
	}
	sound(t, s)
}

func TestReceiptsGoWithTheirAuditRecords(t *testing.T) {
	s := open(t, Options{})
	for range 3 {
		_, err := s.SaveReceipt(t.Context(), "q", []byte("query"), []byte("response"), responseSent(1, nil))
		check(t, err)
	}
	other := raw(t, s.Path())
	for _, q := range []string{`DROP TRIGGER audit_no_delete`, `DELETE FROM audit WHERE sequence <= 2`} { // as retention will
		_, err := other.ExecContext(t.Context(), q)
		check(t, err)
	}
	got, err := s.Receipts(t.Context(), ReceiptFilter{})
	check(t, err)
	if !slices.Equal(numbers(got), []uint64{3}) {
		t.Errorf("left are %v", numbers(got))
	}
	if problems, err := s.Check(t.Context()); err != nil || len(problems) != 0 {
		t.Errorf("%q, %v", problems, err)
	}
}
