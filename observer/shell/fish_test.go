package shell

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// onTime fails unless the record's start is about now, or, with unknown, is left open.
func (s *session) onTime(unknown bool) {
	s.t.Helper()
	r := s.records()
	if len(r) == 0 {
		s.t.Fatal("nothing was recorded")
	}
	start := r[len(r)-1].Start
	if unknown != start.IsZero() {
		s.t.Errorf("started at %v", start)
	}
	if away := time.Since(start); !unknown && (away < -2*time.Second || away > patience) {
		s.t.Errorf("started at %v, %v from now", start, away)
	}
}

func TestFishTellsTheTimeInEachWay(t *testing.T) {
	path := func(s *session) bool { // the built-in that fish has had since 3.5
		s.enter("builtin -q path; and touch ~/has-path")
		return exists(filepath.Join(s.home, "has-path"))
	}
	t.Run("by the uptime", func(t *testing.T) {
		t.Parallel()
		s := start(t, "fish", config{})
		s.enter("true")
		if exists("/proc/uptime") {
			s.onTime(false)
		}
	})
	t.Run("by the uptime, and looks whether the clock was moved", func(t *testing.T) {
		t.Parallel()
		s := start(t, "fish", config{})
		if !exists("/proc/uptime") || !path(s) {
			t.Skip("this system or this fish cannot tell, so a clock that was moved goes unnoticed")
		}
		s.enter(" set -g __caro_boot (math $__caro_boot - 5000)", " set -g __caro_usual '(?!)'", "true", "true")
		s.onTime(false)
	})
	t.Run("by a file where there is no uptime", func(t *testing.T) {
		t.Parallel()
		s := start(t, "fish", config{})
		has := path(s)
		s.enter(" set -g __caro_uptime /dev/null; set -g __caro_usual '(?!)'", "true", " hidden", "exec 2>&1 true", "false")
		s.onTime(!has)
		s.want("builtin -q path; and touch ~/has-path", "true", "exec 2>&1 true", "false")
	})
	t.Run("not at all where nothing tells it", func(t *testing.T) {
		t.Parallel()
		s := start(t, "fish", config{})
		if err := os.Remove(filepath.Join(s.spool, "lines")); err != nil {
			t.Fatal(err)
		}
		s.enter(" set -g __caro_uptime /dev/null; set -g __caro_usual '(?!)'", "true")
		s.onTime(true)
		s.want("true")
		wantQuiet(t, s)
	})
}

func TestFishInPrivateModeIsNotRecorded(t *testing.T) {
	t.Parallel()
	s := start(t, "fish", config{})
	s.enter("echo a", " set -g fish_private_mode 1", "echo hidden", "caro_pause", "caro_resume", "echo hidden", " set -e fish_private_mode", "echo b")
	s.want("echo a", "echo b")
	t.Run("from the start", func(t *testing.T) {
		s := start(t, "fish", config{before: "set -g fish_private_mode 1"})
		s.enter("echo hidden")
		s.want()
	})
}

func TestFishTriesAgainAMinuteAfterTheDiskWasFull(t *testing.T) {
	if !exists("/dev/full") || !exists("/proc/uptime") {
		t.Skip("this system has no /dev/full or no /proc/uptime, so a full disk and a minute cannot be imitated")
	}
	t.Parallel()
	s := start(t, "fish", config{after: "set -g file $__caro_file; set -g __caro_file /dev/full"})
	s.enter("echo lost", " set -g __caro_file $file", "echo lost too", " set -g __caro_full 1", "echo kept", "echo b")
	s.want("echo kept", "echo b")
}

// Typing such a command into fish would take minutes, and from a pipe it is no interactive shell; so its events are raised.
func TestACommandOfOneMebibyteIsRecordedWholeInFish(t *testing.T) {
	t.Parallel()
	s := start(t, "fish", config{})
	want := []string{": " + strings.Repeat("grüße ", 1<<20/8), ": '" + strings.Repeat("x\n\t\"%s\\n ", 1<<20/12) + "'", ": \xff\xfe\x80\x01\x7f" + strings.Repeat("\xc3", 1000)}
	for i, command := range want {
		if err := os.WriteFile(filepath.Join(s.home, fmt.Sprint(i)), []byte(command), 0o600); err != nil {
			t.Fatal(err)
		}
		s.enter(fmt.Sprintf(" read -z big <~/%d; emit fish_preexec $big; emit fish_postexec $big", i))
	}
	got := s.commands()
	if len(got) != len(want) {
		t.Fatalf("%d of %d commands were recorded", len(got), len(want))
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%d bytes were recorded of a command of %d bytes, beginning %.60q", len(got[i]), len(want[i]), got[i])
		}
	}
}
