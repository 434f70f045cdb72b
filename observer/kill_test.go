package observer

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caro-mesh/caro-node/observer/shell"
	"github.com/caro-mesh/caro-node/observer/spool"
	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/store"
)

// reader makes the test binary a process that does nothing but observe, into the real store, until it is killed.
const reader = "CARO_TEST_READER"

func observe(dir string) error {
	ctx := context.Background()
	db, err := store.Open(ctx, filepath.Join(dir, "caro.db"), store.Options{})
	if err != nil {
		return err
	}
	o, err := New(Config{SpoolDir: filepath.Join(dir, "spool"), Sink: db, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Grace: 20 * time.Millisecond, batchEvents: 3, retryMin: 5 * time.Millisecond, retryMax: 20 * time.Millisecond})
	if err != nil {
		return err
	}
	return o.Run(ctx)
}

// killed is what the processes of a test have in common: the folder, and which commands are known to be complete.
type killed struct {
	t   *testing.T
	dir string

	mu       sync.Mutex
	complete []string
}

func (k *killed) done(command string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.complete = append(k.complete, command)
}

func (k *killed) count() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.complete)
}

// program writes records as `caro-node observe` does.
func (k *killed) program(ctx context.Context) {
	for i := 0; ctx.Err() == nil; i++ {
		command := fmt.Sprintf("observed %d", i)
		if err := spool.Write(filepath.Join(k.dir, "spool"), spool.Record{Start: time.Now(), Shell: protocol.ShellOther, Command: command}); err != nil {
			k.t.Error(err)
			return
		}
		k.done(command)
		pause(ctx, 3*time.Millisecond)
	}
}

// shells runs one interactive shell after the other, and kills each after some commands, at any moment.
func (k *killed) shells(ctx context.Context, path string, args []string) {
	for n := 0; ctx.Err() == nil; n++ {
		if err := k.shell(ctx, path, args, n); err != nil {
			k.t.Errorf("%s: %v", path, err)
			return
		}
	}
}

func (k *killed) shell(ctx context.Context, path string, args []string, n int) error {
	cmd := exec.Command(path, args...)
	home := filepath.Join(k.dir, "home")
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "ZDOTDIR=" + home, "TERM=dumb", "HISTFILE=/dev/null"}
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	defer func() {
		_ = cmd.Process.Kill() // the point of it
		_ = cmd.Wait()         // killed
	}()
	lines := bufio.NewScanner(out)
	limit := 2 + rand.IntN(12)
	before := ""
	for i := 0; i < limit && ctx.Err() == nil; i++ {
		command := fmt.Sprintf("echo %s-%d-%d", filepath.Base(path), n, i)
		if _, err := io.WriteString(in, command+"\n"); err != nil {
			return err
		}
		for { // zsh prints its prompt to the same place
			if !lines.Scan() {
				return fmt.Errorf("the shell ended by itself: %w", lines.Err())
			}
			if strings.HasSuffix(lines.Text(), strings.TrimPrefix(command, "echo ")) {
				break
			}
		}
		// This one runs, so the hook has finished with the one before it.
		if before != "" {
			k.done(before)
		}
		before = command
	}
	return nil
}

// reader starts the observing process.
func (k *killed) reader() *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), reader+"="+k.dir)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		k.t.Fatal(err)
	}
	return cmd
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// hooked returns the installed shells that have a hook, with the arguments that make them read it, by path.
func (k *killed) hooked() map[string][]string {
	k.t.Helper()
	if err := errors.Join(spool.Prepare(filepath.Join(k.dir, "spool")), os.Mkdir(filepath.Join(k.dir, "home"), 0o700)); err != nil {
		k.t.Fatal(err)
	}
	paths := map[string][]string{}
	for name, args := range map[string][]string{"bash": {"--noprofile", "--noediting", "--rcfile", filepath.Join(k.dir, "home", "bashrc"), "-i"}, "zsh": {"-d", "-i"}} {
		path, err := exec.LookPath(name)
		if err != nil {
			k.t.Logf("%s is not installed and takes no part", name)
			continue
		}
		hook, err := shell.Script(protocol.ParseShell(name), shell.Options{SpoolDir: filepath.Join(k.dir, "spool")})
		if err != nil {
			k.t.Fatal(err)
		}
		file := map[string]string{"bash": "bashrc", "zsh": ".zshrc"}[name]
		if err := os.WriteFile(filepath.Join(k.dir, "home", file), []byte("PS1=; PS2=\n"+hook), 0o600); err != nil {
			k.t.Fatal(err)
		}
		paths[path] = args
	}
	return paths
}

// killReaders starts one observing process after the other, and kills each at any moment.
func (k *killed) killReaders(ctx context.Context, n int) {
	for i := 0; i < n && ctx.Err() == nil; i++ {
		r := k.reader()
		pause(ctx, time.Duration(5+rand.IntN(150))*time.Millisecond)
		if err := r.Process.Kill(); err != nil {
			k.t.Error(err)
		}
		_ = r.Wait() // killed
	}
}

// finish lets a reader that nobody kills finish the work, and checks that each complete record is stored once.
func (k *killed) finish() {
	k.t.Helper()
	r := k.reader()
	defer func() {
		_ = r.Process.Kill() // it has nothing left to do
		_ = r.Wait()         // killed
	}()
	eventually(k.t, released(filepath.Join(k.dir, "spool")))
	db, err := store.OpenReadOnly(k.t.Context(), filepath.Join(k.dir, "caro.db"), store.Options{})
	if err != nil {
		k.t.Fatal(err)
	}
	defer db.Close()
	times := storedTimes(k.t, db)
	for _, c := range k.complete {
		if times[c] != 1 {
			k.t.Errorf("%q is stored %d times", c, times[c])
		}
	}
	for c, n := range times {
		if n > 1 {
			k.t.Errorf("%q is stored %d times", c, n)
		}
	}
	k.t.Logf("%d records known to be complete, %d stored", k.count(), len(times))
	if k.count() < 100 {
		k.t.Errorf("only %d records were written, so the test shows little", k.count())
	}
}

func TestEveryCompletedRecordIsStoredOnceThroughRandomKills(t *testing.T) {
	k := &killed{t: t, dir: t.TempDir()}
	shells := k.hooked()
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { k.program(ctx) })
	for path, args := range shells {
		wg.Go(func() { k.shells(ctx, path, args) })
	}
	k.killReaders(t.Context(), 25)
	cancel()
	wg.Wait()
	k.finish()
}

func TestTwoHundredShellsAtOnceAndKilledReadersLoseNothing(t *testing.T) {
	k := &killed{t: t, dir: t.TempDir()}
	shells := k.hooked()
	if len(shells) == 0 {
		t.Fatal("neither bash nor zsh is installed: install one of them")
	}
	ctx, cancel := context.WithCancel(t.Context())
	var readers, wg sync.WaitGroup
	readers.Go(func() { k.killReaders(ctx, 1000) })
	for path, args := range shells {
		for n := range 200 / len(shells) {
			wg.Go(func() {
				if err := k.shell(ctx, path, args, n); err != nil {
					t.Errorf("%s: %v", path, err)
				}
			})
		}
	}
	wg.Wait()
	cancel()
	readers.Wait()
	k.finish()
}
