package policy

import (
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/caro-mesh/caro-node/protocol"
)

// Engine answers requests by a compiled policy. It never changes, so any number of goroutines may use it. The zero
// Engine denies everything; [New] makes useful ones.
type Engine struct {
	maxLevel        protocol.DataLevel
	maxRule         Rule
	defaults        verdict
	minContributors int
	minRule         Rule
	eventCount      bool
	eventCountRule  Rule
	limits          *limits // of everybody; an entry may narrow them

	nodes   map[protocol.NodeID]verdict
	heirs   map[protocol.NodeID]inherited // from keys before and after; see Succession
	ends    map[protocol.NodeID]ending
	subnets map[netip.Prefix]verdict
	// bits4 and bits6 are the prefix lengths that occur in subnets, longest first, so that a lookup costs one map
	// access per length and not one comparison per rule.
	bits4, bits6 []int

	allowed, denied         map[protocol.CommandCategory]bool
	allowedRule, deniedRule Rule

	rules []RuleView
}

// verdict is what the rule for one node, one subnet or everybody says.
type verdict struct {
	trust protocol.TrustLevel
	// denied is the reason of a deny; empty for a grant.
	denied string
	rule   Rule
	limits *limits // nil: those of everybody
	yields bool    // to what the entry of the subnet takes away
}

// permission is a set of what a trust level lets a peer get.
type permission uint8

const (
	mayConnect permission = 1 << iota
	mayReceive            // our summaries pushed
	mayQueryL1
	mayQueryL2
)

// permissions by trust level: the table of the package comment.
var permissions = [...]permission{
	protocol.TrustUntrusted:  0,
	protocol.TrustShareTo:    mayConnect | mayReceive,
	protocol.TrustQueryFrom:  mayConnect | mayQueryL1 | mayQueryL2,
	protocol.TrustPeer:       mayConnect | mayReceive | mayQueryL1 | mayQueryL2,
	protocol.TrustSupervisor: mayConnect | mayQueryL2,
}

// Decide answers r. Whatever it does not know (an action, a query type, a peer without an ID) is denied. A denied
// decision has Level [protocol.LevelAggregated], never the zero level, so that a caller who forgot to look at Allowed
// still gives away the least.
func (e *Engine) Decide(r Request) Decision {
	v := e.resolve(r.Peer, r.Addr, r.Now)
	d := Decision{Trust: v.trust, Level: protocol.LevelAggregated, MinContributors: e.minContributors, Rule: v.rule}
	may := permissions[v.trust]
	switch {
	case r.Peer == "":
		return d.deny(Rule{Name: "identity", Source: sourceBuiltIn}, reasonNoIdentity)
	case v.denied != "":
		return d.deny(v.rule, v.denied)
	case may&mayConnect == 0:
		return d.deny(v.rule, reasonUntrusted)
	}
	switch r.Action {
	case ActionConnect:
		return d.allow(reasonTrusted[v.trust])
	case ActionReceiveSummary:
		return e.decidePush(d, may)
	case ActionWitness:
		return e.decideWitness(d)
	case ActionQuery:
		d = e.decideQuery(d, may, r.QueryType)
		if !d.Allowed {
			return d
		}
		if v.limits != nil {
			return v.limits.keep(d, r)
		}
		return e.limits.keep(d, r)
	}
	return d.deny(Rule{Name: "action", Source: sourceBuiltIn}, reasonUnknownAction)
}

func (e *Engine) decidePush(d Decision, may permission) Decision {
	switch {
	case may&mayReceive == 0 && d.Trust == protocol.TrustSupervisor:
		return d.deny(d.Rule, reasonSupervisorPush)
	case may&mayReceive == 0:
		return d.deny(d.Rule, reasonNoPush)
	case e.maxLevel == protocol.LevelRaw:
		return d.deny(e.maxRule, reasonSharesNothing)
	case e.maxLevel == protocol.LevelAggregated:
		return d.deny(e.maxRule, reasonNoSummaries)
	}
	d.Level = protocol.LevelSummarized
	return d.allow(reasonTrusted[d.Trust])
}

func (e *Engine) decideQuery(d Decision, may permission, q protocol.QueryType) Decision {
	aloneOnly, known := singlesOut(q)
	alone := may&mayQueryL1 != 0 && e.maxLevel == protocol.LevelSummarized
	switch {
	case may&(mayQueryL1|mayQueryL2) == 0:
		return d.deny(d.Rule, reasonNoQuery)
	case e.maxLevel == protocol.LevelRaw:
		return d.deny(e.maxRule, reasonSharesNothing)
	case !known:
		return d.deny(Rule{Name: "query_type", Source: sourceBuiltIn}, reasonUnknownQuery)
	case alone:
		d.Level = protocol.LevelSummarized
		return d.allow(reasonTrusted[d.Trust])
	case may&mayQueryL1 != 0 && aloneOnly: // the trust would do, the cap does not
		return d.deny(e.maxRule, reasonCapSinglesOut)
	case aloneOnly:
		return d.deny(d.Rule, reasonSupervisorSinglesOut)
	case may&mayQueryL1 != 0:
		return d.allow(reasonCapAggregated)
	}
	return d.allow(reasonTrusted[d.Trust])
}

// singlesOut reports whether an answer to q always names the node it is about, and whether q is known at all.
func singlesOut(q protocol.QueryType) (single, known bool) {
	switch q {
	case protocol.QueryToolUsage, protocol.QuerySafetyPosture, protocol.QueryActivityPatterns:
		return false, true
	case protocol.QueryAnomalies, protocol.QueryNodeHealth:
		return true, true
	}
	return false, false
}

// Resolve returns the trust level that a peer which is connected from addr has at the time now, and the rule that gave
// it. Denied nodes and subnets are untrusted; the rule's name then starts with "deny".
func (e *Engine) Resolve(peer protocol.NodeID, addr netip.Addr, now time.Time) (protocol.TrustLevel, Rule) {
	v := e.resolve(peer, addr, now)
	return v.trust, v.rule
}

func (e *Engine) resolve(peer protocol.NodeID, addr netip.Addr, now time.Time) verdict {
	v, named := e.nodes[peer]
	if h, ok := e.heirs[peer]; ok && h.begun(now) && (!named || h.denied != "") {
		v, named = h.verdict, true
	}
	if end, ok := e.ends[peer]; ok && v.denied == "" && end.over(now) {
		return verdict{denied: reasonRotated, rule: end.rule}
	}
	if named {
		return e.under(v, addr)
	}
	if v, ok := e.subnet(addr); ok {
		return v
	}
	return e.defaults
}

func (e *Engine) subnet(addr netip.Addr) (verdict, bool) {
	addr = addr.Unmap()
	var bits []int
	switch {
	case addr.Is4():
		bits = e.bits4
	case addr.Is6():
		bits = e.bits6
	}
	for _, b := range bits {
		// Prefix drops a zone; netip.Prefix.Contains would find link-local peers in no subnet, past every deny.
		if p, err := addr.Prefix(b); err == nil {
			if v, ok := e.subnets[p]; ok {
				return v, true
			}
		}
	}
	return verdict{}, false
}

// AllowsCategory reports whether counts of category c may be part of what leaves this node. It looks at the content
// only: whether anything may leave, and to whom, is for [Engine.Decide].
func (e *Engine) AllowsCategory(c protocol.CommandCategory) bool {
	return !covers(e.denied, c) && (len(e.allowed) == 0 || covers(e.allowed, c))
}

// covers reports whether set holds c itself, or plain "other" when c is "other:<tool>".
func covers(set map[protocol.CommandCategory]bool, c protocol.CommandCategory) bool {
	return set[c] || set[protocol.CategoryOther] && strings.HasPrefix(string(c), string(protocol.CategoryOther)+":")
}

// MaxLevel returns the cap: [protocol.LevelRaw] shares nothing, [protocol.LevelAggregated] L2 only,
// [protocol.LevelSummarized] L1 and L2. Mind that the numbers do not order what may leave.
func (e *Engine) MaxLevel() protocol.DataLevel { return e.maxLevel }

// DefaultTrust returns the trust level of a node that no other rule names.
func (e *Engine) DefaultTrust() protocol.TrustLevel { return e.defaults.trust }

// AllowedCategories returns the categories that may leave, sorted; empty means all.
func (e *Engine) AllowedCategories() []protocol.CommandCategory {
	return slices.Sorted(maps.Keys(e.allowed))
}

// DeniedCategories returns the categories that never leave, sorted.
func (e *Engine) DeniedCategories() []protocol.CommandCategory {
	return slices.Sorted(maps.Keys(e.denied))
}

// MinContributors returns the least number of nodes in an aggregated answer that has this node inside.
func (e *Engine) MinContributors() int { return e.minContributors }

// QueryTypes returns the query types that are answered to anybody.
func (e *Engine) QueryTypes() []protocol.QueryType {
	if e.limits == nil {
		return nil
	}
	return e.limits.types.list()
}

// MaxHistoryDays returns how many days back anybody may ask; 0 when that is not limited.
func (e *Engine) MaxHistoryDays() int {
	if e.limits == nil {
		return 0
	}
	return e.limits.days
}

// QueriesPerHour returns how many queries any one peer may have answered within an hour.
func (e *Engine) QueriesPerHour() int {
	if e.limits == nil {
		return 0
	}
	return e.limits.perHour
}

// SharesEventCount reports whether health statuses, which the whole mesh can read, may tell how many commands this node
// had in a day, and the rule that says so. The count is of one node alone, so the cap must allow that.
func (e *Engine) SharesEventCount() (bool, Rule) {
	if e.eventCount && e.maxLevel != protocol.LevelSummarized {
		return false, e.maxRule
	}
	return e.eventCount, e.eventCountRule
}

func (d Decision) allow(reason string) Decision {
	d.Allowed, d.Reason = true, reason
	return d
}

func (d Decision) deny(rule Rule, reason string) Decision {
	d.Allowed, d.Level, d.Rule, d.Reason = false, protocol.LevelAggregated, rule, reason
	return d
}
