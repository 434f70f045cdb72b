package health

import (
	"testing"
	"time"

	"github.com/caro-mesh/caro-node/node/identity"
	"github.com/caro-mesh/caro-node/protocol"
)

// BenchmarkJudge measures what one status of another node costs, by what becomes of it.
func BenchmarkJudge(b *testing.B) {
	key, err := identity.New(time.Now())
	if err != nil {
		b.Fatal(err)
	}
	data, err := protocol.SignHealth(&protocol.NodeHealthStatus{NodeID: key.NodeID(), Sequence: 1, Timestamp: protocol.At(time.Now()), ProtocolVersion: 1,
		CaroVersion: "1.2.3", State: protocol.HealthOK}, key)
	if err != nil {
		b.Fatal(err)
	}
	trusted := true
	fresh := func() *board { return newBoard("self", time.Now, func(protocol.NodeID) bool { return trusted }) }
	b.Run("accepted", func(b *testing.B) {
		for b.Loop() {
			if err := fresh().take(data); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("untrusted", func(b *testing.B) {
		trusted = false
		board := fresh()
		for b.Loop() {
			if err := board.take(data); err == nil {
				b.Fatal("believed")
			}
		}
	})
}
