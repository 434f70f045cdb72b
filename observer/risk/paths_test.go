package risk

import (
	"testing"

	"github.com/caro-mesh/caro-node/observer/shellparse"
	"github.com/caro-mesh/caro-node/protocol"
)

// Paths are put together from what shells and people put into them, in every order.
func TestEveryShapeOfAPathIsJudged(t *testing.T) {
	pieces := []string{".", "..", "/", "//", "~", "$X", `"$X"`, "${X:?}", "$(pwd)", "`pwd`", "*", "a", "{}", "C:", " "}
	commands := []string{"rm -rf ", "mv x ", "chmod -R 777 ", "echo a > ", "cd a; rm -r ", "rsync --delete a/ ", "find "}
	var build func(path string, more int)
	build = func(path string, more int) {
		for _, command := range commands {
			line := command + path
			func() {
				defer func() {
					if fault := recover(); fault != nil {
						t.Errorf("%q: %v", line, fault)
					}
				}()
				if a := Assess(shellparse.Parse(line, protocol.ShellBash)); a.Level.Validate() != nil {
					t.Errorf("%q: %v", line, a.Level)
				}
			}()
		}
		if more == 0 {
			return
		}
		for _, p := range pieces {
			build(path+p, more-1)
		}
	}
	build("", 3)
}

func TestAnUnknownNameInTheCurrentFolderIsNoKnownPlace(t *testing.T) {
	for line, want := range map[string]protocol.RiskLevel{
		"rm -rf ./$X":        protocol.RiskHigh,
		`rm -rf "$(pwd)/$X"`: protocol.RiskHigh,
		"rm -rf ./$X/bin":    protocol.RiskHigh,
		"rm -rf ./$X/build":  protocol.RiskModerate,
		"rm ./$X.txt":        protocol.RiskModerate,
		"chmod -R 755 ./$X":  protocol.RiskModerate,
	} {
		if got := Assess(shellparse.Parse(line, protocol.ShellBash)).Level; got != want {
			t.Errorf("%s: %s, want %s", line, got, want)
		}
	}
}
