package main

import (
	"os/exec"
	"strings"
	"testing"
)

func TestHookLineWorksWithAnyPath(t *testing.T) {
	for _, me := range []string{"/usr/bin/caro-node", "/home/a b/caro-node", "/o'clock/$x/caro-node"} {
		line := strings.TrimSuffix(strings.TrimPrefix(hookLine(me, "/bin/bash"), `eval "$(`), ` shell init bash)"`)
		out, err := exec.CommandContext(t.Context(), "sh", "-c", `for w in `+line+`; do printf '<%s>' "$w"; done`).Output()
		if err != nil || string(out) != "<"+me+">" {
			t.Errorf("a shell reads %s as %s (%v)", line, out, err)
		}
	}
}
