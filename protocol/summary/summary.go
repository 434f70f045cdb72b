package summary

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"
	"golang.org/x/time/rate"

	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/protocol/exchange"
)

// ID is the protocol's name on streams.
const ID = "/caro/summary/1.0.0"

// Status says what became of a pushed summary.
type Status string

// Statuses of a SummaryAck.
const (
	StatusAccepted  Status = "accepted"
	StatusDuplicate Status = "duplicate" // the same bytes were accepted before
	StatusRefused   Status = "refused"
)

// Code says in one word why a summary was refused, for the node that pushed it.
type Code string

// Codes of refusals. Only CodeOutOfOrder and CodeFull are no judgement of the summary.
const (
	CodeDenied     Code = "denied"       // the policy does not let the node connect
	CodeKey        Code = "key"          // another key signed it, which is not known to be the node's
	CodeFuture     Code = "future"       // its period has not ended
	CodeEarly      Code = "early"        // it was made before its period had ended
	CodeOld        Code = "old"          // its period ended longer ago than anybody may ask for
	CodeConflict   Code = "conflict"     // it contradicts another one of the node
	CodeOutOfOrder Code = "out_of_order" // another summary of the period is current than the one that it replaces
	CodeFull       Code = "full"         // as many bytes are kept of the node as are kept of one
)

var codes = []Code{CodeDenied, CodeKey, CodeFuture, CodeEarly, CodeOld, CodeConflict, CodeOutOfOrder, CodeFull}

// Verdict is what a receiver says about a pushed summary.
type Verdict struct {
	Status Status
	Code   Code   // with [StatusRefused] only; may be empty
	Reason string // one sentence, with [StatusRefused] only
}

// ack is SummaryAck.
type ack struct {
	SummaryID string `cbor:"1,keyasint"`
	Status    Status `cbor:"2,keyasint"`
	Reason    string `cbor:"3,keyasint,omitempty"`
	Code      Code   `cbor:"4,keyasint,omitempty"`
}

// Validate requires a reason exactly with a refusal, and allows a code there only.
func (a *ack) Validate() error {
	if u, err := uuid.Parse(a.SummaryID); err != nil || u.String() != a.SummaryID {
		return fmt.Errorf("summary ID %q is not a UUID", a.SummaryID)
	}
	if err := protocol.CheckText("reason", a.Reason, protocol.MaxReason); err != nil {
		return err
	}
	switch a.Status {
	case StatusAccepted, StatusDuplicate:
		if a.Reason != "" || a.Code != "" {
			return errors.New("an accepting answer has neither reason nor code")
		}
		return nil
	case StatusRefused:
		if a.Reason == "" {
			return errors.New("a refusing answer needs a reason")
		}
		if a.Code != "" && !slices.Contains(codes, a.Code) {
			return fmt.Errorf("unknown code %q", string(a.Code))
		}
		return nil
	}
	return fmt.Errorf("unknown status %q", string(a.Status))
}

// Accept takes a verified summary of the node from, or of one of its former keys; wire are its signed bytes. The verdict is
// told to the node. An error breaks off without a word, so that the node pushes again later.
type Accept func(ctx context.Context, from exchange.From, s *protocol.NodeSummary, wire []byte) (Verdict, error)

// A node pushes one summary an hour and one a day. After a week offline that is 175 at once: a burst of 64, then two a
// second, so below a minute. 32 at once hold at most 32 × 260 KiB, about 8 MiB.
var rules = exchange.Rules{
	Protocol: ID,
	Request:  protocol.MsgSummaryPush,
	Answer:   protocol.MsgSummaryAck,
	Rate:     rate.Limit(2), Burst: 64, PerPeer: 4, Total: 32,
}

// Serve receives summaries until the returned server is closed. Each node pushes its own; former reports that the node by
// says, with the signatures of both keys, that it was the node of before a rotation. Then accept is asked, and has to look
// whether that is believed. Nil means that nobody was anybody.
func Serve(e *exchange.Endpoint, former func(of, by protocol.NodeID) bool, accept Accept) *exchange.Server {
	return e.Serve(rules, func(ctx context.Context, from exchange.From, payload []byte) ([]byte, error) {
		s, err := protocol.OpenSummary(payload)
		if err != nil {
			return nil, err
		}
		if err := s.FitsPeriod(); err != nil {
			return nil, fmt.Errorf("%w: %w", protocol.ErrMalformed, err)
		}
		if s.NodeID != from.ID && (former == nil || !former(s.NodeID, from.ID)) {
			return nil, fmt.Errorf("%w: it pushed a summary of %s", protocol.ErrSender, s.NodeID.Fingerprint())
		}
		v, err := accept(ctx, from, s, payload)
		if err != nil {
			return nil, err
		}
		a := ack{SummaryID: s.ID, Status: v.Status, Reason: v.Reason, Code: v.Code}
		if err := a.Validate(); err != nil {
			return nil, fmt.Errorf("our own answer: %w", err)
		}
		return protocol.Encode(&a)
	})
}

// Push hands the signed bytes of the summary id to a connected node and returns what it did with them. For errors see
// [exchange.Endpoint.Ask]; after one, pushing again is safe.
func Push(ctx context.Context, e *exchange.Endpoint, to protocol.NodeID, id string, wire []byte) (Verdict, error) {
	answer, err := e.Ask(ctx, to, rules, wire)
	if err != nil {
		return Verdict{}, err
	}
	var a ack
	if err := protocol.Decode(answer.Payload, &a); err != nil {
		return Verdict{}, e.Blame(answer, rules, err)
	}
	if a.SummaryID != id {
		return Verdict{}, e.Blame(answer, rules, fmt.Errorf("%w: answered for summary %s instead of %s", protocol.ErrMalformed, a.SummaryID, id))
	}
	return Verdict{Status: a.Status, Code: a.Code, Reason: a.Reason}, nil
}
