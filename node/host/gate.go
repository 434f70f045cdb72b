package host

import (
	"context"
	"errors"

	"github.com/libp2p/go-libp2p/core/connmgr"
	"github.com/libp2p/go-libp2p/core/control"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/caro-mesh/caro-node/node/internal/scope"
)

// scoped puts the address rule in front of the gate that decides about nodes, so that neither can be forgotten.
type scoped struct {
	connmgr.ConnectionGater
	allowPublic bool
	door        *doorway
}

// InterceptAddrDial keeps the node from dialling outside its network, whoever told it the address.
func (g scoped) InterceptAddrDial(p peer.ID, a ma.Multiaddr) bool {
	return (inProcess(a) || scope.Check(a, g.allowPublic) == nil) && g.ConnectionGater.InterceptAddrDial(p, a)
}

// InterceptAccept drops connections from outside the network before a single byte is answered, and those of an address
// that has too many which say nothing.
func (g scoped) InterceptAccept(c network.ConnMultiaddrs) bool {
	if inProcess(c.RemoteMultiaddr()) {
		return g.ConnectionGater.InterceptAccept(c)
	}
	ip, err := scope.IP(c.RemoteMultiaddr())
	return err == nil && (g.allowPublic || scope.Local(ip)) && g.door.enter(ip) && g.ConnectionGater.InterceptAccept(c)
}

// InterceptSecured notes that the connection has said who it is.
func (g scoped) InterceptSecured(dir network.Direction, p peer.ID, c network.ConnMultiaddrs) bool {
	if ip, err := scope.IP(c.RemoteMultiaddr()); err == nil && dir == network.DirInbound {
		g.door.leave(ip)
	}
	return g.ConnectionGater.InterceptSecured(dir, p, c)
}

// inProcess reports an address of a transport that does not leave the process; TCP cannot dial it.
func inProcess(a ma.Multiaddr) bool { return len(a) > 0 && a[0].Code() == ma.P_MEMORY }

// open is the gate of a host that was given none.
type open struct{}

func (open) InterceptPeerDial(peer.ID) bool                                           { return true }
func (open) InterceptAddrDial(peer.ID, ma.Multiaddr) bool                             { return true }
func (open) InterceptAccept(network.ConnMultiaddrs) bool                              { return true }
func (open) InterceptSecured(network.Direction, peer.ID, network.ConnMultiaddrs) bool { return true }
func (open) InterceptUpgraded(network.Conn) (allow bool, reason control.DisconnectReason) {
	return true, 0
}

// noNames stands where the swarm would look names up, which would tell the question to somebody outside.
type noNames struct{}

var errNames = errors.New("names are not looked up")

func (noNames) ResolveDNSAddr(context.Context, peer.ID, ma.Multiaddr, int, int) ([]ma.Multiaddr, error) {
	return nil, errNames
}

func (noNames) ResolveDNSComponent(context.Context, ma.Multiaddr, int) ([]ma.Multiaddr, error) {
	return nil, errNames
}
