package ping_test

import (
	"errors"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"go.uber.org/goleak"

	"github.com/caro-mesh/caro-node/internal/meshtest"
	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/protocol/ping"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func meet(t *testing.T) (a, b *meshtest.Node) {
	t.Helper()
	a, b = meshtest.New(t, meshtest.Options{}), meshtest.New(t, meshtest.Options{})
	client := a.Greets(nil)
	b.Greets(nil)
	meshtest.Meet(t, a, client, b)
	return a, b
}

func TestPingMeasuresTheOtherClockToWithinHalfARoundTrip(t *testing.T) {
	for _, offset := range []time.Duration{0, 2 * time.Minute, -3 * time.Minute} {
		a, b := meet(t)
		b.OnClose(ping.Serve(b.Endpoint).Close)
		b.Clock.Set(offset)
		r, err := ping.Ping(t.Context(), a.Endpoint, b.Key.NodeID())
		if err != nil {
			t.Fatal(err)
		}
		// Sealing our own message is not part of the round trip, so allow for it.
		if off := (r.Offset - offset).Abs(); r.RTT <= 0 || off > r.RTT/2+50*time.Millisecond {
			t.Errorf("offset %v: measured %v with a round trip of %v", offset, r.Offset, r.RTT)
		}
	}
}

func TestAPongToAnotherPingIsRefused(t *testing.T) {
	a, b := meet(t)
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
