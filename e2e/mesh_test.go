package e2e

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	v1 "github.com/caro-mesh/caro-node/api/v1"
	"github.com/caro-mesh/caro-node/observer/spool"
	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/scripts/nodeproc"
)

// auditOf returns the audit records of the given types, newest first.
func auditOf(n *node, types ...protocol.AuditEventType) []v1.AuditRecord {
	n.t.Helper()
	args := []string{"audit", "list", "--limit", "1000"}
	for _, t := range types {
		args = append(args, "--type", string(t))
	}
	var page v1.AuditPage
	n.caroJSON(&page, args...)
	return page.Records
}

func TestTwoNodesExchangeSummariesAndAnswerQueries(t *testing.T) {
	anna, bob := newNode(t, "anna"), newNode(t, "bob")
	introduce("peer", anna, bob)
	bob.observe("git status", "git commit -m x", "docker ps", "rm -rf /")
	anna.observe("cargo test")
	anna.start()
	bob.start()
	anna.awaitPeers(1)
	bob.awaitEvents(4)

	t.Run("summaries are pushed, acknowledged and stored as they were signed", func(t *testing.T) {
		var mine, theirs v1.SummaryPage
		eventually(t, func() string {
			bob.caroJSON(&mine, "summary", "list")
			for _, s := range mine.Summaries {
				if s.Own && len(s.PushedTo) == 1 && s.PushedTo[0] == protocol.Fingerprint(anna.Fingerprint) {
					return ""
				}
			}
			return "bob has no summary that anna acknowledged"
		})
		anna.caroJSON(&theirs, "summary", "list")
		checked := 0
		for _, got := range theirs.Summaries {
			for _, want := range mine.Summaries {
				if got.ID != want.ID || got.Own {
					continue
				}
				checked++
				if got.NodeID != protocol.NodeID(bob.ID) || got.TotalCommands != want.TotalCommands || got.Signature == nil ||
					string(got.Signature.Value) != string(want.Signature.Value) {
					t.Errorf("anna stored %+v, bob signed %+v", got, want)
				}
			}
		}
		if checked == 0 {
			t.Error("anna stores none of the summaries that bob pushed")
		}
	})

	t.Run("a query is answered and its coverage adds up", func(t *testing.T) {
		var r v1.QueryResult
		anna.query(&r, "tool_usage", "--since", "3d")
		usage, ok := r.Data.(*v1.ToolUsage)
		if !ok || r.Status != protocol.StatusSuccess {
			t.Fatalf("got %+v", r)
		}
		if usage.TotalCommands != 4 || usage.ByCategory["git"].Count != 2 || usage.ByCategory["docker"].Count != 1 {
			t.Errorf("bob typed 2 git, 1 docker and 1 rm; anna learned %+v", usage)
		}
		if c := r.Coverage; c.Asked != 1 || c.Answered != 1 || len(c.Nodes) != 1 || string(c.Nodes[0].Fingerprint) != bob.Fingerprint {
			t.Errorf("coverage is %+v", c)
		}
		if len(r.Contributors) != 1 || string(r.Contributors[0]) != bob.Fingerprint {
			t.Errorf("contributors are %v", r.Contributors)
		}
	})

	t.Run("safety posture tells shares", func(t *testing.T) {
		var r v1.QueryResult
		anna.query(&r, "safety_posture", "--since", "3d")
		posture, ok := r.Data.(*v1.SafetyPosture)
		if !ok {
			t.Fatalf("got %+v", r)
		}
		if posture.TotalCommands != 4 || posture.RiskDistribution.Critical != 25 || posture.Coverage != 100 {
			t.Errorf("one of bob's four commands is critical; anna learned %+v", posture)
		}
	})

	t.Run("filters narrow the answer", func(t *testing.T) {
		var r v1.QueryResult
		anna.query(&r, "tool_usage", "--since", "3d", "--filter", "category:equals:docker")
		if usage, ok := r.Data.(*v1.ToolUsage); !ok || usage.TotalCommands != 1 {
			t.Errorf("got %+v", r.Data)
		}
	})

	t.Run("the audit log tells what left, and verifies", func(t *testing.T) {
		if got := auditOf(bob, protocol.AuditResponseSent); len(got) < 3 {
			t.Errorf("bob answered three queries and recorded %d responses", len(got))
		}
		received := auditOf(bob, protocol.AuditQueryReceived)
		if len(received) < 3 || !received[0].Success || received[0].Details["rule"] == "" || string(received[0].Peer) != anna.ID {
			t.Errorf("bob recorded the queries as %+v", received)
		}
		for _, n := range []*node{anna, bob} {
			var v v1.AuditVerification
			n.caroJSON(&v, "audit", "verify")
			if !v.OK || v.Entries == 0 {
				t.Errorf("the audit log of %s: %+v", n.Name, v)
			}
		}
	})

	t.Run("a peer that is gone is offline in the coverage", func(t *testing.T) {
		bob.stop()
		eventually(t, func() string {
			var r v1.QueryResult
			anna.query(&r, "tool_usage", "--since", "3d")
			if r.Coverage.Asked == 1 && r.Coverage.Offline == 1 && r.Coverage.Nodes[0].Reason != "" && r.Status == protocol.StatusNoData {
				return ""
			}
			b, _ := json.Marshal(r)
			return "the answer is " + string(b)
		})
	})
}

func TestANodeThatDoesNotTrustTheOtherRefusesItAndBothSaySo(t *testing.T) {
	anna, mallory := newNode(t, "anna"), newNode(t, "mallory")
	mallory.configure("", nodeproc.Grant{To: anna.Node, Trust: "peer"}) // anna does not know mallory
	anna.start()
	mallory.start()

	eventually(t, func() string {
		for _, r := range auditOf(anna, protocol.AuditPolicyViolation) {
			if string(r.Peer) == mallory.ID && !r.Success && r.Details["rule"] == "default_trust" && r.Details["reason"] != "" {
				return ""
			}
		}
		return "anna's audit log has no refusal of mallory"
	})
	eventually(t, func() string {
		for _, r := range auditOf(mallory, protocol.AuditPeerConnected) {
			if string(r.Peer) == anna.ID && !r.Success && r.Details["refused_by"] == "peer" && r.Details["reason"] != "" {
				return ""
			}
		}
		return "mallory's audit log does not say that anna refuses it"
	})
	if !strings.Contains(anna.Log(), "refused a peer") || !strings.Contains(anna.Log(), mallory.Fingerprint) {
		t.Error("anna's log does not say that it refused mallory")
	}
	if !strings.Contains(mallory.Log(), "a peer refuses this node") {
		t.Error("mallory's log does not say that anna refuses it")
	}

	var r v1.QueryResult
	out, err := mallory.Run(t.Context(), "query", "tool_usage", "--json", "--timeout", "10s")
	var exit *nodeproc.ExitError
	if !errors.As(err, &exit) || exit.Code != 4 {
		t.Errorf("a query that is denied exits with %v, want code 4", err)
	}
	if err := json.Unmarshal(out, &r); err != nil {
		t.Fatal(err)
	}
	if r.Coverage.Denied != 1 || r.Coverage.Nodes[0].Reason == "" {
		t.Errorf("coverage is %+v, want anna as denied with her reason", r.Coverage)
	}

	var page v1.PeerPage
	anna.caroJSON(&page, "peers", "list")
	if len(page.Peers) != 1 || page.Peers[0].State != v1.PeerPending || string(page.Peers[0].NodeID) != mallory.ID {
		t.Fatalf("anna sees %+v, want mallory as pending", page.Peers)
	}

	anna.caro("trust", "set", mallory.Fingerprint, "peer", "--name", "mallory")
	mallory.awaitPeers(1)
	if got := auditOf(anna, protocol.AuditTrustChanged); len(got) != 1 || string(got[0].Peer) != mallory.ID {
		t.Errorf("the change of trust is recorded as %+v", got)
	}

	anna.caro("trust", "deny", "mallory")
	mallory.await("the lost connection", func(s v1.Status) bool { return s.Peers.Connected == 0 })
	eventually(t, func() string {
		for _, r := range auditOf(mallory, protocol.AuditPeerDisconnected) {
			if string(r.Peer) == anna.ID && r.Details["goodbye"] == "removed" {
				return ""
			}
		}
		return "mallory's audit log does not say that anna ended the connection on purpose"
	})
	eventually(t, func() string {
		mallory.caroJSON(&page, "peers", "list")
		if p := page.Peers[0]; p.State == v1.PeerRefused && p.StateReason != "" {
			return ""
		}
		return fmt.Sprintf("mallory sees %+v, want that anna refuses it", page.Peers)
	})
}

func TestWhoDialledInIsOfflineInTheCoverageWhenItIsGone(t *testing.T) {
	anna, bob := newNode(t, "anna"), newNode(t, "bob")
	anna.configure("", nodeproc.Grant{To: bob.Node, Trust: "peer"})
	bob.configure(fmt.Sprintf("[[policy.nodes]]\nid = %q\ntrust = \"peer\"\nname = \"my-anna\"\n", anna.ID)) // bob knows no address of anna
	bob.start()
	var r v1.QueryResult
	ask := func() v1.Coverage {
		bob.query(&r, "tool_usage")
		return r.Coverage
	}
	if c := ask(); c.Asked != 1 || c.Offline != 1 || c.Nodes[0].Name != "my-anna" {
		t.Errorf("before anna ever came: %+v", c)
	}
	anna.start()
	bob.awaitPeers(1)
	if c := ask(); c.Asked != 1 || c.Offline != 0 {
		t.Errorf("while anna is there: %+v", c)
	}
	anna.stop()
	bob.await("the lost connection", func(s v1.Status) bool { return s.Peers.Connected == 0 })
	if c := ask(); c.Asked != 1 || c.Offline != 1 || c.Nodes[0].Reason == "" {
		t.Errorf("after anna has gone: %+v", c)
	}
}

func TestASummaryHoldsItsWholePeriodAlsoAfterABacklog(t *testing.T) {
	const commands = 3000 // several of the observer's batches, all in one hour
	n := newNode(t, "anna")
	var b []byte
	start := time.Now().UTC().Truncate(24 * time.Hour).Add(-12 * time.Hour)
	for i := range commands {
		b = append(b, spool.Encode(spool.Record{Start: start.Add(time.Duration(i) * time.Second), Shell: protocol.ShellBash, CWD: "/", Command: fmt.Sprintf("git show %d", i)})...)
	}
	if err := os.WriteFile(filepath.Join(n.Home, "spool", "bash-1-1-1.spool"), b, 0o600); err != nil {
		t.Fatal(err)
	}
	n.start()
	n.awaitEvents(commands)
	eventually(t, func() string { // the hour's summary is made first, and says nothing about the day
		var page v1.SummaryPage
		n.caroJSON(&page, "summary", "list", "--granularity", "daily", "--replaced")
		if len(page.Summaries) == 0 {
			return "no summary was made of the day"
		}
		for _, s := range page.Summaries { // what was corrected would stand here, too
			if s.TotalCommands != commands {
				t.Fatalf("a summary of the day counts %d of %d commands", s.TotalCommands, commands)
			}
		}
		return ""
	})
}

func TestAForgottenPeerStaysForgotten(t *testing.T) {
	anna, bob := newNode(t, "anna"), newNode(t, "bob")
	bob.configure("", nodeproc.Grant{To: anna.Node, Trust: "peer"})
	anna.start()
	bob.start()
	eventually(t, func() string {
		var page v1.PeerPage
		if anna.caroJSON(&page, "peers", "list"); len(page.Peers) == 1 {
			return ""
		}
		return "bob is not pending"
	})
	anna.caro("trust", "set", bob.Fingerprint, "peer")
	anna.awaitPeers(1)
	bob.stop()
	anna.await("the lost connection", func(s v1.Status) bool { return s.Peers.Connected == 0 })
	anna.caro("trust", "clear", bob.ID)
	anna.caro("trust", "clear", bob.ID) // a second time is no error
	anna.caro("peers", "remove", bob.ID)
	var page v1.PeerPage
	if anna.caroJSON(&page, "peers", "list"); len(page.Peers) != 0 {
		t.Errorf("anna still lists %+v", page.Peers)
	}
}

func TestTrustHasOneDirection(t *testing.T) {
	anna, bob := newNode(t, "anna"), newNode(t, "bob")
	anna.configure("", nodeproc.Grant{To: bob.Node, Trust: "share_to"}) // bob gets summaries, and may not ask
	bob.configure("", nodeproc.Grant{To: anna.Node, Trust: "query_from"})
	anna.observe("git status")
	bob.observe("npm test", "npm test")
	anna.start()
	bob.start()
	bob.awaitPeers(1)
	bob.awaitEvents(2)

	var r v1.QueryResult
	out, err := bob.Run(t.Context(), "query", "tool_usage", "--since", "3d", "--json", "--timeout", "10s")
	if err == nil {
		t.Fatalf("anna answered bob: %s", out)
	}
	if err := json.Unmarshal(out, &r); err != nil {
		t.Fatal(err)
	}
	if r.Status != protocol.StatusAccessDenied || r.Coverage.Denied != 1 {
		t.Errorf("bob got %+v, want access_denied", r)
	}
	anna.query(&r, "tool_usage", "--since", "3d")
	if u, ok := r.Data.(*v1.ToolUsage); !ok || u.TotalCommands != 2 {
		t.Errorf("anna may ask bob and got %+v", r)
	}
	eventually(t, func() string {
		var page v1.SummaryPage
		bob.caroJSON(&page, "summary", "list")
		for _, s := range page.Summaries {
			if !s.Own && string(s.NodeID) == anna.ID {
				return ""
			}
		}
		return "bob did not get anna's summary"
	})
	var page v1.SummaryPage
	anna.caroJSON(&page, "summary", "list")
	for _, s := range page.Summaries {
		if !s.Own {
			t.Errorf("anna got a summary of %s, who gives none", s.NodeID)
		}
	}
}

func TestSupervisorNeverGetsTheAnswerOfOneNode(t *testing.T) {
	anna, boss := newNode(t, "anna"), newNode(t, "boss")
	anna.configure("", nodeproc.Grant{To: boss.Node, Trust: "supervisor"})
	boss.configure("", nodeproc.Grant{To: anna.Node, Trust: "peer"})
	anna.observe("git status")
	anna.start()
	boss.start()
	boss.awaitPeers(1)
	anna.awaitEvents(1)
	out, err := boss.Run(t.Context(), "query", "tool_usage", "--since", "3d", "--json", "--timeout", "10s")
	var r v1.QueryResult
	if jsonErr := json.Unmarshal(out, &r); err == nil || jsonErr != nil {
		t.Fatalf("%v, %v: %s", err, jsonErr, out)
	}
	if r.Data != nil || r.Coverage.Denied != 1 || !strings.Contains(r.Coverage.Nodes[0].Reason, "fewer than 5") {
		t.Errorf("got %+v, want a denial that names the least number of contributors", r)
	}
}

func TestNodesMeetAgainAfterACrash(t *testing.T) {
	anna, bob := newNode(t, "anna"), newNode(t, "bob")
	introduce("peer", anna, bob)
	bob.observe("git status")
	anna.start()
	bob.start()
	anna.awaitPeers(1)
	bob.awaitEvents(1)
	if err := bob.Kill(); err != nil {
		t.Fatal(err)
	}
	bob.start()
	anna.awaitPeers(1)
	eventually(t, func() string {
		var r v1.QueryResult
		anna.query(&r, "tool_usage", "--since", "3d")
		if r.Coverage.Answered == 1 {
			return ""
		}
		b, _ := json.Marshal(r.Coverage)
		return string(b)
	})
	var v v1.AuditVerification
	bob.caroJSON(&v, "audit", "verify")
	if !v.OK {
		t.Errorf("after kill -9 the audit log says %+v", v)
	}
}

func TestIdentityIsPrivateStableAndNeverOverwritten(t *testing.T) {
	n := newNode(t, "anna")
	key := filepath.Join(n.Home, "identity.key")
	info, err := os.Stat(key)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("identity.key has mode %v", info.Mode())
	}
	before, err := os.ReadFile(key)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(before)
	if block == nil {
		t.Fatal("identity.key is not PEM")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatalf("identity.key is not PKCS#8: %v", err)
	}
	if private, ok := parsed.(ed25519.PrivateKey); !ok || string(protocol.NewNodeID(private.Public().(ed25519.PublicKey))) != n.ID {
		t.Errorf("identity.key does not hold the key of %s", n.ID)
	}
	id, err := protocol.ParseNodeID(n.ID)
	if err != nil {
		t.Fatal(err)
	}
	if pid, err := id.PeerID(); err != nil || pid.String() != n.PeerID || string(id.Fingerprint()) != n.Fingerprint {
		t.Errorf("node ID, peer ID and fingerprint do not belong together: %v %s %s", err, n.PeerID, n.Fingerprint)
	}

	for name, spoil := range map[string]func() error{
		"readable by others": func() error { return os.Chmod(key, 0o644) },
		"damaged":            func() error { return os.WriteFile(key, []byte("-----BEGIN PRIVATE KEY-----\ngarbage\n"), 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			if err := spoil(); err != nil {
				t.Fatal(err)
			}
			spoilt, err := os.ReadFile(key)
			if err != nil {
				t.Fatal(err)
			}
			_, err = n.Run(t.Context(), "run")
			var exit *nodeproc.ExitError
			if !errors.As(err, &exit) || exit.Code != 1 {
				t.Fatalf("the node started with a key that is %s: %v", name, err)
			}
			if !strings.Contains(exit.Stderr, key) || strings.Count(strings.TrimSpace(exit.Stderr), "\n") != 0 {
				t.Errorf("says %q, want one sentence that names the file", exit.Stderr)
			}
			after, err := os.ReadFile(key)
			if err != nil || string(after) != string(spoilt) {
				t.Errorf("the file was changed (%v)", err)
			}
			if err := os.Chmod(key, 0o600); err != nil {
				t.Fatal(err)
			}
		})
	}
}
