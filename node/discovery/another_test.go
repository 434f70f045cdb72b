package discovery

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/caro-mesh/caro-node/internal/meshtest"
	"github.com/caro-mesh/caro-node/policy"
	"github.com/caro-mesh/caro-node/protocol/hello"
)

func TestAnExpectedKeyIsDialledAtItsAddressOnlyAndOnlyForNow(t *testing.T) {
	p := trusting()
	g := NewGate(GateConfig{Policy: p, Now: time.Now})
	id, pid := someone(t)
	_, other := someone(t)
	here, there := ma.StringCast("/ip4/10.0.0.5/tcp/9238"), ma.StringCast("/ip4/10.0.0.6/tcp/9238")
	dials := func() string {
		return fmt.Sprint(g.InterceptAddrDial(pid, here), g.InterceptAddrDial(pid, there), g.InterceptAddrDial(other, here),
			g.InterceptSecured(network.DirOutbound, pid, conn(here.String())), g.InterceptSecured(network.DirOutbound, pid, conn(there.String())),
			g.InterceptSecured(network.DirOutbound, other, conn(here.String())))
	}
	if got := dials(); got != "false false false false false false" {
		t.Errorf("before: %s", got)
	}
	over := g.Expect(id, here)
	if got := dials(); got != "true false false true false false" {
		t.Errorf("while expected: %s", got)
	}
	p.set(id, false)
	if got := dials(); got != "false false false false false false" {
		t.Errorf("expected, but denied: %s", got)
	}
	over()
	if got := dials(); got != "false false false false false false" {
		t.Errorf("after: %s", got)
	}
}

// expecting makes the node's keeper greet keys that answer in the place of its targets.
func (n *node) expecting(t *testing.T, targets ...Target) {
	t.Helper()
	n.keep(t)
	n.keeper.c.Expect = n.gate.Expect
	for _, target := range targets {
		n.keeper.Add(target)
	}
}

func TestAKeyThatAnswersInATargetsPlaceIsGreetedOnce(t *testing.T) {
	p := trusting()
	a := newNode(t, p, meshtest.Options{})
	b := newNode(t, trusting(a.id()), meshtest.Options{})
	gone, _ := someone(t)
	p.set(gone, true)
	a.expecting(t, Target{ID: gone, Addrs: b.target().Addrs})
	meshtest.Eventually(t, func() error { // refused by a's own policy, which knows nothing of b
		s := a.keeper.States()
		if len(s) != 1 || s[0].Attempts < 3 || s[0].Status != StatusOffline || !strings.Contains(s[0].Reason, string(b.id())) {
			return fmt.Errorf("states %+v", s)
		}
		return nil
	})
	for _, c := range b.Endpoint.Counts() {
		if c.Protocol == hello.ID && c.Served != 1 {
			t.Errorf("b was greeted %d times", c.Served)
		}
	}
	if len(a.Registry.Peers()) != 0 {
		t.Error("a has admitted b")
	}
}

func TestATargetIsReplacedByItsNewKey(t *testing.T) {
	p := trusting()
	a := newNode(t, p, meshtest.Options{})
	b := newNode(t, trusting(a.id()), meshtest.Options{})
	gone, _ := someone(t)
	p.set(gone, true)
	// What a's policy learns from b's Hello: that b is the node that it knows under the key that is gone.
	p.learn = func(q policy.Request) {
		if q.Action == "" && q.Peer == b.id() && a.keeper.Replace(gone, b.id()) { // asked by Hello, not by the gate
			p.allowed[q.Peer] = true
		}
	}
	a.expecting(t, Target{ID: gone, Addrs: b.target().Addrs})
	meshtest.Eventually(t, func() error {
		if s := a.keeper.States(); len(s) != 1 || s[0].ID != b.id() || s[0].Status != StatusConnected || len(s[0].Addrs) != 1 {
			return fmt.Errorf("states %+v", s)
		}
		return nil
	})
	if a.keeper.Replace(gone, b.id()) {
		t.Error("a target that is gone was replaced")
	}
}
