package node

import (
	"context"
	"errors"
	"slices"

	"github.com/caro-mesh/caro-node/node/discovery"
	"github.com/caro-mesh/caro-node/node/discovery/mdns"
	"github.com/caro-mesh/caro-node/store"
)

// meetNeighbours prepares for what is found of nodes of the local network.
func (n *Node) meetNeighbours() {
	n.neighbours = discovery.NewNeighbours(discovery.NeighboursConfig{Self: n.c.Identity.NodeID(), Policy: n.gate, Keeper: n.keeper, Now: n.c.Now})
}

// prepareMDNS prepares to find nodes of the local network, and to be found at the addresses where this one listens. Run
// begins it.
func (n *Node) prepareMDNS() {
	if !n.c.MDNS {
		return
	}
	listen := n.host.Network().ListenAddresses
	if !mdns.Reachable(listen()) {
		n.c.Logger.Warn("network.mdns is on, but nobody can be found that way, because this node listens on loopback only",
			"fix", `set network.listen to an address of the local network, such as "/ip4/0.0.0.0/tcp/9238"`)
		return
	}
	n.mdns = mdns.New(mdns.Config{Peer: n.host.ID(), Listen: listen, Seen: n.neighbours.Sighted, Logger: n.c.Logger})
}

// runNeighbours finds and forgets nodes of the local network until ctx ends. It returns nil.
func (n *Node) runNeighbours(ctx context.Context) error {
	if n.mdns == nil {
		return nil
	}
	swept := make(chan error, 1)
	go func() { swept <- n.neighbours.Run(ctx) }()
	return errors.Join(n.mdns.Run(ctx), <-swept)
}

// addFound adds the nodes that were announced on the local network and that nobody has decided about, and notes of the
// others who came by themselves that they were announced.
func (n *Node) addFound(views []PeerView) []PeerView {
	for i := range views {
		if found, ok := n.neighbours.Find(views[i].ID); ok && views[i].Source == sourcePending && views[i].State != PeerPending {
			views[i].Source, views[i].Addrs = sourceMDNS, found.Addrs
		}
	}
	for _, p := range n.neighbours.Pending() {
		i := slices.IndexFunc(views, func(v PeerView) bool { return v.ID == p.ID })
		if i < 0 {
			views = append(views, n.view(p.ID, firstAddr(p.Addrs)))
			i = len(views) - 1
		}
		v := &views[i]
		if v.State != PeerUntrusted && v.State != PeerPending {
			continue
		}
		v.Addrs, v.Source, v.LastSeen = p.Addrs, sourceMDNS, p.LastSeen
		if v.State == PeerUntrusted {
			v.State, v.Reason = PeerPending, "it was found on the local network at "+p.Addrs[0]+"; nobody has decided about it yet"
		}
	}
	return views
}

// rememberFound notes in what is stored of a node that it was found on the local network, unless a person named it.
func (n *Node) rememberFound(p *store.Peer) {
	if found, ok := n.neighbours.Find(p.ID); ok && (p.Source == sourcePending || p.Source == sourceMDNS) {
		p.Source, p.Addrs = sourceMDNS, found.Addrs
	}
}
