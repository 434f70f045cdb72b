package protocol

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
)

// noteKey is an Ed25519 key that signs like a node.
type noteKey struct{ key ed25519.PrivateKey }

func (k noteKey) NodeID() NodeID                  { return NewNodeID(k.key.Public().(ed25519.PublicKey)) }
func (k noteKey) Sign(msg []byte) ([]byte, error) { return ed25519.Sign(k.key, msg), nil }

func noteKeyOf(seed byte) noteKey {
	return noteKey{ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))}
}

func signedCheckpoint(t *testing.T, c Checkpoint) []byte {
	t.Helper()
	wire, err := SignCheckpoint(c, noteKeyOf(1))
	if err != nil {
		t.Fatal(err)
	}
	return wire
}

func TestACheckpointIsANoteThatOtherToolsVerify(t *testing.T) {
	c := Checkpoint{Size: 1234, Root: [32]byte{1, 2, 3}, Pruned: 17, PrunedHash: [32]byte{4}}
	wire := signedCheckpoint(t, c)
	id := noteKeyOf(1).NodeID()
	text := "caro-node/" + string(id.Fingerprint()) + "\n1234\nAQIDAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n" +
		"pruned 17 BAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"
	if !strings.HasPrefix(string(wire), text+"\n\u2014 caro-node/"+string(id.Fingerprint())+" ") {
		t.Errorf("the note is\n%s", wire)
	}
	vkey, err := note.NewEd25519VerifierKey(id.Origin(), id.PublicKey())
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := note.Open(wire, note.VerifierList(verifier)); err != nil || n.Text != text || len(n.Sigs) != 1 {
		t.Errorf("the library's own verifier: %+v, %v", n, err)
	}
	if got, err := OpenCheckpoint(wire, id); err != nil || got != c {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestACosignatureIsThatOfTheSpecification(t *testing.T) {
	wire := signedCheckpoint(t, Checkpoint{Size: 9})
	witness := noteKeyOf(2)
	now := time.Date(2026, 11, 23, 12, 34, 56, 789, time.UTC)
	value, err := Cosign(wire, witness, now)
	if err != nil {
		t.Fatal(err)
	}
	// By hand, from C2SP tlog-cosignature.
	text, _, _ := strings.Cut(string(wire), "\n\n")
	message := fmt.Sprintf("cosignature/v1\ntime %d\n%s\n", now.Unix(), text)
	pub := witness.NodeID().PublicKey()
	if !ed25519.Verify(pub, []byte(message), value[8:]) {
		t.Error("the signature does not cover what it should")
	}
	id := sha256.Sum256(append([]byte(witness.NodeID().Origin()+"\n\x04"), pub...))
	line := "\u2014 " + witness.NodeID().Origin() + " " + base64.StdEncoding.EncodeToString(append(id[:4:4], value...)) + "\n"
	if got := CosignatureLine(witness.NodeID(), value); got != line {
		t.Errorf("the line is %q, want %q", got, line)
	}
	at, err := OpenCosignature(wire, witness.NodeID(), value)
	if err != nil || !at.Equal(now.Truncate(time.Second)) {
		t.Errorf("%s, %v", at, err)
	}
	both := append(bytes.Clone(wire), line...)
	if _, err := OpenCheckpoint(both, noteKeyOf(1).NodeID()); err != nil {
		t.Errorf("with the witness's line: %v", err)
	}
	found, ok := FindCosignature(both, witness.NodeID())
	if !ok || !bytes.Equal(found, value) {
		t.Errorf("found %x, %v", found, ok)
	}
	if _, err := OpenCosignature(both, witness.NodeID(), found); err != nil {
		t.Error(err)
	}
	if _, ok := FindCosignature(both, noteKeyOf(3).NodeID()); ok {
		t.Error("a witness that is not there was found")
	}
}

func TestEveryBitOfACheckpointAndOfACosignatureCounts(t *testing.T) {
	id, witness := noteKeyOf(1).NodeID(), noteKeyOf(2)
	wire := signedCheckpoint(t, Checkpoint{Size: 1 << 20, Root: [32]byte{9}, Pruned: 1, PrunedHash: [32]byte{8}})
	value, err := Cosign(wire, witness, time.Unix(1e9, 0))
	if err != nil {
		t.Fatal(err)
	}
	for i := range wire {
		for bit := range 8 {
			altered := bytes.Clone(wire)
			altered[i] ^= 1 << bit
			if _, err := OpenCheckpoint(altered, id); err == nil || !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrSignature) {
				t.Fatalf("bit %d of byte %d: %v", bit, i, err)
			}
		}
	}
	for i := range value {
		altered := bytes.Clone(value)
		altered[i] ^= 1
		if _, err := OpenCosignature(wire, witness.NodeID(), altered); err == nil {
			t.Errorf("byte %d of the cosignature does not count", i)
		}
	}
	if _, err := OpenCheckpoint(wire, witness.NodeID()); !errors.Is(err, ErrSigner) {
		t.Errorf("of another node: %v", err)
	}
	if _, err := OpenCosignature(wire, id, value); !errors.Is(err, ErrSignature) {
		t.Errorf("of another witness: %v", err)
	}
}

func TestTextThatIsNoCheckpointIsRefusedThoughItIsSigned(t *testing.T) {
	key := noteKeyOf(1)
	origin := key.NodeID().Origin()
	root := base64.StdEncoding.EncodeToString(make([]byte, 32))
	for name, text := range map[string]string{
		"nothing but a name":     origin + "\n",
		"no root":                origin + "\n12\n",
		"a size of 0":            origin + "\n0\n" + root + "\n",
		"a size with a zero":     origin + "\n012\n" + root + "\n",
		"a size with a sign":     origin + "\n+12\n" + root + "\n",
		"a size above the limit": origin + "\n281474976710657\n" + root + "\n",
		"a short root":           origin + "\n12\nAAAA\n",
		"a root with a break":    origin + "\n12\n" + root[:10] + "\n" + root[10:] + "\n",
		"more removed than was":  origin + "\n12\n" + root + "\npruned 12 " + root + "\n",
		"removed twice":          origin + "\n12\n" + root + "\npruned 2 " + root + "\npruned 3 " + root + "\n",
		"removed without hash":   origin + "\n12\n" + root + "\npruned 2\n",
		"removed nothing":        origin + "\n12\n" + root + "\npruned 0 " + root + "\n",
		"too long":               origin + "\n12\n" + root + "\n" + strings.Repeat("x", MaxCheckpointNote) + "\n",
	} {
		wire, err := note.Sign(&note.Note{Text: text}, noteSigner{key})
		if err != nil {
			t.Fatal(name, err)
		}
		if c, err := OpenCheckpoint(wire, key.NodeID()); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %+v, %v", name, c, err)
		}
	}
	wire, err := note.Sign(&note.Note{Text: origin + "\n12\n" + root + "\na line of a later version\n"}, noteSigner{key})
	if err != nil {
		t.Fatal(err)
	}
	if c, err := OpenCheckpoint(wire, key.NodeID()); err != nil || c.Size != 12 {
		t.Errorf("a line of a later version: %+v, %v", c, err)
	}
	for _, c := range []Checkpoint{{}, {Size: MaxCount + 1}, {Size: 5, Pruned: 5}, {Size: 5, PrunedHash: [32]byte{1}}} {
		if _, err := SignCheckpoint(c, key); err == nil {
			t.Errorf("signed %+v", c)
		}
	}
}

func FuzzOpenCheckpoint(f *testing.F) {
	key := noteKeyOf(1)
	wire, err := SignCheckpoint(Checkpoint{Size: 12, Pruned: 3}, key)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(wire)
	f.Add([]byte("caro-node/0123456789abcdef\n12\n\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := OpenCheckpoint(data, key.NodeID())
		if err != nil && !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrSignature) {
			t.Errorf("refused %q by %v", data, err)
		}
		if err == nil && c.Validate() != nil {
			t.Errorf("accepted %q", data)
		}
	})
}
