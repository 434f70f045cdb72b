package mdns

import (
	"maps"
	"net/netip"
	"slices"
	"time"

	ma "github.com/multiformats/go-multiaddr"

	"github.com/caro-mesh/caro-node/node/internal/scope"
)

const (
	// announcements of a new address, each twice as long after the last as that was (RFC 6762 §8.3).
	announcements = 3
	// maxFailures of sending in a row: a new IPv6 address is not usable for a second or two.
	maxFailures = 10
	// answerGap is the least time between two packets that say the same (RFC 6762 §6).
	answerGap = time.Second
	// askEvery is how often the service is asked for, and askSeldom where the known answers do not fit into one packet.
	askEvery, askSeldom = time.Minute, 5 * time.Minute
	// maxInstances is how many announcements of one link are remembered, for known answers alone.
	maxInstances = 256
)

// groupKey is an interface and an address family.
type groupKey struct {
	index int
	v6    bool
}

func keyOf(l link) groupKey { return groupKey{l.index, l.addr.Is6()} }

func (l link) equal(o link) bool {
	return l.index == o.index && l.name == o.name && l.addr == o.addr && slices.Equal(l.ports, o.ports)
}

// group is what there is to do on one interface, over one address family.
type group struct {
	name     string // of the interface
	joined   bool
	askAt    time.Time
	asked    int                  // questions since something changed
	known    map[string]time.Time // instances of others, and until when
	speakers map[netip.Addr]*speaker
}

// speaker announces one address.
type speaker struct {
	link     link
	instance string
	due      time.Time // of the next packet; zero: none
	left     int       // announcements that are still to be made
	last     time.Time // when it spoke last
	failures int
}

// begin announces and asks anew, because something has changed.
func (g *group) begin(now time.Time) {
	g.asked, g.askAt = 0, now.Add(between(20*time.Millisecond, 120*time.Millisecond))
	for _, sp := range g.speakers {
		sp.left, sp.failures = announcements, 0
		sp.due = now.Add(between(20*time.Millisecond, 120*time.Millisecond))
	}
}

// say sends one packet of a speaker.
func (r *runner) say(key groupKey, sp *speaker, now time.Time) {
	sp.due = time.Time{}
	if !r.send(key, sp, false) {
		if sp.failures++; sp.failures < maxFailures {
			sp.due = now.Add(time.Second)
		}
		return
	}
	sp.last, sp.failures = now, 0
	if sp.left--; sp.left > 0 {
		sp.due = now.Add(time.Second << (announcements - 1 - sp.left))
	}
	sp.left = max(sp.left, 0)
}

// answer makes a speaker speak soon, but not too often.
func (sp *speaker) answer(now time.Time, more bool) {
	wait := between(20*time.Millisecond, 120*time.Millisecond)
	if more {
		wait = between(400*time.Millisecond, 500*time.Millisecond)
	}
	at := now.Add(wait)
	if ready := sp.last.Add(answerGap); at.Before(ready) {
		at = ready
	}
	if sp.due.IsZero() || at.Before(sp.due) {
		sp.due = at
	}
}

// ask sends a question with the known answers.
func (r *runner) ask(key groupKey, g *group, now time.Time) {
	maps.DeleteFunc(g.known, func(_ string, until time.Time) bool { return !until.After(now) })
	var known []knownAnswer
	var from netip.Addr
	for addr, sp := range g.speakers { // its own, so that it does not answer itself
		from = addr
		known = append(known, knownAnswer{sp.instance, lifetime})
	}
	for instance, until := range g.known {
		if ttl := until.Sub(now); ttl > lifetime/2 { // RFC 6762 §7.1
			known = append(known, knownAnswer{instance, ttl})
		}
	}
	packet, left, err := packQuestion(known)
	if err == nil {
		err = r.wire.send(key.index, from, packet)
	}
	if err != nil {
		r.s.c.Logger.Debug("a question was not sent", "interface", g.name, "error", err)
	}
	g.asked++
	g.askAt = now.Add(g.pause(left > 0))
}

// pause is the time to the next question: 1, 2 and 6 s, and then askEvery.
func (g *group) pause(many bool) time.Duration {
	switch {
	case g.asked == 1:
		return time.Second
	case g.asked == 2:
		return 2 * time.Second
	case g.asked == 3:
		return 6 * time.Second
	case many:
		return between(askSeldom*9/10, askSeldom*11/10)
	}
	return between(askEvery*9/10, askEvery*11/10)
}

// hear takes one packet.
func (r *runner) hear(p packet, now time.Time) {
	g := r.groups[groupKey{p.index, p.from.Is6()}]
	if g == nil || !scope.Local(p.from) || !relevant(p.data) || !r.budget.allow(p.from, now) {
		return
	}
	h, err := read(p.data)
	if err != nil {
		r.s.c.Logger.Debug("a packet of the local network cannot be read", "from", p.from, "error", err)
		return
	}
	g.hearQuestion(h, now)
	for _, i := range h.instances {
		r.hearInstance(g, p.from, i, now)
	}
}

func (g *group) hearQuestion(h heard, now time.Time) {
	for _, sp := range g.speakers {
		ttl, known := h.known[sp.instance]
		if h.question && (!known || ttl < lifetime/2) || slices.Contains(h.about, sp.instance) {
			sp.answer(now, h.more)
		}
	}
	// Somebody else has just asked, and will be told all that this node would be (RFC 6762 §7.3).
	if h.question && !h.more && g.asked > 3 && g.knowsAll(h.known) {
		g.askAt = now.Add(g.pause(len(g.known) > maxKnown))
	}
}

func (g *group) knowsAll(instances map[string]time.Duration) bool {
	for i := range instances {
		own := false
		for _, sp := range g.speakers {
			own = own || sp.instance == i
		}
		if _, known := g.known[i]; !known && !own {
			return false
		}
	}
	return true
}

func (r *runner) hearInstance(g *group, from netip.Addr, i instance, now time.Time) {
	for _, sp := range g.speakers {
		if sp.instance == i.name {
			return // its own
		}
	}
	var addrs []ma.Multiaddr
	for _, a := range i.addrs {
		if ip, err := scope.IP(a); err == nil && ip == from {
			addrs = append(addrs, a)
		}
	}
	if len(addrs) == 0 {
		r.s.c.Logger.Debug("an announcement names an address that it did not come from, and is ignored", "from", from, "peer", i.id.Fingerprint())
		return
	}
	if _, known := g.known[i.name]; !known || i.ttl == 0 {
		r.s.c.Logger.Debug("a neighbour was announced", "peer", i.id.Fingerprint(), "addresses", addrs, "interface", g.name, "leaves", i.ttl == 0)
	}
	delete(g.known, i.name)
	if i.ttl > 0 {
		if len(g.known) >= maxInstances {
			for victim := range g.known { // any, so that a liar cannot choose
				delete(g.known, victim)
				break
			}
		}
		g.known[i.name] = now.Add(i.ttl)
	}
	r.s.c.Seen(Sighting{ID: i.id, Addrs: addrs, From: from, For: i.ttl})
}
