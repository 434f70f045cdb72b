package mdns

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

func TestTwoNodesFindEachOtherWithinASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &lan{}
		a, b := running(t, l, "10.0.0.1"), running(t, l, "10.0.0.2")
		pass(time.Second)
		if !hasSeen(b.seen(), a, "10.0.0.1") {
			t.Error("b does not know a")
		}
		seen := a.seen()
		if !hasSeen(seen, b, "10.0.0.2") {
			t.Fatal("a does not know b")
		}
		for _, s := range seen {
			if s.ID != b.id || s.Addrs[0].String() != "/ip4/10.0.0.2/tcp/9238" || s.For != lifetime {
				t.Errorf("sighting %+v", s)
			}
		}
	})
}

func TestANewcomerLearnsOfThoseWhoAreThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &lan{}
		a, b := running(t, l, "10.0.0.1"), running(t, l, "10.0.0.2")
		pass(30 * time.Second)
		c := running(t, l, "10.0.0.3")
		pass(time.Second)
		if seen := c.seen(); !hasSeen(seen, a, "10.0.0.1") || !hasSeen(seen, b, "10.0.0.2") {
			t.Errorf("c saw %+v", seen)
		}
	})
}

func TestNodesOfOneMachineFindEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &lan{}
		a, b := running(t, l, "10.0.0.1"), running(t, l, "10.0.0.1")
		pass(time.Second)
		if !hasSeen(a.seen(), b, "10.0.0.1") || !hasSeen(b.seen(), a, "10.0.0.1") {
			t.Error("not found")
		}
	})
}

func TestEachAddressIsAnnouncedFromItselfOverItsFamily(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &lan{}
		a := running(t, l, "10.0.0.1", "192.168.7.1", "fd00::1", "fe80::1", "203.0.113.9", "2001:db8::1")
		b := running(t, l, "10.0.0.2", "fd00::2")
		pass(time.Second)
		seen := b.seen()
		for _, addr := range []string{"10.0.0.1", "192.168.7.1", "fd00::1"} {
			if !hasSeen(seen, a, addr) {
				t.Errorf("%s was not announced", addr)
			}
		}
		for _, addr := range []string{"fe80::1", "203.0.113.9", "2001:db8::1"} {
			if len(l.of(addr)) > 0 {
				t.Errorf("something was sent from %s", addr)
			}
		}
	})
}

func TestAnAddressThatAppearsIsAnnouncedAndOneThatIsGoneIsNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &lan{}
		a, b := running(t, l, "10.0.0.1"), running(t, l, "10.0.0.2")
		pass(time.Minute)
		b.seen()
		a.move("10.0.0.77")
		pass(lookEvery + time.Second)
		if !hasSeen(b.seen(), a, "10.0.0.77") {
			t.Error("the new address was not announced")
		}
		l.count()
		pass(time.Hour)
		if n := len(l.of("10.0.0.1")); n > 0 {
			t.Errorf("%d packets from the old address", n)
		}
	})
}

func TestAMachineThatWakesUpAnnouncesAndAsksAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &lan{}
		a := running(t, l, "10.0.0.1")
		pass(50 * time.Second) // before the next question
		l.count()
		a.mine.Lock()
		a.slept = time.Hour
		a.mine.Unlock()
		pass(lookEvery + time.Second)
		announced, asked := 0, 0
		for _, s := range l.of("10.0.0.1") {
			h, err := read(s.data)
			if err != nil {
				t.Fatal(err)
			}
			if h.question {
				asked++
			}
			announced += len(h.instances)
		}
		if announced == 0 || asked == 0 {
			t.Errorf("%d announcements, %d questions", announced, asked)
		}
	})
}

func TestALeavingNodeSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &lan{}
		b := running(t, l, "10.0.0.2")
		a := newStation(t, l, "10.0.0.1")
		stop := a.run(t)
		pass(10 * time.Second)
		b.seen()
		stop()
		synctest.Wait()
		seen := b.seen()
		if len(seen) != 1 || seen[0].ID != a.id || seen[0].For != 0 || seen[0].From.String() != "10.0.0.1" {
			t.Errorf("b saw %+v", seen)
		}
	})
}

func TestAQuietNetworkOfThirtyNodesSaysLittle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &lan{}
		for i := range 30 {
			running(t, l, fmt.Sprintf("10.0.0.%d", i+1))
		}
		pass(10 * time.Minute)
		l.count()
		pass(time.Hour)
		// One question a minute, now and then two at the same moment; and each node says every five minutes that it is
		// still there.
		n := l.count()
		t.Logf("%d packets in an hour", n)
		if n < 30*6 || n > 2*60+30*13*2 {
			t.Error("that is not what the comment says")
		}
	})
}

func TestAMissedAnnouncementIsMadeUpForByAQuestion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cut := true // guarded by the lan's lock
		l := &lan{lose: func(sent) bool { return cut }}
		a := running(t, l, "10.0.0.1")
		b := running(t, l, "10.0.0.2")
		pass(10 * time.Minute) // nothing arrives, as in a network that is parted
		if len(a.seen())+len(b.seen()) > 0 {
			t.Fatal("something was seen")
		}
		l.mu.Lock()
		cut = false
		l.mu.Unlock()
		pass(2 * time.Minute)
		if !hasSeen(a.seen(), b, "10.0.0.2") || !hasSeen(b.seen(), a, "10.0.0.1") {
			t.Error("not found after the network was whole again")
		}
	})
}

// say puts a packet on the cable as another program would.
func (l *lan) say(from string, data []byte) {
	l.multicast(sent{netip.MustParseAddr(from), time.Now(), data})
}

func TestAnAddressThatThePacketDidNotComeFromIsNotBelieved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &lan{}
		b := running(t, l, "10.0.0.2")
		pass(time.Second)
		_, pid := someone(t)
		claim, err := announcement{instance: newInstance(), peer: pid, addr: netip.MustParseAddr("10.0.0.9"), ports: []uint16{9100}}.pack(false)
		if err != nil {
			t.Fatal(err)
		}
		l.say("10.0.0.66", claim)
		l.say("203.0.113.7", claim) // from outside
		pass(time.Second)
		if seen := b.seen(); len(seen) > 0 {
			t.Errorf("b saw %+v", seen)
		}
		l.say("10.0.0.9", claim)
		pass(time.Second)
		if seen := b.seen(); len(seen) != 1 || seen[0].Addrs[0].String() != "/ip4/10.0.0.9/tcp/9100" {
			t.Errorf("b saw %+v", seen)
		}
	})
}

func TestAnswersAreNoMoreOftenThanOnceASecondHoweverManyAsk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &lan{}
		running(t, l, "10.0.0.2")
		pass(30 * time.Second)
		l.count()
		question, _, err := packQuestion(nil)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 1000 {
			l.say(fmt.Sprintf("10.0.1.%d", i%250), question)
			pass(10 * time.Millisecond)
		}
		if n := len(l.of("10.0.0.2")); n < 5 || n > 12 { // in ten seconds
			t.Errorf("%d answers", n)
		}
	})
}

func TestAFloodFromOneAddressHidesNobodyAndIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &lan{}
		a, b := running(t, l, "10.0.0.1"), newStation(t, l, "10.0.0.2")
		_, pid := someone(t)
		flood := func() {
			for range 1000 {
				claim, err := announcement{instance: newInstance(), peer: pid, addr: netip.MustParseAddr("10.0.0.66"), ports: []uint16{1}}.pack(false)
				if err != nil {
					t.Fatal(err)
				}
				l.say("10.0.0.66", claim)
				pass(time.Millisecond)
			}
		}
		flood()
		t.Cleanup(b.run(t))
		flood()
		seen := a.seen()
		if !hasSeen(seen, b, "10.0.0.2") {
			t.Error("a does not see b")
		}
		if n := len(seen); n > 3+2*perSource+perSourceBurst {
			t.Errorf("%d sightings", n)
		}
	})
}

func TestWhatIsRememberedIsBounded(t *testing.T) {
	r := &runner{s: New(Config{Seen: func(Sighting) {}, Logger: slog.New(slog.DiscardHandler)}), budget: newBudget()}
	g := &group{known: make(map[string]time.Time)}
	_, pid := someone(t)
	id, _ := someone(t)
	from := netip.MustParseAddr("10.0.0.66")
	for range 10 * maxInstances {
		i := instance{name: newInstance(), id: id, ttl: lifetime}
		claim, err := announcement{instance: i.name, peer: pid, addr: from, ports: []uint16{1}}.pack(false)
		if err != nil {
			t.Fatal(err)
		}
		h, err := read(claim)
		if err != nil || len(h.instances) != 1 {
			t.Fatal(err, h)
		}
		r.hearInstance(g, from, h.instances[0], time.Now())
	}
	if len(g.known) != maxInstances {
		t.Errorf("%d instances are remembered", len(g.known))
	}
	for i := range 10 * maxSources {
		r.budget.allow(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), time.Now())
	}
	if len(r.budget.sources) > maxSources {
		t.Errorf("%d sources are remembered", len(r.budget.sources))
	}
}

func TestOtherProgramsOnTheNetworkCostNothingAndBreakNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &lan{}
		a, b := running(t, l, "10.0.0.1"), running(t, l, "10.0.0.2")
		other := dnsmessage.Message{Questions: []dnsmessage.Question{{Name: dnsmessage.MustNewName("_ipp._tcp.local."), Type: dnsmessage.TypePTR, Class: dnsmessage.ClassINET}}}
		data, err := other.Pack()
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range [][]byte{data, nil, mark, bytes.Repeat(mark, 100), append(append([]byte{}, data...), mark...), append(make([]byte, 12), mark...)} {
			l.say("10.0.0.5", p)
		}
		pass(time.Second)
		if !hasSeen(a.seen(), b, "10.0.0.2") {
			t.Error("not found")
		}
	})
}
