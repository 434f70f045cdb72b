package discovery

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	ma "github.com/multiformats/go-multiaddr"
	"pgregory.net/rapid"

	"github.com/caro-mesh/caro-node/internal/meshtest"
	"github.com/caro-mesh/caro-node/node/identity"
	"github.com/caro-mesh/caro-node/policy"
	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/protocol/hello"
)

// node is a node with a gate and, when keep was called, a keeper.
type node struct {
	*meshtest.Node
	client *hello.Client
	gate   *Gate
	policy *rules
	keeper *Keeper

	mu      sync.Mutex
	changes []State
	knocks  []Knock
}

func newNode(t *testing.T, p *rules, o meshtest.Options) *node {
	t.Helper()
	n := &node{policy: p}
	n.gate = NewGate(GateConfig{Policy: p, Now: time.Now, Knocked: func(k Knock) {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.knocks = append(n.knocks, k)
	}})
	o.Gate = n.gate
	n.Node = meshtest.New(t, o)
	n.client = n.Greets(func(id protocol.NodeID) error {
		if d := p.Peek(policy.Request{Peer: id}); !d.Allowed {
			return &hello.DeniedError{Reason: d.Reason}
		}
		return nil
	})
	return n
}

func (n *node) id() protocol.NodeID { return n.Key.NodeID() }

func (n *node) target() Target {
	return Target{ID: n.id(), Addrs: n.Host.Network().ListenAddresses()}
}

// keep starts a keeper with short times, which ends before the test does.
func (n *node) keep(t *testing.T, targets ...Target) {
	t.Helper()
	n.keeper = NewKeeper(KeeperConfig{Host: n.Host, Policy: n.policy, Admitted: n.Registry.Admitted, Now: time.Now,
		Greet: func(ctx context.Context, id protocol.NodeID) error {
			_, err := n.client.Greet(ctx, id)
			return err
		},
		Changed: func(s State) {
			n.mu.Lock()
			defer n.mu.Unlock()
			n.changes = append(n.changes, s)
		}})
	n.keeper.first, n.keeper.longest, n.keeper.refused = 20*time.Millisecond, 200*time.Millisecond, 200*time.Millisecond
	for _, target := range targets {
		n.keeper.Add(target)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- n.keeper.Run(ctx) }()
	n.OnClose(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("run: %v", err)
		}
	})
}

func (n *node) becomes(t *testing.T, id protocol.NodeID, status Status, reason string) {
	t.Helper()
	meshtest.Eventually(t, func() error {
		for _, s := range n.keeper.States() {
			if s.ID == id && s.Status == status && strings.Contains(s.Reason, reason) {
				return nil
			}
		}
		return fmt.Errorf("states %+v, want %s %q", n.keeper.States(), status, reason)
	})
}

func TestAKeeperConnectsAndSaysHello(t *testing.T) {
	b := newNode(t, trusting(), meshtest.Options{})
	a := newNode(t, trusting(b.id()), meshtest.Options{})
	b.policy.set(a.id(), true)
	a.keep(t, b.target())
	a.becomes(t, b.id(), StatusConnected, "")
	if !b.Registry.Admitted(t.Context(), a.id()) || !a.Registry.Admitted(t.Context(), b.id()) {
		t.Error("not admitted")
	}
	s := a.keeper.States()[0]
	if s.Attempts != 0 || !s.Next.IsZero() || s.Reason != "" || len(s.Addrs) != 1 || s.Since.IsZero() {
		t.Errorf("state %+v", s)
	}
}

func TestAKeeperReconnectsWhenTheOtherSideRestarts(t *testing.T) {
	key, err := identity.New(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	a := newNode(t, trusting(key.NodeID()), meshtest.Options{})
	b := newNode(t, trusting(a.id()), meshtest.Options{Key: key})
	addr := b.target().Addrs[0].String()
	a.keep(t, b.target())
	for range 3 {
		a.becomes(t, key.NodeID(), StatusConnected, "")
		b.Close()
		a.becomes(t, key.NodeID(), StatusOffline, "nobody listens there")
		if s := a.keeper.States()[0]; s.Next.IsZero() {
			t.Errorf("state %+v", s)
		}
		b = newNode(t, trusting(a.id()), meshtest.Options{Key: key, Listen: addr})
	}
	a.becomes(t, key.NodeID(), StatusConnected, "")
	if !b.Registry.Admitted(t.Context(), a.id()) {
		t.Error("the new start does not know a")
	}
}

func TestAClosedConnectionIsOpenedAgain(t *testing.T) {
	b := newNode(t, trusting(), meshtest.Options{})
	a := newNode(t, trusting(b.id()), meshtest.Options{})
	b.policy.set(a.id(), true)
	a.keep(t, b.target())
	a.becomes(t, b.id(), StatusConnected, "")
	old := a.Host.Network().ConnsToPeer(b.Host.ID())
	if len(old) != 1 {
		t.Fatalf("%d connections", len(old))
	}
	if err := b.Host.Network().ClosePeer(a.Host.ID()); err != nil {
		t.Fatal(err)
	}
	meshtest.Eventually(t, func() error {
		for _, c := range a.Host.Network().ConnsToPeer(b.Host.ID()) {
			if c.ID() != old[0].ID() && a.Registry.Admitted(t.Context(), b.id()) {
				return nil
			}
		}
		return errors.New("no new connection")
	})
}

func TestARefusalIsShownAndAChangeOfMindIsNoticed(t *testing.T) {
	b := newNode(t, trusting(), meshtest.Options{})
	a := newNode(t, trusting(b.id()), meshtest.Options{})
	a.keep(t, b.target())
	a.becomes(t, b.id(), StatusRefused, "nobody named this node")
	b.mu.Lock()
	knocks := b.knocks
	b.mu.Unlock()
	if len(knocks) != 1 || knocks[0].ID != a.id() || knocks[0].Denied {
		t.Errorf("b was told of %+v", knocks)
	}
	b.policy.set(a.id(), true)
	a.keeper.Retry(b.id())
	a.becomes(t, b.id(), StatusConnected, "")
}

func TestAWrongClockIsARefusalThatShowsBothClocksAndIsToldOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lan := meshtest.NewNetwork()
		b := newNode(t, trusting(), memory("/memory/2", lan))
		a := newNode(t, trusting(b.id()), memory("/memory/1", lan))
		b.policy.set(a.id(), true)
		b.Clock.Set(6 * time.Minute)
		a.keep(t)
		a.usualTimes().Add(b.target())
		pass(10 * time.Minute)
		s := a.keeper.States()[0]
		if s.Status != StatusRefused || s.Attempts < 10 || strings.Count(s.Reason, "Z") != 2 || !strings.HasPrefix(s.Reason, protocol.ErrClockSkew.Error()) {
			t.Errorf("state %+v", s)
		}
		a.mu.Lock()
		defer a.mu.Unlock()
		if len(a.changes) != 1 {
			t.Errorf("%d changes told: %+v", len(a.changes), a.changes)
		}
	})
}

func TestADenialByNameIsExplained(t *testing.T) {
	b := newNode(t, trusting(), meshtest.Options{})
	a := newNode(t, trusting(b.id()), meshtest.Options{})
	b.policy.set(a.id(), false)
	a.keep(t, b.target())
	a.becomes(t, b.id(), StatusRefused, "denied by name")
}

func TestANodeThatIsNotTrustedIsNotDialledUntilItIs(t *testing.T) {
	b := newNode(t, trusting(), meshtest.Options{})
	a := newNode(t, trusting(), meshtest.Options{})
	b.policy.set(a.id(), true)
	a.keep(t, b.target())
	a.becomes(t, b.id(), StatusNotTrusted, "nobody named this node")
	if n := len(b.Host.Network().Conns()); n != 0 {
		t.Errorf("b has %d connections", n)
	}
	a.policy.set(b.id(), true)
	a.keeper.Retry()
	a.becomes(t, b.id(), StatusConnected, "")
}

func TestAnotherNodeAtTheAddressIsNamed(t *testing.T) {
	b := newNode(t, trusting(), meshtest.Options{})
	expected, _ := someone(t)
	a := newNode(t, trusting(expected), meshtest.Options{})
	a.keep(t, Target{ID: expected, Addrs: b.target().Addrs})
	a.becomes(t, expected, StatusOffline, "another node answers there: "+string(b.id()))
}

func TestReasonsAreOneSentence(t *testing.T) {
	b := newNode(t, trusting(), meshtest.Options{})
	id, _ := someone(t)
	a := newNode(t, trusting(id), meshtest.Options{})
	a.keep(t, Target{ID: id, Addrs: append(b.target().Addrs, ma.StringCast("/ip4/127.0.0.1/tcp/1"))})
	a.becomes(t, id, StatusOffline, "nobody listens there")
	if r := a.keeper.States()[0].Reason; strings.Contains(r, "\n") || !strings.Contains(r, "another node answers there") {
		t.Errorf("reason %q", r)
	}
}

func TestTargetsComeAndGoWhileTheKeeperRuns(t *testing.T) {
	b, c := newNode(t, trusting(), meshtest.Options{}), newNode(t, trusting(), meshtest.Options{})
	a := newNode(t, trusting(b.id(), c.id()), meshtest.Options{})
	b.policy.set(a.id(), true)
	c.policy.set(a.id(), true)
	a.keep(t)
	a.keeper.Add(b.target())
	a.keeper.Add(c.target())
	a.becomes(t, b.id(), StatusConnected, "")
	a.becomes(t, c.id(), StatusConnected, "")
	if !a.keeper.Remove(c.id()) || a.keeper.Remove(c.id()) {
		t.Error("c was not removed once")
	}
	if err := a.Host.Network().ClosePeer(c.Host.ID()); err != nil {
		t.Fatal(err)
	}
	if err := a.Host.Network().ClosePeer(b.Host.ID()); err != nil {
		t.Fatal(err)
	}
	meshtest.Eventually(t, func() error {
		if !a.Registry.Admitted(t.Context(), b.id()) {
			return errors.New("b is not back")
		}
		return nil
	})
	if a.Host.Network().Connectedness(c.Host.ID()) == network.Connected || len(a.keeper.States()) != 1 {
		t.Error("c is still kept")
	}
}

func TestTwoNodesThatKeepEachOtherSettle(t *testing.T) {
	b := newNode(t, trusting(), meshtest.Options{})
	a := newNode(t, trusting(b.id()), meshtest.Options{})
	b.policy.set(a.id(), true)
	a.keep(t, b.target())
	b.keep(t, a.target())
	a.becomes(t, b.id(), StatusConnected, "")
	b.becomes(t, a.id(), StatusConnected, "")
}

func TestWaitsDoubleWithinTheirBounds(t *testing.T) {
	k := NewKeeper(KeeperConfig{})
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 1000).Draw(t, "failures")
		full := longestWait
		if n < 6 {
			full = firstWait << n
		}
		if d := k.wait(n); d < full/2 || d > full {
			t.Fatalf("after %d failures %v, want %v to %v", n, d, full/2, full)
		}
	})
}

func TestATargetMayGetNewAddressesWhileItIsLookedAt(t *testing.T) {
	b := newNode(t, trusting(), meshtest.Options{})
	a := newNode(t, trusting(), meshtest.Options{})
	a.keep(t, b.target())
	for i := range 200 {
		a.keeper.Add(Target{ID: b.id(), Addrs: []ma.Multiaddr{ma.StringCast(fmt.Sprintf("/ip4/127.0.0.1/tcp/%d", 1024+i))}})
		a.keeper.Retry(b.id())
	}
	a.becomes(t, b.id(), StatusNotTrusted, "nobody named this node")
}
