package policy_test

import (
	"strings"
	"testing"
	"time"

	"github.com/caro-mesh/caro-node/policy"
	"github.com/caro-mesh/caro-node/protocol"
)

// asking is a query of bob's about so many hours up to now.
func asking(q protocol.QueryType, hours int, recent policy.Recent) policy.Request {
	return policy.Request{Peer: nodeID(1), Action: policy.ActionQuery, QueryType: q, Now: midday, Recent: recent,
		TimeRange: protocol.TimeRange{Start: protocol.At(midday.Add(-time.Duration(hours) * time.Hour)), End: protocol.At(midday)}}
}

func TestEachLimitRefusesWithItsRuleAndAReason(t *testing.T) {
	bob := policy.NodeRule{ID: string(nodeID(1)), Trust: "peer", Name: "bob", Line: 9}
	narrow := bob
	narrow.QueryTypes, narrow.MaxHistoryDays, narrow.QueriesPerHour = []string{"tool_usage"}, 7, 20
	origins := map[string]policy.Origin{"query_types": {Line: 2}, "max_history_days": {Line: 3}, "queries_per_hour": {Line: 4}}
	everybody := policy.Document{QueryTypes: []string{"tool_usage"}, MaxHistoryDays: 7, QueriesPerHour: 20, Origins: origins, Nodes: []policy.NodeRule{bob}}
	one := policy.Document{Nodes: []policy.NodeRule{narrow}}
	for _, c := range []struct {
		name   string
		req    policy.Request
		key    string // of the rule that refuses; empty: allowed
		line   int
		reason string
	}{
		{"within every limit", asking("tool_usage", 7*24, policy.Recent{Hour: 19, Burst: 9}), "", 0, ""},
		{"a type that is not answered", asking("safety_posture", 24, policy.Recent{}), "query_types", 2, "query_types"},
		{"too far back", asking("tool_usage", 7*24+2, policy.Recent{}), "max_history_days", 3, "the last 7 days only"},
		{"too many in an hour", asking("tool_usage", 24, policy.Recent{Hour: 20}), "queries_per_hour", 4, "at most 20 queries an hour and 10 within six minutes"},
		{"too many at once", asking("tool_usage", 24, policy.Recent{Hour: 10, Burst: 10}), "queries_per_hour", 4, "ask again later"},
	} {
		for where, doc := range map[string]policy.Document{"everybody": everybody, "node": one} {
			d := compile(t, doc).Decide(c.req)
			rule := policy.Rule{Name: c.key, Source: "config.toml", Line: c.line}
			if where == "node" {
				rule = policy.Rule{Name: "node bob: " + c.key, Source: "config.toml", Line: 9}
			}
			if c.key == "" {
				rule = policy.Rule{Name: "node bob", Source: "config.toml", Line: 9}
			}
			if d.Allowed != (c.key == "") || d.Rule != rule || !strings.Contains(d.Reason, c.reason) {
				t.Errorf("%s, limit of %s: %+v, want the rule %+v and %q", c.name, where, d, rule, c.reason)
			}
			if !d.Allowed && d.Level != protocol.LevelAggregated {
				t.Errorf("%s, limit of %s: a denial carries level %s", c.name, where, d.Level)
			}
		}
	}
}

func TestAnEntryNarrowsAndNeverWidens(t *testing.T) {
	wide := policy.NodeRule{ID: string(nodeID(1)), Trust: "peer", QueryTypes: []string{"tool_usage", "safety_posture"}, MaxHistoryDays: 90, QueriesPerHour: 5000, Line: 9}
	e := compile(t, policy.Document{QueryTypes: []string{"tool_usage"}, MaxHistoryDays: 7, QueriesPerHour: 20, Nodes: []policy.NodeRule{wide}})
	for name, r := range map[string]policy.Request{
		"type":    asking("safety_posture", 24, policy.Recent{}),
		"history": asking("tool_usage", 30*24, policy.Recent{}),
		"rate":    asking("tool_usage", 24, policy.Recent{Hour: 20}),
	} {
		if d := e.Decide(r); d.Allowed || strings.HasPrefix(d.Rule.Name, "node") {
			t.Errorf("%s: %+v", name, d)
		}
	}
	none := compile(t, policy.Document{QueryTypes: []string{"node_health"}, Nodes: []policy.NodeRule{wide}})
	for _, q := range protocol.QueryTypes() {
		if d := none.Decide(asking(q, 24, policy.Recent{})); d.Allowed {
			t.Errorf("%s: nothing is in both lists, and it is answered", q)
		}
	}
}

func TestLimitsOfANodeOutliveAGrantMadeAtRunTimeAndAChangeOfKey(t *testing.T) {
	bob, next := nodeID(1), nodeID(2)
	doc := policy.Document{Nodes: []policy.NodeRule{{ID: string(bob), Trust: "share_to", QueryTypes: []string{"tool_usage"}}}}
	change := policy.Succession{Old: bob, New: next, ValidFrom: midday.Add(-time.Hour), Until: midday.Add(time.Hour)}
	for name, grants := range map[string][]policy.Grant{
		"grant to the old key": {{Node: bob, Trust: protocol.TrustPeer}},
		"grant to the new key": {{Node: bob, Trust: protocol.TrustPeer}, {Node: next, Trust: protocol.TrustPeer}},
	} {
		e, err := policy.New(doc, grants, change)
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range []protocol.NodeID{bob, next} {
			usage, posture := asking("tool_usage", 24, policy.Recent{}), asking("safety_posture", 24, policy.Recent{})
			usage.Peer, posture.Peer = id, id
			if a, b := e.Decide(usage), e.Decide(posture); !a.Allowed || b.Allowed {
				t.Errorf("%s, %s: tool_usage %t, safety_posture %t", name, id.Fingerprint(), a.Allowed, b.Allowed)
			}
		}
	}
}

func TestHealthIsNotAskedBackAndATimeWithoutAClockIs(t *testing.T) {
	e := compile(t, policy.Document{DefaultTrust: "peer", MaxHistoryDays: 1})
	if d := e.Decide(asking(protocol.QueryNodeHealth, 7*24, policy.Recent{})); !d.Allowed {
		t.Errorf("health: %s", d.Reason)
	}
	r := asking(protocol.QueryToolUsage, 1, policy.Recent{})
	r.Now = time.Time{}
	if d := e.Decide(r); d.Allowed {
		t.Error("a request without a time is answered about any time")
	}
}
