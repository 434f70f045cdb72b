package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"

	"github.com/caro-mesh/caro-node/api/client"
	v1 "github.com/caro-mesh/caro-node/api/v1"
	"github.com/caro-mesh/caro-node/scripts/nodeproc"
)

// says runs a command that has to succeed, and returns what it printed for the person.
func (n *node) says(args ...string) string {
	n.t.Helper()
	cmd := exec.CommandContext(n.t.Context(), program, args...)
	cmd.Env = n.Env()
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Run(); err != nil {
		n.t.Fatalf("%s: %v: %s", strings.Join(args, " "), err, stderr.String())
	}
	return stderr.String()
}

// exits runs a command that has to fail with this exit code, and returns what it printed for the person.
func (n *node) exits(code int, args ...string) string {
	n.t.Helper()
	_, err := n.Run(n.t.Context(), args...)
	var exit *nodeproc.ExitError
	if !errors.As(err, &exit) || exit.Code != code {
		n.t.Fatalf("%s: %v, want exit code %d", strings.Join(args, " "), err, code)
	}
	return exit.Stderr
}

// awaitNoTrace waits until no file of the node's home holds the word: the spool file of a stored command stays for some
// seconds.
func (n *node) awaitNoTrace(word string) {
	n.t.Helper()
	eventually(n.t, func() string {
		if found := n.filesWith(word); found != nil {
			return word + " is in " + strings.Join(found, ", ")
		}
		return ""
	})
}

func TestADeletedCommandIsInNoFileAnyMore(t *testing.T) {
	n := newNode(t, "anna")
	n.start()
	word, folder := newCanary(t, "word"), newCanary(t, "folder")
	at := someDay().Format(time.RFC3339)
	n.caro("observe", "--shell", "bash", "--cwd", "/srv/"+folder, "--at", at, "--", "tar xf "+word+".tgz && rm -rf old")
	n.caro("observe", "--shell", "fish", "--cwd", "/srv/"+folder, "--at", at, "--", "vim "+strings.Repeat(word+" ", 3000)) // over several pages
	n.caro("observe", "--shell", "bash", "--cwd", "/srv", "--at", at, "--", "echo "+strings.ToUpper(word))
	var text bytes.Buffer
	historyLines(t, &text, 0, 5000)
	n.caro("import", "bash", writeFile(t, text.String()))
	n.awaitEvents(5003)
	if found := n.filesWith(word); found == nil {
		t.Fatal("the word is in no file to begin with")
	}

	said := n.exits(2, "delete", "--search", word)
	for _, want := range []string{"This deletes 3 commands for good", word, "repeat it with --yes"} {
		if !strings.Contains(said, want) {
			t.Errorf("without --yes it said %q, which lacks %q", said, want)
		}
	}
	if got := n.stored(); got != 5003 {
		t.Fatalf("%d commands are left of 5003", got)
	}
	said = n.says("delete", "--search", word, "--yes")
	if !strings.Contains(said, "Deleted 3 commands.") {
		t.Errorf("said %q", said)
	}
	if got := n.stored(); got != 5000 {
		t.Errorf("%d commands are left of 5000", got)
	}
	n.awaitNoTrace(word)
	n.awaitNoTrace(folder)
	if said := n.says("delete", "--search", word, "--yes"); !strings.Contains(said, "No command matches; nothing was deleted.") {
		t.Errorf("the second time said %q", said)
	}
	// What is left is whole.
	n.stop()
	n.start()
	var page v1.EventPage
	n.caroJSON(&page, "history", "--search", "target-4321")
	if len(page.Events) != 1 {
		t.Errorf("search found %d of the commands that stay", len(page.Events))
	}
}

func TestDeletingLeavesNoTraceOfItselfInAHookedShell(t *testing.T) {
	for _, name := range []string{"bash", "zsh", "fish"} {
		t.Run(name, func(t *testing.T) {
			n := newNode(t, "anna")
			n.start()
			sh := openShell(t, n, name)
			word := newCanary(t, "typed")
			sh.runRecorded(n, "echo "+word)
			sh.run("caro-node delete --yes --search " + word)
			sh.runRecorded(n, "echo after")
			var page v1.EventPage
			n.caroJSON(&page, "history")
			for _, e := range page.Events {
				if strings.Contains(e.Command, word) {
					t.Errorf("%q is recorded", e.Command)
				}
			}
			n.awaitNoTrace(word)
		})
	}
}

func TestConditionsAndIDsChooseWhatIsDeleted(t *testing.T) {
	n := newNode(t, "anna")
	n.start()
	record := func(at time.Time, cwd, command string, exit string) {
		n.caro("observe", "--shell", "bash", "--cwd", cwd, "--exit", exit, "--at", at.Format(time.RFC3339), "--", command)
	}
	day := someDay()
	record(day.AddDate(0, 0, -40), "/srv/a", "git log", "0")
	record(day, "/srv/a", "git status", "0")
	record(day.Add(time.Minute), "/srv/a/b", "docker ps", "1")
	record(day.Add(2*time.Minute), "/srv/ab", "rm -rf /srv/ab/x", "0")
	record(day.Add(3*time.Minute), "/srv/c", "make", "2")
	record(day.Add(4*time.Minute), "/srv/c", "make", "130")
	n.awaitEvents(6)
	left := func(want ...string) {
		t.Helper()
		if got := joinCommands(n.history()); got != strings.Join(append(want, ""), "\x00") {
			t.Errorf("left is %q, want %q", got, want)
		}
	}
	deleted := func(want int64, args ...string) {
		t.Helper()
		var doc v1.DeletedEvents
		if err := json.Unmarshal([]byte(n.caro(append([]string{"delete", "--yes", "--json"}, args...)...)), &doc); err != nil || doc.Deleted != want || doc.SchemaVersion != 1 {
			t.Errorf("%v: %+v, %v", args, doc, err)
		}
	}
	deleted(1, "--until", "10d")
	deleted(0, "--search", "git", "--category", "docker")
	deleted(1, "--exit", "130")
	left("git status", "docker ps", "rm -rf /srv/ab/x", "make")
	deleted(1, "--risk", "high")
	deleted(2, "--cwd", "/srv/a")
	left("make")
	id := n.history()[0].ID
	if said := n.says("delete", "--yes", "--id", id, "--id", newUUID()); !strings.Contains(said, "There is no command with the ID") || !strings.Contains(said, "Deleted 1 command.") {
		t.Errorf("said %q", said)
	}
	left()
	n.exits(2, "delete", "--yes", "--id", "17")
	n.exits(2, "delete", "--yes", "--risk", "safe") // is everything
	n.exits(2, "delete", "--yes", "--search", "  ") // so is this
	var problem *client.Error
	if _, err := n.Client().DeleteMatching(t.Context(), client.EventQuery{}); !errors.As(err, &problem) || problem.Status != 422 {
		t.Errorf("deleting everything: %v", err)
	}
}

func TestDeletionAsksOnATerminal(t *testing.T) {
	n := newNode(t, "anna")
	n.start()
	n.observe("echo one", "echo two", "echo three", "ls")
	n.awaitEvents(4)
	for _, c := range []struct {
		answer string
		exit   int
		left   int64
	}{{"\n", 1, 4}, {"no\n", 1, 4}, {"\x03", 1, 4}, {"y\n", 0, 1}} {
		cmd := exec.CommandContext(t.Context(), program, "delete", "--search", "echo")
		cmd.Env = n.Env()
		f, err := pty.Start(cmd)
		if err != nil {
			t.Fatal(err)
		}
		var screen bytes.Buffer
		for !strings.Contains(screen.String(), "[y/N]") {
			b := make([]byte, 1024)
			k, err := f.Read(b)
			screen.Write(b[:k])
			if err != nil {
				t.Fatalf("%v; the screen shows %q", err, screen.String())
			}
		}
		if _, err := f.WriteString(c.answer); err != nil {
			t.Fatal(err)
		}
		err = cmd.Wait()
		if got := cmd.ProcessState.ExitCode(); got != c.exit {
			t.Errorf("answer %q: exit code %d (%v), want %d", c.answer, got, err, c.exit)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
		if got := n.stored(); got != c.left {
			t.Errorf("answer %q: %d commands are left, want %d", c.answer, got, c.left)
		}
		if !strings.Contains(screen.String(), "This deletes 3 commands for good:") && c.left > 1 {
			t.Errorf("the screen shows %q", screen.String())
		}
	}
}
