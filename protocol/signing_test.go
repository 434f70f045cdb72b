package protocol

import (
	"bytes"
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"strings"
	"testing"
	"time"
)

// The layout of a signed message from the package comment, written out with nothing but append.
func TestSignedMessageFollowsTheSpecificationByteForByte(t *testing.T) {
	q := &MeshQuery{QueryID: "01939f2e-6c00-7000-8000-0000000000cc", Requester: anna.NodeID(), QueryType: QueryNodeHealth,
		TimeRange: TimeRange{Start: 0, End: Timestamp(time.Hour)}, Filters: []Filter{{Field: "category", Operator: OpEquals, Value: "git"}}}
	textOf := func(s string) []byte {
		if len(s) < 24 {
			return append([]byte{0x60 | byte(len(s))}, s...)
		}
		return append([]byte{0x78, byte(len(s))}, s...)
	}
	body := bytes.Join([][]byte{
		{0xa5, 0x01}, textOf(q.QueryID), {0x02}, textOf(string(q.Requester)), {0x03}, textOf("node_health"),
		{0x04, 0xa2, 0x01, 0x00, 0x02, 0x1b, 0x00, 0x00, 0x03, 0x46, 0x30, 0xb8, 0xa0, 0x00}, // an hour is 3,600,000,000,000 ns
		{0x05, 0x81, 0xa3, 0x01}, textOf("category"), {0x02}, textOf("equals"), {0x03}, textOf("git"),
	}, nil)
	fingerprint, moment := textOf(string(anna.NodeID().Fingerprint())), binary.BigEndian.AppendUint64([]byte{0x1b}, uint64(fixedNow.UnixNano()))
	bodyString := append([]byte{0x58, byte(len(body))}, body...)
	if len(body) > 255 {
		bodyString = append([]byte{0x59, byte(len(body) >> 8), byte(len(body))}, body...)
	}
	signature := ed25519.Sign(anna.private, bytes.Join([][]byte{[]byte("caro-mesh query v1\x00"), {0x83}, bodyString, fingerprint, moment}, nil))
	wire := bytes.Join([][]byte{{0xa2, 0x01}, bodyString, {0x02, 0xa3, 0x01}, fingerprint, {0x02, 0x58, 0x40}, signature, {0x03}, moment}, nil)

	if got := must(SignQuery(q, anna, fixedNow)); !bytes.Equal(got, wire) {
		t.Errorf("signed as\n%x, by hand\n%x", got, wire)
	}
	if _, err := OpenQuery(wire); err != nil {
		t.Error(err)
	}
}

// signable is a message that carries its own signature.
type signable struct {
	sign func(Signer, time.Time) ([]byte, error)
	open func([]byte) (*Signature, error)
}

func signables() map[string]signable {
	s, q, r, c, h := summaryFixture(), queryFixture(), responseFixtures()["tool usage"], receiptFixture(), healthFixture()
	return map[string]signable{
		"summary": {func(k Signer, now time.Time) ([]byte, error) { return SignSummary(s, k, now) }, func(b []byte) (*Signature, error) {
			s, err := OpenSummary(b)
			if err != nil {
				return nil, err
			}
			return s.Signature, nil
		}},
		"query": {func(k Signer, now time.Time) ([]byte, error) { return SignQuery(q, k, now) }, func(b []byte) (*Signature, error) {
			q, err := OpenQuery(b)
			if err != nil {
				return nil, err
			}
			return q.Signature, nil
		}},
		"response": {func(k Signer, now time.Time) ([]byte, error) { return SignResponse(r, k, now) }, func(b []byte) (*Signature, error) {
			r, err := OpenResponse(b)
			if err != nil {
				return nil, err
			}
			return r.Signature, nil
		}},
		"receipt": {func(k Signer, now time.Time) ([]byte, error) { return SignReceipt(c, k, now) }, func(b []byte) (*Signature, error) {
			c, err := OpenReceipt(b)
			if err != nil {
				return nil, err
			}
			return c.Signature, nil
		}},
		"health": {func(k Signer, _ time.Time) ([]byte, error) { return SignHealth(h, k) }, func(b []byte) (*Signature, error) {
			h, err := OpenHealth(b, nil)
			if err != nil {
				return nil, err
			}
			return h.Signature, nil
		}},
	}
}

func TestAnyAlteredByteOfASignedMessageIsRefused(t *testing.T) {
	for name, m := range signables() {
		t.Run(name, func(t *testing.T) {
			refusesAlterations(t, must(m.sign(anna, fixedNow)), func(b []byte) error {
				_, err := m.open(b)
				return err
			})
		})
	}
}

func TestSignatureTellsSignerAndTime(t *testing.T) {
	for name, m := range signables() {
		sig, err := m.open(must(m.sign(anna, fixedNow)))
		if err != nil || sig.Signer != anna.NodeID().Fingerprint() || sig.Timestamp != At(fixedNow) {
			t.Errorf("%s: %+v, %v", name, sig, err)
		}
	}
}

func TestNobodySignsForAnother(t *testing.T) {
	for name, m := range signables() {
		if wire, err := m.sign(bob, fixedNow); err == nil || wire != nil || !strings.Contains(err.Error(), string(bob.NodeID().Fingerprint())) {
			t.Errorf("%s of anna, signed by bob: %v", name, err)
		}
	}
}

func TestBrokenKeyIsReported(t *testing.T) {
	cause := errors.New("token was removed")
	for name, m := range signables() {
		if wire, err := m.sign(brokenKey{anna, cause}, fixedNow); !errors.Is(err, cause) || wire != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestOneKindOfMessageIsNotTakenForAnother(t *testing.T) {
	for name, m := range signables() {
		wire := must(m.sign(anna, fixedNow))
		for other, o := range signables() {
			if _, err := o.open(wire); (err == nil) != (name == other) {
				t.Errorf("%s opened as %s: %v", name, other, err)
			}
		}
	}
}

func TestContextsShareNoPrefix(t *testing.T) {
	contexts := []string{contextEnvelope, contextSummary, contextQuery, contextResponse, contextReceipt, contextHealth, contextEndorsed, contextAccepted}
	for i, a := range contexts {
		for j, b := range contexts {
			if i != j && strings.HasPrefix(a, b) {
				t.Errorf("%q begins with %q", a, b)
			}
		}
		if strings.Count(a, "\x00") != 1 || !strings.HasSuffix(a, "\x00") {
			t.Errorf("%q does not end in its only NUL", a)
		}
	}
}
