package daemon

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/caro-mesh/caro-node/api"
	v1 "github.com/caro-mesh/caro-node/api/v1"
	"github.com/caro-mesh/caro-node/node"
	"github.com/caro-mesh/caro-node/node/aggregate"
	"github.com/caro-mesh/caro-node/policy"
	"github.com/caro-mesh/caro-node/policy/audit"
	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/store"
)

// queryTimeout is how long answers are waited for when the request does not say.
const queryTimeout = 2 * time.Second

// Summaries returns own and received summaries, latest period first.
func (b *backend) Summaries(ctx context.Context, f api.SummaryFilter) (v1.SummaryPage, error) {
	sf := store.SummaryFilter{Own: f.Own, Granularity: f.Granularity, Replaced: f.Replaced, Limit: f.Limit, Cursor: f.Cursor}
	if f.Node != "" {
		id, err := b.find(ctx, f.Node, false)
		if err != nil {
			return v1.SummaryPage{}, err
		}
		sf.Node = id
	}
	stored, next, err := b.d.db.Summaries(ctx, sf)
	if err != nil {
		return v1.SummaryPage{}, explain(err)
	}
	list, err := b.summaryShapes(ctx, stored)
	return v1.SummaryPage{NextCursor: next, Summaries: list}, err
}

// Summary returns one.
func (b *backend) Summary(ctx context.Context, id string) (v1.Summary, error) {
	s, err := b.d.db.Summary(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return v1.Summary{}, api.Refuse(api.ErrNotFound, "there is no summary %q (caro-node summary list shows them)", id)
	}
	if err != nil {
		return v1.Summary{}, err
	}
	list, err := b.summaryShapes(ctx, []store.StoredSummary{s})
	if err != nil {
		return v1.Summary{}, err
	}
	return list[0], nil
}

func (b *backend) summaryShapes(ctx context.Context, stored []store.StoredSummary) ([]v1.Summary, error) {
	ids := make([]string, len(stored))
	for i, s := range stored {
		ids[i] = s.Summary.ID
	}
	pushed, err := b.d.db.PushedTo(ctx, ids)
	if err != nil {
		return nil, err
	}
	out := make([]v1.Summary, len(stored))
	for i, s := range stored {
		out[i] = v1.Summary{NodeSummary: *s.Summary, Fingerprint: s.Summary.NodeID.Fingerprint(), Own: s.Own, ReceivedAt: s.ReceivedAt, ReplacedBy: s.ReplacedBy}
		for _, p := range pushed[s.Summary.ID] {
			out[i].PushedTo = append(out[i].PushedTo, p.Fingerprint())
		}
	}
	return out, nil
}

// PreviewSummary makes the summary that would be shared, without storing or sending it.
func (b *backend) PreviewSummary(ctx context.Context, g protocol.Granularity, at time.Time) (v1.SummaryPreview, error) {
	s, wire, err := b.d.mesh().PreviewSummary(ctx, g, at)
	if err != nil {
		return v1.SummaryPreview{}, err
	}
	e := b.d.mesh().Gate().Engine()
	p := v1.SummaryPreview{Summary: *s, SharedByRule: sharingRules(e), AllowedCategories: e.AllowedCategories(),
		DeniedCategories: e.DeniedCategories(), Bytes: len(wire)}
	// Shown is what a receiver would verify, not what this node claims.
	if _, err := protocol.OpenSummary(wire); err == nil {
		p.Signed = true
	}
	views, err := b.d.mesh().Peers(ctx)
	if err != nil {
		return v1.SummaryPreview{}, err
	}
	for _, v := range views {
		d := b.d.mesh().Gate().Peek(policy.Request{Peer: v.ID, Addr: v.IP, Action: policy.ActionReceiveSummary, Now: b.d.c.Now()})
		if d.Allowed {
			p.SharedWith = append(p.SharedWith, v1.Recipient{NodeID: v.ID, Name: v.Name, Trust: d.Trust})
		}
	}
	return p, nil
}

// sharingRules returns the rules that let nodes get summaries without naming them.
func sharingRules(e *policy.Engine) []v1.SharingRule {
	var out []v1.SharingRule
	if e.MaxLevel() != protocol.LevelSummarized {
		return out
	}
	for _, r := range e.Rules() {
		var trust protocol.TrustLevel
		if r.Kind != policy.KindSubnet && r.Kind != policy.KindDefault || r.OverriddenBy != "" || trust.UnmarshalText([]byte(r.Trust)) != nil {
			continue // a subnet that is denied has no trust level
		}
		if trust == protocol.TrustShareTo || trust == protocol.TrustPeer {
			out = append(out, v1.SharingRule{Rule: ruleShape(r.Rule), Match: r.Match, Trust: trust})
		}
	}
	return out
}

// Query asks the mesh.
func (b *backend) Query(ctx context.Context, q v1.QueryRequest) (v1.QueryResult, error) {
	done, err := b.d.use()
	if err != nil {
		return v1.QueryResult{}, err
	}
	defer done()
	timeout := time.Duration(q.TimeoutMS) * time.Millisecond
	if timeout == 0 {
		timeout = queryTimeout
	}
	r, err := b.d.mesh().Ask(ctx, node.Question{Type: q.QueryType, Range: *q.TimeRange, Filters: q.Filters, Timeout: timeout})
	var bad *aggregate.FilterError
	if errors.As(err, &bad) {
		return v1.QueryResult{}, api.Refuse(api.ErrInvalid, "%w", err)
	}
	if err != nil {
		return v1.QueryResult{}, err
	}
	out := v1.QueryResult{QueryID: r.QueryID, QueryType: q.QueryType, Status: r.Status, Contributors: r.Contributors,
		TimeRange: *q.TimeRange, TookMS: float64(r.Took) / float64(time.Millisecond)}
	if r.Status == protocol.StatusSuccess {
		out.Data = dataShape(r)
	}
	for _, o := range r.Outcomes {
		out.Coverage.Add(v1.NodeOutcome{Fingerprint: o.Node.Fingerprint(), Name: o.Name, Outcome: v1.Outcome(o.Outcome), Reason: o.Reason})
	}
	return out, nil
}

// dataShape computes what people read from exact sums: here, once, at the end.
func dataShape(r *node.Result) v1.Data {
	if len(r.Health) > 0 {
		return healthShape(r.Health)
	}
	switch d := r.Data; {
	case d == nil:
		return nil
	case d.ToolUsage != nil:
		return usageShape(d.ToolUsage)
	case d.Safety != nil:
		return safetyShape(d.Safety)
	case d.Activity != nil:
		return activityShape(d.Activity)
	case d.Anomalies != nil:
		return anomaliesShape(d.Anomalies)
	}
	return nil
}

func usageShape(u *protocol.ToolUsage) *v1.ToolUsage {
	out := &v1.ToolUsage{ByCategory: make(map[protocol.CommandCategory]v1.CategoryUsage, len(u.ByCategory)), TotalCommands: u.TotalCommands, TimeRange: u.TimeRange}
	for _, c := range u.ByCategory {
		out.ByCategory[c.Category] = v1.CategoryUsage{Count: c.Count, NodeCount: c.NodeCount,
			AvgDurationMS: protocol.Ratio(c.DurationMSSum, c.TimedCount), FailureRate: protocol.Ratio(c.FailureCount, c.Count)}
	}
	return out
}

func safetyShape(s *protocol.SafetySums) *v1.SafetyPosture {
	assessed := s.ByRisk.Total()
	return &v1.SafetyPosture{BlockedCount: s.BlockedCount, ConfirmedRisky: s.ConfirmedRisky, TotalCommands: s.TotalCommands,
		Coverage: aggregate.Percent(assessed, s.TotalCommands),
		RiskDistribution: v1.RiskDistribution{Safe: aggregate.Percent(s.ByRisk.Safe, assessed), Moderate: aggregate.Percent(s.ByRisk.Moderate, assessed),
			High: aggregate.Percent(s.ByRisk.High, assessed), Critical: aggregate.Percent(s.ByRisk.Critical, assessed)}}
}

func activityShape(a *protocol.ActivitySums) *v1.ActivityPatterns {
	return &v1.ActivityPatterns{HourlyPattern: [24]float64(aggregate.Normalise(a.Hourly[:])), DailyPattern: [7]float64(aggregate.Normalise(a.Daily[:])),
		PeakHours: aggregate.Peaks(a.Hourly[:]), ActiveNodes: a.ActiveNodes}
}

func anomaliesShape(a *protocol.Anomalies) *v1.Anomalies {
	out := &v1.Anomalies{}
	for _, x := range a.Items {
		out.Anomalies = append(out.Anomalies, v1.Anomaly{AnomalyType: x.Type, Severity: x.Severity, NodeFingerprint: x.NodeFingerprint,
			DetectedAt: x.DetectedAt.Time(), Description: x.Description})
	}
	return out
}

func healthShape(nodes []protocol.NodeHealth) *v1.NodeHealth {
	out := &v1.NodeHealth{}
	for _, h := range nodes {
		out.Nodes = append(out.Nodes, v1.NodeState{Fingerprint: h.Fingerprint, Online: h.Online, LastSeen: h.LastSeen.Time(),
			ProtocolVersion: h.ProtocolVersion, UptimeSeconds: h.UptimeSeconds, EventCount24h: h.EventCount24h})
	}
	return out
}

// Audit returns records of the audit chain; the cursor is the sequence after or before which the page begins.
func (b *backend) Audit(ctx context.Context, f api.AuditFilter) (v1.AuditPage, error) {
	af := store.AuditFilter{Types: f.Types, Limit: f.Limit + 1, NewestFirst: !f.Ascending}
	if f.Peer != "" {
		id, err := b.find(ctx, f.Peer, false)
		if err != nil {
			return v1.AuditPage{}, err
		}
		af.Peer = id
	}
	if f.Cursor != "" {
		n, err := strconv.ParseUint(f.Cursor, 10, 63)
		if err != nil {
			return v1.AuditPage{}, api.Refuse(api.ErrInvalid, "%q is not a cursor of this list; leave it out to start at the beginning", f.Cursor)
		}
		if f.Ascending {
			af.After = n
		} else {
			af.Before = n
		}
	}
	records, err := b.d.db.AuditRecords(ctx, af)
	if err != nil {
		return v1.AuditPage{}, explain(err)
	}
	var page v1.AuditPage
	if len(records) > f.Limit {
		records = records[:f.Limit]
		page.NextCursor = strconv.FormatUint(records[f.Limit-1].Sequence, 10)
	}
	names, err := b.names(ctx)
	if err != nil {
		return v1.AuditPage{}, err
	}
	for _, r := range records {
		page.Records = append(page.Records, recordShape(r, names))
	}
	return page, nil
}

func (b *backend) names(ctx context.Context) (map[protocol.NodeID]string, error) {
	views, err := b.d.mesh().Peers(ctx)
	if err != nil {
		return nil, err
	}
	names := make(map[protocol.NodeID]string, len(views))
	for _, v := range views {
		names[v.ID] = v.Name
	}
	return names, nil
}

func recordShape(r audit.Record, names map[protocol.NodeID]string) v1.AuditRecord {
	return v1.AuditRecord{ID: r.ID, Sequence: r.Sequence, Timestamp: r.Timestamp.Time(), EventType: r.Type, Peer: r.Peer,
		Fingerprint: r.Peer.Fingerprint(), Name: names[r.Peer], Details: r.Details, Success: r.Success,
		PrevHash: r.PrevHash.String(), Hash: r.Hash.String()}
}

// VerifyAudit checks the whole chain.
func (b *backend) VerifyAudit(ctx context.Context) (v1.AuditVerification, error) {
	v, _, err := b.d.db.VerifyLog(ctx, audit.Remembered{Key: b.d.mesh().Identity().NodeID})
	if err != nil {
		return v1.AuditVerification{}, err
	}
	return VerificationShape(v), nil
}

// VerificationShape is the document of a verification, for the API and the command line alike.
func VerificationShape(v audit.Verification) v1.AuditVerification {
	return v1.AuditVerification{SchemaVersion: v1.SchemaVersion, OK: v.OK, Entries: v.Entries, FirstBad: v.FirstBad, Reason: v.Reason, Head: v.Head.String(),
		Pruned: v.Pruned, Checkpoints: v.Checkpoints, Signed: v.Signed}
}

// WitnessShapes lists who vouches for a log.
func WitnessShapes(list []audit.Vouched) []v1.AuditWitness {
	out := make([]v1.AuditWitness, len(list))
	for i, w := range list {
		out[i] = v1.AuditWitness{NodeID: w.Witness, Fingerprint: w.Witness.Fingerprint(), Entries: w.Entries, CosignedAt: &w.At}
	}
	return out
}
