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
	var whole bool
	sv.objects, whole = sv.from.Schema()
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
	switch {
	case slices.Contains(schemaVersions, v.last):
		sv.version = max(sv.version, v.last)
	case !whole || sv.version == 0: // not even the names of all tables are left
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
		if err := sv.noteLost(ctx); err != nil {
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
		details := map[string]string{"action": actionRepaired, "reason": r.Reason, "kept_as": r.KeptAs}
		for k, v := range gap {
			details[k] = v
		}
		for _, p := range r.Parts {
			if p.Lost > 0 || p.Uncounted {
				lost := strconv.FormatInt(p.Lost, 10)
				if p.Uncounted {
					lost = atLeast + lost
				}
				details[lostDetail(p.Name)] = lost
			}
		}
		if _, err := t.audit(audit.Event{Type: protocol.AuditPolicyViolation, Details: details}); err != nil {
			return err
		}
		return t.saveRepair(r)
	})
}

// How the record of a repair tells what was lost, for the verification of the log to know.
const (
	actionRepaired = "database_repaired"
	atLeast        = "at least "
)

func lostDetail(part string) string { return "lost_" + strings.ReplaceAll(part, " ", "_") }
