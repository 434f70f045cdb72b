package goodbye

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/caro-mesh/caro-node/internal/wiretest"
	"github.com/caro-mesh/caro-node/protocol"
)

var goodbyeMessage = wiretest.Message{Type: protocol.MsgGoodbye, Reread: wiretest.Reread[message]}

func TestGoodbyeHasItsVectors(t *testing.T) {
	goodbyeMessage.Check(t, map[string][]byte{
		"shutdown": wiretest.Encode(t, &message{Reason: ReasonShutdown}),
		"removed":  wiretest.Encode(t, &message{Reason: ReasonRemoved}),
	}, map[string][]byte{
		"no reason":          wiretest.Encode(t, &message{}),
		"unknown reason":     wiretest.Encode(t, &message{Reason: "bored"}),
		"upper case":         wiretest.Encode(t, &message{Reason: "Shutdown"}),
		"reason of controls": wiretest.Encode(t, &message{Reason: "\x1b[2J"}),
		"reason as bytes":    wiretest.Encode(t, map[int]any{1: []byte("shutdown")}),
	})
}

func TestEveryGoodbyeSurvivesTheWire(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		goodbyeMessage.Survives(t, &message{Reason: rapid.SampledFrom([]Reason{ReasonShutdown, ReasonRemoved}).Draw(t, "reason")})
	})
}

func FuzzGoodbye(f *testing.F) { goodbyeMessage.Fuzz(f) }

func TestTheDocumentDescribesThisProtocol(t *testing.T) {
	document := wiretest.Document(t, "../..")
	wiretest.Row(t, document, "`"+ID+"`", rules.Rate, rules.Burst, rules.PerPeer, rules.Total)
	wiretest.Fields(t, document, "Goodbye", message{})
}
