package observer

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/caro-mesh/caro-node/observer/spool"
)

// Observer watches a spool folder.
type Observer struct {
	c        Config
	preparer *Preparer
	files    map[string]*file   // claimed, by name; touched by Run's goroutine alone
	waiting  chan chan struct{} // who waits for CatchUp

	mu     sync.Mutex
	status Status
}

// New checks the configuration; nothing is read or written before [Observer.Run].
func New(c Config) (*Observer, error) {
	if err := c.complete(); err != nil {
		return nil, err
	}
	preparer, err := NewPreparer(c)
	if err != nil {
		return nil, err
	}
	return &Observer{c: c, preparer: preparer, files: map[string]*file{}, waiting: make(chan chan struct{})}, nil
}

// CatchUp returns once everything is stored that the shells had reported when it was called. While that is not so, because
// it cannot be stored or Run does not run, it waits until ctx ends, and returns its error.
func (o *Observer) CatchUp(ctx context.Context) error {
	done := make(chan struct{})
	select {
	case o.waiting <- done:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Preparer is what prepares the events of this observer, for events that come another way.
func (o *Observer) Preparer() *Preparer { return o.preparer }

// settle is the pause between the news of a change and the reading, so that a burst is read at once.
const settle = 30 * time.Millisecond

// sweepEvery is how often the empty scratch files of ended shells are removed.
const sweepEvery = time.Hour

// Run stores what the shells report until ctx ends, and then returns nil. Only a spool folder that cannot be made or
// locked at the start is an error ([spool.ErrLocked]); later failures are retried, logged once, and shown by
// [Observer.Status].
func (o *Observer) Run(ctx context.Context) error {
	if err := spool.Prepare(o.c.SpoolDir); err != nil {
		return err
	}
	unlock, err := spool.Lock(o.c.SpoolDir)
	if err != nil {
		return err
	}
	defer unlock()
	o.c.Started()
	var swept time.Time

	w := o.watch()
	if w != nil {
		defer func() { _ = w.Close() }() // frees the descriptor; nothing to lose
	}
	poll := orElse(o.c.Poll, time.Minute)
	var changes chan fsnotify.Event
	var watchErrors chan error
	if w == nil {
		poll = orElse(o.c.Poll, time.Second)
	} else {
		changes, watchErrors = w.Events, w.Errors
	}

	retry := o.c.retryMin
	timer := time.NewTimer(0)
	defer timer.Stop()
	due := time.Now() // when the timer fires; real time, as the timer's
	failing := false
	var waiting []chan struct{} // for a round that succeeds
	next := func(d time.Duration) {
		due = time.Now().Add(d)
		timer.Reset(d)
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case e := <-changes:
			// The claims are no news, and a failing sink is left alone until its time.
			if failing || !e.Has(fsnotify.Create|fsnotify.Write) || !spool.IsSpoolFile(e.Name) {
				continue
			}
			if time.Until(due) > settle {
				next(settle)
			}
		case err := <-watchErrors:
			// An overflow of the queue, for example: whatever was missed is found by looking.
			o.c.Logger.Debug("watching the spool folder failed", "error", err)
			if !failing {
				next(settle)
			}
		case done := <-o.waiting:
			waiting = append(waiting, done)
			if !failing {
				next(0)
			}
		case <-timer.C:
			if time.Since(swept) > sweepEvery {
				swept = time.Now()
				if err := spool.Sweep(o.c.SpoolDir); err != nil {
					o.c.Logger.Warn("scratch files of ended shells stay behind", "error", err)
				}
			}
			again, err := o.round(ctx)
			if ctx.Err() != nil {
				return nil
			}
			if w != nil && len(w.WatchList()) == 0 { // the folder was deleted, and the round made a new one
				err = errors.Join(err, w.Add(o.c.SpoolDir))
			}
			if failing = err != nil; failing {
				o.failed(err, retry)
				next(retry)
				retry = min(2*retry, o.c.retryMax)
				continue
			}
			o.succeeded()
			for _, done := range waiting {
				close(done)
			}
			waiting = nil
			retry = o.c.retryMin
			if again <= 0 || again > poll {
				again = poll
			}
			next(again)
		}
	}
}

func (o *Observer) watch() *fsnotify.Watcher {
	if o.c.noWatch {
		return nil
	}
	w, err := fsnotify.NewWatcher()
	if err == nil {
		if err = w.Add(o.c.SpoolDir); err == nil {
			o.update(func(s *Status) { s.Watching = true })
			return w
		}
		_ = w.Close() // never used
	}
	o.c.Logger.Warn("the system does not tell of changes in the spool folder, so it is looked at every second", "error", err)
	return nil
}

func (o *Observer) failed(err error, retry time.Duration) {
	first := false
	o.update(func(s *Status) {
		first = s.Error == ""
		s.Error = err.Error()
		if first {
			s.ErrorSince = o.c.Now()
		}
	})
	if first {
		o.c.Logger.Error("commands wait in the spool folder until they can be stored", "error", err, "retry", retry)
	}
}

func (o *Observer) succeeded() {
	recovered := false
	o.update(func(s *Status) {
		recovered = s.Error != ""
		s.Error, s.ErrorSince = "", time.Time{}
	})
	if recovered {
		o.c.Logger.Info("commands are stored again")
	}
}
