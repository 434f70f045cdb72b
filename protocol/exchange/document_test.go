package exchange_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/libp2p/go-libp2p/core/network"

	"github.com/caro-mesh/caro-node/internal/wiretest"
	"github.com/caro-mesh/caro-node/protocol/exchange"
)

func TestTheDocumentTellsReasonsCodesAndTimes(t *testing.T) {
	document := wiretest.Document(t, "../..")
	for _, r := range exchange.Reasons() {
		if !strings.Contains(document, "`"+string(r)+"`") {
			t.Errorf("docs/protocol.md does not explain the reason %s", r)
		}
	}
	for name, code := range map[string]network.StreamErrorCode{"resource limit": network.StreamResourceLimitExceeded, "rate limit": network.StreamRateLimited,
		"violation": network.StreamProtocolViolation, "shutdown": network.StreamShutdown, "gated": network.StreamGated} {
		if row := fmt.Sprintf("\n| 0x%04x | %s |", uint32(code), name); !strings.Contains(document, row) {
			t.Errorf("docs/protocol.md has no row %q", row)
		}
	}
	if text := fmt.Sprintf("an exchange at most %g seconds", exchange.DefaultTimeout.Seconds()); !strings.Contains(document, text) {
		t.Errorf("docs/protocol.md does not say %q", text)
	}
}
