package e2e

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	v1 "github.com/caro-mesh/caro-node/api/v1"
	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/scripts/nodeproc"
)

// TestABundleThatWasMadeElsewhereGovernsWhatAPeerGets: the office makes a bundle on its own machine. A file is all that goes
// to anna, who accepts it while her node runs; from then on it decides what bob gets from her, until she takes it back.
func TestABundleThatWasMadeElsewhereGovernsWhatAPeerGets(t *testing.T) {
	office, anna, bob := newNode(t, "office"), newNode(t, "anna"), newNode(t, "bob")
	anna.configure("[policy]\ndefault_trust = \"share_to\"\n")
	bob.configure("", nodeproc.Grant{To: anna.Node, Trust: "peer"})
	anna.observe("git status", "kubectl get pods", "docker ps")
	anna.start()
	bob.start()
	anna.awaitPeers(1)
	bob.awaitPeers(1)
	anna.awaitEvents(3)
	ask := func() (r v1.QueryResult) {
		bob.query(&r, "tool_usage", "--since", "3d")
		return r
	}
	denied := func(when string) {
		t.Helper()
		_, err := bob.Run(t.Context(), "query", "--timeout", "10s", "tool_usage", "--since", "3d")
		var exit *nodeproc.ExitError
		if !errors.As(err, &exit) || exit.Code != 4 { // denied by policy
			t.Errorf("%s: %v", when, err)
		}
	}
	denied("before")

	made, carried := t.TempDir(), t.TempDir()
	key, bundle, stick := filepath.Join(made, "org.key"), filepath.Join(made, "acme.toml"), filepath.Join(carried, "acme.toml")
	text := fmt.Sprintf("name = \"ACME\"\nversion = 1\nissued = %s\nexpires = %s\ndenied_categories = [\"kubernetes\"]\n\n[[subnets]]\ncidr = \"127.0.0.0/8\"\ntrust = \"query_from\"\n",
		time.Now().Add(-time.Hour).UTC().Format(time.RFC3339), time.Now().AddDate(1, 0, 0).UTC().Format(time.RFC3339))
	write := func(path, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(bundle, text)
	fingerprint := strings.TrimSpace(office.caro("policy", "bundle", "keygen", key))
	office.caro("policy", "bundle", "sign", bundle, "--key", key)
	signed, err := os.ReadFile(bundle)
	if err != nil {
		t.Fatal(err)
	}

	write(stick, strings.Replace(string(signed), "query_from", "peer", 1))
	if out := anna.fails("policy", "import", stick, "--yes", "--key", fingerprint); !strings.Contains(out, "changed after it was signed") {
		t.Errorf("a bundle that was changed on its way: %s", out)
	}
	write(stick, string(signed))
	var imported struct {
		Changes           []v1.PolicyRightChange `json:"changes"`
		Accepted, Running bool
	}
	anna.caroJSON(&imported, "policy", "import", stick, "--yes", "--key", fingerprint)
	gained := false
	for _, c := range imported.Changes {
		gained = gained || c.Gains && c.Right == "query:tool_usage" && string(c.NodeID) == bob.ID && c.RuleAfter.Source == "bundle ACME v1"
	}
	if !imported.Accepted || !imported.Running || !gained {
		t.Errorf("shown before it was accepted, or not: what bob gains: %+v", imported)
	}

	r := ask()
	usage, ok := r.Data.(*v1.ToolUsage)
	if r.Status != protocol.StatusSuccess || !ok || usage.TotalCommands != 2 {
		t.Fatalf("under the bundle: %+v, %+v", r, usage)
	}
	if _, there := usage.ByCategory["kubernetes"]; there {
		t.Errorf("what the bundle keeps back left: %+v", usage)
	}
	page := receiptsOf(anna, 1)
	if got := page.Receipts[0].Rule; got.Name != "subnet 127.0.0.0/8" || got.Source != "bundle ACME v1" {
		t.Errorf("the receipt names the rule %+v", got)
	}
	recorded := auditOf(anna, protocol.AuditTrustChanged)
	if len(recorded) == 0 || recorded[0].Details["change"] != "bundle_imported" && recorded[len(recorded)-1].Details["change"] != "bundle_imported" {
		t.Errorf("on record: %+v", recorded)
	}

	if out := anna.caro("policy", "forget-bundle"); !strings.Contains(out, "-  bob ("+bob.Fingerprint+")") {
		t.Errorf("shown when it is taken back, without what bob loses:\n%s", out)
	}
	denied("after it was taken back")
}
