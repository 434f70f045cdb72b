package pages

import (
	"encoding/binary"
	"errors"
	"math"
)

var errRecord = errors.New("a row that cannot be")

// decode returns the columns of a row: nil, int64, float64, string for TEXT or []byte for BLOB. The sizes that it tells must
// add up to its length.
func decode(b []byte) ([]any, error) {
	head, n := varint(b)
	if n == 0 || head < int64(n) || head > int64(len(b)) {
		return nil, errRecord
	}
	types, content := b[n:head], b[head:]
	var out []any
	for len(types) > 0 {
		kind, n := varint(types)
		if n == 0 {
			return nil, errRecord
		}
		types = types[n:]
		size := sizeOf(kind)
		if size < 0 || size > int64(len(content)) {
			return nil, errRecord
		}
		out = append(out, value(kind, content[:size]))
		content = content[size:]
	}
	if len(content) > 0 {
		return nil, errRecord
	}
	return out, nil
}

// sizeOf returns the bytes of a column of this serial type, -1 for one that does not exist.
func sizeOf(kind int64) int64 {
	switch {
	case kind >= 12:
		return (kind - 12) / 2
	case kind < 0 || kind > 9:
		return -1
	}
	return [...]int64{0, 1, 2, 3, 4, 6, 8, 8, 0, 0}[kind]
}

func value(kind int64, b []byte) any {
	switch {
	case kind == 0:
		return nil
	case kind == 7:
		return math.Float64frombits(binary.BigEndian.Uint64(b))
	case kind == 8, kind == 9:
		return kind - 8
	case kind < 7:
		v := int64(int8(b[0]))
		for _, c := range b[1:] {
			v = v<<8 | int64(c)
		}
		return v
	case kind%2 == 0:
		return append([]byte{}, b...)
	}
	return string(b)
}
