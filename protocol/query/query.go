package query

import (
	"context"
	"fmt"

	"golang.org/x/time/rate"

	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/protocol/exchange"
)

// ID is the protocol's name on streams.
const ID = "/caro/query/1.0.0"

// Answer answers a verified query of the node from; wire are its signed bytes. It returns the bytes of
// protocol.SignResponse, also for a denial, and what to do with the receipt for them (nil: it is not waited for). An error
// breaks off without a word.
type Answer func(ctx context.Context, from exchange.From, q *protocol.MeshQuery, wire []byte) (response []byte, taken Taken, err error)

// Taken keeps a receipt that was verified to be the asker's, for exactly the response that was sent; wire are its signed
// bytes. Its error is for the local log.
type Taken func(ctx context.Context, r *protocol.QueryReceipt, wire []byte) error

// A person or a dashboard asks now and then; the five types at once, refreshed every second, are 5 a second. 16 at once
// reserve at most 16 × 1.1 MiB, about 17 MiB, and no peer holds more than 4 of them.
var rules = exchange.Rules{
	Protocol: ID,
	Request:  protocol.MsgQuery,
	Answer:   protocol.MsgQueryResponse,
	Receipt:  protocol.MsgQueryReceipt,
	Rate:     rate.Limit(5), Burst: 30, PerPeer: 4, Total: 16,
}

// Serve answers queries of the node self until the returned server is closed.
func Serve(e *exchange.Endpoint, self protocol.NodeID, answer Answer) *exchange.Server {
	return e.ServeReceipted(rules, func(ctx context.Context, from exchange.From, payload []byte) ([]byte, func(context.Context, []byte) error, error) {
		q, err := protocol.OpenQuery(payload)
		if err != nil {
			return nil, nil, err
		}
		if q.Requester != from.ID {
			return nil, nil, fmt.Errorf("%w: it sent a query of %s", protocol.ErrSender, q.Requester.Fingerprint())
		}
		response, taken, err := answer(ctx, from, q, payload)
		if err != nil || taken == nil {
			return response, nil, err
		}
		return response, func(ctx context.Context, receipt []byte) error {
			r, err := protocol.OpenReceipt(receipt)
			if err != nil {
				return err
			}
			if err := r.Covers(q.QueryID, from.ID, self, response); err != nil {
				return err
			}
			return taken(ctx, r, receipt)
		}, nil
	})
}

// Ask sends the query q, whose signed bytes are wire, to a connected node and returns its verified response, which it
// countersigns with the requester's key. The status of the response may be a refusal; an error means that there is no
// response to believe (see [exchange.Endpoint.Ask]).
func Ask(ctx context.Context, e *exchange.Endpoint, key protocol.Signer, to protocol.NodeID, q *protocol.MeshQuery, wire []byte) (*protocol.MeshResponse, error) {
	var r *protocol.MeshResponse
	_, err := e.AskReceipted(ctx, to, rules, wire, func(a *exchange.Answer) ([]byte, error) {
		opened, err := protocol.OpenResponse(a.Payload)
		if err == nil {
			err = fits(opened, to, q)
		}
		if err != nil {
			return nil, e.Blame(a, rules, err)
		}
		r = opened
		now := e.Now()
		return protocol.SignReceipt(&protocol.QueryReceipt{QueryID: q.QueryID, Requester: q.Requester, Responder: to,
			Response: protocol.DigestOfResponse(a.Payload), Timestamp: protocol.At(now)}, key, now)
	})
	if err != nil {
		return nil, err
	}
	return r, nil
}

// fits checks that r is the answer of the node to to the query q.
func fits(r *protocol.MeshResponse, to protocol.NodeID, q *protocol.MeshQuery) error {
	if r.Responder != to {
		return fmt.Errorf("%w: it answered with a response of %s", protocol.ErrSender, r.Responder.Fingerprint())
	}
	if r.QueryID != q.QueryID {
		return fmt.Errorf("%w: it answered query %s instead of %s", protocol.ErrMalformed, r.QueryID, q.QueryID)
	}
	if r.Data == nil {
		return nil
	}
	t, err := r.Data.Type()
	if err != nil {
		return fmt.Errorf("%w: %w", protocol.ErrMalformed, err)
	}
	self := to.Fingerprint()
	switch {
	case t != q.QueryType:
		return fmt.Errorf("%w: it answered %s with %s", protocol.ErrMalformed, q.QueryType, t)
	case r.Data.ToolUsage != nil && r.Data.ToolUsage.TimeRange != q.TimeRange:
		return fmt.Errorf("%w: it answered for another time range", protocol.ErrMalformed)
	case r.Data.Health != nil && r.Data.Health.Fingerprint != self:
		return fmt.Errorf("%w: it told the health of %s", protocol.ErrSender, r.Data.Health.Fingerprint)
	case len(r.Contributors) == 1 && r.Contributors[0] != self:
		return fmt.Errorf("%w: it passed the counts of %s alone for an answer", protocol.ErrSender, r.Contributors[0])
	}
	return nil
}
