package store

import (
	"context"
	"errors"
	"fmt"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// Errors that callers decide by. The messages that wrap them name the file and what a person can do.
var (
	// ErrNotFound reports that there is nothing under this ID.
	ErrNotFound = errors.New("not found")
	// ErrFull reports that nothing was stored because the disk is full. The store stays usable: try again later.
	ErrFull = errors.New("the disk is full")
	// ErrNewerDatabase reports a file written by a later version of this program. It was not touched.
	ErrNewerDatabase = errors.New("the database was written by a newer caro-node")
	// ErrOlderDatabase reports, from [OpenReadOnly] alone, a file that [Open] has to bring up to date first.
	ErrOlderDatabase = errors.New("the database was written by an older caro-node")
	// ErrForeign reports a file that is not a database of this program. It was not touched.
	ErrForeign = errors.New("not a caro-node database")
	// ErrDamaged reports a database whose content contradicts itself.
	ErrDamaged = errors.New("the database is damaged")
	// ErrReadOnly reports a write to a store opened with [OpenReadOnly].
	ErrReadOnly = errors.New("the database is open for reading only")
	// ErrClosed reports the use of a store after Close.
	ErrClosed = errors.New("the database is closed")
	// ErrSummaryExists reports that this node has already signed a summary for the period; two different ones would
	// let others doubt both.
	ErrSummaryExists = errors.New("this period already has a summary")
	// ErrConflictingSummary reports a received summary that contradicts one from the same node for the same period.
	// The first stays.
	ErrConflictingSummary = errors.New("the same node has sent a different summary for this period")
	// ErrOutOfOrder reports a received correction of a summary that is not the current one of its period here: what is
	// between the two is missing. The current one stays.
	ErrOutOfOrder = errors.New("the summary that it replaces is not the current one here")
	// ErrTooMuch reports that a node has sent as many summaries as are kept of one.
	ErrTooMuch = errors.New("no more summaries of this node are kept")
	// ErrConflictingSuccession reports a rotation from or to a key that is part of another one already. The first stays.
	ErrConflictingSuccession = errors.New("another rotation of the same key is known already")
	// ErrCursor reports a page cursor that this store did not hand out.
	ErrCursor = errors.New("not a page cursor")
)

// explain wraps err with what was being done, and turns SQLite's own words into ours where a person can do something.
func (s *Store) explain(doing string, err error) error {
	err = explain(doing, s.path, err)
	if errors.Is(err, ErrDamaged) {
		s.suspect.Store(&err)
	}
	return err
}

func explain(doing, path string, err error) error {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return wrap(doing, err)
	}
	var se *sqlite.Error
	if !errors.As(err, &se) {
		return wrap(doing, err)
	}
	switch se.Code() & 0xff {
	case sqlite3.SQLITE_FULL:
		return fmt.Errorf("%s: %w: free some space for %s and it goes on by itself", doing, ErrFull, path)
	case sqlite3.SQLITE_CORRUPT:
		return fmt.Errorf("%s: %w: stop and start caro-node, which then saves what can be read of %s, or restore a backup (%w)", doing, ErrDamaged, path, err)
	case sqlite3.SQLITE_NOTADB:
		return fmt.Errorf("%s: %w: %s is not an SQLite file; move it away and start again", doing, ErrForeign, path)
	case sqlite3.SQLITE_BUSY:
		return fmt.Errorf("%s: another program keeps %s locked; end it and try again (%w)", doing, path, err)
	case sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR:
		return fmt.Errorf("%s: %s cannot be read or written; check the disk and the permissions of the file and its folder (%w)", doing, path, err)
	}
	return wrap(doing, err)
}

func isBusy(err error) bool {
	var se *sqlite.Error
	return errors.As(err, &se) && se.Code()&0xff == sqlite3.SQLITE_BUSY
}

func wrap(doing string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", doing, err)
}
