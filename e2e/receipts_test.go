package e2e

import (
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	v1 "github.com/caro-mesh/caro-node/api/v1"
	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/scripts/nodeproc"
)

// receiptsOf asks until the node lists as many countersigned answers: a countersignature comes after its answer.
func receiptsOf(n *node, countersigned int, args ...string) (page v1.ReceiptPage) {
	n.t.Helper()
	eventually(n.t, func() string {
		page = v1.ReceiptPage{}
		n.caroJSON(&page, append([]string{"audit", "who-asked"}, args...)...)
		got := 0
		for _, r := range page.Receipts {
			if r.Countersigned {
				got++
			}
		}
		if got == countersigned {
			return ""
		}
		return fmt.Sprintf("%d answers are countersigned: %+v", got, page.Receipts)
	})
	return page
}

func TestWhoeverIsAskedCanShowWhoAskedAndExactlyWhatLeft(t *testing.T) {
	anna, bob := newNode(t, "anna"), newNode(t, "bob")
	introduce("peer", anna, bob)
	bob.configure("[policy]\nquery_types = [\"tool_usage\"]\n", nodeproc.Grant{To: anna.Node, Trust: "peer"})
	bob.observe("git status", "docker ps")
	anna.start()
	bob.start()
	anna.awaitPeers(1)
	bob.awaitPeers(1)
	bob.awaitEvents(2)
	var asked v1.QueryResult
	anna.caroJSON(&asked, "query", "tool_usage", "--since", "3d")
	if asked.Status != protocol.StatusSuccess {
		t.Fatalf("got %+v", asked)
	}

	page := receiptsOf(bob, 1, "--since", "1h", "--node", "anna")
	r := page.Receipts[0]
	if string(r.Peer) != anna.ID || r.QueryID != asked.QueryID || r.QueryType != protocol.QueryToolUsage || r.Status != protocol.StatusSuccess ||
		r.Trust != "peer" || r.Rule.Name == "" || r.Rule.Source == "" || r.Bytes == 0 || r.CountersignedAt == nil || len(r.Problems) != 0 {
		t.Errorf("bob lists %+v", r)
	}
	if table := bob.caro("audit", "who-asked"); !strings.Contains(table, "anna") || !strings.Contains(table, " countersigned") {
		t.Errorf("bob reads\n%s", table)
	}
	// Who asked and was refused has no receipt, and is told of all the same.
	var exit *nodeproc.ExitError
	if _, err := anna.Run(t.Context(), "query", "anomalies"); !errors.As(err, &exit) || exit.Code != 4 {
		t.Errorf("what bob does not answer: %v", err)
	}
	cmd := exec.CommandContext(t.Context(), bob.Bin, "audit", "who-asked", "--node", "anna")
	cmd.Env = bob.Env()
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "1 of the latest 2 queries were refused and left nothing") {
		t.Errorf("%v, bob reads\n%s", err, out)
	}
	bob.stop() // a receipt is read from the database, whoever runs

	var doc v1.ReceiptDocument
	bob.caroJSON(&doc, "audit", "receipt", fmt.Sprint(r.Number))
	response, err := protocol.OpenResponse(doc.ResponseWire)
	if err != nil || response.Data.ToolUsage.TotalCommands != 2 || string(response.Responder) != bob.ID {
		t.Errorf("what left is %+v, %v", response, err)
	}
	receipt, err := protocol.OpenReceipt(doc.CountersignatureWire)
	if err != nil || receipt.Covers(asked.QueryID, protocol.NodeID(anna.ID), protocol.NodeID(bob.ID), doc.ResponseWire) != nil {
		t.Errorf("anna signed %+v, %v", receipt, err)
	}
	if text := bob.caro("audit", "receipt", asked.QueryID); !strings.Contains(text, "signature of the asker:   verifies, made by "+anna.ID) {
		t.Errorf("bob reads\n%s", text)
	}
}
