package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	v1 "github.com/caro-mesh/caro-node/api/v1"
	"github.com/caro-mesh/caro-node/policy/audit"
	"github.com/caro-mesh/caro-node/policy/bundle"
	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/store"
)

// What a bundle would change is told also where no node runs: for a peer of which only the address is known, and for the
// next key of a node that the user's policy names by the key that it had before.
func TestABundleTellsWhatPeersKnownByAddressAndRotatedKeysWouldGain(t *testing.T) {
	home, now := t.TempDir(), time.Now().UTC()
	near, former, heir := newSeedKey(11), newSeedKey(12), newSeedKey(13)
	c := &cli{getenv: func(name string) string { return map[string]string{"CARO_HOME": home}[name] }}
	t.Setenv("CARO_HOME", home)
	own := "[[policy.nodes]]\nid = \"" + string(former.NodeID()) + "\"\ntrust = \"peer\"\nname = \"carol\"\n"
	if err := os.WriteFile(filepath.Join(home, "config.toml"), []byte(own), 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(t.Context(), filepath.Join(home, "caro.db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	r := &protocol.KeyRotation{OldID: former.NodeID(), NewID: heir.NodeID(), Generation: 1, IssuedAt: protocol.At(now), ValidFrom: protocol.At(now),
		OldExpires: protocol.At(now.Add(time.Hour)), NextDigest: protocol.DigestOf(near.NodeID()), Reason: protocol.RotationScheduled}
	if _, err := protocol.SignRotation(r, former, heir, now); err != nil {
		t.Fatal(err)
	}
	if err := db.SaveSuccession(t.Context(), r, audit.Event{Type: protocol.AuditKeyRotated, Success: true}); err != nil {
		t.Fatal(err)
	}
	if err := db.SavePeer(t.Context(), store.Peer{ID: near.NodeID(), DisplayName: "bob", Addrs: []string{"/ip4/10.1.2.3/tcp/9238"}, Source: "mdns"}); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	file, err := bundle.Sign([]byte("name = \"ACME\"\nversion = 1\nissued = 2020-01-01T00:00:00Z\nexpires = 2099-01-01T00:00:00Z\nmax_level = \"aggregated\"\n[[subnets]]\ncidr = \"10.0.0.0/8\"\ntrust = \"share_to\"\n"),
		newSeedKey(9).private)
	if err != nil {
		t.Fatal(err)
	}
	b, err := bundle.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	p, err := c.paths()
	if err != nil {
		t.Fatal(err)
	}
	has := func(list []v1.PolicyRightChange, subject, right string, gains bool) bool {
		for _, ch := range list {
			if strings.HasPrefix(ch.Subject, subject) && ch.Right == right && ch.Gains == gains {
				return true
			}
		}
		return false
	}
	for what, got := range map[string]struct {
		from, to *bundle.Bundle
		gains    bool
	}{"accepted": {nil, b, true}, "taken back": {b, nil, false}} {
		list, err := c.changesAtRest(t.Context(), p, got.from, got.to, now)
		if err != nil {
			t.Fatal(err)
		}
		if !has(list, "bob ("+string(near.NodeID().Fingerprint())+")", "connect", got.gains) {
			t.Errorf("%s: nothing about the peer in the subnet: %+v", what, list)
		}
		if !has(list, "carol ("+string(heir.NodeID().Fingerprint())+")", "summaries", !got.gains) {
			t.Errorf("%s: nothing about the key that carol has now: %+v", what, list)
		}
	}
}
