package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/caro-mesh/caro-node/policy/audit"
	"github.com/caro-mesh/caro-node/protocol"
)

// pruneBatch is how many audit records one transaction removes, so that writers do not wait long.
const pruneBatch = 5000

// Checkpoint signs what the audit log is now, and stores it so that it survives a power failure: a witness that heard more
// than this node remembers would take it for a liar. When the last checkpoint of the same key says it already, that is
// returned, and fresh is false. An empty log has no checkpoint ([ErrNotFound]).
func (s *Store) Checkpoint(ctx context.Context, key protocol.Signer) (c audit.StoredCheckpoint, fresh bool, err error) {
	err = s.writeDurably(ctx, "sign the audit log", func(t *tx) error {
		c, fresh, err = t.checkpoint(key, 0)
		return err
	})
	return c, fresh && err == nil, err
}

// checkpoint signs the log as it is inside t. Records up to prune, if that is more than before, are about to be removed.
func (t *tx) checkpoint(key protocol.Signer, prune uint64) (c audit.StoredCheckpoint, fresh bool, err error) {
	f, err := t.frontier()
	if err != nil {
		return c, false, err
	}
	if f.Size() == 0 {
		return c, false, fmt.Errorf("the audit log: %w: it is empty", ErrNotFound)
	}
	last, err := t.lastCheckpoint()
	if err != nil {
		return c, false, err
	}
	if prune = max(prune, last.Pruned); last.Number > 0 && last.Signer == key.NodeID() && last.Size == f.Size() && last.Pruned == prune {
		return last, false, nil
	}
	content := protocol.Checkpoint{Size: f.Size(), Root: f.Root(), Pruned: prune}
	if prune > 0 {
		if content.PrunedHash, err = t.prunedHash(last, prune); err != nil {
			return c, false, err
		}
	}
	c = audit.StoredCheckpoint{Number: last.Number + 1, Signer: key.NodeID(), MadeAt: t.s.now(), Size: content.Size, Pruned: content.Pruned}
	if c.Note, err = protocol.SignCheckpoint(content, key); err != nil {
		return c, false, err
	}
	if _, err := t.exec(`INSERT INTO audit_checkpoint (number, size, pruned, signer, note, made_at) VALUES (?, ?, ?, ?, ?, ?)`,
		c.Number, c.Size, c.Pruned, string(c.Signer), c.Note, c.MadeAt.UnixNano()); err != nil {
		return c, false, err
	}
	_, err = t.exec(`UPDATE audit_head SET checkpoints = ?`, c.Number)
	return c, true, err
}

// lastCheckpoint returns the last checkpoint; its number is 0 when there is none.
func (t *tx) lastCheckpoint() (c audit.StoredCheckpoint, err error) {
	var made int64
	err = t.get(`SELECT number, signer, note, made_at, size, pruned FROM audit_checkpoint ORDER BY number DESC LIMIT 1`, nil,
		&c.Number, &c.Signer, &c.Note, &made, &c.Size, &c.Pruned)
	if errors.Is(err, sql.ErrNoRows) {
		return c, nil
	}
	c.MadeAt = time.Unix(0, made).UTC()
	return c, err
}

// prunedHash returns the hash of the record up to which the log is removed.
func (t *tx) prunedHash(last audit.StoredCheckpoint, prune uint64) (h [32]byte, err error) {
	if prune == last.Pruned { // the record is gone
		c, err := protocol.OpenCheckpoint(last.Note, last.Signer)
		if err != nil {
			return h, fmt.Errorf("%w: the last checkpoint of the audit log: %w", ErrDamaged, err)
		}
		return c.PrunedHash, nil
	}
	var b []byte
	if err := t.get(`SELECT hash FROM audit WHERE sequence = ?`, []any{prune}, &b); err != nil || len(b) != len(h) {
		return h, fmt.Errorf("%w: audit record %d cannot be read: %w", ErrDamaged, prune, err)
	}
	return [32]byte(b), nil
}

// PruneAudit removes the records that are older than the given time, from the first on up to the first that is not, and
// returns how many there were. Before, a checkpoint is signed that says so: what is left can still be shown to belong to
// what was signed earlier. The last record stays in any case.
func (s *Store) PruneAudit(ctx context.Context, before time.Time, key protocol.Signer) (removed int64, err error) {
	for {
		var n int64
		if err := s.writeDurably(ctx, "remove old audit records", func(t *tx) error {
			n, err = t.prune(nanosSince1970(before), key)
			return err
		}); err != nil {
			return removed, err
		}
		if removed += n; n < pruneBatch {
			return removed, nil
		}
	}
}

func (t *tx) prune(before int64, key protocol.Signer) (int64, error) {
	var first, last, keep uint64
	err := t.get(`SELECT min(sequence), max(sequence) FROM audit HAVING count(*) > 0`, nil, &first, &last)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	err = t.get(`SELECT sequence FROM audit WHERE timestamp >= ? ORDER BY sequence LIMIT 1`, []any{before}, &keep)
	if errors.Is(err, sql.ErrNoRows) {
		keep, err = last, nil
	}
	if keep = min(keep, last, first+pruneBatch); err != nil || keep <= first {
		return 0, err
	}
	if _, _, err := t.checkpoint(key, keep-1); err != nil {
		return 0, err
	}
	return t.exec(`DELETE FROM audit WHERE sequence < ?`, keep) // and with them their receipts
}

// AuditConsistency proves that the log of the first old records is the beginning of that of the first size records.
func (s *Store) AuditConsistency(ctx context.Context, old, size uint64) (proof []tlog.Hash, err error) {
	if old == 0 || old == size {
		return nil, nil
	}
	err = s.read(ctx, func(r *sql.Tx) error {
		proof, err = tlog.ProveTree(int64(size), int64(old), treeOf(ctx, r))
		return err
	})
	return proof, s.explain("prove that the audit log only grew", err)
}

// AuditProof returns a record with the latest checkpoint that covers it, signed by any key, the proof that it is part of
// it, and the cosignatures of that checkpoint. It returns [ErrNotFound] when there is no such record, or no checkpoint
// covers it yet.
func (s *Store) AuditProof(ctx context.Context, sequence uint64) (p audit.Proof, err error) {
	err = s.read(ctx, func(r *sql.Tx) error {
		found := false
		if err := eachRow(ctx, r, selectAudit+` WHERE sequence = ?`, []any{sequence}, func(rows *sql.Rows) (err error) {
			found = true
			p.Record, err = scanAudit(rows)
			return err
		}); err != nil {
			return err
		}
		if !found {
			return fmt.Errorf("audit record %d: %w: it was not written yet, or retention has removed it", sequence, ErrNotFound)
		}
		var size uint64
		var number int64
		err := r.QueryRowContext(ctx, `SELECT number, size, note FROM audit_checkpoint WHERE size >= ?
			ORDER BY number IN (SELECT number FROM audit_cosignature) DESC, number DESC LIMIT 1`, sequence).Scan(&number, &size, &p.Checkpoint)
		if errors.Is(err, sql.ErrNoRows) {
			return fmt.Errorf("a checkpoint that covers audit record %d: %w", sequence, ErrNotFound)
		}
		if err != nil {
			return err
		}
		if p.Hashes, err = tlog.ProveRecord(int64(size), int64(sequence-1), treeOf(ctx, r)); err != nil {
			return err
		}
		return eachRow(ctx, r, `SELECT witness, value FROM audit_cosignature WHERE number = ?`, []any{number}, func(rows *sql.Rows) error {
			var witness protocol.NodeID
			var value []byte
			if err := rows.Scan(&witness, &value); err != nil {
				return err
			}
			p.Checkpoint = append(p.Checkpoint, protocol.CosignatureLine(witness, value)...)
			return nil
		})
	})
	return p, s.explain("prove an audit record", err)
}

func treeOf(ctx context.Context, r *sql.Tx) tlog.HashReader {
	return tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		return readHashes(indexes, func(sequence uint64, hashes *[]byte) error {
			return r.QueryRowContext(ctx, `SELECT hashes FROM audit_tree WHERE sequence = ?`, sequence).Scan(hashes)
		})
	})
}
