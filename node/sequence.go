package node

import (
	"context"
	"sync"
	"unicode/utf8"
)

// sequenceBlock is how many numbers are reserved at once: one write of the database per so many messages.
const sequenceBlock = 10_000

// reserver hands out blocks of numbers that are never handed out again, not even after a crash.
type reserver interface {
	ReserveSequence(ctx context.Context, n uint64) (first uint64, err error)
}

// sequencer numbers the messages that this node sends.
type sequencer struct {
	db   reserver
	mu   sync.Mutex
	next uint64
	end  uint64 // first number that is not reserved
}

// newSequencer reserves the first block, so that a database that cannot be written is found at start.
func newSequencer(ctx context.Context, db reserver) (*sequencer, error) {
	s := &sequencer{db: db}
	return s, s.reserve(ctx)
}

func (s *sequencer) reserve(ctx context.Context) error {
	first, err := s.db.ReserveSequence(ctx, sequenceBlock)
	if err != nil {
		return err
	}
	s.next, s.end = first, first+sequenceBlock
	return nil
}

// Next returns a number above all before it.
func (s *sequencer) Next() (uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.next == s.end {
		if err := s.reserve(context.Background()); err != nil {
			return 0, err
		}
	}
	n := s.next
	s.next++
	return n, nil
}

// clip cuts s to at most limit bytes without splitting a character.
func clip(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit]
}
