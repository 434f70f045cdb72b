package discovery

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"

	"github.com/libp2p/go-libp2p/core/sec"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"

	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/protocol/exchange"
	"github.com/caro-mesh/caro-node/protocol/hello"
)

// verdict says how things stand after an attempt that failed with err, while they stood as before says.
func verdict(err error, before State) (Status, string) {
	var refused *hello.RefusedError
	var own *hello.DeniedError
	var skew *protocol.SkewError
	switch {
	case errors.As(err, &refused):
		return StatusRefused, "it says: " + refused.Reason // which speaks of itself as "this node"
	case errors.As(err, &own):
		return StatusNotTrusted, own.Reason
	case errors.As(err, &skew):
		if before.Status == StatusRefused && strings.HasPrefix(before.Reason, protocol.ErrClockSkew.Error()) {
			return StatusRefused, before.Reason // still; the clocks as they were when it began
		}
		return StatusRefused, skew.Error()
	case cut(err) && before.Status == StatusRefused:
		return before.Status, before.Reason // it does not explain itself every time
	}
	return StatusOffline, sentence(err)
}

// cut reports that the other node closed the connection without a word, as gates do.
func cut(err error) bool {
	for _, e := range []error{exchange.ErrNotConnected, exchange.ErrNoAnswer, io.EOF, syscall.ECONNRESET, syscall.EPIPE} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// sentence turns the error of an attempt into one sentence that says what a person can do; libp2p's own take several
// lines.
func sentence(err error) string {
	var failed *swarm.DialError
	if errors.As(err, &failed) && len(failed.DialErrors) > 0 {
		var parts []string
		for _, d := range failed.DialErrors {
			parts = append(parts, fmt.Sprintf("%s: %s", d.Address, cause(d.Cause)))
		}
		return strings.Join(parts, "; ")
	}
	return cause(err)
}

func cause(err error) string {
	var other sec.ErrPeerIDMismatch
	switch {
	case errors.As(err, &other):
		return "another node answers there: " + nameOf(other)
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nobody listens there (is caro-node running?)"
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return "the machine cannot be reached"
	case errors.Is(err, swarm.ErrGaterDisallowedConnection):
		return "not trusted here at this address, or cut off within the last minute"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return "no answer in time"
	case cut(err):
		return "it closed the connection without a word; it may not trust this node"
	}
	return strings.Join(strings.Fields(err.Error()), " ")
}

func nameOf(e sec.ErrPeerIDMismatch) string {
	id, err := protocol.NodeIDFromPeerID(e.Actual)
	if err != nil {
		return e.Actual.String()
	}
	return fmt.Sprintf("%s (%s)", id, id.Fingerprint())
}
