package store

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/caro-mesh/caro-node/policy/audit"
	"github.com/caro-mesh/caro-node/protocol"
)

// StoredSummary is a summary with the signed bytes from which it was read. The signature is verified with every reading.
type StoredSummary struct {
	Summary    *protocol.NodeSummary
	Wire       []byte
	ReceivedAt *time.Time // nil for own summaries
	Own        bool
}

const insertSummary = `INSERT INTO summary (id, node_id, own, granularity, period_start, period_end, received_at, wire)
	VALUES (?, ?, ?, ?, ?, ?, ?, ?)`

// SaveSummary stores a summary of this node with its signed bytes, and records ev with it. It returns
// [ErrSummaryExists] when the period has one already, whatever its content.
func (s *Store) SaveSummary(ctx context.Context, sum *protocol.NodeSummary, wire []byte, ev audit.Event) error {
	return s.write(ctx, "store a summary", func(t *tx) error {
		var id string
		err := t.get(`SELECT id FROM summary WHERE own = 1 AND granularity = ? AND period_start = ?`,
			[]any{string(sum.Period.Granularity), int64(sum.Period.Start)}, &id)
		if err == nil {
			return fmt.Errorf("%s period from %s: %w (%s)", sum.Period.Granularity, sum.Period.Start, ErrSummaryExists, id)
		}
		if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		if _, err := t.exec(insertSummary, sum.ID, string(sum.NodeID), true, string(sum.Period.Granularity), int64(sum.Period.Start),
			int64(sum.Period.End), nil, wire); err != nil {
			return err
		}
		_, err = t.audit(ev)
		return err
	})
}

// SaveReceivedSummary stores a summary of another node, which the caller has verified, with its signed bytes, and
// records ev with it. When the same bytes are stored already it does nothing and returns isNew false. It returns
// [ErrConflictingSummary] when the node has sent a different summary for the period, or another one with the same ID.
func (s *Store) SaveReceivedSummary(ctx context.Context, sum *protocol.NodeSummary, wire []byte, ev audit.Event) (isNew bool, err error) {
	err = s.write(ctx, "store a received summary", func(t *tx) error {
		isNew = false
		known := false
		err := t.each(`SELECT wire FROM summary WHERE id = ? OR node_id = ? AND granularity = ? AND period_start = ?`,
			[]any{sum.ID, string(sum.NodeID), string(sum.Period.Granularity), int64(sum.Period.Start)}, func(rows *sql.Rows) error {
				var stored sql.RawBytes
				if err := rows.Scan(&stored); err != nil {
					return err
				}
				known = true
				if !bytes.Equal(stored, wire) {
					return fmt.Errorf("summary %s of node %s, %s period from %s: %w", sum.ID, sum.NodeID.Fingerprint(), sum.Period.Granularity,
						sum.Period.Start, ErrConflictingSummary)
				}
				return nil
			})
		if err != nil || known {
			return err
		}
		if _, err := t.exec(insertSummary, sum.ID, string(sum.NodeID), false, string(sum.Period.Granularity), int64(sum.Period.Start),
			int64(sum.Period.End), t.s.now().UnixNano(), wire); err != nil {
			return err
		}
		isNew = true
		_, err = t.audit(ev)
		return err
	})
	return isNew && err == nil, err
}

// Summary returns the summary with this ID, own or received, or [ErrNotFound].
func (s *Store) Summary(ctx context.Context, id string) (StoredSummary, error) {
	return s.oneSummary(ctx, "summary "+id, `WHERE id = ?`, id)
}

// SummaryForPeriod returns this node's own summary of a period, or [ErrNotFound].
func (s *Store) SummaryForPeriod(ctx context.Context, p protocol.Period) (StoredSummary, error) {
	return s.oneSummary(ctx, fmt.Sprintf("own %s summary from %s", p.Granularity, p.Start),
		`WHERE own = 1 AND granularity = ? AND period_start = ?`, string(p.Granularity), int64(p.Start))
}

func (s *Store) oneSummary(ctx context.Context, what, where string, args ...any) (StoredSummary, error) {
	list, err := s.summaries(ctx, where, args...)
	if err == nil && len(list) == 0 {
		err = fmt.Errorf("%s: %w", what, ErrNotFound)
	}
	if err != nil {
		return StoredSummary{}, s.explain("read a summary", err)
	}
	return list[0], nil
}

// SummaryFilter chooses summaries; all conditions must hold, and the zero value of each chooses all.
type SummaryFilter struct {
	Own         *bool // true: only own ones, false: only received ones
	Node        protocol.NodeID
	Granularity protocol.Granularity
	Limit       int    // 1 to MaxSummaries; 0 means DefaultSummaries
	Cursor      string // what the page before returned; empty for the first
}

// Page sizes of [Store.Summaries].
const (
	DefaultSummaries = 100
	MaxSummaries     = 1000
)

// Summaries returns the summaries that f chooses, latest period first. The second result is the cursor of the next
// page, empty when there is none.
func (s *Store) Summaries(ctx context.Context, f SummaryFilter) ([]StoredSummary, string, error) {
	const doing = "read summaries"
	where, args := `WHERE 1`, []any(nil)
	add := func(condition string, values ...any) {
		where, args = where+` AND `+condition, append(args, values...)
	}
	if f.Own != nil {
		add(`own = ?`, *f.Own)
	}
	if f.Node != "" {
		add(`node_id = ?`, string(f.Node))
	}
	if f.Granularity != "" {
		add(`granularity = ?`, string(f.Granularity))
	}
	if f.Cursor != "" {
		start, id, ok := strings.Cut(f.Cursor, ".")
		key, err := parseCursor(start)
		if !ok || err != nil {
			return nil, "", fmt.Errorf("%s: %w: %q", doing, ErrCursor, f.Cursor)
		}
		add(`(period_start, id) < (?, ?)`, key, id)
	}
	limit := DefaultSummaries
	if f.Limit > 0 {
		limit = min(f.Limit, MaxSummaries)
	}
	list, err := s.summaries(ctx, where+` ORDER BY period_start DESC, id DESC LIMIT ?`, append(args, limit+1)...)
	if err != nil {
		return nil, "", s.explain(doing, err)
	}
	if len(list) <= limit {
		return list, "", nil
	}
	last := list[limit-1].Summary
	return list[:limit], cursorOf(int64(last.Period.Start)) + "." + last.ID, nil
}

// ReceivedSummaries returns what other nodes have sent for periods that lie within [start, end), oldest first.
func (s *Store) ReceivedSummaries(ctx context.Context, start, end time.Time) ([]*protocol.NodeSummary, error) {
	list, err := s.summaries(ctx, `WHERE own = 0 AND period_start >= ? AND period_end <= ? ORDER BY period_start, id`,
		nanosSince1970(start), nanosSince1970(end))
	if err != nil {
		return nil, s.explain("read received summaries", err)
	}
	sums := make([]*protocol.NodeSummary, len(list))
	for i := range list {
		sums[i] = list[i].Summary
	}
	return sums, nil
}

// UnpushedSummaries returns the own summaries of periods that ended after since and that peer has not acknowledged,
// oldest first.
func (s *Store) UnpushedSummaries(ctx context.Context, peer protocol.NodeID, since time.Time) ([]StoredSummary, error) {
	list, err := s.summaries(ctx, `WHERE own = 1 AND period_end > ?
		AND NOT EXISTS (SELECT 1 FROM push WHERE push.summary_id = summary.id AND push.peer = ?) ORDER BY period_start, id`,
		nanosSince1970(since), string(peer))
	return list, s.explain("read summaries that were not pushed", err)
}

// MarkPushed remembers that peer has acknowledged a summary, and records ev with it. It does nothing when that is
// remembered already, and returns [ErrNotFound] for an unknown summary.
func (s *Store) MarkPushed(ctx context.Context, summaryID string, peer protocol.NodeID, ev audit.Event) error {
	return s.write(ctx, "remember a pushed summary", func(t *tx) error {
		var known int
		err := t.get(`SELECT 1 FROM summary WHERE id = ? AND own = 1`, []any{summaryID}, &known)
		if errors.Is(err, sql.ErrNoRows) {
			return fmt.Errorf("own summary %s: %w", summaryID, ErrNotFound)
		}
		if err != nil {
			return err
		}
		n, err := t.exec(`INSERT INTO push (summary_id, peer, pushed_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING`,
			summaryID, string(peer), t.s.now().UnixNano())
		if err != nil || n == 0 {
			return err
		}
		_, err = t.audit(ev)
		return err
	})
}

func (s *Store) summaries(ctx context.Context, where string, args ...any) ([]StoredSummary, error) {
	var list []StoredSummary
	err := s.each(ctx, `SELECT id, own, received_at, wire FROM summary `+where, args, func(rows *sql.Rows) error {
		var id string
		var received sql.NullInt64
		var st StoredSummary
		err := rows.Scan(&id, &st.Own, &received, &st.Wire)
		if err != nil {
			return err
		}
		if st.Summary, err = protocol.OpenSummary(st.Wire); err != nil {
			return fmt.Errorf("%w: stored summary %s is not what was signed: %w", ErrDamaged, id, err)
		}
		if st.Summary.ID != id {
			return fmt.Errorf("%w: summary %s is stored as %s", ErrDamaged, st.Summary.ID, id)
		}
		if received.Valid {
			at := timeOrZero(received)
			st.ReceivedAt = &at
		}
		list = append(list, st)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return list, nil
}
