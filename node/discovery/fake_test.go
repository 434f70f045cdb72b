package discovery

import (
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	"go.uber.org/goleak"

	"github.com/caro-mesh/caro-node/node/identity"
	"github.com/caro-mesh/caro-node/policy"
	"github.com/caro-mesh/caro-node/protocol"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rules is a policy that tests write: nodes are allowed or denied by name, everybody else is unknown.
type rules struct {
	mu      sync.Mutex
	allowed map[protocol.NodeID]bool
	asked   []policy.Request
	learn   func(policy.Request) // what the policy learns from what is asked; called with mu held
}

func trusting(ids ...protocol.NodeID) *rules {
	r := &rules{allowed: make(map[protocol.NodeID]bool)}
	for _, id := range ids {
		r.set(id, true)
	}
	return r
}

func (r *rules) set(id protocol.NodeID, allow bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.allowed[id] = allow
}

func (r *rules) Peek(q policy.Request) policy.Decision {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked = append(r.asked, q)
	if r.learn != nil {
		r.learn(q)
	}
	allow, named := r.allowed[q.Peer]
	switch {
	case allow:
		return policy.Decision{Allowed: true, Rule: policy.Rule{Name: "node"}}
	case named:
		return policy.Decision{Rule: policy.Rule{Name: "deny"}, Reason: "denied by name"}
	}
	return policy.Decision{Rule: policy.Rule{Name: "default_trust"}, Reason: "nobody named this node"}
}

func someone(t *testing.T) (protocol.NodeID, peer.ID) {
	t.Helper()
	id, err := identity.New(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	pid, err := id.NodeID().PeerID()
	if err != nil {
		t.Fatal(err)
	}
	return id.NodeID(), pid
}

type conn string

func (c conn) LocalMultiaddr() ma.Multiaddr  { return ma.StringCast("/ip4/127.0.0.1/tcp/9238") }
func (c conn) RemoteMultiaddr() ma.Multiaddr { return ma.StringCast(string(c)) }
