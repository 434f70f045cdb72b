package fake

import (
	"context"
	"strconv"

	"github.com/caro-mesh/caro-node/api"
	v1 "github.com/caro-mesh/caro-node/api/v1"
)

// Receipts returns those of Left that f chooses; cursors are positions.
func (b *Backend) Receipts(_ context.Context, f api.ReceiptFilter) (v1.ReceiptPage, error) {
	defer b.lock()()
	var p v1.ReceiptPage
	for _, r := range b.Left {
		if (f.Node == "" || r.Name == f.Node) && !r.Timestamp.Before(f.Since) {
			p.Receipts = append(p.Receipts, r)
		}
	}
	return p, b.Failure
}

// Receipt looks into Left.
func (b *Backend) Receipt(_ context.Context, id string) (v1.ReceiptDocument, error) {
	defer b.lock()()
	for _, r := range b.Left {
		if strconv.FormatUint(r.Number, 10) == id || r.QueryID == id {
			return v1.ReceiptDocument{Receipt: r, ResponseWire: []byte("\xa0"), ResponseText: "{}"}, b.Failure
		}
	}
	return v1.ReceiptDocument{}, api.Refuse(api.ErrNotFound, "there is no receipt %q", id)
}
