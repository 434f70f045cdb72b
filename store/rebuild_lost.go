package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"time"

	"github.com/caro-mesh/caro-node/protocol"
)

// signedSummary is an own summary, as its audit record or the one that it replaced tells of it.
type signedSummary struct {
	id, replaces string
	at           int64 // ns since 1970
}

// noteLost finds out which own summaries were signed and could not be saved. Each was recorded in the audit log in the same
// transaction, so that the log tells, and its records that were kept apart do. And it notes from when on counts are whole.
func (sv *salvager) noteLost(ctx context.Context) error {
	summaries, records := sv.report.part(called["summary"]), sv.report.part(called["audit"])
	commands, incomplete := sv.report.part(called["event"]), sv.report.part(incompleteEvents)
	return sv.to.write(ctx, "note which summaries are lost", func(t *tx) error {
		var since time.Time
		if commands.Lost > 0 || commands.Uncounted || incomplete.Lost > 0 {
			since = sv.report.At
		}
		if err := t.countsFrom(since, sv.report.At); err != nil {
			return err
		}
		signed, err := t.signedPeriods()
		if err != nil {
			return err
		}
		for period, list := range signed {
			if period.End.Time().Before(sv.report.At.Add(-correctable)) { // nothing is signed of it any more
				continue
			}
			if err := t.noteLost(period, last(list)); err != nil {
				return err
			}
		}
		if summaries.Lost == 0 && !summaries.Uncounted {
			return nil
		}
		until := sv.report.At.UnixNano()
		if records.Lost == 0 && !records.Uncounted { // it tells everything since its first record
			if err := t.get(`SELECT coalesce(min(timestamp), 0) FROM audit WHERE (SELECT min(sequence) FROM audit) > 1`, nil, &until); err != nil || until == 0 {
				return err
			}
		}
		return t.forget(until)
	})
}

// forget notes that summaries of periods that ended until then may have been signed.
func (t *tx) forget(until int64) error {
	_, err := t.exec(`INSERT INTO forgotten_summaries (only, until) VALUES (1, ?) ON CONFLICT DO UPDATE SET until = max(until, excluded.until)`, until)
	return err
}

// countsFrom notes that the counts of hours before since are not whole; where nothing is known yet, of those before unknown.
func (t *tx) countsFrom(since, unknown time.Time) error {
	_, err := t.exec(`INSERT INTO counts_since (only, hour) VALUES (1, ?) ON CONFLICT DO UPDATE SET hour = max(hour, ?)`, hourOf(unknown), hourOf(since))
	return err
}

// signedPeriods returns what is known to have been signed.
func (t *tx) signedPeriods() (map[protocol.Period][]signedSummary, error) {
	signed := make(map[protocol.Period][]signedSummary)
	for _, table := range []string{"audit", "audit_orphan"} {
		if err := t.each(`SELECT timestamp, details FROM `+table+` WHERE event_type = ?`, []any{string(protocol.AuditSummaryGenerated)}, func(rows *sql.Rows) error {
			var at int64
			var details []byte
			if err := rows.Scan(&at, &details); err != nil {
				return err
			}
			if s, p, ok := recorded(details); ok {
				s.at = at
				signed[p] = append(signed[p], s)
			}
			return nil
		}); err != nil {
			return nil, err
		}
	}
	// What took the place of one that was saved.
	err := t.each(`SELECT s.id, s.replaced_by, s.granularity, s.period_start FROM summary s WHERE s.own = 1 AND s.replaced_by IS NOT NULL
		AND NOT EXISTS (SELECT 1 FROM summary c WHERE c.id = s.replaced_by)`, nil, func(rows *sql.Rows) error {
		var s signedSummary
		var g protocol.Granularity
		var start int64
		err := rows.Scan(&s.replaces, &s.id, &g, &start)
		p := protocol.PeriodAt(time.Unix(0, start), g)
		signed[p] = append(signed[p], s)
		return err
	})
	return signed, err
}

// recorded reads which summary an audit record tells of, if it does.
func recorded(details []byte) (s signedSummary, p protocol.Period, ok bool) {
	var d map[string]string
	if err := json.Unmarshal(details, &d); err != nil {
		return s, p, false
	}
	var start protocol.Timestamp
	g := protocol.Granularity(d["granularity"])
	if g.Validate() != nil || start.UnmarshalText([]byte(d["period_start"])) != nil {
		return s, p, false
	}
	s.id, s.replaces = d["summary_id"], d["replaces"]
	return s, protocol.PeriodAt(start.Time(), g), s.id != ""
}

// last returns the one that no other of the list replaces; the latest, should there be several.
func last(list []signedSummary) (found signedSummary) {
	replaced := make(map[string]bool)
	for _, s := range list {
		replaced[s.replaces] = true
	}
	for _, s := range list {
		if !replaced[s.id] && (found.id == "" || s.at > found.at) {
			found = s
		}
	}
	return found
}

// noteLost notes s if it is not there. What it replaced is then not the current one of its period.
func (t *tx) noteLost(p protocol.Period, s signedSummary) error {
	key := []any{string(p.Granularity), int64(p.Start)}
	var saved bool
	if err := t.get(`SELECT EXISTS (SELECT 1 FROM summary WHERE id = ?)`, []any{s.id}, &saved); err != nil || saved || s.id == "" {
		return err
	}
	if _, err := t.exec(`UPDATE summary SET replaced_by = ?3 WHERE own = 1 AND granularity = ?1 AND period_start = ?2 AND replaced_by IS NULL`,
		append(key, s.id)...); err != nil {
		return err
	}
	_, err := t.exec(`INSERT INTO lost_summary (granularity, period_start, id) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET id = excluded.id`, append(key, s.id)...)
	return err
}
