package store

import (
	"testing"
	"time"

	"github.com/caro-mesh/caro-node/observer/event"
	"github.com/caro-mesh/caro-node/protocol"
)

func TestARollupHoldsTheCountsOfItsHour(t *testing.T) {
	s := open(t, Options{})
	e := plainEvent(noon.Add(59*time.Minute+59*time.Second+999_999_999), "rm -rf x")
	e.RiskLevel, e.Category = protocol.RiskHigh, "file_ops"
	e.ExitCode, e.DurationMS, e.UserConfirmed, e.CaroGenerated, e.CaroExecuted, e.Pattern = ptr(1), ptr(int64(1500)), true, true, true, "rm -rf _"
	blocked := plainEvent(noon, "rm -rf /")
	blocked.RiskLevel, blocked.Category, blocked.Blocked, blocked.Pattern = protocol.RiskHigh, "file_ops", true, "rm -rf /"
	safe := plainEvent(noon.In(time.FixedZone("west", -7*3600)), "ls") // the same hour elsewhere
	safe.UserConfirmed = true                                          // asked without need: not a risky one
	next := plainEvent(noon.Add(time.Hour), "ls")
	check(t, s.Append(t.Context(), []event.Event{e, blocked, safe, next}))
	got, err := s.Rollups(t.Context(), noon, noon.Add(time.Hour))
	check(t, err)
	want := []Rollup{
		{Hour: noon, Category: "file_ops", Risk: protocol.RiskHigh, Count: 2, TimedCount: 1, DurationMSSum: 1500, FailureCount: 1, Blocked: 1,
			Confirmed: 1, CaroGenerated: 1, CaroExecuted: 1},
		{Hour: noon, Category: "other", Risk: protocol.RiskSafe, Count: 1},
	}
	if len(got) != len(want) || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("got\n%+v, want\n%+v", got, want)
	}
	for denied, want := range map[protocol.CommandCategory]uint64{"": 2, "file_ops": 0, "other": 2} {
		n, err := s.UniquePatterns(t.Context(), noon, noon.Add(time.Hour), func(c protocol.CommandCategory) bool { return c == denied })
		if err != nil || n != want {
			t.Errorf("%d patterns without %q, want %d, %v", n, denied, want, err)
		}
	}
	// Hours count when they start inside the span.
	for _, c := range []struct {
		start, end time.Time
		rows       int
	}{{noon, noon, 0}, {noon.Add(1), noon.Add(time.Hour), 0}, {noon.Add(-time.Hour), noon.Add(1), 2}, {time.Time{}, noon.AddDate(100, 0, 0), 3}, {noon.Add(time.Hour), noon, 0}} {
		if got, err := s.Rollups(t.Context(), c.start, c.end); err != nil || len(got) != c.rows {
			t.Errorf("%s to %s: %d rows, want %d, %v", c.start, c.end, len(got), c.rows, err)
		}
	}
}
