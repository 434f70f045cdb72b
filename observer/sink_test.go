package observer

import (
	"context"
	"sync"

	"github.com/caro-mesh/caro-node/observer/event"
)

// memorySink keeps events in memory. With durable it notes which files were released before a durable point.
type memorySink struct {
	mu      sync.Mutex
	events  []event.Event
	offsets map[string]int64
	fail    error // returned by every call while set
	dirty   bool  // something was appended since the last Durable
	calls   int
}

func newMemorySink() *memorySink { return &memorySink{offsets: map[string]int64{}} }

func (s *memorySink) SpoolOffset(_ context.Context, file string) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	return s.offsets[file], s.fail
}

func (s *memorySink) AppendFromSpool(_ context.Context, file string, offset int64, events []event.Event) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	if s.fail != nil {
		return s.fail
	}
	s.events = append(s.events, events...)
	s.offsets[file] = offset
	s.dirty = true
	return nil
}

func (s *memorySink) ForgetSpool(_ context.Context, file string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	delete(s.offsets, file)
	return s.fail
}

func (s *memorySink) Durable(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	if s.fail == nil {
		s.dirty = false
	}
	return s.fail
}

func (s *memorySink) Append(_ context.Context, events []event.Event) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	if s.fail == nil {
		s.events = append(s.events, events...)
	}
	return s.fail
}

func (s *memorySink) setFail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = err
}

func (s *memorySink) commands() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := make([]string, len(s.events))
	for i := range s.events {
		c[i] = s.events[i].Command
	}
	return c
}
