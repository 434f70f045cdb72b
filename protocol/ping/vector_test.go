package ping

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/caro-mesh/caro-node/internal/wiretest"
	"github.com/caro-mesh/caro-node/protocol"
)

var (
	pingMessage = wiretest.Message{Type: protocol.MsgPing, Reread: wiretest.Reread[ping]}
	pongMessage = wiretest.Message{Type: protocol.MsgPong, Reread: wiretest.Reread[pong]}
)

func TestPingHasItsVectors(t *testing.T) {
	pingMessage.Check(t, map[string][]byte{
		"usual":                wiretest.Encode(t, &ping{Sent: protocol.At(wiretest.Now)}),
		"clock at its start":   wiretest.Encode(t, &ping{}),
		"earliest time of all": wiretest.Encode(t, &ping{Sent: math.MinInt64}),
		"latest time of all":   wiretest.Encode(t, &ping{Sent: math.MaxInt64}),
	}, map[string][]byte{
		"no time":        wiretest.Encode(t, map[int]any{}),
		"time as text":   wiretest.Encode(t, map[int]any{1: "2026-11-23T12:34:56Z"}),
		"time as float":  wiretest.Encode(t, map[int]any{1: 1.5}),
		"time of 64 bit": wiretest.Encode(t, map[int]any{1: uint64(math.MaxUint64)}),
		"a pong":         wiretest.Encode(t, &pong{}),
	})
}

func TestPongHasItsVectors(t *testing.T) {
	sent := protocol.At(wiretest.Now)
	pongMessage.Check(t, map[string][]byte{
		"usual":                  wiretest.Encode(t, &pong{Sent: sent, Received: sent + 1_500_000}),
		"a clock that is behind": wiretest.Encode(t, &pong{Sent: sent, Received: sent - 60_000_000_000}),
	}, map[string][]byte{
		"a ping":               wiretest.Encode(t, &ping{}),
		"times as a list":      wiretest.Encode(t, []int64{1, 2}),
		"received as a string": wiretest.Encode(t, map[int]any{1: 1, 2: []byte{1}}),
	})
}

func TestEveryPingSurvivesTheWire(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pingMessage.Survives(t, &ping{Sent: protocol.Timestamp(rapid.Int64().Draw(t, "sent"))})
	})
}

func TestEveryPongSurvivesTheWire(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pongMessage.Survives(t, &pong{Sent: protocol.Timestamp(rapid.Int64().Draw(t, "sent")), Received: protocol.Timestamp(rapid.Int64().Draw(t, "received"))})
	})
}

func FuzzPing(f *testing.F) { pingMessage.Fuzz(f) }
func FuzzPong(f *testing.F) { pongMessage.Fuzz(f) }

func TestTheDocumentDescribesThisProtocol(t *testing.T) {
	document := wiretest.Document(t, "../..")
	wiretest.Row(t, document, "`"+ID+"`", rules.Rate, rules.Burst, rules.PerPeer, rules.Total)
	wiretest.Fields(t, document, "Ping", ping{})
	wiretest.Fields(t, document, "Pong", pong{})
}
