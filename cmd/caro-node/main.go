// Command caro-node observes the commands typed on this machine, judges their risk, keeps them in a local database,
// and shares signed counts, never commands, with the peers that its user chose.
package main

import (
	"os"
)

// version is set by the linker.
var version = "dev"

func main() { os.Exit(Main()) }

// Main runs the command line of this process and returns its exit code.
func Main() int {
	// The shells' guard waits for this one before it runs a line, so it goes without what the others need to start.
	if code, ok := guardCheck(os.Args[1:], os.Stdout, os.Getenv); ok {
		return code
	}
	return execute(os.Args[1:], stdio{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}, os.Getenv)
}
