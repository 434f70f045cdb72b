package daemon

import (
	"bytes"
	"crypto/ed25519"
	"fmt"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caro-mesh/caro-node/cmd/caro-node/config"
	"github.com/caro-mesh/caro-node/policy"
	"github.com/caro-mesh/caro-node/policy/bundle"
	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/store"
)

// accept makes an organisation's bundle the accepted one of c's home, and puts it into c's settings.
func accept(t *testing.T, c *Config, version int, expires time.Time) {
	t.Helper()
	document := fmt.Sprintf("name = \"ACME\"\nversion = %d\nissued = 2020-01-01T00:00:00Z\nexpires = %s\nmin_contributors = 8\n[[subnets]]\ncidr = \"10.0.0.0/8\"\ntrust = \"peer\"\n",
		version, expires.UTC().Format(time.RFC3339))
	file, err := bundle.Sign([]byte(document), ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, ed25519.SeedSize)))
	if err != nil {
		t.Fatal(err)
	}
	b, err := bundle.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := config.AcceptBundle(c.Paths, b, file); err != nil {
		t.Fatal(err)
	}
	if err := c.Settings.UseBundle(c.Paths, c.Now()); err != nil {
		t.Fatal(err)
	}
}

// bundleChanges returns what the audit log tells of bundles, the oldest first.
func (r *running) bundleChanges() (out []string) {
	r.t.Helper()
	list, err := r.daemon.db.AuditRecords(r.t.Context(), store.AuditFilter{Types: []protocol.AuditEventType{protocol.AuditTrustChanged}})
	if err != nil {
		r.t.Fatal(err)
	}
	for _, rec := range list {
		if strings.HasPrefix(rec.Details["change"], bundlePrefix) {
			out = append(out, rec.Details["change"]+" "+rec.Details["version"])
		}
	}
	return out
}

func TestABundleGivesUntilItExpiresAndCapsOn(t *testing.T) {
	var ahead atomic.Int64
	r := launchWith(t, "alice", func(c *Config) {
		c.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
		accept(t, c, 1, time.Now().Add(time.Hour))
	})
	member := policy.Request{Peer: r.self.NodeID, Addr: netip.MustParseAddr("10.1.1.1"), Action: policy.ActionConnect, Now: time.Now()}
	decide := func() policy.Decision { return r.daemon.mesh().Gate().Engine().Decide(member) }
	r.daemon.expireBundle(t.Context())
	if d := decide(); !d.Allowed || d.MinContributors != 8 {
		t.Fatalf("before it expires: %+v", d)
	}
	if s, err := r.client.Status(t.Context()); err != nil || s.Policy.Bundle == nil || s.Policy.Bundle.Version != 1 || len(s.HealthReasons) > 0 {
		t.Errorf("before it expires, the status is %+v, %v", s, err)
	}
	ahead.Store(int64(2 * time.Hour))
	r.daemon.expireBundle(t.Context())
	if d := decide(); d.Allowed || d.MinContributors != 8 {
		t.Errorf("after it expired: %+v", d)
	}
	s, err := r.client.Status(t.Context())
	if err != nil || !strings.Contains(strings.Join(s.HealthReasons, "\n"), "the bundle ACME v1 expired on") {
		t.Errorf("after it expired, the status is %+v, %v", s.HealthReasons, err)
	}
	_, at := r.daemon.rules.inForce()
	r.daemon.expireBundle(t.Context())
	if _, again := r.daemon.rules.inForce(); !again.Equal(at) {
		t.Error("it expired twice")
	}
}

func TestABundleThatCameBeforeTheStartIsInTheAuditLogOnce(t *testing.T) {
	var c Config
	first := launchWith(t, "bob", func(own *Config) {
		accept(t, own, 2, time.Now().Add(time.Hour))
		c = *own
	})
	if got := first.bundleChanges(); len(got) != 1 || got[0] != "bundle_imported 2" {
		t.Errorf("after the first start: %q", got)
	}
	home := c.Paths
	first.end()
	again := launchWith(t, "bob", func(own *Config) {
		own.Paths = home
		if err := own.Settings.UseBundle(home, time.Now()); err != nil {
			t.Fatal(err)
		}
	})
	if got := again.bundleChanges(); len(got) != 1 {
		t.Errorf("after the second start: %q", got)
	}
	again.end()
	if _, err := config.ForgetBundle(home); err != nil {
		t.Fatal(err)
	}
	last := launchWith(t, "bob", func(own *Config) { own.Paths = home })
	if got := last.bundleChanges(); len(got) != 2 || got[1] != "bundle_forgotten " {
		t.Errorf("after it was taken back: %q", got)
	}
}
