package caronode_test

import (
	"maps"
	"runtime"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/caro-mesh/caro-node"

const (
	libp2p   = "github.com/libp2p/go-libp2p"
	network  = libp2p + "/core/network"
	pubsub   = "github.com/libp2p/go-libp2p-pubsub"
	anything = "..." // every folder of this module, except those for tests and tools
)

// layers is the table of packages of the design: what each folder owns and which of our folders it may import. Imports
// point downwards only, so that a package can be understood, tested and replaced with only what is below it in mind. A
// folder that is missing here fails the test: whoever adds one decides where it belongs.
var layers = []layer{
	{folder: "", owns: "the tests of the structure"},

	{folder: "cmd/caro-node", owns: "the command line and start-up", may: []string{anything}},
	{folder: "cmd/caro-node/config", owns: "the configuration file, environment and paths; each part checks its own settings",
		may: []string{"node/discovery/...", "node/host", "observer", "policy", "policy/bundle", "protocol"}},
	{folder: "cmd/caro-node/daemon", owns: "the parts of a running node, put together", may: []string{anything}},
	{folder: "cmd/caro-node/early", owns: "the answer to the shells' guard, before all else is initialised", may: []string{"observer/guard", "protocol/vocabulary"}},
	{folder: "cmd/caro-node/service", owns: "unit templates", may: nil},

	{folder: "api", owns: "the local HTTP server; the Backend it needs", may: []string{"api/v1", "protocol"}},
	{folder: "api/v1", owns: "the JSON shapes", may: []string{"protocol"}},
	{folder: "api/client", owns: "the Go client of the local API", may: []string{"api/v1", "protocol"}},
	{folder: "api/dashboard", owns: "the web page", may: nil},

	{folder: "node", owns: "the node: host, workers", may: []string{"node/...", "store", "observer/...", "policy/...", "protocol/..."}},
	{folder: "node/host", owns: "the libp2p host, put together from its parts", may: []string{"node/internal/...", "policy", "protocol"}},
	{folder: "node/identity", owns: "the key file", may: []string{"policy", "protocol"}},
	{folder: "node/discovery", owns: "neighbours, static peers, reconnecting, the gate", may: []string{"node/discovery/mdns", "node/internal/...", "policy", "protocol", "protocol/exchange", "protocol/hello"}},
	{folder: "node/discovery/mdns", owns: "announcing on the local network and hearing others", may: []string{"node/internal/scope", "protocol"}},
	{folder: "node/internal/scope", owns: "which addresses a node may speak to", may: nil},
	{folder: "node/export", owns: "handing audit records to a log collector", may: []string{"node/internal/scope", "policy/audit", "policy/audit/siem"}},
	{folder: "node/aggregate", owns: "answers from summaries", may: []string{"protocol"}},
	{folder: "node/anomaly", owns: "signals from baselines", may: []string{"protocol"}},
	{folder: "node/private", owns: "private aggregation", may: []string{"protocol"}},

	{folder: "store", owns: "the database", may: []string{"observer/event", "policy", "policy/audit", "protocol", "store/pages"}},
	{folder: "store/pages", owns: "the rows of a database file, read without SQLite", may: nil},

	{folder: "observer", owns: "the way from spool record to stored event", may: []string{"observer/...", "protocol"}},
	{folder: "observer/event", owns: "the raw event", may: []string{"protocol"}},
	{folder: "observer/category", owns: "what a command works on", may: observerParts},
	{folder: "observer/guard", owns: "asking before a dangerous command", may: observerParts},
	{folder: "observer/histfile", owns: "reading the shells' own history files", may: observerParts},
	{folder: "observer/redact", owns: "removing secrets", may: observerParts},
	{folder: "observer/risk", owns: "how much damage a command can do", may: observerParts},
	{folder: "observer/risk/corpus", owns: "labelled commands and the score", may: observerParts},
	{folder: "observer/shell", owns: "the hooks", may: append([]string{"observer/guard"}, observerParts...)},
	{folder: "observer/shellparse", owns: "the parsed command, for category and risk alike", may: observerParts},
	{folder: "observer/spool", owns: "the spool files", may: observerParts},
	{folder: "observer/wordset", owns: "sets of words that are made when they are first asked", may: nil},

	{folder: "policy", owns: "rules and decisions", may: []string{"protocol"}},
	{folder: "policy/bundle", owns: "the signed policy of an organisation, and what it makes of a user's own", may: []string{"policy", "protocol"}},
	{folder: "policy/audit", owns: "the gate and the record of what it decided", may: []string{"policy", "protocol"}},
	{folder: "policy/audit/siem", owns: "audit records in the forms that log collectors read", may: []string{"policy", "policy/audit", "protocol"}},

	{folder: "protocol", owns: "nouns, validation, envelope", may: []string{"protocol/vocabulary"}},
	{folder: "protocol/vocabulary", owns: "shells and risk levels, which the guard's answer needs without the rest", may: nil},
	{folder: "protocol/exchange", owns: "the steps that every protocol shares", may: []string{"protocol"}},
	{folder: "protocol/hello", owns: "introduction and admission", may: oneProtocol},
	{folder: "protocol/ping", owns: "round-trip time and clock offset", may: oneProtocol},
	{folder: "protocol/summary", owns: "pushing summaries", may: oneProtocol},
	{folder: "protocol/query", owns: "questions and answers", may: oneProtocol},
	{folder: "protocol/goodbye", owns: "leaving on purpose", may: oneProtocol},
	{folder: "protocol/rotation", owns: "changing keys", may: oneProtocol},
	{folder: "protocol/checkpoint", owns: "showing witnesses what the audit log has become", may: oneProtocol},
	{folder: "protocol/health", owns: "the health topic", may: oneProtocol},

	// For tests and tools: no package above may import these.
	{folder: "internal/wiretest", owns: "golden vectors of messages", may: []string{"protocol"}, tool: true},
	{folder: "internal/meshtest", owns: "small meshes for tests", may: []string{anything}, tool: true},
	{folder: "api/internal/fake", owns: "a backend for tests", may: []string{anything}, tool: true},
	{folder: "e2e/...", owns: "end-to-end tests", may: []string{anything}, tool: true},
	{folder: "scripts/...", owns: "demo, network lab, benchmarks, packaging", may: []string{anything}, tool: true},
}

// The parts of the observer may use each other, but not the pipeline that puts them together.
var observerParts = []string{"observer/event", "observer/category", "observer/redact", "observer/risk", "observer/shellparse", "observer/wordset", "protocol", "protocol/vocabulary"}

// A protocol must not lean on another one, so that each can change its version alone.
var oneProtocol = []string{"protocol", "protocol/exchange"}

// reaches are what must not be linked in, however indirectly.
var reaches = []reach{
	{
		from: []string{"protocol/...", "policy/...", "node/aggregate", "node/anomaly", "node/discovery/...", "node/export", "node/host", "node/identity", "node/internal/...", "node/private"},
		to:   []string{"observer/...", "store/...", "api/...", "cmd/..."},
		why:  "what speaks to the network, or decides about it, must not be able to name a raw event: no raw command leaves the machine, by construction",
	},
	{
		from: []string{"observer/...", "store/..."},
		to:   []string{"node/...", "protocol/exchange", "protocol/hello", "protocol/ping", "protocol/summary", "protocol/query", "protocol/goodbye", "protocol/rotation", "protocol/checkpoint", "protocol/health", "api/...", "cmd/..."},
		why:  "what holds raw events must not be able to reach the network",
	},
	{
		from: []string{"api/v1", "api/client", "api"},
		to:   []string{"node/...", "store/...", "observer/..."},
		why:  "the local API is written against its Backend, and the command line's client against the API's shapes, so that neither depends on how a node works",
	},
}

// needed are the trees of packages that the guard's answer rests on, besides the standard library's small ones.
var needed = []string{module + "/cmd/caro-node/early", module + "/observer", module + "/protocol/vocabulary", "mvdan.cc/sh/v3"}

// unwanted are modules and packages that must not be in the binary.
var unwanted = []dependency{
	{libp2p, onlyItself, "it links QUIC and WebRTC whatever options are given, which costs 7 MiB of resident memory; use the parts directly"},
	{libp2p + "/config", withEverythingBelow, "it links QUIC and WebRTC whatever options are given; use the parts directly"},
	{"github.com/quic-go", withEverythingBelow, "the mesh speaks TCP only; QUIC costs megabytes of resident memory in every node"},
	{"github.com/pion", withEverythingBelow, "the mesh speaks TCP only; WebRTC costs megabytes of resident memory in every node"},
	{libp2p + "/p2p/transport/quic", withEverythingBelow, "the mesh speaks TCP only"},
	{libp2p + "/p2p/transport/quicreuse", withEverythingBelow, "the mesh speaks TCP only"},
	{libp2p + "/p2p/transport/webrtc", withEverythingBelow, "the mesh speaks TCP only"},
	{libp2p + "/p2p/transport/webtransport", withEverythingBelow, "the mesh speaks TCP only"},
	{"testing", onlyItself, "test support must not be part of the program; it registers flags and costs memory"},
}

func TestImportsPointDownwards(t *testing.T) {
	for _, goos := range platforms() {
		report(t, checkLayers(listPackages(t, goos), layers))
	}
}

func TestRawEventsAndTheNetworkDoNotMeet(t *testing.T) {
	for _, goos := range platforms() {
		g := listPackages(t, goos)
		for _, r := range reaches {
			report(t, checkReach(g, r))
		}
	}
}

func TestBinaryLinksNothingUnwanted(t *testing.T) {
	for _, goos := range platforms() {
		g := listPackages(t, goos)
		if g[module+"/cmd/caro-node"] == nil {
			t.Fatal("there is no cmd/caro-node, so nothing is known about what the binary links")
		}
		report(t, checkDependencies(g, module+"/cmd/caro-node", unwanted))
	}
}

func TestGuardsAnswerRestsOnLittle(t *testing.T) {
	for _, goos := range platforms() {
		chains := listPackages(t, goos).chains(module + "/cmd/caro-node/early")
		for _, p := range slices.Sorted(maps.Keys(chains)) {
			first, _, _ := strings.Cut(p, "/")
			own := slices.ContainsFunc(needed, func(n string) bool { return p == n || strings.HasPrefix(p, n+"/") })
			if (strings.Contains(first, ".") || first == "net" || first == "crypto") && !own {
				t.Errorf("the guard's answer waits for %s (%s): a person at the prompt waits with it", p, arrows(chains[p]))
			}
		}
		if len(chains) < 20 {
			t.Errorf("only %d packages were found, so nothing is known about what it waits for", len(chains))
		}
	}
}

func TestOnlyProtocolTouchesStreamsAndTopics(t *testing.T) {
	files := parseModule(t)
	seen := false
	for _, f := range files {
		if f.isTest() || inFolder(f.folder(), "protocol/...") || isTool(f.folder(), layers) {
			seen = seen || len(checkStreams(f)) > 0
			continue
		}
		report(t, checkStreams(f))
	}
	if !seen {
		t.Error("not even package protocol was found to touch a stream: this check sees nothing")
	}
}

func TestEveryPackageHasAComment(t *testing.T) {
	report(t, checkComments(parseModule(t)))
}

func TestNoFileIsLongerThanOneIdea(t *testing.T) {
	for _, f := range parseModule(t) {
		report(t, checkLength(f))
	}
}

// platforms are those whose files are looked at; imports differ between systems.
func platforms() []string {
	all := []string{"linux", "darwin"}
	if runtime.GOOS != all[0] && runtime.GOOS != all[1] {
		all = append(all, runtime.GOOS)
	}
	return all
}

func report(t *testing.T, violations []string) {
	t.Helper()
	for _, v := range violations {
		t.Error(v)
	}
}
