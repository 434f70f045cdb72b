package policy_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/caro-mesh/caro-node/policy"
	"github.com/caro-mesh/caro-node/protocol"
)

// everyDecision runs check on the decisions of a policy that has a rule of each kind, for every kind of peer.
func everyDecision(t *testing.T, check func(policy.Request, policy.Decision)) {
	t.Helper()
	for _, maxLevel := range []string{"raw", "summarized", "aggregated"} {
		doc := policy.Document{Source: "/home/secret-user/config.toml", MaxLevel: maxLevel,
			Subnets: []policy.SubnetRule{{CIDR: "10.66.0.0/16", Deny: true}, {CIDR: "10.77.0.0/16", Trust: "peer"}},
			Nodes:   []policy.NodeRule{{ID: string(nodeID(9)), Deny: true, Name: "secret-name"}}}
		for i, trust := range protocol.TrustNames() {
			doc.Nodes = append(doc.Nodes, policy.NodeRule{ID: string(nodeID(i)), Trust: trust, Name: "secret-name"})
		}
		e := compile(t, doc, policy.Grant{Node: nodeID(10), Deny: true, Name: "secret-name"})
		for n := range 12 {
			for _, addr := range []string{"10.66.0.1", "10.77.0.1", "10.88.0.1"} {
				for _, a := range []policy.Action{policy.ActionConnect, policy.ActionReceiveSummary, policy.ActionWitness, policy.ActionQuery, "unknown"} {
					for _, q := range append(protocol.QueryTypes(), "unknown") {
						r := policy.Request{Peer: nodeID(n), Addr: netip.MustParseAddr(addr), Action: a, QueryType: q}
						check(r, e.Decide(r))
					}
				}
			}
		}
	}
}

func TestEveryDecisionNamesItsRuleAndASentenceThatFitsTheWire(t *testing.T) {
	everyDecision(t, func(r policy.Request, d policy.Decision) {
		if d.Reason == "" || d.Rule.Name == "" || d.Rule.Source == "" {
			t.Fatalf("%+v: decision without a reason or a rule: %+v", r, d)
		}
		if err := protocol.CheckText("reason", d.Reason, protocol.MaxReason); err != nil {
			t.Fatalf("%+v: %v", r, err)
		}
	})
}

func TestReasonsTellAPeerNothingAboutOthers(t *testing.T) {
	everyDecision(t, func(r policy.Request, d policy.Decision) {
		for _, secret := range []string{"secret", "10.66", "10.77", protocol.NodeIDPrefix, "/home"} {
			if strings.Contains(d.Reason, secret) {
				t.Fatalf("%+v: the reason tells %q: %s", r, secret, d.Reason)
			}
		}
	})
}

func TestRefusalsSayWhatCanBeDone(t *testing.T) {
	bob := nodeID(1)
	for _, c := range []struct {
		name   string
		doc    policy.Document
		action policy.Action
		want   string
	}{
		{"untrusted", policy.Document{}, policy.ActionConnect, "caro-node trust set NODE peer"},
		{"denied by name", policy.Document{Nodes: []policy.NodeRule{{ID: string(bob), Deny: true}}}, policy.ActionConnect, "caro-node policy show"},
		{"denied subnet", policy.Document{Subnets: []policy.SubnetRule{{CIDR: "10.0.0.0/8", Deny: true}}}, policy.ActionConnect, "caro-node trust set NODE peer"},
		{"may not query", policy.Document{DefaultTrust: "share_to"}, policy.ActionQuery, "caro-node trust set NODE peer"},
		{"gets no summaries", policy.Document{DefaultTrust: "query_from"}, policy.ActionReceiveSummary, "caro-node trust set NODE peer"},
		{"supervisor gets no summaries", policy.Document{DefaultTrust: "supervisor"}, policy.ActionReceiveSummary, "aggregated answers only"},
		{"shares nothing", policy.Document{DefaultTrust: "peer", MaxLevel: "raw"}, policy.ActionQuery, "max_level"},
		{"no summaries", policy.Document{DefaultTrust: "peer", MaxLevel: "aggregated"}, policy.ActionReceiveSummary, "max_level"},
	} {
		d := compile(t, c.doc).Decide(ask(bob, "10.0.0.1", c.action))
		if d.Allowed || !strings.Contains(d.Reason, c.want) {
			t.Errorf("%s: %q does not say %q", c.name, d.Reason, c.want)
		}
	}
}
