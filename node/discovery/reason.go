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
	"github.com/caro-mesh/caro-node/protocol/hello"
)

// refusal returns what the other node said, when it refused.
func refusal(err error) (string, bool) {
	var refused *hello.RefusedError
	if errors.As(err, &refused) {
		return refused.Reason, true
	}
	return "", false
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
		return "not trusted here at this address"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return "no answer in time"
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "it closed the connection during the handshake; it may not trust this node"
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
