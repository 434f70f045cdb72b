// Package scope says which addresses a node may speak to and listen on: loopback, link-local and private ones, named by
// number. It is the one place where "zero egress" is decided.
package scope

import (
	"errors"
	"fmt"
	"net/netip"

	ma "github.com/multiformats/go-multiaddr"
)

// Refusals of an address.
var (
	// ErrPublic means that the address lies outside the closed network.
	ErrPublic = errors.New("address is public")
	// ErrForm means that the address is not an IP address with a TCP port.
	ErrForm = errors.New("address must be /ip4/… or /ip6/… with /tcp/… and nothing else, such as /ip4/10.0.0.5/tcp/9238")
	// ErrName means that the address would have to be looked up.
	ErrName = errors.New("names are not looked up (the question itself would leave the network); write the IP address")
)

// IP returns the address that a multiaddr of the form [/ip6zone/Z]/ip4|ip6/A/tcp/P names, whatever follows it; IPv4
// is never written as IPv6.
func IP(a ma.Multiaddr) (netip.Addr, error) {
	rest := a
	if len(rest) > 0 && rest[0].Code() == ma.P_IP6ZONE {
		rest = rest[1:]
	}
	if len(rest) > 0 {
		switch rest[0].Code() {
		case ma.P_DNS, ma.P_DNS4, ma.P_DNS6, ma.P_DNSADDR:
			return netip.Addr{}, fmt.Errorf("%s: %w", a, ErrName)
		case ma.P_IP4, ma.P_IP6:
			ip, ok := netip.AddrFromSlice(rest[0].RawValue())
			if ok && len(rest) > 1 && rest[1].Code() == ma.P_TCP {
				return ip.Unmap(), nil
			}
		}
	}
	return netip.Addr{}, fmt.Errorf("%s: %w", a, ErrForm)
}

// Check refuses a multiaddr to dial: anything but an IP address and a TCP port, the unspecified address, and, unless
// allowPublic is set, every address outside the loopback, link-local and private ranges.
func Check(a ma.Multiaddr, allowPublic bool) error {
	ip, err := IP(a)
	if err != nil {
		return err
	}
	if !plain(a) {
		return fmt.Errorf("%s: %w", a, ErrForm)
	}
	if ip.IsUnspecified() || ip.IsMulticast() {
		return fmt.Errorf("%s: %w", a, ErrForm)
	}
	if !allowPublic && !Local(ip) {
		return fmt.Errorf("%s: %w; a node stays inside its network unless network.allow_public = true", a, ErrPublic)
	}
	return nil
}

// CheckListen refuses a multiaddr to listen on. The unspecified address is fine: who connects is checked by [Local].
func CheckListen(a ma.Multiaddr, allowPublic bool) error {
	ip, err := IP(a)
	if err != nil {
		return err
	}
	if ip.IsUnspecified() && plain(a) {
		return nil
	}
	return Check(a, allowPublic)
}

// Local reports whether ip lies in a loopback, link-local or private range (RFC 1122, 3927, 1918, 4193, 4291). The
// shared range 100.64.0.0/10 of carriers is not private.
func Local(ip netip.Addr) bool {
	ip = ip.Unmap()
	return ip.IsLoopback() || ip.IsPrivate() || ip.IsLinkLocalUnicast()
}

// plain reports whether the address has its IP address and TCP port and nothing else.
func plain(a ma.Multiaddr) bool {
	if len(a) > 0 && a[0].Code() == ma.P_IP6ZONE {
		a = a[1:]
	}
	return len(a) == 2
}
