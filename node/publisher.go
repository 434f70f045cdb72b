package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/caro-mesh/caro-node/policy"
	"github.com/caro-mesh/caro-node/policy/audit"
	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/protocol/summary"
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
	// quietBefore is how long the counts of ended hours must not have changed before summaries of them are made or
	// corrected: while history is imported, each would hold a part. Changes that go on are waited for until patience is at
	// an end.
	quietBefore = 5 * time.Second
	patience    = 10 * time.Minute
	// correctEvery is the least time between two corrections of one period. The first comes without delay.
	correctEvery = 15 * time.Minute
	// backlogPatience is how long the observer may take to store what was reported. What it stores later is corrected.
	backlogPatience = time.Minute
)

// publisher makes this node's summaries when their period has ended, and pushes them to the peers that may have them.
type publisher struct {
	key    protocol.Signer
	gate   *audit.Gate
	db     summaries
	now    func() time.Time
	logger *slog.Logger
	// connected returns the peers to whom summaries can be pushed now.
	connected func() []target
	// caughtUp returns once everything that was reported before the call is stored.
	caughtUp func(ctx context.Context) error
	// push sends one signed summary and returns once the peer acknowledged it.
	push func(ctx context.Context, to protocol.NodeID, s store.StoredSummary) error

	wake      chan struct{}   // capacity 1: push now
	disturbed chan struct{}   // capacity 1: commands of ended periods arrive
	quiet     time.Duration   // quietBefore, or what a test says
	looked    protocol.Period // the last ended hour when every period was looked at; generate alone uses it

	mu         sync.Mutex
	recipients map[protocol.NodeID]*recipient
	refused    map[refusal]bool // until the next start
	pushes     sync.WaitGroup
}

// refusal names a summary that a peer does not want.
type refusal struct {
	peer    protocol.NodeID
	summary string
}

// maxRefusals bounds the memory for refusals; beyond it a refused summary is offered again.
const maxRefusals = 4096

// What push returns for a summary that the peer refused.
var (
	// errRefusedSummary will not change by trying again.
	errRefusedSummary = errors.New("the peer refused the summary")
	// errMissingLink means that the peer has an earlier summary of the period than the correction replaces.
	errMissingLink = errors.New("the peer lacks what the correction replaces")
	// errPeerFull means that the peer keeps no more summaries of this node for now.
	errPeerFull = errors.New("the peer keeps no more summaries of this node")
)

// refusalOf turns a verdict into one of these errors, or nil.
func refusalOf(v summary.Verdict) error {
	switch {
	case v.Status != summary.StatusRefused:
		return nil
	case v.Code == summary.CodeOutOfOrder:
		return fmt.Errorf("%w: %s", errMissingLink, v.Reason)
	case v.Code == summary.CodeFull:
		return fmt.Errorf("%w: %s", errPeerFull, v.Reason)
	}
	return fmt.Errorf("%w: %s", errRefusedSummary, v.Reason)
}

func newPublisher(key protocol.Signer, gate *audit.Gate, db summaries, now func() time.Time, logger *slog.Logger) *publisher {
	return &publisher{key: key, gate: gate, db: db, now: now, logger: logger, wake: make(chan struct{}, 1), disturbed: make(chan struct{}, 1),
		quiet: quietBefore, caughtUp: func(context.Context) error { return nil }, recipients: make(map[protocol.NodeID]*recipient), refused: make(map[refusal]bool)}
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
	ChangedHours(ctx context.Context) ([]store.ChangedHour, error)
	SettleHours(ctx context.Context, hours []store.ChangedHour) error
	CountsSince(ctx context.Context) (time.Time, error)
	LostSummaries(ctx context.Context) (store.LostSummaries, error)
	OwnPeriods(ctx context.Context, since time.Time) (map[protocol.Period]string, error)
	Replaced(ctx context.Context, id string) ([]store.StoredSummary, error)
	UnpushedSummaries(ctx context.Context, peer protocol.NodeID, since time.Time) ([]store.StoredSummary, error)
	MarkSent(ctx context.Context, summaryID string, peer protocol.NodeID) error
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
	timer := time.NewTimer(0)
	defer timer.Stop()
	due := time.Now() // when the timer fires; real time, as the timer's
	next := func(d time.Duration) {
		due = time.Now().Add(d)
		timer.Reset(d)
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.disturbed:
			if time.Until(due) > p.quiet {
				next(p.quiet)
			}
		case <-timer.C:
			again, err := p.generate(ctx)
			if err != nil && ctx.Err() == nil {
				p.logger.Error("summaries were not made; they will be tried again", "error", err)
			}
			p.nudge()
			next(again)
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

// disturb tells that commands of ended periods arrive: summaries are looked at once that has stopped.
func (p *publisher) disturb() { signal(p.disturbed) }

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // one is waiting already
	}
}
