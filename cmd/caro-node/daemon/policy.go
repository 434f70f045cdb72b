package daemon

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/caro-mesh/caro-node/api"
	v1 "github.com/caro-mesh/caro-node/api/v1"
	"github.com/caro-mesh/caro-node/cmd/caro-node/config"
	"github.com/caro-mesh/caro-node/policy"
	"github.com/caro-mesh/caro-node/protocol"
)

// rules are the policy document in force and what became of the last attempt to replace it.
type rules struct {
	reloading sync.Mutex // held while another document comes into force

	mu       sync.Mutex
	settings config.Config // with the document
	document policy.Document
	loadedAt time.Time
	failure  error // of the last attempt; nil: it succeeded
	failedAt time.Time
}

func (r *rules) current() policy.Document {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.document
}

func (r *rules) loaded(settings config.Config, at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.settings, r.document, r.loadedAt, r.failure = settings, settings.Policy, at, nil
}

func (r *rules) failed(err error, at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failure, r.failedAt = err, at
}

func (r *rules) state() v1.PolicyState {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := v1.PolicyState{Source: r.document.Source, LoadedAt: r.loadedAt, Tests: len(r.document.Tests)}
	s.Bundle = bundleShape(r.settings.Bundle)
	if r.failure != nil {
		at := r.failedAt
		s.Error, s.FailedAt = r.failure.Error(), &at
	}
	return s
}

// reloadPolicy reads the configuration anew and puts its policy into force. Whatever is wrong with it changes nothing, and
// is told to whoever asked, to the log and to the status.
func (d *Daemon) reloadPolicy(ctx context.Context) (v1.PolicyReload, error) {
	done, err := d.use()
	if err != nil {
		return v1.PolicyReload{}, err
	}
	defer done()
	d.rules.reloading.Lock()
	defer d.rules.reloading.Unlock()
	out, err := d.tryPolicy(context.WithoutCancel(ctx)) // what is begun is finished
	if err != nil {
		d.rules.failed(err, d.c.Now())
		d.c.Logger.Error("the policy was not reloaded; the one before stays in force", "error", err)
		return v1.PolicyReload{}, api.Refuse(api.ErrConflict, "the policy was not reloaded, and the one before stays in force: %w", err)
	}
	return out, nil
}

func (d *Daemon) tryPolicy(ctx context.Context) (v1.PolicyReload, error) {
	if d.c.Reload == nil {
		return v1.PolicyReload{}, errors.New("this node was started without a configuration to read again")
	}
	settings, err := d.c.Reload()
	if err != nil {
		return v1.PolicyReload{}, err
	}
	change, err := d.mesh().SetPolicy(ctx, settings.Policy)
	if err != nil {
		return v1.PolicyReload{}, err
	}
	d.rules.loaded(settings, d.c.Now())
	if err := d.recordBundle(ctx, settings.Bundle); err != nil {
		return v1.PolicyReload{}, err
	}
	out := v1.PolicyReload{Source: settings.Policy.Source, Rules: len(d.mesh().Gate().Engine().Rules()), Tests: len(settings.Policy.Tests),
		Kept: change.Kept, Cut: make([]protocol.Fingerprint, len(change.Cut)), NeedRestart: d.c.Settings.Differences(settings)}
	for i, id := range change.Cut {
		out.Cut[i] = id.Fingerprint()
	}
	for _, section := range out.NeedRestart {
		d.c.Logger.Warn("a part of the configuration changed that counts from the next start on", "section", section)
	}
	return out, nil
}

// reloadWhenAsked reloads the policy for each signal until ctx ends. It returns nil.
func (d *Daemon) reloadWhenAsked(ctx context.Context) error {
	expiry := time.NewTicker(expiryCheck)
	defer expiry.Stop()
	for {
		select {
		case <-expiry.C:
			d.expireBundle(ctx)
		case <-ctx.Done():
			return nil
		case <-d.c.ReloadAsked:
			_, _ = d.reloadPolicy(ctx) // it is in the log and in the status
		}
	}
}

// ReloadPolicy reads the configuration anew.
func (b *backend) ReloadPolicy(ctx context.Context) (v1.PolicyReload, error) {
	return b.d.reloadPolicy(ctx)
}

// stale words a policy that could not be reloaded; empty when the one in force is the one that was read last.
func stale(s v1.PolicyState) string {
	if s.Error == "" {
		return ""
	}
	return fmt.Sprintf("the policy could not be reloaded at %s, and the one of %s is in force: %s",
		s.FailedAt.Local().Format(time.DateTime), s.LoadedAt.Local().Format(time.DateTime), s.Error)
}

// inForce returns the settings that the policy in force came from, and when it was made.
func (r *rules) inForce() (config.Config, time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.settings, r.loadedAt
}
