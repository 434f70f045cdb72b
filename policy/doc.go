// Package policy decides what may leave this node. It is pure: no clock, no files, no network, no goroutines.
//
// # The question
//
// Everything that another node wants from this one is put as a [Request]: who asks (the authenticated node ID), from
// which address, and what for (an [Action]). [Engine.Decide] answers with a [Decision]: yes or no, at which data level,
// by which [Rule], and why in one sentence. Whoever serves a peer asks first and reads data afterwards; outside tests
// and displays the question goes through audit.Gate, which records the answer as well.
//
// # Trust
//
// A trust level says what a node may get from us. The levels are sets of permissions and not a ladder:
//
//	             connect,   gets our     may query   may query our
//	             health     summaries    our L1      L2 share
//	untrusted    no         no           no          no
//	share_to     yes        yes          no          no
//	query_from   yes        no           yes         yes
//	peer         yes        yes          yes         yes
//	supervisor   yes        no           no          yes
//
// L1 is the signed summary of one node, L2 a sum over at least min_contributors nodes in which none is singled out. An
// allowed query carries the level it may be answered with: a decision for [protocol.LevelAggregated] forbids the answer
// of this node alone. Query types whose answer always names one node (anomalies, node_health) are refused at that level.
//
// Which level a node has is found in this order; the first that speaks decides:
//
//  1. a deny of the node, configured or made at run time;
//  2. a grant to the node: made at run time, else configured;
//  3. the most specific subnet rule that holds its address; a deny of the same prefix beats a grant;
//  4. default_trust, which is untrusted unless somebody wrote otherwise.
//
// So a deny of a narrow subnet beats a grant to a wider one, a grant to a narrow subnet beats a deny of a wider one, and
// neither touches a node that is named by its ID. IPv4 addresses written as IPv6 (::ffff:10.0.0.1) are IPv4 here, and a
// zone (fe80::1%eth0) is dropped. Clearing a run-time grant brings the configured one back.
//
// # Keys that were rotated
//
// A node may go on under another key ([Succession]); that it is the same node was proven before it gets here. The new key
// gets what a rule gives to the old one by its ID, unless a rule names the new one. A deny of any key of a node denies
// them all. The old key counts until its time is over, and then nothing that is said about it helps: it is denied as
// rotated. A request without a time gets neither the grace of an old key nor what a new one would inherit.
//
// # Caps
//
// max_level comes after trust and only takes away: "raw" leaves connections alone and shares nothing, "aggregated" stops
// summaries and lowers every answer to L2, "summarized" changes nothing. Categories are a matter of content, not of the
// peer: [Engine.AllowsCategory] says what must be removed from every summary and answer. A denied category beats an
// allowed one, no allowed ones means all, and "other" stands for every "other:<tool>" as well.
//
// # Limits of queries
//
// query_types, max_history_days and queries_per_hour say what a peer that may query may ask, how far back, and how often.
// An entry for a node or a subnet may narrow each for whom it decides, and never widens one. The entry of a node holds
// for it also while a grant made at run time replaces its trust, and after it changed its key. The engine counts nothing:
// a [Request] says how many queries the peer had lately, and audit.Gate counts those that were allowed.
//
// # Where rules come from
//
// A [Document] is the [policy] table as it was written; [New] checks it together with the [Grant]s made at run time and
// compiles both into an [Engine], which never changes. A new policy is a new Engine: see audit.Gate.SetEngine.
package policy
