package rotation

import (
	"bytes"
	"crypto/ed25519"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/caro-mesh/caro-node/internal/wiretest"
	"github.com/caro-mesh/caro-node/protocol"
)

var (
	rotationMessage = wiretest.Message{Type: protocol.MsgRotation, Reread: wiretest.Reread[message]}
	ackMessage      = wiretest.Message{Type: protocol.MsgRotationAck, Reread: wiretest.Reread[ack]}
)

type seedKey struct{ key ed25519.PrivateKey }

func keyOf(seed byte) seedKey {
	return seedKey{ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))}
}

func (k seedKey) NodeID() protocol.NodeID {
	pub, _ := k.key.Public().(ed25519.PublicKey)
	return protocol.NewNodeID(pub)
}

func (k seedKey) Sign(msg []byte) ([]byte, error) { return ed25519.Sign(k.key, msg), nil }

// goldenChain leads from the key whose seed is 32 times the byte 9 over that of the sender, the byte 1, to that of the
// byte 2; the last statement commits to the byte 3.
func goldenChain(t *testing.T) [][]byte {
	t.Helper()
	var out [][]byte
	for i, seeds := range [][3]byte{{9, 1, 2}, {1, 2, 3}} {
		at := protocol.At(wiretest.Now.Add(time.Duration(i-1) * time.Hour))
		old, successor := keyOf(seeds[0]), keyOf(seeds[1])
		wire, err := protocol.SignRotation(&protocol.KeyRotation{OldID: old.NodeID(), NewID: successor.NodeID(), Generation: uint64(i + 1), IssuedAt: at,
			ValidFrom: at, OldExpires: at + protocol.Timestamp(24*time.Hour), NextDigest: protocol.DigestOf(keyOf(seeds[2]).NodeID()),
			Reason: protocol.RotationScheduled}, old, successor, at.Time())
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, wire)
	}
	if _, err := protocol.OpenRotations(out, keyOf(2).NodeID()); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestKeyRotationHasItsVectors(t *testing.T) {
	chain := goldenChain(t)
	encode := func(rotations [][]byte) []byte { return wiretest.Encode(t, &message{Rotations: rotations}) }
	rotationMessage.Check(t, map[string][]byte{
		"the first rotation": encode(chain[1:]),
		"a second one":       encode(chain),
		"as many as may be":  encode(slices.Repeat(chain[1:], protocol.MaxRotations)),
		"unlike a statement": encode([][]byte{{0xa0}}), // which is refused when it is opened, not before
		"an empty statement": encode([][]byte{{}}),
	}, map[string][]byte{
		"none":                       encode(nil),
		"17 rotations":               encode(slices.Repeat(chain[1:], protocol.MaxRotations+1)),
		"a statement that is text":   wiretest.Encode(t, map[int]any{1: []string{"statement"}}),
		"one statement, not a list":  wiretest.Encode(t, map[int]any{1: chain[0]}),
		"statements under other key": wiretest.Encode(t, map[int]any{2: chain}),
	})
}

func TestKeyRotationAckHasItsVectors(t *testing.T) {
	ackMessage.Check(t, map[string][]byte{
		"accepted": wiretest.Encode(t, &ack{Status: StatusAccepted}),
		"unproven": wiretest.Encode(t, &ack{Status: StatusUnproven, Reason: "this node has not met any of these keys"}),
		"refused":  wiretest.Encode(t, &ack{Status: StatusRefused, Reason: "another key followed it"}),
	}, map[string][]byte{
		"unknown status":            wiretest.Encode(t, &ack{Status: "perhaps", Reason: "no"}),
		"accepted with a reason":    wiretest.Encode(t, &ack{Status: StatusAccepted, Reason: "but"}),
		"unproven without a reason": wiretest.Encode(t, &ack{Status: StatusUnproven}),
		"refused without a reason":  wiretest.Encode(t, &ack{Status: StatusRefused}),
		"a reason that moves lines": wiretest.Encode(t, &ack{Status: StatusRefused, Reason: "a\nb"}),
	})
}

func TestEveryKeyRotationSurvivesTheWire(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rotationMessage.Survives(t, &message{Rotations: rapid.SliceOfN(rapid.SliceOfN(rapid.Byte(), 1, 432), 1, protocol.MaxRotations).Draw(t, "rotations")})
	})
}

func TestEveryKeyRotationAckSurvivesTheWire(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := &ack{Status: rapid.SampledFrom([]Status{StatusAccepted, StatusUnproven, StatusRefused}).Draw(t, "status")}
		if a.Status != StatusAccepted {
			a.Reason = rapid.StringMatching(`[a-z ]{1,100}`).Draw(t, "reason")
		}
		ackMessage.Survives(t, a)
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
}

func FuzzKeyRotation(f *testing.F)    { rotationMessage.Fuzz(f) }
func FuzzKeyRotationAck(f *testing.F) { ackMessage.Fuzz(f) }

func TestTheDocumentDescribesThisProtocol(t *testing.T) {
	document := wiretest.Document(t, "../..")
	wiretest.Row(t, document, "`"+ID+"`", rules.Rate, rules.Burst, rules.PerPeer, rules.Total)
	wiretest.Fields(t, document, "KeyRotation", message{})
	wiretest.Fields(t, document, "KeyRotationAck", ack{})
	wiretest.Fields(t, document, "Statement body", protocol.KeyRotation{})
}
