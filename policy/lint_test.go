package policy_test

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/caro-mesh/caro-node/policy"
	"github.com/caro-mesh/caro-node/protocol"
)

func TestEachFindingNamesItsLineAndWhatToDo(t *testing.T) {
	bob, eve := string(nodeID(1)), string(nodeID(2))
	at := func(keys ...string) map[string]policy.Origin {
		m := map[string]policy.Origin{}
		for i, k := range keys {
			m[k] = policy.Origin{Line: i + 1}
		}
		return m
	}
	for _, c := range []struct {
		name string
		doc  policy.Document
		kind policy.FindingKind
		line int
		want []string
	}{
		{"a fault", policy.Document{MaxLevel: "all", Origins: at("max_level")}, policy.FindingFault, 1, []string{"max_level"}},
		{"a test that fails", policy.Document{Tests: []policy.Test{{Peer: "any", Request: "connect", Expect: "allow", Line: 7}}}, policy.FindingFault, 7, []string{"default_trust"}},
		{"a node granted and denied", policy.Document{Nodes: []policy.NodeRule{{ID: bob, Trust: "peer", Line: 5}, {ID: bob, Deny: true, Line: 9}}},
			policy.FindingUnreachable, 5, []string{"number 1", "on line 9", "remove one"}},
		{"trust beside deny", policy.Document{Nodes: []policy.NodeRule{{ID: bob, Trust: "peer", Deny: true, Line: 5}}}, policy.FindingContradiction, 5, []string{`trust = "peer"`, "remove one"}},
		{"a subnet granted and denied", policy.Document{Subnets: []policy.SubnetRule{{CIDR: "10.0.0.0/8", Trust: "peer", Line: 5}, {CIDR: "10.0.0.0/8", Deny: true, Line: 9}}},
			policy.FindingUnreachable, 5, []string{"on line 9"}},
		{"a subnet all of whose halves have rules", policy.Document{Subnets: []policy.SubnetRule{{CIDR: "10.0.0.0/23", Trust: "peer", Line: 5}, {CIDR: "10.0.0.0/24", Trust: "peer", Line: 9}, {CIDR: "10.0.1.0/24", Deny: true, Line: 13}}},
			policy.FindingUnreachable, 5, []string{"10.0.0.0/23", "more specific"}},
		{"IPv6 in halves", policy.Document{Subnets: []policy.SubnetRule{{CIDR: "fd00::/15", Trust: "peer", Line: 5}, {CIDR: "fd00::/16", Trust: "peer", Line: 9}, {CIDR: "fd01::/16", Trust: "peer", Line: 13}}},
			policy.FindingUnreachable, 5, []string{"fd00::/15"}},
		{"share_to without summaries", policy.Document{MaxLevel: "aggregated", Origins: at("max_level"), Nodes: []policy.NodeRule{{ID: bob, Trust: "share_to", Line: 5}}},
			policy.FindingContradiction, 5, []string{"max_level", "config.toml:1"}},
		{"limits for one that may not query", policy.Document{Nodes: []policy.NodeRule{{ID: bob, Trust: "share_to", QueriesPerHour: 5, Line: 5}}}, policy.FindingContradiction, 5, []string{"may not query"}},
		{"limits for one that is denied", policy.Document{Subnets: []policy.SubnetRule{{CIDR: "10.0.0.0/8", Deny: true, MaxHistoryDays: 5, Line: 5}}}, policy.FindingContradiction, 5, []string{"denied"}},
		{"a type that nobody may ask", policy.Document{QueryTypes: []string{"tool_usage"}, Origins: at("query_types"), Nodes: []policy.NodeRule{{ID: bob, Trust: "peer", QueryTypes: []string{"tool_usage", "anomalies"}, Line: 5}}},
			policy.FindingUnreachable, 5, []string{"anomalies", "config.toml:1", "only narrows"}},
		{"no type left", policy.Document{QueryTypes: []string{"tool_usage"}, Nodes: []policy.NodeRule{{ID: bob, Trust: "peer", QueryTypes: []string{"tool_usage"}, Line: 5}, {ID: eve, Trust: "supervisor", QueryTypes: []string{"node_health"}, Line: 9}}},
			policy.FindingContradiction, 9, []string{"no query type is left"}},
		{"a supervisor that asks about nodes", policy.Document{Nodes: []policy.NodeRule{{ID: eve, Trust: "supervisor", QueryTypes: []string{"node_health"}, Line: 9}}},
			policy.FindingContradiction, 9, []string{"supervisor"}},
		{"longer than everybody", policy.Document{MaxHistoryDays: 7, Origins: at("max_history_days"), Nodes: []policy.NodeRule{{ID: bob, Trust: "peer", MaxHistoryDays: 30, Line: 5}}},
			policy.FindingUnreachable, 5, []string{"max_history_days = 30", "config.toml:1"}},
		{"more than everybody", policy.Document{Nodes: []policy.NodeRule{{ID: bob, Trust: "peer", QueriesPerHour: 600, Line: 5}}}, policy.FindingUnreachable, 5, []string{"queries_per_hour = 600", "(default)"}},
		{"an allowed category that is denied", policy.Document{AllowedCategories: []string{"git", "other:make"}, DeniedCategories: []string{"other"}, Origins: at("allowed_categories", "denied_categories")},
			policy.FindingUnreachable, 1, []string{"other:make", "config.toml:2"}},
		{"no category left", policy.Document{AllowedCategories: []string{"git"}, DeniedCategories: []string{"git"}, Origins: at("allowed_categories")}, policy.FindingContradiction, 1, []string{"no count leaves"}},
		{"a count that the cap keeps back", policy.Document{MaxLevel: "aggregated", ShareEventCount: true, Origins: at("max_level", "share_event_count")}, policy.FindingContradiction, 2, []string{"share_event_count", "aggregated"}},
		{"only single nodes under a cap of sums", policy.Document{MaxLevel: "aggregated", QueryTypes: []string{"node_health"}, Origins: at("query_types")}, policy.FindingContradiction, 1, []string{"nothing is answered"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			found := c.doc.Lint()
			i := slices.IndexFunc(found, func(f policy.Finding) bool { return f.Kind == c.kind && f.Line == c.line })
			if i < 0 {
				t.Fatalf("no %s on line %d in %+v", c.kind, c.line, found)
			}
			for _, want := range c.want {
				if !strings.Contains(found[i].Text, want) {
					t.Errorf("%q does not say %q", found[i].Text, want)
				}
			}
			if found[i].Source != "config.toml" {
				t.Errorf("it is said to be in %q", found[i].Source)
			}
		})
	}
}

func TestADocumentInWhichEveryRuleCountsHasNoFinding(t *testing.T) {
	doc := policy.Document{MaxHistoryDays: 30, QueryTypes: []string{"tool_usage", "node_health"}, AllowedCategories: []string{"git", "other"}, DeniedCategories: []string{"other:make", "network"},
		ShareEventCount: true,
		Nodes: []policy.NodeRule{{ID: string(nodeID(1)), Trust: "peer", MaxHistoryDays: 7, QueriesPerHour: 10, QueryTypes: []string{"tool_usage"}},
			{ID: string(nodeID(2)), Trust: "share_to"}, {ID: string(nodeID(3)), Deny: true}, {ID: string(nodeID(4)), Trust: "supervisor", QueryTypes: []string{"tool_usage"}}},
		Subnets: []policy.SubnetRule{{CIDR: "10.0.0.0/8", Trust: "peer"}, {CIDR: "10.0.0.0/9", Deny: true}, {CIDR: "10.0.0.1/32", Trust: "query_from"}, {CIDR: "::/0", Trust: "share_to"}},
		Tests:   []policy.Test{{Peer: "any@10.200.0.1", Request: "query:tool_usage", Expect: "allow"}}}
	for _, f := range doc.Lint() {
		t.Errorf("%+v", f)
	}
}

// What is called unreachable decides nowhere: taking it away changes no decision.
func TestTakingAnUnreachableSubnetAwayChangesNoDecision(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var doc policy.Document
		taken := map[string]bool{}
		for range rapid.IntRange(2, 9).Draw(t, "subnets") {
			bits := rapid.IntRange(28, 32).Draw(t, "bits")
			p := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(rapid.IntRange(0, 15).Draw(t, "last"))}), bits).Masked()
			if taken[p.String()] {
				continue
			}
			taken[p.String()] = true
			doc.Subnets = append(doc.Subnets, policy.SubnetRule{CIDR: p.String(), Trust: rapid.SampledFrom(protocol.TrustNames()).Draw(t, "trust"), Line: len(doc.Subnets) + 1})
		}
		unreachable := map[int]bool{}
		for _, f := range doc.Lint() {
			if f.Kind == policy.FindingUnreachable {
				unreachable[f.Line] = true
			}
		}
		e, err := policy.New(doc, nil)
		if err != nil {
			t.Fatalf("compile: %v", err)
		}
		decides := map[int]bool{}
		for last := range 16 {
			_, rule := e.Resolve(nodeID(1), netip.AddrFrom4([4]byte{10, 0, 0, byte(last)}), today)
			decides[rule.Line] = true
		}
		for _, s := range doc.Subnets {
			if unreachable[s.Line] == decides[s.Line] {
				t.Fatalf("%+v: found unreachable %t, decides %t", s, unreachable[s.Line], decides[s.Line])
			}
		}
	})
}

func TestTestsOfADocumentAreKeptOrTellWhatIsDifferent(t *testing.T) {
	bob := string(nodeID(1))
	doc := policy.Document{MaxHistoryDays: 7, Nodes: []policy.NodeRule{{ID: bob, Trust: "peer", Name: "bob", Line: 5}},
		Subnets: []policy.SubnetRule{{CIDR: "10.0.0.0/8", Trust: "supervisor", Line: 9}, {CIDR: "fd00::/8", Deny: true, Line: 13}}}
	for _, c := range []struct {
		test policy.Test
		want string // in the fault; empty: the test is kept
	}{
		{policy.Test{Peer: bob, Request: "connect", Expect: "allow", Rule: "node bob"}, ""},
		{policy.Test{Peer: bob + "@fd00::1", Request: "query:tool_usage", RangeDays: 7, Expect: "allow", Level: "summarized"}, ""},
		{policy.Test{Peer: bob, Request: "query:tool_usage", RangeDays: 8, Expect: "deny", Rule: "max_history_days"}, ""},
		{policy.Test{Peer: bob, Request: "summary", Expect: "allow"}, ""},
		{policy.Test{Peer: "any", Request: "connect", Expect: "deny", Rule: "default_trust"}, ""},
		{policy.Test{Peer: "any@10.0.0.7", Request: "query:safety_posture", Expect: "allow", Level: "aggregated"}, ""},
		{policy.Test{Peer: "any@fd00::7", Request: "connect", Expect: "deny", Rule: "deny subnet fd00::/8"}, ""},

		{policy.Test{Peer: bob, Request: "connect", Expect: "deny"}, "connect by " + bob + " should be denied, and node bob (config.toml:5) allows it"},
		{policy.Test{Peer: "any", Request: "summary", Expect: "allow"}, "should be allowed, and default_trust (default) denies it: this node does not trust you"},
		{policy.Test{Peer: "any@10.0.0.7", Request: "query:tool_usage", Expect: "allow", Level: "summarized"}, "at the level summarized, and subnet 10.0.0.0/8 (config.toml:9) gives aggregated"},
		{policy.Test{Peer: "any@fd00::7", Request: "connect", Expect: "deny", Rule: "default_trust"}, "decided by default_trust, and deny subnet fd00::/8 (config.toml:13) decides"},

		{policy.Test{Peer: "bob", Request: "connect", Expect: "allow"}, `peer "bob" is neither`},
		{policy.Test{Peer: "any@10.0.0", Request: "connect", Expect: "allow"}, `"10.0.0" is not an address`},
		{policy.Test{Peer: "any", Request: "query", Expect: "allow"}, `request "query" is none of`},
		{policy.Test{Peer: "any", Request: "query:commands", Expect: "allow"}, `"commands"`},
		{policy.Test{Peer: "any", Request: "connect", Expect: "yes"}, `expect is "yes"; write "allow" or "deny"`},
		{policy.Test{Peer: "any", Request: "connect", Expect: "deny", Level: "summarized"}, "level is for allowed"},
		{policy.Test{Peer: "any", Request: "summary", Expect: "allow", Level: "raw"}, `level is "raw"`},
		{policy.Test{Peer: "any", Request: "summary", Expect: "allow", RangeDays: 3}, "range_days is for queries only"},
		{policy.Test{Peer: "any", Request: "query:tool_usage", Expect: "deny", RangeDays: -3}, "range_days is -3"},
	} {
		d := doc
		c.test.Line = 20
		d.Tests = []policy.Test{c.test}
		err := d.Validate()
		if c.want == "" {
			if err != nil {
				t.Errorf("%+v: %v", c.test, err)
			}
			continue
		}
		var fault *policy.DocumentError
		if !errors.As(err, &fault) || fault.Line != 20 || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "[[policy.tests]] number 1") {
			t.Errorf("%+v: %v, want line 20 and %q", c.test, err, c.want)
		}
	}
}

func TestAGrantMadeAtRunTimeFailsNoTest(t *testing.T) {
	doc := policy.Document{Tests: []policy.Test{{Peer: string(nodeID(1)), Request: "connect", Expect: "deny"}}}
	if err := doc.Validate(); err != nil {
		t.Fatal(err)
	}
	if _, err := policy.New(doc, []policy.Grant{{Node: nodeID(1), Trust: protocol.TrustPeer}}); err != nil {
		t.Errorf("what a person grants makes the node refuse its policy: %v", err)
	}
}
