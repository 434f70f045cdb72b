package v1

import (
	"time"

	"github.com/caro-mesh/caro-node/protocol"
)

// Receipt tells what left this node with one answer to a query.
type Receipt struct {
	Number      uint64                  `json:"number" doc:"that of the audit record of the answer"`
	Timestamp   time.Time               `json:"timestamp" doc:"when the answer left"`
	Peer        protocol.NodeID         `json:"peer" doc:"who asked"`
	Fingerprint protocol.Fingerprint    `json:"fingerprint" doc:"of who asked"`
	Name        string                  `json:"name,omitempty" doc:"of who asked, where it is known now"`
	QueryID     string                  `json:"query_id"`
	QueryType   protocol.QueryType      `json:"query_type"`
	TimeRange   *protocol.TimeRange     `json:"time_range,omitempty" doc:"that was asked for; absent when the query does not verify"`
	Trust       string                  `json:"trust" doc:"what the asker was trusted with"`
	Level       string                  `json:"level" doc:"summarized or aggregated: what it was allowed to get"`
	Rule        Rule                    `json:"rule" doc:"the rule that allowed it"`
	Status      protocol.ResponseStatus `json:"status"`
	Bytes       int                     `json:"bytes" doc:"that left"`
	Digest      string                  `json:"digest" doc:"BLAKE3 of the bytes that left, 64 hex digits"`
	// Countersigned is true only where the signature verifies.
	Countersigned   bool       `json:"countersigned" doc:"the asker has signed that it got exactly these bytes; nodes of older versions do not"`
	CountersignedAt *time.Time `json:"countersigned_at,omitempty"`
	Problems        []string   `json:"problems" doc:"what does not verify; empty when all does"`
}

// ReceiptPage is the answer of GET /api/v1/audit/receipts.
type ReceiptPage struct {
	SchemaVersion int       `json:"schema_version"`
	Receipts      []Receipt `json:"receipts"`
	NextCursor    string    `json:"next_cursor,omitempty"`
}

// ReceiptDocument is the answer of GET /api/v1/audit/receipts/{id}: the receipt with everything that it proves.
type ReceiptDocument struct {
	SchemaVersion int     `json:"schema_version"`
	Receipt       Receipt `json:"receipt"`
	// The three signed messages, as they are read; absent when they do not verify or are not there.
	Query            any `json:"query,omitempty" doc:"the query that was answered"`
	Response         any `json:"response,omitempty" doc:"the answer"`
	Countersignature any `json:"countersignature,omitempty" doc:"the asker's receipt"`
	// The same as exact bytes.
	QueryWire            []byte `json:"query_wire"`
	ResponseWire         []byte `json:"response_wire" doc:"exactly the bytes that left"`
	CountersignatureWire []byte `json:"countersignature_wire,omitempty"`
	ResponseText         string `json:"response_text" doc:"response_wire in CBOR diagnostic notation (RFC 8949, section 8)"`
}
