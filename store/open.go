package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	_ "modernc.org/sqlite" // the database driver
)

// Connections and their memory. An idle node has the writer and no reader.
const (
	maxReaders     = 4
	readerIdle     = 30 * time.Second
	busyTimeout    = 5 * time.Second // for other processes; inside this one nobody waits for a lock
	readerCacheKiB = 1 << 10
	writerCacheKiB = 2 << 10
	// walLimit is what remains of the write-ahead log after a checkpoint, in bytes; a checkpoint is due every
	// walPages × 4 KiB.
	walLimit = 16 << 20
	walPages = 2000
)

// Store is an open database. Its methods may be called from any number of goroutines.
type Store struct {
	path    string
	now     func() time.Time
	packing packing
	readers *sql.DB
	writer  *writer // nil when opened for reading only
	failure failure

	suspect  atomic.Pointer[error] // the last damage that was met
	repaired *Repair
	notices  []string
	verify   bool      // the file was read in full, and the audit log is to be verified, too
	cut      int       // pages that the log lacked when it was opened
	logTime  time.Time // when the log was changed last before that
	gone     bool      // there was a database once, and no file when it was opened
}

// Options of [Open]. The zero value is what a node uses.
type Options struct {
	// Now tells the time for audit records, receipts and sequence numbers; nil means time.Now.
	Now func() time.Time

	// Repair lets Open look at the file first, and put a new one with everything that can be read in the place of a damaged
	// one, which is kept beside it. The caller has made sure that no other process uses the file.
	Repair bool

	packing *packing // nil means defaultPacking
}

// Open opens the database at path, creates it and its folder where they do not exist, and brings an older one up to
// date. A file that is newer ([ErrNewerDatabase]) or not ours ([ErrForeign]) is refused before anything is written. With
// [Options.Repair] a damaged one is repaired; [Store.Repaired] and [Store.Notices] tell what was found.
// Files are for their owner alone (0600), the folder, when it is created, too (0700).
func Open(ctx context.Context, path string, o Options) (*Store, error) {
	s, err := newStore(path, o)
	if err != nil {
		return nil, err
	}
	if o.Repair {
		if err := s.mend(ctx); err != nil {
			return nil, err
		}
	}
	err = s.open(ctx)
	if o.Repair && errors.Is(err, errMigration) {
		err = s.mendSchema(ctx, err)
	}
	if err != nil {
		s.suspect.Store(&err)
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// OpenReadOnly opens an existing database, also one that another process is writing. Every method that writes returns
// [ErrReadOnly]; the file is never created, migrated or changed. An older file is refused with [ErrOlderDatabase].
func OpenReadOnly(ctx context.Context, path string, o Options) (*Store, error) {
	s, err := newStore(path, o)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(s.path); err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	v, err := peekVersion(ctx, s.path)
	if err != nil {
		return nil, err
	}
	if !v.complete() {
		return nil, fmt.Errorf("open the database: %w: %s has schema version %d instead of %d; start caro-node once to bring it up to date",
			ErrOlderDatabase, s.path, v.last, latestVersion)
	}
	s.readers = openReaders(s.path)
	if err := s.readers.PingContext(ctx); err != nil {
		return nil, errors.Join(s.explain("open the database", err), s.Close())
	}
	return s, nil
}

// errMigration says that the tables are not what the version of the schema promises.
var errMigration = errors.New("the schema could not be brought up to date")

func newStore(path string, o Options) (*Store, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.packing == nil {
		o.packing = &defaultPacking
	}
	return &Store{path: abs, now: o.Now, packing: *o.packing}, nil
}

func (s *Store) open(ctx context.Context) error {
	if err := createPrivate(s.path); err != nil {
		return fmt.Errorf("open the database: %w", err)
	}
	version, err := peekVersion(ctx, s.path)
	if err != nil {
		return err
	}
	if s.writer, err = openWriter(ctx, s.path); err != nil {
		return s.explain("open the database", err)
	}
	if !version.complete() {
		if err := s.writer.migrate(ctx); err != nil {
			err = s.explain(fmt.Sprintf("bring the database from schema version %d to %d", version.last, latestVersion), err)
			if ctx.Err() == nil && !errors.Is(err, ErrFull) && !isBusy(err) {
				err = errors.Join(errMigration, err)
			}
			return err
		}
	}
	s.readers = openReaders(s.path)
	if err := s.plantAuditTree(ctx); err != nil {
		return err
	}
	if err := s.noteAuditFault(ctx); err != nil {
		return err
	}
	return s.noteLosses(ctx)
}

// Close waits for the write in progress, moves what the write-ahead log holds into the database and closes both. It may
// be called more than once; every other method returns an error afterwards.
func (s *Store) Close() error {
	var errs []error
	if s.readers != nil {
		errs = append(errs, s.readers.Close())
	}
	if s.writer != nil {
		closed, err := s.writer.close()
		if errs = append(errs, err); closed && err == nil {
			errs = append(errs, s.leave())
		}
	}
	return wrap("close the database", errors.Join(errs...))
}

// leave marks the file as orderly closed, unless damage was met or somebody else still has it open.
func (s *Store) leave() error {
	if s.suspect.Load() != nil {
		return removeMarker(s.path)
	}
	if size, err := fileSize(s.path + "-wal"); err != nil || size > 0 {
		return err
	}
	if err := leaveMarker(s.path); err != nil && !errors.Is(err, fs.ErrNotExist) { // the folder is gone: nothing to mark
		return err
	}
	return nil
}

// Path returns the absolute path of the database file.
func (s *Store) Path() string { return s.path }

// createPrivate makes sure that the file exists and that nobody else can read it or what SQLite puts beside it, which
// takes its permissions from it.
func createPrivate(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err == nil {
		return f.Close()
	}
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	// An existing file is not opened here: closing it would drop the locks that another Store of this process has on it.
	for _, name := range []string{path, path + "-wal", path + "-shm"} {
		info, err := os.Stat(name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return err
		case !info.Mode().IsRegular():
			return fmt.Errorf("%s is not a regular file; move it away", name)
		case info.Mode().Perm()&0o077 != 0:
			if err := os.Chmod(name, 0o600); err != nil {
				return err
			}
		}
	}
	return nil
}

func openReaders(path string) *sql.DB {
	db := mustOpen(path, "mode=ro", "query_only(1)", fmt.Sprintf("cache_size(-%d)", readerCacheKiB))
	db.SetMaxOpenConns(maxReaders)
	db.SetMaxIdleConns(1)
	db.SetConnMaxIdleTime(readerIdle)
	return db
}

// mustOpen prepares a pool; nothing is opened yet, so only a programming error can fail.
func mustOpen(path, mode string, pragmas ...string) *sql.DB {
	pragmas = append([]string{fmt.Sprintf("busy_timeout(%d)", busyTimeout.Milliseconds()), // first, because others may have to wait
		"temp_store(MEMORY)"}, // temporary files would hold commands, in a folder for all
		pragmas...)
	u := url.URL{Scheme: "file", Path: path, RawQuery: mode + "&_pragma=" + strings.Join(pragmas, "&_pragma=")}
	db, err := sql.Open("sqlite", u.String())
	if err != nil {
		panic(err)
	}
	return db
}
