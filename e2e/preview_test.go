package e2e

import (
	"strings"
	"testing"

	v1 "github.com/caro-mesh/caro-node/api/v1"
)

func TestPreviewTellsEverybodyWhoGetsItAndWhatIsKeptOut(t *testing.T) {
	n := newNode(t, "anna")
	n.configure("[policy]\nallowed_categories = [\"git\", \"docker\"]\ndenied_categories = [\"docker\"]\ndefault_trust = \"peer\"\n\n" +
		"[[policy.subnets]]\ncidr = \"10.1.0.0/16\"\ntrust = \"share_to\"\n\n[[policy.subnets]]\ncidr = \"10.2.0.0/16\"\ntrust = \"query_from\"\n")
	n.start()
	text := n.caro("summary", "preview")
	for _, want := range []string{"everything but docker, git, and of these docker", "every node that reaches this one (peer, by default_trust in config.toml:", "every node in 10.1.0.0/16 (share_to, by "} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in:\n%s", want, text)
		}
	}
	if strings.Contains(text, "10.2.0.0/16") {
		t.Errorf("names who gets nothing:\n%s", text)
	}
	n.stop()

	n.configure("[policy]\nmax_level = \"raw\"\ndefault_trust = \"peer\"\n")
	n.start()
	if text := n.caro("summary", "preview"); !strings.Contains(text, "go to: nobody") {
		t.Errorf("max_level raw shares nothing:\n%s", text)
	}
	var p v1.SummaryPreview
	n.caroJSON(&p, "summary", "preview")
	if p.SharedByRule == nil || p.AllowedCategories == nil {
		t.Errorf("null for an empty list: %+v", p)
	}
}
