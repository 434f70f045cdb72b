// Command caro-node observes the commands typed on this machine, judges their risk, keeps them in a local database,
// and shares signed counts, never commands, with the peers that its user chose.
package main

import (
	"os"

	_ "github.com/caro-mesh/caro-node/cmd/caro-node/early" // answers the guard, and ends
)

// version is set by the linker.
var version = "dev"

func main() { os.Exit(Main()) }

// Main runs the command line of this process and returns its exit code.
func Main() int {
	return execute(os.Args[1:], stdio{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}, os.Getenv)
}
