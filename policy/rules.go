package policy

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/caro-mesh/caro-node/protocol"
)

// RuleKind says what a rule is about.
type RuleKind string

// Kinds of rules.
const (
	KindDeny    RuleKind = "deny"    // of a node
	KindNode    RuleKind = "node"    // a grant to a node
	KindSubnet  RuleKind = "subnet"  // a grant to a subnet, or a deny of one
	KindDefault RuleKind = "default" // default_trust
	KindCap     RuleKind = "cap"     // max_level, min_contributors, share_event_count, categories, limits of queries
	// KindRotation is the end of a node's key, which another has replaced.
	KindRotation RuleKind = "rotation"
)

// RuleView is one rule as people read it.
type RuleView struct {
	Rule
	Kind RuleKind
	// Match is the node ID or subnet that the rule is about; "*" for everybody.
	Match string
	// Trust is the trust level that the rule gives, or "deny"; empty for a cap and a rotation.
	Trust string
	// Note says what a cap or a rotation does, and what else a grant narrows; empty for others.
	Note string
	// OverriddenBy names the rule that beats this one for all that it matches; empty for a rule in force.
	OverriddenBy string
}

// Rules lists every rule in the order in which they are tried, with where each comes from. Rules that another one
// always beats are listed too, and say which.
func (e *Engine) Rules() []RuleView { return slices.Clone(e.rules) }

func (c *compiler) views(successions []Succession) {
	c.viewNodes(KindDeny, c.configured.deny)
	c.viewNodes(KindDeny, c.runTime.deny)
	c.viewNodes(KindNode, c.runTime.grant)
	c.viewNodes(KindNode, c.configured.grant)
	c.viewSuccessions(successions)
	prefixes := slices.SortedFunc(maps.Keys(c.e.subnets), func(a, b netip.Prefix) int {
		return cmp.Or(cmp.Compare(a.Addr().BitLen(), b.Addr().BitLen()), cmp.Compare(b.Bits(), a.Bits()), a.Addr().Compare(b.Addr()))
	})
	for _, p := range prefixes {
		for _, layer := range []map[netip.Prefix]verdict{c.nets.deny, c.nets.grant} {
			if v, ok := layer[p]; ok {
				c.view(KindSubnet, p.String(), v, c.e.subnets[p])
			}
		}
	}
	c.view(KindDefault, "*", c.e.defaults, c.e.defaults)
	c.viewCaps()
}

func (c *compiler) viewNodes(kind RuleKind, layer map[protocol.NodeID]verdict) {
	byPlace := func(a, b protocol.NodeID) int {
		return cmp.Or(cmp.Compare(layer[a].rule.Line, layer[b].rule.Line), cmp.Compare(layer[a].rule.Name, layer[b].rule.Name), cmp.Compare(a, b))
	}
	for _, id := range slices.SortedFunc(maps.Keys(layer), byPlace) {
		c.view(kind, string(id), layer[id], c.e.nodes[id])
	}
}

func (c *compiler) view(kind RuleKind, match string, v, inForce verdict) {
	r := RuleView{Rule: v.rule, Kind: kind, Match: match, Trust: v.trust.String()}
	if v.denied != "" {
		r.Trust = "deny"
	}
	if inForce.limits != nil && v.denied == "" { // limits of a configured entry also hold for a grant made at run time
		r.Note = inForce.limits.describe(c.e.limits)
	}
	if v.rule != inForce.rule {
		r.OverriddenBy = fmt.Sprintf("%s (%s)", inForce.rule.Name, inForce.rule.Place())
	}
	c.e.rules = append(c.e.rules, r)
}

func (c *compiler) viewCaps() {
	e := c.e
	note := map[protocol.DataLevel]string{
		protocol.LevelRaw:        "raw: nothing is shared",
		protocol.LevelSummarized: "summarized: summaries and aggregated answers may leave",
		protocol.LevelAggregated: "aggregated: answers leave only together with those of others",
	}[e.maxLevel]
	add := func(r Rule, note string) {
		e.rules = append(e.rules, RuleView{Rule: r, Kind: KindCap, Match: "*", Note: note})
	}
	add(e.maxRule, note)
	add(e.minRule, fmt.Sprintf("%d nodes or more in an aggregated answer", e.minContributors))
	if e.eventCount {
		note, inForce := "health statuses tell the whole mesh how many commands the last 24 hours had", ""
		if shares, rule := e.SharesEventCount(); !shares {
			inForce = fmt.Sprintf("%s (%s)", rule.Name, rule.Place())
		}
		e.rules = append(e.rules, RuleView{Rule: e.eventCountRule, Kind: KindCap, Match: "*", Note: note, OverriddenBy: inForce})
	}
	if l := e.limits; l.types != everyQuery {
		add(l.typesRule, "only these queries are answered: "+l.types.String())
	}
	if l := e.limits; l.days > 0 {
		add(l.daysRule, "queries may begin "+plural(l.days, "day")+" back")
	}
	add(e.limits.perHourRule, fmt.Sprintf("at most %s of each node are answered within an hour, and %d within six minutes",
		plural(e.limits.perHour, "query"), BurstOf(e.limits.perHour)))
	if len(e.allowed) > 0 {
		add(e.allowedRule, "only these leave: "+joinCategories(e.AllowedCategories()))
	}
	if len(e.denied) > 0 {
		add(e.deniedRule, "never leave: "+joinCategories(e.DeniedCategories()))
	}
}

// Place returns where the rule stands, such as "config.toml:14" or "run time".
func (r Rule) Place() string {
	if r.Line == 0 {
		return r.Source
	}
	return fmt.Sprintf("%s:%d", r.Source, r.Line)
}
