package shell

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// emptyHooks do nothing at the places where ours do something.
var emptyHooks = map[string]string{
	"bash": "__e() { :; }; trap ':' DEBUG; PROMPT_COMMAND=__e; PS0='${BASH_VERSION:0:$((0))}'",
	"zsh":  "__e() { : }; autoload -Uz add-zsh-hook; add-zsh-hook preexec __e; add-zsh-hook precmd __e",
	"fish": "function __e1 --on-event fish_preexec; end; function __e2 --on-event fish_postexec; end",
}

// timedShell is an interactive shell that answers one command at a time.
type timedShell struct {
	*session
	n    int
	took []time.Duration
}

func startTimed(b *testing.B, name string, c config) *timedShell {
	b.Helper()
	s := start(b, name, c)
	return &timedShell{session: s, n: s.prompt}
}

// cpu returns the time that the shell itself has computed, all its threads together; 0 where /proc does not tell.
func (s *timedShell) cpu() time.Duration {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", s.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	var sum time.Duration
	for _, path := range threads {
		b, err := os.ReadFile(path)
		if err != nil { // a thread that has just ended
			continue
		}
		var ns int64
		if _, err := fmt.Sscan(string(b), &ns); err != nil {
			return 0
		}
		sum += time.Duration(ns)
	}
	return sum
}

// command types a command that does nothing and returns when the next prompt is on the screen.
func (s *timedShell) command(b *testing.B) time.Duration {
	s.n++
	want := fmt.Appendf(nil, "<%d>$ ", s.n)
	from := time.Now()
	if _, err := io.WriteString(s.tty, ":\r"); err != nil {
		b.Fatal(err)
	}
	for {
		s.mu.Lock()
		seen := bytes.Contains(s.out.Bytes(), want)
		if seen {
			s.out.Reset()
		}
		s.mu.Unlock()
		if seen {
			return time.Since(from)
		}
		select {
		case <-s.more:
		case <-time.After(patience):
			b.Fatalf("no prompt: %q", s.screen())
		}
	}
}

// memory returns a folder in memory, as XDG_RUNTIME_DIR is on a system with sessions.
func memory(b *testing.B) string {
	b.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "caro")
	if err != nil {
		b.Logf("no folder in memory: %v", err)
		return b.TempDir()
	}
	b.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			b.Error(err)
		}
	})
	return dir
}

// quantile returns the share-th of d in microseconds, 0.5 for the median.
func quantile(d []time.Duration, share float64) float64 {
	d = slices.Sorted(slices.Values(d))
	return float64(d[int(share*float64(len(d)-1))].Nanoseconds()) / 1000
}

func median(d []time.Duration) float64 { return quantile(d, 0.5) }

// BenchmarkPrompt measures from the Return key to the next prompt, in turns: the bare shell, the shell with hooks that do
// nothing, with ours (bash also as most distributions set it up, where a DEBUG trap is needed, and without a run-time folder
// in memory), and, where the environment variable BASH_PREEXEC names the file, with bash-preexec. The figures are medians in microseconds;
// "ratio" is what ours adds over what empty hooks add, which holds on faster and slower machines alike. The cpu figures are
// what the shell itself computed; they depend less on what else runs. The 10th and 90th percentile of the bare shell say how much
// of a difference is noise.
func BenchmarkPrompt(b *testing.B) {
	for _, name := range automatic {
		b.Run(name, func(b *testing.B) {
			kinds := []string{"bare", "empty", "ours"}
			configs := map[string]config{
				"bare":  {bare: true},
				"empty": {bare: true, after: emptyHooks[name]},
				"ours":  {env: []string{"XDG_RUNTIME_DIR=" + memory(b)}},
			}
			if name == "bash" {
				kinds = append(kinds, "ignoreboth", "disk")
				configs["ignoreboth"] = config{before: "HISTCONTROL=ignoreboth", env: configs["ours"].env}
				configs["disk"] = config{}
				if file := os.Getenv("BASH_PREEXEC"); file != "" {
					kinds = append(kinds, "preexec")
					configs["preexec"] = config{bare: true, before: ". " + quotePOSIX(file), after: "preexec() { :; }; precmd() { :; }"}
				} else {
					b.Log("BASH_PREEXEC does not name the file of bash-preexec, so it is not compared")
				}
			}
			shells := map[string]*timedShell{}
			for _, k := range kinds {
				s := startTimed(b, name, configs[k])
				for range 20 {
					s.command(b)
				}
				shells[k] = s
			}
			before := map[string]time.Duration{}
			for _, k := range kinds {
				before[k] = shells[k].cpu()
			}
			for b.Loop() {
				for _, k := range kinds {
					shells[k].took = append(shells[k].took, shells[k].command(b))
				}
			}
			bare := median(shells["bare"].took)
			b.ReportMetric(0, "ns/op") // of all kinds together: means nothing
			b.ReportMetric(bare, "bare-µs")
			b.ReportMetric(quantile(shells["bare"].took, 0.1), "bare-p10-µs")
			b.ReportMetric(quantile(shells["bare"].took, 0.9), "bare-p90-µs")
			computed := func(k string) float64 {
				return float64((shells[k].cpu() - before[k]).Microseconds()) / float64(len(shells[k].took))
			}
			for _, k := range kinds[1:] {
				b.ReportMetric(median(shells[k].took)-bare, k+"-adds-µs")
				b.ReportMetric(computed(k)-computed("bare"), k+"-adds-cpu-µs")
			}
			if empty := median(shells["empty"].took) - bare; empty > 0 {
				b.ReportMetric((median(shells["ours"].took)-bare)/empty, "ratio")
			}
		})
	}
}
