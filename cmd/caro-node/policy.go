package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	v1 "github.com/caro-mesh/caro-node/api/v1"
	"github.com/caro-mesh/caro-node/cmd/caro-node/config"
)

func (c *cli) policyCommand() *cobra.Command {
	return group("policy", "See and try out what may leave this node", c.policyShowCommand(), c.policyCheckCommand(), c.policyReloadCommand(),
		c.policyDiffCommand(), c.policyPreviewCommand(), c.policyReplayCommand(),
		c.policyImportCommand(), c.policyForgetCommand(), c.policyBundleCommand())
}

func (c *cli) policyShowCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "show", Short: "Show the rules in force and where each comes from", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cl, err := c.client()
			if err != nil {
				return err
			}
			p, err := cl.Policy(cmd.Context())
			if err != nil {
				return err
			}
			if c.json {
				return writeJSON(c.Out, p)
			}
			t := newTable(c.Out, "RULE", "ABOUT", "TRUST", "FROM", "NOTE")
			for _, r := range p.Rules {
				t.row(r.Name, r.Match, r.Trust, place(r.Rule), r.Note)
			}
			return t.flush()
		},
	}
	c.jsonFlag(cmd)
	return cmd
}

func (c *cli) policyCheckCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "check [FILE]",
		Short: "Look for faults, failing tests, rules without effect and contradictions in a configuration file",
		Long: `Look at a configuration file (by default this node's own) by itself: the node need not run, and neither environment
variables nor what was granted at run time count. It finds

  faults          unknown keys, wrong values, and tests ([[policy.tests]]) that fail: the node would refuse the file
  unreachable     rules that decide nothing, because others always do
  contradictions  settings that cannot both have an effect

Exit code 0: nothing was found; 1: something was.`,
		Args: atMostOneFile,
		RunE: func(_ *cobra.Command, args []string) error { return c.runPolicyCheck(args) },
	}
	c.jsonFlag(cmd)
	return cmd
}

func atMostOneFile(cmd *cobra.Command, args []string) error {
	if len(args) > 1 {
		return usageErrorf("%q takes one file (got %d arguments)", cmd.CommandPath(), len(args))
	}
	return nil
}

func (c *cli) runPolicyCheck(args []string) error {
	path, data, err := c.readPolicyFile(args)
	if err != nil {
		return err
	}
	doc := v1.PolicyCheck{SchemaVersion: v1.SchemaVersion, File: path, Findings: []v1.PolicyFinding{}}
	for _, f := range config.Check(path, data) {
		doc.Findings = append(doc.Findings, v1.PolicyFinding{Kind: string(f.Kind), File: f.Source, Line: f.Line, Text: f.Text})
	}
	doc.OK = len(doc.Findings) == 0
	if c.json {
		err = writeJSON(c.Out, doc)
	} else {
		err = c.printFindings(doc)
	}
	if err == nil && !doc.OK {
		err = &exitError{exitFailed, nil}
	}
	return err
}

func (c *cli) policyReloadCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "reload",
		Short: "Make the running node read its policy anew",
		Long: `Make the running node read its policy anew, as SIGHUP does. Connections that stay allowed go on untouched; peers that
may not connect any more are told goodbye. A file with a fault or a failing test changes nothing.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cl, err := c.client()
			if err != nil {
				return err
			}
			r, err := cl.ReloadPolicy(cmd.Context())
			if err != nil {
				return err
			}
			if c.json {
				return writeJSON(c.Out, r)
			}
			source := r.Source
			if source == "" {
				source = "the defaults"
			}
			c.say("The policy of %s is in force: %s, %s kept. %s untouched, %d cut off.", source, counted(r.Rules, "rule", "rules"),
				counted(r.Tests, "test", "tests"), counted(r.Kept, "connection", "connections"), len(r.Cut))
			for _, f := range r.Cut {
				c.say("  cut off: %s", f)
			}
			if len(r.NeedRestart) > 0 {
				c.say("Changed as well, and counting from the next start on: %s", strings.Join(r.NeedRestart, ", "))
			}
			return nil
		},
	}
	c.jsonFlag(cmd)
	return cmd
}

func (c *cli) printFindings(doc v1.PolicyCheck) error {
	for _, f := range doc.Findings {
		at := f.File
		if f.Line > 0 {
			at = fmt.Sprintf("%s:%d", f.File, f.Line)
		}
		if err := c.print("%s: %s: %s", oneLine(at), f.Kind, oneLine(f.Text)); err != nil {
			return err
		}
	}
	if doc.OK {
		c.say("Nothing is wrong with %s.", oneLine(doc.File))
	}
	return nil
}

// readPolicyFile reads the file that is named, or else the node's own configuration.
func (c *cli) readPolicyFile(args []string) (path string, data []byte, err error) {
	if len(args) == 1 {
		path = args[0]
	} else {
		p, err := c.paths()
		if err != nil {
			return "", nil, err
		}
		path = p.Config
	}
	if data, err = os.ReadFile(path); err != nil {
		return "", nil, fmt.Errorf("read the policy: %w", err)
	}
	return path, data, nil
}
