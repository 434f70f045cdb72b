package node

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caro-mesh/caro-node/policy"
	"github.com/caro-mesh/caro-node/policy/audit"
	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/store"
)

func TestAPreviewedAnswerIsWhatThePeerGets(t *testing.T) {
	for _, trust := range protocol.TrustNames() {
		asker := newKey(t)
		doc := trusting(asker.NodeID(), trust)
		doc.DeniedCategories = []string{"docker"}
		b := newBench(t, doc)
		b.typed(3, protocol.CategoryGit, protocol.RiskSafe, noon.Add(-2*time.Hour))
		b.typed(5, protocol.CategoryDocker, protocol.RiskHigh, noon.Add(-2*time.Hour))
		receive(t, b, 6)
		end := noon.Truncate(time.Hour).Add(time.Hour)
		for _, qt := range protocol.QueryTypes() {
			p, err := b.answerer().preview(t.Context(), policy.Request{Peer: asker.NodeID(), Now: noon}, qt,
				protocol.TimeRange{Start: protocol.At(end.AddDate(0, 0, -7)), End: protocol.At(end)})
			if err != nil {
				t.Fatal(err)
			}
			shown, err := protocol.OpenResponse(p.Wire)
			if err != nil {
				t.Fatal(err)
			}
			got := b.ask(asker, qt)
			for _, r := range []*protocol.MeshResponse{shown, got} {
				r.QueryID, r.Signature, r.Timestamp = "", nil, 0
			}
			a, err := protocol.Encode(shown)
			if err != nil {
				t.Fatal(err)
			}
			bytes, err := protocol.Encode(got)
			if err != nil {
				t.Fatal(err)
			}
			if string(a) != string(bytes) {
				t.Errorf("%s, %s: shown %+v, answered %+v", trust, qt, shown, got)
			}
			if !p.Decision.Allowed && shown.Status != protocol.StatusAccessDenied {
				t.Errorf("%s, %s: %+v with %s", trust, qt, p.Decision, shown.Status)
			}
		}
	}
}

func TestAPreviewLeavesNoTrace(t *testing.T) {
	a, b := pairOf(t)
	id := b.c.Identity.NodeID()
	if _, err := a.SetPolicy(t.Context(), policy.Document{QueriesPerHour: 1, Nodes: []policy.NodeRule{{ID: string(id), Trust: "peer"}}}); err != nil {
		t.Fatal(err)
	}
	before := recordsOf(t, a, protocol.AuditQueryReceived)
	end := time.Now().UTC().Truncate(time.Hour)
	r := protocol.TimeRange{Start: protocol.At(end.Add(-time.Hour)), End: protocol.At(end)}
	for range 3 {
		p, err := a.Preview(t.Context(), id, r)
		if err != nil {
			t.Fatal(err)
		}
		if !p.Connect.Allowed || !p.Push.Allowed || len(p.Answers) != len(protocol.QueryTypes()) || !p.Answers[0].Decision.Allowed {
			t.Errorf("%+v", p)
		}
	}
	if after := recordsOf(t, a, protocol.AuditQueryReceived); len(after) != len(before) {
		t.Errorf("recorded %v", after)
	}
	// A node that nobody knows gets nothing, and that can be previewed as well.
	p, err := a.Preview(t.Context(), newKey(t).NodeID(), r)
	if err != nil || p.Connect.Allowed || p.Push.Allowed || p.Answers[0].Response.Status != protocol.StatusAccessDenied {
		t.Errorf("%+v, %v", p, err)
	}
}

func TestAComparisonLooksAtKnownNodesWhereTheyAre(t *testing.T) {
	a, b := pairOf(t)
	id := b.c.Identity.NodeID()
	changes, err := a.ComparePolicy(t.Context(), policy.Document{Subnets: []policy.SubnetRule{{CIDR: "127.0.0.0/8", Trust: "share_to", Line: 3}}})
	if err != nil {
		t.Fatal(err)
	}
	var about []string
	for _, c := range changes {
		if c.Subject.Peer == id {
			about = append(about, c.Right)
			if c.Gains || c.Subject.Addr != netip.MustParseAddr("127.0.0.1") || !strings.HasPrefix(c.Subject.Label, "node (") || c.RuleAfter.Name != "subnet 127.0.0.0/8" {
				t.Errorf("%+v", c)
			}
		}
	}
	// It may still connect and get summaries, by the subnet.
	if want := []string{"witness", "query:tool_usage", "query:safety_posture", "query:activity_patterns", "query:anomalies", "query:node_health"}; !slices.Equal(about, want) {
		t.Errorf("%q, want %q", about, want)
	}
	if _, err := a.ComparePolicy(t.Context(), policy.Document{MaxLevel: "all"}); err == nil {
		t.Error("a faulty policy is compared")
	}
}

func TestAReplayBeginsAtTheTimeThatIsAskedFor(t *testing.T) {
	a, b := pairOf(t)
	id := b.c.Identity.NodeID()
	clock := time.Now().Add(-10 * 24 * time.Hour)
	old, err := store.Open(t.Context(), t.TempDir()+"/caro.db", store.Options{Now: func() time.Time { return clock }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := old.Close(); err != nil {
			t.Error(err)
		}
	})
	gate := audit.NewGate(a.gate.Engine(), old.AuditLog())
	const perDay = 150 // more than a page in all
	for range 10 {
		for n := range perDay {
			r := policy.Request{Peer: id, Action: policy.ActionQuery, QueryType: protocol.QueryToolUsage, Now: clock}
			if n%3 == 0 {
				r = policy.Request{Peer: id, Action: policy.ActionReceiveSummary, Now: clock}
			}
			if _, err := gate.Allow(t.Context(), r, audit.Event{}); err != nil && n < 50 {
				t.Fatal(err)
			}
		}
		clock = clock.Add(24 * time.Hour)
	}
	n := &Node{c: a.c, lineage: a.lineage}
	n.c.Store = old
	for days, want := range map[int]int{1: 100, 4: 400, 30: 1000} {
		replay, err := n.ReplayPolicy(t.Context(), policy.Document{}, time.Now().Add(-time.Duration(days)*24*time.Hour-time.Hour))
		if err != nil || replay.Queries != want {
			t.Errorf("%d days: %d queries, want %d (%v)", days, replay.Queries, want, err)
		}
	}
	replay, err := n.ReplayPolicy(t.Context(), policy.Document{}, time.Now())
	if err != nil || replay.Queries != 0 {
		t.Errorf("from now on: %d queries (%v)", replay.Queries, err)
	}
}
