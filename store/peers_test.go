package store

import (
	"reflect"
	"testing"
	"time"

	"github.com/caro-mesh/caro-node/policy"
	"github.com/caro-mesh/caro-node/policy/audit"
	"github.com/caro-mesh/caro-node/protocol"
)

func TestAPeerAndWhatIsRecordedOfItAreStoredTogetherOrNotAtAll(t *testing.T) {
	s := open(t, Options{})
	ended := audit.Event{Type: protocol.AuditPeerDisconnected, Peer: nodeID(1), Success: true}
	check(t, s.SavePeer(t.Context(), Peer{ID: nodeID(1), Source: "manual"}, ended))
	if n := auditCount(t, s); n != 1 {
		t.Errorf("%d records", n)
	}
	if err := s.SavePeer(t.Context(), Peer{ID: nodeID(1), Source: "config"}, audit.Event{Type: "gossip"}); err == nil {
		t.Error("stored without its record")
	}
	p, err := s.Peer(t.Context(), nodeID(1))
	if err != nil || p.Source != "manual" || auditCount(t, s) != 1 {
		t.Errorf("%+v, %v, %d records", p, err, auditCount(t, s))
	}
	sound(t, s)
}

func TestAPeerIsKeptAsItWasSavedLastExceptForWhenItWasFirstSeen(t *testing.T) {
	s := open(t, Options{})
	p := Peer{ID: nodeID(1), DisplayName: "bob's laptop", Addrs: []string{"/ip4/10.0.0.5/tcp/9238", "/ip6/fe80::1/tcp/9238"}, Source: "manual",
		FirstSeen: noon, LastSeen: noon.Add(time.Hour), LastRTT: 1500 * time.Microsecond, CaroVersion: "1.2.3", ProtocolVersion: 1}
	save := func(p Peer) {
		t.Helper()
		check(t, s.SavePeer(t.Context(), p))
	}
	is := func(want Peer) {
		t.Helper()
		got, err := s.Peer(t.Context(), want.ID)
		check(t, err)
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got\n%+v, want\n%+v", got, want)
		}
	}
	save(p)
	is(p)
	p.DisplayName, p.Addrs, p.Source, p.LastSeen, p.LastRTT = "", []string{"/ip4/10.0.0.6/tcp/9238"}, "mdns", noon.Add(2*time.Hour), 0
	later := p
	later.FirstSeen = noon.Add(time.Minute)
	save(later)
	is(p)
	unknown := p
	unknown.FirstSeen = time.Time{}
	save(unknown)
	is(p)
	p.FirstSeen = noon.Add(-time.Hour)
	save(p)
	is(p)

	pending := Peer{ID: nodeID(2), Addrs: []string{}, Source: "pending"}
	save(Peer{ID: pending.ID, Source: "pending"})
	is(pending)
	list, err := s.Peers(t.Context())
	check(t, err)
	if len(list) != 2 || list[0].ID >= list[1].ID {
		t.Errorf("%+v", list)
	}
	check(t, s.RemovePeer(t.Context(), p.ID))
	wantErr(t, s.RemovePeer(t.Context(), p.ID), ErrNotFound)
	_, err = s.Peer(t.Context(), p.ID)
	wantErr(t, err, ErrNotFound)
	if err := s.SavePeer(t.Context(), Peer{ID: "bob"}); err == nil {
		t.Error("a peer without a node ID was stored")
	}
}

func TestTheOldestPendingPeersAreForgotten(t *testing.T) {
	s := open(t, Options{})
	save := func(n byte, source string, first, last time.Duration) {
		t.Helper()
		p := Peer{ID: nodeID(n), Source: source, FirstSeen: noon.Add(first)}
		if last != 0 {
			p.LastSeen = noon.Add(last)
		}
		check(t, s.SavePeer(t.Context(), p))
	}
	save(1, "manual", -time.Hour, 0) // older than all, but wanted
	save(2, "pending", -time.Hour, 0)
	check(t, s.SetGrant(t.Context(), policy.Grant{Node: nodeID(2), Deny: true, At: noon}, changed)) // somebody has decided
	save(3, "pending", time.Minute, time.Hour)                                                      // came again later
	save(4, "pending", 2*time.Minute, 0)
	save(5, "pending", 3*time.Minute, 0)
	save(6, "pending", 4*time.Minute, 0)
	save(7, "mdns", 5*time.Minute, 0) // counted by themselves
	for _, c := range []struct {
		keep int
		gone int64
		left []byte
	}{{5, 0, []byte{1, 2, 3, 4, 5, 6, 7}}, {4, 0, []byte{1, 2, 3, 4, 5, 6, 7}}, {2, 2, []byte{1, 2, 3, 6, 7}}, {2, 0, []byte{1, 2, 3, 6, 7}}, {1, 1, []byte{1, 2, 3, 7}}, {0, 2, []byte{1, 2}}} {
		gone, err := s.PrunePending(t.Context(), c.keep)
		check(t, err)
		list, err := s.Peers(t.Context())
		check(t, err)
		want := make(map[protocol.NodeID]bool)
		for _, n := range c.left {
			want[nodeID(n)] = true
		}
		for _, p := range list {
			if !want[p.ID] {
				t.Errorf("keep %d: %s was kept", c.keep, p.ID)
			}
		}
		if gone != c.gone || len(list) != len(want) {
			t.Errorf("keep %d: %d removed and %d left, want %d and %d", c.keep, gone, len(list), c.gone, len(want))
		}
	}
	if _, err := s.PrunePending(t.Context(), -1); err == nil {
		t.Error("a negative number was taken")
	}
}

func TestAGrantIsStoredAndClearedWithItsAuditRecord(t *testing.T) {
	s := open(t, Options{})
	g := policy.Grant{Node: nodeID(1), Trust: protocol.TrustPeer, Name: "bob", At: noon}
	check(t, s.SetGrant(t.Context(), g, changed))
	denied := policy.Grant{Node: nodeID(2), Deny: true}
	check(t, s.SetGrant(t.Context(), denied, changed))
	list, err := s.Grants(t.Context())
	if err != nil || !reflect.DeepEqual(list, []policy.Grant{g, denied}) {
		t.Errorf("%+v, %v", list, err)
	}
	g.Trust, g.Name, g.At = protocol.TrustSupervisor, "", noon.Add(time.Hour)
	check(t, s.SetGrant(t.Context(), g, changed))
	if err := s.SetGrant(t.Context(), denied, audit.Event{Type: "unknown"}); err == nil {
		t.Error("what cannot be recorded was granted")
	}
	for _, bad := range []policy.Grant{{Node: "bob"}, {Node: nodeID(3), Trust: 9}} {
		if err := s.SetGrant(t.Context(), bad, changed); err == nil {
			t.Errorf("%+v was granted", bad)
		}
	}
	check(t, s.ClearGrant(t.Context(), denied.Node, changed))
	wantErr(t, s.ClearGrant(t.Context(), denied.Node, changed), ErrNotFound)
	list, err = s.Grants(t.Context())
	if err != nil || !reflect.DeepEqual(list, []policy.Grant{g}) {
		t.Errorf("%+v, %v", list, err)
	}
	if n := auditCount(t, s); n != 4 {
		t.Errorf("%d audit records for four changes", n)
	}
}
