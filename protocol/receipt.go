package protocol

import (
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/zeebo/blake3"
)

// ResponseDigest names the exact bytes of a signed response, its signature included: their BLAKE3.
type ResponseDigest [32]byte

// DigestOfResponse hashes the payload of a QueryResponse as it travels.
func DigestOfResponse(wire []byte) ResponseDigest { return blake3.Sum256(wire) }

// String returns 64 lower-case hex digits.
func (d ResponseDigest) String() string { return hex.EncodeToString(d[:]) }

// MarshalText writes 64 lower-case hex digits.
func (d ResponseDigest) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads 64 hex digits.
func (d *ResponseDigest) UnmarshalText(b []byte) error {
	raw, err := hex.DecodeString(string(b))
	if err != nil || len(raw) != len(d) {
		return fmt.Errorf("response digest %q is not 64 hex digits", b)
	}
	copy(d[:], raw)
	return nil
}

// QueryReceipt is the countersignature of a node under an answer that it got: it shows to others that exactly these bytes
// were asked for and arrived.
type QueryReceipt struct {
	QueryID   string         `cbor:"1,keyasint" json:"query_id"` // of the query and of its response
	Requester NodeID         `cbor:"2,keyasint" json:"requester"`
	Responder NodeID         `cbor:"3,keyasint" json:"responder"`
	Response  ResponseDigest `cbor:"4,keyasint" json:"response"`
	Timestamp Timestamp      `cbor:"5,keyasint" json:"timestamp"`
	// Signature is made by the requester; set by [SignReceipt] and [OpenReceipt].
	Signature *Signature `cbor:"-" json:"signature,omitempty"`
}

// Validate checks the shape; what the receipt is for is checked by [QueryReceipt.Covers].
func (r *QueryReceipt) Validate() error {
	if err := checkUUID("query", r.QueryID); err != nil {
		return err
	}
	if err := r.Requester.Validate(); err != nil {
		return err
	}
	if err := r.Responder.Validate(); err != nil {
		return err
	}
	switch {
	case r.Requester == r.Responder:
		return errors.New("a node cannot countersign its own response")
	case r.Response == ResponseDigest{}:
		return errors.New("receipt without the digest of a response")
	}
	return nil
}

// Covers reports whether the receipt is for this query and for exactly these bytes of its response. The error is a
// sentence for the local log.
func (r *QueryReceipt) Covers(queryID string, requester, responder NodeID, response []byte) error {
	switch {
	case r.QueryID != queryID:
		return fmt.Errorf("%w: the receipt is for query %s, not for %s", ErrMalformed, r.QueryID, queryID)
	case r.Requester != requester:
		return fmt.Errorf("%w: the receipt is of %s, the query was of %s", ErrSender, r.Requester.Fingerprint(), requester.Fingerprint())
	case r.Responder != responder:
		return fmt.Errorf("%w: the receipt is for an answer of %s, not of %s", ErrMalformed, r.Responder.Fingerprint(), responder.Fingerprint())
	case r.Response != DigestOfResponse(response):
		return fmt.Errorf("%w: the receipt is for other bytes than were sent", ErrMalformed)
	}
	return nil
}

// SignReceipt sets r.Signature and returns the bytes to send.
func SignReceipt(r *QueryReceipt, key Signer, now time.Time) ([]byte, error) {
	if r.Requester != key.NodeID() {
		return nil, fmt.Errorf("receipt of %s cannot be signed by %s", r.Requester.Fingerprint(), key.NodeID().Fingerprint())
	}
	if err := r.Validate(); err != nil {
		return nil, err
	}
	wire, sig, err := signBody(contextReceipt, r, key, now)
	if err != nil {
		return nil, err
	}
	r.Signature = &sig
	return wire, nil
}

// OpenReceipt decodes, validates and verifies a signed receipt; the caller compares it with what was sent.
func OpenReceipt(wire []byte) (*QueryReceipt, error) {
	var r QueryReceipt
	sig, err := openBody(contextReceipt, wire, &r, func() NodeID { return r.Requester })
	if err != nil {
		return nil, err
	}
	r.Signature = &sig
	return &r, nil
}
