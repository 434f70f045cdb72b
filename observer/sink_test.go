package observer

import (
	"context"
	"sync"

	"github.com/caro-mesh/caro-node/observer/event"
)

// memorySink keeps events in memory.
type memorySink struct {
	mu      sync.Mutex
	events  []event.Event
	offsets map[string]int64
	fail    error // returned by every call while set
	dirty   bool  // something was appended since the last Durable
}

func newMemorySink() *memorySink { return &memorySink{offsets: map[string]int64{}} }

func (s *memorySink) SpoolOffset(_ context.Context, file string) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.offsets[file], s.fail
}

func (s *memorySink) AppendFromSpool(_ context.Context, file string, offset int64, events []event.Event) error {
	s.mu.Lock()
	defer s.mu.Unlock()
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
	delete(s.offsets, file)
	return s.fail
}

func (s *memorySink) Durable(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail == nil {
		s.dirty = false
	}
	return s.fail
}

func (s *memorySink) Append(_ context.Context, events []event.Event) error {
	s.mu.Lock()
	defer s.mu.Unlock()
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

func (s *memorySink) event(i int) event.Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.events[i]
}

// undurable reports whether something was appended since the last durable point.
func (s *memorySink) undurable() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.dirty
}

// known is the number of files whose offset is kept.
func (s *memorySink) known() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.offsets)
}
