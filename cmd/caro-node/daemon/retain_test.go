package daemon

import (
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/caro-mesh/caro-node/cmd/caro-node/config"
	"github.com/caro-mesh/caro-node/observer/event"
	"github.com/caro-mesh/caro-node/store"
)

func TestEventsGoByWholeWeeksOnceTheyAreTooOld(t *testing.T) {
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC) // a Wednesday
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "caro.db"), store.Options{Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	var events []event.Event
	for age := range 60 * 24 { // an event every hour
		at := now.Add(-time.Duration(age) * time.Hour)
		events = append(events, event.Event{ID: event.NewID(at), Timestamp: at, Shell: "bash", Command: "make", CWD: "/", Category: "other"})
	}
	if err := db.Append(t.Context(), events); err != nil {
		t.Fatal(err)
	}
	if err := expire(t.Context(), db, nil, config.Storage{EventsDays: 30, SummariesDays: 1}, now, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	oldest := time.Date(2026, 10, 26, 0, 0, 0, 0, time.UTC) // the Monday of the week in which day 30 lies
	gone, err := db.CountMatching(t.Context(), store.EventFilter{Until: oldest})
	if err != nil || gone != 0 {
		t.Errorf("%d events are too old (%v)", gone, err)
	}
	kept, err := db.CountEvents(t.Context())
	if want := int64(now.Sub(oldest)/time.Hour) + 1; err != nil || kept != want {
		t.Errorf("%d events are kept, want %d (%v)", kept, want, err)
	}
	if problems, err := db.Check(t.Context()); err != nil || len(problems) > 0 {
		t.Errorf("the database: %q, %v", problems, err)
	}
}
