package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/caro-mesh/caro-node/node/aggregate"
	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/protocol/exchange"
)

// maxAsking bounds the queries under way at the same time for one question.
const maxAsking = 64

// Question is what a person asks the mesh.
type Question struct {
	Type    protocol.QueryType
	Range   protocol.TimeRange
	Filters []protocol.Filter
	Timeout time.Duration // how long to wait for answers
}

// Outcome says what became of asking one node.
type Outcome string

// Outcomes. Every node that was asked has exactly one.
const (
	Answered     Outcome = "answered"
	Denied       Outcome = "denied"
	NoData       Outcome = "no_data"
	NotSupported Outcome = "not_supported"
	Offline      Outcome = "offline"
	TimedOut     Outcome = "timed_out"
	Suppressed   Outcome = "suppressed" // answered, but left out of the sums because they would count nodes twice
	Failed       Outcome = "error"
)

// Asked is what became of asking one node, with one sentence unless it answered.
type Asked struct {
	Node    protocol.NodeID
	Name    string
	Outcome Outcome
	Reason  string
}

// Result is the merged answer to a [Question], with what became of everybody who was asked.
type Result struct {
	QueryID      string
	Question     Question
	Status       protocol.ResponseStatus
	Data         *protocol.ResponseData // exact sums; nil unless Status is success, and for node_health
	Health       []protocol.NodeHealth  // for node_health
	Contributors []protocol.Fingerprint // sorted
	Outcomes     []Asked                // in the order of asking
	Took         time.Duration
}

// asker puts questions to the peers and merges their answers.
type asker struct {
	key    protocol.Signer
	now    func() time.Time
	logger *slog.Logger
	// candidates returns the nodes that this one may ask, connected or not.
	candidates func(context.Context) ([]candidate, error)
	// ask sends the signed query wire to one connected peer and returns its verified response.
	ask func(ctx context.Context, to protocol.NodeID, q *protocol.MeshQuery, wire []byte) (*protocol.MeshResponse, error)
}

// candidate is a node that could be asked.
type candidate struct {
	id        protocol.NodeID
	name      string
	connected bool
	refusedUs bool   // it was reached and refused this node
	reason    string // why it is not connected
}

// reply is what came back from one candidate.
type reply struct {
	outcome  Asked
	response *protocol.MeshResponse
}

// query asks everybody at once and returns when all have answered or the time is over.
func (a *asker) query(ctx context.Context, question Question) (*Result, error) {
	if _, err := aggregate.Compile(question.Filters); err != nil {
		return nil, err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return nil, err
	}
	q := &protocol.MeshQuery{QueryID: id.String(), Requester: a.key.NodeID(), QueryType: question.Type, TimeRange: question.Range, Filters: question.Filters}
	wire, err := protocol.SignQuery(q, a.key, a.now())
	if err != nil {
		return nil, err
	}
	start := time.Now() // a duration: the machine's monotonic clock, not the node's
	ctx, cancel := context.WithTimeout(ctx, question.Timeout)
	defer cancel()
	candidates, err := a.candidates(ctx)
	if err != nil {
		return nil, err
	}
	replies := a.askAll(ctx, candidates, q, wire)
	res := &Result{QueryID: q.QueryID, Question: question}
	res.merge(replies)
	res.Took = time.Since(start)
	a.logger.Info("query asked", "type", question.Type, "asked", len(replies), "contributors", len(res.Contributors), "took", res.Took)
	return res, nil
}

func (a *asker) askAll(ctx context.Context, candidates []candidate, q *protocol.MeshQuery, wire []byte) []reply {
	replies := make([]reply, len(candidates))
	slots := make(chan struct{}, maxAsking)
	var wg sync.WaitGroup
	for i, c := range candidates {
		if !c.connected {
			replies[i].outcome = notConnected(c)
			continue
		}
		wg.Go(func() {
			select {
			case slots <- struct{}{}:
				defer func() { <-slots }()
			case <-ctx.Done():
				replies[i].outcome = Asked{c.id, c.name, TimedOut, "it was not asked before the time was over"}
				return
			}
			response, err := a.ask(ctx, c.id, q, wire)
			replies[i] = reply{outcomeOf(c, response, err), response}
		})
	}
	wg.Wait()
	return replies
}

func notConnected(c candidate) Asked {
	if c.refusedUs {
		return Asked{c.id, c.name, Denied, c.reason}
	}
	return Asked{c.id, c.name, Offline, c.reason}
}

func outcomeOf(c candidate, r *protocol.MeshResponse, err error) Asked {
	o := Asked{Node: c.id, Name: c.name}
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		o.Outcome, o.Reason = TimedOut, "it did not answer in time"
	case errors.Is(err, exchange.ErrNotConnected):
		o.Outcome, o.Reason = Offline, "the connection was lost"
	case errors.Is(err, exchange.ErrRateLimited), errors.Is(err, exchange.ErrBusy):
		o.Outcome, o.Reason = Failed, "it has too much to do; ask again later"
	case err != nil:
		o.Outcome, o.Reason = Failed, err.Error()
	case r.Status == protocol.StatusSuccess:
		o.Outcome = Answered
	case r.Status == protocol.StatusAccessDenied:
		o.Outcome, o.Reason = Denied, r.Reason
	case r.Status == protocol.StatusNoData:
		o.Outcome, o.Reason = NoData, r.Reason
	case r.Status == protocol.StatusNotSupported:
		o.Outcome, o.Reason = NotSupported, r.Reason
	default:
		o.Outcome, o.Reason = Failed, r.Reason
	}
	return o
}

// merge sums up the answers. Aggregated answers of different nodes may count the same nodes: larger ones are taken
// first, and one that overlaps with what is counted already is left out, and said so.
func (r *Result) merge(replies []reply) {
	order := make([]int, len(replies))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return contributorsOf(replies[b]) - contributorsOf(replies[a]) })
	var total protocol.ResponseData
	counted := make(map[protocol.Fingerprint]bool)
	for _, i := range order {
		p := &replies[i]
		if p.outcome.Outcome != Answered {
			continue
		}
		if f, twice := firstIn(counted, p.response.Contributors); twice {
			p.outcome.Outcome = Suppressed
			p.outcome.Reason = fmt.Sprintf("its answer includes node %s, which another answer counts already", f)
			continue
		}
		if h := p.response.Data.Health; h != nil {
			r.Health = append(r.Health, *h)
		} else if err := aggregate.Merge(&total, p.response.Data); err != nil {
			p.outcome.Outcome, p.outcome.Reason = Failed, "its answer cannot be added to the others: "+err.Error()
			continue
		}
		for _, f := range p.response.Contributors {
			counted[f] = true
			r.Contributors = append(r.Contributors, f)
		}
	}
	slices.Sort(r.Contributors)
	if total != (protocol.ResponseData{}) {
		r.Data = &total
	}
	for _, p := range replies {
		r.Outcomes = append(r.Outcomes, p.outcome)
	}
	r.Status = r.statusOf()
}

func contributorsOf(p reply) int {
	if p.response == nil {
		return 0
	}
	return len(p.response.Contributors)
}

func firstIn(set map[protocol.Fingerprint]bool, fs []protocol.Fingerprint) (protocol.Fingerprint, bool) {
	for _, f := range fs {
		if set[f] {
			return f, true
		}
	}
	return "", false
}

// statusOf sums up the outcomes: success when anybody contributed, no_data when nobody had any or nobody could be
// reached, and otherwise the refusal that all of the reached ones share.
func (r *Result) statusOf() protocol.ResponseStatus {
	if len(r.Contributors) > 0 {
		return protocol.StatusSuccess
	}
	n := make(map[Outcome]int)
	for _, o := range r.Outcomes {
		n[o.Outcome]++
	}
	switch {
	case n[NoData] > 0:
		return protocol.StatusNoData
	case n[Denied] > 0:
		return protocol.StatusAccessDenied
	case n[NotSupported] > 0:
		return protocol.StatusNotSupported
	case n[Failed]+n[TimedOut] > 0:
		return protocol.StatusError
	}
	return protocol.StatusNoData
}
