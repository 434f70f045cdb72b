package node

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"sort"
	"time"

	"github.com/google/uuid"

	"github.com/caro-mesh/caro-node/policy"
	"github.com/caro-mesh/caro-node/policy/audit"
	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/store"
)

// ComparePolicy tells who would gain and who would lose what if doc took the place of the document in force: every known
// node where it is connected from, every node and subnet that a rule names, and everybody else.
func (n *Node) ComparePolicy(ctx context.Context, doc policy.Document) ([]policy.Change, error) {
	after, err := n.compileDocument(ctx, doc)
	if err != nil {
		return nil, err
	}
	before := n.gate.Engine()
	views, err := n.Peers(ctx)
	if err != nil {
		return nil, err
	}
	known := make([]policy.Subject, 0, len(views))
	names := make(map[protocol.NodeID]string)
	for _, r := range doc.Nodes {
		names[protocol.NodeID(r.ID)] = r.Name
	}
	for _, v := range views {
		if v.Name != "" {
			names[v.ID] = v.Name
		}
		known = append(known, policy.Subject{Peer: v.ID, Addr: v.IP})
	}
	return policy.Compare(before, after, policy.SubjectsAmong(known, names, before, after), n.c.Now()), nil
}

// replayPage is how many audit records are held at once.
const replayPage = 1000

// ReplayPolicy puts the queries that were recorded since then to doc.
func (n *Node) ReplayPolicy(ctx context.Context, doc policy.Document, since time.Time) (*audit.Replay, error) {
	engine, err := n.compileDocument(ctx, doc)
	if err != nil {
		return nil, err
	}
	after, err := n.recordBefore(ctx, since)
	if err != nil {
		return nil, err
	}
	replay := audit.NewReplay(engine)
	for {
		records, err := n.c.Store.AuditRecords(ctx, store.AuditFilter{Types: []protocol.AuditEventType{protocol.AuditQueryReceived}, After: after, Limit: replayPage})
		if err != nil {
			return nil, err
		}
		for _, r := range records {
			replay.Add(r)
			after = r.Sequence
		}
		if len(records) < replayPage {
			return replay, nil
		}
	}
}

// recordBefore returns a sequence after which every record of that time or later comes. It looks for the time in the
// whole log by halves, because an index by time would cost each record.
func (n *Node) recordBefore(ctx context.Context, since time.Time) (uint64, error) {
	last, err := n.c.Store.AuditRecords(ctx, store.AuditFilter{NewestFirst: true, Limit: 1})
	if err != nil || len(last) == 0 {
		return 0, err
	}
	at := sort.Search(int(last[0].Sequence), func(sequence int) bool {
		next, e := n.c.Store.AuditRecords(ctx, store.AuditFilter{After: uint64(sequence), Limit: 1})
		if e != nil {
			err = e
			return true
		}
		return len(next) == 0 || !next[0].Timestamp.Time().Before(since)
	})
	return uint64(at), err
}

// Preview is what one peer would get now.
type Preview struct {
	Peer    PeerView
	Connect policy.Decision
	// Summaries would be pushed as soon as the peer is connected, if Push allows it: those that it has not acknowledged.
	Push      policy.Decision
	Summaries []store.StoredSummary
	Answers   []PreviewedAnswer
}

// PreviewedAnswer is what one query would be answered with.
type PreviewedAnswer struct {
	QueryType protocol.QueryType
	Decision  policy.Decision
	Response  *protocol.MeshResponse
	Wire      []byte // what would leave: only its query ID and times would be others
}

// Preview makes what a peer would get now, if it asked about r without filters, and tells nobody: nothing is sent,
// recorded or counted against its limit.
func (n *Node) Preview(ctx context.Context, id protocol.NodeID, r protocol.TimeRange) (p Preview, err error) {
	views, err := n.Peers(ctx)
	if err != nil {
		return p, err
	}
	p.Peer = n.view(id, netip.Addr{})
	if i := slices.IndexFunc(views, func(v PeerView) bool { return v.ID == id }); i >= 0 {
		p.Peer = views[i]
	}
	request := policy.Request{Peer: id, Addr: p.Peer.IP, Action: policy.ActionConnect, Now: n.c.Now()}
	p.Connect = n.gate.Peek(request)
	request.Action = policy.ActionReceiveSummary
	p.Push = n.gate.Peek(request)
	if p.Push.Allowed {
		waiting, err := n.c.Store.UnpushedSummaries(ctx, id, n.c.Now().Add(-pushHistory))
		if err != nil {
			return p, err
		}
		engine := n.gate.Engine()
		p.Summaries = slices.DeleteFunc(waiting, func(s store.StoredSummary) bool {
			return !allAllowed(s.Summary, engine) || n.publisher.wasRefused(id, s.Summary.ID)
		})
	}
	for _, q := range protocol.QueryTypes() {
		a, err := n.answerer.preview(ctx, request, q, r)
		if err != nil {
			return p, fmt.Errorf("preview %s: %w", q, err)
		}
		p.Answers = append(p.Answers, a)
	}
	return p, nil
}

// preview answers a query that nobody has put.
func (a *answerer) preview(ctx context.Context, from policy.Request, qt protocol.QueryType, r protocol.TimeRange) (PreviewedAnswer, error) {
	from.Action, from.QueryType, from.TimeRange = policy.ActionQuery, qt, r
	d := a.gate.Peek(from)
	q := &protocol.MeshQuery{QueryID: uuid.NewString(), Requester: from.Peer, QueryType: qt, TimeRange: r}
	res := &protocol.MeshResponse{QueryID: q.QueryID, Responder: a.key.NodeID(), Timestamp: protocol.At(from.Now)}
	if !d.Allowed {
		res.Status, res.Reason = protocol.StatusAccessDenied, clip(d.Reason, protocol.MaxReason)
	} else if err := a.fill(ctx, res, q, d); err != nil {
		return PreviewedAnswer{}, err
	}
	wire, err := protocol.SignResponse(res, a.key, from.Now)
	return PreviewedAnswer{QueryType: qt, Decision: d, Response: res, Wire: wire}, err
}
