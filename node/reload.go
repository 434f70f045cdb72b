package node

import (
	"context"
	"fmt"

	"github.com/caro-mesh/caro-node/policy"
	"github.com/caro-mesh/caro-node/policy/audit"
	"github.com/caro-mesh/caro-node/protocol"
)

// PolicyChange tells what became of the connected peers when another policy came into force.
type PolicyChange struct {
	Kept int               // connections that stay, untouched
	Cut  []protocol.NodeID // who may not connect any more
}

// SetPolicy puts another document into force in place of the configured one; what was granted at run time stays. The
// change is in the audit log before it counts. On error everything is as it was. Peers that may still connect keep
// their connection; the others are told goodbye.
func (n *Node) SetPolicy(ctx context.Context, doc policy.Document) (PolicyChange, error) {
	n.trust.Lock()
	defer n.trust.Unlock()
	engine, err := n.compileDocument(ctx, doc)
	if err != nil {
		return PolicyChange{}, err
	}
	// No event type is about a policy as a whole; its rules are who is trusted with what.
	_, err = n.c.Store.AuditLog().Append(ctx, audit.Event{Type: protocol.AuditTrustChanged, Success: true,
		Details: map[string]string{"change": "policy_reloaded", "source": doc.Source}})
	if err != nil {
		return PolicyChange{}, fmt.Errorf("record the change: %w", err)
	}
	n.document.Store(&doc)
	n.gate.SetEngine(engine)
	n.denials.forgetAll()
	change := n.cutOff(ctx)
	n.Announce()
	n.neighbours.Reconsider()
	n.keeper.Retry()
	n.publisher.nudge()
	n.c.Logger.Info("the policy was reloaded", "source", doc.Source, "kept", change.Kept, "cut", len(change.Cut))
	return change, nil
}

// cutOff ends the connections that the policy in force does not permit.
func (n *Node) cutOff(ctx context.Context) (c PolicyChange) {
	for _, p := range n.registry.Peers() {
		id := p.Identity.NodeID
		d := n.gate.Peek(policy.Request{Peer: id, Addr: p.Addr, Action: policy.ActionConnect, Now: n.c.Now()})
		if d.Allowed {
			c.Kept++
			continue
		}
		c.Cut = append(c.Cut, id)
		n.c.Logger.Warn("a peer is cut off", "peer", id.Fingerprint(), "rule", d.Rule.Name, "place", d.Rule.Place(), "reason", d.Reason)
		n.disconnect(ctx, id, endedHere+": "+d.Reason)
	}
	return c
}
