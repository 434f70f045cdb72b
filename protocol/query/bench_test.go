package query_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/caro-mesh/caro-node/internal/meshtest"
	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/protocol/exchange"
	"github.com/caro-mesh/caro-node/protocol/query"
)

// BenchmarkAsk is one question and its answer over an open connection, both ends on this machine: as nodes of older versions
// have it, and with the receipt, for which the asker signs twice and the other end verifies twice. The asker does not wait
// for that other end.
func BenchmarkAsk(b *testing.B) {
	for name, receipted := range map[string]bool{"without a receipt": false, "countersigned": true} {
		b.Run(name, func(b *testing.B) {
			asker, asked := meshtest.New(b, meshtest.Options{}), meshtest.New(b, meshtest.Options{})
			client := asker.Greets(nil)
			asked.Greets(nil)
			taken := make(chan struct{}, 1)
			// On an endpoint of its own rules, which do not limit the rate.
			rules := older()
			rules.Rate, rules.Burst = 1e9, 1e9
			rules.Receipt = protocol.MsgQueryReceipt
			asked.OnClose(asked.Endpoint.ServeReceipted(rules, func(_ context.Context, _ exchange.From, payload []byte) ([]byte, func(context.Context, []byte) error, error) {
				q, err := protocol.OpenQuery(payload)
				if err != nil {
					return nil, nil, err
				}
				response, err := sign(asked, success(asked, q))
				return response, func(_ context.Context, receipt []byte) error {
					_, err := protocol.OpenReceipt(receipt)
					taken <- struct{}{}
					return err
				}, err
			}).Close)
			meshtest.Meet(b, asker, client, asked)
			for b.Loop() {
				q := &protocol.MeshQuery{QueryID: uuid.NewString(), Requester: asker.Key.NodeID(), QueryType: protocol.QueryToolUsage, TimeRange: yesterday()}
				wire, err := protocol.SignQuery(q, asker.Key, time.Now())
				if err != nil {
					b.Fatal(err)
				}
				if receipted {
					_, err = query.Ask(b.Context(), asker.Endpoint, asker.Key, asked.Key.NodeID(), q, wire)
					<-taken
				} else {
					_, err = asker.Endpoint.Ask(b.Context(), asked.Key.NodeID(), rules, wire)
				}
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
