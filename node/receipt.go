package node

import (
	"context"
	"fmt"
	"strconv"

	"github.com/caro-mesh/caro-node/policy"
	"github.com/caro-mesh/caro-node/policy/audit"
	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/protocol/query"
)

// receipts is where it is kept what left with an answer.
type receipts interface {
	SaveReceipt(ctx context.Context, queryID string, query, response []byte, ev audit.Event) (audit.Record, error)
	Countersign(ctx context.Context, number uint64, countersignature []byte) error
}

// keep stores the receipt of the response wire, which was allowed by d, and returns what adds the countersignature to it.
// With an error the response may not leave.
func (a *answerer) keep(ctx context.Context, from protocol.NodeID, q *protocol.MeshQuery, asked []byte, res *protocol.MeshResponse, wire []byte, d policy.Decision) (query.Taken, error) {
	details := map[string]string{"query_id": q.QueryID, "query_type": string(q.QueryType), "status": string(res.Status),
		"bytes": strconv.Itoa(len(wire)), "contributors": strconv.Itoa(len(res.Contributors)), "trust": d.Trust.String(), "level": d.Level.String(),
		"rule": d.Rule.Name, "source": d.Rule.Source,
		"range_start": q.TimeRange.Start.String(), "range_end": q.TimeRange.End.String()}
	if d.Rule.Line > 0 {
		details["line"] = strconv.Itoa(d.Rule.Line)
	}
	rec, err := a.kept.SaveReceipt(ctx, q.QueryID, asked, wire, audit.Event{Type: protocol.AuditResponseSent, Peer: from,
		Success: res.Status == protocol.StatusSuccess, Details: details})
	if err != nil {
		return nil, fmt.Errorf("record the response before it leaves: %w", err)
	}
	return func(ctx context.Context, _ *protocol.QueryReceipt, receipt []byte) error {
		if err := a.kept.Countersign(ctx, rec.Sequence, receipt); err != nil {
			a.logger.Error("the countersignature of an answer could not be kept", "peer", from.Fingerprint(), "receipt", rec.Sequence, "error", err)
			return fmt.Errorf("keep the countersignature of receipt %d: %w", rec.Sequence, err)
		}
		return nil
	}, nil
}
