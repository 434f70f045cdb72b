package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	v1 "github.com/caro-mesh/caro-node/api/v1"
	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/scripts/nodeproc"
)

// TestEveryTypeOfAuditRecordIsWrittenWhenItsEventHappens: in an ordinary day of two nodes, and with a third that is not
// trusted, everything that the log is there for happens once.
func TestEveryTypeOfAuditRecordIsWrittenWhenItsEventHappens(t *testing.T) {
	anna, bob, carl := newNode(t, "anna"), newNode(t, "bob"), newNode(t, "carl")
	introduce("peer", anna, bob)
	carl.configure("", nodeproc.Grant{To: anna.Node, Trust: "peer"})
	anna.observe("git status", "docker ps")
	for _, n := range []*node{anna, bob, carl} {
		n.start()
	}
	anna.awaitPeers(1)
	bob.caro("query", "tool_usage", "--since", "3d")
	anna.caro("trust", "deny", carl.ID)
	r := anna.rotateKey()
	bob.awaitConnected(r.NodeID)
	bob.stop()
	all := []protocol.AuditEventType{protocol.AuditIdentityCreated, protocol.AuditPeerConnected, protocol.AuditPeerDisconnected, protocol.AuditQueryReceived,
		protocol.AuditResponseSent, protocol.AuditPolicyViolation, protocol.AuditTrustChanged, protocol.AuditKeyRotated, protocol.AuditSummaryGenerated,
		protocol.AuditSummaryShared}
	eventually(t, func() string {
		var missing []string
		for _, typ := range all {
			if !slices.ContainsFunc(auditOf(anna, typ), func(r v1.AuditRecord) bool { return r.EventType == typ }) {
				missing = append(missing, string(typ))
			}
		}
		if len(missing) > 0 {
			return fmt.Sprintf("not on record: %s", strings.Join(missing, ", "))
		}
		return ""
	})
	var v v1.AuditVerification
	if anna.caroJSON(&v, "audit", "verify"); !v.OK || v.Checkpoints == 0 {
		t.Errorf("%+v", v)
	}
}
