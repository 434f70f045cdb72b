// Package goodbye is the protocol /caro/goodbye/1.0.0: a node that leaves on purpose says so, which tells it from one that
// crashed or lost its network.
//
//	Goodbye  0xFFFF  CBOR map: 1 reason  "shutdown" (the node stops) or "removed" (it no longer wants this connection)
//
// There is no answer; the end of the stream says that the message was taken. A goodbye closes nothing by itself: whoever
// says it closes its connections afterwards, and does not wait long.
package goodbye

import (
	"context"
	"fmt"
	"slices"

	"golang.org/x/time/rate"

	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/protocol/exchange"
)

// ID is the protocol's name on streams.
const ID = "/caro/goodbye/1.0.0"

// Reason says why a node leaves.
type Reason string

// Reasons.
const (
	ReasonShutdown Reason = "shutdown"
	ReasonRemoved  Reason = "removed"
)

type message struct {
	Reason Reason `cbor:"1,keyasint"`
}

// Validate requires a known reason.
func (m *message) Validate() error {
	if !slices.Contains([]Reason{ReasonShutdown, ReasonRemoved}, m.Reason) {
		return fmt.Errorf("unknown reason %q", string(m.Reason))
	}
	return nil
}

// One goodbye per connection; 256 at once, because a whole office may close for the day.
var rules = exchange.Rules{
	Protocol: ID,
	Request:  protocol.MsgGoodbye,
	Rate:     rate.Limit(0.5), Burst: 4, PerPeer: 1, Total: 256,
}

// Serve tells said about every goodbye until the returned server is closed.
func Serve(e *exchange.Endpoint, said func(from protocol.NodeID, why Reason)) *exchange.Server {
	return e.Serve(rules, func(_ context.Context, from exchange.From, payload []byte) ([]byte, error) {
		var m message
		if err := protocol.Decode(payload, &m); err != nil {
			return nil, err
		}
		said(from.ID, m.Reason)
		return nil, nil
	})
}

// Say says goodbye to a connected node and returns when it was heard, or when ctx ends: give it a second.
func Say(ctx context.Context, e *exchange.Endpoint, to protocol.NodeID, why Reason) error {
	payload, err := protocol.Encode(&message{Reason: why})
	if err != nil {
		return err
	}
	_, err = e.Ask(ctx, to, rules, payload)
	return err
}
