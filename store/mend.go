package store

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"time"

	"github.com/caro-mesh/caro-node/policy/audit"
	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/store/pages"
)

// pageSize is that of every database of this program, in bytes.
const pageSize = 4096

// fullCheckBelow is up to which size a file that was not closed in an orderly way is read and compared in full at start, in
// bytes; that takes half a second at most. Larger ones are looked at page by page, a second for a million events.
const fullCheckBelow = 16 << 20

// Notices returns what a person should know about how the file was found, one sentence each.
func (s *Store) Notices() []string { return s.notices }

// mend finishes what a crash has interrupted, looks at the file, and repairs it where that is needed. A file that an orderly
// close has left and nobody has touched since is believed without a look.
func (s *Store) mend(ctx context.Context) error {
	const doing = "look at the database"
	if err := finishExchange(s.path); err != nil {
		return wrap(doing, err)
	}
	journal, err := setJournalAside(s.path, s.now())
	if err != nil {
		return wrap(doing, err)
	}
	c, gone, err := s.found()
	if err != nil || gone {
		return wrap(doing, err)
	}
	if journal != "" {
		c.clean, c.altered = false, true
		s.notices = append(s.notices, "another program has left a rollback journal beside the database, which would have kept it from opening; the journal is kept as "+journal)
	}
	if c.clean || c.size == 0 && c.logSize == 0 && !c.marked {
		return nil
	}
	s.logTime, err = changeTime(s.path + "-wal")
	if err != nil {
		return wrap(doing, err)
	}
	reason, err := s.examine(ctx, c)
	if err != nil || reason == "" {
		return err
	}
	s.repaired, err = s.rebuild(ctx, reason)
	return wrap("repair the damaged database", err)
}

// found returns in which condition the file is. Where there is none, its log may have everything: an empty file takes its place,
// and is then found damaged. It reports gone where there is nothing at all, and notes it when there was something once.
func (s *Store) found() (c condition, gone bool, err error) {
	c, err = conditionOf(s.path)
	if !errors.Is(err, fs.ErrNotExist) {
		return c, false, err
	}
	log, err := fileSize(s.path + "-wal")
	if err != nil {
		return c, false, err
	}
	if log > 0 {
		if err := createPrivate(s.path); err != nil {
			return c, false, err
		}
		c, err = conditionOf(s.path)
		return c, false, err
	}
	if _, err := os.Stat(markerPath(s.path)); err == nil {
		s.gone = true
		s.notices = append(s.notices, fmt.Sprintf("the database %s is gone, and a new one has begun; a copy of the old one can be put back with \"caro-node db restore\"", s.path))
	}
	return c, true, removeMarker(s.path)
}

// setJournalAside renames the rollback journal that another program may have left beside the database, which itself never has
// one: SQLite would want to undo with it what it tells, and refuses to read the file before. It returns the new name, empty
// where there is no journal.
func setJournalAside(path string, at time.Time) (kept string, err error) {
	size, err := fileSize(journalPath(path))
	if err != nil || size == 0 {
		return "", err
	}
	kept, err = freeName(fmt.Sprintf("%s.aside-%s", journalPath(path), at.UTC().Format(nameTime)))
	if err != nil {
		return "", err
	}
	return kept, errors.Join(os.Rename(journalPath(path), kept), syncFolder(path))
}

func journalPath(path string) string { return path + "-journal" }

// examine returns what is wrong with the file, empty when nothing is. The errors are those of [Open].
func (s *Store) examine(ctx context.Context, c condition) (reason string, err error) {
	ours, err := looksOurs(s.path)
	if err != nil {
		return "", err
	}
	if journal, err := fileSize(journalPath(s.path)); err != nil || journal > 0 { // seen by [Examine] alone
		return "another program has left a rollback journal beside it", err
	}
	var log pages.LogState
	if !c.live {
		if log, err = pages.ReadLog(s.path, pageSize); err != nil {
			return "", err
		}
	}
	if log.Torn {
		s.notices = append(s.notices, "the last entry of the database's log was not finished: the process or the machine stopped while it was written")
	}
	if log.Missing > 0 {
		s.cut = log.Missing
		s.notices = append(s.notices, fmt.Sprintf("the last %d pages of the database's log are missing, as after a power failure: what was stored last is lost", log.Missing))
	}
	version, err := peekVersion(ctx, s.path)
	switch {
	case errors.Is(err, ErrNewerDatabase):
		return "", err
	case errors.Is(err, ErrForeign) && (ours || c.marked):
		return "its beginning cannot be read", nil
	case errors.Is(err, ErrForeign):
		return "", err
	case errors.Is(err, ErrDamaged):
		return "its schema cannot be read", nil
	case err != nil:
		return "", err
	case version.last == 0 && (ours || c.marked || c.size == 0 && log.Frames > 0):
		return "its tables are gone", nil
	case version.last == 0: // the first start did not come far
		return "", nil
	case log.Damaged > 0:
		return fmt.Sprintf("%d pages in its log cannot be read", log.Damaged), nil
	}
	return s.examineContent(ctx, version.complete() && (c.altered || c.size+c.logSize <= fullCheckBelow))
}

// examineContent reads the file through SQLite.
func (s *Store) examineContent(ctx context.Context, full bool) (reason string, err error) {
	db := mustOpen(s.path, "mode=ro", "query_only(1)", fmt.Sprintf("cache_size(-%d)", writerCacheKiB))
	db.SetMaxOpenConns(1)
	defer func() { err = errors.Join(err, db.Close()) }()
	r, err := db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		text, damaged := damageOf(err)
		if damaged {
			err = nil
		}
		return text, err
	}
	defer func() {
		if end := r.Rollback(); end != nil && !errors.Is(end, sql.ErrTxDone) {
			err = errors.Join(err, end)
		}
	}()
	var problems []string
	if full {
		problems, err = checkContent(ctx, r)
	} else {
		problems, err = checkPages(ctx, r, "quick_check")
	}
	if text, damaged := damageOf(err); damaged {
		problems, err = append(problems, text), nil
	}
	if err != nil {
		return "", s.explain("look at the database", err)
	}
	if len(problems) > 0 {
		return problems[0], nil
	}
	if !full {
		return "", nil
	}
	s.verify = true
	fault, err := unreadableRecord(ctx, r)
	return fault, s.explain("look at the audit log", err)
}

// noteAuditFault looks at the audit log of a file that was read in full.
func (s *Store) noteAuditFault(ctx context.Context) error {
	if !s.verify || s.repaired != nil {
		return nil
	}
	v, err := s.VerifyAudit(ctx)
	if err == nil && !v.OK {
		s.notices = append(s.notices, "the audit log is not what it was: "+v.Reason+`; see "caro-node audit verify"`)
	}
	return err
}

// looksOurs reports whether a file that SQLite may not be able to read was a database of this program.
func looksOurs(path string) (bool, error) {
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	head := make([]byte, 16*pageSize)
	n, err := io.ReadFull(f, head)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = nil
	}
	head = head[:n]
	ours := bytes.Contains(head, []byte("TABLE durable_point")) || bytes.Contains(head, []byte("TABLE audit_head")) ||
		n < minDatabase && bytes.HasPrefix(head, []byte("SQLite format 3"))
	return ours, errors.Join(err, f.Close())
}

// Examine returns what is wrong with the database at path, empty when nothing is, after reading all of it. It changes
// nothing. Live tells that another process may be writing, so that the log is left out. The errors are those of [Open].
func Examine(ctx context.Context, path string, live bool) (reason string, notices []string, err error) {
	s, err := newStore(path, Options{})
	if err != nil {
		return "", nil, err
	}
	c, err := conditionOf(s.path)
	if err != nil {
		return "", nil, err
	}
	c.altered, c.live = true, live // it is read in full
	if !live {
		// Reading makes the log's index anew, and that of before tells what the log lacks. The next start is to see it, too.
		index, err := os.ReadFile(s.path + "-shm")
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", nil, wrap("look at the database", err)
		}
		defer func() {
			if s.cut > 0 {
				err = errors.Join(err, os.WriteFile(s.path+"-shm", index, 0o600))
			}
		}()
	}
	if reason, err = s.examine(ctx, c); err != nil || reason != "" || !s.verify {
		return reason, s.notices, err
	}
	s.readers = openReaders(s.path)
	err = s.noteAuditFault(ctx)
	return "", s.notices, errors.Join(err, s.Close())
}

// Rebuild puts a new database with everything that can be read of the one at path in its place, whether it is damaged or
// not, and returns what it saved. The caller has made sure that no other process uses the database.
func Rebuild(ctx context.Context, path, reason string, now func() time.Time) (*Repair, error) {
	s, err := newStore(path, Options{Now: now})
	if err != nil {
		return nil, err
	}
	if err := finishExchange(s.path); err != nil {
		return nil, wrap("repair the database", err)
	}
	if _, err := setJournalAside(s.path, s.now()); err != nil {
		return nil, wrap("repair the database", err)
	}
	r, err := s.rebuild(ctx, reason)
	return r, wrap("repair the database", err)
}

// mendSchema repairs a database whose version says something else than its tables, and opens it again.
func (s *Store) mendSchema(ctx context.Context, cause error) (err error) {
	if s.repaired != nil {
		return cause
	}
	if _, err := s.writer.close(); err != nil {
		return err
	}
	s.writer = nil
	if s.repaired, err = s.rebuild(ctx, "its tables are not those of its version"); err != nil {
		return errors.Join(cause, wrap("repair the damaged database", err))
	}
	return s.open(ctx)
}

// noteLosses records that the end of the write-ahead log was missing, and with it perhaps records of the audit log, or that the
// whole database was.
func (s *Store) noteLosses(ctx context.Context) error {
	if s.cut == 0 && !s.gone || s.repaired != nil {
		return nil
	}
	return s.write(ctx, "note what is lost of the database", func(t *tx) error {
		details := map[string]string{"action": "database_gone"}
		until := s.now()
		if s.cut > 0 {
			details = map[string]string{"action": "database_log_cut", "missing_pages": strconv.Itoa(s.cut)}
			until = s.logTime // what was signed until then may have been in what is missing
		}
		if err := t.forget(nanosSince1970(until)); err != nil {
			return err
		}
		_, err := t.audit(audit.Event{Type: protocol.AuditPolicyViolation, Details: details})
		return err
	})
}

// changeTime returns when a file was changed last, the zero time where there is none.
func changeTime(name string) (time.Time, error) {
	info, err := os.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, err
	}
	return info.ModTime(), nil
}
