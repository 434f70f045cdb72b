package node

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/protocol/exchange"
	"github.com/caro-mesh/caro-node/protocol/hello"
)

// pass lets time go by and everything that is due happen.
func pass(d time.Duration) {
	time.Sleep(d) //nolint:forbidigo // the bubble's clock, which jumps
	synctest.Wait()
}

// announcing runs an announcer over two peers, in a bubble where time is free. tell answers for the peers.
func announcing(t *testing.T, tell func(protocol.NodeID) error) *announcer {
	ctx, stop := context.WithCancel(t.Context())
	peers := []hello.Peer{{Identity: protocol.NodeIdentity{NodeID: newKey(t).NodeID()}}, {Identity: protocol.NodeIdentity{NodeID: newKey(t).NodeID()}}}
	a := newAnnouncer(func() []hello.Peer { return peers }, func(_ context.Context, id protocol.NodeID) (bool, error) { return true, tell(id) }, slog.New(slog.DiscardHandler))
	done := make(chan error, 1)
	go func() { done <- a.run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return a
}

func TestAChangeIsAnnouncedAtOnceAndManyAsOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		told := make(chan time.Time, 100)
		a := announcing(t, func(protocol.NodeID) error {
			told <- time.Now()
			return nil
		})
		start := time.Now()
		a.nudge()
		synctest.Wait()
		if len(told) != 2 {
			t.Fatalf("%d of 2 peers were told at once", len(told))
		}
		for range 50 {
			a.nudge()
			pass(100 * time.Millisecond)
		}
		pass(time.Hour)
		if len(told) != 4 {
			t.Fatalf("fifty changes in five seconds were told %d times, want once to each of two peers", len(told)-2)
		}
		for range 2 {
			<-told
		}
		if at := <-told; at.Sub(start) != announceEvery {
			t.Errorf("told again after %s, want %s", at.Sub(start), announceEvery)
		}
	})
}

func TestAPeerThatCouldNotBeToldIsToldLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tries atomic.Int32
		a := announcing(t, func(protocol.NodeID) error {
			if tries.Add(1) <= 3 {
				return exchange.ErrBusy
			}
			return nil
		})
		a.nudge()
		pass(time.Hour)
		if n := tries.Load(); n != 6 {
			t.Errorf("tried %d times, want three rounds with two peers", n)
		}
	})
}

func TestAChangeThatFollowsALookAtNothingIsAnnouncedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var changed atomic.Bool
		a := newAnnouncer(func() []hello.Peer { return make([]hello.Peer, 1) }, func(context.Context, protocol.NodeID) (bool, error) {
			return changed.Swap(false), nil
		}, slog.New(slog.DiscardHandler))
		ctx, stop := context.WithCancel(t.Context())
		go func() { _ = a.run(ctx) }() // returns nil
		defer stop()
		a.nudge()
		synctest.Wait()
		changed.Store(true)
		a.nudge()
		synctest.Wait()
		if changed.Load() {
			t.Error("the change was not told")
		}
	})
}

func TestAPeerThatIsGoneIsNotToldAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tries atomic.Int32
		a := announcing(t, func(protocol.NodeID) error {
			tries.Add(1)
			return errors.Join(errors.New("ask"), exchange.ErrNotConnected)
		})
		a.nudge()
		pass(time.Hour)
		if n := tries.Load(); n != 2 {
			t.Errorf("tried %d times, want each of two peers once", n)
		}
	})
}
