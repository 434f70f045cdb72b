package protocol

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// anyShape accepts whatever the codec accepts.
type anyShape struct {
	Value any `cbor:"1,keyasint"`
}

func (anyShape) Validate() error { return nil }

func TestCodecBoundsHoldOnBothSides(t *testing.T) {
	nested := func(levels int) []byte { // the map around the value is the first level
		return append(append([]byte{0xa1, 0x01}, bytes.Repeat([]byte{0x81}, levels-1)...), 0x00)
	}
	items := func(n int) []byte {
		return append([]byte{0xa1, 0x01}, append(head(4, uint64(n)), make([]byte, n)...)...)
	}
	fields := func(n int) []byte {
		m := head(5, uint64(n))
		for i := range n {
			m = append(append(m, number(uint64(i))...), 0x00)
		}
		return append([]byte{0xa1, 0x01}, m...)
	}
	for name, c := range map[string]struct {
		limit int
		build func(int) []byte
	}{"nesting": {maxNesting, nested}, "list": {maxArrayElements, items}, "map": {maxMapPairs, fields}} {
		if err := Decode(c.build(c.limit), new(anyShape)); err != nil {
			t.Errorf("%s of %d, the limit: %v", name, c.limit, err)
		}
		if err := Decode(c.build(c.limit+1), new(anyShape)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s of %d, one above the limit: %v", name, c.limit+1, err)
		}
	}
}

// Whatever type a field has: none of these may depend on a message's own validation.
func TestCodecRefusesWhatNoSenderMayWrite(t *testing.T) {
	for name, value := range map[string][]byte{
		"NaN": {0xf9, 0x7e, 0x00}, "infinity": {0xf9, 0x7c, 0x00}, "minus infinity": {0xf9, 0xfc, 0x00}, "tag": {0xc0, 0x60}, "self-described": {0xd9, 0xd9, 0xf7, 0x00},
		"text that is not UTF-8": {0x61, 0xff}, "indefinite bytes": {0x5f, 0x41, 0x00, 0xff}, "indefinite text": {0x7f, 0x61, 0x61, 0xff}, "indefinite list": {0x9f, 0xff},
		"indefinite map": {0xbf, 0xff}, "duplicate key": {0xa2, 0x01, 0x01, 0x01, 0x01}, "reserved length": {0x1c}, "break alone": {0xff},
		"wide integer": {0x18, 0x01}, "wide float": {0xfa, 0x3f, 0x00, 0x00, 0x00}, "wide text": {0x78, 0x01, 0x61}, "keys out of order": {0xa2, 0x02, 0x01, 0x01, 0x01},
	} {
		err := Decode(append([]byte{0xa1, 0x01}, value...), new(anyShape))
		if !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrNotDeterministic) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, value := range map[string][]byte{"integer": {0x18, 0x18}, "float": {0xf9, 0x38, 0x00}, "text": {0x61, 0x61}, "list": {0x80}, "map": {0xa1, 0x01, 0x01}, "false": {0xf4}} {
		if err := Decode(append([]byte{0xa1, 0x01}, value...), new(anyShape)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAnnouncedLengthsAreNotAllocated(t *testing.T) {
	for what, announced := range map[string][]byte{"bytes": head(2, 1<<40), "text": head(3, 1<<40), "list": head(4, 1<<40), "map": head(5, 1<<40), "short list": head(4, maxArrayElements)} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		err := Decode(append([]byte{0xa1, 0x01}, announced...), new(anyShape))
		runtime.ReadMemStats(&after)
		if !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", what, err)
		}
		if grown := after.TotalAlloc - before.TotalAlloc; grown > 1<<20 {
			t.Errorf("%s: %d bytes were allocated for %d that arrived", what, grown, len(announced)+2)
		}
	}
}

func TestDecodeNamesBothTheKindOfErrorAndItsCause(t *testing.T) {
	n := identityFixture()
	n.DisplayName = strings.Repeat("x", MaxDisplayName+1)
	err := Decode(must(Encode(n)), new(NodeIdentity))
	if !errors.Is(err, ErrMalformed) || !strings.Contains(fmt.Sprint(err), "display name has 65 bytes, at most 64 are allowed") {
		t.Errorf("%v", err)
	}
}

func TestWhatCannotBeEncodedIsAnError(t *testing.T) {
	if _, err := Encode(make(chan int)); err == nil {
		t.Error("a channel was encoded")
	}
}

// Encoding must not depend on how an empty list came to be.
func TestEmptyAndAbsentListsAreTheSameOnTheWire(t *testing.T) {
	a, b := queryFixture(), queryFixture()
	a.Filters, b.Filters = nil, []Filter{}
	if !bytes.Equal(must(Encode(a)), must(Encode(b))) {
		t.Error("nil and empty filters differ")
	}
	wire := must(SignQuery(a, anna, fixedNow))
	if q, err := OpenQuery(wire); err != nil || q.Filters == nil {
		t.Errorf("opened to filters %#v, %v", q, err)
	}
}
