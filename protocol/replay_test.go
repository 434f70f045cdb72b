package protocol

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// message is one arrival in a property test.
type message struct {
	sender NodeID
	seq    uint64
	nonce  [NonceSize]byte
	at     time.Time
}

// accept does what Opener.Open does around the signature.
func accept(g *ReplayGuard, m message) error {
	if err := g.Check(m.sender, m.seq, m.nonce, m.at); err != nil {
		return err
	}
	return g.Commit(m.sender, m.seq, m.nonce, m.at)
}

// drawBase returns a sequence number to count from: small ones, usual ones, and those at the end of the range.
func drawBase(t *rapid.T) uint64 {
	return rapid.OneOf(rapid.Just(uint64(0)), rapid.Uint64Range(0, 3*sequenceWindow), rapid.Uint64(), rapid.Just(uint64(math.MaxUint64-4*sequenceWindow))).Draw(t, "base")
}

func TestEachSequenceNumberIsAcceptedAtMostOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		base := drawBase(t)
		offsets := rapid.SliceOfN(rapid.Uint64Range(0, 3*sequenceWindow), 1, 400).Draw(t, "offsets")
		g, accepted := NewReplayGuard(), map[uint64]bool{}
		var highest uint64
		for i, o := range offsets {
			m := message{anna.NodeID(), base + o, nonceOf(uint64(i)), fixedNow} // may wrap around
			err := accept(g, m)
			// The guard against a model of three words: unused, above zero, and within the window.
			want := m.seq != 0 && !accepted[m.seq] && (m.seq > highest || highest-m.seq < sequenceWindow)
			if (err == nil) != want || (err != nil && !errors.Is(err, ErrSequence)) {
				t.Fatalf("number %d after highest %d, used before %t: %v", m.seq, highest, accepted[m.seq], err)
			}
			if err == nil {
				accepted[m.seq], highest = true, max(highest, m.seq)
			}
		}
	})
}

// An honest sender's streams overtake each other; as long as no message is overtaken by a whole window, all arrive.
func TestOvertakenMessagesAreNotLost(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		base := rapid.Uint64Range(1, math.MaxUint64-10_000).Draw(t, "base")
		block := rapid.IntRange(2, sequenceWindow).Draw(t, "in flight")
		g := NewReplayGuard()
		for start := 0; start < 2000; start += block {
			numbers := make([]uint64, block)
			for i := range numbers {
				numbers[i] = base + uint64(start+i)
			}
			for _, seq := range rapid.Permutation(numbers).Draw(t, "order") {
				if err := accept(g, message{anna.NodeID(), seq, nonceOf(seq), fixedNow}); err != nil {
					t.Fatalf("number %d: %v", seq, err)
				}
			}
		}
	})
}

func TestSequenceWindowHoldsOnBothSides(t *testing.T) {
	for _, highest := range []uint64{sequenceWindow, sequenceWindow + 1, 1 << 40, math.MaxUint64} {
		for back, want := range map[uint64]error{sequenceWindow - 1: nil, sequenceWindow: ErrSequence, 0: ErrSequence, 1: nil} {
			g := NewReplayGuard()
			if err := accept(g, message{anna.NodeID(), highest, nonceOf(1), fixedNow}); err != nil {
				t.Fatal(err)
			}
			if highest-back == 0 {
				want = ErrSequence // there is no number 0
			}
			if err := accept(g, message{anna.NodeID(), highest - back, nonceOf(2), fixedNow}); !errors.Is(err, want) {
				t.Errorf("%d below %d: %v, expected %v", back, highest, err, want)
			}
		}
	}
}

func TestNonceIsRefusedForAsLongAsItsMessageCouldBeAccepted(t *testing.T) {
	for after, want := range map[time.Duration]error{0: ErrNonce, MaxSkew: ErrNonce, replayWindow: ErrNonce, replayWindow + 1: nil} {
		g := NewReplayGuard()
		if err := accept(g, message{anna.NodeID(), 1, nonceOf(9), fixedNow}); err != nil {
			t.Fatal(err)
		}
		if err := accept(g, message{anna.NodeID(), 2, nonceOf(9), fixedNow.Add(after)}); !errors.Is(err, want) {
			t.Errorf("after %s: %v, expected %v", after, err, want)
		}
		if err := accept(g, message{bob.NodeID(), 1, nonceOf(9), fixedNow.Add(after)}); err != nil {
			t.Errorf("another sender with the same nonce: %v", err)
		}
	}
}

// The whole point of the window's length: whatever the clocks within MaxSkew, no envelope is accepted twice, even when
// its sender was forgotten in between.
func TestNoEnvelopeIsAcceptedTwiceWhateverTheClocks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := fixedNow
		o := NewOpener(func() time.Time { return now })
		e := envelopeFixture(MsgPing, 5, nil)
		e.Timestamp += Timestamp(rapid.Int64Range(-int64(MaxSkew), int64(MaxSkew)).Draw(t, "skew"))
		data := sealFixture(e)
		if _, err := o.Open(data, MaxHello, anna.NodeID(), MsgPing); err != nil {
			t.Fatal(err)
		}
		for range rapid.IntRange(1, 5).Draw(t, "tries") {
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(8*time.Minute)).Draw(t, "later")))
			if rapid.Bool().Draw(t, "forget") {
				o.guard.Forget(now)
			}
			if _, err := o.Open(data, MaxHello, anna.NodeID(), MsgPing); err == nil {
				t.Fatalf("accepted again after %s", now.Sub(fixedNow))
			}
		}
	})
}

func TestFloodOfOneSenderDoesNotChangeTheOutcomeOfAnother(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := fixedNow
		var annas []message
		for i := range rapid.IntRange(1, 60).Draw(t, "messages") {
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(time.Minute)).Draw(t, "pause")))
			// Few numbers and nonces, so that every kind of refusal happens.
			annas = append(annas, message{anna.NodeID(), rapid.Uint64Range(0, 40).Draw(t, "seq"), nonceOf(rapid.Uint64Range(0, uint64(i)).Draw(t, "nonce")), now})
		}
		alone, flooded := NewReplayGuard(), NewReplayGuard()
		var bobs uint64
		for _, m := range annas {
			for range rapid.IntRange(0, 300).Draw(t, "flood") {
				bobs++
				_ = accept(flooded, message{bob.NodeID(), rapid.SampledFrom([]uint64{bobs, m.seq, math.MaxUint64}).Draw(t, "bob seq"), m.nonce, m.at})
			}
			a, b := accept(alone, m), accept(flooded, m)
			if fmt.Sprint(a) != fmt.Sprint(b) {
				t.Fatalf("message %d of anna: alone %v, during a flood %v", m.seq, a, b)
			}
		}
	})
}

func TestFloodIsStoppedAtTheQuotaAndEndsWithTheWindow(t *testing.T) {
	g := NewReplayGuard()
	for n := uint64(1); n <= uint64(maxNonces); n++ {
		if err := accept(g, message{bob.NodeID(), n, nonceOf(n), fixedNow}); err != nil {
			t.Fatalf("message %d of %d: %v", n, maxNonces, err)
		}
	}
	next := message{bob.NodeID(), uint64(maxNonces + 1), nonceOf(uint64(maxNonces + 1)), fixedNow.Add(replayWindow)}
	if err := accept(g, next); !errors.Is(err, ErrNonceQuota) {
		t.Errorf("one above the quota: %v", err)
	}
	if err := accept(g, message{anna.NodeID(), 1, nonceOf(1), fixedNow}); err != nil {
		t.Errorf("another sender meanwhile: %v", err)
	}
	next.at = next.at.Add(1)
	if err := accept(g, next); err != nil {
		t.Errorf("after the window: %v", err)
	}
	if s := g.senders[bob.NodeID()]; len(s.nonces) != 1 || len(s.order) != 1 {
		t.Errorf("after the window %d nonces are kept, expected 1", len(s.nonces))
	}
}

// A sender at the sustained rate must never meet the quota, and the memory must not grow while it runs.
func TestSustainedRateNeverMeetsTheQuota(t *testing.T) {
	g, now, n := NewReplayGuard(), fixedNow, uint64(0)
	for range 2 * maxNonces {
		n++
		now = now.Add(time.Second / MaxRate)
		if err := accept(g, message{bob.NodeID(), n, nonceOf(n), now}); err != nil {
			t.Fatalf("message %d: %v", n, err)
		}
	}
	s := g.senders[bob.NodeID()]
	if len(s.nonces) > MaxRate*int(replayWindow/time.Second)+1 || cap(s.order) > 4*maxNonces {
		t.Errorf("%d nonces are kept in a list of capacity %d", len(s.nonces), cap(s.order))
	}
	var kept []uint64
	for _, u := range s.order[s.head:] {
		if _, ok := s.nonces[u.nonce]; !ok {
			t.Fatalf("nonce %x is in the list and not in the set", u.nonce)
		}
		kept = append(kept, uint64(u.at))
	}
	if len(kept) != len(s.nonces) || !slices.IsSorted(kept) {
		t.Errorf("the list has %d nonces in order %t, the set %d", len(kept), slices.IsSorted(kept), len(s.nonces))
	}
}

func TestMillionsOfNoncesOfOneSenderTakeNoMoreMemoryThanItsQuota(t *testing.T) {
	const messages = 2_000_000
	g, now, accepted := NewReplayGuard(), fixedNow, 0
	for n := uint64(1); n <= messages; n++ {
		now = now.Add(time.Millisecond) // a thousand a second for half an hour
		err := accept(g, message{bob.NodeID(), n, nonceOf(n), now})
		switch {
		case err == nil:
			accepted++
		case !errors.Is(err, ErrNonceQuota):
			t.Fatalf("message %d: %v", n, err)
		}
		if s := g.senders[bob.NodeID()]; n%1000 == 0 && (len(s.nonces) > maxNonces || cap(s.order) > 3*maxNonces) {
			t.Fatalf("after %d messages %d nonces are kept, in a list of capacity %d; the quota is %d", n, len(s.nonces), cap(s.order), maxNonces)
		}
	}
	if windows := int(now.Sub(fixedNow)/replayWindow) + 1; accepted > windows*maxNonces || accepted < maxNonces {
		t.Errorf("%d of %d messages were accepted", accepted, messages)
	}
	g.Forget(now.Add(replayWindow + 1))
	if len(g.senders) != 0 {
		t.Error("the sender is not forgotten")
	}
}

// Keys are free: whoever makes a new one for every message that the gate lets through is forgotten as fast.
func TestSendersWithoutEndTakeNoMoreMemoryThanTwoWindowsOfThem(t *testing.T) {
	const perSecond = 2 // strangers that the gate lets through to Hello
	g, now, most := NewReplayGuard(), fixedNow, 0
	for n := uint64(1); n <= 100_000; n++ {
		now = now.Add(time.Second / perSecond)
		if err := accept(g, message{NodeID(fmt.Sprint(n)), 1, nonceOf(n), now}); err != nil {
			t.Fatal(err)
		}
		most = max(most, len(g.senders))
	}
	if limit := 2*perSecond*int(replayWindow/time.Second) + 2; most > limit {
		t.Errorf("%d senders were remembered at once, expected at most %d", most, limit)
	}
}

func TestIdleSendersAreForgottenWithoutBeingAsked(t *testing.T) {
	g := NewReplayGuard()
	for i := range 100 {
		if err := accept(g, message{newTestKey(byte(i)).NodeID(), 1, nonceOf(1), fixedNow}); err != nil {
			t.Fatal(err)
		}
	}
	g.Forget(fixedNow.Add(replayWindow))
	if len(g.senders) != 100 {
		t.Errorf("after exactly the window %d senders are kept, expected 100", len(g.senders))
	}
	later := fixedNow.Add(2*replayWindow + 1)
	if err := accept(g, message{newTestKey(200).NodeID(), 1, nonceOf(1), later}); err != nil {
		t.Fatal(err)
	}
	if len(g.senders) != 1 {
		t.Errorf("%d senders are kept, expected the one that spoke", len(g.senders))
	}
}

func TestRefusedSendersTakeNoMemory(t *testing.T) {
	g := NewReplayGuard()
	if err := g.Check(anna.NodeID(), 5, nonceOf(1), fixedNow); err != nil {
		t.Fatal(err)
	}
	if err := g.Commit(anna.NodeID(), 0, nonceOf(1), fixedNow); !errors.Is(err, ErrSequence) {
		t.Fatal(err)
	}
	if len(g.senders) != 0 {
		t.Errorf("%d senders are remembered", len(g.senders))
	}
}

func BenchmarkReplayGuardSustained(b *testing.B) {
	g, now, n := NewReplayGuard(), fixedNow, uint64(0)
	b.ReportAllocs()
	for b.Loop() {
		n++
		now = now.Add(time.Second / MaxRate)
		if err := accept(g, message{bob.NodeID(), n, nonceOf(n), now}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkReplayGuardMemory reports what a sender at its quota costs; limits.go says 2 MiB.
func BenchmarkReplayGuardMemory(b *testing.B) {
	var before, after runtime.MemStats
	for b.Loop() {
		runtime.GC()
		runtime.ReadMemStats(&before)
		g := NewReplayGuard()
		for n := uint64(1); n <= uint64(maxNonces); n++ {
			if err := accept(g, message{bob.NodeID(), n, nonceOf(n), fixedNow}); err != nil {
				b.Fatal(err)
			}
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		runtime.KeepAlive(g)
	}
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/(1<<20), "MiB/sender")
}
