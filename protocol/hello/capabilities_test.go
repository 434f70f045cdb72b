package hello_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/libp2p/go-libp2p/core/network"

	"github.com/caro-mesh/caro-node/internal/meshtest"
	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/protocol/exchange"
	"github.com/caro-mesh/caro-node/protocol/hello"
)

// self is how a node introduces itself in a test that changes it.
type self struct {
	mu sync.Mutex
	id protocol.NodeIdentity
}

func (s *self) get() protocol.NodeIdentity {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.id
}

func (s *self) set(name string, level protocol.DataLevel) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.id.DisplayName, s.id.Capabilities.MaxShareLevel = name, level
}

// changing starts two nodes that know each other, of which a changes; changes receives what b's hook is told.
func changing(t *testing.T) (a, b *meshtest.Node, who *self, client *hello.Client, changes chan hello.Peer) {
	t.Helper()
	changes = make(chan hello.Peer, 8)
	a = meshtest.New(t, meshtest.Options{})
	b = meshtest.New(t, meshtest.Options{Hooks: hello.Hooks{Changed: func(p hello.Peer) { changes <- p }}})
	b.Greets(nil)
	who = &self{id: a.Identity()}
	l := a.Local(nil)
	l.Identity = who.get
	a.OnClose(hello.Serve(a.Endpoint, a.Registry, l).Close)
	client = hello.NewClient(a.Endpoint, a.Registry, l)
	meshtest.Meet(t, a, client, b)
	return a, b, who, client, changes
}

func TestAPeerLearnsOfAChangeWhileTheConnectionLasts(t *testing.T) {
	a, b, who, client, changes := changing(t)
	before, _ := b.Registry.Peer(a.Key.NodeID())
	for _, c := range []struct {
		name  string
		level protocol.DataLevel
	}{{"anna at home", protocol.LevelAggregated}, {"", protocol.LevelRaw}} {
		who.set(c.name, c.level)
		if _, err := client.Announce(t.Context(), b.Key.NodeID()); err != nil {
			t.Fatal(err)
		}
		p, ok := b.Registry.Peer(a.Key.NodeID())
		if !ok || p.Identity.DisplayName != c.name || p.Identity.Capabilities.MaxShareLevel != c.level {
			t.Errorf("after the change to %+v b knows %+v", c, p.Identity)
		}
		select { // the hook runs before the stream ends
		case told := <-changes:
			if told.Identity.DisplayName != c.name {
				t.Errorf("the hook was told %+v", told.Identity)
			}
		default:
			t.Error("the hook was told nothing")
		}
		if p.Identity.NodeID != before.Identity.NodeID || p.Since != before.Since || p.X25519 != before.X25519 || p.Version != before.Version {
			t.Errorf("more has changed: %+v, before %+v", p, before)
		}
	}
}

func TestNothingIsSentWithoutAChange(t *testing.T) {
	a, b, who, client, changes := changing(t)
	asked := func() (n uint64) {
		for _, c := range a.Endpoint.Counts() {
			n += c.Asked
		}
		return n
	}
	for range 30 { // more than the rate would allow
		if sent, err := client.Announce(t.Context(), b.Key.NodeID()); sent || err != nil {
			t.Fatal(sent, err)
		}
	}
	who.set("new", protocol.LevelSummarized)
	for i := range 30 {
		if sent, err := client.Announce(t.Context(), b.Key.NodeID()); sent != (i == 0) || err != nil {
			t.Fatal(i, sent, err)
		}
	}
	if n := asked(); n != 2 || len(changes) != 1 {
		t.Errorf("%d exchanges, %d changes; want one Hello and one Capabilities", n, len(changes))
	}
}

func TestNothingIsAnnouncedToWhoIsNotAdmitted(t *testing.T) {
	a, b, who, client, _ := changing(t)
	who.set("new", protocol.LevelRaw)
	if err := a.Host.Network().ClosePeer(b.Host.ID()); err != nil {
		t.Fatal(err)
	}
	gone(t, a, b)
	meshtest.Eventually(t, func() error {
		if sent, err := client.Announce(t.Context(), b.Key.NodeID()); sent || err != nil {
			return fmt.Errorf("sent %v, %w", sent, err)
		}
		return nil
	})
}

// announceRaw sends a Capabilities message on a raw stream and returns how the stream ended.
func announceRaw(t *testing.T, a, b *meshtest.Node, payload []byte) error {
	t.Helper()
	s, err := a.Host.NewStream(t.Context(), b.Host.ID(), hello.ID)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Reset() }()
	sealed, err := a.Sealer.Seal(protocol.MsgCapabilities, payload)
	if err != nil {
		t.Fatal(err)
	}
	if err := protocol.WriteFrame(s, sealed); err != nil {
		t.Fatal(err)
	}
	more, err := io.ReadAll(s)
	if len(more) > 0 {
		t.Errorf("it was answered with %x", more)
	}
	return err
}

func TestCapabilitiesBeforeHelloAreRefused(t *testing.T) {
	a, b := two(t)
	b.Greets(nil)
	meshtest.Dial(t, a, b)
	payload, err := protocol.Encode(map[int]any{2: a.Identity().Capabilities})
	if err != nil {
		t.Fatal(err)
	}
	var reset *network.StreamError
	if err := announceRaw(t, a, b, payload); !errors.As(err, &reset) || reset.ErrorCode != network.StreamGated {
		t.Errorf("a was told %v", err)
	}
	if all := b.Refusals(); len(all) != 1 || !errors.Is(all[0].Err, exchange.ErrNotAdmitted) || !all[0].Hostile() {
		t.Errorf("b reported %v", all)
	}
	if len(b.Registry.Peers()) != 0 {
		t.Error("a was admitted")
	}
}

func TestBrokenCapabilitiesAreRefusedAndChangeNothing(t *testing.T) {
	caps := meshtest.New(t, meshtest.Options{}).Identity().Capabilities
	zero := caps
	zero.ProtocolVersion = 0
	for name, fields := range map[string]map[int]any{
		"nothing":             {},
		"only a name":         {1: "anna"},
		"an empty name":       {1: "", 2: caps},
		"a name of controls":  {1: "\x1b[2J", 2: caps},
		"a name too long":     {1: strings.Repeat("a", protocol.MaxDisplayName+1), 2: caps},
		"protocol version 0":  {2: zero},
		"an unknown part":     {2: caps, 3: "x"},
		"a level of tomorrow": {2: map[int]any{1: 1, 2: "v", 3: 9, 4: true, 5: []string{}}},
	} {
		t.Run(name, func(t *testing.T) {
			a, b, _, _, changes := changing(t)
			before, _ := b.Registry.Peer(a.Key.NodeID())
			payload, err := protocol.Encode(fields)
			if err != nil {
				t.Fatal(err)
			}
			var reset *network.StreamError
			if err := announceRaw(t, a, b, payload); !errors.As(err, &reset) || reset.ErrorCode != network.StreamProtocolViolation {
				t.Errorf("a was told %v", err)
			}
			if all := b.Refusals(); len(all) != 1 || !all[0].Hostile() || !errors.Is(all[0].Err, protocol.ErrMalformed) && !errors.Is(all[0].Err, protocol.ErrNotDeterministic) {
				t.Errorf("b reported %v", all)
			}
			if after, _ := b.Registry.Peer(a.Key.NodeID()); fmt.Sprint(after) != fmt.Sprint(before) || len(changes) != 0 {
				t.Errorf("b knows %+v, before %+v", after, before)
			}
		})
	}
}

func TestCapabilitiesAreLimitedPerPeer(t *testing.T) {
	_, b, who, client, changes := changing(t)
	var err error
	n := 0
	for ; n < 20 && err == nil; n++ {
		who.set(fmt.Sprintf("name %d", n), protocol.LevelRaw)
		_, err = client.Announce(t.Context(), b.Key.NodeID())
		for len(changes) > 0 {
			<-changes
		}
	}
	if !errors.Is(err, exchange.ErrRateLimited) || n > 10 {
		t.Errorf("after %d changes in a row: %v", n, err)
	}
}
