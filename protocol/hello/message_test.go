package hello

import (
	"bytes"
	"crypto/ed25519"
	"testing"

	"pgregory.net/rapid"

	"github.com/caro-mesh/caro-node/protocol"
)

func anIdentity(t *rapid.T) protocol.NodeIdentity {
	seed := rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "seed")
	pub, _ := ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey)
	id := protocol.NewNodeID(pub)
	return protocol.NodeIdentity{NodeID: id, Fingerprint: id.Fingerprint(),
		DisplayName: rapid.StringMatching(`[a-z0-9 äöü-]{0,30}`).Draw(t, "name"),
		Capabilities: protocol.NodeCapabilities{ProtocolVersion: 1, CaroVersion: "1.2.3", MaxShareLevel: protocol.LevelSummarized,
			SupportedQueries: protocol.QueryTypes()[:rapid.IntRange(0, 5).Draw(t, "queries")]},
		CreatedAt: protocol.Timestamp(rapid.Int64Range(0, 1<<62).Draw(t, "created"))}
}

func TestEveryHelloSurvivesTheWire(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := message{Identity: anIdentity(t), X25519: [32]byte(rapid.SliceOfN(rapid.ByteRange(1, 255), 32, 32).Draw(t, "x25519"))}
		next := uint16(0)
		for range rapid.IntRange(1, protocol.MaxVersions).Draw(t, "versions") {
			next += rapid.Uint16Range(1, 15).Draw(t, "step")
			m.Versions = append(m.Versions, next)
		}
		roundTrip(t, &m, &message{})
	})
}

func TestEveryAckSurvivesTheWire(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := ack{Status: rapid.SampledFrom([]Status{StatusAccepted, StatusDenied, StatusNoCommonVersion, StatusClockSkew, StatusTryLater}).Draw(t, "status")}
		if a.Status == StatusAccepted {
			id := anIdentity(t)
			a.Identity, a.X25519 = &id, rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "x25519")
			a.Version = Version(rapid.Uint8Range(1, 255).Draw(t, "version"))
		} else {
			a.Reason = rapid.StringMatching(`[a-z ]{1,100}`).Draw(t, "reason")
		}
		roundTrip(t, &a, &ack{})
	})
}

func roundTrip[T protocol.Validator](t *rapid.T, in, out T) {
	b, err := protocol.Encode(in)
	if err != nil {
		t.Fatal(err)
	}
	if err := protocol.Decode(b, out); err != nil {
		t.Fatalf("%x: %v", b, err)
	}
	again, err := protocol.Encode(out)
	if err != nil || !bytes.Equal(again, b) {
		t.Fatalf("%x became %x (%v)", b, again, err)
	}
}

func TestAnAckMixesNeitherRefusalAndIdentityNorAcceptanceAndReason(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id := anIdentity(t)
		key := make([]byte, 32)
		good := ack{Status: StatusAccepted, Identity: &id, X25519: key, Version: 1}
		bad := ack{Status: StatusDenied, Reason: "no"}
		for name, a := range map[string]ack{
			"accepted with a reason":       {Status: StatusAccepted, Reason: "but", Identity: &id, X25519: key, Version: 1},
			"accepted by nobody":           {Status: StatusAccepted, X25519: key, Version: 1},
			"accepted with a short key":    {Status: StatusAccepted, Identity: &id, X25519: key[:31], Version: 1},
			"accepted without a version":   {Status: StatusAccepted, Identity: &id, X25519: key},
			"denied without a reason":      {Status: StatusDenied},
			"denied by somebody":           {Status: StatusDenied, Reason: "no", Identity: &id},
			"denied with a version":        {Status: StatusDenied, Reason: "no", Version: 1},
			"denied with a key":            {Status: StatusDenied, Reason: "no", X25519: key},
			"a status of tomorrow":         {Status: "perhaps", Reason: "no"},
			"a reason that moves a cursor": {Status: StatusDenied, Reason: "\x1b[2J"},
		} {
			if a.Validate() == nil {
				t.Errorf("%s is valid", name)
			}
		}
		if good.Validate() != nil || bad.Validate() != nil {
			t.Error("a plain answer is not valid")
		}
	})
}

func FuzzHello(f *testing.F) {
	f.Add([]byte{0xa0})
	f.Fuzz(func(t *testing.T, data []byte) {
		var m message
		if protocol.Decode(data, &m) == nil {
			if again, err := protocol.Encode(&m); err != nil || !bytes.Equal(again, data) {
				t.Errorf("accepted %x, which encodes as %x (%v)", data, again, err)
			}
		}
	})
}

func FuzzHelloAck(f *testing.F) {
	for _, a := range []ack{{Status: StatusDenied, Reason: "no"}, {Status: StatusClockSkew, Reason: "late"}} {
		b, err := protocol.Encode(&a)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var a ack
		if protocol.Decode(data, &a) == nil {
			if again, err := protocol.Encode(&a); err != nil || !bytes.Equal(again, data) {
				t.Errorf("accepted %x, which encodes as %x (%v)", data, again, err)
			}
		}
	})
}
