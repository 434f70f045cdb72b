package policy

import (
	"time"

	"github.com/caro-mesh/caro-node/protocol"
)

// Document is the [policy] table of the configuration as a person wrote it: names are still text, and the empty
// value of a field means that it was not written, so the default holds. [Document.Validate] checks it, [New] compiles it.
type Document struct {
	// MaxLevel caps everything: "raw" shares nothing, "aggregated" L2 only, "summarized" (the default) L1 and L2.
	MaxLevel string `toml:"max_level"`
	// DefaultTrust is the trust level of a node that no other rule names. Default "untrusted".
	DefaultTrust string `toml:"default_trust"`
	// MinContributors is the least number of nodes in an aggregated answer, from 2 to protocol.MaxContributors.
	// Default [DefaultMinContributors].
	MinContributors int `toml:"min_contributors"`
	// AllowedCategories are the command categories that may leave; empty allows all. "other" covers every "other:<tool>".
	AllowedCategories []string `toml:"allowed_categories"`
	// DeniedCategories never leave and beat allowed ones; "other" covers every "other:<tool>".
	DeniedCategories []string `toml:"denied_categories"`
	// ShareEventCount lets health statuses tell how many commands the last 24 whole hours had, without denied categories.
	// Statuses are relayed to the whole mesh, supervisors included; nothing says who will read them. Default false. It
	// counts only with max_level summarized.
	ShareEventCount bool `toml:"share_event_count"`
	// QueryTypes are the types of query that are answered at all; empty answers all.
	QueryTypes []string `toml:"query_types"`
	// MaxHistoryDays is how many days back a query may begin, from 1 to [MaxHistoryDays]; 0 (the default) sets no limit.
	// What a health answer counts, the last 24 hours, is not asked back.
	MaxHistoryDays int `toml:"max_history_days"`
	// QueriesPerHour is how many queries one peer may have answered within an hour, from 1 to [MaxQueriesPerHour], and
	// [BurstOf] it within six minutes. Default [DefaultQueriesPerHour].
	QueriesPerHour int          `toml:"queries_per_hour"`
	Nodes          []NodeRule   `toml:"nodes"`
	Subnets        []SubnetRule `toml:"subnets"`
	Tests          []Test       `toml:"tests"`
	// Ceilings bound what single nodes get, whoever grants it: an organisation's word about its supervisors.
	Ceilings []Ceiling `toml:"-"`

	// Source names the file that the rules stand in; empty means "config.toml".
	Source string `toml:"-"`
	// Origins says where single keys stand (by their TOML name), when known: the line, and a source other than Source,
	// such as an environment variable that overrode the file.
	Origins map[string]Origin `toml:"-"`
}

// Origin is a place that a setting came from.
type Origin struct {
	Source string // "" means the document's
	Line   int    // from 1, 0 when unknown
}

// NodeRule is one [[policy.nodes]] entry: it grants a trust level, or denies everything.
type NodeRule struct {
	ID    string `toml:"id"`
	Trust string `toml:"trust"` // may be left out with Deny
	Name  string `toml:"name"`  // a word for people, unverified
	Deny  bool   `toml:"deny"`
	// What narrows the limits of everybody for this node; empty and 0 leave them as they are. It holds as well while a
	// grant made at run time replaces Trust, and for the keys that the node changes to.
	QueryTypes     []string `toml:"query_types"`
	MaxHistoryDays int      `toml:"max_history_days"`
	QueriesPerHour int      `toml:"queries_per_hour"`

	Line   int    `toml:"-"` // of the entry's header, 0 when unknown
	Source string `toml:"-"` // where the entry stands, when that is not the document's source
	// Yields lets the entry of the node's subnet take away: its deny wins, and so do its limits.
	Yields bool `toml:"-"`
}

// SubnetRule is one [[policy.subnets]] entry: what a node connected from inside CIDR is called, unless a rule names it.
type SubnetRule struct {
	CIDR  string `toml:"cidr"`
	Trust string `toml:"trust"` // may be left out with Deny
	Deny  bool   `toml:"deny"`
	// As in [NodeRule], for nodes for which this entry decides. The limit on queries counts for each node by itself.
	QueryTypes     []string `toml:"query_types"`
	MaxHistoryDays int      `toml:"max_history_days"`
	QueriesPerHour int      `toml:"queries_per_hour"`

	Line   int    `toml:"-"` // of the entry's header, 0 when unknown
	Source string `toml:"-"` // where the entry stands, when that is not the document's source
}

func (n NodeRule) narrowing() narrowing {
	return narrowing{n.QueryTypes, n.MaxHistoryDays, n.QueriesPerHour}
}

func (n SubnetRule) narrowing() narrowing {
	return narrowing{n.QueryTypes, n.MaxHistoryDays, n.QueriesPerHour}
}

// Grant is a trust decision made at run time (caro-node trust set, deny). It replaces the configured grant of the
// node until it is cleared; it cannot lift a configured deny.
type Grant struct {
	Node  protocol.NodeID
	Trust protocol.TrustLevel // ignored with Deny
	Deny  bool
	Name  string
	At    time.Time
}

// DefaultMinContributors is the least number of nodes in an aggregated answer when the document names none.
const DefaultMinContributors = 5
