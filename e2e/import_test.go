package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"

	"github.com/caro-mesh/caro-node/api/client"
	v1 "github.com/caro-mesh/caro-node/api/v1"
	"github.com/caro-mesh/caro-node/protocol"
)

// imported is what `import --json` says.
type imported struct {
	Read          int    `json:"read"`
	Stored        int    `json:"stored"`
	AlreadyStored int    `json:"already_stored"`
	Ignored       int    `json:"ignored"`
	Redacted      int    `json:"redacted"`
	WithoutTime   int    `json:"without_time"`
	Malformed     int    `json:"malformed"`
	Through       string `json:"through"`
}

// start of the day before yesterday; imports of it are old enough to be told from what a test records.
func someDay() time.Time { return time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, -2) }

func writeFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "history")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// zshHistory lets a real zsh write commands to a history file, as it does when it ends.
func zshHistory(t *testing.T, commands []string) string {
	t.Helper()
	zsh, err := exec.LookPath("zsh")
	if err != nil {
		t.Skip("SKIPPED: zsh is not installed (.ci/run installs it)")
	}
	path := filepath.Join(t.TempDir(), ".zsh_history")
	cmd := exec.CommandContext(t.Context(), zsh, append([]string{"-f", "-i", "-c",
		`setopt extendedhistory; unsetopt histreduceblanks; fc -p $1 1000 1000; shift; for c; do print -rs -- "$c"; done; fc -W`, "zsh", path}, commands...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("zsh: %v\n%s", err, out)
	}
	return path
}

func TestWhatAShellWroteIsImportedOnceThroughTheNodeAndBesideIt(t *testing.T) {
	commands := []string{"git status", "echo 'grün 日本 \u0083\u00a0'", "for i in 1 2\ndo\n  echo $i\ndone", "echo back\\\\slash \\", ": colon", "rm -rf /srv/old", "git status"}
	path := zshHistory(t, commands)
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(raw, []byte{0x83}) {
		t.Fatalf("zsh wrote nothing metafied: %q", raw)
	}
	for _, first := range []string{"daemon", "database"} {
		t.Run("first "+first, func(t *testing.T) {
			n := newNode(t, "anna")
			second := "database"
			if first == "daemon" {
				n.start()
			} else {
				second = "daemon"
			}
			var got, again imported
			n.caroJSON(&got, "import", "zsh", path)
			if want := (imported{Read: 7, Stored: 7, Through: first}); got != want {
				t.Errorf("said %+v, want %+v", got, want)
			}
			if first == "daemon" {
				n.stop()
			} else {
				n.start()
			}
			n.caroJSON(&again, "import", "zsh", path)
			if want := (imported{Read: 7, AlreadyStored: 7, Through: second}); again != want {
				t.Errorf("the second time said %+v, want %+v", again, want)
			}
			if first == "daemon" {
				n.start()
			}
			events := n.history()
			if got := strings.Split(strings.TrimSuffix(joinCommands(events), "\x00"), "\x00"); !slices.Equal(got, commands) {
				t.Fatalf("the history holds %q, want %q", got, commands)
			}
			for i, e := range events {
				if e.Shell != protocol.ShellZsh || e.ExitCode != nil || time.Since(e.Timestamp) > time.Hour {
					t.Errorf("event %d is %+v", i, e)
				}
			}
			if e := events[5]; e.RiskLevel < protocol.RiskHigh || e.Category != protocol.CategoryFileOps {
				t.Errorf("%q is %s, %s", e.Command, e.RiskLevel, e.Category)
			}
		})
	}
}

func joinCommands(events []v1.Event) string {
	var b strings.Builder
	for _, e := range events {
		b.WriteString(e.Command + "\x00")
	}
	return b.String()
}

func TestAnImportKeepsSecretsAndIgnoredCommandsOut(t *testing.T) {
	for _, running := range []bool{true, false} {
		t.Run(fmt.Sprintf("node running %v", running), func(t *testing.T) {
			n := newNode(t, "anna")
			n.configure("[observer]\nignore = [\"pass *\"]")
			if running {
				n.start()
			}
			secret, hidden := newCanary(t, "secret"), newCanary(t, "hidden")
			at := someDay().Unix()
			path := writeFile(t, fmt.Sprintf("#%d\nexport DB_PASSWORD=%s\n#%d\npass show %s\n#%d\n echo %s\n#%d\nls\n", at, secret, at+1, hidden, at+2, hidden, at+3))
			var got imported
			n.caroJSON(&got, "import", "bash", path)
			got.Through = ""
			if want := (imported{Read: 4, Stored: 2, Ignored: 2, Redacted: 1}); got != want {
				t.Errorf("said %+v, want %+v", got, want)
			}
			if !running {
				n.start()
			}
			events := n.history()
			if len(events) != 2 || events[0].Command != "export DB_PASSWORD=REDACTED:password" || !slices.Equal(events[0].Redactions, []string{"password"}) {
				t.Errorf("the history holds %+v", events)
			}
			n.stop()
			for _, word := range []string{secret, hidden} {
				if found := n.filesWith(word); found != nil {
					t.Errorf("%s is in %v", word, found)
				}
			}
		})
	}
}

// filesWith returns the files of the node's home that hold the word, in any case.
func (n *node) filesWith(word string) []string {
	n.t.Helper()
	var found []string
	err := filepath.WalkDir(n.Home, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			if errors.Is(err, os.ErrNotExist) { // a spool file that was released just now
				err = nil
			}
			return err
		}
		b, err := os.ReadFile(path)
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		if bytes.Contains(bytes.ToLower(b), []byte(strings.ToLower(word))) || strings.Contains(strings.ToLower(path), strings.ToLower(word)) {
			found = append(found, path)
		}
		return err
	})
	if err != nil {
		n.t.Fatal(err)
	}
	return found
}

// importing starts an import from a pipe, which has to be ended.
func (n *node) importing() (*exec.Cmd, io.WriteCloser, *bytes.Buffer) {
	n.t.Helper()
	cmd := exec.Command(program, "import", "bash", "-", "--json")
	cmd.Env = n.Env()
	in, err := cmd.StdinPipe()
	if err != nil {
		n.t.Fatal(err)
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		_ = cmd.Wait()
	})
	return cmd, in, &out
}

func historyLines(t *testing.T, w io.Writer, from, to int) {
	t.Helper()
	var b bytes.Buffer
	at := someDay().Unix()
	for i := from; i < to; i++ {
		fmt.Fprintf(&b, "#%d\nmake target-%d\n", at+int64(i/4), i)
	}
	if _, err := b.WriteTo(w); err != nil {
		t.Fatal(err)
	}
}

func TestANodeDoesNotStartWhileAnImportWritesTheDatabase(t *testing.T) {
	n := newNode(t, "anna")
	cmd, in, out := n.importing()
	historyLines(t, in, 0, 3000) // more than a pipe holds, so the import has begun
	n.refusesToStart("importing", n.Socket())
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	n.start()
	if got := n.stored(); got != 3000 {
		t.Errorf("%d commands are stored", got)
	}
}

func TestAnImportOnATerminalShowsHowFarItIs(t *testing.T) {
	n := newNode(t, "anna")
	file := filepath.Join(t.TempDir(), "history")
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	historyLines(t, f, 0, 50_000)
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program, "import", "bash", file)
	cmd.Env = append(n.Env(), "TERM=xterm")
	tty, err := pty.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	var screen bytes.Buffer
	_, _ = screen.ReadFrom(tty) // ends with an error when the program does
	if err := errors.Join(cmd.Wait(), tty.Close()); err != nil {
		t.Fatalf("%v: %s", err, screen.String())
	}
	bar := regexp.MustCompile(`\r\[#*\.*\] +(\d+)%  [\d,]+ commands, [\d,]+ a second`)
	seen := bar.FindAllStringSubmatch(screen.String(), -1)
	if len(seen) == 0 {
		t.Fatalf("no bar on the screen: %q", screen.String())
	}
	last := -1
	for _, m := range seen {
		percent, err := strconv.Atoi(m[1])
		if err != nil || percent < last || percent > 100 {
			t.Errorf("%q after %d %%", m[0], last)
		}
		last = percent
	}
	if end := screen.String()[strings.LastIndex(screen.String(), "%"):]; !strings.Contains(end, "50,000") || strings.Contains(end, "#") {
		t.Errorf("the bar is not taken away, or the sum is not told: %q", end)
	}
}

func TestAnInterruptedImportLeavesWhatIsDoneAndIsCompletedByTheNext(t *testing.T) {
	for _, running := range []bool{true, false} {
		t.Run(fmt.Sprintf("node running %v", running), func(t *testing.T) {
			n := newNode(t, "anna")
			if running {
				n.start()
			}
			cmd, in, out := n.importing()
			historyLines(t, in, 0, 20_000)
			// All but what a pipe and the stages hold has been read, so some is stored soon; more is never sent.
			if running {
				n.awaitEvents(1000)
			} else {
				eventually(t, func() string {
					if info, err := os.Stat(filepath.Join(n.Home, "caro.db-wal")); err != nil || info.Size() < 1<<20 {
						return "nothing is stored"
					}
					return ""
				})
			}
			if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
				t.Fatal(err)
			}
			err := cmd.Wait()
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.ExitCode() != 1 || !strings.Contains(out.String(), "nothing is stored twice") || !strings.Contains(out.String(), "interrupted") {
				t.Fatalf("ended with %v and said %s", err, out)
			}
			var whole bytes.Buffer
			historyLines(t, &whole, 0, 20_000)
			var got imported
			n.caroJSON(&got, "import", "bash", writeFile(t, whole.String()))
			if got.AlreadyStored < 1000 || got.Stored+got.AlreadyStored != 20_000 {
				t.Errorf("the second import said %+v", got)
			}
			if !running {
				n.start()
			}
			if stored := n.stored(); stored != 20_000 {
				t.Errorf("%d commands are stored", stored)
			}
		})
	}
}

func TestOldHistoryIsSummarizedOnlyWhenAllOfItIsThere(t *testing.T) {
	n := newNode(t, "anna")
	n.start()
	var b strings.Builder
	at := someDay().Add(12 * time.Hour).Unix()
	for i := range 2500 { // three transactions within one hour
		fmt.Fprintf(&b, "#%d\ngit log -%d\n", at+int64(i), i)
	}
	n.caro("import", "bash", writeFile(t, b.String()))
	var preview v1.SummaryPreview
	n.caroJSON(&preview, "summary", "preview", "--granularity", "daily", "--at", someDay().Add(12*time.Hour).Format(time.RFC3339))
	if preview.Summary.TotalCommands != 2500 || preview.Summary.HourlyActivity[12] != 2500 {
		t.Errorf("the preview counts %d commands, hours %v", preview.Summary.TotalCommands, preview.Summary.HourlyActivity)
	}
	var page v1.SummaryPage
	n.caroJSON(&page, "summary", "list")
	for _, s := range page.Summaries {
		if s.TotalCommands != 2500 {
			t.Errorf("a summary of %s counts %d commands of 2500", s.Period.Start, s.TotalCommands)
		}
	}
}

// BenchmarkImport100k imports 100,000 commands as a person does, from process start to end. Must: 10,000 a second.
func BenchmarkImport100k(b *testing.B) {
	const lines = 100_000
	var text bytes.Buffer
	words := []string{"git commit -am 'Fix %d'", "docker compose up -d web-%d", "ls -la /srv/%d", "kubectl get pods -n team-%d", "curl -fsSL https://example.com/%d | tar xz", "cd ~/src/project-%d && make test",
		"grep -rn \"TODO(%d)\" . | sort | uniq -c", "for f in *.png; do convert $f %d-$f; done", "npm run build -- --port %d", "export API_TOKEN=ghp_%036d"}
	for i := range lines {
		fmt.Fprintf(&text, ": %d:%d;"+words[i%len(words)]+"\n", 1_700_000_000+i*60, i%9, i)
	}
	path := filepath.Join(b.TempDir(), "history")
	if err := os.WriteFile(path, text.Bytes(), 0o600); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		home := b.TempDir()
		cmd := exec.CommandContext(context.Background(), program, "import", "zsh", path, "--json")
		cmd.Env = append(os.Environ(), "CARO_HOME="+home)
		out, err := cmd.Output()
		if err != nil {
			b.Fatal(err)
		}
		var got imported
		if err := json.Unmarshal(out, &got); err != nil || got.Stored != lines {
			b.Fatalf("%s, %v", out, err)
		}
	}
	b.ReportMetric(float64(lines*b.N)/b.Elapsed().Seconds(), "lines/s(must:10000)")
}

func TestWhatAHookedShellAlsoWroteToItsHistoryIsThereOnce(t *testing.T) {
	for _, name := range []string{"bash", "zsh", "fish"} {
		t.Run(name, func(t *testing.T) {
			n := newNode(t, "anna")
			n.start()
			file := filepath.Join(t.TempDir(), "history")
			sh := openShell(t, n, name)
			save := ""
			switch name {
			case "bash":
				sh.runRecorded(n, "HISTFILE="+file+" HISTTIMEFORMAT='%s '")
				save = "history -a"
			case "zsh":
				sh.runRecorded(n, "HISTFILE="+file+" HISTSIZE=100 SAVEHIST=100; setopt extendedhistory")
				save = "fc -W"
			case "fish":
				save = "history save; cp $XDG_DATA_HOME/fish/fish_history " + file
			}
			lines := []string{"echo one", "echo 'grün 日本'", "ls /", "true"}
			for _, line := range lines {
				sh.runRecorded(n, line)
			}
			sh.runRecorded(n, save)
			var got imported
			n.caroJSON(&got, "import", name, file)
			if got.AlreadyStored < len(lines) {
				t.Errorf("the import said %+v", got)
			}
			count := make(map[string]int)
			for _, e := range n.history() {
				count[e.Command]++
			}
			for _, line := range lines {
				if count[line] != 1 {
					t.Errorf("%q is stored %d times", line, count[line])
				}
			}
		})
	}
}

func TestAnImportThroughTheNodeKeepsTheOrderOfTheFile(t *testing.T) {
	n := newNode(t, "anna")
	n.start()
	const lines = 5000
	var text strings.Builder
	for i := range lines {
		fmt.Fprintf(&text, "make %d\n", i) // without times, as bash writes by default
	}
	path := writeFile(t, text.String())
	var got imported
	n.caroJSON(&got, "import", "bash", path)
	if want := (imported{Read: lines, Stored: lines, WithoutTime: lines, Through: "daemon"}); got != want {
		t.Fatalf("said %+v, want %+v", got, want)
	}
	next, cursor := lines, ""
	for next > 0 {
		page, err := n.Client().Events(t.Context(), client.EventQuery{Limit: 1000, Cursor: cursor})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page.Events {
			if next--; e.Command != fmt.Sprintf("make %d", next) {
				t.Fatalf("%q stands where \"make %d\" should", e.Command, next)
			}
		}
		if cursor = page.NextCursor; cursor == "" && next > 0 {
			t.Fatalf("%d commands are missing", next)
		}
	}
}
