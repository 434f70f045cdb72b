package policy_test

import (
	"testing"

	"github.com/caro-mesh/caro-node/policy"
	"github.com/caro-mesh/caro-node/protocol"
)

func TestRulesAreListedInTheOrderInWhichTheyAreTriedAndSayWhatBeatsThem(t *testing.T) {
	ann, bob, eve, dan := nodeID(1), nodeID(2), nodeID(3), nodeID(4)
	e := compile(t, policy.Document{
		DefaultTrust: "share_to", MinContributors: 6, DeniedCategories: []string{"network"},
		Origins: map[string]policy.Origin{"default_trust": {Line: 2}, "min_contributors": {Source: "flag --min"}, "denied_categories": {Line: 4}},
		Nodes: []policy.NodeRule{
			{ID: string(ann), Trust: "peer", Name: "ann", Line: 10},
			{ID: string(bob), Trust: "peer", Name: "bob", Line: 14},
			{ID: string(eve), Deny: true, Name: "eve", Line: 18},
		},
		Subnets: []policy.SubnetRule{
			{CIDR: "10.0.0.0/8", Trust: "peer", Line: 30},
			{CIDR: "fd00::/8", Trust: "peer", Line: 34},
			{CIDR: "10.0.1.0/24", Trust: "peer", Line: 38},
			{CIDR: "10.0.1.0/24", Deny: true, Line: 42},
		},
	}, policy.Grant{Node: bob, Trust: protocol.TrustShareTo}, policy.Grant{Node: eve, Trust: protocol.TrustPeer}, policy.Grant{Node: dan, Deny: true, Name: "dan"})
	want := []policy.RuleView{
		{Rule: policy.Rule{Name: "deny node eve", Source: "config.toml", Line: 18}, Kind: policy.KindDeny, Match: string(eve), Trust: "deny"},
		{Rule: policy.Rule{Name: "deny node dan", Source: "run time"}, Kind: policy.KindDeny, Match: string(dan), Trust: "deny"},
		{Rule: policy.Rule{Name: "node bob", Source: "run time"}, Kind: policy.KindNode, Match: string(bob), Trust: "share_to"},
		{Rule: policy.Rule{Name: "node eve", Source: "run time"}, Kind: policy.KindNode, Match: string(eve), Trust: "peer", OverriddenBy: "deny node eve (config.toml:18)"},
		{Rule: policy.Rule{Name: "node ann", Source: "config.toml", Line: 10}, Kind: policy.KindNode, Match: string(ann), Trust: "peer"},
		{Rule: policy.Rule{Name: "node bob", Source: "config.toml", Line: 14}, Kind: policy.KindNode, Match: string(bob), Trust: "peer", OverriddenBy: "node bob (run time)"},
		{Rule: policy.Rule{Name: "deny subnet 10.0.1.0/24", Source: "config.toml", Line: 42}, Kind: policy.KindSubnet, Match: "10.0.1.0/24", Trust: "deny"},
		{Rule: policy.Rule{Name: "subnet 10.0.1.0/24", Source: "config.toml", Line: 38}, Kind: policy.KindSubnet, Match: "10.0.1.0/24", Trust: "peer", OverriddenBy: "deny subnet 10.0.1.0/24 (config.toml:42)"},
		{Rule: policy.Rule{Name: "subnet 10.0.0.0/8", Source: "config.toml", Line: 30}, Kind: policy.KindSubnet, Match: "10.0.0.0/8", Trust: "peer"},
		{Rule: policy.Rule{Name: "subnet fd00::/8", Source: "config.toml", Line: 34}, Kind: policy.KindSubnet, Match: "fd00::/8", Trust: "peer"},
		{Rule: policy.Rule{Name: "default_trust", Source: "config.toml", Line: 2}, Kind: policy.KindDefault, Match: "*", Trust: "share_to"},
		{Rule: policy.Rule{Name: "max_level", Source: "default"}, Kind: policy.KindCap, Match: "*", Note: "summarized: summaries and aggregated answers may leave"},
		{Rule: policy.Rule{Name: "min_contributors", Source: "flag --min"}, Kind: policy.KindCap, Match: "*", Note: "6 nodes or more in an aggregated answer"},
		{Rule: policy.Rule{Name: "queries_per_hour", Source: "default"}, Kind: policy.KindCap, Match: "*", Note: "at most 600 queries of each node are answered within an hour, and 60 within six minutes"},
		{Rule: policy.Rule{Name: "denied_categories", Source: "config.toml", Line: 4}, Kind: policy.KindCap, Match: "*", Note: "never leave: network"},
	}
	got := e.Rules()
	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(got):
			t.Errorf("rule %d is missing: %+v", i, want[i])
		case i >= len(want):
			t.Errorf("rule %d is one too many: %+v", i, got[i])
		case got[i] != want[i]:
			t.Errorf("rule %d:\n got %+v\nwant %+v", i, got[i], want[i])
		}
	}
}

func TestTheEventCountIsSharedOnlyWhereItIsWrittenAndTheCapAllowsIt(t *testing.T) {
	for _, c := range []struct {
		doc    policy.Document
		want   bool
		rule   string
		listed string // what the list of rules says beats it; "-": it is not listed
	}{
		{policy.Document{}, false, "share_event_count", "-"},
		{policy.Document{ShareEventCount: true}, true, "share_event_count", ""},
		{policy.Document{ShareEventCount: true, MaxLevel: "summarized"}, true, "share_event_count", ""},
		{policy.Document{ShareEventCount: true, MaxLevel: "aggregated"}, false, "max_level", "max_level (config.toml)"},
		{policy.Document{ShareEventCount: true, MaxLevel: "raw"}, false, "max_level", "max_level (config.toml)"},
	} {
		e := compile(t, c.doc)
		if got, rule := e.SharesEventCount(); got != c.want || rule.Name != c.rule {
			t.Errorf("%+v: %t by %s", c.doc, got, rule.Name)
		}
		listed := "-"
		for _, r := range e.Rules() {
			if r.Name == "share_event_count" {
				listed = r.OverriddenBy
			}
		}
		if listed != c.listed {
			t.Errorf("%+v: listed as beaten by %q, want %q", c.doc, listed, c.listed)
		}
	}
}
