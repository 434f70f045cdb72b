package v1

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/caro-mesh/caro-node/protocol"
)

func TestOutcomesAddUpToEverybodyWhoWasAsked(t *testing.T) {
	outcomes := []Outcome{OutcomeAnswered, OutcomeDenied, OutcomeNoData, OutcomeNotSupported, OutcomeOffline, OutcomeTimedOut, OutcomeSuppressed, OutcomeError, "unheard of"}
	rapid.Check(t, func(t *rapid.T) {
		var c Coverage
		want := map[Outcome]int{}
		for _, o := range rapid.SliceOf(rapid.SampledFrom(outcomes)).Draw(t, "outcomes") {
			c.Add(NodeOutcome{Outcome: o})
			if o == "unheard of" {
				o = OutcomeError
			}
			want[o]++
		}
		sum := c.Answered + c.Denied + c.NoData + c.NotSupported + c.Offline + c.TimedOut + c.Suppressed + c.Error
		if sum != c.Asked || len(c.Nodes) != c.Asked {
			t.Fatalf("outcomes add up to %d with %d nodes, asked were %d", sum, len(c.Nodes), c.Asked)
		}
		got := map[Outcome]int{OutcomeAnswered: c.Answered, OutcomeDenied: c.Denied, OutcomeNoData: c.NoData, OutcomeNotSupported: c.NotSupported,
			OutcomeOffline: c.Offline, OutcomeTimedOut: c.TimedOut, OutcomeSuppressed: c.Suppressed, OutcomeError: c.Error}
		for o, n := range got {
			if n != want[o] {
				t.Fatalf("%d %s, want %d", n, o, want[o])
			}
		}
	})
}

func TestEveryQueryTypeHasItsData(t *testing.T) {
	for _, q := range protocol.QueryTypes() {
		in := QueryResult{SchemaVersion: SchemaVersion, QueryType: q, Status: protocol.StatusSuccess, Data: newData(q)}
		raw, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		out := QueryResult{Data: &NodeHealth{}} // what was there before does not stay
		if err := json.Unmarshal(raw, &out); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(in, out) || out.Data.QueryType() != q {
			t.Errorf("%s: %+v became %+v", q, in, out)
		}
	}
}

func TestResultsOfUnknownOrMalformedDataAreErrors(t *testing.T) {
	for _, text := range []string{`{"query_type":"weather","data":{}}`, `{"query_type":"tool_usage","data":[]}`, `{"query_type":"tool_usage","data":{"total_commands":-1}}`, `{"data":{}}`, `[]`} {
		var r QueryResult
		if err := json.Unmarshal([]byte(text), &r); err == nil {
			t.Errorf("%s was read as %+v", text, r)
		}
	}
	for _, text := range []string{`{"query_type":"weather","data":null}`, `{"query_type":"tool_usage","status":"no_data"}`} {
		r := QueryResult{Data: &NodeHealth{}}
		if err := json.Unmarshal([]byte(text), &r); err != nil || r.Data != nil {
			t.Errorf("%s: %+v, %v", text, r, err)
		}
	}
}

func TestSummariesShowTheSignedFieldsAtTheTop(t *testing.T) {
	raw, err := json.Marshal(SummaryDocument{SchemaVersion: SchemaVersion, Summary: Summary{NodeSummary: protocol.NodeSummary{ID: "x", TotalCommands: 7}, Own: true}})
	if err != nil {
		t.Fatal(err)
	}
	for _, field := range []string{`"schema_version":1`, `"id":"x"`, `"total_commands":7`, `"own":true`} {
		if !strings.Contains(string(raw), field) {
			t.Errorf("no %s in %s", field, raw)
		}
	}
}
