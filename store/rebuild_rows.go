package store

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/caro-mesh/caro-node/observer/event"
	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/store/pages"
)

// checks tell, for tables whose rows have a form of their own, whether a row is to be believed.
var checks = map[string]func(columns []string, values []any) error{
	"summary":      signedRow("summary", "id"),
	"succession":   signedRow("succession", "old_id"),
	"own_rotation": signedRow("own_rotation", "generation"),
	"peer": func(columns []string, values []any) error {
		id, _ := field(columns, values, "node_id").(string)
		addrs, _ := field(columns, values, "addrs").(string)
		return checkPeer(protocol.NodeID(id), []byte(addrs))
	},
	"commitment": func(columns []string, values []any) error {
		id, _ := field(columns, values, "node_id").(string)
		if digest, _ := field(columns, values, "digest").([]byte); len(digest) != len(protocol.KeyDigest{}) {
			return errNoSuchRow
		}
		return protocol.NodeID(id).Validate()
	},
	"trust_grant": func(columns []string, values []any) error {
		id, _ := field(columns, values, "node_id").(string)
		trust, _ := field(columns, values, "trust").(int64)
		if trust < 0 || trust > int64(protocol.TrustSupervisor) {
			return errNoSuchRow
		}
		return protocol.NodeID(id).Validate()
	},
}

var errNoSuchRow = errors.New("a row that cannot be")

func field(columns []string, values []any, name string) any {
	if i := slices.Index(columns, name); i >= 0 {
		return values[i]
	}
	return nil
}

func signedRow(table, id string) func(columns []string, values []any) error {
	return func(columns []string, values []any) error {
		wire, _ := field(columns, values, "wire").([]byte)
		return signedAs[table](fmt.Sprint(field(columns, values, id)), wire)
	}
}

func isConstraint(err error) bool {
	var se *sqlite.Error
	return errors.As(err, &se) && (se.Code()&0xff == sqlite3.SQLITE_CONSTRAINT || se.Code()&0xff == sqlite3.SQLITE_MISMATCH)
}

// texts reads one of the tables that give texts a number.
func (sv *salvager) texts(table string) (map[int64]string, error) {
	m := make(map[int64]string)
	_, err := sv.trees.Rows(sv.tree[table], func(r pages.Row) error {
		if len(r.Values) == 2 && r.Values[0] == nil {
			if text, ok := r.Values[1].(string); ok {
				m[r.ID] = text
			}
		}
		return nil
	})
	return m, err
}

// salvagedNames are the texts that events refer to.
type salvagedNames struct{ categories, folders, sessions map[int64]string }

// copyEvents stores the events again, so that counts and search follow from what is there.
func (sv *salvager) copyEvents(ctx context.Context) (err error) {
	var names salvagedNames
	for table, m := range map[string]*map[int64]string{"category": &names.categories, "folder": &names.folders, "session": &names.sessions} {
		if *m, err = sv.texts(table); err != nil {
			return err
		}
	}
	part := sv.report.part(called["event"])
	refused := int64(0)
	incomplete := sv.report.part(incompleteEvents)
	fitsIndex, err := sv.eventIndex()
	if err != nil {
		return err
	}
	var batch []event.Event
	flush := func() error {
		isNew := make([]bool, len(batch))
		err := sv.to.write(ctx, "save commands", func(t *tx) error { return t.appendNew(batch, isNew) })
		for _, n := range isNew {
			if n {
				part.Saved++
			}
		}
		batch = batch[:0]
		return err
	}
	damage, err := sv.trees.Rows(sv.tree["event"], func(r pages.Row) error {
		e, whole, err := names.event(r)
		if err != nil {
			refused++
			return nil //nolint:nilerr // it is counted
		}
		if !whole || !fitsIndex(r) {
			incomplete.Lost++
		}
		if batch = append(batch, e); len(batch) < salvageBatch {
			return nil
		}
		return flush()
	})
	if err == nil {
		err = flush()
	}
	if err != nil {
		return err
	}
	t := &sv.tables[slices.IndexFunc(sv.tables, func(t table) bool { return t.name == "event" })]
	sv.count(part, t, refused, damage)
	counted, err := sv.counted()
	part.Lost = max(part.Lost, counted-part.Saved)
	return err
}

// incompleteEvents is the word for commands that were saved without their folder, session or category, or whose time or ID
// may not be what it was.
const incompleteEvents = "commands that are not whole"

// eventIndex returns a function that tells whether the index of events has the same ID and key as a row.
func (sv *salvager) eventIndex() (fits func(pages.Row) bool, err error) {
	tree, ok := sv.tree["sqlite_autoindex_event_1"]
	if !ok {
		return func(pages.Row) bool { return true }, nil
	}
	ids := make(map[int64]uint64)
	damage, err := sv.trees.Rows(tree, func(r pages.Row) error {
		if len(r.Values) == 2 {
			if key, ok := r.Values[1].(int64); ok {
				ids[key] = shortID(r.Values[0])
			}
		}
		return nil
	})
	whole := damage == pages.Damage{}
	return func(r pages.Row) bool {
		id, ok := ids[r.ID]
		return !ok && !whole || ok && id == shortID(r.Values[1])
	}, err
}

// shortID stands for an ID that is 16 bytes long.
func shortID(v any) uint64 {
	b, _ := v.([]byte)
	if len(b) != 16 {
		return 0
	}
	return binary.BigEndian.Uint64(b) ^ scatter(int64(binary.BigEndian.Uint64(b[8:])))
}

// counted is how many events the hourly counts tell of, as far as they can be read.
func (sv *salvager) counted() (n int64, err error) {
	_, err = sv.trees.Rows(sv.tree["rollup"], func(r pages.Row) error {
		if len(r.Values) >= 5 {
			if commands, ok := r.Values[4].(int64); ok && commands > 0 && commands < 1<<40 {
				n += commands
			}
		}
		return nil
	})
	return n, err
}

// event makes an event of a stored row, and tells whether everything that it refers to was found.
func (n *salvagedNames) event(r pages.Row) (e event.Event, whole bool, err error) {
	// key, id, nanos, shell, folder, session, exit_code, duration_ms, category, risk, flags, redactions, pattern, command
	if len(r.Values) != 14 {
		return e, false, errNoSuchRow
	}
	c := columnReader{values: r.Values}
	id, err := uuid.FromBytes(c.bytes(1))
	if err != nil {
		return e, false, err
	}
	folder, hasFolder := n.folders[c.number(4)]
	category, hasCategory := n.categories[c.number(8)]
	if !hasCategory || protocol.CommandCategory(category).Validate() != nil {
		category, hasCategory = string(protocol.CategoryOther), false
	}
	whole = hasFolder && hasCategory
	var session string
	if r.Values[5] != nil {
		var ok bool
		session, ok = n.sessions[c.number(5)]
		whole = whole && ok
	}
	nanos, risk, flags := c.number(2), c.number(9), c.number(10)
	if risk < 0 || risk > int64(protocol.RiskCritical) || nanos < -1e9 || nanos > 1e9 {
		return e, false, errNoSuchRow
	}
	e = event.Event{ID: id.String(), Timestamp: timeOf(r.ID, nanos), Shell: protocol.ShellType(c.text(3)), CWD: folder, Session: session,
		Category: protocol.CommandCategory(category), Pattern: c.text(12), Command: c.text(13)}
	setOutcome(&e, uint8(risk), flags, c.nullable(6), c.nullable(7))
	if r.Values[11] != nil {
		e.Redactions = strings.Split(c.text(11), ",")
	}
	if c.wrong {
		return e, false, errNoSuchRow
	}
	return e, whole, e.Validate()
}

// columnReader reads values of a row, and remembers when one has the wrong type.
type columnReader struct {
	values []any
	wrong  bool
}

func (c *columnReader) number(i int) int64 {
	n, ok := c.values[i].(int64)
	c.wrong = c.wrong || !ok
	return n
}

func (c *columnReader) nullable(i int) sql.NullInt64 {
	if c.values[i] == nil {
		return sql.NullInt64{}
	}
	return sql.NullInt64{Int64: c.number(i), Valid: true}
}

func (c *columnReader) text(i int) string {
	t, ok := c.values[i].(string)
	c.wrong = c.wrong || !ok
	return t
}

func (c *columnReader) bytes(i int) []byte {
	b, ok := c.values[i].([]byte)
	c.wrong = c.wrong || !ok
	return b
}

// receiptProves reports whether a receipt is what its audit record says, which was saved before.
func (t *tx) receiptProves(columns []string, values []any) (bool, error) {
	var details string
	err := t.get(`SELECT details FROM audit WHERE sequence = ?`, []any{field(columns, values, "sequence")}, &details)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	queryID, _ := field(columns, values, "query_id").(string)
	query, _ := field(columns, values, "query").([]byte)
	response, _ := field(columns, values, "response").([]byte)
	fault, err := receiptFault([]byte(details), queryID, query, response)
	return fault == "", err
}
