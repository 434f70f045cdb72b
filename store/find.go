package store

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
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
	f := newFinder(ctx, r, m, limit)
	err := f.find()
	if errors.Is(err, errEnough) {
		err = nil
	}
	return f.keys, err
}

// errEnough ends a search that has found as much as was asked for.
var errEnough = errors.New("enough found")

// finder collects matching keys, newest first. Of each segment, only what the part before left open is looked at: the set
// of byte sequences, then the traits, then the commands.
type finder struct {
	ctx   context.Context
	quiet context.Context // never ends: watching one costs a goroutine for each statement, and none of these takes long
	r     *sql.Tx
	searcher
	bits    []uint32
	at      int64     // the segment that was looked at last
	failed  error     // why one could not be
	read    *sql.Stmt // of the unsure ones
	folded  []byte
	limit   int
	keys    []int64 // final, newest first
	pending []int64 // may have newer ones in segments that were not searched yet
	unsure  []int64 // have to be read from their table to know whether they match
}

func newFinder(ctx context.Context, r *sql.Tx, m *matcher, limit int) *finder {
	return &finder{ctx: ctx, quiet: context.WithoutCancel(ctx), r: r, searcher: searcher{m: m}, bits: gramsOf(m.words), limit: limit}
}

func (f *finder) find() error {
	var packed sql.NullInt64
	if err := f.r.QueryRowContext(f.quiet, `SELECT max(last) FROM segment`).Scan(&packed); err != nil {
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
	err := eachRow(f.quiet, f.r, `SELECT `+traitColumns+` `+from, []any{low, f.m.high}, func(rows *sql.Rows) error {
		e, command, err := scanTraits(rows)
		if err != nil || !f.m.matches(&e) || !f.m.exited(e.exit) {
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
	defer func() {
		if f.read != nil {
			err = errors.Join(err, f.read.Close())
		}
	}()
	number, done := inside.begin(f)
	defer done()
	// Only the columns of the first condition that fails are read.
	where, attributes := `caro_traits(?1, last, first, events, attributes)`, `NULL`
	if len(f.m.words) > 0 {
		where = `caro_words(?1, last, commands)`
		if attributes = `attributes`; f.m.hasTraits() {
			attributes = `NULL`
			where = fmt.Sprintf(`CASE caro_traits(?1, last, first, events, attributes) WHEN %d THEN 0 WHEN %d THEN 1 ELSE %s END`, traitsNone, traitsFew, where)
		}
	}
	if len(f.bits) > 0 {
		where = `caro_grams(?1, grams) AND ` + where
	}
	if err := eachRow(f.quiet, f.r, `SELECT last, first, events, `+attributes+` FROM segment
		WHERE last >= ?2 AND first < ?3 AND (caro_stop(?1, last) OR `+where+`) ORDER BY last DESC`, []any{number, f.m.low, f.m.high}, f.found); err != nil {
		return err
	}
	return f.makeSure()
}

// found takes what matches in the segment that is the current row, in which the functions of [insideSearch] have found
// something, or before which they have stopped.
func (f *finder) found(rows *sql.Rows) error {
	var s segment
	var attributes sql.RawBytes
	if err := rows.Scan(&s.last, &s.first, &s.events, &attributes); err != nil {
		return err
	}
	if err := errors.Join(f.ctx.Err(), f.failed); err != nil {
		return err
	}
	if err := f.advance(s.last + 1); err != nil {
		return err
	}
	if f.at != s.last {
		return fmt.Errorf("%w: segment %d was not searched", ErrDamaged, s.last)
	}
	switch {
	case len(f.m.words) == 0:
		f.take(f.all())
		return nil
	case !f.m.hasTraits():
		s.attributes = attributes
		if _, err := f.unpack(&s); err != nil {
			return err
		}
	default:
		if keys := f.all(); len(keys) <= fewRows {
			f.unsure = append(f.unsure, keys...)
			return nil
		}
	}
	keys, err := f.withWords(&s)
	f.take(keys)
	return err
}

// fewRows is up to how many events are read from their table, rather than all commands of their segment.
const fewRows = 4

// take adds keys from a segment to those that were found.
func (f *finder) take(keys []int64) {
	if f.m.exit != nil { // a segment holds its mark alone
		f.unsure = append(f.unsure, keys...)
	} else {
		f.pending = append(f.pending, keys...)
	}
}

// sureTogether is how many events are read from their table at once; a statement for each would cost more than its answer.
const sureTogether = 64

// advance makes final what was found before the segments whose keys are all below low.
func (f *finder) advance(low int64) error {
	if n := len(f.unsure); n > 0 {
		if n < sureTogether && len(f.keys)+len(f.pending)+n < f.limit {
			return nil
		}
		if err := f.makeSure(); err != nil {
			return err
		}
	}
	return f.settle(low)
}

// makeSure reads the unsure events, and adds those that match to the pending ones.
func (f *finder) makeSure() (err error) {
	if len(f.unsure) > 0 && f.read == nil {
		if f.read, err = f.r.PrepareContext(f.quiet, `SELECT `+traitColumns+` FROM json_each(?) AS wanted CROSS JOIN event e ON e.key = wanted.value`); err != nil {
			return err
		}
	}
	for part := range slices.Chunk(f.unsure, sureTogether) {
		array, err := json.Marshal(part)
		if err != nil {
			return err
		}
		rows, err := f.read.QueryContext(f.quiet, string(array))
		if err != nil {
			return err
		}
		if err := drain(rows, func(rows *sql.Rows) error {
			e, command, err := scanTraits(rows)
			if err != nil || !f.m.exited(e.exit) {
				return err
			}
			if f.folded = fold(f.folded[:0], command); f.m.contains(f.folded, 0) {
				f.pending = append(f.pending, e.key)
			}
			return nil
		}); err != nil {
			return err
		}
	}
	f.unsure = f.unsure[:0]
	return nil
}
