package protocol

import (
	"fmt"
	"time"
)

// MeshQuery asks one node, or many, for counts over a time range.
type MeshQuery struct {
	QueryID   string     `cbor:"1,keyasint" json:"query_id"` // UUID
	Requester NodeID     `cbor:"2,keyasint" json:"requester"`
	QueryType QueryType  `cbor:"3,keyasint" json:"query_type"`
	TimeRange TimeRange  `cbor:"4,keyasint" json:"time_range"`
	Filters   []Filter   `cbor:"5,keyasint" json:"filters"`
	Signature *Signature `cbor:"-" json:"signature,omitempty"` // set by [SignQuery] and [OpenQuery]
}

// Filter narrows a query. Fields: "category", "risk_level"; a command counts when every filter accepts it.
type Filter struct {
	Field    string         `cbor:"1,keyasint" json:"field"`
	Operator FilterOperator `cbor:"2,keyasint" json:"operator"`
	Value    string         `cbor:"3,keyasint" json:"value"`
}

// Validate checks shape and vocabulary; whether field and operator fit each other is checked where the filter is
// applied, which answers with a reason.
func (f Filter) Validate() error {
	if f.Field == "" {
		return fmt.Errorf("filter without a field")
	}
	if err := CheckText("filter field", f.Field, MaxFilterField); err != nil {
		return err
	}
	if err := CheckText("filter value", f.Value, MaxFilterValue); err != nil {
		return err
	}
	return f.Operator.Validate()
}

// Validate checks shape and vocabulary.
func (q *MeshQuery) Validate() error {
	if err := checkUUID("query", q.QueryID); err != nil {
		return err
	}
	if err := q.Requester.Validate(); err != nil {
		return err
	}
	if err := q.QueryType.Validate(); err != nil {
		return err
	}
	if err := q.TimeRange.Validate(); err != nil {
		return err
	}
	if len(q.Filters) > MaxFilters {
		return fmt.Errorf("%d filters, at most %d are allowed", len(q.Filters), MaxFilters)
	}
	for _, f := range q.Filters {
		if err := f.Validate(); err != nil {
			return err
		}
	}
	return nil
}

// SignQuery sets q.Signature and returns the bytes to send.
func SignQuery(q *MeshQuery, key Signer, now time.Time) ([]byte, error) {
	if q.Requester != key.NodeID() {
		return nil, fmt.Errorf("query of %s cannot be signed by %s", q.Requester.Fingerprint(), key.NodeID().Fingerprint())
	}
	if err := q.Validate(); err != nil {
		return nil, err
	}
	wire, sig, err := signBody(contextQuery, q, key, now)
	if err != nil {
		return nil, err
	}
	q.Signature = &sig
	return wire, nil
}

// OpenQuery decodes, validates and verifies a signed query; the caller compares its requester with the sender.
func OpenQuery(wire []byte) (*MeshQuery, error) {
	var q MeshQuery
	sig, err := openBody(contextQuery, wire, &q, func() NodeID { return q.Requester })
	if err != nil {
		return nil, err
	}
	q.Signature = &sig
	return &q, nil
}
