package mdns

import (
	"context"
	"io"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	"go.uber.org/goleak"

	"github.com/caro-mesh/caro-node/protocol"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// lan is a network cable within the test: what one station sends, all that joined hear, the sender too.
type lan struct {
	mu       sync.Mutex
	stations []*station
	sent     []sent
	lose     func(sent) bool // nil: nothing is lost
}

type sent struct {
	from netip.Addr
	at   time.Time
	data []byte
}

func (l *lan) multicast(s sent) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sent = append(l.sent, s)
	if l.lose != nil && l.lose(s) {
		return
	}
	for _, st := range l.stations {
		if st.member[s.from.Is6()] {
			select {
			case st.in <- packet{index: st.index, from: s.from, data: s.data}:
			default: // as the kernel drops what nobody reads
			}
		}
	}
}

// count returns how many packets were sent since the last count.
func (l *lan) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := len(l.sent)
	l.sent = nil
	return n
}

// of returns the packets that an address sent, and forgets all.
func (l *lan) of(addr string) (out []sent) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.sent {
		if s.from.String() == addr {
			out = append(out, s)
		}
	}
	l.sent = nil
	return out
}

// station is one node on the cable; it is the service's wire.
type station struct {
	*lan
	index  int
	in     chan packet
	member map[bool]bool
	id     protocol.NodeID
	pid    peer.ID
	svc    *Service

	mine      sync.Mutex
	addrs     []string
	slept     time.Duration
	sightings []Sighting
}

func (s *station) join(_ int, v6 bool) error {
	s.lan.mu.Lock()
	defer s.lan.mu.Unlock()
	s.member[v6] = true
	return nil
}

func (s *station) leave(_ int, v6 bool) {
	s.lan.mu.Lock()
	defer s.lan.mu.Unlock()
	delete(s.member, v6)
}

func (s *station) send(_ int, from netip.Addr, data []byte) error {
	s.multicast(sent{from, time.Now(), data})
	return nil
}

func (s *station) packets() <-chan packet { return s.in }
func (s *station) close()                 {}

func (s *station) move(addrs ...string) {
	s.mine.Lock()
	defer s.mine.Unlock()
	s.addrs = addrs
}

// seen returns what was seen since it was last asked.
func (s *station) seen() []Sighting {
	s.mine.Lock()
	defer s.mine.Unlock()
	out := s.sightings
	s.sightings = nil
	return out
}

// newStation makes a node with addresses; run starts it.
func newStation(t *testing.T, l *lan, addrs ...string) *station {
	t.Helper()
	id, pid := someone(t)
	s := &station{lan: l, index: 2, in: make(chan packet, heardAtOnce), member: make(map[bool]bool), id: id, pid: pid, addrs: addrs}
	listen := []ma.Multiaddr{ma.StringCast("/ip4/0.0.0.0/tcp/9238"), ma.StringCast("/ip6/::/tcp/9238")}
	s.svc = New(Config{Peer: pid, Listen: func() []ma.Multiaddr { return listen }, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Seen: func(x Sighting) {
			s.mine.Lock()
			defer s.mine.Unlock()
			s.sightings = append(s.sightings, x)
		}})
	s.svc.open = func() wire { return s }
	s.svc.wall = func() time.Time {
		s.mine.Lock()
		defer s.mine.Unlock()
		return time.Now().Add(s.slept).Round(0)
	}
	s.svc.links = func() ([]link, error) {
		s.mine.Lock()
		defer s.mine.Unlock()
		var ips []netip.Addr
		for _, a := range s.addrs {
			ips = append(ips, netip.MustParseAddr(a))
		}
		return linksOf(s.index, "eth0", ips, listen), nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stations = append(l.stations, s)
	return s
}

// run starts the service and returns what stops it and waits.
func (s *station) run(t *testing.T) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.svc.Run(ctx) }()
	return sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// running makes and starts a node that stops with the bubble.
func running(t *testing.T, l *lan, addrs ...string) *station {
	t.Helper()
	s := newStation(t, l, addrs...)
	t.Cleanup(s.run(t))
	return s
}

func pass(d time.Duration) {
	time.Sleep(d) //nolint:forbidigo // the bubble's clock, which jumps
	synctest.Wait()
}

var keys byte

// someone is a node of which nobody has the key.
func someone(t *testing.T) (protocol.NodeID, peer.ID) {
	t.Helper()
	keys++
	raw := make([]byte, 32)
	raw[0], raw[31] = keys, 1
	id := protocol.NewNodeID(raw)
	pid, err := id.PeerID()
	if err != nil {
		t.Fatal(err)
	}
	return id, pid
}

func hasSeen(list []Sighting, of *station, addr string) bool {
	return slices.ContainsFunc(list, func(s Sighting) bool {
		return s.ID == of.id && s.From.String() == addr && s.For > 0 && len(s.Addrs) == 1
	})
}
