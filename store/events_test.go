package store

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caro-mesh/caro-node/observer/event"
	"github.com/caro-mesh/caro-node/protocol"
)

func plainEvent(at time.Time, command string) event.Event {
	return event.Event{ID: event.NewID(at), Timestamp: at, Shell: protocol.ShellBash, Command: command, CWD: "/", Category: protocol.CategoryOther}
}

func commands(list []event.Event) []string {
	var c []string
	for _, e := range list {
		c = append(c, e.Command)
	}
	return c
}

func TestACommandComesBackByteForByte(t *testing.T) {
	s := open(t, Options{packing: &packing{events: 3, bytes: 1 << 10}})
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	for i, text := range []string{string(all), "a\x00b", "\xff", "caf\xe9", strings.Repeat("x", 1<<20), "line\nline\r\n\ttab", "日本語", "'; DROP TABLE event; --", " "} {
		e := plainEvent(noon.Add(time.Duration(i)*time.Second+123456*time.Nanosecond), text)
		e.CWD, e.Session, e.Pattern = "/"+text, "s"+text, "p"+text
		check(t, s.Append(t.Context(), []event.Event{e}))
		got, err := s.Event(t.Context(), strings.ToUpper(e.ID))
		check(t, err)
		if !reflect.DeepEqual(got, e) {
			t.Errorf("%.40q came back as %.40q in %.40q", e.Command, got.Command, got.CWD)
		}
		list, _, err := s.Events(t.Context(), EventFilter{CWD: e.CWD, Limit: 1})
		check(t, err)
		if len(list) != 1 || list[0].ID != e.ID {
			t.Errorf("%.40q is not found by its folder", e.CWD)
		}
	}
	sound(t, s)
}

func TestEveryTimeThatAnEventMayHaveIsStored(t *testing.T) {
	s := open(t, Options{})
	for _, at := range []time.Time{event.MinTime, event.MaxTime} {
		e := plainEvent(at, "ls")
		check(t, s.Append(t.Context(), []event.Event{e}))
		if got, err := s.Event(t.Context(), e.ID); err != nil || !got.Timestamp.Equal(at) {
			t.Errorf("%s came back as %s, %v", at, got.Timestamp, err)
		}
	}
	for _, at := range []time.Time{event.MinTime.Add(-1), event.MaxTime.Add(1)} {
		if err := s.Append(t.Context(), []event.Event{plainEvent(at, "ls")}); err == nil {
			t.Errorf("%s was stored", at)
		}
	}
	sound(t, s)
}

func TestAnUnknownEventIsNotFound(t *testing.T) {
	s := open(t, Options{})
	_, err := s.Event(t.Context(), event.NewID(noon))
	wantErr(t, err, ErrNotFound)
	if _, err := s.Event(t.Context(), "17"); err == nil {
		t.Error("17 is not a UUID")
	}
}

func TestEventsOfTheSameMomentKeepTheOrderOfTheirArrival(t *testing.T) {
	// More than one microsecond has keys for, as an import without times has them, and one a microsecond later.
	const n = 3*keysPerMicro + 10
	s := open(t, Options{})
	check(t, s.Append(t.Context(), []event.Event{plainEvent(noon.Add(time.Microsecond), "later")}))
	list := make([]event.Event, n)
	for i := range list {
		list[i] = plainEvent(noon, fmt.Sprint(i))
	}
	for part := range slices.Chunk(list, 700) {
		check(t, s.Append(t.Context(), part))
	}
	check(t, s.Append(t.Context(), list[:50]))
	got, _, err := s.Events(t.Context(), EventFilter{Limit: n + 1})
	check(t, err)
	at := 0
	for _, e := range slices.Backward(got) {
		if e.Command == "later" {
			if !e.Timestamp.Equal(noon.Add(time.Microsecond)) {
				t.Errorf("the later event has the time %s", e.Timestamp)
			}
			continue
		}
		if e.Command != fmt.Sprint(at) || !e.Timestamp.Equal(noon) {
			t.Fatalf("event %s of %s stands at place %d", e.Command, e.Timestamp, at)
		}
		at++
	}
	if at != n {
		t.Errorf("%d events of %d", at, n)
	}
	r, err := s.Rollups(t.Context(), noon, noon.Add(time.Hour))
	check(t, err)
	if len(r) != 1 || r[0].Count != n+1 {
		t.Errorf("%+v", r)
	}
	sound(t, s)
	if deleted, err := s.DeleteMatching(t.Context(), EventFilter{}); err != nil || deleted != n+1 {
		t.Errorf("deleted %d, %v", deleted, err)
	}
	sound(t, s)
}

func TestSearchFindsAnyPartOfACommandInAnyCase(t *testing.T) {
	for name, at := range map[string]int{"packed": 2, "not packed": 1000} {
		t.Run(name, func(t *testing.T) {
			s := open(t, Options{packing: &packing{events: at, bytes: 1 << 16}})
			texts := []string{"git commit -m 'Über alles'", "docker compose up", "git checkout main", "ls", "echo done\x00hidden", "rm -rf /tmp/x"}
			for i, text := range texts {
				check(t, s.Append(t.Context(), []event.Event{plainEvent(noon.Add(time.Duration(i)*time.Minute), text)}))
			}
			for search, want := range map[string][]string{
				"git":             {texts[2], texts[0]},
				"GIT":             {texts[2], texts[0]},
				"out":             {texts[2]},
				"über":            {texts[0]},
				"ÜBER commit":     {texts[0]},
				"main git":        {texts[2]},
				"git main docker": nil,
				"o":               {texts[4], texts[2], texts[1], texts[0]},
				"ls":              {texts[3]},
				"uplsgit":         nil, // not across the end of a command
				"hidden":          {texts[4]},
				"  ":              {texts[5], texts[4], texts[3], texts[2], texts[1], texts[0]},
				"-rf /tmp":        {texts[5]},
				"%":               nil,
				"_":               nil,
				"*":               nil,
				"\"":              nil,
			} {
				list, next, err := s.Events(t.Context(), EventFilter{Search: search})
				check(t, err)
				if got := commands(list); !slices.Equal(got, want) || next != "" {
					t.Errorf("%q finds %q, not %q", search, got, want)
				}
			}
		})
	}
}

func TestAFolderStandsForWhatIsBelowItToo(t *testing.T) {
	s := open(t, Options{})
	for i, dir := range []string{"/src", "/src/a", "/src/a/b", "/src2", "/src-x", "/"} {
		e := plainEvent(noon.Add(time.Duration(i)*time.Second), dir)
		e.CWD = dir
		check(t, s.Append(t.Context(), []event.Event{e}))
	}
	for dir, want := range map[string][]string{
		"/src": {"/src/a/b", "/src/a", "/src"}, "/src/": {"/src/a/b", "/src/a", "/src"}, "/src/a": {"/src/a/b", "/src/a"}, "/sr": nil,
		"/": {"/", "/src-x", "/src2", "/src/a/b", "/src/a", "/src"},
	} {
		list, _, err := s.Events(t.Context(), EventFilter{CWD: dir})
		check(t, err)
		if got := commands(list); !slices.Equal(got, want) {
			t.Errorf("%s holds %q, not %q", dir, got, want)
		}
	}
}

func TestPagesAreStableWhileEventsArrive(t *testing.T) {
	s := open(t, Options{packing: &packing{events: 8, bytes: 1 << 16}})
	g := newGenerator(5, noon, time.Second)
	check(t, s.Append(t.Context(), g.batch(100)))
	for _, f := range []EventFilter{{Limit: 9}, {Limit: 9, Search: "e"}} {
		whole, _, err := s.Events(t.Context(), EventFilter{Limit: 1000, Search: f.Search, Until: g.at.Add(time.Second)})
		check(t, err)
		var paged []event.Event
		f.Until = g.at.Add(time.Second)
		for {
			list, next, err := s.Events(t.Context(), f)
			check(t, err)
			paged = append(paged, list...)
			check(t, s.Append(t.Context(), g.batch(10))) // newer than the page
			if f.Cursor = next; next == "" {
				break
			}
			f.Until = time.Time{}
		}
		if !reflect.DeepEqual(paged, whole) {
			t.Errorf("%d events in pages, %d at once", len(paged), len(whole))
		}
	}
	for _, c := range []string{"!", "ä", "99999999999999999999"} {
		_, _, err := s.Events(t.Context(), EventFilter{Cursor: c})
		wantErr(t, err, ErrCursor)
	}
}

func FuzzSegment(f *testing.F) {
	var s segment
	for i, text := range []string{"git push", "ls", "rm -rf /"} {
		s.add(&traits{key: int64(i+1) << 40, folder: int64(i * 300), category: 2, risk: 3, failed: i == 1}, []byte(text))
	}
	f.Add(s.first, s.last, s.events, s.attributes, s.commands)
	f.Add(int64(0), int64(0), 1, []byte{0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}, []byte("x"))
	f.Fuzz(func(t *testing.T, first, last int64, events int, attributes, commands []byte) {
		s := segment{first: first, last: last, events: events % 2000, attributes: attributes, commands: commands}
		search := searcher{m: &matcher{low: noKey, high: 1 << 62, words: [][]byte{[]byte("r"), []byte("m")}}}
		if _, err := search.unpack(&s); err == nil {
			search.all()
			search.findWords(s.commands)
			_, _ = search.withWords(&s)
		}
		_, _, _ = s.without(last, map[int64]bool{last: true})
	})
}

func TestAppendTellsWhichEventsAreNew(t *testing.T) {
	s := open(t, Options{})
	one, two, three := plainEvent(noon, "one"), plainEvent(noon, "two"), plainEvent(noon, "three")
	check(t, s.Append(t.Context(), []event.Event{two}))
	isNew, err := s.AppendNew(t.Context(), []event.Event{one, two, three, one})
	if err != nil || !slices.Equal(isNew, []bool{true, false, true, false}) {
		t.Errorf("new: %v, %v", isNew, err)
	}
	isNew, err = s.AppendNew(t.Context(), []event.Event{one, two, three})
	if err != nil || !slices.Equal(isNew, []bool{false, false, false}) {
		t.Errorf("the second time: %v, %v", isNew, err)
	}
	if n, err := s.CountEvents(t.Context()); err != nil || n != 3 {
		t.Errorf("%d events, %v", n, err)
	}
}
