package mdns

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync"
	"syscall"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

const mdnsPort = 5353

var (
	group4 = &net.UDPAddr{IP: net.IPv4(224, 0, 0, 251), Port: mdnsPort}
	group6 = &net.UDPAddr{IP: net.ParseIP("ff02::fb"), Port: mdnsPort}
)

// heardAtOnce is how many packets may wait to be read; the kernel keeps further ones for a while.
const heardAtOnce = 64

// sockets is the wire of a real machine: one socket for each address family, bound to the group, so that unicast packets
// do not arrive. The port is shared with other programs that speak mDNS.
type sockets struct {
	heard chan packet
	done  chan struct{}
	wg    sync.WaitGroup
	v4    *ipv4.PacketConn
	v6    *ipv6.PacketConn
	in    map[groupKey]bool
}

func openSockets() wire {
	return &sockets{heard: make(chan packet, heardAtOnce), done: make(chan struct{}), in: make(map[groupKey]bool)}
}

func (s *sockets) join(index int, v6 bool) error {
	key := groupKey{index, v6}
	if s.in[key] {
		return nil
	}
	if err := s.listen(v6); err != nil {
		return err
	}
	var err error
	if ifi := (&net.Interface{Index: index}); v6 {
		err = s.v6.JoinGroup(ifi, group6)
	} else {
		err = s.v4.JoinGroup(ifi, group4)
	}
	// After an interface went down and up the kernel may still count the socket as a member.
	if err != nil && !errors.Is(err, syscall.EADDRINUSE) {
		return err
	}
	s.in[key] = true
	return nil
}

func (s *sockets) leave(index int, v6 bool) {
	key := groupKey{index, v6}
	if !s.in[key] {
		return
	}
	delete(s.in, key)
	// The interface may be gone, and its membership with it.
	if ifi := (&net.Interface{Index: index}); v6 {
		_ = s.v6.LeaveGroup(ifi, group6)
	} else {
		_ = s.v4.LeaveGroup(ifi, group4)
	}
}

func (s *sockets) send(index int, from netip.Addr, data []byte) error {
	var err error
	if from.Is6() {
		if s.v6 == nil {
			return net.ErrClosed
		}
		_, err = s.v6.WriteTo(data, &ipv6.ControlMessage{IfIndex: index, Src: from.AsSlice(), HopLimit: 255}, group6)
		return err
	}
	if s.v4 == nil {
		return net.ErrClosed
	}
	_, err = s.v4.WriteTo(data, &ipv4.ControlMessage{IfIndex: index, Src: from.AsSlice()}, group4)
	return err
}

func (s *sockets) packets() <-chan packet { return s.heard }

func (s *sockets) close() {
	close(s.done)
	if s.v4 != nil {
		_ = s.v4.Close()
	}
	if s.v6 != nil {
		_ = s.v6.Close()
	}
	s.wg.Wait()
}

// listen opens the socket of a family when it is first needed.
func (s *sockets) listen(v6 bool) error {
	if v6 {
		if s.v6 != nil {
			return nil
		}
		c, err := listenShared("udp6", group6)
		if err != nil {
			return err
		}
		p := ipv6.NewPacketConn(c)
		if err := errors.Join(p.SetControlMessage(ipv6.FlagInterface, true), p.SetMulticastHopLimit(255), p.SetMulticastLoopback(true)); err != nil {
			return errors.Join(err, c.Close())
		}
		s.v6 = p
		s.wg.Go(func() {
			s.receive(func(b []byte) (int, int, net.Addr, error) {
				n, cm, from, err := p.ReadFrom(b)
				if cm == nil {
					return n, 0, from, err
				}
				return n, cm.IfIndex, from, err
			})
		})
		return nil
	}
	if s.v4 != nil {
		return nil
	}
	c, err := listenShared("udp4", group4)
	if err != nil {
		return err
	}
	p := ipv4.NewPacketConn(c)
	if err := errors.Join(p.SetControlMessage(ipv4.FlagInterface, true), p.SetMulticastTTL(255), p.SetMulticastLoopback(true)); err != nil {
		return errors.Join(err, c.Close())
	}
	s.v4 = p
	s.wg.Go(func() {
		s.receive(func(b []byte) (int, int, net.Addr, error) {
			n, cm, from, err := p.ReadFrom(b)
			if cm == nil {
				return n, 0, from, err
			}
			return n, cm.IfIndex, from, err
		})
	})
	return nil
}

// listenShared binds to the group. Other programs may have the port, as long as they share it too.
func listenShared(network string, group *net.UDPAddr) (net.PacketConn, error) {
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var failed error
		if err := c.Control(func(fd uintptr) { failed = share(int(fd)) }); err != nil {
			return err
		}
		return failed
	}}
	return lc.ListenPacket(context.Background(), network, group.String())
}

// receive passes packets on that speak of the service, until the socket is closed.
func (s *sockets) receive(read func([]byte) (n, index int, from net.Addr, err error)) {
	buf := make([]byte, maxReceived+1)
	for {
		n, index, from, err := read(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		udp, ok := from.(*net.UDPAddr)
		if err != nil || !ok || n > maxReceived || !relevant(buf[:n]) {
			continue
		}
		ip, _ := netip.AddrFromSlice(udp.IP)
		select {
		case s.heard <- packet{index: index, from: ip.Unmap(), data: slices.Clone(buf[:n])}:
		case <-s.done:
			return
		}
	}
}
