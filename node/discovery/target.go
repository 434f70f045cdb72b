package discovery

import (
	"fmt"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/caro-mesh/caro-node/node/internal/scope"
	"github.com/caro-mesh/caro-node/protocol"
)

// Target is a node to keep connected, and where it listens.
type Target struct {
	ID    protocol.NodeID
	Addrs []ma.Multiaddr // without /p2p
}

// ParseTarget reads an address such as /ip4/10.0.0.5/tcp/9238/p2p/12D3KooW…, as "caro-node id" prints it. The peer ID is
// required, because without it nobody knows who should answer there. Names and, unless allowPublic, public addresses are
// refused. The error is one sentence.
func ParseTarget(s string, allowPublic bool) (Target, error) {
	full, err := ma.NewMultiaddr(s)
	if err != nil {
		return Target{}, fmt.Errorf("address %q cannot be read; expected something like /ip4/10.0.0.5/tcp/9238/p2p/12D3KooW…, as \"caro-node id\" prints it: %w", s, err)
	}
	addr, pid := peer.SplitAddr(full)
	if pid == "" {
		return Target{}, fmt.Errorf("address %q does not say whose it is; add /p2p/ and the peer ID that \"caro-node id\" prints there", s)
	}
	if err := scope.Check(addr, allowPublic); err != nil {
		return Target{}, fmt.Errorf("address %w", err)
	}
	if port, err := addr.ValueForProtocol(ma.P_TCP); err != nil || port == "0" {
		return Target{}, fmt.Errorf("address %q needs a port from 1 to 65535", s)
	}
	id, err := protocol.NodeIDFromPeerID(pid)
	if err != nil {
		return Target{}, fmt.Errorf("address %q: %w", s, err)
	}
	return Target{ID: id, Addrs: []ma.Multiaddr{addr}}, nil
}

// ParseTargets reads several addresses; those of one node become one target.
func ParseTargets(addrs []string, allowPublic bool) ([]Target, error) {
	var out []Target
	index := make(map[protocol.NodeID]int)
	for _, s := range addrs {
		t, err := ParseTarget(s, allowPublic)
		if err != nil {
			return nil, err
		}
		if i, ok := index[t.ID]; ok {
			out[i] = out[i].with(t.Addrs)
			continue
		}
		index[t.ID] = len(out)
		out = append(out, t)
	}
	return out, nil
}

// with returns t with further addresses.
func (t Target) with(addrs []ma.Multiaddr) Target {
	t.Addrs = ma.Unique(append(append([]ma.Multiaddr(nil), t.Addrs...), addrs...))
	return t
}
