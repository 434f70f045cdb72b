package main

import (
	"strings"
	"testing"
)

func TestTypedCommandsAreVariedAndFilledIn(t *testing.T) {
	typist, seen := newTypist(), map[string]bool{}
	for range 20_000 {
		c := typist.command()
		if strings.Contains(c, "%") || strings.TrimSpace(c) != c || c == "" {
			t.Fatalf("typed %q", c)
		}
		seen[c] = true
	}
	if len(seen) < 15_000 {
		t.Errorf("only %d different commands", len(seen))
	}
	again := newTypist()
	if a, b := again.command(), newTypist().command(); a != b {
		t.Errorf("typed %q, then %q: figures of two runs could not be compared", a, b)
	}
}
