package shell

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// childFaults returns the number of page faults of all children that the shell has waited for. Not even the shortest
// fork passes without one, so an unchanged number means that no process was started. It skips where /proc does not tell.
func childFaults(t *testing.T, s *session) int {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.cmd.Process.Pid))
	if err != nil {
		t.Skipf("this system does not tell of a process's children in /proc, so it cannot be seen here whether one was started: %v", err)
	}
	fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	n, err := strconv.Atoi(fields[8]) // cminflt, the 11th field; the second one ended at the parenthesis
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestNoProcessIsStartedForACommand(t *testing.T) {
	each(t, []string{"bash", "zsh", "fish", "ksh", "mksh"}, func(t *testing.T, name string) {
		c := config{}
		if name == "bash" {
			c.before = "HISTCONTROL=ignoreboth" // with the DEBUG trap, which is the longer way
		}
		s := start(t, name, c)
		s.enter("true", "true") // what is done once is done
		before := childFaults(t, s)
		for i := range 20 {
			s.enter(fmt.Sprintf("test %d = 1", i), "true", "true", " true", "")
		}
		if after := childFaults(t, s); after != before {
			t.Errorf("the shell's children had %d page faults: the hook starts processes", after-before)
		}
		if n := len(s.records()); n < 40 {
			t.Errorf("only %d commands were recorded, so the test shows nothing", n)
		}
		s.enter("/bin/true")
		if childFaults(t, s) == before {
			t.Error("the test cannot see a process being started")
		}
	})
}

var writeCall = regexp.MustCompile(`(?:write|writev)\(\d+, "\\0\\2C1.*= (\d+)`)

func TestARecordIsOneWrite(t *testing.T) {
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("strace is not installed, so the writes cannot be counted")
	}
	each(t, automatic, func(t *testing.T, name string) {
		s := start(t, name, config{})
		trace := filepath.Join(s.home, "trace")
		tracer := exec.Command(strace, "-f", "-e", "trace=write,writev", "-s", "16", "-o", trace, "-p", strconv.Itoa(s.cmd.Process.Pid))
		stderr := &lockedBuffer{}
		tracer.Stderr = stderr
		if err := tracer.Start(); err != nil {
			t.Fatal(err)
		}
		if !poll(func() bool {
			return strings.Contains(stderr.String(), "attached") || strings.Contains(stderr.String(), "not permitted")
		}) {
			t.Fatalf("strace: %s", stderr.String())
		}
		if strings.Contains(stderr.String(), "not permitted") {
			t.Skip("tracing is not permitted here")
		}
		// fish cuts at 512 bytes and bash at 4,096; below, even a text with line breaks is one write.
		long := "echo " + strings.Repeat("x", 300) + " >/dev/null"
		lines := []string{"true", long, "echo 'a\nb\n\nc' >/dev/null", "false"}
		if name == "bash" {
			lines = append(lines, "echo "+strings.Repeat("y", 3500)+" >/dev/null")
		}
		if name == "zsh" {
			lines = append(lines, "echo "+strings.Repeat("y", 6_000)+" >/dev/null")
		}
		s.enter(lines...)
		if err := tracer.Process.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
		_ = tracer.Wait() // ended by the signal
		s.want(lines...)
		b, err := os.ReadFile(trace)
		if err != nil {
			t.Fatal(err)
		}
		size := 0
		calls := writeCall.FindAllStringSubmatch(string(b), -1)
		for _, c := range calls {
			n, err := strconv.Atoi(c[1])
			if err != nil {
				t.Fatal(err)
			}
			size += n
		}
		names, err := filepath.Glob(filepath.Join(s.spool, "*.spool"))
		if err != nil || len(names) != 1 {
			t.Fatal(names, err)
		}
		fi, err := os.Stat(names[0])
		if err != nil {
			t.Fatal(err)
		}
		if len(calls) != len(lines) || int64(size) != fi.Size() {
			t.Errorf("%d records of %d bytes took writes %v", len(lines), fi.Size(), calls)
		}
	})
}
