package policy_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/pelletier/go-toml/v2"

	"github.com/caro-mesh/caro-node/policy"
	"github.com/caro-mesh/caro-node/protocol"
)

func TestFaultsNameTheirLineAndWhatToWrite(t *testing.T) {
	a, b := string(nodeID(1)), string(nodeID(2))
	line := func(key string, n int) map[string]policy.Origin { return map[string]policy.Origin{key: {Line: n}} }
	for _, c := range []struct {
		name string
		doc  policy.Document
		want []string // parts of the message
	}{
		{"unknown max_level", policy.Document{MaxLevel: "all", Origins: line("max_level", 3)},
			[]string{"config.toml:3: ", `"all"`, "raw, summarized, aggregated"}},
		{"max_level written empty", policy.Document{Origins: line("max_level", 3)}, []string{"config.toml:3: ", "max_level", `""`}},
		{"unknown default_trust", policy.Document{DefaultTrust: "friend", Origins: map[string]policy.Origin{"default_trust": {Source: "environment variable CARO_POLICY_DEFAULT_TRUST"}}},
			[]string{"environment variable CARO_POLICY_DEFAULT_TRUST: ", `"friend"`, "untrusted, share_to, query_from, peer, supervisor"}},
		{"a faulty value is a fault even where a default is said to be", policy.Document{MaxLevel: "all", Origins: map[string]policy.Origin{"max_level": {Source: "default"}}},
			[]string{"default: ", `"all"`}},
		{"one contributor", policy.Document{MinContributors: 1, Origins: line("min_contributors", 4)}, []string{"config.toml:4: ", "min_contributors is 1", "from 2"}},
		{"zero contributors written", policy.Document{Origins: line("min_contributors", 4)}, []string{"config.toml:4: ", "min_contributors is 0"}},
		{"negative contributors", policy.Document{MinContributors: -5}, []string{"config.toml: ", "min_contributors is -5"}},
		{"too many contributors", policy.Document{MinContributors: protocol.MaxContributors + 1}, []string{"10000"}},
		{"unknown query type", policy.Document{QueryTypes: []string{"tool_usage", "commands"}, Origins: line("query_types", 4)}, []string{"config.toml:4: ", "query_types", `"commands"`, "node_health"}},
		{"negative history", policy.Document{MaxHistoryDays: -1, Origins: line("max_history_days", 4)}, []string{"config.toml:4: ", "max_history_days is -1", "0 for no limit"}},
		{"endless history", policy.Document{MaxHistoryDays: 36501}, []string{"max_history_days is 36501"}},
		{"no queries written", policy.Document{Origins: line("queries_per_hour", 4)}, []string{"config.toml:4: ", "queries_per_hour is 0", "from 1 to 100000"}},
		{"too many queries", policy.Document{QueriesPerHour: 100_001}, []string{"queries_per_hour is 100001"}},
		{"unknown query type for a node", policy.Document{Nodes: []policy.NodeRule{{ID: a, Trust: "peer", QueryTypes: []string{"all"}, Line: 14}}},
			[]string{"config.toml:14: ", "[[policy.nodes]] number 1: query_types", `"all"`}},
		{"negative history for a subnet", policy.Document{Subnets: []policy.SubnetRule{{CIDR: "10.0.0.0/8", Trust: "peer", MaxHistoryDays: -3, Line: 14}}},
			[]string{"config.toml:14: ", "[[policy.subnets]] number 1: max_history_days is -3"}},
		{"negative queries for a node", policy.Document{Nodes: []policy.NodeRule{{ID: a, Trust: "peer", QueriesPerHour: -3, Line: 14}}},
			[]string{"config.toml:14: ", "[[policy.nodes]] number 1: queries_per_hour is -3"}},
		{"unknown allowed category", policy.Document{AllowedCategories: []string{"git", "svn"}, Origins: line("allowed_categories", 5)},
			[]string{"config.toml:5: ", `"svn"`, "file_ops"}},
		{"private tool", policy.Document{DeniedCategories: []string{"other:our-deploy-script"}}, []string{"denied_categories", "publicly known"}},
		{"unknown trust", policy.Document{Nodes: []policy.NodeRule{{ID: a, Trust: "frend", Line: 14}}},
			[]string{"config.toml:14: ", "[[policy.nodes]] number 1", `"frend"`, "untrusted, share_to, query_from, peer, supervisor"}},
		{"neither trust nor deny", policy.Document{Nodes: []policy.NodeRule{{ID: a, Line: 14}}}, []string{"config.toml:14: ", "trust", "deny = true"}},
		{"not an ID", policy.Document{Source: "my.toml", Nodes: []policy.NodeRule{{ID: "bob", Trust: "peer", Line: 14}}}, []string{"my.toml:14: ", `"bob"`, "caro-node id"}},
		{"name that drives a terminal", policy.Document{Nodes: []policy.NodeRule{{ID: a, Trust: "peer", Name: "bob\x1b[2J", Line: 14}}}, []string{"config.toml:14: ", "unprintable"}},
		{"node twice", policy.Document{Nodes: []policy.NodeRule{{ID: a, Trust: "peer", Line: 14}, {ID: b, Trust: "peer", Line: 18}, {ID: a, Trust: "share_to", Line: 22}}},
			[]string{"config.toml:22: ", "[[policy.nodes]] number 3", a, "on line 14"}},
		{"deny with an unknown trust", policy.Document{Nodes: []policy.NodeRule{{ID: a, Trust: "frend", Deny: true, Line: 14}}}, []string{"config.toml:14: ", `"frend"`}},
		{"not a subnet", policy.Document{Subnets: []policy.SubnetRule{{CIDR: "10.0.1.0", Trust: "peer", Line: 30}}}, []string{"config.toml:30: ", "[[policy.subnets]] number 1", "10.0.1.0/24"}},
		{"address inside a subnet", policy.Document{Subnets: []policy.SubnetRule{{CIDR: "10.0.1.5/24", Trust: "peer", Line: 30}}}, []string{"config.toml:30: ", "10.0.1.0/24", "10.0.1.5/32"}},
		{"subnet with unknown trust", policy.Document{Subnets: []policy.SubnetRule{{CIDR: "10.0.1.0/24", Trust: "Peer", Line: 30}}}, []string{"config.toml:30: ", `"Peer"`}},
		{"subnet twice in two spellings", policy.Document{Subnets: []policy.SubnetRule{{CIDR: "10.0.1.0/24", Trust: "peer", Line: 30}, {CIDR: "::ffff:10.0.1.0/120", Trust: "peer", Line: 34}}},
			[]string{"config.toml:34: ", "10.0.1.0/24", "on line 30"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := c.doc.Validate()
			if err == nil {
				t.Fatal("the document is accepted")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not say %q", err, want)
				}
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("one fault is told in several lines: %q", err)
			}
			var de *policy.DocumentError
			if !errors.As(err, &de) || de.Unwrap() == nil || strings.Contains(de.Unwrap().Error(), de.Source+":") {
				t.Errorf("%q carries no DocumentError with its cause", err)
			}
		})
	}
}

func TestAllFaultsAreToldAtOnce(t *testing.T) {
	err := policy.Document{MaxLevel: "all", DefaultTrust: "all", AllowedCategories: []string{"all"},
		Nodes: []policy.NodeRule{{ID: "all", Line: 7}}, Subnets: []policy.SubnetRule{{CIDR: "all", Line: 9}}}.Validate()
	if lines := strings.Split(err.Error(), "\n"); len(lines) != 5 {
		t.Errorf("five faults are told in %d lines: %q", len(lines), lines)
	}
}

func TestEmptyDocumentIsValidAndTrustsNobody(t *testing.T) {
	e := compile(t, policy.Document{})
	if e.MaxLevel() != protocol.LevelSummarized || e.DefaultTrust() != protocol.TrustUntrusted || e.MinContributors() != policy.DefaultMinContributors {
		t.Errorf("defaults are %s, %s, %d", e.MaxLevel(), e.DefaultTrust(), e.MinContributors())
	}
	if len(e.AllowedCategories()) != 0 || len(e.DeniedCategories()) != 0 {
		t.Errorf("categories are %v and %v", e.AllowedCategories(), e.DeniedCategories())
	}
}

func TestMalformedGrantsAreRefused(t *testing.T) {
	for name, grants := range map[string][]policy.Grant{
		"no node":       {{Trust: protocol.TrustPeer}},
		"bad node":      {{Node: "caro:ed25519:AAAA", Trust: protocol.TrustPeer}},
		"unknown trust": {{Node: nodeID(1), Trust: 5}},
		"twice":         {{Node: nodeID(1), Trust: protocol.TrustPeer}, {Node: nodeID(1), Deny: true}},
	} {
		if e, err := policy.New(policy.Document{}, grants); err == nil || e != nil || !strings.Contains(err.Error(), "run time") {
			t.Errorf("%s: engine %v, error %v", name, e, err)
		}
	}
}

func TestDocumentReadsFromTOML(t *testing.T) {
	id := string(nodeID(1))
	text := `
max_level = "aggregated"
default_trust = "share_to"
min_contributors = 9
share_event_count = true
allowed_categories = ["git", "other"]
denied_categories = ["network"]
query_types = ["tool_usage", "node_health"]
max_history_days = 30
queries_per_hour = 40

[[nodes]]
id = "` + id + `"
trust = "peer"
name = "bob"
query_types = ["tool_usage", "anomalies"]
max_history_days = 7
queries_per_hour = 1

[[nodes]]
id = "` + string(nodeID(2)) + `"
deny = true

[[subnets]]
cidr = "10.0.1.0/24"
trust = "supervisor"

[[subnets]]
cidr = "fd00::/8"
deny = true
`
	var doc policy.Document
	if err := toml.NewDecoder(strings.NewReader(text)).DisallowUnknownFields().Decode(&doc); err != nil {
		t.Fatal(err)
	}
	e := compile(t, doc)
	var got []string
	for _, r := range e.Rules() {
		got = append(got, strings.Join([]string{string(r.Kind), r.Match, r.Trust, r.Note}, "|"))
	}
	want := []string{
		"deny|" + string(nodeID(2)) + "|deny|",
		"node|" + id + "|peer|may ask only: tool_usage; at most 7 days back; at most 1 query an hour",
		"subnet|10.0.1.0/24|supervisor|",
		"subnet|fd00::/8|deny|",
		"default|*|share_to|",
		"cap|*||aggregated: answers leave only together with those of others",
		"cap|*||9 nodes or more in an aggregated answer",
		"cap|*||health statuses tell the whole mesh how many commands the last 24 hours had",
		"cap|*||only these queries are answered: tool_usage, node_health",
		"cap|*||queries may begin 30 days back",
		"cap|*||at most 40 queries of each node are answered within an hour, and 10 within six minutes",
		"cap|*||only these leave: git, other",
		"cap|*||never leave: network",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestOwnFieldsOfTheDocumentAreNotKeys(t *testing.T) {
	for _, text := range []string{`Source = "x"`, `source = "x"`, "[origins.max_level]\nline = 1", "[[nodes]]\nline = 4", "[[subnets]]\nLine = 4"} {
		var doc policy.Document
		if err := toml.NewDecoder(strings.NewReader(text)).DisallowUnknownFields().Decode(&doc); err == nil {
			t.Errorf("%q is accepted", text)
		}
	}
}
