package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/caro-mesh/caro-node/observer/event"
	"github.com/caro-mesh/caro-node/protocol"
)

// selectEvent returns a query for the columns that scanEvent reads, from event AS e. The joins are CROSS JOINs to keep
// SQLite from beginning with another table.
func selectEvent(from string) string {
	return `SELECT e.key, e.id, e.nanos, e.shell, f.path, s.name, e.exit_code, e.duration_ms, c.name, e.risk, e.flags, e.redactions,
		e.pattern, e.command FROM ` + from + ` CROSS JOIN folder f ON f.id = e.folder CROSS JOIN category c ON c.id = e.category
		LEFT JOIN session s ON s.id = e.session`
}

// Events returns the events that f chooses, newest first; events of the same time in the reverse order of their arrival.
// The second result is the cursor of the next page, empty when there is none.
func (s *Store) Events(ctx context.Context, f EventFilter) ([]event.Event, string, error) {
	var list []event.Event
	var cursor string
	err := s.read(ctx, func(r *sql.Tx) error {
		m, ok, err := newMatcher(ctx, r, &f)
		if err != nil || !ok {
			return err
		}
		keys, err := matchingKeys(ctx, r, &m, f.limit()+1)
		if err != nil {
			return err
		}
		if len(keys) > f.limit() {
			keys = keys[:f.limit()]
			cursor = cursorOf(keys[len(keys)-1])
		}
		list, err = loadEvents(ctx, r, keys)
		return err
	})
	return list, cursor, s.explain("read events", err)
}

// CountMatching returns the number of events that f chooses; Limit and Cursor of f do not count. It reads as much as a
// search through all of them.
func (s *Store) CountMatching(ctx context.Context, f EventFilter) (int64, error) {
	f.Cursor = ""
	var n int64
	err := s.read(ctx, func(r *sql.Tx) error {
		m, ok, err := newMatcher(ctx, r, &f)
		if err != nil || !ok {
			return err
		}
		keys, err := matchingKeys(ctx, r, &m, math.MaxInt)
		n = int64(len(keys))
		return err
	})
	return n, s.explain("count events", err)
}

// Event returns the event with this ID, or [ErrNotFound].
func (s *Store) Event(ctx context.Context, id string) (event.Event, error) {
	const doing = "read an event"
	u, err := uuid.Parse(id)
	if err != nil {
		return event.Event{}, fmt.Errorf("%s: %q is not a UUID", doing, id)
	}
	var list []event.Event
	err = s.each(ctx, selectEvent(`event e`)+` WHERE e.id = ?`, []any{u[:]}, func(rows *sql.Rows) error {
		_, e, err := scanEvent(rows)
		list = append(list, e)
		return err
	})
	if err == nil && len(list) == 0 {
		err = fmt.Errorf("event %s: %w", u, ErrNotFound)
	}
	if err != nil {
		return event.Event{}, s.explain(doing, err)
	}
	return list[0], nil
}

// CountEvents returns the number of stored events.
func (s *Store) CountEvents(ctx context.Context) (int64, error) {
	var n int64
	err := s.readers.QueryRowContext(ctx, `SELECT `+countAll).Scan(&n)
	return n, s.explain("count events", err)
}

// CountEventsSince returns the number of events that started at or after since, to the microsecond.
func (s *Store) CountEventsSince(ctx context.Context, since time.Time) (int64, error) {
	var n int64
	// Whole hours are counted already; of the hour that is cut, the smaller range of the table itself is read.
	hour := hourAtOrAfter(since)
	err := s.readers.QueryRowContext(ctx, `SELECT (SELECT coalesce(sum(commands), 0) FROM rollup WHERE hour >= ?)
		+ (SELECT count(*) FROM event WHERE key >= ? AND key < ?)`, hour, firstKey(since), firstKey(timeOfHour(hour))).Scan(&n)
	return n, s.explain("count events", err)
}

func loadEvents(ctx context.Context, r *sql.Tx, keys []int64) ([]event.Event, error) {
	list := make([]event.Event, 0, len(keys))
	for part := range slices.Chunk(keys, 1000) {
		array, err := json.Marshal(part)
		if err != nil {
			return nil, err
		}
		if err := eachRow(ctx, r, selectEvent(`json_each(?) AS wanted CROSS JOIN event e ON e.key = wanted.value`), []any{string(array)},
			func(rows *sql.Rows) error {
				key, e, err := scanEvent(rows)
				if err == nil && key != keys[len(list)] {
					err = fmt.Errorf("%w: event %d was found, but cannot be read", ErrDamaged, keys[len(list)])
				}
				list = append(list, e)
				return err
			}); err != nil {
			return nil, err
		}
	}
	if len(list) != len(keys) {
		return nil, fmt.Errorf("%w: %d of %d events that were found cannot be read", ErrDamaged, len(keys)-len(list), len(keys))
	}
	return list, nil
}

func scanEvent(rows *sql.Rows) (key int64, e event.Event, err error) {
	var nanos, flags int64
	var id []byte
	var risk uint8
	var session, redactions sql.NullString
	var exit, duration sql.NullInt64
	if err := rows.Scan(&key, &id, &nanos, &e.Shell, &e.CWD, &session, &exit, &duration, &e.Category, &risk, &flags,
		&redactions, &e.Pattern, &e.Command); err != nil {
		return key, e, err
	}
	u, err := uuid.FromBytes(id)
	if err != nil {
		return key, e, fmt.Errorf("%w: event %d has an ID of %d bytes", ErrDamaged, key, len(id))
	}
	e.ID, e.Timestamp, e.Session = u.String(), timeOf(key, nanos), session.String
	if redactions.Valid {
		e.Redactions = strings.Split(redactions.String, ",")
	}
	setOutcome(&e, risk, flags, exit, duration)
	return key, e, nil
}

func setOutcome(e *event.Event, risk uint8, flags int64, exit, duration sql.NullInt64) {
	e.RiskLevel = protocol.RiskLevel(risk)
	if exit.Valid {
		code := int(exit.Int64)
		e.ExitCode = &code
	}
	if duration.Valid {
		e.DurationMS = &duration.Int64
	}
	e.CaroGenerated, e.CaroExecuted = flags&flagGenerated != 0, flags&flagExecuted != 0
	e.UserConfirmed, e.Blocked = flags&flagConfirmed != 0, flags&flagBlocked != 0
}
