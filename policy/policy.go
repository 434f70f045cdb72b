package policy

import (
	"net/netip"
	"time"

	"github.com/caro-mesh/caro-node/protocol"
)

// Action names what a peer wants from this node.
type Action string

// Actions. ActionConnect covers the connection, Hello, Ping, health, and handing us the peer's own summaries.
const (
	ActionConnect Action = "connect"
	// ActionReceiveSummary asks whether this node's summaries may be pushed to the peer.
	ActionReceiveSummary Action = "receive_summary"
	// ActionQuery asks for an answer; the decision's Level says whether from this node alone (summarized)
	// or only together with others (aggregated).
	ActionQuery Action = "query"
)

// Request asks whether Peer may get something from this node.
type Request struct {
	Peer      protocol.NodeID
	Addr      netip.Addr // where the peer is connected from; the zero Addr matches no subnet
	Action    Action
	QueryType protocol.QueryType // with ActionQuery
	TimeRange protocol.TimeRange // with ActionQuery
	Recent    Recent             // with ActionQuery: what audit.Gate counted of this peer
	Now       time.Time
}

// Decision is the answer, with the rule that made it.
type Decision struct {
	Allowed bool
	Trust   protocol.TrustLevel
	// Level is what an allowed query may be answered with: summarized or aggregated.
	Level protocol.DataLevel
	// MinContributors is the least number of nodes in an aggregated answer.
	MinContributors int
	Rule            Rule
	// Reason is one sentence for the refused peer, the log and the audit; without secrets or other peers' names.
	Reason string
}

// Rule names the rule that decided and where it stands.
type Rule struct {
	Name   string // "default_trust", "node bob", "subnet 10.0.1.0/24", "deny", "max_level", …
	Source string // "default", "config.toml", "run time"
	Line   int    // line in Source, 0 when unknown
}
