package store

import (
	"io/fs"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/pressly/goose/v3"

	"github.com/caro-mesh/caro-node/observer/event"
	"github.com/caro-mesh/caro-node/protocol"
)

// correction signs one of the day of noon in the place of another.
func correction(t *testing.T, k key, replaces string, commands uint64) (*protocol.NodeSummary, []byte) {
	t.Helper()
	s, _ := summary(t, k, noon, protocol.Daily, commands)
	s.Replaces = replaces
	wire, err := protocol.SignSummary(s, k, noon)
	check(t, err)
	return s, wire
}

func TestACorrectionTakesThePlaceOfTheCurrentSummaryAndOfNoOther(t *testing.T) {
	s := open(t, Options{Now: fixedClock(noon)})
	me := newKey(1)
	first, wire := summary(t, me, noon, protocol.Daily, 5)
	early, earlyWire := correction(t, me, first.ID, 6)
	wantErr(t, s.SaveSummary(t.Context(), early, earlyWire, generated), ErrSummaryExists) // there is nothing to replace
	check(t, s.SaveSummary(t.Context(), first, wire, generated))
	second, secondWire := correction(t, newKey(2), first.ID, 6) // by the key that the node has now
	check(t, s.SaveSummary(t.Context(), second, secondWire, generated))
	for _, replaces := range []string{"", first.ID, uuid.NewString()} {
		other, otherWire := correction(t, me, replaces, 7)
		wantErr(t, s.SaveSummary(t.Context(), other, otherWire, generated), ErrSummaryExists)
	}
	third, thirdWire := correction(t, me, second.ID, 5)
	check(t, s.SaveSummary(t.Context(), third, thirdWire, generated))

	got, err := s.SummaryForPeriod(t.Context(), first.Period)
	if err != nil || got.Summary.ID != third.ID || got.ReplacedBy != "" {
		t.Errorf("current is %+v, %v", got, err)
	}
	if before, err := s.Replaced(t.Context(), third.ID); err != nil || !slices.Equal(ids(before), []string{first.ID, second.ID}) || before[0].ReplacedBy != second.ID {
		t.Errorf("before it: %v, %v", ids(before), err)
	}
	for _, c := range []struct {
		filter SummaryFilter
		want   int
	}{{SummaryFilter{}, 1}, {SummaryFilter{Replaced: true}, 3}} {
		if list, _, err := s.Summaries(t.Context(), c.filter); err != nil || len(list) != c.want {
			t.Errorf("%+v: %d summaries, want %d, %v", c.filter, len(list), c.want, err)
		}
	}
	if periods, err := s.OwnPeriods(t.Context(), time.Time{}); err != nil || len(periods) != 1 || periods[first.Period] != third.ID {
		t.Errorf("periods %v, %v", periods, err)
	}
	if n := auditCount(t, s); n != 3 {
		t.Errorf("%d audit records for three stored summaries", n)
	}
	sound(t, s)
}

func TestAReceivedCorrectionIsTakenOnlyInItsPlace(t *testing.T) {
	s := open(t, Options{Now: fixedClock(noon)})
	bob, before := newKey(7), newKey(6)
	save := func(sum *protocol.NodeSummary, wire []byte) error {
		_, err := s.SaveReceivedSummary(t.Context(), Arrival{Summary: sum, Wire: wire, Keys: []protocol.NodeID{bob.NodeID(), before.NodeID()}}, shared)
		return err
	}
	first, firstWire := summary(t, before, noon, protocol.Daily, 5)
	second, secondWire := correction(t, bob, first.ID, 6) // after the node changed its key
	third, thirdWire := correction(t, bob, second.ID, 7)
	check(t, save(first, firstWire))
	wantErr(t, save(third, thirdWire), ErrOutOfOrder)
	check(t, save(second, secondWire))
	check(t, save(first, firstWire)) // again, because the answer was lost
	fork, forkWire := correction(t, bob, first.ID, 8)
	wantErr(t, save(fork, forkWire), ErrConflictingSummary)
	anew, anewWire := summary(t, bob, noon, protocol.Daily, 9)
	wantErr(t, save(anew, anewWire), ErrConflictingSummary)
	hour, hourWire := summary(t, bob, noon, protocol.Hourly, 1)
	check(t, save(hour, hourWire))
	astray, astrayWire := correction(t, bob, hour.ID, 3)
	wantErr(t, save(astray, astrayWire), ErrConflictingSummary)
	check(t, save(third, thirdWire))
	list, err := s.ReceivedSummaries(t.Context(), noon.AddDate(0, 0, -1), noon.AddDate(0, 0, 1))
	if err != nil || len(list) != 2 || list[0].ID != third.ID || list[1].ID != hour.ID {
		t.Errorf("received %+v, %v", list, err)
	}

	// Where nothing is known of a period, its latest summary is taken as it is. What another node sent is not replaced.
	carol := newKey(8)
	alone, aloneWire := correction(t, carol, uuid.NewString(), 3)
	_, err = s.SaveReceivedSummary(t.Context(), Arrival{Summary: alone, Wire: aloneWire}, shared)
	check(t, err)
	stolen, stolenWire := correction(t, newKey(9), third.ID, 3)
	_, err = s.SaveReceivedSummary(t.Context(), Arrival{Summary: stolen, Wire: stolenWire}, shared)
	wantErr(t, err, ErrConflictingSummary)
	sound(t, s)
}

func TestOneNodesSummariesTakeABoundedPlaceUnderAllItsKeys(t *testing.T) {
	s := open(t, Options{Now: fixedClock(noon)})
	bob, before := newKey(7), newKey(6)
	first, wire := summary(t, before, noon, protocol.Daily, 5)
	limit := int64(2*len(wire) + 100)
	save := func(k key, at time.Time) error {
		sum, wire := summary(t, k, at, protocol.Daily, 5)
		_, err := s.SaveReceivedSummary(t.Context(), Arrival{Summary: sum, Wire: wire, Keys: []protocol.NodeID{before.NodeID(), bob.NodeID()}, MaxBytes: limit}, shared)
		return err
	}
	check(t, save(before, noon))
	check(t, save(bob, noon.AddDate(0, 0, 1)))
	records := auditCount(t, s)
	wantErr(t, save(bob, noon.AddDate(0, 0, 2)), ErrTooMuch)
	if n := auditCount(t, s); n != records {
		t.Error("what was not stored is on record as stored")
	}
	other, otherWire := summary(t, newKey(8), noon, protocol.Daily, 5)
	_, err := s.SaveReceivedSummary(t.Context(), Arrival{Summary: other, Wire: otherWire, MaxBytes: limit}, shared)
	check(t, err)
	_, err = s.ExpireSummaries(t.Context(), false, first.Period.End.Time().Add(1))
	check(t, err)
	check(t, save(bob, noon.AddDate(0, 0, 2)))
}

func TestWhoHasASummaryGetsItsCorrectionsHoweverOldAndInOrder(t *testing.T) {
	s := open(t, Options{Now: fixedClock(noon)})
	me, bob, eve := newKey(1), nodeID(2), nodeID(3)
	first, wire := summary(t, me, noon, protocol.Daily, 5)
	second, secondWire := correction(t, me, first.ID, 6)
	third, thirdWire := correction(t, me, second.ID, 7)
	check(t, s.SaveSummary(t.Context(), first, wire, generated))
	check(t, s.MarkPushed(t.Context(), first.ID, bob, shared))
	check(t, s.SaveSummary(t.Context(), second, secondWire, generated))
	check(t, s.SaveSummary(t.Context(), third, thirdWire, generated))
	for _, c := range []struct {
		peer  protocol.NodeID
		since time.Time
		want  []string
	}{
		{bob, noon.AddDate(1, 0, 0), []string{second.ID, third.ID}},
		{bob, time.Time{}, []string{second.ID, third.ID}},
		{eve, time.Time{}, []string{third.ID}},
		{eve, noon.AddDate(1, 0, 0), nil},
	} {
		if list, err := s.UnpushedSummaries(t.Context(), c.peer, c.since); err != nil || !slices.Equal(ids(list), c.want) {
			t.Errorf("for %s since %s: %v, want %v, %v", c.peer.Fingerprint(), c.since, ids(list), c.want, err)
		}
	}
	// Who was sent one may have it, although no answer came.
	carol := nodeID(4)
	for range 2 {
		check(t, s.MarkSent(t.Context(), first.ID, carol))
	}
	wantErr(t, s.MarkSent(t.Context(), uuid.NewString(), carol), ErrNotFound)
	if list, err := s.UnpushedSummaries(t.Context(), carol, noon.AddDate(1, 0, 0)); err != nil || !slices.Equal(ids(list), []string{second.ID, third.ID}) {
		t.Errorf("who may have the first is offered %v, %v", ids(list), err)
	}
	if who, err := s.PushedTo(t.Context(), []string{first.ID}); err != nil || !slices.Equal(who[first.ID], []protocol.NodeID{bob}) {
		t.Errorf("acknowledged by %v, %v", who, err)
	}
	check(t, s.MarkSent(t.Context(), third.ID, eve))
	if list, err := s.UnpushedSummaries(t.Context(), eve, time.Time{}); err != nil || !slices.Equal(ids(list), []string{third.ID}) {
		t.Errorf("what was sent without an answer is offered again: %v, %v", ids(list), err)
	}
	check(t, s.MarkPushed(t.Context(), third.ID, eve, shared))
	check(t, s.MarkSent(t.Context(), third.ID, eve)) // changes nothing
	if list, err := s.UnpushedSummaries(t.Context(), eve, time.Time{}); err != nil || len(list) != 0 {
		t.Errorf("who has the last one is offered %v, %v", ids(list), err)
	}
}

func TestEndedHoursThatChangeAreNotedUntilTheyAreSettled(t *testing.T) {
	now := noon.Add(30 * time.Minute)
	s := open(t, Options{Now: func() time.Time { return now }})
	late := plainEvent(noon.Add(-time.Hour), "ls")
	check(t, s.Append(t.Context(), []event.Event{plainEvent(noon.Add(time.Minute), "ls"), late, plainEvent(noon.Add(-time.Hour), "ls"),
		plainEvent(noon.AddDate(-2, 0, 0), "ls")}))
	changed, err := s.ChangedHours(t.Context())
	want := ChangedHour{Hour: noon.Add(-time.Hour), Changes: 1, First: now, Last: now}
	if err != nil || len(changed) != 1 || changed[0] != want {
		t.Fatalf("changed %+v, want %+v alone, %v", changed, want, err)
	}
	now = now.Add(time.Minute)
	check(t, s.Append(t.Context(), []event.Event{late})) // is there already
	if again, err := s.ChangedHours(t.Context()); err != nil || !slices.Equal(again, changed) {
		t.Errorf("an event that is skipped changes nothing, but %+v, %v", again, err)
	}
	_, err = s.DeleteEvents(t.Context(), []string{late.ID})
	check(t, err)
	check(t, s.SettleHours(t.Context(), changed)) // of before the deletion
	want.Changes, want.Last = 2, now
	if changed, err = s.ChangedHours(t.Context()); err != nil || len(changed) != 1 || changed[0] != want {
		t.Errorf("changed %+v, want %+v alone, %v", changed, want, err)
	}
	check(t, s.SettleHours(t.Context(), changed))
	if changed, err = s.ChangedHours(t.Context()); err != nil || len(changed) != 0 {
		t.Errorf("still changed: %+v, %v", changed, err)
	}
	sound(t, s)
}

func TestRetentionCorrectsNothingAndSaysFromWhenOnCountsAreWhole(t *testing.T) {
	s := open(t, Options{Now: fixedClock(noon)})
	check(t, s.Append(t.Context(), []event.Event{plainEvent(noon.AddDate(0, 0, -9), "ls"), plainEvent(noon.Add(-time.Hour), "ls")}))
	changed, err := s.ChangedHours(t.Context())
	check(t, err)
	check(t, s.SettleHours(t.Context(), changed))
	before := noon.AddDate(0, 0, -7).Add(time.Minute)
	if n, err := s.ExpireEvents(t.Context(), before); err != nil || n != 1 {
		t.Errorf("removed %d, %v", n, err)
	}
	if changed, err := s.ChangedHours(t.Context()); err != nil || len(changed) != 0 {
		t.Errorf("changed %+v, %v", changed, err)
	}
	if since, err := s.CountsSince(t.Context()); err != nil || !since.Equal(noon.AddDate(0, 0, -7).Add(time.Hour)) {
		t.Errorf("whole since %s, %v", since, err)
	}
	check(t, s.Append(t.Context(), []event.Event{plainEvent(noon.AddDate(0, 0, -15), "ls")}))
	if n, err := s.ExpireEvents(t.Context(), before.AddDate(0, 0, -7)); err != nil || n != 1 {
		t.Errorf("removed %d, %v", n, err)
	}
	if since, err := s.CountsSince(t.Context()); err != nil || since.Before(before) {
		t.Errorf("what was removed is there again: whole since %s, %v", since, err)
	}
	_, err = raw(t, s.Path()).ExecContext(t.Context(), `DELETE FROM counts_since`) // as damage may
	check(t, err)
	if since, err := s.CountsSince(t.Context()); err != nil || !since.Equal(noon) {
		t.Errorf("what is not known is whole since %s, %v", since, err)
	}
	sound(t, s)
}

// TestSummariesAndWhoHasThemOutliveTheTableTheyWereIn brings a file from before corrections up to date.
func TestSummariesAndWhoHasThemOutliveTheTableTheyWereIn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "caro.db")
	check(t, createPrivate(path))
	files, err := fs.Sub(schemaFiles, "schema")
	check(t, err)
	old := raw(t, path)
	p, err := goose.NewProvider(goose.DialectSQLite3, old, files, goose.WithDisableGlobalRegistry(true))
	check(t, err)
	_, err = p.UpTo(t.Context(), 2)
	check(t, err)
	mine, wire := summary(t, newKey(1), noon, protocol.Daily, 5)
	theirs, theirWire := summary(t, newKey(2), noon, protocol.Daily, 6)
	for _, row := range []struct {
		sum      *protocol.NodeSummary
		wire     []byte
		own      bool
		received any
	}{{mine, wire, true, nil}, {theirs, theirWire, false, noon.UnixNano()}} {
		_, err = old.ExecContext(t.Context(), `INSERT INTO summary (id, node_id, own, granularity, period_start, period_end, received_at, wire) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
			row.sum.ID, string(row.sum.NodeID), row.own, string(row.sum.Period.Granularity), int64(row.sum.Period.Start), int64(row.sum.Period.End), row.received, row.wire)
		check(t, err)
	}
	bob := nodeID(3)
	_, err = old.ExecContext(t.Context(), `INSERT INTO push (summary_id, peer, pushed_at) VALUES (?, ?, 7)`, mine.ID, string(bob))
	check(t, err)

	s := openAt(t, path, Options{Now: fixedClock(noon)})
	if list, _, err := s.Summaries(t.Context(), SummaryFilter{}); err != nil || len(list) != 2 {
		t.Errorf("%d summaries, %v", len(list), err)
	}
	if who, err := s.PushedTo(t.Context(), []string{mine.ID}); err != nil || !slices.Equal(who[mine.ID], []protocol.NodeID{bob}) {
		t.Errorf("acknowledged by %v, %v", who, err)
	}
	again, againWire := correction(t, newKey(1), mine.ID, 7)
	check(t, s.SaveSummary(t.Context(), again, againWire, generated))
	if list, err := s.UnpushedSummaries(t.Context(), bob, time.Time{}); err != nil || !slices.Equal(ids(list), []string{again.ID}) {
		t.Errorf("bob is offered %v, %v", ids(list), err)
	}
	// Who acknowledged a summary is forgotten with it, as before.
	_, err = s.ExpireSummaries(t.Context(), true, again.Period.End.Time().Add(1))
	check(t, err)
	var left int
	check(t, old.QueryRowContext(t.Context(), `SELECT count(*) FROM push`).Scan(&left))
	if left != 0 {
		t.Errorf("%d rows about summaries that are gone", left)
	}
	sound(t, s)
}
