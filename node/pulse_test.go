package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caro-mesh/caro-node/internal/meshtest"
	"github.com/caro-mesh/caro-node/node/identity"
	"github.com/caro-mesh/caro-node/policy"
	"github.com/caro-mesh/caro-node/policy/audit"
	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/protocol/health"
	"github.com/caro-mesh/caro-node/store"
)

// pulse returns the bench's pulse and what it says, in order.
func (b *bench) pulse() (*pulse, *[]health.Status) {
	var said []health.Status
	return &pulse{gate: b.gate, counts: b.reads, log: b.db.AuditLog(), now: b.clock, started: noon.Add(-90 * time.Minute), version: "1.2.3",
		publish: func(_ context.Context, s health.Status) error { said = append(said, s); return nil }, logger: slog.New(slog.DiscardHandler)}, &said
}

func TestANodeSaysItsVersionItsUptimeAndWhetherItIsWell(t *testing.T) {
	b := newBench(t, policy.Document{})
	b.reads = nil // reading would panic
	p, said := b.pulse()
	p.beat(t.Context())
	sick := true
	p.degraded, p.version = func() bool { return sick }, strings.Repeat("ß", protocol.MaxVersionText)
	p.beat(t.Context())
	want := health.Status{CaroVersion: "1.2.3", Uptime: 90 * time.Minute, State: protocol.HealthOK}
	if s := *said; len(s) != 2 || s[0] != want || s[1].State != protocol.HealthDegraded || len(s[1].CaroVersion) != protocol.MaxVersionText {
		t.Errorf("said %+v", s)
	}
}

func TestTheEventCountIsNotToldUnlessThePolicyLetsIt(t *testing.T) {
	for _, doc := range []policy.Document{{}, {ShareEventCount: true, MaxLevel: "aggregated"}, {ShareEventCount: true, MaxLevel: "raw"}} {
		b := newBench(t, doc)
		b.reads = nil // reading would panic
		p, said := b.pulse()
		p.beat(t.Context())
		if n := (*said)[0].EventCount24h; n != nil || len(b.records(protocol.AuditSummaryShared)) != 0 {
			t.Errorf("%+v: told %d", doc, *n)
		}
	}
}

func TestTheEventCountIsOfEndedHoursWithoutDeniedCategoriesAndOnRecordOnceAnHourBeforeItLeaves(t *testing.T) {
	b := newBench(t, policy.Document{ShareEventCount: true, DeniedCategories: []string{"docker"}})
	b.typed(2, protocol.CategoryGit, protocol.RiskSafe, noon.Add(-2*time.Hour))
	b.typed(3, protocol.CategoryGit, protocol.RiskSafe, noon.Add(-23*time.Hour))
	b.typed(7, protocol.CategoryDocker, protocol.RiskSafe, noon.Add(-2*time.Hour))
	b.typed(11, protocol.CategoryGit, protocol.RiskSafe, noon.Add(-26*time.Hour))
	b.typed(13, protocol.CategoryGit, protocol.RiskSafe, noon) // its hour has not ended
	p, _ := b.pulse()
	at, want := noon, uint64(5)
	p.now = func() time.Time { return at }
	told, onRecord := 0, 1
	p.publish = func(_ context.Context, s health.Status) error {
		if told++; s.EventCount24h == nil || *s.EventCount24h != want {
			t.Errorf("at %s: said %+v, want %d", at, s, want)
		}
		if got := b.records(protocol.AuditSummaryShared); len(got) != onRecord || got[0].Details["rule"] != "share_event_count" || got[0].Details["topic"] != health.ID {
			t.Errorf("at %s: on record %+v, want %d", at, got, onRecord)
		}
		return nil
	}
	p.beat(t.Context())
	b.typed(17, protocol.CategoryGit, protocol.RiskSafe, noon.Add(-2*time.Hour)) // would change the count within the hour
	at = at.Add(29 * time.Minute)
	p.beat(t.Context())
	at, want, onRecord = at.Add(time.Minute), 2+3+17+13, 2 // 13:00
	p.beat(t.Context())
	if told != 3 {
		t.Errorf("told %d times", told)
	}
}

// deafLog is an audit log that cannot be written.
type deafLog struct{}

func (deafLog) Append(context.Context, audit.Event) (audit.Record, error) {
	return audit.Record{}, errors.New("disk full")
}

func TestTheEventCountStaysHereWhileTheAuditLogCannotBeWritten(t *testing.T) {
	b := newBench(t, policy.Document{ShareEventCount: true})
	p, said := b.pulse()
	p.log = deafLog{}
	p.beat(t.Context())
	p.log = b.db.AuditLog()
	p.beat(t.Context())
	if s := *said; len(s) != 2 || s[0].EventCount24h != nil || s[1].EventCount24h == nil {
		t.Errorf("said %+v", s)
	}
}

func TestWhatANodeSaidCountsUntilItIsOldOrItWasSeenLeaving(t *testing.T) {
	heard := health.Heard{At: noon.Add(-10 * time.Second), Status: protocol.NodeHealthStatus{CaroVersion: "2", ProtocolVersion: 3, UptimeSeconds: 50, State: protocol.HealthOK}}
	for name, c := range map[string]struct {
		view   PeerView
		at     time.Duration // since it was heard
		online bool
		seen   time.Time
		uptime time.Duration
	}{
		"connected":                   {PeerView{State: PeerConnected, Online: true, LastSeen: noon}, 10 * time.Second, true, noon, time.Minute},
		"never connected":             {PeerView{State: PeerOffline, Reason: "no way"}, 10 * time.Second, true, heard.At, time.Minute},
		"lost before it was heard":    {PeerView{State: PeerOffline, LastSeen: heard.At.Add(-time.Second)}, 10 * time.Second, true, heard.At, time.Minute},
		"left after it was heard":     {PeerView{State: PeerOffline, LastSeen: heard.At.Add(time.Second)}, 10 * time.Second, false, heard.At.Add(time.Second), 0},
		"two statuses were missed":    {PeerView{State: PeerOffline}, 89 * time.Second, true, heard.At, 139 * time.Second},
		"three statuses were missed":  {PeerView{State: PeerOffline}, 90 * time.Second, false, heard.At, 0},
		"not trusted any more":        {PeerView{State: PeerUntrusted}, 10 * time.Second, false, time.Time{}, 0},
		"waiting for a decision here": {PeerView{State: PeerPending}, 10 * time.Second, false, time.Time{}, 0},
	} {
		v := c.view
		v.hear(heard, heard.At.Add(c.at))
		if v.Online != c.online || !v.LastSeen.Equal(c.seen) || v.Uptime != c.uptime || (v.Health != "") != c.online {
			t.Errorf("%s: %+v", name, v)
		}
		if v.Reason != "" && v.Reason != "no way; it is heard through others" {
			t.Errorf("%s: reason %q", name, v.Reason)
		}
	}
}

// running starts a whole node on loopback that trusts everybody, and stops it with the test.
func running(t *testing.T, change func(*Config)) *Node {
	t.Helper()
	key, err := identity.New(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "caro.db"), store.Options{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	c := Config{Identity: key, NextDigest: key.X25519(), Version: "1.2.3", Listen: []string{"/ip4/127.0.0.1/tcp/0"}, Policy: policy.Document{DefaultTrust: "peer"},
		Store: db, Now: time.Now, Logger: slog.New(slog.DiscardHandler)}
	if change != nil {
		change(&c)
	}
	n, err := New(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := errors.Join(<-done, db.Close()); err != nil {
			t.Error(err)
		}
	})
	return n
}

func (n *Node) id() protocol.NodeID { return n.c.Identity.NodeID() }

func peerOf(t *testing.T, n, of *Node) PeerView {
	t.Helper()
	all, err := n.Peers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range all {
		if v.ID == of.id() {
			return v
		}
	}
	return PeerView{}
}

func join(t *testing.T, a, b *Node) {
	t.Helper()
	if _, err := a.AddPeer(t.Context(), b.Addresses()[0]); err != nil {
		t.Fatal(err)
	}
	meshtest.Eventually(t, func() error {
		if len(a.topic.Neighbours()) == 0 || peerOf(t, a, b).State != PeerConnected || peerOf(t, b, a).State != PeerConnected {
			return fmt.Errorf("%+v and %+v", peerOf(t, a, b), peerOf(t, b, a))
		}
		return nil
	})
}

func TestANodeThatIsNotConnectedIsSeenOnlineThroughAnother(t *testing.T) {
	far := running(t, func(c *Config) { c.Degraded = func() bool { return true } })
	middle := running(t, nil)
	near := running(t, func(c *Config) {
		c.Policy.Nodes = []policy.NodeRule{{ID: string(far.id()), Trust: "share_to", Name: "far"}}
	})
	join(t, near, middle)
	join(t, middle, far)
	meshtest.Eventually(t, func() error {
		if v := peerOf(t, near, far); !v.Online || v.State != PeerOffline || v.CaroVersion != "1.2.3" || v.ProtocolVersion != protocol.Version ||
			v.Health != protocol.HealthDegraded || v.Uptime <= 0 || v.LastSeen.IsZero() || !strings.HasSuffix(v.Reason, "heard through others") {
			return fmt.Errorf("far is %+v", v)
		}
		if v := peerOf(t, near, middle); !v.Online || v.State != PeerConnected || v.Health != protocol.HealthOK || v.Reason != "" {
			return fmt.Errorf("middle is %+v", v)
		}
		return nil
	})
}

func TestTrustThatIsTakenAwayEndsHearingAndBeingHeardAtOnce(t *testing.T) {
	a, b := running(t, nil), running(t, nil)
	join(t, a, b)
	meshtest.Eventually(t, func() error {
		if _, ok := b.topic.Heard(a.id()); !ok {
			return errors.New("nothing was heard")
		}
		return nil
	})
	if !b.neighbour(t.Context(), a.id()) || !b.trusts(a.id()) {
		t.Error("a trusted neighbour is none")
	}
	if err := b.SetTrust(t.Context(), policy.Grant{Node: a.id(), Deny: true}); err != nil {
		t.Fatal(err)
	}
	if b.neighbour(t.Context(), a.id()) || b.trusts(a.id()) {
		t.Error("it may still be heard")
	}
	meshtest.Eventually(t, func() error {
		if v := peerOf(t, b, a); v.Online || v.State != PeerUntrusted || v.Uptime != 0 {
			return fmt.Errorf("it is %+v", v)
		}
		if n := len(b.topic.Neighbours()) + len(a.topic.Neighbours()); n != 0 {
			return fmt.Errorf("%d neighbours", n)
		}
		return nil
	})
}
