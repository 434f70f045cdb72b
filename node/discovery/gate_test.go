package discovery

import (
	"fmt"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/caro-mesh/caro-node/policy"
	"github.com/caro-mesh/caro-node/protocol"
)

const office = conn("/ip4/10.0.0.5/tcp/50000")

// door is a gate that remembers who knocked.
type door struct {
	*Gate
	knocks []Knock
}

func newDoor(p Policy) *door {
	d := &door{}
	d.Gate = NewGate(GateConfig{Policy: p, Now: time.Now, Knocked: func(k Knock) { d.knocks = append(d.knocks, k) }})
	return d
}

func TestTrustedNodesPassAsOftenAsTheyLike(t *testing.T) {
	id, pid := someone(t)
	d := newDoor(trusting(id))
	for range 100 {
		if !d.InterceptSecured(network.DirInbound, pid, office) {
			t.Fatal("cut off")
		}
	}
	if len(d.knocks) != 0 || d.Refused() != 0 {
		t.Errorf("knocks %v, refused %d", d.knocks, d.Refused())
	}
}

func TestANodeThatWasCutOffStaysOutsideForAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		id, pid := someone(t)
		other, otherPid := someone(t)
		d := newDoor(trusting(id, other))
		d.Bar(id)
		for _, c := range []struct {
			after time.Duration
			in    bool
		}{{0, false}, {barTime - time.Second, false}, {time.Second, true}} {
			time.Sleep(c.after) //nolint:forbidigo // the bubble's clock, which jumps
			if got := d.InterceptSecured(network.DirInbound, pid, office); got != c.in {
				t.Errorf("after %s more: let in %v", c.after, got)
			}
			if got := d.InterceptPeerDial(pid); got != c.in {
				t.Errorf("after %s more: dialled %v", c.after, got)
			}
			if !d.InterceptSecured(network.DirInbound, otherPid, office) {
				t.Error("the other stays outside, too")
			}
		}
		if len(d.knocks) != 0 {
			t.Errorf("it is taken for a stranger: %v", d.knocks)
		}
	})
}

func TestAnUnknownNodeIsToldWhyOnceInTenSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		id, pid := someone(t)
		d := newDoor(trusting())
		for round := range 3 {
			for i := range 5 {
				if got, want := d.InterceptSecured(network.DirInbound, pid, office), i == 0; got != want {
					t.Errorf("round %d, attempt %d: let through %v", round, i, got)
				}
			}
			time.Sleep(knockInterval) //nolint:forbidigo // the bubble's clock, which jumps
		}
		if len(d.knocks) != 3 || d.Refused() != 12 {
			t.Errorf("%d knocks, %d refused", len(d.knocks), d.Refused())
		}
		k := d.knocks[0]
		if k.ID != id || k.Denied || k.Addr != netip.MustParseAddr("10.0.0.5") || k.From != string(office) || k.Decision.Reason == "" {
			t.Errorf("knock %+v", k)
		}
	})
}

func TestAllUnknownNodesTogetherShareOneBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDoor(trusting())
		through := 0
		start := time.Now()
		for time.Since(start) < 10*time.Second { // a thousand a second, each under another name
			from := conn(fmt.Sprintf("/ip4/10.0.0.%d/tcp/50000", time.Since(start).Milliseconds()%200))
			if d.InterceptSecured(network.DirInbound, anyPeer(t), from) {
				through++
			}
			time.Sleep(time.Millisecond) //nolint:forbidigo // the bubble's clock, which jumps
		}
		if most := knocksAtOnce + 10*knocksPerSecond; through > most || through < most-1 {
			t.Errorf("%d strangers got through, want %d", through, most)
		}
		if len(d.last) > knocksAtOnce+10*knocksPerSecond {
			t.Errorf("the gate remembers %d nodes", len(d.last))
		}
	})
}

func TestWhoMakesEverNewKeysAtOnePlaceLeavesRoomForStrangersFromElsewhere(t *testing.T) {
	for flood, calm := range map[conn]conn{office: "/ip4/10.0.0.6/tcp/50000", "/ip6/fd00::1/tcp/1": "/ip6/fd00:0:0:1::1/tcp/1"} {
		synctest.Test(t, func(t *testing.T) {
			d := newDoor(trusting())
			through := 0
			for i := range 6_000 { // a hundred a second for a minute
				if d.InterceptSecured(network.DirInbound, anyPeer(t), flood) {
					through++
				}
				if i%1_000 == 999 && !d.InterceptSecured(network.DirInbound, anyPeer(t), calm) {
					t.Errorf("somebody at %s was not heard after %d s", calm, i/100)
				}
				time.Sleep(10 * time.Millisecond) //nolint:forbidigo // the bubble's clock, which jumps
			}
			if most := 6 * knocksPerPlace; through > most || through < most-knocksPerPlace {
				t.Errorf("%d strangers of %s got through in a minute, want %d", through, flood, most)
			}
		})
	}
}

func TestADeniedNodeIsToldWhyNowAndThenAndCutOffOtherwise(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		id, pid := someone(t)
		p := trusting()
		p.set(id, false)
		d := newDoor(p)
		through := 0
		for range 50 {
			if d.InterceptSecured(network.DirInbound, pid, office) {
				through++
			}
		}
		if through != 1 || len(d.knocks) != 1 || !d.knocks[0].Denied || d.Refused() != 49 {
			t.Errorf("%d got through to Hello, knocks %+v, refused %d", through, d.knocks, d.Refused())
		}
	})
}

func TestOnlyTrustedNodesAreDialled(t *testing.T) {
	friend, friendPeer := someone(t)
	foe, foePeer := someone(t)
	_, unknownPeer := someone(t)
	p := trusting(friend)
	p.set(foe, false)
	d := newDoor(p)
	addr := ma.StringCast(string(office))
	for name, c := range map[string]struct {
		pid        peer.ID
		peer, addr bool
	}{"friend": {friendPeer, true, true}, "foe": {foePeer, false, false}, "unknown": {unknownPeer, true, false}} {
		if got := d.InterceptPeerDial(c.pid); got != c.peer {
			t.Errorf("%s: dialled %v", name, got)
		}
		if got := d.InterceptAddrDial(c.pid, addr); got != c.addr {
			t.Errorf("%s: dialled at its address %v", name, got)
		}
		if got := d.InterceptSecured(network.DirOutbound, c.pid, office); got != c.addr {
			t.Errorf("%s: connection kept %v", name, got)
		}
	}
	if len(d.knocks) != 0 {
		t.Errorf("nodes that we dialled knocked: %v", d.knocks)
	}
	if last := p.asked[len(p.asked)-1]; last.Addr != netip.MustParseAddr("10.0.0.5") || last.Action != policy.ActionConnect || last.Now.IsZero() {
		t.Errorf("the policy was asked %+v", last)
	}
}

func TestNodesWithOtherKeysAreCutOff(t *testing.T) {
	_, pub, err := crypto.GenerateSecp256k1Key(nil)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := peer.IDFromPublicKey(pub)
	if err != nil {
		t.Fatal(err)
	}
	d := newDoor(trusting())
	if d.InterceptSecured(network.DirInbound, pid, office) || d.InterceptPeerDial(pid) || d.InterceptAddrDial(pid, ma.StringCast(string(office))) {
		t.Error("let through")
	}
	if d.Refused() != 1 || len(d.knocks) != 0 {
		t.Errorf("refused %d, knocks %v", d.Refused(), d.knocks)
	}
}

// anyPeer is the peer ID of a key that nobody needs to have.
func anyPeer(t *testing.T) peer.ID {
	t.Helper()
	raw := make([]byte, 32)
	counter++
	raw[0], raw[1], raw[2] = byte(counter), byte(counter>>8), byte(counter>>16)
	id, err := protocol.NewNodeID(raw).PeerID()
	if err != nil {
		t.Fatal(err)
	}
	return id
}

var counter int
