package node

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"github.com/caro-mesh/caro-node/policy/audit"
	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/protocol/exchange"
	"github.com/caro-mesh/caro-node/protocol/rotation"
)

const (
	// tellTimeout is how long a node that rotates its key waits for its peers to hear it; who does not learns it later.
	tellTimeout = 3 * time.Second
	// expiryEvery is how often connections of keys whose grace period is over are looked for. Their requests are refused
	// at once.
	expiryEvery = time.Minute
)

// AnnounceRotation tells the connected peers that this node is about to go on under another key, and returns when each has
// answered, or after a few seconds.
func (n *Node) AnnounceRotation(ctx context.Context, rotations [][]byte) {
	ctx, cancel := context.WithTimeout(ctx, tellTimeout)
	defer cancel()
	var wg sync.WaitGroup
	for _, p := range n.registry.Peers() {
		wg.Go(func() {
			status, reason, err := rotation.Announce(ctx, n.endpoint, p.Identity.NodeID, rotations)
			switch {
			case err != nil:
				n.c.Logger.Info("a peer did not hear of the new key; it learns it at the next meeting", "peer", p.Identity.Fingerprint, "error", err)
			case status != rotation.StatusAccepted:
				n.c.Logger.Warn("a peer does not carry its trust over to the new key", "peer", p.Identity.Fingerprint, "status", status, "reason", reason)
			}
		})
	}
	wg.Wait()
}

// takeRotation answers a peer that announces its next key.
func (n *Node) takeRotation(ctx context.Context, from exchange.From, chain []*protocol.KeyRotation) (rotation.Status, string, error) {
	err := n.learn(ctx, from.ID, from.Addr, chain)
	switch {
	case err == nil:
		return rotation.StatusAccepted, "", nil
	case errors.Is(err, errUnproven):
		return rotation.StatusUnproven, clip(err.Error(), protocol.MaxReason), nil
	case errors.Is(err, errContradiction):
		return rotation.StatusRefused, clip(err.Error(), protocol.MaxReason), nil
	}
	return "", "", err
}

// learn judges the rotations that a node tells, and puts what is believed in force. Errors are those of lineage.judge,
// and of the store.
func (n *Node) learn(ctx context.Context, from protocol.NodeID, addr netip.Addr, chain []*protocol.KeyRotation) error {
	if len(chain) == 0 {
		return nil
	}
	n.trust.Lock()
	defer n.trust.Unlock()
	fresh, err := n.lineage.judge(ctx, chain, n.gate.Engine())
	switch last := chain[len(chain)-1]; {
	case errors.Is(err, errUnproven):
		n.noteClaim(last.NewID, chain)
		return err
	case errors.Is(err, errContradiction):
		n.lineage.noteClaim(last.NewID, claim{of: last.OldID, refuted: true})
		n.c.Logger.Warn("refused a rotation", "peer", from.Fingerprint(), "reason", err)
		return errors.Join(err, n.recordRefusedRotation(ctx, from, addr, last, err))
	case err != nil || len(fresh) == 0:
		return err
	}
	return n.believe(ctx, fresh)
}

// believe stores rotations and carries trust over. The caller holds n.trust.
func (n *Node) believe(ctx context.Context, fresh []*protocol.KeyRotation) error {
	n.clerk.rows.Lock() // the peers' rows go on under the new keys
	for _, r := range fresh {
		ev := audit.Event{Type: protocol.AuditKeyRotated, Peer: r.NewID, Success: true, Details: rotationDetails(r, "believed")}
		if err := n.c.Store.SaveSuccession(ctx, r, ev); err != nil {
			n.clerk.rows.Unlock()
			return err
		}
		n.lineage.add(r)
	}
	n.clerk.rows.Unlock()
	engine, err := n.compile(ctx)
	if err != nil {
		return fmt.Errorf("the rotation is stored, but the policy that it makes is refused: %w", err)
	}
	n.gate.SetEngine(engine)
	for _, r := range fresh {
		n.c.Logger.Info("a peer's key was rotated", "from", r.OldID.Fingerprint(), "to", r.NewID.Fingerprint(), "reason", r.Reason,
			"old_expires", r.OldExpires)
		n.denials.forget(r.NewID)
		n.keeper.Replace(r.OldID, r.NewID)
	}
	n.publisher.nudge()
	return nil
}

// noteClaim remembers, for the person who has to decide about a node, whose successor it says to be.
func (n *Node) noteClaim(id protocol.NodeID, chain []*protocol.KeyRotation) {
	of := chain[len(chain)-1].OldID
	for _, r := range chain {
		if n.gate.Engine().Named(r.OldID) {
			of = r.OldID
			break
		}
	}
	n.lineage.noteClaim(id, claim{of: of})
	n.c.Logger.Warn("a node says that it is the successor of another, which cannot be checked", "peer", id.Fingerprint(), "of", of.Fingerprint())
}

// recordRefusedRotation records an attempt, but not each of a series.
func (n *Node) recordRefusedRotation(ctx context.Context, from protocol.NodeID, addr netip.Addr, last *protocol.KeyRotation, why error) error {
	worth, muted := n.denials.worthARecord(from, n.c.Now())
	if !worth {
		return nil
	}
	details := rotationDetails(last, "refused")
	details["reason"] = why.Error()
	if addr.IsValid() {
		details["addr"] = addr.String()
	}
	if muted > 0 {
		details["not_recorded_before"] = strconv.Itoa(muted)
	}
	_, err := n.c.Store.AuditLog().Append(ctx, audit.Event{Type: protocol.AuditPolicyViolation, Peer: from, Details: details})
	return err
}

// commit remembers what an admitted node says about its next key, where trust in it could be carried over.
func (n *Node) commit(ctx context.Context, id protocol.NodeID, digest protocol.KeyDigest) {
	if !n.gate.Engine().Named(id) {
		return
	}
	consistent, err := n.lineage.commit(ctx, id, digest)
	if err != nil {
		n.c.Logger.Error("the next key of a peer was not remembered", "peer", id.Fingerprint(), "error", err)
		return
	}
	if !consistent {
		n.c.Logger.Warn("a peer names another next key than when it was first met; its rotation will not be believed", "peer", id.Fingerprint(),
			"fix", "ask its user why; then caro-node trust clear and set it again")
	}
}

// endExpired disconnects, now and then until ctx ends, whoever the policy does not let connect any more: a key whose
// grace period is over.
func (n *Node) endExpired(ctx context.Context) error {
	tick := time.NewTicker(expiryEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			n.cutOff(ctx)
		}
	}
}

// former reports whether a connected node says that it had a key before.
func (n *Node) former(of, by protocol.NodeID) bool {
	p, ok := n.registry.Peer(by)
	if !ok {
		return false
	}
	for _, id := range p.Former {
		if id == of {
			return true
		}
	}
	return false
}
