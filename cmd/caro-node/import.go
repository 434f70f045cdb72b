package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/caro-mesh/caro-node/api"
	"github.com/caro-mesh/caro-node/api/client"
	v1 "github.com/caro-mesh/caro-node/api/v1"
	"github.com/caro-mesh/caro-node/cmd/caro-node/config"
	"github.com/caro-mesh/caro-node/cmd/caro-node/daemon"
	"github.com/caro-mesh/caro-node/observer"
	"github.com/caro-mesh/caro-node/observer/event"
	"github.com/caro-mesh/caro-node/observer/histfile"
	"github.com/caro-mesh/caro-node/observer/redact"
	"github.com/caro-mesh/caro-node/protocol"
)

// importDocument is the answer of `import --json`. Stored, already_stored and ignored add up to read.
type importDocument struct {
	SchemaVersion int             `json:"schema_version"`
	Shell         string          `json:"shell"`
	File          string          `json:"file"`
	Read          int             `json:"read"`
	Stored        int             `json:"stored"`
	AlreadyStored int             `json:"already_stored"`
	Ignored       int             `json:"ignored"`
	Redacted      int             `json:"redacted"`     // of the stored ones
	WithoutTime   int             `json:"without_time"` // of the read ones
	Malformed     int             `json:"malformed"`    // parts of the file that were left out
	Problems      []importProblem `json:"problems"`     // the first of them
	Through       string          `json:"through"`      // daemon or database
	Seconds       float64         `json:"seconds"`
}

type importProblem struct {
	Line   int    `json:"line"`
	Reason string `json:"reason"`
}

func (c *cli) importCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "import bash|zsh|fish [FILE]",
		Short: "Take over the history that a shell has kept",
		Long: `Read a shell's history file and store its commands like recorded ones: secrets are replaced, your ignore patterns
count, each is judged. Where the file tells times they are kept; commands without one get that of the command before, or
none. FILE is the shell's usual history file when left out, and stdin when it is "-".

It works with the node running or stopped, and can be repeated at any time, also after Ctrl-C: nothing is stored twice,
and what the hook has recorded already is left out where the file tells times.
What you typed while recording was paused is in the shell's own file all the same, and is imported from there.`,
		Example: `  caro-node import zsh
  caro-node import bash ~/old-laptop/.bash_history
  ssh other-host cat .bash_history | caro-node import bash -`,
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) == 0 {
				return []string{"bash", "zsh", "fish"}, cobra.ShellCompDirectiveNoFileComp
			}
			return nil, cobra.ShellCompDirectiveDefault
		},
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) < 1 || len(args) > 2 {
				return usageErrorf("%q needs the name of a shell (bash, zsh or fish) and a file (got %d arguments; see %q)", cmd.CommandPath(), len(args), cmd.CommandPath()+" --help")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return c.runImport(cmd.Context(), args) },
	}
	c.jsonFlag(cmd)
	return cmd
}

func (c *cli) runImport(ctx context.Context, args []string) (err error) {
	shell := protocol.ShellType(args[0])
	switch shell {
	case protocol.ShellBash, protocol.ShellZsh, protocol.ShellFish:
	default:
		return usageErrorf("no history format is known for %q (use bash, zsh or fish)", args[0])
	}
	name := ""
	if len(args) > 1 {
		name = args[1]
	}
	in, name, size, err := c.openHistory(shell, name)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }() // only read
	sink, err := c.importSink(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, sink.close()) }()
	start := time.Now()
	im := importer{shell: shell, preparer: sink.preparer, store: sink.store, together: sink.together, progress: newProgress(c.Err, c.getenv, size, start)}
	im.doc = importDocument{SchemaVersion: v1.SchemaVersion, Shell: string(shell), File: name, Problems: []importProblem{}, Through: sink.name}
	err = im.run(ctx, in)
	im.progress.clear()
	im.doc.Seconds = time.Since(start).Seconds()
	if err != nil {
		if done := im.doc.Stored; done > 0 {
			c.say("%s of %s were stored before it stopped; import again to go on, nothing is stored twice.", commandCount(done), name)
		}
		if ctx.Err() != nil {
			return &exitError{exitFailed, errors.New("the import was interrupted")}
		}
		return fmt.Errorf("import %s: %w", name, err)
	}
	if c.json {
		return writeJSON(c.Out, im.doc)
	}
	c.sayImported(im.doc)
	return nil
}

// sayImported sums up.
func (c *cli) sayImported(d importDocument) {
	switch {
	case d.Read == 0:
		c.say("There is no command in %s.", d.File)
	case d.Stored == 0 && d.AlreadyStored > 0:
		c.say("Nothing new: all that can be stored of the %s in %s is stored already.", commandCount(d.Read), d.File)
	default:
		c.say("Read %s from %s and stored %s in %.1f s (%s a second).", commandCount(d.Read), d.File, grouped(d.Stored), d.Seconds,
			grouped(int(float64(d.Read)/max(d.Seconds, 1e-3))))
	}
	var parts []string
	note := func(n int, text string) {
		if n > 0 {
			parts = append(parts, grouped(n)+" "+text)
		}
	}
	if d.Stored > 0 {
		note(d.AlreadyStored, "stored already")
	}
	note(d.Ignored, "left out by your ignore patterns or a leading blank")
	note(d.Redacted, "with a secret that was replaced")
	note(d.WithoutTime, "without a time")
	note(d.Malformed, "parts of the file could not be read")
	if len(parts) > 0 {
		c.say("  %s", strings.Join(parts, ", "))
	}
	const shown = 5
	for i, p := range d.Problems {
		if i == shown {
			c.say("  … and %s more (--json lists a hundred)", grouped(d.Malformed-shown))
			break
		}
		c.say("  line %d: %s", p.Line, p.Reason)
	}
}

// openHistory opens the file, or the shell's usual one when name is empty. size is -1 where it is not known.
func (c *cli) openHistory(shell protocol.ShellType, name string) (in io.ReadCloser, shown string, size int64, err error) {
	if name == "-" {
		if _, ok := terminalInput(c.In); ok {
			return nil, "", 0, usageErrorf(`"-" reads the history from a pipe, and stdin is a terminal`)
		}
		return interruptible(c.In), "stdin", -1, nil
	}
	if name == "" {
		if name, err = c.usualHistory(shell); err != nil {
			return nil, "", 0, err
		}
	}
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, "", 0, fmt.Errorf("there is no file %s; say which one: caro-node import %s FILE", name, shell)
	}
	if err != nil {
		return nil, "", 0, fmt.Errorf("open the history: %w", err)
	}
	info, err := f.Stat()
	if err == nil && info.IsDir() {
		err = usageErrorf("%s is a folder, not a history file", name)
	}
	if err != nil {
		return nil, "", 0, errors.Join(err, f.Close())
	}
	if size = -1; info.Mode().IsRegular() {
		size = info.Size()
	}
	return f, name, size, nil
}

// interruptible makes a read of a pipe end when its deadline passes; os.Stdin has none.
func interruptible(r io.Reader) io.ReadCloser {
	f, ok := r.(*os.File)
	if !ok {
		return io.NopCloser(r)
	}
	if info, err := f.Stat(); err != nil || info.Mode()&fs.ModeNamedPipe == 0 {
		return f
	}
	fd := f.Fd()
	if err := syscall.SetNonblock(int(fd), true); err != nil {
		return f
	}
	return os.NewFile(fd, f.Name())
}

// usualHistory returns where the shell keeps its history unless it was told otherwise.
func (c *cli) usualHistory(shell protocol.ShellType) (string, error) {
	// The variable means the shell that exports it, which most often is the login shell.
	if f := c.getenv("HISTFILE"); f != "" && filepath.Base(c.getenv("SHELL")) == string(shell) {
		return f, nil
	}
	home := c.getenv("HOME")
	if home == "" {
		return "", usageErrorf("HOME is not set: give the history file")
	}
	switch shell {
	case protocol.ShellFish:
		data := c.getenv("XDG_DATA_HOME")
		if !filepath.IsAbs(data) {
			data = filepath.Join(home, ".local/share")
		}
		return filepath.Join(data, "fish", "fish_history"), nil
	case protocol.ShellZsh:
		dir := c.getenv("ZDOTDIR")
		if dir == "" {
			dir = home
		}
		for _, name := range []string{".zsh_history", ".zhistory", ".histfile"} {
			if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
				return filepath.Join(dir, name), nil
			}
		}
		return filepath.Join(dir, ".zsh_history"), nil
	default:
		return filepath.Join(home, ".bash_history"), nil
	}
}

// importSink is where events go, and what prepares them for it.
type importSink struct {
	name     string
	preparer *observer.Preparer
	store    func(context.Context, []event.Event) (v1.StoredEvents, error)
	together int // calls of store at once
	close    func() error
}

// importSink hands events to the running node, or writes to the database itself, and keeps a node from starting meanwhile.
func (c *cli) importSink(ctx context.Context) (_ *importSink, err error) {
	p, err := c.paths()
	if err != nil {
		return nil, err
	}
	cfg, err := c.loadConfig(nil)
	if err != nil {
		return nil, err
	}
	prepare := observer.Config{Ignore: cfg.Observer.Ignore, Logger: slog.New(daemon.LogHandler(c.Err, cfg.Log.Level, "text", true))}
	if cfg.Observer.Redact {
		prepare.Redact = redact.Redact
	}
	if err := p.Create(); err != nil {
		return nil, err
	}
	release, err := api.Reserve(ctx, p.Socket)
	if errors.Is(err, api.ErrAlreadyRunning) {
		// The node judges what it is sent. Secrets are replaced here all the same: the IDs are made of what is stored.
		prepare.Annotate = func(*event.Event) {}
		s := &importSink{name: "daemon", together: daemonTogether, close: func() error { return nil }}
		s.store = daemonSink{client.New(p.Socket)}.store
		s.preparer, err = observer.NewPreparer(prepare)
		return s, err
	}
	if err != nil {
		return nil, err
	}
	s, err := c.databaseSink(ctx, p, prepare)
	if err != nil {
		return nil, errors.Join(err, release())
	}
	closeDatabase := s.close
	s.close = func() error { return errors.Join(closeDatabase(), release()) }
	return s, nil
}

func (c *cli) databaseSink(ctx context.Context, p config.Paths, prepare observer.Config) (*importSink, error) {
	preparer, err := observer.NewPreparer(prepare)
	if err != nil {
		return nil, err
	}
	db, err := c.openDatabase(ctx, p.DB)
	if err != nil {
		return nil, err
	}
	write := func(ctx context.Context, events []event.Event) (v1.StoredEvents, error) {
		return daemon.StoreImport(ctx, db, events)
	}
	return &importSink{name: "database", preparer: preparer, store: write, close: db.Close}, nil
}

// maxProblems bounds what is reported of one file, as package histfile does.
const maxProblems = 100

func (d *importDocument) problem(line int, reason string) {
	d.Malformed++
	if len(d.Problems) < maxProblems {
		d.Problems = append(d.Problems, importProblem{line, reason})
	}
}

func (d *importDocument) malformed(e *histfile.MalformedError) {
	for _, p := range e.Problems {
		d.problem(p.Line, p.Reason)
	}
	d.Malformed += e.Total - len(e.Problems)
}
