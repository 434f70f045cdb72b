package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"

	"github.com/pressly/goose/v3"
)

//go:embed schema/*.sql
var schemaFiles embed.FS

// schemaVersions are the numbers of the files in schema/, rising. There may be gaps between them, and a file that closes one
// may come after a later one: a database is up to date when it has seen them all.
var (
	schemaNames    = mustSchemaNames()
	schemaVersions = mustSchemaVersions()
)

// latestVersion is the number of the last file in schema/.
var latestVersion = schemaVersions[len(schemaVersions)-1]

// minDatabase is the size of the smallest SQLite file, one page of the smallest size, in bytes.
const minDatabase = 512

// migrationAttempts is more than two processes can get in each other's way.
var migrationAttempts = 2*len(schemaVersions) + 3

// versionOf returns the greatest version that is known by its tables.
func versionOf(tables map[string]bool) (version int64) {
	created := regexp.MustCompile(`(?m)^CREATE TABLE (\w+)`)
	for i, name := range schemaNames {
		text, err := schemaFiles.ReadFile(name)
		if err != nil {
			panic(err) // it is embedded
		}
		for _, m := range created.FindAllSubmatch(text, -1) {
			if tables[string(m[1])] {
				version = max(version, schemaVersions[i])
			}
		}
	}
	return version
}

func mustSchemaNames() []string {
	names, err := fs.Glob(schemaFiles, "schema/*.sql")
	if err != nil {
		panic(err) // the pattern is wrong
	}
	return names // sorted, as their numbers are
}

func mustSchemaVersions() []int64 {
	list := make([]int64, len(schemaNames))
	for i, name := range schemaNames {
		if _, err := fmt.Sscanf(path.Base(name), "%05d_", &list[i]); err != nil {
			panic(fmt.Sprintf("%s has no number", name))
		}
	}
	return list
}

// migrate runs the files of schema/ that the database has not seen, each in a transaction.
func (w *writer) migrate(ctx context.Context) error {
	p, err := w.migrations()
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
		if version.complete() {
			return nil
		}
	}
	return err
}

func (w *writer) migrations() (*goose.Provider, error) {
	files, err := fs.Sub(schemaFiles, "schema")
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(goose.DialectSQLite3, w.db, files, goose.WithDisableGlobalRegistry(true), goose.WithAllowOutofOrder(true))
}

// migrateTo runs the files of schema/ up to version on a new database.
func (w *writer) migrateTo(ctx context.Context, version int64) error {
	p, err := w.migrations()
	if err != nil {
		return err
	}
	_, err = p.UpTo(ctx, version)
	return err
}

// schemaVersion is how far a database is.
type schemaVersion struct {
	last  int64 // number of the last file of schema/ that it has seen; 0: none; -1: it has tables, but not ours
	files int   // number of files of schema/ that it has seen
}

func (v *schemaVersion) add(n int64) {
	v.last = max(v.last, n)
	if slices.Contains(schemaVersions, n) {
		v.files++
	}
}

func (v schemaVersion) complete() bool {
	return v.last == latestVersion && v.files == len(schemaVersions)
}

// peekVersion returns how far the file at path is. It changes neither the file nor its write-ahead log: a newer caro-node
// may come back to them.
func peekVersion(ctx context.Context, path string) (schemaVersion, error) {
	const doing = "open the database"
	info, err := os.Stat(path)
	if err != nil {
		return schemaVersion{}, fmt.Errorf("%s: %w", doing, err)
	}
	switch size := info.Size(); {
	case size == 0:
		return schemaVersion{}, nil
	case size < minDatabase: // SQLite would take it for an empty one, and write over it
		return schemaVersion{}, fmt.Errorf("%s: %w: %s has only %d bytes; move it away and start again", doing, ErrForeign, path, size)
	}
	version, err := readVersionUntouched(ctx, path)
	if err != nil {
		return schemaVersion{}, explain(doing, path, err)
	}
	switch {
	case version.last < 0:
		return schemaVersion{}, fmt.Errorf("%s: %w: %s belongs to another program; move it away and start again", doing, ErrForeign, path)
	case version.last > latestVersion && version.files < len(schemaVersions):
		return schemaVersion{}, fmt.Errorf("%s: %w: %s claims schema version %d, but lacks earlier ones", doing, ErrDamaged, path, version.last)
	case version.last > latestVersion:
		return schemaVersion{}, fmt.Errorf("%s: %w: %s has schema version %d, this program knows versions up to %d; install the newer caro-node",
			doing, ErrNewerDatabase, path, version.last, latestVersion)
	}
	return version, nil
}

func readVersionUntouched(ctx context.Context, path string) (schemaVersion, error) {
	read := func(mode string) (schemaVersion, error) {
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

func readVersion(ctx context.Context, db *sql.DB) (v schemaVersion, err error) {
	var tables, ours int64
	// SQLite's own tables do not count: goose's table brings sqlite_sequence with it, before the first file of schema/ has run.
	err = db.QueryRowContext(ctx, `SELECT count(*), count(*) FILTER (WHERE name = 'goose_db_version') FROM sqlite_schema
		WHERE type = 'table' AND name NOT LIKE 'sqlite\_%' ESCAPE '\'`).
		Scan(&tables, &ours)
	if err != nil || tables == 0 {
		return v, err
	}
	if ours == 0 {
		return schemaVersion{last: -1}, nil
	}
	err = eachRow(ctx, db, `SELECT DISTINCT coalesce(CAST(version_id AS INTEGER), 0) FROM goose_db_version WHERE is_applied`, nil, func(rows *sql.Rows) error {
		var n int64
		err := rows.Scan(&n)
		v.add(n)
		return err
	})
	if err == nil && v.last <= 0 && tables > 1 {
		err = fmt.Errorf("%w: there are tables, but no version of them", ErrDamaged)
	}
	return v, err
}
