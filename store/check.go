package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/caro-mesh/caro-node/policy/audit"
	"github.com/caro-mesh/caro-node/protocol"
)

// maxProblems bounds what one check lists of each kind; the rest would say the same.
const maxProblems = 20

// Check reads the whole database and returns what contradicts itself, one sentence each; nil when all is well. The chain of
// the audit log is [Store.VerifyAudit]'s. An error means that it could not be read to its end for another reason than damage.
func (s *Store) Check(ctx context.Context) ([]string, error) {
	var problems []string
	err := s.read(ctx, func(r *sql.Tx) (err error) {
		problems, err = checkContent(ctx, r)
		return err
	})
	return problems, s.explain("check the database", err)
}

// checkContent looks for everything that a damaged file can get wrong: pages, indexes that lack rows, references, counts, and
// what is signed.
func checkContent(ctx context.Context, r *sql.Tx) ([]string, error) {
	for _, look := range []func(context.Context, *sql.Tx) ([]string, error){
		func(ctx context.Context, r *sql.Tx) ([]string, error) { return checkPages(ctx, r, "integrity_check") },
		checkReferences, checkCounts, checkSegments, checkSigned, checkNames,
	} {
		problems, err := look(ctx, r)
		if text, damaged := damageOf(err); damaged {
			problems, err = append(problems, text), nil
		}
		if err != nil || len(problems) > 0 {
			return problems, err // what else there is mostly follows from the first
		}
	}
	return nil, nil
}

// damageOf returns what an error tells about damage.
func damageOf(err error) (text string, damaged bool) {
	var se *sqlite.Error
	switch {
	case err == nil, errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return "", false
	case errors.Is(err, ErrDamaged):
		return err.Error(), true
	case errors.As(err, &se) && (se.Code()&0xff == sqlite3.SQLITE_CORRUPT || se.Code()&0xff == sqlite3.SQLITE_NOTADB):
		return "parts of it cannot be read", true
	case errors.As(err, &se) && se.Code()&0xff == sqlite3.SQLITE_ERROR: // a table or a column is missing
		return err.Error(), true
	}
	return "", false
}

// checkPages runs one of the pragmas that report problems as rows, not as errors.
func checkPages(ctx context.Context, r querier, pragma string) (problems []string, err error) {
	err = eachRow(ctx, r, fmt.Sprintf(`PRAGMA %s(%d)`, pragma, maxProblems), nil, func(rows *sql.Rows) error {
		var text string
		err := rows.Scan(&text)
		for line := range strings.Lines(text) { // one row may hold many
			if line = strings.TrimSpace(line); line != "ok" && !strings.HasPrefix(line, "***") && len(problems) < maxProblems {
				problems = append(problems, line)
			}
		}
		return err
	})
	return problems, err
}

func checkReferences(ctx context.Context, r *sql.Tx) (problems []string, err error) {
	err = eachRow(ctx, r, `PRAGMA foreign_key_check`, nil, func(rows *sql.Rows) error {
		var table, parent string
		var row sql.NullInt64
		var key int
		err := rows.Scan(&table, &row, &parent, &key)
		if len(problems) < maxProblems {
			problems = append(problems, fmt.Sprintf("row %d of %s refers to a row of %s that does not exist", row.Int64, table, parent))
		}
		return err
	})
	return problems, err
}

// contradictions are queries whose result is 0 in a sound database.
var contradictions = []struct{ query, sentence string }{
	{`SELECT (SELECT count(*) FROM event) - (SELECT coalesce(sum(commands), 0) FROM rollup)`,
		"%d more events are stored than counted by hour"},
	{`SELECT count(*) FROM event WHERE folder NOT IN (SELECT id FROM folder) OR session IS NOT NULL AND session NOT IN (SELECT id FROM session)`,
		"%d events name a folder or a session that does not exist"},
	{`SELECT (SELECT count(*) FROM event) - ` + countAll,
		"%d more events are stored than packed for search or waiting for it"},
	{`SELECT 1 - (SELECT count(*) FROM sequence)`, "%d rows of sequence numbers are missing"},
	{`SELECT 1 - (SELECT count(*) FROM durable_point)`, "%d rows of durable points are missing"},
}

func checkCounts(ctx context.Context, r *sql.Tx) (problems []string, err error) {
	for _, c := range contradictions {
		var n int64
		if err := r.QueryRowContext(ctx, c.query).Scan(&n); err != nil {
			return problems, err
		}
		if n != 0 {
			problems = append(problems, fmt.Sprintf(c.sentence, n))
		}
	}
	return problems, nil
}

// checkSegments compares the keys in segments, and of events outside of them, with those of all events, by sums in which
// each key counts once.
func checkSegments(ctx context.Context, r *sql.Tx) (problems []string, err error) {
	var stored, packed uint64
	add := func(sum *uint64, query string) error {
		return eachRow(ctx, r, query, nil, func(rows *sql.Rows) error {
			var key int64
			err := rows.Scan(&key)
			*sum += scatter(key)
			return err
		})
	}
	if err := add(&stored, `SELECT key FROM event`); err != nil {
		return nil, err
	}
	if err := add(&packed, `SELECT key FROM event WHERE key > coalesce((SELECT max(last) FROM segment), -9223372036854775808)`); err != nil {
		return nil, err
	}
	if err := add(&packed, `SELECT key FROM late`); err != nil {
		return nil, err
	}
	if err := eachRow(ctx, r, `SELECT last, first, events, grams, attributes, commands FROM segment`, nil, func(rows *sql.Rows) error {
		var s segment
		if err := rows.Scan(&s.last, &s.first, &s.events, (*[]byte)(&s.grams), &s.attributes, &s.commands); err != nil {
			return err
		}
		if len(s.grams) != len(newGrams()) {
			return fmt.Errorf("%w: segment %d cannot be read", ErrDamaged, s.last)
		}
		end := 0
		if err := s.each(func(t *traits, _, stop int) error {
			packed += scatter(t.key)
			end = stop + 1
			return nil
		}); err != nil {
			return err
		}
		if end != len(s.commands) {
			return fmt.Errorf("%w: the commands of segment %d do not fit its attributes", ErrDamaged, s.last)
		}
		return nil
	}); err != nil {
		return nil, err
	}
	if stored != packed {
		problems = append(problems, "the events packed for search are not those that are stored")
	}
	return problems, nil
}

// scatter makes sums of different sets of keys differ (the finalizer of splitmix64).
func scatter(key int64) uint64 {
	x := uint64(key)
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// unreadableRecord returns what is wrong with the first audit record that cannot even be read. One that can be read and is
// not what it was is no damage that a repair could mend: somebody has changed it, and the log is to say so.
func unreadableRecord(ctx context.Context, r *sql.Tx) (reason string, err error) {
	err = eachRow(ctx, r, selectAudit+` ORDER BY sequence`, nil, func(rows *sql.Rows) error {
		if _, err := scanAudit(rows); errors.Is(err, audit.ErrUnreadable) {
			reason = err.Error()
			return errEnough
		} else if err != nil {
			return err
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return reason, err
}

// checkSigned opens what other nodes or this one have signed.
func checkSigned(ctx context.Context, r *sql.Tx) (problems []string, err error) {
	for table, query := range map[string]string{"summary": `SELECT id, wire FROM summary`, "succession": `SELECT old_id, wire FROM succession`,
		"own_rotation": `SELECT generation, wire FROM own_rotation`} {
		err := eachRow(ctx, r, query, nil, func(rows *sql.Rows) error {
			var id string
			var wire []byte
			if err := rows.Scan(&id, &wire); err != nil {
				return err
			}
			if err := signedAs[table](id, wire); err != nil && len(problems) < maxProblems {
				problems = append(problems, fmt.Sprintf("%s %s is not what was signed: %v", table, id, err))
			}
			return nil
		})
		if err != nil {
			return problems, err
		}
	}
	return problems, nil
}

// signedAs tells, for the tables that hold signed bytes, whether they are what they are stored as.
var signedAs = map[string]func(id string, wire []byte) error{
	"summary": func(id string, wire []byte) error {
		s, err := protocol.OpenSummary(wire)
		if err == nil && s.ID != id {
			err = fmt.Errorf("it is summary %s", s.ID)
		}
		return err
	},
	"succession": func(id string, wire []byte) error {
		r, err := protocol.OpenRotation(wire)
		if err == nil && string(r.OldID) != id {
			err = fmt.Errorf("it is the rotation of %s", r.OldID.Fingerprint())
		}
		return err
	},
	"own_rotation": func(id string, wire []byte) error {
		r, err := protocol.OpenRotation(wire)
		if err == nil && fmt.Sprint(r.Generation) != id {
			err = fmt.Errorf("it is rotation %d", r.Generation)
		}
		return err
	},
}

// checkNames looks for words that are none of the vocabulary, and for what cannot be read of peers.
func checkNames(ctx context.Context, r *sql.Tx) (problems []string, err error) {
	if err := eachRow(ctx, r, `SELECT name FROM category`, nil, func(rows *sql.Rows) error {
		var name protocol.CommandCategory
		if err := rows.Scan(&name); err != nil {
			return err
		}
		if err := name.Validate(); err != nil {
			problems = append(problems, err.Error())
		}
		return nil
	}); err != nil {
		return problems, err
	}
	err = eachRow(ctx, r, `SELECT node_id, addrs FROM peer UNION ALL SELECT node_id, '[]' FROM trust_grant
		UNION ALL SELECT node_id, '[]' FROM commitment`, nil, func(rows *sql.Rows) error {
		var id protocol.NodeID
		var addrs []byte
		if err := rows.Scan(&id, &addrs); err != nil {
			return err
		}
		if err := checkPeer(id, addrs); err != nil && len(problems) < maxProblems {
			problems = append(problems, err.Error())
		}
		return nil
	})
	return problems, err
}

func checkPeer(id protocol.NodeID, addrs []byte) error {
	if err := id.Validate(); err != nil {
		return err
	}
	var list []string
	if err := json.Unmarshal(addrs, &list); err != nil {
		return fmt.Errorf("addresses of peer %s: %w", id, err)
	}
	return nil
}
