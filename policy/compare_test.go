package policy_test

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/caro-mesh/caro-node/policy"
	"github.com/caro-mesh/caro-node/protocol"
)

func shown(changes []policy.Change) (out []string) {
	for _, c := range changes {
		sign := "-"
		if c.Gains {
			sign = "+"
		}
		out = append(out, fmt.Sprintf("%s %s %s: %s > %s (%s > %s)", sign, c.Subject.Label, c.Right, c.Before, c.After, c.RuleBefore.Name, c.RuleAfter.Name))
	}
	return out
}

func TestAComparisonTellsWhoGainsAndWhoLosesWhat(t *testing.T) {
	bob, fp := nodeID(1), string(nodeID(1).Fingerprint())
	node := func(trust string) policy.NodeRule {
		return policy.NodeRule{ID: string(bob), Trust: trust, Name: "bob"}
	}
	for _, c := range []struct {
		name          string
		before, after policy.Document
		want          []string
	}{
		{"nothing changes", policy.Document{Nodes: []policy.NodeRule{node("peer")}}, policy.Document{Nodes: []policy.NodeRule{node("peer")}, MaxLevel: "summarized"}, nil},
		{"a node loses its summaries and is no witness any more", policy.Document{Nodes: []policy.NodeRule{node("peer")}}, policy.Document{Nodes: []policy.NodeRule{node("query_from")}},
			[]string{"- " + fp + " summaries: yes > no (node bob > node bob)", "- " + fp + " witness: yes > no (node bob > node bob)"}},
		{"a subnet is let in as far as connecting and summaries", policy.Document{}, policy.Document{Subnets: []policy.SubnetRule{{CIDR: "10.0.0.0/8", Trust: "share_to"}}},
			[]string{"+ nodes in 10.0.0.0/8 connect: no > yes (default_trust > subnet 10.0.0.0/8)", "+ nodes in 10.0.0.0/8 summaries: no > yes (default_trust > subnet 10.0.0.0/8)"}},
		{"an exception is made in a subnet", policy.Document{Subnets: []policy.SubnetRule{{CIDR: "10.0.0.0/8", Trust: "share_to"}}},
			policy.Document{Subnets: []policy.SubnetRule{{CIDR: "10.0.0.0/8", Trust: "share_to"}, {CIDR: "10.0.0.0/16", Deny: true}}},
			[]string{"- nodes in 10.0.0.0/16 connect: yes > no (subnet 10.0.0.0/8 > deny subnet 10.0.0.0/16)", "- nodes in 10.0.0.0/16 summaries: yes > no (subnet 10.0.0.0/8 > deny subnet 10.0.0.0/16)"}},
		{"limits", policy.Document{Nodes: []policy.NodeRule{node("query_from")}, QueryTypes: []string{"tool_usage"}},
			policy.Document{Nodes: []policy.NodeRule{node("query_from")}, QueryTypes: []string{"tool_usage", "anomalies"}, MaxHistoryDays: 7, QueriesPerHour: 1000},
			[]string{"+ " + fp + " query:anomalies: no > this node's own answer (query_types > node bob)", "- " + fp + " max_history_days: no limit > 7 (max_history_days > max_history_days)",
				"+ " + fp + " queries_per_hour: 600 > 1000 (queries_per_hour > queries_per_hour)"}},
		{"what everybody gets", policy.Document{DeniedCategories: []string{"git"}, MinContributors: 7}, policy.Document{DeniedCategories: []string{"docker"}, ShareEventCount: true},
			[]string{"- everybody category:docker: leaves > kept back (allowed_categories > denied_categories)", "+ everybody category:git: kept back > leaves (denied_categories > allowed_categories)",
				"+ everybody min_contributors: 7 > 5 (min_contributors > min_contributors)", "+ everybody share_event_count: no > yes (share_event_count > share_event_count)"}},
		{"everybody is trusted", policy.Document{}, policy.Document{DefaultTrust: "share_to"},
			[]string{"+ any other node connect: no > yes (default_trust > default_trust)", "+ any other node summaries: no > yes (default_trust > default_trust)"}},
	} {
		before, after := compile(t, c.before), compile(t, c.after)
		got := shown(policy.Compare(before, after, policy.Subjects(before, after), midday))
		if !slices.Equal(got, c.want) {
			t.Errorf("%s:\n got %q\nwant %q", c.name, got, c.want)
		}
		for i, back := range policy.Compare(after, before, policy.Subjects(before, after), midday) {
			if len(got) > 0 && back.Gains == (got[i][0] == '+') {
				t.Errorf("%s: the way back is no reverse: %+v", c.name, back)
			}
		}
	}
}

// Whoever may connect, get or ask something under one policy and not under the other is told of by a comparison.
func TestNoChangeOfADecisionIsLeftOutOfAComparison(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawWorld(t), drawWorld(t)
		before, err := policy.New(a.doc, a.grants)
		after, berr := policy.New(b.doc, b.grants)
		if err != nil || berr != nil {
			t.Fatal(err, berr)
		}
		r := a.req
		r.Recent, r.TimeRange = policy.Recent{}, protocol.TimeRange{Start: protocol.At(midday), End: protocol.At(r.Now)}
		was, is := before.Decide(r), after.Decide(r)
		if was.Allowed == is.Allowed && was.Level == is.Level {
			return
		}
		if found := policy.Compare(before, after, policy.Subjects(before, after), r.Now); !slices.ContainsFunc(found, func(c policy.Change) bool {
			return c.Gains == (is.Allowed && (!was.Allowed || is.Level == protocol.LevelSummarized))
		}) {
			t.Fatalf("%+v\nwas %+v\nis %+v\nfound %q", r, was, is, shown(found))
		}
	})
}
