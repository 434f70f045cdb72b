package audit_test

import (
	"context"
	"errors"
	"maps"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/caro-mesh/caro-node/policy"
	"github.com/caro-mesh/caro-node/policy/audit"
	"github.com/caro-mesh/caro-node/protocol"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// memoryLog keeps records as the store does, or fails with err.
type memoryLog struct {
	mu      sync.Mutex
	records []audit.Record
	err     error
}

func (l *memoryLog) Append(ctx context.Context, e audit.Event) (audit.Record, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := errors.Join(ctx.Err(), l.err); err != nil {
		return audit.Record{}, err
	}
	var last audit.Record
	if n := len(l.records); n > 0 {
		last = l.records[n-1]
	}
	r, err := audit.Next(last, e, testTime)
	if err == nil {
		l.records = append(l.records, r)
	}
	return r, err
}

var (
	bob = nodeID(1) // peer
	eve = nodeID(2) // denied by name
	dan = nodeID(3) // supervisor
)

func engine(t testing.TB, doc policy.Document) *policy.Engine {
	t.Helper()
	doc.Nodes = []policy.NodeRule{
		{ID: string(bob), Trust: "peer", Name: "bob", Line: 14},
		{ID: string(eve), Deny: true, Name: "eve", Line: 18},
		{ID: string(dan), Trust: "supervisor", Name: "dan", Line: 22},
	}
	e, err := policy.New(doc, nil)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func query(peer protocol.NodeID) policy.Request {
	return policy.Request{Peer: peer, Addr: netip.MustParseAddr("::ffff:10.0.0.7"), Action: policy.ActionQuery, QueryType: protocol.QueryToolUsage,
		TimeRange: protocol.TimeRange{Start: protocol.At(time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)), End: protocol.At(time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC))}, Now: testTime}
}

func TestAnAllowedRequestIsRecordedOnceWithItsRule(t *testing.T) {
	log := &memoryLog{}
	gate := audit.NewGate(engine(t, policy.Document{}), log)
	extra := map[string]string{"query_id": "q1", "rule": "forged by the caller", "line": "1", "min_contributors": "1"}
	d, err := gate.Allow(context.Background(), query(bob), audit.Event{Type: protocol.AuditQueryReceived, Peer: eve, Details: extra})
	if err != nil || !d.Allowed || d.Level != protocol.LevelSummarized {
		t.Fatalf("%+v, %v", d, err)
	}
	if len(log.records) != 1 {
		t.Fatalf("%d records", len(log.records))
	}
	r := log.records[0]
	want := map[string]string{"query_id": "q1", "action": "query", "trust": "peer", "rule": "node bob", "source": "config.toml", "line": "14",
		"reason": d.Reason, "addr": "10.0.0.7", "query_type": "tool_usage", "range_start": "2026-11-01T00:00:00Z", "range_end": "2026-11-02T00:00:00Z", "level": "summarized"}
	if r.Type != protocol.AuditQueryReceived || r.Peer != bob || !r.Success || !maps.Equal(r.Details, want) {
		t.Errorf("recorded %+v\nwant details %v", r, want)
	}
	if extra["rule"] != "forged by the caller" || len(extra) != 4 {
		t.Errorf("the caller's details were changed: %v", extra)
	}
}

func TestADenialIsRecordedOnceAndCannotLookLikeSuccess(t *testing.T) {
	for _, c := range []struct {
		name     string
		request  policy.Request
		asked    protocol.AuditEventType
		recorded protocol.AuditEventType
		rule     string
	}{
		{"query", query(eve), protocol.AuditQueryReceived, protocol.AuditQueryReceived, "deny node eve"},
		{"query of the usual type", query(eve), "", protocol.AuditQueryReceived, "deny node eve"},
		{"connection", policy.Request{Peer: eve, Action: policy.ActionConnect}, protocol.AuditPeerConnected, protocol.AuditPolicyViolation, "deny node eve"},
		{"connection of the usual type", policy.Request{Peer: nodeID(9), Action: policy.ActionConnect}, "", protocol.AuditPolicyViolation, "default_trust"},
		{"summary", policy.Request{Peer: dan, Action: policy.ActionReceiveSummary}, protocol.AuditSummaryShared, protocol.AuditSummaryShared, "node dan"},
		{"query without a known action", policy.Request{Peer: bob, Action: "steal"}, "", protocol.AuditPolicyViolation, "action"},
	} {
		t.Run(c.name, func(t *testing.T) {
			log := &memoryLog{}
			gate := audit.NewGate(engine(t, policy.Document{}), log)
			d, err := gate.Allow(context.Background(), c.request, audit.Event{Type: c.asked})
			var denied *audit.DeniedError
			if !errors.As(err, &denied) || !errors.Is(err, audit.ErrDenied) || errors.Is(err, audit.ErrNotRecorded) || denied.Cause != nil {
				t.Fatalf("error %v", err)
			}
			if d.Allowed || denied.Decision != d || d.Level != protocol.LevelAggregated || d.Rule.Name != c.rule {
				t.Errorf("decision %+v, in the error %+v", d, denied.Decision)
			}
			if !strings.Contains(err.Error(), d.Reason) || !strings.Contains(err.Error(), d.Rule.Name) {
				t.Errorf("the error %q does not tell rule and reason", err)
			}
			if len(log.records) != 1 {
				t.Fatalf("%d records", len(log.records))
			}
			r := log.records[0]
			if r.Success || r.Type != c.recorded || r.Peer != c.request.Peer || r.Details["rule"] != c.rule || r.Details["reason"] != d.Reason || r.Details["level"] != "" {
				t.Errorf("recorded %+v", r)
			}
		})
	}
}

func TestAnAllowedConnectionIsNeverRecordedAsAViolation(t *testing.T) {
	for _, asked := range []protocol.AuditEventType{"", protocol.AuditPeerConnected, protocol.AuditPolicyViolation} {
		log := &memoryLog{}
		if _, err := audit.NewGate(engine(t, policy.Document{}), log).Allow(context.Background(), policy.Request{Peer: bob, Action: policy.ActionConnect}, audit.Event{Type: asked}); err != nil {
			t.Fatal(err)
		}
		if r := log.records[0]; r.Type != protocol.AuditPeerConnected || !r.Success {
			t.Errorf("asked for type %q, recorded %+v", asked, r)
		}
	}
}

func TestAnAggregatedAnswerIsRecordedWithItsThreshold(t *testing.T) {
	log := &memoryLog{}
	d, err := audit.NewGate(engine(t, policy.Document{MinContributors: 8}), log).Allow(context.Background(), query(dan), audit.Event{})
	if err != nil || d.Level != protocol.LevelAggregated || d.MinContributors != 8 {
		t.Fatalf("%+v, %v", d, err)
	}
	if r := log.records[0]; r.Details["level"] != "aggregated" || r.Details["min_contributors"] != "8" {
		t.Errorf("recorded %v", r.Details)
	}
}

func TestWhatCannotBeRecordedIsRefused(t *testing.T) {
	full := errors.New("no space left on device")
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	for _, c := range []struct {
		name  string
		ctx   context.Context
		log   *memoryLog
		peer  protocol.NodeID
		typ   protocol.AuditEventType
		cause error
	}{
		{"the disk is full", context.Background(), &memoryLog{err: full}, bob, "", full},
		{"the disk is full, and it is denied anyway", context.Background(), &memoryLog{err: full}, eve, "", full},
		{"the context has ended", cancelled, &memoryLog{}, bob, "", context.Canceled},
		{"the type is unknown", context.Background(), &memoryLog{}, bob, "coffee_made", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, err := audit.NewGate(engine(t, policy.Document{}), c.log).Allow(c.ctx, query(c.peer), audit.Event{Type: c.typ})
			var denied *audit.DeniedError
			if !errors.As(err, &denied) || !errors.Is(err, audit.ErrDenied) || !errors.Is(err, audit.ErrNotRecorded) {
				t.Fatalf("error %v", err)
			}
			if c.cause != nil && !errors.Is(err, c.cause) {
				t.Errorf("the error %v hides its cause %v", err, c.cause)
			}
			if d.Allowed || denied.Decision != d || d.Level != protocol.LevelAggregated || d.Reason == "" {
				t.Errorf("decision %+v", d)
			}
			if strings.Contains(d.Reason, full.Error()) || protocol.CheckText("reason", d.Reason, protocol.MaxReason) != nil {
				t.Errorf("the reason is not fit for the peer: %q", d.Reason)
			}
			if len(c.log.records) != 0 {
				t.Errorf("%d records", len(c.log.records))
			}
		})
	}
}

func TestPeekDecidesTheSameAndLeavesNoRecord(t *testing.T) {
	log := &memoryLog{}
	gate := audit.NewGate(engine(t, policy.Document{}), log)
	for _, peer := range []protocol.NodeID{bob, eve, dan, nodeID(9)} {
		peeked := gate.Peek(query(peer))
		if n := len(log.records); n != 0 {
			t.Fatalf("a peek left %d records", n)
		}
		if d, _ := gate.Allow(context.Background(), query(peer), audit.Event{}); d != peeked { // the decision carries the outcome
			t.Errorf("peek %+v, allow %+v", peeked, d)
		}
		log.records = nil
	}
}

func TestAGateWithoutAPolicyDeniesEverything(t *testing.T) {
	log := &memoryLog{}
	gate := audit.NewGate(nil, log)
	if _, err := gate.Allow(context.Background(), query(bob), audit.Event{}); !errors.Is(err, audit.ErrDenied) {
		t.Errorf("without an engine: %v", err)
	}
	gate.SetEngine(engine(t, policy.Document{}))
	if _, err := gate.Allow(context.Background(), query(bob), audit.Event{}); err != nil {
		t.Errorf("with an engine: %v", err)
	}
	gate.SetEngine(nil)
	if _, err := gate.Allow(context.Background(), query(bob), audit.Event{}); !errors.Is(err, audit.ErrDenied) {
		t.Errorf("after it was taken away: %v", err)
	}
}

// Each decision must come whole from one policy: outcome, error and record agree, whatever is replaced meanwhile.
func TestPoliciesCanBeReplacedWhileRequestsAreDecided(t *testing.T) {
	log := &memoryLog{}
	open, closed := engine(t, policy.Document{MaxLevel: "summarized"}), engine(t, policy.Document{MaxLevel: "raw"})
	gate := audit.NewGate(open, log)
	const askers, each = 4, 200
	var wg sync.WaitGroup
	for range askers {
		wg.Go(func() {
			for range each {
				d, err := gate.Allow(context.Background(), query(bob), audit.Event{})
				if (err == nil) != d.Allowed || d.Allowed != (d.Rule.Name == "node bob") {
					t.Errorf("%+v, %v", d, err)
				}
			}
		})
	}
	wg.Go(func() {
		for i := range each {
			gate.SetEngine([]*policy.Engine{open, closed}[i%2])
		}
	})
	wg.Wait()
	if v := verify(t, log.records); !v.OK || v.Entries != askers*each {
		t.Fatalf("%+v", v)
	}
	for _, r := range log.records {
		if r.Success != (r.Details["rule"] == "node bob") || r.Success != (r.Details["level"] == "summarized") {
			t.Fatalf("the record contradicts itself: %+v", r)
		}
	}
}

func TestARecordedQueryHoldsWhatAnotherPolicyNeedsToDecideIt(t *testing.T) {
	log := &memoryLog{}
	gate := audit.NewGate(engine(t, policy.Document{}), log)
	want := query(bob)
	if _, err := gate.Allow(context.Background(), want, audit.Event{}); err != nil {
		t.Fatal(err)
	}
	r := log.records[0]
	got := policy.Request{Peer: r.Peer, Action: policy.Action(r.Details["action"]), QueryType: protocol.QueryType(r.Details["query_type"]), Now: r.Timestamp.Time()}
	if err := errors.Join(got.TimeRange.Start.UnmarshalText([]byte(r.Details["range_start"])), got.TimeRange.End.UnmarshalText([]byte(r.Details["range_end"]))); err != nil {
		t.Fatal(err)
	}
	addr, err := netip.ParseAddr(r.Details["addr"])
	if err != nil {
		t.Fatal(err)
	}
	got.Addr, want.Addr = addr, want.Addr.Unmap()
	if got != want {
		t.Errorf("read back %+v, want %+v", got, want)
	}
}

func TestOnlyQueriesThatWereAllowedCountAgainstTheLimitOfAPeer(t *testing.T) {
	gate := audit.NewGate(engine(t, policy.Document{QueriesPerHour: 3}), &memoryLog{})
	allow := func(r policy.Request) bool {
		_, err := gate.Allow(context.Background(), r, audit.Event{})
		return err == nil
	}
	for range 10 {
		if !gate.Peek(query(bob)).Allowed {
			t.Fatal("looking counts as asking")
		}
	}
	for n := range 3 {
		if !allow(query(bob)) {
			t.Fatalf("query %d of 3 is refused", n+1)
		}
	}
	for range 5 {
		if _, err := gate.Allow(context.Background(), query(bob), audit.Event{}); !errors.Is(err, audit.ErrDenied) {
			t.Fatalf("a query above the limit: %v", err)
		}
	}
	if d := gate.Peek(query(bob)); d.Allowed || d.Rule.Name != "queries_per_hour" {
		t.Errorf("a look above the limit: %+v", d)
	}
	if !allow(query(dan)) {
		t.Error("one peer's queries count for another")
	}
	later := query(bob)
	later.Now = later.Now.Add(62 * time.Minute)
	if !allow(later) {
		t.Error("refused queries count, so that the peer is refused for ever")
	}
}

func TestQueriesAtTheSameMomentCannotPassTheLimitTogether(t *testing.T) {
	gate := audit.NewGate(engine(t, policy.Document{QueriesPerHour: 5}), &memoryLog{})
	var mu sync.Mutex
	allowed := 0
	var wg sync.WaitGroup
	for range 40 {
		wg.Go(func() {
			if _, err := gate.Allow(context.Background(), query(bob), audit.Event{}); err == nil {
				mu.Lock()
				defer mu.Unlock()
				allowed++
			}
		})
	}
	wg.Wait()
	if allowed != 5 {
		t.Errorf("%d of 5 queries were allowed", allowed)
	}
}
