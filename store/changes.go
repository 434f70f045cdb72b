package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/caro-mesh/caro-node/protocol"
)

// correctable is how far back changed counts are noted. Longer ago nobody may ask for counts
// ([protocol.MaxQueryRange]), and a week that began before that has ended.
const correctable = protocol.MaxQueryRange + 7*24*time.Hour

// ChangedHour is an ended hour whose counts have changed, so that a summary of it may have to be corrected.
type ChangedHour struct {
	Hour        time.Time // UTC, on the hour
	Changes     int64     // how many transactions changed them since; above 0
	First, Last time.Time // when the first and the last of these did
}

// ChangedHours returns the ended hours whose counts have changed since [Store.SettleHours] was told about them, oldest
// first.
func (s *Store) ChangedHours(ctx context.Context) ([]ChangedHour, error) {
	var list []ChangedHour
	err := s.each(ctx, `SELECT hour, changes, first_at, last_at FROM changed_hour ORDER BY hour`, nil, func(rows *sql.Rows) error {
		var hour, first, last int64
		var c ChangedHour
		err := rows.Scan(&hour, &c.Changes, &first, &last)
		c.Hour, c.First, c.Last = timeOfHour(hour), time.Unix(0, first).UTC(), time.Unix(0, last).UTC()
		list = append(list, c)
		return err
	})
	return list, s.explain("read which hours have changed", err)
}

// SettleHours forgets that these hours have changed, save those that have changed again since they were read.
func (s *Store) SettleHours(ctx context.Context, hours []ChangedHour) error {
	if len(hours) == 0 {
		return nil
	}
	return s.write(ctx, "forget which hours have changed", func(t *tx) error {
		for _, h := range hours {
			if _, err := t.exec(`DELETE FROM changed_hour WHERE hour = ? AND changes = ?`, hourOf(h.Hour), h.Changes); err != nil {
				return err
			}
		}
		return nil
	})
}

// CountsSince returns from when on the counts are those of every command that was ever stored or deleted by hand;
// retention has removed earlier ones. It is now where that was lost with a damaged file.
func (s *Store) CountsSince(ctx context.Context) (time.Time, error) {
	var hour int64
	err := s.readers.QueryRowContext(ctx, `SELECT hour FROM counts_since`).Scan(&hour)
	if errors.Is(err, sql.ErrNoRows) {
		return s.now(), nil
	}
	return timeOfHour(hour), s.explain("read from when on counts are kept", err)
}

// ExpireEvents removes the events that started before the given time, and their counts, because they are too old to be
// kept, and returns how many there were. Unlike a deletion by hand it corrects no summary: what was counted has happened.
func (s *Store) ExpireEvents(ctx context.Context, before time.Time) (int64, error) {
	since := hourOf(before)
	if timeOfHour(since).Before(before) {
		since++
	}
	return s.deleteMatching(ctx, "remove old events", EventFilter{Until: before}, func(t *tx, keys []int64) (int64, error) {
		gone, err := t.remove(keys, false)
		if err == nil {
			_, err = t.exec(`INSERT INTO counts_since (only, hour) VALUES (1, ?) ON CONFLICT DO UPDATE SET hour = max(hour, excluded.hour)`, since)
		}
		return gone, err
	})
}

const noteChange = `INSERT INTO changed_hour (hour, changes, first_at, last_at) VALUES (?, 1, ?, ?)
	ON CONFLICT DO UPDATE SET changes = changes + 1, last_at = excluded.last_at`

// note remembers which ended hours d changes. A command that was typed just now belongs to an hour that has not ended.
func (d delta) note(t *tx) error {
	now := t.s.now()
	this, oldest := hourOf(now), hourOf(now.Add(-correctable))
	var ended map[int64]struct{} // most often there are none
	for k := range d {
		if k.hour >= this || k.hour < oldest {
			continue
		}
		if ended == nil {
			ended = make(map[int64]struct{})
		}
		ended[k.hour] = struct{}{}
	}
	for hour := range ended {
		if _, err := t.exec(noteChange, hour, now.UnixNano(), now.UnixNano()); err != nil {
			return err
		}
	}
	return nil
}
