package client

import (
	"context"
	"net/http"
	"net/url"

	v1 "github.com/caro-mesh/caro-node/api/v1"
)

// ReceiptQuery chooses receipts. Empty fields choose everything.
type ReceiptQuery struct {
	Node   string // who asked: node ID, peer ID, fingerprint or name
	Since  string // a span such as 7d, or an RFC 3339 time
	Limit  int    // 1 to 1000; 0 leaves it to the node
	Cursor string
}

// Receipts returns who asked and what left, the latest answer first.
func (c *Client) Receipts(ctx context.Context, q ReceiptQuery) (v1.ReceiptPage, error) {
	v := values{}
	v.text("node", q.Node)
	v.text("since", q.Since)
	v.page(q.Limit, q.Cursor)
	return call[v1.ReceiptPage](ctx, c, http.MethodGet, "/api/v1/audit/receipts", url.Values(v), nil)
}

// Receipt returns one receipt by its number or by the ID of the query.
func (c *Client) Receipt(ctx context.Context, id string) (v1.ReceiptDocument, error) {
	return call[v1.ReceiptDocument](ctx, c, http.MethodGet, "/api/v1/audit/receipts/"+url.PathEscape(id), nil, nil)
}
