package daemon

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/caro-mesh/caro-node/api"
	v1 "github.com/caro-mesh/caro-node/api/v1"
	"github.com/caro-mesh/caro-node/store"
)

// backend fulfils the API from the parts of the daemon.
type backend struct{ d *Daemon }

var _ api.Backend = (*backend)(nil)

// Identity tells who this node is.
func (b *backend) Identity(context.Context) (v1.Identity, error) {
	id := b.d.mesh().Identity()
	pid, err := id.NodeID.PeerID()
	if err != nil {
		return v1.Identity{}, err
	}
	return v1.Identity{NodeID: id.NodeID, Fingerprint: id.Fingerprint, PeerID: pid.String(), DisplayName: id.DisplayName,
		Addresses: b.d.mesh().Addresses(), Capabilities: id.Capabilities, CreatedAt: id.CreatedAt.Time(), Keys: b.d.shownKeys()}, nil
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
	id, now := b.d.mesh().Identity(), b.d.c.Now()
	sizes, err := b.d.db.Sizes(ctx)
	if err != nil {
		return v1.Status{}, err
	}
	last24h, err := b.d.db.CountEventsSince(ctx, now.Add(-24*time.Hour))
	if err != nil {
		return v1.Status{}, err
	}
	peers, err := b.d.mesh().Peers(ctx)
	if err != nil {
		return v1.Status{}, err
	}
	growth, err := b.growth(ctx)
	if err != nil {
		return v1.Status{}, err
	}
	repair, err := b.repair(ctx)
	if err != nil {
		return v1.Status{}, err
	}
	s := v1.Status{
		NodeID: id.NodeID, Fingerprint: id.Fingerprint, DisplayName: id.DisplayName, Version: b.d.c.Version,
		StartedAt: b.d.mesh().Started(), UptimeSeconds: int64(now.Sub(b.d.mesh().Started()).Seconds()),
		Events: sizes.Events, Events24h: last24h, Peers: countPeers(peers), Refused: b.refused(), Spool: b.spool(),
		Database: v1.Database{Path: b.d.db.Path(), SizeBytes: sizes.DatabaseBytes, FreeBytes: sizes.FreeBytes, WALBytes: sizes.WALBytes, SchemaVersion: sizes.SchemaVersion,
			Summaries: sizes.Summaries, AuditEntries: sizes.AuditEntries, Growth: growth, Repair: repair},
		Memory: memory(), Listen: b.d.mesh().Addresses(), API: b.d.server.Endpoints(), Policy: b.d.rules.state(),
	}
	s.Health, s.HealthReasons = b.health(ctx, s)
	return s, nil
}

// health judges the other parts of the status.
func (b *backend) health(ctx context.Context, s v1.Status) (v1.Health, []string) {
	if !b.d.ready.Load() {
		return v1.HealthStarting, []string{"not everything is up yet"}
	}
	var reasons []string
	if s.Spool.LastError != "" {
		reasons = append(reasons, "commands could not be stored, and wait in the spool: "+s.Spool.LastError)
	}
	if f := b.d.db.WriteFailure(); f != nil {
		reasons = append(reasons, unwritable(f))
	}
	reasons = append(reasons, b.damage(s.Database.Repair)...)
	if s.Spool.Torn > 0 {
		reasons = append(reasons, fmt.Sprintf("%d records were cut in half when they were written; they are kept in %s", s.Spool.Torn, b.d.c.Paths.Spool))
	}
	if text := stale(s.Policy); text != "" {
		reasons = append(reasons, text)
	}
	if text := expired(s.Policy.Bundle, b.d.c.Now()); text != "" {
		reasons = append(reasons, text)
	}
	if p, err := ReadPause(b.d.c.Paths.Paused); err != nil {
		reasons = append(reasons, err.Error())
	} else if p.On {
		reasons = append(reasons, p.String())
	}
	reasons = append(reasons, b.auditDoubts(ctx)...)
	if len(reasons) > 0 {
		return v1.HealthDegraded, reasons
	}
	return v1.HealthOK, nil
}

func (b *backend) refused() v1.Refused {
	connections, messages := b.d.mesh().Refused()
	out := v1.Refused{Connections: connections, Messages: make(map[string]uint64, len(messages))}
	for reason, n := range messages {
		out.Messages[string(reason)] = n
	}
	return out
}

func (b *backend) spool() v1.Spool {
	st := b.d.observer.Status()
	out := v1.Spool{PendingFiles: st.PendingFiles, PendingBytes: st.PendingBytes, Torn: int64(st.Torn), Ignored: int64(st.Ignored), LastError: st.Error}
	if !st.LastEvent.IsZero() {
		out.LastEventAt = &st.LastEvent
	}
	return out
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

// unwritable words a failure of the database for a person.
func unwritable(f *store.WriteFailure) string {
	return fmt.Sprintf("the database could not be written since %s, and what the audit log cannot record is refused: %v",
		f.Since.Local().Format("2006-01-02 15:04:05"), f.Err)
}

// explainFull tells whoever asked that the disk is full: the sentence says what to do.
func explainFull(err error) error {
	if errors.Is(err, store.ErrFull) {
		return api.Refuse(api.ErrUnavailable, "%w", err)
	}
	return err
}
