package node

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/caro-mesh/caro-node/node/identity"
	"github.com/caro-mesh/caro-node/policy"
	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/protocol/summary"
	"github.com/caro-mesh/caro-node/store"
)

// resign changes a summary and signs it anew.
func resign(t *testing.T, key *identity.Identity, s protocol.NodeSummary, edit func(*protocol.NodeSummary)) (*protocol.NodeSummary, []byte) {
	t.Helper()
	s.ID, s.Signature = uuid.NewString(), nil
	edit(&s)
	s.DailyActivity = [7]uint64{} // of the period that it has now
	s.DailyActivity[protocol.MondayIndex(s.Period.Start.Time().Weekday())] = s.TotalCommands
	wire, err := protocol.SignSummary(&s, key, noon)
	if err != nil {
		t.Fatal(err)
	}
	return &s, wire
}

func TestEveryRefusalOfASummaryHasItsCodeAndReasonAndIsOnRecord(t *testing.T) {
	key, other := newKey(t), newKey(t)
	good, goodWire := summaryOf(t, key, 7)
	for _, c := range []struct {
		code   summary.Code
		reason string
		from   *identity.Identity
		edit   func(*protocol.NodeSummary)
	}{
		{summary.CodeFuture, "in the future", key, func(s *protocol.NodeSummary) { s.Period = protocol.PeriodAt(noon, protocol.Daily) }},
		{summary.CodeEarly, "before its period had ended", key, func(s *protocol.NodeSummary) { s.GeneratedAt = s.Period.End - 1 }},
		{summary.CodeOld, "longer ago than anybody may ask", key, func(s *protocol.NodeSummary) { s.Period = protocol.PeriodAt(noon.AddDate(-1, 0, -3), protocol.Daily) }},
		{summary.CodeKey, "had the key", other, func(*protocol.NodeSummary) {}},
		{summary.CodeConflict, "no correction of it", key, func(*protocol.NodeSummary) {}},
		{summary.CodeOutOfOrder, "not the current summary", key, func(s *protocol.NodeSummary) { s.Replaces = uuid.NewString() }},
		{summary.CodeFull, "keeps no more than", key, func(s *protocol.NodeSummary) { s.Period = s.Period.Previous() }},
	} {
		t.Run(string(c.code), func(t *testing.T) {
			b := newBench(t, policy.Document{})
			in := b.intake(b.clock)
			if v, err := in.accept(t.Context(), key.NodeID(), netip.Addr{}, good, goodWire); v.Status != summary.StatusAccepted || err != nil {
				t.Fatalf("%+v, %v", v, err)
			}
			if c.code == summary.CodeFull {
				in.limit = int64(len(goodWire)) + 100
			}
			s, wire := resign(t, key, *good, c.edit)
			v, err := in.accept(t.Context(), c.from.NodeID(), netip.Addr{}, s, wire)
			if v.Status != summary.StatusRefused || v.Code != c.code || !strings.Contains(v.Reason, c.reason) || err != nil {
				t.Errorf("%+v, %v", v, err)
			}
			got := b.records(protocol.AuditPolicyViolation)
			if len(got) != 1 || got[0].Peer != c.from.NodeID() || got[0].Details["summary_id"] != s.ID || got[0].Details["kind"] != string(c.code) || got[0].Details["reason"] != v.Reason {
				t.Errorf("recorded %+v", got)
			}
			if _, err := b.db.Summary(t.Context(), s.ID); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("it was stored: %v", err)
			}
		})
	}
}

func TestANodeThatIsRefusedAllTheTimeDoesNotFillTheLog(t *testing.T) {
	b := newBench(t, policy.Document{})
	now := noon
	in := b.intake(func() time.Time { return now })
	key := newKey(t)
	good, _ := summaryOf(t, key, 7)
	s, wire := resign(t, key, *good, func(s *protocol.NodeSummary) { s.Period = protocol.PeriodAt(noon, protocol.Weekly) })
	const times = 500
	refuse := func() {
		if v, err := in.accept(t.Context(), key.NodeID(), netip.Addr{}, s, wire); v.Code != summary.CodeFuture || err != nil {
			t.Fatalf("%+v, %v", v, err)
		}
	}
	for range times {
		refuse()
	}
	got := b.records(protocol.AuditPolicyViolation)
	if len(got) != violationsAtOnce {
		t.Errorf("%d records of %d refusals", len(got), times)
	}
	now = now.Add(time.Second)
	refuse()
	last := b.records(protocol.AuditPolicyViolation)
	told := false
	for _, r := range last {
		told = told || r.Details["not_recorded"] == "480"
	}
	if len(last) != violationsAtOnce+1 || !told {
		t.Errorf("nothing tells of the refusals that are not on record: %+v", last[len(last)-1])
	}
}

func TestPushingToAPeerThatFailsPausesTwiceAsLongEachTimeUntilItAppearsAnew(t *testing.T) {
	peer := newKey(t)
	b := newBench(t, trusting(peer.NodeID(), "share_to"))
	b.typed(1, protocol.CategoryGit, protocol.RiskSafe, noon.Add(-2*time.Hour))
	attempts := 0
	p := b.publisher(func(store.StoredSummary) error { attempts++; return errPeerFull }, peer.NodeID())
	generate(t, p)
	now := noon
	p.now = func() time.Time { return now }
	for i, pause := range []time.Duration{30 * time.Second, time.Minute, 2 * time.Minute, 4 * time.Minute, 8 * time.Minute, 16 * time.Minute, 32 * time.Minute, time.Hour, time.Hour} {
		pushAll(t.Context(), p)
		now = now.Add(pause - 1)
		pushAll(t.Context(), p)
		if attempts != i+1 {
			t.Fatalf("%d attempts within the pause number %d", attempts, i+1)
		}
		now = now.Add(1)
	}
	pushAll(t.Context(), p)
	p.appeared(peer.NodeID())
	pushAll(t.Context(), p)
	if attempts != 11 {
		t.Errorf("%d attempts, and a peer that appears anew is tried at once", attempts)
	}
	p.connected = func() []target { return nil }
	pushAll(t.Context(), p)
	if len(p.recipients) != 0 {
		t.Errorf("%d peers that are gone are remembered", len(p.recipients))
	}
}

func TestABacklogIsPushedNoFasterThanAReceiverTakesIt(t *testing.T) {
	peer := newKey(t)
	b := newBench(t, trusting(peer.NodeID(), "share_to"))
	for h := range 50 {
		b.typed(1, protocol.CategoryGit, protocol.RiskSafe, noon.Add(-time.Duration(h+1)*time.Hour))
	}
	pushed := 0
	p := b.publisher(func(store.StoredSummary) error { pushed++; return nil }, peer.NodeID())
	generate(t, p)
	now := noon
	p.now = func() time.Time { return now }
	pushAll(t.Context(), p)
	if pushed != pushesAtOnce {
		t.Errorf("pushed %d at once, want %d", pushed, pushesAtOnce)
	}
	pushAll(t.Context(), p)
	if pushed != pushesAtOnce {
		t.Errorf("pushed %d at once, want %d", pushed, pushesAtOnce)
	}
	now = now.Add(publishEvery)
	pushAll(t.Context(), p)
	if list, err := b.db.UnpushedSummaries(t.Context(), peer.NodeID(), noon.Add(-pushHistory)); err != nil || len(list) != 0 {
		t.Errorf("%d are left, %v", len(list), err)
	}
}

func TestAPeerThatCannotReadCorrectionsGetsTheOtherSummaries(t *testing.T) {
	peer := newKey(t)
	b := newBench(t, trusting(peer.NodeID(), "share_to"))
	old := noon.Add(-3 * time.Hour)
	b.typed(1, protocol.CategoryGit, protocol.RiskSafe, old)
	got := make(map[string]uint64)
	p := b.publisher(nil, peer.NodeID())
	p.push = func(_ context.Context, _ protocol.NodeID, s store.StoredSummary) error {
		if s.Summary.Replaces != "" {
			return errRefusedSummary // what Node.push makes of a violation
		}
		got[s.Summary.ID] = s.Summary.TotalCommands
		return nil
	}
	generate(t, p)
	pushAll(t.Context(), p)
	b.typed(1, protocol.CategoryGit, protocol.RiskSafe, old)                    // corrects
	b.typed(1, protocol.CategoryGit, protocol.RiskSafe, noon.Add(-2*time.Hour)) // is new
	generate(t, p)
	pushAll(t.Context(), p)
	if len(got) != 2 {
		t.Errorf("it got %v, want both hours", got)
	}
}

func TestAPeerThatHoldsAnEarlierSummaryThanThisNodeRemembersGetsTheWholeChain(t *testing.T) {
	peer := newKey(t)
	b := newBench(t, trusting(peer.NodeID(), "share_to"))
	hour := noon.Add(-2 * time.Hour)
	p := b.publisher(nil)
	for i := range 3 { // the first, and two corrections, before the peer appears
		b.typed(1, protocol.CategoryGit, protocol.RiskSafe, hour)
		at(p, noon.Add(time.Duration(i)*correctEvery))
		generate(t, p)
	}
	var got []uint64
	p.push = func(_ context.Context, _ protocol.NodeID, s store.StoredSummary) error {
		if s.Summary.Period.Granularity != protocol.Hourly {
			return nil
		}
		if got = append(got, s.Summary.TotalCommands); len(got) == 1 {
			return errMissingLink
		}
		return nil
	}
	p.connected = func() []target {
		return []target{{peer.NodeID(), policy.Request{Peer: peer.NodeID(), Action: policy.ActionReceiveSummary, Now: noon}}}
	}
	for range 2 {
		pushAll(t.Context(), p)
	}
	if !slices.Equal(got, []uint64{3, 1, 2, 3}) {
		t.Errorf("pushed summaries of %v commands, want the last one, then all of the chain", got)
	}
}
