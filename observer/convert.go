package observer

import (
	"time"

	"github.com/caro-mesh/caro-node/observer/event"
	"github.com/caro-mesh/caro-node/observer/shellparse"
	"github.com/caro-mesh/caro-node/observer/spool"
)

// event makes an event of a record, or tells that it is not to be kept. modified stands in for a time that the shell could
// not tell.
func (o *Observer) event(f *file, r spool.Record, modified time.Time) (event.Event, bool) {
	o.preparer.LeaveOut(r.Kept)
	if r.Command == "" && r.Kept > 0 { // which is all that it tells
		return event.Event{}, false
	}
	e := event.Event{
		Timestamp:     r.Start.UTC(),
		Shell:         r.Shell,
		Command:       r.Command,
		Expanded:      r.Expanded,
		CWD:           r.CWD,
		ExitCode:      r.Exit,
		CaroGenerated: r.CaroGenerated,
		CaroExecuted:  r.CaroExecuted,
		UserConfirmed: r.UserConfirmed,
		Blocked:       r.Blocked,
		Session:       f.Session,
	}
	if r.Aliases != "" {
		e.Expanded = shellparse.Expand(r.Command, r.Shell, shellparse.ParseAliases(r.Aliases))
	}
	if r.Duration != nil {
		ms := r.Duration.Milliseconds()
		e.DurationMS = &ms
	}
	if r.Start.IsZero() {
		e.Timestamp = o.began(modified, r.Duration)
	}
	e.ID = event.NewID(e.Timestamp)
	return e, o.preparer.Prepare(&e)
}

// began guesses when a command began whose end, or about that, was when its file was modified. A duration or a file time
// that cannot be right is not believed, because one refused event would keep its whole file from being stored.
func (o *Observer) began(modified time.Time, duration *time.Duration) time.Time {
	if duration != nil && event.CheckTime(modified.Add(-*duration)) == nil {
		return modified.Add(-*duration).UTC()
	}
	for _, t := range []time.Time{modified, o.c.Now()} {
		if event.CheckTime(t) == nil {
			return t.UTC()
		}
	}
	return event.MinTime
}
