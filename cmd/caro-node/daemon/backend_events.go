package daemon

import (
	"context"
	"errors"

	"github.com/caro-mesh/caro-node/api"
	v1 "github.com/caro-mesh/caro-node/api/v1"
	"github.com/caro-mesh/caro-node/observer/event"
	"github.com/caro-mesh/caro-node/store"
)

func storeFilter(f api.EventFilter) store.EventFilter {
	return store.EventFilter{Search: f.Search, CWD: f.CWD, Since: f.Since, Until: f.Until, MinRisk: f.MinRisk, Category: f.Category,
		Failed: f.Failed, ExitCode: f.ExitCode, Limit: f.Limit, Cursor: f.Cursor}
}

// Events returns stored commands, newest first.
func (b *backend) Events(ctx context.Context, f api.EventFilter) (v1.EventPage, error) {
	events, next, err := b.d.db.Events(ctx, storeFilter(f))
	if err != nil {
		return v1.EventPage{}, explain(err)
	}
	return v1.EventPage{NextCursor: next, Events: eventShapes(events)}, nil
}

// CountEvents counts stored commands.
func (b *backend) CountEvents(ctx context.Context, f api.EventFilter) (int64, error) {
	return b.d.db.CountMatching(ctx, storeFilter(f))
}

// Event returns one stored command.
func (b *backend) Event(ctx context.Context, id string) (v1.Event, error) {
	e, err := b.d.db.Event(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return v1.Event{}, api.Refuse(api.ErrNotFound, "there is no command with the ID %s (caro-node history --json shows them)", id)
	}
	if err != nil {
		return v1.Event{}, err
	}
	return eventShape(&e), nil
}

// StoreEvents stores what other programs report.
func (b *backend) StoreEvents(ctx context.Context, r v1.EventReports) (v1.StoredEvents, error) {
	if !r.Import {
		p, err := ReadPause(b.d.c.Paths.Paused)
		if err != nil {
			return v1.StoredEvents{}, err
		}
		if p.On {
			b.d.observer.Preparer().LeaveOut(len(r.Events))
			return v1.StoredEvents{Ignored: len(r.Events)}, nil
		}
	}
	events := make([]event.Event, len(r.Events))
	for i := range r.Events {
		events[i] = eventOf(&r.Events[i])
	}
	keep, err := b.d.observer.Preparer().PrepareAll(ctx, events)
	if err != nil {
		return v1.StoredEvents{}, err
	}
	kept := events[:0]
	for i := range events {
		if keep[i] {
			kept = append(kept, events[i])
		}
	}
	ignored := len(r.Events) - len(kept)
	var out v1.StoredEvents
	if r.Import {
		out, err = StoreImport(ctx, b.d.db, kept)
		b.d.mesh().CountsChanged()
	} else {
		var stored []event.Event
		stored, out, err = storeNew(ctx, b.d.db, kept)
		telling{b.d.db, b.d.mesh}.tell(stored)
		out.Events = eventShapes(stored)
	}
	if errors.Is(err, store.ErrFull) {
		return v1.StoredEvents{}, api.Refuse(api.ErrUnavailable, "%w", err)
	}
	out.Ignored = ignored
	return out, err
}

// storeNew stores prepared events in one transaction, and returns those that are new, and the counts. The given slice is used
// up.
func storeNew(ctx context.Context, db *store.Store, events []event.Event) ([]event.Event, v1.StoredEvents, error) {
	isNew, err := db.AppendNew(ctx, events)
	if err != nil {
		return nil, v1.StoredEvents{}, err
	}
	var out v1.StoredEvents
	stored := events[:0]
	for i := range events {
		if !isNew[i] {
			out.AlreadyStored++
			continue
		}
		out.Stored++
		if len(events[i].Redactions) > 0 {
			out.Redacted++
		}
		stored = append(stored, events[i])
	}
	return stored, out, nil
}

func eventOf(r *v1.EventReport) event.Event {
	e := event.Event{ID: r.ID, Timestamp: r.Timestamp.UTC(), Shell: r.Shell, Command: r.Command, CWD: r.CWD, ExitCode: r.ExitCode, DurationMS: r.DurationMS,
		CaroGenerated: r.CaroGenerated, CaroExecuted: r.CaroExecuted, UserConfirmed: r.UserConfirmed, Blocked: r.Blocked, Redactions: r.Redactions}
	if e.ID == "" {
		e.ID = event.NewID(e.Timestamp)
	}
	return e
}

// DeleteEvents deletes by ID.
func (b *backend) DeleteEvents(ctx context.Context, ids []string) (int64, error) {
	defer b.d.mesh().CountsChanged()
	// Half a deletion would leave traces of what is gone already, and nothing that could be deleted again.
	return b.d.db.DeleteEvents(context.WithoutCancel(ctx), ids)
}

// DeleteMatching deletes what a filter chooses.
func (b *backend) DeleteMatching(ctx context.Context, f api.EventFilter) (int64, error) {
	defer b.d.mesh().CountsChanged()
	return b.d.db.DeleteMatching(context.WithoutCancel(ctx), storeFilter(f))
}

func eventShapes(events []event.Event) []v1.Event {
	shapes := make([]v1.Event, len(events))
	for i := range events {
		shapes[i] = eventShape(&events[i])
	}
	return shapes
}

func eventShape(e *event.Event) v1.Event {
	return v1.Event{ID: e.ID, Timestamp: e.Timestamp, Shell: e.Shell, Command: e.Command, CWD: e.CWD, ExitCode: e.ExitCode,
		DurationMS: e.DurationMS, Category: e.Category, RiskLevel: e.RiskLevel, CaroGenerated: e.CaroGenerated,
		CaroExecuted: e.CaroExecuted, UserConfirmed: e.UserConfirmed, Blocked: e.Blocked, Session: e.Session, Redactions: e.Redactions}
}
