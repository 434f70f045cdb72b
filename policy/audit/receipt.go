package audit

import (
	"errors"
	"fmt"
	"time"

	"github.com/zeebo/blake3"

	"github.com/caro-mesh/caro-node/protocol"
)

// Receipt shows what left with one answer to a query: who asked, when, the rule that allowed it, and the exact bytes,
// countersigned by who got them.
type Receipt struct {
	// Record is the response_sent record of the answer. Its sequence is the receipt's number, its time is when the answer
	// left, its peer is who asked, and its details tell the rule and, under [DetailResponse], the digest of Response.
	Record   Record
	Query    []byte // as the asker signed it
	Response []byte // exactly the bytes that left
	// Countersignature is the asker's signed [protocol.QueryReceipt]; nil when none has come, as from a node of an older
	// version.
	Countersignature []byte
	CountersignedAt  time.Time // when it came; zero without one
}

// Details of a response_sent record that bind a receipt to it: 64 hex digits each.
const (
	DetailResponse = "response" // the digest of the response
	DetailQuery    = "query"    // the digest of the query; records of older versions have none
)

// DigestOfQuery hashes the payload of a Query as it travels.
func DigestOfQuery(wire []byte) Hash { return blake3.Sum256(wire) }

// Evidence is what a receipt holds, opened, with everything that is wrong with it.
type Evidence struct {
	Query            *protocol.MeshQuery // nil when it does not verify, like the next two
	Response         *protocol.MeshResponse
	Countersignature *protocol.QueryReceipt // nil also when there is none
	// Problems are sentences; none means that the receipt proves what it says. That it is not countersigned is no problem,
	// only a weaker proof.
	Problems []string
}

// Verify checks the signatures under the query, the response and the receipt, that they belong together, and that the
// audit record tells the same. Whether the record is part of the chain is checked by [Verify] of the chain.
func (r *Receipt) Verify() Evidence {
	var e Evidence
	problem := func(format string, args ...any) { e.Problems = append(e.Problems, fmt.Sprintf(format, args...)) }
	if h, err := r.Record.ComputeHash(); err != nil || h != r.Record.Hash {
		problem("the audit record %d was altered: %v", r.Record.Sequence, errors.Join(ErrAltered, err))
	}
	if r.Record.Type != protocol.AuditResponseSent {
		problem("record %d is of %s, not of an answer", r.Record.Sequence, r.Record.Type)
	}
	digest := protocol.DigestOfResponse(r.Response).String()
	if got := r.Record.Details[DetailResponse]; got != digest {
		problem("the bytes have the digest %s, the audit record says %q: one of the two was altered", digest, got)
	}
	if got, want := r.Record.Details[DetailQuery], DigestOfQuery(r.Query).String(); got != "" && got != want {
		problem("the query has the digest %s, the audit record says %q: one of the two was altered", want, got)
	}
	var err error
	if e.Query, err = protocol.OpenQuery(r.Query); err != nil {
		problem("the query does not verify: %v", err)
	}
	if e.Response, err = protocol.OpenResponse(r.Response); err != nil {
		problem("the response does not verify: %v", err)
	}
	if e.Query != nil && e.Query.Requester != r.Record.Peer {
		problem("the query is of %s, the audit record is about %s", e.Query.Requester.Fingerprint(), r.Record.Peer.Fingerprint())
	}
	if e.Query != nil && e.Response != nil && e.Query.QueryID != e.Response.QueryID {
		problem("the response is to query %s, not to %s", e.Response.QueryID, e.Query.QueryID)
	}
	if r.Countersignature == nil {
		return e
	}
	if e.Countersignature, err = protocol.OpenReceipt(r.Countersignature); err != nil {
		problem("the countersignature does not verify: %v", err)
		return e
	}
	if e.Response != nil {
		if err := e.Countersignature.Covers(e.Response.QueryID, r.Record.Peer, e.Response.Responder, r.Response); err != nil {
			problem("the countersignature is not for this answer: %v", err)
		}
	}
	return e
}
