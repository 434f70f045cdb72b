package protocol

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
)

var update = flag.Bool("update", false, "write the vectors of testdata anew; a change there is a change of the wire")

// hexBytes is a byte string as lower-case hex in JSON.
type hexBytes []byte

func (h hexBytes) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(h)), nil }

func (h *hexBytes) UnmarshalText(b []byte) (err error) {
	*h, err = hex.DecodeString(string(b))
	return err
}

// vectorFile is one file of testdata. The key is the Ed25519 key of Seed; every byte follows from what is written here.
type vectorFile struct {
	About   string   `json:"about"`
	Seed    hexBytes `json:"seed"`
	Vectors []vector `json:"vectors"`
}

type vector struct {
	Name    string          `json:"name"`
	Message json.RawMessage `json:"message"`          // for people and other implementations
	Signed  hexBytes        `json:"signed,omitempty"` // what the signature covers, context included
	Wire    hexBytes        `json:"wire"`
}

// golden is a message that a vector was or will be made of.
type golden struct {
	message any
	signed  []byte
	wire    []byte
	open    func(wire []byte) (any, error)
}

// envelopeJSON is how an envelope is written in its vector file; envelopes have no JSON form of their own.
type envelopeJSON struct {
	Magic     hexBytes  `json:"magic"`
	Version   uint8     `json:"version"`
	Type      uint16    `json:"msg_type"`
	Sender    NodeID    `json:"sender"`
	Timestamp Timestamp `json:"timestamp"`
	Nonce     hexBytes  `json:"nonce"`
	Sequence  uint64    `json:"sequence"`
	Payload   hexBytes  `json:"payload"`
	Signature hexBytes  `json:"signature"`
}

func envelopeForPeople(e *Envelope) envelopeJSON {
	return envelopeJSON{e.Magic[:], e.Version, uint16(e.Type), e.Sender, e.Timestamp, e.Nonce[:], e.Sequence, e.Payload, e.Signature}
}

// envelopeFixture returns an envelope that is not signed yet.
func envelopeFixture(t MsgType, sequence uint64, payload []byte) *Envelope {
	e := &Envelope{Magic: magic, Version: Version, Type: t, Sender: anna.NodeID(), Timestamp: At(fixedNow), Sequence: sequence, Payload: payload}
	for i := range e.Nonce {
		e.Nonce[i] = byte(0xa0 + i)
	}
	return e
}

func sealFixture(e *Envelope) []byte { return must(sealWith(e, anna)) }

func goldens() map[string]map[string]golden {
	all := map[string]map[string]golden{"envelope": {}, "identity": {}, "summary": {}, "query": {}, "response": {}, "receipt": {}, "health": {}, "rotation": {}}

	for name, n := range map[string]*NodeIdentity{"full": identityFixture(), "nothing optional": {
		NodeID: anna.NodeID(), Fingerprint: anna.NodeID().Fingerprint(), Capabilities: NodeCapabilities{ProtocolVersion: 1, SupportedQueries: []QueryType{}},
	}} {
		all["identity"][name] = golden{message: n, wire: must(Encode(n)), open: func(wire []byte) (any, error) {
			var n NodeIdentity
			return &n, Decode(wire, &n)
		}}
	}
	for name, s := range map[string]*NodeSummary{"day": summaryFixture(), "hour without commands": emptySummaryFixture(), "correction of the day": correctionFixture()} {
		wire := must(SignSummary(s, anna, fixedNow))
		all["summary"][name] = golden{s, signedPart(contextSummary, wire), wire, func(wire []byte) (any, error) { return OpenSummary(wire) }}
	}
	plain := queryFixture()
	plain.QueryType, plain.Filters = QueryNodeHealth, []Filter{}
	for name, q := range map[string]*MeshQuery{"with filters": queryFixture(), "without filters": plain} {
		wire := must(SignQuery(q, anna, fixedNow))
		all["query"][name] = golden{q, signedPart(contextQuery, wire), wire, func(wire []byte) (any, error) { return OpenQuery(wire) }}
	}
	for name, r := range responseFixtures() {
		wire := must(SignResponse(r, anna, fixedNow))
		all["response"][name] = golden{r, signedPart(contextResponse, wire), wire, func(wire []byte) (any, error) { return OpenResponse(wire) }}
	}
	receipt := receiptFixture()
	wire := must(SignReceipt(receipt, anna, fixedNow))
	all["receipt"]["of an answer"] = golden{receipt, signedPart(contextReceipt, wire), wire, func(wire []byte) (any, error) { return OpenReceipt(wire) }}
	degraded := healthFixture()
	degraded.EventCount24h, degraded.State, degraded.Sequence = nil, HealthDegraded, 1
	for name, h := range map[string]*NodeHealthStatus{"with its count": healthFixture(), "degraded, without a count": degraded} {
		wire := must(SignHealth(h, anna))
		all["health"][name] = golden{h, signedPart(contextHealth, wire), wire, func(wire []byte) (any, error) { return OpenHealth(wire, nil) }}
	}
	for name, r := range rotationFixtures() {
		all["rotation"][name] = golden{message: r, wire: r.Wire(), open: func(wire []byte) (any, error) { return OpenRotation(wire) }}
	}
	for name, e := range map[string]*Envelope{
		"summary push":     envelopeFixture(MsgSummaryPush, 1, all["summary"]["day"].wire),
		"query":            envelopeFixture(MsgQuery, 1<<40, all["query"]["with filters"].wire),
		"no payload":       envelopeFixture(MsgPing, 24, []byte{}),
		"highest sequence": envelopeFixture(MsgPong, 1<<64-1, []byte{0xa0}),
	} {
		wire := sealFixture(e)
		all["envelope"][name] = golden{envelopeForPeople(e), must(e.signingInput()), wire, func(wire []byte) (any, error) {
			e, err := NewOpener(clock).Open(wire, MaxSummary, anna.NodeID(), MsgSummaryPush, MsgQuery, MsgPing, MsgPong)
			if err != nil {
				return nil, err
			}
			return envelopeForPeople(e), nil
		}}
	}
	return all
}

// signedPart returns what the signature in a signed message covers.
func signedPart(context string, wire []byte) []byte {
	var s signed
	if err := Decode(wire, &s); err != nil {
		panic(err)
	}
	return must(signingInput(context, signedBytes{Body: s.Body, Signer: s.Signature.Signer, Timestamp: s.Signature.Timestamp}))
}

func vectorPath(kind string) string { return filepath.Join("testdata", kind+".json") }

func readJSON(t testing.TB, path string, v any) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; go test ./protocol -run Vectors -update writes it", err)
	}
	if err := json.Unmarshal(b, v); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

func writeJSON(t testing.TB, path string, v any) {
	t.Helper()
	b := append(must(json.MarshalIndent(v, "", "  ")), '\n')
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestMessagesEncodeToTheVectorsAndDecodeFromThem(t *testing.T) {
	for kind, messages := range goldens() {
		t.Run(kind, func(t *testing.T) {
			if *update {
				f := vectorFile{About: fmt.Sprintf("%s: wire bytes and the message they hold; see the comment of package protocol", kind), Seed: anna.private.Seed()}
				for _, name := range slices.Sorted(maps.Keys(messages)) {
					m := messages[name]
					f.Vectors = append(f.Vectors, vector{name, must(json.Marshal(m.message)), m.signed, m.wire})
				}
				writeJSON(t, vectorPath(kind), f)
			}
			var f vectorFile
			readJSON(t, vectorPath(kind), &f)
			if !bytes.Equal(f.Seed, anna.private.Seed()) || len(f.Vectors) != len(messages) {
				t.Fatalf("%d vectors of seed %x, expected %d of seed %x", len(f.Vectors), f.Seed, len(messages), anna.private.Seed())
			}
			for _, v := range f.Vectors {
				t.Run(v.Name, func(t *testing.T) { checkVector(t, v, messages[v.Name]) })
			}
		})
	}
}

func checkVector(t *testing.T, v vector, m golden) {
	if m.open == nil {
		t.Fatal("no message of this name")
	}
	if !bytes.Equal(m.wire, v.Wire) {
		t.Errorf("encodes to\n%x, the vector says\n%x", m.wire, v.Wire)
	}
	if !bytes.Equal(m.signed, v.Signed) {
		t.Errorf("signs\n%q, the vector says\n%q", m.signed, v.Signed)
	}
	got, err := m.open(v.Wire)
	if err != nil {
		t.Fatalf("does not open: %v", err)
	}
	if !reflect.DeepEqual(got, m.message) {
		t.Errorf("opens to\n%+v, expected\n%+v", got, m.message)
	}
	var want, have any
	if json.Unmarshal(v.Message, &want) != nil || json.Unmarshal(must(json.Marshal(got)), &have) != nil || !reflect.DeepEqual(have, want) {
		t.Errorf("is in JSON\n%s, the vector says\n%s", must(json.Marshal(got)), v.Message)
	}
	if v.Signed != nil {
		value := v.Wire[bytes.LastIndex(v.Wire, []byte("\x58\x40"))+2:][:ed25519.SignatureSize]
		if !ed25519.Verify(anna.NodeID().PublicKey(), v.Signed, value) {
			t.Error("the signature on the wire does not cover the signed bytes")
		}
	}
}

// vectors returns the wire bytes of one file, as seeds for fuzzing.
func vectors(t testing.TB, kind string) [][]byte {
	t.Helper()
	var f vectorFile
	readJSON(t, vectorPath(kind), &f)
	wires := make([][]byte, len(f.Vectors))
	for i, v := range f.Vectors {
		wires[i] = v.Wire
	}
	return wires
}
