package observer

import (
	"context"
	"log/slog"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"unicode"

	"golang.org/x/sync/errgroup"

	"github.com/caro-mesh/caro-node/observer/event"
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

// deletion is a call of this program that removes commands: it names what shall be known no more.
var deletion = regexp.MustCompile(`\A(\S*/)?caro-node\s+(-\S+\s+)*delete(\s|\z)`)

// Prepare cleans, redacts and annotates an event that is as it was reported, with its time and what is known of its end. It
// reports false for a command that is not to be kept: an empty one, one that begins with a blank, one that a pattern
// excludes, and "caro-node delete", which would bring back what it removes. Redactions may name kinds of secrets that the
// reporter has replaced already; those that are found are added.
func (p *Preparer) Prepare(e *event.Event) bool {
	e.Command = strings.TrimRightFunc(strings.ToValidUTF8(e.Command, "\uFFFD"), unicode.IsSpace)
	e.CWD = strings.ToValidUTF8(e.CWD, "\uFFFD")
	if e.Command == "" || unicode.IsSpace(rune(e.Command[0])) || p.ignore.Match(e.Command, e.CWD) || deletion.MatchString(e.Command) {
		p.ignored.Add(1)
		return false
	}
	clean, kinds := p.clean(e.Command)
	e.Command = clean
	if len(kinds)+len(e.Redactions) > 0 {
		e.Redactions = slices.Concat(e.Redactions, kinds)
		slices.Sort(e.Redactions)
		e.Redactions = slices.Compact(e.Redactions)
	}
	p.judge(e)
	return true
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
			p.logger.Error("a command could not be searched for secrets, so its text is not kept; please report this", "panic", r)
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
			p.logger.Error("a command could not be judged and counts as moderate; please report this", "panic", r)
			e.Category, e.RiskLevel, e.Pattern = protocol.CategoryOther, protocol.RiskModerate, ""
		}
	}()
	p.annotate(e)
}
