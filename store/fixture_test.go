package store

import (
	"bufio"
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caro-mesh/caro-node/policy"
	"github.com/caro-mesh/caro-node/protocol"
)

// A fixture is a small database as a released version has written it, as SQL text. Before a release that changes the schema,
// this writes testdata/schema-<version>.sql for the present one; a fixture is never written anew after its release:
//
//	CARO_WRITE_FIXTURE=1 go test ./store -run TestEveryReleasedDatabase
const writeFixtureVariable = "CARO_WRITE_FIXTURE"

func fixtureName(version int64) string {
	return filepath.Join("testdata", fmt.Sprintf("schema-%05d.sql", version))
}

// fillFixture stores one of everything that the first released version knew, through the interface of that time.
func fillFixture(t *testing.T, path string) {
	t.Helper()
	s, err := Open(t.Context(), path, Options{Now: fixedClock(noon), packing: &packing{events: 12, bytes: 4096}})
	check(t, err)
	check(t, s.AppendFromSpool(t.Context(), "bash-1", 300, newGenerator(7, noon, time.Minute).batch(20)))
	mine, wire := summary(t, newKey(1), noon, protocol.Hourly, 5)
	check(t, s.SaveSummary(t.Context(), mine, wire, generated))
	theirs, wire := summary(t, newKey(2), noon, protocol.Daily, 7)
	_, err = s.SaveReceivedSummary(t.Context(), Arrival{Summary: theirs, Wire: wire}, shared)
	check(t, err)
	check(t, s.MarkPushed(t.Context(), mine.ID, nodeID(3), shared))
	check(t, s.SavePeer(t.Context(), Peer{ID: nodeID(3), DisplayName: "bob", Addrs: []string{"/ip4/10.0.0.5/tcp/9238"}, Source: "manual", FirstSeen: noon}))
	check(t, s.SetGrant(t.Context(), policy.Grant{Node: nodeID(3), Trust: protocol.TrustPeer, Name: "bob", At: noon}, changed))
	check(t, s.SetGrant(t.Context(), policy.Grant{Node: nodeID(4), Deny: true, At: noon}, changed))
	_, err = s.ReserveSequence(t.Context(), 100)
	check(t, err)
	check(t, s.Close())
}

// dump writes a database as SQL text: tables, rows, then indexes and triggers.
func dump(t *testing.T, path, to string) {
	t.Helper()
	db := raw(t, path)
	var first, rest, tables []string
	check(t, eachRow(t.Context(), db, `SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' ORDER BY rowid`, nil, func(rows *sql.Rows) error {
		var kind, name, text string
		err := rows.Scan(&kind, &name, &text)
		if kind == "table" {
			first, tables = append(first, text+";\n"), append(tables, name)
		} else {
			rest = append(rest, text+";\n")
		}
		return err
	}))
	for _, table := range tables {
		var columns []string
		check(t, eachRow(t.Context(), db, `SELECT name FROM pragma_table_info(?)`, []any{table}, func(rows *sql.Rows) error {
			var name string
			err := rows.Scan(&name)
			columns = append(columns, "quote("+name+")")
			return err
		}))
		check(t, eachRow(t.Context(), db, `SELECT `+strings.Join(columns, ` || ', ' || `)+` FROM `+table, nil, func(rows *sql.Rows) error {
			var values string
			err := rows.Scan(&values)
			first = append(first, "INSERT INTO "+table+" VALUES ("+values+");\n")
			return err
		}))
	}
	check(t, os.MkdirAll(filepath.Dir(to), 0o755))
	check(t, os.WriteFile(to, []byte(strings.Join(slices.Concat(first, rest), "")), 0o600))
}

// load makes a database of a fixture, with the settings that every version had.
func load(t *testing.T, fixture string) (path string) {
	t.Helper()
	text, err := os.ReadFile(fixture)
	check(t, err)
	path = filepath.Join(t.TempDir(), "caro.db")
	w, err := sql.Open("sqlite", "file:"+path+"?_pragma=page_size(4096)&_pragma=auto_vacuum(2)&_pragma=journal_mode(WAL)")
	check(t, err)
	defer func() { check(t, w.Close()) }()
	w.SetMaxOpenConns(1)
	_, err = w.ExecContext(t.Context(), "BEGIN;\n"+string(text)+"COMMIT;")
	check(t, err)
	return path
}

// inserts counts the rows of each table in a fixture.
func inserts(t *testing.T, fixture string) map[string]int {
	t.Helper()
	f, err := os.Open(fixture)
	check(t, err)
	defer func() { check(t, f.Close()) }()
	n := make(map[string]int)
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if words := strings.Fields(lines.Text()); len(words) > 3 && words[0] == "INSERT" {
			n[words[2]]++
		}
	}
	check(t, lines.Err())
	return n
}

func TestEveryReleasedDatabaseIsBroughtUpToDateWithAllThatIsInIt(t *testing.T) {
	if os.Getenv(writeFixtureVariable) != "" {
		path := filepath.Join(t.TempDir(), "caro.db")
		fillFixture(t, path)
		dump(t, path, fixtureName(schemaVersions[len(schemaVersions)-1]))
	}
	fixtures, err := filepath.Glob(filepath.Join("testdata", "schema-*.sql"))
	check(t, err)
	if len(fixtures) < 2 {
		t.Fatalf("only %v are there", fixtures)
	}
	for _, fixture := range fixtures {
		t.Run(filepath.Base(fixture), func(t *testing.T) {
			rows := inserts(t, fixture)
			path := load(t, fixture)
			_, err := OpenReadOnly(t.Context(), path, Options{})
			if filepath.Base(fixture) != filepath.Base(fixtureName(latestVersion)) {
				wantErr(t, err, ErrOlderDatabase)
			}
			s := openAt(t, path, Options{Now: fixedClock(noon), Repair: true})
			if s.Repaired() != nil || len(s.Notices()) > 0 {
				t.Errorf("an old database is taken for a damaged one: %+v %q", s.Repaired(), s.Notices())
			}
			sameAsFixture(t, s, rows)
			// What an old version wrote can be saved, too.
			check(t, s.Close())
			old := load(t, fixture)
			r, err := Rebuild(t.Context(), old, "test", fixedClock(noon))
			check(t, err)
			if !r.Whole() {
				t.Errorf("putting it together anew loses something: %s", r.Sentence())
			}
			rows["audit"]++ // the note of it
			sameAsFixture(t, openAt(t, old, Options{Now: fixedClock(noon)}), rows)
		})
	}
}

func sameAsFixture(t *testing.T, s *Store, rows map[string]int) {
	t.Helper()
	ctx := context.Background()
	z, err := s.Sizes(ctx)
	check(t, err)
	if z.Events != int64(rows["event"]) || z.Summaries != int64(rows["summary"]) || z.AuditEntries != int64(rows["audit"]) || z.SchemaVersion != int(latestVersion) {
		t.Errorf("there is %+v, the fixture has %v", z, rows)
	}
	list, _, err := s.Events(ctx, EventFilter{Limit: 100})
	check(t, err)
	if len(list) != rows["event"] {
		t.Errorf("%d events are read, %d are stored", len(list), rows["event"])
	}
	if found, _, err := s.Events(ctx, EventFilter{Search: strings.ToUpper(list[len(list)-1].Command)}); err != nil || len(found) == 0 {
		t.Errorf("a stored command is not found (%v)", err)
	}
	peers, err := s.Peers(ctx)
	if err != nil || len(peers) != rows["peer"] {
		t.Errorf("%d peers (%v)", len(peers), err)
	}
	grants, err := s.Grants(ctx)
	if err != nil || len(grants) != rows["trust_grant"] {
		t.Errorf("%d grants (%v)", len(grants), err)
	}
	if offset, err := s.SpoolOffset(ctx, "bash-1"); err != nil || offset != 300 {
		t.Errorf("spool offset %d (%v)", offset, err)
	}
	if _, err := s.ReserveSequence(ctx, 1); err != nil {
		t.Error(err)
	}
	check(t, s.Append(ctx, newGenerator(8, noon.Add(time.Hour), time.Second).batch(30)))
	sound(t, s)
}
