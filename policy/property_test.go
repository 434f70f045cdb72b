package policy_test

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/caro-mesh/caro-node/policy"
	"github.com/caro-mesh/caro-node/protocol"
)

// The universe is small on purpose, so that random policies collide with random peers all the time.
var (
	somePrefixes = []string{"0.0.0.0/0", "10.0.0.0/8", "10.1.0.0/16", "10.1.2.0/24", "10.1.2.3/32", "192.168.0.0/16",
		"::ffff:10.1.0.0/112", "::ffff:0.0.0.0/96", "::/0", "fd00::/8", "fd00:1::/32", "fd00:1::7/128", "fe80::/10"}
	someAddrs = []string{"10.1.2.3", "10.1.2.4", "10.1.9.9", "10.9.9.9", "192.168.7.7", "172.16.0.1", "::ffff:10.1.2.3",
		"::ffff:192.168.7.7", "fd00:1::7", "fd00:1::8", "fd00:2::1", "fe80::1", "fe80::1%eth0", "2001:db8::1"}
)

const someNodes = 4

var midday = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// world is a policy, the grants on top of it, and a request.
type world struct {
	doc    policy.Document
	grants []policy.Grant
	req    policy.Request
}

func drawWorld(t *rapid.T) world {
	var w world
	trust := rapid.SampledFrom(protocol.TrustNames())
	w.doc.MaxLevel = rapid.SampledFrom([]string{"", "raw", "summarized", "aggregated"}).Draw(t, "max_level")
	types := rapid.SliceOfNDistinct(rapid.SampledFrom(protocol.QueryTypes()), 0, 3, rapid.ID)
	drawTypes := func() (names []string) {
		for _, q := range types.Draw(t, "query_types") {
			names = append(names, string(q))
		}
		return names
	}
	days, perHour := rapid.SampledFrom([]int{0, 0, 1, 7, 30}), rapid.SampledFrom([]int{0, 0, 1, 5, 15, 200, 1000})
	w.doc.QueryTypes, w.doc.MaxHistoryDays, w.doc.QueriesPerHour = drawTypes(), days.Draw(t, "days"), perHour.Draw(t, "per hour")
	w.doc.DefaultTrust = rapid.SampledFrom(append(protocol.TrustNames(), "")).Draw(t, "default_trust")
	type key struct {
		what string
		deny bool
	}
	taken := map[key]bool{} // two grants, or two denies, of the same thing are refused by New
	for range rapid.IntRange(0, 5).Draw(t, "nodes") {
		n := policy.NodeRule{ID: string(nodeID(rapid.IntRange(0, someNodes-1).Draw(t, "node"))), Trust: trust.Draw(t, "trust"), Deny: rapid.IntRange(0, 3).Draw(t, "deny") == 0,
			QueryTypes: drawTypes(), MaxHistoryDays: days.Draw(t, "days"), QueriesPerHour: perHour.Draw(t, "per hour")}
		if k := (key{n.ID, n.Deny}); !taken[k] {
			taken[k] = true
			w.doc.Nodes = append(w.doc.Nodes, n)
		}
	}
	for range rapid.IntRange(0, 6).Draw(t, "subnets") {
		s := policy.SubnetRule{CIDR: rapid.SampledFrom(somePrefixes).Draw(t, "cidr"), Trust: trust.Draw(t, "trust"), Deny: rapid.IntRange(0, 2).Draw(t, "deny") == 0,
			QueryTypes: drawTypes(), MaxHistoryDays: days.Draw(t, "days"), QueriesPerHour: perHour.Draw(t, "per hour")}
		if k := (key{plain(netip.MustParsePrefix(s.CIDR)).String(), s.Deny}); !taken[k] {
			taken[k] = true
			w.doc.Subnets = append(w.doc.Subnets, s)
		}
	}
	for n := range someNodes {
		if rapid.IntRange(0, 3).Draw(t, "granted") == 0 {
			w.grants = append(w.grants, policy.Grant{Node: nodeID(n), Trust: protocol.TrustLevel(rapid.IntRange(0, 4).Draw(t, "trust")), Deny: rapid.IntRange(0, 3).Draw(t, "deny") == 0})
		}
	}
	w.req = policy.Request{
		Peer:      nodeID(rapid.IntRange(0, someNodes).Draw(t, "peer")), // the last has no rule
		Action:    rapid.SampledFrom([]policy.Action{policy.ActionConnect, policy.ActionReceiveSummary, policy.ActionWitness, policy.ActionQuery}).Draw(t, "action"),
		QueryType: rapid.SampledFrom(protocol.QueryTypes()).Draw(t, "query_type"),
		Now:       midday.Add(time.Duration(rapid.IntRange(0, 3600).Draw(t, "now")) * time.Second),
		Recent:    policy.Recent{Hour: rapid.IntRange(0, 1200).Draw(t, "hour"), Burst: rapid.IntRange(0, 120).Draw(t, "burst")},
	}
	// A whole hour, near the borders of the days that policies name, too.
	hoursBack := rapid.SampledFrom([]int{1, 23, 24, 25, 26, 167, 168, 169, 170, 719, 720, 721, 722, 5000}).Draw(t, "hours back")
	w.req.TimeRange = protocol.TimeRange{Start: protocol.At(midday.Add(-time.Duration(hoursBack) * time.Hour)), End: protocol.At(midday)}
	if rapid.IntRange(0, 9).Draw(t, "with address") > 0 {
		w.req.Addr = netip.MustParseAddr(rapid.SampledFrom(someAddrs).Draw(t, "addr"))
	}
	return w
}

// plain turns IPv4 written as IPv6 into IPv4.
func plain(p netip.Prefix) netip.Prefix {
	if p.Addr().Is4In6() {
		return netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return p
}

// naiveTrust says the rules of precedence one after the other, by looking at every rule every time.
func naiveTrust(w world) (trust string, denied bool) {
	// 1. A deny of the node, wherever it was made.
	for _, n := range w.doc.Nodes {
		if n.ID == string(w.req.Peer) && n.Deny {
			return "untrusted", true
		}
	}
	for _, g := range w.grants {
		if g.Node == w.req.Peer && g.Deny {
			return "untrusted", true
		}
	}
	// 2. A grant to the node, the one made at run time first.
	for _, g := range w.grants {
		if g.Node == w.req.Peer {
			return g.Trust.String(), false
		}
	}
	for _, n := range w.doc.Nodes {
		if n.ID == string(w.req.Peer) {
			return n.Trust, false
		}
	}
	// 3. The most specific subnet; of two rules for the same one, the deny.
	if most := mostSpecific(w); most != nil {
		if most.Deny {
			return "untrusted", true
		}
		return most.Trust, false
	}
	// 4. The default.
	if w.doc.DefaultTrust == "" {
		return "untrusted", false
	}
	return w.doc.DefaultTrust, false
}

// contains compares bit by bit, without the library's own idea of containment.
func contains(p netip.Prefix, a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	if !a.IsValid() || a.BitLen() != p.Addr().BitLen() {
		return false
	}
	pb, ab := p.Addr().AsSlice(), a.AsSlice()
	for i := range p.Bits() {
		mask := byte(1) << (7 - i%8)
		if pb[i/8]&mask != ab[i/8]&mask {
			return false
		}
	}
	return true
}

// naiveOutcome is the table of permissions and the cap, as sets of words.
func naiveOutcome(w world, trust string, denied bool, keys []protocol.NodeID) string {
	if denied {
		return "no"
	}
	may := map[string]string{
		"untrusted":  "",
		"share_to":   "connect push",
		"query_from": "connect L1 L2",
		"peer":       "connect push witness L1 L2",
		"supervisor": "connect L2",
	}[trust]
	has := func(word string) bool { return slices.Contains(splitWords(may), word) }
	l1 := w.doc.MaxLevel == "" || w.doc.MaxLevel == "summarized"
	l2 := l1 || w.doc.MaxLevel == "aggregated"
	names := w.req.QueryType == "anomalies" || w.req.QueryType == "node_health"
	switch {
	case w.req.Action == policy.ActionConnect && has("connect"), w.req.Action == policy.ActionReceiveSummary && has("push") && l1,
		w.req.Action == policy.ActionWitness && has("witness") && l2:
		return "yes"
	case w.req.Action == policy.ActionQuery && !naiveLimits(w, keys):
		return "no"
	case w.req.Action == policy.ActionQuery && has("L1") && l1:
		return "L1"
	case w.req.Action == policy.ActionQuery && has("L2") && l2 && !names:
		return "L2"
	}
	return "no"
}

// naiveLimits says whether everything that limits queries lets this one pass: what holds for everybody, and what an entry
// adds: of the keys that name the node, the latest that has limits, or else of the most specific subnet.
func naiveLimits(w world, keys []protocol.NodeID) bool {
	type limit struct {
		types         []string
		days, perHour int
	}
	perHour := w.doc.QueriesPerHour
	if perHour == 0 {
		perHour = 600
	}
	all := []limit{{w.doc.QueryTypes, w.doc.MaxHistoryDays, perHour}}
	for _, id := range keys {
		if i := slices.IndexFunc(w.doc.Nodes, func(n policy.NodeRule) bool {
			return n.ID == string(id) && !n.Deny && (len(n.QueryTypes) > 0 || n.MaxHistoryDays > 0 || n.QueriesPerHour > 0)
		}); i >= 0 { // a node that is denied does not get this far
			n := w.doc.Nodes[i]
			all = append(all, limit{n.QueryTypes, n.MaxHistoryDays, n.QueriesPerHour})
			break
		}
	}
	if s := mostSpecific(w); len(keys) == 0 && s != nil {
		all = append(all, limit{s.QueryTypes, s.MaxHistoryDays, s.QueriesPerHour})
	}
	for _, l := range all {
		if len(l.types) > 0 && !slices.Contains(l.types, string(w.req.QueryType)) {
			return false
		}
		// A query may begin in the hour in which the time begins; a clock may be five minutes behind.
		first := w.req.Now.AddDate(0, 0, -l.days).Add(-5 * time.Minute)
		if start := w.req.TimeRange.Start.Time(); l.days > 0 && w.req.QueryType != "node_health" && !start.Add(time.Hour).After(first) {
			return false
		}
		burst := l.perHour / 10
		if burst < 10 {
			burst = min(10, l.perHour)
		}
		if l.perHour > 0 && (w.req.Recent.Hour >= l.perHour || w.req.Recent.Burst >= burst) {
			return false
		}
	}
	return true
}

// mostSpecific is the subnet rule that decides where none names the node; of two for the same subnet, the deny.
func mostSpecific(w world) *policy.SubnetRule {
	var matching []policy.SubnetRule
	for _, s := range w.doc.Subnets {
		if contains(plain(netip.MustParsePrefix(s.CIDR)), w.req.Addr) {
			matching = append(matching, s)
		}
	}
	if len(matching) == 0 {
		return nil
	}
	most := slices.MaxFunc(matching, func(a, b policy.SubnetRule) int {
		pa, pb := plain(netip.MustParsePrefix(a.CIDR)), plain(netip.MustParsePrefix(b.CIDR))
		if pa.Bits() != pb.Bits() {
			return pa.Bits() - pb.Bits()
		}
		return map[bool]int{true: 1}[a.Deny] - map[bool]int{true: 1}[b.Deny]
	})
	return &most
}

// naiveKeys are the keys of the node whose entries count, the latest first; none where no rule names the node.
func naiveKeys(w world, list []policy.Succession) []protocol.NodeID {
	chain, begun := []protocol.NodeID{w.req.Peer}, true
	for i := 0; i < len(chain); i++ {
		for _, s := range list {
			if s.New == chain[i] {
				if i == 0 {
					begun = !w.req.Now.Add(protocol.MaxSkew).Before(s.ValidFrom)
				}
				chain = append(chain, s.Old)
			}
		}
	}
	for i, id := range chain {
		if naiveNode(w, id) != "" && (i == 0 || begun) {
			return chain[i:]
		}
	}
	return nil
}

func splitWords(s string) []string {
	var words []string
	word := ""
	for _, r := range s + " " {
		if r != ' ' {
			word += string(r)
		} else if word != "" {
			words, word = append(words, word), ""
		}
	}
	return words
}

func TestDecisionsFollowThePrecedenceRulesForRandomPolicies(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t)
		e, err := policy.New(w.doc, w.grants)
		if err != nil {
			t.Fatalf("compile: %v", err)
		}
		trust, denied := naiveTrust(w)
		d := e.Decide(w.req)
		if got, want := outcome(w.req.Action, d), naiveOutcome(w, trust, denied, naiveKeys(w, nil)); got != want || d.Trust.String() != trust {
			t.Fatalf("%+v\nengine: %s as %s by %+v\nrules:  %s as %s (denied %t)", w, got, d.Trust, d.Rule, want, trust, denied)
		}
		if level, rule := e.Resolve(w.req.Peer, w.req.Addr, w.req.Now); level.String() != trust || rule.Name == "" {
			t.Fatalf("Resolve says %s by %+v, the rules say %s", level, rule, trust)
		}
	})
}

// A deny may take away and never give: adding one to any policy opens nothing to anybody.
func TestAddingADenyNeverOpensAnything(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t)
		before, err := policy.New(w.doc, w.grants)
		if err != nil {
			t.Fatalf("compile: %v", err)
		}
		stricter := w.doc
		id := string(nodeID(rapid.IntRange(0, someNodes).Draw(t, "denied node")))
		stricter.Nodes = append(slices.DeleteFunc(slices.Clone(w.doc.Nodes), func(n policy.NodeRule) bool { return n.ID == id && n.Deny }),
			policy.NodeRule{ID: id, Deny: true})
		after, err := policy.New(stricter, w.grants)
		if err != nil {
			t.Fatalf("compile the stricter one: %v", err)
		}
		if id == string(w.req.Peer) && after.Decide(w.req).Allowed {
			t.Fatalf("the denied node is allowed: %+v", w)
		}
		if !before.Decide(w.req).Allowed && after.Decide(w.req).Allowed {
			t.Fatalf("a deny opened something: %+v", w)
		}
	})
}
