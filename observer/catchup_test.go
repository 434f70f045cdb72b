package observer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/caro-mesh/caro-node/observer/spool"
)

func TestCatchingUpReturnsOnceEverythingReportedBeforeIsStored(t *testing.T) {
	sink := newMemorySink()
	o, dir := start(t, sink, func(c *Config) { c.noWatch, c.Poll, c.batchEvents = true, time.Hour, 3 }) // nobody tells it of news
	var want []string
	for round := range 3 {
		for i := range 20 {
			want = append(want, fmt.Sprintf("echo %d of %d", i, round))
			write(t, dir, spool.Record{Command: want[len(want)-1]})
		}
		if err := o.CatchUp(t.Context()); err != nil {
			t.Fatal(err)
		}
		got := sink.commands()
		for _, w := range want {
			if !slices.Contains(got, w) {
				t.Fatalf("%q is not stored", w)
			}
		}
	}
}

func TestCatchingUpWaitsWhileNothingCanBeStored(t *testing.T) {
	sink := newMemorySink()
	sink.setFail(errors.New("database or disk is full"))
	o, dir := start(t, sink, nil)
	write(t, dir, spool.Record{Command: "a"})
	eventually(t, func() string {
		if o.Status().Error == "" {
			return "no error in the status"
		}
		return ""
	})
	given, giveUp := context.WithCancel(t.Context())
	giveUp()
	if err := o.CatchUp(given); !errors.Is(err, context.Canceled) {
		t.Errorf("who gives up is told %v", err)
	}
	done := make(chan error, 1)
	go func() { done <- o.CatchUp(t.Context()) }()
	select {
	case err := <-done:
		t.Errorf("it returned %v, and nothing is stored", err)
	default:
	}
	sink.setFail(nil)
	if err := <-done; err != nil {
		t.Error(err)
	}
	if got := sink.commands(); !slices.Equal(got, []string{"a"}) {
		t.Errorf("stored %q", got)
	}
}

func TestCatchingUpWithAnObserverThatDoesNotRunEndsWithItsContext(t *testing.T) {
	o, err := New(Config{SpoolDir: t.TempDir(), Sink: newMemorySink()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := o.CatchUp(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}
