package bundle_test

import (
	"flag"
	"fmt"
	"os"
	"testing"
)

// TestMain raises the number of random policies: each costs microseconds. A number on the command line still wins.
func TestMain(m *testing.M) {
	if err := flag.Set("rapid.checks", "4000"); err != nil {
		fmt.Fprintln(os.Stderr, "raise the number of random policies:", err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}
