// Package early answers the shells' guard before the rest of the program is initialised.
//
// The guard runs `caro-node check --guard SHELL` while a person waits at the prompt. Most of the time of a process that
// only judges a line goes into initialising packages that it does not use: the mesh, the database, the API. The language
// says in which order that happens: always the first package, by import path, of those whose imports are initialised.
// What the judgement needs (this module's own packages, the shell grammar, no net, no cryptography) is therefore ready
// before net/http and all that rests on it. The program imports this package for its init function alone.
package early

import (
	"io"
	"os"

	"github.com/caro-mesh/caro-node/observer/guard"
	"github.com/caro-mesh/caro-node/protocol/vocabulary"
)

// noAnswer is the exit code of wrong use, and of an answer that could not be written: EX_USAGE of sysexits.
const noAnswer = 64

func init() {
	if code, ok := check(os.Args[1:], os.Stdout, os.Getenv); ok {
		os.Exit(code)
	}
}

// check answers `check --guard SHELL`; false where the arguments are others.
func check(args []string, out io.Writer, getenv func(string) string) (int, bool) {
	if len(args) != 3 || args[0] != "check" || args[1] != "--guard" {
		return 0, false
	}
	sh := vocabulary.ParseShell(args[2])
	line := getenv(guard.LineVariable)
	if sh == vocabulary.ShellOther || line == "" {
		return noAnswer, true
	}
	level, text := guard.Answer(line, getenv(guard.AliasesVariable), sh)
	if _, err := io.WriteString(out, text); err != nil {
		return noAnswer, true
	}
	return int(level), true
}
