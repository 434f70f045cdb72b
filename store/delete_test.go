package store

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/caro-mesh/caro-node/observer/event"
)

// traces returns which of the texts can be found, in any case, in any file of the folder.
func traces(t *testing.T, dir string, texts []string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	check(t, err)
	var found []string
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		check(t, err)
		b = bytes.ToLower(b)
		for _, text := range texts {
			if bytes.Contains(b, bytes.ToLower([]byte(text))) {
				found = append(found, e.Name()+": "+text)
			}
		}
	}
	return found
}

func TestDeletedEventsLeaveNoTraceInAnyFile(t *testing.T) {
	for _, size := range []int{20, 500, 9000, 70_000} { // in a page, at its edge, and over several pages
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			dir := t.TempDir()
			s := openAt(t, filepath.Join(dir, "caro.db"), Options{packing: &packing{events: 64, bytes: 256 << 10}})
			g := newGenerator(7, noon, time.Second)
			var secrets, ids []string
			for i := range 40 {
				check(t, s.Append(t.Context(), g.batch(23)))
				secret := fmt.Sprintf("Canary%dBird", i)
				g.at = g.at.Add(time.Second)
				e := plainEvent(g.at, "tell "+secret+"C "+string(bytes.Repeat([]byte{'p'}, size))+" "+secret+"E")
				if i%3 == 0 { // arrives late
					e.Timestamp = e.Timestamp.Add(-500 * time.Second)
				}
				e.CWD, e.Session, e.Pattern = "/home/"+secret+"F", "bash-"+secret+"S", "tell "+secret+"P"
				check(t, s.Append(t.Context(), []event.Event{e}))
				for _, suffix := range []string{"C", "E", "F", "S", "P"} {
					secrets = append(secrets, secret+suffix)
				}
				ids = append(ids, e.ID)
			}
			check(t, s.emptyLog(t.Context(), "test"))
			if found := traces(t, dir, secrets); len(found) != len(secrets) {
				t.Fatalf("only %d of %d texts are found before the deletion", len(found), len(secrets))
			}
			n, err := s.DeleteEvents(t.Context(), ids[:20])
			if err != nil || n != 20 {
				t.Fatalf("deleted %d, %v", n, err)
			}
			n, err = s.DeleteMatching(t.Context(), EventFilter{Search: "canary bird"})
			if err != nil || n != 20 {
				t.Fatalf("deleted %d, %v", n, err)
			}
			for _, f := range traces(t, dir, secrets) {
				t.Errorf("left behind: %s", f)
			}
			if n, err := s.CountEvents(t.Context()); err != nil || n != 40*23 {
				t.Errorf("%d events remain, %v", n, err)
			}
			list, _, err := s.Events(t.Context(), EventFilter{Search: "canary"})
			if err != nil || len(list) > 0 {
				t.Errorf("%d deleted events are found, %v", len(list), err)
			}
			sound(t, s)
		})
	}
}

func TestDeletingTakesTheEventsOutOfTheCounts(t *testing.T) {
	s := open(t, Options{})
	g := newGenerator(8, noon, time.Second)
	stay := g.batch(300)
	check(t, s.Append(t.Context(), stay))
	before, err := s.Rollups(t.Context(), noon, noon.AddDate(0, 0, 1))
	check(t, err)
	patterns, err := s.UniquePatterns(t.Context(), noon, noon.AddDate(0, 0, 1), nil)
	check(t, err)
	gone := newGenerator(9, noon.Add(time.Minute), time.Second).batch(2500)
	for i := range gone {
		gone[i].Session, gone[i].Pattern = "deleted", fmt.Sprint(gone[i].Pattern, "!")
	}
	check(t, s.Append(t.Context(), gone))
	ids := make([]string, len(gone))
	for i := range gone {
		ids[i] = gone[i].ID
	}
	n, err := s.DeleteEvents(t.Context(), ids)
	if err != nil || n != int64(len(gone)) {
		t.Fatalf("deleted %d, %v", n, err)
	}
	n, err = s.DeleteEvents(t.Context(), ids)
	if err != nil || n != 0 {
		t.Fatalf("deleted %d again, %v", n, err)
	}
	after, err := s.Rollups(t.Context(), noon, noon.AddDate(0, 0, 1))
	check(t, err)
	if fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("the counts are\n%v, not\n%v", after, before)
	}
	if p, err := s.UniquePatterns(t.Context(), noon, noon.AddDate(0, 0, 1), nil); err != nil || p != patterns {
		t.Errorf("%d patterns, not %d, %v", p, patterns, err)
	}
	if _, err := s.DeleteEvents(t.Context(), []string{"x"}); err == nil {
		t.Error("x is not a UUID")
	}
	sound(t, s)
}

func TestAnEventThatIsNamedTwiceIsDeletedAndUncountedOnce(t *testing.T) {
	s := open(t, Options{})
	e, kept := plainEvent(noon, "ls"), plainEvent(noon, "ls")
	check(t, s.Append(t.Context(), []event.Event{e, kept}))
	if n, err := s.DeleteEvents(t.Context(), []string{e.ID, e.ID}); err != nil || n != 1 {
		t.Errorf("deleted %d, %v", n, err)
	}
	if got, err := s.Rollups(t.Context(), noon, noon.Add(time.Hour)); err != nil || len(got) != 1 || got[0].Count != 1 {
		t.Errorf("counts %+v, %v", got, err)
	}
	sound(t, s)
}
