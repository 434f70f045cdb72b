package v1

import (
	"time"

	"github.com/caro-mesh/caro-node/protocol"
)

// PolicyFile is the body of POST /api/v1/policy/diff: a configuration file whose policy is tried out.
type PolicyFile struct {
	Name string `json:"name" minLength:"1" maxLength:"4096" doc:"how faults name it"`
	Text string `json:"text" maxLength:"1048576" doc:"its content"`
	// Bundle is nil for the accepted bundle.
	Bundle *string `json:"bundle,omitempty" maxLength:"65536" doc:"the signed bundle of an organisation that would be accepted; empty for none; absent for the one that is accepted"`
}

// PolicyReplayRequest is the body of POST /api/v1/policy/replay.
type PolicyReplayRequest struct {
	PolicyFile
	Days int `json:"days" minimum:"1" maximum:"36500" doc:"how many days back recorded queries are put to the policy"`
}

// PolicyDiff is the answer of POST /api/v1/policy/diff: what would change.
type PolicyDiff struct {
	SchemaVersion int                 `json:"schema_version"`
	File          string              `json:"file"`
	Changes       []PolicyRightChange `json:"changes" doc:"known nodes first, then those that rules name, subnets, any other node, and what holds for everybody"`
}

// PolicyRightChange is one thing that somebody would gain or lose.
type PolicyRightChange struct {
	Subject    string          `json:"subject" doc:"whom it is about, for people"`
	NodeID     protocol.NodeID `json:"node_id,omitempty" doc:"absent for subnets and everybody"`
	Address    string          `json:"address,omitempty" doc:"where the node is connected from, or one of the subnet"`
	Right      string          `json:"right" doc:"connect, summaries, query:<type>, max_history_days, queries_per_hour, category:<category>, min_contributors or share_event_count"`
	Before     string          `json:"before"`
	After      string          `json:"after"`
	Gains      bool            `json:"gains" doc:"the subject gets more than before"`
	RuleBefore Rule            `json:"rule_before"`
	RuleAfter  Rule            `json:"rule_after"`
}

// PolicyReplay is the answer of POST /api/v1/policy/replay.
type PolicyReplay struct {
	SchemaVersion int                  `json:"schema_version"`
	File          string               `json:"file"`
	Since         time.Time            `json:"since"`
	Queries       int                  `json:"queries" doc:"recorded queries that were put to the policy"`
	Same          int                  `json:"same" doc:"that it decides as they were"`
	Unreadable    int                  `json:"unreadable" doc:"records that do not tell what was asked"`
	Changes       []PolicyReplayChange `json:"changes"`
}

// PolicyReplayChange groups queries that the policy would have decided differently, and in the same way.
type PolicyReplayChange struct {
	NodeID      protocol.NodeID      `json:"node_id"`
	Fingerprint protocol.Fingerprint `json:"fingerprint"`
	Name        string               `json:"name,omitempty"`
	QueryType   protocol.QueryType   `json:"query_type"`
	Was         string               `json:"was" enum:"denied,summarized,aggregated"`
	Would       string               `json:"would" enum:"denied,summarized,aggregated"`
	RuleWas     Rule                 `json:"rule_was"`
	RuleWould   Rule                 `json:"rule_would"`
	Reason      string               `json:"reason" doc:"what the peer would have been told"`
	Count       int                  `json:"count"`
	First       time.Time            `json:"first"`
	Last        time.Time            `json:"last"`
}

// PolicyPreview is the answer of GET /api/v1/policy/preview: exactly what one peer would get now. Nothing is sent.
type PolicyPreview struct {
	SchemaVersion int                  `json:"schema_version"`
	NodeID        protocol.NodeID      `json:"node_id"`
	Fingerprint   protocol.Fingerprint `json:"fingerprint"`
	Name          string               `json:"name,omitempty"`
	Address       string               `json:"address,omitempty" doc:"that subnet rules see; absent when none is known"`
	Trust         protocol.TrustLevel  `json:"trust" enum:"untrusted,share_to,query_from,peer,supervisor"`
	TimeRange     protocol.TimeRange   `json:"time_range" doc:"that the queries are about"`
	Connect       PolicyDecision       `json:"connect"`
	Push          PolicyDecision       `json:"push" doc:"whether it gets this node's summaries"`
	Summaries     []PreviewedSummary   `json:"summaries" doc:"those that it would be pushed: of the last week, not yet acknowledged"`
	Answers       []PreviewedAnswer    `json:"answers" doc:"one for each query type"`
}

// PolicyDecision is a decision with its rule.
type PolicyDecision struct {
	Allowed bool   `json:"allowed"`
	Rule    Rule   `json:"rule"`
	Reason  string `json:"reason" doc:"as the peer would read it"`
}

// PreviewedSummary is a summary that would leave.
type PreviewedSummary struct {
	ID     string          `json:"id"`
	Period protocol.Period `json:"period"`
	Wire   []byte          `json:"wire" doc:"exactly the bytes that would leave"`
	Text   string          `json:"text" doc:"wire in CBOR diagnostic notation (RFC 8949, section 8)"`
}

// PreviewedAnswer is what one type of query would be answered with.
type PreviewedAnswer struct {
	QueryType protocol.QueryType      `json:"query_type"`
	Decision  PolicyDecision          `json:"decision"`
	Level     string                  `json:"level,omitempty" enum:"summarized,aggregated" doc:"absent for a denial"`
	Status    protocol.ResponseStatus `json:"status"`
	Reason    string                  `json:"reason,omitempty"`
	Wire      []byte                  `json:"wire" doc:"the bytes that would leave; only query ID, times and signature would be others"`
	Text      string                  `json:"text" doc:"wire in CBOR diagnostic notation (RFC 8949, section 8)"`
}
