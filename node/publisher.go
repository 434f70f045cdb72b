package node

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strconv"
	"time"

	"github.com/caro-mesh/caro-node/node/aggregate"
	"github.com/caro-mesh/caro-node/policy"
	"github.com/caro-mesh/caro-node/policy/audit"
	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/store"
)

const (
	// settle is how long after its end a period is summarized: the last commands of it may still be running or wait in
	// a spool file.
	settle = 2 * time.Minute
	// publishEvery is how often ended periods and unpushed summaries are looked for.
	publishEvery = time.Minute
	// pushHistory is how far back summaries are pushed to a peer that appears.
	pushHistory = 7 * 24 * time.Hour
)

// lookBack is how many ended periods of each granularity are made up for after downtime or an import. An hour that is
// older than two days lives on in its day. A new peer gets at most 48 + 7 + 1 of them at once, within the burst that
// protocol/summary allows.
var lookBack = []struct {
	granularity protocol.Granularity
	periods     int
}{{protocol.Hourly, 48}, {protocol.Daily, 31}, {protocol.Weekly, 53}}

// publisher makes this node's summaries when their period has ended, and pushes them to the peers that may have them.
type publisher struct {
	key    protocol.Signer
	gate   *audit.Gate
	db     summaries
	now    func() time.Time
	logger *slog.Logger
	// connected returns the peers to whom summaries can be pushed now.
	connected func() []target
	// push sends one signed summary and returns once the peer acknowledged it.
	push func(ctx context.Context, to protocol.NodeID, s store.StoredSummary) error
	wake chan struct{} // capacity 1
}

// target is a connected peer.
type target struct {
	id      protocol.NodeID
	request policy.Request
}

// summaries is what the publisher needs of the store.
type summaries interface {
	rollups
	UniquePatterns(ctx context.Context, start, end time.Time, denied func(protocol.CommandCategory) bool) (uint64, error)
	SummaryForPeriod(ctx context.Context, p protocol.Period) (store.StoredSummary, error)
	SaveSummary(ctx context.Context, s *protocol.NodeSummary, wire []byte, ev audit.Event) error
	UnpushedSummaries(ctx context.Context, peer protocol.NodeID, since time.Time) ([]store.StoredSummary, error)
	MarkPushed(ctx context.Context, summaryID string, peer protocol.NodeID, ev audit.Event) error
}

// run works until ctx ends. It returns nil.
func (p *publisher) run(ctx context.Context) error {
	tick := time.NewTicker(publishEvery)
	defer tick.Stop()
	for {
		if err := p.generate(ctx); err != nil && ctx.Err() == nil {
			p.logger.Error("summaries were not made; they will be tried again", "error", err)
		}
		p.pushAll(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-p.wake:
		}
	}
}

// nudge makes the publisher look at once, for example because a peer has appeared.
func (p *publisher) nudge() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// generate makes, signs and stores the summary of every ended period that has commands and no summary yet.
func (p *publisher) generate(ctx context.Context) error {
	now := p.now()
	var errs []error
	for _, lb := range lookBack {
		period := protocol.PeriodAt(now.Add(-settle), lb.granularity).Previous()
		for range lb.periods {
			if err := p.generateOne(ctx, period); err != nil {
				errs = append(errs, err)
			}
			if ctx.Err() != nil {
				return ctx.Err()
			}
			period = period.Previous()
		}
	}
	return errors.Join(errs...)
}

func (p *publisher) generateOne(ctx context.Context, period protocol.Period) error {
	if _, err := p.db.SummaryForPeriod(ctx, period); !errors.Is(err, store.ErrNotFound) {
		return err // nil: there is one already
	}
	rows, err := rowsOf(ctx, p.db, protocol.TimeRange{Start: period.Start, End: period.End}, p.gate.Engine())
	if err != nil || len(rows) == 0 {
		return err
	}
	s, wire, err := p.make(ctx, period, rows)
	if err != nil {
		return err
	}
	err = p.db.SaveSummary(ctx, s, wire, audit.Event{Type: protocol.AuditSummaryGenerated, Success: true, Details: map[string]string{
		"summary_id": s.ID, "granularity": string(period.Granularity), "period_start": period.Start.String(),
		"commands": strconv.FormatUint(s.TotalCommands, 10), "bytes": strconv.Itoa(len(wire))}})
	if err == nil {
		p.logger.Info("summary made", "granularity", period.Granularity, "period", period.Start, "commands", s.TotalCommands)
	}
	return err
}

// make builds and signs the summary of a period from rows that cover it.
func (p *publisher) make(ctx context.Context, period protocol.Period, rows []aggregate.Row) (*protocol.NodeSummary, []byte, error) {
	engine := p.gate.Engine()
	unique, err := p.db.UniquePatterns(ctx, period.Start.Time(), period.End.Time(),
		func(c protocol.CommandCategory) bool { return !engine.AllowsCategory(c) })
	if err != nil {
		return nil, nil, err
	}
	s, err := aggregate.Summarize(p.key.NodeID(), period, rows, unique, p.now())
	if err != nil {
		return nil, nil, err
	}
	wire, err := protocol.SignSummary(s, p.key, p.now())
	return s, wire, err
}

// preview makes the summary of the period that contains at, as [publisher.generate] would, and stores nothing.
func (p *publisher) preview(ctx context.Context, g protocol.Granularity, at time.Time) (*protocol.NodeSummary, []byte, error) {
	period := protocol.PeriodAt(at, g)
	rows, err := rowsOf(ctx, p.db, protocol.TimeRange{Start: period.Start, End: period.End}, p.gate.Engine())
	if err != nil {
		return nil, nil, err
	}
	return p.make(ctx, period, rows)
}

// pushAll sends each connected peer what it may have and has not acknowledged yet. One peer's trouble does not keep
// the others waiting longer than its deadline.
func (p *publisher) pushAll(ctx context.Context) {
	for _, t := range p.connected() {
		if ctx.Err() != nil {
			return
		}
		// The common "no" is not worth a record each minute; the gate records what is about to be sent.
		if !p.gate.Peek(t.request).Allowed {
			continue
		}
		if err := p.pushTo(ctx, t); err != nil && ctx.Err() == nil {
			p.logger.Warn("summaries were not pushed; they will be tried again", "peer", t.id.Fingerprint(), "error", err)
		}
	}
}

func (p *publisher) pushTo(ctx context.Context, t target) error {
	waiting, err := p.db.UnpushedSummaries(ctx, t.id, p.now().Add(-pushHistory))
	if err != nil {
		return err
	}
	engine := p.gate.Engine()
	for _, s := range waiting {
		if !allAllowed(s.Summary, engine) {
			continue // made before a category was denied; it stays here
		}
		details := map[string]string{"summary_id": s.Summary.ID, "bytes": strconv.Itoa(len(s.Wire)), "step": "sending"}
		if _, err := p.gate.Allow(ctx, t.request, audit.Event{Type: protocol.AuditSummaryShared, Details: details}); err != nil {
			return err
		}
		if err := p.push(ctx, t.id, s); err != nil {
			return err
		}
		err := p.db.MarkPushed(ctx, s.Summary.ID, t.id, audit.Event{Type: protocol.AuditSummaryShared, Peer: t.id, Success: true,
			Details: map[string]string{"summary_id": s.Summary.ID, "step": "acknowledged"}})
		if err != nil {
			return err
		}
		p.logger.Info("summary shared", "peer", t.id.Fingerprint(), "granularity", s.Summary.Period.Granularity, "period", s.Summary.Period.Start)
	}
	return nil
}

func allAllowed(s *protocol.NodeSummary, e *policy.Engine) bool {
	return !slices.ContainsFunc(s.CategoryStats, func(c protocol.CategoryStat) bool { return !e.AllowsCategory(c.Category) })
}
