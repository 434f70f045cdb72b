// Command bench measures a built caro-node as a whole process and prints each figure beside its goal and, where there is
// one, a floor measured in the same run. docs/performance.md keeps the results.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"
	"time"

	"github.com/caro-mesh/caro-node/api/client"
	v1 "github.com/caro-mesh/caro-node/api/v1"
	"github.com/caro-mesh/caro-node/observer/spool"
	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/scripts/nodeproc"
)

func main() {
	bin := flag.String("bin", "bin/caro-node", "the caro-node to measure")
	events := flag.Int("events", 100_000, "stored commands of the idle node")
	idle := flag.Duration("idle", 75*time.Second, "how long the node is left alone before its memory is read")
	runs := flag.Int("runs", 11, "runs of each timed figure")
	peers := flag.Int("peers", 10, "nodes that are asked")
	history := flag.Int("history", 100_000, "lines of the history file that is imported")
	million := flag.Bool("million", false, "also search a node with 1,000,000 commands, which takes a minute to set up")
	only := flag.String("only", "", "only this part: guard, database, import, search, hook, idle, query or attack")
	commands := flag.Int("commands", 1000, "commands that are typed in each shell to measure its hook")
	under := flag.Duration("under-attack", 10*time.Second, "how long each attack lasts; 0 leaves attacks out")
	attack := flag.String("attack", "", "be an attacker: the attack of this name (see attack.go), with the arguments key file and target")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if *attack != "" {
		if err := beAttacker(ctx, *attack, flag.Arg(0), flag.Arg(1), *under); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
		return
	}
	b := bench{bin: *bin, events: *events, idle: *idle, runs: *runs, peers: *peers, history: *history, commands: *commands, under: *under}
	if *million {
		b.searched = 1_000_000
	}
	if err := b.run(ctx, *only); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// bench is what is measured, and how much of it.
type bench struct {
	bin, dir    string
	events      int // stored commands of the idle node
	idle        time.Duration
	runs, peers int
	history     int           // lines of the imported file
	commands    int           // typed in each shell
	searched    int           // stored commands of the node that is searched; 0: it is not
	under       time.Duration // how long each attack lasts; 0: there is none
}

func (b *bench) run(ctx context.Context, only string) (err error) {
	if b.bin, err = filepath.Abs(b.bin); err != nil {
		return err
	}
	if b.dir, err = os.MkdirTemp("", "caro-bench-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.dir)) }()
	fmt.Printf("%s/%s, %d CPUs, %s\n\n%-62s %19s   %s\n", runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.Version(), "what", "figure", "must / aim, floor")
	info, err := os.Stat(b.bin)
	if err != nil {
		return err
	}
	row("binary", mib(info.Size()), "– / 30 MB")
	known := only == ""
	for _, part := range []struct {
		name string
		run  func(context.Context) error
	}{
		{"guard", b.guard}, {"database", b.database}, {"import", b.imports}, {"search", b.searches},
		{"hook", func(ctx context.Context) error { return benchHook(ctx, b.dir, b.commands) }},
		{"idle", func(ctx context.Context) error { return benchIdle(ctx, b.bin, b.dir, b.events, b.idle, b.runs) }},
		{"query", func(ctx context.Context) error { return benchQuery(ctx, b.bin, b.dir, b.runs, b.peers, b.idle) }},
		{"attack", b.attacked},
	} {
		if only != "" && only != part.name {
			continue
		}
		known = true
		if partErr := part.run(ctx); partErr != nil { // the other figures are worth their time
			fmt.Printf("%s: %s\n", part.name, partErr)
			err = errors.Join(err, fmt.Errorf("%s: %w", part.name, partErr))
		}
		if ctx.Err() != nil {
			break
		}
	}
	if !known {
		return fmt.Errorf("there is no part %q (guard, database, import, search, hook, idle, query or attack)", only)
	}
	return err
}

func (b *bench) attacked(ctx context.Context) error {
	if b.under == 0 {
		return nil
	}
	return benchAttack(ctx, b.bin, b.dir, b.events, b.under)
}

func row(what, figure, goal string) { fmt.Printf("%-62s %19s   %s\n", what, figure, goal) }

func mib(n int64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }

func ms(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond)) }

func median(d []time.Duration) time.Duration { return percentile(d, 50) }

// percentile returns the time that p of a hundred do not exceed.
func percentile(d []time.Duration, p int) time.Duration {
	d = slices.Clone(d)
	slices.Sort(d)
	return d[min(len(d)*p/100, len(d)-1)]
}

// benchIdle measures start and memory of a node with stored commands and no peers.
func benchIdle(ctx context.Context, bin, dir string, events int, idle time.Duration, runs int) error {
	n, err := nodeproc.New(ctx, bin, filepath.Join(dir, "idle"), "idle")
	if err != nil {
		return err
	}
	defer func() { _ = n.Kill() }() // stopped below unless something failed
	if err := seed(n.Home, events); err != nil {
		return err
	}
	start := time.Now()
	if err := n.Start(); err != nil {
		return err
	}
	if err := n.Await(ctx, "all commands", func(s v1.Status) bool { return s.Events >= int64(events) }); err != nil {
		return err
	}
	row(fmt.Sprintf("%d commands taken from the spool and judged", events), fmt.Sprintf("%.0f /s", float64(events)/time.Since(start).Seconds()), "– (import: 20,000 / 80,000 /s)")
	if err := n.Stop(); err != nil {
		return err
	}
	var starts []time.Duration
	for range runs {
		start := time.Now()
		if err := n.Start(); err != nil {
			return err
		}
		if err := awaitReady(ctx, n); err != nil {
			return err
		}
		starts = append(starts, time.Since(start))
		if err := n.Stop(); err != nil {
			return err
		}
	}
	row("start to ready, median", ms(median(starts)), "500 ms / 120 ms")
	if err := n.Start(); err != nil {
		return err
	}
	if err := awaitReady(ctx, n); err != nil {
		return err
	}
	resident, err := residentWhile(ctx, n, idle)
	if err != nil {
		return err
	}
	row(fmt.Sprintf("resident memory, idle, %d commands, no peers: median / most", events), resident, "50 MB / 28 MiB")
	if err := benchLatency(ctx, n, runs); err != nil {
		return err
	}
	used, err := n.Usage()
	if err != nil {
		return err
	}
	row(fmt.Sprintf("resident memory right after %d more commands and what asked for them", runs), mib(used.RSS), "50 MB / –")
	row(fmt.Sprintf("processor time in the first %s", idle), ms(used.CPU), "–")
	s, err := n.Client().Status(ctx)
	if err != nil {
		return err
	}
	row("database, bytes a command", fmt.Sprintf("%.0f B", float64(s.Database.SizeBytes+s.Database.WALBytes)/float64(events)), "–")
	return n.Stop()
}

// benchLatency measures from the moment a shell has written a record until the command can be seen.
func benchLatency(ctx context.Context, n *nodeproc.Node, runs int) error {
	cl := n.Client()
	var took []time.Duration
	for i := range runs {
		word := fmt.Sprintf("latency%d", i)
		if err := spool.Write(filepath.Join(n.Home, "spool"), spool.Record{Start: time.Now(), Shell: protocol.ShellBash, CWD: "/", Command: "echo " + word}); err != nil {
			return err
		}
		start := time.Now()
		for {
			page, err := cl.Events(ctx, client.EventQuery{Limit: 1})
			if err != nil {
				return err
			}
			if len(page.Events) > 0 && page.Events[0].Command == "echo "+word {
				break
			}
			if err := pause(ctx, time.Millisecond); err != nil {
				return err
			}
		}
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	row("record written to command visible, median", ms(median(took)), "1 s")
	row("record written to command visible, slowest", ms(took[len(took)-1]), "1 s")
	return nil
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func awaitReady(ctx context.Context, n *nodeproc.Node) error {
	cl := n.Client()
	for {
		if err := cl.Ready(ctx); err == nil {
			return nil
		}
		select {
		case <-time.After(time.Millisecond):
		case <-n.Done():
			return fmt.Errorf("the node ended: %w\n%s", n.Exit(), n.Log())
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// manyQueries lets one peer ask as often as a benchmark does.
const manyQueries = "[policy]\nqueries_per_hour = 100000\n"

// benchQuery asks many nodes, all on this machine, and measures the memory of who asked.
func benchQuery(ctx context.Context, bin, dir string, runs, peers int, idle time.Duration) (err error) {
	nodes := make([]*nodeproc.Node, peers+1)
	defer func() {
		for _, n := range nodes {
			if n != nil {
				err = errors.Join(err, n.Stop())
			}
		}
	}()
	for i := range nodes {
		if nodes[i], err = nodeproc.New(ctx, bin, filepath.Join(dir, fmt.Sprintf("n%d", i)), fmt.Sprintf("n%d", i)); err != nil {
			return err
		}
		if err := seed(nodes[i].Home, 200); err != nil {
			return err
		}
	}
	var grants []nodeproc.Grant
	for _, n := range nodes[1:] {
		if err := n.Configure(manyQueries, nodeproc.Grant{To: nodes[0], Trust: "query_from"}); err != nil {
			return err
		}
		grants = append(grants, nodeproc.Grant{To: n, Trust: "share_to"})
	}
	if err := nodes[0].Configure("", grants...); err != nil {
		return err
	}
	for _, n := range nodes {
		if err := n.Start(); err != nil {
			return err
		}
	}
	if err := nodes[0].Await(ctx, "all peers", func(s v1.Status) bool { return s.Peers.Connected == peers }); err != nil {
		return err
	}
	cl := nodes[0].Client()
	var took []time.Duration
	for range runs * 5 {
		start := time.Now()
		r, err := cl.Query(ctx, v1.QueryRequest{QueryType: protocol.QueryToolUsage, Since: "7d", TimeoutMS: 5000})
		if err != nil {
			return err
		}
		if r.Coverage.Answered != peers {
			return fmt.Errorf("only %d of %d answered: %+v", r.Coverage.Answered, peers, r.Coverage)
		}
		took = append(took, time.Since(start))
		// Peers bound how often they answer one asker.
		if err := pause(ctx, 250*time.Millisecond); err != nil {
			return err
		}
	}
	slices.Sort(took)
	row(fmt.Sprintf("query over %d nodes on this machine, p50", peers), ms(took[len(took)/2]), "–")
	row(fmt.Sprintf("query over %d nodes on this machine, p99", peers), ms(took[len(took)*99/100]), "500 ms / – (50 nodes: 60 ms)")
	before, err := nodes[0].Usage()
	if err != nil {
		return err
	}
	resident, err := residentWhile(ctx, nodes[0], idle)
	if err != nil {
		return err
	}
	after, err := nodes[0].Usage()
	if err != nil {
		return err
	}
	row(fmt.Sprintf("resident memory, %d peers, after the last query: median / most", peers), resident, "64 MB / 45 MiB (200 peers)")
	row(fmt.Sprintf("processor time in %s with %d peers", idle, peers), ms(after.CPU-before.CPU), "–")
	return nil
}

// seed leaves n commands of the last days in the spool.
func seed(home string, n int) error {
	commands := []string{"git status", "ls -la src", "go test ./...", "docker compose up -d", "vim main.go", "kubectl get pods -n prod", "npm run build"}
	var b bytes.Buffer
	code, took, now := 0, 80*time.Millisecond, time.Now()
	for i := range n {
		b.Write(spool.Encode(spool.Record{Start: now.Add(-time.Duration(n-i) * 20 * time.Second / time.Duration(max(1, n/20000))), Duration: &took, Exit: &code,
			Shell: protocol.ShellBash, CWD: fmt.Sprintf("/srv/project%d", i%40), Command: fmt.Sprintf("%s # %d", commands[i%len(commands)], i)}))
	}
	return os.WriteFile(filepath.Join(home, "spool", "bash-1-1-1.spool"), b.Bytes(), 0o600)
}
