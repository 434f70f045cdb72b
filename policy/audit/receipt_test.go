package audit

import (
	"bytes"
	"crypto/ed25519"
	"strings"
	"testing"
	"time"

	"github.com/caro-mesh/caro-node/protocol"
)

// signer is a node whose key's seed is one byte, 32 times.
type signer struct{ private ed25519.PrivateKey }

func signerOf(seed byte) signer {
	return signer{ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))}
}

func (s signer) NodeID() protocol.NodeID {
	return protocol.NewNodeID(s.private.Public().(ed25519.PublicKey))
}
func (s signer) Sign(msg []byte) ([]byte, error) { return ed25519.Sign(s.private, msg), nil }

var answered = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

const aQueryID = "01939f2e-6c00-7000-8000-0000000000bb"

// answerTo returns a query of the asker, the answer of the responder and the asker's receipt for it.
func answerTo(t *testing.T, asker, responder signer, queryID string) (query, response, receipt []byte) {
	t.Helper()
	must := func(b []byte, err error) []byte {
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	end := protocol.At(answered.Truncate(time.Hour))
	query = must(protocol.SignQuery(&protocol.MeshQuery{QueryID: queryID, Requester: asker.NodeID(), QueryType: protocol.QueryToolUsage,
		TimeRange: protocol.TimeRange{Start: end - protocol.Timestamp(time.Hour), End: end}}, asker, answered))
	response = must(protocol.SignResponse(&protocol.MeshResponse{QueryID: queryID, Responder: responder.NodeID(), Status: protocol.StatusNoData,
		Reason: "no command was recorded in this time range", Timestamp: protocol.At(answered)}, responder, answered))
	receipt = must(protocol.SignReceipt(&protocol.QueryReceipt{QueryID: queryID, Requester: asker.NodeID(), Responder: responder.NodeID(),
		Response: protocol.DigestOfResponse(response), Timestamp: protocol.At(answered)}, asker, answered))
	return query, response, receipt
}

// recordOf is the record of an answer.
func recordOf(t *testing.T, asker signer, response []byte) Record {
	t.Helper()
	r, err := Next(Record{}, Event{Type: protocol.AuditResponseSent, Peer: asker.NodeID(), Success: true,
		Details: map[string]string{DetailResponse: protocol.DigestOfResponse(response).String(), "rule": "node"}}, answered)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestAReceiptProvesWhatLeft(t *testing.T) {
	asker, responder := signerOf(1), signerOf(2)
	query, response, countersigned := answerTo(t, asker, responder, aQueryID)
	r := Receipt{Record: recordOf(t, asker, response), Query: query, Response: response, Countersignature: countersigned}
	e := r.Verify()
	if len(e.Problems) != 0 || e.Query == nil || e.Response == nil || e.Countersignature == nil {
		t.Errorf("%+v", e)
	}
	r.Countersignature = nil
	if e := r.Verify(); len(e.Problems) != 0 || e.Countersignature != nil {
		t.Errorf("without a countersignature: %+v", e)
	}
}

func TestWhateverIsAlteredInAReceiptIsFound(t *testing.T) {
	asker, responder, third := signerOf(1), signerOf(2), signerOf(3)
	query, response, countersigned := answerTo(t, asker, responder, aQueryID)
	otherQuery, otherResponse, otherCountersigned := answerTo(t, asker, responder, "01939f2e-6c00-7000-8000-0000000000bc")
	strangersQuery, _, strangersReceipt := answerTo(t, third, responder, aQueryID)
	_, thirdsResponse, thirdsReceipt := answerTo(t, asker, third, aQueryID)
	flip := func(b []byte) []byte {
		b = bytes.Clone(b)
		b[len(b)/2] ^= 1
		return b
	}
	for name, c := range map[string]struct {
		edit func(r *Receipt)
		want string
	}{
		"a byte of the response":            {func(r *Receipt) { r.Response = flip(r.Response) }, "altered"},
		"a byte of the query":               {func(r *Receipt) { r.Query = flip(r.Query) }, "the query does not verify"},
		"a byte of the countersignature":    {func(r *Receipt) { r.Countersignature = flip(r.Countersignature) }, "the countersignature does not verify"},
		"another response of the same node": {func(r *Receipt) { r.Response = otherResponse }, "altered"},
		"a response of another node": {func(r *Receipt) {
			r.Response, r.Record = thirdsResponse, recordOf(t, asker, thirdsResponse)
		}, "is not for this answer"},
		"the receipt of another answer":         {func(r *Receipt) { r.Countersignature = otherCountersigned }, "is not for this answer"},
		"the receipt for another node":          {func(r *Receipt) { r.Countersignature = thirdsReceipt }, "is not for this answer"},
		"the receipt of another asker":          {func(r *Receipt) { r.Countersignature = strangersReceipt }, "is not for this answer"},
		"another query":                         {func(r *Receipt) { r.Query = otherQuery }, "the response is to query"},
		"a query of another asker":              {func(r *Receipt) { r.Query = strangersQuery }, "the audit record is about"},
		"a detail of the audit record":          {func(r *Receipt) { r.Record.Details["rule"] = "default" }, "audit record 1 was altered"},
		"the digest in the audit record":        {func(r *Receipt) { r.Record = recordOf(t, asker, otherResponse) }, "the audit record says"},
		"the audit record of something else":    {func(r *Receipt) { r.Record.Type = protocol.AuditQueryReceived }, "not of an answer"},
		"the query for the countersignature":    {func(r *Receipt) { r.Countersignature = r.Query }, "the countersignature does not verify"},
		"nothing instead of a countersignature": {func(r *Receipt) { r.Countersignature = []byte{} }, "the countersignature does not verify"},
	} {
		r := Receipt{Record: recordOf(t, asker, response), Query: query, Response: response, Countersignature: countersigned}
		c.edit(&r)
		if e := r.Verify(); !strings.Contains(strings.Join(e.Problems, "\n"), c.want) {
			t.Errorf("%s: found %q, want %q", name, e.Problems, c.want)
		}
	}
}
