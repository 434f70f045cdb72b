package audit

import (
	"crypto/ed25519"
	"encoding/binary"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/caro-mesh/caro-node/policy"
	"github.com/caro-mesh/caro-node/protocol"
)

func tallyID(n int) protocol.NodeID {
	key := make([]byte, ed25519.PublicKeySize)
	binary.BigEndian.PutUint64(key, uint64(n)+1)
	return protocol.NewNodeID(key)
}

func yes(policy.Recent) policy.Decision { return policy.Decision{Allowed: true} }
func no(policy.Recent) policy.Decision  { return policy.Decision{} }

var tallyTime = time.Date(2026, 11, 23, 10, 0, 30, 0, time.UTC)

// A list of every query says the same as the counts, but for the minute in which a time ends.
func TestCountsOfAnHourAreNeverTooFewAndAtMostAMinuteTooMany(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var tally Tally
		var asked []time.Time
		now := tallyTime
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, 400).Draw(t, "seconds")) * time.Second)
			since := func(d time.Duration) (n int) {
				for _, at := range asked {
					if now.Sub(at) < d {
						n++
					}
				}
				return n
			}
			got := tally.Recent(tallyID(1), now)
			if least, most := since(time.Hour), since(time.Hour+slot); got.Hour < least || got.Hour > most {
				t.Fatalf("%d queries in an hour, want %d to %d", got.Hour, least, most)
			}
			if least, most := since(policy.Burst), since(policy.Burst+slot); got.Burst < least || got.Burst > most {
				t.Fatalf("%d queries in six minutes, want %d to %d", got.Burst, least, most)
			}
			decide := yes
			if rapid.Bool().Draw(t, "refused") {
				decide = no
			} else {
				asked = append(asked, now)
			}
			tally.Decide(tallyID(1), now, decide)
		}
	})
}

func TestAClockThatIsSetBackNeitherBlocksNorForgives(t *testing.T) {
	var tally Tally
	for range 5 {
		tally.Decide(tallyID(1), tallyTime, yes)
	}
	if got := tally.Recent(tallyID(1), tallyTime.Add(-10*time.Minute)); got.Hour != 5 {
		t.Errorf("ten minutes back: %+v", got)
	}
	if got := tally.Recent(tallyID(1), tallyTime.Add(-24*time.Hour)); got.Hour != 0 {
		t.Errorf("a day back: %+v", got)
	}
	if got := tally.Recent(tallyID(1), time.Unix(-5000, 0)); got.Hour != 0 {
		t.Errorf("before 1970: %+v", got)
	}
}

func TestMemoryForCountsIsBoundedAndForgetsWhoAskedLongestAgo(t *testing.T) {
	var tally Tally
	for n := range maxTallied + 50 {
		tally.Decide(tallyID(n), tallyTime.Add(time.Duration(n)*time.Second), yes)
	}
	end := tallyTime.Add((maxTallied + 50) * time.Second)
	if len(tally.peers) != maxTallied {
		t.Errorf("%d peers are remembered", len(tally.peers))
	}
	if got := tally.Recent(tallyID(maxTallied+49), end); got.Hour != 1 {
		t.Errorf("the latest: %+v", got)
	}
	if got := tally.Recent(tallyID(0), end); got.Hour != 0 {
		t.Errorf("the first: %+v", got)
	}
	for n := range maxTallied {
		tally.Decide(tallyID(10_000+n), end, no)
	}
	if _, strange := tally.peers[tallyID(10_000)]; strange || len(tally.peers) != maxTallied {
		t.Error("who is refused takes the place of others")
	}
}
