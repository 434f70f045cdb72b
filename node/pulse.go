package node

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/caro-mesh/caro-node/policy/audit"
	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/protocol/health"
)

// onlineFor is how long a node that is heard through others counts as online: it may miss two statuses.
const onlineFor = 3 * health.Interval

// pulse says how this node is, whenever the health topic says that it is time.
type pulse struct {
	gate     *audit.Gate
	counts   rollups
	log      audit.Log
	now      func() time.Time
	started  time.Time
	version  string
	degraded func() bool // may be nil
	publish  func(context.Context, health.Status) error
	logger   *slog.Logger

	// The count that was told last, and until when it counts: what leaves is recorded first, and so it stays for an hour.
	// It would otherwise tell in every half minute whether somebody types.
	count uint64
	until time.Time
}

// beat publishes a status. It is not called twice at once.
func (p *pulse) beat(ctx context.Context) {
	s := health.Status{CaroVersion: clip(p.version, protocol.MaxVersionText), Uptime: p.now().Sub(p.started), State: protocol.HealthOK,
		EventCount24h: p.eventCount(ctx)}
	if p.degraded != nil && p.degraded() {
		s.State = protocol.HealthDegraded
	}
	if err := p.publish(ctx, s); err != nil && ctx.Err() == nil {
		p.logger.Error("the mesh was not told how this node is", "error", err)
	}
}

// eventCount returns the commands of the last 24 hours that have ended, if the policy lets them be told and the audit
// log has taken it down, else nil.
func (p *pulse) eventCount(ctx context.Context) *uint64 {
	engine := p.gate.Engine()
	shares, rule := engine.SharesEventCount()
	if !shares {
		p.until = time.Time{}
		return nil
	}
	end := p.now().Truncate(time.Hour)
	if !end.Equal(p.until) {
		n, err := p.countUntil(ctx, end)
		if err == nil {
			_, err = p.log.Append(ctx, audit.Event{Type: protocol.AuditSummaryShared, Success: true, Details: map[string]string{"topic": health.ID,
				"event_count_24h": strconv.FormatUint(n, 10), "until": end.UTC().Format(time.RFC3339), "rule": rule.Name, "source": rule.Place()}})
		}
		if err != nil {
			if ctx.Err() == nil {
				p.logger.Error("the mesh is not told the event count until it can be read and recorded", "error", err)
			}
			return nil
		}
		p.count, p.until = n, end
	}
	n := p.count
	return &n
}

func (p *pulse) countUntil(ctx context.Context, end time.Time) (n uint64, err error) {
	rows, err := rowsOf(ctx, p.counts, protocol.TimeRange{Start: protocol.At(end.Add(-24 * time.Hour)), End: protocol.At(end)}, p.gate.Engine())
	if err != nil {
		return 0, fmt.Errorf("count the commands of a day: %w", err)
	}
	for _, r := range rows {
		n += r.Count
	}
	return n, nil
}

// hear adds to what is known of a node what it says of itself.
func (v *PeerView) hear(h health.Heard, now time.Time) {
	if v.State == PeerUntrusted || v.State == PeerPending {
		return
	}
	// What it said before it left, or was disconnected, says nothing about now.
	if v.State != PeerConnected && h.At.After(v.LastSeen) {
		v.LastSeen = h.At
		v.CaroVersion, v.ProtocolVersion = h.Status.CaroVersion, h.Status.ProtocolVersion
		if v.Online = now.Sub(h.At) < onlineFor; v.Online && v.Reason != "" {
			v.Reason += "; it is heard through others"
		}
	}
	if v.Online {
		v.Health, v.EventCount24h = h.Status.State, h.Status.EventCount24h
		v.Uptime = time.Duration(h.Status.UptimeSeconds)*time.Second + max(0, now.Sub(h.At))
	}
}
