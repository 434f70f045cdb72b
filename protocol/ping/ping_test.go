package ping_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"go.uber.org/goleak"

	"github.com/caro-mesh/caro-node/internal/meshtest"
	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/protocol/ping"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func meet(t *testing.T, lan *meshtest.Network) (a, b *meshtest.Node) {
	t.Helper()
	a, b = meshtest.New(t, meshtest.Options{Network: lan, Listen: "/memory/1"}), meshtest.New(t, meshtest.Options{Network: lan, Listen: "/memory/2"})
	client := a.Greets(nil)
	b.Greets(nil)
	meshtest.Meet(t, a, client, b)
	return a, b
}

// On a clock that jumps, nothing takes time but the way: the figures are exact.
func TestPingMeasuresTheRoundTripAndTheOtherClock(t *testing.T) {
	for _, delay := range []time.Duration{0, 40 * time.Millisecond, 400 * time.Millisecond} {
		for _, offset := range []time.Duration{0, 2 * time.Minute, -3 * time.Minute} {
			synctest.Test(t, func(t *testing.T) {
				a, b := meet(t, meshtest.NewSlowNetwork(delay))
				b.OnClose(ping.Serve(b.Endpoint).Close)
				b.Clock.Set(offset)
				for _, way := range []string{"over a new stream whose protocol is negotiated first", "over a new stream"} {
					r, err := ping.Ping(t.Context(), a.Endpoint, b.Key.NodeID())
					if err != nil {
						t.Fatal(err)
					}
					if want := (ping.Result{RTT: 2 * delay, Offset: offset}); r != want {
						t.Errorf("%s: measured %+v, want %+v", way, r, want)
					}
				}
			})
		}
	}
}

func TestAPongToAnotherPingIsRefused(t *testing.T) {
	a, b := meet(t, meshtest.NewNetwork())
	b.Host.SetStreamHandler(ping.ID, func(s network.Stream) {
		if _, err := protocol.ReadFrame(s, protocol.MaxPing); err != nil {
			t.Error(err)
		}
		payload, err := protocol.Encode(map[int]int64{1: 1, 2: 2})
		if err != nil {
			t.Error(err)
		}
		sealed, err := b.Sealer.Seal(protocol.MsgPong, payload)
		if err != nil {
			t.Error(err)
		}
		_ = protocol.WriteFrame(s, sealed)
	})
	if _, err := ping.Ping(t.Context(), a.Endpoint, b.Key.NodeID()); !errors.Is(err, protocol.ErrMalformed) {
		t.Errorf("error %v", err)
	}
	if all := a.Refusals(); len(all) != 1 || all[0].Peer != b.Key.NodeID() {
		t.Errorf("blamed %v", all)
	}
}
