package hello

import (
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
		m.NextDigest, m.Rotations = aDigest(t), someRotations(t)
		helloMessage.Survives(t, &m)
	})
}

func TestEveryHelloAckSurvivesTheWire(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := ack{Status: rapid.SampledFrom([]Status{StatusAccepted, StatusDenied, StatusNoCommonVersion, StatusClockSkew, StatusTryLater}).Draw(t, "status")}
		if a.Status == StatusAccepted {
			id := anIdentity(t)
			a.Identity, a.X25519 = &id, rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "x25519")
			a.Version = Version(rapid.Uint8Range(1, 255).Draw(t, "version"))
			next, rotations := aDigest(t), someRotations(t)
			a.NextDigest, a.Rotations = &next, &rotations
		} else {
			a.Reason = rapid.StringMatching(`[a-z ]{1,100}`).Draw(t, "reason")
		}
		ackMessage.Survives(t, &a)
	})
}

func aDigest(t *rapid.T) protocol.KeyDigest {
	return protocol.KeyDigest(rapid.SliceOfN(rapid.ByteMin(1), 32, 32).Draw(t, "digest"))
}

// someRotations are byte strings; what is in them is not looked at before the message is whole.
func someRotations(t *rapid.T) [][]byte {
	return rapid.SliceOfN(rapid.SliceOfN(rapid.Byte(), 1, 9), 0, protocol.MaxRotations).Draw(t, "rotations")
}

func TestAnAckMixesNeitherRefusalAndIdentityNorAcceptanceAndReason(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id := anIdentity(t)
		key := make([]byte, 32)
		next, none := aDigest(t), [][]byte{}
		good := ack{Status: StatusAccepted, Identity: &id, X25519: key, Version: 1, NextDigest: &next, Rotations: &none}
		bad := ack{Status: StatusDenied, Reason: "no"}
		for name, a := range map[string]ack{
			"accepted with a reason":       {Status: StatusAccepted, Reason: "but", Identity: &id, X25519: key, Version: 1, NextDigest: &next, Rotations: &none},
			"accepted by nobody":           {Status: StatusAccepted, X25519: key, Version: 1, NextDigest: &next, Rotations: &none},
			"accepted with a short key":    {Status: StatusAccepted, Identity: &id, X25519: key[:31], Version: 1, NextDigest: &next, Rotations: &none},
			"accepted without a version":   {Status: StatusAccepted, Identity: &id, X25519: key, NextDigest: &next, Rotations: &none},
			"accepted without a digest":    {Status: StatusAccepted, Identity: &id, X25519: key, Version: 1, Rotations: &none},
			"accepted without rotations":   {Status: StatusAccepted, Identity: &id, X25519: key, Version: 1, NextDigest: &next},
			"denied with a digest":         {Status: StatusDenied, Reason: "no", NextDigest: &next},
			"denied with rotations":        {Status: StatusDenied, Reason: "no", Rotations: &none},
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

func TestEveryCapabilitiesSurvivesTheWire(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := capabilitiesOf(anIdentity(t))
		capabilitiesMessage.Survives(t, &c)
	})
}
