package node

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/caro-mesh/caro-node/observer/event"
	"github.com/caro-mesh/caro-node/policy"
	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/store"
)

// at sets the clock of a bench's publisher, and so of what it makes; the store's clock stands at noon.
func at(p *publisher, t time.Time) { p.now = func() time.Time { return t } }

func generate(t *testing.T, p *publisher) {
	t.Helper()
	if _, err := p.generate(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// signed counts the own summaries of a granularity that are current, and those that a correction replaced.
func signed(t *testing.T, b *bench, g protocol.Granularity) (current, replaced int) {
	t.Helper()
	_, all := own(t, b.db)
	for _, s := range all {
		switch {
		case s.Summary.Period.Granularity != g:
		case s.ReplacedBy == "":
			current++
		default:
			replaced++
		}
	}
	return current, replaced
}

func TestAfterSleepAndDowntimeEveryPeriodThatWasMissedIsMade(t *testing.T) {
	b := newBench(t, policy.Document{})
	var list []event.Event
	for h := range 60 * 24 { // a command in every hour of sixty days, while the node slept or was off
		start := noon.Add(-time.Duration(h) * time.Hour)
		list = append(list, event.Event{ID: event.NewID(start), Timestamp: start, Shell: protocol.ShellBash, Command: "ls", Category: protocol.CategoryGit})
	}
	if err := b.db.Append(t.Context(), list); err != nil {
		t.Fatal(err)
	}
	p := b.publisher(nil)
	generate(t, p)
	for g, want := range map[protocol.Granularity]int{protocol.Hourly: 48, protocol.Daily: 31, protocol.Weekly: 9} {
		if n, replaced := signed(t, b, g); n != want || replaced != 0 {
			t.Errorf("%d %s summaries, %d of them replaced; want %d", n, g, replaced, want)
		}
	}
	at(p, noon.Add(30*time.Hour)) // it slept, and nothing was typed
	generate(t, p)
	for g, want := range map[protocol.Granularity]int{protocol.Hourly: 48 + 1, protocol.Daily: 31 + 1, protocol.Weekly: 9} { // what had not ended at noon
		if n, _ := signed(t, b, g); n != want {
			t.Errorf("%d %s summaries after sleep, want %d", n, g, want)
		}
	}
}

func TestSummariesWaitForWhatWasReportedAndIsNotStoredYet(t *testing.T) {
	b := newBench(t, policy.Document{})
	hour := noon.Add(-2 * time.Hour)
	b.typed(1, protocol.CategoryGit, protocol.RiskSafe, hour)
	p := b.publisher(nil)
	waited := 0
	p.caughtUp = func(context.Context) error {
		if waited++; waited == 1 {
			b.typed(3, protocol.CategoryGit, protocol.RiskSafe, hour)
		}
		return nil
	}
	for range 3 {
		generate(t, p)
	}
	if s, err := b.db.SummaryForPeriod(t.Context(), protocol.PeriodAt(hour, protocol.Hourly)); err != nil || s.Summary.TotalCommands != 4 || s.Summary.Replaces != "" {
		t.Errorf("%+v, %v", s.Summary, err)
	}
	if waited != 1 {
		t.Errorf("asked %d times in the same hour", waited)
	}
	at(p, noon.Add(time.Hour))
	generate(t, p)
	if waited != 2 {
		t.Errorf("asked %d times in two hours", waited)
	}
}

func TestAnObserverThatCannotStoreHoldsSummariesUpNoLongerThanPatienceLasts(t *testing.T) {
	b := newBench(t, policy.Document{})
	b.typed(1, protocol.CategoryGit, protocol.RiskSafe, noon.Add(-2*time.Hour))
	p := b.publisher(nil)
	p.caughtUp = func(ctx context.Context) error {
		if deadline, limited := ctx.Deadline(); !limited || time.Until(deadline) > backlogPatience {
			t.Error("it may wait for ever")
		}
		return errors.New("too late")
	}
	generate(t, p)
	if n, _ := signed(t, b, protocol.Hourly); n != 1 {
		t.Errorf("%d summaries", n)
	}
}

func TestAnImportMakesOneCorrectionOfAPeriodNotOneOfEachPart(t *testing.T) {
	b := newBench(t, policy.Document{})
	now := noon
	db, err := store.Open(t.Context(), t.TempDir()+"/caro.db", store.Options{Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	b.db = db
	b.clock = func() time.Time { return now }
	hour := noon.Add(-5 * time.Hour)
	b.typed(1, protocol.CategoryGit, protocol.RiskSafe, hour)
	p := b.publisher(nil)
	generate(t, p)
	p.quiet = quietBefore
	for part := range 20 {
		now = now.Add(time.Second)
		b.typed(10, protocol.CategoryGit, protocol.RiskSafe, hour.Add(time.Duration(part)*time.Second))
		again, err := p.generate(t.Context())
		if err != nil || again != quietBefore {
			t.Fatalf("look again in %s, %v", again, err)
		}
	}
	if current, replaced := signed(t, b, protocol.Hourly); current != 1 || replaced != 0 {
		t.Errorf("%d current summaries and %d replaced ones while the import goes on", current, replaced)
	}
	now = now.Add(quietBefore)
	for range 3 {
		generate(t, p)
		now = now.Add(time.Minute)
	}
	if current, replaced := signed(t, b, protocol.Hourly); current != 1 || replaced != 1 {
		t.Errorf("%d current summaries and %d replaced ones after it", current, replaced)
	}
	s, err := b.db.SummaryForPeriod(t.Context(), protocol.PeriodAt(hour, protocol.Hourly))
	if err != nil || s.Summary.TotalCommands != 201 || s.Summary.Replaces == "" {
		t.Errorf("%+v, %v", s.Summary, err)
	}

	// Another late command a minute later waits, so that the corrections of a period keep a distance.
	b.typed(1, protocol.CategoryGit, protocol.RiskSafe, hour)
	now = now.Add(time.Minute)
	generate(t, p)
	if _, replaced := signed(t, b, protocol.Hourly); replaced != 1 {
		t.Errorf("%d were replaced within %s", replaced, correctEvery)
	}
	now = now.Add(correctEvery)
	generate(t, p)
	if _, replaced := signed(t, b, protocol.Hourly); replaced != 2 {
		t.Errorf("%d were replaced in the end", replaced)
	}
}

func TestChangesThatNeverEndAreNotWaitedForForEver(t *testing.T) {
	first := store.ChangedHour{Hour: noon, Changes: 9, First: noon, Last: noon.Add(patience - time.Second)}
	for now, want := range map[time.Time]bool{
		noon.Add(patience - time.Second):               true,
		noon.Add(patience):                             false, // it went on for too long
		noon.Add(patience - time.Second + quietBefore): false,
		noon.Add(-time.Hour):                           false, // the clock was put back: nothing tells how long it will seem recent
	} {
		if got := stillChanging([]store.ChangedHour{first}, now, quietBefore); got != want {
			t.Errorf("at %s: %t, want %t", now, got, want)
		}
	}
}

func TestADeletionIsCorrectedDownToNothing(t *testing.T) {
	b := newBench(t, policy.Document{})
	hour := noon.Add(-2 * time.Hour)
	e := event.Event{ID: event.NewID(hour), Timestamp: hour, Shell: protocol.ShellBash, Command: "ls", Category: protocol.CategoryGit}
	if err := b.db.Append(t.Context(), []event.Event{e}); err != nil {
		t.Fatal(err)
	}
	p := b.publisher(nil)
	generate(t, p)
	if _, err := b.db.DeleteEvents(t.Context(), []string{e.ID}); err != nil {
		t.Fatal(err)
	}
	generate(t, p)
	s, err := b.db.SummaryForPeriod(t.Context(), protocol.PeriodAt(hour, protocol.Hourly))
	if err != nil || s.Summary.TotalCommands != 0 || s.Summary.Replaces == "" {
		t.Errorf("%+v, %v", s.Summary, err)
	}
	records := b.records(protocol.AuditSummaryGenerated)
	if len(records) != 2 || records[0].Details["replaces"]+records[1].Details["replaces"] != s.Summary.Replaces {
		t.Errorf("recorded %+v", records)
	}
}

func TestRetentionIsNoReasonForACorrection(t *testing.T) {
	b := newBench(t, policy.Document{})
	at := noon.AddDate(0, 0, -10)
	b.typed(5, protocol.CategoryGit, protocol.RiskSafe, at)
	p := b.publisher(nil)
	generate(t, p)
	if _, err := b.db.ExpireEvents(t.Context(), noon.AddDate(0, 0, -1)); err != nil {
		t.Fatal(err)
	}
	b.typed(1, protocol.CategoryGit, protocol.RiskSafe, at) // of a time whose counts are not whole any more
	generate(t, p)
	if s, err := b.db.SummaryForPeriod(t.Context(), protocol.PeriodAt(at, protocol.Daily)); err != nil || s.Summary.TotalCommands != 5 {
		t.Errorf("%+v, %v", s.Summary, err)
	}
}

func TestNoNodeAcceptsAPreview(t *testing.T) {
	b := newBench(t, policy.Document{})
	b.typed(1, protocol.CategoryGit, protocol.RiskSafe, noon.Add(-2*time.Hour))
	p := b.publisher(nil)
	for name, when := range map[string]time.Time{"of a period that runs": noon, "of one whose summary is about to be made": noon.Add(-2 * time.Hour)} {
		s, wire, err := p.preview(t.Context(), protocol.Hourly, when)
		if err != nil {
			t.Fatal(err)
		}
		in := newBench(t, policy.Document{}).intake(func() time.Time { return noon.Add(24 * time.Hour) })
		if v, err := in.accept(t.Context(), b.key.NodeID(), netip.Addr{}, s, wire); err != nil || v.Code != "early" {
			t.Errorf("a preview %s: %+v, %v", name, v, err)
		}
	}
	if n, _ := signed(t, b, protocol.Hourly); n != 0 {
		t.Errorf("%d previews were stored", n)
	}
}
