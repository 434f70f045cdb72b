package config

import "github.com/spf13/pflag"

// AddFlags defines a flag for each setting that is one value or a plain list: network.allow_public becomes
// --network-allow-public. Tables (policy.nodes, policy.subnets) have none.
func AddFlags(f *pflag.FlagSet) {
	d := Default()
	f.String("node-name", d.Node.Name, "name shown to peers")
	f.StringSlice("network-listen", d.Network.Listen, "multiaddrs on which the mesh listens")
	f.StringSlice("network-static-peers", nil, "multiaddrs of peers to keep connected")
	f.Bool("network-mdns", d.Network.MDNS, "find nodes of the local network, and be found (multicast DNS)")
	f.Bool("network-allow-public", d.Network.AllowPublic, "allow addresses outside loopback, link-local and private ranges")
	f.String("api-listen", d.API.Listen, "loopback address of the local API and page; empty: unix socket only")
	f.StringSlice("observer-ignore", nil, "glob patterns over command or folder that are never recorded")
	f.Bool("observer-redact", d.Observer.Redact, "replace secrets before storage")
	f.String("policy-max-level", d.Policy.MaxLevel, "the most that may leave: raw (nothing), aggregated, summarized")
	f.String("policy-default-trust", d.Policy.DefaultTrust, "what a node is called that no rule names")
	f.Int("policy-min-contributors", d.Policy.MinContributors, "least number of nodes in an aggregated answer")
	f.Bool("policy-share-event-count", d.Policy.ShareEventCount, "tell the whole mesh how many commands the last 24 hours had")
	f.StringSlice("policy-query-types", nil, "types of query that are answered; empty: all")
	f.Int("policy-max-history-days", d.Policy.MaxHistoryDays, "how many days back a query may begin; 0: no limit")
	f.Int("policy-queries-per-hour", d.Policy.QueriesPerHour, "how many queries one peer may have answered in an hour")
	f.StringSlice("policy-allowed-categories", nil, "categories that may leave; empty: all")
	f.StringSlice("policy-denied-categories", nil, "categories that never leave")
	f.Int("storage-events-days", d.Storage.EventsDays, "days to keep commands")
	f.Int("storage-summaries-days", d.Storage.SummariesDays, "days to keep summaries")
	f.Int("storage-audit-days", d.Storage.AuditDays, "days for which audit records are kept; what is removed is signed for")
	f.String("log-level", d.Log.Level, "debug, info, warn or error")
	f.String("log-format", d.Log.Format, "auto, text or json")
}
