package observer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/caro-mesh/caro-node/observer/event"
	"github.com/caro-mesh/caro-node/observer/spool"
	"github.com/caro-mesh/caro-node/protocol"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(reader); dir != "" {
		if err := observe(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		os.Exit(1) // only a signal ends it otherwise
	}
	goleak.VerifyTestMain(m)
}

// eventually polls until ok returns "", and fails with its last complaint after a minute.
func eventually(t *testing.T, ok func() string) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		complaint := ok()
		if complaint == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("not within a minute: %s", complaint)
		}
		<-tick.C
	}
}

// start runs an observer over a new spool folder until the test ends.
func start(t *testing.T, sink Sink, adjust func(*Config)) (*Observer, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "spool")
	return startIn(t, dir, sink, adjust), dir
}

func startIn(t *testing.T, dir string, sink Sink, adjust func(*Config)) *Observer {
	t.Helper()
	c := Config{SpoolDir: dir, Sink: sink, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)), Grace: 40 * time.Millisecond,
		retryMin: 5 * time.Millisecond, retryMax: 20 * time.Millisecond}
	if adjust != nil {
		adjust(&c)
	}
	o, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- o.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	eventually(t, func() string {
		if _, err := os.Stat(filepath.Join(dir, ".lock")); err != nil {
			return err.Error()
		}
		return ""
	})
	return o
}

func write(t *testing.T, dir string, r spool.Record) {
	t.Helper()
	if r.Shell == "" {
		r.Shell = protocol.ShellBash
	}
	if err := spool.Write(dir, r); err != nil {
		t.Fatal(err)
	}
}

func stored(s *memorySink, want ...string) func() string {
	return func() string {
		got := s.commands()
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			return fmt.Sprintf("stored %q, want %q", got, want)
		}
		return ""
	}
}

func released(dir string) func() string {
	return func() string {
		pending, _, err := spool.Pending(dir)
		claimed, _, err2 := spool.ListClaimed(dir)
		if err := errors.Join(err, err2); err != nil {
			return err.Error()
		}
		if n := len(pending) + len(claimed); n > 0 {
			return fmt.Sprintf("%d spool files are left", n)
		}
		return ""
	}
}

func TestARecordBecomesAnEventWithEverythingItSays(t *testing.T) {
	sink := newMemorySink()
	o, dir := start(t, sink, func(c *Config) {
		c.Redact = func(s string) (string, []string) {
			return strings.ReplaceAll(s, "hunter2", "[redacted]"), []string{"password", "a", "password"}
		}
		c.Annotate = func(e *event.Event) {
			e.Category, e.RiskLevel, e.Pattern = protocol.CategoryGit, protocol.RiskHigh, e.Command
		}
	})
	at := time.Date(2026, 3, 4, 5, 6, 7, 89000, time.UTC)
	d, exit := 1500*time.Microsecond, 3
	write(t, dir, spool.Record{Start: at, Duration: &d, Exit: &exit, CaroGenerated: true, CaroExecuted: true, UserConfirmed: true,
		Blocked: true, Shell: protocol.ShellFish, CWD: "/home/ä", Command: "git push hunter2\n"})
	eventually(t, stored(sink, "git push [redacted]"))
	e := sink.event(0)
	if err := e.Validate(); err != nil {
		t.Error(err)
	}
	if !e.Timestamp.Equal(at) || *e.DurationMS != 1 || *e.ExitCode != 3 || !e.CaroGenerated || !e.CaroExecuted ||
		!e.UserConfirmed || !e.Blocked || e.Shell != protocol.ShellFish || e.CWD != "/home/ä" ||
		!strings.HasPrefix(e.Session, "fish-") || strings.Contains(e.Session, ".spool") {
		t.Errorf("event %+v", e)
	}
	if e.Pattern != "git push [redacted]" {
		t.Errorf("the annotation saw %q, not the redacted command", e.Pattern)
	}
	if !slices.Equal(e.Redactions, []string{"a", "password"}) {
		t.Errorf("redactions %q are not sorted and each once", e.Redactions)
	}
	eventually(t, released(dir))
	eventually(t, func() string {
		if s := o.Status(); s.Stored != 1 || !s.LastEvent.Equal(at) || s.PendingFiles != 0 || s.Error != "" || s.Torn != 0 {
			return fmt.Sprintf("status %+v", s)
		}
		return ""
	})
}

func TestWhatAnAliasStandsForIsJudgedAndWhatWasTypedIsStored(t *testing.T) {
	sink := newMemorySink()
	_, dir := start(t, sink, nil)
	for _, r := range []spool.Record{
		{Shell: protocol.ShellZsh, Command: "k get pods", Expanded: "kubectl get pods"},
		{Shell: protocol.ShellBash, Command: "cd x && nuke", Aliases: "nuke=rm -rf /\x1fx=unused"},
		{Shell: protocol.ShellFish, Command: "gs", Aliases: "gs=git status"},
		{Shell: protocol.ShellBash, Command: "echo nuke", Aliases: "nuke=rm -rf /"},
	} {
		write(t, dir, r)
	}
	eventually(t, released(dir))
	want := map[string]string{"k get pods": "kubernetes safe", "cd x && nuke": "file_ops critical", "gs": "git safe", "echo nuke": "other safe"}
	for i := range len(want) {
		e := sink.event(i)
		got := fmt.Sprintf("%s %s", e.Category, e.RiskLevel)
		if want[e.Command] != got || e.Expanded != "" {
			t.Errorf("%q: %s, and %q was passed on; want %q", e.Command, got, e.Expanded, want[e.Command])
		}
	}
}

func TestWhatWasWrittenWhileNobodyReadIsStoredOnceAtTheNextStart(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "spool")
	if err := spool.Prepare(dir); err != nil {
		t.Fatal(err)
	}
	var want []string
	for i := range 1234 {
		want = append(want, fmt.Sprintf("echo %d", i))
	}
	// A few long files and many short ones.
	var long []byte
	for _, c := range want[:1000] {
		long = append(long, spool.Encode(spool.Record{Start: time.Unix(1, 0), Shell: protocol.ShellZsh, Command: c})...)
	}
	if err := os.WriteFile(filepath.Join(dir, "zsh-1-1-1.spool"), long, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range want[1000:] {
		write(t, dir, spool.Record{Command: c})
	}
	sink := newMemorySink()
	startIn(t, dir, sink, func(c *Config) { c.batchEvents = 7 })
	eventually(t, stored(sink, want...))
	eventually(t, released(dir))
	eventually(t, func() string {
		if n := sink.known(); n != 0 {
			return fmt.Sprintf("offsets of %d released files are left", n)
		}
		return ""
	})
}

func TestAFileIsReleasedOnlyAfterADurablePoint(t *testing.T) {
	sink := newMemorySink()
	o, dir := start(t, sink, nil)
	write(t, dir, spool.Record{Command: "a"})
	eventually(t, stored(sink, "a"))
	sink.setFail(errors.New("database or disk is full"))
	eventually(t, func() string {
		if o.Status().Error == "" {
			return "no error in the status"
		}
		if n := o.Status().PendingFiles; n != 0 { // it waits to be released, not to be stored
			return fmt.Sprintf("%d files are pending", n)
		}
		return ""
	})
	if released(dir)() == "" {
		t.Error("the file was released although nothing is durable")
	}
	sink.setFail(nil)
	eventually(t, released(dir))
	if sink.undurable() {
		t.Error("the file was released without a durable point")
	}
	eventually(t, stored(sink, "a"))
}

func TestAFailingSinkLosesNothingAndShowsInTheStatus(t *testing.T) {
	sink := newMemorySink()
	sink.setFail(errors.New("database or disk is full"))
	o, dir := start(t, sink, nil)
	write(t, dir, spool.Record{Command: "a"})
	eventually(t, func() string {
		if s := o.Status(); !strings.Contains(s.Error, "disk is full") || s.ErrorSince.IsZero() || s.PendingFiles != 1 || s.PendingBytes == 0 {
			return fmt.Sprintf("status %+v", s)
		}
		return ""
	})
	write(t, dir, spool.Record{Command: "b"})
	sink.setFail(nil)
	eventually(t, stored(sink, "a", "b"))
	eventually(t, func() string {
		if s := o.Status(); s.Error != "" || !s.ErrorSince.IsZero() || s.PendingFiles != 0 {
			return fmt.Sprintf("status %+v", s)
		}
		return ""
	})
}

func TestATornRecordIsKeptAsideAndItsNeighboursAreStored(t *testing.T) {
	sink := newMemorySink()
	o, dir := start(t, sink, nil)
	enc := func(c string) []byte { return spool.Encode(spool.Record{Shell: protocol.ShellBash, Command: c}) }
	torn := enc("rm -rf /tmp/x")
	torn = torn[:len(torn)-10]
	content := slices.Concat(enc("a"), torn, enc("b"), torn)
	tmp := filepath.Join(dir, "new")
	if err := errors.Join(os.WriteFile(tmp, content, 0o600), os.Rename(tmp, filepath.Join(dir, "bash-1-1-1.spool"))); err != nil {
		t.Fatal(err)
	}
	eventually(t, stored(sink, "a", "b"))
	eventually(t, released(dir))
	eventually(t, func() string {
		if n := o.Status().Torn; n != 2 {
			return fmt.Sprintf("%d torn pieces, want 2", n)
		}
		return ""
	})
	pieces, err := filepath.Glob(filepath.Join(dir, "torn", "*.torn"))
	if err != nil || len(pieces) != 2 {
		t.Fatal(pieces, err)
	}
	for _, p := range pieces {
		b, err := os.ReadFile(p)
		if err != nil || !slices.Equal(b, torn) {
			t.Errorf("%s holds %q (%v), want %q", p, b, err, torn)
		}
	}
}

func TestAnImpossibleTimeKeepsNothingElseFromBeingStored(t *testing.T) {
	sink := newMemorySink()
	o, dir := start(t, sink, nil)
	of := func(command string, at time.Time) []byte {
		return spool.Encode(spool.Record{Start: at, Shell: protocol.ShellBash, Command: command})
	}
	month := 31 * 24 * time.Hour
	century := 100 * 365 * 24 * time.Hour
	content := slices.Concat(of("before", time.Now()), of("too late", event.MaxTime.Add(time.Second)), of("too early", event.MinTime.Add(-time.Second)),
		spool.Encode(spool.Record{Duration: &century, Shell: protocol.ShellBash, Command: "too long"}),
		spool.Encode(spool.Record{Duration: &month, Shell: protocol.ShellBash, Command: "long"}), of("last moment", event.MaxTime))
	tmp := filepath.Join(dir, "new")
	if err := errors.Join(os.WriteFile(tmp, content, 0o600), os.Rename(tmp, filepath.Join(dir, "bash-1-1-1.spool"))); err != nil {
		t.Fatal(err)
	}
	eventually(t, stored(sink, "before", "too long", "long", "last moment"))
	eventually(t, released(dir))
	eventually(t, func() string {
		if n := o.Status().Torn; n != 2 {
			return fmt.Sprintf("%d records kept aside, want 2", n)
		}
		return ""
	})
	sink.mu.Lock()
	defer sink.mu.Unlock()
	for _, e := range sink.events {
		if err := e.Validate(); err != nil {
			t.Errorf("%q: %v", e.Command, err)
		}
		if age := time.Since(e.Timestamp); e.Command == "too long" && (age < 0 || age > time.Hour) || e.Command == "long" && age < month {
			t.Errorf("%q began %s ago", e.Command, age)
		}
	}
}

func TestAWriterThatWasStoppedBetweenOpenAndWriteLosesNothing(t *testing.T) {
	sink := newMemorySink()
	_, dir := start(t, sink, nil)
	path := filepath.Join(dir, "bash-1-1-1.spool")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if _, known := spool.HasWriter(f); !known {
		t.Skip("this file system cannot tell who writes; only the grace period protects a stopped writer")
	}
	claimed := func() string {
		if _, err := os.Stat(path); err == nil {
			return "the file is not claimed"
		}
		return ""
	}
	eventually(t, claimed)
	// Far beyond the grace period: other files come and go meanwhile.
	for i := range 3 {
		write(t, dir, spool.Record{Command: fmt.Sprint("other ", i)})
		eventually(t, func() string {
			if c, _, err := spool.ListClaimed(dir); err != nil || len(c) != 1 {
				return fmt.Sprint(len(c), " claimed files, want only the open one ", err)
			}
			return ""
		})
	}
	if _, err := f.Write(spool.Encode(spool.Record{Shell: protocol.ShellBash, Command: "late"})); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	eventually(t, stored(sink, "late", "other 0", "other 1", "other 2"))
	eventually(t, released(dir))
}

func TestIgnoredCommandsAreNotStoredAndAreCounted(t *testing.T) {
	sink := newMemorySink()
	o, dir := start(t, sink, func(c *Config) { c.Ignore = []string{"pass *", "/secret", "folder:/tmp/?"} })
	for _, r := range []spool.Record{{Command: "pass show x", CWD: "/"}, {Command: "passwd", CWD: "/"}, {Command: "ls", CWD: "/secret/deep"},
		{Command: "ls a", CWD: "/secrets"}, {Command: "ls b", CWD: "/tmp/a"}, {Command: "ls c", CWD: "/tmp/ab"}, {Command: " hidden", CWD: "/"}} {
		write(t, dir, r)
	}
	eventually(t, stored(sink, "passwd", "ls a", "ls c"))
	eventually(t, func() string {
		if n := o.Status().Ignored; n != 4 {
			return fmt.Sprintf("%d ignored, want 4", n)
		}
		return ""
	})
	eventually(t, released(dir))
}

func TestRulesThatFailOnACommandNeitherStopTheObserverNorLeakIt(t *testing.T) {
	sink := newMemorySink()
	_, dir := start(t, sink, func(c *Config) {
		c.Redact = func(s string) (string, []string) {
			if strings.Contains(s, "boom") {
				panic("boom")
			}
			return s, nil
		}
		c.Annotate = func(e *event.Event) {
			e.Category = protocol.CategoryGit
			if e.Command == "bang" {
				panic("bang")
			}
		}
	})
	write(t, dir, spool.Record{Command: "boom"})
	eventually(t, stored(sink, "[redacted]"))
	write(t, dir, spool.Record{Command: "bang"})
	eventually(t, stored(sink, "[redacted]", "bang"))
	if e := sink.event(1); e.RiskLevel != protocol.RiskModerate || e.Category != protocol.CategoryOther {
		t.Errorf("an unjudged command counts as %v, %v", e.RiskLevel, e.Category)
	}
}

func TestASystemThatTellsOfNoChangesIsPolled(t *testing.T) {
	sink := newMemorySink()
	o, dir := start(t, sink, func(c *Config) { c.noWatch, c.Poll = true, 10*time.Millisecond })
	write(t, dir, spool.Record{Command: "a"})
	eventually(t, stored(sink, "a"))
	if o.Status().Watching {
		t.Error("the status says that the folder is watched")
	}
}

func TestADeletedSpoolFolderIsMadeAgainAndWatched(t *testing.T) {
	sink := newMemorySink()
	o, dir := start(t, sink, func(c *Config) { c.Poll = 20 * time.Millisecond })
	if !o.Status().Watching {
		t.Skip("this system does not tell of changes")
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() string {
		if _, err := os.Stat(filepath.Join(dir, "lines")); err != nil {
			return err.Error()
		}
		return ""
	})
	write(t, dir, spool.Record{Command: "a"})
	eventually(t, stored(sink, "a"))
}

func TestASecondReaderOfOneFolderIsRefused(t *testing.T) {
	_, dir := start(t, newMemorySink(), nil)
	o, err := New(Config{SpoolDir: dir, Sink: newMemorySink(), Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		t.Fatal(err)
	}
	if err := o.Run(context.Background()); !errors.Is(err, spool.ErrLocked) {
		t.Errorf("Run returned %v, want ErrLocked", err)
	}
}

func TestATimeThatTheShellCannotTellIsTakenFromTheFile(t *testing.T) {
	sink := newMemorySink()
	_, dir := start(t, sink, nil)
	before := time.Now().Add(-time.Minute)
	d := 10 * time.Second
	write(t, dir, spool.Record{Command: "a", Duration: &d})
	eventually(t, stored(sink, "a"))
	if at := sink.event(0).Timestamp; at.Before(before) || at.After(time.Now().Add(-d).Add(time.Second)) {
		t.Errorf("the command started at %v", at)
	}
}

func TestBrokenIgnorePatternsAreRefused(t *testing.T) {
	for _, p := range []string{"", "  ", "command:", "folder:"} {
		if _, err := ParseIgnore([]string{p}); err == nil {
			t.Errorf("ParseIgnore(%q) has no error", p)
		}
	}
}
