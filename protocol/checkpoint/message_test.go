package checkpoint

import (
	"bytes"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/caro-mesh/caro-node/internal/wiretest"
	"github.com/caro-mesh/caro-node/protocol"
)

var (
	pushMessage = wiretest.Message{Type: protocol.MsgCheckpointPush, Reread: func(payload []byte) ([]byte, error) {
		var p push
		if err := protocol.Decode(payload, &p); err != nil {
			return nil, err
		}
		c, err := protocol.OpenCheckpoint(p.Note, wiretest.Sender{}.NodeID())
		if err != nil {
			return nil, err
		}
		if err := c.Validate(); err != nil {
			return nil, err
		}
		return protocol.Encode(&p)
	}}
	ackMessage = wiretest.Message{Type: protocol.MsgCheckpointAck, Reread: wiretest.Reread[ack]}
)

func signed(t testing.TB, c protocol.Checkpoint) []byte {
	t.Helper()
	note, err := protocol.SignCheckpoint(c, wiretest.Sender{})
	if err != nil {
		t.Fatal(err)
	}
	return note
}

func TestCheckpointPushHasItsVectors(t *testing.T) {
	root, other := hash(bytes.Repeat([]byte{7}, 32)), hash(bytes.Repeat([]byte{8}, 32))
	whole := signed(t, protocol.Checkpoint{Size: 12, Root: root})
	pruned := signed(t, protocol.Checkpoint{Size: 1200, Root: root, Pruned: 700, PrunedHash: other})
	encode := func(p push) []byte { return wiretest.Encode(t, &p) }
	pushMessage.Check(t, map[string][]byte{
		"the first":               encode(push{Note: whole, Proof: []hash{}}),
		"with a proof":            encode(push{Note: whole, OldSize: 7, Proof: []hash{root, other, root}}),
		"of a log that is pruned": encode(push{Note: pruned, OldSize: 1199, Proof: []hash{root}}),
		"the same again":          encode(push{Note: whole, OldSize: 12, Proof: []hash{}}),
		"as long as may be":       encode(push{Note: whole, OldSize: 1, Proof: make([]hash, protocol.MaxProof)}),
	}, map[string][]byte{
		"another size than was signed": encode(push{Note: bytes.Replace(whole, []byte("\n12\n"), []byte("\n13\n"), 1), Proof: []hash{}}),
		"of another node":              encode(push{Note: bytes.Replace(whole, []byte("caro-node/"), []byte("caro-node/0"), 1), Proof: []hash{}}),
		"without a signature":          encode(push{Note: []byte("caro-node/0123456789abcdef\n12\nAAAA\n"), Proof: []hash{}}),
		"a note that is too long":      encode(push{Note: append(bytes.Clone(whole), bytes.Repeat([]byte("x"), protocol.MaxCheckpointNote)...), Proof: []hash{}}),
		"65 hashes":                    encode(push{Note: whole, OldSize: 1, Proof: make([]hash, protocol.MaxProof+1)}),
		"a proof from nowhere":         encode(push{Note: whole, Proof: make([]hash, 1)}),
		"a hash of 31 bytes":           wiretest.Encode(t, map[int]any{1: whole, 2: 1, 3: [][]byte{make([]byte, 31)}}),
		"a note that is text":          wiretest.Encode(t, map[int]any{1: string(whole), 2: 0, 3: [][]byte{}}),
	})
}

func TestCheckpointAckHasItsVectors(t *testing.T) {
	note := signed(t, protocol.Checkpoint{Size: 12})
	cosignature, err := protocol.Cosign(note, wiretest.Sender{}, wiretest.Now)
	if err != nil {
		t.Fatal(err)
	}
	encode := func(a ack) []byte { return wiretest.Encode(t, &a) }
	ackMessage.Check(t, map[string][]byte{
		"cosigned":              encode(ack{Status: StatusCosigned, Size: 12, Cosignature: cosignature}),
		"stale":                 encode(ack{Status: StatusStale, Size: 7}),
		"nothing is known here": encode(ack{Status: StatusStale}),
		"conflict":              encode(ack{Status: StatusConflict, Size: 17, Reason: "its audit log has 12 entries, but it had 17 before"}),
		"refused":               encode(ack{Status: StatusRefused, Reason: "this node vouches for its peers only"}),
	}, map[string][]byte{
		"unknown status":             encode(ack{Status: "perhaps", Size: 12}),
		"cosigned without signature": encode(ack{Status: StatusCosigned, Size: 12}),
		"cosigned nothing":           encode(ack{Status: StatusCosigned, Cosignature: cosignature}),
		"cosigned with a reason":     encode(ack{Status: StatusCosigned, Size: 12, Cosignature: cosignature, Reason: "but"}),
		"a short cosignature":        encode(ack{Status: StatusCosigned, Size: 12, Cosignature: cosignature[:71]}),
		"stale with a cosignature":   encode(ack{Status: StatusStale, Size: 12, Cosignature: cosignature}),
		"stale with a reason":        encode(ack{Status: StatusStale, Size: 12, Reason: "no"}),
		"conflict without a reason":  encode(ack{Status: StatusConflict, Size: 12}),
		"refused without a reason":   encode(ack{Status: StatusRefused}),
		"a reason that moves lines":  encode(ack{Status: StatusRefused, Reason: "a\nb"}),
		"more entries than can be":   encode(ack{Status: StatusStale, Size: protocol.MaxCount + 1}),
	})
}

func TestEveryCheckpointPushSurvivesTheWire(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := rapid.Custom(func(t *rapid.T) hash { return hash(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "hash")) })
		c := protocol.Checkpoint{Size: rapid.Uint64Range(1, protocol.MaxCount).Draw(t, "size"), Root: draw.Draw(t, "root")}
		if c.Pruned = rapid.Uint64Range(0, c.Size-1).Draw(t, "pruned"); c.Pruned > 0 {
			c.PrunedHash = draw.Draw(t, "pruned hash")
		}
		note, err := protocol.SignCheckpoint(c, wiretest.Sender{})
		if err != nil {
			t.Fatal(err)
		}
		if again, err := protocol.OpenCheckpoint(note, wiretest.Sender{}.NodeID()); err != nil || again != c {
			t.Fatalf("%+v became %+v (%v)", c, again, err)
		}
		p := push{Note: note, OldSize: rapid.Uint64Range(1, c.Size).Draw(t, "old size"), Proof: rapid.SliceOfN(draw, 0, protocol.MaxProof).Draw(t, "proof")}
		pushMessage.Survives(t, &p)
	})
}

func TestEveryCheckpointAckSurvivesTheWire(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := ack{Status: rapid.SampledFrom([]Status{StatusCosigned, StatusStale, StatusConflict, StatusRefused}).Draw(t, "status"),
			Size: rapid.Uint64Range(1, protocol.MaxCount).Draw(t, "size")}
		switch a.Status {
		case StatusCosigned:
			a.Cosignature = rapid.SliceOfN(rapid.Byte(), protocol.CosignatureSize, protocol.CosignatureSize).Draw(t, "cosignature")
		case StatusConflict, StatusRefused:
			a.Reason = rapid.StringMatching(`[a-z ]{1,512}`).Draw(t, "reason")
		}
		ackMessage.Survives(t, &a)
	})
}

func TestLimitsHoldOnBothSides(t *testing.T) {
	for n, ok := range map[int]bool{0: false, 1: true, protocol.MaxCheckpointNote: true, protocol.MaxCheckpointNote + 1: false} {
		if err := (&push{Note: make([]byte, n)}).Validate(); (err == nil) != ok {
			t.Errorf("a note of %d bytes: %v", n, err)
		}
	}
	for n, ok := range map[int]bool{0: true, protocol.MaxProof: true, protocol.MaxProof + 1: false} {
		if err := (&push{Note: []byte("x"), OldSize: 1, Proof: make([]hash, n)}).Validate(); (err == nil) != ok {
			t.Errorf("a proof of %d hashes: %v", n, err)
		}
	}
	for n, ok := range map[int]bool{0: false, 1: true, protocol.MaxReason: true, protocol.MaxReason + 1: false} {
		if err := (&ack{Status: StatusRefused, Reason: strings.Repeat("x", n)}).Validate(); (err == nil) != ok {
			t.Errorf("a reason of %d bytes: %v", n, err)
		}
	}
	if protocol.MaxSize(protocol.MsgCheckpointPush) != protocol.MaxCheckpoint || protocol.MaxSize(protocol.MsgCheckpointAck) != protocol.MaxCheckpointAck {
		t.Error("the envelopes have other limits than they should")
	}
	largest := protocol.MaxCheckpointNote + protocol.MaxProof*34 + 30 + wiretest.Overhead
	if largest > protocol.MaxCheckpoint {
		t.Errorf("the largest push has up to %d bytes, above the limit", largest)
	}
}

func FuzzCheckpointPush(f *testing.F) { pushMessage.Fuzz(f) }
func FuzzCheckpointAck(f *testing.F)  { ackMessage.Fuzz(f) }

func TestTheDocumentDescribesThisProtocol(t *testing.T) {
	document := wiretest.Document(t, "../..")
	wiretest.Row(t, document, "`"+ID+"`", rules.Rate, rules.Burst, rules.PerPeer, rules.Total)
	wiretest.Fields(t, document, "CheckpointPush", push{})
	wiretest.Fields(t, document, "CheckpointAck", ack{})
}
