package rotation

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/caro-mesh/caro-node/protocol"
)

var update = flag.Bool("update", false, "write the vectors of testdata anew; a change there is a change of the wire")

const (
	vectorPath = "testdata/rotation.json"
	// statements are the vectors of the statement itself.
	statements = "../testdata/rotation.json"
)

// vectorFile holds payloads as hex, without the envelope around them.
type vectorFile struct {
	About    string `json:"about"`
	Message  string `json:"key_rotation"` // with the statements of ../testdata/rotation.json, that of generation 1 first
	Accepted string `json:"accepted"`
	Refused  string `json:"refused"`
}

func readJSON(t testing.TB, path string, v any) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(b, v)
	}
	if err != nil {
		t.Fatalf("%v; go test ./protocol/rotation -run Vectors -update writes it", err)
	}
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// goldenChain returns the two statements of the vectors.
func goldenChain(t testing.TB) [][]byte {
	t.Helper()
	var f struct{ Vectors []struct{ Name, Wire string } }
	readJSON(t, statements, &f)
	wires := make(map[string][]byte)
	for _, v := range f.Vectors {
		wires[v.Name] = unhex(t, v.Wire)
	}
	return [][]byte{wires["scheduled"], wires["compromised"]}
}

func encode(t testing.TB, v any) []byte {
	t.Helper()
	b, err := protocol.Encode(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestMessagesEncodeToTheVectorsAndDecodeFromThem(t *testing.T) {
	m := &message{Rotations: goldenChain(t)}
	accepted, refused := &ack{Status: StatusAccepted}, &ack{Status: StatusRefused, Reason: "another key followed that one before"}
	made := vectorFile{"payloads of KeyRotation and KeyRotationAck; see the comment of this package", hex.EncodeToString(encode(t, m)),
		hex.EncodeToString(encode(t, accepted)), hex.EncodeToString(encode(t, refused))}
	if *update {
		b, err := json.MarshalIndent(made, "", "  ")
		if err == nil {
			err = os.WriteFile(vectorPath, append(b, '\n'), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	var f vectorFile
	readJSON(t, vectorPath, &f)
	if f != made {
		t.Errorf("encode to\n%+v, the vectors say\n%+v", made, f)
	}
	for name, c := range map[string]struct {
		wire       string
		want, into protocol.Validator
	}{"message": {f.Message, m, &message{}}, "accepted": {f.Accepted, accepted, &ack{}}, "refused": {f.Refused, refused, &ack{}}} {
		if err := protocol.Decode(unhex(t, c.wire), c.into); err != nil || !reflect.DeepEqual(c.into, c.want) {
			t.Errorf("%s decodes to %+v, %v", name, c.into, err)
		}
	}
}

func TestEveryMessageSurvivesTheWire(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &message{Rotations: rapid.SliceOfN(rapid.SliceOfN(rapid.Byte(), 1, 20), 1, protocol.MaxRotations).Draw(t, "rotations")}
		var back message
		b, err := protocol.Encode(m)
		if err == nil {
			err = protocol.Decode(b, &back)
		}
		if err != nil || !reflect.DeepEqual(m, &back) {
			t.Fatalf("%+v became %+v, %v", m, back, err)
		}
		a := &ack{Status: rapid.SampledFrom([]Status{StatusAccepted, StatusUnproven, StatusRefused}).Draw(t, "status")}
		if a.Status != StatusAccepted {
			a.Reason = rapid.StringMatching(`[a-z ]{1,100}`).Draw(t, "reason")
		}
		var again ack
		b, err = protocol.Encode(a)
		if err == nil {
			err = protocol.Decode(b, &again)
		}
		if err != nil || *a != again {
			t.Fatalf("%+v became %+v, %v", a, again, err)
		}
	})
}

func TestLimitsHoldOnBothSides(t *testing.T) {
	for n, ok := range map[int]bool{0: false, 1: true, protocol.MaxRotations: true, protocol.MaxRotations + 1: false} {
		if err := (&message{Rotations: make([][]byte, n)}).Validate(); (err == nil) != ok {
			t.Errorf("%d rotations: %v", n, err)
		}
	}
	for n, ok := range map[int]bool{0: false, 1: true, protocol.MaxReason: true, protocol.MaxReason + 1: false} {
		if err := (&ack{Status: StatusRefused, Reason: strings.Repeat("x", n)}).Validate(); (err == nil) != ok {
			t.Errorf("reason of %d bytes: %v", n, err)
		}
	}
	for name, a := range map[string]ack{"accepted with a reason": {StatusAccepted, "but"}, "a status of tomorrow": {"perhaps", "no"}, "no status": {}} {
		if a.Validate() == nil {
			t.Errorf("%s is valid", name)
		}
	}
}

func FuzzKeyRotation(f *testing.F) {
	f.Add(encode(f, &message{Rotations: goldenChain(f)}))
	f.Fuzz(func(t *testing.T, data []byte) {
		var m message
		if protocol.Decode(data, &m) == nil {
			if again := encode(t, &m); !bytes.Equal(again, data) {
				t.Errorf("accepted %x, which encodes as %x", data, again)
			}
		}
	})
}

func FuzzKeyRotationAck(f *testing.F) {
	f.Add(encode(f, &ack{Status: StatusAccepted}))
	f.Add(encode(f, &ack{Status: StatusUnproven, Reason: "no"}))
	f.Fuzz(func(t *testing.T, data []byte) {
		var a ack
		if protocol.Decode(data, &a) == nil {
			if again := encode(t, &a); !bytes.Equal(again, data) {
				t.Errorf("accepted %x, which encodes as %x", data, again)
			}
		}
	})
}
