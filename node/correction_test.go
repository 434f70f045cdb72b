package node

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/caro-mesh/caro-node/observer/event"
	"github.com/caro-mesh/caro-node/policy"
	"github.com/caro-mesh/caro-node/policy/audit"
	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/protocol/summary"
	"github.com/caro-mesh/caro-node/store"
)

// own returns every own summary, current ones first by ID, and those that were replaced.
func own(t interface {
	Helper()
	Fatal(args ...any)
}, db *store.Store) (current map[protocol.Period]*protocol.NodeSummary, all map[string]store.StoredSummary) {
	t.Helper()
	current, all = make(map[protocol.Period]*protocol.NodeSummary), make(map[string]store.StoredSummary)
	mine := true
	f := store.SummaryFilter{Own: &mine, Replaced: true, Limit: store.MaxSummaries}
	for {
		list, next, err := db.Summaries(context.Background(), f)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range list {
			all[s.Summary.ID] = s
			if s.ReplacedBy == "" {
				if current[s.Summary.Period] != nil {
					t.Fatal("two summaries are current for ", s.Summary.Period)
				}
				current[s.Summary.Period] = s.Summary
			}
		}
		if f.Cursor = next; next == "" {
			return current, all
		}
	}
}

// receiver is another node to which summaries are pushed over a line that loses things.
type receiver struct {
	db   *store.Store
	in   *intake
	from protocol.NodeID
	lose func() string // "", "request" or "answer"
}

func (r *receiver) push(ctx context.Context, _ protocol.NodeID, s store.StoredSummary) error {
	lost := r.lose()
	if lost == "request" {
		return errors.New("the request is lost")
	}
	opened, err := protocol.OpenSummary(s.Wire)
	if err != nil {
		return err
	}
	v, err := r.in.accept(ctx, r.from, netip.Addr{}, opened, s.Wire)
	if err != nil {
		return err
	}
	if v.Status == summary.StatusRefused && v.Code != summary.CodeOutOfOrder {
		return errors.New("a well-behaved sender is refused: " + v.Reason)
	}
	if lost == "answer" {
		return errors.New("the answer is lost")
	}
	return refusalOf(v)
}

// recentEvent started within the last days before now, often at the edge of an hour, a day or a week.
func recentEvent(t *rapid.T, now time.Time) event.Event {
	e := anyEvent.Draw(t, "event")
	at := now.Add(-time.Duration(rapid.IntRange(0, 16*24).Draw(t, "hours ago")) * time.Hour)
	switch rapid.IntRange(0, 2).Draw(t, "edge") {
	case 0:
		at = at.Truncate(time.Hour)
	case 1:
		at = at.Truncate(24 * time.Hour).Add(-time.Nanosecond)
	}
	e.ID, e.Timestamp = event.NewID(at), at
	return e
}

// TestSummariesFollowWhateverHappensAndReceiversFollowThem lets commands be typed, imported late and deleted while the clock
// goes on, in steps and in jumps, and pushes over a line that loses requests and answers. In the end every summary counts
// what a recount gives, each that was replaced stands in one chain, and the receiver's current ones are the sender's.
func TestSummariesFollowWhateverHappensAndReceiversFollowThem(t *testing.T) {
	m := newHistorians(t)
	peer := newKey(t)
	checkFew(t, func(t *rapid.T) {
		ctx := context.Background()
		now := time.Date(2026, 3, 30, 10, 17, 0, 0, time.UTC) // a Monday, the day after the clocks went forward
		clock := func() time.Time { return now }
		h, p := m.open(t, nil, clock)
		defer func() { _ = h.db.Close() }()
		engine, err := policy.New(trusting(peer.NodeID(), "share_to"), nil)
		if err != nil {
			t.Fatal(err)
		}
		p.gate.SetEngine(engine)
		r := m.receiver(t, clock)
		defer func() { _ = r.db.Close() }()
		r.lose = func() string {
			return rapid.SampledFrom([]string{"", "", "", "request", "answer"}).Draw(t, "lost")
		}
		p.connected = func() []target {
			return []target{{peer.NodeID(), policy.Request{Peer: peer.NodeID(), Action: policy.ActionReceiveSummary, Now: now}}}
		}
		p.push = r.push
		step := func(d time.Duration) {
			now = now.Add(d)
			if _, err := p.generate(ctx); err != nil {
				t.Fatal(err)
			}
			pushAll(ctx, p)
		}
		for range rapid.IntRange(2, 8).Draw(t, "steps") {
			if rapid.Bool().Draw(t, "typed or imported") {
				var list []event.Event
				for range rapid.IntRange(1, 4).Draw(t, "events") {
					list = append(list, recentEvent(t, now))
				}
				h.add(t, list, h.db.Append(ctx, list))
			} else if len(h.events) > 0 {
				gone := rapid.SampledFrom(h.events).Draw(t, "gone")
				h.delete(t, []string{gone.ID})
			}
			step(rapid.SampledFrom([]time.Duration{time.Second, time.Minute, 20 * time.Minute, 5 * time.Hour, 26 * time.Hour}).Draw(t, "pause"))
		}
		r.lose = func() string { return "" }
		for range 4 {
			step(longestPause)
		}
		current, all := own(t, h.db)
		everything := h.shared(nil)
		for period, s := range current {
			if want := everything.within(period.Start.Time(), period.Granularity).counts(); countsOf(s) != countsOf(want) {
				t.Fatalf("the summary of %+v counts\n%s, and a recount\n%s", period, countsOf(s), countsOf(want))
			}
		}
		for _, period := range endedPeriods(now) {
			if n := len(everything.within(period.Start.Time(), period.Granularity)); n > 0 && current[period] == nil {
				t.Fatalf("%d commands of %+v are in no summary", n, period)
			}
		}
		successors := make(map[string]string)
		for id, s := range all {
			if s.Summary.Replaces == "" {
				continue
			}
			before, known := all[s.Summary.Replaces]
			if !known || before.ReplacedBy != id || before.Summary.Period != s.Summary.Period || successors[s.Summary.Replaces] != "" {
				t.Fatalf("%s does not follow %s in one chain", id, s.Summary.Replaces)
			}
			if sameCounts(before.Summary, s.Summary) {
				t.Fatalf("%s corrects nothing", id)
			}
			successors[s.Summary.Replaces] = id
		}
		received, err := r.db.ReceivedSummaries(ctx, now.AddDate(-1, 0, 0), now)
		if err != nil {
			t.Fatal(err)
		}
		has := make(map[protocol.Period]string)
		for _, s := range received {
			has[s.Period] = s.ID
			if current[s.Period] == nil || current[s.Period].ID != s.ID {
				t.Fatalf("the receiver holds %s for %+v, which is not the sender's current one", s.ID, s.Period)
			}
		}
		for period, s := range current {
			if period.End.Time().After(now.Add(-pushHistory)) && has[period] != s.ID {
				t.Fatalf("the receiver has no summary of %+v", period)
			}
		}
	})
}

func (m *historians) receiver(t *rapid.T, now func() time.Time) *receiver {
	h, _ := m.open(t, nil, now)
	engine, err := policy.New(policy.Document{DefaultTrust: "peer"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	in := newIntake(h.db, audit.NewGate(engine, h.db.AuditLog()), func(id protocol.NodeID) []protocol.NodeID { return []protocol.NodeID{id} },
		h.db.AuditLog(), now, slog.New(slog.DiscardHandler))
	return &receiver{db: h.db, in: in, from: m.key.NodeID()}
}
