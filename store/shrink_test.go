package store

import (
	"context"
	"errors"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
)

func TestSpaceOfRemovedEventsGoesBackWhileOthersWrite(t *testing.T) {
	s := open(t, Options{Now: fixedClock(noon)})
	g := newGenerator(1, noon, time.Second)
	for range 14 {
		check(t, s.Append(t.Context(), g.batch(1000)))
	}
	if freed, err := s.Shrink(t.Context()); err != nil || freed != 0 {
		t.Errorf("%d bytes of a full file were given back (%v)", freed, err)
	}
	_, err := s.DeleteMatching(t.Context(), EventFilter{Until: noon.Add(12_000 * time.Second)})
	check(t, err)
	before, err := s.Sizes(t.Context())
	check(t, err)
	ctx, stop := context.WithCancel(t.Context())
	var writing errgroup.Group
	written := make(chan struct{}, 1)
	writing.Go(func() error {
		for ctx.Err() == nil {
			if err := s.Append(ctx, g.batch(1)); err != nil && !errors.Is(err, context.Canceled) {
				return err
			}
			select {
			case written <- struct{}{}:
			default:
			}
		}
		return nil
	})
	<-written
	freed, err := s.Shrink(t.Context())
	check(t, err)
	<-written // nobody is kept out
	stop()
	check(t, writing.Wait())
	check(t, s.emptyLog(t.Context(), "test"))
	after, err := s.Sizes(t.Context())
	check(t, err)
	if freed < before.FreeBytes/2 || after.DatabaseBytes > before.DatabaseBytes-freed/2 || after.FreeBytes > before.FreeBytes-freed/2 {
		t.Errorf("%d bytes were given back: %+v became %+v", freed, before, after)
	}
	sound(t, s)
}

func TestGrowthIsToldOverTheDaysThatWereNoted(t *testing.T) {
	now := noon
	s := open(t, Options{Now: func() time.Time { return now }})
	g := newGenerator(1, noon, time.Second)
	if growth, err := s.Growth(t.Context()); err != nil || growth != nil {
		t.Errorf("%+v before anything was noted (%v)", growth, err)
	}
	for range 10 {
		check(t, s.Append(t.Context(), g.batch(500)))
		check(t, s.emptyLog(t.Context(), "test"))
		check(t, s.NoteSize(t.Context()))
		check(t, s.NoteSize(t.Context()))
		now = now.Add(24 * time.Hour)
	}
	growth, err := s.Growth(t.Context())
	if err != nil || growth == nil || growth.Days != 7 || growth.Events != 3500 || growth.Bytes < 3500*50 {
		t.Errorf("grown by %+v (%v)", growth, err)
	}
}
