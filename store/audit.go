package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/caro-mesh/caro-node/policy/audit"
	"github.com/caro-mesh/caro-node/protocol"
)

// AuditLog returns the log to which a gate appends.
func (s *Store) AuditLog() audit.Log { return auditLog{s} }

type auditLog struct{ s *Store }

// Append stores e as the next record.
func (l auditLog) Append(ctx context.Context, e audit.Event) (r audit.Record, err error) {
	err = l.s.write(ctx, "write the audit log", func(t *tx) error {
		r, err = t.audit(e)
		return err
	})
	return r, err
}

// audit appends a record in the same transaction as what it tells.
func (t *tx) audit(e audit.Event) (audit.Record, error) {
	prev, err := t.lastRecord()
	if err != nil {
		return audit.Record{}, err
	}
	e.Details = printable(e.Details)
	r, err := audit.Next(prev, e, t.s.now())
	if err != nil {
		return audit.Record{}, err
	}
	return r, t.storeAudit(&r)
}

// storeAudit stores a record that follows the last one.
func (t *tx) storeAudit(r *audit.Record) error {
	details, err := json.Marshal(r.Details)
	if err != nil {
		return err
	}
	if _, err := t.exec(`INSERT INTO audit (sequence, id, timestamp, event_type, peer, details, success, prev_hash, hash)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`, r.Sequence, r.ID, int64(r.Timestamp), string(r.Type), string(r.Peer), string(details),
		r.Success, r.PrevHash[:], r.Hash[:]); err != nil {
		return err
	}
	if err := t.grow(*r); err != nil {
		return err
	}
	_, err = t.exec(`INSERT INTO audit_head (only, sequence, hash) VALUES (1, ?, ?)
		ON CONFLICT DO UPDATE SET sequence = excluded.sequence, hash = excluded.hash`, r.Sequence, r.Hash[:])
	t.w.known.record = audit.Record{Sequence: r.Sequence, Hash: r.Hash}
	return err
}

// lastRecord returns number and hash of the last record inside t.
func (t *tx) lastRecord() (r audit.Record, err error) {
	if t.w.known.record.Sequence > 0 {
		return t.w.known.record, nil
	}
	var hash []byte
	err = t.get(`SELECT sequence, hash FROM audit ORDER BY sequence DESC LIMIT 1`, nil, &r.Sequence, &hash)
	if errors.Is(err, sql.ErrNoRows) {
		return r, nil
	}
	copy(r.Hash[:], hash)
	return r, err
}

// printable replaces what JSON could not give back unchanged, so that a record still has its hash when it is read.
func printable(details map[string]string) map[string]string {
	clean := make(map[string]string, len(details))
	for k, v := range details {
		clean[strings.ToValidUTF8(k, "\uFFFD")] = strings.ToValidUTF8(v, "\uFFFD")
	}
	return clean
}

// AuditFilter chooses audit records; all conditions must hold, and the zero value of each chooses all.
type AuditFilter struct {
	After  uint64 // only records with a greater sequence
	Before uint64 // only records with a smaller sequence; 0: all
	Types  []protocol.AuditEventType
	Peer   protocol.NodeID
	// NewestFirst returns the last records first instead of the first ones. Page on with Before then, otherwise with After.
	NewestFirst bool
	Limit       int // 1 to MaxAuditRecords; 0 means DefaultAuditRecords
}

// Page sizes of [Store.AuditRecords].
const (
	DefaultAuditRecords = 100
	MaxAuditRecords     = 10_000
)

const selectAudit = `SELECT sequence, id, timestamp, event_type, peer, details, success, prev_hash, hash FROM audit`

// AuditRecords returns the records that f chooses, by rising sequence unless f says otherwise.
func (s *Store) AuditRecords(ctx context.Context, f AuditFilter) ([]audit.Record, error) {
	query, args := selectAudit+` WHERE sequence > ?`, []any{int64(min(f.After, 1<<62))}
	if f.Before > 0 {
		query, args = query+` AND sequence < ?`, append(args, int64(min(f.Before, 1<<62)))
	}
	if f.Peer != "" {
		query, args = query+` AND peer = ? AND peer <> ''`, append(args, string(f.Peer))
	}
	if len(f.Types) > 0 {
		query += ` AND event_type IN (?` + strings.Repeat(`, ?`, len(f.Types)-1) + `)`
		for _, t := range f.Types {
			args = append(args, string(t))
		}
	}
	if query += ` ORDER BY sequence`; f.NewestFirst {
		query += ` DESC`
	}
	if f.Limit <= 0 {
		f.Limit = DefaultAuditRecords
	}
	var list []audit.Record
	err := s.each(ctx, query+` LIMIT ?`, append(args, min(f.Limit, MaxAuditRecords)), func(rows *sql.Rows) error {
		r, err := scanAudit(rows)
		list = append(list, r)
		return err
	})
	return list, s.explain("read the audit log", err)
}

func scanAudit(rows *sql.Rows) (r audit.Record, err error) {
	err = scanRecord(rows, &r)
	return r, err
}

// scanRecord scans what stands before the columns of a record into first, and the record.
func scanRecord(rows *sql.Rows, r *audit.Record, first ...any) error {
	details, err := scanColumns(rows, r, first...)
	if err != nil {
		return err
	}
	return readDetails(r, details)
}

// scanColumns is scanRecord without the details, which it returns as they are stored; they are valid until the next row.
func scanColumns(rows *sql.Rows, r *audit.Record, first ...any) (details sql.RawBytes, err error) {
	var prev, hash sql.RawBytes
	if err := rows.Scan(append(first, &r.Sequence, &r.ID, &r.Timestamp, &r.Type, &r.Peer, &details, &r.Success, &prev, &hash)...); err != nil {
		return nil, fmt.Errorf("%w: %w", audit.ErrUnreadable, err)
	}
	if len(prev) != len(r.PrevHash) || len(hash) != len(r.Hash) {
		return nil, fmt.Errorf("record %d: %w: a hash of %d and %d bytes", r.Sequence, audit.ErrUnreadable, len(prev), len(hash))
	}
	copy(r.PrevHash[:], prev)
	copy(r.Hash[:], hash)
	return details, nil
}

func readDetails(r *audit.Record, details []byte) error {
	if err := json.Unmarshal(details, &r.Details); err != nil {
		return fmt.Errorf("record %d: %w: %w", r.Sequence, audit.ErrUnreadable, err)
	}
	return nil
}
