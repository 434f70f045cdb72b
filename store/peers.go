package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/caro-mesh/caro-node/policy/audit"
	"github.com/caro-mesh/caro-node/protocol"
)

// Peer is another node as this one knows it.
type Peer struct {
	ID              protocol.NodeID
	DisplayName     string   // the name it gave itself; may be empty
	Addrs           []string // multiaddrs, the preferred one first
	Source          string   // how it became known: config, manual, mdns or pending
	FirstSeen       time.Time
	LastSeen        time.Time     // zero: never
	LastRTT         time.Duration // 0: not measured
	CaroVersion     string        // may be empty
	ProtocolVersion uint8         // 0: unknown
}

// SavePeer stores what is known of a peer in place of what was, and records evs with it. The earliest FirstSeen that was
// ever given stays.
func (s *Store) SavePeer(ctx context.Context, p Peer, evs ...audit.Event) error {
	const doing = "store a peer"
	if err := p.ID.Validate(); err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	if p.Addrs == nil {
		p.Addrs = []string{}
	}
	addrs, err := json.Marshal(p.Addrs)
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return s.write(ctx, doing, func(t *tx) error {
		_, err := t.exec(`INSERT INTO peer (node_id, display_name, addrs, source, first_seen, last_seen, last_rtt, caro_version, protocol_version)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (node_id) DO UPDATE SET display_name = excluded.display_name,
			addrs = excluded.addrs, source = excluded.source,
			first_seen = min(coalesce(first_seen, excluded.first_seen), coalesce(excluded.first_seen, first_seen)),
			last_seen = excluded.last_seen, last_rtt = excluded.last_rtt, caro_version = excluded.caro_version,
			protocol_version = excluded.protocol_version`,
			string(p.ID), p.DisplayName, string(addrs), p.Source, nullTime(p.FirstSeen), nullTime(p.LastSeen), int64(p.LastRTT),
			p.CaroVersion, int64(p.ProtocolVersion))
		for _, ev := range evs {
			if err == nil {
				_, err = t.audit(ev)
			}
		}
		return err
	})
}

// Peers returns every known peer, ordered by node ID.
func (s *Store) Peers(ctx context.Context) ([]Peer, error) {
	list, err := s.peers(ctx, `ORDER BY node_id`)
	return list, s.explain("read the peers", err)
}

// Peer returns one peer, or [ErrNotFound].
func (s *Store) Peer(ctx context.Context, id protocol.NodeID) (Peer, error) {
	list, err := s.peers(ctx, `WHERE node_id = ?`, string(id))
	if err == nil && len(list) == 0 {
		err = fmt.Errorf("peer %s: %w", id, ErrNotFound)
	}
	if err != nil {
		return Peer{}, s.explain("read a peer", err)
	}
	return list[0], nil
}

// RemovePeer forgets a peer, but not the trust it was given. It returns [ErrNotFound] for one that is not known.
func (s *Store) RemovePeer(ctx context.Context, id protocol.NodeID) error {
	return s.write(ctx, "remove a peer", func(t *tx) error {
		n, err := t.exec(`DELETE FROM peer WHERE node_id = ?`, string(id))
		if err == nil && n == 0 {
			return fmt.Errorf("peer %s: %w", id, ErrNotFound)
		}
		return err
	})
}

// PrunePending forgets the peers that became known by themselves (source "pending" or "mdns") and that nobody has decided
// about with [Store.SetGrant], except for the keep of each source that were seen last, and returns how many it forgot. Anybody can make a key and knock: without a bound,
// strangers would fill the database.
func (s *Store) PrunePending(ctx context.Context, keep int) (removed int64, err error) {
	const doing = "forget pending peers"
	if keep < 0 {
		return 0, fmt.Errorf("%s: %d cannot be kept", doing, keep)
	}
	err = s.write(ctx, doing, func(t *tx) (err error) {
		removed, err = t.exec(`DELETE FROM peer WHERE node_id IN (SELECT node_id FROM (SELECT node_id,
			row_number() OVER (PARTITION BY source ORDER BY coalesce(last_seen, first_seen, 0) DESC, node_id) AS place FROM peer
			WHERE source IN ('pending', 'mdns') AND node_id NOT IN (SELECT node_id FROM trust_grant)) WHERE place > ?)`, int64(keep))
		return err
	})
	if err != nil {
		return 0, err
	}
	return removed, nil
}

func (s *Store) peers(ctx context.Context, rest string, args ...any) ([]Peer, error) {
	var list []Peer
	err := s.each(ctx, `SELECT node_id, display_name, addrs, source, first_seen, last_seen, last_rtt, caro_version, protocol_version
		FROM peer `+rest, args, func(rows *sql.Rows) error {
		var p Peer
		var addrs []byte
		var first, last sql.NullInt64
		if err := rows.Scan(&p.ID, &p.DisplayName, &addrs, &p.Source, &first, &last, &p.LastRTT, &p.CaroVersion, &p.ProtocolVersion); err != nil {
			return err
		}
		if err := json.Unmarshal(addrs, &p.Addrs); err != nil {
			return fmt.Errorf("%w: addresses of peer %s: %w", ErrDamaged, p.ID, err)
		}
		p.FirstSeen, p.LastSeen = timeOrZero(first), timeOrZero(last)
		list = append(list, p)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return list, nil
}
