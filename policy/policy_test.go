package policy_test

import (
	"crypto/ed25519"
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"github.com/caro-mesh/caro-node/policy"
	"github.com/caro-mesh/caro-node/protocol"
)

// nodeID returns the n-th of an endless list of valid node IDs. They need no private key.
func nodeID(n int) protocol.NodeID {
	key := make([]byte, ed25519.PublicKeySize)
	binary.BigEndian.PutUint64(key, uint64(n)+1)
	return protocol.NewNodeID(key)
}

func compile(t testing.TB, doc policy.Document, grants ...policy.Grant) *policy.Engine {
	t.Helper()
	e, err := policy.New(doc, grants)
	if err != nil {
		t.Fatalf("compile the policy: %v", err)
	}
	return e
}

func ask(peer protocol.NodeID, addr string, a policy.Action) policy.Request {
	r := policy.Request{Peer: peer, Action: a, Now: time.Unix(1_800_000_000, 0)}
	if addr != "" {
		r.Addr = netip.MustParseAddr(addr)
	}
	if a == policy.ActionQuery {
		r.QueryType = protocol.QueryToolUsage
	}
	return r
}

// outcome is a decision in short: "no", "yes", or for queries the level of the answer.
func outcome(a policy.Action, d policy.Decision) string {
	switch {
	case !d.Allowed:
		return "no"
	case a == policy.ActionQuery && d.Level == protocol.LevelSummarized:
		return "L1"
	case a == policy.ActionQuery && d.Level == protocol.LevelAggregated:
		return "L2"
	case a == policy.ActionQuery:
		return "RAW"
	}
	return "yes"
}

func TestEachTrustLevelGetsExactlyItsPermissionsUnderEachCap(t *testing.T) {
	for _, row := range []struct{ cap, trust, connect, push, query string }{
		{"summarized", "untrusted", "no", "no", "no"},
		{"summarized", "share_to", "yes", "yes", "no"},
		{"summarized", "query_from", "yes", "no", "L1"},
		{"summarized", "peer", "yes", "yes", "L1"},
		{"summarized", "supervisor", "yes", "no", "L2"},

		{"aggregated", "untrusted", "no", "no", "no"},
		{"aggregated", "share_to", "yes", "no", "no"},
		{"aggregated", "query_from", "yes", "no", "L2"},
		{"aggregated", "peer", "yes", "no", "L2"},
		{"aggregated", "supervisor", "yes", "no", "L2"},

		{"raw", "untrusted", "no", "no", "no"},
		{"raw", "share_to", "yes", "no", "no"},
		{"raw", "query_from", "yes", "no", "no"},
		{"raw", "peer", "yes", "no", "no"},
		{"raw", "supervisor", "yes", "no", "no"},
	} {
		bob := nodeID(1)
		e := compile(t, policy.Document{MaxLevel: row.cap, MinContributors: 7,
			Nodes: []policy.NodeRule{{ID: string(bob), Trust: row.trust, Name: "bob", Line: 9}}})
		for _, c := range []struct {
			action policy.Action
			want   string
		}{{policy.ActionConnect, row.connect}, {policy.ActionReceiveSummary, row.push}, {policy.ActionQuery, row.query}} {
			d := e.Decide(ask(bob, "", c.action))
			if got := outcome(c.action, d); got != c.want {
				t.Errorf("max_level %s, %s, %s: got %s, want %s (%s)", row.cap, row.trust, c.action, got, c.want, d.Reason)
			}
			if d.MinContributors != 7 || d.Trust.String() != row.trust {
				t.Errorf("max_level %s, %s, %s: decision carries %d contributors and trust %s", row.cap, row.trust, c.action, d.MinContributors, d.Trust)
			}
			if !d.Allowed && d.Level != protocol.LevelAggregated {
				t.Errorf("max_level %s, %s, %s: a denial carries level %s", row.cap, row.trust, c.action, d.Level)
			}
			if c.action == policy.ActionReceiveSummary && d.Allowed && d.Level != protocol.LevelSummarized {
				t.Errorf("an allowed summary carries level %s", d.Level)
			}
		}
	}
}

func TestQueryTypesThatNameOneNodeAreNeverAnsweredInAggregate(t *testing.T) {
	bob, eve := nodeID(1), nodeID(2)
	nodes := []policy.NodeRule{{ID: string(bob), Trust: "peer", Name: "bob", Line: 5}, {ID: string(eve), Trust: "supervisor", Name: "eve", Line: 8}}
	open := compile(t, policy.Document{Nodes: nodes})
	capped := compile(t, policy.Document{Nodes: nodes, MaxLevel: "aggregated", Origins: map[string]policy.Origin{"max_level": {Line: 2}}})
	for _, q := range protocol.QueryTypes() {
		single := q == protocol.QueryAnomalies || q == protocol.QueryNodeHealth
		for _, c := range []struct {
			name string
			e    *policy.Engine
			peer protocol.NodeID
			want string
			line int // of the rule that decides
		}{
			{"peer", open, bob, "L1", 5},
			{"supervisor", open, eve, map[bool]string{true: "no", false: "L2"}[single], 8},
			{"peer under the cap", capped, bob, map[bool]string{true: "no", false: "L2"}[single], map[bool]int{true: 2, false: 5}[single]},
		} {
			r := ask(c.peer, "", policy.ActionQuery)
			r.QueryType = q
			d := c.e.Decide(r)
			if got := outcome(policy.ActionQuery, d); got != c.want || d.Rule.Line != c.line {
				t.Errorf("%s asks %s: got %s by line %d, want %s by line %d", c.name, q, got, d.Rule.Line, c.want, c.line)
			}
		}
	}
}

func TestWhatIsNotKnownIsDenied(t *testing.T) {
	e := compile(t, policy.Document{DefaultTrust: "peer"})
	good := ask(nodeID(1), "10.0.0.1", policy.ActionQuery)
	if d := e.Decide(good); !d.Allowed {
		t.Fatalf("the request to be spoilt is denied already: %s", d.Reason)
	}
	for name, spoil := range map[string]func(*policy.Request){
		"no peer":            func(r *policy.Request) { r.Peer = "" },
		"no action":          func(r *policy.Request) { r.Action = "" },
		"unknown action":     func(r *policy.Request) { r.Action = "read_events" },
		"no query type":      func(r *policy.Request) { r.QueryType = "" },
		"unknown query type": func(r *policy.Request) { r.QueryType = "commands" },
	} {
		r := good
		spoil(&r)
		if d := e.Decide(r); d.Allowed || d.Reason == "" || d.Rule.Source != "built-in" {
			t.Errorf("%s: got %+v", name, d)
		}
	}
	var zero policy.Engine
	for _, a := range []policy.Action{policy.ActionConnect, policy.ActionReceiveSummary, policy.ActionQuery} {
		if d := zero.Decide(ask(nodeID(1), "10.0.0.1", a)); d.Allowed {
			t.Errorf("the zero engine allows %s", a)
		}
	}
}

func TestPrecedenceByExample(t *testing.T) {
	bob := nodeID(1)
	id := string(bob)
	for _, c := range []struct {
		name   string
		doc    policy.Document
		grants []policy.Grant
		addr   string
		trust  protocol.TrustLevel
		rule   policy.Rule
	}{
		{name: "nothing is written", rule: policy.Rule{Name: "default_trust", Source: "default"}},
		{name: "default_trust is written", doc: policy.Document{DefaultTrust: "share_to", Origins: map[string]policy.Origin{"default_trust": {Line: 3}}},
			trust: protocol.TrustShareTo, rule: policy.Rule{Name: "default_trust", Source: "config.toml", Line: 3}},
		{name: "default_trust comes from the environment", doc: policy.Document{DefaultTrust: "share_to", Origins: map[string]policy.Origin{"default_trust": {Source: "CARO_POLICY_DEFAULT_TRUST"}}},
			trust: protocol.TrustShareTo, rule: policy.Rule{Name: "default_trust", Source: "CARO_POLICY_DEFAULT_TRUST"}},
		{name: "a subnet beats the default", addr: "10.0.1.7", doc: policy.Document{Source: "/etc/caro.toml", DefaultTrust: "share_to", Subnets: []policy.SubnetRule{{CIDR: "10.0.1.0/24", Trust: "peer", Line: 4}}},
			trust: protocol.TrustPeer, rule: policy.Rule{Name: "subnet 10.0.1.0/24", Source: "/etc/caro.toml", Line: 4}},
		{name: "another subnet says nothing", addr: "10.0.2.7", doc: policy.Document{Subnets: []policy.SubnetRule{{CIDR: "10.0.1.0/24", Trust: "peer"}}},
			rule: policy.Rule{Name: "default_trust", Source: "default"}},
		{name: "no address, no subnet", doc: policy.Document{Subnets: []policy.SubnetRule{{CIDR: "0.0.0.0/0", Trust: "peer"}, {CIDR: "::/0", Trust: "peer"}}},
			rule: policy.Rule{Name: "default_trust", Source: "default"}},
		{name: "a narrow deny beats a wide grant", addr: "10.0.1.7", doc: policy.Document{Subnets: []policy.SubnetRule{{CIDR: "10.0.0.0/8", Trust: "peer"}, {CIDR: "10.0.1.0/24", Deny: true, Line: 8}}},
			rule: policy.Rule{Name: "deny subnet 10.0.1.0/24", Source: "config.toml", Line: 8}},
		{name: "a narrow grant beats a wide deny", addr: "10.0.1.7", doc: policy.Document{Subnets: []policy.SubnetRule{{CIDR: "10.0.0.0/8", Deny: true}, {CIDR: "10.0.1.0/24", Trust: "query_from", Line: 8}}},
			trust: protocol.TrustQueryFrom, rule: policy.Rule{Name: "subnet 10.0.1.0/24", Source: "config.toml", Line: 8}},
		{name: "on the same prefix the deny wins, written first", addr: "10.0.1.7", doc: policy.Document{Subnets: []policy.SubnetRule{{CIDR: "10.0.1.0/24", Deny: true, Line: 1}, {CIDR: "10.0.1.0/24", Trust: "peer", Line: 2}}},
			rule: policy.Rule{Name: "deny subnet 10.0.1.0/24", Source: "config.toml", Line: 1}},
		{name: "on the same prefix the deny wins, written last", addr: "10.0.1.7", doc: policy.Document{Subnets: []policy.SubnetRule{{CIDR: "10.0.1.0/24", Trust: "peer", Line: 1}, {CIDR: "10.0.1.0/24", Deny: true, Line: 2}}},
			rule: policy.Rule{Name: "deny subnet 10.0.1.0/24", Source: "config.toml", Line: 2}},
		{name: "a grant to the node beats a deny of its subnet", addr: "10.0.1.7", doc: policy.Document{Nodes: []policy.NodeRule{{ID: id, Trust: "peer", Name: "bob", Line: 5}}, Subnets: []policy.SubnetRule{{CIDR: "10.0.1.7/32", Deny: true}}},
			trust: protocol.TrustPeer, rule: policy.Rule{Name: "node bob", Source: "config.toml", Line: 5}},
		{name: "a node without a name goes by its fingerprint", doc: policy.Document{Nodes: []policy.NodeRule{{ID: id, Trust: "peer"}}},
			trust: protocol.TrustPeer, rule: policy.Rule{Name: "node " + string(bob.Fingerprint()), Source: "config.toml"}},
		{name: "a configured deny beats a configured grant", doc: policy.Document{Nodes: []policy.NodeRule{{ID: id, Deny: true, Line: 1}, {ID: id, Trust: "peer", Name: "bob", Line: 2}}},
			rule: policy.Rule{Name: "deny node " + string(bob.Fingerprint()), Source: "config.toml", Line: 1}},
		{name: "deny beats the trust of its own entry", doc: policy.Document{Nodes: []policy.NodeRule{{ID: id, Trust: "peer", Name: "bob", Deny: true}}},
			rule: policy.Rule{Name: "deny node bob", Source: "config.toml"}},
		{name: "a run-time grant replaces the configured one", doc: policy.Document{Nodes: []policy.NodeRule{{ID: id, Trust: "peer", Name: "bob"}}},
			grants: []policy.Grant{{Node: bob, Trust: protocol.TrustShareTo}},
			trust:  protocol.TrustShareTo, rule: policy.Rule{Name: "node bob", Source: "run time"}},
		{name: "run-time untrusted is a grant of nothing", addr: "10.0.1.7", doc: policy.Document{DefaultTrust: "peer", Subnets: []policy.SubnetRule{{CIDR: "10.0.1.7/32", Trust: "peer"}}},
			grants: []policy.Grant{{Node: bob, Trust: protocol.TrustUntrusted, Name: "Bob's old laptop"}},
			rule:   policy.Rule{Name: "node Bob's old laptop", Source: "run time"}},
		{name: "a run-time deny beats the configured grant", doc: policy.Document{Nodes: []policy.NodeRule{{ID: id, Trust: "peer", Name: "bob"}}},
			grants: []policy.Grant{{Node: bob, Trust: protocol.TrustPeer, Deny: true}},
			rule:   policy.Rule{Name: "deny node bob", Source: "run time"}},
		{name: "of two denies the one that cannot be cleared is named", doc: policy.Document{Nodes: []policy.NodeRule{{ID: id, Deny: true, Name: "bob", Line: 6}}},
			grants: []policy.Grant{{Node: bob, Deny: true}},
			rule:   policy.Rule{Name: "deny node bob", Source: "config.toml", Line: 6}},
		{name: "a run-time grant cannot lift a configured deny", doc: policy.Document{Nodes: []policy.NodeRule{{ID: id, Deny: true, Name: "bob", Line: 6}}},
			grants: []policy.Grant{{Node: bob, Trust: protocol.TrustPeer}},
			rule:   policy.Rule{Name: "deny node bob", Source: "config.toml", Line: 6}},
		{name: "IPv6", addr: "fd00:1::7", doc: policy.Document{Subnets: []policy.SubnetRule{{CIDR: "fd00::/16", Deny: true}, {CIDR: "fd00:1::/64", Trust: "peer"}}},
			trust: protocol.TrustPeer, rule: policy.Rule{Name: "subnet fd00:1::/64", Source: "config.toml"}},
		{name: "a zone does not slip past a deny", addr: "fe80::1%eth0", doc: policy.Document{DefaultTrust: "peer", Subnets: []policy.SubnetRule{{CIDR: "fe80::/10", Deny: true}}},
			rule: policy.Rule{Name: "deny subnet fe80::/10", Source: "config.toml"}},
		{name: "a mapped address is IPv4", addr: "::ffff:10.0.1.7", doc: policy.Document{DefaultTrust: "peer", Subnets: []policy.SubnetRule{{CIDR: "::/0", Trust: "share_to"}, {CIDR: "10.0.1.0/24", Deny: true}}},
			rule: policy.Rule{Name: "deny subnet 10.0.1.0/24", Source: "config.toml"}},
		{name: "a mapped prefix is IPv4", addr: "10.0.1.7", doc: policy.Document{DefaultTrust: "peer", Subnets: []policy.SubnetRule{{CIDR: "::ffff:10.0.1.0/120", Deny: true}}},
			rule: policy.Rule{Name: "deny subnet 10.0.1.0/24", Source: "config.toml"}},
		{name: "IPv4 is not inside ::/0", addr: "10.0.1.7", doc: policy.Document{Subnets: []policy.SubnetRule{{CIDR: "::/0", Trust: "peer"}}},
			rule: policy.Rule{Name: "default_trust", Source: "default"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := compile(t, c.doc, c.grants...)
			var addr netip.Addr
			if c.addr != "" {
				addr = netip.MustParseAddr(c.addr)
			}
			trust, rule := e.Resolve(bob, addr, time.Unix(1_800_000_000, 0))
			if trust != c.trust || rule != c.rule {
				t.Errorf("got %s by %+v, want %s by %+v", trust, rule, c.trust, c.rule)
			}
			d := e.Decide(policy.Request{Peer: bob, Addr: addr, Action: policy.ActionConnect})
			if d.Allowed != (c.trust != protocol.TrustUntrusted) || d.Rule != c.rule {
				t.Errorf("the decision to connect is %+v", d)
			}
		})
	}
}

func TestClearingARunTimeGrantBringsTheConfiguredOneBack(t *testing.T) {
	bob := nodeID(1)
	doc := policy.Document{Nodes: []policy.NodeRule{{ID: string(bob), Trust: "query_from", Name: "bob", Line: 3}}}
	if d := compile(t, doc, policy.Grant{Node: bob, Deny: true}).Decide(ask(bob, "", policy.ActionConnect)); d.Allowed {
		t.Error("the denied node may connect")
	}
	d := compile(t, doc).Decide(ask(bob, "", policy.ActionConnect))
	if !d.Allowed || d.Trust != protocol.TrustQueryFrom || d.Rule.Line != 3 {
		t.Errorf("after the clear: %+v", d)
	}
}

func TestDeniedCategoriesBeatAllowedOnesAndOtherCoversItsTools(t *testing.T) {
	for _, c := range []struct {
		name             string
		allowed, denied  []string
		leaves, withheld []protocol.CommandCategory
	}{
		{name: "nothing written allows all", leaves: []protocol.CommandCategory{"git", "other", "other:terraform"}},
		{name: "allowed is a complete list", allowed: []string{"git", "other:terraform"},
			leaves: []protocol.CommandCategory{"git", "other:terraform"}, withheld: []protocol.CommandCategory{"docker", "other", "other:packer"}},
		{name: "denied takes away", denied: []string{"network", "other:terraform"},
			leaves: []protocol.CommandCategory{"git", "other", "other:packer"}, withheld: []protocol.CommandCategory{"network", "other:terraform"}},
		{name: "denied beats allowed", allowed: []string{"git", "docker"}, denied: []string{"git"},
			leaves: []protocol.CommandCategory{"docker"}, withheld: []protocol.CommandCategory{"git", "cargo"}},
		{name: "allowing other allows its tools", allowed: []string{"other"},
			leaves: []protocol.CommandCategory{"other", "other:terraform"}, withheld: []protocol.CommandCategory{"git"}},
		{name: "denying other denies its tools", allowed: []string{"other:terraform", "git"}, denied: []string{"other"},
			leaves: []protocol.CommandCategory{"git"}, withheld: []protocol.CommandCategory{"other", "other:terraform"}},
		{name: "one tool can be taken out of other", allowed: []string{"other"}, denied: []string{"other:terraform"},
			leaves: []protocol.CommandCategory{"other", "other:packer"}, withheld: []protocol.CommandCategory{"other:terraform"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := compile(t, policy.Document{AllowedCategories: c.allowed, DeniedCategories: c.denied})
			for _, cat := range c.leaves {
				if !e.AllowsCategory(cat) {
					t.Errorf("%s is withheld", cat)
				}
			}
			for _, cat := range c.withheld {
				if e.AllowsCategory(cat) {
					t.Errorf("%s leaves", cat)
				}
			}
		})
	}
}

func TestEngineDoesNotChangeWithItsArguments(t *testing.T) {
	bob := nodeID(1)
	doc := policy.Document{AllowedCategories: []string{"git"}, Nodes: []policy.NodeRule{{ID: string(bob), Trust: "untrusted"}}}
	grants := []policy.Grant{{Node: nodeID(2), Trust: protocol.TrustUntrusted}}
	e := compile(t, doc, grants...)
	doc.AllowedCategories[0], doc.Nodes[0].Trust, grants[0].Trust = "docker", "peer", protocol.TrustPeer
	e.Rules()[0].Trust = "peer"
	e.AllowedCategories()[0] = "docker"
	if e.AllowsCategory("docker") || e.Decide(ask(bob, "", policy.ActionConnect)).Allowed || e.Decide(ask(nodeID(2), "", policy.ActionConnect)).Allowed {
		t.Error("a change of the document reached the engine")
	}
	if r := e.Rules()[0]; r.Trust != "untrusted" {
		t.Errorf("a change of a returned rule reached the engine: %+v", r)
	}
}
