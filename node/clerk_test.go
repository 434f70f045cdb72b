package node

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/netip"
	"testing"

	"github.com/caro-mesh/caro-node/policy"
	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/protocol/exchange"
)

func TestRefusalsThatShowIntentAreAuditedAsViolationsAndBadLuckIsNot(t *testing.T) {
	hostile := []error{protocol.ErrTooLarge, protocol.ErrFrame, protocol.ErrMagic, protocol.ErrMalformed, protocol.ErrNotDeterministic, protocol.ErrType,
		protocol.ErrSender, protocol.ErrSequence, protocol.ErrNonce, protocol.ErrNonceQuota, protocol.ErrSignature, protocol.ErrSigner,
		exchange.ErrRateLimited, exchange.ErrNotAdmitted}
	luck := []error{protocol.ErrTooOld, protocol.ErrFromFuture, protocol.ErrVersion, exchange.ErrBusy, exchange.ErrClosing, exchange.ErrNotConnected,
		context.DeadlineExceeded, io.EOF, io.ErrUnexpectedEOF, exchange.Farewell(nil, errors.New("no")), errors.New("disk full")}
	b := newBench(t, policy.Document{})
	k := newClerk(b.db, b.db.AuditLog(), b.clock, slog.New(slog.DiscardHandler))
	peer, from := newKey(t).NodeID(), netip.MustParseAddr("10.0.0.7")
	for _, err := range append(hostile, luck...) {
		k.refused(exchange.Refusal{Peer: peer, Addr: from, Protocol: "/caro/test/1.0.0", Err: err})
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	k.run(ctx) // writes what waits, and ends
	got := b.records(protocol.AuditPolicyViolation)
	if len(got) != len(hostile) {
		t.Errorf("%d violations are on record, want %d", len(got), len(hostile))
	}
	kinds := make(map[string]bool)
	for _, r := range got {
		if r.Success || r.Peer != peer || r.Details["addr"] != "10.0.0.7" || r.Details["protocol"] == "" || r.Details["reason"] == "" {
			t.Errorf("recorded %+v", r)
		}
		kinds[r.Details["kind"]] = true
	}
	for _, err := range hostile {
		if kind := string((exchange.Refusal{Err: err}).Reason()); !kinds[kind] {
			t.Errorf("no record says %q", kind)
		}
	}
}
