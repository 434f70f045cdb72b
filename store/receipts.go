package store

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"time"

	"github.com/caro-mesh/caro-node/policy/audit"
	"github.com/caro-mesh/caro-node/protocol"
)

// SaveReceipt stores what is about to leave with the answer to a query, and records ev with it, to which it adds the digests
// of both ([audit.DetailQuery], [audit.DetailResponse]). It returns the record, whose sequence is the receipt's number. Only when it has
// returned nil may the response leave.
func (s *Store) SaveReceipt(ctx context.Context, queryID string, query, response []byte, ev audit.Event) (r audit.Record, err error) {
	details := maps.Clone(ev.Details)
	if details == nil {
		details = make(map[string]string, 2)
	}
	details[audit.DetailResponse], details[audit.DetailQuery] = protocol.DigestOfResponse(response).String(), audit.DigestOfQuery(query).String()
	ev.Details = details
	err = s.write(ctx, "store a receipt", func(t *tx) error {
		if r, err = t.audit(ev); err != nil {
			return err
		}
		_, err = t.exec(`INSERT INTO receipt (sequence, query_id, query, response) VALUES (?, ?, ?, ?)`, r.Sequence, queryID, query, response)
		return err
	})
	return r, err
}

// Countersign adds the asker's signed receipt to what was stored under its number. The caller has verified it. It returns
// [ErrNotFound] when there is no receipt of that number that waits for one.
func (s *Store) Countersign(ctx context.Context, number uint64, countersignature []byte) error {
	return s.write(ctx, "keep a countersignature", func(t *tx) error {
		n, err := t.exec(`UPDATE receipt SET countersignature = ?, countersigned_at = ? WHERE sequence = ? AND countersignature IS NULL`,
			countersignature, nanosSince1970(t.s.now()), number)
		if err == nil && n == 0 {
			err = fmt.Errorf("receipt %d without a countersignature: %w", number, ErrNotFound)
		}
		return err
	})
}

// ReceiptFilter chooses receipts; all conditions must hold, and the zero value of each chooses all.
type ReceiptFilter struct {
	Number  uint64 // only the one of this number
	QueryID string // only those of queries with this ID
	Before  uint64 // only those with a smaller number, to page on
	Peer    protocol.NodeID
	Since   time.Time // only answers that left at this time or later
	Limit   int       // 1 to MaxReceipts; 0 means DefaultReceipts
}

// Page sizes of [Store.EachReceipt] and [Store.Receipts]. One receipt takes up to 1.1 MB, usually 2 KB.
const (
	DefaultReceipts = 100
	MaxReceipts     = 1001 // a page of the API, and one more to see whether there is a next
)

const selectReceipt = `SELECT r.query, r.response, r.countersignature, r.countersigned_at,
	a.sequence, a.id, a.timestamp, a.event_type, a.peer, a.details, a.success, a.prev_hash, a.hash
	FROM receipt r JOIN audit a USING (sequence) WHERE r.sequence < ?`

// Receipts returns the receipts that [Store.EachReceipt] gives.
func (s *Store) Receipts(ctx context.Context, f ReceiptFilter) (list []audit.Receipt, err error) {
	err = s.EachReceipt(ctx, f, func(r audit.Receipt) error {
		list = append(list, r)
		return nil
	})
	return list, err
}

// EachReceipt calls take for each of the receipts that f chooses, the latest answer first, until it returns an error. Nothing
// is verified: see [audit.Receipt.Verify].
func (s *Store) EachReceipt(ctx context.Context, f ReceiptFilter, take func(audit.Receipt) error) error {
	before := uint64(1 << 62)
	if f.Before > 0 {
		before = min(before, f.Before)
	}
	query, args := selectReceipt, []any{int64(before)}
	add := func(condition string, v any) { query, args = query+` AND `+condition, append(args, v) }
	if f.Number > 0 {
		add(`r.sequence = ?`, int64(min(f.Number, 1<<62)))
	}
	if f.QueryID != "" {
		add(`r.query_id = ?`, f.QueryID)
	}
	if f.Peer != "" {
		add(`a.peer = ? AND a.peer <> ''`, string(f.Peer))
	}
	if !f.Since.IsZero() {
		add(`a.timestamp >= ?`, nanosSince1970(f.Since))
	}
	if f.Limit <= 0 {
		f.Limit = DefaultReceipts
	}
	err := s.each(ctx, query+` ORDER BY r.sequence DESC LIMIT ?`, append(args, min(f.Limit, MaxReceipts)), func(rows *sql.Rows) error {
		var r audit.Receipt
		var at sql.NullInt64
		if err := scanRecord(rows, &r.Record, &r.Query, &r.Response, &r.Countersignature, &at); err != nil {
			return err
		}
		r.CountersignedAt = timeOrZero(at)
		return take(r)
	})
	return s.explain("read receipts", err)
}

// Receipt returns the receipt of a number, or [ErrNotFound].
func (s *Store) Receipt(ctx context.Context, number uint64) (audit.Receipt, error) {
	return s.oneReceipt(ctx, fmt.Sprintf("receipt %d", number), ReceiptFilter{Number: max(number, 1)}, number > 0)
}

// ReceiptOfQuery returns the latest receipt of a query with this ID, or [ErrNotFound]. Askers choose the IDs, so there can be
// several.
func (s *Store) ReceiptOfQuery(ctx context.Context, queryID string) (audit.Receipt, error) {
	return s.oneReceipt(ctx, "receipt of query "+queryID, ReceiptFilter{QueryID: queryID}, queryID != "")
}

func (s *Store) oneReceipt(ctx context.Context, what string, f ReceiptFilter, possible bool) (audit.Receipt, error) {
	f.Limit = 1
	list, err := s.Receipts(ctx, f)
	if err == nil && (len(list) == 0 || !possible) {
		err = fmt.Errorf("%s: %w", what, ErrNotFound)
	}
	if err != nil {
		return audit.Receipt{}, err
	}
	return list[0], nil
}
