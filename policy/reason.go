package policy

import "github.com/caro-mesh/caro-node/protocol"

// The reasons are constants: a decision allocates nothing, and no text of one peer, path or subnet can leak to
// another. They are read on both sides, so each says whose move it is; NODE stands for the ID of the refused peer.
const (
	reasonNoIdentity   = "the request carries no node ID, so nothing can be allowed"
	reasonNodeDenied   = `this node denies you by name; only its user can lift that ("caro-node policy show" names the rule)`
	reasonSubnetDenied = `this node denies the network that you connect from; its user can still admit you with "caro-node trust set NODE peer"`
	reasonRotated      = `this key was rotated, and the node that had it has another one now; if it is yours, start caro-node with the new key`
	reasonUntrusted    = `this node does not trust you; its user can change that with "caro-node trust set NODE peer"`
	reasonNoPush       = `this node lets you ask but does not send you its summaries; its user can change that with "caro-node trust set NODE peer"`
	reasonNoQuery      = `this node sends you its summaries but does not let you query it; its user can change that with "caro-node trust set NODE peer"`

	reasonSupervisorPush       = "a supervisor gets aggregated answers only, never the summary of a single node"
	reasonSupervisorSinglesOut = "a supervisor gets aggregated answers only, and answers to this query type name a single node"

	reasonSharesNothing = `this node shares nothing; its user can change that with max_level in the [policy] section of its configuration`
	reasonNoSummaries   = `this node shares aggregated data only, no summaries; its user can change that with max_level in the [policy] section of its configuration`
	reasonCapSinglesOut = `this node shares aggregated data only, and answers to this query type name a single node; its user can change that with max_level in the [policy] section of its configuration`
	reasonCapAggregated = "this node shares aggregated data only, so it answers only together with others"

	reasonQueryType = `this node does not answer this type of query to you; its user can change that with query_types in the [policy] section of its configuration`

	reasonUnknownAction = "this node does not know what is asked of it; the newer caro-node of the two sides knows an action that the older one lacks"
	reasonUnknownQuery  = "this node does not know the query type; the newer caro-node of the two sides knows one that the older one lacks"
)

// reasonTrusted explains an allowed request by trust level.
var reasonTrusted = [...]string{
	protocol.TrustUntrusted:  reasonUntrusted,
	protocol.TrustShareTo:    "this node trusts you as share_to",
	protocol.TrustQueryFrom:  "this node trusts you as query_from",
	protocol.TrustPeer:       "this node trusts you as peer",
	protocol.TrustSupervisor: "this node trusts you as supervisor, for aggregated answers",
}
