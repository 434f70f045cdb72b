package node

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"golang.org/x/time/rate"

	"github.com/caro-mesh/caro-node/policy"
	"github.com/caro-mesh/caro-node/policy/audit"
	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/store"
)

const (
	// pushesPerSecond and pushesAtOnce stay below what protocol/summary lets one node send, so that a backlog is never
	// taken for a flood. What is left over waits for the next round, at most publishEvery away.
	pushesPerSecond = 1.5
	pushesAtOnce    = 48
	// A peer to which pushing failed is left alone for firstPause, and twice as long after each failure in a row, up to
	// longestPause; not at all once it appears anew.
	firstPause   = 30 * time.Second
	longestPause = time.Hour
)

// recipient is what is remembered of a connected peer.
type recipient struct {
	busy     bool // it is being pushed to
	failures int  // in a row
	until    time.Time
	budget   *rate.Limiter
}

// pushAll begins to send each connected peer what it may have and has not acknowledged yet. Each peer has a goroutine of
// its own, so that a slow one holds nobody up; one that is still busy is left alone.
func (p *publisher) pushAll(ctx context.Context) {
	targets := p.connected()
	p.forgetOthers(targets)
	for _, t := range targets {
		// The common "no" is not worth a record each minute; the gate records what is about to be sent.
		if !p.gate.Peek(t.request).Allowed {
			continue
		}
		r := p.begin(t.id)
		if r == nil {
			continue
		}
		p.pushes.Go(func() {
			err := p.pushTo(ctx, t, r.budget)
			pause := p.end(r, err)
			if err != nil && ctx.Err() == nil {
				p.logger.Warn("summaries were not pushed; they will be tried again", "peer", t.id.Fingerprint(), "error", err, "pause", pause)
			}
		})
	}
}

// forgetOthers forgets peers that are not connected any more.
func (p *publisher) forgetOthers(connected []target) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for id, r := range p.recipients {
		if !r.busy && !slices.ContainsFunc(connected, func(t target) bool { return t.id == id }) {
			delete(p.recipients, id)
		}
	}
}

// begin returns nil when nothing is to be pushed to the peer now.
func (p *publisher) begin(id protocol.NodeID) *recipient {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.recipients[id]
	if r == nil {
		r = &recipient{budget: rate.NewLimiter(pushesPerSecond, pushesAtOnce)}
		p.recipients[id] = r
	}
	if r.busy || p.now().Before(r.until) {
		return nil
	}
	r.busy = true
	return r
}

// end notes how pushing went, and returns for how long the peer is left alone.
func (p *publisher) end(r *recipient, err error) (pause time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	r.busy = false
	if err == nil {
		r.failures = 0
		return 0
	}
	pause = min(firstPause<<min(r.failures, 10), longestPause)
	r.failures++
	r.until = p.now().Add(pause)
	return pause
}

// appeared pushes to a peer at once, however often that failed before it went away.
func (p *publisher) appeared(id protocol.NodeID) {
	p.mu.Lock()
	if r := p.recipients[id]; r != nil {
		r.failures, r.until = 0, time.Time{}
	}
	p.mu.Unlock()
	p.nudge()
}

func (p *publisher) pushTo(ctx context.Context, t target, budget *rate.Limiter) error {
	waiting, err := p.db.UnpushedSummaries(ctx, t.id, p.now().Add(-pushHistory))
	if err != nil {
		return err
	}
	engine := p.gate.Engine()
	for _, s := range waiting {
		if !allAllowed(s.Summary, engine) || p.wasRefused(t.id, s.Summary.ID) {
			continue // made before a category was denied, or not wanted; it stays here
		}
		if !budget.AllowN(p.now(), 1) {
			return nil // the rest in the next round
		}
		err := p.pushOne(ctx, t, s)
		if errors.Is(err, errMissingLink) {
			err = p.pushChain(ctx, t, s, budget)
		}
		if errors.Is(err, errRefusedSummary) {
			p.noteRefusal(t.id, s.Summary.ID)
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

// pushChain pushes a correction with everything before it of its period: the peer has an earlier one, whose
// acknowledgement was lost, and takes each only in the place of the one before.
func (p *publisher) pushChain(ctx context.Context, t target, s store.StoredSummary, budget *rate.Limiter) error {
	earlier, err := p.db.Replaced(ctx, s.Summary.ID)
	if err != nil {
		return err
	}
	engine := p.gate.Engine()
	for _, link := range append(earlier, s) {
		if !allAllowed(link.Summary, engine) {
			return fmt.Errorf("%w: what it lacks holds a category that is denied by now", errRefusedSummary)
		}
		if !budget.AllowN(p.now(), 1) {
			return errors.New("the peer lacks more than may be sent at once")
		}
		err := p.pushOne(ctx, t, link)
		if errors.Is(err, errMissingLink) {
			return fmt.Errorf("%w: %w", errRefusedSummary, err)
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
	if s.Summary.Replaces != "" {
		details["replaces"] = s.Summary.Replaces
	}
	if _, err := p.gate.Allow(ctx, t.request, audit.Event{Type: protocol.AuditSummaryShared, Details: details}); err != nil {
		return err
	}
	if err := p.db.MarkSent(ctx, id, t.id); err != nil {
		return err
	}
	if err := p.push(ctx, t.id, s); err != nil {
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
