package e2e

import (
	"strings"
	"testing"
)

func TestLookingForNodesFromLoopbackAloneIsExplainedAtTheStart(t *testing.T) {
	n := newNode(t, "anna")
	n.Extra = []string{"CARO_NETWORK_MDNS=true"}
	n.start()
	log := n.Log()
	if strings.Count(log, "nobody can be found that way, because this node listens on loopback only") != 1 || !strings.Contains(log, "set network.listen") {
		t.Error("it is not said")
	}
	if strings.Contains(log, "can be found on the local network") {
		t.Error("it announces itself all the same")
	}
}
