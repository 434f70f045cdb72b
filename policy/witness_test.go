package policy_test

import (
	"testing"

	"github.com/caro-mesh/caro-node/policy"
	"github.com/caro-mesh/caro-node/protocol"
)

func TestCheckpointsAreShownToPeersOnlyAndByWhomSharesAnythingAtAll(t *testing.T) {
	for _, trust := range protocol.TrustNames() {
		for _, maxLevel := range []string{"raw", "summarized", "aggregated"} {
			e := compile(t, policy.Document{MaxLevel: maxLevel, Nodes: []policy.NodeRule{{ID: string(nodeID(1)), Trust: trust}}})
			d := e.Decide(policy.Request{Peer: nodeID(1), Action: policy.ActionWitness})
			if want := trust == "peer" && maxLevel != "raw"; d.Allowed != want || d.Reason == "" || d.Rule.Name == "" {
				t.Errorf("%s, max_level %s: %+v", trust, maxLevel, d)
			}
		}
	}
	e := compile(t, policy.Document{Nodes: []policy.NodeRule{{ID: string(nodeID(1)), Deny: true}}, DefaultTrust: "peer"})
	if d := e.Decide(policy.Request{Peer: nodeID(1), Action: policy.ActionWitness}); d.Allowed {
		t.Errorf("a denied node: %+v", d)
	}
}
