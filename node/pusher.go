package node

import (
	"context"
	"errors"
	"slices"
	"strconv"

	"github.com/caro-mesh/caro-node/policy"
	"github.com/caro-mesh/caro-node/policy/audit"
	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/store"
)

// pushAll begins to send each connected peer what it may have and has not acknowledged yet. Each peer has a goroutine of
// its own, so that a slow one holds nobody up; one that is still busy is left alone.
func (p *publisher) pushAll(ctx context.Context) {
	for _, t := range p.connected() {
		// The common "no" is not worth a record each minute; the gate records what is about to be sent.
		if !p.gate.Peek(t.request).Allowed || !p.begin(t.id) {
			continue
		}
		p.pushes.Go(func() {
			defer p.end(t.id)
			if err := p.pushTo(ctx, t); err != nil && ctx.Err() == nil {
				p.logger.Warn("summaries were not pushed; they will be tried again", "peer", t.id.Fingerprint(), "error", err)
			}
		})
	}
}

func (p *publisher) begin(id protocol.NodeID) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.busy[id] {
		return false
	}
	p.busy[id] = true
	return true
}

func (p *publisher) end(id protocol.NodeID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.busy, id)
}

func (p *publisher) pushTo(ctx context.Context, t target) error {
	waiting, err := p.db.UnpushedSummaries(ctx, t.id, p.now().Add(-pushHistory))
	if err != nil {
		return err
	}
	engine := p.gate.Engine()
	for _, s := range waiting {
		if !allAllowed(s.Summary, engine) || p.wasRefused(t.id, s.Summary.ID) {
			continue // made before a category was denied, or not wanted; it stays here
		}
		err := p.pushOne(ctx, t, s)
		if errors.Is(err, errRefusedSummary) {
			p.logger.Warn("a peer refuses a summary; it will not be offered again before the next start", "peer", t.id.Fingerprint(),
				"summary", s.Summary.ID, "error", err)
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// pushOne records the disclosure, sends the summary, and records what became of it.
func (p *publisher) pushOne(ctx context.Context, t target, s store.StoredSummary) error {
	id := s.Summary.ID
	details := map[string]string{"summary_id": id, "bytes": strconv.Itoa(len(s.Wire)), "step": "sending"}
	if _, err := p.gate.Allow(ctx, t.request, audit.Event{Type: protocol.AuditSummaryShared, Details: details}); err != nil {
		return err
	}
	err := p.push(ctx, t.id, s)
	if errors.Is(err, errRefusedSummary) {
		p.noteRefusal(t.id, id)
		return err
	}
	if err != nil {
		return err
	}
	p.logger.Info("summary shared", "peer", t.id.Fingerprint(), "granularity", s.Summary.Period.Granularity, "period", s.Summary.Period.Start)
	return p.db.MarkPushed(ctx, id, t.id, audit.Event{Type: protocol.AuditSummaryShared, Peer: t.id, Success: true,
		Details: map[string]string{"summary_id": id, "step": "acknowledged"}})
}

func (p *publisher) wasRefused(peer protocol.NodeID, summary string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.refused[refusal{peer, summary}]
}

func (p *publisher) noteRefusal(peer protocol.NodeID, summary string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.refused) < maxRefusals {
		p.refused[refusal{peer, summary}] = true
	}
}

func allAllowed(s *protocol.NodeSummary, e *policy.Engine) bool {
	return !slices.ContainsFunc(s.CategoryStats, func(c protocol.CategoryStat) bool { return !e.AllowsCategory(c.Category) })
}
