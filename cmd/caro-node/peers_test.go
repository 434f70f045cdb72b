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
		{Fingerprint: "dddd", DisplayName: "anna", State: v1.PeerPending},
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
		`dddd claims "anna" untrusted pending no never – – –`, // anybody may call itself anything
	} {
		if i >= len(got) || strings.Join(strings.Fields(got[i]), " ") != want {
			t.Errorf("line %d: want %q in\n%s", i, want, out.String())
		}
	}
}

func TestRemovingAPeerSaysWhatBringsItBackAndHowToKeepItAway(t *testing.T) {
	id := protocol.NewNodeID(make([]byte, 32))
	for name, c := range map[string]struct {
		doc          v1.Removed
		says, silent string
	}{
		"a stranger":              {v1.Removed{}, "Forgot", "again"},
		"one that is trusted":     {v1.Removed{Trust: protocol.TrustPeer, MayReturn: []v1.Return{v1.ReturnTrusted}}, "still peer here, so it may connect again.\nTo keep it away: caro-node trust deny", "network"},
		"a trusted neighbour":     {v1.Removed{Trust: protocol.TrustPeer, MayReturn: []v1.Return{v1.ReturnTrusted, v1.ReturnAnnounced}}, "announces itself on this network, so it will be connected again.\nTo keep it away: caro-node trust deny", "static_peers"},
		"an unknown neighbour":    {v1.Removed{MayReturn: []v1.Return{v1.ReturnAnnounced}}, "listed again; it is not trusted", "trust deny"},
		"one of the static peers": {v1.Removed{MayReturn: []v1.Return{v1.ReturnConfigured}}, "network.static_peers", "trust deny"},
	} {
		var said bytes.Buffer
		c.doc.NodeID = id
		(&cli{stdio: stdio{Out: &bytes.Buffer{}, Err: &said}}).sayRemoved(c.doc)
		if !strings.Contains(said.String(), c.says) || strings.Contains(said.String(), c.silent) {
			t.Errorf("%s: said %q", name, said.String())
		}
	}
}
