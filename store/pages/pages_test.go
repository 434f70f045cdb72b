package pages_test

import (
	"database/sql"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	_ "modernc.org/sqlite" // to write what is read

	"github.com/caro-mesh/caro-node/store/pages"
)

const pageSize = 4096

func check(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// filled writes a database whose rows are of all sizes and types, deletes some, and leaves the latest in the log unless
// moved is true. The database stays open.
func filled(t *testing.T, moved bool) (path string, db *sql.DB) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "x.db")
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=page_size(4096)&_pragma=auto_vacuum(2)&_pragma=journal_mode(WAL)&_pragma=secure_delete(1)")
	check(t, err)
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { check(t, db.Close()) })
	exec := func(q string, args ...any) {
		t.Helper()
		_, err := db.ExecContext(t.Context(), q, args...)
		check(t, err)
	}
	exec(`CREATE TABLE a (k INTEGER PRIMARY KEY, t TEXT, b BLOB, r REAL, n INTEGER)`)
	exec(`CREATE INDEX a_t ON a (t)`)
	exec(`CREATE TABLE w (p TEXT, q INTEGER, v BLOB, PRIMARY KEY (q, p)) WITHOUT ROWID`)
	r := rand.New(rand.NewPCG(1, 2))
	fill := func(n int) {
		exec(`BEGIN`)
		for range n {
			text := strings.Repeat("x\x00ü\xff", r.IntN(8))
			if r.IntN(20) == 0 {
				text = strings.Repeat("long ", r.IntN(9000))
			}
			exec(`INSERT OR REPLACE INTO a VALUES (?, ?, ?, ?, ?)`, r.Int64N(1<<40)-1<<39, text, []byte(text[:len(text)/2]), r.NormFloat64(),
				[]any{nil, 0, 1, -1, 127, -129, 40000, -9000000, int64(1) << 40, -int64(1) << 60}[r.IntN(10)])
			exec(`INSERT OR REPLACE INTO w VALUES (?, ?, ?)`, text, r.Int64N(300), []byte(fmt.Sprint(r.Uint64())))
		}
		exec(`COMMIT`)
	}
	fill(1500)
	exec(`PRAGMA wal_checkpoint(TRUNCATE)`)
	fill(300)
	exec(`DELETE FROM a WHERE n = 127`)
	exec(`DELETE FROM w WHERE q < 20`)
	if moved {
		exec(`PRAGMA wal_checkpoint(TRUNCATE)`)
	}
	return path, db
}

// rows reads a table through SQLite.
func rows(t *testing.T, db *sql.DB, query string) (list []string) {
	t.Helper()
	found, err := db.QueryContext(t.Context(), query)
	check(t, err)
	defer func() { check(t, found.Close()) }()
	columns, err := found.Columns()
	check(t, err)
	for found.Next() {
		values, into := make([]any, len(columns)), make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		check(t, found.Scan(into...))
		for i, v := range values {
			if b, ok := v.([]byte); ok {
				values[i] = append([]byte{}, b...) // an empty one is not nil
			}
		}
		list = append(list, fmt.Sprintf("%#v", values))
	}
	check(t, found.Err())
	return list
}

// read reads the tables a and w without SQLite.
func read(t *testing.T, path string) (a, w []string, entries int64, damage []pages.Damage, log pages.LogState) {
	t.Helper()
	f, err := pages.Open(path, pageSize)
	check(t, err)
	defer func() { check(t, f.Close()) }()
	objects, _ := f.Schema()
	var trees []pages.Tree
	for _, name := range []string{"a", "w", "a_t"} {
		i := slices.IndexFunc(objects, func(o pages.Object) bool { return o.Name == name })
		if i < 0 {
			t.Fatalf("the schema lacks %s: %v", name, objects)
		}
		trees = append(trees, pages.Tree{Root: objects[i].Root, Index: name != "a"})
	}
	c := f.Claim(trees)
	d, err := c.Rows(0, func(r pages.Row) error {
		r.Values[0] = r.ID
		a = append(a, fmt.Sprintf("%#v", r.Values))
		return nil
	})
	check(t, err)
	damage = append(damage, d)
	d, err = c.Rows(1, func(r pages.Row) error {
		w = append(w, fmt.Sprintf("%#v", []any{r.Values[1], r.Values[0], r.Values[2]}))
		return nil
	})
	check(t, err)
	entries, more := c.Count(2)
	return a, w, entries, append(damage, d, more), f.Log()
}

func TestWhatIsReadWithoutSQLiteIsWhatSQLiteReads(t *testing.T) {
	for _, moved := range []bool{true, false} {
		path, db := filled(t, moved)
		wantA, wantW := rows(t, db, `SELECT * FROM a ORDER BY k`), rows(t, db, `SELECT * FROM w ORDER BY q, p`)
		a, w, entries, damage, log := read(t, path)
		if !slices.Equal(a, wantA) {
			t.Errorf("log moved %v: %d rows of a, SQLite reads %d", moved, len(a), len(wantA))
		}
		slices.Sort(w)
		slices.Sort(wantW)
		if !slices.Equal(w, wantW) {
			t.Errorf("log moved %v: %d rows of w, SQLite reads %d", moved, len(w), len(wantW))
		}
		if int(entries) != len(wantA) || !reflect.DeepEqual(damage, make([]pages.Damage, 3)) {
			t.Errorf("log moved %v: %d entries, damage %+v", moved, entries, damage)
		}
		if moved != (log.Frames == 0) || log.Damaged > 0 || log.Torn {
			t.Errorf("log moved %v: %+v", moved, log)
		}
	}
}

func TestADestroyedInnerPageTakesNoRowsWithIt(t *testing.T) {
	path, db := filled(t, true)
	want := rows(t, db, `SELECT * FROM a ORDER BY k`)
	var root int64
	check(t, db.QueryRowContext(t.Context(), `SELECT rootpage FROM sqlite_schema WHERE name = 'a'`).Scan(&root))
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	check(t, err)
	_, err = f.WriteAt(make([]byte, pageSize), (root-1)*pageSize)
	check(t, err)
	check(t, f.Close())
	a, _, entries, damage, _ := read(t, path)
	if len(a) != len(want) || int(entries) != len(want) {
		t.Errorf("%d rows and %d entries of %d are found without the root", len(a), entries, len(want))
	}
	if damage[0].Pages == 0 {
		t.Error("the damage is not told")
	}
}

func TestOnlyTheDamagedFrameOfALogIsLeftOut(t *testing.T) {
	path, _ := filled(t, false)
	_, _, _, _, before := read(t, path)
	b, err := os.ReadFile(path + "-wal")
	check(t, err)
	b[32+3*(24+pageSize)+500] ^= 4
	check(t, os.WriteFile(path+"-wal", b, 0o600))
	_, _, _, _, log := read(t, path)
	if log.Damaged != 1 || log.Frames != before.Frames-1 || log.Torn {
		t.Errorf("with one of %d frames damaged the log is %+v", before.Frames, log)
	}
}

func TestAnUnfinishedTransactionAtTheEndOfALogIsNoDamage(t *testing.T) {
	path, _ := filled(t, false)
	b, err := os.ReadFile(path + "-wal")
	check(t, err)
	state := func() pages.LogState {
		s, err := pages.ReadLog(path, pageSize)
		check(t, err)
		return s
	}
	before := state()
	check(t, os.WriteFile(path+"-wal", append(b, b[len(b)-24-pageSize:len(b)-100]...), 0o600)) // a write that was cut short
	if s := state(); s != before {
		t.Errorf("%+v became %+v", before, s)
	}
	check(t, os.WriteFile(path+"-wal", b[:len(b)-24-pageSize], 0o600))
	if s := state(); s.Missing == 0 || s.Damaged > 0 {
		t.Errorf("a log that was cut is %+v", s)
	}
}

func TestALogThatIsNotThereIsSound(t *testing.T) {
	s, err := pages.ReadLog(filepath.Join(t.TempDir(), "none"), pageSize)
	if err != nil || s != (pages.LogState{}) {
		t.Errorf("%+v, %v", s, err)
	}
}

// FuzzReading gives bytes that may be anything: reading ends, and does not panic.
func FuzzReading(f *testing.F) {
	f.Add([]byte("SQLite format 3\x00"), []byte{0x37, 0x7f, 6, 0x82})
	f.Fuzz(func(t *testing.T, db, log []byte) {
		path := filepath.Join(t.TempDir(), "x.db")
		check(t, os.WriteFile(path, db, 0o600))
		check(t, os.WriteFile(path+"-wal", log, 0o600))
		d, err := pages.Open(path, 512)
		check(t, err)
		defer func() { check(t, d.Close()) }()
		d.Schema()
		c := d.Claim([]pages.Tree{{Root: 1}, {Root: 3}, {Root: 4, Index: true}})
		for i := range 3 {
			_, err := c.Rows(i, func(pages.Row) error { return nil })
			check(t, err)
		}
	})
}
