package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/caro-mesh/caro-node/policy/audit"
)

// grow adds a record to the Merkle tree, in the transaction that adds it to the log.
func (t *tx) grow(r audit.Record) error {
	f, err := t.frontier()
	if err != nil {
		return err
	}
	if f.Size()+1 != r.Sequence {
		return fmt.Errorf("%w: the tree over the audit log has %d entries where it should have %d; \"caro-node audit verify\" tells more",
			ErrDamaged, f.Size(), r.Sequence-1)
	}
	_, err = t.exec(`INSERT INTO audit_tree (sequence, hashes) VALUES (?, ?)`, r.Sequence, packHashes(f.Add(audit.Leaf(r.Hash))))
	return err
}

// frontier returns the growing edge of the tree as it is inside t.
func (t *tx) frontier() (*audit.Frontier, error) {
	if t.w.known.frontier != nil {
		return t.w.known.frontier, nil
	}
	var size uint64
	if err := t.get(`SELECT coalesce(max(sequence), 0) FROM audit_tree`, nil, &size); err != nil {
		return nil, err
	}
	edge, err := readHashes(audit.EdgeIndexes(size), func(sequence uint64, hashes *[]byte) error {
		return t.get(`SELECT hashes FROM audit_tree WHERE sequence = ?`, []any{sequence}, hashes)
	})
	if err != nil {
		return nil, err
	}
	t.w.known.frontier = audit.NewFrontier(size, edge)
	return t.w.known.frontier, nil
}

// plantAuditTree makes the tree of a log that was written before there was one.
func (s *Store) plantAuditTree(ctx context.Context) error {
	const bare = `SELECT EXISTS (SELECT 1 FROM audit) AND NOT EXISTS (SELECT 1 FROM audit_tree)`
	var missing bool
	if err := s.readers.QueryRowContext(ctx, bare).Scan(&missing); err != nil || !missing {
		return s.explain("open the database", err)
	}
	return s.write(ctx, "make the tree over the audit log", func(t *tx) error {
		if err := t.get(bare, nil, &missing); err != nil || !missing { // another process was faster
			return err
		}
		return t.plant()
	})
}

func (t *tx) plant() error {
	var leaves []tlog.Hash
	err := t.each(`SELECT hash FROM audit ORDER BY sequence`, nil, func(rows *sql.Rows) error {
		var hash sql.RawBytes
		if err := rows.Scan(&hash); err != nil {
			return err
		}
		var h audit.Hash
		copy(h[:], hash)
		leaves = append(leaves, audit.Leaf(h))
		return nil
	})
	if err != nil {
		return err
	}
	var f audit.Frontier
	for i, leaf := range leaves {
		if _, err := t.exec(`INSERT INTO audit_tree (sequence, hashes) VALUES (?, ?)`, i+1, packHashes(f.Add(leaf))); err != nil {
			return err
		}
	}
	return nil
}

func packHashes(hashes []tlog.Hash) []byte {
	b := make([]byte, 0, len(hashes)*tlog.HashSize)
	for _, h := range hashes {
		b = append(b, h[:]...)
	}
	return b
}

func unpackHashes(dst []tlog.Hash, b []byte) ([]tlog.Hash, error) {
	if len(b)%tlog.HashSize != 0 {
		return dst, fmt.Errorf("%w: %d bytes of hashes", audit.ErrUnreadable, len(b))
	}
	for ; len(b) > 0; b = b[tlog.HashSize:] {
		dst = append(dst, tlog.Hash(b[:tlog.HashSize]))
	}
	return dst, nil
}

// readHashes reads hashes of the tree by their index; row reads what is stored with one record.
func readHashes(indexes []int64, row func(sequence uint64, hashes *[]byte) error) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		sequence, nth := audit.Place(index)
		var b []byte
		err := row(sequence, &b)
		if errors.Is(err, sql.ErrNoRows) || err == nil && len(b) < (nth+1)*tlog.HashSize {
			return nil, fmt.Errorf("%w: the tree over the audit log lacks a hash of entry %d; \"caro-node audit verify\" tells more", ErrDamaged, sequence)
		}
		if err != nil {
			return nil, err
		}
		out[i] = tlog.Hash(b[nth*tlog.HashSize : (nth+1)*tlog.HashSize])
	}
	return out, nil
}
