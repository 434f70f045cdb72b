package node

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"time"
)

// addressesEvery is how often this machine's addresses are looked at: asking the kernel takes less than a millisecond, and
// a peer at the other end of a dead connection would be noticed after 40 s.
const addressesEvery = 5 * time.Second

// roaming ends the connections from an address that this machine has lost, as a laptop does that changes its network, so
// that they are made anew from the one it has now.
type roaming struct {
	addresses func() ([]net.Addr, error)
	// end ends the connections from an address for which lost is true, and returns how many.
	end    func(lost func(netip.Addr) bool) int
	logger *slog.Logger

	had map[netip.Addr]bool
}

// run looks until ctx ends. It returns nil.
func (r *roaming) run(ctx context.Context) error {
	tick := time.NewTicker(addressesEvery)
	defer tick.Stop()
	for {
		r.look()
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// look ends what comes from an address that was there at the last look and is not any more. One that was never among the
// machine's own, as behind some load balancers, counts for nothing.
func (r *roaming) look() {
	list, err := r.addresses()
	if err != nil {
		return // tried again
	}
	have := make(map[netip.Addr]bool, len(list))
	for _, a := range list {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			have[p.Addr().Unmap().WithZone("")] = true
		}
	}
	had := r.had
	r.had = have
	gone := false
	for a := range had {
		gone = gone || !have[a]
	}
	if !gone {
		return
	}
	lost := func(a netip.Addr) bool { return had[a] && !have[a] }
	if n := r.end(lost); n > 0 {
		r.logger.Info("this machine has lost an address; connections from it are made anew", "connections", n)
	}
}
