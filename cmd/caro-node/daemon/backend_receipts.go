package daemon

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/caro-mesh/caro-node/api"
	v1 "github.com/caro-mesh/caro-node/api/v1"
	"github.com/caro-mesh/caro-node/policy/audit"
	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/store"
)

// Receipts returns who asked and what left, the latest answer first; the cursor is the number before which the page begins.
func (b *backend) Receipts(ctx context.Context, f api.ReceiptFilter) (v1.ReceiptPage, error) {
	sf := store.ReceiptFilter{Since: f.Since, Limit: f.Limit + 1}
	if f.Node != "" {
		id, err := b.find(ctx, f.Node, false)
		if err != nil {
			return v1.ReceiptPage{}, err
		}
		sf.Peer = id
	}
	if f.Cursor != "" {
		n, err := strconv.ParseUint(f.Cursor, 10, 63)
		if err != nil || n == 0 {
			return v1.ReceiptPage{}, api.Refuse(api.ErrInvalid, "%q is not a cursor of this list; leave it out to start at the beginning", f.Cursor)
		}
		sf.Before = n
	}
	names, err := b.names(ctx)
	if err != nil {
		return v1.ReceiptPage{}, err
	}
	var page v1.ReceiptPage
	err = b.d.db.EachReceipt(ctx, sf, func(r audit.Receipt) error { // one at a time: answers can be large
		if len(page.Receipts) == f.Limit {
			page.NextCursor = strconv.FormatUint(page.Receipts[f.Limit-1].Number, 10)
			return nil
		}
		shape := receiptShape(r, r.Verify())
		shape.Name = names[r.Record.Peer]
		page.Receipts = append(page.Receipts, shape)
		return nil
	})
	if err != nil {
		return v1.ReceiptPage{}, explain(err)
	}
	return page, nil
}

// Receipt returns one receipt with the exact bytes.
func (b *backend) Receipt(ctx context.Context, id string) (v1.ReceiptDocument, error) {
	doc, err := FindReceipt(ctx, b.d.db, id)
	if errors.Is(err, store.ErrNotFound) {
		return doc, api.Refuse(api.ErrNotFound, "%w", err)
	}
	if err != nil {
		return doc, explain(err)
	}
	names, err := b.names(ctx)
	doc.Receipt.Name = names[doc.Receipt.Peer]
	return doc, err
}

// FindReceipt returns the receipt with this number, or the latest of the query with this ID, verified and with the exact
// bytes, for the API and the command line alike. Its error is [store.ErrNotFound] when there is none.
func FindReceipt(ctx context.Context, db *store.Store, id string) (v1.ReceiptDocument, error) {
	var r audit.Receipt
	number, err := strconv.ParseUint(id, 10, 63)
	if err == nil {
		r, err = db.Receipt(ctx, number)
	} else {
		r, err = db.ReceiptOfQuery(ctx, strings.ToLower(id))
	}
	if errors.Is(err, store.ErrNotFound) {
		return v1.ReceiptDocument{}, fmt.Errorf("there is no receipt %q (caro-node audit who-asked shows them): %w", id, store.ErrNotFound)
	}
	if err != nil {
		return v1.ReceiptDocument{}, err
	}
	e := r.Verify()
	doc := v1.ReceiptDocument{SchemaVersion: v1.SchemaVersion, Receipt: receiptShape(r, e), QueryWire: r.Query, ResponseWire: r.Response,
		CountersignatureWire: r.Countersignature}
	if e.Query != nil {
		doc.Query = e.Query
	}
	if e.Response != nil {
		doc.Response = e.Response
	}
	if e.Countersignature != nil {
		doc.Countersignature = e.Countersignature
	}
	if doc.ResponseText, err = protocol.Diagnose(r.Response); err != nil {
		doc.ResponseText = fmt.Sprintf("%x", r.Response) // what was altered can still be looked at
	}
	return doc, nil
}

func receiptShape(r audit.Receipt, e audit.Evidence) v1.Receipt {
	d := r.Record.Details
	out := v1.Receipt{Number: r.Record.Sequence, Timestamp: r.Record.Timestamp.Time(), Peer: r.Record.Peer, Fingerprint: r.Record.Peer.Fingerprint(),
		QueryID: d["query_id"], QueryType: protocol.QueryType(d["query_type"]), Trust: d["trust"], Level: d["level"],
		Rule: v1.Rule{Name: d["rule"], Source: d["source"]}, Status: protocol.ResponseStatus(d["status"]), Bytes: len(r.Response),
		Digest: protocol.DigestOfResponse(r.Response).String(), Countersigned: e.Countersignature != nil && len(e.Problems) == 0,
		Problems: append([]string{}, e.Problems...)}
	if n, err := strconv.Atoi(d["line"]); err == nil {
		out.Rule.Line = n
	}
	if e.Query != nil {
		out.TimeRange = &e.Query.TimeRange
	}
	if !r.CountersignedAt.IsZero() {
		out.CountersignedAt = &r.CountersignedAt
	}
	return out
}
