package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/caro-mesh/caro-node/policy/audit"
	"github.com/caro-mesh/caro-node/protocol"
)

// Backup writes one state of the whole database into a new file at path, for its owner alone, while others go on writing.
// What unused parts of the file hold is not in it. An existing file is refused with [fs.ErrExist].
func (s *Store) Backup(ctx context.Context, path string) (err error) {
	const doing = "back up the database"
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) // VACUUM INTO takes an empty file, and its permissions
	if err != nil {
		return wrap(doing, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, removeIfThere(path))
		}
	}()
	if err := f.Close(); err != nil {
		return wrap(doing, err)
	}
	db := mustOpen(s.path, "mode=ro")
	_, err = db.ExecContext(ctx, `VACUUM INTO ?`, path)
	if err = errors.Join(err, db.Close()); err != nil {
		return s.explain(doing, err)
	}
	return wrap(doing, errors.Join(syncFile(path), syncFolder(path)))
}

// Restore puts a copy of the backup in the place of the database at path, which is kept beside it, and returns what it holds.
// A backup that is newer, foreign or damaged is refused, and then nothing is changed. The caller has made sure that no
// other process uses the database.
//
// The backup is older than what peers have seen of this node. So that they do not take it for another one, sequence numbers
// go on above those of the replaced database, and what this node has signed or announced is taken over from it: own
// summaries and what is known of lost ones, so that no period is signed twice, its rotations and its next key. So are denials of trust.
func Restore(ctx context.Context, path, backup string, now func() time.Time) (_ *Repair, err error) {
	const doing = "restore a backup"
	if err := finishExchange(path); err != nil {
		return nil, wrap(doing, err)
	}
	if backup, err = filepath.Abs(backup); err != nil {
		return nil, wrap(doing, err)
	}
	making := makingPath(path)
	defer func() {
		if err != nil {
			err = errors.Join(err, removeIfThere(making, making+"-wal", making+"-shm"))
		}
	}()
	if err := checkBackup(ctx, backup); err != nil {
		return nil, err
	}
	if _, err := setJournalAside(path, now()); err != nil {
		return nil, wrap(doing, err)
	}
	if err := copyNew(backup, making); err != nil {
		return nil, wrap(doing, err)
	}
	if err := copyNew(backup+"-wal", making+"-wal"); err != nil && !errors.Is(err, fs.ErrNotExist) { // of a file that was kept aside
		return nil, wrap(doing, err)
	}
	s, err := Open(ctx, making, Options{Now: now})
	if err != nil {
		return nil, err
	}
	r := &Repair{At: now(), Reason: "its user restored a backup", Restored: true}
	if err := errors.Join(s.takePlace(ctx, path, r), s.Close(), removeMarker(making)); err != nil {
		return nil, wrap(doing, err)
	}
	return r, wrap(doing, exchange(path))
}

// checkBackup looks at the whole file.
func checkBackup(ctx context.Context, path string) error {
	if _, err := os.Stat(path); err != nil {
		return fmt.Errorf("open the backup: %w", err)
	}
	version, err := peekVersion(ctx, path)
	if err != nil {
		return err
	}
	if version.last == 0 {
		return fmt.Errorf("%w: %s is empty", ErrForeign, path)
	}
	s, err := newStore(path, Options{})
	if err != nil {
		return err
	}
	reason, err := s.examineContent(ctx, version.complete())
	if err != nil {
		return err
	}
	if reason != "" {
		return fmt.Errorf("%w: %s: %s; restore another backup", ErrDamaged, path, reason)
	}
	return nil
}

// takePlace prepares a copy of a backup for the place of the database at path.
func (s *Store) takePlace(ctx context.Context, path string, r *Repair) error {
	z, err := s.Sizes(ctx)
	if err != nil {
		return err
	}
	r.part(called["event"]).Saved, r.part(called["summary"]).Saved, r.part(called["audit"]).Saved = z.Events, z.Summaries, z.AuditEntries
	details := map[string]string{"action": "database_restored"}
	next := r.At.UnixMicro()
	switch replaced, err := os.Stat(path); {
	case errors.Is(err, fs.ErrNotExist):
		if err := s.forget(ctx, r.At); err != nil {
			return err
		}
	case err != nil:
		return err
	default:
		next = max(next, replaced.ModTime().UnixMicro())
		if r.KeptAs, err = keepAside(path, "replaced", r.At); err != nil {
			return err
		}
		details["kept_as"] = r.KeptAs
		if err := s.takeOver(ctx, r.KeptAs, details, &next); err != nil {
			r.Reason += "; the database before could not be read: " + err.Error()
			details["replaced_unreadable"] = err.Error()
			if err := s.forget(ctx, r.At); err != nil {
				return err
			}
		}
	}
	return s.write(ctx, "restore a backup", func(t *tx) error {
		// Commands since the backup are missing, and were counted in summaries: a correction would take them back.
		if err := t.countsFrom(r.At, r.At); err != nil {
			return err
		}
		if _, err := t.exec(`UPDATE sequence SET next = max(next, ?)`, next+sequenceMargin); err != nil {
			return err
		}
		if _, err := t.audit(audit.Event{Type: protocol.AuditPolicyViolation, Success: true, Details: details}); err != nil {
			return err
		}
		return t.saveRepair(r)
	})
}

// takeOver reads what must go on from the replaced database, which may be damaged or of another version.
func (s *Store) takeOver(ctx context.Context, kept string, details map[string]string, next *int64) (err error) {
	db := mustOpen(kept, "mode=ro")
	db.SetMaxOpenConns(1)
	defer func() { err = errors.Join(err, db.Close(), removeIfThere(kept+"-shm")) }()
	var last int64
	if err := db.QueryRowContext(ctx, `SELECT next FROM sequence`).Scan(&last); err != nil {
		return err
	}
	if last < maxSequence {
		*next = max(*next, last)
	}
	var head []byte
	var entries int64
	err = db.QueryRowContext(ctx, `SELECT sequence, hash FROM audit_head`).Scan(&entries, &head)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	if err == nil {
		details["replaced_entries"], details["replaced_head"] = fmt.Sprint(entries), fmt.Sprintf("%x", head)
	}
	for _, a := range []struct{ table, rows string }{
		{"summary", "own = 1"}, {"own_rotation", "1"}, {"commitment", "1"}, {"trust_grant", "deny = 1"},
	} {
		if err := s.adopt(ctx, db, a.table, a.rows); err != nil {
			return err
		}
	}
	return s.adoptLost(ctx, db)
}

// forget notes that nobody knows what this node has signed until then.
func (s *Store) forget(ctx context.Context, until time.Time) error {
	return s.write(ctx, "note that summaries are forgotten", func(t *tx) error { return t.forget(until.UnixNano()) })
}

// adoptLost takes over what is known of lost summaries.
func (s *Store) adoptLost(ctx context.Context, db *sql.DB) error {
	var known bool
	if err := db.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'lost_summary')`).Scan(&known); err != nil || !known {
		return err // an older version wrote it
	}
	lost, err := lostSummaries(ctx, db)
	if err != nil {
		return err
	}
	return s.write(ctx, "take over which summaries are lost", func(t *tx) error {
		for p, id := range lost.IDs {
			if err := t.noteLost(p, signedSummary{id: id}); err != nil {
				return err
			}
		}
		if lost.Unknown.IsZero() {
			return nil
		}
		return t.forget(lost.Unknown.UnixNano())
	})
}

// adopt takes rows over from another database, in the place of those that they contradict.
func (s *Store) adopt(ctx context.Context, db *sql.DB, table, where string) error {
	var columns []string
	var list [][]any
	if err := eachRow(ctx, db, `SELECT * FROM `+table+` WHERE `+where, nil, func(rows *sql.Rows) (err error) {
		if columns, err = rows.Columns(); err != nil {
			return err
		}
		values, into := make([]any, len(columns)), make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		list = append(list, values)
		return rows.Scan(into...)
	}); err != nil || len(list) == 0 {
		return err
	}
	insert := `INSERT OR REPLACE INTO ` + table + ` (` + strings.Join(columns, ", ") + `) VALUES (?` + strings.Repeat(`, ?`, len(columns)-1) + `)`
	for batch := range slices.Chunk(list, salvageBatch) {
		if err := s.write(ctx, "take over what was signed", func(t *tx) error {
			for _, values := range batch {
				if _, err := t.exec(insert, values...); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			return err
		}
	}
	return nil
}
