package summary

import (
	"bytes"
	"testing"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/caro-mesh/caro-node/protocol"
)

func TestEveryAckSurvivesTheWire(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := ack{SummaryID: uuid.Must(uuid.FromBytes(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "id"))).String(),
			Status: rapid.SampledFrom([]Status{StatusAccepted, StatusDuplicate, StatusRefused}).Draw(t, "status")}
		if a.Status == StatusRefused {
			a.Reason = rapid.StringMatching(`[a-z ]{1,100}`).Draw(t, "reason")
		}
		b, err := protocol.Encode(&a)
		if err != nil {
			t.Fatal(err)
		}
		var out ack
		if err := protocol.Decode(b, &out); err != nil || out != a {
			t.Fatalf("%+v became %+v (%v)", a, out, err)
		}
	})
}

func FuzzSummaryAck(f *testing.F) {
	b, err := protocol.Encode(&ack{SummaryID: uuid.NewString(), Status: StatusRefused, Reason: "no"})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, data []byte) {
		var a ack
		if protocol.Decode(data, &a) == nil {
			if again, err := protocol.Encode(&a); err != nil || !bytes.Equal(again, data) {
				t.Errorf("accepted %x, which encodes as %x (%v)", data, again, err)
			}
		}
	})
}
