package audit

import (
	"context"
	"maps"
	"strconv"
	"sync/atomic"

	"github.com/caro-mesh/caro-node/policy"
	"github.com/caro-mesh/caro-node/protocol"
)

// Gate is the one way to permission: it decides by the current policy and records the decision. Its methods may be
// called from any number of goroutines.
type Gate struct {
	engine atomic.Pointer[policy.Engine]
	log    Log
	tally  Tally
}

// NewGate returns a gate that decides by engine and records in log, which must not be nil. A nil engine denies everything.
func NewGate(engine *policy.Engine, log Log) *Gate {
	g := &Gate{log: log}
	g.SetEngine(engine)
	return g
}

// SetEngine replaces the policy for all later decisions; one that is being recorded is not taken back. A nil engine
// denies everything.
func (g *Gate) SetEngine(engine *policy.Engine) {
	if engine == nil {
		engine = &policy.Engine{}
	}
	g.engine.Store(engine)
}

// Engine returns the policy in force.
func (g *Gate) Engine() *policy.Engine { return g.engine.Load() }

// Peek decides without a record, and without counting a query. Nothing may be disclosed on its word.
func (g *Gate) Peek(r policy.Request) policy.Decision {
	if r.Action == policy.ActionQuery {
		r.Recent = g.tally.Recent(r.Peer, r.Now)
	}
	return g.Engine().Decide(r)
}

// decide is Peek, but an allowed query counts.
func (g *Gate) decide(r policy.Request) policy.Decision {
	if r.Action != policy.ActionQuery {
		return g.Engine().Decide(r)
	}
	return g.tally.Decide(r.Peer, r.Now, func(recent policy.Recent) policy.Decision {
		r.Recent = recent
		return g.Engine().Decide(r)
	})
}

// Allow decides r, with the queries of the peer that were allowed lately in r.Recent, records the decision as one record, and returns nil only if r is allowed and the record is stored;
// every other outcome is a [*DeniedError], and the decision returned with it is not allowed either.
//
// e.Type may be left empty for the usual type of the action (peer_connected, summary_shared, query_received). A denied
// connection is always recorded as policy_violation. e.Peer and e.Success are set from the decision. e.Details may add
// facts, but not under the names that the gate uses: action, trust, rule, source, line, reason, level and
// min_contributors tell the decision, addr, query_type, range_start and range_end the request. e.Details is not changed.
func (g *Gate) Allow(ctx context.Context, r policy.Request, e Event) (policy.Decision, error) {
	d := g.decide(r)
	e.Type = typeFor(e.Type, r.Action, d.Allowed)
	e.Peer = r.Peer
	e.Success = d.Allowed
	e.Details = details(e.Details, r, d)
	if _, err := g.log.Append(ctx, e); err != nil {
		if d.Allowed {
			d.Rule = policy.Rule{Name: "audit", Source: "built-in"}
			d.Reason = "this node could not record the request, so it was refused; try again, or tell its user to look at its log"
		}
		d.Allowed, d.Level = false, protocol.LevelAggregated
		return d, &DeniedError{Decision: d, Cause: err}
	}
	if !d.Allowed {
		return d, &DeniedError{Decision: d}
	}
	return d, nil
}

// typeFor returns the type under which a decision is recorded. Callers name the type before they know the outcome, so
// the two types of a connection are told apart here.
func typeFor(asked protocol.AuditEventType, a policy.Action, allowed bool) protocol.AuditEventType {
	switch {
	case a == policy.ActionConnect && !allowed:
		return protocol.AuditPolicyViolation
	case asked != "" && (asked != protocol.AuditPolicyViolation || !allowed):
		return asked
	}
	switch a {
	case policy.ActionConnect:
		return protocol.AuditPeerConnected
	case policy.ActionReceiveSummary, policy.ActionWitness:
		return protocol.AuditSummaryShared
	case policy.ActionQuery:
		return protocol.AuditQueryReceived
	}
	return protocol.AuditPolicyViolation // an unknown action is never allowed
}

// decisionKeys are the details that only the gate sets.
var decisionKeys = []string{"action", "trust", "rule", "source", "line", "reason", "level", "min_contributors", "addr",
	"query_type", "range_start", "range_end"}

// details adds what is needed to understand the decision later, and to put the same request to another policy.
func details(extra map[string]string, r policy.Request, d policy.Decision) map[string]string {
	m := make(map[string]string, len(extra)+len(decisionKeys))
	maps.Copy(m, extra)
	for _, k := range decisionKeys {
		delete(m, k)
	}
	m["action"] = string(r.Action)
	m["trust"] = d.Trust.String()
	m["rule"] = d.Rule.Name
	m["source"] = d.Rule.Source
	m["reason"] = d.Reason
	if d.Rule.Line > 0 {
		m["line"] = strconv.Itoa(d.Rule.Line)
	}
	if r.Addr.IsValid() {
		m["addr"] = r.Addr.Unmap().String()
	}
	if r.Action == policy.ActionQuery {
		m["query_type"] = string(r.QueryType)
		if r.TimeRange != (protocol.TimeRange{}) {
			m["range_start"] = r.TimeRange.Start.String()
			m["range_end"] = r.TimeRange.End.String()
		}
	}
	if d.Allowed && r.Action != policy.ActionConnect && r.Action != policy.ActionWitness {
		m["level"] = d.Level.String()
		if d.Level == protocol.LevelAggregated {
			m["min_contributors"] = strconv.Itoa(d.MinContributors)
		}
	}
	return m
}
