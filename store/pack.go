package store

import (
	"database/sql"
	"errors"
	"fmt"

	"github.com/caro-mesh/caro-node/protocol"
)

// packing says how much goes into a segment.
type packing struct {
	events int // at most; also how many events may wait outside of segments
	bytes  int // of commands, at most; one long command may exceed it
}

// Reading a thousand events from their table takes about a millisecond, and so does packing them.
var defaultPacking = packing{events: 1024, bytes: 256 << 10}

// countLoose is the number of events that no segment holds, in SQL, and countAll that of all: SQLite would count rows
// one by one, and the segments have counted most already.
const (
	countLoose = `((SELECT count(*) FROM event WHERE key > coalesce((SELECT max(last) FROM segment), -9223372036854775808))
		+ (SELECT count(*) FROM late))`
	countAll = `((SELECT coalesce(sum(events), 0) FROM segment) + ` + countLoose + `)`
)

const traitColumns = `e.key, e.folder, e.category, e.risk, e.exit_code, e.command`

// pack makes segments of the events outside of them, as long as it can fill one. Late events and those after the last
// segment go together, so that there are no small ones.
func (t *tx) pack() error {
	known := &t.w.known.events
	full := t.s.packing
	var b segment
	var folded []byte
	lastPacked := int64(noKey)
	add := func(rows *sql.Rows) error {
		e, command, err := scanTraits(rows)
		if err != nil {
			return err
		}
		folded = fold(folded[:0], command)
		if b.events >= full.events || b.events > 0 && len(b.commands)+len(folded) > full.bytes {
			if err := t.addSegment(&b); err != nil {
				return err
			}
			lastPacked = b.last
			known.loose -= int64(b.events)
			b.reset()
		}
		b.add(&e, folded)
		return nil
	}
	// All late keys are smaller than those after the last segment.
	if err := t.each(`SELECT `+traitColumns+` FROM late l CROSS JOIN event e ON e.key = l.key ORDER BY l.key`, nil, add); err != nil {
		return err
	}
	if err := t.each(`SELECT `+traitColumns+` FROM event e WHERE e.key > ? ORDER BY e.key`, []any{known.packedThrough}, add); err != nil {
		return err
	}
	if b.events >= full.events {
		if err := t.addSegment(&b); err != nil {
			return err
		}
		lastPacked = b.last
		known.loose -= int64(b.events)
	}
	if lastPacked == noKey {
		return nil
	}
	known.packedThrough = max(known.packedThrough, lastPacked)
	_, err := t.exec(`DELETE FROM late WHERE key <= ?`, lastPacked)
	return err
}

func (t *tx) addSegment(s *segment) error {
	_, err := t.exec(`INSERT INTO segment (last, first, events, grams, attributes, commands) VALUES (?, ?, ?, ?, ?, ?)`,
		s.last, s.first, s.events, []byte(s.grams), s.attributes, s.commands)
	return err
}

// unpack takes removed events out of the segments or the list of late ones that hold them.
func (t *tx) unpack(keys []int64) error {
	gone := make(map[int64]bool)
	for _, k := range keys {
		n, err := t.exec(`DELETE FROM late WHERE key = ?`, k)
		if err != nil {
			return err
		}
		if n == 0 && k <= t.w.known.events.packedThrough {
			gone[k] = true
		}
	}
	for k := range gone {
		if !gone[k] { // went together with another one
			continue
		}
		if err := t.unpackOne(k, gone); err != nil {
			return err
		}
	}
	// Without the last segment, what was late behind it may be late no more.
	_, err := t.exec(`DELETE FROM late WHERE key > coalesce((SELECT max(last) FROM segment), -9223372036854775808)`)
	return err
}

// unpackOne rewrites the segment that holds key without any of the keys in gone, and marks those as done.
func (t *tx) unpackOne(key int64, gone map[int64]bool) error {
	var candidates []segment
	if err := t.each(`SELECT last, first, events, attributes, commands FROM segment WHERE last >= ? AND first <= ? ORDER BY last`, []any{key, key},
		func(rows *sql.Rows) error {
			var s segment
			err := rows.Scan(&s.last, &s.first, &s.events, &s.attributes, &s.commands)
			candidates = append(candidates, s)
			return err
		}); err != nil {
		return err
	}
	for i := range candidates {
		rest, found, err := candidates[i].without(key, gone)
		if err != nil {
			return err
		}
		if !found {
			continue
		}
		if _, err := t.exec(`DELETE FROM segment WHERE last = ?`, candidates[i].last); err != nil || rest.events == 0 {
			return err
		}
		return t.addSegment(&rest)
	}
	return fmt.Errorf("%w: no search segment holds event %d", ErrDamaged, key)
}

// without returns what remains of s, and whether key was in it.
func (s *segment) without(key int64, gone map[int64]bool) (rest segment, found bool, err error) {
	err = s.each(func(t *traits, _, _ int) error {
		found = found || t.key == key
		return nil
	})
	if err != nil || !found {
		return rest, false, err
	}
	err = s.each(func(t *traits, start, end int) error {
		if _, ok := gone[t.key]; ok {
			gone[t.key] = false
			return nil
		}
		if end >= len(s.commands) {
			return errors.New("commands are cut off")
		}
		rest.add(t, s.commands[start:end])
		return nil
	})
	return rest, true, err
}

// scanTraits reads the columns key, folder, category, risk, exit_code, command.
func scanTraits(rows *sql.Rows) (t traits, command string, err error) {
	var risk uint8
	err = rows.Scan(&t.key, &t.folder, &t.category, &risk, &t.exit, &command)
	t.risk, t.failed, t.mark = protocol.RiskLevel(risk), t.exit.Valid && t.exit.Int64 != 0, markOf(t.exit)
	return t, command, err
}
