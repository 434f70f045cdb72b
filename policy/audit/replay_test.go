package audit_test

import (
	"context"
	"testing"
	"time"

	"github.com/caro-mesh/caro-node/policy"
	"github.com/caro-mesh/caro-node/policy/audit"
	"github.com/caro-mesh/caro-node/protocol"
)

// asked lets the peers ask one gate, and returns what it recorded.
func asked(t testing.TB, doc policy.Document, requests ...policy.Request) []audit.Record {
	t.Helper()
	log := &memoryLog{}
	gate := audit.NewGate(engine(t, doc), log)
	for _, r := range requests {
		if _, err := gate.Allow(context.Background(), r, audit.Event{}); err != nil && log.err != nil {
			t.Fatal(err)
		}
	}
	for i := range log.records { // the test's log stamps all alike
		log.records[i].Timestamp = protocol.At(requests[i].Now)
	}
	return log.records
}

func replay(t *testing.T, doc policy.Document, records []audit.Record) *audit.Replay {
	t.Helper()
	p := audit.NewReplay(engine(t, doc))
	for _, r := range records {
		p.Add(r)
	}
	return p
}

func TestReplayingToTheSamePolicyChangesNothing(t *testing.T) {
	doc := policy.Document{MaxHistoryDays: 7, QueriesPerHour: 4}
	var requests []policy.Request
	for n := range 30 {
		r := query([]protocol.NodeID{bob, dan, eve}[n%3])
		r.QueryType = protocol.QueryTypes()[n%5]
		r.Now = testTime.Add(time.Duration(n) * time.Minute)
		r.TimeRange.Start = protocol.At(r.Now.Truncate(time.Hour).Add(-time.Duration(n) * 12 * time.Hour))
		requests = append(requests, r)
	}
	p := replay(t, doc, asked(t, doc, requests...))
	if p.Queries != 30 || p.Same != 30 || p.Unreadable != 0 || len(p.Changes()) != 0 {
		t.Errorf("%d queries, %d the same, %d unreadable, changes: %+v", p.Queries, p.Same, p.Unreadable, p.Changes())
	}
}

func TestAReplayTellsWhatAnotherPolicyWouldHaveDone(t *testing.T) {
	early, late := query(bob), query(bob)
	early.TimeRange.Start = protocol.At(testTime.Truncate(time.Hour).Add(-48 * time.Hour))
	late.TimeRange.Start = protocol.At(testTime.Truncate(time.Hour).Add(-48 * time.Hour))
	late.Now = testTime.Add(time.Minute)
	records := asked(t, policy.Document{}, early, query(eve), late, query(dan))
	for _, c := range []struct {
		name string
		doc  policy.Document
		want []audit.Replayed
	}{
		{"a shorter history", policy.Document{MaxHistoryDays: 1}, []audit.Replayed{
			{Peer: bob, QueryType: "tool_usage", Was: "summarized", Would: "denied", RuleWas: policy.Rule{Name: "node bob", Source: "config.toml", Line: 14}, RuleWould: policy.Rule{Name: "max_history_days", Source: "config.toml"}, Count: 2, First: early.Now, Last: late.Now},
			{Peer: dan, QueryType: "tool_usage", Was: "aggregated", Would: "denied", RuleWas: policy.Rule{Name: "node dan", Source: "config.toml", Line: 22}, RuleWould: policy.Rule{Name: "max_history_days", Source: "config.toml"}, Count: 1, First: testTime, Last: testTime}}},
		{"fewer queries", policy.Document{QueriesPerHour: 1}, []audit.Replayed{
			{Peer: bob, QueryType: "tool_usage", Was: "summarized", Would: "denied", RuleWas: policy.Rule{Name: "node bob", Source: "config.toml", Line: 14}, RuleWould: policy.Rule{Name: "queries_per_hour", Source: "config.toml"}, Count: 1, First: late.Now, Last: late.Now}}},
		{"sums only", policy.Document{MaxLevel: "aggregated"}, []audit.Replayed{
			{Peer: bob, QueryType: "tool_usage", Was: "summarized", Would: "aggregated", RuleWas: policy.Rule{Name: "node bob", Source: "config.toml", Line: 14}, RuleWould: policy.Rule{Name: "node bob", Source: "config.toml", Line: 14}, Count: 2, First: early.Now, Last: late.Now}}},
	} {
		got := replay(t, c.doc, records).Changes()
		for i := range got {
			if got[i].Reason == "" {
				t.Errorf("%s: no reason: %+v", c.name, got[i])
			}
			got[i].Reason = ""
			got[i].First, got[i].Last = got[i].First.UTC(), got[i].Last.UTC()
		}
		if len(got) != len(c.want) {
			t.Errorf("%s: %+v", c.name, got)
			continue
		}
		for i, w := range c.want {
			w.First, w.Last = w.First.UTC(), w.Last.UTC()
			if got[i] != w {
				t.Errorf("%s:\n got %+v\nwant %+v", c.name, got[i], w)
			}
		}
	}
}

func TestARecordThatDoesNotTellWhatWasAskedIsCountedAndNotGuessed(t *testing.T) {
	good := asked(t, policy.Document{}, query(bob))[0]
	for key, value := range map[string]string{"query_type": "commands", "addr": "nowhere", "range_start": "yesterday"} {
		r := good
		r.Details = map[string]string{"action": "query", "query_type": "tool_usage"}
		r.Details[key] = value
		if p := replay(t, policy.Document{}, []audit.Record{r}); p.Unreadable != 1 || p.Queries != 0 {
			t.Errorf("%s = %q: %d unreadable, %d queries", key, value, p.Unreadable, p.Queries)
		}
	}
	other := good
	other.Type = protocol.AuditSummaryShared
	if p := replay(t, policy.Document{}, []audit.Record{other}); p.Unreadable+p.Queries != 0 {
		t.Error("a record of another type counts")
	}
}

// BenchmarkReplay puts 10,000 recorded queries of three nodes to another policy: what "policy replay" costs beside reading the
// records. It prints microseconds a record; the goal is 50.
func BenchmarkReplay(b *testing.B) {
	const n = 10_000
	requests := make([]policy.Request, n)
	for i := range requests {
		r := query([]protocol.NodeID{bob, dan, eve}[i%3])
		r.QueryType = protocol.QueryTypes()[i%5]
		r.Now = testTime.Add(time.Duration(i) * 6 * time.Second)
		r.TimeRange.Start = protocol.At(r.Now.Truncate(time.Hour).Add(-time.Duration(i%90) * 24 * time.Hour))
		requests[i] = r
	}
	records, other := asked(b, policy.Document{}, requests...), engine(b, policy.Document{MaxHistoryDays: 30, QueriesPerHour: 100})
	for b.Loop() {
		p := audit.NewReplay(other)
		for _, r := range records {
			p.Add(r)
		}
		if p.Queries != n || p.Unreadable != 0 || p.Same == n || len(p.Changes()) == 0 {
			b.Fatalf("%d queries, %d unreadable, %d the same", p.Queries, p.Unreadable, p.Same)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/n, "µs/record(goal:50)")
}
