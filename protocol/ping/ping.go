// Package ping is the protocol /caro/ping/1.0.0: round-trip time and clock offset between two nodes.
//
//	Ping  0x0010  CBOR map: 1 sent      the asking node's clock
//	Pong  0x0011  CBOR map: 1 sent      the same, back
//	                        2 received  the answering node's clock
//
// The round-trip time is measured by the asking node's monotonic clock alone. The offset assumes that both ways took
// equally long, so it is off by at most half the round-trip time.
package ping

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/time/rate"

	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/protocol/exchange"
)

// ID is the protocol's name on streams.
const ID = "/caro/ping/1.0.0"

// Result is one measurement.
type Result struct {
	RTT time.Duration
	// Offset is how far the other clock is ahead of ours.
	Offset time.Duration
}

type ping struct {
	Sent protocol.Timestamp `cbor:"1,keyasint"`
}

// Validate accepts every time: the envelope's is the one that counts.
func (*ping) Validate() error { return nil }

type pong struct {
	Sent     protocol.Timestamp `cbor:"1,keyasint"`
	Received protocol.Timestamp `cbor:"2,keyasint"`
}

// Validate accepts every time: the envelope's is the one that counts.
func (*pong) Validate() error { return nil }

// Nodes ping each other every 30 s and when a person asks; one a second leaves room for that.
var rules = exchange.Rules{
	Protocol: ID,
	Request:  protocol.MsgPing,
	Answer:   protocol.MsgPong,
	Rate:     rate.Limit(1), Burst: 10, PerPeer: 2, Total: 64,
}

// Serve answers pings until the returned server is closed.
func Serve(e *exchange.Endpoint) *exchange.Server {
	return e.Serve(rules, func(_ context.Context, _ exchange.From, payload []byte) ([]byte, error) {
		received := protocol.At(e.Now())
		var p ping
		if err := protocol.Decode(payload, &p); err != nil {
			return nil, err
		}
		return protocol.Encode(&pong{Sent: p.Sent, Received: received})
	})
}

// Ping measures a connected node. For errors see [exchange.Endpoint.Ask].
func Ping(ctx context.Context, e *exchange.Endpoint, to protocol.NodeID) (Result, error) {
	sent := e.Now()
	payload, err := protocol.Encode(&ping{Sent: protocol.At(sent)})
	if err != nil {
		return Result{}, err
	}
	a, err := e.Ask(ctx, to, rules, payload)
	if err != nil {
		return Result{}, err
	}
	var p pong
	if err := protocol.Decode(a.Payload, &p); err != nil {
		return Result{}, e.Blame(a, rules, err)
	}
	if p.Sent != protocol.At(sent) {
		return Result{}, e.Blame(a, rules, fmt.Errorf("%w: answered another ping", protocol.ErrMalformed))
	}
	rtt := a.Received.Sub(a.Sent)
	// Both times of the answering node lie between ours, half a round trip from either end. Ours is reckoned back from the
	// answer: how long it took until the question could be sent, on a new stream, is no part of the round trip.
	middle := a.Timestamp.Add(-a.Timestamp.Sub(p.Received.Time()) / 2)
	received := e.Now().Add(-time.Since(a.Received))
	return Result{RTT: rtt, Offset: middle.Sub(received.Add(-rtt / 2))}, nil
}
