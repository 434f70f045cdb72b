package main

import (
	"errors"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"caro-node": func() { os.Exit(Main()) }, "seed-audit": seedAudit})
}

// TestScripts runs testdata/*.txtar: what people type, what they see, and the exit codes that scripts rely on.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		UpdateScripts:       os.Getenv("UPDATE_SCRIPTS") != "",
		Setup: func(env *testscript.Env) error {
			env.Setenv("CARO_HOME", env.WorkDir+"/home")
			env.Setenv("NO_COLOR", "1")
			yesterday := time.Now().UTC().Truncate(24 * time.Hour).Add(-3 * time.Hour)
			env.Setenv("YESTERDAY", strconv.FormatInt(yesterday.Unix(), 10))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits, "until": until},
	})
}

// exits runs a command and demands an exit code: exits 2 caro-node …
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND [ARG ...]")
	}
	got := "0"
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		got = codeOf(err)
	}
	if got != args[0] {
		ts.Fatalf("exit code %s, want %s", got, args[0])
	}
}

// until runs a command until what it prints contains a text: until TEXT caro-node …
func until(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: until TEXT COMMAND [ARG ...]")
	}
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	deadline := time.Now().Add(2 * time.Minute)
	for {
		err := ts.Exec(args[1], args[2:]...)
		if err == nil && strings.Contains(ts.ReadFile("stdout"), args[0]) {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("%q does not come, the last outcome is: %v", args[0], err)
		}
		<-again.C
	}
}

func codeOf(err error) string {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return strconv.Itoa(exit.ExitCode())
	}
	return err.Error()
}
