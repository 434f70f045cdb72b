package v1

import (
	"time"

	"github.com/caro-mesh/caro-node/protocol"
)

// Summary is one signed summary (L1), own or received, exactly as it was signed, with what this node did with it.
type Summary struct {
	// NodeSummary's fields stand at the top level of the document.
	protocol.NodeSummary
	Fingerprint protocol.Fingerprint   `json:"fingerprint" doc:"of the node whose summary it is"`
	Own         bool                   `json:"own"`
	ReceivedAt  *time.Time             `json:"received_at,omitempty" doc:"absent for own summaries"`
	PushedTo    []protocol.Fingerprint `json:"pushed_to" doc:"nodes that acknowledged this own summary; empty for received ones"`
	ReplacedBy  string                 `json:"replaced_by,omitempty" doc:"ID of the correction that took its place; absent for the current one of its period"`
}

// SummaryDocument is the answer of GET /api/v1/summaries/{id}.
type SummaryDocument struct {
	SchemaVersion int `json:"schema_version"`
	Summary
}

// SummaryPage is the answer of GET /api/v1/summaries, latest period first.
type SummaryPage struct {
	SchemaVersion int       `json:"schema_version"`
	Summaries     []Summary `json:"summaries"`
	NextCursor    string    `json:"next_cursor,omitempty"`
}

// SummaryPreview is the answer of GET /api/v1/summaries/preview: what would be shared for a period, and with whom,
// before anything is. A preview is neither stored nor sent.
type SummaryPreview struct {
	SchemaVersion int                  `json:"schema_version"`
	Summary       protocol.NodeSummary `json:"summary"`
	SharedWith    []Recipient          `json:"shared_with" doc:"nodes to which the policy lets it go, connected or not"`
	// SharedByRule names the rules that let nodes get it which are not known yet.
	SharedByRule      []SharingRule              `json:"shared_by_rule" doc:"rules by which every node that they match gets it, known or not"`
	AllowedCategories []protocol.CommandCategory `json:"allowed_categories" doc:"the only categories that the policy lets into the summary; empty: all"`
	DeniedCategories  []protocol.CommandCategory `json:"denied_categories" doc:"categories that the policy keeps out of the summary"`
	Signed            bool                       `json:"signed" doc:"the summary carries a valid signature of this node"`
	Bytes             int                        `json:"bytes" doc:"size on the wire, signature included"`
}

// SharingRule is a rule that names no node and lets nodes get summaries.
type SharingRule struct {
	Rule  Rule                `json:"rule"`
	Match string              `json:"match" doc:"a subnet; * for every node"`
	Trust protocol.TrustLevel `json:"trust" enum:"untrusted,share_to,query_from,peer,supervisor"`
}

// Recipient is a node that would get a summary.
type Recipient struct {
	NodeID protocol.NodeID     `json:"node_id"`
	Name   string              `json:"name,omitempty"`
	Trust  protocol.TrustLevel `json:"trust" enum:"untrusted,share_to,query_from,peer,supervisor"`
}
