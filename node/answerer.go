package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"time"

	"github.com/caro-mesh/caro-node/node/aggregate"
	"github.com/caro-mesh/caro-node/policy"
	"github.com/caro-mesh/caro-node/policy/audit"
	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/protocol/query"
	"github.com/caro-mesh/caro-node/store"
)

// answerer answers peers' queries: gate, then counts, then a signed response of which there is a receipt before it leaves.
type answerer struct {
	key     protocol.Signer
	gate    *audit.Gate
	heir    func(protocol.NodeID) protocol.NodeID // the latest key of a node
	counts  counts
	kept    receipts
	now     func() time.Time
	started time.Time
	logger  *slog.Logger
}

// counts is what answers are made of.
type counts interface {
	Rollups(ctx context.Context, start, end time.Time) ([]store.Rollup, error)
	ReceivedSummaries(ctx context.Context, start, end time.Time) ([]*protocol.NodeSummary, error)
}

// answerable lists the query types that this version answers.
func answerable() []protocol.QueryType {
	return []protocol.QueryType{protocol.QueryToolUsage, protocol.QuerySafetyPosture, protocol.QueryActivityPatterns, protocol.QueryNodeHealth}
}

// answer returns the encoded signed response to q, which was verified to come from its requester with the signed bytes
// asked, and what to do when the requester countersigns it. Refusals are responses as well, and are not waited for to be
// countersigned; an error means that nothing may be sent.
func (a *answerer) answer(ctx context.Context, from protocol.NodeID, addr netip.Addr, q *protocol.MeshQuery, asked []byte) ([]byte, query.Taken, error) {
	res := &protocol.MeshResponse{QueryID: q.QueryID, Responder: a.key.NodeID(), Timestamp: protocol.At(a.now())}
	d, err := a.gate.Allow(ctx, policy.Request{Peer: from, Addr: addr, Action: policy.ActionQuery, QueryType: q.QueryType,
		TimeRange: q.TimeRange, Now: a.now()}, audit.Event{Type: protocol.AuditQueryReceived, Details: map[string]string{"query_id": q.QueryID}})
	var denied *audit.DeniedError
	switch {
	case errors.As(err, &denied) && denied.Cause != nil:
		a.logger.Error("nothing is shared until the audit log can be written", "error", err)
		return a.refusal(res, denied)
	case errors.As(err, &denied):
		a.logger.Info("query denied", "peer", from.Fingerprint(), "type", q.QueryType, "rule", d.Rule.Name, "reason", d.Reason)
		return a.refusal(res, denied)
	case err != nil:
		return nil, nil, err
	}
	if err := a.fill(ctx, res, q, d); err != nil {
		a.logger.Error("query failed", "peer", from.Fingerprint(), "type", q.QueryType, "error", err)
		res.Status, res.Reason, res.Data, res.Contributors = protocol.StatusError, "this node could not read its counts; its own log says why", nil, nil
	}
	wire, err := protocol.SignResponse(res, a.key, a.now())
	if err != nil {
		return nil, nil, err
	}
	taken, err := a.keep(ctx, from, q, asked, res, wire, d)
	if err != nil {
		return nil, nil, err
	}
	return wire, taken, nil
}

// refusal tells a denied requester why.
func (a *answerer) refusal(res *protocol.MeshResponse, denied *audit.DeniedError) ([]byte, query.Taken, error) {
	res.Status, res.Reason = protocol.StatusAccessDenied, clip(denied.Decision.Reason, protocol.MaxReason)
	wire, err := protocol.SignResponse(res, a.key, a.now())
	return wire, nil, err
}

// fill sets status, reason, data and contributors of an allowed query. Its error is for the local log.
func (a *answerer) fill(ctx context.Context, res *protocol.MeshResponse, q *protocol.MeshQuery, d policy.Decision) error {
	if !slices.Contains(answerable(), q.QueryType) {
		res.Status, res.Reason = protocol.StatusNotSupported, fmt.Sprintf("this node does not answer %s", q.QueryType)
		return nil
	}
	keep, err := aggregate.Compile(q.Filters)
	var bad *aggregate.FilterError
	if errors.As(err, &bad) {
		res.Status, res.Reason = protocol.StatusError, clip(bad.Error(), protocol.MaxReason)
		return nil
	} else if err != nil {
		return err
	}
	if d.Level == protocol.LevelAggregated {
		return a.fillAggregated(ctx, res, q, d, keep)
	}
	data, err := a.own(ctx, q, keep)
	if err != nil {
		return err
	}
	a.finish(res, data, []protocol.Fingerprint{a.key.NodeID().Fingerprint()})
	return nil
}

// own answers from this node's counts alone.
func (a *answerer) own(ctx context.Context, q *protocol.MeshQuery, keep aggregate.Predicate) (*protocol.ResponseData, error) {
	if q.QueryType == protocol.QueryNodeHealth {
		return a.health(ctx)
	}
	rows, err := rowsOf(ctx, a.counts, q.TimeRange, a.gate.Engine())
	if err != nil {
		return nil, err
	}
	return aggregate.FromRows(q.QueryType, q.TimeRange, rows, keep)
}

func (a *answerer) health(ctx context.Context) (*protocol.ResponseData, error) {
	now := a.now()
	// Whole hours, and without the categories that the policy keeps back, like every other count that leaves.
	end := now.Truncate(time.Hour).Add(time.Hour)
	rows, err := rowsOf(ctx, a.counts, protocol.TimeRange{Start: protocol.At(end.Add(-24 * time.Hour)), End: protocol.At(end)}, a.gate.Engine())
	if err != nil {
		return nil, err
	}
	var n uint64
	for _, r := range rows {
		n += r.Count
	}
	return &protocol.ResponseData{Health: &protocol.NodeHealth{Fingerprint: a.key.NodeID().Fingerprint(), Online: true, LastSeen: protocol.At(now),
		ProtocolVersion: protocol.Version, UptimeSeconds: uint64(max(0, now.Sub(a.started)/time.Second)), EventCount24h: n}}, nil
}

// fillAggregated answers together with what this node holds of others, and only above the threshold of contributors,
// so that nobody is singled out.
func (a *answerer) fillAggregated(ctx context.Context, res *protocol.MeshResponse, q *protocol.MeshQuery, d policy.Decision, keep aggregate.Predicate) error {
	if len(q.Filters) > 0 {
		res.Status, res.Reason = protocol.StatusNotSupported, "an aggregated answer cannot be filtered, because filters could single nodes out"
		return nil
	}
	own, err := a.own(ctx, q, keep)
	if err != nil {
		return err
	}
	received, err := a.counts.ReceivedSummaries(ctx, q.TimeRange.Start.Time(), q.TimeRange.End.Time())
	if err != nil {
		return err
	}
	total, contributors, err := a.together(q, own, received)
	if err != nil {
		return err
	}
	if len(contributors) < d.MinContributors {
		res.Status = protocol.StatusAccessDenied
		// Not how many there were: asked hour by hour, that would tell when a single person works.
		res.Reason = fmt.Sprintf("fewer than %d nodes could contribute to an aggregated answer", d.MinContributors)
		return nil
	}
	a.finish(res, total, contributors)
	return nil
}

func (a *answerer) together(q *protocol.MeshQuery, own *protocol.ResponseData, received []*protocol.NodeSummary) (*protocol.ResponseData, []protocol.Fingerprint, error) {
	var total protocol.ResponseData
	var contributors []protocol.Fingerprint
	if own != nil {
		if err := aggregate.Merge(&total, own); err != nil {
			return nil, nil, err
		}
		contributors = append(contributors, a.key.NodeID().Fingerprint())
	}
	byNode := make(map[protocol.NodeID][]*protocol.NodeSummary)
	requester := a.heir(q.Requester)
	for _, s := range aggregate.Cover(a.underLatestKeys(received), q.TimeRange) {
		// A supervisor must not learn what it asked for through its own summaries, nor this node count twice.
		if s.NodeID != requester && s.NodeID != a.key.NodeID() {
			byNode[s.NodeID] = append(byNode[s.NodeID], s)
		}
	}
	engine := a.gate.Engine()
	for id, summaries := range byNode {
		data, err := aggregate.FromSummaries(q.QueryType, q.TimeRange, summaries)
		if err != nil {
			return nil, nil, err
		}
		if data = withoutDenied(data, engine); data == nil {
			continue
		}
		if err := aggregate.Merge(&total, data); errors.Is(err, aggregate.ErrImplausible) {
			a.logger.Warn("the summaries of a peer are left out of an answer", "peer", id.Fingerprint(), "error", err)
			continue
		} else if err != nil {
			return nil, nil, err
		}
		contributors = append(contributors, id.Fingerprint())
	}
	if total == (protocol.ResponseData{}) {
		return nil, nil, nil
	}
	return &total, contributors, nil
}

// underLatestKeys returns the summaries with the latest keys of their nodes, so that a node which changed its key is one
// contributor, and what it signed with either key is not counted twice.
func (a *answerer) underLatestKeys(received []*protocol.NodeSummary) []*protocol.NodeSummary {
	out := slices.Clone(received)
	for i, s := range out {
		if latest := a.heir(s.NodeID); latest != s.NodeID {
			renamed := *s
			renamed.NodeID = latest
			out[i] = &renamed
		}
	}
	return out
}

// withoutDenied removes denied categories from another node's usage. Its other counts are not kept by category; what
// that node denies itself it has left out before it signed.
func withoutDenied(d *protocol.ResponseData, e *policy.Engine) *protocol.ResponseData {
	if d == nil || d.ToolUsage == nil {
		return d
	}
	u := protocol.ToolUsage{TimeRange: d.ToolUsage.TimeRange}
	for _, c := range d.ToolUsage.ByCategory {
		if e.AllowsCategory(c.Category) {
			u.ByCategory = append(u.ByCategory, c)
			u.TotalCommands += c.Count
		}
	}
	if u.TotalCommands == 0 {
		return nil
	}
	return &protocol.ResponseData{ToolUsage: &u}
}

func (a *answerer) finish(res *protocol.MeshResponse, data *protocol.ResponseData, contributors []protocol.Fingerprint) {
	if data == nil {
		res.Status, res.Reason = protocol.StatusNoData, "no command was recorded in this time range"
		return
	}
	slices.Sort(contributors)
	res.Status, res.Data, res.Contributors = protocol.StatusSuccess, data, contributors
}

// rollups is the part of the store that rows come from.
type rollups interface {
	Rollups(ctx context.Context, start, end time.Time) ([]store.Rollup, error)
}

// rowsOf reads this node's hourly counts without the categories that the policy keeps back.
func rowsOf(ctx context.Context, db rollups, r protocol.TimeRange, e *policy.Engine) ([]aggregate.Row, error) {
	stored, err := db.Rollups(ctx, r.Start.Time(), r.End.Time())
	if err != nil {
		return nil, err
	}
	rows := make([]aggregate.Row, 0, len(stored))
	for _, s := range stored {
		if e.AllowsCategory(s.Category) {
			rows = append(rows, aggregate.Row(s))
		}
	}
	return rows, nil
}
