package store

import (
	"reflect"
	"testing"
	"time"

	"github.com/caro-mesh/caro-node/policy"
	"github.com/caro-mesh/caro-node/policy/audit"
	"github.com/caro-mesh/caro-node/protocol"
)

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
