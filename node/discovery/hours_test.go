package discovery

import (
	"testing"
	"testing/synctest"
	"time"

	ma "github.com/multiformats/go-multiaddr"

	"github.com/caro-mesh/caro-node/internal/meshtest"
	"github.com/caro-mesh/caro-node/node/identity"
	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/protocol/ping"
)

// These tests run on real hosts over pipes, on a clock that jumps: the keeper's real times, hours of them.

func (n *node) usualTimes() *Keeper {
	n.keeper.first, n.keeper.longest, n.keeper.refused = firstWait, longestWait, refusedWait
	return n.keeper
}

func pass(d time.Duration) {
	time.Sleep(d) //nolint:forbidigo // the bubble's clock, which jumps
	synctest.Wait()
}

func TestANodeThatIsAwayForADayIsDialledOnceAMinuteAndFoundWithinOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mesh := meshtest.NewNetwork()
		key, err := identity.New(time.Now())
		if err != nil {
			t.Fatal(err)
		}
		a := newNode(t, trusting(key.NodeID()), meshtest.Options{Network: mesh, Listen: "/memory/1"})
		a.keep(t)
		a.usualTimes().Add(Target{ID: key.NodeID(), Addrs: []ma.Multiaddr{ma.StringCast("/memory/2")}})
		pass(time.Minute)
		// 1 + 2 + 4 + … s, each between half and all of it: 6 to 8 attempts in the first minute.
		if n := mesh.Dials(); n < 6 || n > 8 {
			t.Errorf("%d attempts in the first minute", n)
		}
		pass(2 * time.Minute) // by now the wait is the longest
		before := mesh.Dials()
		pass(24 * time.Hour)
		if n := mesh.Dials() - before; n < 24*60 || n > 2*24*60 {
			t.Errorf("%d attempts in a day", n)
		}
		b := newNode(t, trusting(a.id()), meshtest.Options{Network: mesh, Listen: "/memory/2", Key: key})
		pass(longestWait)
		if !b.Registry.Admitted(t.Context(), a.id()) || a.keeper.States()[0].Status != StatusConnected {
			t.Errorf("state %+v", a.keeper.States()[0])
		}
	})
}

func TestATrustGrantedOverThereIsNoticedWithinAMinuteAndTheReasonStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mesh := meshtest.NewNetwork()
		b := newNode(t, trusting(), meshtest.Options{Network: mesh, Listen: "/memory/2"})
		a := newNode(t, trusting(b.id()), meshtest.Options{Network: mesh, Listen: "/memory/1"})
		a.keep(t)
		a.usualTimes().Add(b.target())
		for range 60 {
			pass(time.Minute)
			if s := a.keeper.States()[0]; s.Status != StatusRefused || s.Reason != "it says: nobody named this node" {
				t.Fatalf("state %+v", s)
			}
		}
		b.mu.Lock()
		knocks := len(b.knocks)
		b.mu.Unlock()
		if knocks < 60 || knocks > 125 {
			t.Errorf("b was told of %d knocks in an hour", knocks)
		}
		b.policy.set(a.id(), true)
		pass(time.Minute)
		if s := a.keeper.States()[0]; s.Status != StatusConnected {
			t.Errorf("state %+v", s)
		}
	})
}

func TestAConnectionOutlivesQuietHours(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mesh := meshtest.NewNetwork()
		b := newNode(t, trusting(), meshtest.Options{Network: mesh, Listen: "/memory/2"})
		a := newNode(t, trusting(b.id()), meshtest.Options{Network: mesh, Listen: "/memory/1"})
		b.policy.set(a.id(), true)
		b.OnClose(ping.Serve(b.Endpoint).Close)
		a.keep(t)
		a.usualTimes().Add(b.target())
		pass(6 * time.Hour)
		if n := mesh.Dials(); n != 1 {
			t.Errorf("%d dials", n)
		}
		if _, err := ping.Ping(t.Context(), a.Endpoint, b.Key.NodeID()); err != nil {
			t.Errorf("ping: %v", err)
		}
	})
}

func TestManyTargetsDoNotDialAtTheSameMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mesh := meshtest.NewNetwork()
		ids := make([]protocol.NodeID, 50)
		for i := range ids {
			ids[i], _ = someone(t)
		}
		a := newNode(t, trusting(ids...), meshtest.Options{Network: mesh, Listen: "/memory/1"})
		a.keep(t)
		k := a.usualTimes()
		for _, id := range ids {
			k.Add(Target{ID: id, Addrs: []ma.Multiaddr{ma.StringCast("/memory/2")}})
		}
		pass(5 * time.Minute)
		moments := map[time.Time]int{}
		for _, s := range k.States() {
			moments[s.Next]++
		}
		if len(moments) < 45 {
			t.Errorf("50 targets are dialled at %d moments", len(moments))
		}
	})
}
