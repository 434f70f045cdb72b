package node

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/protocol/exchange"
	"github.com/caro-mesh/caro-node/protocol/hello"
	"github.com/caro-mesh/caro-node/protocol/ping"
)

const (
	pingEvery   = 30 * time.Second
	pingTimeout = 5 * time.Second
	pingsAtOnce = 16
)

// pinger measures the round trip to each connected peer and warns about clocks.
type pinger struct {
	endpoint *exchange.Endpoint
	registry *hello.Registry
	logger   *slog.Logger

	wake chan struct{} // capacity 1: ping whom nothing is known of

	mu   sync.Mutex
	last map[protocol.NodeID]ping.Result
}

func newPinger(e *exchange.Endpoint, r *hello.Registry, logger *slog.Logger) *pinger {
	return &pinger{endpoint: e, registry: r, logger: logger, wake: make(chan struct{}, 1), last: make(map[protocol.NodeID]ping.Result)}
}

// run pings everybody now and then, and newcomers at once, until ctx ends. It returns nil.
func (p *pinger) run(ctx context.Context) error {
	tick := time.NewTicker(pingEvery)
	defer tick.Stop()
	for {
		newOnly := false
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-p.wake:
			newOnly = true
		}
		p.round(ctx, newOnly)
	}
}

// round pings the connected peers, a few at a time, and returns when all have answered or not.
func (p *pinger) round(ctx context.Context, newOnly bool) {
	peers := p.registry.Peers()
	p.forgetOthers(peers)
	var wg sync.WaitGroup
	slots := make(chan struct{}, pingsAtOnce)
	for _, peer := range peers {
		if _, known := p.result(peer.Identity.NodeID); known && newOnly {
			continue
		}
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			if _, err := p.ping(ctx, peer.Identity.NodeID); err != nil {
				p.logger.Debug("ping failed", "peer", peer.Identity.Fingerprint, "error", err)
			}
		})
	}
	wg.Wait()
}

// nudge makes the pinger measure peers of which nothing is known yet.
func (p *pinger) nudge() { signal(p.wake) }

// ping measures one peer and remembers the result.
func (p *pinger) ping(ctx context.Context, id protocol.NodeID) (ping.Result, error) {
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	r, err := ping.Ping(ctx, p.endpoint, id)
	if err != nil {
		return r, err
	}
	warnSkew(p.logger, id, r.Offset)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last[id] = r
	return r, nil
}

// result returns the last measurement.
func (p *pinger) result(id protocol.NodeID) (ping.Result, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	r, ok := p.last[id]
	return r, ok
}

func (p *pinger) forgetOthers(peers []hello.Peer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	keep := make(map[protocol.NodeID]ping.Result, len(peers))
	for _, peer := range peers {
		if r, ok := p.last[peer.Identity.NodeID]; ok {
			keep[peer.Identity.NodeID] = r
		}
	}
	p.last = keep
}

// warnSkew tells the person about a clock before it is so wrong that messages are refused.
func warnSkew(logger *slog.Logger, id protocol.NodeID, offset time.Duration) {
	if offset.Abs() > protocol.WarnSkew {
		logger.Warn("the clocks of this node and a peer differ; above 5 minutes they refuse each other", "peer", id.Fingerprint(), "ahead", offset.Round(time.Second))
	}
}
