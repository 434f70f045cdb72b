package store

import (
	"context"
	"time"
)

// expireBatch is how many summaries one transaction removes, so that writers do not wait long.
const expireBatch = 200

// ExpireSummaries removes the summaries, own or received ones, of periods that ended before the given time, and returns
// how many there were. An own summary may go once its period is never summarized again: this node must not sign two.
func (s *Store) ExpireSummaries(ctx context.Context, own bool, before time.Time) (int64, error) {
	var removed int64
	for {
		var n int64
		if err := s.write(ctx, "remove old summaries", func(t *tx) (err error) {
			n, err = t.exec(`DELETE FROM summary WHERE id IN (SELECT id FROM summary WHERE own = ? AND period_end < ? ORDER BY period_start LIMIT ?)`,
				own, nanosSince1970(before), expireBatch)
			if err != nil || !own {
				return err
			}
			_, err = t.exec(`DELETE FROM lost_summary WHERE period_start < ?`, nanosSince1970(before.AddDate(0, 0, -7)))
			return err
		}); err != nil {
			return removed, err
		}
		if removed += n; n < expireBatch {
			return removed, nil
		}
	}
}
