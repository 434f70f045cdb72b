package mdns

import (
	"bytes"
	"net/netip"
	"time"

	"golang.org/x/time/rate"
)

const (
	// Each node sends a packet a second at most, and one address may be that of several nodes.
	perSource, perSourceBurst = 10, 20
	// In all: when a thousand nodes answer a question at once, all are heard. Reading one packet takes 12 µs.
	inAll, inAllBurst = 256, 1024
	// maxSources is how many addresses are told apart; the table starts anew when it is full.
	maxSources = 1024
)

// budget decides which packets are worth reading, so that neither other services nor a flood cost more than a glance.
type budget struct {
	all     *rate.Limiter
	sources map[netip.Addr]*rate.Limiter
}

func newBudget() *budget {
	return &budget{all: rate.NewLimiter(inAll, inAllBurst), sources: make(map[netip.Addr]*rate.Limiter)}
}

var mark = []byte("\x05_caro\x04_tcp")

// relevant reports whether the packet speaks of the service at all.
func relevant(data []byte) bool { return bytes.Contains(data, mark) }

// allow takes one packet of the source's share.
func (b *budget) allow(from netip.Addr, now time.Time) bool {
	l := b.sources[from]
	if l == nil {
		if len(b.sources) >= maxSources {
			clear(b.sources)
		}
		l = rate.NewLimiter(perSource, perSourceBurst)
		b.sources[from] = l
	}
	return l.AllowN(now, 1) && b.all.AllowN(now, 1)
}
