package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/caro-mesh/caro-node/policy"
	"github.com/caro-mesh/caro-node/policy/audit"
	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/protocol/summary"
	"github.com/caro-mesh/caro-node/store"
)

// maxReceived is how many signed bytes are kept of one node. A year has 9,200 hours, days and weeks; an ordinary summary
// of each, of 1,200 bytes, takes 11 MiB together, so two more of each can follow as corrections.
const maxReceived = 32 << 20

// intake stores the summaries that admitted peers push to this node. That their node is the sender, and that their
// signature verifies, was checked before.
type intake struct {
	db     received
	gate   *audit.Gate
	keys   func(protocol.NodeID) []protocol.NodeID // every key of the node that has or had this one
	log    audit.Log
	now    func() time.Time
	logger *slog.Logger
	limit  int64 // maxReceived, or what a test says

	mu     sync.Mutex
	budget *rate.Limiter // of refusals that are recorded
	muted  int           // refusals above it since the last record
}

// received is what the intake needs of the store.
type received interface {
	SaveReceivedSummary(ctx context.Context, a store.Arrival, ev audit.Event) (isNew bool, err error)
}

func newIntake(db received, gate *audit.Gate, keys func(protocol.NodeID) []protocol.NodeID, log audit.Log, now func() time.Time, logger *slog.Logger) *intake {
	return &intake{db: db, gate: gate, keys: keys, log: log, now: now, logger: logger, limit: maxReceived,
		budget: rate.NewLimiter(violationsPerSecond, violationsAtOnce)}
}

// accept stores s. The reason of a refusal may be told to the sender; the error is for the local log, and means that
// the sender should try again.
func (i *intake) accept(ctx context.Context, from protocol.NodeID, addr netip.Addr, s *protocol.NodeSummary, wire []byte) (summary.Verdict, error) {
	request := policy.Request{Peer: from, Addr: addr, Action: policy.ActionConnect, Now: i.now()}
	d := i.gate.Peek(request)
	if !d.Allowed {
		_, err := i.gate.Allow(ctx, request, audit.Event{Details: map[string]string{"summary_id": s.ID}})
		if denied := (*audit.DeniedError)(nil); errors.As(err, &denied) {
			return summary.Verdict{Status: summary.StatusRefused, Code: summary.CodeDenied, Reason: clip(denied.Decision.Reason, protocol.MaxReason)}, nil
		}
		return summary.Verdict{}, err
	}
	keys := i.keys(from)
	if s.NodeID != from && !slices.Contains(keys, s.NodeID) {
		// Believed at its word, a node could pass for as many as it makes keys.
		return i.refuse(ctx, from, s, summary.CodeKey, fmt.Sprintf("this node cannot tell that you had the key %s before", s.NodeID.Fingerprint()))
	}
	if code, reason := i.untimely(s); code != "" {
		return i.refuse(ctx, from, s, code, reason)
	}
	details := map[string]string{"summary_id": s.ID, "step": "received", "rule": d.Rule.Name, "granularity": string(s.Period.Granularity), "period_start": s.Period.Start.String()}
	if s.Replaces != "" {
		details["replaces"] = s.Replaces
	}
	isNew, err := i.db.SaveReceivedSummary(ctx, store.Arrival{Summary: s, Wire: wire, Keys: keys, MaxBytes: i.limit},
		audit.Event{Type: protocol.AuditSummaryShared, Peer: from, Success: true, Details: details})
	switch {
	case errors.Is(err, store.ErrConflictingSummary):
		return i.refuse(ctx, from, s, summary.CodeConflict, "it contradicts a summary of yours that was received before, and is no correction of it")
	case errors.Is(err, store.ErrOutOfOrder):
		return i.refuse(ctx, from, s, summary.CodeOutOfOrder, fmt.Sprintf("it replaces %s, and that is not the current summary of the period here", s.Replaces))
	case errors.Is(err, store.ErrTooMuch):
		return i.refuse(ctx, from, s, summary.CodeFull, fmt.Sprintf("this node keeps no more than %d bytes of your summaries; there is room again when old ones are removed", i.limit))
	case err != nil:
		return summary.Verdict{}, err
	case !isNew:
		return summary.Verdict{Status: summary.StatusDuplicate}, nil
	}
	i.logger.Info("summary received", "peer", from.Fingerprint(), "granularity", s.Period.Granularity, "period", s.Period.Start,
		"commands", s.TotalCommands, "replaces", s.Replaces)
	return summary.Verdict{Status: summary.StatusAccepted}, nil
}

// untimely returns why a summary is refused for its period, or nothing.
func (i *intake) untimely(s *protocol.NodeSummary) (summary.Code, string) {
	end := s.Period.End.Time()
	switch {
	case end.After(i.now().Add(protocol.MaxSkew)):
		return summary.CodeFuture, fmt.Sprintf("the period ends at %s, which is in the future", end.Format(time.RFC3339))
	case s.GeneratedAt < s.Period.End:
		return summary.CodeEarly, fmt.Sprintf("it was made at %s, before its period had ended at %s", s.GeneratedAt, end.Format(time.RFC3339))
	case i.now().Sub(end) > protocol.MaxQueryRange:
		return summary.CodeOld, fmt.Sprintf("the period ended at %s, longer ago than anybody may ask for", end.Format(time.RFC3339))
	}
	return "", ""
}

// refuse puts a refusal on record. A node that is refused all the time cannot fill the log: what is above the budget is
// counted in the next record.
func (i *intake) refuse(ctx context.Context, from protocol.NodeID, s *protocol.NodeSummary, code summary.Code, reason string) (summary.Verdict, error) {
	v := summary.Verdict{Status: summary.StatusRefused, Code: code, Reason: reason}
	i.logger.Warn("summary refused", "peer", from.Fingerprint(), "summary", s.ID, "code", code, "reason", reason)
	i.mu.Lock()
	if !i.budget.AllowN(i.now(), 1) {
		i.muted++
		i.mu.Unlock()
		return v, nil
	}
	muted := i.muted
	i.muted = 0
	i.mu.Unlock()
	details := map[string]string{"summary_id": s.ID, "kind": string(code), "reason": reason}
	if muted > 0 {
		details["not_recorded"] = strconv.Itoa(muted)
	}
	_, err := i.log.Append(ctx, audit.Event{Type: protocol.AuditPolicyViolation, Peer: from, Details: details})
	return v, err
}
