package store

import (
	"database/sql"
	"errors"
	"math"

	"github.com/caro-mesh/caro-node/protocol"
)

// Every event is in the range of exactly one segment, or after the last segment. A segment whose events changed is
// emptied; its range is read from the event table until it is packed again.
type packing struct {
	at      int64 // how many events may be outside of segments
	events  int   // of a full segment
	bytes   int   // of the commands of a full segment; one long command may exceed it
	smaller int64 // segments with fewer events are packed together with a neighbour when that is packed
}

// Reading a thousand events from their table takes a few milliseconds, and so does packing them.
var defaultPacking = packing{at: 1024, events: 1024, bytes: 256 << 10, smaller: 512}

// countLoose is the number of events that no segment holds, in SQL.
const countLoose = `((SELECT count(*) FROM event WHERE key > coalesce((SELECT last FROM segment ORDER BY first DESC LIMIT 1), -9223372036854775808))
	+ (SELECT coalesce(sum((SELECT count(*) FROM event WHERE key BETWEEN first AND last)), 0) FROM segment WHERE events = 0))`

// countAll is the number of all events: SQLite would count rows one by one, and the segments have counted most already.
const countAll = `((SELECT coalesce(sum(events), 0) FROM segment) + ` + countLoose + `)`

// span is a range of keys, both ends inclusive.
type span struct{ first, last int64 }

// unpack makes sure that no segment claims to hold what it did not hold before: the given keys, all inside of what was
// packed, that were inserted or removed.
func (t *tx) unpack(keys []int64) error {
	keys = sorted(keys)
	for len(keys) > 0 {
		var s span
		var events int64
		err := t.get(`SELECT first, last, events FROM segment WHERE first <= ? ORDER BY first DESC LIMIT 1`, []any{keys[0]}, &s.first, &s.last, &events)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		if err == nil && keys[0] <= s.last {
			if events > 0 {
				if _, err := t.exec(`UPDATE segment SET events = 0, grams = NULL, attributes = NULL, commands = NULL WHERE first = ?`, s.first); err != nil {
					return err
				}
				t.w.known.events.loose += events
			}
			keys = after(keys, s.last)
			continue
		}
		// Between two segments, or before the first: all keys up to the next one get an empty segment together.
		var next int64
		if err := t.get(`SELECT first FROM segment WHERE first > ? ORDER BY first LIMIT 1`, []any{keys[0]}, &next); err != nil {
			return err
		}
		rest := after(keys, next-1)
		if _, err := t.exec(`INSERT INTO segment (first, last, events) VALUES (?, ?, 0)`, keys[0], keys[len(keys)-len(rest)-1]); err != nil {
			return err
		}
		keys = rest
	}
	return nil
}

// after returns the part of the sorted keys that is greater than last.
func after(keys []int64, last int64) []int64 {
	for len(keys) > 0 && keys[0] <= last {
		keys = keys[1:]
	}
	return keys
}

// pack packs everything that is not in a segment.
func (t *tx) pack() error {
	known := &t.w.known.events
	for {
		var s span
		err := t.get(`SELECT first, last FROM segment WHERE events = 0 ORDER BY first LIMIT 1`, nil, &s.first, &s.last)
		if errors.Is(err, sql.ErrNoRows) {
			break
		}
		if err != nil {
			return err
		}
		if s, err = t.widen(s); err != nil {
			return err
		}
		if err := t.repack(s); err != nil {
			return err
		}
	}
	tail := span{first: noKey + 1, last: math.MaxInt64}
	if known.packedThrough != noKey {
		tail.first = known.packedThrough + 1
	}
	tail, err := t.widen(tail)
	if err == nil {
		err = t.repack(tail)
	}
	if err != nil {
		return err
	}
	known.packedThrough, known.loose = known.newest, 0
	return nil
}

// widen adds the small and the empty segments beside s.
func (t *tx) widen(s span) (span, error) {
	for _, side := range []struct {
		query string
		from  *int64
	}{
		{`SELECT first, last, events FROM segment WHERE first < ? ORDER BY first DESC LIMIT 1`, &s.first},
		{`SELECT first, last, events FROM segment WHERE first > ? ORDER BY first LIMIT 1`, &s.last},
	} {
		for {
			var n span
			var events int64
			err := t.get(side.query, []any{*side.from}, &n.first, &n.last, &events)
			if errors.Is(err, sql.ErrNoRows) || err == nil && events >= t.s.packing.smaller {
				break
			}
			if err != nil {
				return s, err
			}
			s.first, s.last = min(s.first, n.first), max(s.last, n.last)
			if events > 0 {
				break // a small one is enough; a chain of them would be packed over and over
			}
		}
	}
	return s, nil
}

// repack replaces the segments inside s by ones that hold what the event table has there.
func (t *tx) repack(s span) error {
	if _, err := t.exec(`DELETE FROM segment WHERE first BETWEEN ? AND ?`, s.first, s.last); err != nil {
		return err
	}
	full := t.s.packing
	var b segment
	var folded []byte
	err := t.each(`SELECT key, folder, category, risk, exit_code, command FROM event WHERE key BETWEEN ? AND ? ORDER BY key`,
		[]any{s.first, s.last}, func(rows *sql.Rows) error {
			e, command, err := scanTraits(rows)
			if err != nil {
				return err
			}
			folded = fold(folded[:0], command)
			if b.events >= full.events || b.events > 0 && len(b.commands)+len(folded) > full.bytes {
				if err := t.addSegment(&b); err != nil {
					return err
				}
				b.reset()
			}
			b.add(&e, folded)
			return nil
		})
	if err == nil && b.events > 0 {
		err = t.addSegment(&b)
	}
	return err
}

func (t *tx) addSegment(s *segment) error {
	_, err := t.exec(`INSERT INTO segment (first, last, events, grams, attributes, commands) VALUES (?, ?, ?, ?, ?, ?)`,
		s.first, s.last, s.events, []byte(s.grams), s.attributes, s.commands)
	return err
}

// scanTraits reads the columns key, folder, category, risk, exit_code, command.
func scanTraits(rows *sql.Rows) (t traits, command string, err error) {
	var exit sql.NullInt64
	var risk uint8
	err = rows.Scan(&t.key, &t.folder, &t.category, &risk, &exit, &command)
	t.risk, t.failed = protocol.RiskLevel(risk), exit.Valid && exit.Int64 != 0
	return t, command, err
}
