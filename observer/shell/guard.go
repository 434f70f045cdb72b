package shell

import (
	_ "embed" // the scripts
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/caro-mesh/caro-node/observer/guard"
	"github.com/caro-mesh/caro-node/protocol"
)

//go:embed guard.bash
var bashGuard string

//go:embed guard.zsh
var zshGuard string

//go:embed guard.fish
var fishGuard string

// ErrNoGuard is returned for a shell in which a command cannot be stopped before it runs.
var ErrNoGuard = errors.New("the guard is not available for sh: it offers no place to stop a command (bash, zsh and fish do)")

// guardScript returns the part of the script that stops dangerous commands; program judges them.
func guardScript(sh protocol.ShellType, program string) (string, error) {
	words := guard.Words()
	names := slices.Sorted(maps.Keys(words))
	var table, needs []string
	var text string
	quote := quotePOSIX
	switch sh {
	case protocol.ShellBash:
		text = bashGuard
		for _, n := range names {
			table = append(table, "["+quote(n)+"]="+quote(need(words[n])))
		}
	case protocol.ShellZsh:
		text = zshGuard
		for _, n := range names {
			table = append(table, quote(n)+" "+quote(need(words[n])))
		}
	case protocol.ShellFish:
		text, quote = fishGuard, quoteFish
		for _, n := range names {
			table, needs = append(table, quote(n)), append(needs, quote(need(words[n])))
		}
	default:
		return "", ErrNoGuard
	}
	var marks, parts []string
	for _, m := range guard.Marks() {
		marks = append(marks, quote(string(m)))
	}
	for _, p := range guard.Parts() {
		parts = append(parts, "*"+quote(p)+"*")
	}
	part := strings.Join(parts, "|")
	if sh == protocol.ShellFish { // has regular expressions, but no alternatives in patterns
		part = quote(strings.ReplaceAll(strings.Join(guard.Parts(), "|"), ".", "[.]"))
	}
	return strings.NewReplacer(
		"@WORDS@", strings.Join(table, " "), "@NEEDS@", strings.Join(needs, " "), "@PROGRAM@", quote(program),
		"@COMPUTED@", quote(guard.Computed), "@WRITTEN@", quote(guard.Written), "@MAX@", strconv.Itoa(guard.MaxLine),
		"@MARKS@", strings.Join(marks, " "), "@PARTS@", part,
	).Replace(text), nil
}

// need writes what must stand beside a word; ! if nothing.
func need(with []string) string {
	if with == nil {
		return "!"
	}
	return strings.Join(with, " ")
}
