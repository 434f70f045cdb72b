// Command demo runs five nodes on loopback that trust each other, with a week of made-up commands each, ready to be
// asked. It stops them and removes everything on Ctrl-C.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	v1 "github.com/caro-mesh/caro-node/api/v1"
	"github.com/caro-mesh/caro-node/observer/spool"
	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/scripts/nodeproc"
)

var people = []struct{ name, role string }{
	{"anna", "backend"}, {"bob", "frontend"}, {"carol", "operations"}, {"dave", "data"}, {"erin", "rust"},
}

func main() {
	bin := flag.String("bin", "bin/caro-node", "the caro-node to run")
	commands := flag.Int("commands", 400, "commands of each node")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *bin, *commands); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, bin string, commands int) (err error) {
	if bin, err = filepath.Abs(bin); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "caro-demo-")
	if err != nil {
		return err
	}
	var nodes []*nodeproc.Node
	defer func() {
		fmt.Println("\nStopping …")
		for _, n := range nodes {
			err = errors.Join(err, n.Stop())
		}
		if err = errors.Join(err, os.RemoveAll(dir)); err == nil {
			fmt.Println("All nodes have stopped, and everything of the demo is removed.")
		}
	}()
	fmt.Printf("Making %d nodes with a week of %d commands each …\n", len(people), commands)
	if nodes, err = prepare(ctx, bin, dir, commands); err != nil {
		return unlessInterrupted(ctx, err)
	}
	for _, n := range nodes {
		if err := n.Start(); err != nil {
			return err
		}
	}
	if err := awaitAll(ctx, nodes, commands); err != nil {
		return unlessInterrupted(ctx, err)
	}
	printGuide(bin, nodes)
	select {
	case <-ctx.Done():
		return nil
	case n := <-firstEnd(ctx, nodes):
		return fmt.Errorf("%s stopped by itself (%w); its log:\n%s", n.Name, n.Exit(), n.Log())
	}
}

// unlessInterrupted drops the errors that a Ctrl-C causes.
func unlessInterrupted(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	return nil
}

func prepare(ctx context.Context, bin, dir string, commands int) ([]*nodeproc.Node, error) {
	nodes := make([]*nodeproc.Node, len(people))
	for i, p := range people {
		n, err := nodeproc.New(ctx, bin, filepath.Join(dir, p.name), p.name)
		if err != nil {
			return nil, err
		}
		r := rand.New(rand.NewPCG(uint64(i), 2026))
		if err := seed(n.Home, week(r, p.role, commands, time.Now())); err != nil {
			return nil, err
		}
		nodes[i] = n
	}
	for _, n := range nodes {
		var grants []nodeproc.Grant
		for _, o := range nodes {
			if o != n {
				grants = append(grants, nodeproc.Grant{To: o, Trust: "peer"})
			}
		}
		if err := n.Configure("", grants...); err != nil {
			return nil, err
		}
	}
	return nodes, nil
}

// seed leaves commands in the spool, as a shell's hook would.
func seed(home string, commands []typed) error {
	var b bytes.Buffer
	for _, c := range commands {
		code, took := c.exit, c.took
		b.Write(spool.Encode(spool.Record{Start: c.at, Duration: &took, Exit: &code, Shell: protocol.ShellBash, CWD: c.cwd, Command: c.text}))
	}
	return os.WriteFile(filepath.Join(home, "spool", "bash-1-1-1.spool"), b.Bytes(), 0o600)
}

func awaitAll(ctx context.Context, nodes []*nodeproc.Node, commands int) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for _, n := range nodes {
		err := n.Await(ctx, "full history and connected peers", func(s v1.Status) bool {
			return s.Events >= int64(commands) && s.Peers.Connected == len(nodes)-1
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// firstEnd tells which node ends first by itself.
func firstEnd(ctx context.Context, nodes []*nodeproc.Node) <-chan *nodeproc.Node {
	ch := make(chan *nodeproc.Node, len(nodes))
	for _, n := range nodes {
		done := n.Done()
		go func() {
			select {
			case <-done:
				ch <- n
			case <-ctx.Done():
			}
		}()
	}
	return ch
}

func printGuide(bin string, nodes []*nodeproc.Node) {
	if wd, err := os.Getwd(); err == nil {
		if rel, err := filepath.Rel(wd, bin); err == nil && !strings.HasPrefix(rel, "..") {
			bin = rel
		}
	}
	fmt.Println("\nFive nodes are running, connected to each other:")
	for _, n := range nodes {
		fmt.Printf("  %-6s %s  %s\n", n.Name, n.Fingerprint, n.MeshAddr)
	}
	fmt.Printf("\nBe %s in another terminal, and try:\n\n  export CARO_HOME=%s\n", nodes[0].Name, nodes[0].Home)
	for _, c := range []string{"query tool_usage", "query safety_posture --filter risk_level:greater_than:safe", "query activity_patterns",
		"peers list", "history --risk high", "summary preview", "audit list", "status", "dashboard"} {
		fmt.Printf("  %s %s\n", bin, c)
	}
	fmt.Println("\nCtrl-C stops everything.")
}
