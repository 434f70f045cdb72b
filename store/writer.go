package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"time"

	"modernc.org/sqlite"

	"github.com/caro-mesh/caro-node/policy/audit"
)

// writer owns the one connection that writes.
type writer struct {
	slot  chan struct{} // holds one element while nobody writes; never filled again after close
	db    *sql.DB
	conn  *sql.Conn
	stmts map[string]*sql.Stmt              // that return rows, by SQL text, which are constants
	execs map[string]driver.StmtExecContext // the others; see exec
	args  []driver.NamedValue               // of the statement that is executed
	known knowledge
}

// knowledge is what the writer remembers of the database between transactions. It is dropped when another process may
// have changed what it tells, and when a transaction that may have taught it something is undone.
type knowledge struct {
	version    uint32 // of the database as this connection saw it last; see dataVersion
	valid      bool
	categories dictionary
	folders    dictionary
	sessions   dictionary
	events     eventKnowledge
	frontier   *audit.Frontier // of the tree over the audit log; nil: not read yet
	record     audit.Record    // number and hash of the last audit record; without number: not read yet
}

func openWriter(ctx context.Context, path string) (*writer, error) {
	db := mustOpen(path, "mode=rw&_txlock=immediate", // so that migrations, too, wait for another process
		fmt.Sprintf("page_size(%d)", pageSize),
		"auto_vacuum(INCREMENTAL)", // before the first table: later it would take a rewrite of the whole file
		"journal_mode(WAL)",
		"synchronous(NORMAL)",
		"foreign_keys(1)",
		"secure_delete(1)", // what is removed is overwritten
		fmt.Sprintf("cache_size(-%d)", writerCacheKiB),
		fmt.Sprintf("wal_autocheckpoint(%d)", walPages),
		fmt.Sprintf("journal_size_limit(%d)", walLimit))
	db.SetMaxOpenConns(1)
	w := &writer{slot: make(chan struct{}, 1), db: db, stmts: make(map[string]*sql.Stmt), execs: make(map[string]driver.StmtExecContext)}
	w.slot <- struct{}{}
	if err := connect(ctx, db); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return w, nil
}

// connect opens the file, and waits when others are just doing so: SQLite itself does not wait for the lock with which
// a new file gets its write-ahead log.
func connect(ctx context.Context, db *sql.DB) error {
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	tooLong := time.NewTimer(busyTimeout)
	defer tooLong.Stop()
	for {
		err := db.PingContext(ctx)
		if !isBusy(err) {
			return err
		}
		select {
		case <-again.C:
		case <-tooLong.C:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// acquire waits until nobody else writes. Release gives the right back.
func (w *writer) acquire(ctx context.Context) error {
	select {
	case _, open := <-w.slot:
		if !open {
			return ErrClosed
		}
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := ctx.Err(); err != nil { // both were ready
		w.release()
		return err
	}
	if w.conn != nil {
		return nil
	}
	conn, err := w.db.Conn(ctx)
	if err != nil {
		w.release()
		return err
	}
	w.conn = conn
	return nil
}

func (w *writer) release() { w.slot <- struct{}{} }

// close reports whether this call has closed it.
func (w *writer) close() (closed bool, err error) {
	if _, open := <-w.slot; !open {
		return false, nil
	}
	close(w.slot)
	var errs []error
	for _, s := range w.stmts {
		errs = append(errs, s.Close())
	}
	if w.conn != nil {
		errs = append(errs, w.conn.Raw(func(any) error { return closeExecs(w.execs) }))
		errs = append(errs, w.conn.Close())
	}
	return true, errors.Join(append(errs, w.db.Close())...)
}

func closeExecs(execs map[string]driver.StmtExecContext) error {
	var errs []error
	for _, s := range execs {
		if st, ok := s.(driver.Stmt); ok {
			errs = append(errs, st.Close())
		}
	}
	return errors.Join(errs...)
}

// tx is a write transaction.
type tx struct {
	ctx context.Context // never ends: a transaction that has begun is finished or undone as a whole
	w   *writer
	s   *Store
}

// write runs fn in a transaction. When fn or the commit fails, nothing of it remains.
func (s *Store) write(ctx context.Context, doing string, fn func(*tx) error) error {
	w := s.writer
	if w == nil {
		return fmt.Errorf("%s: %w: %s", doing, ErrReadOnly, s.path)
	}
	if err := w.acquire(ctx); err != nil {
		return s.explain(doing, err)
	}
	defer w.release()
	err := s.explain(doing, w.transact(ctx, s, fn))
	s.failure.note(err, s.now)
	return err
}

// transact needs the right to write.
func (w *writer) transact(ctx context.Context, s *Store, fn func(*tx) error) (err error) {
	t := &tx{ctx: context.WithoutCancel(ctx), w: w, s: s}
	// Watching ctx would cost a goroutine for each statement; none waits, unless another process is writing.
	if _, err := w.exec(t.ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	committed := false
	defer func() {
		if !committed { // also when fn panics
			w.known.valid = false
			// SQLite has already rolled back after some errors, and says so with one of its own.
			_, _ = w.exec(t.ctx, "ROLLBACK")
		}
	}()
	if err := w.recall(t); err != nil {
		return err
	}
	if err := fn(t); err != nil {
		return err
	}
	if _, err := w.exec(t.ctx, "COMMIT"); err != nil {
		return err
	}
	committed = true
	w.known.version, err = w.dataVersion()
	w.known.valid = w.known.valid && err == nil
	return nil
}

// recall drops what is known when somebody else has written since, so that it is right inside t.
func (w *writer) recall(t *tx) error {
	version, err := w.dataVersion()
	if err != nil {
		return err
	}
	if w.known.valid && w.known.version == version {
		return nil
	}
	w.known = knowledge{version: version, valid: true, categories: dictionary{queries: &categoryQueries},
		folders: dictionary{queries: &folderQueries}, sessions: dictionary{queries: &sessionQueries}}
	return w.known.events.load(t)
}

// dataVersion returns a number that changes with every change of the database, by whomever, that this connection has seen.
func (w *writer) dataVersion() (v uint32, err error) {
	err = w.conn.Raw(func(c any) error {
		control, ok := c.(sqlite.FileControl)
		if !ok {
			return errors.New("the database driver does not tell versions")
		}
		v, err = control.FileControlDataVersion("main")
		return err
	})
	return v, err
}

// statement returns a prepared statement, which close closes.
func (w *writer) statement(ctx context.Context, query string) (statement, error) {
	if s, ok := w.stmts[query]; ok {
		return s, nil
	}
	s, err := w.conn.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	w.stmts[query] = s
	return s, nil
}

// statement is what users of a prepared statement may do with it.
type statement interface {
	QueryContext(ctx context.Context, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, args ...any) *sql.Row
}

// exec returns the number of rows that changed. It asks the driver directly: an event takes five statements, on which
// database/sql spends more than the margin that is left to the goal.
func (w *writer) exec(ctx context.Context, query string, args ...any) (n int64, err error) {
	if w.args, err = driverArgs(w.args[:0], args); err != nil {
		return 0, err
	}
	defer func() { clear(w.args) }() // keep nothing of a command
	err = w.conn.Raw(func(c any) error {
		st, ok := w.execs[query]
		if !ok {
			if st, err = prepareExec(ctx, c, query); err != nil {
				return err
			}
			w.execs[query] = st
		}
		r, err := st.ExecContext(ctx, w.args)
		if err != nil {
			return err
		}
		n, err = r.RowsAffected()
		return err
	})
	return n, err
}

func driverArgs(dst []driver.NamedValue, args []any) ([]driver.NamedValue, error) {
	for i, a := range args {
		v, err := driver.DefaultParameterConverter.ConvertValue(a)
		if err != nil {
			return dst, fmt.Errorf("parameter %d: %w", i+1, err)
		}
		dst = append(dst, driver.NamedValue{Ordinal: i + 1, Value: v})
	}
	return dst, nil
}

func prepareExec(ctx context.Context, c any, query string) (driver.StmtExecContext, error) {
	p, ok := c.(driver.ConnPrepareContext)
	if !ok {
		return nil, errors.New("the database driver prepares no statements")
	}
	st, err := p.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	exec, ok := st.(driver.StmtExecContext)
	if !ok {
		return nil, errors.Join(errors.New("the database driver executes no statements"), st.Close())
	}
	return exec, nil
}

// exec runs one of the constant statements, and returns the number of rows that changed.
func (t *tx) exec(query string, args ...any) (int64, error) { return t.w.exec(t.ctx, query, args...) }

// get scans the first row of the result; it returns [sql.ErrNoRows] when there is none.
func (t *tx) get(query string, args []any, dest ...any) error {
	s, err := t.w.statement(t.ctx, query)
	if err != nil {
		return err
	}
	return s.QueryRowContext(t.ctx, args...).Scan(dest...)
}

// each calls row for every row of the result.
func (t *tx) each(query string, args []any, row func(*sql.Rows) error) error {
	s, err := t.w.statement(t.ctx, query)
	if err != nil {
		return err
	}
	rows, err := s.QueryContext(t.ctx, args...)
	if err != nil {
		return err
	}
	return drain(rows, row)
}

func drain(rows *sql.Rows, row func(*sql.Rows) error) (err error) {
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if err := row(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}
