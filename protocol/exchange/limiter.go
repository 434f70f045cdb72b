package exchange

import (
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/caro-mesh/caro-node/protocol"
)

// maxBuckets bounds the memory of a limiter: about 150 bytes each, below 160 KiB. It is twice the number of peers that
// the host accepts, so that only peers which come and go under many names ever share a bucket.
const maxBuckets = 1024

// limiter keeps one token bucket and one count of running exchanges per peer.
type limiter struct {
	rate           rate.Limit
	burst          int
	perPeer, total int

	mu      sync.Mutex
	buckets map[protocol.NodeID]*rate.Limiter
	// crowd is shared by all who come when the table is full.
	crowd   *rate.Limiter
	running map[protocol.NodeID]int
	all     int
	swept   time.Time // when full buckets were last dropped
}

func newLimiter(r Rules) *limiter {
	return &limiter{rate: r.Rate, burst: r.Burst, perPeer: r.PerPeer, total: r.Total,
		buckets: make(map[protocol.NodeID]*rate.Limiter), crowd: rate.NewLimiter(r.Rate, r.Burst),
		running: make(map[protocol.NodeID]int)}
}

// allow takes one token of the peer's bucket.
func (l *limiter) allow(id protocol.NodeID) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.buckets[id]
	if b == nil {
		if len(l.buckets) >= maxBuckets {
			l.forget()
		}
		if len(l.buckets) >= maxBuckets {
			return l.crowd.Allow()
		}
		b = rate.NewLimiter(l.rate, l.burst)
		l.buckets[id] = b
	}
	return b.Allow()
}

// forget drops full buckets, at most once a second: whoever has one is no different from a peer that was never seen.
func (l *limiter) forget() {
	now := time.Now()
	if now.Sub(l.swept) < time.Second {
		return
	}
	l.swept = now
	for id, b := range l.buckets {
		if b.Tokens() >= float64(l.burst) {
			delete(l.buckets, id)
		}
	}
}

// enter takes a slot, or reports that none is free. Each enter needs one leave.
func (l *limiter) enter(id protocol.NodeID) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.all >= l.total || l.running[id] >= l.perPeer {
		return false
	}
	l.all++
	l.running[id]++
	return true
}

func (l *limiter) leave(id protocol.NodeID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all--
	if l.running[id]--; l.running[id] == 0 {
		delete(l.running, id)
	}
}
