package store

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/caro-mesh/caro-node/observer/event"
	"github.com/caro-mesh/caro-node/protocol"
)

// model is what a store should hold, kept in the simplest way.
type model struct {
	events []event.Event // in the order of arrival
}

func (m *model) add(list []event.Event) {
	for _, e := range list {
		if !slices.ContainsFunc(m.events, func(o event.Event) bool { return o.ID == e.ID }) {
			m.events = append(m.events, e)
		}
	}
}

// matching recounts: every condition in its plainest form.
func (m *model) matching(f EventFilter) []event.Event {
	var list []event.Event
	if f.CWD != "/" {
		f.CWD = strings.TrimSuffix(f.CWD, "/")
	}
	for _, e := range m.events {
		command, at := strings.ToLower(e.Command), e.Timestamp.Truncate(time.Microsecond)
		if slices.ContainsFunc(strings.Fields(strings.ToLower(f.Search)), func(w string) bool { return !strings.Contains(command, w) }) ||
			!f.Since.IsZero() && at.Before(f.Since.Truncate(time.Microsecond)) || !f.Until.IsZero() && !at.Before(f.Until.Truncate(time.Microsecond)) ||
			e.RiskLevel < f.MinRisk || f.Category != "" && e.Category != f.Category ||
			f.ExitCode != nil && (e.ExitCode == nil || *e.ExitCode != *f.ExitCode) ||
			f.Failed != nil && *f.Failed != (e.ExitCode != nil && *e.ExitCode != 0) ||
			f.CWD != "" && e.CWD != f.CWD && !strings.HasPrefix(e.CWD, strings.TrimSuffix(f.CWD, "/")+"/") {
			continue
		}
		list = append(list, e)
	}
	slices.SortStableFunc(list, func(a, b event.Event) int {
		return a.Timestamp.Truncate(time.Microsecond).Compare(b.Timestamp.Truncate(time.Microsecond))
	})
	slices.Reverse(list)
	return list
}

func (m *model) remove(gone []event.Event) {
	m.events = slices.DeleteFunc(m.events, func(e event.Event) bool {
		return slices.ContainsFunc(gone, func(g event.Event) bool { return g.ID == e.ID })
	})
}

func (m *model) rollups(start, end time.Time) []Rollup {
	counts := make(map[string]*Rollup)
	for _, e := range m.events {
		hour := e.Timestamp.UTC().Truncate(time.Hour)
		if hour.Before(start) || !hour.Before(end) {
			continue
		}
		key := fmt.Sprint(hour, e.Category, e.RiskLevel)
		r := counts[key]
		if r == nil {
			r = &Rollup{Hour: hour, Category: e.Category, Risk: e.RiskLevel}
			counts[key] = r
		}
		r.Count++
		if e.DurationMS != nil {
			r.TimedCount++
			r.DurationMSSum += uint64(min(*e.DurationMS, 366*24*3600*1000))
		}
		if e.ExitCode != nil && *e.ExitCode != 0 {
			r.FailureCount++
		}
		if e.Blocked {
			r.Blocked++
		}
		if e.UserConfirmed && e.RiskLevel >= protocol.RiskModerate {
			r.Confirmed++
		}
		if e.CaroGenerated {
			r.CaroGenerated++
		}
		if e.CaroExecuted {
			r.CaroExecuted++
		}
	}
	list := make([]Rollup, 0, len(counts))
	for _, r := range counts {
		list = append(list, *r)
	}
	slices.SortFunc(list, func(a, b Rollup) int {
		return cmp.Or(a.Hour.Compare(b.Hour), strings.Compare(string(a.Category), string(b.Category)), cmp.Compare(a.Risk, b.Risk))
	})
	return list
}

func (m *model) patterns(start, end time.Time, denied func(protocol.CommandCategory) bool) uint64 {
	seen := make(map[string]bool)
	for _, e := range m.events {
		hour := e.Timestamp.UTC().Truncate(time.Hour)
		if e.Pattern != "" && !hour.Before(start) && hour.Before(end) && !denied(e.Category) {
			seen[e.Pattern] = true
		}
	}
	return uint64(len(seen))
}

// Few values each, so that they meet.
var (
	modelCategories = []protocol.CommandCategory{"git", "docker", "system", "other", "other:go"}
	modelFolders    = []string{"/", "/src", "/src/a", "/src/a/b", "/src/ab", "/src/a b", "", "relative", "/bad\xff\xfeutf8"}
	modelSessions   = []string{"", "bash-1", "zsh-2"}
	modelPatterns   = []string{"", "git _", "make", "ls"}
	modelWords      = []string{"git", "GIT", "Ärger", "ärger", "commit", "a", "xy", "\xff\xfe", "日本", "--force", "rm", "zzz", "\x00", "İ"}
)

// No event is older than event.MinTime.
var modelTime = rapid.Custom(func(t *rapid.T) time.Time {
	if at := modelAnyTime.Draw(t, "time"); at.After(event.MinTime) {
		return at
	}
	return event.MinTime
})

var modelAnyTime = rapid.Custom(func(t *rapid.T) time.Time {
	// Around the end of a year, a leap day and the switch to summer time, in several zones, some in the very same microsecond.
	base := rapid.SampledFrom([]time.Time{
		time.Date(2025, 12, 31, 23, 59, 59, 999_999_000, time.UTC), time.Date(2028, 2, 29, 23, 30, 0, 0, time.FixedZone("east", 5*3600+1800)),
		time.Date(2026, 3, 29, 1, 59, 59, 0, time.UTC), time.Date(1999, 12, 31, 23, 59, 59, 999_999_999, time.UTC), event.MinTime,
	}).Draw(t, "base")
	switch rapid.IntRange(0, 3).Draw(t, "spread") {
	case 0:
		return base
	case 1:
		return base.Add(time.Duration(rapid.IntRange(-3000, 3000).Draw(t, "ns")))
	case 2:
		return base.Add(time.Duration(rapid.IntRange(-7200, 7200).Draw(t, "s")) * time.Second)
	}
	return base.Add(time.Duration(rapid.IntRange(-200, 200).Draw(t, "h")) * time.Hour)
})

var modelEvent = rapid.Custom(func(t *rapid.T) event.Event {
	at := modelTime.Draw(t, "time")
	e := event.Event{
		ID: event.NewID(at), Timestamp: at,
		Shell:    rapid.SampledFrom([]protocol.ShellType{"bash", "zsh", "fish", "sh", "other"}).Draw(t, "shell"),
		Command:  strings.Join(rapid.SliceOfN(rapid.SampledFrom(modelWords), 1, 5).Draw(t, "words"), " "),
		CWD:      rapid.SampledFrom(modelFolders).Draw(t, "cwd"),
		Category: rapid.SampledFrom(modelCategories).Draw(t, "category"), RiskLevel: protocol.RiskLevel(rapid.IntRange(0, 3).Draw(t, "risk")),
		Session: rapid.SampledFrom(modelSessions).Draw(t, "session"), Pattern: rapid.SampledFrom(modelPatterns).Draw(t, "pattern"),
		CaroGenerated: rapid.Bool().Draw(t, "generated"), CaroExecuted: rapid.Bool().Draw(t, "executed"),
		UserConfirmed: rapid.Bool().Draw(t, "confirmed"), Blocked: rapid.Bool().Draw(t, "blocked"),
	}
	if rapid.Bool().Draw(t, "has exit") {
		exit := rapid.SampledFrom([]int{0, 1, 130, -1, 1 << 30}).Draw(t, "exit")
		e.ExitCode = &exit
	}
	if rapid.Bool().Draw(t, "has duration") {
		d := rapid.SampledFrom([]int64{0, 1, 2500, 1<<63 - 1}).Draw(t, "duration")
		e.DurationMS = &d
	}
	if rapid.Bool().Draw(t, "redacted") {
		e.Redactions = []string{"jwt", "url_password"}
	}
	return e
})

var modelFilter = rapid.Custom(func(t *rapid.T) EventFilter {
	var f EventFilter
	if rapid.Bool().Draw(t, "search") {
		f.Search = strings.Join(rapid.SliceOfN(rapid.SampledFrom(append([]string{"gi", "it", "c", "arger", "ommi", "日"}, modelWords...)), 1, 2).Draw(t, "words"), " ")
	}
	if rapid.Bool().Draw(t, "folder") {
		f.CWD = rapid.SampledFrom(append([]string{"/src/a/", "/none"}, modelFolders...)).Draw(t, "cwd")
	}
	if rapid.Bool().Draw(t, "from") {
		f.Since = modelTime.Draw(t, "since")
	}
	if rapid.Bool().Draw(t, "to") {
		f.Until = modelTime.Draw(t, "until")
	}
	f.MinRisk = protocol.RiskLevel(rapid.SampledFrom([]int{0, 0, 1, 3}).Draw(t, "min risk"))
	f.Category = rapid.SampledFrom(append([]protocol.CommandCategory{"", "", "", "", "npm"}, modelCategories...)).Draw(t, "category")
	f.Failed = rapid.SampledFrom([]*bool{nil, nil, ptr(true), ptr(false)}).Draw(t, "failed")
	f.ExitCode = rapid.SampledFrom([]*int{nil, nil, nil, ptr(0), ptr(1), ptr(130), ptr(7)}).Draw(t, "exit")
	return f
})

func ptr[T any](v T) *T { return &v }

// TestTheStoreAgreesWithANaiveRecount does random things to a store and to a list, and compares everything that can be asked.
func TestTheStoreAgreesWithANaiveRecount(t *testing.T) {
	dir := t.TempDir()
	n := 0
	rapid.Check(t, func(t *rapid.T) {
		n++
		path := filepath.Join(dir, fmt.Sprint(n), "caro.db")
		// In the larger ones there are more events of a kind than are read one by one.
		o := Options{packing: rapid.SampledFrom([]*packing{{events: 5, bytes: 60}, {events: 24, bytes: 1 << 10}}).Draw(t, "packing")}
		s := reopened(t, nil, path, o)
		defer func() { _ = s.Close() }()
		var m model
		offset := int64(0)
		ctx := context.Background()
		t.Repeat(map[string]func(*rapid.T){
			"append": func(t *rapid.T) {
				list := rapid.SliceOfN(modelEvent, 1, 12).Draw(t, "events")
				again := len(m.events) > 0 && rapid.Bool().Draw(t, "again")
				if again { // what is stored, mixed in
					list = append(list, rapid.SampledFrom(m.events).Draw(t, "stored"), list[0])
				}
				noErr(t, s.Append(ctx, list))
				m.add(list)
			},
			"spool": func(t *rapid.T) {
				list := rapid.SliceOfN(modelEvent, 0, 3).Draw(t, "events")
				offset += 100
				noErr(t, s.AppendFromSpool(ctx, "f", offset, list))
				m.add(list)
				noErr(t, s.AppendFromSpool(ctx, "f", offset, rapid.SliceOfN(modelEvent, 1, 3).Draw(t, "lost"))) // stored already
			},
			"delete some": func(t *rapid.T) {
				if len(m.events) == 0 {
					return
				}
				gone := rapid.SliceOfNDistinct(rapid.SampledFrom(m.events), 1, min(5, len(m.events)), func(e event.Event) string { return e.ID }).Draw(t, "gone")
				ids := []string{event.NewID(noon)} // one that was never stored
				for _, e := range gone {
					ids = append(ids, e.ID)
				}
				n, err := s.DeleteEvents(ctx, ids)
				noErr(t, err)
				if n != int64(len(gone)) {
					t.Fatalf("deleted %d of %d", n, len(gone))
				}
				m.remove(gone)
			},
			"delete matching": func(t *rapid.T) {
				f := modelFilter.Draw(t, "filter")
				gone := m.matching(f)
				n, err := s.CountMatching(ctx, f)
				noErr(t, err)
				if n != int64(len(gone)) {
					t.Fatalf("counted %d, want %d", n, len(gone))
				}
				n, err = s.DeleteMatching(ctx, f)
				noErr(t, err)
				if n != int64(len(gone)) {
					t.Fatalf("deleted %d of %d", n, len(gone))
				}
				m.remove(gone)
			},
			"reopen": func(t *rapid.T) { s = reopened(t, s, path, o) },
			"events": func(t *rapid.T) {
				f := modelFilter.Draw(t, "filter")
				compareEvents(t, s, f, m.matching(f))
			},
			"counts": func(t *rapid.T) {
				start := modelTime.Draw(t, "start").UTC().Truncate(time.Hour)
				end := start.Add(time.Duration(rapid.SampledFrom([]int{1, 24, 24 * 7, 24 * 366 * 70}).Draw(t, "hours")) * time.Hour)
				compareCounts(t, s, &m, start, end)
			},
			"check": func(t *rapid.T) {
				problems, err := s.Check(ctx)
				noErr(t, err)
				if len(problems) > 0 {
					t.Fatalf("%q", problems)
				}
			},
			"": func(t *rapid.T) {
				count, err := s.CountEvents(ctx)
				noErr(t, err)
				if count != int64(len(m.events)) {
					t.Fatalf("%d events counted, %d stored", count, len(m.events))
				}
			},
		})
	})
}

func noErr(t *rapid.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func reopened(t *rapid.T, s *Store, path string, o Options) *Store {
	if s != nil {
		noErr(t, s.Close())
	}
	s, err := Open(context.Background(), path, o)
	noErr(t, err)
	return s
}

func compareEvents(t *rapid.T, s *Store, f EventFilter, want []event.Event) {
	f.Limit = rapid.IntRange(1, 7).Draw(t, "limit")
	var got []event.Event
	for pages := 0; ; pages++ {
		list, next, err := s.Events(context.Background(), f)
		noErr(t, err)
		if len(list) > f.Limit || next != "" && len(list) < f.Limit || pages > len(want) {
			t.Fatalf("page %d with %d events, limit %d, next %q", pages, len(list), f.Limit, next)
		}
		got = append(got, list...)
		if f.Cursor = next; next == "" {
			break
		}
	}
	if len(got) != len(want) {
		t.Fatalf("%d events found, %d match", len(got), len(want))
	}
	for i := range got {
		w := want[i]
		w.Timestamp = w.Timestamp.UTC()
		if !reflect.DeepEqual(got[i], w) {
			t.Fatalf("event %d is\n%+v, not\n%+v", i, got[i], w)
		}
		one, err := s.Event(context.Background(), w.ID)
		if err != nil || !reflect.DeepEqual(one, w) {
			t.Fatalf("event %s alone: %+v, %v", w.ID, one, err)
		}
	}
}

func compareCounts(t *rapid.T, s *Store, m *model, start, end time.Time) {
	ctx := context.Background()
	got, err := s.Rollups(ctx, start, end)
	noErr(t, err)
	if want := m.rollups(start, end); !slices.Equal(got, want) {
		t.Fatalf("counts are\n%+v, not\n%+v", got, want)
	}
	denied := func(c protocol.CommandCategory) bool { return c == "git" || c == "other:go" }
	n, err := s.UniquePatterns(ctx, start, end, denied)
	noErr(t, err)
	if want := m.patterns(start, end, denied); n != want {
		t.Fatalf("%d patterns, not %d", n, want)
	}
	since := start.Add(time.Duration(rapid.IntRange(0, 3_600_000_000).Draw(t, "µs")) * time.Microsecond)
	count, err := s.CountEventsSince(ctx, since)
	noErr(t, err)
	if want := len(m.matching(EventFilter{Since: since})); count != int64(want) {
		t.Fatalf("%d events since %s, not %d", count, since, want)
	}
}

func TestFoldingChangesNothingButCase(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := string(rapid.SliceOf(rapid.Byte()).Draw(t, "text"))
		folded := fold(nil, text)
		if bytes.IndexByte(folded, separator) >= 0 {
			t.Fatalf("%q holds the separator", folded)
		}
		if !bytes.Equal(fold(nil, string(folded)), folded) {
			t.Fatalf("folding %q twice differs from once", text)
		}
	})
}
