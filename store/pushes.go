package store

import (
	"context"
	"database/sql"
	"strings"

	"github.com/caro-mesh/caro-node/protocol"
)

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
	err := s.each(ctx, `SELECT summary_id, peer FROM push WHERE summary_id IN (`+marks+`) ORDER BY summary_id, peer`, args, func(rows *sql.Rows) error {
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
