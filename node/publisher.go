package node

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"sync"
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

// quietBefore is how long no command of an ended period may have arrived before summaries are made. A summary is signed
// once; while a backlog is read, it would hold only a part. A machine with much else to do needs seconds for a thousand.
const quietBefore = 5 * time.Second

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

	wake      chan struct{} // capacity 1: push now
	disturbed chan struct{} // capacity 1: commands of ended periods arrive
	quiet     time.Duration // how long none may have arrived before summaries are made

	mu      sync.Mutex
	busy    map[protocol.NodeID]bool // peers that are being pushed to
	refused map[refusal]bool         // until the next start
	pushes  sync.WaitGroup
}

// refusal names a summary that a peer does not want.
type refusal struct {
	peer    protocol.NodeID
	summary string
}

// maxRefusals bounds the memory for refusals; beyond it a refused summary is offered again.
const maxRefusals = 4096

// errRefusedSummary is what push returns for a summary that the peer refused, which will not change by trying again.
var errRefusedSummary = errors.New("the peer refused the summary")

func newPublisher(key protocol.Signer, gate *audit.Gate, db summaries, now func() time.Time, logger *slog.Logger) *publisher {
	return &publisher{key: key, gate: gate, db: db, now: now, logger: logger, wake: make(chan struct{}, 1), disturbed: make(chan struct{}, 1),
		quiet: quietBefore, busy: make(map[protocol.NodeID]bool), refused: make(map[refusal]bool)}
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
	var wg sync.WaitGroup
	wg.Go(func() { p.generateLoop(ctx) })
	p.pushLoop(ctx)
	wg.Wait()
	p.pushes.Wait()
	return nil
}

func (p *publisher) generateLoop(ctx context.Context) {
	timer := time.NewTimer(p.quiet) // the observer reads what waits in the spool first
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.disturbed:
			timer.Reset(p.quiet)
		case <-timer.C:
			if err := p.generate(ctx); err != nil && ctx.Err() == nil {
				p.logger.Error("summaries were not made; they will be tried again", "error", err)
			}
			p.nudge()
			timer.Reset(publishEvery)
		}
	}
}

func (p *publisher) pushLoop(ctx context.Context) {
	tick := time.NewTicker(publishEvery)
	defer tick.Stop()
	for {
		p.pushAll(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-p.wake:
		}
	}
}

// nudge makes the publisher push at once, for example because a peer has appeared.
func (p *publisher) nudge() { signal(p.wake) }

// disturb tells that commands of ended periods arrive: summaries are made once that has stopped.
func (p *publisher) disturb() { signal(p.disturbed) }

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // one is waiting already
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

// preview returns the summary of the period that contains at: the stored one if it was made already, else one of what
// is known by now, which it does not store.
func (p *publisher) preview(ctx context.Context, g protocol.Granularity, at time.Time) (*protocol.NodeSummary, []byte, error) {
	period := protocol.PeriodAt(at, g)
	if made, err := p.db.SummaryForPeriod(ctx, period); err == nil {
		return made.Summary, made.Wire, nil
	} else if !errors.Is(err, store.ErrNotFound) {
		return nil, nil, err
	}
	rows, err := rowsOf(ctx, p.db, protocol.TimeRange{Start: period.Start, End: period.End}, p.gate.Engine())
	if err != nil {
		return nil, nil, err
	}
	return p.make(ctx, period, rows)
}
