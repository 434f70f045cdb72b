package e2e

import (
	"fmt"
	"strings"
	"testing"

	v1 "github.com/caro-mesh/caro-node/api/v1"
	"github.com/caro-mesh/caro-node/protocol"
)

// rotateKey changes the node's key by its command, and returns the change.
func (n *node) rotateKey(args ...string) v1.KeyRotation {
	n.t.Helper()
	var r v1.KeyRotation
	n.caroJSON(&r, append([]string{"key", "rotate"}, args...)...)
	return r
}

// awaitConnected waits until the node is connected to a node ID, and returns how it sees it.
func (n *node) awaitConnected(id protocol.NodeID) (peer v1.Peer) {
	n.t.Helper()
	eventually(n.t, func() string {
		var page v1.PeerPage
		n.caroJSON(&page, "peers", "list")
		for _, p := range page.Peers {
			if p.NodeID == id {
				peer = p
			}
		}
		if peer.State != v1.PeerConnected {
			return fmt.Sprintf("%s sees %s as %+v", n.Name, id.Fingerprint(), page.Peers)
		}
		return ""
	})
	return peer
}

// TestKeysAreRotatedWhileNodesWork: anna changes her key while bob is connected and carl is away, twice more with her node
// stopped in between, and everybody goes on with her as before.
func TestKeysAreRotatedWhileNodesWork(t *testing.T) {
	anna, bob, carl := newNode(t, "anna"), newNode(t, "bob"), newNode(t, "carl")
	introduce("peer", anna, bob, carl)
	anna.observe("git status", "docker ps")
	for _, n := range []*node{anna, bob, carl} {
		n.start()
	}
	for _, n := range []*node{anna, bob, carl} {
		n.awaitPeers(2)
	}
	carl.stop()

	first := anna.rotateKey()
	if string(first.OldID) != anna.ID || first.Generation != 1 {
		t.Fatalf("rotated %+v from %s", first, anna.ID)
	}
	peer := bob.awaitConnected(first.NodeID)
	if peer.DisplayName != "anna" || peer.Trust != protocol.TrustPeer || !strings.Contains(peer.Rule.Name, "carried over from "+anna.Fingerprint) {
		t.Errorf("bob sees anna's new key as %+v", peer)
	}
	var answer v1.QueryResult
	bob.query(&answer, "tool_usage", "--since", "3d")
	if usage, ok := answer.Data.(*v1.ToolUsage); !ok || usage.TotalCommands != 2 || len(answer.Contributors) != 1 || answer.Contributors[0] != first.Fingerprint {
		t.Errorf("anna's answer under the new key: %+v", answer)
	}
	for _, one := range answer.Coverage.Nodes {
		if string(one.Fingerprint) == anna.Fingerprint {
			t.Errorf("the old key was asked too: %+v", one)
		}
	}
	var id struct {
		NodeID     protocol.NodeID `json:"node_id"`
		Generation uint64          `json:"generation"`
	}
	anna.caroJSON(&id, "id")
	if id.NodeID != first.NodeID || id.Generation != 1 {
		t.Errorf("anna says that she is %+v", id)
	}

	second := anna.rotateKey("--compromised")
	bob.awaitConnected(second.NodeID)
	anna.stop()
	third := anna.rotateKey("--grace", "1h") // by the files
	anna.start()
	bob.awaitConnected(third.NodeID)
	carl.start()
	carl.awaitConnected(third.NodeID)
	anna.awaitPeers(2)

	for _, n := range []*node{bob, carl} {
		records := auditOf(n, protocol.AuditKeyRotated)
		if len(records) != 3 || records[0].Peer != third.NodeID || records[0].Details["step"] != "believed" {
			t.Errorf("%s recorded %+v", n.Name, records)
		}
		var v v1.AuditVerification
		if n.caroJSON(&v, "audit", "verify"); !v.OK {
			t.Errorf("%s: %+v", n.Name, v)
		}
	}
	if records := auditOf(anna, protocol.AuditKeyRotated); len(records) != 3 || records[0].Details["step"] != "stated" {
		t.Errorf("anna recorded %+v", records)
	}
	if records := auditOf(anna, protocol.AuditIdentityCreated); len(records) != 1 {
		t.Errorf("anna recorded %d new identities", len(records))
	}
}

// TestAKilledNodeComesBackUnderTheKeyThatItHadStated: kill -9 right after a rotation loses nothing.
func TestAKilledNodeComesBackUnderTheKeyThatItHadStated(t *testing.T) {
	anna, bob := newNode(t, "anna"), newNode(t, "bob")
	introduce("peer", anna, bob)
	anna.start()
	bob.start()
	anna.awaitPeers(1)
	r := anna.rotateKey()
	if err := anna.Kill(); err != nil {
		t.Fatal(err)
	}
	anna.start()
	bob.awaitConnected(r.NodeID)
	anna.awaitConnected(protocol.NodeID(bob.ID))
}
