package store

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/caro-mesh/caro-node/policy/audit"
	"github.com/caro-mesh/caro-node/protocol"
)

// spoilBytes changes the last letter of every place where the file holds these bytes.
func spoilBytes(t *testing.T, path string, what []byte) {
	t.Helper()
	b, err := os.ReadFile(path)
	check(t, err)
	found := 0
	for at := bytes.Index(b, what); at >= 0; at = bytes.Index(b, what) {
		b[at+len(what)-1] ^= 1
		found++
	}
	if found == 0 {
		t.Fatalf("%q is not in %s", what, path)
	}
	check(t, os.WriteFile(path, b, 0o600))
}

func makingOf(s *protocol.NodeSummary) audit.Event {
	d := map[string]string{"summary_id": s.ID, "granularity": string(s.Period.Granularity), "period_start": s.Period.Start.String()}
	if s.Replaces != "" {
		d["replaces"] = s.Replaces
	}
	return audit.Event{Type: protocol.AuditSummaryGenerated, Success: true, Details: d}
}

// another is a summary of the same period with a command more.
func another(t *testing.T, s *protocol.NodeSummary, replaces string) (*protocol.NodeSummary, []byte) {
	t.Helper()
	n, _ := summary(t, newKey(1), s.Period.Start.Time(), s.Period.Granularity, s.TotalCommands+1)
	n.ID, n.Replaces = uuid.NewString(), replaces
	wire, err := protocol.SignSummary(n, newKey(1), noon)
	check(t, err)
	return n, wire
}

// withSummaries fills a database at path with the summary of an hour and of a day, and a correction of the hour's.
func withSummaries(t *testing.T, path string) (first, correction, day *protocol.NodeSummary, wires [3][]byte) {
	t.Helper()
	s, err := Open(t.Context(), path, Options{Now: fixedClock(noon)})
	check(t, err)
	first, wires[0] = summary(t, newKey(1), noon.Add(-3*time.Hour), protocol.Hourly, 5)
	check(t, s.SaveSummary(t.Context(), first, wires[0], makingOf(first)))
	correction, wires[1] = another(t, first, first.ID)
	check(t, s.SaveSummary(t.Context(), correction, wires[1], makingOf(correction)))
	day, wires[2] = summary(t, newKey(1), noon.AddDate(0, 0, -2), protocol.Daily, 7)
	check(t, s.SaveSummary(t.Context(), day, wires[2], makingOf(day)))
	check(t, s.Close())
	return first, correction, day, wires
}

func mended(t *testing.T, path string) *Store {
	t.Helper()
	s := openAt(t, path, Options{Now: fixedClock(noon), Repair: true})
	if s.Repaired() == nil {
		t.Fatal("nothing was repaired")
	}
	return s
}

func TestOfALostSummarysPeriodOnlyACorrectionThatNamesItIsStored(t *testing.T) {
	for name, lose := range map[string]func(first, correction int) []int{
		"it has no correction":                     nil,
		"the correction is lost, too":              func(first, correction int) []int { return []int{first, correction} },
		"only the correction is lost":              func(_, correction int) []int { return []int{correction} },
		"only what was corrected is lost, nothing": func(first, _ int) []int { return []int{first} },
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "caro.db")
			first, correction, day, wires := withSummaries(t, path)
			last, lost := day, true
			if lose == nil {
				spoilBytes(t, path, wires[2])
			} else {
				last = correction
				for _, i := range lose(0, 1) {
					spoilBytes(t, path, wires[i])
					lost = i == 1
				}
			}
			s := mended(t, path)
			known, err := s.LostSummaries(t.Context())
			check(t, err)
			if id, signed := known.Signed(last.Period); signed != lost || lost && id != last.ID || !known.Unknown.IsZero() {
				t.Errorf("%s (%t) is said to be lost of %v; unknown until %v", id, signed, last.Period, known.Unknown)
			}
			for _, replaces := range []string{"", first.ID, uuid.NewString()} {
				n, wire := another(t, last, replaces)
				wantErr(t, s.SaveSummary(t.Context(), n, wire, makingOf(n)), ErrSummaryExists)
			}
			n, wire := another(t, last, last.ID)
			check(t, s.SaveSummary(t.Context(), n, wire, makingOf(n)))
			if got, err := s.SummaryForPeriod(t.Context(), last.Period); err != nil || got.Summary.ID != n.ID {
				t.Errorf("current is %+v (%v)", got.Summary, err)
			}
			if known, err = s.LostSummaries(t.Context()); err != nil || len(known.IDs) != 0 {
				t.Errorf("still lost are %v (%v)", known.IDs, err)
			}
			if p := protocol.PeriodAt(noon.Add(-5*time.Hour), protocol.Hourly); lost {
				n, wire := summary(t, newKey(1), p.Start.Time(), protocol.Hourly, 1)
				check(t, s.SaveSummary(t.Context(), n, wire, makingOf(n))) // of a period that had none
			}
			sound(t, s)
		})
	}
}

func TestWhereNothingTellsWhatWasSignedNothingIsSignedAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "caro.db")
	first, correction, day, wires := withSummaries(t, path)
	spoilBytes(t, path, wires[2])
	spoilBytes(t, path, []byte(`"summary_id":"`+day.ID)) // in the audit log
	s := mended(t, path)
	known, err := s.LostSummaries(t.Context())
	check(t, err)
	if _, signed := known.Signed(day.Period); !signed || !known.Unknown.Equal(noon) {
		t.Errorf("known is %+v", known)
	}
	for _, replaces := range []string{"", day.ID, correction.ID} {
		n, wire := another(t, day, replaces)
		wantErr(t, s.SaveSummary(t.Context(), n, wire, makingOf(n)), ErrSummaryExists)
	}
	n, wire := another(t, first, correction.ID) // what is there can be corrected
	check(t, s.SaveSummary(t.Context(), n, wire, makingOf(n)))
	later, wire := summary(t, newKey(1), noon, protocol.Hourly, 3)
	check(t, s.SaveSummary(t.Context(), later, wire, makingOf(later)))

	// What was forgotten stays so through another repair and through an older backup.
	check(t, s.Close())
	_, err = Rebuild(t.Context(), path, "test", fixedClock(noon))
	check(t, err)
	again := filepath.Join(t.TempDir(), "caro.db")
	withSummaries(t, again)
	_, err = Restore(t.Context(), path, again, fixedClock(noon.Add(time.Minute)))
	check(t, err)
	s = openAt(t, path, Options{Now: fixedClock(noon)})
	if known, err = s.LostSummaries(t.Context()); err != nil || !known.Unknown.Equal(noon) {
		t.Errorf("known after that is %+v (%v)", known, err)
	}
}

func TestARestoredBackupSignsNothingAgainWhereTheReplacedDatabaseCannotTell(t *testing.T) {
	dir := t.TempDir()
	path, backup := filepath.Join(dir, "caro.db"), filepath.Join(dir, "backup.db")
	s, err := Open(t.Context(), backup, Options{Now: fixedClock(noon)})
	check(t, err)
	check(t, s.Close())
	_, _, day, _ := withSummaries(t, path)
	for name, spoil := range map[string]func() error{
		"it is not a database any more": func() error { return os.WriteFile(path, bytes.Repeat([]byte("text "), 2000), 0o600) },
		"it is gone":                    func() error { return removeIfThere(path, path+"-wal", path+"-shm") },
	} {
		t.Run(name, func(t *testing.T) {
			check(t, spoil())
			_, err := Restore(t.Context(), path, backup, fixedClock(noon))
			check(t, err)
			s, err := Open(t.Context(), path, Options{Now: fixedClock(noon), Repair: true})
			check(t, err)
			n, wire := another(t, day, "")
			wantErr(t, s.SaveSummary(t.Context(), n, wire, makingOf(n)), ErrSummaryExists)
			if since, err := s.CountsSince(t.Context()); err != nil || !since.Equal(noon) {
				t.Errorf("counts are said to be whole since %s (%v)", since, err)
			}
			check(t, s.Close())
		})
	}
}
