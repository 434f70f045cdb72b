package wiretest

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/caro-mesh/caro-node/protocol"
)

// Overhead is the most that an envelope adds to its payload, in bytes: head and keys 10, magic 5, version 1, type 3,
// sender 59, timestamp 9, nonce 17, sequence 9, head of the payload 5, signature 66.
const Overhead = 184

// What follows is a second writer and reader of envelopes. It uses nothing of package protocol but its numbers.

// head is the first byte of a CBOR item, with its argument in the shortest form.
func head(major byte, n uint64) []byte {
	switch {
	case n < 24:
		return []byte{major<<5 | byte(n)}
	case n <= math.MaxUint8:
		return []byte{major<<5 | 24, byte(n)}
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16([]byte{major<<5 | 25}, uint16(n))
	case n <= math.MaxUint32:
		return binary.BigEndian.AppendUint32([]byte{major<<5 | 26}, uint32(n))
	}
	return binary.BigEndian.AppendUint64([]byte{major<<5 | 27}, n)
}

func number(n uint64) []byte     { return head(0, n) }
func byteString(b []byte) []byte { return append(head(2, uint64(len(b))), b...) }
func textString(s string) []byte { return append(head(3, uint64(len(s))), s...) }
func signedNumber(n int64) []byte {
	if n < 0 {
		return head(1, uint64(-1-n))
	}
	return head(0, uint64(n))
}

// Envelope is an envelope that may be wrong on purpose.
type Envelope struct {
	Type      protocol.MsgType
	Sender    protocol.NodeID
	Timestamp protocol.Timestamp
	Nonce     []byte
	Sequence  uint64
	Payload   []byte
}

// Seal returns what the signature of the envelope covers, and the envelope with what sign makes of that.
func (e Envelope) Seal(sign func(signed []byte) (signature []byte)) (signed, envelope []byte) {
	fields := [][]byte{number(1), number(uint64(e.Type)), textString(string(e.Sender)), signedNumber(int64(e.Timestamp)), byteString(e.Nonce),
		number(e.Sequence), byteString(e.Payload)}
	signed = append([]byte("caro-mesh envelope v1\x00"), head(4, uint64(len(fields)))...)
	signed = append(signed, bytes.Join(fields, nil)...)
	envelope = append(head(5, 9), number(1)...)
	envelope = append(envelope, byteString([]byte("CARO"))...)
	for i, field := range fields {
		envelope = append(append(envelope, number(uint64(i+2))...), field...)
	}
	envelope = append(append(envelope, number(9)...), byteString(sign(signed))...)
	return signed, envelope
}

// seal returns what the signature of the envelope of v covers, and the envelope.
func (f File) seal(v Vector) (signed, envelope []byte) {
	e := Envelope{protocol.MsgType(f.Type), f.Sender, f.Timestamp, f.Nonce, v.Sequence, v.Payload}
	return e.Seal(func(signed []byte) []byte { return ed25519.Sign(ed25519.NewKeyFromSeed(f.Seed), signed) })
}

// Verify checks one vector: that its envelope is the one of the specification, and that a node accepts it, once.
func (f File) Verify(t testing.TB, v Vector) {
	t.Helper()
	signed, envelope := f.seal(v)
	if !bytes.Equal(v.Signed, signed) || !bytes.Equal(v.Envelope, envelope) {
		t.Errorf("by the specification the signature covers\n%x\nand the envelope is\n%x\nthe vector says\n%x\nand\n%x", signed, envelope, v.Signed, v.Envelope)
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(string(f.Sender), "caro:ed25519:"))
	if err != nil || !ed25519.Verify(key, v.Signed, v.Envelope[len(v.Envelope)-ed25519.SignatureSize:]) {
		t.Errorf("the signature does not verify with the key in the sender's ID (%v)", err)
	}
	if over := len(v.Envelope) - len(v.Payload); over > Overhead {
		t.Errorf("the envelope adds %d bytes, expected at most %d", over, Overhead)
	}
	open := f.opener()
	if payload, err := open(v.Envelope); err != nil || !bytes.Equal(payload, v.Payload) {
		t.Errorf("opens to %x (%v)", payload, err)
	}
	if _, err := open(v.Envelope); err == nil {
		t.Error("accepted twice")
	}
}

// opener opens envelopes of the file's message as a node does.
func (f File) opener() func(data []byte) (payload []byte, err error) {
	o := protocol.NewOpener(func() time.Time { return Now })
	return func(data []byte) ([]byte, error) {
		e, err := o.Open(data, f.Limit, f.Sender, protocol.MsgType(f.Type))
		if err != nil {
			return nil, err
		}
		return e.Payload, nil
	}
}

// alter checks that a node accepts the envelope in no other way than it stands there.
func (f File) alter(t testing.TB, v Vector) {
	t.Helper()
	open := f.opener()
	for i := range v.Envelope {
		altered := bytes.Clone(v.Envelope)
		altered[i] ^= 1
		if _, err := open(altered); err == nil {
			t.Errorf("accepted with another bit in byte %d", i)
		}
	}
}

// misspelled returns wrong spellings of a payload, which is a map of less than 23 keys: each means the same to a careless
// reader, or is a part of it.
func misspelled(good []byte) map[string][]byte {
	n := good[0] & 0x1f
	bad := map[string][]byte{
		"nothing":              {},
		"null":                 {0xf6},
		"trailing byte":        append(bytes.Clone(good), 0),
		"twice":                append(bytes.Clone(good), good...),
		"long head of the map": append([]byte{0xb8, n}, good[1:]...),
		"indefinite length":    append(append([]byte{0xbf}, good[1:]...), 0xff),
		"unknown key":          append(append([]byte{0xa0 | n + 1}, good[1:]...), 0x17, 0x01),
		"tagged":               append([]byte{0xd9, 0xd9, 0xf7}, good...),
		"as a list":            append([]byte{0x81}, good...),
		"nested too deeply":    append(append([]byte{0xa0 | n + 1}, good[1:]...), append([]byte{0x17}, bytes.Repeat([]byte{0x81}, 100)...)...),
	}
	for i := 1; i < len(good); i++ {
		bad[fmt.Sprintf("cut after byte %d", i)] = good[:i]
	}
	return bad
}
