package store

import (
	"context"
	"database/sql"
	"errors"
	"slices"
)

// matchingKeys returns the keys of at most limit matching events, newest first.
func matchingKeys(ctx context.Context, r *sql.Tx, m *matcher, limit int) ([]int64, error) {
	if m.onlyTime() {
		var keys []int64
		err := eachRow(ctx, r, `SELECT key FROM event WHERE key >= ? AND key < ? ORDER BY key DESC LIMIT ?`,
			[]any{m.low, m.high, limit}, func(rows *sql.Rows) error {
				var key int64
				err := rows.Scan(&key)
				keys = append(keys, key)
				return err
			})
		return keys, err
	}
	f := finder{ctx: ctx, r: r, searcher: searcher{m: m}, bits: gramsOf(m.words), limit: limit}
	err := errors.Join(f.find(), f.close())
	if errors.Is(err, errEnough) {
		err = nil
	}
	return f.keys, err
}

// errEnough ends a search that has found as much as was asked for.
var errEnough = errors.New("enough found")

// finder collects matching keys, newest first. It reads of each segment only what the one before left open: the set of
// byte sequences, then the traits, then the commands.
type finder struct {
	ctx context.Context
	r   *sql.Tx
	searcher
	bits  []uint32
	load  *sql.Stmt // of the parts of a segment that are read when they are needed
	limit int
	keys  []int64
}

func (f *finder) find() error {
	tail := f.m.low
	var last int64
	err := f.r.QueryRowContext(f.ctx, `SELECT last FROM segment ORDER BY first DESC LIMIT 1`).Scan(&last)
	switch {
	case err == nil:
		tail = max(tail, last+1)
	case !errors.Is(err, sql.ErrNoRows):
		return err
	}
	if err := f.findLoose(tail, f.m.high); err != nil {
		return err
	}
	if f.load, err = f.r.PrepareContext(f.ctx, `SELECT attributes, commands FROM segment WHERE first = ?`); err != nil {
		return err
	}
	grams, attributes := "NULL", "NULL"
	if len(f.bits) > 0 {
		grams = "grams"
	}
	if f.m.hasTraits() {
		attributes = "attributes"
	}
	return eachRow(f.ctx, f.r, `SELECT first, last, events, `+grams+`, `+attributes+` FROM segment WHERE first < ? ORDER BY first DESC`,
		[]any{f.m.high}, f.findPacked)
}

func (f *finder) close() error {
	if f.load == nil {
		return nil
	}
	return f.load.Close()
}

// findLoose reads the events of [low, high) from their table.
func (f *finder) findLoose(low, high int64) error {
	if low >= high {
		return nil
	}
	var folded []byte
	return eachRow(f.ctx, f.r, `SELECT key, folder, category, risk, exit_code, command FROM event WHERE key >= ? AND key < ? ORDER BY key DESC`,
		[]any{low, high}, func(rows *sql.Rows) error {
			e, command, err := scanTraits(rows)
			if err != nil || !f.m.matches(&e) {
				return err
			}
			if len(f.m.words) > 0 {
				if folded = fold(folded[:0], command); !f.m.contains(folded, 0) {
					return nil
				}
			}
			return f.found(e.key)
		})
}

// findPacked searches the segment that is the current row.
func (f *finder) findPacked(rows *sql.Rows) error {
	var s segment
	var set, attributes sql.RawBytes
	if err := rows.Scan(&s.first, &s.last, &s.events, &set, &attributes); err != nil {
		return err
	}
	switch {
	case s.last < f.m.low:
		return errEnough
	case s.events == 0:
		return f.findLoose(max(s.first, f.m.low), min(s.last+1, f.m.high))
	case !grams(set).mayHold(f.bits):
		return nil
	}
	if f.m.hasTraits() {
		s.attributes = attributes
		if any, err := f.unpack(&s); err != nil || !any {
			return err
		}
	}
	if len(f.m.words) == 0 {
		return f.foundAll(f.all())
	}
	return f.findInCommands(&s)
}

// findInCommands reads the commands of s, whose traits have been looked at before when they matter.
func (f *finder) findInCommands(s *segment) error {
	rows, err := f.load.QueryContext(f.ctx, s.first)
	if err != nil {
		return err
	}
	return drain(rows, func(rows *sql.Rows) error {
		var attributes, commands sql.RawBytes
		if err := rows.Scan(&attributes, &commands); err != nil {
			return err
		}
		if !f.findWords(commands) {
			return nil
		}
		if !f.m.hasTraits() {
			s.attributes = attributes
			if _, err := f.unpack(s); err != nil {
				return err
			}
		}
		keys, err := f.withWords(s)
		if err != nil {
			return err
		}
		return f.foundAll(keys)
	})
}

// foundAll needs rising keys.
func (f *finder) foundAll(keys []int64) error {
	for _, k := range slices.Backward(keys) {
		if err := f.found(k); err != nil {
			return err
		}
	}
	return nil
}

func (f *finder) found(key int64) error {
	f.keys = append(f.keys, key)
	if len(f.keys) >= f.limit {
		return errEnough
	}
	return nil
}
