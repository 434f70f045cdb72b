package shell

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestKshAndMkshReportByThemselves(t *testing.T) {
	each(t, []string{"ksh", "mksh"}, func(t *testing.T, name string) {
		s := start(t, name, config{})
		before := time.Now().Add(-2 * time.Second)
		cases := []struct {
			line string
			exit int
			cwd  string
		}{
			{"true", 0, s.home}, {"false", 1, s.home}, {"sh -c 'exit 42'", 42, s.home}, {`echo "a  b" \\`, 0, s.home}, {"echo one; (exit 3)", 3, s.home},
			{"for i in 1 2; do false; done", 1, s.home}, {"mkdir -p 'a b'", 0, s.home}, {"cd 'a b'", 0, s.home}, {"pwd", 0, filepath.Join(s.home, "a b")},
		}
		for _, c := range cases {
			s.enter(c.line)
		}
		if name == "mksh" { // tells of a line when the next one has been entered
			s.enter("echo next")
		}
		got := s.records()
		if len(got) != len(cases) {
			t.Fatalf("recorded %q", s.commands())
		}
		for i, r := range got {
			c := cases[i]
			if r.Command != c.line || r.Exit == nil || *r.Exit != c.exit || r.CWD != c.cwd || r.Shell != "sh" {
				t.Errorf("%+v with the exit status %v, want %+v", r, value(r.Exit), c)
			}
			if r.Start.Before(before) || r.Start.After(time.Now().Add(2*time.Second)) || r.Duration != nil {
				t.Errorf("%q: started at %v, took %v; only the end is known", r.Command, r.Start, value(r.Duration))
			}
		}
	})
}

func TestKshAndMkshKeepSeveralLinesTogether(t *testing.T) {
	each(t, []string{"ksh", "mksh"}, func(t *testing.T, name string) {
		s := start(t, name, config{})
		s.enter("echo a")
		s.send("if true\rthen echo b\rfi\r")
		s.waitPrompt()
		s.enter("echo c", "echo d")
		got := strings.Join(s.commands(), "|")
		if !strings.HasPrefix(got, "echo a|if true\nthen echo b\nfi|echo c") {
			t.Errorf("recorded %q, screen %q", got, squeeze(s.screen()))
		}
	})
}

// observing puts a program named caro-node into the PATH that notes how it was called.
func observing(t *testing.T) (env, log string) {
	t.Helper()
	dir := t.TempDir()
	log = filepath.Join(dir, "log")
	script := "#!/bin/sh\nprintf '[%s]' \"$@\" >>" + quotePOSIX(log) + "\necho >>" + quotePOSIX(log) + "\necho noise\nexit 5\n"
	if err := os.WriteFile(filepath.Join(dir, "caro-node"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	return "PATH=" + dir + ":" + os.Getenv("PATH"), log
}

func TestCaroRunReportsACommandWhereTheShellOffersNoHook(t *testing.T) {
	each(t, []string{"dash", "ksh", "mksh"}, func(t *testing.T, name string) {
		env, log := observing(t)
		s := start(t, name, config{env: []string{env}})
		s.enter("caro_run true", "caro_run sh -c 'exit 7'", "echo was=$?", "caro_run echo 'a  b' '*'", "set -eu", "caro_run false || echo goes on",
			"caro_pause", "caro_run echo hidden", "caro_resume", "touch "+PauseFile(s.spool), "caro_run echo hidden too", "rm "+PauseFile(s.spool), "caro_run true again")
		b, err := os.ReadFile(log)
		want := "[observe][--shell][sh][--exit][0][--][true]\n[observe][--shell][sh][--exit][7][--][sh -c exit 7]\n[observe][--shell][sh][--exit][0][--][echo a  b *]\n" +
			"[observe][--shell][sh][--exit][1][--][false]\n[observe][--shell][sh][--exit][0][--][true again]\n"
		if err != nil || string(b) != want {
			t.Errorf("caro-node was called with\n%s(%v), want\n%s", b, err, want)
		}
		screen := strings.ReplaceAll(s.screen(), "\r", "")
		for _, seen := range []string{"\nwas=7\n", "\na  b *\n", "\ngoes on\n"} {
			if !strings.Contains(screen, seen) {
				t.Errorf("%q is not seen: %q", seen, screen)
			}
		}
		if strings.Contains(screen, "noise") {
			t.Errorf("the report disturbs: %q", screen)
		}
	})
}

func TestDashIsLeftAloneApartFromTheWrapper(t *testing.T) {
	t.Parallel()
	s := start(t, "dash", config{})
	s.enter("echo a", "false", "echo $?")
	s.want()
	wantQuiet(t, s, "caro")
}
