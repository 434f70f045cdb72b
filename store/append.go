package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"github.com/caro-mesh/caro-node/observer/event"
)

// Append stores events, all or none. Those whose ID is stored already are skipped.
func (s *Store) Append(ctx context.Context, events []event.Event) error {
	_, err := s.AppendNew(ctx, events)
	return err
}

// AppendNew is [Store.Append], and tells for each of the events whether it is new.
func (s *Store) AppendNew(ctx context.Context, events []event.Event) (isNew []bool, err error) {
	const doing = "store events"
	if err := checkEvents(events); err != nil {
		return nil, fmt.Errorf("%s: %w", doing, err)
	}
	if len(events) == 0 {
		return nil, nil
	}
	isNew = make([]bool, len(events))
	if err := s.write(ctx, doing, func(t *tx) error { return t.appendNew(events, isNew) }); err != nil {
		return nil, err
	}
	return isNew, nil
}

func checkEvents(events []event.Event) error {
	for i := range events {
		if err := events[i].Validate(); err != nil {
			return fmt.Errorf("event %d of %d: %w", i+1, len(events), err)
		}
	}
	return nil
}

// Flags of an event.
const (
	flagGenerated = 1 << iota
	flagExecuted
	flagConfirmed
	flagBlocked
)

const insertEvent = `INSERT INTO event
	(key, id, nanos, shell, folder, session, exit_code, duration_ms, category, risk, flags, redactions, pattern, command)
	VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING`

// append needs checked events.
func (t *tx) append(events []event.Event) error {
	return t.appendNew(events, make([]bool, len(events)))
}

// appendNew is append, and notes in isNew, which is as long, which of the events were not stored already.
func (t *tx) appendNew(events []event.Event, isNew []bool) error {
	known := &t.w.known
	counts := make(delta)
	for i := range events {
		e := &events[i]
		category, err := known.categories.id(t, string(e.Category))
		if err != nil {
			return err
		}
		key, inserted, err := t.insert(e, category)
		if err != nil {
			return err
		}
		if !inserted {
			continue
		}
		isNew[i] = true
		counts.add(e, category, +1)
		known.events.loose++
		if key <= known.events.packedThrough {
			if _, err := t.exec(`INSERT INTO late (key) VALUES (?)`, key); err != nil {
				return err
			}
		}
	}
	if err := counts.apply(t); err != nil {
		return err
	}
	if err := counts.note(t); err != nil {
		return err
	}
	if known.events.loose >= int64(t.s.packing.events) {
		return t.pack()
	}
	return nil
}

func (t *tx) insert(e *event.Event, category int64) (key int64, inserted bool, err error) {
	id, err := uuid.Parse(e.ID)
	if err != nil {
		return 0, false, err
	}
	known := &t.w.known
	folder, err := known.folders.id(t, e.CWD)
	if err != nil {
		return 0, false, err
	}
	var session, exit, duration, redactions any // NULL
	if e.Session != "" {
		if session, err = known.sessions.id(t, e.Session); err != nil {
			return 0, false, err
		}
	}
	if e.ExitCode != nil {
		exit = int64(*e.ExitCode)
	}
	if e.DurationMS != nil {
		duration = *e.DurationMS
	}
	if len(e.Redactions) > 0 {
		redactions = strings.Join(e.Redactions, ",")
	}
	if key, err = known.events.freeKey(t, firstKey(e.Timestamp), id); err != nil || key == noKey {
		return 0, false, err
	}
	n, err := t.exec(insertEvent, key, id[:], nanosOf(e.Timestamp, key), string(e.Shell), folder, session, exit, duration,
		category, int64(e.RiskLevel), flagsOf(e), redactions, e.Pattern, e.Command)
	if err != nil || n == 0 {
		return 0, false, err
	}
	known.events.took(firstKey(e.Timestamp), key)
	return key, true, nil
}

func flagsOf(e *event.Event) int64 {
	var f int64
	for _, b := range []struct {
		set  bool
		flag int64
	}{{e.CaroGenerated, flagGenerated}, {e.CaroExecuted, flagExecuted}, {e.UserConfirmed, flagConfirmed}, {e.Blocked, flagBlocked}} {
		if b.set {
			f |= b.flag
		}
	}
	return f
}

// eventKnowledge is what the writer remembers of the event table.
type eventKnowledge struct {
	newest        int64 // greatest key, or noKey
	packedThrough int64 // greatest key inside a segment, or noKey
	loose         int64 // number of events that no segment holds
	lastBase      int64 // first key of the microsecond of the latest insert, and
	lastKey       int64 // the key it got
}

func (k *eventKnowledge) load(t *tx) error {
	*k = eventKnowledge{lastBase: noKey}
	var newest, packed sql.NullInt64
	if err := t.get(`SELECT (SELECT max(key) FROM event), (SELECT max(last) FROM segment), `+countLoose, nil,
		&newest, &packed, &k.loose); err != nil {
		return err
	}
	k.newest, k.packedThrough = noKey, noKey
	if newest.Valid {
		k.newest = newest.Int64
	}
	if packed.Valid {
		k.packedThrough = packed.Int64
	}
	return nil
}

// freeKey returns the key for the event id of the microsecond that begins with base. Where looking for one takes long it
// makes sure first that the event is not stored, and returns noKey if it is: a repeated import of commands without times
// would go through all of them for each.
func (k *eventKnowledge) freeKey(t *tx, base int64, id uuid.UUID) (int64, error) {
	key := base
	if base == k.lastBase { // many of the same time, as an import without times has them
		if key = k.lastKey + 1; key%keysPerMicro != 0 {
			return key, nil
		}
	}
	if key <= k.newest {
		var stored bool
		if err := t.get(`SELECT EXISTS (SELECT 1 FROM event WHERE id = ?)`, []any{id[:]}, &stored); err != nil || stored {
			return noKey, err
		}
	}
	for key <= k.newest {
		var last sql.NullInt64
		if err := t.get(`SELECT max(key) FROM event WHERE key BETWEEN ? AND ?`, []any{key, key + keysPerMicro - 1}, &last); err != nil {
			return 0, err
		}
		if !last.Valid {
			break
		}
		if key = last.Int64 + 1; key%keysPerMicro != 0 {
			break
		}
	}
	return key, nil
}

func (k *eventKnowledge) took(base, key int64) {
	k.newest = max(k.newest, key)
	k.lastBase, k.lastKey = base, key
}
