package health

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"

	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/protocol/exchange"
)

// ID is the topic's name.
const ID = "caro/health/1"

const (
	// Interval is the time between two statuses of a node, which jitter makes longer or shorter by a fifth.
	Interval = 30 * time.Second
	jitter   = 0.2
	// newcomerDelay gives a new neighbour, and others that come with it, the time to be ready: routers agree about who
	// passes on to whom once a second, and what they have to pass on before that is lost.
	newcomerDelay = 2 * time.Second
	// minGap keeps newcomers from making a node speak more often than others listen.
	minGap = protocol.HealthEvery + 2*time.Second
)

// Config says what a topic is made of. Every field without "may" is required.
type Config struct {
	// Endpoint has the host and the clock, and is told about what is refused.
	Endpoint *exchange.Endpoint
	Key      protocol.Signer
	// Sequence numbers statuses; its numbers rise across restarts. It may be the one that numbers envelopes.
	Sequence protocol.Sequencer
	// Admitted reports whether a neighbour may hear and be heard now: its Hello was accepted and the policy in force
	// lets it connect. While a Hello with it is under way it may wait for its end, at most until ctx is done.
	Admitted func(ctx context.Context, neighbour protocol.NodeID) bool
	// Trusted reports whether the policy in force would let the node connect, connected or not.
	Trusted func(protocol.NodeID) bool
}

// Status is what a node says of itself.
type Status struct {
	CaroVersion   string // at most protocol.MaxVersionText bytes
	Uptime        time.Duration
	EventCount24h *uint64 // nil: not told
	State         protocol.HealthState
}

// Topic is one node's end of the topic. It is safe for concurrent use.
type Topic struct {
	c      Config
	router *pubsub.PubSub
	topic  *pubsub.Topic
	door   *door
	board  *board
	stop   context.CancelFunc
	once   sync.Once
}

// Join starts to pass on what neighbours say. Call [Topic.Up] for each that is admitted, and [Topic.Close] at the end.
func Join(c Config) (_ *Topic, err error) {
	if c.Endpoint == nil || c.Key == nil || c.Sequence == nil || c.Admitted == nil || c.Trusted == nil {
		return nil, errors.New("the health topic needs an endpoint, a key, a sequence, an admission check and a trust check")
	}
	ctx, stop := context.WithCancel(context.Background())
	t := &Topic{c: c, board: newBoard(c.Key.NodeID(), c.Endpoint.Now, c.Trusted), stop: stop}
	defer func() {
		if err != nil {
			t.Close()
		}
	}()
	if t.door, err = newDoor(ctx, c.Endpoint, c.Admitted); err != nil {
		return nil, err
	}
	if t.router, err = newRouter(ctx, t.door, t.inspect); err != nil {
		return nil, fmt.Errorf("start the gossip router: %w", err)
	}
	if err := t.router.RegisterTopicValidator(ID, t.judge, pubsub.WithValidatorInline(true)); err != nil {
		return nil, err
	}
	if t.topic, err = t.router.Join(ID); err != nil {
		return nil, err
	}
	// Statuses are taken while they are judged; a subscription would only hand them over a second time.
	if _, err := t.topic.Relay(); err != nil {
		return nil, err
	}
	return t, nil
}

// Close leaves the topic. The host may be closed afterwards; a second call does nothing.
func (t *Topic) Close() {
	t.once.Do(func() {
		t.stop()
		if t.door != nil {
			t.door.close()
		}
	})
}

// Up tells that a neighbour was admitted, so that it can be spoken to. It does not block.
func (t *Topic) Up(neighbour protocol.NodeID) {
	if pid, err := neighbour.PeerID(); err == nil {
		t.door.open(pid)
	}
}

// Publish signs s and hands it to the neighbours. It reports a status that cannot be signed or numbered, not whether
// anybody heard it.
func (t *Topic) Publish(ctx context.Context, s Status) error {
	n, err := t.c.Sequence.Next()
	if err != nil {
		return err
	}
	h := &protocol.NodeHealthStatus{NodeID: t.c.Key.NodeID(), Sequence: n, Timestamp: protocol.At(t.c.Endpoint.Now()), ProtocolVersion: protocol.Version,
		CaroVersion: s.CaroVersion, UptimeSeconds: uint64(max(0, s.Uptime/time.Second)), EventCount24h: s.EventCount24h, State: s.State}
	wire, err := protocol.SignHealth(h, t.c.Key)
	if err != nil {
		return err
	}
	return t.topic.Publish(ctx, wire)
}

// Run calls beat whenever a status is due, until ctx ends. It returns nil, or an error when the topic is closed.
func (t *Topic) Run(ctx context.Context, beat func(context.Context)) error {
	joins, err := t.topic.EventHandler()
	if err != nil {
		return err
	}
	newcomer := make(chan struct{}, 1)
	var wg sync.WaitGroup
	defer wg.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	wg.Go(func() {
		defer joins.Cancel()
		for {
			e, err := joins.NextPeerEvent(ctx)
			if err != nil {
				return
			}
			if e.Type == pubsub.PeerJoin {
				select {
				case newcomer <- struct{}{}:
				default:
				}
			}
		}
	})
	var last time.Time
	due := time.Now().Add(next())
	timer := time.NewTimer(time.Until(due))
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-newcomer:
			if soon := latest(time.Now().Add(newcomerDelay), last.Add(minGap)); soon.Before(due) {
				due = soon
				timer.Reset(time.Until(due))
			}
			continue
		case <-timer.C:
		}
		if len(t.Neighbours()) > 0 {
			last = time.Now()
			beat(ctx)
		}
		due = time.Now().Add(next())
		timer.Reset(time.Until(due))
	}
}

func next() time.Duration {
	return time.Duration(float64(Interval) * (1 - jitter + 2*jitter*rand.Float64()))
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// Neighbours returns the peers that listen to the topic, in no particular order.
func (t *Topic) Neighbours() []protocol.NodeID {
	var out []protocol.NodeID
	for _, p := range t.topic.ListPeers() {
		if id, err := protocol.NodeIDFromPeerID(p); err == nil {
			out = append(out, id)
		}
	}
	return out
}

// Heard returns the last accepted status of a node; ok is false when there is none.
func (t *Topic) Heard(id protocol.NodeID) (h Heard, ok bool) { return t.board.last(id) }

// Counts tells how many statuses of others were accepted, ignored and refused so far.
func (t *Topic) Counts() Counts { return t.board.counted() }
