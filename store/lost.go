package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/caro-mesh/caro-node/protocol"
)

// LostSummaries tells what this node has signed and does not have any more, because its database was damaged.
type LostSummaries struct {
	// IDs are those of lost summaries by their period: only a correction that names it may be signed of the period.
	IDs map[protocol.Period]string
	// Unknown is until when periods that have no summary here may have had one all the same: none is signed of a period
	// that ended until then. The zero time means that nothing is unknown.
	Unknown time.Time
}

// Signed reports whether a summary of p may have been signed, and the ID of the last one if that is known.
func (l LostSummaries) Signed(p protocol.Period) (id string, signed bool) {
	id, known := l.IDs[p]
	return id, known || !l.Unknown.IsZero() && !p.End.Time().After(l.Unknown)
}

// LostSummaries returns which own summaries are lost.
func (s *Store) LostSummaries(ctx context.Context) (LostSummaries, error) {
	lost, err := lostSummaries(ctx, s.readers)
	return lost, s.explain("read which summaries are lost", err)
}

func lostSummaries(ctx context.Context, db *sql.DB) (LostSummaries, error) {
	lost := LostSummaries{IDs: make(map[protocol.Period]string)}
	err := eachRow(ctx, db, `SELECT granularity, period_start, id FROM lost_summary`, nil, func(rows *sql.Rows) error {
		var g protocol.Granularity
		var start int64
		var id string
		err := rows.Scan(&g, &start, &id)
		lost.IDs[protocol.PeriodAt(time.Unix(0, start), g)] = id
		return err
	})
	if err == nil {
		var until sql.NullInt64
		err = db.QueryRowContext(ctx, `SELECT max(until) FROM forgotten_summaries`).Scan(&until)
		if until.Valid {
			lost.Unknown = time.Unix(0, until.Int64).UTC()
		}
	}
	return lost, err
}

// lastSigned returns the last own summary of a period: its ID, empty when there is none, and the revision of the next one.
func (t *tx) lastSigned(p protocol.Period) (id string, next int64, err error) {
	key := []any{string(p.Granularity), int64(p.Start)}
	if err := t.get(`SELECT coalesce(max(revision), -1) + 1 FROM summary WHERE own = 1 AND granularity = ? AND period_start = ?`, key, &next); err != nil {
		return "", 0, err
	}
	err = t.get(`SELECT id FROM summary WHERE own = 1 AND granularity = ? AND period_start = ? AND replaced_by IS NULL`, key, &id)
	if !errors.Is(err, sql.ErrNoRows) {
		return id, next, err
	}
	switch err := t.get(`SELECT id FROM lost_summary WHERE granularity = ? AND period_start = ?`, key, &id); {
	case err == nil:
		return id, max(next, 1), nil
	case !errors.Is(err, sql.ErrNoRows):
		return "", 0, err
	}
	until := int64(math.MinInt64)
	if err := t.get(`SELECT coalesce(max(until), ?) FROM forgotten_summaries`, []any{until}, &until); err != nil {
		return "", 0, err
	}
	if int64(p.End) <= until {
		return "", 0, fmt.Errorf("%w, which is lost and unknown", ErrSummaryExists)
	}
	return "", next, nil
}
