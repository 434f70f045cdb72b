package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

const (
	// shrinkBatch is how many pages one transaction gives back, so that writers do not wait long: a megabyte.
	shrinkBatch = 256
	// Free pages are left alone below shrinkFrom bytes and below an eighth of the file: what is stored next needs them.
	shrinkFrom  = 1 << 20
	shrinkShare = 8
)

// Shrink gives pages that removed rows have left back to the file system, when they are many: down to half of what is left
// alone. Others write meanwhile. It returns how many bytes it gave back; the file is shorter after the next checkpoint.
func (s *Store) Shrink(ctx context.Context) (freed int64, err error) {
	const doing = "give unused space back"
	var all, unused int64
	if err := s.readers.QueryRowContext(ctx, `SELECT page_count, freelist_count FROM pragma_page_count, pragma_freelist_count`).Scan(&all, &unused); err != nil {
		return 0, s.explain(doing, err)
	}
	limit := max(shrinkFrom/pageSize, all/shrinkShare)
	if unused < limit {
		return 0, nil
	}
	for unused > limit/2 {
		var left int64
		if err := s.write(ctx, doing, func(t *tx) error {
			// Not prepared: pragmas may be evaluated when they are compiled. Each step frees a page.
			rows, err := t.w.conn.QueryContext(t.ctx, fmt.Sprintf(`PRAGMA incremental_vacuum(%d)`, min(shrinkBatch, unused-limit/2)))
			if err != nil {
				return err
			}
			if err := drain(rows, func(*sql.Rows) error { return nil }); err != nil {
				return err
			}
			return t.w.conn.QueryRowContext(t.ctx, `PRAGMA freelist_count`).Scan(&left)
		}); err != nil {
			return freed, err
		}
		if left >= unused { // nothing moves any more
			break
		}
		freed += (unused - left) * pageSize
		unused = left
	}
	return freed, nil
}

const (
	day = 24 * time.Hour
	// keepSamples is how many days of sizes are remembered, and growthOver over how many of them growth is told.
	keepSamples = 400
	growthOver  = 7
)

// NoteSize remembers how large the database is today.
func (s *Store) NoteSize(ctx context.Context) error {
	z, err := s.Sizes(ctx)
	if err != nil {
		return err
	}
	today := s.now().Unix() / int64(day/time.Second)
	return s.write(ctx, "note the size of the database", func(t *tx) error {
		if _, err := t.exec(`INSERT INTO size_sample (day, bytes, events) VALUES (?, ?, ?)
			ON CONFLICT DO UPDATE SET bytes = excluded.bytes, events = excluded.events`, today, z.DatabaseBytes-z.FreeBytes, z.Events); err != nil {
			return err
		}
		_, err := t.exec(`DELETE FROM size_sample WHERE day <= ?`, today-keepSamples)
		return err
	})
}

// Growth is a change of the database's size.
type Growth struct {
	Bytes  int64 // may be below 0
	Events int64 // may be below 0
	Days   int   // over which it happened, 1 to 7
}

// Growth returns how the database has changed over up to seven days that were noted, nil before there are two of them.
func (s *Store) Growth(ctx context.Context) (*Growth, error) {
	var first, last struct{ day, bytes, events int64 }
	err := s.read(ctx, func(r *sql.Tx) error {
		if err := r.QueryRowContext(ctx, `SELECT day, bytes, events FROM size_sample ORDER BY day DESC LIMIT 1`).Scan(&last.day, &last.bytes, &last.events); err != nil {
			return err
		}
		return r.QueryRowContext(ctx, `SELECT day, bytes, events FROM size_sample WHERE day >= ? ORDER BY day LIMIT 1`, last.day-growthOver).
			Scan(&first.day, &first.bytes, &first.events)
	})
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil, nil //nolint:nilnil // nothing is known yet
	case err != nil:
		return nil, s.explain("read how the database has grown", err)
	case first.day == last.day:
		return nil, nil //nolint:nilnil // as above
	}
	return &Growth{Bytes: last.bytes - first.bytes, Events: last.events - first.events, Days: int(last.day - first.day)}, nil
}
