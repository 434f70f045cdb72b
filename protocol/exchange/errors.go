package exchange

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"

	"github.com/libp2p/go-libp2p/core/network"
	libp2p "github.com/libp2p/go-libp2p/core/protocol"
	multistream "github.com/multiformats/go-multistream"

	"github.com/caro-mesh/caro-node/protocol"
)

// Errors of an exchange, on the side that refuses and on the side that is refused.
var (
	// ErrNotConnected means that there is no connection to the peer; it is tried again by who keeps connections.
	ErrNotConnected = errors.New("the peer is not connected")
	// ErrNotAdmitted means that no Hello was accepted on the connection yet; say Hello first.
	ErrNotAdmitted = errors.New("hello has not been accepted yet")
	// ErrRateLimited means that the peer asks more often than it may; ask later.
	ErrRateLimited = errors.New("too many requests")
	// ErrBusy means that too many exchanges are under way; ask later.
	ErrBusy = errors.New("too many requests at once")
	// ErrClosing means that the node that was asked is stopping.
	ErrClosing = errors.New("the node is stopping")
	// ErrViolation means that the peer says our message broke the protocol; both ends' versions should be compared.
	ErrViolation = errors.New("the peer refused the message as a violation of the protocol")
	// ErrUnsupported means that the peer does not speak the protocol; one of the two should be updated.
	ErrUnsupported = errors.New("the peer does not speak this protocol")
	// ErrNoAnswer means that the peer broke the exchange off without a reason.
	ErrNoAnswer = errors.New("the peer broke off without an answer")
)

// Refusal tells which peer was refused and why.
type Refusal struct {
	Peer     protocol.NodeID // empty when the peer's key is not Ed25519
	Addr     netip.Addr      // zero without IP
	Protocol string
	Err      error
	// Unreported counts refusals, of whatever peer, that were not reported since the last report, because their peers
	// caused too many.
	Unreported uint64
	// CutOff tells that the peer has caused so many hostile refusals that its connections are closed now.
	CutOff bool
}

// farewell is a refusal that the peer is told about before the connection ends.
type farewell struct {
	answer []byte
	cause  error
}

func (f *farewell) Error() string { return f.cause.Error() }
func (f *farewell) Unwrap() error { return f.cause }

// Farewell makes a handler's refusal that the peer is told: answer (an encoded payload) is sealed and sent, cause is
// counted and reported, and then the connection is closed.
func Farewell(answer []byte, cause error) error { return &farewell{answer: answer, cause: cause} }

// codeOf is all that a refused peer learns: a number that tells whose turn it is to change something.
func codeOf(err error) network.StreamErrorCode {
	switch {
	case errors.Is(err, ErrRateLimited):
		return network.StreamRateLimited
	case errors.Is(err, ErrBusy), errors.Is(err, network.ErrResourceLimitExceeded):
		return network.StreamResourceLimitExceeded
	case errors.Is(err, ErrNotAdmitted):
		return network.StreamGated
	case errors.Is(err, ErrClosing):
		return network.StreamShutdown
	case Refusal{Err: err}.Hostile(), errors.Is(err, protocol.ErrVersion), errors.Is(err, protocol.ErrClockSkew):
		return network.StreamProtocolViolation
	}
	return network.StreamNoError
}

// errorOf turns what the client's stream says into one of the errors above.
func errorOf(err error) error {
	var reset *network.StreamError
	var closed *network.ConnError
	var unsupported multistream.ErrNotSupported[libp2p.ID]
	switch {
	case errors.As(err, &unsupported):
		return fmt.Errorf("%w: %w", ErrUnsupported, err)
	case errors.As(err, &reset) && reset.Remote:
		return fmt.Errorf("%w: %w", sentinelOf(reset.ErrorCode), err)
	case late(err):
		return fmt.Errorf("%w: %w", context.DeadlineExceeded, err)
	case errors.As(err, &closed), errors.Is(err, network.ErrReset), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%w: %w", ErrNoAnswer, err)
	}
	return err
}

// late reports that a stream's deadline has passed.
func late(err error) bool {
	var timeout net.Error
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout()
}

func sentinelOf(code network.StreamErrorCode) error {
	switch code {
	case network.StreamRateLimited:
		return ErrRateLimited
	case network.StreamResourceLimitExceeded:
		return ErrBusy
	case network.StreamGated:
		return ErrNotAdmitted
	case network.StreamShutdown:
		return ErrClosing
	case network.StreamProtocolViolation:
		return ErrViolation
	case network.StreamProtocolNegotiationFailed:
		return ErrUnsupported
	default:
		return ErrNoAnswer
	}
}

// remote reports whether err is the peer's refusal of us, which is not the peer's fault.
func remote(err error) bool {
	var reset *network.StreamError
	return errors.As(err, &reset) && reset.Remote
}
