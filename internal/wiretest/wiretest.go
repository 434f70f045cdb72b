// Package wiretest checks the payload of each message of the mesh against golden vectors. It seals and takes apart
// envelopes with a few lines of its own, written from the specification in the comment of package protocol, so that the
// vectors do not only say what the program under test happens to do.
package wiretest

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/fxamacker/cbor/v2"
	"pgregory.net/rapid"

	"github.com/caro-mesh/caro-node/protocol"
)

var update = flag.Bool("update", false, "write the vectors of testdata anew; a change there is a change of the wire")

// Hex is a byte string as lower-case hex in JSON.
type Hex []byte

// MarshalText writes hex.
func (h Hex) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(h)), nil }

// UnmarshalText reads hex.
func (h *Hex) UnmarshalText(b []byte) (err error) {
	*h, err = hex.DecodeString(string(b))
	return err
}

// File is a file of vectors: the vectors of one message. Every byte follows from what is written in it.
type File struct {
	About   string `json:"about"`
	Message string `json:"message"`
	Type    uint16 `json:"msg_type"`
	Limit   int    `json:"limit"` // of an envelope, in bytes
	// Seed is the Ed25519 key of the sender; timestamp and nonce are those of every envelope.
	Seed      Hex                `json:"seed"`
	Sender    protocol.NodeID    `json:"sender"`
	Timestamp protocol.Timestamp `json:"timestamp"`
	Nonce     Hex                `json:"nonce"`
	Vectors   []Vector           `json:"vectors"`
	Refused   []Refused          `json:"refused"`
}

// Vector is one payload and the envelope that it travels in.
type Vector struct {
	Name       string `json:"name"`
	Diagnostic string `json:"diagnostic"` // the payload in the diagnostic notation of RFC 8949 section 8
	Payload    Hex    `json:"payload"`
	Sequence   uint64 `json:"sequence"`
	Signed     Hex    `json:"signed"` // what the envelope's signature covers, context included
	Envelope   Hex    `json:"envelope"`
}

// Refused is a payload that a receiver must refuse.
type Refused struct {
	Name    string `json:"name"`
	Payload Hex    `json:"payload"`
}

// Key is the key of the vectors: the one whose seed is 32 times the byte 1.
var Key = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, ed25519.SeedSize))

// Now is the clock of the vectors.
var Now = time.Date(2026, 11, 23, 12, 34, 56, 789012345, time.UTC)

// Sender is the node of Key; it signs like one.
type Sender struct{}

// NodeID returns the ID of the vectors' sender.
func (Sender) NodeID() protocol.NodeID {
	return protocol.NewNodeID(Key.Public().(ed25519.PublicKey))
}

// Sign signs.
func (Sender) Sign(msg []byte) ([]byte, error) { return ed25519.Sign(Key, msg), nil }

// Identity introduces the vectors' sender.
func Identity() protocol.NodeIdentity {
	id := Sender{}.NodeID()
	return protocol.NodeIdentity{NodeID: id, Fingerprint: id.Fingerprint(), DisplayName: "anna-laptop", CreatedAt: protocol.At(Now.Add(-48 * time.Hour)),
		Capabilities: protocol.NodeCapabilities{ProtocolVersion: protocol.Version, CaroVersion: "0.1.0", MaxShareLevel: protocol.LevelSummarized,
			CanAggregate: true, SupportedQueries: []protocol.QueryType{protocol.QueryToolUsage, protocol.QuerySafetyPosture}}}
}

// Path returns where the vectors of a message are, below the folder of its protocol.
func Path(m protocol.MsgType) string {
	var b strings.Builder
	for i, r := range m.String() {
		if unicode.IsUpper(r) && i > 0 {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return filepath.Join("testdata", b.String()+".json")
}

// Message is one kind of message under test.
type Message struct {
	Type protocol.MsgType
	// Reread decodes a payload as a receiver does, and encodes again what it understood.
	Reread func(payload []byte) ([]byte, error)
}

// Reread is the Reread of a payload that carries no signature of its own.
func Reread[T any, P interface {
	*T
	protocol.Validator
}](payload []byte) ([]byte, error) {
	v := P(new(T))
	if err := protocol.Decode(payload, v); err != nil {
		return nil, err
	}
	return protocol.Encode(v)
}

// Encode encodes a payload for a vector.
func Encode(t testing.TB, v any) []byte {
	t.Helper()
	b, err := protocol.Encode(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Check compares the payloads with the vectors in the folder of the calling test, checks each vector from the
// specification, and that a receiver refuses what must be refused. With -update it writes the vectors.
func (m Message) Check(t *testing.T, payloads, refused map[string][]byte) {
	t.Helper()
	if *update {
		m.write(t, payloads, refused)
	}
	f := Read(t, Path(m.Type))
	if f.Message != m.Type.String() || f.Type != uint16(m.Type) || f.Limit != protocol.MaxSize(m.Type) || !bytes.Equal(f.Seed, Key.Seed()) || f.Sender != (Sender{}).NodeID() {
		t.Errorf("the file is of %s 0x%04x, limit %d, sender %s", f.Message, f.Type, f.Limit, f.Sender)
	}
	if len(f.Vectors) != len(payloads) || len(f.Refused) != len(refused) {
		t.Errorf("the file has %d vectors and %d refusals, the test %d and %d; -update writes it anew", len(f.Vectors), len(f.Refused), len(payloads), len(refused))
	}
	for _, v := range f.Vectors {
		t.Run(v.Name, func(t *testing.T) {
			if !bytes.Equal(v.Payload, payloads[v.Name]) {
				t.Errorf("encodes to\n%x, the vector says\n%x", payloads[v.Name], v.Payload)
			}
			if again, err := m.Reread(v.Payload); err != nil || !bytes.Equal(again, v.Payload) {
				t.Errorf("is read as\n%x (%v), the vector says\n%x", again, err, v.Payload)
			}
			f.Verify(t, v)
			f.alter(t, v)
			for name, wrong := range misspelled(v.Payload) {
				m.mustRefuse(t, name, wrong)
			}
		})
	}
	for _, r := range f.Refused {
		t.Run("refused: "+r.Name, func(t *testing.T) {
			if !bytes.Equal(r.Payload, refused[r.Name]) {
				t.Errorf("is %x, the vector says %x", refused[r.Name], r.Payload)
			}
			m.mustRefuse(t, r.Name, r.Payload)
		})
	}
}

func (m Message) write(t *testing.T, payloads, refused map[string][]byte) {
	t.Helper()
	f := File{About: fmt.Sprintf("%s: payloads, and the envelopes that they travel in; see docs/protocol.md", m.Type), Message: m.Type.String(),
		Type: uint16(m.Type), Limit: protocol.MaxSize(m.Type), Seed: Key.Seed(), Sender: Sender{}.NodeID(), Timestamp: protocol.At(Now), Refused: []Refused{}}
	for i := range protocol.NonceSize {
		f.Nonce = append(f.Nonce, byte(0xa0+i))
	}
	for i, name := range slices.Sorted(maps.Keys(payloads)) {
		v := Vector{Name: name, Payload: payloads[name], Sequence: uint64(i + 1)}
		var err error
		if v.Diagnostic, err = cbor.Diagnose(v.Payload); err != nil {
			t.Fatal(err)
		}
		v.Signed, v.Envelope = f.seal(v)
		f.Vectors = append(f.Vectors, v)
	}
	for _, name := range slices.Sorted(maps.Keys(refused)) {
		f.Refused = append(f.Refused, Refused{name, refused[name]})
	}
	b, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll("testdata", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(Path(m.Type), append(b, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
}

// Read reads a file of vectors.
func Read(t testing.TB, path string) File {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; go test with -update writes it", err)
	}
	var f File
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return f
}

func (m Message) mustRefuse(t *testing.T, name string, payload []byte) {
	t.Helper()
	_, err := m.Reread(payload)
	if err == nil {
		t.Errorf("%s: accepted %x", name, payload)
	} else if !isRefusal(err) {
		t.Errorf("%s: refused by %v, which is not one of the errors of package protocol", name, err)
	}
}

func isRefusal(err error) bool {
	return errors.Is(err, protocol.ErrMalformed) || errors.Is(err, protocol.ErrNotDeterministic) || errors.Is(err, protocol.ErrSignature)
}

// Fuzz looks for a payload that is accepted and means something else, or is refused by an error that nobody documented.
func (m Message) Fuzz(f *testing.F) {
	file := Read(f, Path(m.Type))
	for _, v := range file.Vectors {
		f.Add([]byte(v.Payload))
	}
	for _, r := range file.Refused {
		f.Add([]byte(r.Payload))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		again, err := m.Reread(data)
		switch {
		case err != nil && !isRefusal(err):
			t.Errorf("refused %x by %v", data, err)
		case err == nil && !bytes.Equal(again, data):
			t.Errorf("accepted %x, which encodes as %x", data, again)
		}
	})
}

// Survives checks that a drawn payload is accepted and comes back as it was.
func (m Message) Survives(t *rapid.T, v any) {
	payload, err := protocol.Encode(v)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := m.Reread(payload); err != nil || !bytes.Equal(again, payload) {
		t.Fatalf("%x became %x (%v)", payload, again, err)
	}
	if size := len(payload) + Overhead; size > protocol.MaxSize(m.Type) {
		t.Fatalf("valid, and with its envelope of %d bytes above the limit of %d", size, protocol.MaxSize(m.Type))
	}
}
