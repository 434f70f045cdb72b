package policy

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/caro-mesh/caro-node/protocol"
)

// Sources of rules that no file holds.
const (
	sourceDefault = "default"
	sourceRunTime = "run time"
	sourceBuiltIn = "built-in"
	sourceConfig  = "config.toml"
)

// DocumentError is one fault of a [Document], with its place.
type DocumentError struct {
	Source string // as in [Document.Source] or [Origin.Source]
	Line   int    // from 1, 0 when unknown
	Err    error
}

// Error returns "source:line: what is wrong".
func (e *DocumentError) Error() string {
	if e.Line == 0 {
		return e.Source + ": " + e.Err.Error()
	}
	return fmt.Sprintf("%s:%d: %v", e.Source, e.Line, e.Err)
}

// Unwrap returns the cause without its place.
func (e *DocumentError) Unwrap() error { return e.Err }

// Validate reports every fault of the document, each as a [*DocumentError], joined in the order of the checks. A test of
// the document that fails is a fault, too; tests run where there is no other.
func (doc Document) Validate() error {
	c := newCompiler(doc)
	if err := c.compile(nil, nil); err != nil {
		return err
	}
	return c.test()
}

// New compiles a document, the grants made at run time, and the successions of keys. It reports the faults that
// [Document.Validate] reports, grants that are malformed or name a node twice, and successions that do not lead from one
// key to one other; the engine is nil then. It keeps nothing of its arguments.
func New(doc Document, grants []Grant, successions ...Succession) (*Engine, error) {
	c := newCompiler(doc)
	if err := c.compile(grants, successions); err != nil {
		return nil, err
	}
	return c.e, nil
}

func newCompiler(doc Document) *compiler {
	c := &compiler{doc: doc, source: doc.Source, e: &Engine{subnets: make(map[netip.Prefix]verdict)}}
	if c.source == "" {
		c.source = sourceConfig
	}
	return c
}

// test runs the tests of a document that compiles.
func (c *compiler) test() error {
	c.runTests()
	return errors.Join(c.errs...)
}

func (c *compiler) compile(grants []Grant, successions []Succession) error {
	c.scalars()
	c.limits()
	c.e.allowed = c.categories("allowed_categories", c.doc.AllowedCategories)
	c.e.denied = c.categories("denied_categories", c.doc.DeniedCategories)
	c.e.allowedRule, c.e.deniedRule = c.rule("allowed_categories", true), c.rule("denied_categories", true)
	c.nodeRules()
	c.grants(grants)
	c.subnetRules()
	c.ceilings()
	c.checkSuccessions(successions)
	if len(c.errs) > 0 {
		return errors.Join(c.errs...)
	}
	c.settle()
	c.settleSuccessions(successions)
	c.views(successions)
	return nil
}

// compiler turns a document into an engine and collects what is wrong with it.
type compiler struct {
	doc    Document
	source string
	e      *Engine
	errs   []error

	configured nodeVerdicts // from the document
	runTime    nodeVerdicts
	nets       subnetVerdicts
	narrowed   map[protocol.NodeID]*limits // by configured entries
	bounds     map[protocol.NodeID]verdict // by ceilings
}

// nodeVerdicts and subnetVerdicts hold at most one deny and one grant each; New settles which is in force.
type (
	nodeVerdicts   struct{ deny, grant map[protocol.NodeID]verdict }
	subnetVerdicts struct{ deny, grant map[netip.Prefix]verdict }
)

func (c *compiler) fault(source string, line int, format string, args ...any) {
	if source == "" {
		source = c.source
	}
	c.errs = append(c.errs, &DocumentError{Source: source, Line: line, Err: fmt.Errorf(format, args...)})
}

// rule names a single setting and says where it was written.
func (c *compiler) rule(key string, written bool) Rule {
	o, known := c.doc.Origins[key]
	switch {
	case !written && !known:
		return Rule{Name: key, Source: sourceDefault}
	case o.Source == "":
		o.Source = c.source
	}
	return Rule{Name: key, Source: o.Source, Line: o.Line}
}

func (c *compiler) scalars() {
	doc, e := c.doc, c.e
	e.maxLevel, e.maxRule = protocol.LevelSummarized, c.rule("max_level", doc.MaxLevel != "")
	if doc.MaxLevel != "" || e.maxRule.Source != sourceDefault {
		if err := e.maxLevel.UnmarshalText([]byte(doc.MaxLevel)); err != nil {
			c.fault(e.maxRule.Source, e.maxRule.Line, "max_level: %w", err)
		}
	}
	e.defaults.rule = c.rule("default_trust", doc.DefaultTrust != "")
	if doc.DefaultTrust != "" || e.defaults.rule.Source != sourceDefault {
		if err := e.defaults.trust.UnmarshalText([]byte(doc.DefaultTrust)); err != nil {
			c.fault(e.defaults.rule.Source, e.defaults.rule.Line, "default_trust: %w", err)
		}
	}
	e.eventCount, e.eventCountRule = doc.ShareEventCount, c.rule("share_event_count", doc.ShareEventCount)
	e.minContributors, e.minRule = DefaultMinContributors, c.rule("min_contributors", doc.MinContributors != 0)
	if r := e.minRule; doc.MinContributors != 0 || r.Source != sourceDefault {
		e.minContributors = doc.MinContributors
		if e.minContributors < 2 || e.minContributors > protocol.MaxContributors {
			c.fault(r.Source, r.Line, "min_contributors is %d; it must be from 2 (an answer over one node is not aggregated) to %d",
				doc.MinContributors, protocol.MaxContributors)
		}
	}
}

func (c *compiler) categories(key string, names []string) map[protocol.CommandCategory]bool {
	set := make(map[protocol.CommandCategory]bool, len(names))
	r := c.rule(key, true)
	for _, name := range names {
		cat := protocol.CommandCategory(name)
		if err := cat.Validate(); err != nil {
			c.fault(r.Source, r.Line, "%s: %w; write one of %s, or other:<tool> with a publicly known tool",
				key, err, joinCategories(protocol.Categories()))
			continue
		}
		set[cat] = true
	}
	return set
}

func joinCategories(cats []protocol.CommandCategory) string {
	names := make([]string, len(cats))
	for i, cat := range cats {
		names[i] = string(cat)
	}
	return strings.Join(names, ", ")
}

func (c *compiler) nodeRules() {
	c.configured = nodeVerdicts{deny: map[protocol.NodeID]verdict{}, grant: map[protocol.NodeID]verdict{}}
	c.narrowed = make(map[protocol.NodeID]*limits)
	for i, n := range c.doc.Nodes {
		where := fmt.Sprintf("[[policy.nodes]] number %d", i+1)
		id, err := protocol.ParseNodeID(n.ID)
		if err != nil {
			c.fault("", n.Line, "%s: id %q is %w", where, n.ID, err)
			continue
		}
		if err := protocol.CheckText("name", n.Name, protocol.MaxDisplayName); err != nil {
			c.fault("", n.Line, "%s: %w", where, err)
			continue
		}
		v := verdict{rule: Rule{Name: "node " + label(id, n.Name), Source: cmp.Or(n.Source, c.source), Line: n.Line}, yields: n.Yields}
		if !c.read(&v, where, n.Trust, n.Deny, n.Line) {
			continue
		}
		into := c.configured.grant
		if n.Deny {
			into, v.denied = c.configured.deny, reasonNodeDenied
		}
		if before, twice := into[id]; twice {
			c.fault("", n.Line, "%s: the node %s is named already%s; keep one of the two", where, id, onLine(before.rule.Line))
			continue
		}
		if l := c.narrow(where, n.narrowing(), v.rule); l != nil && !n.Deny {
			c.narrowed[id] = l
		}
		into[id] = v
	}
}

func (c *compiler) subnetRules() {
	c.nets = subnetVerdicts{deny: map[netip.Prefix]verdict{}, grant: map[netip.Prefix]verdict{}}
	for i, n := range c.doc.Subnets {
		where := fmt.Sprintf("[[policy.subnets]] number %d", i+1)
		p, err := ParseSubnet(n.CIDR)
		if err != nil {
			c.fault("", n.Line, "%s: %w", where, err)
			continue
		}
		v := verdict{rule: Rule{Name: "subnet " + p.String(), Source: cmp.Or(n.Source, c.source), Line: n.Line}}
		if !c.read(&v, where, n.Trust, n.Deny, n.Line) {
			continue
		}
		into := c.nets.grant
		if n.Deny {
			into, v.denied = c.nets.deny, reasonSubnetDenied
		}
		if before, twice := into[p]; twice {
			c.fault("", n.Line, "%s: the subnet %s is named already%s; keep one of the two", where, p, onLine(before.rule.Line))
			continue
		}
		v.limits = c.narrow(where, n.narrowing(), v.rule)
		into[p] = v
	}
}

// read fills in what an entry says, and reports whether it says something.
func (c *compiler) read(v *verdict, where, trust string, deny bool, line int) bool {
	if trust == "" && !deny {
		c.fault("", line, "%s: neither trust nor deny is written; add trust = %q or deny = true", where, protocol.TrustPeer)
		return false
	}
	if trust != "" {
		if err := v.trust.UnmarshalText([]byte(trust)); err != nil {
			c.fault("", line, "%s: %w", where, err)
			return false
		}
	}
	if deny {
		v.trust = protocol.TrustUntrusted
		v.rule.Name = "deny " + v.rule.Name
	}
	return true
}

// ParseSubnet reads a prefix such as 10.0.1.0/24, without bits below its length; one of IPv4 addresses written as IPv6 becomes IPv4, as addresses do.
func ParseSubnet(cidr string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(cidr)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("cidr %q is not a subnet such as 10.0.1.0/24 or fd00:1::/64", cidr)
	}
	if p.Masked() != p {
		// Somebody who writes 10.0.1.5/24 means either, and the difference is who gets in.
		return netip.Prefix{}, fmt.Errorf("cidr %q names an address inside a subnet; write %s for the subnet or %s for the one address",
			cidr, p.Masked(), netip.PrefixFrom(p.Addr(), p.Addr().BitLen()))
	}
	if p.Addr().Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return p, nil
}

func (c *compiler) grants(grants []Grant) {
	c.runTime = nodeVerdicts{deny: map[protocol.NodeID]verdict{}, grant: map[protocol.NodeID]verdict{}}
	seen := make(map[protocol.NodeID]bool, len(grants))
	for _, g := range grants {
		if err := errors.Join(g.Node.Validate(), g.Trust.Validate()); err != nil {
			c.fault(sourceRunTime, 0, "grant to %q: %w", g.Node, err)
			continue
		}
		if seen[g.Node] {
			c.fault(sourceRunTime, 0, "node %s is granted twice; clear it and grant it again", g.Node)
			continue
		}
		seen[g.Node] = true
		name := g.Name
		if name == "" {
			name = c.configuredName(g.Node)
		}
		v := verdict{trust: g.Trust, rule: Rule{Name: "node " + label(g.Node, name), Source: sourceRunTime}}
		if g.Deny {
			v = verdict{denied: reasonNodeDenied, rule: Rule{Name: "deny " + v.rule.Name, Source: sourceRunTime}}
			c.runTime.deny[g.Node] = v
			continue
		}
		c.runTime.grant[g.Node] = v
	}
}

func (c *compiler) configuredName(id protocol.NodeID) string {
	i := slices.IndexFunc(c.doc.Nodes, func(n NodeRule) bool { return n.ID == string(id) && n.Name != "" })
	if i < 0 {
		return ""
	}
	return c.doc.Nodes[i].Name
}

// label is how a rule names a node: by the person's word for it, else by fingerprint.
func label(id protocol.NodeID, name string) string {
	if name != "" {
		return name
	}
	return string(id.Fingerprint())
}

func onLine(line int) string {
	if line == 0 {
		return ""
	}
	return fmt.Sprintf(" on line %d", line)
}

// settle keeps, for each node and each prefix, the one verdict that is in force: later ones overwrite.
func (c *compiler) settle() {
	e := c.e
	e.nodes = make(map[protocol.NodeID]verdict, len(c.configured.grant)+len(c.runTime.grant))
	for _, layer := range []map[protocol.NodeID]verdict{c.configured.grant, c.runTime.grant, c.runTime.deny, c.configured.deny} {
		for id, v := range layer {
			v.limits = c.narrowed[id]
			e.nodes[id] = c.bounded(id, v)
		}
	}
	for _, layer := range []map[netip.Prefix]verdict{c.nets.grant, c.nets.deny} {
		for p, v := range layer {
			e.subnets[p] = v
		}
	}
	for p := range e.subnets {
		if p.Addr().Is4() {
			e.bits4 = append(e.bits4, p.Bits())
		} else {
			e.bits6 = append(e.bits6, p.Bits())
		}
	}
	e.bits4, e.bits6 = longestFirst(e.bits4), longestFirst(e.bits6)
}

func longestFirst(bits []int) []int {
	slices.Sort(bits)
	bits = slices.Compact(bits)
	slices.Reverse(bits)
	return bits
}
