package node

import (
	"errors"
	"strings"
	"testing"

	"github.com/caro-mesh/caro-node/internal/meshtest"
	"github.com/caro-mesh/caro-node/policy"
	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/store"
)

func recordsOf(t *testing.T, n *Node, et protocol.AuditEventType) (details []map[string]string) {
	t.Helper()
	rs, err := n.c.Store.AuditRecords(t.Context(), store.AuditFilter{Types: []protocol.AuditEventType{et}, Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rs {
		details = append(details, r.Details)
	}
	return details
}

func TestAConnectionThatStaysAllowedOutlivesAReloadedPolicy(t *testing.T) {
	a, b := pairOf(t)
	before := a.host.Network().Conns()[0].ID()
	doc := trusting(b.c.Identity.NodeID(), "share_to")
	change, err := a.SetPolicy(t.Context(), doc)
	if err != nil || change.Kept != 1 || len(change.Cut) != 0 {
		t.Fatalf("%+v, %v", change, err)
	}
	conns := a.host.Network().Conns()
	if len(conns) != 1 || conns[0].ID() != before {
		t.Errorf("the connection is another one: %v, before %s", conns, before)
	}
	if d := a.gate.Peek(policy.Request{Peer: b.c.Identity.NodeID(), Action: policy.ActionQuery, QueryType: protocol.QueryToolUsage, Now: a.c.Now()}); d.Allowed {
		t.Error("the policy before is still in force")
	}
	if got := recordsOf(t, a, protocol.AuditTrustChanged); len(got) != 1 || got[0]["change"] != "policy_reloaded" {
		t.Errorf("recorded %v", got)
	}
	if got := recordsOf(t, a, protocol.AuditPeerDisconnected); len(got) != 0 {
		t.Errorf("recorded %v", got)
	}
}

func TestAPeerThatLostEverythingByAReloadedPolicyIsCutOffWithTheReason(t *testing.T) {
	a, b := pairOf(t)
	change, err := a.SetPolicy(t.Context(), policy.Document{Source: "new.toml"})
	if err != nil || len(change.Cut) != 1 || change.Cut[0] != b.c.Identity.NodeID() {
		t.Fatalf("%+v, %v", change, err)
	}
	meshtest.Eventually(t, func() error {
		if len(a.registry.Peers())+len(b.registry.Peers()) > 0 {
			return errors.New("they are still connected")
		}
		for _, d := range recordsOf(t, a, protocol.AuditPeerDisconnected) {
			if strings.Contains(d["goodbye"], "does not trust you") {
				return nil
			}
		}
		return errors.New("no record says why")
	})
}

func TestAPolicyThatCannotBePutInForceChangesNothing(t *testing.T) {
	a, b := pairOf(t)
	doc := trusting(b.c.Identity.NodeID(), "friend")
	if _, err := a.SetPolicy(t.Context(), doc); err == nil {
		t.Fatal("it was accepted")
	}
	if len(a.registry.Peers()) != 1 || !a.mayConnect(b.c.Identity.NodeID(), a.registry.Peers()[0].Addr) {
		t.Error("the peer lost something")
	}
	if got := recordsOf(t, a, protocol.AuditTrustChanged); len(got) != 0 {
		t.Errorf("recorded %v", got)
	}
	// What trust does later rests on the policy before as well.
	if err := a.SetTrust(t.Context(), policy.Grant{Node: newKey(t).NodeID(), Trust: protocol.TrustPeer}); err != nil {
		t.Error(err)
	}
}

func TestWhatWasGrantedAtRunTimeOutlivesAReloadedPolicy(t *testing.T) {
	a, b := pairOf(t)
	if err := a.SetTrust(t.Context(), policy.Grant{Node: b.c.Identity.NodeID(), Trust: protocol.TrustShareTo}); err != nil {
		t.Fatal(err)
	}
	if change, err := a.SetPolicy(t.Context(), policy.Document{}); err != nil || change.Kept != 1 {
		t.Errorf("%+v, %v", change, err)
	}
}
