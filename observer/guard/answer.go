package guard

import (
	"strings"

	"github.com/caro-mesh/caro-node/observer/risk"
	"github.com/caro-mesh/caro-node/observer/shellparse"
	"github.com/caro-mesh/caro-node/protocol/vocabulary"
)

// LineVariable is the environment variable in which a shell hands over the line to be judged: unlike an argument, other
// users cannot see it.
const LineVariable = "CARO_NODE_LINE"

// AliasesVariable is the environment variable in which a shell hands over what the line's aliases stand for
// ([shellparse.ParseAliases] reads it); empty where it holds none.
const AliasesVariable = "CARO_NODE_ALIASES"

// maxFindings bounds what a person is shown before being asked.
const maxFindings = 3

// Answer judges a line, with its aliases expanded, and words the judgement for the scripts: the level on a line, and for each finding of level high
// or critical (three at most) a line each for rule, reason and safer alternative.
func Answer(line, aliases string, sh vocabulary.ShellType) (vocabulary.RiskLevel, string) {
	a := risk.Assess(shellparse.Parse(shellparse.Expand(line, sh, shellparse.ParseAliases(aliases)), sh))
	lines := []string{a.Level.String()}
	for _, f := range a.Findings {
		if f.Level >= vocabulary.RiskHigh && len(lines) < 1+3*maxFindings {
			lines = append(lines, f.RuleID, f.Reason, f.Suggestion)
		}
	}
	return a.Level, strings.Join(lines, "\n") + "\n"
}
