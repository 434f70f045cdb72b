package aggregate

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/caro-mesh/caro-node/protocol"
)

// ErrNotSupported reports a query type that rows or summaries cannot answer.
var ErrNotSupported = errors.New("this query type cannot be answered from counts")

// ErrMismatch reports answers to different query types that were to be merged.
var ErrMismatch = errors.New("answers to different query types cannot be merged")

// FromRows answers a query of type qt from one node's rows that keep accepts. It returns nil data when no command
// remains.
func FromRows(qt protocol.QueryType, r protocol.TimeRange, rows []Row, keep Predicate) (*protocol.ResponseData, error) {
	kept := make([]Row, 0, len(rows))
	for _, row := range rows {
		if at := protocol.At(row.Hour); at >= r.Start && at < r.End && keep(row) {
			kept = append(kept, row)
		}
	}
	var d protocol.ResponseData
	switch qt {
	case protocol.QueryToolUsage:
		d.ToolUsage = usageFromRows(r, kept)
	case protocol.QuerySafetyPosture:
		d.Safety = safetyFromRows(kept)
	case protocol.QueryActivityPatterns:
		d.Activity = activityFromRows(kept)
	default:
		return nil, fmt.Errorf("%w: %s", ErrNotSupported, qt)
	}
	if len(kept) == 0 {
		return nil, nil
	}
	return &d, nil
}

func usageFromRows(r protocol.TimeRange, rows []Row) *protocol.ToolUsage {
	sums := make(map[protocol.CommandCategory]protocol.CategorySums)
	for _, row := range rows {
		c := sums[row.Category]
		c.Category, c.NodeCount = row.Category, 1
		c.Count += row.Count
		c.DurationMSSum += row.DurationMSSum
		c.TimedCount += row.TimedCount
		c.FailureCount += row.FailureCount
		sums[row.Category] = c
	}
	return usageOf(r, sums)
}

func usageOf(r protocol.TimeRange, sums map[protocol.CommandCategory]protocol.CategorySums) *protocol.ToolUsage {
	u := &protocol.ToolUsage{TimeRange: r}
	for _, k := range slices.Sorted(maps.Keys(sums)) {
		u.ByCategory = append(u.ByCategory, sums[k])
		u.TotalCommands += sums[k].Count
	}
	return u
}

func safetyFromRows(rows []Row) *protocol.SafetySums {
	s := &protocol.SafetySums{}
	for _, row := range rows {
		*s.ByRisk.At(row.Risk) += row.Count
		s.BlockedCount += row.Blocked
		s.ConfirmedRisky += row.Confirmed
		s.TotalCommands += row.Count
	}
	return s
}

func activityFromRows(rows []Row) *protocol.ActivitySums {
	a := &protocol.ActivitySums{}
	for _, row := range rows {
		h := row.Hour.UTC()
		a.Hourly[h.Hour()] += row.Count
		a.Daily[protocol.MondayIndex(h.Weekday())] += row.Count
	}
	if len(rows) > 0 {
		a.ActiveNodes = 1
	}
	return a
}

// FromSummaries answers from the summaries of one node; pass what [Cover] chose. Denied categories must be gone
// already. It returns nil data when the summaries count no command.
func FromSummaries(qt protocol.QueryType, r protocol.TimeRange, summaries []*protocol.NodeSummary) (*protocol.ResponseData, error) {
	var d, total protocol.ResponseData
	var commands uint64
	for _, s := range summaries {
		commands += s.TotalCommands
		switch qt {
		case protocol.QueryToolUsage:
			d.ToolUsage = usageFromSummary(r, s)
		case protocol.QuerySafetyPosture:
			st := s.SafetyStats
			d.Safety = &protocol.SafetySums{ByRisk: st.ByRisk, BlockedCount: st.BlockedCount,
				ConfirmedRisky: st.UserConfirmedRisky, TotalCommands: s.TotalCommands}
		case protocol.QueryActivityPatterns:
			d.Activity = &protocol.ActivitySums{Hourly: s.HourlyActivity, Daily: s.DailyActivity}
		default:
			return nil, fmt.Errorf("%w: %s", ErrNotSupported, qt)
		}
		if err := Merge(&total, &d); err != nil {
			return nil, err
		}
	}
	if commands == 0 {
		return nil, nil
	}
	// One node stays one node, however many of its summaries were added.
	if u := total.ToolUsage; u != nil {
		for i := range u.ByCategory {
			u.ByCategory[i].NodeCount = 1
		}
	}
	if total.Activity != nil {
		total.Activity.ActiveNodes = 1
	}
	return &total, nil
}

func usageFromSummary(r protocol.TimeRange, s *protocol.NodeSummary) *protocol.ToolUsage {
	sums := make(map[protocol.CommandCategory]protocol.CategorySums, len(s.CategoryStats))
	for _, c := range s.CategoryStats {
		sums[c.Category] = protocol.CategorySums{Category: c.Category, Count: c.Count, NodeCount: 1,
			DurationMSSum: c.DurationMSSum, TimedCount: c.TimedCount, FailureCount: c.FailureCount}
	}
	return usageOf(r, sums)
}

// ErrImplausible reports an answer whose counts are so large that the sum could not be passed on; leave it out, and say
// so.
var ErrImplausible = errors.New("counts are implausibly large")

// Merge adds other to into; into may be empty. The result does not depend on the order. Activity, usage and safety
// are summed, anomalies are collected; the health of nodes is not one number and stays apart. On error into is as it was.
func Merge(into, other *protocol.ResponseData) error {
	if other == nil {
		return nil
	}
	sum := *into // the parts below are replaced, never changed
	if err := merge(&sum, other); err != nil {
		return err
	}
	if err := sum.Validate(); err != nil {
		return fmt.Errorf("%w: %w", ErrImplausible, err)
	}
	*into = sum
	return nil
}

func merge(into, other *protocol.ResponseData) error {
	if *into != (protocol.ResponseData{}) {
		a, errA := into.Type()
		b, errB := other.Type()
		if errA != nil || errB != nil || a != b {
			return ErrMismatch
		}
	}
	switch {
	case other.ToolUsage != nil:
		into.ToolUsage = mergeUsage(into.ToolUsage, other.ToolUsage)
	case other.Safety != nil:
		into.Safety = mergeSafety(into.Safety, other.Safety)
	case other.Activity != nil:
		into.Activity = mergeActivity(into.Activity, other.Activity)
	case other.Anomalies != nil:
		var items []protocol.Anomaly
		if into.Anomalies != nil {
			items = into.Anomalies.Items
		}
		into.Anomalies = &protocol.Anomalies{Items: slices.Concat(items, other.Anomalies.Items)}
	default:
		return fmt.Errorf("%w: %s", ErrNotSupported, protocol.QueryNodeHealth)
	}
	return nil
}

func mergeUsage(a, b *protocol.ToolUsage) *protocol.ToolUsage {
	if a == nil {
		a = &protocol.ToolUsage{TimeRange: b.TimeRange}
	}
	sums := make(map[protocol.CommandCategory]protocol.CategorySums, len(a.ByCategory))
	for _, c := range a.ByCategory {
		sums[c.Category] = c
	}
	for _, c := range b.ByCategory {
		t := sums[c.Category]
		t.Category = c.Category
		t.Count += c.Count
		t.NodeCount += c.NodeCount
		t.DurationMSSum += c.DurationMSSum
		t.TimedCount += c.TimedCount
		t.FailureCount += c.FailureCount
		sums[c.Category] = t
	}
	r := protocol.TimeRange{Start: min(a.TimeRange.Start, b.TimeRange.Start), End: max(a.TimeRange.End, b.TimeRange.End)}
	return usageOf(r, sums)
}

func mergeSafety(a, b *protocol.SafetySums) *protocol.SafetySums {
	if a == nil {
		a = &protocol.SafetySums{}
	}
	m := *a
	m.ByRisk.Add(b.ByRisk)
	m.BlockedCount += b.BlockedCount
	m.ConfirmedRisky += b.ConfirmedRisky
	m.TotalCommands += b.TotalCommands
	return &m
}

func mergeActivity(a, b *protocol.ActivitySums) *protocol.ActivitySums {
	if a == nil {
		a = &protocol.ActivitySums{}
	}
	m := *a
	for i, n := range b.Hourly {
		m.Hourly[i] += n
	}
	for i, n := range b.Daily {
		m.Daily[i] += n
	}
	m.ActiveNodes += b.ActiveNodes
	return &m
}
