package observer

import (
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/caro-mesh/caro-node/observer/event"
	"github.com/caro-mesh/caro-node/observer/spool"
	"github.com/caro-mesh/caro-node/protocol"
)

// event makes an event of a record, or tells that it is not to be kept. modified stands in for a time that the shell could
// not tell.
func (o *Observer) event(f *file, r spool.Record, modified time.Time) (event.Event, bool) {
	command := strings.TrimRightFunc(strings.ToValidUTF8(r.Command, "\uFFFD"), unicode.IsSpace)
	cwd := strings.ToValidUTF8(r.CWD, "\uFFFD")
	if command == "" || unicode.IsSpace(rune(command[0])) || o.ignore.Match(command, cwd) {
		o.update(func(s *Status) { s.Ignored++ })
		return event.Event{}, false
	}
	e := event.Event{
		Timestamp:     r.Start.UTC(),
		Shell:         r.Shell,
		CWD:           cwd,
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
	e.Command, e.Redactions = o.redact(command)
	o.annotate(&e)
	return e, true
}

// redact never lets a command through unredacted: if the rules fail on it, the whole text goes.
func (o *Observer) redact(command string) (clean string, kinds []string) {
	defer func() {
		if p := recover(); p != nil {
			o.c.Logger.Error("a command could not be searched for secrets, so its text is not kept; please report this", "panic", p)
			clean, kinds = "[redacted]", []string{"unreadable"}
		}
	}()
	clean, kinds = o.c.Redact(command)
	if clean == "" {
		clean = "[redacted]"
	}
	slices.Sort(kinds)
	return clean, slices.Compact(kinds)
}

// annotate survives a rule that fails: one odd command must not stop the observer, today and after every restart.
func (o *Observer) annotate(e *event.Event) {
	defer func() {
		if p := recover(); p != nil {
			o.c.Logger.Error("a command could not be judged and counts as moderate; please report this", "panic", p)
			e.Category, e.RiskLevel, e.Pattern = protocol.CategoryOther, protocol.RiskModerate, ""
		}
	}()
	o.c.Annotate(e)
}
