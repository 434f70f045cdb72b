package query

import (
	"bytes"
	"crypto/ed25519"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/caro-mesh/caro-node/internal/wiretest"
	"github.com/caro-mesh/caro-node/protocol"
)

const queryID = "01939f2e-6c00-7000-8000-0000000000bb"

var (
	queryMessage = wiretest.Message{Type: protocol.MsgQuery, Reread: func(payload []byte) ([]byte, error) {
		q, err := protocol.OpenQuery(payload)
		if err != nil {
			return nil, err
		}
		return protocol.SignQuery(q, wiretest.Sender{}, q.Signature.Timestamp.Time())
	}}
	responseMessage = wiretest.Message{Type: protocol.MsgQueryResponse, Reread: func(payload []byte) ([]byte, error) {
		r, err := protocol.OpenResponse(payload)
		if err != nil {
			return nil, err
		}
		return protocol.SignResponse(r, wiretest.Sender{}, r.Signature.Timestamp.Time())
	}}
	receiptMessage = wiretest.Message{Type: protocol.MsgQueryReceipt, Reread: func(payload []byte) ([]byte, error) {
		r, err := protocol.OpenReceipt(payload)
		if err != nil {
			return nil, err
		}
		return protocol.SignReceipt(r, wiretest.Sender{}, r.Signature.Timestamp.Time())
	}}
)

func week() protocol.TimeRange {
	end := wiretest.Now.Truncate(time.Hour)
	return protocol.TimeRange{Start: protocol.At(end.AddDate(0, 0, -7)), End: protocol.At(end)}
}

func aQuery(filters ...protocol.Filter) *protocol.MeshQuery {
	return &protocol.MeshQuery{QueryID: queryID, Requester: wiretest.Sender{}.NodeID(), QueryType: protocol.QueryToolUsage, TimeRange: week(), Filters: filters}
}

func aResponse(total uint64) *protocol.MeshResponse {
	id := wiretest.Sender{}.NodeID()
	return &protocol.MeshResponse{QueryID: queryID, Responder: id, Status: protocol.StatusSuccess, Contributors: []protocol.Fingerprint{id.Fingerprint()},
		Data: &protocol.ResponseData{ToolUsage: &protocol.ToolUsage{TotalCommands: total, TimeRange: week(),
			ByCategory: []protocol.CategorySums{{Category: protocol.CategoryGit, Count: total, NodeCount: 1, DurationMSSum: 1000, TimedCount: total, FailureCount: 1}}}},
		Timestamp: protocol.At(wiretest.Now)}
}

func denial() *protocol.MeshResponse {
	return &protocol.MeshResponse{QueryID: queryID, Responder: wiretest.Sender{}.NodeID(), Status: protocol.StatusAccessDenied,
		Reason: "trust level share_to may not query", Contributors: []protocol.Fingerprint{}, Timestamp: protocol.At(wiretest.Now)}
}

// responder is another node than wiretest.Sender, whose response is countersigned.
func responder() protocol.NodeID {
	return protocol.NewNodeID(ed25519.NewKeyFromSeed(bytes.Repeat([]byte{2}, ed25519.SeedSize)).Public().(ed25519.PublicKey))
}

func aReceipt(response string) *protocol.QueryReceipt {
	return &protocol.QueryReceipt{QueryID: queryID, Requester: wiretest.Sender{}.NodeID(), Responder: responder(),
		Response: protocol.DigestOfResponse([]byte(response)), Timestamp: protocol.At(wiretest.Now)}
}

// signed returns what a Sign function of package protocol made.
func signed[T any](t testing.TB, sign func(T, protocol.Signer, time.Time) ([]byte, error), v T) []byte {
	t.Helper()
	b, err := sign(v, wiretest.Sender{}, wiretest.Now)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestQueryHasItsVectors(t *testing.T) {
	good := signed(t, protocol.SignQuery, aQuery(protocol.Filter{Field: "category", Operator: protocol.OpInList, Value: "git,docker"}))
	queryMessage.Check(t, map[string][]byte{
		"with a filter":   good,
		"without filters": signed(t, protocol.SignQuery, aQuery()),
	}, map[string][]byte{
		"another filter than was signed": bytes.Replace(good, []byte("git,docker"), []byte("git,cargo "), 1),
		"a response":                     signed(t, protocol.SignResponse, denial()),
	})
}

func TestQueryResponseHasItsVectors(t *testing.T) {
	good := signed(t, protocol.SignResponse, aResponse(7))
	responseMessage.Check(t, map[string][]byte{
		"tool usage":    good,
		"access denied": signed(t, protocol.SignResponse, denial()),
	}, map[string][]byte{
		"another reason than was signed": bytes.Replace(signed(t, protocol.SignResponse, denial()), []byte("share_to"), []byte("query_fr"), 1),
		"a query":                        signed(t, protocol.SignQuery, aQuery()),
	})
}

func TestQueryReceiptHasItsVectors(t *testing.T) {
	good := signed(t, protocol.SignReceipt, aReceipt("the bytes of a response"))
	receiptMessage.Check(t, map[string][]byte{"of an answer": good}, map[string][]byte{
		"another query than was signed":  bytes.Replace(good, []byte(queryID), []byte(queryID[:35]+"c"), 1),
		"another digest than was signed": flipped(good, protocol.DigestOfResponse([]byte("the bytes of a response"))),
		"a response":                     signed(t, protocol.SignResponse, denial()),
	})
}

// flipped returns wire with one bit of the digest in it changed.
func flipped(wire []byte, d protocol.ResponseDigest) []byte {
	other := d
	other[0] ^= 1
	return bytes.Replace(wire, d[:], other[:], 1)
}

func TestEveryQuerySurvivesTheWire(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		q := aQuery()
		q.TimeRange.Start -= protocol.Timestamp(time.Duration(rapid.IntRange(0, 24*300).Draw(t, "hours")) * time.Hour)
		q.QueryType = rapid.SampledFrom(protocol.QueryTypes()).Draw(t, "type")
		for range rapid.IntRange(0, protocol.MaxFilters).Draw(t, "filters") {
			q.Filters = append(q.Filters, protocol.Filter{Field: rapid.StringOfN(rapid.RuneFrom([]rune("abc_")), 1, protocol.MaxFilterField, -1).Draw(t, "field"), Operator: protocol.OpEquals,
				Value: rapid.StringOfN(rapid.RuneFrom([]rune("abc ,0-9'\"")), 0, protocol.MaxFilterValue, -1).Draw(t, "value")})
		}
		unchanged(t, queryMessage, protocol.SignQuery, q)
	})
}

func TestEveryQueryResponseSurvivesTheWire(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := aResponse(rapid.Uint64Range(1, protocol.MaxCount).Draw(t, "total"))
		r.Reason = rapid.StringOfN(rapid.RuneFrom([]rune("abc ,0-9'\"")), 0, protocol.MaxReason, -1).Draw(t, "reason")
		unchanged(t, responseMessage, protocol.SignResponse, r)
	})
}

func TestEveryQueryReceiptSurvivesTheWire(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := aReceipt(rapid.String().Draw(t, "response"))
		r.Timestamp = protocol.Timestamp(rapid.Int64().Draw(t, "time"))
		unchanged(t, receiptMessage, protocol.SignReceipt, r)
	})
}

func unchanged[T any](t *rapid.T, m wiretest.Message, sign func(T, protocol.Signer, time.Time) ([]byte, error), v T) {
	b, err := sign(v, wiretest.Sender{}, wiretest.Now)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := m.Reread(b); err != nil || !bytes.Equal(again, b) {
		t.Fatalf("%x became %x (%v)", b, again, err)
	}
}

func TestTheDocumentDescribesThisProtocol(t *testing.T) {
	document := wiretest.Document(t, "../..")
	wiretest.Row(t, document, "`"+ID+"`", rules.Rate, rules.Burst, rules.PerPeer, rules.Total)
}
