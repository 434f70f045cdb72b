package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/caro-mesh/caro-node/policy/audit"
	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/store/pages"
)

// rebuild puts a new database with everything that can be read of the damaged one in its place. Until that is complete,
// the damaged one is untouched.
func (s *Store) rebuild(ctx context.Context, reason string) (_ *Repair, err error) {
	from, err := pages.Open(s.path, pageSize)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	report := &Repair{At: s.now(), Reason: reason}
	sv := &salvager{s: s, from: from, report: report, tree: make(map[string]int)}
	if err := sv.readVersion(); err != nil {
		return nil, err
	}
	if err := sv.build(ctx); err != nil {
		return nil, errors.Join(err, removeIfThere(makingPath(s.path), makingPath(s.path)+"-wal", makingPath(s.path)+"-shm"))
	}
	return report, exchange(s.path)
}

// salvager copies what can be read of a damaged database into a new one.
type salvager struct {
	s       *Store
	from    *pages.File
	version int64 // of the damaged one
	objects []pages.Object
	trees   *pages.Trees
	tree    map[string]int // numbers of the trees by the names of tables and indexes
	to      *Store
	tables  []table
	report  *Repair
}

// readVersion finds out which version the damaged database has. What a newer program wrote is not touched.
func (sv *salvager) readVersion() error {
	sv.objects = sv.from.Schema()
	var v schemaVersion
	seen := make(map[int64]bool)
	if i := slices.IndexFunc(sv.objects, func(o pages.Object) bool { return o.Name == "goose_db_version" }); i >= 0 {
		if _, err := sv.from.Claim([]pages.Tree{{Root: sv.objects[i].Root}}).Rows(0, func(r pages.Row) error {
			// id, version_id, is_applied, tstamp
			if len(r.Values) >= 3 && r.Values[2] == int64(1) {
				if n, ok := r.Values[1].(int64); ok && !seen[n] {
					seen[n] = true
					v.add(n)
				}
			}
			return nil
		}); err != nil {
			return err
		}
	}
	if v.last > latestVersion && v.files == len(schemaVersions) {
		return fmt.Errorf("%w: %s has schema version %d, this program knows versions up to %d; install the newer caro-node", ErrNewerDatabase, sv.s.path, v.last, latestVersion)
	}
	tables := make(map[string]bool)
	for _, o := range sv.objects {
		tables[o.Name] = true
	}
	sv.version = versionOf(tables)
	if slices.Contains(schemaVersions, v.last) {
		sv.version = max(sv.version, v.last)
	}
	if sv.version == 0 { // not even the names of tables are left
		sv.version = latestVersion
	}
	return nil
}

// build makes the new database under its passing name.
func (sv *salvager) build(ctx context.Context) error {
	if err := createPrivate(makingPath(sv.s.path)); err != nil {
		return err
	}
	// First as old as the damaged one, so that what newer versions change is changed with the rows in place.
	if err := sv.open(ctx, func(ctx context.Context) error { return sv.to.writer.migrateTo(ctx, sv.version) }, sv.copyAsOld); err != nil {
		return err
	}
	return sv.open(ctx, func(ctx context.Context) error { return sv.to.writer.migrate(ctx) }, func(ctx context.Context) error {
		gap, err := sv.copyAudit(ctx)
		if err != nil {
			return err
		}
		if err := sv.copyTables(ctx, true); err != nil {
			return err
		}
		if sv.report.KeptAs, err = keepAside(sv.s.path, "damaged", sv.report.At); err != nil {
			return err
		}
		return sv.note(ctx, gap)
	})
}

// open opens the new database for two steps.
func (sv *salvager) open(ctx context.Context, migrate, work func(context.Context) error) error {
	w, err := openWriter(ctx, makingPath(sv.s.path))
	if err != nil {
		return err
	}
	sv.to = &Store{path: makingPath(sv.s.path), now: sv.s.now, packing: sv.s.packing, writer: w}
	if err = migrate(ctx); err == nil {
		err = sv.withoutTriggers(ctx, work)
	}
	_, closed := w.close()
	return errors.Join(err, closed)
}

// withoutTriggers lets work write rows in any order: triggers guard what a running node may do to them.
func (sv *salvager) withoutTriggers(ctx context.Context, work func(context.Context) error) error {
	create := make(map[string]string)
	if err := eachRow(ctx, sv.to.writer.db, `SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'`, nil, func(rows *sql.Rows) error {
		var name, text string
		err := rows.Scan(&name, &text)
		create[name] = text
		return err
	}); err != nil {
		return err
	}
	if err := sv.run(ctx, func(name string) string { return `DROP TRIGGER ` + name }, create); err != nil {
		return err
	}
	if err := work(ctx); err != nil {
		return err
	}
	return sv.run(ctx, func(name string) string { return create[name] }, create)
}

func (sv *salvager) run(ctx context.Context, statement func(name string) string, names map[string]string) error {
	return sv.to.write(ctx, "prepare a new database", func(t *tx) error {
		for name := range names {
			if _, err := t.exec(statement(name)); err != nil {
				return err
			}
		}
		return nil
	})
}

// copyAsOld copies everything but the audit log and what refers to it.
func (sv *salvager) copyAsOld(ctx context.Context) (err error) {
	if sv.tables, err = sv.describe(ctx); err != nil {
		return err
	}
	sv.claim()
	if err := sv.copyEvents(ctx); err != nil {
		return err
	}
	if err := sv.to.write(ctx, "forget what events have left", func(t *tx) error {
		for i := range sv.tables {
			if table := &sv.tables[i]; !apart[table.name] && !table.preset {
				if _, err := t.exec(`DELETE FROM ` + table.name); err != nil {
					return err
				}
			}
		}
		return nil
	}); err != nil {
		return err
	}
	if err := sv.copyTables(ctx, false); err != nil {
		return err
	}
	return sv.copySequence(ctx)
}

// copyTables copies the tables that refer to the audit log, or those that do not.
func (sv *salvager) copyTables(ctx context.Context, afterAudit bool) error {
	for i := range sv.tables {
		t := &sv.tables[i]
		if apart[t.name] || t.afterAudit != afterAudit {
			continue
		}
		if err := sv.copyTable(ctx, t); err != nil {
			return err
		}
	}
	return nil
}

// claim finds the pages of every table and index. Where the file does not tell where one begins, it begins where it does in
// a new database of the same version: the map of pages keeps all beginnings in front.
func (sv *salvager) claim() {
	var trees []pages.Tree
	add := func(name string, root uint32, index bool) {
		for _, o := range sv.objects {
			if o.Name == name {
				root = o.Root
			}
		}
		sv.tree[name] = len(trees)
		trees = append(trees, pages.Tree{Root: root, Index: index})
	}
	for _, t := range sv.tables {
		add(t.name, t.root, t.withoutRowID)
		for _, i := range t.indexes {
			add(i.name, i.root, true)
		}
	}
	sv.trees = sv.from.Claim(trees)
}

// apart are tables that are not copied row by row: they follow from others, or are treated in a way of their own.
var apart = map[string]bool{
	"goose_db_version": true, "sqlite_sequence": true, "durable_point": true,
	"category": true, "folder": true, "session": true, "event": true, "rollup": true, "segment": true, "late": true,
	"audit": true, "audit_head": true, "sequence": true,
}

// called are the words of reports for the rows of tables; others are called rows of their table.
var called = map[string]string{
	"event": "commands", "summary": "summaries", "audit": "audit records", "peer": "peers", "trust_grant": "grants of trust",
	"push": "acknowledgements of summaries", "commitment": "announced next keys", "succession": "key rotations of peers",
	"own_rotation": "own key rotations", "receipt": "receipts of answers", "spool": "positions in spool files", "repair": "reports of repairs", "audit_orphan": "audit records out of order",
}

func callRows(table string) string {
	if name, ok := called[table]; ok {
		return name
	}
	return "rows of " + table
}

// copyTable copies the rows of one table that fit the schema and its own rules.
func (sv *salvager) copyTable(ctx context.Context, t *table) error {
	part := sv.report.part(callRows(t.name))
	fits := checks[t.name]
	insert := `INSERT OR IGNORE INTO ` + t.name + ` (`
	if t.preset {
		insert = `INSERT OR REPLACE INTO ` + t.name + ` (`
	}
	refused := int64(0)
	damage, err := sv.inBatches(ctx, sv.tree[t.name], func(tx *tx, r pages.Row) error {
		columns, values := t.assign(r)
		if columns == nil || fits != nil && fits(columns, values) != nil {
			refused++
			return nil //nolint:nilerr // it is counted
		}
		n, err := tx.exec(insert+strings.Join(columns, ", ")+`) VALUES (?`+strings.Repeat(`, ?`, len(columns)-1)+`)`, values...)
		if isConstraint(err) {
			refused++
			return nil
		}
		part.Saved += n
		return err
	})
	if err != nil {
		return fmt.Errorf("%s: %w", callRows(t.name), err)
	}
	sv.count(part, t, refused, damage)
	return nil
}

// count finds out how many rows there were: every index over all rows has an entry for each.
func (sv *salvager) count(part *SavedPart, t *table, refused int64, damage pages.Damage) {
	expected, counted := part.Saved+refused+int64(damage.Rows), false
	for _, i := range t.indexes {
		if i.partial {
			continue
		}
		n, d := sv.trees.Count(sv.tree[i.name])
		expected = max(expected, n)
		counted = counted || d == pages.Damage{}
	}
	part.Lost = max(part.Lost, expected-part.Saved)
	part.Uncounted = part.Uncounted || !counted && damage.Pages > 0
}

// salvageBatch is how many rows one transaction takes.
const salvageBatch = 1000

// inBatches calls fn for every row of a tree, inside transactions.
func (sv *salvager) inBatches(ctx context.Context, tree int, fn func(*tx, pages.Row) error) (pages.Damage, error) {
	var batch []pages.Row
	flush := func() error {
		err := sv.to.write(ctx, "save what can be read", func(t *tx) error {
			for _, r := range batch {
				if err := fn(t, r); err != nil {
					return err
				}
			}
			return nil
		})
		batch = batch[:0]
		return err
	}
	damage, err := sv.trees.Rows(tree, func(r pages.Row) error {
		if batch = append(batch, r); len(batch) < salvageBatch {
			return nil
		}
		return flush()
	})
	if err == nil {
		err = flush()
	}
	return damage, err
}

// copySequence makes sure that no number is handed out twice: it goes on above the last reservation, and where that cannot be
// read, above every moment that is recorded anywhere, the last change of the file among them (numbers are above the time of their reservation in microseconds).
func (sv *salvager) copySequence(ctx context.Context) error {
	next := sv.s.now().UnixMicro()
	for _, name := range []string{sv.s.path, sv.s.path + "-wal"} {
		if info, err := os.Stat(name); err == nil {
			next = max(next, info.ModTime().UnixMicro())
		}
	}
	note := func(tree string, column int, perMicro int64) error {
		i, ok := sv.tree[tree]
		if !ok {
			return nil
		}
		_, err := sv.trees.Rows(i, func(r pages.Row) error {
			if column < len(r.Values) {
				if n, ok := r.Values[column].(int64); ok && n/perMicro < maxSequence {
					next = max(next, n/perMicro)
				}
			}
			return nil
		})
		return err
	}
	// The columns as they are stored: sequence.next, audit.timestamp, summary.received_at.
	if err := errors.Join(note("sequence", 1, 1), note("audit", 2, 1000), note("summary", 6, 1000)); err != nil {
		return err
	}
	return sv.to.write(ctx, "go on with sequence numbers", func(t *tx) error {
		_, err := t.exec(`UPDATE sequence SET next = max(next, ?)`, next+sequenceMargin)
		return err
	})
}

const (
	// sequenceMargin is more than one node can have reserved ahead of what it recorded.
	sequenceMargin = 10_000_000
	// maxSequence is a number, as a time the year 2200, above which a damaged one is not believed.
	maxSequence = 7_258_118_400_000_000
)

// note records what happened: in the audit log, so that the gap in it has its explanation, and for status.
func (sv *salvager) note(ctx context.Context, gap map[string]string) error {
	r := sv.report
	r.Parts = slices.DeleteFunc(r.Parts, func(p *SavedPart) bool { return *p == SavedPart{Name: p.Name} })
	return sv.to.write(ctx, "note the repair", func(t *tx) error {
		details := map[string]string{"action": "database_repaired", "reason": r.Reason, "kept_as": r.KeptAs}
		for k, v := range gap {
			details[k] = v
		}
		for _, p := range r.Parts {
			if p.Lost > 0 || p.Uncounted {
				lost := strconv.FormatInt(p.Lost, 10)
				if p.Uncounted {
					lost = "at least " + lost
				}
				details["lost_"+strings.ReplaceAll(p.Name, " ", "_")] = lost
			}
		}
		if _, err := t.audit(audit.Event{Type: protocol.AuditPolicyViolation, Details: details}); err != nil {
			return err
		}
		return t.saveRepair(r)
	})
}

// table is how a table of the new database looks.
type table struct {
	name         string
	root         uint32
	withoutRowID bool
	stored       []string // columns in the order in which they are stored
	rowID        string   // the column that is the row's number and is not stored; may be empty
	indexes      []index
	preset       bool // a new database has rows of it
	afterAudit   bool // it refers to the audit log
}

type index struct {
	name    string
	root    uint32
	partial bool
}

// describe lists the tables of a database, those first to which others refer.
func (sv *salvager) describe(ctx context.Context) (list []table, err error) {
	db := sv.to.writer.conn
	err = eachRow(ctx, db, `SELECT l.name, s.rootpage, l.wr FROM pragma_table_list l JOIN sqlite_schema s ON s.name = l.name AND s.type = 'table'
		WHERE l.schema = 'main' AND l.type = 'table' ORDER BY s.rootpage`, nil, func(rows *sql.Rows) error {
		var t table
		err := rows.Scan(&t.name, &t.root, &t.withoutRowID)
		list = append(list, t)
		return err
	})
	for i := range list {
		if err == nil {
			err = list[i].describe(ctx, db)
		}
	}
	return list, err
}

func (t *table) describe(ctx context.Context, db *sql.Conn) error {
	type column struct {
		name, kind string
		key        int
	}
	var columns []column
	if err := eachRow(ctx, db, `SELECT name, upper(type), pk FROM pragma_table_info(?) ORDER BY cid`, []any{t.name}, func(rows *sql.Rows) error {
		var c column
		err := rows.Scan(&c.name, &c.kind, &c.key)
		columns = append(columns, c)
		return err
	}); err != nil {
		return err
	}
	if t.withoutRowID { // the key comes first
		slices.SortStableFunc(columns, func(a, b column) int {
			switch {
			case a.key > 0 && b.key > 0:
				return a.key - b.key
			case a.key > 0:
				return -1
			case b.key > 0:
				return 1
			}
			return 0
		})
	}
	keys := 0
	for _, c := range columns {
		t.stored = append(t.stored, c.name)
		if c.key > 0 {
			keys++
		}
	}
	for _, c := range columns {
		if !t.withoutRowID && keys == 1 && c.key == 1 && c.kind == "INTEGER" {
			t.rowID = c.name
		}
	}
	if err := db.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM `+t.name+`), EXISTS (SELECT 1 FROM pragma_foreign_key_list(?) WHERE "table" = 'audit')`, t.name).
		Scan(&t.preset, &t.afterAudit); err != nil {
		return err
	}
	return eachRow(ctx, db, `SELECT l.name, s.rootpage, l.partial FROM pragma_index_list(?) l JOIN sqlite_schema s ON s.name = l.name AND s.type = 'index'
		WHERE s.rootpage > 0`, []any{t.name}, func(rows *sql.Rows) error {
		var i index
		err := rows.Scan(&i.name, &i.root, &i.partial)
		t.indexes = append(t.indexes, i)
		return err
	})
}

// assign gives the values of a row to columns. It returns none for a row that cannot be of this table.
func (t *table) assign(r pages.Row) (columns []string, values []any) {
	if len(r.Values) > len(t.stored) || len(r.Values) == 0 {
		return nil, nil
	}
	for i, v := range r.Values {
		if t.stored[i] == t.rowID {
			if v != nil {
				return nil, nil
			}
			v = r.ID
		}
		columns, values = append(columns, t.stored[i]), append(values, v)
	}
	return columns, values
}
