package node

import (
	"cmp"
	"context"
	"errors"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caro-mesh/caro-node/node/discovery"
	"github.com/caro-mesh/caro-node/policy"
	"github.com/caro-mesh/caro-node/policy/audit"
	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/protocol/hello"
	"github.com/caro-mesh/caro-node/protocol/ping"
	"github.com/caro-mesh/caro-node/store"
)

// PeerState says how things stand with a known node.
type PeerState string

// States of a known node.
const (
	PeerConnected PeerState = "connected"
	PeerOffline   PeerState = "offline"   // trusted, and not reached
	PeerRefused   PeerState = "refused"   // reached, and it refused this node
	PeerUntrusted PeerState = "untrusted" // this node refuses it
	PeerPending   PeerState = "pending"   // it came, and nobody has decided about it
)

// PeerView is all that is known about another node.
type PeerView struct {
	ID              protocol.NodeID
	Name            string // what this node's user calls it, else what it calls itself
	NamedHere       bool   // the name was given by this node's user
	Trust           protocol.TrustLevel
	Rule            policy.Rule
	IP              netip.Addr // that subnet rules see; zero when none is known
	Addrs           []string
	Source          string
	State           PeerState
	Reason          string
	Online          bool      // connected, or heard through others
	LastSeen        time.Time // zero: never
	RTT             time.Duration
	CaroVersion     string
	ProtocolVersion uint8
	// What it said last on the health topic; zero unless it is online and was heard.
	Health        protocol.HealthState
	Uptime        time.Duration // until now
	EventCount24h *uint64       // nil: not told
}

// How a node became known.
const (
	sourceConfig  = "config"
	sourceManual  = "manual"
	sourceMDNS    = "mdns"
	sourcePending = "pending"
)

// order is how lists of peers begin: with those that this node's user decided for. Anybody can wait for a decision under any
// name, and many together must not push the others out of sight.
var order = map[PeerState]int{PeerConnected: 0, PeerOffline: 1, PeerRefused: 2, PeerPending: 3, PeerUntrusted: 4}

// Peers returns every known node: connected ones first, then those that are offline, that refuse this node, that wait for a
// decision and that are refused; each of these by name and ID.
func (n *Node) Peers(ctx context.Context) ([]PeerView, error) {
	views := n.views()
	stored, err := n.c.Store.Peers(ctx)
	if err != nil {
		return nil, err
	}
	byID := make(map[protocol.NodeID]int, len(views))
	for i, v := range views {
		byID[v.ID] = i
	}
	for _, p := range stored {
		if i, ok := byID[p.ID]; ok {
			views[i].remember(p)
			continue
		}
		views = append(views, n.viewOfStored(p))
	}
	grants, err := n.c.Store.Grants(ctx)
	if err != nil {
		return nil, err
	}
	views = n.addFound(n.addNamed(views, grants))
	names := givenNames(n.document.Load().Nodes, grants)
	// A key that was rotated is part of the picture only while somebody still connects with it.
	views = slices.DeleteFunc(views, func(v PeerView) bool { return v.State != PeerConnected && n.lineage.heir(v.ID) != v.ID })
	for i := range views {
		if h, ok := n.topic.Heard(views[i].ID); ok {
			views[i].hear(h, n.c.Now())
		}
		for _, id := range append([]protocol.NodeID{views[i].ID}, n.lineage.ancestors(views[i].ID)...) {
			if given := names[id]; given != "" {
				views[i].Name, views[i].NamedHere = given, true
				break
			}
		}
	}
	slices.SortFunc(views, func(a, b PeerView) int {
		return cmp.Or(cmp.Compare(order[a.State], order[b.State]), cmp.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)), compareIDs(a.ID, b.ID))
	})
	return views, nil
}

// views returns the nodes that are connected or kept connected, from memory alone.
func (n *Node) views() []PeerView {
	states := n.keeper.States()
	connected := n.registry.Peers()
	out := make([]PeerView, 0, len(states)+len(connected))
	have := make(map[protocol.NodeID]bool)
	for _, p := range connected {
		v := n.view(p.Identity.NodeID, p.Addr)
		v.State, v.Reason, v.Online = PeerConnected, "", true
		v.Name, v.CaroVersion, v.ProtocolVersion = p.Identity.DisplayName, p.Identity.Capabilities.CaroVersion, uint8(p.Version)
		v.LastSeen = n.c.Now()
		if r, ok := n.pinger.result(v.ID); ok {
			v.RTT = r.RTT
		}
		have[v.ID] = true
		out = append(out, v)
	}
	for _, s := range states {
		i := slices.IndexFunc(out, func(v PeerView) bool { return v.ID == s.ID })
		if have[s.ID] && i >= 0 {
			out[i].Addrs, out[i].Source = n.placesOf(s)
			continue
		}
		out = append(out, n.viewOfLink(s))
	}
	return out
}

// addNamed adds the nodes that the configuration or a person at run time named and that were never seen: who is
// trusted and absent is part of the picture.
func (n *Node) addNamed(views []PeerView, grants []policy.Grant) []PeerView {
	add := func(id protocol.NodeID) {
		if !slices.ContainsFunc(views, func(v PeerView) bool { return v.ID == id }) {
			v := n.view(id, netip.Addr{})
			if v.State == PeerOffline {
				v.Reason = "it was never connected, and no address is known under which this node could reach it"
			}
			views = append(views, v)
		}
	}
	for _, r := range n.document.Load().Nodes {
		add(protocol.NodeID(r.ID))
	}
	for _, g := range grants {
		add(g.Node)
	}
	return views
}

// view resolves trust; the address counts where a subnet rule decides.
func (n *Node) view(id protocol.NodeID, addr netip.Addr) PeerView {
	trust, rule := n.gate.Engine().Resolve(id, addr, n.c.Now())
	v := PeerView{ID: id, Trust: trust, Rule: rule, IP: addr, State: PeerOffline, Source: sourceManual}
	if d := n.gate.Peek(policy.Request{Peer: id, Addr: addr, Action: policy.ActionConnect, Now: n.c.Now()}); !d.Allowed {
		v.State, v.Reason = PeerUntrusted, refusedHere(id, d.Rule)
	}
	return v
}

func (n *Node) viewOfLink(s discovery.State) PeerView {
	addrs, source := n.placesOf(s)
	v := n.view(s.ID, firstAddr(addrs))
	v.Addrs, v.Source = addrs, source
	switch s.Status {
	case discovery.StatusNotTrusted:
		if v.State != PeerUntrusted { // trusted by name, and not at the address where it is
			v.State, v.Reason = PeerUntrusted, "not trusted here at the address where it was met"
		}
	case discovery.StatusRefused:
		v.State, v.Reason = PeerRefused, s.Reason
	case discovery.StatusConnecting:
		v.Reason = "it is being connected"
	default:
		if v.State == PeerOffline {
			v.Reason = n.partings.before(s.ID, s.Reason)
		}
	}
	return v
}

// placesOf are the addresses of a target and where they come from.
func (n *Node) placesOf(s discovery.State) (addrs []string, source string) {
	if found, ok := n.neighbours.Find(s.ID); ok && len(s.Addrs)+len(s.Found) == 0 {
		return found.Addrs, sourceMDNS // all have failed
	}
	if len(s.Addrs) == 0 {
		return s.Found, sourceMDNS
	}
	return slices.Concat(s.Addrs, s.Found), sourceConfig
}

func (n *Node) viewOfStored(p store.Peer) PeerView {
	v := n.view(p.ID, firstAddr(p.Addrs))
	v.Addrs = p.Addrs
	v.remember(p)
	switch {
	case p.Source == sourcePending && v.State == PeerUntrusted && v.Rule.Name == "default_trust":
		v.State, v.Reason = PeerPending, "it tried to connect; nobody has decided about it yet"
		if c, ok := n.lineage.claim(p.ID); ok {
			v.Reason = c.String()
		}
	case v.State == PeerOffline && p.Source == sourcePending:
		v.Reason = n.partings.before(p.ID, "it may connect; no address is known under which this node could reach it")
	case v.State == PeerOffline:
		v.Reason = n.partings.before(p.ID, "it is not connected")
	}
	return v
}

// remember fills in what only the store knows.
func (v *PeerView) remember(p store.Peer) {
	v.Source = p.Source
	if v.Name == "" {
		v.Name = p.DisplayName
	}
	if v.LastSeen.IsZero() {
		v.LastSeen = p.LastSeen
	}
	if v.CaroVersion == "" {
		v.CaroVersion, v.ProtocolVersion = p.CaroVersion, p.ProtocolVersion
	}
	if len(v.Addrs) == 0 {
		v.Addrs = p.Addrs
	}
	if v.RTT == 0 {
		v.RTT = p.LastRTT
	}
}

// givenNames are the names that this node's user gave: at run time, else in the configuration.
func givenNames(rules []policy.NodeRule, grants []policy.Grant) map[protocol.NodeID]string {
	out := make(map[protocol.NodeID]string)
	for _, r := range rules {
		out[protocol.NodeID(r.ID)] = r.Name
	}
	for _, g := range grants {
		if g.Name != "" {
			out[g.Node] = g.Name
		}
	}
	return out
}

// AddPeer remembers an address with /p2p/<peer ID> and starts to connect if the node is trusted.
func (n *Node) AddPeer(ctx context.Context, address string) (protocol.NodeID, error) {
	t, err := discovery.ParseTarget(address, n.c.AllowPublic)
	if err != nil {
		return "", err
	}
	if t.ID == n.c.Identity.NodeID() {
		return "", errors.New("this is the address of this node itself")
	}
	err = n.clerk.seen(ctx, t.ID, func(p *store.Peer) {
		if p.Source == sourcePending { // its address was where it came from, not where it listens
			p.Source, p.Addrs = sourceManual, nil
		}
		for _, a := range t.Addrs {
			if text := a.String(); !slices.Contains(p.Addrs, text) {
				p.Addrs = append(p.Addrs, text)
			}
		}
	})
	if err != nil {
		return "", err
	}
	n.keeper.Add(t)
	return t.ID, nil
}

// Leftover is by what a node that was forgotten may come back by itself.
type Leftover struct {
	Trust      protocol.TrustLevel // what it is still called here
	Trusted    bool                // so it may connect
	Announced  bool                // on the local network, a moment ago
	Configured bool                // in StaticPeers, which the next start reads
}

// RemovePeer forgets a node and disconnects it, and tells what is left of it. Who shall stay away has to be denied: a node
// that is trusted may connect by itself, and one that announces itself is found again.
func (n *Node) RemovePeer(ctx context.Context, id protocol.NodeID) (Leftover, error) {
	var addr netip.Addr // that a rule of a subnet sees
	if p, ok := n.registry.Peer(id); ok {
		addr = p.Addr
	}
	found, announced := n.neighbours.Find(id)
	if announced && !addr.IsValid() {
		addr = firstAddr(found.Addrs)
	}
	kept := n.keeper.Remove(id)
	n.disconnect(ctx, id, endedHere)
	left := Leftover{Announced: announced, Trusted: n.mayConnect(id, addr)}
	left.Trust, _ = n.gate.Engine().Resolve(id, addr, n.c.Now())
	configured, err := discovery.ParseTargets(n.c.StaticPeers, n.c.AllowPublic)
	left.Configured = slices.ContainsFunc(configured, func(t discovery.Target) bool { return n.lineage.heir(t.ID) == id })
	n.clerk.rows.Lock() // the clerk may be writing down that the connection has ended, and would bring the row back
	removed := n.c.Store.RemovePeer(ctx, id)
	n.clerk.rows.Unlock()
	if (kept || announced) && errors.Is(removed, store.ErrNotFound) {
		removed = nil // it was known all the same
	}
	return left, errors.Join(err, removed, n.c.Store.ForgetCommitment(ctx, id))
}

// Ping measures the round trip to a connected peer and how far its clock is ahead.
func (n *Node) Ping(ctx context.Context, id protocol.NodeID) (ping.Result, error) {
	return n.pinger.ping(ctx, id)
}

// rememberedTargets are the nodes that a person added by hand in an earlier run.
func (n *Node) rememberedTargets(ctx context.Context) ([]discovery.Target, error) {
	stored, err := n.c.Store.Peers(ctx)
	if err != nil {
		return nil, err
	}
	var out []discovery.Target
	for _, p := range stored {
		if p.Source != sourceManual {
			continue
		}
		pid, err := p.ID.PeerID()
		if err != nil {
			return nil, err
		}
		for _, a := range p.Addrs {
			t, err := discovery.ParseTarget(a+"/p2p/"+pid.String(), n.c.AllowPublic)
			if err != nil { // stored when public addresses were allowed
				n.c.Logger.Warn("a remembered address is not used", "peer", p.ID.Fingerprint(), "error", err)
				continue
			}
			out = append(out, t)
		}
	}
	return out, nil
}

// peerUp runs when a peer's Hello was accepted on both sides.
func (n *Node) peerUp(p hello.Peer) {
	id := p.Identity.NodeID
	n.c.Logger.Info("peer connected", "peer", id.Fingerprint(), "name", p.Identity.DisplayName, "address", p.Addr, "inbound", p.Inbound)
	warnSkew(n.c.Logger, id, p.Skew)
	n.clerk.note(func(ctx context.Context) error { return n.met(ctx, p) })
	n.Announce() // what has changed while it said Hello
	n.publisher.appeared(id)
	n.notary.nudge()
	n.pinger.nudge()
	n.topic.Up(id)
	n.partings.returned(id)
}

// peerDown runs when the last connection of an admitted peer has ended.
func (n *Node) peerDown(p hello.Peer) {
	id := p.Identity.NodeID
	now := n.c.Now()
	how := p.Goodbye
	if how == "" {
		how = vanished
	}
	n.partings.left(id, how)
	n.c.Logger.Info("peer disconnected", "peer", id.Fingerprint(), "name", p.Identity.DisplayName, "goodbye", how)
	n.clerk.note(func(ctx context.Context) error {
		ev := audit.Event{Type: protocol.AuditPeerDisconnected, Peer: id, Success: true,
			Details: map[string]string{"connected_seconds": strconv.Itoa(int(now.Sub(p.Since).Seconds())), "goodbye": how}}
		return n.clerk.update(ctx, id, ev, func(s *store.Peer) { s.LastSeen = now })
	})
}

func compareIDs(a, b protocol.NodeID) int { return cmp.Compare(a, b) }

// firstAddr returns the IP address of the first multiaddr, or the zero Addr.
func firstAddr(addrs []string) netip.Addr {
	for _, a := range addrs {
		parts := strings.Split(a, "/")
		if len(parts) > 2 && (parts[1] == "ip4" || parts[1] == "ip6") {
			if ip, err := netip.ParseAddr(parts[2]); err == nil {
				return ip
			}
		}
	}
	return netip.Addr{}
}
