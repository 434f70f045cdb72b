package store

import (
	"bytes"
	"crypto/ed25519"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/caro-mesh/caro-node/policy/audit"
	"github.com/caro-mesh/caro-node/protocol"
)

type key struct{ private ed25519.PrivateKey }

func newKey(n byte) key { return key{ed25519.NewKeyFromSeed(bytes.Repeat([]byte{n}, 32))} }

func (k key) NodeID() protocol.NodeID {
	return protocol.NewNodeID(k.private.Public().(ed25519.PublicKey))
}

func (k key) Sign(msg []byte) ([]byte, error) { return ed25519.Sign(k.private, msg), nil }

// summary signs one with some commands in the period of granularity g at at.
func summary(t *testing.T, k key, at time.Time, g protocol.Granularity, commands uint64) (*protocol.NodeSummary, []byte) {
	t.Helper()
	c := protocol.CategoryStat{Category: "git", Count: commands}
	c.Derive()
	s := &protocol.NodeSummary{ID: uuid.NewString(), NodeID: k.NodeID(), Period: protocol.PeriodAt(at, g), CategoryStats: []protocol.CategoryStat{c},
		TotalCommands: commands, GeneratedAt: protocol.At(at)}
	start := s.Period.Start.Time()
	s.HourlyActivity[start.Hour()], s.DailyActivity[protocol.MondayIndex(start.Weekday())], s.SafetyStats.ByRisk.Safe = commands, commands, commands
	wire, err := protocol.SignSummary(s, k, at)
	check(t, err)
	return s, wire
}

func ids(list []StoredSummary) []string {
	var l []string
	for _, s := range list {
		l = append(l, s.Summary.ID)
	}
	return l
}

func TestAnOwnSummaryIsStoredOncePerPeriodWithItsAuditRecord(t *testing.T) {
	s := open(t, Options{Now: fixedClock(noon)})
	me := newKey(1)
	sum, wire := summary(t, me, noon, protocol.Daily, 5)
	check(t, s.SaveSummary(t.Context(), sum, wire, generated))
	got, err := s.Summary(t.Context(), sum.ID)
	check(t, err)
	if !bytes.Equal(got.Wire, wire) || !got.Own || got.ReceivedAt != nil || got.Summary.TotalCommands != 5 || got.Summary.Signature == nil {
		t.Errorf("%+v", got)
	}
	same, err := s.SummaryForPeriod(t.Context(), sum.Period)
	if err != nil || same.Summary.ID != sum.ID {
		t.Errorf("%+v, %v", same, err)
	}
	other, otherWire := summary(t, me, noon, protocol.Daily, 6)
	wantErr(t, s.SaveSummary(t.Context(), other, otherWire, generated), ErrSummaryExists)
	wantErr(t, s.SaveSummary(t.Context(), sum, wire, generated), ErrSummaryExists)
	rotated, rotatedWire := summary(t, newKey(2), noon, protocol.Daily, 6) // the same node with a new key
	wantErr(t, s.SaveSummary(t.Context(), rotated, rotatedWire, generated), ErrSummaryExists)
	hourly, hourlyWire := summary(t, me, sum.Period.Start.Time(), protocol.Hourly, 6) // begins with the day
	check(t, s.SaveSummary(t.Context(), hourly, hourlyWire, generated))
	if n := auditCount(t, s); n != 2 {
		t.Errorf("%d audit records for two summaries", n)
	}
	_, err = s.Summary(t.Context(), uuid.NewString())
	wantErr(t, err, ErrNotFound)
	_, err = s.SummaryForPeriod(t.Context(), protocol.PeriodAt(noon, protocol.Weekly))
	wantErr(t, err, ErrNotFound)
	sound(t, s)
}

func TestWhatCannotBeRecordedIsNotDone(t *testing.T) {
	s := open(t, Options{})
	bad := audit.Event{Type: "unknown"}
	sum, wire := summary(t, newKey(1), noon, protocol.Daily, 5)
	if err := s.SaveSummary(t.Context(), sum, wire, bad); err == nil {
		t.Error("an own summary was stored")
	}
	if isNew, err := s.SaveReceivedSummary(t.Context(), Arrival{Summary: sum, Wire: wire}, bad); err == nil || isNew {
		t.Error("a received summary was stored")
	}
	check(t, s.SaveSummary(t.Context(), sum, wire, generated))
	if err := s.MarkPushed(t.Context(), sum.ID, nodeID(2), bad); err == nil {
		t.Error("a push was remembered")
	}
	if list, err := s.UnpushedSummaries(t.Context(), nodeID(2), time.Time{}); err != nil || len(list) != 1 {
		t.Errorf("%d unpushed, %v", len(list), err)
	}
	if n := auditCount(t, s); n != 1 {
		t.Errorf("%d audit records", n)
	}
}

func TestAReceivedSummaryIsStoredOnceAndNeverReplaced(t *testing.T) {
	s := open(t, Options{Now: fixedClock(noon)})
	peer := newKey(7)
	sum, wire := summary(t, peer, noon, protocol.Hourly, 5)
	for i := range 3 {
		isNew, err := s.SaveReceivedSummary(t.Context(), Arrival{Summary: sum, Wire: wire}, shared)
		if err != nil || isNew != (i == 0) {
			t.Errorf("delivery %d: new %v, %v", i, isNew, err)
		}
	}
	other, otherWire := summary(t, peer, noon, protocol.Hourly, 6)
	isNew, err := s.SaveReceivedSummary(t.Context(), Arrival{Summary: other, Wire: otherWire}, shared)
	wantErr(t, err, ErrConflictingSummary)
	if isNew {
		t.Error("a conflicting summary is new")
	}
	// The same ID for another period.
	moved, _ := summary(t, peer, noon.Add(time.Hour), protocol.Hourly, 5)
	moved.ID = sum.ID
	movedWire, err := protocol.SignSummary(moved, peer, noon)
	check(t, err)
	_, err = s.SaveReceivedSummary(t.Context(), Arrival{Summary: moved, Wire: movedWire}, shared)
	wantErr(t, err, ErrConflictingSummary)
	// Another node is free to have the same period, and this one too.
	theirs, theirWire := summary(t, newKey(8), noon, protocol.Hourly, 1)
	isNew, err = s.SaveReceivedSummary(t.Context(), Arrival{Summary: theirs, Wire: theirWire}, shared)
	if err != nil || !isNew {
		t.Errorf("new %v, %v", isNew, err)
	}
	own, ownWire := summary(t, newKey(1), noon, protocol.Hourly, 9)
	check(t, s.SaveSummary(t.Context(), own, ownWire, generated))

	got, err := s.Summary(t.Context(), sum.ID)
	check(t, err)
	if got.Own || got.ReceivedAt == nil || !got.ReceivedAt.Equal(noon) || !bytes.Equal(got.Wire, wire) {
		t.Errorf("%+v", got)
	}
	if n := auditCount(t, s); n != 3 {
		t.Errorf("%d audit records for three stored summaries", n)
	}
	for _, c := range []struct {
		start, end time.Time
		want       int
	}{{noon, noon.Add(time.Hour), 2}, {noon.Add(1), noon.Add(time.Hour), 0}, {noon, noon.Add(time.Hour - 1), 0}, {time.Time{}, noon.AddDate(1000, 0, 0), 2}} {
		list, err := s.ReceivedSummaries(t.Context(), c.start, c.end)
		if err != nil || len(list) != c.want {
			t.Errorf("%s to %s: %d summaries, want %d, %v", c.start, c.end, len(list), c.want, err)
		}
	}
	sound(t, s)
}

func TestASummaryIsPushedToEachPeerUntilItIsAcknowledged(t *testing.T) {
	s := open(t, Options{})
	me, bob, eve := newKey(1), nodeID(2), nodeID(3)
	var sums []*protocol.NodeSummary
	for d := range 4 {
		sum, wire := summary(t, me, noon.AddDate(0, 0, -d), protocol.Daily, uint64(d+1))
		check(t, s.SaveSummary(t.Context(), sum, wire, generated))
		sums = append(sums, sum)
	}
	received, wire := summary(t, newKey(9), noon, protocol.Daily, 5)
	_, err := s.SaveReceivedSummary(t.Context(), Arrival{Summary: received, Wire: wire}, shared)
	check(t, err)
	before := auditCount(t, s)
	for range 2 { // the second acknowledgement changes nothing
		check(t, s.MarkPushed(t.Context(), sums[1].ID, bob, shared))
	}
	if n := auditCount(t, s); n != before+1 {
		t.Errorf("%d audit records for one push", n-before)
	}
	wantErr(t, s.MarkPushed(t.Context(), uuid.NewString(), bob, shared), ErrNotFound)
	wantErr(t, s.MarkPushed(t.Context(), received.ID, bob, shared), ErrNotFound)
	for _, c := range []struct {
		peer  protocol.NodeID
		since time.Time
		want  []string
	}{
		{bob, time.Time{}, []string{sums[3].ID, sums[2].ID, sums[0].ID}},
		{eve, time.Time{}, []string{sums[3].ID, sums[2].ID, sums[1].ID, sums[0].ID}},
		{eve, sums[1].Period.Start.Time(), []string{sums[1].ID, sums[0].ID}}, // what ended just then is left out
		{eve, noon.AddDate(0, 0, 2), nil},
	} {
		list, err := s.UnpushedSummaries(t.Context(), c.peer, c.since)
		if err != nil || !slices.Equal(ids(list), c.want) {
			t.Errorf("for %s since %s: %v, want %v, %v", c.peer.Fingerprint(), c.since, ids(list), c.want, err)
		}
	}
}

func TestSummariesAreChosenByFilterAndPaged(t *testing.T) {
	s := open(t, Options{})
	me, bob := newKey(1), newKey(2)
	for h := range 10 {
		for _, k := range []key{me, bob} {
			sum, wire := summary(t, k, noon.Add(time.Duration(h)*time.Hour), protocol.Hourly, 1)
			if k.NodeID() == me.NodeID() {
				check(t, s.SaveSummary(t.Context(), sum, wire, generated))
			} else if _, err := s.SaveReceivedSummary(t.Context(), Arrival{Summary: sum, Wire: wire}, shared); err != nil {
				t.Fatal(err)
			}
		}
	}
	day, wire := summary(t, bob, noon, protocol.Daily, 1)
	_, err := s.SaveReceivedSummary(t.Context(), Arrival{Summary: day, Wire: wire}, shared)
	check(t, err)
	for _, c := range []struct {
		filter SummaryFilter
		want   int
	}{
		{SummaryFilter{}, 21}, {SummaryFilter{Own: ptr(true)}, 10}, {SummaryFilter{Own: ptr(false)}, 11}, {SummaryFilter{Node: bob.NodeID()}, 11},
		{SummaryFilter{Granularity: protocol.Daily}, 1}, {SummaryFilter{Own: ptr(true), Granularity: protocol.Daily}, 0},
	} {
		var got []string
		var last protocol.Timestamp
		for c.filter.Limit = 3; ; {
			list, next, err := s.Summaries(t.Context(), c.filter)
			check(t, err)
			for _, st := range list {
				if last != 0 && st.Summary.Period.Start > last {
					t.Errorf("%+v: out of order", c.filter)
				}
				last = st.Summary.Period.Start
			}
			got = append(got, ids(list)...)
			if c.filter.Cursor = next; next == "" {
				break
			}
		}
		unique := slices.Compact(slices.Sorted(slices.Values(got)))
		if len(got) != c.want || len(unique) != c.want {
			t.Errorf("%+v: %d summaries (%d distinct), want %d", c.filter, len(got), len(unique), c.want)
		}
	}
	for _, cursor := range []string{"x", "1", "!.x"} {
		_, _, err := s.Summaries(t.Context(), SummaryFilter{Cursor: cursor})
		wantErr(t, err, ErrCursor)
	}
}

func TestAStoredSummaryThatWasChangedIsNotBelieved(t *testing.T) {
	s := open(t, Options{})
	sum, wire := summary(t, newKey(1), noon, protocol.Daily, 5)
	check(t, s.SaveSummary(t.Context(), sum, wire, generated))
	changed := bytes.Clone(wire)
	changed[len(changed)/2] ^= 1
	_, err := raw(t, s.Path()).ExecContext(t.Context(), `UPDATE summary SET wire = ?`, changed)
	check(t, err)
	_, err = s.Summary(t.Context(), sum.ID)
	wantErr(t, err, ErrDamaged)
}

func TestPushedToNamesWhoAcknowledgedWhat(t *testing.T) {
	s := open(t, Options{})
	a, wireA := summary(t, newKey(1), noon, protocol.Daily, 1)
	b, wireB := summary(t, newKey(1), noon, protocol.Hourly, 1)
	check(t, s.SaveSummary(t.Context(), a, wireA, generated))
	check(t, s.SaveSummary(t.Context(), b, wireB, generated))
	peers := []protocol.NodeID{nodeID(1), nodeID(2)}
	slices.Sort(peers)
	for _, p := range slices.Backward(peers) {
		check(t, s.MarkPushed(t.Context(), a.ID, p, shared))
	}
	got, err := s.PushedTo(t.Context(), []string{a.ID, b.ID, uuid.NewString()})
	if err != nil || len(got) != 1 || !slices.Equal(got[a.ID], peers) {
		t.Errorf("%v, %v", got, err)
	}
	if got, err = s.PushedTo(t.Context(), nil); err != nil || len(got) != 0 {
		t.Errorf("%v, %v", got, err)
	}
}
