package main

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/caro-mesh/caro-node/api/client"
	v1 "github.com/caro-mesh/caro-node/api/v1"
	"github.com/caro-mesh/caro-node/observer"
	"github.com/caro-mesh/caro-node/observer/event"
	"github.com/caro-mesh/caro-node/observer/histfile"
	"github.com/caro-mesh/caro-node/protocol"
)

// One transaction of an import.
const (
	importEvents = 1000
	importBytes  = 1 << 20 // of commands; one alone may be longer
)

// importer reads a history file, prepares its commands and stores them, all three at the same time.
type importer struct {
	shell    protocol.ShellType
	preparer *observer.Preparer
	store    func(context.Context, []event.Event) (v1.StoredEvents, error)
	together int // how many calls of store may run at once; 0 means one
	progress *progress

	kept sync.Mutex // guards what keep changes
	doc  importDocument
	end  int64 // where the last command begins of those that were stored

	counter histfile.Counter
	latest  time.Time // of the last command that has a time
	given   time.Time // what the last command got, without its microseconds
	nth     int       // how many before it got the same in a row
}

// chunk is what one transaction stores.
type chunk struct {
	events []event.Event
	lines  []int // of each event
	bytes  int
	end    int64 // where the last one begins in the file
	read   int
}

// run returns when everything is stored, or nothing more can be. im.doc tells how far it came.
func (im *importer) run(ctx context.Context, in io.Reader) error {
	g, ctx := errgroup.WithContext(ctx)
	if pipe, ok := in.(interface{ SetReadDeadline(time.Time) error }); ok {
		// A pipe may have nothing to read for ever. Files have no deadlines, and need none.
		defer context.AfterFunc(ctx, func() { _ = pipe.SetReadDeadline(time.Unix(1, 0)) })()
	}
	raw, ready := make(chan *chunk, 1), make(chan *chunk, 1)
	var malformed *histfile.MalformedError
	g.Go(func() error {
		defer close(raw)
		err := readChunks(ctx, in, im.shell, raw)
		if errors.As(err, &malformed) {
			err = nil
		}
		return err
	})
	var long []int // lines whose commands became too long
	g.Go(func() error {
		defer close(ready)
		for c := range raw {
			if err := im.prepare(ctx, c, &long); err != nil {
				return err
			}
			if err := send(ctx, ready, c); err != nil {
				return err
			}
		}
		return nil
	})
	for range max(1, im.together) {
		g.Go(func() error {
			for c := range ready {
				if err := im.keep(ctx, c); err != nil {
					return err
				}
			}
			return nil
		})
	}
	err := g.Wait()
	if malformed != nil {
		im.doc.malformed(malformed)
	}
	for _, line := range long {
		im.doc.problem(line, "the command is longer than 1 MiB once its secrets are replaced")
	}
	return err
}

func send(ctx context.Context, to chan<- *chunk, c *chunk) error {
	select {
	case to <- c:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// readChunks cuts a history file into transactions.
func readChunks(ctx context.Context, in io.Reader, shell protocol.ShellType, to chan<- *chunk) error {
	c := new(chunk)
	err := histfile.Read(in, shell, func(e histfile.Entry) error {
		if len(c.events) == importEvents || len(c.events) > 0 && c.bytes+len(e.Command) > importBytes {
			if err := send(ctx, to, c); err != nil {
				return err
			}
			c = new(chunk)
		}
		ev := event.Event{Timestamp: e.Start, Shell: shell, Command: e.Command}
		if e.Duration != nil {
			ms := e.Duration.Milliseconds()
			ev.DurationMS = &ms
		}
		c.events = append(c.events, ev)
		c.lines = append(c.lines, e.Line)
		c.bytes += len(e.Command)
		c.end = e.Offset
		return nil
	})
	var malformed *histfile.MalformedError
	if err != nil && !errors.As(err, &malformed) {
		return err
	}
	if len(c.events) > 0 {
		if err := send(ctx, to, c); err != nil {
			return err
		}
	}
	return err
}

// prepare redacts and judges the commands of c, gives them IDs and times, and leaves out what is not to be kept.
func (im *importer) prepare(ctx context.Context, c *chunk, long *[]int) error {
	keep, err := im.preparer.PrepareAll(ctx, c.events)
	if err != nil {
		return err
	}
	c.read = len(c.events)
	kept := c.events[:0]
	for i := range c.events {
		e := &c.events[i]
		if !keep[i] {
			continue
		}
		if len(e.Command) > v1.MaxCommand {
			*long = append(*long, c.lines[i])
			c.read--
			continue
		}
		e.ID = histfile.EntryID(im.shell, e.Timestamp, e.Command, im.counter.Next(e.Timestamp, e.Command))
		im.date(e)
		im.order(e)
		kept = append(kept, *e)
	}
	c.events = kept
	return nil
}

// date gives a command without a time that of the one before it. Without any, it is 1970: no period that is ever
// summarized counts it, where the time of the import would show as a day of tireless work.
func (im *importer) date(e *event.Event) {
	if event.CheckTime(e.Timestamp) == nil { // some broken files have times of distant years, which count as none
		im.latest = e.Timestamp
		return
	}
	im.doc.WithoutTime++
	if e.Timestamp = im.latest; e.Timestamp.IsZero() {
		e.Timestamp = event.MinTime
	}
}

// order tells commands of the same time, which files give in whole seconds, apart by microseconds, so that they keep the
// order of the file in whatever order they are stored.
func (im *importer) order(e *event.Event) {
	const most = 999_999 // within the second
	if !e.Timestamp.Equal(im.given) {
		im.given, im.nth = e.Timestamp, -1
	}
	im.nth = min(im.nth+1, most)
	e.Timestamp = e.Timestamp.Add(time.Duration(im.nth) * time.Microsecond)
}

// keep stores a prepared chunk.
func (im *importer) keep(ctx context.Context, c *chunk) error {
	var out v1.StoredEvents
	if len(c.events) > 0 {
		var err error
		if out, err = im.store(ctx, c.events); err != nil {
			return err
		}
	}
	im.kept.Lock()
	defer im.kept.Unlock()
	im.end = max(im.end, c.end)
	im.doc.Read += c.read
	im.doc.Stored += out.Stored
	im.doc.AlreadyStored += out.AlreadyStored
	im.doc.Ignored += c.read - out.Stored - out.AlreadyStored
	im.doc.Redacted += out.Redacted
	im.progress.show(im.end, im.doc.Read)
	return nil
}

// daemonTogether is how many requests the node works on at once: while it stores the commands of one, it reads and judges
// those of the other.
const daemonTogether = 2

// daemonSink stores through the running node.
type daemonSink struct{ client *client.Client }

// maxRequest is what the commands of one request may take in JSON: below what the node accepts, with room for the rest.
const maxRequest = 6 << 20

func (s daemonSink) store(ctx context.Context, events []event.Event) (v1.StoredEvents, error) {
	var sum v1.StoredEvents
	for from := 0; from < len(events); {
		request := v1.EventReports{Import: true}
		size := 0
		to := from
		for ; to < len(events) && (to == from || size+jsonSize(events[to].Command) <= maxRequest); to++ {
			size += jsonSize(events[to].Command)
			request.Events = append(request.Events, reportOf(&events[to]))
		}
		out, err := s.client.ReportEvents(ctx, request)
		if err != nil {
			return sum, err
		}
		sum.Stored += out.Stored
		sum.AlreadyStored += out.AlreadyStored
		sum.Ignored += out.Ignored
		sum.Redacted += out.Redacted
		from = to
	}
	return sum, nil
}

func reportOf(e *event.Event) v1.EventReport {
	return v1.EventReport{ID: e.ID, Timestamp: &e.Timestamp, Shell: e.Shell, Command: e.Command, CWD: e.CWD, ExitCode: e.ExitCode, DurationMS: e.DurationMS,
		Redactions: e.Redactions}
}

// jsonSize is what encoding/json makes of s at most, in bytes.
func jsonSize(s string) int {
	n := len(s) + 3*strings.Count(s, "\u2028") + 3*strings.Count(s, "\u2029")
	for i := range len(s) {
		switch c := s[i]; {
		case c < 0x20, c == '<', c == '>', c == '&', c == 0x7f:
			n += 5
		case c == '"', c == '\\':
			n++
		}
	}
	return n
}
