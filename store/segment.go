package store

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/caro-mesh/caro-node/protocol"
)

// segment holds events packed for search. Its attributes are, for each event in rising order of keys: the distance from
// the key before (from first for the first one), a byte with risk and outcome, folder, category, and the length of the
// folded command; all but the byte as unsigned varints.
type segment struct {
	first, last int64
	events      int
	grams       grams
	attributes  []byte
	commands    []byte // folded, each with separator after it
}

// separator does not occur in folded text.
const separator = 0

const (
	riskMask   = 0x03
	failedFlag = 0x04
	markShift  = 3
)

func (s *segment) add(t *traits, folded []byte) {
	if s.events == 0 {
		s.first, s.last = t.key, t.key
		s.grams = newGrams()
	}
	state := byte(t.risk)&riskMask | t.mark<<markShift
	if t.failed {
		state |= failedFlag
	}
	b := binary.AppendUvarint(s.attributes, uint64(t.key-s.last))
	b = append(b, state)
	b = binary.AppendUvarint(b, uint64(t.folder))
	b = binary.AppendUvarint(b, uint64(t.category))
	s.attributes = binary.AppendUvarint(b, uint64(len(folded)))
	s.commands = append(append(s.commands, folded...), separator)
	s.grams.add(folded)
	s.last = t.key
	s.events++
}

func (s *segment) reset() {
	*s = segment{attributes: s.attributes[:0], commands: s.commands[:0]}
}

// each calls fn for every event, with the place of its command, whose separator stands at end.
func (s *segment) each(fn func(t *traits, start, end int) error) error {
	b, ok := s.attributes, true
	number := func() int64 {
		if len(b) > 0 && b[0] < 0x80 {
			v := b[0]
			b = b[1:]
			return int64(v)
		}
		v, n := binary.Uvarint(b)
		if n <= 0 {
			ok, n = false, 0
		}
		b = b[n:]
		return int64(v)
	}
	t := traits{key: s.first}
	start := 0
	for range s.events {
		t.key += number()
		if len(b) == 0 {
			ok = false
			break
		}
		t.risk, t.failed = protocol.RiskLevel(b[0]&riskMask), b[0]&failedFlag != 0
		t.mark = b[0] >> markShift
		b = b[1:]
		t.folder, t.category = number(), number()
		end := start + int(number())
		if !ok || end < start {
			ok = false
			break
		}
		if err := fn(&t, start, end); err != nil {
			return err
		}
		start = end + 1
	}
	if !ok || len(b) > 0 || t.key != s.last {
		return fmt.Errorf("%w: segment %d cannot be read", ErrDamaged, s.last)
	}
	return nil
}

// searcher finds events in segments. Its buffers are used again from segment to segment.
type searcher struct {
	m      *matcher
	rows   []packedRow // of the segment that was unpacked last, those that the traits choose
	hits   []int       // where the commands with the words begin, of those that were searched last
	result []int64

	told, searched int // bytes of the commands, as the attributes tell, and as they were there
}

// packedRow is an event that the traits choose.
type packedRow struct {
	key   int64
	start int // of its command
}

// unpack reads the attributes of s, and reports whether the traits of any event match.
func (f *searcher) unpack(s *segment) (match bool, err error) {
	f.rows, f.told = f.rows[:0], 0
	err = s.each(func(t *traits, start, end int) error {
		f.told = end + 1
		if f.m.matches(t) {
			f.rows = append(f.rows, packedRow{key: t.key, start: start})
		}
		return nil
	})
	return len(f.rows) > 0, err
}

// all returns the keys of the unpacked events that match, in rising order. The slice is valid until the next call.
func (f *searcher) all() []int64 {
	f.result = f.result[:0]
	for i := range f.rows {
		f.result = append(f.result, f.rows[i].key)
	}
	return f.result
}

// findWords looks for commands that contain every word, and reports whether there are any. It needs no attributes.
func (f *searcher) findWords(commands []byte) bool {
	f.hits, f.searched = f.hits[:0], len(commands)
	for at := 0; ; {
		i := bytes.Index(commands[at:], f.m.words[0])
		if i < 0 {
			return len(f.hits) > 0
		}
		start := bytes.LastIndexByte(commands[at:at+i], separator) + 1 + at
		end := bytes.IndexByte(commands[at+i:], separator)
		if end < 0 {
			return len(f.hits) > 0
		}
		end += at + i
		if f.m.contains(commands[start:end], 1) {
			f.hits = append(f.hits, start)
		}
		at = end + 1
	}
}

// withWords is all for the commands that findWords found. The segment must be the unpacked one.
func (f *searcher) withWords(s *segment) ([]int64, error) {
	if f.told != f.searched {
		return nil, fmt.Errorf("%w: the commands of segment %d do not fit its attributes", ErrDamaged, s.last)
	}
	f.result = f.result[:0]
	i := 0
	for _, hit := range f.hits {
		for i < len(f.rows) && f.rows[i].start < hit {
			i++
		}
		if i < len(f.rows) && f.rows[i].start == hit {
			f.result = append(f.result, f.rows[i].key)
		}
	}
	return f.result, nil
}
