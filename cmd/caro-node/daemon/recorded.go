package daemon

import (
	"context"
	"slices"
	"time"

	v1 "github.com/caro-mesh/caro-node/api/v1"
	"github.com/caro-mesh/caro-node/observer/event"
	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/store"
)

// A history file tells whole seconds, and the shell notes the line a little before or after the hook.
const (
	recordedBefore = time.Second
	recordedAfter  = 2 * time.Second
)

// recordedTogether is how many events of the time that an import covers are looked at together. Where there are more, as in
// a file without order, each command is looked up by itself.
const recordedTogether = store.MaxEvents

// StoreImport stores prepared commands of a history file in one transaction. Those that a shell's hook has recorded already,
// which have the same shell and text and nearly the same time, count as stored. The given slice is used up.
func StoreImport(ctx context.Context, db *store.Store, events []event.Event) (v1.StoredEvents, error) {
	known, err := recordedAmong(ctx, db, events)
	if err != nil {
		return v1.StoredEvents{}, err
	}
	kept := events[:0]
	for i := range events {
		if !known.take(&events[i]) {
			kept = append(kept, events[i])
		}
	}
	dropped := len(events) - len(kept)
	_, out, err := storeNew(ctx, db, kept)
	out.AlreadyStored += dropped
	return out, err
}

// recorded holds the times at which shells recorded a command.
type recorded struct {
	times map[typed][]time.Time
	ids   map[string]bool // of what is in times
}

type typed struct {
	shell   protocol.ShellType
	command string
}

// second is the time that the file tells; an import adds microseconds to keep its order.
func second(e *event.Event) time.Time { return e.Timestamp.Truncate(time.Second) }

func (r *recorded) add(e *event.Event) {
	if e.Session == "" || r.ids[e.ID] { // what was imported or reported by programs has no session
		return
	}
	r.ids[e.ID] = true
	k := typed{e.Shell, e.Command}
	r.times[k] = append(r.times[k], e.Timestamp)
}

// take reports whether e was recorded, and uses that record up: what was typed twice and recorded once is imported once.
func (r *recorded) take(e *event.Event) bool {
	k := typed{e.Shell, e.Command}
	for i, at := range r.times[k] {
		if d := at.Sub(second(e)); d >= -recordedBefore && d < recordedAfter {
			r.times[k] = slices.Delete(r.times[k], i, i+1)
			return true
		}
	}
	return false
}

// recordedAmong finds what was recorded around the times of events.
func recordedAmong(ctx context.Context, db *store.Store, events []event.Event) (*recorded, error) {
	found := &recorded{times: make(map[typed][]time.Time), ids: make(map[string]bool)}
	var first, last time.Time
	for i := range events {
		at := second(&events[i])
		if at.Unix() == 0 { // not known
			continue
		}
		if first.IsZero() || at.Before(first) {
			first = at
		}
		if at.After(last) {
			last = at
		}
	}
	if first.IsZero() {
		return found, nil
	}
	around := func(from, to time.Time) (whole bool, err error) {
		list, more, err := db.Events(ctx, store.EventFilter{Since: from.Add(-recordedBefore), Until: to.Add(recordedAfter), Limit: recordedTogether})
		if err != nil || more != "" {
			return false, err
		}
		for i := range list {
			found.add(&list[i])
		}
		return true, nil
	}
	whole, err := around(first, last)
	if err != nil || whole {
		return found, err
	}
	seen := make(map[int64]bool)
	for i := range events {
		at := second(&events[i])
		if at.Unix() == 0 || seen[at.Unix()] {
			continue
		}
		seen[at.Unix()] = true
		if _, err := around(at, at); err != nil {
			return nil, err
		}
	}
	return found, nil
}
