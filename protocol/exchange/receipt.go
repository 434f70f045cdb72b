package exchange

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/libp2p/go-libp2p/core/network"

	"github.com/caro-mesh/caro-node/protocol"
)

const (
	// receiptWait is how long an answered exchange waits for its receipt. The asker only has to verify what it got, so that
	// most of this time is for a slow network.
	receiptWait = 5 * time.Second
	// owedPerSlot is how many answered exchanges may wait for each that may be under way, so that peers which owe receipts
	// take no slot from those that ask. One holds a stream and about 1 KiB. Where there is no place, it is not waited.
	owedPerSlot = 4
)

// Receipted answers one request like a [Handler], and says what to do with the receipt for that very answer. A nil taken
// means that no receipt is waited for. The payload that taken gets was sealed by the peer, but is neither decoded nor
// verified; an error of taken is held against the peer where it shows intent, and takes nothing back.
type Receipted func(ctx context.Context, from From, payload []byte) (answer []byte, taken func(ctx context.Context, receipt []byte) error, err error)

// ServeReceipted is [Endpoint.Serve] for a protocol whose Rules name a receipt. The peer may leave the receipt out.
func (e *Endpoint) ServeReceipted(r Rules, h Receipted) *Server {
	return e.serve(r, h, nil)
}

// AskReceipted is [Endpoint.Ask] for a protocol whose Rules name a receipt: it gives the answer to receipt, which verifies it
// and returns the payload of the receipt that is sent back. With an error of receipt the
// exchange is broken off. That the receipt arrived is not known, and an answer stands without it.
func (e *Endpoint) AskReceipted(ctx context.Context, to protocol.NodeID, r Rules, payload []byte, receipt func(*Answer) ([]byte, error)) (*Answer, error) {
	return e.askCounted(ctx, to, r, payload, receipt)
}

// sendReceipt seals what receipt makes of the answer and hands it to the stream. Only an error of receipt itself counts.
func (e *Endpoint) sendReceipt(st network.Stream, r Rules, a *Answer, receipt func(*Answer) ([]byte, error)) error {
	payload, err := receipt(a)
	if err != nil {
		return err
	}
	sealed, err := e.c.Sealer.Seal(r.Receipt, payload)
	if err != nil {
		return err
	}
	if len(sealed) > r.ReceiptLimit {
		return fmt.Errorf("%w: our own %s has %d bytes, limit %d", protocol.ErrTooLarge, r.Receipt, len(sealed), r.ReceiptLimit)
	}
	_ = protocol.WriteFrame(st, sealed) // a peer of an older version has gone by now, and its answer is as good
	return nil
}

// takeReceipt reads the receipt for an answer that was written. A peer that sends none, or has gone, is not at fault.
func (s *Server) takeReceipt(ctx context.Context, st network.Stream, from From, taken func(context.Context, []byte) error) error {
	data, err := s.readReceipt(ctx, st)
	if err != nil {
		return onlyViolation(err)
	}
	env, err := s.e.open(data, s.rules.ReceiptLimit, from.ID, s.rules.Receipt)
	if err != nil {
		return err
	}
	return taken(ctx, env.Payload)
}

func (s *Server) readReceipt(ctx context.Context, st network.Stream) ([]byte, error) {
	if err := st.CloseWrite(); err != nil {
		return nil, err
	}
	deadline, _ := ctx.Deadline()
	if soon := time.Now().Add(receiptWait); soon.Before(deadline) {
		deadline = soon
	}
	if err := st.SetReadDeadline(deadline); err != nil {
		return nil, err
	}
	return protocol.ReadFrame(st, s.rules.ReceiptLimit)
}

// onlyViolation returns err where the peer has broken the protocol, and nil where there is only nothing to read.
func onlyViolation(err error) error {
	if errors.Is(err, protocol.ErrTooLarge) || errors.Is(err, protocol.ErrFrame) {
		return err
	}
	return nil
}
