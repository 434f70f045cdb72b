package main

import (
	"testing"
	"time"

	"github.com/caro-mesh/caro-node/cmd/caro-node/config"
	"github.com/caro-mesh/caro-node/policy"
	"github.com/caro-mesh/caro-node/protocol"
)

const someNode = protocol.NodeID("caro:ed25519:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")

// shares lists what a node of the profile gives to one that was granted the trust level at run time.
func shares(t *testing.T, profile string, trust protocol.TrustLevel) (actions []string) {
	t.Helper()
	c, err := config.Parse("config.toml", []byte(profiles[profile].text), nil)
	if err != nil {
		t.Fatal(err)
	}
	e, err := policy.New(c.Policy, []policy.Grant{{Node: someNode, Trust: trust}})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	end := now.Truncate(time.Hour)
	for _, r := range []policy.Request{{Action: policy.ActionReceiveSummary}, {Action: policy.ActionQuery, QueryType: protocol.QueryToolUsage}, {Action: policy.ActionQuery, QueryType: protocol.QuerySafetyPosture},
		{Action: policy.ActionQuery, QueryType: protocol.QueryActivityPatterns}, {Action: policy.ActionQuery, QueryType: protocol.QueryAnomalies}, {Action: policy.ActionQuery, QueryType: protocol.QueryNodeHealth}} {
		r.Peer, r.Now = someNode, now
		r.TimeRange = protocol.TimeRange{Start: protocol.At(end.Add(-time.Hour)), End: protocol.At(end)}
		if e.Decide(r).Allowed {
			actions = append(actions, string(r.Action)+string(r.QueryType))
		}
	}
	return actions
}

func TestTheProfilesIndividualAndSupervisorShareNothingWhateverTrustIsGiven(t *testing.T) {
	for _, profile := range []string{"individual", "supervisor"} {
		for level := protocol.TrustUntrusted; level <= protocol.TrustSupervisor; level++ {
			if got := shares(t, profile, level); len(got) > 0 {
				t.Errorf("%s, %s: shares %q", profile, level, got)
			}
		}
	}
}

func TestTheProfileTeamSharesWithWhomItTrustsOnly(t *testing.T) {
	if got := shares(t, "team", protocol.TrustUntrusted); len(got) > 0 {
		t.Errorf("with a stranger: %q", got)
	}
	if got := shares(t, "team", protocol.TrustPeer); len(got) != 6 {
		t.Errorf("with a peer: %q", got)
	}
}

func TestTheProfileIndividualIsNotFoundAndListensOnLoopbackOnly(t *testing.T) {
	c, err := config.Parse("config.toml", []byte(profiles["individual"].text), nil)
	if err != nil {
		t.Fatal(err)
	}
	if c.Network.MDNS || c.Network.AllowPublic || len(c.Network.Listen) != 1 || c.Network.Listen[0] != "/ip4/127.0.0.1/tcp/9238" {
		t.Errorf("network is %+v", c.Network)
	}
}
