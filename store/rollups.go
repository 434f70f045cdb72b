package store

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/zeebo/blake3"

	"github.com/caro-mesh/caro-node/observer/event"
	"github.com/caro-mesh/caro-node/protocol"
)

// Rollup counts the events of one category and risk level that started in one hour.
type Rollup struct {
	Hour          time.Time // UTC, on the hour
	Category      protocol.CommandCategory
	Risk          protocol.RiskLevel
	Count         uint64 // at least 1
	TimedCount    uint64 // with a known duration
	DurationMSSum uint64 // over the timed ones, each counted as a year at most
	FailureCount  uint64 // with a known exit code other than 0
	Blocked       uint64 // stopped by the guard
	Confirmed     uint64 // moderate or riskier, and confirmed by the user
	CaroGenerated uint64
	CaroExecuted  uint64
}

// maxDurationMS is the most that one event adds to a sum of durations, so that no sum overflows: a year.
const maxDurationMS = 366 * 24 * int64(time.Hour/time.Millisecond)

// Rollups returns the counts of the hours that start in [start, end), by hour, category and risk.
func (s *Store) Rollups(ctx context.Context, start, end time.Time) ([]Rollup, error) {
	first, next := hoursWithin(start, end)
	var list []Rollup
	err := s.each(ctx, `SELECT r.hour, c.name, r.risk, sum(r.commands), sum(r.timed), sum(r.duration_ms), sum(r.failed), sum(r.blocked),
			sum(r.confirmed), sum(r.caro_generated), sum(r.caro_executed)
		FROM rollup r CROSS JOIN category c ON c.id = r.category WHERE r.hour >= ? AND r.hour < ?
		GROUP BY r.hour, r.category, r.risk`, []any{first, next},
		func(rows *sql.Rows) error {
			var r Rollup
			var hour int64
			err := rows.Scan(&hour, &r.Category, &r.Risk, &r.Count, &r.TimedCount, &r.DurationMSSum, &r.FailureCount, &r.Blocked,
				&r.Confirmed, &r.CaroGenerated, &r.CaroExecuted)
			r.Hour = timeOfHour(hour)
			list = append(list, r)
			return err
		})
	slices.SortFunc(list, func(a, b Rollup) int {
		return cmp.Or(a.Hour.Compare(b.Hour), cmp.Compare(a.Category, b.Category), cmp.Compare(a.Risk, b.Risk))
	})
	return list, s.explain("read the counts of commands", err)
}

// UniquePatterns returns how many distinct command patterns occurred in the hours that start in [start, end), leaving
// out events of the categories for which denied returns true, and events without a pattern. A nil denied denies none.
func (s *Store) UniquePatterns(ctx context.Context, start, end time.Time, denied func(protocol.CommandCategory) bool) (uint64, error) {
	first, next := hoursWithin(start, end)
	seen := make(map[int64]struct{})
	refused := make(map[int64]bool)
	err := s.read(ctx, func(r *sql.Tx) error {
		if err := eachRow(ctx, r, `SELECT id, name FROM category`, nil, func(rows *sql.Rows) error {
			var id int64
			var name protocol.CommandCategory
			err := rows.Scan(&id, &name)
			refused[id] = denied != nil && denied(name)
			return err
		}); err != nil {
			return err
		}
		return eachRow(ctx, r, `SELECT category, pattern FROM rollup WHERE hour >= ? AND hour < ? AND pattern <> 0`, []any{first, next}, func(rows *sql.Rows) error {
			var category, pattern int64
			err := rows.Scan(&category, &pattern)
			if !refused[category] {
				seen[pattern] = struct{}{}
			}
			return err
		})
	})
	return uint64(len(seen)), s.explain("count command patterns", err)
}

// delta collects how a transaction changes the counts.
type delta map[rollupKey]*rollupCounts

type rollupKey struct{ hour, category, risk, pattern int64 }

type rollupCounts struct {
	commands, timed, durationMS, failed, blocked, confirmed, generated, executed int64
}

// add counts e once with sign 1, and takes it back with sign -1.
func (d delta) add(e *event.Event, category, sign int64) {
	k := rollupKey{hour: hourOf(e.Timestamp), category: category, risk: int64(e.RiskLevel), pattern: patternHash(e.Pattern)}
	c := d[k]
	if c == nil {
		c = new(rollupCounts)
		d[k] = c
	}
	c.commands += sign
	if e.DurationMS != nil {
		c.timed += sign
		c.durationMS += sign * min(*e.DurationMS, maxDurationMS)
	}
	count := func(n *int64, when bool) {
		if when {
			*n += sign
		}
	}
	count(&c.failed, e.Failed())
	count(&c.blocked, e.Blocked)
	count(&c.confirmed, e.UserConfirmed && e.RiskLevel >= protocol.RiskModerate)
	count(&c.generated, e.CaroGenerated)
	count(&c.executed, e.CaroExecuted)
}

// patternHash returns 0 for no pattern, and only for it.
func patternHash(pattern string) int64 {
	if pattern == "" {
		return 0
	}
	sum := blake3.Sum256([]byte(pattern))
	if h := int64(binary.BigEndian.Uint64(sum[:8])); h != 0 {
		return h
	}
	return 1
}

const addRollup = `INSERT INTO rollup
	(hour, category, risk, pattern, commands, timed, duration_ms, failed, blocked, confirmed, caro_generated, caro_executed)
	VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
	commands = commands + excluded.commands, timed = timed + excluded.timed, duration_ms = duration_ms + excluded.duration_ms,
	failed = failed + excluded.failed, blocked = blocked + excluded.blocked, confirmed = confirmed + excluded.confirmed,
	caro_generated = caro_generated + excluded.caro_generated, caro_executed = caro_executed + excluded.caro_executed`

// apply adds what was collected to the table.
func (d delta) apply(t *tx) error {
	for _, k := range d.keys() {
		c := d[k]
		if _, err := t.exec(addRollup, k.hour, k.category, k.risk, k.pattern, c.commands, c.timed, c.durationMS, c.failed, c.blocked,
			c.confirmed, c.generated, c.executed); err != nil {
			return err
		}
	}
	return nil
}

// applyRemoval is apply for events that were taken back: counts that reach zero disappear.
func (d delta) applyRemoval(t *tx) error {
	if err := d.apply(t); err != nil {
		return err
	}
	for _, k := range d.keys() {
		key := []any{k.hour, k.category, k.risk, k.pattern}
		var n int64
		if err := t.get(`SELECT commands FROM rollup WHERE hour = ? AND category = ? AND risk = ? AND pattern = ?`, key, &n); err != nil {
			return err
		}
		if n < 0 {
			return fmt.Errorf("%w: fewer commands were counted than are stored", ErrDamaged)
		}
		if n > 0 {
			continue
		}
		if _, err := t.exec(`DELETE FROM rollup WHERE hour = ? AND category = ? AND risk = ? AND pattern = ?`, key...); err != nil {
			return err
		}
	}
	return nil
}

// keys are in order, so that neighbours in the table are changed one after the other.
func (d delta) keys() []rollupKey {
	return slices.SortedFunc(maps.Keys(d), func(a, b rollupKey) int {
		return cmp.Or(cmp.Compare(a.hour, b.hour), cmp.Compare(a.category, b.category), cmp.Compare(a.risk, b.risk), cmp.Compare(a.pattern, b.pattern))
	})
}
