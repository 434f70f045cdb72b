package shell

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caro-mesh/caro-node/observer/guard"
	"github.com/caro-mesh/caro-node/observer/risk/corpus"
	"github.com/caro-mesh/caro-node/protocol"
)

// looks are lines on which the shells' own ways of looking at text could differ.
var looks = []string{"", " ", "ls", "r\\\nm x", "ls\nrm x", "echo \xff\xfe", "\xffrm x", "echo é; ls", "ls\tx", "ls\rrm", "git status",
	"git push", "git\npush", "'r'm x", "mkfs.ext4 x", ".", "..", "x.rm", "rm.x", "*", "a*b", "$x y", "y $x", "a=1", "a=1 $b", "! ls", "[ x ]",
	"ls >/dev/null 2>&1", "ls > /dev/nullx", "ls >~/x", "ls > x", "-", "--", "in", "python x.py", "python x.py | cat", "sudo ls", "sudo l?",
	`echo "a"`, `echo \a`, "echo (a)", strings.Repeat("x", 2000), strings.Repeat("x", 2001), "./x | y", "a/./rm", ". x", ". x | y"}

func TestTheScriptsLookAtLinesAsTheGuardDoes(t *testing.T) {
	names, err := filepath.Glob("../risk/corpus/*.tsv")
	if err != nil || len(names) == 0 {
		t.Fatal("no corpus", err)
	}
	lines := append([]string(nil), looks...)
	for _, n := range names {
		entries, err := corpus.ReadFile(n)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			lines = append(lines, e.Command)
		}
	}
	each(t, automatic, func(t *testing.T, name string) {
		path := program(t, name)
		script, err := guardScript(protocol.ParseShell(name), "/nonexistent")
		if err != nil {
			t.Fatal(err)
		}
		// The functions are wanted without an interactive shell around them.
		loop := "while IFS= read -r -d '' l; do if __caro_suspect \"$l\"; then echo 1; else echo 0; fi; done"
		switch name {
		case "zsh":
			script = strings.Replace(script, `-o interactive && "${__caro_pid-}" == "$$"`, "-n x", 1)
			script = script[:strings.Index(script, "  for __caro_widget")] + "\nfi\n"
		case "fish":
			script = strings.Replace(script, `status is-interactive; and test "$__caro_pid" = $fish_pid`, "true", 1)
			loop = "while read -z l; if __caro_suspect \"$l\"; echo 1; else; echo 0; end; end"
		}
		file := filepath.Join(t.TempDir(), "script")
		if err := os.WriteFile(file, []byte(script+"\n"+loop+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(path, file)
		cmd.Env = []string{"LC_ALL=C.UTF-8", "HOME=" + t.TempDir(), "PATH=" + os.Getenv("PATH")}
		cmd.Stdin = strings.NewReader(strings.Join(lines, "\x00") + "\x00")
		var stderr strings.Builder
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil || stderr.Len() > 0 {
			t.Fatalf("%v: %.2000s", err, stderr.String())
		}
		got := strings.Fields(string(out))
		if len(got) != len(lines) {
			t.Fatalf("%d answers for %d lines", len(got), len(lines))
		}
		for i, l := range lines {
			if want := guard.Suspect(l); (got[i] == "1") != want {
				t.Errorf("%.200q: suspect %v, want %v", l, got[i] == "1", want)
			}
		}
	})
}
