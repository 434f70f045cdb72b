package daemon

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	v1 "github.com/caro-mesh/caro-node/api/v1"
	"github.com/caro-mesh/caro-node/policy/audit"
	"github.com/caro-mesh/caro-node/policy/bundle"
	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/store"
)

// expiryCheck is how late the expiry of a bundle may count.
const expiryCheck = time.Minute

// Changes of the bundle, as the audit log names them.
const (
	bundleImported  = "bundle_imported"
	bundleForgotten = "bundle_forgotten"
	bundlePrefix    = "bundle_"
)

// recordBundle notes in the audit log that another bundle is in force than the log knows of, also when it came while the
// node did not run.
func (d *Daemon) recordBundle(ctx context.Context, b *bundle.Bundle) error {
	details := map[string]string{"change": bundleForgotten}
	if b != nil {
		details = map[string]string{"change": bundleImported, "name": b.Name, "version": strconv.FormatUint(b.Version, 10), "fingerprint": string(b.Fingerprint())}
		if b.Expired(d.c.Now()) {
			d.c.Logger.Warn(expired(bundleShape(b), d.c.Now()))
		}
	}
	list, err := d.db.AuditRecords(ctx, store.AuditFilter{Types: []protocol.AuditEventType{protocol.AuditTrustChanged}, NewestFirst: true, Limit: store.MaxAuditRecords})
	if err != nil {
		return err
	}
	last := map[string]string{"change": bundleForgotten}
	for _, r := range list {
		if strings.HasPrefix(r.Details["change"], bundlePrefix) {
			last = r.Details
			break
		}
	}
	if last["change"] == details["change"] && last["version"] == details["version"] && last["fingerprint"] == details["fingerprint"] {
		return nil
	}
	if _, err := d.db.AuditLog().Append(ctx, audit.Event{Type: protocol.AuditTrustChanged, Success: true, Details: details}); err != nil {
		return fmt.Errorf("record the change of the bundle: %w", err)
	}
	d.c.Logger.Info("the bundle of an organisation has changed", "change", details["change"], "name", details["name"], "version", details["version"],
		"fingerprint", details["fingerprint"])
	return nil
}

// expireBundle puts the policy into force that is left of a bundle whose time is over.
func (d *Daemon) expireBundle(ctx context.Context) {
	done, err := d.use()
	if err != nil {
		return // the node is changing its key; the next check comes soon
	}
	defer done()
	d.rules.reloading.Lock()
	defer d.rules.reloading.Unlock()
	settings, at := d.rules.inForce()
	if now := d.c.Now(); settings.Bundle == nil || !settings.Bundle.Expired(now) || settings.Bundle.Expired(at) {
		return
	}
	settings.Renew(d.c.Now())
	if _, err := d.mesh().SetPolicy(context.WithoutCancel(ctx), settings.Policy); err != nil {
		d.c.Logger.Error("the bundle has expired, and what it gave could not be taken back; trying again", "error", err)
		return
	}
	d.rules.loaded(settings, d.c.Now())
	d.c.Logger.Warn(expired(bundleShape(settings.Bundle), d.c.Now()))
}

func bundleShape(b *bundle.Bundle) *v1.PolicyBundle {
	if b == nil {
		return nil
	}
	return &v1.PolicyBundle{Name: b.Name, Version: b.Version, Fingerprint: string(b.Fingerprint()), Issued: b.Issued, Expires: b.Expires}
}

// expired words a bundle that gives nothing any more; empty for one that does.
func expired(b *v1.PolicyBundle, now time.Time) string {
	if b == nil || now.Before(b.Expires) {
		return ""
	}
	return fmt.Sprintf("the bundle %s v%d expired on %s: it gives nobody anything any more, and what it caps stays; import a newer one or take it back (caro-node policy forget-bundle)",
		b.Name, b.Version, b.Expires.UTC().Format(time.DateOnly))
}
