package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/caro-mesh/caro-node/observer/event"
)

// SpoolOffset returns how many bytes of a spool file are stored, 0 for one that is not known.
func (s *Store) SpoolOffset(ctx context.Context, file string) (int64, error) {
	var offset int64
	err := s.readers.QueryRowContext(ctx, `SELECT offset FROM spool WHERE file = ?`, file).Scan(&offset)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	return offset, s.explain("read how far a spool file is stored", err)
}

// AppendFromSpool stores the events whose records end at or before offset in file, and that offset, in one transaction.
// When the file is stored up to offset or further already, it does nothing.
func (s *Store) AppendFromSpool(ctx context.Context, file string, offset int64, events []event.Event) error {
	const doing = "store events of a spool file"
	if file == "" || offset <= 0 {
		return fmt.Errorf("%s: file %q with offset %d", doing, file, offset)
	}
	if err := checkEvents(events); err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return s.write(ctx, doing, func(t *tx) error {
		n, err := t.exec(`INSERT INTO spool (file, offset) VALUES (?, ?)
			ON CONFLICT (file) DO UPDATE SET offset = excluded.offset WHERE excluded.offset > spool.offset`, file, offset)
		if err != nil || n == 0 {
			return err
		}
		return t.append(events)
	})
}

// ForgetSpool forgets the offset of a file that does not exist any more. Its name must never be used again.
func (s *Store) ForgetSpool(ctx context.Context, file string) error {
	return s.write(ctx, "forget a spool file", func(t *tx) error {
		_, err := t.exec(`DELETE FROM spool WHERE file = ?`, file)
		return err
	})
}

// Durable returns once everything stored so far survives a power failure.
func (s *Store) Durable(ctx context.Context) error {
	// The log is written in order, so a durable transaction makes all before it durable.
	return s.writeDurably(ctx, "make stored events durable", func(t *tx) error {
		_, err := t.exec(`UPDATE durable_point SET points = points + 1`)
		return err
	})
}

// writeDurably is write for what must survive a power failure as soon as it returns.
func (s *Store) writeDurably(ctx context.Context, doing string, fn func(*tx) error) (err error) {
	w := s.writer
	if w == nil {
		return fmt.Errorf("%s: %w: %s", doing, ErrReadOnly, s.path)
	}
	if err := w.acquire(ctx); err != nil {
		return s.explain(doing, err)
	}
	defer w.release()
	// Not prepared: SQLite obeys this pragma when it is compiled, not when it is run.
	if _, err := w.conn.ExecContext(ctx, `PRAGMA synchronous = FULL`); err != nil {
		return s.explain(doing, err)
	}
	defer func() {
		_, back := w.conn.ExecContext(context.WithoutCancel(ctx), `PRAGMA synchronous = NORMAL`)
		err = errors.Join(err, s.explain(doing, back))
	}()
	err = s.explain(doing, w.transact(ctx, s, fn))
	s.failure.note(err, s.now)
	return err
}
