package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	v1 "github.com/caro-mesh/caro-node/api/v1"
)

func TestAPauseStopsRecordingInEveryOpenShell(t *testing.T) {
	for _, name := range []string{"bash", "zsh", "fish"} {
		t.Run(name, func(t *testing.T) {
			n := newNode(t, "anna")
			n.start()
			word := newCanary(t, "private")
			one, other := openShell(t, n, name), openShell(t, n, name)
			one.runRecorded(n, "echo before")

			if said := n.says("pause"); !strings.Contains(said, "paused in all shells") {
				t.Errorf("said %q", said)
			}
			one.run("echo one " + word)
			other.run("echo other " + word)
			n.caro("observe", "--", "echo program "+word)
			n.await("a degraded status that says how to go on", func(s v1.Status) bool {
				return s.Health == v1.HealthDegraded && strings.Contains(strings.Join(s.HealthReasons, " "), `paused in all shells; go on with "caro-node resume"`)
			})
			n.says("resume")
			one.runRecorded(n, "echo again")
			other.runRecorded(n, "echo again too")
			n.await("a healthy status", func(s v1.Status) bool { return s.Health == v1.HealthOK })

			// In one shell alone.
			one.run("caro_pause")
			one.run("echo session " + word)
			other.runRecorded(n, "echo other goes on")
			one.run("caro_resume")
			one.runRecorded(n, "echo one goes on")
			n.awaitEvents(6) // with caro_resume, which has taken effect when it ends
			if got := n.history(); len(got) != 6 {
				t.Errorf("stored are %s", commandsOf(got))
			}
			if found := n.filesWith(word); found != nil {
				t.Errorf("what was typed during the pause is in %v", found)
			}
		})
	}
}

func TestAPauseEndsByItself(t *testing.T) {
	n := newNode(t, "anna")
	n.start()
	sh := openShell(t, n, "bash")
	if said := n.says("pause", "--for", "1h"); !strings.Contains(said, "until") || strings.Contains(said, "not running") {
		t.Errorf("said %q", said)
	}
	n.await("a status that tells the end", func(s v1.Status) bool {
		return strings.Contains(strings.Join(s.HealthReasons, " "), "until")
	})
	sh.run("echo private")
	n.says("pause", "--for", "1s")
	marker := filepath.Join(n.Home, "paused")
	eventually(t, func() string {
		if _, err := os.Stat(marker); err == nil {
			return "the marker is still there"
		}
		return ""
	})
	sh.runRecorded(n, "echo again")
	if got := n.stored(); got != 1 {
		t.Errorf("%d commands are stored", got)
	}

	// A pause that ended while the node was down ends when it starts.
	n.stop()
	if err := os.WriteFile(marker, []byte(time.Now().Add(-time.Minute).Format(time.RFC3339)), 0o600); err != nil {
		t.Fatal(err)
	}
	n.start()
	eventually(t, func() string {
		if _, err := os.Stat(marker); err == nil {
			return "the marker is still there"
		}
		return ""
	})
}

func TestAPauseConcernsReportsAndNotImports(t *testing.T) {
	n := newNode(t, "anna")
	n.start()
	n.says("pause")
	got, err := n.Client().ReportEvents(t.Context(), v1.EventReports{Events: []v1.EventReport{{Command: "echo private"}, {Command: "ls"}}})
	if err != nil || got.Ignored != 2 || got.Stored != 0 || len(got.Events) != 0 {
		t.Errorf("a report was answered with %+v, %v", got, err)
	}
	var doc imported
	n.caroJSON(&doc, "import", "bash", writeFile(t, "make\n"))
	if doc.Stored != 1 {
		t.Errorf("an import said %+v", doc)
	}
	n.says("resume")
	got, err = n.Client().ReportEvents(t.Context(), v1.EventReports{Events: []v1.EventReport{{Command: "ls"}}})
	if err != nil || got.Stored != 1 {
		t.Errorf("after the pause: %+v, %v", got, err)
	}
}

func TestWhatAFilterKeptOutIsCountedInTheStatus(t *testing.T) {
	n := newNode(t, "anna")
	n.configure("[observer]\nignore = [\"pass *\", \"/srv/private\"]")
	n.start()
	word := newCanary(t, "kept")
	kept := func(want int64) {
		t.Helper()
		n.await(fmt.Sprintf("%d kept out", want), func(s v1.Status) bool { return s.Spool.Ignored == want })
		if said := n.caro("status"); !strings.Contains(said, fmt.Sprintf("%d ignored", want)) {
			t.Errorf("the status says %q", said)
		}
	}
	for i, args := range [][]string{
		{"--cwd", "/srv", "--", "pass show " + word},             // a pattern for commands
		{"--cwd", "/srv/private", "--", "make " + word},          // one for folders
		{"--cwd", "/srv/private/deep/er", "--", "vim " + word},   // and what is below
		{"--cwd", "/srv", "--", " echo " + word},                 // a leading blank
		{"--cwd", "/srv", "--", "caro-node delete --id " + word}, // what would bring back what it removes
	} {
		n.caro(append([]string{"observe", "--shell", "bash"}, args...)...)
		kept(int64(i + 1))
	}
	n.says("pause")
	if got, err := n.Client().ReportEvents(t.Context(), v1.EventReports{Events: []v1.EventReport{{Command: "ls"}, {Command: "echo " + word}}}); err != nil || got.Ignored != 2 {
		t.Errorf("during a pause: %+v, %v", got, err)
	}
	kept(7)
	n.caro("observe", "--", "make "+word)
	kept(8)
	n.says("resume")
	n.observe("passwd", "ls /srv/private")
	n.awaitEvents(2)
	kept(8)

	// What a shell keeps out it tells with what it records next.
	sh := openShell(t, n, "bash")
	sh.run(" echo " + word)
	n.says("pause")
	sh.run("echo " + word)
	n.says("resume")
	sh.runRecorded(n, "echo again")
	kept(10)
	n.awaitNoTrace(word)
}
