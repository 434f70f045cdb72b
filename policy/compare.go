package policy

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/caro-mesh/caro-node/protocol"
)

// Subject is whom a comparison of two policies is about: a node, those of a subnet that no rule names, or everybody.
type Subject struct {
	Label string          // for people
	Peer  protocol.NodeID // empty for a subnet and for everybody
	Addr  netip.Addr      // where it is connected from; one of the subnet; may be zero
}

// Change is one thing that a subject gains or loses.
type Change struct {
	Subject Subject
	// Right names it: connect, summaries, witness (checkpoints of the audit log), query:<type>, max_history_days, queries_per_hour; for everybody also
	// category:<category>, min_contributors and share_event_count.
	Right         string
	Before, After string
	Gains         bool
	RuleBefore    Rule
	RuleAfter     Rule
}

// right is what an engine says about one thing. More is a greater rank.
type right struct {
	name, value string
	rank        int
	rule        Rule
}

// Compare returns who gains and who loses what when after takes the place of before, at time now: for the given subjects,
// in their order, and for everybody. Known nodes may be among the subjects; [Subjects] returns those that rules name.
func Compare(before, after *Engine, subjects []Subject, now time.Time) []Change {
	var out []Change
	for _, s := range subjects {
		out = append(out, changes(s, before.rights(s, now), after.rights(s, now))...)
	}
	everybody := Subject{Label: "everybody"}
	cats := protocol.Categories()
	for _, e := range []*Engine{before, after} {
		cats = slices.Concat(cats, e.AllowedCategories(), e.DeniedCategories())
	}
	slices.Sort(cats)
	cats = slices.Compact(cats)
	return append(out, changes(everybody, before.general(cats), after.general(cats))...)
}

// changes compares two lists of the same rights. What hangs on another right that is lost or new altogether is left out.
func changes(s Subject, before, after []right) []Change {
	var out []Change
	for i, b := range before {
		a := after[i]
		if a.value == b.value || a.value == "" || b.value == "" {
			continue
		}
		out = append(out, Change{Subject: s, Right: b.name, Before: b.value, After: a.value, Gains: a.rank > b.rank, RuleBefore: b.rule, RuleAfter: a.rule})
	}
	return out
}

// rights lists what a subject may get. The limits of queries have no value where nothing may be asked.
func (e *Engine) rights(s Subject, now time.Time) []right {
	peer := s.Peer
	if peer == "" {
		peer = nobody
	}
	yesNo := func(name string, a Action) right {
		d := e.Decide(Request{Peer: peer, Addr: s.Addr, Action: a, Now: now})
		if d.Allowed {
			return right{name, "yes", 1, d.Rule}
		}
		return right{name, "no", 0, d.Rule}
	}
	out := []right{yesNo("connect", ActionConnect), yesNo("summaries", ActionReceiveSummary), yesNo("witness", ActionWitness)}
	hour := now.Truncate(time.Hour)
	asks := false
	for _, q := range protocol.QueryTypes() {
		d := e.Decide(Request{Peer: peer, Addr: s.Addr, Action: ActionQuery, QueryType: q, Now: now,
			TimeRange: protocol.TimeRange{Start: protocol.At(hour), End: protocol.At(hour.Add(time.Hour))}})
		r := right{queryRequest + string(q), "no", 0, d.Rule}
		switch {
		case d.Allowed && d.Level == protocol.LevelSummarized:
			r.value, r.rank = "this node's own answer", 2
		case d.Allowed:
			r.value, r.rank = "with others only", 1
		}
		asks = asks || d.Allowed
		out = append(out, r)
	}
	history, perHour := right{name: "max_history_days"}, right{name: "queries_per_hour"}
	if asks {
		l := e.resolve(peer, s.Addr, now).limits
		if l == nil {
			l = e.limits
		}
		history.value, history.rank, history.rule = strconv.Itoa(l.days), l.days, l.daysRule
		if l.days == 0 {
			history.value, history.rank = "no limit", MaxHistoryDays+1
		}
		perHour.value, perHour.rank, perHour.rule = strconv.Itoa(l.perHour), l.perHour, l.perHourRule
	}
	return append(out, history, perHour)
}

// general lists what holds for everybody.
func (e *Engine) general(cats []protocol.CommandCategory) []right {
	var out []right
	for _, c := range cats {
		r := right{"category:" + string(c), "leaves", 1, Rule{Name: "allowed_categories", Source: sourceDefault}}
		if len(e.allowed) > 0 {
			r.rule = e.allowedRule
		}
		if !e.AllowsCategory(c) {
			r.value, r.rank = "kept back", 0
			if covers(e.denied, c) {
				r.rule = e.deniedRule
			}
		}
		out = append(out, r)
	}
	out = append(out, right{"min_contributors", strconv.Itoa(e.minContributors), -e.minContributors, e.minRule})
	shares, rule := e.SharesEventCount()
	count := right{"share_event_count", "no", 0, rule}
	if shares {
		count.value, count.rank = "yes", 1
	}
	return append(out, count)
}

// Subjects returns the nodes and subnets that the rules of any of the engines name, and any other node.
func Subjects(engines ...*Engine) []Subject {
	labels := make(map[protocol.NodeID]string)
	nets := make(map[netip.Prefix]bool)
	for _, e := range engines {
		for id := range e.nodes {
			labels[id] = string(id.Fingerprint())
		}
		for id := range e.heirs {
			labels[id] = string(id.Fingerprint())
		}
		for p := range e.subnets {
			nets[p] = true
		}
	}
	all := slices.SortedFunc(maps.Keys(nets), func(a, b netip.Prefix) int {
		return cmp.Or(cmp.Compare(a.Addr().BitLen(), b.Addr().BitLen()), a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
	})
	var within []Subject
	for _, p := range all {
		if addr, some := free(p, inside(p, all)); some { // else its parts are subjects themselves
			within = append(within, Subject{Label: fmt.Sprintf("nodes in %s", p), Addr: addr})
		}
	}
	out := make([]Subject, 0, len(labels)+len(within)+1)
	for _, id := range slices.Sorted(maps.Keys(labels)) {
		out = append(out, Subject{Label: labels[id], Peer: id})
		if slices.ContainsFunc(engines, func(e *Engine) bool { return !e.Named(id) || e.nodes[id].yields || e.heirs[id].yields }) { // there its address decides
			for _, s := range within {
				out = append(out, Subject{Label: labels[id] + ", one of the " + s.Label, Peer: id, Addr: s.Addr})
			}
		}
	}
	return append(append(out, within...), Subject{Label: "any other node"})
}

// SubjectsAmong returns the known nodes whose address is known, and of [Subjects] those that this leaves out, each with the
// name that it has, if any.
func SubjectsAmong(known []Subject, names map[protocol.NodeID]string, engines ...*Engine) []Subject {
	var out []Subject
	placed := make(map[protocol.NodeID]bool)
	for _, s := range known {
		if s.Addr.IsValid() {
			placed[s.Peer] = true
			out = append(out, Subject{Label: string(s.Peer.Fingerprint()), Peer: s.Peer, Addr: s.Addr})
		}
	}
	for _, s := range Subjects(engines...) {
		if !placed[s.Peer] {
			out = append(out, s)
		}
	}
	for i, s := range out {
		if name := names[s.Peer]; name != "" {
			out[i].Label = name + " (" + s.Label + ")"
		}
	}
	return out
}
