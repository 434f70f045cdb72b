package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"github.com/caro-mesh/caro-node/store/pages"
)

// apart are tables that are not copied row by row: they follow from others, or are treated in a way of their own.
var apart = map[string]bool{
	"goose_db_version": true, "sqlite_sequence": true, "durable_point": true,
	"category": true, "folder": true, "session": true, "event": true, "rollup": true, "segment": true, "late": true,
	"audit": true, "audit_head": true, "audit_tree": true, "audit_checkpoint": true, "audit_cosignature": true, "sequence": true,
}

// called are the words of reports for the rows of tables; others are called rows of their table.
var called = map[string]string{
	"event": "commands", "summary": "summaries", "audit": "audit records", "peer": "peers", "trust_grant": "grants of trust",
	"audit_checkpoint": "signed checkpoints", "audit_cosignature": "cosignatures of witnesses", "witnessed": "checkpoints of witnessed nodes",
	"audit_conflict": "contradictions of witnessed nodes", "size_sample": "noted sizes", "changed_hour": "hours whose counts have changed",
	"counts_since": "beginnings of counts", "push": "acknowledgements of summaries", "commitment": "announced next keys", "succession": "key rotations of peers",
	"own_rotation": "own key rotations", "receipt": "receipts of answers", "spool": "positions in spool files", "repair": "reports of repairs", "audit_orphan": "audit records out of order",
	"lost_summary": "notes of lost summaries", "forgotten_summaries": "notes of forgotten summaries",
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
		if t.name == "receipt" {
			if proves, err := tx.receiptProves(columns, values); err != nil || !proves {
				refused++
				return err
			}
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
	// Which page a damaged frame of the log was for cannot be told. With one, either a table or its index is older than it was.
	stale := sv.from.Log().Damaged
	part.Uncounted = part.Uncounted || !counted && (damage.Pages > 0 || stale > 0) || stale > 1
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
