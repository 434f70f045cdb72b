package observer

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"unicode"

	"golang.org/x/sync/errgroup"

	"github.com/caro-mesh/caro-node/observer/event"
	"github.com/caro-mesh/caro-node/observer/shellparse"
	"github.com/caro-mesh/caro-node/protocol"
)

// Preparer makes commands ready to be stored. Every event passes it, whether a shell reported it, another program did,
// or a history file held it. It is safe for concurrent use.
type Preparer struct {
	ignore   *Ignore
	redact   func(command string) (clean string, kinds []string)
	annotate func(*event.Event)
	logger   *slog.Logger
	ignored  atomic.Uint64
}

// NewPreparer uses Redact, Annotate, Ignore and Logger of c; the other fields need not be set.
func NewPreparer(c Config) (*Preparer, error) {
	c.defaults()
	ignore, err := ParseIgnore(c.Ignore)
	if err != nil {
		return nil, err
	}
	return &Preparer{ignore: ignore, redact: c.Redact, annotate: c.Annotate, logger: c.Logger}, nil
}

// LeaveOut counts commands that were kept out before they came here, as by a pause, so that [Status.Ignored] tells of all.
func (p *Preparer) LeaveOut(n int) { p.ignored.Add(uint64(max(n, 0))) }

// deletes reports a line that calls this program, behind whatever wrappers, to remove commands: it names what shall be
// known no more. A line that it cannot understand counts as one if it may be one.
func deletes(command string, shell protocol.ShellType) (yes bool) {
	if !strings.Contains(command, "caro-node") || !strings.Contains(command, "delete") {
		return false
	}
	defer func() {
		if recover() != nil {
			yes = true
		}
	}()
	for _, run := range shellparse.Parse(command, shell).Runs {
		if run.Name != "caro-node" {
			continue
		}
		for i := 0; i < len(run.Args); i++ {
			switch text := run.Args[i].Text; {
			case text == "delete":
				return true
			case text == "--config": // the one option in front of a command that takes a value
				i++
			case !strings.HasPrefix(text, "-"):
				i = len(run.Args) // another command
			}
		}
	}
	return false
}

// Prepare cleans, redacts and annotates an event that is as it was reported, with its time and what is known of its end. It
// reports false for a command that is not to be kept: an empty one, one that begins with a blank, one that a pattern
// excludes, and "caro-node delete", which would bring back what it removes; the latter two also where an alias stands for it.
// Redactions may name kinds of secrets that the reporter has replaced already; those that are found are added. Expanded is
// empty afterwards.
func (p *Preparer) Prepare(e *event.Event) bool {
	e.Command, e.Expanded = tidy(e.Command), tidy(e.Expanded)
	e.CWD = strings.ToValidUTF8(e.CWD, "\uFFFD")
	if e.Command == "" || unicode.IsSpace(rune(e.Command[0])) || p.excluded(e.Command, e) || p.excluded(e.Expanded, e) {
		p.ignored.Add(1)
		return false
	}
	clean, kinds := p.clean(e.Command)
	switch e.Expanded {
	case "":
	case e.Command:
		e.Expanded = ""
	default:
		// Nobody sees this text, but its pattern is kept. What it holds beyond the command is not what was typed.
		e.Expanded, _ = p.clean(e.Expanded)
	}
	e.Command = clean
	if e.CWD != "" { // a folder may be named after what was cloned or downloaded into it
		folder, more := p.clean(e.CWD)
		e.CWD, kinds = folder, slices.Concat(kinds, more)
	}
	if len(kinds)+len(e.Redactions) > 0 {
		e.Redactions = slices.Concat(e.Redactions, kinds)
		slices.Sort(e.Redactions)
		e.Redactions = slices.Compact(e.Redactions)
	}
	p.judge(e)
	e.Expanded = ""
	return true
}

// tidy makes a text one that can be stored.
func tidy(text string) string {
	return strings.TrimRightFunc(strings.ToValidUTF8(text, "\uFFFD"), unicode.IsSpace)
}

func (p *Preparer) excluded(command string, e *event.Event) bool {
	return command != "" && (p.ignore.Match(command, e.CWD) || deletes(command, e.Shell))
}

// prepareTogether is how many events one core prepares at a time: some milliseconds of work.
const prepareTogether = 64

// PrepareAll prepares many events on all cores, and tells for each whether it is to be kept. An error is that of ctx, which
// ended before.
func (p *Preparer) PrepareAll(ctx context.Context, events []event.Event) (keep []bool, err error) {
	keep = make([]bool, len(events))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for from := 0; from < len(events) && gctx.Err() == nil; from += prepareTogether {
		g.Go(func() error {
			for i := from; i < min(from+prepareTogether, len(events)); i++ {
				keep[i] = p.Prepare(&events[i])
			}
			return gctx.Err()
		})
	}
	if err = g.Wait(); err == nil {
		err = ctx.Err() // it may have ended before the first was begun
	}
	if err != nil {
		return nil, err
	}
	return keep, nil
}

// clean never lets a command through unredacted: if the rules fail on it, the whole text goes.
func (p *Preparer) clean(command string) (clean string, kinds []string) {
	defer func() {
		if r := recover(); r != nil {
			p.logger.Error("a command could not be searched for secrets, so its text is not kept; please report this", "panic", cause(r))
			clean, kinds = "[redacted]", []string{"unreadable"}
		}
	}()
	if clean, kinds = p.redact(command); clean == "" {
		clean = "[redacted]"
	}
	return clean, kinds
}

// judge survives a rule that fails: one odd command must not stop the observer, today and after every restart.
func (p *Preparer) judge(e *event.Event) {
	defer func() {
		if r := recover(); r != nil {
			p.logger.Error("a command could not be judged and counts as moderate; please report this", "panic", cause(r))
			e.Category, e.RiskLevel, e.Pattern = protocol.CategoryOther, protocol.RiskModerate, ""
		}
	}()
	p.annotate(e)
}

// cause describes what a rule failed with. What is no error of the language may quote the command, and is not said.
func cause(recovered any) string {
	if err, ok := recovered.(runtime.Error); ok {
		return err.Error()
	}
	return fmt.Sprintf("%T", recovered)
}
