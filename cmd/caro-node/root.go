package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/caro-mesh/caro-node/api/client"
	"github.com/caro-mesh/caro-node/cmd/caro-node/config"
)

// cli is what every command has at hand.
type cli struct {
	stdio
	getenv     func(string) string
	configPath string // --config; empty: the default place
	json       bool   // --json
	hangups    *hangups
}

// execute runs one command line and returns its exit code.
func execute(args []string, io stdio, getenv func(string) string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, end := context.WithCancel(ctx)
	defer end()
	defer context.AfterFunc(ctx, stop)() // a second one ends the process at once
	c := &cli{stdio: io, getenv: getenv, hangups: catchHangups(ctx, end)}
	root := c.root()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitDone
	}
	var silent *exitError
	if !errors.As(err, &silent) || silent.err != nil {
		c.say("caro-node: %s", sentence(err))
	}
	return exitCode(err)
}

// say prints a message for the person to stderr.
func (c *cli) say(format string, args ...any) {
	_, _ = fmt.Fprintf(c.Err, format+"\n", args...) // nowhere left to report a failing stderr
}

// print writes a line of data to stdout.
func (c *cli) print(format string, args ...any) error {
	_, err := fmt.Fprintf(c.Out, format+"\n", args...)
	return err
}

// sentence words an error for a person.
func sentence(err error) string {
	if errors.Is(err, client.ErrNotRunning) {
		return client.ErrNotRunning.Error()
	}
	return strings.TrimSpace(err.Error())
}

func (c *cli) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "caro-node",
		Short: "Insight into terminal use, for you and your team, without surveillance",
		Long: `caro-node observes the commands typed on this machine, judges their risk and keeps them in a local database.
Nodes form an encrypted mesh over which only signed counts travel, to the peers that you choose. Commands never leave.

First steps:
  caro-node run                        start the node (in a terminal of its own)
  eval "$(caro-node shell init bash)"  hook this shell (zsh and fish: see "caro-node shell init --help")
  caro-node status                     see how it is`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          noArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetIn(c.In)
	root.SetOut(c.Out)
	root.SetErr(c.Err)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usageErrorf("%w (see %q)", err, cmd.CommandPath()+" --help")
	})
	root.PersistentFlags().StringVar(&c.configPath, "config", "", "configuration file (default: config.toml in its usual place)")
	root.CompletionOptions.HiddenDefaultCmd = false
	root.AddCommand(
		c.runCommand(), c.initCommand(), c.statusCommand(), c.idCommand(), c.shellCommand(), c.observeCommand(),
		c.checkCommand(), c.importCommand(), c.historyCommand(), c.deleteCommand(), c.pauseCommand(), c.resumeCommand(), c.summaryCommand(), c.peersCommand(), c.trustCommand(), c.policyCommand(),
		c.queryCommand(), c.auditCommand(), c.keyCommand(), c.databaseCommand(), c.dashboardCommand(), c.versionCommand(), exitCodesTopic(),
	)
	return root
}

// group is a command that only holds others.
func group(use, short string, subs ...*cobra.Command) *cobra.Command {
	g := &cobra.Command{Use: use, Short: short, Args: noArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		return usageErrorf("%q needs a subcommand (see %q)", cmd.CommandPath(), cmd.CommandPath()+" --help")
	}}
	g.AddCommand(subs...)
	return g
}

// noArgs refuses arguments; an unknown subcommand arrives here as one.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if cmd.HasSubCommands() {
		hint := ""
		cmd.SuggestionsMinimumDistance = 2
		if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
			hint = fmt.Sprintf("did you mean %q? ", near[0])
		}
		return usageErrorf("unknown command %q for %q (%ssee %q)", args[0], cmd.CommandPath(), hint, cmd.CommandPath()+" --help")
	}
	return usageErrorf("%q takes no arguments (got %q)", cmd.CommandPath(), strings.Join(args, " "))
}

// exactArgs demands n arguments and names them when they are missing.
func exactArgs(n int, names string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != n {
			return usageErrorf("%q needs %s (got %d arguments; see %q)", cmd.CommandPath(), names, len(args), cmd.CommandPath()+" --help")
		}
		return nil
	}
}

// jsonFlag adds --json.
func (c *cli) jsonFlag(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&c.json, "json", false, "print one JSON document")
}

// paths finds the node's places.
func (c *cli) paths() (config.Paths, error) {
	p, err := config.FindPaths(c.getenv)
	if err == nil && c.configPath != "" {
		p.Config = c.configPath
	}
	return p, err
}

// client connects to the running daemon's socket.
func (c *cli) client() (*client.Client, error) {
	p, err := c.paths()
	if err != nil {
		return nil, err
	}
	return client.New(p.Socket), nil
}

func (c *cli) versionCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "version", Short: "Print the version", Args: noArgs, RunE: func(*cobra.Command, []string) error {
		if c.json {
			return writeJSON(c.Out, versionDocument())
		}
		return c.print("caro-node %s", version)
	}}
	c.jsonFlag(cmd)
	return cmd
}

func exitCodesTopic() *cobra.Command {
	return &cobra.Command{Use: "exit-codes", Short: "What the exit codes mean", Long: `Exit codes of caro-node:
  0  done
  1  failed
  2  wrong use: an unknown command, flag or value
  3  the daemon is not running
  4  denied by policy

"caro-node check" answers with the risk instead: 0 safe, 1 moderate, 2 high, 3 critical (64 for wrong use).

Data goes to stdout, messages and progress to stderr. With --json, stdout is one JSON document with a schema_version.
Colour and progress bars appear on a terminal only; NO_COLOR switches colour off.`}
}
