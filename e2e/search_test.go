package e2e

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"io"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/klauspost/compress/zstd"
	"github.com/zeebo/blake3"
)

func newUUID() string { return uuid.NewString() }

// newCanary is a word that cannot be anywhere by chance.
func newCanary(t *testing.T, kind string) string {
	t.Helper()
	var b [8]byte
	if _, err := rand.Read(b[:]); err != nil {
		t.Fatal(err)
	}
	return "canary" + kind + hex.EncodeToString(b[:])
}

// disguises are the forms in which a word could leave without being readable.
func disguises(word string) map[string][]byte {
	out := map[string][]byte{
		"as it is":   []byte(word),
		"upper case": []byte(strings.ToUpper(word)),
		"hex":        []byte(hex.EncodeToString([]byte(word))),
		"upper hex":  []byte(strings.ToUpper(hex.EncodeToString([]byte(word)))),
		"reversed":   reversed(word),
	}
	sum, digest := sha256.Sum256([]byte(word)), blake3.Sum256([]byte(word))
	out["SHA-256"], out["BLAKE3"] = sum[:8], digest[:8]
	// Base64 and base32 shift with what stands before: drop the characters that depend on it, at both ends.
	for shift := range 3 {
		padded := append(bytes.Repeat([]byte{'x'}, shift), word...)
		enc := base64.StdEncoding.EncodeToString(padded)
		core := enc[(shift*8+5)/6 : len(padded)*8/6]
		out["base64 shifted by "+string(rune('0'+shift))] = []byte(core)
		out["URL base64 shifted by "+string(rune('0'+shift))] = []byte(strings.NewReplacer("+", "-", "/", "_").Replace(core))
	}
	for shift := range 5 {
		padded := append(bytes.Repeat([]byte{'x'}, shift), word...)
		enc := base32.StdEncoding.EncodeToString(padded)
		out["base32 shifted by "+string(rune('0'+shift))] = []byte(enc[(shift*8+4)/5 : len(padded)*8/5])
	}
	return out
}

func reversed(s string) []byte {
	b := []byte(s)
	for i, j := 0, len(b)-1; i < j; i, j = i+1, j-1 {
		b[i], b[j] = b[j], b[i]
	}
	return b
}

// find reports how word can be found in any of the buffers, compressed or not; nil when it cannot.
func find(buffers [][]byte, word string) []string {
	var found []string
	forms := disguises(word)
	look := func(b []byte, where string) {
		for name, form := range forms {
			if bytes.Contains(b, form) {
				found = append(found, name+where)
			}
		}
	}
	for _, b := range buffers {
		look(b, "")
		for _, inflated := range inflateAll(b) {
			look(inflated, " (compressed)")
		}
	}
	return found
}

// maxInflated bounds what is unpacked from one offset.
const maxInflated = 1 << 20

// inflateAll tries to unpack gzip, zlib, zstd and raw deflate at every offset.
func inflateAll(b []byte) [][]byte {
	var out [][]byte
	dec, err := zstd.NewReader(nil, zstd.WithDecoderMaxMemory(maxInflated*8), zstd.WithDecoderConcurrency(1))
	if err != nil {
		panic(err) // constant options
	}
	defer dec.Close()
	fl := flate.NewReader(bytes.NewReader(nil))
	keep := func(r io.Reader) {
		// What was unpacked before an error counts: a stream may be cut, or end in other bytes.
		if data, _ := io.ReadAll(io.LimitReader(r, maxInflated)); len(data) > 8 {
			out = append(out, data)
		}
	}
	for i := range b {
		rest := b[i:]
		if bytes.HasPrefix(rest, []byte{0x1f, 0x8b}) {
			if r, err := gzip.NewReader(bytes.NewReader(rest)); err == nil {
				keep(r)
			}
		}
		if rest[0]&0x0f == 8 {
			if r, err := zlib.NewReader(bytes.NewReader(rest)); err == nil {
				keep(r)
			}
		}
		if bytes.HasPrefix(rest, []byte{0x28, 0xb5, 0x2f, 0xfd}) {
			if err := dec.Reset(bytes.NewReader(rest)); err == nil {
				keep(dec)
			}
		}
		if err := fl.(flate.Resetter).Reset(bytes.NewReader(rest), nil); err == nil {
			keep(fl)
		}
	}
	return out
}

func TestSearchFindsEveryDisguise(t *testing.T) {
	word := newCanary(t, "control")
	noise := make([]byte, 300)
	if _, err := rand.Read(noise); err != nil {
		t.Fatal(err)
	}
	around := func(b []byte) []byte { return append(append(append([]byte(nil), noise...), b...), noise...) }
	compress := func(w io.WriteCloser, buf *bytes.Buffer) []byte {
		if _, err := io.WriteString(w, "some text before "+word+" and after"); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return buf.Bytes()
	}
	var g, z, s, f bytes.Buffer
	zw, err := zstd.NewWriter(&s)
	if err != nil {
		t.Fatal(err)
	}
	fw, err := flate.NewWriter(&f, flate.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(word))
	planted := map[string][]byte{
		"plain": []byte(word), "hex": []byte(hex.EncodeToString([]byte("ab" + word))), "hash": sum[:],
		"gzip": compress(gzip.NewWriter(&g), &g), "zlib": compress(zlib.NewWriter(&z), &z), "zstd": compress(zw, &s), "deflate": compress(fw, &f),
	}
	for shift := range 4 {
		text := strings.Repeat("-", shift) + word + "tail"
		planted["base64 "+string(rune('0'+shift))] = []byte(base64.StdEncoding.EncodeToString([]byte(text)))
		planted["base64url "+string(rune('0'+shift))] = []byte(base64.RawURLEncoding.EncodeToString([]byte(text)))
		planted["base32 "+string(rune('0'+shift))] = []byte(base32.StdEncoding.EncodeToString([]byte(text)))
	}
	for name, b := range planted {
		if find([][]byte{around(b)}, word) == nil {
			t.Errorf("%s was not found", name)
		}
	}
	if got := find([][]byte{around([]byte("nothing here"))}, word); got != nil {
		t.Errorf("found %v where nothing is", got)
	}
}
