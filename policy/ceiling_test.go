package policy_test

import (
	"net/netip"
	"testing"

	"github.com/caro-mesh/caro-node/policy"
	"github.com/caro-mesh/caro-node/protocol"
)

func TestTheStricterOfTwoLevelsPermitsWhatBothDo(t *testing.T) {
	const (
		none, share, query, peer, supervisor = protocol.TrustUntrusted, protocol.TrustShareTo, protocol.TrustQueryFrom, protocol.TrustPeer, protocol.TrustSupervisor
	)
	for _, c := range []struct{ a, b, want protocol.TrustLevel }{
		{peer, share, share}, {peer, query, query}, {peer, supervisor, supervisor}, {query, supervisor, supervisor}, {peer, peer, peer},
		{share, query, none}, {share, supervisor, none}, {none, peer, none}, {peer, 99, none},
	} {
		if x, y := policy.Stricter(c.a, c.b), policy.Stricter(c.b, c.a); x != c.want || y != c.want {
			t.Errorf("%d and %d make %d and %d, want %d", c.a, c.b, x, y, c.want)
		}
	}
}

func TestACeilingHoldsForEveryGrantAndForTheNextKey(t *testing.T) {
	old, next := nodeID(1), nodeID(2)
	doc := policy.Document{Nodes: []policy.NodeRule{{ID: string(old), Trust: "peer"}},
		Ceilings: []policy.Ceiling{{Node: old, Trust: protocol.TrustSupervisor, Source: "bundle ACME v1"}}}
	moved := policy.Succession{Old: old, New: next, ValidFrom: midday.AddDate(0, 0, -1), Until: midday.AddDate(0, 0, 1)}
	for what, grants := range map[string][]policy.Grant{
		"none": nil, "to the old key": {{Node: old, Trust: protocol.TrustPeer}}, "to the new key": {{Node: next, Trust: protocol.TrustPeer}},
	} {
		e, err := policy.New(doc, grants, moved)
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range []protocol.NodeID{old, next} {
			if trust, rule := e.Resolve(id, netip.Addr{}, midday); trust != protocol.TrustSupervisor || rule.Source != "bundle ACME v1" {
				t.Errorf("grant %s: %s is %s by %+v", what, id.Fingerprint(), trust, rule)
			}
		}
	}
}

func TestARuleThatYieldsLeavesTheSubnetsDenyAndLimits(t *testing.T) {
	e := compile(t, policy.Document{Nodes: []policy.NodeRule{{ID: string(nodeID(1)), Trust: "supervisor", Yields: true}},
		Subnets: []policy.SubnetRule{{CIDR: "10.0.0.0/8", Deny: true}, {CIDR: "10.1.0.0/16", Trust: "peer", MaxHistoryDays: 1}}})
	ask := policy.Request{Peer: nodeID(1), Action: policy.ActionQuery, QueryType: protocol.QueryToolUsage, Now: midday,
		TimeRange: protocol.TimeRange{Start: protocol.At(midday.AddDate(0, 0, -5)), End: protocol.At(midday)}}
	for addr, want := range map[string]string{"192.168.0.1": "node " + string(nodeID(1).Fingerprint()), "10.0.0.1": "deny subnet 10.0.0.0/8", "10.1.0.1": "subnet 10.1.0.0/16: max_history_days"} {
		ask.Addr = netip.MustParseAddr(addr)
		if d := e.Decide(ask); d.Rule.Name != want {
			t.Errorf("from %s: %+v, want the rule %q", addr, d, want)
		}
	}
}
