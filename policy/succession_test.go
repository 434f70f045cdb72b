package policy_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/caro-mesh/caro-node/policy"
	"github.com/caro-mesh/caro-node/protocol"
)

var today = time.Unix(1_800_000_000, 0)

// rotated says that the n-th node went on as the m-th one an hour ago, with a day of grace.
func rotated(n, m int) policy.Succession {
	return policy.Succession{Old: nodeID(n), New: nodeID(m), ValidFrom: today.Add(-time.Hour), Until: today.Add(23 * time.Hour)}
}

func compileAll(t testing.TB, doc policy.Document, grants []policy.Grant, list ...policy.Succession) *policy.Engine {
	t.Helper()
	e, err := policy.New(doc, grants, list...)
	if err != nil {
		t.Fatalf("compile the policy: %v", err)
	}
	return e
}

func granted(n int, trust protocol.TrustLevel) policy.Grant {
	return policy.Grant{Node: nodeID(n), Trust: trust, Name: "bob"}
}

func connects(e *policy.Engine, n int, now time.Time) policy.Decision {
	return e.Decide(policy.Request{Peer: nodeID(n), Action: policy.ActionConnect, Now: now})
}

func TestANewKeyGetsWhatTheOldOneWasNamedFor(t *testing.T) {
	for name, c := range map[string]struct {
		doc    policy.Document
		grants []policy.Grant
	}{
		"granted at run time": {policy.Document{}, []policy.Grant{granted(1, protocol.TrustQueryFrom)}},
		"configured":          {policy.Document{Nodes: []policy.NodeRule{{ID: string(nodeID(1)), Trust: "query_from", Name: "bob"}}}, nil},
	} {
		e := compileAll(t, c.doc, c.grants, rotated(1, 2), rotated(2, 3))
		for n, rule := range map[int]string{1: "node bob", 2: "node bob (carried over from " + string(nodeID(1).Fingerprint()) + ")",
			3: "node bob (carried over from " + string(nodeID(1).Fingerprint()) + ")"} {
			d := connects(e, n, today)
			if !d.Allowed || d.Trust != protocol.TrustQueryFrom || d.Rule.Name != rule || !e.Named(nodeID(n)) {
				t.Errorf("%s: key %d: %+v", name, n, d)
			}
		}
		if d := connects(e, 4, today); d.Allowed || e.Named(nodeID(4)) {
			t.Errorf("%s: a key that nobody named: %+v", name, d)
		}
	}
}

func TestARuleForTheNewKeyBeatsWhatItWouldInherit(t *testing.T) {
	e := compileAll(t, policy.Document{}, []policy.Grant{granted(1, protocol.TrustPeer), granted(2, protocol.TrustShareTo)}, rotated(1, 2), rotated(2, 3))
	if d := connects(e, 2, today); d.Trust != protocol.TrustShareTo || d.Rule.Name != "node bob" {
		t.Errorf("the named one: %+v", d)
	}
	if d := connects(e, 3, today); d.Trust != protocol.TrustShareTo || !strings.Contains(d.Rule.Name, string(nodeID(2).Fingerprint())) {
		t.Errorf("the one after: %+v", d)
	}
}

func TestADenyOfOneKeyDeniesEveryKeyOfTheNode(t *testing.T) {
	for denied := 1; denied <= 3; denied++ {
		e := compileAll(t, policy.Document{DefaultTrust: "peer"}, []policy.Grant{{Node: nodeID(denied), Deny: true}}, rotated(1, 2), rotated(2, 3))
		for n := 1; n <= 3; n++ {
			if d := connects(e, n, today); d.Allowed || !strings.HasPrefix(d.Rule.Name, "deny ") || !e.Denies(nodeID(n)) {
				t.Errorf("key %d denied, key %d: %+v", denied, n, d)
			}
		}
		if !connects(e, 4, today).Allowed || e.Denies(nodeID(4)) {
			t.Error("another node is denied too")
		}
	}
}

func TestTheOldKeyCountsUntilItsTimeIsOver(t *testing.T) {
	s := rotated(1, 2)
	e := compileAll(t, policy.Document{DefaultTrust: "peer"}, []policy.Grant{granted(1, protocol.TrustPeer)}, s)
	for at, want := range map[time.Time]bool{s.ValidFrom: true, s.Until.Add(-1): true, s.Until: false, s.Until.Add(time.Hour): false, {}: false} {
		d := connects(e, 1, at)
		if d.Allowed != want || !want && (!strings.Contains(d.Reason, "rotated") || d.Trust != protocol.TrustUntrusted) {
			t.Errorf("at %s: %+v", at, d)
		}
	}
	for at, want := range map[time.Time]bool{s.ValidFrom.Add(-protocol.MaxSkew): true, s.Until.Add(time.Hour): true} {
		if d := connects(e, 2, at); d.Allowed != want || d.Rule.Name == "default_trust" {
			t.Errorf("the new key at %s: %+v", at, d)
		}
	}
	for _, at := range []time.Time{s.ValidFrom.Add(-protocol.MaxSkew - 1), {}} {
		if d := connects(e, 2, at); d.Rule.Name != "default_trust" {
			t.Errorf("the new key inherits at %s: %+v", at, d)
		}
	}
}

func TestAStolenKeyIsRefusedWhateverTheTime(t *testing.T) {
	s := rotated(1, 2)
	s.Until = s.ValidFrom
	e := compileAll(t, policy.Document{}, []policy.Grant{granted(1, protocol.TrustPeer)}, s)
	for _, at := range []time.Time{today, s.ValidFrom, s.ValidFrom.Add(-time.Hour)} { // a clock may be behind
		if d := connects(e, 1, at); d.Allowed {
			t.Errorf("at %s: %+v", at, d)
		}
	}
}

func TestSuccessionsThatCannotBeAreReported(t *testing.T) {
	for want, list := range map[string][]policy.Succession{
		"two successors":            {rotated(1, 2), rotated(1, 3)},
		"succeeds two nodes":        {rotated(1, 3), rotated(2, 3)},
		"lead back":                 {rotated(1, 2), rotated(2, 3), rotated(3, 1)},
		"two different node IDs":    {rotated(1, 1)},
		`succession from "" to "b"`: {{New: "b"}},
	} {
		if e, err := policy.New(policy.Document{}, nil, list...); err == nil || e != nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

func TestSuccessionsAreListedAmongTheRules(t *testing.T) {
	stolen := rotated(2, 3)
	stolen.Until = stolen.ValidFrom
	e := compileAll(t, policy.Document{}, []policy.Grant{granted(1, protocol.TrustPeer)}, rotated(1, 2), stolen)
	carried := policy.Rule{Name: "node bob (carried over from " + string(nodeID(1).Fingerprint()) + ")", Source: "run time"}
	want := []policy.RuleView{
		{Rule: carried, Kind: policy.KindNode, Match: string(nodeID(2)), Trust: "peer"},
		{Rule: policy.Rule{Name: "rotation of " + string(nodeID(1).Fingerprint()), Source: "run time"}, Kind: policy.KindRotation, Match: string(nodeID(1)),
			Note: "its key was rotated to " + string(nodeID(2).Fingerprint()) + "; the old one is refused from 2027-01-16T07:00:00Z on"},
		{Rule: carried, Kind: policy.KindNode, Match: string(nodeID(3)), Trust: "peer"},
		{Rule: policy.Rule{Name: "rotation of " + string(nodeID(2).Fingerprint()), Source: "run time"}, Kind: policy.KindRotation, Match: string(nodeID(2)),
			Note: "its key was rotated to " + string(nodeID(3).Fingerprint()) + "; the old one is refused"},
	}
	if got := e.Rules()[1:5]; !slices.Equal(got, want) {
		t.Errorf("got\n%+v, want\n%+v", got, want)
	}
}

// drawSuccessions lets some nodes of the world go on as others.
func drawSuccessions(t *rapid.T) []policy.Succession {
	order := rapid.Permutation([]int{0, 1, 2, 3, 4}).Draw(t, "order")
	var list []policy.Succession
	for i := range len(order) - 1 {
		if !rapid.Bool().Draw(t, "rotated") {
			continue
		}
		from := today.Add(time.Duration(rapid.IntRange(-100, 2).Draw(t, "from")) * time.Hour)
		until := from.Add(time.Duration(rapid.IntRange(0, 200).Draw(t, "grace")) * time.Hour)
		list = append(list, policy.Succession{Old: nodeID(order[i]), New: nodeID(order[i+1]), ValidFrom: from, Until: until})
	}
	return list
}

// naiveNode says what a rule says about one ID: a trust level, "deny" or nothing.
func naiveNode(w world, id protocol.NodeID) string {
	w.doc.Subnets, w.doc.DefaultTrust, w.req.Peer = nil, "", id
	named := slices.ContainsFunc(w.doc.Nodes, func(n policy.NodeRule) bool { return n.ID == string(id) }) ||
		slices.ContainsFunc(w.grants, func(g policy.Grant) bool { return g.Node == id })
	trust, denied := naiveTrust(w)
	switch {
	case denied:
		return "deny"
	case named:
		return trust
	}
	return ""
}

// naiveSuccession says the rules for rotated keys one after the other.
func naiveSuccession(w world, list []policy.Succession) (trust string, denied bool) {
	before := func(id protocol.NodeID) *policy.Succession {
		for i := range list {
			if list[i].New == id {
				return &list[i]
			}
		}
		return nil
	}
	after := func(id protocol.NodeID) *policy.Succession {
		for i := range list {
			if list[i].Old == id {
				return &list[i]
			}
		}
		return nil
	}
	// 1. A deny of any key of the node.
	for id := w.req.Peer; ; id = before(id).Old {
		if naiveNode(w, id) == "deny" {
			return "untrusted", true
		}
		if before(id) == nil {
			break
		}
	}
	for id := w.req.Peer; ; id = after(id).New {
		if naiveNode(w, id) == "deny" {
			return "untrusted", true
		}
		if after(id) == nil {
			break
		}
	}
	// 2. A key whose time is over.
	if s := after(w.req.Peer); s != nil && (!w.req.Now.Before(s.Until) || !s.Until.After(s.ValidFrom)) {
		return "untrusted", true
	}
	// 3. A rule for the key, else for the nearest key before it, once the key has begun.
	if said := naiveNode(w, w.req.Peer); said != "" {
		return said, false
	}
	if s := before(w.req.Peer); s != nil && !w.req.Now.Add(protocol.MaxSkew).Before(s.ValidFrom) {
		for ; s != nil; s = before(s.Old) {
			if said := naiveNode(w, s.Old); said != "" {
				return said, false
			}
		}
	}
	return naiveTrust(w)
}

func TestDecisionsAboutRotatedKeysFollowTheRulesForRandomPolicies(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w, list := drawWorld(t), drawSuccessions(t)
		w.req.Now = today
		e, err := policy.New(w.doc, w.grants, list...)
		if err != nil {
			t.Fatalf("compile: %v", err)
		}
		trust, denied := naiveSuccession(w, list)
		d := e.Decide(w.req)
		if got, want := outcome(w.req.Action, d), naiveOutcome(w, trust, denied, naiveKeys(w, list)); got != want || d.Trust.String() != trust {
			t.Fatalf("%+v\n%+v\nengine: %s as %s by %+v\nrules:  %s as %s (denied %t)", w, list, got, d.Trust, d.Rule, want, trust, denied)
		}
	})
}

// The same facts make the same engine, whatever order they are told in.
func TestTheOrderOfSuccessionsDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w, list := drawWorld(t), drawSuccessions(t)
		shuffled := rapid.Permutation(list).Draw(t, "shuffled")
		a, err := policy.New(w.doc, w.grants, list...)
		b, berr := policy.New(w.doc, w.grants, shuffled...)
		if err != nil || berr != nil {
			t.Fatal(err, berr)
		}
		w.req.Now = today
		if a.Decide(w.req) != b.Decide(w.req) || !slices.Equal(a.Rules(), b.Rules()) {
			t.Fatalf("%+v\n%+v", a.Decide(w.req), b.Decide(w.req))
		}
	})
}
