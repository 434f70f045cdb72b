package daemon

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/caro-mesh/caro-node/observer/event"
	"github.com/caro-mesh/caro-node/observer/histfile"
	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/store"
)

func openStore(t *testing.T) *store.Store {
	t.Helper()
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "caro.db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

var typedAt = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

// hooked is a command as a shell's hook records it.
func hooked(at time.Time, shell protocol.ShellType, command string) event.Event {
	return event.Event{ID: event.NewID(at), Timestamp: at, Shell: shell, Command: command, Category: protocol.CategoryOther, Session: string(shell) + "-1"}
}

// kept is a command as a history file holds it, after count others of the same time and text.
func kept(at time.Time, shell protocol.ShellType, command string, count int) event.Event {
	e := event.Event{ID: histfile.EntryID(shell, at, command, count), Timestamp: at, Shell: shell, Command: command, Category: protocol.CategoryOther}
	if at.IsZero() {
		e.Timestamp = time.Unix(0, 0).UTC()
	}
	return e
}

func TestWhatTheHookRecordedIsNotImportedAgain(t *testing.T) {
	for name, c := range map[string]struct {
		recorded, imported []event.Event
		stored             int
	}{
		"the same":          {[]event.Event{hooked(typedAt.Add(412*time.Millisecond), "zsh", "ls")}, []event.Event{kept(typedAt, "zsh", "ls", 0)}, 0},
		"noted before":      {[]event.Event{hooked(typedAt.Add(1900*time.Millisecond), "zsh", "ls")}, []event.Event{kept(typedAt, "zsh", "ls", 0)}, 0},
		"noted after":       {[]event.Event{hooked(typedAt.Add(-time.Second), "zsh", "ls")}, []event.Event{kept(typedAt, "zsh", "ls", 0)}, 0},
		"at another time":   {[]event.Event{hooked(typedAt.Add(2*time.Second), "zsh", "ls")}, []event.Event{kept(typedAt, "zsh", "ls", 0)}, 1},
		"in another shell":  {[]event.Event{hooked(typedAt, "bash", "ls")}, []event.Event{kept(typedAt, "zsh", "ls", 0)}, 1},
		"another text":      {[]event.Event{hooked(typedAt, "zsh", "ls -l")}, []event.Event{kept(typedAt, "zsh", "ls", 0)}, 1},
		"twice, once known": {[]event.Event{hooked(typedAt, "zsh", "ls")}, []event.Event{kept(typedAt, "zsh", "ls", 0), kept(typedAt, "zsh", "ls", 1)}, 1},
		"twice, both known": {[]event.Event{hooked(typedAt, "zsh", "ls"), hooked(typedAt.Add(time.Second), "zsh", "ls")}, []event.Event{kept(typedAt, "zsh", "ls", 0), kept(typedAt.Add(time.Second), "zsh", "ls", 0)}, 0},
		"without a time":    {[]event.Event{hooked(typedAt, "zsh", "ls")}, []event.Event{kept(time.Time{}, "zsh", "ls", 0), kept(time.Time{}, "zsh", "ls", 1)}, 2},
		"nothing recorded":  {nil, []event.Event{kept(typedAt, "zsh", "ls", 0), kept(typedAt, "zsh", "ls", 1)}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			db := openStore(t)
			if err := db.Append(t.Context(), c.recorded); err != nil {
				t.Fatal(err)
			}
			n := len(c.imported)
			for again := range 2 {
				out, err := StoreImport(t.Context(), db, append([]event.Event(nil), c.imported...))
				if err != nil {
					t.Fatal(err)
				}
				want := c.stored
				if again > 0 {
					want = 0
				}
				if out.Stored != want || out.AlreadyStored != n-want {
					t.Errorf("import %d: %+v, want %d new of %d", again+1, out, want, n)
				}
			}
			if got, err := db.CountEvents(t.Context()); err != nil || got != int64(len(c.recorded)+c.stored) {
				t.Errorf("%d events, %v", got, err)
			}
		})
	}
}

// A file without order spans more time, and more events, than are looked at together.
func TestWhatTheHookRecordedIsFoundAmongManyEvents(t *testing.T) {
	db := openStore(t)
	var recorded []event.Event
	for i := range recordedTogether + 500 {
		recorded = append(recorded, hooked(typedAt.Add(time.Duration(i)*time.Second+300*time.Millisecond), "bash", fmt.Sprint("make ", i%7)))
	}
	if err := db.Append(t.Context(), recorded); err != nil {
		t.Fatal(err)
	}
	var imported []event.Event
	for i := 0; i < len(recorded); i += 50 {
		e := recorded[(i*7919)%len(recorded)]
		imported = append(imported, kept(e.Timestamp.Truncate(time.Second), "bash", e.Command, 0))
	}
	last := recorded[len(recorded)-1]
	imported = append(imported, kept(last.Timestamp.Truncate(time.Second), "bash", last.Command, 0), kept(last.Timestamp.Truncate(time.Second), "bash", last.Command, 1),
		kept(typedAt, "bash", "unknown", 0), kept(typedAt.Add(time.Second), "bash", "unknown", 0))
	out, err := StoreImport(t.Context(), db, imported)
	if err != nil || out.Stored != 3 {
		t.Errorf("%+v, %v", out, err)
	}
}
