package config

import (
	"reflect"
	"slices"

	"github.com/caro-mesh/caro-node/policy"
	"github.com/caro-mesh/caro-node/policy/bundle"
)

// Config is everything a person can set. The zero value is not usable: start from [Default].
type Config struct {
	Node     Node
	Network  Network
	API      API
	Observer Observer
	Policy   policy.Document
	Storage  Storage
	Log      Log
	// Source is the file that was read, empty when there was none.
	Source string
	// Bundle is the organisation's policy that the user has accepted, and Policy is what both make; nil when there is none.
	Bundle *bundle.Bundle
	own    policy.Document // the user's alone, with a Bundle
}

// Node describes this node to its peers.
type Node struct {
	Name string // display name, shown to peers; empty shares none
}

// Network says where the node listens and whom it reaches.
type Network struct {
	Listen      []string // multiaddrs; default loopback only
	StaticPeers []string // multiaddrs ending in /p2p/<peer ID>
	MDNS        bool     // look for peers on the LAN; this version refuses true
	AllowPublic bool     // allow addresses outside loopback, link-local and private ranges
}

// API says where the local API listens besides its unix socket.
type API struct {
	Listen string // host:port on loopback; empty: unix socket only
}

// Observer says what is recorded.
type Observer struct {
	Ignore []string // glob patterns over command or folder that are never recorded
	Redact bool     // replace secrets before storage
	Guard  string   // whether `shell init` adds the guard by default: "off", "on"
}

// Storage says how long things are kept, in days: events by whole weeks, own summaries for 54 weeks at least, audit records
// with their receipts.
type Storage struct {
	EventsDays, SummariesDays, AuditDays int
}

// Log says what is logged to stderr, and how.
type Log struct {
	Level  string // debug, info, warn, error
	Format string // auto (text on a terminal, else JSON), text, json
}

// Differences names the sections, besides the policy, in which two configurations differ.
func (c Config) Differences(other Config) []string {
	var out []string
	for name, equal := range map[string]bool{
		"node": c.Node == other.Node, "network": reflect.DeepEqual(c.Network, other.Network), "api": c.API == other.API,
		"observer": reflect.DeepEqual(c.Observer, other.Observer), "storage": c.Storage == other.Storage, "log": c.Log == other.Log,
	} {
		if !equal {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// Default returns the settings of a node without a file: it shares nothing and listens on loopback only.
func Default() Config {
	return Config{
		Network:  Network{Listen: []string{"/ip4/127.0.0.1/tcp/9238"}},
		API:      API{Listen: "127.0.0.1:9237"},
		Observer: Observer{Redact: true, Guard: "off"},
		Policy: policy.Document{MaxLevel: "summarized", DefaultTrust: "untrusted", MinContributors: policy.DefaultMinContributors,
			QueriesPerHour: policy.DefaultQueriesPerHour},
		Storage: Storage{EventsDays: 30, SummariesDays: 365, AuditDays: 730},
		Log:     Log{Level: "info", Format: "auto"},
	}
}
