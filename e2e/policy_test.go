package e2e

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	v1 "github.com/caro-mesh/caro-node/api/v1"
	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/scripts/nodeproc"
)

// about counts the node's audit records of a type that are about a peer.
func about(n, peer *node, et protocol.AuditEventType) (count int) {
	for _, r := range auditOf(n, et) {
		if string(r.Peer) == peer.ID {
			count++
		}
	}
	return count
}

func (n *node) hangUp() {
	n.t.Helper()
	if err := syscall.Kill(n.PID(), syscall.SIGHUP); err != nil {
		n.t.Fatal(err)
	}
}

func TestAPolicyIsReloadedWithoutDroppingAConnectionThatStaysAllowed(t *testing.T) {
	anna, bob, carol := newNode(t, "anna"), newNode(t, "bob"), newNode(t, "carol")
	introduce("peer", anna, bob, carol)
	anna.observe("git status")
	for _, n := range []*node{anna, bob, carol} {
		n.start()
	}
	for _, n := range []*node{anna, bob, carol} {
		n.awaitPeers(2)
	}
	anna.awaitEvents(1)
	askAnna := func() protocol.ResponseStatus {
		var r v1.QueryResult
		bob.caroJSON(&r, "query", "safety_posture", "--since", "3d")
		for _, o := range r.Coverage.Nodes {
			if string(o.Fingerprint) == anna.Fingerprint && o.Outcome == v1.OutcomeDenied {
				return protocol.StatusAccessDenied
			}
			if string(o.Fingerprint) == anna.Fingerprint && o.Outcome == v1.OutcomeAnswered {
				return protocol.StatusSuccess
			}
		}
		t.Fatalf("anna neither answered nor denied: %+v", r.Coverage)
		return ""
	}
	if got := askAnna(); got != protocol.StatusSuccess {
		t.Fatalf("before: %s", got)
	}
	connects := about(anna, bob, protocol.AuditPeerConnected)
	loaded := func() (at string) {
		s, err := anna.Client().Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return s.Policy.LoadedAt.String()
	}
	grants := []nodeproc.Grant{{To: bob.Node, Trust: "peer"}, {To: carol.Node, Trust: "peer"}}
	deny := "[policy]\nquery_types = [\"tool_usage\"]\n\n[[policy.nodes]]\nid = \"" + carol.ID + "\"\ndeny = true\n"

	t.Run("who stays allowed keeps the connection, who is denied is cut off", func(t *testing.T) {
		first := loaded()
		anna.configure(deny, grants...)
		anna.hangUp()
		anna.await("one peer under the new policy", func(s v1.Status) bool { return s.Policy.LoadedAt.String() != first && s.Peers.Connected == 1 })
		eventually(t, func() string {
			if about(anna, carol, protocol.AuditPeerDisconnected) == 0 {
				return "carol's end is not on record"
			}
			return ""
		})
		for _, r := range auditOf(anna, protocol.AuditPeerDisconnected) {
			if string(r.Peer) == carol.ID && !strings.Contains(r.Details["goodbye"], "denies you by name") {
				t.Errorf("carol was cut off without the reason: %+v", r.Details)
			}
		}
		if got := askAnna(); got != protocol.StatusAccessDenied {
			t.Errorf("a type of query that is not answered any more: %s", got)
		}
	})

	t.Run("a broken file changes nothing and says why", func(t *testing.T) {
		before := loaded()
		for _, broken := range []struct{ text, want string }{
			{"[policy]\nmax_levl = \"raw\"\n", "unknown key"},
			{"[[policy.tests]]\npeer = \"" + bob.ID + "\"\nrequest = \"connect\"\nexpect = \"deny\"\n", "[[policy.tests]] number 1 fails"},
		} {
			anna.configure(broken.text, grants...)
			anna.hangUp()
			anna.await("the reason in the status", func(s v1.Status) bool {
				return strings.Contains(s.Policy.Error, broken.want) && s.Health == v1.HealthDegraded && strings.Contains(strings.Join(s.HealthReasons, ""), broken.want)
			})
			_, err := anna.Run(t.Context(), "policy", "reload")
			var exit *nodeproc.ExitError
			if !errors.As(err, &exit) || exit.Code != 1 || !strings.Contains(exit.Stderr, broken.want) || !strings.Contains(exit.Stderr, "stays in force") {
				t.Errorf("policy reload says %v", err)
			}
			if !strings.Contains(anna.Log(), broken.want) {
				t.Error("the log does not say why")
			}
		}
		if err := os.Remove(filepath.Join(anna.Home, "config.toml")); err != nil {
			t.Fatal(err)
		}
		if _, err := anna.Run(t.Context(), "policy", "reload"); err == nil || !strings.Contains(err.Error(), "is gone") {
			t.Errorf("without a file: %v", err)
		}
		if loaded() != before || askAnna() != protocol.StatusAccessDenied {
			t.Error("the policy is another one")
		}
	})

	t.Run("a good file is taken again", func(t *testing.T) {
		anna.configure("", grants...)
		var r v1.PolicyReload
		anna.caroJSON(&r, "policy", "reload")
		if r.Source != "config.toml" || r.Kept < 1 || len(r.Cut) > 0 || len(r.NeedRestart) > 0 {
			t.Errorf("%+v", r)
		}
		anna.await("carol again, and a good status", func(s v1.Status) bool {
			return s.Peers.Connected == 2 && s.Health == v1.HealthOK && s.Policy.Error == ""
		})
		if got := askAnna(); got != protocol.StatusSuccess {
			t.Errorf("bob's question: %s", got)
		}
	})

	if about(anna, bob, protocol.AuditPeerDisconnected) > 0 || about(bob, anna, protocol.AuditPeerDisconnected) > 0 || about(anna, bob, protocol.AuditPeerConnected) != connects {
		t.Error("the connection between anna and bob was dropped")
	}
}

func TestAPolicyIsTriedOutBeforeItCounts(t *testing.T) {
	anna, bob := newNode(t, "anna"), newNode(t, "bob")
	introduce("peer", anna, bob)
	anna.observe("git status", "git commit -m canary-word", "docker ps")
	anna.start()
	bob.start()
	anna.awaitPeers(1)
	bob.awaitPeers(1)
	anna.awaitEvents(3)
	var r v1.QueryResult
	for range 3 {
		bob.caroJSON(&r, "query", "tool_usage", "--since", "3d")
	}
	usage, ok := r.Data.(*v1.ToolUsage)
	if !ok {
		t.Fatalf("got %+v", r)
	}
	file := func(text string) string {
		path := filepath.Join(t.TempDir(), "proposed.toml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	trusting := func(trust, more string) string {
		return "[policy]\n" + more + "\n[[policy.nodes]]\nid = \"" + bob.ID + "\"\nname = \"bob\"\ntrust = \"" + trust + "\"\n"
	}

	t.Run("diff tells who gains and who loses what", func(t *testing.T) {
		var d v1.PolicyDiff
		anna.caroJSON(&d, "policy", "diff", file(trusting("share_to", "")))
		if len(d.Changes) != 1+len(protocol.QueryTypes()) { // it is no witness any more, either
			t.Errorf("%+v", d.Changes)
		}
		for _, c := range d.Changes {
			if c.Gains || string(c.NodeID) != bob.ID || c.Right != "witness" && !strings.HasPrefix(c.Right, "query:") || c.RuleAfter.Line != 3 || c.RuleAfter.Source != "proposed.toml" {
				t.Errorf("%+v", c)
			}
		}
		out := anna.caro("policy", "diff", file(trusting("peer", "default_trust = \"peer\"")))
		if !strings.Contains(out, "+  any other node") || strings.Contains(out, "bob") {
			t.Errorf("printed:\n%s", out)
		}
		if out := anna.caro("policy", "diff", filepath.Join(anna.Home, "config.toml")); out != "" {
			t.Errorf("the policy in force differs from itself:\n%s", out)
		}
	})

	t.Run("replay puts recorded queries to it", func(t *testing.T) {
		var p v1.PolicyReplay
		anna.caroJSON(&p, "policy", "replay", "--days", "1", file(trusting("peer", "max_history_days = 2")))
		if p.Queries != 3 || p.Same != 0 || len(p.Changes) != 1 {
			t.Fatalf("%+v", p)
		}
		if c := p.Changes[0]; c.Count != 3 || c.Name != "bob" || c.Was != "summarized" || c.Would != "denied" || c.RuleWould.Name != "max_history_days" || c.RuleWould.Line != 2 {
			t.Errorf("%+v", c)
		}
		if out := anna.caro("policy", "replay", file(trusting("peer", "max_history_days = 2"))); !strings.Contains(out, "max_history_days") || !strings.Contains(out, "denied") {
			t.Errorf("printed:\n%s", out)
		}
		anna.caroJSON(&p, "policy", "replay", file(trusting("query_from", "")))
		if p.Queries != 3 || p.Same != 3 || len(p.Changes) != 0 {
			t.Errorf("%+v", p)
		}
	})

	t.Run("preview shows the bytes that leave", func(t *testing.T) {
		var p v1.PolicyPreview
		anna.caroJSON(&p, "policy", "preview", "bob", "--since", "3d")
		if string(p.NodeID) != bob.ID || p.Address != "127.0.0.1" || !p.Connect.Allowed || !p.Push.Allowed || len(p.Answers) != len(protocol.QueryTypes()) {
			t.Fatalf("%+v", p)
		}
		shown, err := protocol.OpenResponse(p.Answers[0].Wire)
		if err != nil || shown.Data.ToolUsage.TotalCommands != usage.TotalCommands || string(shown.Responder) != anna.ID {
			t.Errorf("bob got %+v, the preview shows %+v (%v)", usage, shown, err)
		}
		out := anna.caro("policy", "preview", bob.ID)
		if !strings.Contains(out, "query tool_usage: allowed by node bob (config.toml:") || !strings.Contains(out, `"docker"`) {
			t.Errorf("printed:\n%s", out)
		}
		if strings.Contains(out, "canary") {
			t.Errorf("a command would leave:\n%s", out)
		}
	})

	t.Run("a faulty file is refused with its line", func(t *testing.T) {
		for _, command := range []string{"diff", "replay"} {
			_, err := anna.Run(t.Context(), "policy", command, file("[policy]\nmax_levl = \"raw\"\n"))
			var exit *nodeproc.ExitError
			if !errors.As(err, &exit) || exit.Code != 2 || !strings.Contains(exit.Stderr, "proposed.toml:2: unknown key") {
				t.Errorf("%s: %v", command, err)
			}
		}
	})
	anna.await("the policy that it started with", func(s v1.Status) bool { return s.Policy.LoadedAt.Equal(s.StartedAt) })
}
