package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	v1 "github.com/caro-mesh/caro-node/api/v1"
	"github.com/caro-mesh/caro-node/observer/risk"
	"github.com/caro-mesh/caro-node/observer/shellparse"
	"github.com/caro-mesh/caro-node/protocol"
)

// Exit codes that cannot be mistaken for one of the four answers of check, by their names in sysexits.
const (
	exitCheckUsage    = 64 // EX_USAGE
	exitCheckInternal = 70 // EX_SOFTWARE
	exitCheckIO       = 74 // EX_IOERR
)

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
The exit code is the answer: 0 safe, 1 moderate, 2 high, 3 critical. Everything from 64 on is none: 64 wrong
use, 70 a fault of this program, 74 the answer could not be written.

"caro-node check --guard SHELL" takes the command from the environment variable CARO_NODE_LINE, where other users cannot
see it, and what its aliases stand for from CARO_NODE_ALIASES (name=value, with the byte 1f between them). It prints the
level on a line, and for each finding of that level high or critical three more: rule, reason and safer alternative. This
form does not change; the guard of "caro-node shell init --guard" uses it.`,
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

func (c *cli) runCheck(command string, sh protocol.ShellType) (err error) {
	defer func() { // a panic would end with 2, which is an answer
		if fault := recover(); fault != nil {
			err = &exitError{exitCheckInternal, fmt.Errorf("the command could not be judged, which is a fault of caro-node: %v", fault)}
		}
	}()
	a := risk.Assess(shellparse.Parse(command, sh))
	doc := checkDocument{v1.SchemaVersion, a.Level, []checkFinding{}}
	for _, f := range a.Findings {
		doc.Findings = append(doc.Findings, checkFinding{f.RuleID, f.Level, f.Reason, f.Suggestion})
	}
	if err := c.printCheck(doc); err != nil {
		return &exitError{exitCheckIO, fmt.Errorf("write the answer: %w", err)}
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
