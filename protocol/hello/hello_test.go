package hello_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/caro-mesh/caro-node/internal/meshtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestAcceptedHelloAdmitsBothSides(t *testing.T) {
	a, b := meshtest.New(t, meshtest.Options{}), meshtest.New(t, meshtest.Options{})
	client := a.Greets(nil)
	b.Greets(nil)
	meshtest.Meet(t, a, client, b)
	if p, ok := b.Registry.Peer(a.Key.NodeID()); !ok || p.Identity.DisplayName != a.Identity().DisplayName || p.X25519 != a.Key.X25519() || !p.Inbound {
		t.Fatalf("b knows of a: %v %+v", ok, p)
	}
	if p, ok := a.Registry.Peer(b.Key.NodeID()); !ok || p.X25519 != b.Key.X25519() || p.Inbound || p.Version != 1 {
		t.Fatalf("a knows of b: %v %+v", ok, p)
	}
}
