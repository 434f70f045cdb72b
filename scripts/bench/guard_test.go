package main

import (
	"testing"

	"github.com/caro-mesh/caro-node/observer/guard"
	"github.com/caro-mesh/caro-node/protocol/vocabulary"
)

// A line that the shells let through unasked would time nothing, and one that is not safe ends the loop of the shell.
func TestTheTimedLineNeedsACheckAndIsSafe(t *testing.T) {
	if !guard.Suspect(guardedLine) {
		t.Errorf("%q passes without a check", guardedLine)
	}
	if level, _ := guard.Answer(guardedLine, "", vocabulary.ShellBash); level != vocabulary.RiskSafe {
		t.Errorf("%q is %s", guardedLine, level)
	}
}
