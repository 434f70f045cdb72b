package exchange

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/libp2p/go-libp2p/core/network"

	"github.com/caro-mesh/caro-node/protocol"
)

// Answer is a checked answer.
type Answer struct {
	Payload []byte
	From    From
	// Sent and Received are the moments (machine's clock, monotonic) between which the peer had the question.
	Sent, Received time.Time
	// Timestamp is when the peer sealed the answer, by its own clock.
	Timestamp time.Time
}

// Ask sends payload to a connected peer and returns its answer, opened and verified to come from it. It never dials.
// Cancelling ctx breaks the stream off at once; the answer is waited for at most until ctx's deadline or
// [Config.Timeout]. Where the rules name no answer, it returns without payload once the peer has taken the request. Errors: those of this package, protocol's refusals for a bad answer, context errors.
func (e *Endpoint) Ask(ctx context.Context, to protocol.NodeID, r Rules, payload []byte) (*Answer, error) {
	return e.askCounted(ctx, to, r, payload, nil)
}

func (e *Endpoint) askCounted(ctx context.Context, to protocol.NodeID, r Rules, payload []byte, receipt func(*Answer) ([]byte, error)) (*Answer, error) {
	r = r.complete()
	ctx, cancel := context.WithTimeout(ctx, e.c.Timeout)
	defer cancel()
	a, err := e.ask(ctx, to, r, payload, receipt)
	name := string(r.Protocol)
	if err == nil {
		e.count(name, func(c *Count) { c.Asked++ })
		return a, nil
	}
	e.count(name, func(c *Count) { c.Failed++ })
	if ctx.Err() != nil { // the stream's own error only says that we reset it
		return nil, fmt.Errorf("ask %s on %s: %w", to.Fingerprint(), name, ctx.Err())
	}
	return nil, fmt.Errorf("ask %s on %s: %w", to.Fingerprint(), name, err)
}

func (e *Endpoint) ask(ctx context.Context, to protocol.NodeID, r Rules, payload []byte, receipt func(*Answer) ([]byte, error)) (*Answer, error) {
	pid, err := to.PeerID()
	if err != nil {
		return nil, err
	}
	if e.c.Host.Network().Connectedness(pid) != network.Connected {
		return nil, ErrNotConnected
	}
	if !r.BeforeHello && !e.c.Admitted(ctx, to) {
		return nil, ErrNotAdmitted
	}
	st, err := e.c.Host.NewStream(network.WithNoDial(ctx, "protocols use connections, discovery makes them"), pid, r.Protocol)
	if err != nil {
		if e.c.Host.Network().Connectedness(pid) != network.Connected {
			return nil, fmt.Errorf("%w: %w", ErrNotConnected, err)
		}
		return nil, errorOf(err)
	}
	stop := context.AfterFunc(ctx, func() { _ = st.Reset() })
	defer stop()
	a, err := e.converse(ctx, st, to, r, payload)
	if err == nil && receipt != nil {
		err = e.sendReceipt(st, r, a, receipt)
	}
	if err != nil {
		_ = st.ResetWithError(codeOf(err))
		return nil, err
	}
	_ = st.Close() // tells the peer that the answer was read; nothing depends on it
	return a, nil
}

func (e *Endpoint) converse(ctx context.Context, st network.Stream, to protocol.NodeID, r Rules, payload []byte) (*Answer, error) {
	deadline, _ := ctx.Deadline()
	if err := st.SetDeadline(deadline); err != nil {
		return nil, fmt.Errorf("set the deadline: %w", err)
	}
	from, err := fromConn(st.Conn())
	if err != nil {
		return nil, err
	}
	release, err := reserve(st, r)
	if err != nil {
		return nil, err
	}
	defer release()
	sealed, err := e.c.Sealer.Seal(r.Request, payload)
	if err != nil {
		return nil, err
	}
	if len(sealed) > r.RequestLimit {
		return nil, fmt.Errorf("%w: our own %s has %d bytes, limit %d", protocol.ErrTooLarge, r.Request, len(sealed), r.RequestLimit)
	}
	sent := time.Now()
	if err := protocol.WriteFrame(st, sealed); err != nil {
		return nil, errorOf(err)
	}
	data, err := protocol.ReadFrame(st, r.AnswerLimit)
	received := time.Now()
	if r.Answer == 0 && errors.Is(err, io.EOF) {
		return &Answer{From: from, Sent: sent, Received: received}, nil
	}
	if err != nil {
		return nil, e.blame(from, r, errorOf(err))
	}
	env, err := e.open(data, r.AnswerLimit, to, r.Answer)
	if err != nil {
		return nil, e.blame(from, r, err)
	}
	from.Skew = env.Skew(e.c.Now())
	return &Answer{Payload: env.Payload, From: from, Sent: sent, Received: received, Timestamp: env.Timestamp.Time()}, nil
}

// Blame reports an answer whose content the protocol refused, and returns err.
func (e *Endpoint) Blame(a *Answer, r Rules, err error) error { return e.blame(a.From, r, err) }

// blame reports a bad answer as the peer's doing.
func (e *Endpoint) blame(from From, r Rules, err error) error {
	if ref := (Refusal{Peer: from.ID, Addr: from.Addr, Protocol: string(r.Protocol), Err: err}); ref.Hostile() && !remote(err) {
		e.refused(ref)
	}
	return err
}
