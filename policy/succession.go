package policy

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/caro-mesh/caro-node/protocol"
)

// Succession says that a node goes on under another key, which was proven to be its own. New gets what Old is named for,
// and Old ends.
type Succession struct {
	Old, New protocol.NodeID
	// ValidFrom is when New begins. Clocks differ, so it counts from protocol.MaxSkew earlier on.
	ValidFrom time.Time
	// Until is when Old ends. Where it is not after ValidFrom, Old has ended whatever the time: its key was stolen.
	Until time.Time
}

// ending is when a node's key ceases to count.
type ending struct {
	at    time.Time
	never bool // it counts at no time
	rule  Rule
}

// over reports whether the key has ended. Without a clock it has.
func (e ending) over(now time.Time) bool { return e.never || now.IsZero() || !now.Before(e.at) }

// inherited is the verdict that a node has from the key before its own.
type inherited struct {
	verdict
	from time.Time
}

// begun reports whether the new key counts. Without a clock it does not.
func (i inherited) begun(now time.Time) bool { return !now.Before(i.from) }

// Named reports whether a rule names the node by its ID, or the node whose key it goes on from: whatever else it is
// called then depends neither on its address nor on the default.
func (e *Engine) Named(id protocol.NodeID) bool {
	_, explicit := e.nodes[id]
	_, carried := e.heirs[id]
	return explicit || carried
}

// Denies reports whether a deny names the node, or the node whose key it goes on from or goes on with.
func (e *Engine) Denies(id protocol.NodeID) bool {
	return e.nodes[id].denied != "" || e.heirs[id].denied != ""
}

func (c *compiler) checkSuccessions(list []Succession) {
	before := make(map[protocol.NodeID]protocol.NodeID, len(list)) // old key by new one
	after := make(map[protocol.NodeID]protocol.NodeID, len(list))
	for _, s := range list {
		_, twice := after[s.Old]
		_, shared := before[s.New]
		switch {
		case s.Old.Validate() != nil || s.New.Validate() != nil || s.Old == s.New:
			c.fault(sourceRunTime, 0, "succession from %q to %q: expected two different node IDs", s.Old, s.New)
		case twice:
			c.fault(sourceRunTime, 0, "node %s has two successors", s.Old)
		case shared:
			c.fault(sourceRunTime, 0, "node %s succeeds two nodes", s.New)
		default:
			before[s.New], after[s.Old] = s.Old, s.New
		}
	}
	for _, s := range list {
		for id, steps := before[s.Old], 0; id != ""; id, steps = before[id], steps+1 {
			if id == s.Old || steps > len(list) {
				c.fault(sourceRunTime, 0, "the successions of node %s lead back to it", s.Old)
				return
			}
		}
	}
}

// settleSuccessions needs the verdicts of the rules that name nodes, and adds what follows from them for keys before and
// after.
func (c *compiler) settleSuccessions(list []Succession) {
	e := c.e
	e.ends, e.heirs = make(map[protocol.NodeID]ending, len(list)), make(map[protocol.NodeID]inherited, len(list))
	byNew := make(map[protocol.NodeID]Succession, len(list))
	byOld := make(map[protocol.NodeID]Succession, len(list))
	for _, s := range list {
		byNew[s.New], byOld[s.Old] = s, s
		e.ends[s.Old] = ending{at: s.Until, never: !s.Until.After(s.ValidFrom),
			rule: Rule{Name: "rotation of " + string(s.Old.Fingerprint()), Source: sourceRunTime}}
	}
	for _, s := range list { // a grant to a new key says nothing about limits, so those of the node's earlier keys stay
		if v, explicit := e.nodes[s.New]; explicit {
			for id := s.Old; id != "" && v.limits == nil; id = byNew[id].Old {
				v.limits = c.narrowed[id]
			}
			for id := s.Old; id != ""; id = byNew[id].Old {
				v = c.bounded(id, v)
			}
			e.nodes[s.New] = v
		}
	}
	for _, s := range list {
		if _, explicit := e.nodes[s.New]; explicit {
			continue
		}
		// The nearest key before that a rule names; everything in between only passes it on.
		for id := s.Old; id != ""; id = byNew[id].Old {
			v, named := e.nodes[id]
			if !named {
				continue
			}
			if v.denied == "" { // a deny does not wait until the key begins: see spreadDenies
				v.rule.Name += carriedFrom(id)
				e.heirs[s.New] = inherited{verdict: v, from: s.ValidFrom.Add(-protocol.MaxSkew)}
			}
			break
		}
	}
	c.spreadDenies(byNew, byOld)
}

// spreadDenies makes a deny of one key a deny of every key of the same node.
func (c *compiler) spreadDenies(byNew, byOld map[protocol.NodeID]Succession) {
	e := c.e
	for id, v := range e.nodes {
		if v.denied == "" {
			continue
		}
		v.rule.Name += carriedFrom(id)
		for other := byOld[id].New; other != ""; other = byOld[other].New {
			c.spread(other, v)
		}
		for other := byNew[id].Old; other != ""; other = byNew[other].Old {
			c.spread(other, v)
		}
	}
}

// spread denies a node that no deny names itself. Where several keys are denied, the rule with the first name counts,
// so that the same rules always make the same engine.
func (c *compiler) spread(id protocol.NodeID, v verdict) {
	e := c.e
	if e.nodes[id].denied != "" {
		return
	}
	if h, ok := e.heirs[id]; ok && h.denied != "" && h.rule.Name <= v.rule.Name {
		return
	}
	e.heirs[id] = inherited{verdict: v} // from ever on
}

func carriedFrom(id protocol.NodeID) string {
	return fmt.Sprintf(" (carried over from %s)", id.Fingerprint())
}

// viewSuccessions lists what keys get from others, and when keys end.
func (c *compiler) viewSuccessions(list []Succession) {
	e := c.e
	for _, s := range slices.SortedFunc(slices.Values(list), func(a, b Succession) int { return cmp.Compare(a.Old, b.Old) }) {
		if h, ok := e.heirs[s.New]; ok {
			kind := KindNode
			if h.denied != "" {
				kind = KindDeny
			}
			c.view(kind, string(s.New), h.verdict, h.verdict)
		}
		end := e.ends[s.Old]
		note := fmt.Sprintf("its key was rotated to %s; the old one is refused from %s on", s.New.Fingerprint(), s.Until.UTC().Format(time.RFC3339))
		if end.never {
			note = fmt.Sprintf("its key was rotated to %s; the old one is refused", s.New.Fingerprint())
		}
		e.rules = append(e.rules, RuleView{Rule: end.rule, Kind: KindRotation, Match: string(s.Old), Note: note})
	}
}
