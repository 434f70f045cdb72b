package store

import (
	"errors"
	"sync"
	"time"

	"modernc.org/sqlite"
)

// WriteFailure is the database's refusal to be written.
type WriteFailure struct {
	Since time.Time // of the first failure in a row
	Err   error     // the last one, with what a person can do
}

// WriteFailure returns why the last transaction could not be written, nil when it could. What a caller got wrong is no
// failure of the database.
func (s *Store) WriteFailure() *WriteFailure {
	s.failure.mu.Lock()
	defer s.failure.mu.Unlock()
	if s.failure.last.Err == nil {
		return nil
	}
	last := s.failure.last
	return &last
}

type failure struct {
	mu   sync.Mutex
	last WriteFailure
}

func (f *failure) note(err error, now func() time.Time) {
	var of *sqlite.Error
	broken := errors.Is(err, ErrFull) || errors.Is(err, ErrDamaged) || errors.As(err, &of)
	if err != nil && !broken {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if err == nil {
		f.last = WriteFailure{}
		return
	}
	if f.last.Err == nil {
		f.last.Since = now()
	}
	f.last.Err = err
}
