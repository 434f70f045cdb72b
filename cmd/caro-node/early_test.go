package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/caro-mesh/caro-node/observer/guard"
)

func TestTheGuardIsAnsweredBeforeTheMeshIsInitialised(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, "check", "--guard", "bash") // every program that imports this package answers it
	cmd.Env = append(os.Environ(), guard.LineVariable+"=ls", "GODEBUG=inittrace=1")
	var trace strings.Builder
	cmd.Stderr = &trace
	out, err := cmd.Output()
	if err != nil || string(out) != "safe\n" {
		t.Fatalf("answered %q (%v)", out, err)
	}
	if !strings.Contains(trace.String(), "init mvdan.cc/sh/v3") {
		t.Fatalf("the trace does not tell what was initialised:\n%s", trace.String())
	}
	for line := range strings.Lines(trace.String()) {
		for _, late := range []string{"net/http", "github.com/libp2p/go-libp2p/p2p/net/", "github.com/danielgtaylor/huma/v2 ", "modernc.org/libc ", "github.com/caro-mesh/caro-node/protocol "} {
			if strings.HasPrefix(line, "init "+late) {
				t.Errorf("initialised before the answer: %s", line)
			}
		}
	}
}
