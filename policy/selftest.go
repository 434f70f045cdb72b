package policy

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/caro-mesh/caro-node/protocol"
)

// Test is one [[policy.tests]] entry: what its author expects of the rules beside it. A document whose tests fail is
// refused as a whole. Tests look at the document alone, without what was granted at run time.
type Test struct {
	// Peer is a node ID, "any" for a node that no rule names, either with "@" and the address that it connects from.
	Peer string `toml:"peer"`
	// Request is "connect", "summary" or "query:" and a query type.
	Request string `toml:"request"`
	// RangeDays is how many days back a query begins, from 1; default 1.
	RangeDays int `toml:"range_days"`
	// Expect is "allow" or "deny".
	Expect string `toml:"expect"`
	// Level is the level that an allowed summary or query must have: "summarized" or "aggregated"; empty: any.
	Level string `toml:"level"`
	// Rule is the name of the rule that must decide, as "caro-node policy show" prints it; empty: any.
	Rule string `toml:"rule"`

	Line int `toml:"-"` // of the entry's header, 0 when unknown
}

const (
	expectAllow = "allow"
	expectDeny  = "deny"

	anyPeer      = "any"
	queryRequest = "query:"
)

// nobody is the ID of a peer that no rule can name, because it is none.
const nobody = protocol.NodeID("any")

// testTime is the time at which tests ask. What they ask does not depend on it.
var testTime = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// runTests reports every test that is malformed or fails.
func (c *compiler) runTests() {
	for i, t := range c.doc.Tests {
		where := fmt.Sprintf("[[policy.tests]] number %d", i+1)
		r, err := t.request()
		if err == nil {
			err = t.check()
		}
		if err != nil {
			c.fault("", t.Line, "%s: %w", where, err)
			continue
		}
		if wrong := t.judge(c.e.Decide(r)); wrong != "" {
			c.fault("", t.Line, "%s fails: %s by %s should be %s", where, t.Request, t.Peer, wrong)
		}
	}
}

func (t Test) request() (Request, error) {
	r := Request{Peer: nobody, Now: testTime}
	peer, addr, placed := strings.Cut(t.Peer, "@")
	if placed {
		a, err := netip.ParseAddr(addr)
		if err != nil {
			return r, fmt.Errorf(`peer: %q is not an address such as 10.0.0.7 or fd00::7`, addr)
		}
		r.Addr = a
	}
	if peer != anyPeer {
		id, err := protocol.ParseNodeID(peer)
		if err != nil {
			return r, fmt.Errorf(`peer %q is neither a node ID nor "any" (also with an address, as in any@10.0.0.7)`, t.Peer)
		}
		r.Peer = id
	}
	qt, isQuery := strings.CutPrefix(t.Request, queryRequest)
	switch {
	case t.Request == "connect":
		r.Action = ActionConnect
	case t.Request == "summary":
		r.Action = ActionReceiveSummary
	case isQuery:
		r.Action, r.QueryType = ActionQuery, protocol.QueryType(qt)
		if err := r.QueryType.Validate(); err != nil {
			return r, fmt.Errorf("request: %w", err)
		}
		days := max(t.RangeDays, 1)
		r.TimeRange = protocol.TimeRange{Start: protocol.At(testTime.Add(-time.Duration(days) * 24 * time.Hour)), End: protocol.At(testTime)}
	default:
		return r, fmt.Errorf("request %q is none of connect, summary and query:tool_usage (or another query type)", t.Request)
	}
	return r, nil
}

// check reports what is written wrong besides peer and request.
func (t Test) check() error {
	switch {
	case t.Expect != expectAllow && t.Expect != expectDeny:
		return fmt.Errorf("expect is %q; write %q or %q", t.Expect, expectAllow, expectDeny)
	case t.RangeDays < 0 || t.RangeDays > MaxHistoryDays:
		return fmt.Errorf("range_days is %d; it must be from 1 to %d", t.RangeDays, MaxHistoryDays)
	case t.RangeDays > 0 && !strings.HasPrefix(t.Request, queryRequest):
		return fmt.Errorf("range_days is for queries only; leave it out")
	case t.Level == "":
		return nil
	case t.Expect == expectDeny || t.Request == "connect":
		return fmt.Errorf("level is for allowed summaries and queries only; leave it out")
	case t.Level != protocol.LevelSummarized.String() && t.Level != protocol.LevelAggregated.String():
		return fmt.Errorf("level is %q; write %q or %q", t.Level, protocol.LevelSummarized, protocol.LevelAggregated)
	}
	return nil
}

// judge returns what is wrong with a decision; empty when it is as expected.
func (t Test) judge(d Decision) string {
	by := fmt.Sprintf("%s (%s)", d.Rule.Name, d.Rule.Place())
	switch {
	case t.Expect == expectAllow && !d.Allowed:
		return fmt.Sprintf("allowed, and %s denies it: %s", by, d.Reason)
	case t.Expect == expectDeny && d.Allowed:
		return fmt.Sprintf("denied, and %s allows it", by)
	case t.Level != "" && d.Level.String() != t.Level:
		return fmt.Sprintf("answered at the level %s, and %s gives %s", t.Level, by, d.Level)
	case t.Rule != "" && d.Rule.Name != t.Rule:
		return fmt.Sprintf("decided by %s, and %s decides", t.Rule, by)
	}
	return ""
}
