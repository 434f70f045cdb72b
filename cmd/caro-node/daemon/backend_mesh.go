package daemon

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/caro-mesh/caro-node/api"
	v1 "github.com/caro-mesh/caro-node/api/v1"
	"github.com/caro-mesh/caro-node/node"
	"github.com/caro-mesh/caro-node/policy"
	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/protocol/exchange"
	"github.com/caro-mesh/caro-node/store"
)

func countPeers(peers []node.PeerView) v1.PeerCounts {
	c := v1.PeerCounts{Known: len(peers)}
	for _, p := range peers {
		switch p.State {
		case node.PeerConnected:
			c.Connected++
		case node.PeerPending:
			c.Pending++
		}
	}
	return c
}

// Peers returns every known node.
func (b *backend) Peers(ctx context.Context) (v1.PeerPage, error) {
	views, err := b.d.mesh().Peers(ctx)
	if err != nil {
		return v1.PeerPage{}, err
	}
	page := v1.PeerPage{Peers: make([]v1.Peer, len(views))}
	for i, v := range views {
		if page.Peers[i], err = peerShape(v); err != nil {
			return v1.PeerPage{}, err
		}
	}
	return page, nil
}

func peerShape(v node.PeerView) (v1.Peer, error) {
	pid, err := v.ID.PeerID()
	if err != nil {
		return v1.Peer{}, err
	}
	p := v1.Peer{NodeID: v.ID, Fingerprint: v.ID.Fingerprint(), PeerID: pid.String(), DisplayName: v.Name, Trust: v.Trust,
		Rule: ruleShape(v.Rule), Addresses: v.Addrs, Source: v1.PeerSource(v.Source), State: v1.PeerState(v.State), StateReason: v.Reason,
		Online: v.Online, CaroVersion: v.CaroVersion, ProtocolVersion: v.ProtocolVersion, Health: v.Health, EventCount24h: v.EventCount24h}
	if v.Health != "" {
		s := int64(v.Uptime / time.Second)
		p.UptimeSeconds = &s
	}
	if !v.LastSeen.IsZero() {
		p.LastSeen = &v.LastSeen
	}
	if v.RTT > 0 {
		ms := float64(v.RTT) / float64(time.Millisecond)
		p.RTTMS = &ms
	}
	return p, nil
}

func ruleShape(r policy.Rule) v1.Rule { return v1.Rule{Name: r.Name, Source: r.Source, Line: r.Line} }

// find resolves how a person names a node: node ID, peer ID, fingerprint, or the name of a known one. Where trust is
// given, only names that this node's user gave count, because anybody may call itself bob.
func (b *backend) find(ctx context.Context, text string, givenOnly bool) (protocol.NodeID, error) {
	if id, err := protocol.ParseNodeID(text); err == nil {
		return id, nil
	}
	if pid, err := peer.Decode(text); err == nil {
		if id, err := protocol.NodeIDFromPeerID(pid); err == nil {
			return id, nil
		}
	}
	views, err := b.d.mesh().Peers(ctx)
	if err != nil {
		return "", err
	}
	var found []protocol.NodeID
	for _, v := range views {
		if string(v.ID.Fingerprint()) == text {
			return v.ID, nil
		}
		if v.Name == text && (v.NamedHere || !givenOnly) {
			found = append(found, v.ID)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return "", api.Refuse(api.ErrNotFound, "no known node is called %q; give its node ID (caro-node peers list shows the known ones)", text)
	}
	return "", api.Refuse(api.ErrConflict, "%d nodes are called %q; give the fingerprint instead", len(found), text)
}

// AddPeer remembers an address and starts to connect.
func (b *backend) AddPeer(ctx context.Context, multiaddr string) (v1.Peer, error) {
	done, err := b.d.use()
	if err != nil {
		return v1.Peer{}, err
	}
	defer done()
	id, err := b.d.mesh().AddPeer(ctx, multiaddr)
	if err != nil {
		return v1.Peer{}, api.Refuse(api.ErrInvalid, "%w", err)
	}
	views, err := b.d.mesh().Peers(ctx)
	if err != nil {
		return v1.Peer{}, err
	}
	for _, v := range views {
		if v.ID == id {
			return peerShape(v)
		}
	}
	return v1.Peer{}, fmt.Errorf("peer %s was added and is not known", id.Fingerprint())
}

// RemovePeer forgets a peer.
func (b *backend) RemovePeer(ctx context.Context, name string) (v1.Removed, error) {
	done, err := b.d.use()
	if err != nil {
		return v1.Removed{}, err
	}
	defer done()
	id, err := b.find(ctx, name, false)
	if err != nil {
		return v1.Removed{}, err
	}
	left, err := b.d.mesh().RemovePeer(ctx, id)
	out := v1.Removed{NodeID: id, Trust: left.Trust, MayReturn: []v1.Return{}}
	for _, r := range []struct {
		is  bool
		why v1.Return
	}{{left.Trusted, v1.ReturnTrusted}, {left.Announced, v1.ReturnAnnounced}, {left.Configured, v1.ReturnConfigured}} {
		if r.is {
			out.MayReturn = append(out.MayReturn, r.why)
		}
	}
	return out, explain(err)
}

// PingPeer measures the round trip to a connected peer.
func (b *backend) PingPeer(ctx context.Context, name string) (v1.Ping, error) {
	done, err := b.d.use()
	if err != nil {
		return v1.Ping{}, err
	}
	defer done()
	id, err := b.find(ctx, name, false)
	if err != nil {
		return v1.Ping{}, err
	}
	r, err := b.d.mesh().Ping(ctx, id)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return v1.Ping{}, api.Refuse(api.ErrTimeout, "%s did not answer in time", id.Fingerprint())
	case errors.Is(err, exchange.ErrNotConnected), errors.Is(err, exchange.ErrNotAdmitted):
		return v1.Ping{}, api.Refuse(api.ErrUnavailable, "%s is not connected (caro-node peers list says why)", id.Fingerprint())
	case err != nil:
		return v1.Ping{}, api.Refuse(api.ErrUnavailable, "ping %s: %w", id.Fingerprint(), err)
	}
	return v1.Ping{NodeID: id, Fingerprint: id.Fingerprint(), RTTMS: float64(r.RTT) / float64(time.Millisecond),
		ClockOffsetMS: float64(r.Offset) / float64(time.Millisecond)}, nil
}

// SetTrust changes what a node may get.
func (b *backend) SetTrust(ctx context.Context, c v1.TrustChange) (v1.Grant, error) {
	done, err := b.d.use()
	if err != nil {
		return v1.Grant{}, err
	}
	defer done()
	id, err := b.find(ctx, c.NodeID, true)
	if err != nil {
		return v1.Grant{}, err
	}
	if id == b.d.mesh().Identity().NodeID {
		return v1.Grant{}, api.Refuse(api.ErrInvalid, "this is the node itself; trust is for other nodes")
	}
	g := policy.Grant{Node: id, Name: c.Name}
	if g.Name == "" {
		g.Name = b.givenName(ctx, id)
	}
	switch c.Trust {
	case v1.TrustClear:
		if err = b.d.mesh().ClearTrust(ctx, id); errors.Is(err, store.ErrNotFound) {
			err = nil // what was never given is cleared already
		}
	case v1.TrustDeny:
		g.Deny = true
		err = b.d.mesh().SetTrust(ctx, g)
	default:
		if err := g.Trust.UnmarshalText([]byte(c.Trust)); err != nil {
			return v1.Grant{}, api.Refuse(api.ErrInvalid, "%w", err)
		}
		err = b.d.mesh().SetTrust(ctx, g)
	}
	if err != nil {
		return v1.Grant{}, err
	}
	return b.grant(id, g.Name, nil), nil
}

// givenName keeps the name that was given with an earlier grant.
func (b *backend) givenName(ctx context.Context, id protocol.NodeID) string {
	grants, err := b.d.db.Grants(ctx)
	if err != nil {
		return ""
	}
	for _, g := range grants {
		if g.Node == id {
			return g.Name
		}
	}
	return ""
}

// grant tells what is in force for a node.
func (b *backend) grant(id protocol.NodeID, name string, at *time.Time) v1.Grant {
	e := b.d.mesh().Gate().Engine()
	trust, rule := e.Resolve(id, netip.Addr{}, b.d.c.Now())
	return v1.Grant{NodeID: id, Fingerprint: id.Fingerprint(), Name: name, Trust: trust, Deny: e.Denies(id), Rule: ruleShape(rule), ChangedAt: at}
}

// Trust returns what was given to whom, at run time and in the configuration.
func (b *backend) Trust(ctx context.Context) (v1.TrustPage, error) {
	grants, err := b.d.db.Grants(ctx)
	if err != nil {
		return v1.TrustPage{}, err
	}
	var page v1.TrustPage
	done := make(map[protocol.NodeID]bool)
	for _, g := range grants {
		done[g.Node] = true
		page.Grants = append(page.Grants, b.grant(g.Node, g.Name, &g.At))
	}
	for _, r := range b.d.rules.current().Nodes {
		if id := protocol.NodeID(r.ID); !done[id] {
			done[id] = true
			page.Grants = append(page.Grants, b.grant(id, r.Name, nil))
		}
	}
	return page, nil
}

// Policy returns the rules that decide.
func (b *backend) Policy(context.Context) (v1.Policy, error) {
	e := b.d.mesh().Gate().Engine()
	p := v1.Policy{MaxLevel: e.MaxLevel(), DefaultTrust: e.DefaultTrust(), MinContributors: e.MinContributors(),
		QueryTypes: e.QueryTypes(), MaxHistoryDays: e.MaxHistoryDays(), QueriesPerHour: e.QueriesPerHour(),
		AllowedCategories: e.AllowedCategories(), DeniedCategories: e.DeniedCategories()}
	p.ShareEventCount, _ = e.SharesEventCount()
	for _, r := range e.Rules() {
		note := r.Note
		if r.OverriddenBy != "" {
			note = "beaten by " + r.OverriddenBy
		}
		p.Rules = append(p.Rules, v1.PolicyRule{Rule: ruleShape(r.Rule), Kind: string(r.Kind), Match: r.Match, Trust: r.Trust, Note: note})
	}
	return p, nil
}
