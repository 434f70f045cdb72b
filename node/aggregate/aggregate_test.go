package aggregate

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/caro-mesh/caro-node/protocol"
)

var day = protocol.PeriodAt(time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC), protocol.Daily)

func nodeID(n byte) protocol.NodeID {
	return protocol.NewNodeID(ed25519.NewKeyFromSeed(bytes.Repeat([]byte{n}, 32)).Public().(ed25519.PublicKey))
}

// genRow draws one row whose parts agree with each other, up to half a day outside the day.
func genRow(t *rapid.T) Row {
	count := rapid.Uint64Range(1, 1000).Draw(t, "count")
	part := func(name string) uint64 { return rapid.Uint64Range(0, count).Draw(t, name) }
	timed := part("timed")
	r := Row{
		Hour:       day.Start.Time().Add(time.Duration(rapid.IntRange(-12, 36).Draw(t, "hour")) * time.Hour),
		Category:   rapid.SampledFrom(append(protocol.Categories(), "other:make")).Draw(t, "category"),
		Risk:       rapid.SampledFrom(protocol.RiskLevels()).Draw(t, "risk"),
		Count:      count,
		TimedCount: timed, FailureCount: part("failed"), Blocked: part("blocked"), Confirmed: part("confirmed"),
		CaroGenerated: part("generated"), CaroExecuted: part("executed"),
	}
	if timed > 0 {
		r.DurationMSSum = rapid.Uint64Range(0, 1<<30).Draw(t, "duration")
	}
	return r
}

func TestSummaryOfAnyRowsIsValidAndCountsOnlyItsPeriod(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rows := rapid.SliceOf(rapid.Custom(genRow)).Draw(t, "rows")
		s, err := Summarize(nodeID(1), day, rows, rapid.Uint64().Draw(t, "unique"), day.End.Time())
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Validate(); err != nil {
			t.Fatalf("summary contradicts itself: %v", err)
		}
		var want, failed uint64
		for _, r := range rows {
			if day.Contains(r.Hour) {
				want += r.Count
				failed += r.FailureCount
			}
		}
		var gotFailed uint64
		for _, c := range s.CategoryStats {
			gotFailed += c.FailureCount
		}
		if s.TotalCommands != want || gotFailed != failed {
			t.Fatalf("counted %d commands and %d failures, want %d and %d", s.TotalCommands, gotFailed, want, failed)
		}
	})
}

func TestMergeDoesNotDependOnOrderOrGrouping(t *testing.T) {
	r := protocol.TimeRange{Start: day.Start, End: day.End}
	all, _ := Compile(nil)
	rapid.Check(t, func(t *rapid.T) {
		qt := rapid.SampledFrom([]protocol.QueryType{protocol.QueryToolUsage, protocol.QuerySafetyPosture, protocol.QueryActivityPatterns}).Draw(t, "type")
		var parts []*protocol.ResponseData
		for range rapid.IntRange(1, 6).Draw(t, "nodes") {
			d, err := FromRows(qt, r, rapid.SliceOf(rapid.Custom(genRow)).Draw(t, "rows"), all)
			if err != nil {
				t.Fatal(err)
			}
			parts = append(parts, d)
		}
		var forward, shuffled, nested, left, right protocol.ResponseData
		for _, p := range parts {
			mustMerge(t, &forward, p)
		}
		mixed := slices.Clone(parts)
		rand.Shuffle(len(mixed), func(i, j int) { mixed[i], mixed[j] = mixed[j], mixed[i] })
		for _, p := range mixed {
			mustMerge(t, &shuffled, p)
		}
		cut := rapid.IntRange(0, len(parts)).Draw(t, "cut")
		for i, p := range parts {
			if i < cut {
				mustMerge(t, &left, p)
			} else {
				mustMerge(t, &right, p)
			}
		}
		for _, d := range []*protocol.ResponseData{&left, &right} {
			if *d != (protocol.ResponseData{}) {
				mustMerge(t, &nested, d)
			}
		}
		if !reflect.DeepEqual(forward, shuffled) || !reflect.DeepEqual(forward, nested) {
			t.Fatalf("order changes the result:\n%+v\n%+v\n%+v", forward, shuffled, nested)
		}
		if forward != (protocol.ResponseData{}) {
			if err := forward.Validate(); err != nil {
				t.Fatalf("merged answer contradicts itself: %v", err)
			}
		}
	})
}

func mustMerge(t *rapid.T, into, other *protocol.ResponseData) {
	if err := Merge(into, other); err != nil {
		t.Fatal(err)
	}
}

func TestMergeRefusesAnswersToDifferentQuestions(t *testing.T) {
	a := protocol.ResponseData{Safety: &protocol.SafetySums{}}
	if err := Merge(&a, &protocol.ResponseData{Activity: &protocol.ActivitySums{}}); !errors.Is(err, ErrMismatch) {
		t.Fatalf("got %v, want ErrMismatch", err)
	}
}

func TestAnImplausibleAnswerIsLeftOutAndSpoilsNothing(t *testing.T) {
	honest := protocol.ResponseData{Safety: &protocol.SafetySums{ByRisk: protocol.RiskCounts{Safe: 5}, TotalCommands: 5}}
	total := honest
	huge := protocol.SafetySums{ByRisk: protocol.RiskCounts{Safe: protocol.MaxCount}, TotalCommands: protocol.MaxCount}
	if err := Merge(&total, &protocol.ResponseData{Safety: &huge}); !errors.Is(err, ErrImplausible) {
		t.Fatalf("got %v, want ErrImplausible", err)
	}
	if !reflect.DeepEqual(total, honest) {
		t.Errorf("the sum became %+v", total.Safety)
	}
}

func TestSummariesAnswerLikeTheRowsBehindThem(t *testing.T) {
	r := protocol.TimeRange{Start: day.Start, End: day.End}
	all, _ := Compile(nil)
	rapid.Check(t, func(t *rapid.T) {
		rows := rapid.SliceOf(rapid.Custom(genRow)).Draw(t, "rows")
		s, err := Summarize(nodeID(1), day, rows, 0, day.End.Time())
		if err != nil {
			t.Fatal(err)
		}
		for _, qt := range []protocol.QueryType{protocol.QueryToolUsage, protocol.QuerySafetyPosture, protocol.QueryActivityPatterns} {
			direct, err := FromRows(qt, r, rows, all)
			if err != nil {
				t.Fatal(err)
			}
			through, err := FromSummaries(qt, r, []*protocol.NodeSummary{s})
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(direct, through) {
				t.Fatalf("%s: rows give %+v, their summary %+v", qt, direct, through)
			}
		}
	})
}

func TestCoverCountsNoHourTwice(t *testing.T) {
	hour := func(h int, node byte) *protocol.NodeSummary {
		return &protocol.NodeSummary{ID: uuid.NewString(), NodeID: nodeID(node),
			Period: protocol.PeriodAt(day.Start.Time().Add(time.Duration(h)*time.Hour), protocol.Hourly)}
	}
	whole := &protocol.NodeSummary{ID: uuid.NewString(), NodeID: nodeID(1), Period: day}
	next := hour(24, 1)
	outside := hour(48, 1)
	other := hour(3, 2)
	within := protocol.TimeRange{Start: day.Start, End: day.End + protocol.Timestamp(2*time.Hour)}
	got := Cover([]*protocol.NodeSummary{hour(3, 1), whole, next, outside, other, hour(3, 1)}, within)
	want := []*protocol.NodeSummary{whole, next, other}
	if len(got) != len(want) {
		t.Fatalf("chose %d summaries, want %d", len(got), len(want))
	}
	for _, w := range want {
		if !slices.Contains(got, w) {
			t.Errorf("%s of node %s was not chosen", w.Period.Granularity, w.NodeID.Fingerprint())
		}
	}
}

func TestFiltersSelectRows(t *testing.T) {
	git := Row{Category: "git", Risk: protocol.RiskSafe}
	rm := Row{Category: "file_ops", Risk: protocol.RiskCritical}
	cases := []struct {
		f       protocol.Filter
		git, rm bool
	}{
		{protocol.Filter{Field: "category", Operator: protocol.OpEquals, Value: "git"}, true, false},
		{protocol.Filter{Field: "category", Operator: protocol.OpNotEquals, Value: "git"}, false, true},
		{protocol.Filter{Field: "category", Operator: protocol.OpContains, Value: "file"}, false, true},
		{protocol.Filter{Field: "category", Operator: protocol.OpInList, Value: "docker, git"}, true, false},
		{protocol.Filter{Field: "risk_level", Operator: protocol.OpEquals, Value: "safe"}, true, false},
		{protocol.Filter{Field: "risk_level", Operator: protocol.OpNotEquals, Value: "safe"}, false, true},
		{protocol.Filter{Field: "risk_level", Operator: protocol.OpGreaterThan, Value: "moderate"}, false, true},
		{protocol.Filter{Field: "risk_level", Operator: protocol.OpLessThan, Value: "1"}, true, false},
		{protocol.Filter{Field: "risk_level", Operator: protocol.OpInList, Value: "high,critical"}, false, true},
	}
	for _, c := range cases {
		p, err := Compile([]protocol.Filter{c.f})
		if err != nil {
			t.Errorf("%+v: %v", c.f, err)
			continue
		}
		if p(git) != c.git || p(rm) != c.rm {
			t.Errorf("%+v selects git=%t rm=%t, want %t %t", c.f, p(git), p(rm), c.git, c.rm)
		}
	}
	for _, bad := range []protocol.Filter{
		{Field: "cwd", Operator: protocol.OpEquals, Value: "/"},
		{Field: "category", Operator: protocol.OpLessThan, Value: "git"},
		{Field: "risk_level", Operator: protocol.OpContains, Value: "s"},
		{Field: "risk_level", Operator: protocol.OpEquals, Value: "dangerous"},
		{Field: "risk_level", Operator: protocol.OpEquals, Value: "9"},
	} {
		var fe *FilterError
		if _, err := Compile([]protocol.Filter{bad}); !errors.As(err, &fe) {
			t.Errorf("%+v was accepted (%v)", bad, err)
		}
	}
}

func TestSharesArePercentAndNormalised(t *testing.T) {
	if got := Percent(1, 4); got != 25 {
		t.Errorf("1 of 4 is %v %%", got)
	}
	if got := Percent(1, 0); got != 0 {
		t.Errorf("1 of nothing is %v %%", got)
	}
	if got := Normalise([]uint64{0, 5, 10}); !slices.Equal(got, []float64{0, .5, 1}) {
		t.Errorf("normalised to %v", got)
	}
	if got := Peaks([]uint64{8, 1, 10, 7}); !slices.Equal(got, []int{2, 0}) {
		t.Errorf("peaks at %v", got)
	}
	if got := Peaks(make([]uint64, 24)); len(got) != 0 {
		t.Errorf("an idle day peaks at %v", got)
	}
}
