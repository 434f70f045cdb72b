package hello_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fxamacker/cbor/v2"
	"github.com/libp2p/go-libp2p/core/network"
	"go.uber.org/goleak"

	"github.com/caro-mesh/caro-node/internal/meshtest"
	"github.com/caro-mesh/caro-node/node/identity"
	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/protocol/exchange"
	"github.com/caro-mesh/caro-node/protocol/hello"
	"github.com/caro-mesh/caro-node/protocol/ping"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func two(t *testing.T) (a, b *meshtest.Node) {
	t.Helper()
	return meshtest.New(t, meshtest.Options{}), meshtest.New(t, meshtest.Options{})
}

func denied(reason string) func(protocol.NodeID) error {
	return func(protocol.NodeID) error { return &hello.DeniedError{Reason: reason} }
}

func TestOneAcceptedHelloAdmitsBothSides(t *testing.T) {
	a, b := two(t)
	client := a.Greets(nil)
	b.Greets(nil)
	meshtest.Meet(t, a, client, b)
	for name, c := range map[string]struct {
		at, of  *meshtest.Node
		inbound bool
	}{"b of a": {b, a, true}, "a of b": {a, b, false}} {
		p, ok := c.at.Registry.Peer(c.of.Key.NodeID())
		if !ok || p.Identity.DisplayName != c.of.Identity().DisplayName || p.X25519 != c.of.Key.X25519() ||
			p.Inbound != c.inbound || p.Version != protocol.Version || !p.Addr.IsLoopback() {
			t.Errorf("%s: known %v, %+v", name, ok, p)
		}
		if all := c.at.Registry.Peers(); len(all) != 1 {
			t.Errorf("%s: %d peers", name, len(all))
		}
	}
}

func TestTwoNodesMayGreetEachOtherAtOnce(t *testing.T) {
	a, b := two(t)
	ca, cb := a.Greets(nil), b.Greets(nil)
	meshtest.Dial(t, a, b)
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			if _, err := ca.Greet(t.Context(), b.Key.NodeID()); err != nil {
				t.Errorf("a greets b: %v", err)
			}
		})
		wg.Go(func() {
			if _, err := cb.Greet(t.Context(), a.Key.NodeID()); err != nil {
				t.Errorf("b greets a: %v", err)
			}
		})
	}
	wg.Wait()
	if len(a.Registry.Peers()) != 1 || len(b.Registry.Peers()) != 1 {
		t.Errorf("a has %d peers, b has %d", len(a.Registry.Peers()), len(b.Registry.Peers()))
	}
}

func TestADeniedNodeLearnsTheReasonAndIsDisconnected(t *testing.T) {
	a, b := two(t)
	client := a.Greets(nil)
	b.Greets(denied("the policy of this node does not name you"))
	meshtest.Dial(t, a, b)
	_, err := client.Greet(t.Context(), b.Key.NodeID())
	var refused *hello.RefusedError
	if !errors.As(err, &refused) || refused.Status != hello.StatusDenied || refused.Reason != "the policy of this node does not name you" {
		t.Fatalf("a was told %v", err)
	}
	gone(t, a, b)
	if len(a.Registry.Peers())+len(b.Registry.Peers()) != 0 {
		t.Error("somebody was admitted")
	}
	var want *hello.DeniedError
	if all := b.Refusals(); len(all) != 1 || !errors.As(all[0].Err, &want) || all[0].Hostile() || all[0].Peer != a.Key.NodeID() {
		t.Errorf("b reported %v", all)
	}
}

// ackOf says Hello on a raw stream and returns the bytes of the answer's payload.
func ackOf(t *testing.T, a, b *meshtest.Node) []byte {
	t.Helper()
	payload, err := protocol.Encode(map[int]any{1: a.Identity(), 2: a.Key.X25519(), 3: []uint16{1}, 4: a.Key.X25519(), 5: [][]byte{}})
	if err != nil {
		t.Fatal(err)
	}
	return sendRaw(t, a, b, payload)
}

func sendRaw(t *testing.T, a, b *meshtest.Node, payload []byte) []byte {
	t.Helper()
	s, err := a.Host.NewStream(t.Context(), b.Host.ID(), hello.ID)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Reset() }()
	sealed, err := a.Sealer.Seal(protocol.MsgHello, payload)
	if err != nil {
		t.Fatal(err)
	}
	if err := protocol.WriteFrame(s, sealed); err != nil {
		t.Fatal(err)
	}
	data, err := protocol.ReadFrame(s, protocol.MaxHello)
	if err != nil {
		if more, _ := io.ReadAll(s); len(more) > 0 {
			t.Errorf("bytes after %v: %x", err, more)
		}
		return nil
	}
	env, err := protocol.NewOpener(time.Now).Open(data, protocol.MaxHello, b.Key.NodeID(), protocol.MsgHelloAck)
	if err != nil {
		t.Fatal(err)
	}
	return env.Payload
}

func TestARefusedNodeLearnsNothingButStatusAndReason(t *testing.T) {
	a, b := two(t)
	b.Greets(denied("no"))
	meshtest.Dial(t, a, b)
	payload := ackOf(t, a, b)
	var fields map[int]any
	if err := cbor.Unmarshal(payload, &fields); err != nil {
		t.Fatal(err)
	}
	if len(fields) != 2 || fields[1] != "denied" || fields[2] != "no" {
		t.Errorf("the answer holds %v", fields)
	}
	key := b.Key.X25519()
	for what, secret := range map[string][]byte{"name": []byte(b.Identity().DisplayName), "fingerprint": []byte(b.Key.Fingerprint()), "x25519": key[:]} {
		if bytes.Contains(payload, secret) {
			t.Errorf("the answer holds the %s", what)
		}
	}
}

func TestAnErrorOfOurOwnIsNotToldToTheOther(t *testing.T) {
	a, b := two(t)
	client := a.Greets(nil)
	b.Greets(func(protocol.NodeID) error { return errors.New("disk of anna is full") })
	meshtest.Dial(t, a, b)
	_, err := client.Greet(t.Context(), b.Key.NodeID())
	var refused *hello.RefusedError
	if !errors.As(err, &refused) || refused.Status != hello.StatusTryLater || strings.Contains(err.Error(), "anna") {
		t.Errorf("a was told %v", err)
	}
	if all := b.Refusals(); len(all) != 1 || !strings.Contains(all[0].Err.Error(), "anna") {
		t.Errorf("b reported %v", all)
	}
}

func TestTheDiallingNodeAsksItsOwnPolicyToo(t *testing.T) {
	a, b := two(t)
	client := a.Greets(denied("we changed our mind"))
	b.Greets(nil)
	meshtest.Dial(t, a, b)
	_, err := client.Greet(t.Context(), b.Key.NodeID())
	var own *hello.DeniedError
	if !errors.As(err, &own) || own.Reason != "we changed our mind" {
		t.Errorf("error %v", err)
	}
	gone(t, a, b)
	if len(a.Registry.Peers()) != 0 {
		t.Error("a admitted b")
	}
	meshtest.Eventually(t, func() error {
		if n := len(b.Registry.Peers()); n != 0 {
			return fmt.Errorf("b still has %d peers", n)
		}
		return nil
	})
}

func TestTheHighestCommonVersionWins(t *testing.T) {
	cases := []struct {
		ours, theirs []hello.Version
		want         hello.Version
	}{
		{[]hello.Version{1}, []hello.Version{1}, 1},
		{[]hello.Version{1, 2, 3}, []hello.Version{1, 2, 4}, 2},
		{[]hello.Version{1, 2, 3}, []hello.Version{3, 4}, 3},
		{[]hello.Version{2, 255}, []hello.Version{2, 255}, 255},
		{[]hello.Version{1, 2}, []hello.Version{3, 4}, 0},
	}
	for _, c := range cases {
		t.Run(fmt.Sprintf("%v and %v", c.ours, c.theirs), func(t *testing.T) {
			a, b := two(t)
			la, lb := a.Local(nil), b.Local(nil)
			la.Versions, lb.Versions = c.ours, c.theirs
			b.OnClose(hello.Serve(b.Endpoint, b.Registry, lb).Close)
			meshtest.Dial(t, a, b)
			p, err := hello.NewClient(a.Endpoint, a.Registry, la).Greet(t.Context(), b.Key.NodeID())
			if c.want != 0 {
				if q, _ := b.Registry.Peer(a.Key.NodeID()); err != nil || p.Version != c.want || q.Version != c.want {
					t.Errorf("a has version %d, b %d (%v), want %d", p.Version, q.Version, err, c.want)
				}
				return
			}
			var refused *hello.RefusedError
			if !errors.As(err, &refused) || refused.Status != hello.StatusNoCommonVersion {
				t.Fatalf("error %v", err)
			}
			for _, list := range []string{fmt.Sprintf("%v", c.ours), fmt.Sprintf("%v", c.theirs)} {
				if !strings.Contains(refused.Reason, list) {
					t.Errorf("reason %q does not name %s", refused.Reason, list)
				}
			}
		})
	}
}

func TestAWrongClockIsRefusedAndBothClocksAreShown(t *testing.T) {
	a, b := two(t)
	client := a.Greets(nil)
	b.Greets(nil)
	a.Clock.Set(6 * time.Minute)
	meshtest.Dial(t, a, b)
	_, err := client.Greet(t.Context(), b.Key.NodeID())
	var skew *protocol.SkewError
	if !errors.As(err, &skew) || skew.Ours.Sub(skew.Theirs).Round(time.Minute) != 6*time.Minute {
		t.Errorf("a was told %v", err)
	}
	var fields map[int]any
	if err := cbor.Unmarshal(ackOfLate(t, a, b), &fields); err != nil {
		t.Fatal(err)
	}
	if reason, _ := fields[2].(string); fields[1] != "clock_skew" || strings.Count(reason, "Z") < 2 {
		t.Errorf("the answer is %v", fields)
	}
	if all := b.Refusals(); len(all) < 1 || !errors.Is(all[0].Err, protocol.ErrClockSkew) || all[0].Hostile() {
		t.Errorf("b reported %v", all)
	}
}

// ackOfLate is ackOf after a new connection, because a refused one was closed.
func ackOfLate(t *testing.T, a, b *meshtest.Node) []byte {
	t.Helper()
	gone(t, a, b)
	meshtest.Dial(t, a, b)
	return ackOf(t, a, b)
}

func TestFiveMinutesMinusAMomentIsAccepted(t *testing.T) {
	a, b := two(t)
	client := a.Greets(nil)
	b.Greets(nil)
	a.Clock.Set(4*time.Minute + 50*time.Second)
	meshtest.Meet(t, a, client, b)
	if p, _ := b.Registry.Peer(a.Key.NodeID()); p.Skew.Round(10*time.Second) != 4*time.Minute+50*time.Second {
		t.Errorf("b measured a skew of %v", p.Skew)
	}
}

func TestNobodyIntroducesSomebodyElse(t *testing.T) {
	a, b := two(t)
	b.Greets(nil)
	c := meshtest.New(t, meshtest.Options{})
	meshtest.Dial(t, a, b)
	payload, err := protocol.Encode(map[int]any{1: c.Identity(), 2: c.Key.X25519(), 3: []uint16{1}, 4: c.Key.X25519(), 5: [][]byte{}})
	if err != nil {
		t.Fatal(err)
	}
	if answer := sendRaw(t, a, b, payload); answer != nil {
		t.Errorf("answered with %x", answer)
	}
	meshtest.Eventually(t, func() error {
		if all := b.Refusals(); len(all) != 1 || !errors.Is(all[0].Err, protocol.ErrSender) || !all[0].Hostile() {
			return fmt.Errorf("b reported %v", all)
		}
		return nil
	})
	if len(b.Registry.Peers()) != 0 {
		t.Error("somebody was admitted")
	}
}

func TestBrokenHellosAreRefused(t *testing.T) {
	a, b := two(t)
	b.Greets(nil)
	key, none := a.Key.X25519(), [][]byte{}
	for name, fields := range map[string]map[int]any{
		"no versions":     {1: a.Identity(), 2: key, 3: []uint16{}, 4: key, 5: none},
		"version zero":    {1: a.Identity(), 2: key, 3: []uint16{0}, 4: key, 5: none},
		"falling":         {1: a.Identity(), 2: key, 3: []uint16{2, 1}, 4: key, 5: none},
		"twice":           {1: a.Identity(), 2: key, 3: []uint16{1, 1}, 4: key, 5: none},
		"too many":        {1: a.Identity(), 2: key, 3: make([]uint16, protocol.MaxVersions+1), 4: key, 5: none},
		"zero key":        {1: a.Identity(), 2: [32]byte{}, 3: []uint16{1}, 4: key, 5: none},
		"an unknown part": {1: a.Identity(), 2: key, 3: []uint16{1}, 4: key, 5: none, 6: "x"},
		"zero digest":     {1: a.Identity(), 2: key, 3: []uint16{1}, 4: [32]byte{}, 5: none},
		"own digest":      {1: a.Identity(), 2: key, 3: []uint16{1}, 4: protocol.DigestOf(a.Key.NodeID()), 5: none},
		"17 rotations":    {1: a.Identity(), 2: key, 3: []uint16{1}, 4: key, 5: make([][]byte, protocol.MaxRotations+1)},
		"empty rotation":  {1: a.Identity(), 2: key, 3: []uint16{1}, 4: key, 5: make([][]byte, 1)},
	} {
		t.Run(name, func(t *testing.T) {
			b := meshtest.New(t, meshtest.Options{})
			b.Greets(nil)
			meshtest.Dial(t, a, b)
			payload, err := protocol.Encode(fields)
			if err != nil {
				t.Fatal(err)
			}
			if answer := sendRaw(t, a, b, payload); answer != nil {
				t.Errorf("answered with %x", answer)
			}
			meshtest.Eventually(t, func() error {
				if all := b.Refusals(); len(all) != 1 || !errors.Is(all[0].Err, protocol.ErrMalformed) {
					return fmt.Errorf("b reported %v", all)
				}
				return nil
			})
		})
	}
}

func TestTheAnsweringSideMaySpeakAsSoonAsItHasAccepted(t *testing.T) {
	var b *meshtest.Node
	spoke := make(chan error, 1)
	a := meshtest.New(t, meshtest.Options{})
	b = meshtest.New(t, meshtest.Options{Hooks: hello.Hooks{Up: func(p hello.Peer) {
		go func() { // before the HelloAck is even written
			_, err := ping.Ping(context.Background(), b.Endpoint, p.Identity.NodeID)
			spoke <- err
		}()
	}}})
	client := a.Greets(nil)
	b.Greets(nil)
	a.OnClose(ping.Serve(a.Endpoint).Close)
	meshtest.Meet(t, a, client, b)
	if err := <-spoke; err != nil {
		t.Errorf("b's ping to a: %v", err)
	}
}

func TestAdmissionEndsWithTheConnection(t *testing.T) {
	var log events
	a := meshtest.New(t, meshtest.Options{})
	b := meshtest.New(t, meshtest.Options{Hooks: log.hooks()})
	client := a.Greets(nil)
	b.Greets(nil)
	for range 2 {
		meshtest.Meet(t, a, client, b)
		if err := a.Host.Network().ClosePeer(b.Host.ID()); err != nil {
			t.Fatal(err)
		}
		meshtest.Eventually(t, func() error {
			if len(a.Registry.Peers())+len(b.Registry.Peers()) > 0 {
				return errors.New("still admitted")
			}
			return nil
		})
		if _, err := ping.Ping(t.Context(), a.Endpoint, b.Key.NodeID()); !errors.Is(err, exchange.ErrNotConnected) {
			t.Errorf("ping: %v", err)
		}
		// Connected again, but not greeted again: not admitted again.
		meshtest.Dial(t, a, b)
		if b.Registry.Admitted(t.Context(), a.Key.NodeID()) {
			t.Error("the old Hello counts for the new connection")
		}
	}
	if got := log.String(); got != "up down up down" {
		t.Errorf("hooks were told %q", got)
	}
}

// A machine that changed its network dials anew, and what it had before is dead and not closed; here it is played by another
// host with its key, which leaves the first one's connection as it is.
func TestANodeThatDialsAnewSupersedesItsOldConnectionsAndNoYoungOnes(t *testing.T) {
	for age, gone := range map[time.Duration]bool{29 * time.Second: false, 31 * time.Second: true} {
		synctest.Test(t, func(t *testing.T) {
			var log events
			lan := meshtest.NewNetwork()
			b := meshtest.New(t, meshtest.Options{Network: lan, Listen: "/memory/1", Hooks: log.hooks()})
			b.Greets(nil)
			before := meshtest.New(t, meshtest.Options{Network: lan, Listen: "/memory/2"})
			meshtest.Meet(t, before, before.Greets(nil), b)
			other := meshtest.New(t, meshtest.Options{Network: lan, Listen: "/memory/3"})
			meshtest.Meet(t, other, other.Greets(nil), b)
			<-time.After(age)
			after := meshtest.New(t, meshtest.Options{Key: before.Key, Network: lan, Listen: "/memory/4"})
			after.OnClose(ping.Serve(after.Endpoint).Close)
			meshtest.Meet(t, after, after.Greets(nil), b)
			synctest.Wait()

			if got := before.Host.Network().Connectedness(b.Host.ID()) != network.Connected; got != gone {
				t.Errorf("a connection that was %s old is closed: %v, want %v", age, got, gone)
			}
			for name, n := range map[string]*meshtest.Node{"new": after, "another node's": other} {
				if n.Host.Network().Connectedness(b.Host.ID()) != network.Connected || !b.Registry.Admitted(t.Context(), n.Key.NodeID()) {
					t.Errorf("after %s the %s connection is closed, too", age, name)
				}
			}
			if got := log.String(); got != "up up" {
				t.Errorf("hooks were told %q", got)
			}
			if gone { // what is said now goes to where the node is
				if _, err := ping.Ping(t.Context(), b.Endpoint, after.Key.NodeID()); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// inNoTime runs f with nodes on a network within the process, on a clock that jumps: however busy the machine is, nothing
// takes time but what waits for it to pass.
func inNoTime(t *testing.T, f func(t *testing.T, a, b, c *meshtest.Node)) {
	synctest.Test(t, func(t *testing.T) {
		lan := meshtest.NewNetwork()
		on := func(at string) *meshtest.Node { return meshtest.New(t, meshtest.Options{Network: lan, Listen: at}) }
		f(t, on("/memory/1"), on("/memory/2"), on("/memory/3"))
	})
}

func TestSilentConnectionsAreClosedAndGreetedOnesStay(t *testing.T) {
	inNoTime(t, func(t *testing.T, b, polite, silent *meshtest.Node) {
		b.Greets(nil)
		meshtest.Meet(t, polite, polite.Greets(nil), b)
		meshtest.Dial(t, silent, b)
		connected := func(n *meshtest.Node) bool {
			synctest.Wait()
			return n.Host.Network().Connectedness(b.Host.ID()) == network.Connected
		}
		<-time.After(hello.DefaultProbation - time.Millisecond)
		if !connected(polite) || !connected(silent) {
			t.Error("somebody was closed too early")
		}
		<-time.After(2 * time.Millisecond)
		if connected(silent) {
			t.Error("the silent node is still connected")
		}
		if !connected(polite) || !b.Registry.Admitted(t.Context(), polite.Key.NodeID()) {
			t.Error("the polite node was closed too")
		}
	})
}

func TestHellosAreLimitedPerPeer(t *testing.T) {
	inNoTime(t, func(t *testing.T, a, b, _ *meshtest.Node) {
		client := a.Greets(nil)
		b.Greets(nil)
		meshtest.Dial(t, a, b)
		said := 0
		var err error
		for ; err == nil && said < 20; said++ {
			_, err = client.Greet(t.Context(), b.Key.NodeID())
		}
		if !errors.Is(err, exchange.ErrRateLimited) || said != 9 {
			t.Errorf("hello %d of as many at once ended with %v", said, err)
		}
	})
}

func TestReasonsAreMadeFitForTheWire(t *testing.T) {
	for name, reason := range map[string]string{"control characters": "no\x1b[2J\nway", "too long": strings.Repeat("é", protocol.MaxReason), "empty": "", "not UTF-8": "a\xffb"} {
		t.Run(name, func(t *testing.T) {
			a, b := two(t)
			client := a.Greets(nil)
			b.Greets(denied(reason))
			meshtest.Dial(t, a, b)
			_, err := client.Greet(t.Context(), b.Key.NodeID())
			var refused *hello.RefusedError
			if !errors.As(err, &refused) || refused.Reason == "" || protocol.CheckText("reason", refused.Reason, protocol.MaxReason) != nil {
				t.Errorf("a was told %q", err)
			}
		})
	}
}

func TestAdmitIsToldWhoAsksAndFromWhere(t *testing.T) {
	a, b := two(t)
	client := a.Greets(nil)
	l := b.Local(nil)
	var gotID protocol.NodeID
	var gotAddr netip.Addr
	var gotName string
	l.Admit = func(_ context.Context, id protocol.NodeID, addr netip.Addr, who hello.Introduction) error {
		gotID, gotAddr, gotName = id, addr, who.Identity.DisplayName
		return nil
	}
	b.OnClose(hello.Serve(b.Endpoint, b.Registry, l).Close)
	meshtest.Meet(t, a, client, b)
	if gotID != a.Key.NodeID() || gotAddr != netip.MustParseAddr("127.0.0.1") || gotName != a.Identity().DisplayName {
		t.Errorf("Admit was asked about %s at %s, %q", gotID, gotAddr, gotName)
	}
}

// events records what hooks are told.
type events struct {
	mu  sync.Mutex
	all []string
}

func (e *events) add(s string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, s)
}

func (e *events) hooks() hello.Hooks {
	return hello.Hooks{Up: func(hello.Peer) { e.add("up") }, Down: func(hello.Peer) { e.add("down") }}
}

func (e *events) String() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return strings.Join(e.all, " ")
}

func gone(t *testing.T, a, b *meshtest.Node) {
	t.Helper()
	meshtest.Eventually(t, func() error {
		if a.Host.Network().Connectedness(b.Host.ID()) == network.Connected || b.Host.Network().Connectedness(a.Host.ID()) == network.Connected {
			return errors.New("still connected")
		}
		return nil
	})
}

// rotationTo returns a statement that leads from a new key to that of n.
func rotationTo(t *testing.T, n *meshtest.Node) (before protocol.NodeID, wire []byte) {
	t.Helper()
	old, err := identity.New(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	now := protocol.At(time.Now())
	wire, err = protocol.SignRotation(&protocol.KeyRotation{OldID: old.NodeID(), NewID: n.Key.NodeID(), Generation: 1, IssuedAt: now, ValidFrom: now,
		OldExpires: now, NextDigest: n.Key.X25519(), Reason: protocol.RotationScheduled}, old, n.Key, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return old.NodeID(), wire
}

func TestBothSidesTellHowTheyCameToTheirKeysAndWhatComesNext(t *testing.T) {
	a, b := two(t)
	heard := make(map[*meshtest.Node]hello.Introduction)
	former := make(map[*meshtest.Node]protocol.NodeID)
	local := func(n *meshtest.Node) hello.Local {
		before, wire := rotationTo(t, n)
		former[n] = before
		l := n.Local(nil)
		l.Rotations = [][]byte{wire}
		l.Admit = func(_ context.Context, _ protocol.NodeID, _ netip.Addr, who hello.Introduction) error {
			heard[n] = who
			return nil
		}
		return l
	}
	la, lb := local(a), local(b)
	b.OnClose(hello.Serve(b.Endpoint, b.Registry, lb).Close)
	meshtest.Meet(t, a, hello.NewClient(a.Endpoint, a.Registry, la), b)
	for at, of := range map[*meshtest.Node]*meshtest.Node{a: b, b: a} {
		who := heard[at]
		if who.NextDigest != of.Key.X25519() || len(who.Rotations) != 1 || who.Rotations[0].OldID != former[of] || who.Rotations[0].Endorsed == nil {
			t.Errorf("heard %+v", who)
		}
		if p, _ := at.Registry.Peer(of.Key.NodeID()); len(p.Former) != 1 || p.Former[0] != former[of] {
			t.Errorf("former keys %v", p.Former)
		}
	}
}

func TestRotationsThatLeadToAnotherKeyAreRefusedOnEitherSide(t *testing.T) {
	for name, liar := range map[string]string{"the dialling node lies": "a", "the answering node lies": "b"} {
		a, b := two(t)
		third := meshtest.New(t, meshtest.Options{})
		_, wire := rotationTo(t, third)
		la, lb := a.Local(nil), b.Local(nil)
		if liar == "a" {
			la.Rotations = [][]byte{wire}
		} else {
			lb.Rotations = [][]byte{wire}
		}
		b.OnClose(hello.Serve(b.Endpoint, b.Registry, lb).Close)
		meshtest.Dial(t, a, b)
		if _, err := hello.NewClient(a.Endpoint, a.Registry, la).Greet(t.Context(), b.Key.NodeID()); err == nil {
			t.Errorf("%s: accepted", name)
		}
		if len(a.Registry.Peers()) != 0 {
			t.Errorf("%s: a has admitted it", name)
		}
		judge := map[string]*meshtest.Node{"a": b, "b": a}[liar]
		meshtest.Eventually(t, func() error {
			if all := judge.Refusals(); len(all) != 1 || !errors.Is(all[0].Err, protocol.ErrMalformed) || !all[0].Hostile() {
				return fmt.Errorf("%s: refused %v", name, all)
			}
			return nil
		})
	}
}
