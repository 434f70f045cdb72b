package observer

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/caro-mesh/caro-node/observer/spool"
	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/store"
)

// observeUntil runs an observer until ok returns "", and waits for its end.
func observeUntil(t *testing.T, c Config, ok func() string) {
	t.Helper()
	c.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	c.Grace, c.retryMin, c.retryMax = 20*time.Millisecond, 5*time.Millisecond, 20*time.Millisecond
	o, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- o.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	}()
	eventually(t, ok)
}

// storedTimes returns how often each command is stored, and checks that the newest comes first.
func storedTimes(t *testing.T, db *store.Store) map[string]int {
	t.Helper()
	times := map[string]int{}
	var before time.Time
	for f := (store.EventFilter{Limit: 1000}); ; {
		events, cursor, err := db.Events(t.Context(), f)
		if err != nil {
			t.Fatal(err)
		}
		for i := range events {
			times[events[i].Command]++
			if at := events[i].Timestamp; !before.IsZero() && at.After(before) {
				t.Errorf("%q of %s comes after one of %s", events[i].Command, at, before)
			}
			before = events[i].Timestamp
		}
		if f.Cursor = cursor; cursor == "" {
			return times
		}
	}
}

// Each boot has an earlier clock than the one before; shells say the same microsecond again and again, or no time at all;
// files are older than what is in them; the observer ends with work left, and goes on under another clock.
func TestAClockThatIsSetBackLosesNothingAndDoublesNothing(t *testing.T) {
	dir := t.TempDir()
	spools := filepath.Join(dir, "spool")
	if err := spool.Prepare(spools); err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(t.Context(), filepath.Join(dir, "caro.db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	const boots, shells, each = 6, 5, 30
	noon := time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	var want []string
	for boot := range boots {
		clock := noon.Add(-time.Duration(boot) * 61 * time.Hour)
		for s := range shells {
			path := filepath.Join(spools, fmt.Sprintf("bash-%d-%d-%d.spool", s, clock.UnixMicro(), boot))
			for i := range each {
				r := spool.Record{Start: clock.Add(time.Duration(i/3) * time.Microsecond), Shell: protocol.ShellBash, Command: fmt.Sprintf("echo %d %d %d", boot, s, i)}
				switch i % 10 {
				case 4:
					r.Start = clock.Add(-time.Duration(i) * time.Hour) // set back in the middle of a session
				case 7:
					r.Start = time.Time{}
				}
				appendRecord(t, path, r)
				want = append(want, r.Command)
			}
			if err := os.Chtimes(path, clock, clock.Add(-48*time.Hour)); err != nil {
				t.Fatal(err)
			}
		}
		c := Config{SpoolDir: spools, Sink: db, Now: func() time.Time { return clock }, batchEvents: 7}
		enough := int64(len(want) - boots*each/4)
		observeUntil(t, c, func() string {
			n, err := db.CountEvents(t.Context())
			if err != nil || n < enough {
				return fmt.Sprintf("%d of %d events are stored (%v)", n, enough, err)
			}
			return ""
		})
	}
	observeUntil(t, Config{SpoolDir: spools, Sink: db}, released(spools))

	times := storedTimes(t, db)
	for _, c := range want {
		if times[c] != 1 {
			t.Errorf("%q is stored %d times", c, times[c])
		}
	}
	if len(times) != len(want) {
		t.Errorf("%d different commands are stored, want %d", len(times), len(want))
	}
	rollups, err := db.Rollups(t.Context(), noon.AddDate(0, 0, -60), noon.AddDate(0, 0, 60))
	if err != nil {
		t.Fatal(err)
	}
	counted := int64(0)
	for _, r := range rollups {
		counted += int64(r.Count)
	}
	if counted != int64(len(want)) {
		t.Errorf("the roll-ups count %d commands, want %d", counted, len(want))
	}
}

func TestAWeekWithoutADaemonIsStoredAtItsReturn(t *testing.T) {
	dir := t.TempDir()
	spools := filepath.Join(dir, "spool")
	if err := spool.Prepare(spools); err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(t.Context(), filepath.Join(dir, "caro.db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	const days, sessions, each = 7, 8, 25
	monday := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	for day := range days {
		for s := range sessions {
			at := monday.AddDate(0, 0, day).Add(time.Duration(s) * time.Hour)
			var content []byte
			for i := range each {
				content = append(content, spool.Encode(spool.Record{Start: at.Add(time.Duration(i) * time.Second), Shell: protocol.ShellZsh,
					Command: fmt.Sprintf("echo %d %d %d", day, s, i)})...)
			}
			path := filepath.Join(spools, fmt.Sprintf("zsh-%d-%d-x.spool", s, at.UnixMicro()))
			if err := os.WriteFile(path, content, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chtimes(path, at, at); err != nil {
				t.Fatal(err)
			}
		}
	}
	observeUntil(t, Config{SpoolDir: spools, Sink: db, Now: func() time.Time { return monday.AddDate(0, 0, days) }}, released(spools))
	for c, n := range storedTimes(t, db) {
		if n != 1 {
			t.Errorf("%q is stored %d times", c, n)
		}
	}
	for day := range days {
		from := monday.AddDate(0, 0, day)
		n, err := db.CountMatching(t.Context(), store.EventFilter{Since: from, Until: from.AddDate(0, 0, 1)})
		if err != nil || n != sessions*each {
			t.Errorf("%d commands of %s are stored (%v), want %d", n, from.Format(time.DateOnly), err, sessions*each)
		}
	}
}
