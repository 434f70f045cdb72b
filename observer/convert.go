package observer

import (
	"time"

	"github.com/caro-mesh/caro-node/observer/event"
	"github.com/caro-mesh/caro-node/observer/spool"
)

// event makes an event of a record, or tells that it is not to be kept. modified stands in for a time that the shell could
// not tell.
func (o *Observer) event(f *file, r spool.Record, modified time.Time) (event.Event, bool) {
	e := event.Event{
		Timestamp:     r.Start.UTC(),
		Shell:         r.Shell,
		Command:       r.Command,
		CWD:           r.CWD,
		ExitCode:      r.Exit,
		CaroGenerated: r.CaroGenerated,
		CaroExecuted:  r.CaroExecuted,
		UserConfirmed: r.UserConfirmed,
		Blocked:       r.Blocked,
		Session:       f.Session,
	}
	if r.Duration != nil {
		ms := r.Duration.Milliseconds()
		e.DurationMS = &ms
	}
	if r.Start.IsZero() {
		e.Timestamp = modified.UTC()
		if r.Duration != nil {
			e.Timestamp = e.Timestamp.Add(-*r.Duration)
		}
	}
	e.ID = event.NewID(e.Timestamp)
	return e, o.preparer.Prepare(&e)
}
