package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/pressly/goose/v3"
)

//go:embed schema/*.sql
var schemaFiles embed.FS

// latestVersion is the number of the last file in schema/.
const latestVersion = 2

// minDatabase is the size of the smallest SQLite file, one page of the smallest size, in bytes.
const minDatabase = 512

// migrationAttempts is more than two processes can get in each other's way.
const migrationAttempts = 2*latestVersion + 3

// migrate runs the files of schema/ that the database has not seen, each in a transaction.
func (w *writer) migrate(ctx context.Context) error {
	files, err := fs.Sub(schemaFiles, "schema")
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, w.db, files, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return err
	}
	// Another process may be doing the same: whoever comes second to a step fails and looks again.
	for range migrationAttempts {
		if _, err = p.Up(ctx); err == nil {
			return nil
		}
		version, readErr := readVersion(ctx, w.db)
		if readErr != nil {
			return errors.Join(err, readErr)
		}
		if version == latestVersion {
			return nil
		}
	}
	return err
}

// peekVersion returns the schema version of the file at path, 0 for an empty one. It changes neither the file nor its
// write-ahead log: a newer caro-node may come back to them.

func peekVersion(ctx context.Context, path string) (int64, error) {
	const doing = "open the database"
	info, err := os.Stat(path)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", doing, err)
	}
	switch size := info.Size(); {
	case size == 0:
		return 0, nil
	case size < minDatabase: // SQLite would take it for an empty one, and write over it
		return 0, fmt.Errorf("%s: %w: %s has only %d bytes; move it away and start again", doing, ErrForeign, path, size)
	}
	version, err := readVersionUntouched(ctx, path)
	if err != nil {
		return 0, explain(doing, path, err)
	}
	switch {
	case version < 0:
		return 0, fmt.Errorf("%s: %w: %s belongs to another program; move it away and start again", doing, ErrForeign, path)
	case version > latestVersion:
		return 0, fmt.Errorf("%s: %w: %s has schema version %d, this program knows versions up to %d; install the newer caro-node",
			doing, ErrNewerDatabase, path, version, latestVersion)
	}
	return version, nil
}

func readVersionUntouched(ctx context.Context, path string) (int64, error) {
	read := func(mode string) (int64, error) {
		db := mustOpen(path, mode, "query_only(1)")
		version, err := readVersion(ctx, db)
		return version, errors.Join(err, db.Close())
	}
	hasLog := func() bool {
		wal, err := os.Stat(path + "-wal")
		return err == nil && wal.Size() > 0
	}
	if !hasLog() {
		// Nobody has the file open, and SQLite need not put anything beside it.
		if version, err := read("mode=ro&immutable=1"); err == nil || !hasLog() {
			return version, err
		}
		// Somebody has opened it in the meantime.
	}
	return read("mode=ro")
}

// readVersion returns -1 for a database that has tables, but not ours.
func readVersion(ctx context.Context, db *sql.DB) (int64, error) {
	var tables, ours int64
	err := db.QueryRowContext(ctx, `SELECT count(*), count(*) FILTER (WHERE name = 'goose_db_version') FROM sqlite_schema WHERE type = 'table'`).
		Scan(&tables, &ours)
	if err != nil || tables == 0 {
		return 0, err
	}
	if ours == 0 {
		return -1, nil
	}
	var version int64
	err = db.QueryRowContext(ctx, `SELECT coalesce(max(version_id), 0) FROM goose_db_version WHERE is_applied`).Scan(&version)
	return version, err
}
