package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	"github.com/caro-mesh/caro-node/policy"
	"github.com/caro-mesh/caro-node/policy/audit"
	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/store"
)

// intake stores the summaries that admitted peers push to this node. That their node is the sender, and that their
// signature verifies, was checked before.
type intake struct {
	db     received
	gate   *audit.Gate
	heir   func(protocol.NodeID) protocol.NodeID // the latest key of a node
	log    audit.Log
	now    func() time.Time
	logger *slog.Logger
}

// received is what the intake needs of the store.
type received interface {
	SaveReceivedSummary(ctx context.Context, s *protocol.NodeSummary, wire []byte, ev audit.Event) (isNew bool, err error)
}

// verdict of an intake.
type verdict uint8

const (
	accepted verdict = iota
	duplicate
	refused
)

// accept stores s. The reason of a refusal may be told to the sender; the error is for the local log, and means that
// the sender should try again.
func (i *intake) accept(ctx context.Context, from protocol.NodeID, addr netip.Addr, s *protocol.NodeSummary, wire []byte) (verdict, string, error) {
	request := policy.Request{Peer: from, Addr: addr, Action: policy.ActionConnect, Now: i.now()}
	d := i.gate.Peek(request)
	if !d.Allowed {
		_, err := i.gate.Allow(ctx, request, audit.Event{Details: map[string]string{"summary_id": s.ID}})
		if denied := (*audit.DeniedError)(nil); errors.As(err, &denied) {
			return refused, clip(denied.Decision.Reason, protocol.MaxReason), nil
		}
		return refused, "", err
	}
	if s.NodeID != from && i.heir(s.NodeID) != i.heir(from) {
		// Believed at its word, a node could pass for as many as it makes keys.
		return refused, fmt.Sprintf("this node cannot tell that you had the key %s before", s.NodeID.Fingerprint()), nil
	}
	end := s.Period.End.Time()
	switch {
	case end.After(i.now().Add(protocol.MaxSkew)):
		return i.refuse(ctx, from, s, fmt.Sprintf("the period ends at %s, which is in the future", end.Format(time.RFC3339)))
	case i.now().Sub(end) > protocol.MaxQueryRange:
		return i.refuse(ctx, from, s, fmt.Sprintf("the period ended at %s, longer ago than anybody may ask for", end.Format(time.RFC3339)))
	}
	isNew, err := i.db.SaveReceivedSummary(ctx, s, wire, audit.Event{Type: protocol.AuditSummaryShared, Peer: from, Success: true,
		Details: map[string]string{"summary_id": s.ID, "step": "received", "rule": d.Rule.Name, "granularity": string(s.Period.Granularity), "period_start": s.Period.Start.String()}})
	switch {
	case errors.Is(err, store.ErrConflictingSummary):
		return i.refuse(ctx, from, s, "another summary of the same period was received before")
	case err != nil:
		return refused, "", err
	case !isNew:
		return duplicate, "", nil
	}
	i.logger.Info("summary received", "peer", from.Fingerprint(), "granularity", s.Period.Granularity, "period", s.Period.Start, "commands", s.TotalCommands)
	return accepted, "", nil
}

func (i *intake) refuse(ctx context.Context, from protocol.NodeID, s *protocol.NodeSummary, reason string) (verdict, string, error) {
	i.logger.Warn("summary refused", "peer", from.Fingerprint(), "summary", s.ID, "reason", reason)
	_, err := i.log.Append(ctx, audit.Event{Type: protocol.AuditPolicyViolation, Peer: from,
		Details: map[string]string{"summary_id": s.ID, "reason": reason}})
	return refused, reason, err
}
