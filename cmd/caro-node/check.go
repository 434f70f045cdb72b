package main

import (
	"strings"

	"github.com/spf13/cobra"

	v1 "github.com/caro-mesh/caro-node/api/v1"
	"github.com/caro-mesh/caro-node/observer/risk"
	"github.com/caro-mesh/caro-node/observer/shellparse"
	"github.com/caro-mesh/caro-node/protocol"
)

// exitCheckUsage keeps wrong use of check apart from its four answers (EX_USAGE of sysexits).
const exitCheckUsage = 64

// checkDocument is the answer of `check --json`.
type checkDocument struct {
	SchemaVersion int                `json:"schema_version"`
	RiskLevel     protocol.RiskLevel `json:"risk_level"`
	Findings      []checkFinding     `json:"findings"`
}

type checkFinding struct {
	Rule       string             `json:"rule"`
	Level      protocol.RiskLevel `json:"level"`
	Reason     string             `json:"reason"`
	Suggestion string             `json:"suggestion"`
}

func (c *cli) checkCommand() *cobra.Command {
	shellName := "bash"
	cmd := &cobra.Command{
		Use:   "check [flags] -- COMMAND",
		Short: "Judge the risk of a command without running or recording it",
		Long: `Judge the risk of a command. Nothing is run, recorded or sent, and the node need not run.
The exit code is the answer: 0 safe, 1 moderate, 2 high, 3 critical; 64 for wrong use.

"caro-node check --guard SHELL" takes the command from the environment variable CARO_NODE_LINE, where other users cannot
see it, and prints the level on a line, and for each finding of that level high or critical three more: rule, reason and
safer alternative. This form does not change; the guard of "caro-node shell init --guard" uses it.`,
		Example: `  caro-node check -- 'curl https://example.org/install | sudo bash'`,
		RunE: func(_ *cobra.Command, args []string) error {
			command := strings.Join(args, " ")
			if strings.TrimSpace(command) == "" {
				return &exitError{exitCheckUsage, usageErrorf("check needs a command after --")}
			}
			return c.runCheck(command, protocol.ParseShell(shellName))
		},
	}
	cmd.Flags().StringVar(&shellName, "shell", shellName, "shell whose syntax counts: bash, zsh, fish, sh")
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &exitError{exitCheckUsage, err} })
	c.jsonFlag(cmd)
	return cmd
}

func (c *cli) runCheck(command string, sh protocol.ShellType) error {
	a := risk.Assess(shellparse.Parse(command, sh))
	doc := checkDocument{v1.SchemaVersion, a.Level, []checkFinding{}}
	for _, f := range a.Findings {
		doc.Findings = append(doc.Findings, checkFinding{f.RuleID, f.Level, f.Reason, f.Suggestion})
	}
	if err := c.printCheck(doc); err != nil {
		return err
	}
	if a.Level == protocol.RiskSafe {
		return nil
	}
	return &exitError{int(a.Level), nil}
}

func (c *cli) printCheck(doc checkDocument) error {
	if c.json {
		return writeJSON(c.Out, doc)
	}
	colour := isTerminal(c.Out, c.getenv)
	if err := c.print("%s", paint(colour, riskColour[doc.RiskLevel], doc.RiskLevel.String())); err != nil {
		return err
	}
	for _, f := range doc.Findings {
		if err := c.print("  %s %s: %s", f.Level, f.Rule, f.Reason); err != nil {
			return err
		}
		if f.Suggestion != "" {
			if err := c.print("    safer: %s", f.Suggestion); err != nil {
				return err
			}
		}
	}
	return nil
}
