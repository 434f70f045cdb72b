package audit

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/caro-mesh/caro-node/policy"
	"github.com/caro-mesh/caro-node/protocol"
)

// Outcomes of a query, besides the level that it was answered at.
const outcomeDenied = "denied"

// Replayed groups queries of one peer that another policy would have decided differently, and in the same way.
type Replayed struct {
	Peer      protocol.NodeID
	QueryType protocol.QueryType
	// Was and Would are "denied", or the level at which the query may be answered.
	Was, Would string
	RuleWas    policy.Rule
	RuleWould  policy.Rule
	Reason     string // of the other policy
	Count      int
	First      time.Time
	Last       time.Time
}

// Replay puts recorded queries to another policy, each at the time at which it was asked. Records are added from the
// oldest to the newest, because limits look back.
type Replay struct {
	engine *policy.Engine
	tally  Tally
	groups map[Replayed]*Replayed // by what they have in common

	Queries    int // that were put to the policy
	Same       int // that it decides as they were
	Unreadable int // records that do not tell what was asked
}

// NewReplay begins a replay to engine.
func NewReplay(engine *policy.Engine) *Replay {
	return &Replay{engine: engine, groups: make(map[Replayed]*Replayed)}
}

// Add puts one recorded query to the policy. Records of other types are passed over.
func (p *Replay) Add(r Record) {
	if r.Type != protocol.AuditQueryReceived || r.Details["action"] != string(policy.ActionQuery) {
		return
	}
	req, err := request(r)
	if err != nil {
		p.Unreadable++
		return
	}
	p.Queries++
	d := p.tally.Decide(req.Peer, req.Now, func(recent policy.Recent) policy.Decision {
		req.Recent = recent
		return p.engine.Decide(req)
	})
	was, would := outcomeDenied, outcomeDenied
	if r.Success {
		was = r.Details["level"]
	}
	if d.Allowed {
		would = d.Level.String()
	}
	if was == would {
		p.Same++
		return
	}
	line := 0
	_, _ = fmt.Sscan(r.Details["line"], &line) // absent: not known
	key := Replayed{Peer: r.Peer, QueryType: req.QueryType, Was: was, Would: would, RuleWould: d.Rule, Reason: d.Reason,
		RuleWas: policy.Rule{Name: r.Details["rule"], Source: r.Details["source"], Line: line}}
	g := p.groups[key]
	if g == nil {
		g = &Replayed{}
		*g = key
		g.First = req.Now
		p.groups[key] = g
	}
	g.Count++
	g.Last = req.Now
}

// Changes returns what the policy would have decided differently: by peer, query type and outcome.
func (p *Replay) Changes() []Replayed {
	out := make([]Replayed, 0, len(p.groups))
	for _, g := range slices.SortedFunc(maps.Values(p.groups), func(a, b *Replayed) int {
		return cmp.Or(cmp.Compare(a.Peer, b.Peer), cmp.Compare(a.QueryType, b.QueryType), cmp.Compare(a.Was, b.Was), cmp.Compare(a.Would, b.Would), a.First.Compare(b.First),
			cmp.Compare(a.RuleWould.Name, b.RuleWould.Name))
	}) {
		out = append(out, *g)
	}
	return out
}

// request reads back what [Gate.Allow] recorded of a query.
func request(r Record) (policy.Request, error) {
	q := policy.Request{Peer: r.Peer, Action: policy.ActionQuery, QueryType: protocol.QueryType(r.Details["query_type"]), Now: r.Timestamp.Time()}
	var err error
	if text := r.Details["addr"]; text != "" {
		q.Addr, err = netip.ParseAddr(text)
	}
	if text := r.Details["range_start"]; text != "" {
		err = errors.Join(err, q.TimeRange.Start.UnmarshalText([]byte(text)), q.TimeRange.End.UnmarshalText([]byte(r.Details["range_end"])))
	}
	return q, errors.Join(err, q.QueryType.Validate())
}
