package node

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/caro-mesh/caro-node/policy"
	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/protocol/exchange"
	"github.com/caro-mesh/caro-node/protocol/summary"
	"github.com/caro-mesh/caro-node/store"
)

func TestAPeerIsAnsweredAndTheAnswerIsOnRecordBeforeItLeaves(t *testing.T) {
	asker := newKey(t)
	b := newBench(t, trusting(asker.NodeID(), "query_from"))
	b.typed(3, protocol.CategoryGit, protocol.RiskSafe, noon.Add(-2*time.Hour))
	b.typed(1, protocol.CategoryDocker, protocol.RiskHigh, noon.Add(-time.Hour))
	r := b.ask(asker, protocol.QueryToolUsage)
	if r.Status != protocol.StatusSuccess || r.Data.ToolUsage.TotalCommands != 4 {
		t.Fatalf("got %+v", r)
	}
	if want := []protocol.Fingerprint{b.key.Fingerprint()}; !slices.Equal(r.Contributors, want) {
		t.Errorf("contributors %v, want %v", r.Contributors, want)
	}
	sent := b.records(protocol.AuditResponseSent)
	if len(sent) != 1 || sent[0].Peer != asker.NodeID() || sent[0].Details["query_id"] != r.QueryID || sent[0].Details["bytes"] == "" {
		t.Errorf("recorded %+v", sent)
	}
}

func TestADeniedQueryIsAnAnswerWithAReasonAndReadsNothing(t *testing.T) {
	asker := newKey(t)
	b := newBench(t, trusting(asker.NodeID(), "share_to"))
	b.reads = nil // reading would panic
	b.typed(1, protocol.CategoryGit, protocol.RiskSafe, noon)
	r := b.ask(asker, protocol.QueryToolUsage)
	if r.Status != protocol.StatusAccessDenied || r.Reason == "" || r.Data != nil {
		t.Errorf("got %+v", r)
	}
	got := b.records(protocol.AuditQueryReceived)
	if len(got) != 1 || got[0].Success || got[0].Details["rule"] == "" {
		t.Errorf("recorded %+v", got)
	}
}

func TestDeniedCategoriesAreInNoAnswer(t *testing.T) {
	asker := newKey(t)
	doc := trusting(asker.NodeID(), "peer")
	doc.DeniedCategories = []string{"docker"}
	b := newBench(t, doc)
	b.typed(3, protocol.CategoryGit, protocol.RiskSafe, noon.Add(-2*time.Hour))
	b.typed(5, protocol.CategoryDocker, protocol.RiskCritical, noon.Add(-2*time.Hour))
	if r := b.ask(asker, protocol.QueryToolUsage); r.Data.ToolUsage.TotalCommands != 3 {
		t.Errorf("tool usage counts %+v", r.Data.ToolUsage)
	}
	if r := b.ask(asker, protocol.QuerySafetyPosture); r.Data.Safety.TotalCommands != 3 || r.Data.Safety.ByRisk.Critical != 0 {
		t.Errorf("safety counts %+v", r.Data.Safety)
	}
	if r := b.ask(asker, protocol.QueryNodeHealth); r.Data.Health.EventCount24h != 3 {
		t.Errorf("health counts %+v", r.Data.Health)
	}
	if r := b.ask(asker, protocol.QueryActivityPatterns); r.Data.Activity.Hourly[10] != 3 {
		t.Errorf("activity counts %+v", r.Data.Activity)
	}
	if r := b.ask(asker, protocol.QueryToolUsage, protocol.Filter{Field: "category", Operator: protocol.OpEquals, Value: "docker"}); r.Status != protocol.StatusNoData {
		t.Errorf("asking for the denied category gives %s", r.Status)
	}
}

func TestWhatAPolicyLimitsIsToldToTheAskerAndReadsNothing(t *testing.T) {
	for name, narrow := range map[string]func(*policy.Document){
		"query_types":      func(d *policy.Document) { d.QueryTypes = []string{"node_health"} },
		"max_history_days": func(d *policy.Document) { d.MaxHistoryDays = 3 }, // seven are asked for
		"queries_per_hour": func(d *policy.Document) { d.QueriesPerHour = 1 },
	} {
		asker := newKey(t)
		doc := trusting(asker.NodeID(), "peer")
		narrow(&doc)
		b := newBench(t, doc)
		if name == "queries_per_hour" {
			if r := b.ask(asker, protocol.QueryToolUsage); r.Status != protocol.StatusNoData {
				t.Errorf("%s: the first query: %+v", name, r)
			}
		}
		b.reads = nil // reading would panic
		if r := b.ask(asker, protocol.QueryToolUsage); r.Status != protocol.StatusAccessDenied || r.Reason == "" {
			t.Errorf("%s: %+v", name, r)
		}
		got := b.records(protocol.AuditQueryReceived)
		if last := got[len(got)-1]; last.Success || last.Details["rule"] != name {
			t.Errorf("%s: recorded as %+v", name, last)
		}
	}
}

func TestABadFilterIsToldToTheAsker(t *testing.T) {
	asker := newKey(t)
	b := newBench(t, trusting(asker.NodeID(), "peer"))
	r := b.ask(asker, protocol.QueryToolUsage, protocol.Filter{Field: "cwd", Operator: protocol.OpEquals, Value: "/"})
	if r.Status != protocol.StatusError || !strings.Contains(r.Reason, "unknown field") {
		t.Errorf("got %+v", r)
	}
}

func TestASupervisorGetsSumsOverEnoughNodesOnly(t *testing.T) {
	boss := newKey(t)
	b := newBench(t, trusting(boss.NodeID(), "supervisor"))
	b.typed(2, protocol.CategoryGit, protocol.RiskSafe, noon.Add(-2*time.Hour))
	nobody := newBench(t, trusting(boss.NodeID(), "supervisor")).ask(boss, protocol.QueryToolUsage)
	receive(t, b, 3) // with this node's own: 4 contributors of at least 5
	if some := b.ask(boss, protocol.QueryToolUsage); some.Status != nobody.Status || some.Reason != nobody.Reason {
		t.Errorf("a supervisor can tell nobody (%s) from somebody (%s)", nobody.Reason, some.Reason)
	}
	if r := b.ask(boss, protocol.QueryToolUsage); r.Status != protocol.StatusAccessDenied || !strings.Contains(r.Reason, "fewer than 5") || r.Data != nil {
		t.Errorf("below the threshold: %+v", r)
	}
	receive(t, b, 1)
	r := b.ask(boss, protocol.QueryToolUsage)
	if r.Status != protocol.StatusSuccess || r.Data.ToolUsage.TotalCommands != 42 || len(r.Contributors) != 5 {
		t.Fatalf("above the threshold: %+v", r)
	}
	if git := r.Data.ToolUsage.ByCategory[0]; git.NodeCount != 5 {
		t.Errorf("five nodes used git, the answer says %d", git.NodeCount)
	}
	if r := b.ask(boss, protocol.QueryToolUsage, protocol.Filter{Field: "category", Operator: protocol.OpEquals, Value: "git"}); r.Status == protocol.StatusSuccess {
		t.Errorf("a filtered aggregate was answered: %+v", r)
	}
	for _, qt := range []protocol.QueryType{protocol.QueryNodeHealth, protocol.QueryAnomalies} {
		if r := b.ask(boss, qt); r.Status == protocol.StatusSuccess {
			t.Errorf("%s singles out a node and was answered: %+v", qt, r)
		}
	}
}

func TestSummariesOfFuturePeriodsAreRefusedAndRecorded(t *testing.T) {
	b := newBench(t, policy.Document{})
	in := b.intake(func() time.Time { return noon.AddDate(0, 0, -30) })
	key := newKey(t)
	s, wire := summaryOf(t, key, 1)
	v, err := in.accept(t.Context(), key.NodeID(), netip.Addr{}, s, wire)
	if v.Code != summary.CodeFuture || err != nil || !strings.Contains(v.Reason, "future") {
		t.Errorf("verdict %+v, %v", v, err)
	}
	if got := b.records(protocol.AuditPolicyViolation); len(got) != 1 || got[0].Peer != key.NodeID() {
		t.Errorf("recorded %+v", got)
	}
}

func TestASummaryIsStoredOnceAndASecondContentForItsPeriodIsRefused(t *testing.T) {
	b := newBench(t, policy.Document{})
	in := b.intake(b.clock)
	key := newKey(t)
	s, wire := summaryOf(t, key, 7)
	other, otherWire := summaryOf(t, key, 8)
	for i, c := range []struct {
		s    *protocol.NodeSummary
		wire []byte
		want summary.Status
	}{{s, wire, summary.StatusAccepted}, {s, wire, summary.StatusDuplicate}, {other, otherWire, summary.StatusRefused}} {
		if got, err := in.accept(t.Context(), key.NodeID(), netip.Addr{}, c.s, c.wire); got.Status != c.want || err != nil {
			t.Errorf("summary %d: verdict %+v, %v; want %s", i, got, err, c.want)
		}
	}
}

func TestEndedPeriodsAreSummarizedOnceAndPushedOnce(t *testing.T) {
	peer, stranger := newKey(t), newKey(t)
	b := newBench(t, trusting(peer.NodeID(), "share_to"))
	b.typed(4, protocol.CategoryGit, protocol.RiskSafe, noon.Add(-26*time.Hour))
	b.typed(2, protocol.CategoryGit, protocol.RiskSafe, noon) // its hour, day and week have not ended
	var pushed []store.StoredSummary
	p := b.publisher(func(s store.StoredSummary) error { pushed = append(pushed, s); return nil }, peer.NodeID(), stranger.NodeID())
	for range 2 {
		if _, err := p.generate(t.Context()); err != nil {
			t.Fatal(err)
		}
		pushAll(t.Context(), p)
	}
	if len(pushed) != 2 {
		t.Fatalf("pushed %d summaries, want the hour and the day", len(pushed))
	}
	for _, s := range pushed {
		opened, err := protocol.OpenSummary(s.Wire)
		if err != nil || opened.TotalCommands != 4 || opened.UniquePatterns != 2 {
			t.Errorf("pushed %+v, %v", opened, err)
		}
	}
	if got := b.records(protocol.AuditSummaryGenerated); len(got) != 2 {
		t.Errorf("recorded %d generated summaries", len(got))
	}
	for _, r := range b.records(protocol.AuditSummaryShared) {
		if r.Peer != peer.NodeID() {
			t.Errorf("recorded a summary for %s", r.Peer)
		}
	}
}

func TestAFailedPushIsTriedAgainAndOnRecordEachTime(t *testing.T) {
	peer := newKey(t)
	b := newBench(t, trusting(peer.NodeID(), "share_to"))
	b.typed(1, protocol.CategoryGit, protocol.RiskSafe, noon.Add(-2*time.Hour))
	fail, attempts := true, 0
	p := b.publisher(func(store.StoredSummary) error {
		// What may leave is recorded before it does.
		if attempts++; len(b.records(protocol.AuditSummaryShared)) < attempts {
			t.Error("the summary was sent before it was recorded")
		}
		if fail {
			return errors.New("the line is dead")
		}
		return nil
	}, peer.NodeID())
	if _, err := p.generate(t.Context()); err != nil {
		t.Fatal(err)
	}
	pushAll(t.Context(), p)
	fail = false
	pushAll(t.Context(), p) // too soon
	p.now = func() time.Time { return noon.Add(longestPause) }
	pushAll(t.Context(), p)
	pushAll(t.Context(), p)
	if attempts != 2 {
		t.Errorf("%d attempts, want one that failed and one that did not", attempts)
	}
}

func TestARefusedSummaryHoldsNoOtherUp(t *testing.T) {
	peer := newKey(t)
	b := newBench(t, trusting(peer.NodeID(), "share_to"))
	b.typed(1, protocol.CategoryGit, protocol.RiskSafe, noon.Add(-26*time.Hour)) // an hour and a day
	offered := make(map[string]int)
	first := ""
	p := b.publisher(func(s store.StoredSummary) error {
		if offered[s.Summary.ID]++; first == "" {
			first = s.Summary.ID
		}
		if s.Summary.ID == first {
			return errRefusedSummary
		}
		return nil
	}, peer.NodeID())
	if _, err := p.generate(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		pushAll(t.Context(), p)
	}
	if len(offered) != 2 || offered[first] != 1 {
		t.Errorf("offered %v, want each of two once", offered)
	}
}

func TestASlowPeerHoldsNoOtherUp(t *testing.T) {
	slow, quick := newKey(t), newKey(t)
	doc := trusting(slow.NodeID(), "share_to")
	doc.Nodes = append(doc.Nodes, policy.NodeRule{ID: string(quick.NodeID()), Trust: "share_to"})
	b := newBench(t, doc)
	b.typed(1, protocol.CategoryGit, protocol.RiskSafe, noon.Add(-2*time.Hour))
	release, served := make(chan struct{}), make(chan struct{})
	p := b.publisher(nil, slow.NodeID(), quick.NodeID())
	p.push = func(_ context.Context, to protocol.NodeID, _ store.StoredSummary) error {
		if to == slow.NodeID() {
			<-release
		} else {
			close(served)
		}
		return nil
	}
	if _, err := p.generate(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.pushAll(t.Context())
	select {
	case <-served:
	case <-time.After(30 * time.Second):
		t.Error("the quick peer waits for the slow one")
	}
	close(release)
	p.pushes.Wait()
}

func TestTheStoredSummaryOfAnEndedPeriodIsWhatThePreviewShows(t *testing.T) {
	b := newBench(t, policy.Document{})
	at := noon.Add(-2 * time.Hour)
	b.typed(1, protocol.CategoryGit, protocol.RiskSafe, at)
	p := b.publisher(nil)
	if _, err := p.generate(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.typed(1, protocol.CategoryGit, protocol.RiskSafe, at) // too late for the signed one
	s, wire, err := p.preview(t.Context(), protocol.Hourly, at)
	if err != nil {
		t.Fatal(err)
	}
	made, err := b.db.SummaryForPeriod(t.Context(), s.Period)
	if err != nil || string(made.Wire) != string(wire) || s.TotalCommands != 1 {
		t.Errorf("the preview shows %d commands, not what peers got (%v)", s.TotalCommands, err)
	}
}

func TestASummaryWithACategoryThatIsDeniedByNowStaysHere(t *testing.T) {
	peer := newKey(t)
	b := newBench(t, trusting(peer.NodeID(), "share_to"))
	b.typed(1, protocol.CategoryDocker, protocol.RiskSafe, noon.Add(-2*time.Hour))
	p := b.publisher(func(store.StoredSummary) error { t.Error("it was pushed"); return nil }, peer.NodeID())
	if _, err := p.generate(t.Context()); err != nil {
		t.Fatal(err)
	}
	doc := trusting(peer.NodeID(), "share_to")
	doc.DeniedCategories = []string{"docker"}
	engine, err := policy.New(doc, nil)
	if err != nil {
		t.Fatal(err)
	}
	b.gate.SetEngine(engine)
	pushAll(t.Context(), p)
}

// TestTheOutcomesAddUp checks the ledger of a query for any mixture of replies.
func TestTheOutcomesAddUp(t *testing.T) {
	errs := []error{exchange.ErrNotConnected, exchange.ErrRateLimited, exchange.ErrBusy, errors.New("anything")}
	statuses := []protocol.ResponseStatus{protocol.StatusAccessDenied, protocol.StatusNoData, protocol.StatusNotSupported, protocol.StatusError}
	rapid.Check(t, func(t *rapid.T) {
		var replies []reply
		var want uint64
		for i := range rapid.IntRange(0, 12).Draw(t, "nodes") {
			c := candidate{id: protocol.NodeID(uuid.NewString())}
			fp := protocol.Fingerprint(strings.Repeat("0", 15) + string("0123456789abcdef"[i]))
			switch rapid.IntRange(0, 3).Draw(t, "kind") {
			case 0:
				replies = append(replies, reply{outcome: notConnected(candidate{refusedUs: rapid.Bool().Draw(t, "refused")})})
			case 1:
				replies = append(replies, reply{outcome: outcomeOf(c, nil, rapid.SampledFrom(errs).Draw(t, "error"))})
			case 2:
				r := &protocol.MeshResponse{Status: rapid.SampledFrom(statuses).Draw(t, "status")}
				replies = append(replies, reply{outcomeOf(c, r, nil), r})
			default:
				n := rapid.Uint64Range(1, 1000).Draw(t, "commands")
				want += n
				r := &protocol.MeshResponse{Status: protocol.StatusSuccess, Contributors: []protocol.Fingerprint{fp},
					Data: &protocol.ResponseData{Safety: &protocol.SafetySums{ByRisk: protocol.RiskCounts{Safe: n}, TotalCommands: n}}}
				replies = append(replies, reply{outcomeOf(c, r, nil), r})
			}
		}
		var res Result
		res.merge(replies)
		if len(res.Outcomes) != len(replies) {
			t.Fatalf("%d were asked, %d have an outcome", len(replies), len(res.Outcomes))
		}
		answered := 0
		for _, o := range res.Outcomes {
			if o.Outcome == Answered {
				answered++
			}
		}
		if answered != len(res.Contributors) || (res.Status == protocol.StatusSuccess) != (answered > 0) || (res.Data != nil) != (answered > 0) {
			t.Fatalf("%d answered, %d contributors, status %s, data %t", answered, len(res.Contributors), res.Status, res.Data != nil)
		}
		if res.Data != nil && res.Data.Safety.TotalCommands != want {
			t.Fatalf("sum %d, want %d", res.Data.Safety.TotalCommands, want)
		}
	})
}

func TestNoNodeIsCountedTwice(t *testing.T) {
	answer := func(n uint64, who ...protocol.Fingerprint) reply {
		r := &protocol.MeshResponse{Status: protocol.StatusSuccess, Contributors: who,
			Data: &protocol.ResponseData{Safety: &protocol.SafetySums{ByRisk: protocol.RiskCounts{Safe: n}, TotalCommands: n}}}
		return reply{outcomeOf(candidate{}, r, nil), r}
	}
	var res Result
	res.merge([]reply{answer(10, "a"), answer(60, "a", "b", "c"), answer(5, "d")})
	if res.Data.Safety.TotalCommands != 65 || !slices.Equal(res.Contributors, []protocol.Fingerprint{"a", "b", "c", "d"}) {
		t.Errorf("counted %d over %v", res.Data.Safety.TotalCommands, res.Contributors)
	}
	if o := res.Outcomes[0]; o.Outcome != Suppressed || !strings.Contains(o.Reason, "counts already") {
		t.Errorf("the answer that is in another one is %+v", o)
	}
}

func TestAWrongClockIsWarnedAboutAboveTheLimitAndNotAtIt(t *testing.T) {
	for skew, want := range map[time.Duration]int{0: 0, protocol.WarnSkew: 0, -protocol.WarnSkew: 0, protocol.WarnSkew + 1: 1, -protocol.WarnSkew - 1: 1} {
		var out strings.Builder
		warnSkew(slog.New(slog.NewTextHandler(&out, nil)), newKey(t).NodeID(), skew)
		if n := strings.Count(out.String(), "level=WARN"); n != want {
			t.Errorf("a skew of %s: %d warnings, want %d", skew, n, want)
		}
	}
}

func TestRepeatedRefusalsOfOnePeerAreRecordedOnceAnHour(t *testing.T) {
	var d denials
	a, b := newKey(t).NodeID(), newKey(t).NodeID()
	for i, step := range []struct {
		id    protocol.NodeID
		after time.Duration
		want  bool
	}{{a, 0, true}, {a, time.Minute, false}, {b, time.Minute, true}, {a, 59 * time.Minute, false}, {a, time.Hour, true}, {a, 61 * time.Minute, false}} {
		if got, _ := d.worthARecord(step.id, noon.Add(step.after)); got != step.want {
			t.Errorf("step %d: %t, want %t", i, got, step.want)
		}
	}
	d.forget(a)
	if worth, _ := d.worthARecord(a, noon.Add(62*time.Minute)); !worth {
		t.Error("after a change of trust the next refusal is not recorded")
	}
	recorded := 0
	for range 2 * maxDenials {
		if worth, _ := d.worthARecord(protocol.NodeID(uuid.NewString()), noon.Add(3*time.Hour)); worth {
			recorded++
		}
	}
	if recorded > denialsAtOnce || len(d.last) > maxDenials {
		t.Errorf("of %d strangers at once %d were recorded and %d remembered", 2*maxDenials, recorded, len(d.last))
	}
	if worth, muted := d.worthARecord(protocol.NodeID(uuid.NewString()), noon.Add(4*time.Hour)); !worth || muted != 2*maxDenials-recorded {
		t.Errorf("the next record (%t) tells of %d others, want %d", worth, muted, 2*maxDenials-recorded)
	}
}

func TestSequenceNumbersRiseAcrossBlocksAndRestarts(t *testing.T) {
	b := newBench(t, policy.Document{})
	var last uint64
	for range 3 { // a restart each
		s, err := newSequencer(t.Context(), b.db)
		if err != nil {
			t.Fatal(err)
		}
		for range sequenceBlock + 5 {
			n, err := s.Next()
			if err != nil {
				t.Fatal(err)
			}
			if n <= last {
				t.Fatalf("%d after %d", n, last)
			}
			last = n
		}
	}
}
