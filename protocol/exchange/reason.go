package exchange

import (
	"context"
	"errors"
	"io"
	"slices"

	"github.com/libp2p/go-libp2p/core/network"

	"github.com/caro-mesh/caro-node/protocol"
)

// Reason names in one word why something was refused or failed, for counters.
type Reason string

// What is left when no error of the table applies.
const (
	// ReasonDeclined: a handler said no in words that the peer was told: policy, version.
	ReasonDeclined Reason = "declined"
	// ReasonFailed: an error of this node's own.
	ReasonFailed Reason = "failed"
)

// reasons are tried in this order. Those that show intent (or a broken implementation) come first; what follows is bad
// luck: a late packet, a wrong clock, an older version, a node that is busy.
var reasons = []struct {
	reason  Reason
	err     error
	hostile bool
}{
	{"too_large", protocol.ErrTooLarge, true},
	{"frame", protocol.ErrFrame, true},
	{"magic", protocol.ErrMagic, true},
	{"malformed", protocol.ErrMalformed, true},
	{"not_deterministic", protocol.ErrNotDeterministic, true},
	{"type", protocol.ErrType, true},
	{"sender", protocol.ErrSender, true},
	{"sequence", protocol.ErrSequence, true},
	{"nonce", protocol.ErrNonce, true},
	{"nonce_quota", protocol.ErrNonceQuota, true},
	{"signer", protocol.ErrSigner, true},
	{"signature", protocol.ErrSignature, true},
	{"rate", ErrRateLimited, true},
	{"not_admitted", ErrNotAdmitted, true},

	{"too_old", protocol.ErrTooOld, false},
	{"from_future", protocol.ErrFromFuture, false},
	{"version", protocol.ErrVersion, false},
	{"busy", ErrBusy, false},
	{"closing", ErrClosing, false},
	{"too_late", context.DeadlineExceeded, false},
	{"gone", ErrNotConnected, false},
	{"broken_off", network.ErrReset, false},
	{"broken_off", io.EOF, false},
	{"broken_off", io.ErrUnexpectedEOF, false},
}

// Reasons returns every reason, in the order in which they are tried.
func Reasons() []Reason {
	var out []Reason
	for _, r := range reasons {
		if !slices.Contains(out, r.reason) {
			out = append(out, r.reason)
		}
	}
	return append(out, ReasonDeclined, ReasonFailed)
}

// reasonOf finds the first reason of the table that err is.
func reasonOf(err error) (r Reason, hostile bool) {
	for _, r := range reasons {
		if errors.Is(err, r.err) {
			return r.reason, r.hostile
		}
	}
	var bye *farewell
	if errors.As(err, &bye) {
		return ReasonDeclined, false
	}
	return ReasonFailed, false
}

// Reason names why in one word.
func (r Refusal) Reason() Reason {
	reason, _ := reasonOf(r.Err)
	return reason
}

// Hostile reports whether the refusal shows intent (or a broken implementation), rather than bad luck. Hostile refusals
// are worth an audit record.
func (r Refusal) Hostile() bool {
	_, hostile := reasonOf(r.Err)
	return hostile
}

// Refused returns how many messages of peers were refused since the start, requests and answers, for each of [Reasons].
func (e *Endpoint) Refused() map[Reason]uint64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	out := make(map[Reason]uint64)
	for _, r := range Reasons() {
		out[r] = e.refusals[r]
	}
	return out
}
