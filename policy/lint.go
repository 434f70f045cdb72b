package policy

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/caro-mesh/caro-node/protocol"
)

// FindingKind says what is wrong.
type FindingKind string

// Kinds of findings. A document with a fault is refused; the others are accepted, and hardly what their author meant.
const (
	FindingFault         FindingKind = "fault"
	FindingUnreachable   FindingKind = "unreachable"   // another rule decides in every case
	FindingContradiction FindingKind = "contradiction" // two settings that cannot both have an effect
)

// Finding is one thing that is wrong with a document.
type Finding struct {
	Kind   FindingKind
	Source string
	Line   int // from 1, 0 when unknown
	Text   string
}

// Lint reports everything that is wrong with the document, in the order of lines. Where there are faults, it reports only
// them.
func (doc Document) Lint() []Finding {
	c := newCompiler(doc)
	err := c.compile(nil, nil)
	if err == nil {
		err = c.test()
	}
	if err != nil {
		return faults(err)
	}
	l := &linter{compiler: c}
	l.settings()
	l.categories()
	for i, n := range doc.Nodes {
		id := protocol.NodeID(n.ID)
		where := fmt.Sprintf("[[policy.nodes]] number %d", i+1)
		l.entry(where, n.Line, n.Trust, n.Deny, n.narrowing())
		if deny, both := c.configured.deny[id]; both && !n.Deny {
			l.find(FindingUnreachable, n.Line, "%s: the same node is denied%s, and a deny always wins; remove one of the two", where, onLine(deny.rule.Line))
		}
	}
	l.subnets()
	slices.SortStableFunc(l.found, func(a, b Finding) int { return a.Line - b.Line })
	return l.found
}

func faults(err error) []Finding {
	var out []Finding
	if list, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range list.Unwrap() {
			out = append(out, faults(e)...)
		}
		return out
	}
	var fault *DocumentError
	if errors.As(err, &fault) {
		return []Finding{{Kind: FindingFault, Source: fault.Source, Line: fault.Line, Text: fault.Err.Error()}}
	}
	return []Finding{{Kind: FindingFault, Text: err.Error()}}
}

// linter looks for rules without effect in a document that compiles.
type linter struct {
	*compiler
	found []Finding
}

func (l *linter) find(kind FindingKind, line int, format string, args ...any) {
	l.found = append(l.found, Finding{Kind: kind, Source: l.source, Line: line, Text: fmt.Sprintf(format, args...)})
}

func (l *linter) settings() {
	if shares, cap := l.e.SharesEventCount(); l.doc.ShareEventCount && !shares {
		l.find(FindingContradiction, l.e.eventCountRule.Line, "share_event_count = true has no effect while max_level is %s (%s)", l.e.maxLevel, cap.Place())
	}
	if l.e.maxLevel == protocol.LevelAggregated && l.e.limits.types&inAggregate == 0 {
		l.find(FindingContradiction, l.e.limits.typesRule.Line,
			"query_types allows only queries that name a single node, and max_level = %q (%s) never answers those; nothing is answered", l.e.maxLevel, l.e.maxRule.Place())
	}
}

// inAggregate are the query types that can be answered without naming a node.
var inAggregate = bit(protocol.QueryToolUsage) | bit(protocol.QuerySafetyPosture) | bit(protocol.QueryActivityPatterns)

func (l *linter) categories() {
	if len(l.e.allowed) == 0 {
		return
	}
	line := l.rule("allowed_categories", true).Line
	left := false
	for _, c := range l.e.AllowedCategories() {
		if !covers(l.e.denied, c) {
			left = true
			continue
		}
		l.find(FindingUnreachable, line, "allowed_categories names %s, which denied_categories (%s) keeps back", c, l.rule("denied_categories", true).Place())
	}
	if !left {
		l.find(FindingContradiction, line, "every allowed category is denied as well, so no count leaves; max_level = \"raw\" says that plainly")
	}
}

// entry looks at one [[policy.nodes]] or [[policy.subnets]].
func (l *linter) entry(where string, line int, trust string, deny bool, n narrowing) {
	var level protocol.TrustLevel
	if deny && trust != "" {
		l.find(FindingContradiction, line, "%s: trust = %q has no effect beside deny = true; remove one of the two", where, trust)
	}
	if deny || level.UnmarshalText([]byte(trust)) != nil {
		level = protocol.TrustUntrusted
	}
	if level == protocol.TrustShareTo && l.e.maxLevel != protocol.LevelSummarized {
		l.find(FindingContradiction, line, "%s: a node that is share_to gets summaries only, and max_level = %q (%s) lets none leave", where, l.e.maxLevel, l.e.maxRule.Place())
	}
	if n.none() {
		return
	}
	if permissions[level]&(mayQueryL1|mayQueryL2) == 0 {
		word := "as " + level.String() + " it may not query"
		if deny {
			word = "it is denied"
		}
		l.find(FindingContradiction, line, "%s: limits of queries have no effect, because %s", where, word)
		return
	}
	l.narrowing(where, line, level, n)
}

func (l *linter) narrowing(where string, line int, level protocol.TrustLevel, n narrowing) {
	all := l.e.limits
	if beyond := n.set() &^ all.types; beyond != 0 {
		l.find(FindingUnreachable, line, "%s: query_types names %s, which query_types (%s) answers to nobody; an entry only narrows", where, beyond, all.typesRule.Place())
	}
	left := all.types
	if len(n.QueryTypes) > 0 {
		left &= n.set()
	}
	switch {
	case left == 0:
		l.find(FindingContradiction, line, "%s: no query type is left, so as %s it may ask nothing", where, level)
	case permissions[level]&mayQueryL1 == 0 && left&inAggregate == 0:
		l.find(FindingContradiction, line, "%s: a supervisor is never answered about a single node, and query_types leaves nothing else", where)
	}
	if n.MaxHistoryDays > 0 && all.days > 0 && n.MaxHistoryDays >= all.days {
		l.find(FindingUnreachable, line, "%s: max_history_days = %d has no effect, because for everybody it is %d (%s); an entry only narrows",
			where, n.MaxHistoryDays, all.days, all.daysRule.Place())
	}
	if n.QueriesPerHour >= all.perHour {
		l.find(FindingUnreachable, line, "%s: queries_per_hour = %d has no effect, because for everybody it is %d (%s); an entry only narrows",
			where, n.QueriesPerHour, all.perHour, all.perHourRule.Place())
	}
}

func (l *linter) subnets() {
	all := slices.Collect(maps.Keys(l.e.subnets))
	for i, n := range l.doc.Subnets {
		where := fmt.Sprintf("[[policy.subnets]] number %d", i+1)
		l.entry(where, n.Line, n.Trust, n.Deny, n.narrowing())
		p, err := ParseSubnet(n.CIDR)
		if err != nil {
			continue // it compiled
		}
		if deny, both := l.nets.deny[p]; both && !n.Deny {
			l.find(FindingUnreachable, n.Line, "%s: the same subnet is denied%s, and the deny wins; remove one of the two", where, onLine(deny.rule.Line))
			continue
		}
		if _, some := free(p, inside(p, all)); !some {
			l.find(FindingUnreachable, n.Line, "%s: more specific subnets decide for every address of %s; remove it, or one of them", where, p)
		}
	}
}
