package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caro-mesh/caro-node/internal/meshtest"
	"github.com/caro-mesh/caro-node/policy"
	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/store"
)

func TestWhetherAPeerWasStoppedOrVanishedIsToldUntilItReturns(t *testing.T) {
	for how, c := range map[string]struct {
		leave func(*Node)
		want  string
	}{
		"stopped": {func(n *Node) { n.sayGoodbye(context.Background()); _ = n.Close() }, "it said goodbye, because it was stopped; "},
		"crashed": {func(n *Node) { _ = n.Close() }, "it vanished without goodbye; "},
	} {
		t.Run(how, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				lan := meshtest.NewNetwork()
				a, b := afar(t, lan, 1), afar(t, lan, 2)
				calls(a, b)
				pass(time.Second)
				if v := peerOf(t, a, b); v.State != PeerConnected || v.Reason != "" {
					t.Fatalf("b is %+v", v)
				}
				c.leave(b)
				for _, later := range []time.Duration{100 * time.Millisecond, time.Hour} { // before and after it was tried again
					pass(later)
					v := peerOf(t, a, b)
					if v.State != PeerOffline || !strings.HasPrefix(v.Reason, c.want) || len(v.Reason) == len(c.want) {
						t.Errorf("after %s b is %s: %q", later, v.State, v.Reason)
					}
				}
			})
		})
	}
}

func TestAPeerThatReturnedAndLeavesAgainIsToldOfByItsLastLeaving(t *testing.T) {
	var p partings
	id := newKey(t).NodeID()
	if got := p.before(id, "why"); got != "why" {
		t.Errorf("of a stranger: %q", got)
	}
	p.left(id, "shutdown")
	p.left(id, vanished)
	if got := p.before(id, ""); got != vanished {
		t.Errorf("%q", got)
	}
	p.returned(id)
	if got := p.before(id, "why"); got != "why" {
		t.Errorf("after its return: %q", got)
	}
	for i := range maxPartings + 100 {
		p.left(protocol.NodeID(fmt.Sprint(i)), vanished)
	}
	if len(p.how) != maxPartings || p.before(protocol.NodeID(fmt.Sprint(maxPartings+99)), "") != vanished {
		t.Errorf("%d are remembered", len(p.how))
	}
}

func TestANodeThatIsStoppedDoesNotRecordThatItsPeersVanished(t *testing.T) {
	b := running(t, nil)
	key := newKey(t)
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "caro.db"), store.Options{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	a, err := New(t.Context(), Config{Identity: key, NextDigest: key.X25519(), Version: "test", Listen: []string{"/ip4/127.0.0.1/tcp/0"}, StaticPeers: b.Addresses(),
		Policy: policy.Document{DefaultTrust: "peer"}, Store: db, Now: time.Now, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	meshtest.Eventually(t, func() error {
		if len(a.registry.Peers()) != 1 || len(b.registry.Peers()) != 1 {
			return errors.New("they have not met")
		}
		return nil
	})
	stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if got := recordsOf(t, a, protocol.AuditPeerDisconnected); len(got) != 1 || got[0]["goodbye"] != endedHere {
		t.Errorf("the one that was stopped recorded %v", got)
	}
	meshtest.Eventually(t, func() error {
		if got := recordsOf(t, b, protocol.AuditPeerDisconnected); len(got) != 1 || got[0]["goodbye"] != "shutdown" {
			return fmt.Errorf("its peer recorded %v", got)
		}
		return nil
	})
}

func TestOnesOwnRefusalIsToldInOnesOwnWords(t *testing.T) {
	a := start(t, newKey(t), policy.Document{})
	b, c := newKey(t).NodeID(), newKey(t).NodeID()
	pid, err := b.PeerID()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.AddPeer(t.Context(), "/ip4/127.0.0.1/tcp/1/p2p/"+pid.String()); err != nil {
		t.Fatal(err)
	}
	if err := a.SetTrust(t.Context(), policy.Grant{Node: c, Deny: true}); err != nil {
		t.Fatal(err)
	}
	reasons := func() (ofB, ofC string) {
		all, err := a.Peers(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range all {
			if v.State != PeerUntrusted {
				continue
			}
			switch v.ID {
			case b:
				ofB = v.Reason
			case c:
				ofC = v.Reason
			}
		}
		return ofB, ofC
	}
	meshtest.Eventually(t, func() error {
		ofB, ofC := reasons()
		if !strings.HasPrefix(ofB, "nobody here has decided about it") || !strings.Contains(ofB, string(b.Fingerprint())) ||
			!strings.HasPrefix(ofC, "refused here by the rule deny node") {
			return fmt.Errorf("%q and %q", ofB, ofC)
		}
		return nil
	})
}

func TestStrangersDoNotPushPeersDownTheList(t *testing.T) {
	a, b := pairOf(t)
	absent := newKey(t).NodeID()
	if err := a.SetTrust(t.Context(), policy.Grant{Node: absent, Trust: protocol.TrustPeer, Name: "zoe"}); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := a.clerk.seen(t.Context(), newKey(t).NodeID(), func(p *store.Peer) { p.DisplayName = "aaa" }); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.SetTrust(t.Context(), policy.Grant{Node: newKey(t).NodeID(), Deny: true, Name: "aa"}); err != nil {
		t.Fatal(err)
	}
	all, err := a.Peers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var got []PeerState
	for _, v := range all {
		got = append(got, v.State)
	}
	want := []PeerState{PeerConnected, PeerOffline, PeerPending, PeerPending, PeerPending, PeerUntrusted}
	if !slices.Equal(got, want) || all[0].ID != b.c.Identity.NodeID() || all[1].ID != absent {
		t.Errorf("the list is %v, want %v", got, want)
	}
}
