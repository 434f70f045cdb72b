package store

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/caro-mesh/caro-node/policy"
	"github.com/caro-mesh/caro-node/policy/audit"
	"github.com/caro-mesh/caro-node/protocol"
)

// SetGrant stores trust that was given or denied at run time in place of what the node had, and records ev with it.
func (s *Store) SetGrant(ctx context.Context, g policy.Grant, ev audit.Event) error {
	const doing = "store a grant of trust"
	err := g.Node.Validate()
	if err == nil {
		err = g.Trust.Validate()
	}
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return s.write(ctx, doing, func(t *tx) error {
		if _, err := t.exec(`INSERT INTO trust_grant (node_id, trust, deny, name, granted_at) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT (node_id) DO UPDATE SET trust = excluded.trust, deny = excluded.deny, name = excluded.name, granted_at = excluded.granted_at`,
			string(g.Node), int64(g.Trust), g.Deny, g.Name, nullTime(g.At)); err != nil {
			return err
		}
		_, err := t.audit(ev)
		return err
	})
}

// ClearGrant removes what was given or denied to a node at run time, and records ev with it. It returns [ErrNotFound],
// and records nothing, when there is nothing to remove.
func (s *Store) ClearGrant(ctx context.Context, id protocol.NodeID, ev audit.Event) error {
	return s.write(ctx, "clear a grant of trust", func(t *tx) error {
		n, err := t.exec(`DELETE FROM trust_grant WHERE node_id = ?`, string(id))
		if err != nil {
			return err
		}
		if n == 0 {
			return fmt.Errorf("trust given at run time to %s: %w", id, ErrNotFound)
		}
		_, err = t.audit(ev)
		return err
	})
}

// Grants returns what was given and denied at run time, ordered by node ID.
func (s *Store) Grants(ctx context.Context) ([]policy.Grant, error) {
	var list []policy.Grant
	err := s.each(ctx, `SELECT node_id, trust, deny, name, granted_at FROM trust_grant ORDER BY node_id`, nil, func(rows *sql.Rows) error {
		var g policy.Grant
		var trust uint8
		var at sql.NullInt64
		err := rows.Scan(&g.Node, &trust, &g.Deny, &g.Name, &at)
		g.Trust, g.At = protocol.TrustLevel(trust), timeOrZero(at)
		list = append(list, g)
		return err
	})
	return list, s.explain("read the grants of trust", err)
}
