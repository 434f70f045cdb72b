package protocol

import (
	"bytes"
	"errors"
	"testing"
)

// seed adds every golden and every refused vector of a kind to the corpus.
func seed(f *testing.F, kind string) {
	f.Helper()
	if kind != "frame" {
		for _, wire := range vectors(f, kind) {
			f.Add(wire)
		}
	}
	var refused []refusal
	readJSON(f, vectorPath("refused"), &refused)
	for _, r := range refused {
		if r.Kind == kind {
			f.Add([]byte(r.Wire))
		}
	}
}

// isRefusal reports whether err is one of the documented errors of reading a message.
func isRefusal(err error) bool {
	for _, known := range refusalErrors {
		if errors.Is(err, known) {
			return true
		}
	}
	return errors.Is(err, ErrNonce) || errors.Is(err, ErrNonceQuota)
}

func FuzzOpenEnvelope(f *testing.F) {
	seed(f, "envelope")
	f.Fuzz(func(t *testing.T, data []byte) {
		o := NewOpener(clock)
		e, err := o.Open(data, MaxSummary, anna.NodeID(), MsgSummaryPush, MsgQuery)
		if err != nil {
			if e != nil || !isRefusal(err) {
				t.Fatalf("%+v, %v", e, err)
			}
			return
		}
		if again := must(Encode(e)); !bytes.Equal(again, data) || e.Sender != anna.NodeID() || e.Skew(fixedNow).Abs() > MaxSkew {
			t.Fatalf("accepted %+v, which encodes to %x", e, again)
		}
		if _, err := o.Open(data, MaxSummary, anna.NodeID(), MsgSummaryPush, MsgQuery); !errors.Is(err, ErrSequence) {
			t.Fatalf("accepted a second time: %v", err)
		}
	})
}

// fuzzSigned fuzzes the reader of a signed message: first with the bytes as they are, then with them as a body that is
// properly signed, so that the decoder behind the signature is reached.
func fuzzSigned[T any](f *testing.F, kind, context string, open func([]byte) (*T, error), sign func(*T) ([]byte, error)) {
	seed(f, kind)
	for _, wire := range vectors(f, kind) {
		f.Add(must(bodyOf(wire)))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, wire := range [][]byte{data, signBytes(context, data, anna)} {
			v, err := open(wire)
			if err != nil {
				if v != nil || !isRefusal(err) {
					t.Fatalf("%+v, %v", v, err)
				}
				continue
			}
			again, err := sign(v)
			if err != nil {
				t.Fatalf("accepted %+v, which cannot be signed: %v", v, err)
			}
			if !bytes.Equal(must(bodyOf(again)), must(bodyOf(wire))) {
				t.Fatalf("accepted %x, which encodes to %x", wire, again)
			}
		}
	})
}

func bodyOf(wire []byte) ([]byte, error) {
	var s signed
	err := Decode(wire, &s)
	return s.Body, err
}

func FuzzSummaryPush(f *testing.F) {
	fuzzSigned(f, "summary", contextSummary, OpenSummary, func(s *NodeSummary) ([]byte, error) { return SignSummary(s, anna, fixedNow) })
}

func FuzzQuery(f *testing.F) {
	fuzzSigned(f, "query", contextQuery, OpenQuery, func(q *MeshQuery) ([]byte, error) { return SignQuery(q, anna, fixedNow) })
}

func FuzzQueryResponse(f *testing.F) {
	fuzzSigned(f, "response", contextResponse, OpenResponse, func(r *MeshResponse) ([]byte, error) { return SignResponse(r, anna, fixedNow) })
}

func FuzzQueryReceipt(f *testing.F) {
	fuzzSigned(f, "receipt", contextReceipt, OpenReceipt, func(r *QueryReceipt) ([]byte, error) { return SignReceipt(r, anna, fixedNow) })
}

func FuzzOpenHealth(f *testing.F) {
	fuzzSigned(f, "health", contextHealth, func(b []byte) (*NodeHealthStatus, error) { return OpenHealth(b, nil) },
		func(h *NodeHealthStatus) ([]byte, error) { return SignHealth(h, anna) })
}

func FuzzReadFrame(f *testing.F) {
	seed(f, "frame")
	f.Add([]byte("\x05hello"))
	f.Add([]byte("\x80\x01" + string(make([]byte, 128))))
	f.Fuzz(func(t *testing.T, data []byte) {
		const limit = 1 << 16
		r := bytes.NewReader(data)
		frame, err := ReadFrame(r, limit)
		if err != nil {
			if frame != nil {
				t.Fatalf("%d bytes together with %v", len(frame), err)
			}
			return
		}
		var again bytes.Buffer
		if err := WriteFrame(&again, frame); err != nil {
			t.Fatal(err)
		}
		if consumed := data[:len(data)-r.Len()]; len(frame) > limit || !bytes.Equal(again.Bytes(), consumed) {
			t.Fatalf("%x was read as a frame that is written as %x", consumed, again.Bytes())
		}
	})
}
