package store

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/caro-mesh/caro-node/policy/audit"
	"github.com/caro-mesh/caro-node/protocol"
)

// SaveSummary stores a summary of this node with its signed bytes, and records ev with it. One that replaces none is
// refused with [ErrSummaryExists] when the period has one already, whatever its content; a correction when what it
// replaces is not the current one of its period, or the one that is known to be lost ([Store.LostSummaries]). It returns once
// the summary survives a power failure: until then no peer may have it.
func (s *Store) SaveSummary(ctx context.Context, sum *protocol.NodeSummary, wire []byte, ev audit.Event) error {
	return s.writeDurably(ctx, "store a summary", func(t *tx) error {
		current, revision, err := t.lastSigned(sum.Period)
		if err == nil && current != sum.Replaces {
			err = fmt.Errorf("%w (%q, and the new one replaces %q)", ErrSummaryExists, current, sum.Replaces)
		}
		if err != nil {
			return fmt.Errorf("%s period from %s: %w", sum.Period.Granularity, sum.Period.Start, err)
		}
		if err := t.putSummary(sum, wire, revision, nil); err != nil {
			return err
		}
		if _, err := t.exec(`DELETE FROM lost_summary WHERE id = ?`, sum.Replaces); err != nil {
			return err
		}
		_, err = t.audit(ev)
		return err
	})
}

// putSummary stores a summary in the place of the one that it replaces, if any. With receivedAt it is another node's.
func (t *tx) putSummary(sum *protocol.NodeSummary, wire []byte, revision int64, receivedAt any) error {
	if sum.Replaces != "" {
		if _, err := t.exec(`UPDATE summary SET replaced_by = ? WHERE id = ?`, sum.ID, sum.Replaces); err != nil {
			return err
		}
	}
	_, err := t.exec(`INSERT INTO summary (id, node_id, own, granularity, period_start, period_end, received_at, revision, wire)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`, sum.ID, string(sum.NodeID), receivedAt == nil, string(sum.Period.Granularity),
		int64(sum.Period.Start), int64(sum.Period.End), receivedAt, revision, wire)
	return err
}

// Arrival is a summary that another node has sent.
type Arrival struct {
	Summary *protocol.NodeSummary // verified by the caller
	Wire    []byte                // its signed bytes
	Keys    []protocol.NodeID     // the other keys that its node has or had; may be empty, and may hold the one that signed it
	// MaxBytes is how many signed bytes are kept of one node, under all its keys; 0: any number.
	MaxBytes int64
}

// SaveReceivedSummary stores a summary of another node and records ev with it. When the same bytes are stored already it
// does nothing and returns isNew false. Of each period the node's latest summary is current. A correction takes the place
// of the current one if that is what it replaces, and is taken as it is where there is none. Otherwise it is refused with
// [ErrOutOfOrder]; with [ErrConflictingSummary] what contradicts a summary of the node: a second one for its period that
// replaces none, a second one that replaces the same, another one with the same ID. [ErrTooMuch] means that the node has
// used up its place.
func (s *Store) SaveReceivedSummary(ctx context.Context, a Arrival, ev audit.Event) (isNew bool, err error) {
	err = s.write(ctx, "store a received summary", func(t *tx) error {
		isNew = false
		known, err := t.hasSummary(a)
		if err != nil || known {
			return err
		}
		revision, err := t.placeOf(a)
		if err != nil {
			return fmt.Errorf("summary %s of node %s, %s period from %s: %w", a.Summary.ID, a.Summary.NodeID.Fingerprint(),
				a.Summary.Period.Granularity, a.Summary.Period.Start, err)
		}
		if err := t.hasRoom(a); err != nil {
			return err
		}
		if err := t.putSummary(a.Summary, a.Wire, revision, t.s.now().UnixNano()); err != nil {
			return err
		}
		isNew = true
		_, err = t.audit(ev)
		return err
	})
	return isNew && err == nil, err
}

// hasSummary reports whether these very bytes are stored.
func (t *tx) hasSummary(a Arrival) (bool, error) {
	var stored []byte
	err := t.get(`SELECT wire FROM summary WHERE id = ?`, []any{a.Summary.ID}, &stored)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return false, nil
	case err != nil:
		return false, err
	case !bytes.Equal(stored, a.Wire):
		return false, fmt.Errorf("summary %s: %w", a.Summary.ID, ErrConflictingSummary)
	}
	return true, nil
}

// keys are all keys of the node, each once.
func (a Arrival) keys() []protocol.NodeID {
	all := append([]protocol.NodeID{a.Summary.NodeID}, a.Keys...)
	slices.Sort(all)
	return slices.Compact(all)
}

// placeOf returns which revision of its period the summary becomes here.
func (t *tx) placeOf(a Arrival) (revision int64, err error) {
	period, replaces := a.Summary.Period, a.Summary.Replaces
	current := make(map[string]int64) // one, or one of each key from before keys were compared
	for _, key := range a.keys() {
		if err := t.each(`SELECT id, revision FROM summary WHERE own = 0 AND node_id = ? AND granularity = ? AND period_start = ? AND replaced_by IS NULL`,
			[]any{string(key), string(period.Granularity), int64(period.Start)}, func(rows *sql.Rows) error {
				var id string
				var n int64
				err := rows.Scan(&id, &n)
				current[id] = n
				return err
			}); err != nil {
			return 0, err
		}
	}
	if n, ok := current[replaces]; ok {
		return n + 1, nil
	}
	if len(current) > 0 && replaces == "" {
		return 0, ErrConflictingSummary
	}
	if replaces == "" {
		return 0, nil
	}
	var known int
	switch err := t.get(`SELECT 1 FROM summary WHERE id = ?`, []any{replaces}, &known); {
	case err == nil: // replaced by another one, of another period, or not this node's
		return 0, ErrConflictingSummary
	case !errors.Is(err, sql.ErrNoRows):
		return 0, err
	case len(current) > 0:
		return 0, ErrOutOfOrder
	}
	return 0, nil
}

// hasRoom reports [ErrTooMuch] when the summary is more than is kept of its node.
func (t *tx) hasRoom(a Arrival) error {
	if a.MaxBytes <= 0 {
		return nil
	}
	total := int64(len(a.Wire))
	for _, key := range a.keys() {
		var size int64
		if err := t.get(`SELECT coalesce(sum(length(wire)), 0) FROM summary WHERE node_id = ? AND own = 0`, []any{string(key)}, &size); err != nil {
			return err
		}
		total += size
	}
	if total > a.MaxBytes {
		return fmt.Errorf("%w: with this one they would take %d bytes, and at most %d are kept", ErrTooMuch, total, a.MaxBytes)
	}
	return nil
}

// OwnPeriods returns which periods that ended after since have an own summary, with the ID of the current one.
func (s *Store) OwnPeriods(ctx context.Context, since time.Time) (map[protocol.Period]string, error) {
	periods := make(map[protocol.Period]string)
	err := s.each(ctx, `SELECT id, granularity, period_start, period_end FROM summary WHERE own = 1 AND replaced_by IS NULL AND period_end > ?`,
		[]any{nanosSince1970(since)}, func(rows *sql.Rows) error {
			var id string
			var p protocol.Period
			err := rows.Scan(&id, &p.Granularity, &p.Start, &p.End)
			periods[p] = id
			return err
		})
	return periods, s.explain("read which periods have a summary", err)
}
