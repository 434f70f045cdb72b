package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// Sizes tells how much is stored.
type Sizes struct {
	SchemaVersion int
	DatabaseBytes int64 // of the file
	WALBytes      int64 // of the write-ahead log beside it
	Events        int64
	Summaries     int64 // own and received
	AuditEntries  int64
}

// Sizes returns how much is stored.
func (s *Store) Sizes(ctx context.Context) (Sizes, error) {
	z := Sizes{SchemaVersion: int(latestVersion)}
	err := s.readers.QueryRowContext(ctx, `SELECT `+countAll+`, (SELECT count(*) FROM summary),
		(SELECT coalesce(max(sequence), 0) FROM audit)`).Scan(&z.Events, &z.Summaries, &z.AuditEntries)
	if err == nil {
		z.DatabaseBytes, err = fileSize(s.path)
	}
	if err == nil {
		z.WALBytes, err = fileSize(s.path + "-wal")
	}
	return z, s.explain("measure the database", err)
}

func fileSize(path string) (int64, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// Check reads the whole database and returns what contradicts itself, one sentence each; nil when all is well. An error
// means that it could not be read to its end.
func (s *Store) Check(ctx context.Context) ([]string, error) {
	var problems []string
	err := s.read(ctx, func(r *sql.Tx) error {
		// These pragmas report problems as rows, not as errors.
		if err := eachRow(ctx, r, `PRAGMA quick_check`, nil, func(rows *sql.Rows) error {
			var text string
			err := rows.Scan(&text)
			if text != "ok" {
				problems = append(problems, text)
			}
			return err
		}); err != nil {
			return err
		}
		if err := eachRow(ctx, r, `PRAGMA foreign_key_check`, nil, func(rows *sql.Rows) error {
			var table, parent string
			var row sql.NullInt64
			var key int
			err := rows.Scan(&table, &row, &parent, &key)
			problems = append(problems, fmt.Sprintf("row %d of %s refers to a row of %s that does not exist", row.Int64, table, parent))
			return err
		}); err != nil {
			return err
		}
		for _, c := range contradictions {
			var n int64
			if err := r.QueryRowContext(ctx, c.query).Scan(&n); err != nil {
				return err
			}
			if n != 0 {
				problems = append(problems, fmt.Sprintf(c.sentence, n))
			}
		}
		return nil
	})
	return problems, s.explain("check the database", err)
}

// contradictions are queries whose result is 0 in a sound database.
var contradictions = []struct{ query, sentence string }{
	{`SELECT (SELECT count(*) FROM event) - (SELECT coalesce(sum(commands), 0) FROM rollup)`,
		"%d more events are stored than counted by hour"},
	{`SELECT count(*) FROM event WHERE folder NOT IN (SELECT id FROM folder) OR session IS NOT NULL AND session NOT IN (SELECT id FROM session)`,
		"%d events name a folder or a session that does not exist"},
	{`SELECT (SELECT count(*) FROM event) - ` + countAll,
		"%d more events are stored than packed for search or waiting for it"},
}
