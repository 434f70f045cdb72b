package daemon

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/caro-mesh/caro-node/api"
	v1 "github.com/caro-mesh/caro-node/api/v1"
	"github.com/caro-mesh/caro-node/observer/event"
	"github.com/caro-mesh/caro-node/store"
)

// backend fulfils the API from the parts of the daemon.
type backend struct{ d *Daemon }

var _ api.Backend = (*backend)(nil)

// Identity tells who this node is.
func (b *backend) Identity(context.Context) (v1.Identity, error) {
	id := b.d.node.Identity()
	pid, err := id.NodeID.PeerID()
	if err != nil {
		return v1.Identity{}, err
	}
	return v1.Identity{NodeID: id.NodeID, Fingerprint: id.Fingerprint, PeerID: pid.String(), DisplayName: id.DisplayName,
		Addresses: b.d.node.Addresses(), Capabilities: id.Capabilities, CreatedAt: id.CreatedAt.Time()}, nil
}

// Ready returns nil while the node serves.
func (b *backend) Ready(context.Context) error {
	if !b.d.ready.Load() {
		return api.Refuse(api.ErrUnavailable, "the node is starting or stopping; ask again in a second")
	}
	return nil
}

// Status collects how every part is.
func (b *backend) Status(ctx context.Context) (v1.Status, error) {
	id, now := b.d.node.Identity(), time.Now()
	sizes, err := b.d.db.Sizes(ctx)
	if err != nil {
		return v1.Status{}, err
	}
	last24h, err := b.d.db.CountEventsSince(ctx, now.Add(-24*time.Hour))
	if err != nil {
		return v1.Status{}, err
	}
	peers, err := b.d.node.Peers(ctx)
	if err != nil {
		return v1.Status{}, err
	}
	s := v1.Status{
		NodeID: id.NodeID, Fingerprint: id.Fingerprint, DisplayName: id.DisplayName, Version: b.d.c.Version,
		StartedAt: b.d.node.Started(), UptimeSeconds: int64(now.Sub(b.d.node.Started()).Seconds()),
		Events: sizes.Events, Events24h: last24h, Peers: countPeers(peers), Spool: b.spool(),
		Database: v1.Database{Path: b.d.db.Path(), SizeBytes: sizes.DatabaseBytes, WALBytes: sizes.WALBytes, SchemaVersion: sizes.SchemaVersion,
			Summaries: sizes.Summaries, AuditEntries: sizes.AuditEntries},
		Memory: memory(), Listen: b.d.node.Addresses(), API: b.d.server.Endpoints(),
	}
	s.Health, s.HealthReasons = b.health(s)
	return s, nil
}

// health judges the other parts of the status.
func (b *backend) health(s v1.Status) (v1.Health, []string) {
	if !b.d.ready.Load() {
		return v1.HealthStarting, []string{"not everything is up yet"}
	}
	var reasons []string
	if s.Spool.LastError != "" {
		reasons = append(reasons, "commands could not be stored, and wait in the spool: "+s.Spool.LastError)
	}
	if s.Spool.Torn > 0 {
		reasons = append(reasons, fmt.Sprintf("%d records were cut in half when they were written; they are kept in %s", s.Spool.Torn, b.d.c.Paths.Spool))
	}
	if _, err := os.Stat(b.d.c.Paths.Paused); err == nil {
		reasons = append(reasons, "recording is paused in all shells; remove "+b.d.c.Paths.Paused+" to go on")
	}
	if len(reasons) > 0 {
		return v1.HealthDegraded, reasons
	}
	return v1.HealthOK, nil
}

func (b *backend) spool() v1.Spool {
	st := b.d.observer.Status()
	out := v1.Spool{PendingFiles: st.PendingFiles, PendingBytes: st.PendingBytes, Torn: int64(st.Torn), Ignored: int64(st.Ignored), LastError: st.Error}
	if !st.LastEvent.IsZero() {
		out.LastEventAt = &st.LastEvent
	}
	return out
}

// Events returns stored commands, newest first.
func (b *backend) Events(ctx context.Context, f api.EventFilter) (v1.EventPage, error) {
	events, next, err := b.d.db.Events(ctx, store.EventFilter{Search: f.Search, CWD: f.CWD, Since: f.Since, Until: f.Until,
		MinRisk: f.MinRisk, Category: f.Category, Failed: f.Failed, Limit: f.Limit, Cursor: f.Cursor})
	if err != nil {
		return v1.EventPage{}, explain(err)
	}
	page := v1.EventPage{NextCursor: next, Events: make([]v1.Event, len(events))}
	for i := range events {
		page.Events[i] = eventShape(&events[i])
	}
	return page, nil
}

func eventShape(e *event.Event) v1.Event {
	return v1.Event{ID: e.ID, Timestamp: e.Timestamp, Shell: e.Shell, Command: e.Command, CWD: e.CWD, ExitCode: e.ExitCode,
		DurationMS: e.DurationMS, Category: e.Category, RiskLevel: e.RiskLevel, CaroGenerated: e.CaroGenerated,
		CaroExecuted: e.CaroExecuted, UserConfirmed: e.UserConfirmed, Blocked: e.Blocked, Session: e.Session, Redactions: e.Redactions}
}

// explain gives the store's refusals their kind.
func explain(err error) error {
	switch {
	case errors.Is(err, store.ErrNotFound):
		return api.Refuse(api.ErrNotFound, "%w", err)
	case errors.Is(err, store.ErrCursor):
		return api.Refuse(api.ErrInvalid, "%w", err)
	}
	return err
}
