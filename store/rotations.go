package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/caro-mesh/caro-node/policy/audit"
	"github.com/caro-mesh/caro-node/protocol"
)

// SaveCommitment remembers the digest of the key that a node says it will have next, unless one is remembered, and
// returns the one that is remembered then: the first that was seen counts.
func (s *Store) SaveCommitment(ctx context.Context, id protocol.NodeID, digest protocol.KeyDigest) (kept protocol.KeyDigest, err error) {
	const doing = "remember the next key of a node"
	if err := id.Validate(); err != nil {
		return kept, fmt.Errorf("%s: %w", doing, err)
	}
	err = s.writeDurably(ctx, doing, func(t *tx) error {
		if err := t.commit(id, digest, `ON CONFLICT DO NOTHING`); err != nil {
			return err
		}
		kept, err = readDigest(func(dest any) error {
			return t.get(`SELECT digest FROM commitment WHERE node_id = ?`, []any{string(id)}, dest)
		})
		return err
	})
	return kept, err
}

func (t *tx) commit(id protocol.NodeID, digest protocol.KeyDigest, conflict string) error {
	_, err := t.exec(`INSERT INTO commitment (node_id, digest, seen_at) VALUES (?, ?, ?) `+conflict, string(id), digest[:], t.s.now().UnixNano())
	return err
}

// Commitment returns the digest that is remembered for a node, or [ErrNotFound].
func (s *Store) Commitment(ctx context.Context, id protocol.NodeID) (digest protocol.KeyDigest, err error) {
	found := false
	err = s.each(ctx, `SELECT digest FROM commitment WHERE node_id = ?`, []any{string(id)}, func(rows *sql.Rows) (err error) {
		found = true
		digest, err = readDigest(func(dest any) error { return rows.Scan(dest) })
		return err
	})
	if err == nil && !found {
		err = fmt.Errorf("next key of node %s: %w", id.Fingerprint(), ErrNotFound)
	}
	return digest, s.explain("read the next key of a node", err)
}

// ForgetCommitment forgets what a node said about its next key, so that what it says next counts.
func (s *Store) ForgetCommitment(ctx context.Context, id protocol.NodeID) error {
	return s.write(ctx, "forget the next key of a node", func(t *tx) error {
		_, err := t.exec(`DELETE FROM commitment WHERE node_id = ?`, string(id))
		return err
	})
}

func readDigest(scan func(dest any) error) (d protocol.KeyDigest, err error) {
	var b []byte
	if err := scan(&b); err != nil {
		return d, err
	}
	if len(b) != len(d) {
		return d, fmt.Errorf("%w: a digest of %d bytes", ErrDamaged, len(b))
	}
	copy(d[:], b)
	return d, nil
}

// SaveSuccession stores a rotation of another node that is believed, and records ev with it. What is known of the old
// key goes on under the new one: its row among the peers (unless the new one is known as more than pending), which
// summaries it has, and its next key, which the statement names. It returns [ErrConflictingSuccession] when one of the two
// keys is part of another rotation already.
func (s *Store) SaveSuccession(ctx context.Context, r *protocol.KeyRotation, ev audit.Event) error {
	const doing = "store the rotation of a peer's key"
	if r.Wire() == nil {
		return fmt.Errorf("%s: it is not signed", doing)
	}
	return s.writeDurably(ctx, doing, func(t *tx) error {
		var known int
		err := t.get(`SELECT 1 FROM succession WHERE old_id = ? OR new_id = ?`, []any{string(r.OldID), string(r.NewID)}, &known)
		switch {
		case err == nil:
			return fmt.Errorf("from %s to %s: %w", r.OldID.Fingerprint(), r.NewID.Fingerprint(), ErrConflictingSuccession)
		case !errors.Is(err, sql.ErrNoRows):
			return err
		}
		if _, err := t.exec(`INSERT INTO succession (old_id, new_id, wire, learned_at) VALUES (?, ?, ?, ?)`,
			string(r.OldID), string(r.NewID), r.Wire(), t.s.now().UnixNano()); err != nil {
			return err
		}
		if err := t.moveTo(r); err != nil {
			return err
		}
		_, err = t.audit(ev)
		return err
	})
}

// moveTo lets what is known of the old key go on under the new one.
func (t *tx) moveTo(r *protocol.KeyRotation) error {
	from, to := string(r.OldID), string(r.NewID)
	if err := t.commit(r.NewID, r.NextDigest, `ON CONFLICT (node_id) DO UPDATE SET digest = excluded.digest, seen_at = excluded.seen_at`); err != nil {
		return err
	}
	for _, step := range []struct {
		query string
		args  []any
	}{
		{`DELETE FROM peer WHERE node_id = ? AND source = 'pending' AND EXISTS (SELECT 1 FROM peer WHERE node_id = ?)`, []any{to, from}},
		{`UPDATE OR IGNORE peer SET node_id = ? WHERE node_id = ?`, []any{to, from}},
		{`DELETE FROM peer WHERE node_id = ?`, []any{from}},
		{`INSERT OR IGNORE INTO push (summary_id, peer, pushed_at) SELECT summary_id, ?, pushed_at FROM push WHERE peer = ?`, []any{to, from}},
	} {
		if _, err := t.exec(step.query, step.args...); err != nil {
			return err
		}
	}
	return nil
}

// Successions returns the rotations of other nodes that are believed, ordered by old key. Both signatures are verified
// with every reading.
func (s *Store) Successions(ctx context.Context) ([]*protocol.KeyRotation, error) {
	list, err := s.rotations(ctx, `SELECT wire FROM succession ORDER BY old_id`)
	return list, s.explain("read the rotations of peers", err)
}

// SaveOwnRotations stores statements about this node's own key, in order, and records ev with them unless ev is nil. It
// does nothing about those that are stored already, and returns [ErrConflictingSuccession] for a number that is taken by
// another statement.
func (s *Store) SaveOwnRotations(ctx context.Context, list []*protocol.KeyRotation, ev *audit.Event) error {
	return s.writeDurably(ctx, "store this node's rotation", func(t *tx) error {
		for _, r := range list {
			if r.Wire() == nil {
				return errors.New("it is not signed")
			}
			var stored []byte
			err := t.get(`SELECT wire FROM own_rotation WHERE generation = ?`, []any{int64(r.Generation)}, &stored)
			switch {
			case err == nil && string(stored) == string(r.Wire()):
				continue
			case err == nil:
				return fmt.Errorf("rotation %d: %w", r.Generation, ErrConflictingSuccession)
			case !errors.Is(err, sql.ErrNoRows):
				return err
			}
			if _, err := t.exec(`INSERT INTO own_rotation (generation, wire) VALUES (?, ?)`, int64(r.Generation), r.Wire()); err != nil {
				return err
			}
			if err := t.commit(r.NewID, r.NextDigest, `ON CONFLICT (node_id) DO UPDATE SET digest = excluded.digest`); err != nil {
				return err
			}
		}
		if ev == nil {
			return nil
		}
		_, err := t.audit(*ev)
		return err
	})
}

// ReplaceOwnRotations is SaveOwnRotations in place of all that is stored: another identity has taken this one's place.
func (s *Store) ReplaceOwnRotations(ctx context.Context, list []*protocol.KeyRotation) error {
	if err := s.writeDurably(ctx, "forget this node's rotations", func(t *tx) error {
		_, err := t.exec(`DELETE FROM own_rotation`)
		return err
	}); err != nil {
		return err
	}
	return s.SaveOwnRotations(ctx, list, nil)
}

// OwnRotations returns the statements about this node's key, oldest first.
func (s *Store) OwnRotations(ctx context.Context) ([]*protocol.KeyRotation, error) {
	list, err := s.rotations(ctx, `SELECT wire FROM own_rotation ORDER BY generation`)
	return list, s.explain("read this node's rotations", err)
}

func (s *Store) rotations(ctx context.Context, query string) ([]*protocol.KeyRotation, error) {
	var list []*protocol.KeyRotation
	err := s.each(ctx, query, nil, func(rows *sql.Rows) error {
		var wire []byte
		if err := rows.Scan(&wire); err != nil {
			return err
		}
		r, err := protocol.OpenRotation(wire)
		if err != nil {
			return fmt.Errorf("%w: a stored rotation is not what was signed: %w", ErrDamaged, err)
		}
		list = append(list, r)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return list, nil
}
