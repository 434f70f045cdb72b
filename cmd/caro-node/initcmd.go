package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	v1 "github.com/caro-mesh/caro-node/api/v1"
	"github.com/caro-mesh/caro-node/cmd/caro-node/config"
	"github.com/caro-mesh/caro-node/node/identity"
	"github.com/caro-mesh/caro-node/protocol"
)

// profiles are the starting points of init: what the file says beyond the defaults.
var profiles = map[string]struct{ about, text string }{
	"individual": {"for yourself: loopback only, nothing is shared", `
[network]
listen = ["/ip4/127.0.0.1/tcp/9238"]

[policy]
# Nothing leaves this machine.
max_level = "raw"
default_trust = "untrusted"

# What has to stay true: a policy that breaks one of these is refused ("caro-node policy check" tells).
[[policy.tests]]
peer = "any"
request = "connect"
expect = "deny"
`},
	"team": {"for a team: found on the LAN, counts go to the nodes that you trust", `
[network]
listen = ["/ip4/0.0.0.0/tcp/9238"]
# Nodes of the same network find each other; who is trusted is for you to say below.
mdns = true
# Nodes of other networks are named. Each one's user prints this line with "caro-node id".
# static_peers = ["/ip4/10.0.0.5/tcp/9238/p2p/12D3…"]

[policy]
# Signed counts may go to nodes that you trust. Commands never leave.
max_level = "summarized"
default_trust = "untrusted"

# [[policy.nodes]]
# id = "caro:ed25519:…"
# trust = "peer"
# name = "bob"

# What has to stay true: a policy that breaks one of these is refused ("caro-node policy check" tells).
[[policy.tests]]
peer = "any"
request = "connect"
expect = "deny"
`},
	"supervisor": {"for a supervisor: asks for sums over many nodes, shares nothing of its own", `
[network]
listen = ["/ip4/0.0.0.0/tcp/9238"]
mdns = true

[policy]
# This node asks; it gives nothing away itself. Name the nodes whose connection it accepts.
max_level = "raw"
default_trust = "untrusted"

# What has to stay true: a policy that breaks one of these is refused ("caro-node policy check" tells).
[[policy.tests]]
peer = "any"
request = "connect"
expect = "deny"
`},
}

func (c *cli) initCommand() *cobra.Command {
	profile, name := "individual", ""
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Create the identity and a configuration to start from",
		Long: `Create this node's identity and a configuration file. What exists already is kept as it is. Profiles:

  individual  ` + profiles["individual"].about + `
  team        ` + profiles["team"].about + `
  supervisor  ` + profiles["supervisor"].about,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			if _, ok := profiles[profile]; !ok {
				return usageErrorf("--profile: unknown profile %q (use individual, team or supervisor)", profile)
			}
			if err := protocol.CheckText("--name", name, protocol.MaxDisplayName); err != nil {
				return usageErrorf("%w", err)
			}
			return c.runInit(profile, name)
		},
	}
	cmd.Flags().StringVar(&profile, "profile", profile, "individual, team or supervisor")
	cmd.Flags().StringVar(&name, "name", "", "this node's name, shown to its peers")
	return cmd
}

func (c *cli) runInit(profile, name string) error {
	p, err := c.paths()
	if err != nil {
		return err
	}
	if err := p.Create(); err != nil {
		return err
	}
	id, created, err := identity.LoadOrCreate(p.Key, time.Now)
	if err != nil {
		return err
	}
	if created {
		c.say("Created the identity %s (%s).", id.Fingerprint(), p.Key)
	} else {
		c.say("Kept the identity %s (%s).", id.Fingerprint(), p.Key)
	}
	text := fmt.Sprintf("# caro-node, profile %s: %s.\n# config.example.toml in the sources shows every key.\n\n[node]\nname = %s\n%s",
		profile, profiles[profile].about, strconv.Quote(name), profiles[profile].text)
	written, err := writeNew(p.Config, text)
	if err != nil {
		return err
	}
	if !written {
		c.say("Kept the configuration %s; nothing in it was changed.", p.Config)
		if _, err := c.loadConfig(nil); err != nil {
			return err
		}
	} else {
		c.say("Wrote the configuration %s.", p.Config)
	}
	c.say("\nNext: caro-node run")
	return nil
}

// writeNew creates a file for the user alone and reports false when it exists already.
func writeNew(path, text string) (bool, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return false, fmt.Errorf("create the folder of the configuration: %w", err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("create the configuration: %w", err)
	}
	_, err = f.WriteString(text)
	if err := errors.Join(err, f.Close()); err != nil {
		return false, fmt.Errorf("write the configuration: %w", err)
	}
	return true, nil
}

// loadConfig reads the configuration; a file named by --config has to exist.
func (c *cli) loadConfig(flags *pflag.FlagSet) (config.Config, error) {
	p, err := c.paths()
	if err != nil {
		return config.Config{}, err
	}
	if c.configPath != "" {
		if _, err := os.Stat(c.configPath); err != nil {
			return config.Config{}, usageErrorf("--config: %w", err)
		}
	}
	cfg, err := config.Load(p.Config, flags)
	if err != nil {
		return config.Config{}, &exitError{exitUsage, err}
	}
	return cfg, nil
}

func versionDocument() versionInfo {
	return versionInfo{v1.SchemaVersion, version, protocol.Version}
}
