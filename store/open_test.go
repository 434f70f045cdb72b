package store

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/caro-mesh/caro-node/policy/audit"
)

func TestANewDatabaseHasTheLatestSchemaAndIsSound(t *testing.T) {
	s := open(t, Options{})
	z, err := s.Sizes(t.Context())
	check(t, err)
	if z.SchemaVersion != int(latestVersion) || z.DatabaseBytes == 0 {
		t.Errorf("%+v", z)
	}
	sound(t, s)
}

func TestADatabaseThatLacksAnEarlierPartOfTheSchemaGetsIt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "caro.db")
	s, err := Open(t.Context(), path, Options{})
	check(t, err)
	check(t, s.Append(t.Context(), newGenerator(1, noon, 1e9).batch(20)))
	check(t, s.Close())
	db := raw(t, path)
	for _, q := range []string{`DROP TABLE own_rotation`, `DROP TABLE succession`, `DROP TABLE commitment`, `DELETE FROM goose_db_version WHERE version_id = 2`} {
		_, err = db.ExecContext(t.Context(), q)
		check(t, err)
	}
	check(t, db.Close())
	_, err = OpenReadOnly(t.Context(), path, Options{})
	wantErr(t, err, ErrOlderDatabase)
	s = openAt(t, path, Options{})
	_, err = s.OwnRotations(t.Context())
	check(t, err)
	if n, err := s.CountEvents(t.Context()); err != nil || n != 20 {
		t.Errorf("%d events, %v", n, err)
	}
	sound(t, s)
}

func TestEveryColumnSaysInTheDatabaseItselfWhatItMeans(t *testing.T) {
	s := open(t, Options{})
	// These need no more words than their names.
	plain := map[string]bool{"summary.node_id": true, "peer.node_id": true, "peer.display_name": true, "trust_grant.node_id": true, "audit.event_type": true,
		"event.category": true, "rollup.category": true}
	rows, err := s.readers.QueryContext(t.Context(), `SELECT m.name, m.sql, c.name FROM sqlite_schema m CROSS JOIN pragma_table_info(m.name) c
		WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' AND m.name <> 'goose_db_version'`)
	check(t, err)
	n := 0
	check(t, drain(rows, func(rows *sql.Rows) error {
		var table, text, column string
		if err := rows.Scan(&table, &text, &column); err != nil {
			return err
		}
		n++
		for _, line := range strings.Split(text, "\n") {
			if f := strings.Fields(line); len(f) > 0 && f[0] == column && !strings.Contains(line, "--") && !plain[table+"."+column] {
				t.Errorf("column %s.%s has no comment", table, column)
			}
		}
		return nil
	}))
	if n < 50 {
		t.Errorf("only %d columns were looked at", n)
	}
}

func TestFilesAreForTheirOwnerAlone(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0))
	path := filepath.Join(t.TempDir(), "new", "caro.db")
	s := openAt(t, path, Options{})
	g := newGenerator(1, noon, 1e9)
	check(t, s.Append(t.Context(), g.batch(10)))
	for name, want := range map[string]fs.FileMode{filepath.Dir(path): 0o700, path: 0o600, path + "-wal": 0o600, path + "-shm": 0o600} {
		info, err := os.Stat(name)
		check(t, err)
		if info.Mode().Perm() != want {
			t.Errorf("%s has mode %o, want %o", name, info.Mode().Perm(), want)
		}
	}
	check(t, s.Close())
	check(t, os.Chmod(path, 0o644))
	openAt(t, path, Options{})
	info, err := os.Stat(path)
	check(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("a database that others could read keeps mode %o", info.Mode().Perm())
	}
}

func TestStoredDataIsThereAfterReopening(t *testing.T) {
	path := filepath.Join(t.TempDir(), "caro.db")
	s, err := Open(t.Context(), path, Options{})
	check(t, err)
	g := newGenerator(1, noon, 1e9)
	check(t, s.Append(t.Context(), g.batch(100)))
	check(t, s.Close())
	check(t, s.Close())
	if _, err := os.Stat(path + "-wal"); err == nil {
		t.Error("the write-ahead log outlives a proper close")
	}
	s = openAt(t, path, Options{})
	if n, err := s.CountEvents(t.Context()); err != nil || n != 100 {
		t.Errorf("%d events, %v", n, err)
	}
	sound(t, s)
}

func TestAClosedStoreRefusesEverything(t *testing.T) {
	s := open(t, Options{})
	check(t, s.Close())
	wantErr(t, s.Append(t.Context(), newGenerator(1, noon, 1e9).batch(1)), ErrClosed)
	wantErr(t, s.Durable(t.Context()), ErrClosed)
	if _, err := s.CountEvents(t.Context()); err == nil {
		t.Error("a closed store can be read")
	}
}

// content returns every file of a folder with its bytes, except for the shared memory index, which holds no data.
func content(t *testing.T, dir string) map[string]string {
	t.Helper()
	m := make(map[string]string)
	entries, err := os.ReadDir(dir)
	check(t, err)
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		check(t, err)
		if !strings.HasSuffix(e.Name(), "-shm") {
			m[e.Name()] = string(b)
		}
	}
	return m
}

func sameContent(t *testing.T, dir string, before map[string]string) {
	t.Helper()
	after := content(t, dir)
	for name := range after {
		if _, ok := before[name]; !ok {
			t.Errorf("%s appeared", name)
		}
	}
	for name, b := range before {
		if after[name] != b {
			t.Errorf("%s was changed", name)
		}
	}
}

func TestANewerDatabaseIsRefusedAndStaysUntouched(t *testing.T) {
	for _, withLog := range []bool{false, true} {
		t.Run(fmt.Sprintf("with write-ahead log %v", withLog), func(t *testing.T) {
			from := filepath.Join(t.TempDir(), "caro.db")
			s := openAt(t, from, Options{})
			check(t, s.Append(t.Context(), newGenerator(1, noon, 1e9).batch(500)))
			_, err := raw(t, from).ExecContext(t.Context(), `INSERT INTO goose_db_version (version_id, is_applied) VALUES (?, 1)`, latestVersion+7)
			check(t, err)
			if !withLog {
				check(t, s.emptyLog(t.Context(), "test"))
			}
			dir := t.TempDir()
			for _, name := range []string{"caro.db", "caro.db-wal"} {
				b, err := os.ReadFile(filepath.Join(filepath.Dir(from), name))
				check(t, err)
				if withLog != (len(b) > 0) && name == "caro.db-wal" {
					t.Fatalf("log of %d bytes", len(b))
				}
				check(t, os.WriteFile(filepath.Join(dir, name), b, 0o600))
			}
			before := content(t, dir)
			for range 2 {
				_, err = Open(t.Context(), filepath.Join(dir, "caro.db"), Options{})
				wantErr(t, err, ErrNewerDatabase)
				_, err = OpenReadOnly(t.Context(), filepath.Join(dir, "caro.db"), Options{})
				wantErr(t, err, ErrNewerDatabase)
			}
			for _, part := range []string{"caro.db", fmt.Sprintf("version %d", latestVersion+7), fmt.Sprintf("up to %d", latestVersion), "install"} {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q does not say %q", err, part)
				}
			}
			sameContent(t, dir, before)
		})
	}
}

func TestAFileOfAnotherKindIsRefusedAndStaysUntouched(t *testing.T) {
	dir := t.TempDir()
	foreign := filepath.Join(dir, "foreign.db")
	check(t, createPrivate(foreign))
	db := mustOpen(foreign, "mode=rw")
	_, err := db.ExecContext(t.Context(), `CREATE TABLE bookmarks (url TEXT)`)
	check(t, err)
	check(t, db.Close())
	check(t, os.WriteFile(filepath.Join(dir, "text.db"), []byte(strings.Repeat("this is not a database\n", 100)), 0o600))
	check(t, os.WriteFile(filepath.Join(dir, "short.db"), []byte("x"), 0o600))
	before := content(t, dir)
	for name := range before {
		_, err := Open(t.Context(), filepath.Join(dir, name), Options{})
		wantErr(t, err, ErrForeign)
		if !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "move it away") {
			t.Errorf("%q does not name the file and what to do", err)
		}
	}
	sameContent(t, dir, before)
	_, err = Open(t.Context(), dir, Options{})
	if err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("opening a folder: %v", err)
	}
}

func TestADamagedDatabaseIsReportedAndNeverSilentlyEmpty(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "caro.db")
	s, err := Open(t.Context(), path, Options{})
	check(t, err)
	check(t, s.Append(t.Context(), newGenerator(1, noon, 1e9).batch(3000)))
	check(t, s.Close())
	whole, err := os.ReadFile(path)
	check(t, err)
	check(t, os.WriteFile(path, append(bytes.Clone(whole[:len(whole)/3]), make([]byte, len(whole)/3)...), 0o600))
	s, err = Open(t.Context(), path, Options{})
	if err == nil {
		_, _, err = s.Events(t.Context(), EventFilter{Limit: 3000})
		problems, checkErr := s.Check(t.Context())
		if len(problems) == 0 && checkErr == nil {
			t.Error("the check found nothing")
		}
		check(t, s.Close())
	}
	wantErr(t, err, ErrDamaged)
	if !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "backup") {
		t.Errorf("%q does not name the file and what to do", err)
	}
}

func TestReadingOnlySeesWhatAnotherWritesAndWritesNothing(t *testing.T) {
	w := open(t, Options{})
	r, err := OpenReadOnly(t.Context(), w.Path(), Options{})
	check(t, err)
	defer func() { check(t, r.Close()) }()
	check(t, w.Append(t.Context(), newGenerator(1, noon, 1e9).batch(10)))
	if n, err := r.CountEvents(t.Context()); err != nil || n != 10 {
		t.Errorf("%d events, %v", n, err)
	}
	_, reserve := r.ReserveSequence(t.Context(), 1)
	_, log := r.AuditLog().Append(t.Context(), changed)
	_, remove := r.DeleteMatching(t.Context(), EventFilter{})
	for name, err := range map[string]error{
		"append": r.Append(t.Context(), newGenerator(2, noon, 1e9).batch(1)), "durable": r.Durable(t.Context()), "reserve": reserve, "audit": log,
		"delete": remove, "peer": r.SavePeer(t.Context(), Peer{ID: nodeID(1)}), "summary": r.MarkPushed(t.Context(), "x", nodeID(1), audit.Event{}),
	} {
		t.Run(name, func(t *testing.T) { wantErr(t, err, ErrReadOnly) })
	}
	_, err = OpenReadOnly(t.Context(), filepath.Join(t.TempDir(), "none.db"), Options{})
	wantErr(t, err, fs.ErrNotExist)
	empty := filepath.Join(t.TempDir(), "empty.db")
	check(t, os.WriteFile(empty, nil, 0o600))
	_, err = OpenReadOnly(t.Context(), empty, Options{})
	wantErr(t, err, ErrOlderDatabase)
}

func TestAFullDiskIsSaidAndOverWhenThereIsSpaceAgain(t *testing.T) {
	s := open(t, Options{})
	g := newGenerator(1, noon, 1e9)
	check(t, s.AppendFromSpool(t.Context(), "a", 100, g.batch(200)))
	limit := func(pages string) {
		check(t, s.writer.acquire(t.Context()))
		defer s.writer.release()
		_, err := s.writer.conn.ExecContext(t.Context(), `PRAGMA max_page_count = `+pages)
		check(t, err)
	}
	limit("1") // the least that SQLite accepts is the present size
	late := g.batch(500)
	err := s.AppendFromSpool(t.Context(), "a", 200, late)
	wantErr(t, err, ErrFull)
	if !strings.Contains(err.Error(), s.Path()) {
		t.Errorf("%q does not name the file", err)
	}
	if f := s.WriteFailure(); f == nil || !errors.Is(f.Err, ErrFull) || f.Since.IsZero() {
		t.Errorf("the failure is told as %+v", f)
	}
	if offset, err := s.SpoolOffset(t.Context(), "a"); err != nil || offset != 100 {
		t.Errorf("offset %d, %v", offset, err)
	}
	sound(t, s)
	limit("1000000")
	check(t, s.AppendFromSpool(t.Context(), "a", 200, late))
	wantErr(t, s.MarkPushed(t.Context(), "x", nodeID(1), changed), ErrNotFound) // a mistake of the caller
	if f := s.WriteFailure(); f != nil {
		t.Errorf("the failure is still told: %+v", f)
	}
	if n, err := s.CountEvents(t.Context()); err != nil || n != 700 {
		t.Errorf("%d events, %v", n, err)
	}
	sound(t, s)
}

func TestAKillBeforeTheFirstTablesIsNoDamage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "caro.db")
	if err := createPrivate(path); err != nil {
		t.Fatal(err)
	}
	w, err := openWriter(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	p, err := w.migrations()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.GetDBVersion(t.Context()); err != nil { // makes goose's own table, and no other
		t.Fatal(err)
	}
	if _, err := w.close(); err != nil {
		t.Fatal(err)
	}
	s, err := Open(t.Context(), path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}
