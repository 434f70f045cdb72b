package policy

import (
	"fmt"
	"strings"
	"time"

	"github.com/caro-mesh/caro-node/protocol"
)

// Bounds of the limits of a document.
const (
	// DefaultQueriesPerHour is how many queries a peer may have answered in an hour when the document names no number.
	DefaultQueriesPerHour = 600
	// MaxQueriesPerHour is far above what protocol/query lets one peer ask at all.
	MaxQueriesPerHour = 100_000
	// MaxHistoryDays is a hundred years.
	MaxHistoryDays = 36_500

	// Burst is the time in which a peer may have a tenth of an hour's queries: a tenth of an hour.
	Burst = time.Hour / 10
	// leastBurst lets somebody who has few queries an hour still ask each type of query at once.
	leastBurst = 10
)

// Recent counts the queries of one peer that were allowed lately.
type Recent struct {
	Hour  int // in the last hour
	Burst int // in the last tenth of it, see [Burst]
}

// BurstOf returns how many of perHour queries a peer may have within [Burst]: a tenth, but ten if it has as many.
func BurstOf(perHour int) int { return max(perHour/10, min(perHour, leastBurst)) }

// querySet is a set of query types.
type querySet uint8

func bit(q protocol.QueryType) querySet {
	switch q {
	case protocol.QueryToolUsage:
		return 1
	case protocol.QuerySafetyPosture:
		return 2
	case protocol.QueryActivityPatterns:
		return 4
	case protocol.QueryAnomalies:
		return 8
	case protocol.QueryNodeHealth:
		return 16
	}
	return 0
}

const everyQuery = querySet(31)

func (s querySet) list() []protocol.QueryType {
	var out []protocol.QueryType
	for _, q := range protocol.QueryTypes() {
		if s&bit(q) != 0 {
			out = append(out, q)
		}
	}
	return out
}

func (s querySet) String() string {
	var names []string
	for _, q := range s.list() {
		names = append(names, string(q))
	}
	return strings.Join(names, ", ")
}

// limits say what a peer that may query at all may ask, how far back, and how often. Each knows the rule that set it.
type limits struct {
	types     querySet
	typesRule Rule

	days     int // 0: no limit
	daysRule Rule
	tooFar   string // the reason of a refusal; it allocates nothing when it is needed

	perHour     int
	perHourRule Rule
	tooMany     string
}

// narrowed returns limits that are those of l where n does not narrow them, and n's where it does. It never widens.
func (l limits) narrowed(n narrowing, rule Rule) *limits {
	if set := n.set(); len(n.QueryTypes) > 0 && l.types&^set != 0 {
		l.types, l.typesRule = l.types&set, part(rule, "query_types")
	}
	if n.MaxHistoryDays > 0 && (l.days == 0 || n.MaxHistoryDays < l.days) {
		l.setDays(n.MaxHistoryDays, part(rule, "max_history_days"))
	}
	if n.QueriesPerHour > 0 && n.QueriesPerHour < l.perHour {
		l.setPerHour(n.QueriesPerHour, part(rule, "queries_per_hour"))
	}
	return &l
}

func (l *limits) setDays(days int, rule Rule) {
	l.days, l.daysRule = days, rule
	l.tooFar = fmt.Sprintf(`this node answers you about the last %s only, and the query begins earlier; ask for a shorter time ("--since %dd")`,
		plural(days, "day"), days)
}

func (l *limits) setPerHour(n int, rule Rule) {
	l.perHour, l.perHourRule = n, rule
	l.tooMany = fmt.Sprintf("this node answers you at most %s an hour and %d within six minutes; ask again later",
		plural(n, "query"), BurstOf(n))
}

func plural(n int, what string) string {
	switch {
	case n == 1:
	case strings.HasSuffix(what, "y") && what != "day":
		what = strings.TrimSuffix(what, "y") + "ies"
	default:
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}

// part names one setting of an entry that holds several.
func part(entry Rule, key string) Rule {
	entry.Name += ": " + key
	return entry
}

// keep refuses an allowed query that goes beyond the limits.
func (l *limits) keep(d Decision, r Request) Decision {
	switch {
	case l.types&bit(r.QueryType) == 0:
		return d.deny(l.typesRule, reasonQueryType)
	case l.days > 0 && r.QueryType != protocol.QueryNodeHealth && beginsBefore(r, l.days):
		return d.deny(l.daysRule, l.tooFar)
	case r.Recent.Hour >= l.perHour || r.Recent.Burst >= BurstOf(l.perHour):
		return d.deny(l.perHourRule, l.tooMany)
	}
	return d
}

// beginsBefore reports whether a query looks further back than so many days. The hour in which that time begins is within
// it, also for an asker whose clock is a little behind: ranges are whole hours. Without a clock everything is too far.
func beginsBefore(r Request, days int) bool {
	if r.Now.IsZero() {
		return true
	}
	first := r.Now.Add(-time.Duration(days)*24*time.Hour - protocol.MaxSkew).Truncate(time.Hour)
	return r.TimeRange.Start < protocol.At(first)
}

// narrowing is what a [[policy.nodes]] or [[policy.subnets]] entry takes away from the limits of everybody.
type narrowing struct {
	QueryTypes     []string
	MaxHistoryDays int
	QueriesPerHour int
}

func (n narrowing) none() bool {
	return len(n.QueryTypes) == 0 && n.MaxHistoryDays == 0 && n.QueriesPerHour == 0
}

func (n narrowing) set() querySet {
	var s querySet
	for _, name := range n.QueryTypes {
		s |= bit(protocol.QueryType(name))
	}
	return s
}

// describe words the limits of one entry that differ from those of everybody.
func (l *limits) describe(everybody *limits) string {
	var parts []string
	if l.types != everybody.types {
		types := l.types.String()
		if types == "" {
			types = "none"
		}
		parts = append(parts, "may ask only: "+types)
	}
	if l.days != everybody.days {
		parts = append(parts, "at most "+plural(l.days, "day")+" back")
	}
	if l.perHour != everybody.perHour {
		parts = append(parts, "at most "+plural(l.perHour, "query")+" an hour")
	}
	return strings.Join(parts, "; ")
}

func (c *compiler) limits() {
	doc, l := c.doc, &limits{types: everyQuery}
	r := c.rule("query_types", len(doc.QueryTypes) > 0)
	l.typesRule = r
	c.checkTypes(r.Source, r.Line, "query_types", doc.QueryTypes)
	if len(doc.QueryTypes) > 0 {
		l.types = narrowing{QueryTypes: doc.QueryTypes}.set()
	}
	r = c.rule("max_history_days", doc.MaxHistoryDays != 0)
	l.daysRule = r
	c.checkDays(r.Source, r.Line, "max_history_days", doc.MaxHistoryDays)
	if doc.MaxHistoryDays > 0 {
		l.setDays(doc.MaxHistoryDays, r)
	}
	r = c.rule("queries_per_hour", doc.QueriesPerHour != 0)
	l.setPerHour(DefaultQueriesPerHour, r)
	if doc.QueriesPerHour != 0 || r.Source != sourceDefault {
		l.setPerHour(doc.QueriesPerHour, r)
		c.checkPerHour(r.Source, r.Line, "queries_per_hour", doc.QueriesPerHour)
	}
	c.e.limits = l
}

// narrow compiles what an entry narrows; nil when it narrows nothing.
func (c *compiler) narrow(where string, n narrowing, rule Rule) *limits {
	if n.none() {
		return nil
	}
	faults := len(c.errs)
	c.checkTypes("", rule.Line, where+": query_types", n.QueryTypes)
	c.checkDays("", rule.Line, where+": max_history_days", n.MaxHistoryDays)
	if n.QueriesPerHour != 0 {
		c.checkPerHour("", rule.Line, where+": queries_per_hour", n.QueriesPerHour)
	}
	if len(c.errs) > faults {
		return nil
	}
	return c.e.limits.narrowed(n, rule)
}

func (c *compiler) checkTypes(source string, line int, what string, names []string) {
	for _, name := range names {
		if err := protocol.QueryType(name).Validate(); err != nil {
			c.fault(source, line, "%s: %w", what, err)
		}
	}
}

func (c *compiler) checkDays(source string, line int, what string, days int) {
	if days < 0 || days > MaxHistoryDays {
		c.fault(source, line, "%s is %d; it must be from 1 to %d days, or 0 for no limit", what, days, MaxHistoryDays)
	}
}

func (c *compiler) checkPerHour(source string, line int, what string, n int) {
	if n < 1 || n > MaxQueriesPerHour {
		c.fault(source, line, "%s is %d; it must be from 1 to %d", what, n, MaxQueriesPerHour)
	}
}
