package store

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// leave writes the files of a case into a new folder, without those named, and returns the path of the database.
func (c *damageCase) leave(t *testing.T, without ...string) string {
	t.Helper()
	dir := t.TempDir()
	for name, b := range c.files {
		check(t, os.WriteFile(filepath.Join(dir, name), b, 0o600))
	}
	path := filepath.Join(dir, "caro.db")
	if c.closed {
		check(t, leaveMarker(path))
	}
	for _, name := range without {
		check(t, os.Remove(filepath.Join(dir, name)))
	}
	return path
}

func countEvents(t *testing.T, s *Store, want int) {
	t.Helper()
	if n, err := s.CountEvents(t.Context()); err != nil || n != int64(want) {
		t.Errorf("%d events, want %d (%v)", n, want, err)
	}
}

func TestAJournalThatAnotherProgramLeftNeverKeepsTheDatabaseFromOpening(t *testing.T) {
	c := newDamageCase(t, true)
	journal := append([]byte{0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7}, bytes.Repeat([]byte{1}, 3000)...) // as SQLite begins one
	for what, open := range map[string]func(path string) error{
		"start": func(path string) error {
			s, err := Open(t.Context(), path, Options{Now: fixedClock(damageClock), Repair: true, packing: &smallPacks})
			if err != nil {
				return err
			}
			if len(s.Notices()) != 1 || !strings.Contains(s.Notices()[0], "journal") || s.Repaired() != nil {
				t.Errorf("told are %q and %+v", s.Notices(), s.Repaired())
			}
			return s.Close()
		},
		"repair": func(path string) error {
			_, err := Rebuild(t.Context(), path, "test", fixedClock(damageClock))
			return err
		},
		"restore": func(path string) error {
			_, err := Restore(t.Context(), path, c.leave(t), fixedClock(damageClock))
			return err
		},
	} {
		t.Run(what, func(t *testing.T) {
			path := c.leave(t)
			check(t, os.WriteFile(path+"-journal", journal, 0o600))
			if reason, _, err := Examine(t.Context(), path, false); err != nil || !strings.Contains(reason, "journal") {
				t.Errorf("a check says %q, %v", reason, err)
			}
			check(t, open(path))
			kept, err := os.ReadFile(path + "-journal.aside-20260504T120000Z")
			if err != nil || !bytes.Equal(kept, journal) {
				t.Errorf("the journal is not kept: %v", err)
			}
			s := openAt(t, path, Options{Repair: true})
			if len(s.Notices()) > 0 || s.Repaired() != nil {
				t.Errorf("the next start tells %q and %+v", s.Notices(), s.Repaired())
			}
			countEvents(t, s, len(c.events))
			sound(t, s)
		})
	}
}

func TestWhereTheFileIsGoneAndItsLogIsLeftThatIsSaved(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(t.Context(), filepath.Join(dir, "caro.db"), Options{})
	check(t, err)
	check(t, s.Append(t.Context(), newGenerator(1, noon, 1e9).batch(50)))
	wal, err := os.ReadFile(s.Path() + "-wal")
	check(t, err)
	check(t, s.Close())
	path := filepath.Join(t.TempDir(), "caro.db")
	check(t, os.WriteFile(path+"-wal", wal, 0o600))
	s = openAt(t, path, Options{Repair: true})
	if r := s.Repaired(); r == nil || !r.Whole() {
		t.Errorf("repaired was %+v", r)
	}
	countEvents(t, s, 50)
	sound(t, s)
}

func TestADatabaseThatIsGoneIsToldAndNothingOfItsTimeIsSignedAnew(t *testing.T) {
	path := newDamageCase(t, true).leave(t, "caro.db")
	s, err := Open(t.Context(), path, Options{Now: fixedClock(damageClock), Repair: true})
	check(t, err)
	if len(s.Notices()) != 1 || !strings.Contains(s.Notices()[0], "is gone") {
		t.Errorf("told is %q", s.Notices())
	}
	if lost, err := s.LostSummaries(t.Context()); err != nil || !lost.Unknown.Equal(damageClock) {
		t.Errorf("unknown is what was signed until %s, %v", lost.Unknown, err)
	}
	list, err := s.AuditRecords(t.Context(), AuditFilter{Limit: 9})
	if err != nil || len(list) != 1 || list[0].Details["action"] != "database_gone" {
		t.Errorf("recorded is %+v, %v", list, err)
	}
	check(t, s.Close())
	s = openAt(t, path, Options{Repair: true})
	if len(s.Notices()) > 0 {
		t.Errorf("the next start tells %q", s.Notices())
	}
	if fresh := open(t, Options{Repair: true}); len(fresh.Notices()) > 0 {
		t.Errorf("a first start tells %q", fresh.Notices())
	}
}

func TestACheckTakesNothingFromWhatTheNextStartSeesOfACutLog(t *testing.T) {
	c := newDamageCase(t, false)
	path := c.leave(t)
	check(t, os.Truncate(path+"-wal", int64(len(c.files["caro.db-wal"])/2)))
	cutAt := noon.Add(time.Hour)
	check(t, os.Chtimes(path+"-wal", cutAt, cutAt))
	for range 2 {
		if reason, notices, err := Examine(t.Context(), path, false); err != nil || reason != "" || len(notices) == 0 || !strings.Contains(notices[len(notices)-1], "missing") {
			t.Fatalf("a check says %q and %q, %v", reason, notices, err)
		}
	}
	s := openAt(t, path, Options{Now: fixedClock(damageClock), Repair: true})
	if n := s.Notices(); len(n) == 0 || !strings.Contains(n[len(n)-1], "missing") {
		t.Errorf("the start after it tells %q", n)
	}
	if lost, err := s.LostSummaries(t.Context()); err != nil || !lost.Unknown.Equal(cutAt) {
		t.Errorf("unknown is what was signed until %s, and not %s, %v", lost.Unknown, cutAt, err)
	}
}

func TestTheSentenceAboutARepairNamesWhatAPersonMisses(t *testing.T) {
	for _, c := range []struct {
		parts []*SavedPart
		want  string
	}{
		{[]*SavedPart{{Name: "commands", Saved: 1}, {Name: called["spool"], Saved: 3}, {Name: "summaries", Saved: 1, Lost: 1}}, "saved 1 command and 1 summary; lost 1 summary;"},
		{[]*SavedPart{{Name: "commands", Saved: 5, Lost: 2, Uncounted: true}, {Name: "peers", Uncounted: true}, {Name: "audit records", Uncounted: true},
			{Name: called["changed_hour"], Uncounted: true}}, "saved 5 commands; lost at least 2 commands and an unknown number of peers and audit records;"},
		{[]*SavedPart{{Name: "commands", Uncounted: true}, {Name: "peers", Uncounted: true}}, "saved nothing; lost an unknown number of commands and of everything else;"},
		{[]*SavedPart{{Name: called["spool"], Lost: 1}, {Name: called["succession"], Saved: 1}}, "saved 1 key rotation of peers; lost 1 position in spool files;"},
		{[]*SavedPart{{Name: incompleteEvents, Lost: 1}}, "saved nothing; lost 1 command that is not whole;"},
	} {
		if got := (&Repair{Parts: c.parts}).Sentence(); !strings.Contains(got, c.want) {
			t.Errorf("%q does not say %q", got, c.want)
		}
	}
}

func TestTheSizeOfADatabaseCountsWhatIsInTheLogAlone(t *testing.T) {
	s := open(t, Options{})
	check(t, s.Append(t.Context(), newGenerator(1, noon, 1e9).batch(500)))
	before, err := s.Sizes(t.Context())
	check(t, err)
	check(t, s.emptyLog(t.Context(), "test"))
	after, err := s.Sizes(t.Context())
	if err != nil || before.DatabaseBytes != after.DatabaseBytes || before.FreeBytes >= before.DatabaseBytes {
		t.Errorf("it had %d bytes, %d of them unused, and %d once they are in the file (%v)", before.DatabaseBytes, before.FreeBytes, after.DatabaseBytes, err)
	}
}
