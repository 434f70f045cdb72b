package api

import (
	"context"
	"net/http"
	"time"

	v1 "github.com/caro-mesh/caro-node/api/v1"
)

// ReceiptFilter chooses receipts. Zero fields choose everything.
type ReceiptFilter struct {
	Node   string    // who asked, peer as text; empty for all
	Since  time.Time // only answers that left at this time or later
	Limit  int       // 1 to MaxLimit, always set
	Cursor string
}

type receiptsInput struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"50" doc:"items of a page"`
	Cursor string `query:"cursor" maxLength:"512" doc:"next_cursor of the page before, with the same filter"`
	Node   string `query:"node" maxLength:"128" doc:"who asked: node ID, peer ID, fingerprint or name"`
	Since  string `query:"since" maxLength:"64" doc:"a span back from now such as 7d, or an RFC 3339 time"`
}

func (s *service) receiptRoutes() {
	route(s, http.MethodGet, "/api/v1/audit/receipts", "receipts-list", "Who asked, when, by which rule, and what left",
		func(ctx context.Context, in *receiptsInput) (v1.ReceiptPage, error) {
			since, err := s.moment("since", in.Since)
			if err != nil {
				return v1.ReceiptPage{}, err
			}
			return s.backend.Receipts(ctx, ReceiptFilter{Node: in.Node, Since: since, Limit: in.Limit, Cursor: in.Cursor})
		})
	route(s, http.MethodGet, "/api/v1/audit/receipts/{id}", "receipts-show", "One receipt with the exact bytes that left",
		func(ctx context.Context, in *struct {
			ID string `path:"id" maxLength:"64" doc:"number of the receipt, or ID of the query"`
		}) (v1.ReceiptDocument, error) {
			return s.backend.Receipt(ctx, in.ID)
		})
}
