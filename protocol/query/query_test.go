package query_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.uber.org/goleak"

	"github.com/caro-mesh/caro-node/internal/meshtest"
	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/protocol/exchange"
	"github.com/caro-mesh/caro-node/protocol/query"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func meet(t *testing.T) (a, b *meshtest.Node) {
	t.Helper()
	a, b = meshtest.New(t, meshtest.Options{}), meshtest.New(t, meshtest.Options{})
	client := a.Greets(nil)
	b.Greets(nil)
	meshtest.Meet(t, a, client, b)
	return a, b
}

func yesterday() protocol.TimeRange {
	p := protocol.PeriodAt(time.Now(), protocol.Daily).Previous()
	return protocol.TimeRange{Start: p.Start, End: p.End}
}

func ask(t *testing.T, n *meshtest.Node, qt protocol.QueryType) (*protocol.MeshQuery, []byte) {
	t.Helper()
	q := &protocol.MeshQuery{QueryID: uuid.NewString(), Requester: n.Key.NodeID(), QueryType: qt, TimeRange: yesterday()}
	wire, err := protocol.SignQuery(q, n.Key, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return q, wire
}

func success(n *meshtest.Node, q *protocol.MeshQuery) *protocol.MeshResponse {
	return &protocol.MeshResponse{QueryID: q.QueryID, Responder: n.Key.NodeID(), Status: protocol.StatusSuccess,
		Data: &protocol.ResponseData{ToolUsage: &protocol.ToolUsage{TotalCommands: 7, TimeRange: q.TimeRange,
			ByCategory: []protocol.CategorySums{{Category: protocol.CategoryGit, Count: 7, NodeCount: 1}}}},
		Contributors: []protocol.Fingerprint{n.Key.Fingerprint()}, Timestamp: protocol.At(time.Now())}
}

func sign(n *meshtest.Node, r *protocol.MeshResponse) ([]byte, error) {
	return protocol.SignResponse(r, n.Key, time.Now())
}

// serve answers with what answer returns, and waits for no receipt.
func serve(n *meshtest.Node, answer func(context.Context, exchange.From, *protocol.MeshQuery, []byte) ([]byte, error)) {
	n.OnClose(query.Serve(n.Endpoint, n.Key.NodeID(), func(ctx context.Context, from exchange.From, q *protocol.MeshQuery, wire []byte) ([]byte, query.Taken, error) {
		response, err := answer(ctx, from, q, wire)
		return response, nil, err
	}).Close)
}

func TestAQuestionIsAnsweredAndVerified(t *testing.T) {
	a, b := meet(t)
	q, wire := ask(t, a, protocol.QueryToolUsage)
	serve(b, func(_ context.Context, from exchange.From, got *protocol.MeshQuery, _ []byte) ([]byte, error) {
		if from.ID != a.Key.NodeID() || !from.Addr.IsLoopback() || got.QueryID != q.QueryID {
			t.Errorf("asked %+v by %+v", got, from)
		}
		return sign(b, success(b, got))
	})
	r, err := query.Ask(t.Context(), a.Endpoint, a.Key, b.Key.NodeID(), q, wire)
	if err != nil || r.Data.ToolUsage.TotalCommands != 7 || r.Signature == nil {
		t.Errorf("answer %+v, %v", r, err)
	}
}

func TestADenialIsAnAnswer(t *testing.T) {
	a, b := meet(t)
	serve(b, func(_ context.Context, _ exchange.From, q *protocol.MeshQuery, _ []byte) ([]byte, error) {
		return sign(b, &protocol.MeshResponse{QueryID: q.QueryID, Responder: b.Key.NodeID(), Status: protocol.StatusAccessDenied,
			Reason: "you may not ask", Timestamp: protocol.At(time.Now())})
	})
	q, wire := ask(t, a, protocol.QuerySafetyPosture)
	r, err := query.Ask(t.Context(), a.Endpoint, a.Key, b.Key.NodeID(), q, wire)
	if err != nil || r.Status != protocol.StatusAccessDenied || r.Reason != "you may not ask" {
		t.Errorf("answer %+v, %v", r, err)
	}
}

func TestAQueryOfSomebodyElseIsNotAnswered(t *testing.T) {
	a, b := meet(t)
	third := meshtest.New(t, meshtest.Options{})
	serve(b, func(context.Context, exchange.From, *protocol.MeshQuery, []byte) ([]byte, error) {
		t.Error("the question was answered")
		return nil, errors.New("never")
	})
	q, wire := ask(t, third, protocol.QueryToolUsage)
	if _, err := query.Ask(t.Context(), a.Endpoint, a.Key, b.Key.NodeID(), q, wire); !errors.Is(err, exchange.ErrViolation) {
		t.Errorf("error %v", err)
	}
	if all := b.Refusals(); len(all) != 1 || !errors.Is(all[0].Err, protocol.ErrSender) || !all[0].Hostile() {
		t.Errorf("refused %v", all)
	}
}

func TestAnswersThatDoNotFitAreRefused(t *testing.T) {
	third := meshtest.New(t, meshtest.Options{})
	for name, c := range map[string]struct {
		answer func(b *meshtest.Node, q *protocol.MeshQuery) ([]byte, error)
		want   error
	}{
		"of another node": {func(_ *meshtest.Node, q *protocol.MeshQuery) ([]byte, error) { return sign(third, success(third, q)) }, protocol.ErrSender},
		"to another question": {func(b *meshtest.Node, q *protocol.MeshQuery) ([]byte, error) {
			other := *q
			other.QueryID = uuid.NewString()
			return sign(b, success(b, &other))
		}, protocol.ErrMalformed},
		"of another type": {func(b *meshtest.Node, q *protocol.MeshQuery) ([]byte, error) {
			r := success(b, q)
			r.Data = &protocol.ResponseData{Safety: &protocol.SafetySums{}}
			return sign(b, r)
		}, protocol.ErrMalformed},
		"altered": {func(b *meshtest.Node, q *protocol.MeshQuery) ([]byte, error) {
			wire, err := sign(b, success(b, q))
			if err == nil {
				wire[len(wire)-20] ^= 1 // inside the signature
			}
			return wire, err
		}, nil},
		"noise": {func(*meshtest.Node, *protocol.MeshQuery) ([]byte, error) { return []byte("x"), nil }, protocol.ErrMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := meet(t)
			serve(b, func(_ context.Context, _ exchange.From, q *protocol.MeshQuery, _ []byte) ([]byte, error) {
				return c.answer(b, q)
			})
			q, wire := ask(t, a, protocol.QueryToolUsage)
			r, err := query.Ask(t.Context(), a.Endpoint, a.Key, b.Key.NodeID(), q, wire)
			if r != nil || err == nil || c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("answer %+v, %v, want %v", r, err, c.want)
			}
			if all := a.Refusals(); len(all) != 1 || all[0].Peer != b.Key.NodeID() || !all[0].Hostile() {
				t.Errorf("blamed %v", all)
			}
		})
	}
}
