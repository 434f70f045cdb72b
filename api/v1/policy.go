package v1

import (
	"time"

	"github.com/caro-mesh/caro-node/protocol"
)

// Rule names the rule that decided, and where it stands.
type Rule struct {
	Name   string `json:"name" doc:"default_trust, node bob, subnet 10.0.1.0/24, deny, max_level, …"`
	Source string `json:"source" doc:"default, config.toml or run time"`
	Line   int    `json:"line,omitempty" doc:"line in the source; absent when unknown"`
}

// Policy is the answer of GET /api/v1/policy: everything that decides about what leaves this node.
type Policy struct {
	SchemaVersion     int                        `json:"schema_version"`
	MaxLevel          protocol.DataLevel         `json:"max_level" enum:"raw,summarized,aggregated" doc:"caps everything: raw shares nothing, aggregated shares sums over many nodes only"`
	DefaultTrust      protocol.TrustLevel        `json:"default_trust" enum:"untrusted,share_to,query_from,peer,supervisor"`
	MinContributors   int                        `json:"min_contributors" doc:"least number of nodes in an aggregated answer"`
	QueryTypes        []protocol.QueryType       `json:"query_types" doc:"types of query that are answered to anybody; a rule may allow a node fewer"`
	MaxHistoryDays    int                        `json:"max_history_days" doc:"how many days back a query may begin; 0 sets no limit"`
	QueriesPerHour    int                        `json:"queries_per_hour" doc:"how many queries one peer may have answered in an hour"`
	ShareEventCount   bool                       `json:"share_event_count" doc:"health statuses tell the whole mesh how many commands the last 24 hours had"`
	AllowedCategories []protocol.CommandCategory `json:"allowed_categories" doc:"empty allows every category"`
	DeniedCategories  []protocol.CommandCategory `json:"denied_categories" doc:"beats allowed_categories"`
	Rules             []PolicyRule               `json:"rules" doc:"in the order in which they are tried"`
}

// PolicyRule is one rule as people read it.
type PolicyRule struct {
	Rule
	Kind  string `json:"kind" doc:"deny, node, rotation, subnet, default or cap"`
	Match string `json:"match" doc:"the node ID, subnet or * that it is about"`
	Trust string `json:"trust,omitempty" doc:"trust level or deny; absent for a cap or a rotation"`
	Note  string `json:"note,omitempty" doc:"name of the node, or what a cap or a rotation does"`
}

// PolicyCheck is what "caro-node policy check" finds in a file.
type PolicyCheck struct {
	SchemaVersion int             `json:"schema_version"`
	File          string          `json:"file"`
	OK            bool            `json:"ok" doc:"nothing was found"`
	Findings      []PolicyFinding `json:"findings"`
}

// PolicyFinding is one thing that is wrong with a file.
type PolicyFinding struct {
	Kind string `json:"kind" enum:"fault,unreachable,contradiction" doc:"with a fault the file is refused; the others are hardly meant"`
	File string `json:"file"`
	Line int    `json:"line,omitempty" doc:"absent when unknown"`
	Text string `json:"text"`
}

// PolicyState tells which policy is in force and whether it is the one that was read last.
type PolicyState struct {
	Source   string        `json:"source" doc:"the file that it was read from; empty: defaults"`
	LoadedAt time.Time     `json:"loaded_at"`
	Tests    int           `json:"tests" doc:"how many tests it keeps"`
	Error    string        `json:"error,omitempty" doc:"why the last attempt to reload it failed; the policy before is in force then"`
	FailedAt *time.Time    `json:"failed_at,omitempty"`
	Bundle   *PolicyBundle `json:"bundle,omitempty" doc:"the organisation's policy that was accepted; absent when there is none"`
}

// PolicyBundle is an organisation's signed policy.
type PolicyBundle struct {
	Name        string    `json:"name" doc:"of the organisation"`
	Version     uint64    `json:"version"`
	Fingerprint string    `json:"fingerprint" doc:"of the organisation's key"`
	Issued      time.Time `json:"issued"`
	Expires     time.Time `json:"expires" doc:"from then on it gives nothing, and goes on capping"`
}

// PolicyReload is the answer of POST /api/v1/policy/reload: the policy that is in force from now on.
type PolicyReload struct {
	SchemaVersion int                    `json:"schema_version"`
	Source        string                 `json:"source"`
	Rules         int                    `json:"rules"`
	Tests         int                    `json:"tests" doc:"tests of the policy, all kept"`
	Kept          int                    `json:"kept" doc:"connections that go on untouched"`
	Cut           []protocol.Fingerprint `json:"cut" doc:"peers that may not connect any more, and were told goodbye"`
	NeedRestart   []string               `json:"need_restart" doc:"other sections of the configuration that changed; they count from the next start on"`
}
