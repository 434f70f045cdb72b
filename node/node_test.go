package node

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.uber.org/goleak"

	"github.com/caro-mesh/caro-node/node/identity"
	"github.com/caro-mesh/caro-node/observer/event"
	"github.com/caro-mesh/caro-node/policy"
	"github.com/caro-mesh/caro-node/policy/audit"
	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/protocol/summary"
	"github.com/caro-mesh/caro-node/store"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(rotatorDirVariable); dir != "" {
		os.Exit(rotateUntilKilled(dir, os.Getenv(rotatorStepVariable)))
	}
	goleak.VerifyTestMain(m)
}

// noon is the clock of the tests: the middle of a Wednesday.
var noon = time.Date(2026, 3, 4, 12, 30, 0, 0, time.UTC)

// bench is what the workers of one node are made of, with a real store, without a network.
type bench struct {
	t     *testing.T
	key   *identity.Identity
	db    *store.Store
	gate  *audit.Gate
	clock func() time.Time
	reads counts // what the answerer reads from; the store unless a test says otherwise
}

func newBench(t *testing.T, doc policy.Document) *bench {
	t.Helper()
	key, err := identity.New(noon)
	if err != nil {
		t.Fatal(err)
	}
	clock := func() time.Time { return noon }
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "caro.db"), store.Options{Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	engine, err := policy.New(doc, nil)
	if err != nil {
		t.Fatal(err)
	}
	return &bench{t, key, db, audit.NewGate(engine, db.AuditLog()), clock, db}
}

// same is the lineage of nodes that never changed their keys.
func same(id protocol.NodeID) protocol.NodeID { return id }

// typed stores n commands of a category that started at the given time.
func (b *bench) typed(n int, c protocol.CommandCategory, risk protocol.RiskLevel, at time.Time) {
	b.t.Helper()
	events := make([]event.Event, n)
	for i := range events {
		ms := int64(100)
		events[i] = event.Event{ID: event.NewID(at), Timestamp: at, Shell: protocol.ShellBash, Command: fmt.Sprintf("%s command %d", c, i),
			Category: c, RiskLevel: risk, DurationMS: &ms, Pattern: fmt.Sprintf("%s %d", c, i%2)}
	}
	if err := b.db.Append(b.t.Context(), events); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) answerer() *answerer {
	return &answerer{key: b.key, gate: b.gate, heir: same, counts: b.reads, kept: b.db, now: b.clock, started: noon.Add(-time.Hour), logger: slog.New(slog.DiscardHandler)}
}

func (b *bench) publisher(pushed func(store.StoredSummary) error, peers ...protocol.NodeID) *publisher {
	p := newPublisher(b.key, b.gate, b.db, b.clock, slog.New(slog.DiscardHandler))
	p.quiet = 0
	p.connected = func() []target {
		var out []target
		for _, id := range peers {
			out = append(out, target{id, policy.Request{Peer: id, Action: policy.ActionReceiveSummary, Now: noon}})
		}
		return out
	}
	p.push = func(_ context.Context, _ protocol.NodeID, s store.StoredSummary) error { return pushed(s) }
	return p
}

// intake lets everybody connect.
func (b *bench) intake(now func() time.Time) *intake {
	return newIntake(b.db, open(b.t, b), func(id protocol.NodeID) []protocol.NodeID { return []protocol.NodeID{id} }, b.db.AuditLog(), now, slog.New(slog.DiscardHandler))
}

// pushAll pushes to everybody and waits until it is done.
func pushAll(ctx context.Context, p *publisher) {
	p.pushAll(ctx)
	p.pushes.Wait()
}

// records returns how many audit records of a type there are.
func (b *bench) records(t protocol.AuditEventType) []audit.Record {
	b.t.Helper()
	rs, err := b.db.AuditRecords(b.t.Context(), store.AuditFilter{Types: []protocol.AuditEventType{t}, Limit: 1000})
	if err != nil {
		b.t.Fatal(err)
	}
	return rs
}

func trusting(id protocol.NodeID, trust string) policy.Document {
	return policy.Document{Nodes: []policy.NodeRule{{ID: string(id), Trust: trust}}}
}

func newKey(t *testing.T) *identity.Identity {
	t.Helper()
	k, err := identity.New(noon)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// ask puts a query of asker to the answerer and opens the response as the asker would.
func (b *bench) ask(asker *identity.Identity, qt protocol.QueryType, filters ...protocol.Filter) *protocol.MeshResponse {
	b.t.Helper()
	end := noon.Truncate(time.Hour).Add(time.Hour)
	q := &protocol.MeshQuery{QueryID: uuid.NewString(), Requester: asker.NodeID(), QueryType: qt, Filters: filters,
		TimeRange: protocol.TimeRange{Start: protocol.At(end.AddDate(0, 0, -7)), End: protocol.At(end)}}
	asked, err := protocol.SignQuery(q, asker, noon)
	if err != nil {
		b.t.Fatal(err)
	}
	wire, _, err := b.answerer().answer(b.t.Context(), asker.NodeID(), netip.Addr{}, q, asked)
	if err != nil {
		b.t.Fatal(err)
	}
	r, err := protocol.OpenResponse(wire)
	if err != nil {
		b.t.Fatal(err)
	}
	if r.QueryID != q.QueryID || r.Responder != b.key.NodeID() {
		b.t.Errorf("the response is to %s by %s", r.QueryID, r.Responder)
	}
	return r
}

// summaryOf makes the signed summary of another node with n commands on the day before noon.
func summaryOf(t *testing.T, key *identity.Identity, n uint64) (*protocol.NodeSummary, []byte) {
	t.Helper()
	p := protocol.PeriodAt(noon.AddDate(0, 0, -1), protocol.Daily)
	stat := protocol.CategoryStat{Category: protocol.CategoryGit, Count: n}
	stat.Derive()
	s := &protocol.NodeSummary{ID: uuid.NewString(), NodeID: key.NodeID(), Period: p, TotalCommands: n, GeneratedAt: protocol.At(noon),
		CategoryStats: []protocol.CategoryStat{stat}, SafetyStats: protocol.SafetyStats{ByRisk: protocol.RiskCounts{Safe: n}}}
	s.HourlyActivity[9], s.DailyActivity[protocol.MondayIndex(p.Start.Time().Weekday())] = n, n
	wire, err := protocol.SignSummary(s, key, noon)
	if err != nil {
		t.Fatal(err)
	}
	return s, wire
}

// open is a gate that lets everybody connect.
func open(t *testing.T, b *bench) *audit.Gate {
	t.Helper()
	engine, err := policy.New(policy.Document{DefaultTrust: "peer"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return audit.NewGate(engine, b.db.AuditLog())
}

func receive(t *testing.T, b *bench, n int) {
	t.Helper()
	in := b.intake(b.clock)
	for range n {
		key := newKey(t)
		s, wire := summaryOf(t, key, 10)
		if v, err := in.accept(t.Context(), key.NodeID(), netip.Addr{}, s, wire); v.Status != summary.StatusAccepted || err != nil {
			t.Fatalf("verdict %+v, %v", v, err)
		}
	}
}
