package goodbye_test

import (
	"errors"
	"testing"

	"go.uber.org/goleak"

	"github.com/caro-mesh/caro-node/internal/meshtest"
	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/protocol/exchange"
	"github.com/caro-mesh/caro-node/protocol/goodbye"
	"github.com/caro-mesh/caro-node/protocol/hello"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// left returns what b's registry says of a after a has gone, with and without a goodbye.
func left(t *testing.T, leave func(a, b *meshtest.Node)) hello.Peer {
	t.Helper()
	downs := make(chan hello.Peer, 1)
	a := meshtest.New(t, meshtest.Options{})
	b := meshtest.New(t, meshtest.Options{Hooks: hello.Hooks{Down: func(p hello.Peer) { downs <- p }}})
	client := a.Greets(nil)
	b.Greets(nil)
	b.OnClose(goodbye.Serve(b.Endpoint, func(id protocol.NodeID, why goodbye.Reason) {
		b.Registry.SaidGoodbye(id, string(why))
	}).Close)
	meshtest.Meet(t, a, client, b)
	leave(a, b)
	a.Close()
	return <-downs
}

func TestALeavingNodeIsToldFromOneThatVanishes(t *testing.T) {
	for _, why := range []goodbye.Reason{goodbye.ReasonShutdown, goodbye.ReasonRemoved} {
		p := left(t, func(a, b *meshtest.Node) {
			if err := goodbye.Say(t.Context(), a.Endpoint, b.Key.NodeID(), why); err != nil {
				t.Error(err)
			}
		})
		if p.Goodbye != string(why) {
			t.Errorf("said %q, noted %q", why, p.Goodbye)
		}
	}
	if p := left(t, func(*meshtest.Node, *meshtest.Node) {}); p.Goodbye != "" {
		t.Errorf("nothing was said, noted %q", p.Goodbye)
	}
}

func TestAReasonOfOnesOwnIsRefused(t *testing.T) {
	p := left(t, func(a, b *meshtest.Node) {
		if err := goodbye.Say(t.Context(), a.Endpoint, b.Key.NodeID(), "\x1b[2J"); !errors.Is(err, exchange.ErrViolation) {
			t.Errorf("error %v", err)
		}
		if all := b.Refusals(); len(all) != 1 || !errors.Is(all[0].Err, protocol.ErrMalformed) {
			t.Errorf("refusals %v", all)
		}
	})
	if p.Goodbye != "" {
		t.Errorf("noted %q", p.Goodbye)
	}
}
