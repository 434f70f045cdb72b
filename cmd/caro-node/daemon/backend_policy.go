package daemon

import (
	"context"
	"time"

	"github.com/caro-mesh/caro-node/api"
	v1 "github.com/caro-mesh/caro-node/api/v1"
	"github.com/caro-mesh/caro-node/policy"
	"github.com/caro-mesh/caro-node/protocol"
)

// proposed reads a policy that somebody wants to try out, under the environment and flags of this node.
func (b *backend) proposed(f v1.PolicyFile) (policy.Document, error) {
	if b.d.c.Parse == nil {
		return policy.Document{}, api.Refuse(api.ErrUnavailable, "this node was started without a configuration, and tries none out")
	}
	settings, err := b.d.c.Parse(f.Name, []byte(f.Text), f.Bundle)
	if err != nil {
		return policy.Document{}, api.Refuse(api.ErrInvalid, "%w", err)
	}
	return settings.Policy, nil
}

// DiffPolicy tells who would gain and lose what.
func (b *backend) DiffPolicy(ctx context.Context, f v1.PolicyFile) (v1.PolicyDiff, error) {
	doc, err := b.proposed(f)
	if err != nil {
		return v1.PolicyDiff{}, err
	}
	changes, err := b.d.mesh().ComparePolicy(ctx, doc)
	if err != nil {
		return v1.PolicyDiff{}, err
	}
	out := v1.PolicyDiff{File: f.Name, Changes: make([]v1.PolicyRightChange, len(changes))}
	for i, c := range changes {
		out.Changes[i] = v1.PolicyRightChange{Subject: c.Subject.Label, NodeID: c.Subject.Peer, Right: c.Right, Before: c.Before, After: c.After,
			Gains: c.Gains, RuleBefore: ruleShape(c.RuleBefore), RuleAfter: ruleShape(c.RuleAfter)}
		if c.Subject.Addr.IsValid() {
			out.Changes[i].Address = c.Subject.Addr.String()
		}
	}
	return out, nil
}

// ReplayPolicy puts the queries of the last days to a policy.
func (b *backend) ReplayPolicy(ctx context.Context, q v1.PolicyReplayRequest) (v1.PolicyReplay, error) {
	doc, err := b.proposed(q.PolicyFile)
	if err != nil {
		return v1.PolicyReplay{}, err
	}
	since := b.d.c.Now().Add(-time.Duration(q.Days) * day)
	replay, err := b.d.mesh().ReplayPolicy(ctx, doc, since)
	if err != nil {
		return v1.PolicyReplay{}, err
	}
	names, err := b.names(ctx)
	if err != nil {
		return v1.PolicyReplay{}, err
	}
	out := v1.PolicyReplay{File: q.Name, Since: since, Queries: replay.Queries, Same: replay.Same, Unreadable: replay.Unreadable}
	for _, c := range replay.Changes() {
		out.Changes = append(out.Changes, v1.PolicyReplayChange{NodeID: c.Peer, Fingerprint: c.Peer.Fingerprint(), Name: names[c.Peer], QueryType: c.QueryType,
			Was: c.Was, Would: c.Would, RuleWas: ruleShape(c.RuleWas), RuleWould: ruleShape(c.RuleWould), Reason: c.Reason, Count: c.Count, First: c.First, Last: c.Last})
	}
	return out, nil
}

// PreviewPolicy makes what a peer would get now.
func (b *backend) PreviewPolicy(ctx context.Context, node string, r protocol.TimeRange) (v1.PolicyPreview, error) {
	id, err := b.find(ctx, node, false)
	if err != nil {
		return v1.PolicyPreview{}, err
	}
	p, err := b.d.mesh().Preview(ctx, id, r)
	if err != nil {
		return v1.PolicyPreview{}, err
	}
	out := v1.PolicyPreview{NodeID: id, Fingerprint: id.Fingerprint(), Name: p.Peer.Name, Trust: p.Peer.Trust, TimeRange: r,
		Connect: decisionShape(p.Connect), Push: decisionShape(p.Push)}
	if p.Peer.IP.IsValid() {
		out.Address = p.Peer.IP.String()
	}
	for _, s := range p.Summaries {
		shown := v1.PreviewedSummary{ID: s.Summary.ID, Period: s.Summary.Period, Wire: s.Wire}
		if shown.Text, err = protocol.Diagnose(s.Wire); err != nil {
			return v1.PolicyPreview{}, err
		}
		out.Summaries = append(out.Summaries, shown)
	}
	for _, a := range p.Answers {
		shown := v1.PreviewedAnswer{QueryType: a.QueryType, Decision: decisionShape(a.Decision), Status: a.Response.Status, Reason: a.Response.Reason, Wire: a.Wire}
		if a.Decision.Allowed {
			shown.Level = a.Decision.Level.String()
		}
		if shown.Text, err = protocol.Diagnose(a.Wire); err != nil {
			return v1.PolicyPreview{}, err
		}
		out.Answers = append(out.Answers, shown)
	}
	return out, nil
}

func decisionShape(d policy.Decision) v1.PolicyDecision {
	return v1.PolicyDecision{Allowed: d.Allowed, Rule: ruleShape(d.Rule), Reason: d.Reason}
}
