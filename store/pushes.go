package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/caro-mesh/caro-node/policy/audit"
	"github.com/caro-mesh/caro-node/protocol"
)

// UnpushedSummaries returns what peer should get and has not acknowledged, oldest period first: own current summaries of
// periods that ended after since; and where it has acknowledged a summary of a period, however old, every correction that
// followed, in their order, so that it can check that each takes the place of what it has. What was sent to it counts as
// acknowledged there, because the answer may have been lost.
func (s *Store) UnpushedSummaries(ctx context.Context, peer protocol.NodeID, since time.Time) ([]StoredSummary, error) {
	list, err := s.summaries(ctx, `WHERE id IN (
			SELECT id FROM summary WHERE own = 1 AND replaced_by IS NULL AND period_end > ?
			UNION
			SELECT c.id FROM summary c WHERE c.own = 1 AND c.revision > 0 AND EXISTS (SELECT 1 FROM push JOIN summary e ON e.id = push.summary_id
				WHERE push.peer = ? AND e.own = 1 AND e.granularity = c.granularity AND e.period_start = c.period_start AND e.revision < c.revision))
		AND NOT EXISTS (SELECT 1 FROM push WHERE push.summary_id = summary.id AND push.peer = ? AND pushed_at IS NOT NULL) ORDER BY period_start, granularity, revision`,
		nanosSince1970(since), string(peer), string(peer))
	return list, s.explain("read summaries that were not pushed", err)
}

// Replaced returns the own summaries whose place the own summary with this ID has taken, directly or through others, the
// first one first. There are none for one that corrects nothing.
func (s *Store) Replaced(ctx context.Context, id string) ([]StoredSummary, error) {
	list, err := s.summaries(ctx, `JOIN (SELECT granularity AS g, period_start AS p, revision AS r FROM summary WHERE id = ? AND own = 1)
		ON granularity = g AND period_start = p AND revision < r WHERE own = 1 ORDER BY revision`, id)
	return list, s.explain("read replaced summaries", err)
}

// MarkSent remembers that a summary is about to be sent to peer, which may have it from then on. For an unknown summary it
// returns [ErrNotFound].
func (s *Store) MarkSent(ctx context.Context, summaryID string, peer protocol.NodeID) error {
	return s.write(ctx, "remember that a summary is sent", func(t *tx) error {
		n, err := t.exec(`INSERT INTO push (summary_id, peer, pushed_at) SELECT id, ?, NULL FROM summary WHERE id = ? AND own = 1
			ON CONFLICT DO UPDATE SET pushed_at = pushed_at`, string(peer), summaryID)
		if err == nil && n == 0 {
			err = fmt.Errorf("own summary %s: %w", summaryID, ErrNotFound)
		}
		return err
	})
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
		n, err := t.exec(`INSERT INTO push (summary_id, peer, pushed_at) VALUES (?, ?, ?)
			ON CONFLICT DO UPDATE SET pushed_at = excluded.pushed_at WHERE pushed_at IS NULL`,
			summaryID, string(peer), t.s.now().UnixNano())
		if err != nil || n == 0 {
			return err
		}
		_, err = t.audit(ev)
		return err
	})
}

// PushedTo returns, for each of the own summaries named by ids (at most a page), the peers that acknowledged it, sorted.
// A summary that nobody acknowledged has no entry.
func (s *Store) PushedTo(ctx context.Context, ids []string) (map[string][]protocol.NodeID, error) {
	peers := make(map[string][]protocol.NodeID)
	if len(ids) == 0 {
		return peers, nil
	}
	args := make([]any, len(ids))
	for i, id := range ids {
		args[i] = id
	}
	marks := strings.TrimSuffix(strings.Repeat("?,", len(ids)), ",")
	err := s.each(ctx, `SELECT summary_id, peer FROM push WHERE summary_id IN (`+marks+`) AND pushed_at IS NOT NULL ORDER BY summary_id, peer`, args, func(rows *sql.Rows) error {
		var id string
		var peer protocol.NodeID
		if err := rows.Scan(&id, &peer); err != nil {
			return err
		}
		peers[id] = append(peers[id], peer)
		return nil
	})
	return peers, s.explain("read who has a summary", err)
}
