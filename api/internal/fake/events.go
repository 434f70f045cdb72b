package fake

import (
	"context"
	"slices"

	"github.com/caro-mesh/caro-node/api"
	v1 "github.com/caro-mesh/caro-node/api/v1"
)

// CountEvents counts in Commands.
func (b *Backend) CountEvents(_ context.Context, f api.EventFilter) (int64, error) {
	defer b.lock()()
	var n int64
	for _, e := range b.Commands {
		if matches(e, f) {
			n++
		}
	}
	return n, b.Failure
}

// Event looks into Commands.
func (b *Backend) Event(_ context.Context, id string) (v1.Event, error) {
	defer b.lock()()
	for _, e := range b.Commands {
		if e.ID == id {
			return e, b.Failure
		}
	}
	return v1.Event{}, api.Refuse(api.ErrNotFound, "there is no command %s", id)
}

// StoreEvents keeps the request as LastReports, and puts each report that has an ID which is new into Commands.
func (b *Backend) StoreEvents(_ context.Context, r v1.EventReports) (v1.StoredEvents, error) {
	defer b.lock()()
	b.LastReports = r
	var out v1.StoredEvents
	for _, p := range r.Events {
		if slices.ContainsFunc(b.Commands, func(e v1.Event) bool { return e.ID == p.ID }) {
			out.AlreadyStored++
			continue
		}
		e := v1.Event{ID: p.ID, Timestamp: *p.Timestamp, Shell: p.Shell, Command: p.Command, CWD: p.CWD, ExitCode: p.ExitCode, DurationMS: p.DurationMS,
			Category: "other", CaroGenerated: p.CaroGenerated, CaroExecuted: p.CaroExecuted, UserConfirmed: p.UserConfirmed, Blocked: p.Blocked}
		b.Commands = slices.Insert(b.Commands, 0, e)
		out.Stored++
		out.Events = append(out.Events, e)
	}
	return out, b.Failure
}

// DeleteEvents removes from Commands.
func (b *Backend) DeleteEvents(_ context.Context, ids []string) (int64, error) {
	return b.remove(func(e v1.Event) bool { return slices.Contains(ids, e.ID) })
}

// DeleteMatching removes from Commands.
func (b *Backend) DeleteMatching(_ context.Context, f api.EventFilter) (int64, error) {
	return b.remove(func(e v1.Event) bool { return matches(e, f) })
}

func (b *Backend) remove(chosen func(v1.Event) bool) (int64, error) {
	defer b.lock()()
	before := len(b.Commands)
	b.Commands = slices.DeleteFunc(b.Commands, chosen)
	return int64(before - len(b.Commands)), b.Failure
}
