package node

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/caro-mesh/caro-node/policy"
	"github.com/caro-mesh/caro-node/policy/audit"
	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/protocol/goodbye"
	"github.com/caro-mesh/caro-node/protocol/hello"
	"github.com/caro-mesh/caro-node/store"
)

// endedHere stands in the record of a connection that this node ended.
const endedHere = "this node ended the connection"

// cutOffHere stands in the record of a connection that ended because of what the peer sent.
const cutOffHere = "this node cut it off for a minute: too much of what it sent was refused"

// compile builds the policy in force from the configured document and what was granted at run time.
func (n *Node) compile(ctx context.Context) (*policy.Engine, error) {
	return n.compileDocument(ctx, *n.document.Load())
}

func (n *Node) compileDocument(ctx context.Context, doc policy.Document) (*policy.Engine, error) {
	grants, err := n.c.Store.Grants(ctx)
	if err != nil {
		return nil, err
	}
	return policy.New(doc, grants, n.lineage.successions()...)
}

// SetTrust grants or denies a node at run time. The change is in the audit log and in force when it returns.
func (n *Node) SetTrust(ctx context.Context, g policy.Grant) error {
	n.trust.Lock()
	defer n.trust.Unlock()
	g.At = n.c.Now()
	details := map[string]string{"change": "set", "trust": g.Trust.String(), "name": g.Name}
	if g.Deny {
		details = map[string]string{"change": "deny", "name": g.Name}
	}
	err := n.c.Store.SetGrant(ctx, g, audit.Event{Type: protocol.AuditTrustChanged, Peer: g.Node, Success: true, Details: details})
	if err != nil {
		return err
	}
	return n.trustChanged(ctx, g.Node)
}

// ClearTrust takes back what was set at run time for a node, under this key and those before it. Clearing what was not set
// is no error.
func (n *Node) ClearTrust(ctx context.Context, id protocol.NodeID) error {
	n.trust.Lock()
	defer n.trust.Unlock()
	for _, key := range append([]protocol.NodeID{id}, n.lineage.ancestors(id)...) {
		err := n.c.Store.ClearGrant(ctx, key, audit.Event{Type: protocol.AuditTrustChanged, Peer: key, Success: true,
			Details: map[string]string{"change": "clear"}})
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
	}
	if err := n.c.Store.ForgetCommitment(ctx, id); err != nil { // whoever trusts it anew meets it anew
		return err
	}
	return n.trustChanged(ctx, id)
}

// trustChanged puts the new policy in force: whom it no longer lets connect is disconnected, whom it now does is tried.
// The caller holds n.trust.
func (n *Node) trustChanged(ctx context.Context, id protocol.NodeID) error {
	engine, err := n.compile(ctx)
	if err != nil {
		return fmt.Errorf("the change is stored, but the policy that it makes is refused: %w", err)
	}
	n.gate.SetEngine(engine)
	n.denials.forget(id)
	n.c.Logger.Info("trust changed", "peer", id.Fingerprint())
	n.cutOff(ctx)
	if p, ok := n.registry.Peer(id); ok && n.mayConnect(id, p.Addr) {
		n.commit(ctx, id, p.NextDigest) // it may be connected from before it was trusted by name
	}
	n.Announce()
	n.neighbours.Reconsider()
	n.keeper.Retry(id)
	n.publisher.nudge()
	return nil
}

// disconnect ends the connection to a peer on purpose, and lets it know. The reason is for this node's own record.
func (n *Node) disconnect(ctx context.Context, id protocol.NodeID, reason string) {
	if _, ok := n.registry.Peer(id); ok {
		ctx, cancel := context.WithTimeout(ctx, goodbyeTimeout)
		defer cancel()
		n.parting.Store(id, true)
		defer n.parting.Delete(id)
		if err := goodbye.Say(ctx, n.endpoint, id, goodbye.ReasonRemoved); err != nil {
			n.c.Logger.Debug("goodbye was not heard", "peer", id.Fingerprint(), "error", err)
		}
		n.registry.SaidGoodbye(id, reason)
	}
	pid, err := id.PeerID()
	if err == nil {
		err = n.host.Network().ClosePeer(pid)
	}
	if err != nil {
		n.c.Logger.Warn("peer was not disconnected cleanly", "peer", id.Fingerprint(), "error", err)
	}
}

// admit decides about a peer that introduced itself, and records the decision.
func (n *Node) admit(ctx context.Context, id protocol.NodeID, addr netip.Addr, who hello.Introduction) error {
	if err := n.learn(ctx, id, addr, who.Rotations); err != nil && !errors.Is(err, errUnproven) && !errors.Is(err, errContradiction) {
		n.c.Logger.Error("the rotations of a peer were not stored", "peer", id.Fingerprint(), "error", err)
	}
	request := policy.Request{Peer: id, Addr: addr, Action: policy.ActionConnect, Now: n.c.Now()}
	details := map[string]string{}
	if d := n.gate.Peek(request); !d.Allowed {
		worth, muted := n.denials.worthARecord(id, n.c.Now())
		if !worth {
			return &hello.DeniedError{Reason: d.Reason}
		}
		if muted > 0 {
			details["not_recorded_before"] = strconv.Itoa(muted)
		}
	}
	_, err := n.gate.Allow(ctx, request, audit.Event{Type: protocol.AuditPeerConnected, Details: details})
	var denied *audit.DeniedError
	if errors.As(err, &denied) {
		if denied.Cause != nil { // it was not recorded, so the next one has to be
			n.denials.forget(id)
			n.c.Logger.Error("nothing is shared until the audit log can be written", "error", denied)
		}
		n.c.Logger.Warn("refused a peer", "peer", id.Fingerprint(), "address", addr, "rule", denied.Decision.Rule.Name, "reason", denied.Decision.Reason)
		return &hello.DeniedError{Reason: denied.Decision.Reason, Err: err}
	}
	if err == nil {
		n.commit(ctx, id, who.NextDigest)
	}
	return err
}

const (
	// denialQuiet is how long further refusals of the same peer are not recorded: a refused node comes back every
	// minute for as long as it runs, and a thousand equal records a day would bury the others.
	denialQuiet = time.Hour
	// maxDenials bounds the memory for it.
	maxDenials = 1024
	// Anybody can make a thousand keys: refusals of ever new strangers are recorded at most so often, and the others
	// counted in the next record.
	denialsEvery  = time.Minute
	denialsAtOnce = 20
)

// denials remembers when the refusal of a peer was last recorded.
type denials struct {
	mu     sync.Mutex
	last   map[protocol.NodeID]time.Time
	budget *rate.Limiter
	muted  int
}

// worthARecord reports whether a refusal of id now should be recorded, and remembers that it is; muted is how many of
// others were not since the last record.
func (d *denials) worthARecord(id protocol.NodeID, now time.Time) (worth bool, muted int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if at, ok := d.last[id]; ok && now.Sub(at) < denialQuiet {
		return false, 0
	}
	if d.budget == nil {
		d.budget = rate.NewLimiter(rate.Every(denialsEvery), denialsAtOnce)
	}
	if !d.budget.AllowN(now, 1) {
		d.muted++
		return false, 0
	}
	maps.DeleteFunc(d.last, func(_ protocol.NodeID, at time.Time) bool { return now.Sub(at) >= denialQuiet })
	if d.last == nil {
		d.last = make(map[protocol.NodeID]time.Time)
	}
	if len(d.last) < maxDenials {
		d.last[id] = now
	}
	muted, d.muted = d.muted, 0
	return true, muted
}

// forget makes the next refusal of id worth a record again, because trust has changed in between.
func (d *denials) forget(id protocol.NodeID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.last, id)
}

// forgetAll makes the next refusal of everybody worth a record again.
func (d *denials) forgetAll() {
	d.mu.Lock()
	defer d.mu.Unlock()
	clear(d.last)
}
