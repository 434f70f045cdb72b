package node

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

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

// idleClerk writes only what the test gives it.
func idleClerk() *clerk {
	return newClerk(nil, nil, time.Now, slog.New(slog.DiscardHandler))
}

func TestANoteThatIsBeingWrittenAndThoseThatWaitAreWrittenWhenTheNodeStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := idleClerk()
		begun, stopped := make(chan bool), make(chan bool)
		var errs []error
		k.note(func(ctx context.Context) error {
			close(begun)
			<-stopped
			errs = append(errs, ctx.Err())
			return nil
		})
		for range 3 {
			k.note(func(ctx context.Context) error {
				errs = append(errs, ctx.Err())
				return nil
			})
		}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan bool)
		go func() {
			k.run(ctx)
			close(done)
		}()
		<-begun
		stop()
		synctest.Wait() // whatever the end of ctx causes has happened
		close(stopped)
		<-done
		if len(errs) != 4 || errors.Join(errs...) != nil {
			t.Errorf("%d of 4 notes were written, with %v", len(errs), errs)
		}
	})
}

func TestANoteThatCannotBeWrittenDoesNotKeepANodeFromStopping(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := idleClerk()
		for range 3 {
			k.note(func(ctx context.Context) error {
				<-ctx.Done() // as on a disk that does not answer
				return ctx.Err()
			})
		}
		ctx, stop := context.WithCancel(t.Context())
		stop()
		began := time.Now()
		k.run(ctx)
		if took := time.Since(began); took != clerkPatience {
			t.Errorf("it took %s, want %s", took, clerkPatience) // the bubble's clock, which is exact
		}
	})
}

func TestEveryPeerMayGoAtOnceAndIsOnRecord(t *testing.T) {
	k := idleClerk()
	const peers = 512 // as many as a host lets in
	written := 0
	for range 2 * peers {
		k.note(func(context.Context) error { written++; return nil })
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	k.run(ctx)
	if written != 2*peers {
		t.Errorf("%d of %d notes were written", written, 2*peers)
	}
}
