package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/caro-mesh/caro-node/api"
	"github.com/caro-mesh/caro-node/api/client"
	"github.com/caro-mesh/caro-node/api/dashboard"
	"github.com/caro-mesh/caro-node/cmd/caro-node/config"
	"github.com/caro-mesh/caro-node/node"
	"github.com/caro-mesh/caro-node/node/identity"
	"github.com/caro-mesh/caro-node/observer"
	"github.com/caro-mesh/caro-node/observer/event"
	"github.com/caro-mesh/caro-node/observer/redact"
	"github.com/caro-mesh/caro-node/policy/audit"
	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/store"
)

// Config is what a daemon is started with.
type Config struct {
	Settings config.Config
	Paths    config.Paths
	Version  string           // of the program
	Now      func() time.Time // the node's clock
	Logger   *slog.Logger
	// Reload reads the configuration anew, for its policy; may be nil. ReloadAsked asks for that; may be nil.
	Reload      func() (config.Config, error)
	ReloadAsked <-chan struct{}
	// Parse reads a configuration that is tried out, with this signed bundle; "" is none, nil the accepted one. May be nil.
	Parse func(path string, data []byte, signed *string) (config.Config, error)
}

// Ready tells what a person may want to know once the node runs.
type Ready struct {
	Fingerprint protocol.Fingerprint
	NewIdentity bool
	KeyPath     string
	APIAddr     string // empty: unix socket only
}

// Daemon is a node with its store, observer and local API.
type Daemon struct {
	c        Config
	created  bool // the identity is new
	started  time.Time
	db       *store.Store
	keys     *node.Keys
	standing node.Standing
	observer *observer.Observer
	running  atomic.Pointer[node.Node]
	rules    rules
	server   *api.Server

	live      sync.RWMutex    // held for writing while one mesh node takes another's place
	replace   chan chan error // asks for that, with where to tell the outcome
	stopped   chan struct{}   // closed when the mesh node has ended for good
	observing chan struct{}   // closed once the observer reads the spool
	ready     atomic.Bool
}

// Open takes everything that the node needs, and nothing is left behind when it fails: first the API socket with its
// lock beside the data, so that a second daemon for this data is refused before it touches anything, then identity, database, observer and mesh. The caller then
// calls [Daemon.Run], once.
func Open(ctx context.Context, c Config) (_ *Daemon, err error) {
	d := &Daemon{c: c, started: c.Now(), replace: make(chan chan error), stopped: make(chan struct{}), observing: make(chan struct{})}
	d.rules.loaded(c.Settings, d.started)
	defer func() {
		if err != nil {
			err = errors.Join(err, d.close())
		}
	}()
	if err := c.Paths.Create(); err != nil {
		return nil, err
	}
	token, err := api.TokenFile(c.Paths.Token)
	if err != nil {
		return nil, err
	}
	d.server, err = api.Listen(ctx, api.Config{Socket: c.Paths.Socket, SocketDir: c.Paths.Run, Listen: c.Settings.API.Listen, Token: token,
		Page: dashboard.Handler(), Version: c.Version, Logger: c.Logger, Explain: explainFull})
	if err != nil {
		return nil, err
	}
	ring := identity.NewRing(c.Paths.Key, c.Now)
	if _, d.created, err = ring.Current(); err != nil { // before there is a database
		return nil, err
	}
	if d.db, err = store.Open(ctx, c.Paths.DB, store.Options{Now: c.Now, Repair: true}); err != nil {
		return nil, err
	}
	tellFindings(d.db, c.Logger)
	d.keys = &node.Keys{Ring: ring, Store: d.db, Now: c.Now}
	if d.standing, err = d.keys.Open(ctx); err != nil {
		return nil, err
	}
	if err := d.recordIdentity(ctx); err != nil {
		return nil, err
	}
	if err := d.recordBundle(ctx, c.Settings.Bundle); err != nil {
		return nil, err
	}
	if err := d.openNode(ctx); err != nil {
		return nil, err
	}
	return d, d.openObserver()
}

// recordIdentity notes the identity in the audit log when it is not there yet: "init" and "observe" may have made it
// before there was a log. A key that came by rotation is told by that record.
func (d *Daemon) recordIdentity(ctx context.Context) error {
	id := d.standing.Identity
	if len(d.standing.Rotations) > 0 {
		return nil
	}
	known, err := d.db.AuditRecords(ctx, store.AuditFilter{Types: []protocol.AuditEventType{protocol.AuditIdentityCreated}, Peer: id.NodeID(), Limit: 1})
	if err != nil || len(known) > 0 {
		return err
	}
	first, err := d.db.AuditRecords(ctx, store.AuditFilter{Limit: 1})
	if err != nil || len(first) > 0 && first[0].Sequence > 1 { // retention has removed it
		return err
	}
	_, err = d.db.AuditLog().Append(ctx, audit.Event{Type: protocol.AuditIdentityCreated, Peer: id.NodeID(), Success: true,
		Details: map[string]string{"fingerprint": string(id.Fingerprint())}})
	return err
}

func (d *Daemon) openNode(ctx context.Context) error {
	s := d.c.Settings
	n, err := node.New(ctx, node.Config{Identity: d.standing.Identity, NextDigest: d.standing.NextDigest, Rotations: d.standing.Wires(),
		Started: d.started, DisplayName: s.Node.Name, Version: d.c.Version,
		Listen: s.Network.Listen, StaticPeers: s.Network.StaticPeers, AllowPublic: s.Network.AllowPublic, MDNS: s.Network.MDNS,
		Policy: d.rules.current(), Degraded: d.degraded, CaughtUp: d.caughtUp, Store: d.db, Now: d.c.Now, Logger: d.c.Logger})
	if err == nil {
		d.running.Store(n)
	}
	return err
}

// degraded reports whether commands cannot be stored or nothing can be written down. Other reasons to look at a node,
// such as a pause, are its owner's own affair.
func (d *Daemon) degraded() bool {
	return d.observer.Status().Error != "" || d.db.WriteFailure() != nil || d.db.Damage() != nil
}

// caughtUp waits for the observer, which is opened after the mesh node and before it runs.
func (d *Daemon) caughtUp(ctx context.Context) error { return d.observer.CatchUp(ctx) }

func (d *Daemon) openObserver() (err error) {
	o := observer.Config{SpoolDir: d.c.Paths.Spool, Sink: telling{d.db, d.mesh}, Logger: d.c.Logger, Now: d.c.Now, Ignore: d.c.Settings.Observer.Ignore,
		Started: func() { close(d.observing) }}
	if d.c.Settings.Observer.Redact {
		o.Redact = redact.Redact
	}
	d.observer, err = observer.New(o)
	return err
}

// telling passes events on to the store, and tells the node about old ones, whose periods may have to be summarized.
type telling struct {
	*store.Store
	mesh func() *node.Node
}

// AppendFromSpool stores events, then tells the node.
func (t telling) AppendFromSpool(ctx context.Context, file string, offset int64, events []event.Event) error {
	if err := t.Store.AppendFromSpool(ctx, file, offset, events); err != nil {
		return err
	}
	t.tell(events)
	return nil
}

func (t telling) tell(events []event.Event) {
	if len(events) == 0 {
		return
	}
	oldest := events[0].Timestamp
	for _, e := range events {
		if e.Timestamp.Before(oldest) {
			oldest = e.Timestamp
		}
	}
	t.mesh().EventsStored(oldest)
}

// Run works until ctx ends, and returns when everything has ended. started is called once the node serves.
func (d *Daemon) Run(ctx context.Context, started func(Ready)) error {
	// The API ends first, so that nobody asks a part that has ended; then observer and node; then the store.
	inner, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	g, gctx := errgroup.WithContext(inner)
	serving, stopServing := context.WithCancel(gctx)
	defer stopServing()
	defer context.AfterFunc(ctx, stopServing)()
	g.Go(func() error { return d.observer.Run(gctx) })
	g.Go(func() error {
		defer close(d.stopped)
		return d.runMesh(gctx)
	})
	g.Go(func() error {
		defer stop()
		return d.server.Run(serving, &backend{d: d})
	})
	g.Go(func() error { return trimMemory(gctx) })
	g.Go(func() error { return retain(gctx, d.db, d.signer, d.c.Settings.Storage, d.c.Now, d.c.Logger) })
	g.Go(func() error { return endPauses(gctx, d.c.Paths.Paused, d.c.Logger) })
	g.Go(func() error { return d.announce(gctx, started) })
	g.Go(func() error { return d.reloadWhenAsked(gctx) })
	err := g.Wait()
	d.ready.Store(false)
	err = errors.Join(err, d.close())
	if err != nil {
		return fmt.Errorf("the node stopped: %w", err)
	}
	d.c.Logger.Info("node stopped")
	return nil
}

// announce tells that the node runs, once that is true: it records and answers.
func (d *Daemon) announce(ctx context.Context, started func(Ready)) error {
	select {
	case <-d.observing:
	case <-ctx.Done():
		return nil
	}
	endpoints := d.server.Endpoints()
	self := client.New(endpoints.Socket)
	defer self.Close()
	if _, err := self.Identity(ctx); err != nil {
		if ctx.Err() != nil || errors.Is(err, client.ErrNotRunning) { // another part has ended, and tells why
			return nil
		}
		return fmt.Errorf("the local API does not answer: %w", err)
	}
	d.ready.Store(true)
	d.c.Logger.Info("node started", "fingerprint", d.standing.Identity.Fingerprint(), "version", d.c.Version, "mesh", d.mesh().Addresses(),
		"api", endpoints.Listen, "socket", endpoints.Socket, "data", d.c.Paths.Data)
	started(Ready{Fingerprint: d.standing.Identity.Fingerprint(), NewIdentity: d.created, KeyPath: d.c.Paths.Key, APIAddr: endpoints.Listen})
	return nil
}

// close releases what was opened and has not ended by itself.
func (d *Daemon) close() error {
	var errs []error
	if n := d.mesh(); n != nil {
		errs = append(errs, n.Close())
	}
	if d.server != nil {
		errs = append(errs, d.server.Close())
	}
	if d.db != nil {
		errs = append(errs, d.db.Close())
	}
	return errors.Join(errs...)
}
