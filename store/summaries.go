package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"github.com/caro-mesh/caro-node/protocol"
)

// StoredSummary is a summary with the signed bytes from which it was read. The signature is verified with every reading.
type StoredSummary struct {
	Summary    *protocol.NodeSummary
	Wire       []byte
	ReceivedAt *time.Time // nil for own summaries
	Own        bool
	ReplacedBy string // ID of the correction that took its place; empty: it is the current one of its period
}

// Summary returns the summary with this ID, own or received, or [ErrNotFound].
func (s *Store) Summary(ctx context.Context, id string) (StoredSummary, error) {
	return s.oneSummary(ctx, "summary "+id, `WHERE id = ?`, id)
}

// SummaryForPeriod returns this node's own current summary of a period, or [ErrNotFound].
func (s *Store) SummaryForPeriod(ctx context.Context, p protocol.Period) (StoredSummary, error) {
	return s.oneSummary(ctx, fmt.Sprintf("own %s summary from %s", p.Granularity, p.Start),
		`WHERE own = 1 AND replaced_by IS NULL AND granularity = ? AND period_start = ?`, string(p.Granularity), int64(p.Start))
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
	Replaced    bool   // also those whose place a correction has taken
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
	if !f.Replaced {
		add(`replaced_by IS NULL`)
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

// ReceivedSummaries returns the current summaries that other nodes have sent for periods within [start, end), oldest first.
func (s *Store) ReceivedSummaries(ctx context.Context, start, end time.Time) ([]*protocol.NodeSummary, error) {
	list, err := s.summaries(ctx, `WHERE own = 0 AND replaced_by IS NULL AND period_start >= ? AND period_end <= ? ORDER BY period_start, id`,
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

func (s *Store) summaries(ctx context.Context, where string, args ...any) ([]StoredSummary, error) {
	var list []StoredSummary
	err := s.each(ctx, `SELECT id, own, received_at, coalesce(replaced_by, ''), wire FROM summary `+where, args, func(rows *sql.Rows) error {
		var id string
		var received sql.NullInt64
		var st StoredSummary
		err := rows.Scan(&id, &st.Own, &received, &st.ReplacedBy, &st.Wire)
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
