package store

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
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
	err := f.find()
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
	bits    []uint32
	load    *sql.Stmt // of the parts of a segment that are read when they are needed
	limit   int
	keys    []int64 // final, newest first
	pending []int64 // may have newer ones in segments that were not searched yet
}

func (f *finder) find() error {
	var packed sql.NullInt64
	if err := f.r.QueryRowContext(f.ctx, `SELECT max(last) FROM segment`).Scan(&packed); err != nil {
		return err
	}
	tail := f.m.low
	if packed.Valid {
		tail = max(tail, packed.Int64+1)
	}
	if err := f.findLoose(`FROM event e WHERE e.key >= ? AND e.key < ? ORDER BY e.key DESC`, tail); err != nil {
		return err
	}
	if err := f.settle(tail); err != nil {
		return err
	}
	if err := f.findLoose(`FROM late l CROSS JOIN event e ON e.key = l.key WHERE l.key >= ? AND l.key < ? ORDER BY l.key DESC`, f.m.low); err != nil {
		return err
	}
	if err := f.findPacked(); err != nil {
		return err
	}
	return f.settle(noKey)
}

// settle makes the pending keys from low on final: nothing that is searched later is newer.
func (f *finder) settle(low int64) error {
	slices.SortFunc(f.pending, func(a, b int64) int { return cmp.Compare(b, a) })
	n := 0
	for n < len(f.pending) && f.pending[n] >= low {
		n++
	}
	f.keys = append(f.keys, f.pending[:n]...)
	f.pending = append(f.pending[:0], f.pending[n:]...)
	if len(f.keys) >= f.limit {
		f.keys = f.keys[:f.limit]
		return errEnough
	}
	f.pending = f.pending[:min(len(f.pending), f.limit-len(f.keys))]
	return nil
}

// findLoose reads events from their table; low is the first of the two arguments that the query takes.
func (f *finder) findLoose(from string, low int64) error {
	if low >= f.m.high {
		return nil
	}
	var folded []byte
	found := 0
	err := eachRow(f.ctx, f.r, `SELECT `+traitColumns+` `+from, []any{low, f.m.high}, func(rows *sql.Rows) error {
		e, command, err := scanTraits(rows)
		if err != nil || !f.m.matches(&e) || !f.m.exits(e.exit) {
			return err
		}
		if len(f.m.words) > 0 {
			if folded = fold(folded[:0], command); !f.m.contains(folded, 0) {
				return nil
			}
		}
		f.pending = append(f.pending, e.key)
		if found++; found == f.limit {
			return errEnough
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		return nil // the rest of these is older; others may be newer
	}
	return err
}

func (f *finder) findPacked() (err error) {
	if f.load, err = f.r.PrepareContext(f.ctx, `SELECT attributes, commands FROM segment WHERE last = ?`); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.load.Close()) }()
	first, second := "NULL", "NULL"
	if len(f.bits) > 0 {
		first = "grams"
	}
	if f.m.hasTraits() {
		second = "attributes"
	}
	return eachRow(f.ctx, f.r, `SELECT last, first, events, `+first+`, `+second+` FROM segment
		WHERE last >= ? AND first < ? ORDER BY last DESC`, []any{f.m.low, f.m.high}, f.findInSegment)
}

// findInSegment searches the segment that is the current row.
func (f *finder) findInSegment(rows *sql.Rows) error {
	var s segment
	var set, attributes sql.RawBytes
	if err := rows.Scan(&s.last, &s.first, &s.events, &set, &attributes); err != nil {
		return err
	}
	if err := f.settle(s.last + 1); err != nil {
		return err
	}
	if !grams(set).mayHold(f.bits) {
		return nil
	}
	if f.m.hasTraits() {
		s.attributes = attributes
		if match, err := f.unpack(&s); err != nil || !match {
			return err
		}
	}
	if len(f.m.words) > 0 {
		return f.findInCommands(&s)
	}
	return f.take(f.all())
}

// take adds keys from a segment to the pending ones.
func (f *finder) take(keys []int64) error {
	if f.m.exit == nil || len(keys) == 0 {
		f.pending = append(f.pending, keys...)
		return nil
	}
	array, err := json.Marshal(keys)
	if err != nil {
		return err
	}
	return eachRow(f.ctx, f.r, `SELECT e.key FROM json_each(?) AS wanted CROSS JOIN event e ON e.key = wanted.value WHERE e.exit_code = ?`,
		[]any{string(array), *f.m.exit}, func(rows *sql.Rows) error {
			var key int64
			err := rows.Scan(&key)
			f.pending = append(f.pending, key)
			return err
		})
}

// findInCommands reads the commands of s, whose traits have been looked at before when they matter.
func (f *finder) findInCommands(s *segment) error {
	rows, err := f.load.QueryContext(f.ctx, s.last)
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
		return f.take(keys)
	})
}
