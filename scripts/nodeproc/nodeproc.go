// Package nodeproc runs caro-node processes on loopback, each with a home of its own, for the demo, the benchmarks and
// the end-to-end tests.
package nodeproc

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/caro-mesh/caro-node/api/client"
	v1 "github.com/caro-mesh/caro-node/api/v1"
)

// stopWithin is how long a process may take to end after SIGTERM, on a machine that is busy with others: the node itself
// gives up after some seconds.
const stopWithin = time.Minute

// Node is one caro-node with its home folder. Its process may be started and stopped again and again.
type Node struct {
	Bin, Home, Name string
	Daemon          string   // the program that Start runs, when it is not Bin: one built with the race detector
	Wrap            []string // words before the command line that Start runs, such as those that enter a network namespace
	Extra           []string // further environment of what Start runs, such as CARO_LAB_CLOCK=+4m
	ID, PeerID      string
	Fingerprint     string
	MeshAddr        string // multiaddr on which it listens, without peer ID
	APIAddr         string // host:port

	cmd  *exec.Cmd
	done chan struct{} // closed when the process has ended
	exit error         // of the process, once done is closed
	read int64         // bytes of the log that were searched for reports of faults
}

// Grant says what a node calls another.
type Grant struct {
	To    *Node
	Trust string
}

// New makes a home with an identity, and finds free ports for it.
func New(ctx context.Context, bin, home, name string) (*Node, error) {
	n := &Node{Bin: bin, Home: home, Name: name}
	mesh, err := FreePort(ctx)
	if err != nil {
		return nil, err
	}
	n.MeshAddr = fmt.Sprintf("/ip4/127.0.0.1/tcp/%d", mesh)
	port, err := FreePort(ctx)
	if err != nil {
		return nil, err
	}
	n.APIAddr = fmt.Sprintf("127.0.0.1:%d", port)
	if _, err := n.Run(ctx, "init", "--profile", "team", "--name", name); err != nil {
		return nil, err
	}
	out, err := n.Run(ctx, "id", "--json")
	if err != nil {
		return nil, err
	}
	var id struct {
		NodeID      string `json:"node_id"`
		PeerID      string `json:"peer_id"`
		Fingerprint string `json:"fingerprint"`
	}
	if err := json.Unmarshal(out, &id); err != nil {
		return nil, fmt.Errorf("read the answer of \"id --json\": %w", err)
	}
	n.ID, n.PeerID, n.Fingerprint = id.NodeID, id.PeerID, id.Fingerprint
	return n, n.Configure("")
}

// Address is the multiaddr that others dial.
func (n *Node) Address() string { return n.MeshAddr + "/p2p/" + n.PeerID }

// Socket is the path of the node's API socket.
func (n *Node) Socket() string { return filepath.Join(n.Home, "api.sock") }

// Client talks to the running node.
func (n *Node) Client() *client.Client { return client.New(n.Socket()) }

// Configure writes the configuration: its addresses, the peers that it keeps connected, what it calls them, and extra
// TOML text (tables) at the end.
func (n *Node) Configure(extra string, grants ...Grant) error {
	var b strings.Builder
	fmt.Fprintf(&b, "[node]\nname = %q\n\n[network]\nlisten = [%q]\nstatic_peers = [\n", n.Name, n.MeshAddr)
	for _, g := range grants {
		fmt.Fprintf(&b, "  %q,\n", g.To.Address())
	}
	fmt.Fprintf(&b, "]\n\n[api]\nlisten = %q\n\n[log]\nformat = \"text\"\nlevel = \"debug\"\n", n.APIAddr)
	for _, g := range grants {
		fmt.Fprintf(&b, "\n[[policy.nodes]]\nid = %q\ntrust = %q\nname = %q\n", g.To.ID, g.Trust, g.To.Name)
	}
	if extra != "" {
		fmt.Fprintf(&b, "\n%s\n", extra)
	}
	return os.WriteFile(filepath.Join(n.Home, "config.toml"), []byte(b.String()), 0o600)
}

// Env is the environment in which this node's commands run.
func (n *Node) Env() []string {
	env := []string{"CARO_HOME=" + n.Home, "NO_COLOR=1"}
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "CARO_") && !strings.HasPrefix(e, "NO_COLOR=") {
			env = append(env, e)
		}
	}
	return env
}

// ExitError is a command that failed, with what it printed.
type ExitError struct {
	Args           []string
	Code           int
	Stdout, Stderr string
}

// Error shows everything.
func (e *ExitError) Error() string {
	return fmt.Sprintf("caro-node %s: exit code %d\n%s%s", strings.Join(e.Args, " "), e.Code, e.Stdout, e.Stderr)
}

// Run runs one command of this node and returns its stdout. A failure is an [*ExitError].
func (n *Node) Run(ctx context.Context, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, n.Bin, args...)
	cmd.Env = n.Env()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return stdout.Bytes(), &ExitError{args, exit.ExitCode(), stdout.String(), stderr.String()}
	}
	return stdout.Bytes(), err
}

// Start starts the node's process. Its log is kept in the home folder.
func (n *Node) Start() error {
	f, err := os.OpenFile(n.logPath(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	bin := n.Bin
	if n.Daemon != "" {
		bin = n.Daemon
	}
	words := append(slices.Clone(n.Wrap), bin, "run")
	cmd := exec.Command(words[0], words[1:]...) //nolint:noctx // Stop ends it, and lets it say goodbye
	cmd.Env = append(n.Env(), n.Extra...)
	cmd.Stdout, cmd.Stderr = f, f
	// A Ctrl-C on the terminal is for the parent alone, which then stops its nodes.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	err = errors.Join(cmd.Start(), f.Close())
	if err != nil {
		return fmt.Errorf("start %s: %w", n.Name, err)
	}
	done := make(chan struct{})
	n.cmd, n.done, n.exit = cmd, done, nil
	go func() {
		n.exit = cmd.Wait()
		close(done)
	}()
	return nil
}

// PID is the process ID of the running node.
func (n *Node) PID() int { return n.cmd.Process.Pid }

// Done is closed when the started process has ended.
func (n *Node) Done() <-chan struct{} { return n.done }

// Exit returns how the process ended; call it after [Node.Done].
func (n *Node) Exit() error { return n.exit }

// Log returns what the processes of this node have logged.
func (n *Node) Log() string {
	b, err := os.ReadFile(n.logPath())
	if err != nil {
		return err.Error()
	}
	return string(b)
}

func (n *Node) logPath() string { return filepath.Join(n.Home, "log.txt") }

// Stop asks the process to end and waits. One that does not within ten seconds is killed, which is an error, and so is a
// panic or a data race that was reported in the log since the last Stop, even if the process lived on. Stopping a node
// that does not run searches the log alone.
func (n *Node) Stop() error { return errors.Join(n.end(), n.faults()) }

func (n *Node) end() error {
	if n.cmd == nil {
		return nil
	}
	defer func() { n.cmd = nil }()
	if err := n.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-n.done:
	case <-time.After(stopWithin):
		_ = n.cmd.Process.Kill() // it may have ended just now
		<-n.done
		return fmt.Errorf("%s did not stop within %s and was killed", n.Name, stopWithin)
	}
	if n.exit != nil {
		return fmt.Errorf("%s ended with %w", n.Name, n.exit)
	}
	return nil
}

// FaultError is a fault that a process reported in its log.
type FaultError struct {
	Node   string
	Report string // the first one, to the end of the log or 16 KiB
}

// Error shows the report.
func (e *FaultError) Error() string {
	return fmt.Sprintf("%s reported a fault in its program:\n%s", e.Node, e.Report)
}

// faults searches what was logged since it was last called.
func (n *Node) faults() error {
	b, err := os.ReadFile(n.logPath())
	if errors.Is(err, fs.ErrNotExist) {
		return nil // never started
	}
	if err != nil {
		return err
	}
	fresh := b[min(n.read, int64(len(b))):]
	n.read = int64(len(b))
	if at := fault.FindIndex(fresh); at != nil {
		report := fresh[at[0]:]
		return &FaultError{n.Name, string(report[:min(len(report), 16<<10)])}
	}
	return nil
}

// fault is how the runtime begins its reports. They begin a line; the words inside a logged one mean nothing.
var fault = regexp.MustCompile(`(?m)^(WARNING: DATA RACE|panic: |fatal error: )`)

// Kill ends the process at once (SIGKILL) and waits for it.
func (n *Node) Kill() error {
	if n.cmd == nil {
		return nil
	}
	err := n.cmd.Process.Kill()
	<-n.done
	n.cmd = nil
	return err
}

// Await polls the node's status until ok is content, ctx ends or the process does.
func (n *Node) Await(ctx context.Context, what string, ok func(v1.Status) bool) error {
	cl := n.Client()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		s, err := cl.Status(ctx)
		if err == nil && ok(s) {
			return nil
		}
		select {
		case <-tick.C:
		case <-n.done:
			return fmt.Errorf("%s ended (%w) before %s; its log:\n%s", n.Name, n.exit, what, n.Log())
		case <-ctx.Done():
			return fmt.Errorf("%s: no %s in time (%w); status %+v; its log:\n%s", n.Name, what, errors.Join(ctx.Err(), err), s, n.Log())
		}
	}
}
