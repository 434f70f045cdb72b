package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/caro-mesh/caro-node/observer/event"
)

// deleteBatch is how many events one transaction removes, so that writers do not wait long.
const deleteBatch = 1000

// DeleteEvents removes the events with these IDs for good and takes them out of the counts, and returns how many there
// were. What it returns nil for is overwritten in the file and in its write-ahead log. IDs that are not stored are no
// error.
func (s *Store) DeleteEvents(ctx context.Context, ids []string) (int64, error) {
	const doing = "delete events"
	raw := make([]uuid.UUID, len(ids))
	for i, id := range ids {
		var err error
		if raw[i], err = uuid.Parse(id); err != nil {
			return 0, fmt.Errorf("%s: %q is not a UUID", doing, id)
		}
	}
	var deleted int64
	for len(raw) > 0 {
		n := min(len(raw), deleteBatch)
		if err := s.write(ctx, doing, func(t *tx) error {
			var keys []int64
			for _, id := range raw[:n] {
				var key int64
				err := t.get(`SELECT key FROM event WHERE id = ?`, []any{id[:]}, &key)
				if errors.Is(err, sql.ErrNoRows) {
					continue
				}
				if err != nil {
					return err
				}
				keys = append(keys, key)
			}
			gone, err := t.remove(keys, true)
			deleted += gone
			return err
		}); err != nil {
			return deleted, err
		}
		raw = raw[n:]
	}
	return deleted, s.eraseTraces(ctx, doing, deleted)
}

// DeleteMatching is [Store.DeleteEvents] for every event that f chooses; Limit and Cursor of f do not count. The zero
// filter chooses everything.
func (s *Store) DeleteMatching(ctx context.Context, f EventFilter) (int64, error) {
	return s.deleteMatching(ctx, "delete events", f, func(t *tx, keys []int64) (int64, error) { return t.remove(keys, true) })
}

// deleteMatching calls remove, in a transaction each, with the keys of what f chooses until there is nothing left.
func (s *Store) deleteMatching(ctx context.Context, doing string, f EventFilter, remove func(*tx, []int64) (int64, error)) (int64, error) {
	f.Cursor = ""
	var deleted int64
	for {
		var keys []int64
		if err := s.read(ctx, func(r *sql.Tx) error {
			m, ok, err := newMatcher(ctx, r, &f)
			if err == nil && ok {
				keys, err = matchingKeys(ctx, r, &m, deleteBatch)
			}
			return err
		}); err != nil {
			return deleted, s.explain(doing, err)
		}
		if len(keys) == 0 {
			return deleted, s.eraseTraces(ctx, doing, deleted)
		}
		if err := s.write(ctx, doing, func(t *tx) error {
			gone, err := remove(t, keys)
			deleted += gone
			return err
		}); err != nil {
			return deleted, err
		}
	}
}

// remove removes the events with these keys and returns how many there were. With correct, the hours that they started in
// count as changed.
func (t *tx) remove(keys []int64, correct bool) (int64, error) {
	counts := make(delta)
	var gone []int64
	for _, k := range slices.Compact(slices.Sorted(slices.Values(keys))) { // one that is named twice is counted once
		e, category, err := t.countedParts(k)
		if errors.Is(err, sql.ErrNoRows) {
			continue
		}
		if err != nil {
			return 0, err
		}
		counts.add(&e, category, -1)
		gone = append(gone, k)
	}
	if err := counts.applyRemoval(t); err != nil {
		return 0, err
	}
	if correct {
		if err := counts.note(t); err != nil {
			return 0, err
		}
	}
	if err := t.unpack(gone); err != nil {
		return 0, err
	}
	for _, k := range gone {
		if _, err := t.exec(`DELETE FROM event WHERE key = ?`, k); err != nil {
			return 0, err
		}
	}
	t.w.known.valid = false // the counts of what is known are easier to read again than to correct
	return int64(len(gone)), nil
}

// countedParts returns the fields of an event that the counts depend on.
func (t *tx) countedParts(key int64) (e event.Event, category int64, err error) {
	var nanos, flags int64
	var risk uint8
	var exit, duration sql.NullInt64
	if err := t.get(`SELECT nanos, category, risk, exit_code, duration_ms, flags, pattern FROM event WHERE key = ?`, []any{key},
		&nanos, &category, &risk, &exit, &duration, &flags, &e.Pattern); err != nil {
		return e, 0, err
	}
	e.Timestamp = timeOf(key, nanos)
	setOutcome(&e, risk, flags, exit, duration)
	return e, category, nil
}

// eraseTraces removes the names that no event uses any more, and what unused parts of the file and the write-ahead log
// still hold.
func (s *Store) eraseTraces(ctx context.Context, doing string, deleted int64) error {
	if deleted == 0 {
		return nil
	}
	if err := s.write(ctx, doing, func(t *tx) error {
		t.w.known.valid = false
		for _, q := range []string{
			`DELETE FROM folder WHERE id NOT IN (SELECT folder FROM event)`,
			`DELETE FROM session WHERE id NOT IN (SELECT session FROM event WHERE session IS NOT NULL)`,
		} {
			if _, err := t.exec(q); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		return err
	}
	if err := s.scrub(ctx, doing); err != nil {
		return err
	}
	return s.emptyLog(ctx, doing)
}

// emptyLog moves everything from the write-ahead log into the database and cuts the log to nothing.
func (s *Store) emptyLog(ctx context.Context, doing string) error {
	w := s.writer
	if err := w.acquire(ctx); err != nil {
		return s.explain(doing, err)
	}
	defer w.release()
	var busy, pages, moved int64
	if err := w.conn.QueryRowContext(ctx, `PRAGMA wal_checkpoint(TRUNCATE)`).Scan(&busy, &pages, &moved); err != nil {
		return s.explain(doing, err)
	}
	if busy != 0 {
		return fmt.Errorf("%s: done, but another program is reading %s, so old copies remain beside it for now; end that program and delete again", doing, s.path)
	}
	return nil
}
