package hello

import (
	"bytes"
	"crypto/ed25519"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caro-mesh/caro-node/internal/wiretest"
	"github.com/caro-mesh/caro-node/protocol"
)

var (
	helloMessage        = wiretest.Message{Type: protocol.MsgHello, Reread: wiretest.Reread[message]}
	ackMessage          = wiretest.Message{Type: protocol.MsgHelloAck, Reread: wiretest.Reread[ack]}
	capabilitiesMessage = wiretest.Message{Type: protocol.MsgCapabilities, Reread: wiretest.Reread[capabilities]}
)

// x25519 is the public key of the vectors: 32 bytes from 1 to 32. Any bytes but zeros are one.
func x25519() (key [32]byte) {
	for i := range key {
		key[i] = byte(i + 1)
	}
	return key
}

// plain is an identity without anything that may be left out.
func plain() protocol.NodeIdentity {
	id := wiretest.Identity()
	id.DisplayName, id.Capabilities.CanAggregate, id.Capabilities.SupportedQueries = "", false, nil
	return id
}

// nextDigest is what the vectors commit to: the digest of the key that follows 32 times the byte 3.
func nextDigest() protocol.KeyDigest { return protocol.DigestOf(keyOf(3).NodeID()) }

type seedKey struct{ key ed25519.PrivateKey }

func keyOf(seed byte) seedKey {
	return seedKey{ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))}
}

func (k seedKey) NodeID() protocol.NodeID {
	pub, _ := k.key.Public().(ed25519.PublicKey)
	return protocol.NewNodeID(pub)
}

func (k seedKey) Sign(msg []byte) ([]byte, error) { return ed25519.Sign(k.key, msg), nil }

// rotated is the statement that led from the key whose seed is 32 times the byte 2 to the sender's.
func rotated(t *testing.T) []byte {
	t.Helper()
	at := protocol.At(wiretest.Now)
	wire, err := protocol.SignRotation(&protocol.KeyRotation{OldID: keyOf(2).NodeID(), NewID: wiretest.Sender{}.NodeID(), Generation: 1, IssuedAt: at,
		ValidFrom: at, OldExpires: protocol.At(wiretest.Now.Add(24 * time.Hour)), NextDigest: nextDigest(), Reason: protocol.RotationScheduled},
		keyOf(2), wiretest.Sender{}, wiretest.Now)
	if err != nil {
		t.Fatal(err)
	}
	return wire
}

// Statements are bounded by themselves; the envelope by all of them.
func TestAHelloWithEverythingFitsItsLimit(t *testing.T) {
	m := message{Identity: wiretest.Identity(), X25519: x25519(), NextDigest: nextDigest(), Rotations: slices.Repeat([][]byte{make([]byte, protocol.MaxRotationStatement)}, protocol.MaxRotations)}
	for v := range protocol.MaxVersions {
		m.Versions = append(m.Versions, uint16(255-protocol.MaxVersions+v))
	}
	m.Identity.DisplayName, m.Identity.Capabilities.CaroVersion = strings.Repeat("x", protocol.MaxDisplayName), strings.Repeat("v", protocol.MaxVersionText)
	if err := m.Validate(); err != nil {
		t.Fatal(err)
	}
	if n := len(wiretest.Encode(t, &m)) + wiretest.Overhead; n > protocol.MaxHello {
		t.Errorf("%d bytes, limit %d", n, protocol.MaxHello)
	}
}

func TestHelloHasItsVectors(t *testing.T) {
	encode := func(id protocol.NodeIdentity, key [32]byte, versions ...uint16) []byte {
		return wiretest.Encode(t, &message{Identity: id, X25519: key, Versions: versions, NextDigest: nextDigest()})
	}
	keys := func(next protocol.KeyDigest, rotations [][]byte) []byte {
		return wiretest.Encode(t, &message{Identity: wiretest.Identity(), X25519: x25519(), Versions: []uint16{1}, NextDigest: next, Rotations: rotations})
	}
	renamed := wiretest.Identity()
	renamed.Fingerprint = "0123456789abcdef"
	helloMessage.Check(t, map[string][]byte{
		"usual":            encode(wiretest.Identity(), x25519(), 1),
		"several versions": encode(wiretest.Identity(), x25519(), 1, 2, 24, 255),
		"16 versions":      encode(wiretest.Identity(), x25519(), 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16),
		"nothing optional": encode(plain(), x25519(), 1),
		"after a rotation": keys(nextDigest(), [][]byte{rotated(t)}),
	}, map[string][]byte{
		"next digest of zeros":        keys(protocol.KeyDigest{}, nil),
		"next digest of its own key":  keys(protocol.DigestOf(wiretest.Sender{}.NodeID()), nil),
		"17 rotations":                keys(nextDigest(), slices.Repeat([][]byte{rotated(t)}, protocol.MaxRotations+1)),
		"no version":                  encode(wiretest.Identity(), x25519()),
		"version 0":                   encode(wiretest.Identity(), x25519(), 0, 1),
		"version 256":                 encode(wiretest.Identity(), x25519(), 1, 256),
		"versions that fall":          encode(wiretest.Identity(), x25519(), 2, 1),
		"a version twice":             encode(wiretest.Identity(), x25519(), 1, 1),
		"17 versions":                 encode(wiretest.Identity(), x25519(), 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17),
		"x25519 key of zeros":         encode(wiretest.Identity(), [32]byte{}, 1),
		"fingerprint of another node": encode(renamed, x25519(), 1),
	})
}

func TestHelloAckHasItsVectors(t *testing.T) {
	id, key, next, none, one := wiretest.Identity(), x25519(), nextDigest(), [][]byte{}, [][]byte{rotated(t)}
	ackMessage.Check(t, map[string][]byte{
		"accepted":          wiretest.Encode(t, &ack{Status: StatusAccepted, Identity: &id, X25519: key[:], Version: 1, NextDigest: &next, Rotations: &none}),
		"after a rotation":  wiretest.Encode(t, &ack{Status: StatusAccepted, Identity: &id, X25519: key[:], Version: 1, NextDigest: &next, Rotations: &one}),
		"denied":            wiretest.Encode(t, &ack{Status: StatusDenied, Reason: "the policy of this node does not name you"}),
		"no common version": wiretest.Encode(t, &ack{Status: StatusNoCommonVersion, Reason: "no protocol version in common: you speak [2 3], this node speaks [1]; update the older of the two"}),
		"clock skew":        wiretest.Encode(t, &ack{Status: StatusClockSkew, Reason: "clocks differ by more than 5 minutes: theirs says 2026-11-23T12:28:56Z, ours 2026-11-23T12:34:56Z; set the wrong one right"}),
		"try later":         wiretest.Encode(t, &ack{Status: StatusTryLater, Reason: "this node cannot decide now, try again later"}),
	}, map[string][]byte{
		"unknown status":             wiretest.Encode(t, &ack{Status: "perhaps", Reason: "no"}),
		"accepted with a reason":     wiretest.Encode(t, &ack{Status: StatusAccepted, Reason: "but", Identity: &id, X25519: key[:], Version: 1, NextDigest: &next, Rotations: &none}),
		"accepted by nobody":         wiretest.Encode(t, &ack{Status: StatusAccepted, X25519: key[:], Version: 1, NextDigest: &next, Rotations: &none}),
		"accepted with a short key":  wiretest.Encode(t, &ack{Status: StatusAccepted, Identity: &id, X25519: key[:31], Version: 1, NextDigest: &next, Rotations: &none}),
		"accepted without a version": wiretest.Encode(t, &ack{Status: StatusAccepted, Identity: &id, X25519: key[:], NextDigest: &next, Rotations: &none}),
		"accepted without a digest":  wiretest.Encode(t, &ack{Status: StatusAccepted, Identity: &id, X25519: key[:], Version: 1, Rotations: &none}),
		"accepted without rotations": wiretest.Encode(t, &ack{Status: StatusAccepted, Identity: &id, X25519: key[:], Version: 1, NextDigest: &next}),
		"denied with rotations":      wiretest.Encode(t, &ack{Status: StatusDenied, Reason: "no", Rotations: &none}),
		"denied without a reason":    wiretest.Encode(t, &ack{Status: StatusDenied}),
		"denied by somebody":         wiretest.Encode(t, &ack{Status: StatusDenied, Reason: "no", Identity: &id}),
		"reason of controls":         wiretest.Encode(t, &ack{Status: StatusDenied, Reason: "\x1b[2J"}),
	})
}

func TestCapabilitiesHaveTheirVectors(t *testing.T) {
	full, none := capabilitiesOf(wiretest.Identity()), capabilitiesOf(plain())
	raw := full
	raw.Capabilities.MaxShareLevel = 3
	twice := full
	twice.Capabilities.SupportedQueries = []protocol.QueryType{protocol.QueryAnomalies, protocol.QueryAnomalies}
	capabilitiesMessage.Check(t, map[string][]byte{
		"usual":            wiretest.Encode(t, &full),
		"nothing optional": wiretest.Encode(t, &none),
	}, map[string][]byte{
		"unknown data level":    wiretest.Encode(t, &raw),
		"query type twice":      wiretest.Encode(t, &twice),
		"only a name":           wiretest.Encode(t, map[int]any{1: "anna-laptop"}),
		"empty name":            wiretest.Encode(t, map[int]any{1: "", 2: full.Capabilities}),
		"name that moves lines": wiretest.Encode(t, map[int]any{1: "a\nb", 2: full.Capabilities}),
	})
}

func TestLimitsInHelloHoldOnBothSides(t *testing.T) {
	text := func(n int) string { return strings.Repeat("x", n) }
	for name, limit := range map[string]struct {
		limit int
		check func(n int) error
	}{
		"versions": {protocol.MaxVersions, func(n int) error {
			m := message{Identity: wiretest.Identity(), X25519: x25519(), NextDigest: nextDigest()}
			for v := range n {
				m.Versions = append(m.Versions, uint16(v+1))
			}
			return m.Validate()
		}},
		"version": {255, func(n int) error {
			return (&message{Identity: wiretest.Identity(), X25519: x25519(), Versions: []uint16{uint16(n)}, NextDigest: nextDigest()}).Validate()
		}},
		"rotations": {protocol.MaxRotations, func(n int) error {
			return (&message{Identity: wiretest.Identity(), X25519: x25519(), Versions: []uint16{1}, NextDigest: nextDigest(), Rotations: make([][]byte, n)}).Validate()
		}},
		"reason": {protocol.MaxReason, func(n int) error { return (&ack{Status: StatusDenied, Reason: text(n)}).Validate() }},
		"display name": {protocol.MaxDisplayName, func(n int) error {
			c := capabilitiesOf(wiretest.Identity())
			c.DisplayName = text(n)
			return c.Validate()
		}},
		"caro version": {protocol.MaxVersionText, func(n int) error {
			c := capabilitiesOf(wiretest.Identity())
			c.Capabilities.CaroVersion = text(n)
			return c.Validate()
		}},
	} {
		t.Run(name, func(t *testing.T) {
			if err := limit.check(limit.limit); err != nil {
				t.Errorf("%d, the limit: %v", limit.limit, err)
			}
			if limit.check(limit.limit+1) == nil {
				t.Errorf("%d, one above the limit, is accepted", limit.limit+1)
			}
		})
	}
}

func FuzzHello(f *testing.F)        { helloMessage.Fuzz(f) }
func FuzzHelloAck(f *testing.F)     { ackMessage.Fuzz(f) }
func FuzzCapabilities(f *testing.F) { capabilitiesMessage.Fuzz(f) }

func TestTheDocumentDescribesThisProtocol(t *testing.T) {
	document := wiretest.Document(t, "../..")
	wiretest.Row(t, document, "`"+ID+"`", rules.Rate, rules.Burst, rules.PerPeer, rules.Total)
	wiretest.Fields(t, document, "Hello", message{})
	wiretest.Fields(t, document, "HelloAck", ack{})
	wiretest.Fields(t, document, "Capabilities", capabilities{})
}
