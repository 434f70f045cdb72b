package node

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/caro-mesh/caro-node/node/aggregate"
	"github.com/caro-mesh/caro-node/policy/audit"
	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/store"
)

// lookBack is how many ended periods of each granularity are made up for after downtime, sleep or an import. An hour that
// is older than two days lives on in its day. A new peer gets at most 48 + 7 + 1 of them at once, within the burst that
// protocol/summary allows.
var lookBack = []struct {
	granularity protocol.Granularity
	periods     int
}{{protocol.Hourly, 48}, {protocol.Daily, 31}, {protocol.Weekly, 53}}

// longest is more than lookBack and what the store notes changes of.
const longest = 2 * protocol.MaxQueryRange

// generate makes, signs and stores the summary of every ended period that has commands and no summary yet, and a
// correction of every one whose counts have changed since. It returns when to look again.
func (p *publisher) generate(ctx context.Context) (time.Duration, error) {
	now := p.now()
	ended := protocol.PeriodAt(now.Add(-settle), protocol.Hourly).Previous()
	if ended != p.looked {
		p.awaitBacklog(ctx)
	}
	changed, err := p.db.ChangedHours(ctx)
	if err != nil || ended == p.looked && len(changed) == 0 {
		return publishEvery, err
	}
	made, err := p.db.OwnPeriods(ctx, now.Add(-longest))
	if err != nil {
		return publishEvery, err
	}
	lost, err := p.db.LostSummaries(ctx)
	if err != nil {
		return publishEvery, err
	}
	since, err := p.db.CountsSince(ctx)
	if err != nil {
		return publishEvery, err
	}
	moving := stillChanging(changed, now, p.quiet)
	touched := touchedBy(changed)
	var errs []error
	for _, period := range endedPeriods(now) {
		_, exists := made[period]
		// What was looked at had no commands, and has some only if one of its hours has changed since.
		known := period.End <= p.looked.End && len(touched[period]) == 0
		if exists || known || moving && len(touched[period]) > 0 {
			continue
		}
		replaces, signed := lost.Signed(period)
		if signed && (replaces == "" || period.Start.Time().Before(since)) {
			continue // peers may have one, which nobody here knows, or whose commands are lost in part
		}
		if err := p.generateOne(ctx, period, replaces); err != nil {
			errs = append(errs, err)
		}
		if ctx.Err() != nil {
			return publishEvery, ctx.Err()
		}
	}
	if len(errs) > 0 {
		return publishEvery, errors.Join(errs...)
	}
	p.looked = ended
	if moving {
		return p.quiet, nil
	}
	return publishEvery, p.correctAll(ctx, changed, touched, made, since)
}

// awaitBacklog waits until what was reported before the periods ended is stored.
func (p *publisher) awaitBacklog(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, backlogPatience)
	defer cancel()
	if err := p.caughtUp(ctx); err != nil {
		p.logger.Debug("summaries do not wait for the commands that are not stored yet", "error", err)
	}
}

// stillChanging reports whether more changes are likely to follow: the last one was less than quiet ago, and they have not
// gone on for longer than anybody waits.
func stillChanging(changed []store.ChangedHour, now time.Time, quiet time.Duration) bool {
	recent := func(t time.Time, limit time.Duration) bool { return !t.After(now) && now.Sub(t) < limit } // the clock may have been put back
	within := func(limit time.Duration, when func(store.ChangedHour) time.Time) bool {
		return slices.ContainsFunc(changed, func(c store.ChangedHour) bool { return recent(when(c), limit) })
	}
	tooLong := slices.ContainsFunc(changed, func(c store.ChangedHour) bool { return now.Sub(c.First) >= patience })
	return !tooLong && within(quiet, func(c store.ChangedHour) time.Time { return c.Last })
}

// touchedBy returns the changed hours of each period.
func touchedBy(changed []store.ChangedHour) map[protocol.Period][]store.ChangedHour {
	touched := make(map[protocol.Period][]store.ChangedHour)
	for _, c := range changed {
		for _, lb := range lookBack {
			period := protocol.PeriodAt(c.Hour, lb.granularity)
			touched[period] = append(touched[period], c)
		}
	}
	return touched
}

// endedPeriods returns the periods that are made up for, the latest first.
func endedPeriods(now time.Time) []protocol.Period {
	var periods []protocol.Period
	for _, lb := range lookBack {
		period := protocol.PeriodAt(now.Add(-settle), lb.granularity).Previous()
		for range lb.periods {
			periods = append(periods, period)
			period = period.Previous()
		}
	}
	return periods
}

// generateOne makes the summary of a period that has none, which is a correction when replaces names one that is lost.
func (p *publisher) generateOne(ctx context.Context, period protocol.Period, replaces string) error {
	s, err := p.count(ctx, period)
	if err != nil || s.TotalCommands == 0 {
		return err
	}
	s.Replaces = replaces
	return p.keep(ctx, s)
}

// correctAll corrects the summaries of the touched periods, and forgets the changes of which nothing is left to correct.
func (p *publisher) correctAll(ctx context.Context, changed []store.ChangedHour, touched map[protocol.Period][]store.ChangedHour, made map[protocol.Period]string, since time.Time) error {
	pending := make(map[time.Time]bool)
	var errs []error
	for period, hours := range touched {
		if _, exists := made[period]; !exists || period.Start.Time().Before(since) {
			continue // not made before now, or of a time whose counts are not whole any more
		}
		done, err := p.correct(ctx, period)
		if err != nil {
			errs = append(errs, err)
		}
		for _, h := range hours {
			pending[h.Hour] = pending[h.Hour] || !done
		}
	}
	settled := slices.DeleteFunc(slices.Clone(changed), func(c store.ChangedHour) bool { return pending[c.Hour] })
	return errors.Join(append(errs, p.db.SettleHours(ctx, settled))...)
}

// correct makes a correction of the summary of a period if its counts are not right any more. It reports false when that
// has to wait.
func (p *publisher) correct(ctx context.Context, period protocol.Period) (done bool, err error) {
	made, err := p.db.SummaryForPeriod(ctx, period)
	if errors.Is(err, store.ErrNotFound) { // too old by now
		return true, nil
	}
	if err != nil {
		return false, err
	}
	s, err := p.count(ctx, period)
	if err != nil {
		return false, err
	}
	if sameCounts(s, made.Summary) {
		return true, nil
	}
	if made.Summary.Replaces != "" && p.now().Sub(made.Summary.GeneratedAt.Time()) < correctEvery {
		return false, nil
	}
	s.Replaces = made.Summary.ID
	return true, p.keep(ctx, s)
}

func sameCounts(a, b *protocol.NodeSummary) bool {
	return slices.Equal(a.CategoryStats, b.CategoryStats) && a.HourlyActivity == b.HourlyActivity && a.DailyActivity == b.DailyActivity &&
		a.SafetyStats == b.SafetyStats && a.TotalCommands == b.TotalCommands && a.UniquePatterns == b.UniquePatterns
}

// keep signs and stores a summary.
func (p *publisher) keep(ctx context.Context, s *protocol.NodeSummary) error {
	wire, err := protocol.SignSummary(s, p.key, p.now())
	if err != nil {
		return err
	}
	details := map[string]string{"summary_id": s.ID, "granularity": string(s.Period.Granularity), "period_start": s.Period.Start.String(),
		"commands": strconv.FormatUint(s.TotalCommands, 10), "bytes": strconv.Itoa(len(wire))}
	if s.Replaces != "" {
		details["replaces"] = s.Replaces
	}
	err = p.db.SaveSummary(ctx, s, wire, audit.Event{Type: protocol.AuditSummaryGenerated, Success: true, Details: details})
	if err == nil {
		p.logger.Info("summary made", "granularity", s.Period.Granularity, "period", s.Period.Start, "commands", s.TotalCommands, "replaces", s.Replaces)
	}
	return err
}

// count builds the unsigned summary of a period from what is stored, without what the policy keeps back.
func (p *publisher) count(ctx context.Context, period protocol.Period) (*protocol.NodeSummary, error) {
	engine := p.gate.Engine()
	rows, err := rowsOf(ctx, p.db, protocol.TimeRange{Start: period.Start, End: period.End}, engine)
	if err != nil {
		return nil, err
	}
	var unique uint64
	if len(rows) > 0 {
		if unique, err = p.db.UniquePatterns(ctx, period.Start.Time(), period.End.Time(),
			func(c protocol.CommandCategory) bool { return !engine.AllowsCategory(c) }); err != nil {
			return nil, err
		}
	}
	return aggregate.Summarize(p.key.NodeID(), period, rows, unique, p.now())
}

// preview returns the summary of the period that contains at: the stored one if it was made already, else one of what
// is known by now, which it does not store. Such a one says that it was made before its period had ended, even where that
// is over and the real one is about to be made, and so no node accepts it: there is one content of a period that counts.
func (p *publisher) preview(ctx context.Context, g protocol.Granularity, at time.Time) (*protocol.NodeSummary, []byte, error) {
	period := protocol.PeriodAt(at, g)
	if made, err := p.db.SummaryForPeriod(ctx, period); err == nil {
		return made.Summary, made.Wire, nil
	} else if !errors.Is(err, store.ErrNotFound) {
		return nil, nil, err
	}
	s, err := p.count(ctx, period)
	if err != nil {
		return nil, nil, err
	}
	s.GeneratedAt = min(s.GeneratedAt, period.End-1)
	wire, err := protocol.SignSummary(s, p.key, p.now())
	return s, wire, err
}
