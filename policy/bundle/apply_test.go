package bundle_test

import (
	"encoding/base64"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/caro-mesh/caro-node/policy"
	"github.com/caro-mesh/caro-node/policy/bundle"
	"github.com/caro-mesh/caro-node/protocol"
)

var now = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func signatureOf(t testing.TB, file []byte) []byte {
	t.Helper()
	fields := strings.Fields(string(file))
	signature, err := base64.StdEncoding.DecodeString(fields[len(fields)-1])
	if err != nil {
		t.Fatal(err)
	}
	return signature
}

var (
	prefixes = []string{"10.0.0.0/8", "10.1.0.0/16", "10.1.2.0/24", "10.1.2.3/32", "::ffff:10.1.0.0/112", "0.0.0.0/0", "fd00::/8", "fd00:1::/32"}
	addrs    = []string{"10.1.2.3", "10.1.2.4", "10.1.9.9", "10.9.9.9", "172.16.0.1", "::ffff:10.1.2.3", "fd00:1::7", "fd00:2::1"}
	levels   = []string{"", "", "", "", "raw", "aggregated", "summarized"}
	cats     = []string{"git", "kubernetes", "network", "other"}
)

// allowed is the README's table, as words.
var allowed = map[string]string{"untrusted": "", "share_to": "connect push", "query_from": "connect L1 L2", "peer": "connect push witness L1 L2", "supervisor": "connect L2"}

// openness orders the caps.
var openness = map[string]int{"": 2, "raw": 0, "aggregated": 1, "summarized": 2}

type world struct {
	user   policy.Document
	grants []policy.Grant
	org    bundle.Bundle
	req    policy.Request
}

func draw(t *rapid.T) world {
	var w world
	level, trust := rapid.SampledFrom(levels), rapid.SampledFrom(protocol.TrustNames())
	days, least := rapid.SampledFrom([]int{0, 0, 1, 7, 30}), rapid.SampledFrom([]int{0, 2, 5, 9})
	some := rapid.SliceOfNDistinct(rapid.SampledFrom(cats), 0, 3, rapid.ID)
	node := rapid.IntRange(0, 3)
	w.user = policy.Document{MaxLevel: level.Draw(t, "user level"), DefaultTrust: trust.Draw(t, "default"), MinContributors: least.Draw(t, "user least"),
		MaxHistoryDays: days.Draw(t, "user days"), DeniedCategories: some.Draw(t, "user denied"), AllowedCategories: some.Draw(t, "user allowed")}
	w.org = bundle.Bundle{Name: "ACME", Version: 1, Issued: now.AddDate(0, -1, 0), Expires: now.AddDate(0, 1, 0), MaxLevel: level.Draw(t, "org level"),
		MinContributors: least.Draw(t, "org least"), MaxHistoryDays: days.Draw(t, "org days"), DeniedCategories: some.Draw(t, "org denied")}
	if rapid.IntRange(0, 5).Draw(t, "expired") == 0 {
		w.org.Expires = now
	}
	type entry struct {
		what string
		deny bool
	}
	seen := map[entry]bool{}
	first := func(e entry) bool { was := seen[e]; seen[e] = true; return !was }
	deny := rapid.IntRange(0, 2)
	for range rapid.IntRange(0, 2).Draw(t, "user nodes") {
		n := policy.NodeRule{ID: string(nodeID(node.Draw(t, "node"))), Trust: trust.Draw(t, "trust"), Deny: deny.Draw(t, "deny") == 0, MaxHistoryDays: days.Draw(t, "node days")}
		if first(entry{n.ID, n.Deny}) {
			w.user.Nodes = append(w.user.Nodes, n)
		}
	}
	for range rapid.IntRange(0, 4).Draw(t, "user subnets") {
		s := policy.SubnetRule{CIDR: rapid.SampledFrom(prefixes).Draw(t, "cidr"), Trust: trust.Draw(t, "trust"), Deny: deny.Draw(t, "deny") == 0, MaxHistoryDays: days.Draw(t, "subnet days")}
		if first(entry{strings.TrimPrefix(strings.Replace(s.CIDR, "/112", "/16", 1), "::ffff:"), s.Deny}) {
			w.user.Subnets = append(w.user.Subnets, s)
		}
	}
	for _, n := range rapid.SliceOfNDistinct(node, 0, 2, rapid.ID).Draw(t, "supervisors") {
		w.org.Supervisors = append(w.org.Supervisors, bundle.Supervisor{ID: string(nodeID(n))})
	}
	for _, p := range rapid.SliceOfNDistinct(rapid.SampledFrom(prefixes), 0, 3, func(s string) string {
		return strings.TrimPrefix(strings.Replace(s, "/112", "/16", 1), "::ffff:")
	}).Draw(t, "org subnets") {
		w.org.Subnets = append(w.org.Subnets, bundle.Subnet{CIDR: p, Trust: trust.Draw(t, "org trust")})
	}
	for n := range 4 {
		if rapid.IntRange(0, 7).Draw(t, "granted") == 0 {
			w.grants = append(w.grants, policy.Grant{Node: nodeID(n), Trust: protocol.TrustLevel(rapid.IntRange(0, 4).Draw(t, "grant")), Deny: deny.Draw(t, "deny") == 0})
		}
	}
	back := rapid.SampledFrom([]int{1, 24, 48, 200, 1000}).Draw(t, "hours back")
	w.req = policy.Request{Peer: nodeID(rapid.IntRange(0, 4).Draw(t, "peer")), Addr: netip.MustParseAddr(rapid.SampledFrom(addrs).Draw(t, "addr")), Now: now,
		Action:    rapid.SampledFrom([]policy.Action{policy.ActionConnect, policy.ActionReceiveSummary, policy.ActionWitness, policy.ActionQuery, policy.ActionQuery, policy.ActionQuery}).Draw(t, "action"),
		QueryType: rapid.SampledFrom(protocol.QueryTypes()).Draw(t, "type"),
		TimeRange: protocol.TimeRange{Start: protocol.At(now.Add(-time.Duration(back) * time.Hour)), End: protocol.At(now)}}
	return w
}

// supervisor reports whether the bundle names the peer.
func (w world) supervisor() bool {
	return slices.ContainsFunc(w.org.Supervisors, func(s bundle.Supervisor) bool { return s.ID == string(w.req.Peer) })
}

// named reports whether the user names the peer.
func (w world) named() bool {
	return slices.ContainsFunc(w.user.Nodes, func(n policy.NodeRule) bool { return n.ID == string(w.req.Peer) }) ||
		slices.ContainsFunc(w.grants, func(g policy.Grant) bool { return g.Node == w.req.Peer })
}

func holds(cidr string, a netip.Addr) (bits int, ok bool) {
	p := netip.MustParsePrefix(cidr)
	if p.Addr().Is4In6() {
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return p.Bits(), p.Contains(a.Unmap())
}

// given is what the bundle calls a node at the address of the request; empty where it does not speak of it.
func (w world) given() (trust string) {
	most := -1
	for _, s := range w.org.Subnets {
		if bits, ok := holds(s.CIDR, w.req.Addr); ok && bits > most {
			most, trust = bits, s.Trust
		}
	}
	return trust
}

// spoken reports whether a subnet of the user holds the address.
func (w world) spoken() bool {
	return slices.ContainsFunc(w.user.Subnets, func(s policy.SubnetRule) bool { _, ok := holds(s.CIDR, w.req.Addr); return ok })
}

// needs names the permission that an allowed decision took.
func needs(r policy.Request, d policy.Decision) string {
	switch {
	case r.Action == policy.ActionConnect:
		return "connect"
	case r.Action == policy.ActionReceiveSummary:
		return "push"
	case r.Action == policy.ActionWitness:
		return "witness"
	case d.Level == protocol.LevelSummarized:
		return "L1"
	}
	return "L2"
}

func TestTheUserIsAsStrictAsTheyLikeAndNeverLooserThanTheBundle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := draw(t)
		before := fmt.Sprintf("%+v", w.user)
		both, err := policy.New(w.org.Apply(w.user, now), w.grants)
		if err != nil {
			t.Fatalf("together: %v", err)
		}
		if fmt.Sprintf("%+v", w.user) != before {
			t.Fatal("the user's document was changed")
		}
		alone, err := policy.New(w.user, w.grants)
		if err != nil {
			t.Fatalf("alone: %v", err)
		}
		was, is := alone.Decide(w.req), both.Decide(w.req)
		fail := func(promise string) {
			t.Helper()
			t.Fatalf("%s\n%+v\nalone:    %+v\ntogether: %+v", promise, w, was, is)
		}
		// (a) What the user denies stays denied.
		if strings.HasPrefix(was.Rule.Name, "deny ") && is.Allowed {
			fail("a deny of the user is lifted")
		}
		if w.named() && !was.Allowed && is.Allowed {
			fail("a node that the user names got more than the user gives it")
		}
		if w.spoken() && !w.supervisor() && !was.Allowed && is.Allowed {
			fail("a subnet that the user names got more than the user gives it")
		}
		if openness[both.MaxLevel().String()] > openness[w.user.MaxLevel] || both.MinContributors() < w.user.MinContributors || is.MinContributors < w.user.MinContributors {
			fail("a cap of the user is lifted")
		}
		if d := w.user.MaxHistoryDays; d > 0 && (both.MaxHistoryDays() == 0 || both.MaxHistoryDays() > d) {
			fail("the user's limit of history is lifted")
		}
		// (b) The caps of the bundle hold, for everybody.
		if openness[both.MaxLevel().String()] > openness[w.org.MaxLevel] || both.MinContributors() < w.org.MinContributors || is.MinContributors < w.org.MinContributors {
			fail("a cap of the bundle is exceeded")
		}
		if is.Allowed && slices.Index([]string{"connect", "L2", "push", "L1"}, needs(w.req, is)) > 1 && w.org.MaxLevel != "" && w.org.MaxLevel != "summarized" {
			fail("what names this node leaves in spite of the bundle's max_level")
		}
		begins := w.req.TimeRange.Start.Time()
		if d := w.org.MaxHistoryDays; is.Allowed && w.req.Action == policy.ActionQuery && w.req.QueryType != "node_health" && d > 0 &&
			begins.Before(now.Add(-time.Duration(d)*24*time.Hour-2*time.Hour)) {
			fail("a query goes further back than the bundle permits")
		}
		for _, c := range append(slices.Clone(cats), "other:jq") {
			cat, group, _ := strings.Cut(c, ":")
			denied := slices.Contains(w.org.DeniedCategories, c) || group != "" && slices.Contains(w.org.DeniedCategories, cat)
			may := both.AllowsCategory(protocol.CommandCategory(c))
			if may && (denied || !alone.AllowsCategory(protocol.CommandCategory(c))) {
				fail("category " + c + " leaves, which one of the two denies")
			}
		}
		// (c) Nobody of whom the bundle speaks gets more than it gives.
		if is.Allowed && w.supervisor() && !strings.Contains(allowed["supervisor"], needs(w.req, is)) {
			fail("a supervisor of the bundle got more than a supervisor may")
		}
		if given := w.given(); is.Allowed && !w.named() && !w.supervisor() && given != "" && !strings.Contains(allowed[given], needs(w.req, is)) {
			fail("a node in a subnet of the bundle got more than the bundle gives it")
		}
		// And nothing opens but by what the bundle gives, while it counts.
		opened := is.Allowed && (!was.Allowed || needs(w.req, was) != needs(w.req, is) && needs(w.req, is) == "L1")
		if opened && (w.expired() || !strings.Contains(allowed[w.given()], needs(w.req, is)) && !(w.supervisor() && strings.Contains(allowed["supervisor"], needs(w.req, is)))) {
			fail("something opened that the bundle does not give")
		}
	})
}

func (w world) expired() bool { return !w.org.Expires.After(now) }

func TestWhatTheBundleGivesIsGiven(t *testing.T) {
	b := open(t, sign(t, example, organisation(1)))
	id, err := protocol.ParseNodeID(b.Supervisors[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	e, err := policy.New(b.Apply(policy.Document{}, now), nil)
	if err != nil {
		t.Fatal(err)
	}
	asks := policy.Request{Peer: id, Action: policy.ActionQuery, QueryType: protocol.QueryToolUsage, Now: now,
		TimeRange: protocol.TimeRange{Start: protocol.At(now.Add(-time.Hour)), End: protocol.At(now)}}
	if d := e.Decide(asks); !d.Allowed || d.Level != protocol.LevelAggregated || d.MinContributors != 8 || d.Rule.Name != "node dashboard" || d.Rule.Place() != "bundle ACME v3" {
		t.Errorf("the supervisor asks: %+v", d)
	}
	member := policy.Request{Peer: nodeID(9), Addr: netip.MustParseAddr("10.0.7.7"), Action: policy.ActionConnect, Now: now}
	if d := e.Decide(member); !d.Allowed || d.Rule.Place() != "bundle ACME v3" {
		t.Errorf("a node of the subnet connects: %+v", d)
	}
	late, err := policy.New(b.Apply(policy.Document{}, b.Expires), nil)
	if err != nil {
		t.Fatal(err)
	}
	if late.Decide(asks).Allowed || late.Decide(member).Allowed || late.MinContributors() != 8 {
		t.Error("an expired bundle still gives, or does not cap any more")
	}
}

func TestASupervisorIsOneWhateverIsGrantedAtRunTime(t *testing.T) {
	b := open(t, sign(t, example, organisation(1)))
	id := protocol.NodeID(b.Supervisors[0].ID)
	e, err := policy.New(b.Apply(policy.Document{}, now), []policy.Grant{{Node: id, Trust: protocol.TrustPeer}})
	if err != nil {
		t.Fatal(err)
	}
	if trust, rule := e.Resolve(id, netip.Addr{}, now); trust != protocol.TrustSupervisor || rule.Source != "bundle ACME v3" {
		t.Errorf("it is %s by %+v", trust, rule)
	}
}
