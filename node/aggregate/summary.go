package aggregate

import (
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/caro-mesh/caro-node/protocol"
)

// Summarize builds the unsigned summary of a node's rows over a period; rows outside it are ignored. unique is the
// number of distinct command shapes behind the rows.
func Summarize(id protocol.NodeID, period protocol.Period, rows []Row, unique uint64, now time.Time) (*protocol.NodeSummary, error) {
	sid, err := uuid.NewV7()
	if err != nil {
		return nil, err
	}
	s := &protocol.NodeSummary{ID: sid.String(), NodeID: id, Period: period, GeneratedAt: protocol.At(now)}
	byCategory := make(map[protocol.CommandCategory]*protocol.CategoryStat)
	for _, r := range rows {
		if !period.Contains(r.Hour) {
			continue
		}
		c := byCategory[r.Category]
		if c == nil {
			c = &protocol.CategoryStat{Category: r.Category}
			byCategory[r.Category] = c
		}
		c.Count += r.Count
		c.DurationMSSum += r.DurationMSSum
		c.TimedCount += r.TimedCount
		c.FailureCount += r.FailureCount
		h := r.Hour.UTC()
		s.HourlyActivity[h.Hour()] += r.Count
		s.DailyActivity[protocol.MondayIndex(h.Weekday())] += r.Count
		*s.SafetyStats.ByRisk.At(r.Risk) += r.Count
		s.SafetyStats.BlockedCount += r.Blocked
		s.SafetyStats.UserConfirmedRisky += r.Confirmed
		s.SafetyStats.CaroGenerated += r.CaroGenerated
		s.SafetyStats.CaroExecuted += r.CaroExecuted
		s.TotalCommands += r.Count
	}
	for _, c := range slices.Sorted(maps.Keys(byCategory)) {
		byCategory[c].Derive()
		s.CategoryStats = append(s.CategoryStats, *byCategory[c])
	}
	s.UniquePatterns = min(unique, s.TotalCommands)
	return s, nil
}

// Cover picks from the summaries of any nodes those that lie within the range and, for each node, do not overlap:
// longer periods first, so that an hour inside a chosen day is not counted twice.
func Cover(summaries []*protocol.NodeSummary, within protocol.TimeRange) []*protocol.NodeSummary {
	sorted := slices.Clone(summaries)
	slices.SortStableFunc(sorted, func(a, b *protocol.NodeSummary) int {
		return int((b.Period.End - b.Period.Start - a.Period.End + a.Period.Start) / protocol.Timestamp(time.Minute))
	})
	chosen := make(map[protocol.NodeID][]*protocol.NodeSummary)
	var out []*protocol.NodeSummary
	for _, s := range sorted {
		if s.Period.Start < within.Start || s.Period.End > within.End || overlaps(chosen[s.NodeID], s) {
			continue
		}
		chosen[s.NodeID] = append(chosen[s.NodeID], s)
		out = append(out, s)
	}
	return out
}

func overlaps(chosen []*protocol.NodeSummary, s *protocol.NodeSummary) bool {
	return slices.ContainsFunc(chosen, func(c *protocol.NodeSummary) bool {
		return s.Period.Start < c.Period.End && c.Period.Start < s.Period.End
	})
}
