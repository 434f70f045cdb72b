package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"time"

	"github.com/pressly/goose/v3"

	"github.com/caro-mesh/caro-node/policy/audit"
	"github.com/caro-mesh/caro-node/protocol"
)

// VerifyAudit is [Store.VerifyLog] without a key or notes: it believes what this database says about the node's keys.
func (s *Store) VerifyAudit(ctx context.Context, remembered ...audit.Head) (audit.Verification, error) {
	v, _, err := s.VerifyLog(ctx, audit.Remembered{Heads: remembered})
	return v, err
}

// VerifyLog reads the whole log and checks every record and link, the tree over them, the checkpoints and cosignatures,
// that nothing is missing at the end as far as this database remembers, that what was remembered elsewhere is part of it,
// that the receipts of answers hold what the records say, and that the database still refuses to change it. It also returns who vouches for it. An error means that there is no
// verdict.
func (s *Store) VerifyLog(ctx context.Context, m audit.Remembered) (v audit.Verification, vouched []audit.Vouched, err error) {
	err = s.read(ctx, func(r *sql.Tx) error {
		var sent answers
		k := audit.Kept{Entries: sent.among(entries(ctx, r))}
		var head audit.Head
		var hash []byte
		err := r.QueryRowContext(ctx, `SELECT sequence, hash, checkpoints FROM audit_head`).Scan(&head.Entries, &hash, &k.Made)
		switch {
		case err == nil:
			copy(head.Hash[:], hash)
			m.Heads = append([]audit.Head{head}, m.Heads...)
		case !errors.Is(err, sql.ErrNoRows):
			return err
		}
		if err := readKept(ctx, r, &k); err != nil {
			return err
		}
		if v, vouched, err = audit.VerifyKept(ctx, k, m); err != nil || !v.OK {
			return err
		}
		if at, problem, err := sent.withoutReceipt(ctx, r); err != nil || problem != "" {
			v.OK, v.FirstBad, v.Reason = false, at, problem
			return err
		}
		problem, err := unguarded(ctx, r)
		if err == nil && problem != "" {
			v.OK, v.FirstBad, v.Reason = false, v.Entries+1, problem
		}
		return err
	})
	return v, vouched, s.explain("verify the audit log", err)
}

// readKept reads all but the entries.
func readKept(ctx context.Context, r *sql.Tx, k *audit.Kept) error {
	err := eachRow(ctx, r, `SELECT number, signer, note, made_at, size, pruned FROM audit_checkpoint ORDER BY number`, nil, func(rows *sql.Rows) error {
		var c audit.StoredCheckpoint
		var made int64
		if err := rows.Scan(&c.Number, &c.Signer, &c.Note, &made, &c.Size, &c.Pruned); err != nil {
			return err
		}
		c.MadeAt = time.Unix(0, made).UTC()
		k.Checkpoints = append(k.Checkpoints, c)
		return nil
	})
	if err != nil {
		return err
	}
	err = eachRow(ctx, r, `SELECT witness, number, value, size FROM audit_cosignature ORDER BY witness`, nil, func(rows *sql.Rows) error {
		var c audit.Cosignature
		if err := rows.Scan(&c.Witness, &c.Number, &c.Value, &c.Size); err != nil {
			return err
		}
		k.Cosignatures = append(k.Cosignatures, c)
		return nil
	})
	if err != nil {
		return err
	}
	return eachRow(ctx, r, `SELECT wire FROM own_rotation ORDER BY generation`, nil, func(rows *sql.Rows) error {
		var wire []byte
		if err := rows.Scan(&wire); err != nil {
			return err
		}
		rotation, err := protocol.OpenRotation(wire)
		if err != nil {
			return fmt.Errorf("%w: a stored rotation is not what was signed: %w", ErrDamaged, err)
		}
		k.Rotations = append(k.Rotations, rotation)
		return nil
	})
}

// unguarded says which of the triggers that keep the log from being changed is not as it should be; "" when all are.
func unguarded(ctx context.Context, r *sql.Tx) (string, error) {
	want, err := pristineTriggers(ctx)
	if err != nil {
		return "", err
	}
	got, err := triggers(ctx, r)
	if err != nil {
		return "", err
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		switch got[name] {
		case want[name]:
		case "":
			return fmt.Sprintf("the database no longer refuses to change the audit log: the trigger %s is gone", name), nil
		default:
			return fmt.Sprintf("the database no longer refuses to change the audit log: the trigger %s was altered", name), nil
		}
	}
	for _, name := range slices.Sorted(maps.Keys(got)) {
		if want[name] == "" {
			return fmt.Sprintf("the database has a trigger %s that this program did not make", name), nil
		}
	}
	return "", nil
}

// triggers returns the triggers of a database by name.
func triggers(ctx context.Context, q querier) (map[string]string, error) {
	out := make(map[string]string)
	err := eachRow(ctx, q, `SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'`, nil, func(rows *sql.Rows) error {
		var name, text string
		err := rows.Scan(&name, &text)
		out[name] = text
		return err
	})
	return out, err
}

// pristineTriggers returns the triggers of an empty database of this version.
func pristineTriggers(ctx context.Context) (out map[string]string, err error) {
	files, err := fs.Sub(schemaFiles, "schema")
	if err != nil {
		return nil, err
	}
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxOpenConns(1) // each connection would have a database of its own
	p, err := goose.NewProvider(goose.DialectSQLite3, db, files, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return nil, err
	}
	if _, err := p.Up(ctx); err != nil {
		return nil, err
	}
	return triggers(ctx, db)
}
