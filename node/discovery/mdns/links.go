package mdns

import (
	"net"
	"net/netip"
	"slices"
	"strings"

	ma "github.com/multiformats/go-multiaddr"

	"github.com/caro-mesh/caro-node/node/internal/scope"
)

// link is one address of an interface that the node can be reached at.
type link struct {
	index int // of the interface
	name  string
	addr  netip.Addr
	ports []uint16 // that the node listens on there, ascending
}

// port is what the node listens on: any address of the family, or one.
type port struct {
	ip   netip.Addr
	port uint16
}

// maxLinks bounds what a machine with very many addresses announces.
const maxLinks = 16

// containers are how interfaces are called that lead to containers and virtual machines of this machine alone. A
// container's own interface is called eth0.
var containers = []string{"docker", "br-", "veth", "virbr", "cni", "podman", "lxc", "lxdbr", "flannel", "cali", "vmnet", "vboxnet", "awdl", "llw", "bridge100"}

// findLinks returns the links of this machine on which nodes of the network can be met.
func findLinks(listen []ma.Multiaddr) ([]link, error) {
	ifaces, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	var out []link
	for _, i := range ifaces {
		if !meets(i.Flags) {
			continue
		}
		addrs, err := i.Addrs()
		if err != nil {
			continue // it went away meanwhile
		}
		var ips []netip.Addr
		for _, a := range addrs {
			if n, ok := a.(*net.IPNet); ok {
				if ip, ok := netip.AddrFromSlice(n.IP); ok {
					ips = append(ips, ip.Unmap())
				}
			}
		}
		out = append(out, linksOf(i.Index, i.Name, ips, listen)...)
	}
	return out[:min(len(out), maxLinks)], nil
}

// meets reports whether an interface with these flags leads to neighbours.
func meets(f net.Flags) bool {
	const usable = net.FlagUp | net.FlagRunning | net.FlagMulticast // not running: the cable is out
	return f&usable == usable && f&(net.FlagLoopback|net.FlagPointToPoint) == 0
}

// linksOf are the links of one interface: its addresses in private ranges that the node listens on. An interface for
// containers counts only where the node was told to listen on its very address.
func linksOf(index int, name string, ips []netip.Addr, listen []ma.Multiaddr) []link {
	ports := portsOf(listen)
	inner := slices.ContainsFunc(containers, func(p string) bool { return strings.HasPrefix(name, p) })
	var out []link
	for _, ip := range ips {
		if !scope.Local(ip) || ip.IsLoopback() || ip.Is6() && ip.IsLinkLocalUnicast() {
			continue
		}
		l := link{index: index, name: name, addr: ip}
		for _, p := range ports {
			if p.ip == ip || p.ip.IsUnspecified() && p.ip.Is4() == ip.Is4() && !inner {
				l.ports = append(l.ports, p.port)
			}
		}
		if slices.Sort(l.ports); len(l.ports) > 0 {
			l.ports = slices.Compact(l.ports)
			out = append(out, l)
		}
	}
	return out
}

func portsOf(listen []ma.Multiaddr) []port {
	var out []port
	for _, a := range listen {
		ip, err := scope.IP(a)
		if err != nil {
			continue
		}
		for _, c := range a {
			if raw := c.RawValue(); c.Code() == ma.P_TCP && len(raw) == 2 {
				out = append(out, port{ip: ip, port: uint16(raw[0])<<8 | uint16(raw[1])})
			}
		}
	}
	return out
}

// Reachable reports whether anybody else could be reached by, or reach, a node that listens there: with loopback
// addresses alone nobody can.
func Reachable(listen []ma.Multiaddr) bool {
	return slices.ContainsFunc(portsOf(listen), func(p port) bool { return !p.ip.IsLoopback() })
}
