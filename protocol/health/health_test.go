package health_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	pb "github.com/libp2p/go-libp2p-pubsub/pb"
	"github.com/libp2p/go-libp2p/core/network"
	"google.golang.org/protobuf/proto"

	"github.com/caro-mesh/caro-node/internal/meshtest"
	"github.com/caro-mesh/caro-node/node/identity"
	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/protocol/exchange"
	"github.com/caro-mesh/caro-node/protocol/health"
)

func TestAStatusReachesEverybodyOverTwoHops(t *testing.T) {
	members := []*member{newMember(t, meshtest.Options{}), newMember(t, meshtest.Options{}), newMember(t, meshtest.Options{})}
	n := uint64(7)
	beats(t, members[0], health.Status{CaroVersion: "1.2.3", Uptime: 90 * time.Minute, EventCount24h: &n, State: protocol.HealthDegraded})
	meet(t, members[1], members[2])
	meet(t, members[0], members[1])
	for _, m := range members[1:] {
		h := hears(t, m, members[0].Key.NodeID())
		if h.CaroVersion != "1.2.3" || h.UptimeSeconds != 5400 || h.EventCount24h == nil || *h.EventCount24h != 7 ||
			h.State != protocol.HealthDegraded || h.ProtocolVersion != protocol.Version || h.Signature == nil {
			t.Errorf("heard %+v", h)
		}
	}
	if _, ok := members[0].topic.Heard(members[0].Key.NodeID()); ok {
		t.Error("it heard itself")
	}
}

func TestACountThatIsNotToldIsAbsent(t *testing.T) {
	m := mesh(t, 2)
	say(t, m[0], health.Status{})
	if h := hears(t, m[1], m[0].Key.NodeID()); h.EventCount24h != nil {
		t.Errorf("heard %d", *h.EventCount24h)
	}
}

// TestWhatALiarSaysIsNotBelievedAndNotPassedOn writes one wrong thing to the victim's topic and then a true one, which
// arrives at the victim's other neighbour alone.
func TestWhatALiarSaysIsNotBelievedAndNotPassedOn(t *testing.T) {
	own := func(edit func(*protocol.NodeHealthStatus)) func(*testing.T, *liar, *identity.Identity) []*pb.Message {
		return func(t *testing.T, l *liar, _ *identity.Identity) []*pb.Message {
			return []*pb.Message{message(status(t, l.Key, l.seq, edit))}
		}
	}
	for name, c := range map[string]struct {
		messages func(t *testing.T, l *liar, other *identity.Identity) []*pb.Message
		blamed   error // nil: an honest neighbour could have passed it on
		counted  health.Counts
	}{
		"another's status with another's signature altered": {func(t *testing.T, l *liar, other *identity.Identity) []*pb.Message {
			wire := status(t, other, l.seq, nil)
			i := bytes.LastIndex(wire, []byte("\x58\x40")) + 10
			wire[i] ^= 1
			return []*pb.Message{message(wire)}
		}, protocol.ErrSignature, health.Counts{Accepted: 1, Refused: 1}},
		"another's status with a later uptime": {func(t *testing.T, l *liar, other *identity.Identity) []*pb.Message {
			wire := status(t, other, l.seq, func(h *protocol.NodeHealthStatus) { h.CaroVersion = "good" })
			return []*pb.Message{message(bytes.Replace(wire, []byte("good"), []byte("evil"), 1))}
		}, protocol.ErrSignature, health.Counts{Accepted: 1, Refused: 1}},
		"noise": {func(*testing.T, *liar, *identity.Identity) []*pb.Message {
			return []*pb.Message{message(bytes.Repeat([]byte{0x81}, 400))}
		}, protocol.ErrMalformed, health.Counts{Accepted: 1, Refused: 1}},
		"a crumb": {func(*testing.T, *liar, *identity.Identity) []*pb.Message {
			return []*pb.Message{message([]byte{0xa0})}
		}, protocol.ErrMalformed, health.Counts{Accepted: 1, Refused: 1}},
		"a status with one byte behind it": {func(t *testing.T, l *liar, other *identity.Identity) []*pb.Message {
			return []*pb.Message{message(append(status(t, other, l.seq, nil), 0))}
		}, protocol.ErrMalformed, health.Counts{Accepted: 1, Refused: 1}},
		"a status above 4 KiB": {func(*testing.T, *liar, *identity.Identity) []*pb.Message {
			return []*pb.Message{message(make([]byte, protocol.MaxHealth+1))}
		}, protocol.ErrTooLarge, health.Counts{Accepted: 1, Refused: 1}},
		"a status of 4 KiB that is none": {func(*testing.T, *liar, *identity.Identity) []*pb.Message {
			return []*pb.Message{message(make([]byte, protocol.MaxHealth))}
		}, protocol.ErrMalformed, health.Counts{Accepted: 1, Refused: 1}},
		"another topic": {func(t *testing.T, l *liar, other *identity.Identity) []*pb.Message {
			return []*pb.Message{{Data: status(t, other, l.seq, nil), Topic: proto.String("caro/health/2")}}
		}, protocol.ErrType, health.Counts{Accepted: 1, Refused: 1}},
		"an author beside the status": {func(t *testing.T, l *liar, other *identity.Identity) []*pb.Message {
			m := message(status(t, other, l.seq, nil))
			m.From, m.Seqno = []byte(l.Host.ID()), []byte("12345678")
			return []*pb.Message{m}
		}, protocol.ErrMalformed, health.Counts{Accepted: 1, Refused: 1}},
		"a status of six minutes ago": {own(func(h *protocol.NodeHealthStatus) {
			h.Timestamp = protocol.At(time.Now().Add(-6 * time.Minute))
		}), nil, health.Counts{Accepted: 1, Ignored: 1}},
		"a status of in six minutes": {own(func(h *protocol.NodeHealthStatus) {
			h.Timestamp = protocol.At(time.Now().Add(6 * time.Minute))
		}), nil, health.Counts{Accepted: 1, Ignored: 1}},
		"somebody whom the victim does not trust": {func(t *testing.T, l *liar, other *identity.Identity) []*pb.Message {
			return []*pb.Message{message(status(t, other, l.seq, nil))}
		}, nil, health.Counts{Accepted: 1, Ignored: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				net := meshtest.NewNetwork()
				victim := newMember(t, meshtest.Options{Network: net, Listen: "/memory/1"})
				witness := newMember(t, meshtest.Options{Network: net, Listen: "/memory/2"})
				meet(t, victim, witness)
				other, err := identity.New(time.Now())
				if err != nil {
					t.Fatal(err)
				}
				if c.blamed == nil {
					victim.distrust(other.NodeID()) // and the witness trusts it
				}
				l := newLiar(t, victim, meshtest.Options{Network: net, Listen: "/memory/3"})
				pass(2 * time.Second)
				l.must(c.messages(t, l, other)...)
				l.must(message(status(t, l.Key, l.seq, func(h *protocol.NodeHealthStatus) { h.CaroVersion = "true" })))
				pass(time.Minute)
				if h, ok := witness.topic.Heard(l.Key.NodeID()); !ok || h.Status.CaroVersion != "true" {
					t.Errorf("the witness heard %+v", h)
				}
				for _, m := range []*member{victim, witness} {
					if h, ok := m.topic.Heard(other.NodeID()); ok {
						t.Errorf("heard %+v", h)
					}
				}
				if got := victim.topic.Counts(); got != c.counted {
					t.Errorf("the victim counted %+v, want %+v", got, c.counted)
				}
				if got := witness.topic.Counts(); got != (health.Counts{Accepted: 1}) {
					t.Errorf("the witness counted %+v", got)
				}
				refusals := victim.Refusals()
				switch {
				case c.blamed == nil && len(refusals) > 0:
					t.Errorf("the neighbour is blamed: %v", refusals)
				case c.blamed != nil && (len(refusals) != 1 || !errors.Is(refusals[0].Err, c.blamed) || refusals[0].Peer != l.Key.NodeID() || !refusals[0].Hostile()):
					t.Errorf("refusals %v, want %v of %s", refusals, c.blamed, l.Key.Fingerprint())
				}
			})
		})
	}
}

func TestAFrameMayHave16KiBAndNoMore(t *testing.T) {
	for size, heard := range map[int]bool{protocol.MaxGossip: true, protocol.MaxGossip + 1: false} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			net := meshtest.NewNetwork()
			victim := newMember(t, meshtest.Options{Network: net, Listen: "/memory/1"})
			l := newLiar(t, victim, meshtest.Options{Network: net, Listen: "/memory/2"})
			var body []byte
			for n := size; len(body) != size; n-- {
				var err error
				body, err = proto.Marshal(&pb.RPC{Subscriptions: []*pb.RPC_SubOpts{{Subscribe: proto.Bool(true), Topicid: proto.String(strings.Repeat("x", n))}}})
				if err != nil {
					t.Fatal(err)
				}
			}
			_, err := l.stream.Write(append(binary.AppendUvarint(nil, uint64(size)), body...))
			if err == nil {
				err = l.publish(message(status(t, l.Key, l.seq, nil)))
			}
			if heard {
				if err != nil {
					t.Fatal(err)
				}
				hears(t, victim, l.Key.NodeID())
				return
			}
			if err == nil {
				_, err = l.stream.Read(make([]byte, 1))
			}
			if _, ok := victim.topic.Heard(l.Key.NodeID()); ok || !errors.Is(err, network.ErrReset) {
				t.Errorf("heard %t, error %v", ok, err)
			}
		})
	}
}

func TestAStatusIsBelievedOnceAndNoOlderOneAfterIt(t *testing.T) {
	net := meshtest.NewNetwork()
	victim := newMember(t, meshtest.Options{Network: net, Listen: "/memory/1"})
	l := newLiar(t, victim, meshtest.Options{Network: net, Listen: "/memory/2"})
	older := status(t, l.Key, l.seq, func(h *protocol.NodeHealthStatus) { h.CaroVersion = "older" })
	same := status(t, l.Key, l.seq, func(h *protocol.NodeHealthStatus) { h.CaroVersion = "first" })
	l.must(message(same))
	l.must(message(older))
	l.must(message(same))
	again := status(t, l.Key, l.seq, func(h *protocol.NodeHealthStatus) { h.Sequence-- })
	l.must(message(again)) // another status with the same number
	other := status(t, l.Key, l.seq, func(h *protocol.NodeHealthStatus) { h.CaroVersion = "last" })
	l.must(message(other))
	meshtest.Eventually(t, func() error {
		if h, _ := victim.topic.Heard(l.Key.NodeID()); h.Status.CaroVersion != "last" {
			return fmt.Errorf("heard %+v", h.Status)
		}
		return nil
	})
	if got := victim.topic.Counts(); got != (health.Counts{Accepted: 2, Ignored: 2}) {
		t.Errorf("counted %+v", got)
	}
}

func TestANodeThatSpeaksTooOftenIsHeardAtItsPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := meshtest.NewNetwork()
		victim := newMember(t, meshtest.Options{Network: net, Listen: "/memory/1"})
		l := newLiar(t, victim, meshtest.Options{Network: net, Listen: "/memory/2"})
		for range 60 { // one a second for a minute
			l.must(message(status(t, l.Key, l.seq, nil)))
			pass(time.Second)
		}
		// Two at once and one every ten seconds: 7.
		const want = protocol.HealthBurst + uint64(59*time.Second/protocol.HealthEvery)
		if got := victim.topic.Counts(); got.Accepted != want || got.Ignored != 60-want {
			t.Errorf("counted %+v", got)
		}
		if len(victim.Refusals()) != 0 {
			t.Errorf("refusals %v", victim.Refusals())
		}
	})
}

func TestAFloodStopsAtItsOwnEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := meshtest.NewNetwork()
		victim := newMember(t, meshtest.Options{Network: net, Listen: "/memory/1"})
		l := newLiar(t, victim, meshtest.Options{Network: net, Listen: "/memory/2"})
		rpc := frame(t, &pb.RPC{Publish: []*pb.Message{message(bytes.Repeat([]byte{0x81}, 4000))}})
		const minutes = 2
		// What is read in that time, and what waits in the two windows of the stream.
		const most = protocol.GossipBurst + minutes*60*protocol.GossipRate + 2<<20
		if err := l.stream.SetWriteDeadline(time.Now().Add(minutes * time.Minute)); err != nil {
			t.Fatal(err)
		}
		sent := 0
		for sent <= most {
			n, err := l.stream.Write(rpc)
			sent += n
			if err != nil {
				break
			}
		}
		if sent > most || sent < protocol.GossipBurst {
			t.Errorf("%d bytes in %d minutes, at most %d should fit", sent, minutes, most)
		}
		if n := len(victim.Refusals()); n > 30 {
			t.Errorf("%d reports of the same flood", n)
		}
		// An honest neighbour is heard meanwhile.
		honest := newMember(t, meshtest.Options{Network: net, Listen: "/memory/3"})
		meet(t, honest, victim)
		say(t, honest, health.Status{})
		synctest.Wait()
		if _, ok := victim.topic.Heard(honest.Key.NodeID()); !ok {
			t.Error("the honest neighbour was not heard")
		}
	})
}

func TestAPeerThatWasNotAdmittedCannotSpeak(t *testing.T) {
	net := meshtest.NewNetwork()
	victim := newMember(t, meshtest.Options{Network: net, Listen: "/memory/1"})
	stranger := meshtest.New(t, meshtest.Options{Network: net, Listen: "/memory/2"})
	meshtest.Dial(t, stranger, victim.Node)
	s, err := stranger.Host.NewStream(t.Context(), victim.Host.ID(), "/meshsub/1.1.0")
	if err == nil {
		_, err = s.Write(frame(t, &pb.RPC{Publish: []*pb.Message{message(status(t, stranger.Key, meshtest.NewSequence(), nil))}}))
	}
	if err == nil {
		_, err = s.Read(make([]byte, 1))
	}
	if err == nil {
		t.Error("the stranger may speak")
	}
	meshtest.Eventually(t, func() error {
		all := victim.Refusals()
		if len(all) != 1 || !errors.Is(all[0].Err, exchange.ErrNotAdmitted) || all[0].Peer != stranger.Key.NodeID() || all[0].Protocol != health.ID {
			return fmt.Errorf("refusals %v", all)
		}
		return nil
	})
	if got := victim.topic.Counts(); got != (health.Counts{}) {
		t.Errorf("counted %+v", got)
	}
}

func TestNothingIsSaidToAPeerThatWasNotAdmitted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := meshtest.NewNetwork()
		a := newMember(t, meshtest.Options{Network: net, Listen: "/memory/1"})
		b := newMember(t, meshtest.Options{Network: net, Listen: "/memory/2"})
		meshtest.Dial(t, b.Node, a.Node)
		pass(5 * time.Second) // below the probation; the router's first streams would be long open
		say(t, a, health.Status{})
		synctest.Wait()
		if n := len(a.topic.Neighbours()); n != 0 {
			t.Errorf("%d neighbours", n)
		}
		if _, ok := b.topic.Heard(a.Key.NodeID()); ok {
			t.Error("a stranger heard it")
		}
	})
}

func TestWhoLosesTrustNeitherHearsNorIsHeardEvenWhileConnected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := mesh(t, 3) // 0 – 1 – 2
		pass(2 * time.Second)
		m[1].distrust(m[0].Key.NodeID())
		say(t, m[0], health.Status{})
		say(t, m[1], health.Status{})
		say(t, m[2], health.Status{})
		pass(time.Minute)
		for _, c := range []struct {
			who, whom int
			want      bool
		}{{0, 1, false}, {0, 2, false}, {1, 0, false}, {2, 0, false}, {1, 2, true}, {2, 1, true}} {
			if _, ok := m[c.who].topic.Heard(m[c.whom].Key.NodeID()); ok != c.want {
				t.Errorf("%d heard %d: %t", c.who, c.whom, ok)
			}
		}
		if len(m[1].Host.Network().Peers()) != 2 {
			t.Error("the connection ended, so this shows nothing")
		}
	})
}

func TestAStatusOfAnUntrustedNodeIsNotPassedOnByWhoDistrustsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := mesh(t, 4) // 0 – 1 – 2 – 3, and 2 does not trust 0
		m[2].distrust(m[0].Key.NodeID())
		pass(2 * time.Second)
		say(t, m[0], health.Status{})
		pass(time.Minute)
		for i, want := range []bool{false, true, false, false} {
			if _, ok := m[i].topic.Heard(m[0].Key.NodeID()); ok != want {
				t.Errorf("%d heard 0: %t", i, ok)
			}
		}
		if got := m[2].topic.Counts(); got != (health.Counts{Ignored: 1}) || len(m[2].Refusals()) != 0 {
			t.Errorf("counted %+v, blamed %v", got, m[2].Refusals())
		}
	})
}

func TestANeighbourThatComesBackIsSpokenToAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := mesh(t, 2)
		for range 3 {
			if err := m[0].Host.Network().ClosePeer(m[1].Host.ID()); err != nil {
				t.Fatal(err)
			}
			pass(15 * time.Second)
			meet(t, m[1], m[0])
			say(t, m[0], health.Status{})
			pass(time.Second)
			h, _ := m[1].topic.Heard(m[0].Key.NodeID())
			if age := time.Since(h.At); age > 2*time.Second {
				t.Fatalf("last heard %s ago", age)
			}
		}
	})
}

func TestANeighbourCannotMakeThisNodeDial(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := meshtest.NewNetwork()
		victim := newMember(t, meshtest.Options{Network: net, Listen: "/memory/1"})
		third := newMember(t, meshtest.Options{Network: net, Listen: "/memory/3"})
		l := newLiar(t, victim, meshtest.Options{Network: net, Listen: "/memory/2"})
		victim.Host.Peerstore().AddAddrs(third.Host.ID(), third.Host.Network().ListenAddresses(), time.Hour)
		pass(5 * time.Second)
		before := net.Dials()
		for range 200 {
			rpc := &pb.RPC{Control: &pb.ControlMessage{Prune: []*pb.ControlPrune{{TopicID: proto.String(health.ID), Backoff: proto.Uint64(1),
				Peers: []*pb.PeerInfo{{PeerID: []byte(third.Host.ID())}}}}}}
			if _, err := l.stream.Write(frame(t, rpc)); err != nil {
				t.Fatal(err)
			}
		}
		pass(2 * time.Minute)
		if n := net.Dials() - before; n != 0 {
			t.Errorf("%d connections were tried", n)
		}
		l.must(message(status(t, l.Key, l.seq, nil)))
		pass(time.Second)
		if _, ok := victim.topic.Heard(l.Key.NodeID()); !ok {
			t.Error("what came before was not read, so this shows nothing")
		}
	})
}

// beats runs the topic of m, which says s whenever it is due, and returns a function that tells when it spoke, in time
// since the start.
func beats(t *testing.T, m *member, s health.Status) func() []time.Duration {
	t.Helper()
	start := time.Now()
	var mu sync.Mutex
	var at []time.Duration
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- m.topic.Run(ctx, func(ctx context.Context) {
			mu.Lock()
			defer mu.Unlock()
			at = append(at, time.Since(start))
			if err := m.topic.Publish(ctx, s); err != nil {
				t.Error(err)
			}
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return func() []time.Duration {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(at)
	}
}

func TestAStatusIsSaidEveryHalfMinuteByChanceEarlierOrLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := mesh(t, 2)
		spoke := beats(t, m[0], health.Status{State: protocol.HealthOK})
		pass(time.Hour)
		at := spoke()
		if len(at) == 0 || at[0] > 3*time.Second {
			t.Fatalf("first spoke at %v, with a neighbour from the start", at)
		}
		gaps := make(map[time.Duration]bool)
		for i := 1; i < len(at); i++ {
			gap := at[i] - at[i-1]
			if gaps[gap] = true; gap < 24*time.Second || gap > 36*time.Second {
				t.Errorf("%s between two statuses", gap)
			}
		}
		if len(at) < 100 || len(gaps) < 50 {
			t.Errorf("spoke %d times in an hour, at %d different intervals", len(at), len(gaps))
		}
		if got := m[1].topic.Counts(); got.Accepted != uint64(len(at)) || got.Ignored != 0 {
			t.Errorf("%d were said, the neighbour counted %+v", len(at), got)
		}
	})
}

func TestNothingIsSaidToNobodyAndANewcomerIsToldSoonButNotTooOften(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := meshtest.NewNetwork()
		a := newMember(t, meshtest.Options{Network: net, Listen: "/memory/1"})
		spoke := beats(t, a, health.Status{State: protocol.HealthOK})
		pass(10 * time.Minute)
		if n := len(spoke()); n != 0 {
			t.Fatalf("it spoke %d times to nobody", n)
		}
		began := 10 * time.Minute
		for i := range 6 { // one every five seconds
			meet(t, newMember(t, meshtest.Options{Network: net, Listen: fmt.Sprintf("/memory/%d", i+2)}), a)
			pass(5 * time.Second)
		}
		at := spoke()
		if len(at) < 2 || at[0]-began > 3*time.Second {
			t.Fatalf("spoke at %v, the first neighbour came at %s", at, began)
		}
		for i := 1; i < len(at); i++ {
			if gap := at[i] - at[i-1]; gap < protocol.HealthEvery {
				t.Errorf("%s between two statuses", gap)
			}
		}
		if len(at) > 4 {
			t.Errorf("spoke %d times for newcomers of half a minute", len(at))
		}
	})
}
