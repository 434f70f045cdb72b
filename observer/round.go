package observer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/caro-mesh/caro-node/observer/event"
	"github.com/caro-mesh/caro-node/observer/spool"
)

// file is a claimed file between its claim and its release.
type file struct {
	spool.Claimed
	since  time.Time // when this process first saw it; monotonic
	offset int64     // read, stored in the sink
	stored bool      // everything is in the sink: waits for Durable
}

// round claims, reads and releases once. It returns after what time a file needs another look, 0 for none.
func (o *Observer) round(ctx context.Context) (time.Duration, error) {
	defer o.measure()
	if err := o.claim(ctx); err != nil {
		return 0, err
	}
	var again time.Duration
	var failures []error
	for _, f := range o.files {
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
		// One bad file must not keep the others waiting.
		wait, err := o.read(ctx, f)
		if err != nil {
			failures = append(failures, err)
			continue
		}
		if wait > 0 && (again == 0 || wait < again) {
			again = wait
		}
	}
	if err := o.release(ctx); err != nil {
		failures = append(failures, err)
	}
	return again, errors.Join(failures...)
}

// claim takes over what the shells have written and, in the first round, what an earlier run left.
func (o *Observer) claim(ctx context.Context) error {
	names, _, err := spool.Pending(o.c.SpoolDir)
	if errors.Is(err, fs.ErrNotExist) { // somebody cleared the folder away
		err = spool.Prepare(o.c.SpoolDir)
	}
	if err != nil {
		return err
	}
	for _, name := range names {
		if _, err := spool.Claim(o.c.SpoolDir, name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("claim a spool file: %w", err)
		}
	}
	claimed, _, err := spool.ListClaimed(o.c.SpoolDir)
	if err != nil {
		return err
	}
	for _, c := range claimed {
		if o.files[c.Name] != nil {
			continue
		}
		offset, err := o.c.Sink.SpoolOffset(ctx, c.Name)
		if err != nil {
			return fmt.Errorf("ask how far a spool file was read: %w", err)
		}
		o.files[c.Name] = &file{Claimed: c, since: time.Now(), offset: offset}
	}
	return nil
}

// read stores what is new in f, in batches. It returns when f needs another look.
func (o *Observer) read(ctx context.Context, f *file) (time.Duration, error) {
	h, err := f.Open(o.c.SpoolDir)
	if errors.Is(err, fs.ErrNotExist) { // removed by hand
		f.stored = true
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer func() { _ = h.Close() }() // opened for reading: nothing to lose
	fi, err := h.Stat()
	if err != nil {
		return 0, fmt.Errorf("look at a spool file: %w", err)
	}
	// Asked before the reading, so that what an ended writer wrote is read.
	age := time.Since(f.since)
	writing, known := spool.HasWriter(h)
	last := age >= o.c.Grace && !(known && writing)
	f.stored = false
	if fi.Size() > f.offset || last {
		if err := o.store(ctx, f, h, fi.ModTime(), last); err != nil {
			return 0, err
		}
	}
	if last {
		f.stored = true
		return 0, nil
	}
	// A shell that was stopped in the middle may stay so for days: look ever more rarely.
	return max(o.c.Grace-age, age/4, time.Millisecond), nil
}

// store appends the whole records between f.offset and the end. With last, what remains is torn.
func (o *Observer) store(ctx context.Context, f *file, h *os.File, modified time.Time, last bool) error {
	if _, err := h.Seek(f.offset, io.SeekStart); err != nil {
		return fmt.Errorf("read a spool file: %w", err)
	}
	d := spool.NewDecoder(h, f.offset)
	var events []event.Event
	size := 0
	flush := func() error {
		if d.Offset() == f.offset {
			return nil
		}
		if err := o.c.Sink.AppendFromSpool(ctx, f.Name, d.Offset(), events); err != nil {
			return fmt.Errorf("store the commands of a spool file: %w", err)
		}
		f.offset = d.Offset()
		o.update(func(s *Status) {
			s.Stored += uint64(len(events))
			for i := range events {
				if events[i].Timestamp.After(s.LastEvent) {
					s.LastEvent = events[i].Timestamp
				}
			}
		})
		events, size = nil, 0
		return nil
	}
	for {
		rec, err := d.Next()
		var torn *spool.TornError
		switch {
		case errors.As(err, &torn):
			if err := o.keepTorn(f, torn); err != nil {
				return err
			}
			continue
		case errors.Is(err, io.ErrUnexpectedEOF) && last:
			if err := o.keepTorn(f, d.Discard()); err != nil {
				return err
			}
			return flush()
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return flush()
		case err != nil:
			return err
		}
		if e, keep := o.event(f, rec, modified); keep {
			events = append(events, e)
			size += len(e.Command)
		}
		if len(events) >= o.c.batchEvents || size >= o.c.batchBytes {
			if err := flush(); err != nil {
				return err
			}
		}
	}
}

func (o *Observer) keepTorn(f *file, t *spool.TornError) error {
	path, err := spool.KeepTorn(o.c.SpoolDir, f.Claimed, t)
	if err != nil {
		return err
	}
	o.c.Logger.Warn("a shell's record was cut short and could not be read; its bytes are kept", "file", path, "reason", t.Reason)
	return nil
}

// release deletes the files that are wholly stored, after one durable point for all of them.
func (o *Observer) release(ctx context.Context) error {
	var done []*file
	for _, f := range o.files {
		if f.stored {
			done = append(done, f)
		}
	}
	if len(done) == 0 {
		return nil
	}
	if err := o.c.Sink.Durable(ctx); err != nil {
		return fmt.Errorf("make stored commands durable: %w", err)
	}
	for _, f := range done {
		if err := f.Remove(o.c.SpoolDir); err != nil {
			return err
		}
		// The offset goes after the file: a crash between the two leaves a row that nothing can meet again.
		if err := o.c.Sink.ForgetSpool(ctx, f.Name); err != nil {
			return fmt.Errorf("forget a released spool file: %w", err)
		}
		delete(o.files, f.Name)
	}
	return nil
}

// measure brings the counts of the status up to date; a folder that cannot be listed shows itself in the next round.
// Files that only wait to be released are not pending: nothing in them can be lost any more.
func (o *Observer) measure() {
	pending, size, err := spool.Pending(o.c.SpoolDir)
	claimed, _, err2 := spool.ListClaimed(o.c.SpoolDir)
	torn, err3 := spool.CountTorn(o.c.SpoolDir)
	if errors.Join(err, err2, err3) != nil {
		return
	}
	files := len(pending)
	for _, c := range claimed {
		var stored int64
		if f := o.files[c.Name]; f != nil {
			stored = f.offset
		}
		if fi, err := os.Stat(c.Path(o.c.SpoolDir)); err == nil && fi.Size() > stored {
			files++
			size += fi.Size() - stored
		}
	}
	o.update(func(s *Status) { s.PendingFiles, s.PendingBytes, s.Torn = files, size, torn })
}
