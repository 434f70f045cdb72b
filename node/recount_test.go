package node

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"
	_ "time/tzdata" // the same rules of summer time everywhere

	"pgregory.net/rapid"

	"github.com/caro-mesh/caro-node/node/identity"
	"github.com/caro-mesh/caro-node/observer/event"
	"github.com/caro-mesh/caro-node/policy"
	"github.com/caro-mesh/caro-node/policy/audit"
	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/store"
)

// recount computes every count of a summary the slow way: from the events themselves, field by field, with the calendar
// of package time instead of the periods of package protocol, and with nothing that was added up before.
type recount []event.Event

// within returns the events that started in the period of granularity g which contains at.
func (r recount) within(at time.Time, g protocol.Granularity) recount {
	at = at.UTC()
	year, week := at.ISOWeek()
	return slices.Collect(func(yield func(event.Event) bool) {
		for _, e := range r {
			t := e.Timestamp.UTC()
			y, w := t.ISOWeek()
			same := map[protocol.Granularity]bool{
				protocol.Hourly: t.Format("2006-01-02T15") == at.Format("2006-01-02T15"),
				protocol.Daily:  t.Format(time.DateOnly) == at.Format(time.DateOnly),
				protocol.Weekly: y == year && w == week,
			}
			if same[g] && !yield(e) {
				return
			}
		}
	})
}

func (r recount) count(when func(e event.Event) bool) (n uint64) {
	for _, e := range r {
		if when(e) {
			n++
		}
	}
	return n
}

// counts returns a summary of these events with its counts alone.
func (r recount) counts() *protocol.NodeSummary {
	all := func(event.Event) bool { return true }
	s := &protocol.NodeSummary{TotalCommands: r.count(all)}
	var names []string
	for _, e := range r {
		names = append(names, string(e.Category))
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		of := func(also func(event.Event) bool) uint64 {
			return r.count(func(e event.Event) bool { return string(e.Category) == name && also(e) })
		}
		c := protocol.CategoryStat{Category: protocol.CommandCategory(name), Count: of(all),
			TimedCount:   of(func(e event.Event) bool { return e.DurationMS != nil }),
			FailureCount: of(func(e event.Event) bool { return e.ExitCode != nil && *e.ExitCode != 0 })}
		for _, e := range r {
			if string(e.Category) == name && e.DurationMS != nil {
				c.DurationMSSum += uint64(min(*e.DurationMS, 366*24*60*60*1000)) // one command counts a year at most
			}
		}
		if c.TimedCount > 0 {
			c.AvgDurationMS = float64(c.DurationMSSum) / float64(c.TimedCount)
		}
		c.FailureRate = float64(c.FailureCount) / float64(c.Count)
		s.CategoryStats = append(s.CategoryStats, c)
	}
	for h := range s.HourlyActivity {
		s.HourlyActivity[h] = r.count(func(e event.Event) bool { return e.Timestamp.UTC().Hour() == h })
	}
	for d, name := range []string{"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"} {
		s.DailyActivity[d] = r.count(func(e event.Event) bool { return e.Timestamp.UTC().Format("Monday") == name })
	}
	level := func(l protocol.RiskLevel) uint64 {
		return r.count(func(e event.Event) bool { return e.RiskLevel == l })
	}
	s.SafetyStats = protocol.SafetyStats{
		ByRisk:             protocol.RiskCounts{Safe: level(0), Moderate: level(1), High: level(2), Critical: level(3)},
		BlockedCount:       r.count(func(e event.Event) bool { return e.Blocked }),
		UserConfirmedRisky: r.count(func(e event.Event) bool { return e.UserConfirmed && e.RiskLevel != 0 }),
		CaroGenerated:      r.count(func(e event.Event) bool { return e.CaroGenerated }),
		CaroExecuted:       r.count(func(e event.Event) bool { return e.CaroExecuted }),
	}
	patterns := map[string]bool{}
	for _, e := range r {
		if e.Pattern != "" {
			patterns[e.Pattern] = true
		}
	}
	s.UniquePatterns = uint64(len(patterns))
	return s
}

// countsOf is a summary without what does not follow from events.
func countsOf(s *protocol.NodeSummary) string {
	c := *s
	c.ID, c.NodeID, c.Period, c.GeneratedAt, c.Replaces, c.Signature = "", "", protocol.Period{}, 0, "", nil
	if len(c.CategoryStats) == 0 {
		c.CategoryStats = nil
	}
	return fmt.Sprintf("%+v", c)
}

// corners are moments around which summaries go wrong if they do.
var corners = []time.Time{
	time.Date(2026, 3, 29, 1, 0, 0, 0, time.UTC),              // Berlin puts the clocks forward
	time.Date(2026, 10, 25, 1, 0, 0, 0, time.UTC),             // and back: an hour that comes twice
	time.Date(2026, 4, 4, 15, 0, 0, 0, time.UTC),              // Lord Howe puts them back by half an hour
	time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),               // a Thursday: a year ends inside a week
	time.Date(2024, 12, 30, 0, 0, 0, 0, time.UTC),             // a Monday: the first week of 2025
	time.Date(2017, 1, 1, 0, 0, 0, 0, time.UTC),               // after a leap second, at the end of a week and of a year
	time.Date(2016, 12, 31, 23, 59, 60, 0, time.UTC),          // that second, which computers do not have: the next day
	time.Date(2028, 2, 29, 0, 0, 0, 0, time.UTC),              // a leap day
	time.Date(2025, 12, 31, 10, 0, 0, 0, time.UTC),            // midnight in Kiritimati, fourteen hours ahead
	time.Date(2026, 6, 15, 23, 59, 59, 999_999_999, time.UTC), // the last nanosecond of a Monday
}

var zones = []string{"UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Asia/Kathmandu", "Australia/Lord_Howe", "America/St_Johns",
	"Pacific/Kiritimati", "Pacific/Apia", "Africa/Casablanca"}

var anyMoment = rapid.Custom(func(t *rapid.T) time.Time {
	at := rapid.SampledFrom(corners).Draw(t, "corner")
	switch rapid.IntRange(0, 4).Draw(t, "distance") {
	case 0:
	case 1:
		at = at.Add(time.Duration(rapid.IntRange(-2, 2).Draw(t, "ns")))
	case 2:
		at = at.Add(time.Duration(rapid.IntRange(-90, 90).Draw(t, "min")) * time.Minute)
	case 3:
		at = at.Add(time.Duration(rapid.IntRange(-200, 200).Draw(t, "h")) * time.Hour)
	case 4:
		at = at.Truncate(time.Hour).Add(-time.Nanosecond)
	}
	zone, err := time.LoadLocation(rapid.SampledFrom(zones).Draw(t, "zone"))
	if err != nil {
		t.Fatal(err)
	}
	return at.In(zone)
})

var anyEvent = rapid.Custom(func(t *rapid.T) event.Event {
	at := anyMoment.Draw(t, "start")
	e := event.Event{ID: event.NewID(at), Timestamp: at, Shell: protocol.ShellZsh, Command: "anything",
		Category:  rapid.SampledFrom([]protocol.CommandCategory{"git", "docker", "file_ops", "other", "other:terraform"}).Draw(t, "category"),
		RiskLevel: protocol.RiskLevel(rapid.IntRange(0, 3).Draw(t, "risk")), Pattern: rapid.SampledFrom([]string{"", "git _", "make", "ls"}).Draw(t, "pattern"),
		CaroGenerated: rapid.Bool().Draw(t, "generated"), CaroExecuted: rapid.Bool().Draw(t, "executed"),
		UserConfirmed: rapid.Bool().Draw(t, "confirmed"), Blocked: rapid.Bool().Draw(t, "blocked")}
	if rapid.Bool().Draw(t, "timed") { // some run far across the end of their hour, day or week
		ms := rapid.SampledFrom([]int64{0, 3, 1_500, 7_200_000, 700_000_000, 1<<63 - 1}).Draw(t, "ms")
		e.DurationMS = &ms
	}
	if rapid.Bool().Draw(t, "ended") {
		exit := rapid.SampledFrom([]int{0, 0, 1, 130, -1}).Draw(t, "exit")
		e.ExitCode = &exit
	}
	return e
})

// history is a store, and beside it the plain list of what is in it.
type history struct {
	db     *store.Store
	events []event.Event
	offset int64
}

func (h *history) add(t *rapid.T, list []event.Event, err error) {
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		if !slices.ContainsFunc(h.events, func(o event.Event) bool { return o.ID == e.ID }) {
			h.events = append(h.events, e)
		}
	}
}

// change changes the history in any way there is.
func (h *history) change(t *rapid.T) {
	ctx := context.Background()
	switch rapid.SampledFrom([]string{"typed", "imported", "imported", "deleted", "span deleted"}).Draw(t, "change") {
	case "typed":
		list := rapid.SliceOfN(anyEvent, 1, 3).Draw(t, "events")
		h.offset += 100
		h.add(t, list, h.db.AppendFromSpool(ctx, "bash-1", h.offset, list))
	case "imported": // in any order, with some of what is there already
		list := rapid.SliceOfN(anyEvent, 1, 20).Draw(t, "events")
		if len(h.events) > 0 {
			list = append(list, rapid.SampledFrom(h.events).Draw(t, "again"))
		}
		h.add(t, list, h.db.Append(ctx, list))
	case "deleted":
		if len(h.events) == 0 {
			return
		}
		var ids []string
		for _, e := range rapid.SliceOfN(rapid.SampledFrom(h.events), 1, 4).Draw(t, "gone") { // some of them twice
			ids = append(ids, e.ID)
		}
		h.delete(t, ids)
	case "span deleted":
		since := anyMoment.Draw(t, "since").Truncate(time.Second)
		until := since.Add(time.Duration(rapid.IntRange(1, 100).Draw(t, "hours")) * time.Hour)
		if _, err := h.db.DeleteMatching(ctx, store.EventFilter{Since: since, Until: until}); err != nil {
			t.Fatal(err)
		}
		h.events = slices.DeleteFunc(h.events, func(e event.Event) bool { return !e.Timestamp.Before(since) && e.Timestamp.Before(until) })
	}
}

func (h *history) delete(t *rapid.T, ids []string) {
	if _, err := h.db.DeleteEvents(context.Background(), ids); err != nil {
		t.Fatal(err)
	}
	h.events = slices.DeleteFunc(h.events, func(e event.Event) bool { return slices.Contains(ids, e.ID) })
}

// shared are the events that the categories denied let into summaries.
func (h *history) shared(denied []string) recount {
	return slices.DeleteFunc(slices.Clone(h.events), func(e event.Event) bool { return slices.Contains(denied, string(e.Category)) })
}

// historians makes the stores of one test, and a publisher over each.
type historians struct {
	dir   string
	key   *identity.Identity
	empty []byte // the file of a store without anything: making one takes longer than filling it
	n     int
}

func newHistorians(t *testing.T) *historians {
	t.Helper()
	m := &historians{dir: t.TempDir(), key: newKey(t)}
	path := filepath.Join(m.dir, "empty.db")
	db, err := store.Open(t.Context(), path, store.Options{})
	if err == nil {
		err = db.Close()
	}
	if err == nil {
		m.empty, err = os.ReadFile(path)
	}
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func (m *historians) open(t *rapid.T, denied []string, now func() time.Time) (*history, *publisher) {
	m.n++
	path := filepath.Join(m.dir, fmt.Sprint(m.n, ".db"))
	if err := os.WriteFile(path, m.empty, 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(context.Background(), path, store.Options{Now: now})
	if err != nil {
		t.Fatal(err)
	}
	engine, err := policy.New(policy.Document{DeniedCategories: denied}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return &history{db: db}, newPublisher(m.key, audit.NewGate(engine, db.AuditLog()), db, now, slog.New(slog.DiscardHandler))
}

// moment draws one at which something happened, or any.
func (h *history) moment(t *rapid.T) time.Time {
	if len(h.events) > 0 && rapid.IntRange(0, 3).Draw(t, "where something is") > 0 {
		return rapid.SampledFrom(h.events).Draw(t, "one").Timestamp
	}
	return anyMoment.Draw(t, "at")
}

var everyGranularity = []protocol.Granularity{protocol.Hourly, protocol.Daily, protocol.Weekly}

// checkFew is rapid.Check with an eighth of the usual number of histories: each has databases of its own.
func checkFew(t *testing.T, property func(*rapid.T)) {
	t.Helper()
	const name = "rapid.checks"
	was := flag.Lookup(name).Value.String()
	n, err := strconv.Atoi(was)
	if err == nil {
		err = flag.Set(name, strconv.Itoa(max(1, n/8)))
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = flag.Set(name, was) }()
	rapid.Check(t, property)
}

var someDenied = rapid.SampledFrom([][]string{nil, {"docker"}, {"git", "other:terraform"}})

// TestEveryFieldOfASummaryIsWhatARecountOfTheEventsGives compares the counts that were kept up to date with each change
// against a recount, for the hour, the day and the week of any moment.
func TestEveryFieldOfASummaryIsWhatARecountOfTheEventsGives(t *testing.T) {
	m := newHistorians(t)
	checkFew(t, func(t *rapid.T) {
		denied := someDenied.Draw(t, "denied")
		h, p := m.open(t, denied, func() time.Time { return noon.AddDate(10, 0, 0) })
		defer func() { _ = h.db.Close() }()
		for range rapid.IntRange(1, 8).Draw(t, "changes") {
			h.change(t)
		}
		for range 3 {
			at := h.moment(t)
			for _, g := range everyGranularity {
				got, wire, err := p.preview(context.Background(), g, at)
				if err != nil {
					t.Fatal(err)
				}
				if want := h.shared(denied).within(at, g).counts(); countsOf(got) != countsOf(want) {
					t.Fatalf("the %s summary of %s is\n%s, and the recount\n%s", g, at, countsOf(got), countsOf(want))
				}
				if again, err := protocol.OpenSummary(wire); err != nil || countsOf(again) != countsOf(got) {
					t.Fatalf("what is signed is not what is shown: %+v, %v", again, err)
				}
				if !got.Period.Contains(at) || got.Period.Granularity != g {
					t.Fatalf("the period of %s is %+v", at, got.Period)
				}
			}
		}
	})
}
