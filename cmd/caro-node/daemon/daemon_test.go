package daemon

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/caro-mesh/caro-node/api/client"
	v1 "github.com/caro-mesh/caro-node/api/v1"
	"github.com/caro-mesh/caro-node/cmd/caro-node/config"
	"github.com/caro-mesh/caro-node/protocol"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// running is a daemon in this process.
type running struct {
	t      *testing.T
	name   string
	client *client.Client
	stop   context.CancelFunc
	ended  chan error
	self   v1.Identity
	daemon *Daemon
}

// launch runs a daemon with a home and ports of its own, and returns once it serves.
func launch(t *testing.T, name string) *running {
	t.Helper()
	return launchWith(t, name, func(*Config) {})
}

// launchWith is launch with changes to what the daemon is started with.
func launchWith(t *testing.T, name string, change func(*Config)) *running {
	t.Helper()
	dir, err := os.MkdirTemp("", "caro-") // not t.TempDir: the path of a unix socket must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	home := filepath.Join(dir, name)
	paths, err := config.FindPaths(func(k string) string {
		if k == "CARO_HOME" {
			return home
		}
		return ""
	})
	if err != nil {
		t.Fatal(err)
	}
	s := config.Default()
	s.Node.Name, s.API.Listen, s.Network.Listen = name, "127.0.0.1:0", []string{"/ip4/127.0.0.1/tcp/0"}
	c := Config{Settings: s, Paths: paths, Version: "test", Now: time.Now, Logger: quiet}
	change(&c)
	d, err := Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{t: t, name: name, daemon: d, client: client.New(c.Paths.Socket), stop: cancel, ended: make(chan error, 1)}
	started := make(chan struct{})
	go func() { r.ended <- d.Run(ctx, func(Ready) { close(started) }) }()
	t.Cleanup(r.end)
	select {
	case <-started:
	case err := <-r.ended:
		r.ended <- nil
		t.Fatalf("%s ended before it served: %v", name, err)
	case <-time.After(patience):
		t.Fatalf("%s does not serve", name)
	}
	if r.self, err = r.client.Identity(t.Context()); err != nil {
		t.Fatal(err)
	}
	return r
}

const patience = 30 * time.Second

// end stops the daemon, waits until everything of it has ended, and can be called again.
func (r *running) end() {
	r.stop()
	select {
	case err := <-r.ended:
		if err != nil {
			r.t.Errorf("%s: %v", r.name, err)
		}
		r.ended <- nil
	case <-time.After(patience):
		r.t.Errorf("%s did not stop", r.name)
	}
	r.client.Close()
}

func (r *running) trust(to *running, level string) error {
	_, err := r.client.SetTrust(context.Background(), v1.TrustChange{NodeID: string(to.self.NodeID), Trust: level, Name: to.name})
	return err
}

func (r *running) becomes(what string, ok func(v1.Status) bool) {
	r.t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		s, err := r.client.Status(r.t.Context())
		if err == nil && ok(s) {
			return
		}
		select {
		case <-tick.C:
		case <-deadline.C:
			r.t.Fatalf("%s: no %s: %+v, %v", r.name, what, s, err)
		}
	}
}

// TestTwoDaemonsMeetChangeTheirMindsAndEndWhileTheyAreAsked holds the whole assembly to what the race detector and the
// search for leaked goroutines see: connecting, trust that several programs change at the same time, and a shutdown
// during which others go on asking.
func TestTwoDaemonsMeetChangeTheirMindsAndEndWhileTheyAreAsked(t *testing.T) {
	anna, bob := launch(t, "anna"), launch(t, "bob")
	if err := errors.Join(anna.trust(bob, "peer"), bob.trust(anna, "peer")); err != nil {
		t.Fatal(err)
	}
	if len(bob.self.Addresses) == 0 {
		t.Fatalf("bob cannot be reached: %+v", bob.self)
	}
	if _, err := anna.client.AddPeer(t.Context(), bob.self.Addresses[0]); err != nil {
		t.Fatal(err)
	}
	connected := func(s v1.Status) bool { return s.Peers.Connected == 1 }
	anna.becomes("connection", connected)
	bob.becomes("connection", connected)

	// Several programs change what anna thinks of bob, while bob does the same and both are looked at.
	levels := []string{"peer", "share_to", "deny", "query_from", "clear", "supervisor", "untrusted"}
	var changes sync.WaitGroup
	for i := range 4 {
		for _, pair := range [][2]*running{{anna, bob}, {bob, anna}} {
			changes.Go(func() {
				for k := range len(levels) {
					level := levels[(i+k)%len(levels)]
					err := pair[0].trust(pair[1], level)
					var refused *client.Error // what is not set cannot be taken back
					if err != nil && (level != "clear" || !errors.As(err, &refused)) {
						t.Errorf("%s says %s of %s: %v", pair[0].name, level, pair[1].name, err)
					}
					if _, err := pair[0].client.Status(context.Background()); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
	changes.Wait()
	if err := errors.Join(anna.trust(bob, "peer"), bob.trust(anna, "peer")); err != nil {
		t.Fatal(err)
	}
	// What was said last counts, whatever was said at the same time before.
	for _, r := range []*running{anna, bob} {
		page, err := r.client.Trust(t.Context())
		if err != nil || len(page.Grants) != 1 || page.Grants[0].Trust.String() != "peer" || page.Grants[0].Deny {
			t.Errorf("%s: %+v, %v", r.name, page, err)
		}
	}
	anna.becomes("new connection", connected)
	bob.becomes("new connection", connected)

	// Anna ends while programs go on asking: each is answered, or told that she does not run.
	asking, enough := context.WithCancel(t.Context())
	var askers sync.WaitGroup
	asked := make(chan struct{}, 4)
	for range cap(asked) {
		askers.Go(func() {
			c := client.New(anna.socket())
			defer c.Close()
			for first := true; asking.Err() == nil; first = false {
				s, err := c.Status(asking)
				if err == nil && s.NodeID != anna.self.NodeID {
					t.Errorf("somebody else answered: %+v", s)
				}
				if err == nil {
					_, err = c.Query(asking, v1.QueryRequest{QueryType: "tool_usage"})
				}
				var refused *client.Error
				if errors.As(err, &refused) && refused.Status >= 500 && refused.Status != 503 && refused.Status != 504 {
					t.Errorf("the node broke while it was ending: %v", err)
				}
				if first {
					asked <- struct{}{}
				}
			}
		})
	}
	for range cap(asked) {
		<-asked
	}
	anna.end()
	enough()
	askers.Wait()
	if _, err := anna.client.Status(t.Context()); !errors.Is(err, client.ErrNotRunning) {
		t.Errorf("anna still answers: %v", err)
	}
	bob.becomes("loss of anna", func(s v1.Status) bool { return s.Peers.Connected == 0 })
	bob.end()
}

// socket is where the daemon listens for programs of this machine.
func (r *running) socket() string {
	s, err := r.client.Status(context.Background())
	if err != nil {
		r.t.Error(fmt.Errorf("%s: %w", r.name, err))
	}
	return s.API.Socket
}

func TestAPeerIsListedWithWhatItSaysOfItself(t *testing.T) {
	anna, bob := launch(t, "anna"), launch(t, "bob")
	if err := errors.Join(anna.trust(bob, "peer"), bob.trust(anna, "peer")); err != nil {
		t.Fatal(err)
	}
	if _, err := anna.client.AddPeer(t.Context(), bob.self.Addresses[0]); err != nil {
		t.Fatal(err)
	}
	anna.becomes("word of bob", func(v1.Status) bool {
		page, err := anna.client.Peers(t.Context())
		if err != nil || len(page.Peers) != 1 {
			t.Fatalf("%+v, %v", page, err)
		}
		p := page.Peers[0]
		return p.Online && p.Health == protocol.HealthOK && p.UptimeSeconds != nil && p.CaroVersion != "" && p.EventCount24h == nil
	})
}
