package store

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/caro-mesh/caro-node/policy/audit"
	"github.com/caro-mesh/caro-node/protocol"
)

func fillAudit(t *testing.T, s *Store, n int) []audit.Record {
	t.Helper()
	types := []protocol.AuditEventType{protocol.AuditPeerConnected, protocol.AuditQueryReceived, protocol.AuditPolicyViolation}
	var list []audit.Record
	for i := range n {
		e := audit.Event{Type: types[i%3], Details: map[string]string{"n": fmt.Sprint(i), "reason": "<because> \u2028 \x00 ä"}, Success: i%2 == 0}
		if i%4 > 0 {
			e.Peer = nodeID(byte(i % 4))
		}
		r, err := s.AuditLog().Append(t.Context(), e)
		check(t, err)
		list = append(list, r)
	}
	return list
}

func sequences(list []audit.Record) []uint64 {
	var n []uint64
	for _, r := range list {
		n = append(n, r.Sequence)
	}
	return n
}

func TestAuditRecordsComeBackAsTheyWereAppendedAndVerify(t *testing.T) {
	s := open(t, Options{Now: fixedClock(noon)})
	v, err := s.VerifyAudit(t.Context())
	if err != nil || !v.OK || v.Entries != 0 {
		t.Errorf("empty log: %+v, %v", v, err)
	}
	want := fillAudit(t, s, 20)
	got, err := s.AuditRecords(t.Context(), AuditFilter{})
	check(t, err)
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got\n%v, want\n%v", got, want)
	}
	if got[7].Timestamp.Time() != noon {
		t.Errorf("time %s", got[7].Timestamp)
	}
	v, err = s.VerifyAudit(t.Context(), audit.Head{Entries: 10, Hash: want[9].Hash})
	if err != nil || !v.OK || v.Entries != 20 || v.Head != want[19].Hash {
		t.Errorf("%+v, %v", v, err)
	}
	v, err = s.VerifyAudit(t.Context(), audit.Head{Entries: 10, Hash: want[8].Hash})
	if err != nil || v.OK {
		t.Errorf("a head that was remembered elsewhere and is not in the log: %+v, %v", v, err)
	}
}

func TestAuditRecordsAreChosenByFilter(t *testing.T) {
	s := open(t, Options{})
	fillAudit(t, s, 24)
	for _, c := range []struct {
		name   string
		filter AuditFilter
		want   []uint64
	}{
		{"a page", AuditFilter{Limit: 3}, []uint64{1, 2, 3}},
		{"the next page", AuditFilter{After: 3, Limit: 3}, []uint64{4, 5, 6}},
		{"newest first", AuditFilter{NewestFirst: true, Limit: 3}, []uint64{24, 23, 22}},
		{"on from there", AuditFilter{NewestFirst: true, Before: 22, Limit: 3}, []uint64{21, 20, 19}},
		{"a type", AuditFilter{Types: []protocol.AuditEventType{protocol.AuditQueryReceived}, Limit: 3}, []uint64{2, 5, 8}},
		{"two types", AuditFilter{Types: []protocol.AuditEventType{protocol.AuditQueryReceived, protocol.AuditPolicyViolation}, Limit: 4}, []uint64{2, 3, 5, 6}},
		{"a peer", AuditFilter{Peer: nodeID(2), After: 3, Limit: 2}, []uint64{7, 11}},
		{"a peer and a type", AuditFilter{Peer: nodeID(1), Types: []protocol.AuditEventType{protocol.AuditPeerConnected}, NewestFirst: true}, []uint64{22, 10}},
		{"an unknown peer", AuditFilter{Peer: nodeID(9)}, nil},
		{"after the end", AuditFilter{After: 1 << 63}, nil},
	} {
		got, err := s.AuditRecords(t.Context(), c.filter)
		check(t, err)
		if !slices.Equal(sequences(got), c.want) {
			t.Errorf("%s: %v, want %v", c.name, sequences(got), c.want)
		}
	}
}

func TestTheDatabaseItselfRefusesToChangeAuditRecords(t *testing.T) {
	s := open(t, Options{})
	fillAudit(t, s, 3)
	other := raw(t, s.Path())
	for _, q := range []string{
		`UPDATE audit SET success = 1`,
		`UPDATE audit SET hash = x'00' WHERE sequence = 3`,
		`DELETE FROM audit`,
		`DELETE FROM audit WHERE sequence = 3`,
		`INSERT OR REPLACE INTO audit SELECT 2, id, timestamp, event_type, peer, details, 1, prev_hash, hash FROM audit WHERE sequence = 2`,
		`REPLACE INTO audit SELECT * FROM audit WHERE sequence = 3`,
		`INSERT INTO audit SELECT 9, id, timestamp, event_type, peer, details, 1, prev_hash, hash FROM audit WHERE sequence = 2`,
		`UPDATE OR REPLACE audit SET sequence = 2 WHERE sequence = 3`,
	} {
		if _, err := other.ExecContext(t.Context(), q); err == nil || !strings.Contains(err.Error(), "audit records are") {
			t.Errorf("%s: %v", q, err)
		}
	}
	sound(t, s)
	if n := auditCount(t, s); n != 3 {
		t.Errorf("%d records", n)
	}
}

func TestVerificationFindsWhatWasDoneBehindTheTriggers(t *testing.T) {
	for name, c := range map[string]struct {
		query string
		bad   uint64
	}{
		"content":       {`UPDATE audit SET details = '{}' WHERE sequence = 4`, 4},
		"not JSON":      {`UPDATE audit SET details = 'x' WHERE sequence = 4`, 4},
		"hash":          {`UPDATE audit SET hash = zeroblob(32) WHERE sequence = 4`, 4},
		"short hash":    {`UPDATE audit SET prev_hash = x'00' WHERE sequence = 4`, 4},
		"success":       {`UPDATE audit SET success = 1 - success WHERE sequence = 1`, 1},
		"first removed": {`DELETE FROM audit WHERE sequence = 1`, 1},
		"one removed":   {`DELETE FROM audit WHERE sequence = 5`, 5},
		"end cut off":   {`DELETE FROM audit WHERE sequence > 8`, 9},
		"all removed":   {`DELETE FROM audit`, 1},
		"swapped":       {`UPDATE audit SET peer = (SELECT peer FROM audit a WHERE a.sequence = 14 - audit.sequence) WHERE sequence IN (6, 8)`, 6},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, Options{})
			fillAudit(t, s, 10)
			other := raw(t, s.Path())
			for _, q := range []string{`DROP TRIGGER audit_no_update`, `DROP TRIGGER audit_no_delete`, c.query} {
				_, err := other.ExecContext(t.Context(), q)
				check(t, err)
			}
			v, err := s.VerifyAudit(t.Context())
			if err != nil || v.OK || v.FirstBad != c.bad || v.Reason == "" {
				t.Errorf("%+v, %v", v, err)
			}
		})
	}
}

func TestAnyDetailsKeepTheChainIntact(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(t.Context(), filepath.Join(dir, "caro.db"), Options{})
	check(t, err)
	defer func() { check(t, s.Close()) }()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) }))
		r, err := s.AuditLog().Append(context.Background(), audit.Event{Type: protocol.AuditKeyRotated, Details: rapid.MapOf(text, text).Draw(t, "details")})
		noErr(t, err)
		list, err := s.AuditRecords(context.Background(), AuditFilter{After: r.Sequence - 1})
		noErr(t, err)
		if len(list) != 1 || fmt.Sprint(list[0]) != fmt.Sprint(r) {
			t.Fatalf("%v came back as %v", r, list)
		}
	})
	sound(t, s)
}

func TestAnEventOfAnUnknownTypeIsNotRecorded(t *testing.T) {
	s := open(t, Options{})
	if _, err := s.AuditLog().Append(t.Context(), audit.Event{Type: "gossip"}); err == nil {
		t.Error("accepted")
	}
	if n := auditCount(t, s); n != 0 {
		t.Errorf("%d records", n)
	}
}

func TestSequenceNumbersAreNeverRepeated(t *testing.T) {
	now := noon
	path := filepath.Join(t.TempDir(), "caro.db")
	next := uint64(0)
	for round := range 6 {
		s := openAt(t, path, Options{Now: func() time.Time { return now }})
		for _, n := range []uint64{1, 100, 7} {
			first, err := s.ReserveSequence(t.Context(), n)
			check(t, err)
			if first < next {
				t.Errorf("round %d: %d after numbers up to %d", round, first, next-1)
			}
			next = first + n
		}
		check(t, s.Close())
		now = now.Add(time.Duration(round-3) * time.Hour) // the clock goes back, and on again
	}
	// A database that was lost or replaced by an older one does not lead back, because time does not.
	now = noon.Add(time.Minute)
	s := open(t, Options{Now: func() time.Time { return now }})
	first, err := s.ReserveSequence(t.Context(), 1)
	check(t, err)
	if first < next {
		t.Errorf("%d after numbers up to %d were used with another database", first, next-1)
	}
	for _, n := range []uint64{0, 1 << 40} {
		if _, err := s.ReserveSequence(t.Context(), n); err == nil {
			t.Errorf("%d at once", n)
		}
	}
}
