package audit

import (
	"sync"
	"time"

	"github.com/caro-mesh/caro-node/policy"
	"github.com/caro-mesh/caro-node/protocol"
)

const (
	// maxTallied peers take 1,024 × about 300 bytes: less than 400 KiB. Only peers that are answered are counted, so
	// that strangers push nobody out.
	maxTallied = 1024
	slot       = time.Minute
	// A count covers the current minute and as many whole ones as the time has, so it never covers less than that time.
	hourSlots  = int64(time.Hour/slot) + 1
	burstSlots = int64(policy.Burst/slot) + 1
)

// Tally counts the queries that each peer was allowed in the last hour, in memory that does not grow with their number.
// The zero Tally has counted nothing. It is safe for concurrent use.
type Tally struct {
	mu    sync.Mutex
	peers map[protocol.NodeID]*tallied
}

// tallied are the counts of one peer by minute; minute m is at m % hourSlots.
type tallied struct {
	last   int64 // the minute of the latest count
	counts [hourSlots]uint32
}

// Decide lets decide judge with what was counted of the peer, and counts the query if the answer is yes. Queries that are
// refused do not count, or a peer that goes on asking would never be answered again.
func (t *Tally) Decide(peer protocol.NodeID, now time.Time, decide func(policy.Recent) policy.Decision) policy.Decision {
	t.mu.Lock()
	defer t.mu.Unlock()
	minute := now.Unix() / int64(slot/time.Second)
	d := decide(t.recent(peer, minute))
	if d.Allowed {
		t.count(peer, minute)
	}
	return d
}

// Recent returns what was counted of a peer.
func (t *Tally) Recent(peer protocol.NodeID, now time.Time) policy.Recent {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.recent(peer, now.Unix()/int64(slot/time.Second))
}

func (t *Tally) recent(peer protocol.NodeID, minute int64) policy.Recent {
	p := t.peers[peer]
	if p == nil {
		return policy.Recent{}
	}
	p.advance(minute)
	var r policy.Recent
	for back := range hourSlots {
		n := int(p.counts[index(p.last-back)])
		r.Hour += n
		if back < burstSlots {
			r.Burst += n
		}
	}
	return r
}

func (t *Tally) count(peer protocol.NodeID, minute int64) {
	p := t.peers[peer]
	if p == nil {
		if t.peers == nil {
			t.peers = make(map[protocol.NodeID]*tallied)
		}
		t.makeRoom()
		p = &tallied{last: minute}
		t.peers[peer] = p
	}
	p.advance(minute)
	p.counts[index(p.last)]++
}

// makeRoom forgets the peer that has not asked for the longest time.
func (t *Tally) makeRoom() {
	if len(t.peers) < maxTallied {
		return
	}
	var oldest protocol.NodeID
	for id, p := range t.peers {
		if oldest == "" || p.last < t.peers[oldest].last {
			oldest = id
		}
	}
	delete(t.peers, oldest)
}

// advance empties the minutes that have begun since the last count. A clock that was set back a little counts on at the
// last minute; one that was set back further begins anew, or a time in the future would count until it comes.
func (p *tallied) advance(minute int64) {
	switch ahead := minute - p.last; {
	case ahead >= hourSlots || ahead <= -hourSlots:
		*p = tallied{last: minute}
	case ahead > 0:
		for m := p.last + 1; m <= minute; m++ {
			p.counts[index(m)] = 0
		}
		p.last = minute
	}
}

func index(minute int64) int64 { return (minute%hourSlots + hourSlots) % hourSlots }
