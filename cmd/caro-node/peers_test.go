package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	v1 "github.com/caro-mesh/caro-node/api/v1"
	"github.com/caro-mesh/caro-node/protocol"
)

func TestTheListOfPeersTellsWhoIsOnlineSinceWhenAndWithWhichVersion(t *testing.T) {
	day, seen := int64(3*24*3600), time.Now().Add(-10*time.Minute)
	var out bytes.Buffer
	c := &cli{stdio: stdio{Out: &out, Err: &bytes.Buffer{}}}
	err := c.printPeers([]v1.Peer{
		{Fingerprint: "aaaa", DisplayName: "anna", Trust: protocol.TrustPeer, State: v1.PeerConnected, Online: true, Health: protocol.HealthOK, UptimeSeconds: &day, CaroVersion: "1.2.3"},
		{Fingerprint: "bbbb", DisplayName: "bob", Trust: protocol.TrustPeer, State: v1.PeerConnected, Online: true, Health: protocol.HealthDegraded},
		{Fingerprint: "cccc", DisplayName: "carol", Trust: protocol.TrustShareTo, State: v1.PeerOffline, LastSeen: &seen, CaroVersion: strings.Repeat("v", protocol.MaxVersionText), StateReason: "no answer"},
	})
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Split(strings.TrimSpace(out.String()), "\n")
	for i, want := range []string{
		"FINGERPRINT NAME TRUST STATE ONLINE SEEN UPTIME VERSION RTT WHY",
		"aaaa anna peer connected yes never 3d 1.2.3 –",
		"bbbb bob peer connected degraded never – – –",
		"cccc carol share_to offline no 10m ago – vvvvvvvvvvvvvvv… – no answer",
	} {
		if i >= len(got) || strings.Join(strings.Fields(got[i]), " ") != want {
			t.Errorf("line %d: want %q in\n%s", i, want, out.String())
		}
	}
}
