package query_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/caro-mesh/caro-node/internal/meshtest"
	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/protocol/exchange"
	"github.com/caro-mesh/caro-node/protocol/query"
)

// older are the messages of the protocol as a node knows them that has never heard of receipts.
func older() exchange.Rules {
	return exchange.Rules{Protocol: query.ID, Request: protocol.MsgQuery, Answer: protocol.MsgQueryResponse, Rate: 5, Burst: 30, PerPeer: 4, Total: 16}
}

// kept is a receipt with the response that it is for.
type kept struct {
	receipt        *protocol.QueryReceipt
	wire, response []byte
}

// serveReceipted answers with success and sends what is taken to the channel.
func serveReceipted(t *testing.T, b *meshtest.Node) <-chan kept {
	t.Helper()
	all := make(chan kept, 8)
	b.OnClose(query.Serve(b.Endpoint, b.Key.NodeID(), func(_ context.Context, _ exchange.From, q *protocol.MeshQuery, _ []byte) ([]byte, query.Taken, error) {
		response, err := sign(b, success(b, q))
		return response, func(_ context.Context, r *protocol.QueryReceipt, wire []byte) error {
			all <- kept{r, wire, response}
			return nil
		}, err
	}).Close)
	return all
}

// ended waits until the answering node has counted one exchange as served or refused.
func ended(t *testing.T, b *meshtest.Node) exchange.Count {
	t.Helper()
	var count exchange.Count
	meshtest.Eventually(t, func() error {
		for _, c := range b.Endpoint.Counts() {
			if c.Protocol == query.ID && c.Served+c.Refused == 1 {
				count = c
				return nil
			}
		}
		return errors.New("the exchange has not ended")
	})
	return count
}

func TestTheAskerCountersignsExactlyWhatItGot(t *testing.T) {
	a, b := meet(t)
	taken := serveReceipted(t, b)
	q, wire := ask(t, a, protocol.QueryToolUsage)
	if _, err := query.Ask(t.Context(), a.Endpoint, a.Key, b.Key.NodeID(), q, wire); err != nil {
		t.Fatal(err)
	}
	select {
	case k := <-taken:
		again, err := protocol.OpenReceipt(k.wire)
		if err != nil || again.Covers(q.QueryID, a.Key.NodeID(), b.Key.NodeID(), k.response) != nil || again.Response != k.receipt.Response {
			t.Errorf("taken %+v, %v", again, err)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("no receipt came")
	}
	if c := ended(t, b); c.Served != 1 {
		t.Errorf("counted %+v", c)
	}
}

func TestAnOlderAskerIsAnsweredWithoutAReceipt(t *testing.T) {
	a, b := meet(t)
	taken := serveReceipted(t, b)
	q, wire := ask(t, a, protocol.QueryToolUsage)
	answer, err := a.Endpoint.Ask(t.Context(), b.Key.NodeID(), older(), wire)
	if err != nil {
		t.Fatal(err)
	}
	if r, err := protocol.OpenResponse(answer.Payload); err != nil || r.QueryID != q.QueryID {
		t.Errorf("answer %+v, %v", r, err)
	}
	if c := ended(t, b); c.Served != 1 || len(taken) != 0 || len(b.Refusals()) != 0 {
		t.Errorf("counted %+v, %d receipts, refused %v", c, len(taken), b.Refusals())
	}
}

func TestAnOlderNodeIsAskedAsBefore(t *testing.T) {
	a, b := meet(t)
	b.OnClose(b.Endpoint.Serve(older(), func(_ context.Context, _ exchange.From, payload []byte) ([]byte, error) {
		q, err := protocol.OpenQuery(payload)
		if err != nil {
			return nil, err
		}
		return sign(b, success(b, q))
	}).Close)
	for range 3 { // what is left of one exchange must not disturb the next
		q, wire := ask(t, a, protocol.QueryToolUsage)
		if r, err := query.Ask(t.Context(), a.Endpoint, a.Key, b.Key.NodeID(), q, wire); err != nil || r.Data.ToolUsage.TotalCommands != 7 {
			t.Fatalf("answer %+v, %v", r, err)
		}
	}
	if len(a.Refusals())+len(b.Refusals()) != 0 {
		t.Errorf("refused %v %v", a.Refusals(), b.Refusals())
	}
}

func TestAReceiptThatDoesNotFitTheAnswerIsHeldAgainstTheAsker(t *testing.T) {
	third := meshtest.New(t, meshtest.Options{})
	receipted := older()
	receipted.Receipt = protocol.MsgQueryReceipt
	for name, c := range map[string]struct {
		edit func(r *protocol.QueryReceipt)
		key  func(a *meshtest.Node) protocol.Signer
		want error
	}{
		"another response":  {func(r *protocol.QueryReceipt) { r.Response[0] ^= 1 }, nil, protocol.ErrMalformed},
		"another query":     {func(r *protocol.QueryReceipt) { r.QueryID = "01939f2e-6c00-7000-8000-0000000000bb" }, nil, protocol.ErrMalformed},
		"another responder": {func(r *protocol.QueryReceipt) { r.Responder = third.Key.NodeID() }, nil, protocol.ErrMalformed},
		"another asker": {func(r *protocol.QueryReceipt) { r.Requester = third.Key.NodeID() },
			func(*meshtest.Node) protocol.Signer { return third.Key }, protocol.ErrSender},
		"noise": {nil, nil, protocol.ErrMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := meet(t)
			taken := serveReceipted(t, b)
			q, wire := ask(t, a, protocol.QueryToolUsage)
			_, err := a.Endpoint.AskReceipted(t.Context(), b.Key.NodeID(), receipted, wire, func(answer *exchange.Answer) ([]byte, error) {
				if c.edit == nil {
					return []byte("x"), nil
				}
				r := &protocol.QueryReceipt{QueryID: q.QueryID, Requester: a.Key.NodeID(), Responder: b.Key.NodeID(),
					Response: protocol.DigestOfResponse(answer.Payload), Timestamp: protocol.At(time.Now())}
				c.edit(r)
				var key protocol.Signer = a.Key
				if c.key != nil {
					key = c.key(a)
				}
				return protocol.SignReceipt(r, key, time.Now())
			})
			if err != nil {
				t.Fatalf("the answer did not stand: %v", err)
			}
			meshtest.Eventually(t, func() error {
				if all := b.Refusals(); len(all) != 1 || !errors.Is(all[0].Err, c.want) || !all[0].Hostile() {
					return fmt.Errorf("refused %v, want %w", all, c.want)
				}
				return nil
			})
			if len(taken) != 0 {
				t.Error("it was kept")
			}
		})
	}
}

func TestAnAnswerThatDoesNotFitIsNotCountersigned(t *testing.T) {
	a, b := meet(t)
	taken := make(chan struct{}, 1)
	third := meshtest.New(t, meshtest.Options{})
	b.OnClose(query.Serve(b.Endpoint, b.Key.NodeID(), func(_ context.Context, _ exchange.From, q *protocol.MeshQuery, _ []byte) ([]byte, query.Taken, error) {
		response, err := sign(third, success(third, q))
		return response, func(context.Context, *protocol.QueryReceipt, []byte) error { taken <- struct{}{}; return nil }, err
	}).Close)
	q, wire := ask(t, a, protocol.QueryToolUsage)
	if r, err := query.Ask(t.Context(), a.Endpoint, a.Key, b.Key.NodeID(), q, wire); r != nil || !errors.Is(err, protocol.ErrSender) {
		t.Errorf("answer %+v, %v", r, err)
	}
	if ended(t, b); len(taken) != 0 {
		t.Error("it was countersigned")
	}
}
