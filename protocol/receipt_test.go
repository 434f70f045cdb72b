package protocol

import (
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestAReceiptCoversItsAnswerAndNoOther(t *testing.T) {
	response := []byte("a response of bob")
	r := receiptFixture()
	if err := r.Covers(r.QueryID, anna.NodeID(), bob.NodeID(), response); err != nil {
		t.Error(err)
	}
	other := newTestKey(3).NodeID()
	for want, got := range map[string]error{
		"is for query":               r.Covers("01939f2e-6c00-7000-8000-0000000000bc", anna.NodeID(), bob.NodeID(), response),
		"the query was of":           r.Covers(r.QueryID, other, bob.NodeID(), response),
		"for an answer of":           r.Covers(r.QueryID, anna.NodeID(), other, response),
		"other bytes than were sent": r.Covers(r.QueryID, anna.NodeID(), bob.NodeID(), append(response, '.')),
	} {
		if got == nil || !strings.Contains(got.Error(), want) {
			t.Errorf("want an error with %q, got %v", want, got)
		}
		if !errors.Is(got, ErrMalformed) && !errors.Is(got, ErrSender) {
			t.Errorf("%v does not tell a violation", got)
		}
	}
}

func TestAReceiptCoversNoAnswerWithAnyByteChanged(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		response := rapid.SliceOfN(rapid.Byte(), 1, 2000).Draw(t, "response")
		r := receiptFixture()
		r.Response = DigestOfResponse(response)
		if err := r.Covers(r.QueryID, r.Requester, r.Responder, response); err != nil {
			t.Fatal(err)
		}
		response[rapid.IntRange(0, len(response)-1).Draw(t, "at")] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		if err := r.Covers(r.QueryID, r.Requester, r.Responder, response); !errors.Is(err, ErrMalformed) {
			t.Fatalf("got %v", err)
		}
	})
}

func TestContradictionsInAReceiptAreNamed(t *testing.T) {
	for want, edit := range map[string]func(*QueryReceipt){
		"query ID":           func(r *QueryReceipt) { r.QueryID = "" },
		"not a node ID":      func(r *QueryReceipt) { r.Responder += "=" },
		"its own response":   func(r *QueryReceipt) { r.Responder = r.Requester },
		"without the digest": func(r *QueryReceipt) { r.Response = ResponseDigest{} },
	} {
		r := receiptFixture()
		edit(r)
		if err := r.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error with %q, got %v", want, err)
		}
		if wire, err := SignReceipt(r, anna, fixedNow); err == nil || wire != nil || r.Signature != nil {
			t.Errorf("%s: it can be signed", want)
		}
	}
}

func TestResponseDigestsAreReadAsTheyAreWritten(t *testing.T) {
	d, again := DigestOfResponse([]byte("x")), ResponseDigest{}
	if err := again.UnmarshalText([]byte(d.String())); err != nil || again != d {
		t.Errorf("%s became %s, %v", d, again, err)
	}
	for _, bad := range []string{"", "00", strings.Repeat("0", 63), strings.Repeat("g", 64), strings.Repeat("0", 66)} {
		if err := again.UnmarshalText([]byte(bad)); err == nil || again != d {
			t.Errorf("%q was read", bad)
		}
	}
}
