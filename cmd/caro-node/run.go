package main

import (
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"github.com/caro-mesh/caro-node/cmd/caro-node/config"
	"github.com/caro-mesh/caro-node/cmd/caro-node/daemon"
)

func (c *cli) runCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Run the node in the foreground",
		Long: `Run the node in the foreground until Ctrl-C or SIGTERM. On first use it creates the identity.
Every setting of the configuration that is one value has a flag here and an environment variable (CARO_LOG_LEVEL).
SIGHUP reloads the policy, like "caro-node policy reload"; a node whose terminal is closed ends.`,
		Args: noArgs,
	}
	config.AddFlags(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return c.runRun(cmd, cmd.Flags()) }
	return cmd
}

func (c *cli) runRun(cmd *cobra.Command, flags *pflag.FlagSet) error {
	cfg, err := c.loadConfig(flags)
	if err != nil {
		return err
	}
	p, err := c.paths()
	if err != nil {
		return err
	}
	now, err := clock(c.getenv)
	if err != nil {
		return err
	}
	together := func(cfg config.Config, err error) (config.Config, error) {
		if err == nil {
			err = cfg.UseBundle(p, now())
		}
		return cfg, err
	}
	if cfg, err = together(cfg, nil); err != nil {
		return err
	}
	onTerminal := isTerminal(c.Err, c.getenv)
	logger := slog.New(daemon.LogHandler(c.Err, cfg.Log.Level, cfg.Log.Format, onTerminal))
	d, err := daemon.Open(cmd.Context(), daemon.Config{Settings: cfg, Paths: p, Version: version, Now: now, Logger: logger,
		Reload: func() (config.Config, error) { return together(reload(cfg.Source, p.Config, flags)) }, ReloadAsked: c.hangups.reloads(),
		Parse: func(path string, data []byte, signed *string) (config.Config, error) {
			cfg, err := config.Parse(path, data, flags)
			if err != nil || signed == nil {
				return together(cfg, err)
			}
			err = cfg.TryBundle(*signed, now())
			return cfg, err
		}})
	if err != nil {
		return err
	}
	return d.Run(cmd.Context(), func(r daemon.Ready) { c.printReady(r) })
}

// reload reads the configuration anew. One that was there when the node started and is gone is an error: it would silently
// mean the defaults.
func reload(before, path string, flags *pflag.FlagSet) (config.Config, error) {
	cfg, err := config.Load(path, flags)
	if err == nil && before != "" && cfg.Source == "" {
		err = fmt.Errorf("the configuration %s is gone", path)
	}
	return cfg, err
}

// printReady tells a person what to do next.
func (c *cli) printReady(r daemon.Ready) {
	if f, ok := c.Err.(*os.File); !ok || !term.IsTerminal(int(f.Fd())) {
		return // it would stand between the lines of a log that programs read
	}
	c.say("")
	if r.NewIdentity {
		c.say("This is a new node. Its identity is in %s: back it up, and give it to nobody.", r.KeyPath)
	}
	c.say("Node %s is running.", r.Fingerprint)
	me := c.self()
	c.say("  hook your shell:  %s", hookLine(me, c.getenv("SHELL")))
	c.say("  then look:        %s history", me)
	c.say("                    %s status", me)
	c.say("                    %s summary preview", me)
	if r.APIAddr != "" {
		c.say("  in the browser:   %s dashboard   (prints the address with its key)", me)
	}
	c.say("  stop:             Ctrl-C\n")
}

// self is how the person can call this program: by name where the search path finds it, else by its full path.
func (c *cli) self() string {
	exe, err := os.Executable()
	if err != nil {
		return "caro-node"
	}
	if found, err := exec.LookPath("caro-node"); err == nil {
		if a, err := filepath.EvalSymlinks(found); err == nil && a == exe {
			return "caro-node"
		}
	}
	return exe
}

// hookLine is the line that hooks the user's own shell. me may be any path.
func hookLine(me, shell string) string {
	if strings.Trim(me, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-") != "" {
		me = "'" + strings.ReplaceAll(me, "'", `'\''`) + "'"
	}
	switch filepath.Base(shell) {
	case "zsh":
		return fmt.Sprintf(`eval "$(%s shell init zsh)"`, me)
	case "fish":
		return me + " shell init fish | source"
	case "sh", "dash", "ksh", "mksh":
		return fmt.Sprintf(`eval "$(%s shell init sh)"`, me)
	}
	return fmt.Sprintf(`eval "$(%s shell init bash)"`, me)
}
