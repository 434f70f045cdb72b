package discovery

import (
	"strings"
	"testing"
)

func TestTargetsAreReadAndMerged(t *testing.T) {
	id, pid := someone(t)
	_, other := someone(t)
	targets, err := ParseTargets([]string{
		"/ip4/10.0.0.5/tcp/9238/p2p/" + pid.String(),
		"/ip4/10.0.0.6/tcp/9238/p2p/" + other.String(),
		"/ip6/fd00::5/tcp/9238/p2p/" + pid.String(),
		"/ip4/10.0.0.5/tcp/9238/p2p/" + pid.String(),
	}, false)
	if err != nil {
		t.Fatal(err)
	}
	if len(targets) != 2 || targets[0].ID != id || len(targets[0].Addrs) != 2 || targets[0].Addrs[1].String() != "/ip6/fd00::5/tcp/9238" || len(targets[1].Addrs) != 1 {
		t.Errorf("targets %+v", targets)
	}
}

func TestBadTargetsAreRefusedInOneSentence(t *testing.T) {
	_, pid := someone(t)
	const rsa = "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N"
	for address, want := range map[string]string{
		"10.0.0.5:9238":                       "cannot be read",
		"":                                    "cannot be read",
		"/ip4/10.0.0.5/tcp/9238":              "add /p2p/",
		"/ip4/10.0.0.5/tcp/9238/p2p/nonsense": "cannot be read",
		"/ip4/10.0.0.5/tcp/9238/p2p/" + rsa:   "no Ed25519 key",
		"/ip4/8.8.8.8/tcp/9238/p2p/" + pid.String():                              "address is public",
		"/dns4/anna-laptop/tcp/9238/p2p/" + pid.String():                         "names are not looked up",
		"/ip4/10.0.0.5/udp/9238/quic-v1/p2p/" + pid.String():                     "must be /ip4/",
		"/ip4/10.0.0.5/tcp/0/p2p/" + pid.String():                                "port from 1 to 65535",
		"/ip4/0.0.0.0/tcp/9238/p2p/" + pid.String():                              "must be /ip4/",
		"/p2p/" + pid.String():                                                   "must be /ip4/",
		"/ip4/10.0.0.5/tcp/9238/p2p/" + rsa + "/p2p-circuit/p2p/" + pid.String(): "must be /ip4/",
	} {
		_, err := ParseTarget(address, false)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: %v, want %q", address, err, want)
		}
	}
	if _, err := ParseTarget("/ip4/8.8.8.8/tcp/9238/p2p/"+pid.String(), true); err != nil {
		t.Errorf("with public addresses allowed: %v", err)
	}
}
