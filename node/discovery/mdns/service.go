package mdns

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"log/slog"
	mathrand "math/rand/v2"
	"net/netip"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/caro-mesh/caro-node/protocol"
)

const (
	// lookEvery is how often the interfaces are looked at (0.1 ms each time).
	lookEvery = 3 * time.Second
	// slept is by how much the clock on the wall must have gone further than the machine's own for a sleep.
	slept = 10 * time.Second
)

// Sighting is one announcement of another node. It proves nothing: whoever is reached there has to.
type Sighting struct {
	ID    protocol.NodeID
	Addrs []ma.Multiaddr // without /p2p; their IP address is From
	From  netip.Addr     // where the packet came from
	// For is how long the announcement is to be believed, up to ten minutes; zero means that the node leaves.
	For time.Duration
}

// Config is what the service needs. Every field is required.
type Config struct {
	// Peer is this node.
	Peer peer.ID
	// Listen returns the addresses that the node listens on, such as /ip4/0.0.0.0/tcp/9238.
	Listen func() []ma.Multiaddr
	// Seen is told of announcements of other nodes, and of the same one again and again. It must not block.
	Seen   func(Sighting)
	Logger *slog.Logger
}

// Service announces the node and listens for others while it runs.
type Service struct {
	c     Config
	links func() ([]link, error)
	open  func() wire
	wall  func() time.Time
}

// New returns a service that does nothing before [Service.Run].
func New(c Config) *Service {
	s := &Service{c: c, open: openSockets, wall: func() time.Time { return time.Now().Round(0) }}
	s.links = func() ([]link, error) { return findLinks(c.Listen()) }
	return s
}

// Run works until ctx ends, says goodbye, and returns nil. A network that does not permit mDNS is logged and tried again.
func (s *Service) Run(ctx context.Context) error {
	r := &runner{s: s, wire: s.open(), groups: make(map[groupKey]*group), budget: newBudget(), told: make(map[string]bool)}
	defer r.wire.close()
	defer r.leave()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case p := <-r.wire.packets():
			r.hear(p, time.Now())
		case <-timer.C:
		}
		timer.Reset(time.Until(r.work(time.Now())))
	}
}

// runner is the state of one run; one goroutine has it.
type runner struct {
	s      *Service
	wire   wire
	budget *budget
	groups map[groupKey]*group
	looked time.Time // machine's clock
	// wallLooked is the same on the clock on the wall.
	wallLooked time.Time
	told       map[string]bool // faults that were logged and have not ended
}

// work does what is due and returns when the next thing is.
func (r *runner) work(now time.Time) time.Time {
	if now.Sub(r.looked) >= lookEvery || r.looked.IsZero() {
		r.look(now)
	}
	next := r.looked.Add(lookEvery)
	for key, g := range r.groups {
		if !g.joined {
			continue
		}
		if !g.askAt.After(now) {
			r.ask(key, g, now)
		}
		next = earlier(next, g.askAt)
		for _, sp := range g.speakers {
			if !sp.due.IsZero() && !sp.due.After(now) {
				r.say(key, sp, now)
			}
			next = earlier(next, sp.due)
		}
	}
	return next
}

// look finds out what has changed about the interfaces.
func (r *runner) look(now time.Time) {
	first, wall := r.looked.IsZero(), r.s.wall()
	// The machine's own clock stands still while it sleeps.
	woke := !first && wall.Sub(r.wallLooked)-now.Sub(r.looked) > slept
	r.looked, r.wallLooked = now, wall
	links, err := r.s.links()
	if r.fault("interfaces", err, "the network interfaces cannot be listed, so nodes of the local network are not found") {
		return
	}
	gone, added := r.keepOnly(links), r.add(links, now)
	if gone || added || first {
		r.tell(links)
	}
	for key, g := range r.groups {
		if !g.joined {
			err := r.wire.join(key.index, key.v6)
			g.joined = !r.fault("join "+g.name, err, "nodes are not found on this interface; is UDP port 5353 blocked or taken by a program that does not share it?",
				"interface", g.name)
		}
		if woke {
			g.begin(now)
		}
	}
}

// keepOnly forgets what is gone and reports whether anything was.
func (r *runner) keepOnly(links []link) (changed bool) {
	have := make(map[groupKey]map[netip.Addr]link)
	for _, l := range links {
		key := keyOf(l)
		if have[key] == nil {
			have[key] = make(map[netip.Addr]link)
		}
		have[key][l.addr] = l
	}
	for key, g := range r.groups {
		for addr, sp := range g.speakers {
			if l, ok := have[key][addr]; !ok || !sp.link.equal(l) {
				delete(g.speakers, addr)
				changed = true
			}
		}
		if have[key] == nil {
			r.wire.leave(key.index, key.v6)
			delete(r.groups, key)
		}
	}
	return changed
}

// add begins to announce what is new and reports whether anything was.
func (r *runner) add(links []link, now time.Time) (changed bool) {
	for _, l := range links {
		key := keyOf(l)
		g := r.groups[key]
		if g == nil {
			g = &group{name: l.name, known: make(map[string]time.Time), speakers: make(map[netip.Addr]*speaker)}
			r.groups[key] = g
		}
		if g.speakers[l.addr] == nil {
			g.speakers[l.addr] = &speaker{link: l, instance: newInstance()}
			g.begin(now)
			changed = true
		}
	}
	return changed
}

// tell logs where the node can be found from now on.
func (r *runner) tell(links []link) {
	if len(links) == 0 {
		r.s.c.Logger.Warn("this node cannot be found on the local network: no interface that is up has a private address that it listens on")
		return
	}
	var addrs []string
	for _, l := range links {
		for _, p := range l.ports {
			addrs = append(addrs, l.name+" "+multiaddr(l.addr, p).String())
		}
	}
	r.s.c.Logger.Info("this node can be found on the local network", "announced", addrs)
}

// fault logs an error when it begins and reports whether there is one.
func (r *runner) fault(what string, err error, text string, args ...any) bool {
	if err == nil {
		delete(r.told, what)
		return false
	}
	if !r.told[what] {
		r.told[what] = true
		r.s.c.Logger.Warn(text, append(args, "error", err)...)
	}
	return true
}

// leave says goodbye on all links.
func (r *runner) leave() {
	for key, g := range r.groups {
		for _, sp := range g.speakers {
			if g.joined && !sp.last.IsZero() {
				r.send(key, sp, true)
			}
		}
	}
}

func (r *runner) send(key groupKey, sp *speaker, goodbye bool) bool {
	a := announcement{instance: sp.instance, peer: r.s.c.Peer, addr: sp.link.addr, ports: sp.link.ports}
	data, err := a.pack(goodbye)
	if err == nil {
		err = r.wire.send(key.index, sp.link.addr, data)
	}
	if err != nil {
		r.s.c.Logger.Debug("an announcement was not sent", "interface", sp.link.name, "error", err)
	}
	return err == nil
}

func newInstance() string {
	var b [instanceLen / 2]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

func earlier(a, b time.Time) time.Time {
	if !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// between returns a random duration from a to b.
func between(a, b time.Duration) time.Duration { return a + mathrand.N(b-a) }
