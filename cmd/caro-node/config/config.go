package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"

	"github.com/caro-mesh/caro-node/node/discovery"
	"github.com/caro-mesh/caro-node/node/host"
	"github.com/caro-mesh/caro-node/observer"
	"github.com/caro-mesh/caro-node/policy"
	"github.com/caro-mesh/caro-node/protocol"
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
}

// Node describes this node to its peers.
type Node struct {
	Name string // display name, shown to peers; empty shares none
}

// Network says where the node listens and whom it reaches.
type Network struct {
	Listen      []string // multiaddrs; default loopback only
	StaticPeers []string // multiaddrs ending in /p2p/<peer ID>
	MDNS        bool     // look for peers on the LAN
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
	Guard  string   // "off"
}

// Storage says how long things are kept, in days.
type Storage struct {
	EventsDays, SummariesDays, AuditDays int
}

// Log says what is logged to stderr, and how.
type Log struct {
	Level  string // debug, info, warn, error
	Format string // auto (text on a terminal, else JSON), text, json
}

// Default returns the settings of a node without a file: it shares nothing and listens on loopback only.
func Default() Config {
	return Config{
		Network:  Network{Listen: []string{"/ip4/127.0.0.1/tcp/9238"}},
		API:      API{Listen: "127.0.0.1:9237"},
		Observer: Observer{Redact: true, Guard: "off"},
		Policy:   policy.Document{MaxLevel: "summarized", DefaultTrust: "untrusted", MinContributors: policy.DefaultMinContributors},
		Storage:  Storage{EventsDays: 30, SummariesDays: 365, AuditDays: 730},
		Log:      Log{Level: "info", Format: "auto"},
	}
}

// Validate checks what the file's syntax cannot; its error names the key and says what to do.
func (c *Config) Validate() error {
	var errs []error
	if err := protocol.CheckText("node.name", c.Node.Name, protocol.MaxDisplayName); err != nil {
		errs = append(errs, err)
	}
	if _, err := host.ParseListen(c.Network.Listen, c.Network.AllowPublic); err != nil {
		errs = append(errs, err)
	}
	if _, err := discovery.ParseTargets(c.Network.StaticPeers, c.Network.AllowPublic); err != nil {
		errs = append(errs, fmt.Errorf("network.static_peers: %w", err))
	}
	if err := checkAPIListen(c.API.Listen); err != nil {
		errs = append(errs, err)
	}
	if c.Network.MDNS {
		errs = append(errs, errors.New("network.mdns: this version finds no peers by itself yet; name them in network.static_peers"))
	}
	if _, err := observer.ParseIgnore(c.Observer.Ignore); err != nil {
		errs = append(errs, fmt.Errorf("observer.ignore: %w", err))
	}
	if g := c.Observer.Guard; g != "off" {
		errs = append(errs, fmt.Errorf(`observer.guard: unknown value %q (use "off")`, g))
	}
	for name, days := range map[string]int{"events_days": c.Storage.EventsDays, "summaries_days": c.Storage.SummariesDays, "audit_days": c.Storage.AuditDays} {
		if days < 1 || days > 36_500 {
			errs = append(errs, fmt.Errorf("storage.%s: %d is not between 1 and 36500 days", name, days))
		}
	}
	if !oneOf(c.Log.Level, "debug", "info", "warn", "error") {
		errs = append(errs, fmt.Errorf("log.level: unknown level %q (use debug, info, warn or error)", c.Log.Level))
	}
	if !oneOf(c.Log.Format, "auto", "text", "json") {
		errs = append(errs, fmt.Errorf("log.format: unknown format %q (use auto, text or json)", c.Log.Format))
	}
	if err := c.Policy.Validate(); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// checkAPIListen keeps the local API local: it answers with raw commands.
func checkAPIListen(s string) error {
	if s == "" {
		return nil
	}
	host, port, err := net.SplitHostPort(s)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return fmt.Errorf(`api.listen: %q is not host:port such as "127.0.0.1:9237"`, s)
	}
	if ip, err := netip.ParseAddr(host); host != "localhost" && (err != nil || !ip.IsLoopback()) {
		return fmt.Errorf("api.listen: %q is not a loopback address; the local API shows raw commands and never listens elsewhere", s)
	}
	return nil
}

func oneOf(s string, allowed ...string) bool {
	for _, a := range allowed {
		if s == a {
			return true
		}
	}
	return false
}
