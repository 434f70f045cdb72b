package main

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/caro-mesh/caro-node/cmd/caro-node/daemon"
	"github.com/caro-mesh/caro-node/observer/event"
	"github.com/caro-mesh/caro-node/observer/shell"
	"github.com/caro-mesh/caro-node/observer/spool"
	"github.com/caro-mesh/caro-node/protocol"
)

func (c *cli) shellCommand() *cobra.Command {
	var guarded bool
	init := &cobra.Command{
		Use:   "init bash|zsh|fish|sh [--guard]",
		Short: "Print the lines that make a shell record its commands",
		Long: `Print the hook for a shell. It starts no process per command: it appends to a spool file, which the node reads.

  bash  eval "$(caro-node shell init bash)"         in ~/.bashrc
  zsh   eval "$(caro-node shell init zsh)"          in ~/.zshrc
  fish  caro-node shell init fish | source          in ~/.config/fish/config.fish
  sh    eval "$(caro-node shell init sh)"           in ~/.profile; see the comments it prints

A command that starts with a space is never recorded. caro_pause stops recording in the shell in which it is typed, and
caro_resume goes on; "caro-node pause" and "caro-node resume" do it in all shells.

With --guard (bash, zsh and fish) a command whose risk is high or critical is stopped before it runs: the shell shows why
and what would be safer, and runs it when you type "y" (critical: "yes") and Return. Anything else leaves it, as does
Ctrl-C. Most commands are seen to be harmless without any process; for the others "caro-node check" is asked, also with
the node stopped. guard = "on" under [observer] in the configuration makes --guard the default, and --guard=false goes
without it.`,
		ValidArgs: []string{"bash", "zsh", "fish", "sh"},
		Args:      exactArgs(1, "the name of a shell: bash, zsh, fish or sh"),
		RunE: func(cmd *cobra.Command, args []string) error {
			s := protocol.ParseShell(args[0])
			if s == protocol.ShellOther {
				return usageErrorf("there is no hook for %q (use bash, zsh, fish or sh; other programs can call \"caro-node observe\")", args[0])
			}
			p, err := c.paths()
			if err != nil {
				return err
			}
			// The folders have to exist before the first prompt, also when the node has never run.
			if err := spool.Prepare(p.Spool); err != nil {
				c.say("caro-node: nothing will be recorded until this works: %v", err)
			}
			o := shell.Options{SpoolDir: p.Spool}
			if o.Guard, err = c.guardProgram(s, guarded, cmd.Flags().Changed("guard")); err != nil {
				return err
			}
			script, err := shell.Script(s, o)
			if errors.Is(err, shell.ErrNoGuard) {
				return usageErrorf("%w", err)
			}
			if err != nil {
				return err
			}
			_, err = io.WriteString(c.Out, script)
			return err
		},
	}
	init.Flags().BoolVar(&guarded, "guard", false, "stop dangerous commands until they are confirmed (default: observer.guard)")
	return group("shell", "Hook a shell", init)
}

// observeOptions are the flags of observe.
type observeOptions struct {
	shell         string
	exit          string
	durationMS    int64
	cwd           string
	at            string
	caroGenerated bool
	executed      bool
	confirmed     bool
	blocked       bool
}

func (c *cli) observeCommand() *cobra.Command {
	var o observeOptions
	cmd := &cobra.Command{
		Use:   "observe [flags] -- COMMAND",
		Short: "Record one command, for shells without hooks and for other programs",
		Long: `Record a command that has run, or that was stopped. It works with the node stopped: the record waits in the spool.
During "caro-node pause" it records nothing. COMMAND is one argument as it was typed, or several, which are joined with
spaces.

A program that writes commands for a person, or runs them, says so: --caro-generated for what it wrote, --executed for
what it ran (the default for a generated command with an exit code), --confirmed where it warned and the person went on,
--blocked where it did not let the command run. Many at once: POST /api/v1/events of the local API.`,
		Example: `  caro-node observe --shell sh --exit 0 --duration-ms 120 -- "make test"
  caro-node observe --shell bash --caro-generated --blocked -- "rm -rf /"`,
		Args: func(_ *cobra.Command, args []string) error {
			if strings.TrimSpace(strings.Join(args, " ")) == "" {
				return usageErrorf("observe needs a command after --")
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error { return c.runObserve(o, strings.Join(args, " ")) },
	}
	f := cmd.Flags()
	f.StringVar(&o.shell, "shell", "other", "shell in which it was typed")
	f.StringVar(&o.exit, "exit", "", "exit code; leave out when unknown")
	f.Int64Var(&o.durationMS, "duration-ms", -1, "duration in milliseconds; leave out when unknown")
	f.StringVar(&o.cwd, "cwd", "", "folder in which it ran (default: this one)")
	f.StringVar(&o.at, "at", "", "when it started, RFC 3339 (default: now minus the duration)")
	f.BoolVar(&o.caroGenerated, "caro-generated", false, "a program wrote the command, not the person")
	f.BoolVar(&o.executed, "executed", false, "a program ran it, not the person")
	f.BoolVar(&o.confirmed, "confirmed", false, "the person confirmed it after a warning")
	f.BoolVar(&o.blocked, "blocked", false, "it was stopped and did not run")
	return cmd
}

func (c *cli) runObserve(o observeOptions, command string) error {
	p, err := c.paths()
	if err != nil {
		return err
	}
	if err := p.Create(); err != nil {
		return err
	}
	r, err := o.record(command, time.Now())
	if err != nil {
		return err
	}
	pause, err := daemon.ReadPause(p.Paused)
	if err != nil {
		return err
	}
	if pause.On { // the status tells that something was kept out, and nothing of it
		r = spool.Record{Shell: r.Shell, Kept: 1}
	}
	return spool.Write(p.Spool, r)
}

// record builds the spool record of what the flags say.
func (o observeOptions) record(command string, now time.Time) (spool.Record, error) {
	r := spool.Record{Shell: protocol.ParseShell(o.shell), CWD: o.cwd, Command: command, CaroGenerated: o.caroGenerated, UserConfirmed: o.confirmed, Blocked: o.blocked}
	if o.blocked && o.executed {
		return r, usageErrorf("a command that was blocked did not run: give --blocked or --executed, not both")
	}
	// A generated command that is reported with its exit code was run.
	r.CaroExecuted = o.executed || o.caroGenerated && o.exit != "" && !o.blocked
	if o.exit != "" {
		code, err := strconv.Atoi(o.exit)
		if err != nil || code < 0 || code > 255 {
			return r, usageErrorf("--exit: %q is not an exit code (0 to 255)", o.exit)
		}
		r.Exit = &code
	}
	r.Start = now
	if o.durationMS < -1 || o.durationMS > math.MaxInt64/int64(time.Millisecond) {
		return r, usageErrorf("--duration-ms: %d is not a duration (0 to %d milliseconds)", o.durationMS, math.MaxInt64/int64(time.Millisecond))
	}
	if o.durationMS >= 0 {
		d := time.Duration(o.durationMS) * time.Millisecond
		r.Duration = &d
		r.Start = now.Add(-d)
	}
	if o.at != "" {
		at, err := time.Parse(time.RFC3339Nano, o.at)
		if err != nil {
			return r, usageErrorf("--at: %q is not an RFC 3339 time such as 2026-01-31T12:00:00Z", o.at)
		}
		r.Start = at
	}
	if err := event.CheckTime(r.Start); err != nil {
		return r, usageErrorf("the command's start cannot be right: %v; look at --at and --duration-ms", err)
	}
	if r.CWD == "" {
		wd, err := os.Getwd()
		if err != nil {
			return r, fmt.Errorf("find the current folder (give it with --cwd): %w", err)
		}
		r.CWD = wd
	}
	return r, nil
}
