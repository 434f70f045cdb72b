package host

import (
	"net/netip"
	"sync"
	"time"
)

// doorway counts the inbound connections of each address that have not shown yet who they are, so that one address that
// opens connections and says nothing leaves room for others. Nobody reports a handshake that failed: it counts until
// handshakeTime is over.
type doorway struct {
	mu      sync.Mutex
	waiting map[netip.Addr][]time.Time // when each came, oldest first
}

func newDoorway() *doorway { return &doorway{waiting: make(map[netip.Addr][]time.Time)} }

// enter reports whether the address may have one more. The table holds addresses of the last handshakeTime only; that
// is bounded by the connections that the resource manager lets in.
func (d *doorway) enter(ip netip.Addr) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	for other, came := range d.waiting {
		if now.Sub(came[len(came)-1]) >= handshakeTime {
			delete(d.waiting, other)
		}
	}
	came := d.waiting[ip]
	for len(came) > 0 && now.Sub(came[0]) >= handshakeTime {
		came = came[1:]
	}
	if len(came) >= handshakesPerAddress {
		d.waiting[ip] = came
		return false
	}
	d.waiting[ip] = append(came, now)
	return true
}

// leave notes that a connection of the address has shown who it is.
func (d *doorway) leave(ip netip.Addr) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if came := d.waiting[ip]; len(came) > 1 {
		d.waiting[ip] = came[1:]
	} else {
		delete(d.waiting, ip)
	}
}
