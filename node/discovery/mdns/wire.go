package mdns

import "net/netip"

// packet is what was heard.
type packet struct {
	index int // of the interface that it came in by
	from  netip.Addr
	data  []byte
}

// wire sends and receives multicast on the interfaces that were joined.
type wire interface {
	// join begins to receive on an interface, over IPv6 or IPv4. Joining twice is no error.
	join(index int, v6 bool) error
	// leave ends that.
	leave(index int, v6 bool)
	// send multicasts from an address of an interface.
	send(index int, from netip.Addr, data []byte) error
	// packets returns what is heard.
	packets() <-chan packet
	// close ends everything; packets is not closed.
	close()
}
