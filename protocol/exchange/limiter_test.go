package exchange

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/caro-mesh/caro-node/protocol"
)

func TestManyNamesShareOneBucketInsteadOfMemory(t *testing.T) {
	l := newLimiter(Rules{Rate: 1e-6, Burst: 2})
	allowed := 0
	for i := range 10 * maxBuckets {
		if l.allow(protocol.NodeID(fmt.Sprint(i))) {
			allowed++
		}
	}
	if len(l.buckets) > maxBuckets {
		t.Errorf("%d buckets, at most %d are allowed", len(l.buckets), maxBuckets)
	}
	if want := maxBuckets + 2; allowed != want { // each its first, and the crowd's two
		t.Errorf("%d were allowed, want %d", allowed, want)
	}
	if !l.allow("0") || l.allow("0") {
		t.Error("a known peer lost its bucket to the crowd")
	}
}

func TestIdleBucketsMakeRoom(t *testing.T) {
	l := newLimiter(Rules{Rate: 1e9, Burst: 1}) // full again at once
	for i := range 2 * maxBuckets {
		if !l.allow(protocol.NodeID(fmt.Sprint(i))) {
			t.Fatalf("peer %d was not allowed", i)
		}
	}
	if len(l.buckets) > maxBuckets {
		t.Errorf("%d buckets", len(l.buckets))
	}
}

func TestSlotsNeverExceedTheirBoundsAndAllComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := Rules{PerPeer: rapid.IntRange(1, 4).Draw(t, "per peer"), Total: rapid.IntRange(1, 8).Draw(t, "total")}
		l := newLimiter(r)
		running := map[protocol.NodeID]int{}
		all := 0
		for range rapid.IntRange(0, 60).Draw(t, "steps") {
			id := rapid.SampledFrom([]protocol.NodeID{"a", "b", "c"}).Draw(t, "peer")
			if rapid.Bool().Draw(t, "leave") {
				if running[id] > 0 {
					l.leave(id)
					running[id]--
					all--
				}
				continue
			}
			want := all < r.Total && running[id] < r.PerPeer
			if got := l.enter(id); got != want {
				t.Fatalf("enter gave %v with %d of %d, %d of %d", got, all, r.Total, running[id], r.PerPeer)
			}
			if want {
				running[id]++
				all++
			}
		}
		for id, n := range running {
			for range n {
				l.leave(id)
			}
		}
		if l.all != 0 || len(l.running) != 0 {
			t.Fatalf("%d slots are left, of %v", l.all, l.running)
		}
	})
}
