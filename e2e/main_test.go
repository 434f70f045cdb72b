package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	ma "github.com/multiformats/go-multiaddr"

	v1 "github.com/caro-mesh/caro-node/api/v1"
	"github.com/caro-mesh/caro-node/internal/meshtest"
	"github.com/caro-mesh/caro-node/scripts/nodeproc"
)

// patience is how long a test waits for what should take milliseconds, on a busy machine.
const patience = 60 * time.Second

// program is the caro-node under test.
var program string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	// make test names the binary that it built; otherwise it is built here, without the page.
	if program = os.Getenv("CARO_TEST_BIN"); program == "" {
		dir, err := os.MkdirTemp("", "caro-e2e-bin-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir) //nolint:errcheck // a leftover temporary folder fails no test
		program = filepath.Join(dir, "caro-node")
		build := exec.Command("go", "build", "-o", program, "../cmd/caro-node")
		build.Stderr = os.Stderr
		if err := build.Run(); err != nil {
			fmt.Fprintln(os.Stderr, "build caro-node:", err)
			return 1
		}
	}
	return m.Run()
}

// node is a caro-node process of a test.
type node struct {
	*nodeproc.Node
	t *testing.T
}

// newNode makes a stopped node, which is stopped for good when the test ends.
func newNode(t *testing.T, name string) *node {
	t.Helper()
	// Not t.TempDir: the path of a unix socket must be short.
	dir, err := os.MkdirTemp("", "caro-")
	if err != nil {
		t.Fatal(err)
	}
	n, err := nodeproc.New(t.Context(), program, filepath.Join(dir, name), name)
	if err != nil {
		t.Fatal(err)
	}
	n.Daemon = os.Getenv("CARO_TEST_RACE_BIN") // commands are short and many: only the node itself is watched
	t.Cleanup(func() {
		if err := n.Stop(); err != nil {
			t.Errorf("%v; its log:\n%s", err, n.Log())
		}
		if t.Failed() {
			t.Logf("log of %s:\n%s", name, n.Log())
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return &node{n, t}
}

func (n *node) configure(extra string, grants ...nodeproc.Grant) {
	n.t.Helper()
	if err := n.Configure(extra, grants...); err != nil {
		n.t.Fatal(err)
	}
}

// start starts the node and waits until it answers.
func (n *node) start() {
	n.t.Helper()
	if err := n.Start(); err != nil {
		n.t.Fatal(err)
	}
	n.await("a healthy status", func(s v1.Status) bool { return s.Health != v1.HealthStarting })
}

func (n *node) stop() {
	n.t.Helper()
	if err := n.Stop(); err != nil {
		n.t.Fatalf("%v; its log:\n%s", err, n.Log())
	}
}

// meshPort is where the node listens for others.
func (n *node) meshPort() netip.AddrPort { return addrPort(n.t, ma.StringCast(n.MeshAddr)) }

func (n *node) await(what string, ok func(v1.Status) bool) {
	n.t.Helper()
	ctx, cancel := context.WithTimeout(n.t.Context(), patience)
	defer cancel()
	if err := n.Await(ctx, what, ok); err != nil {
		n.t.Fatal(err)
	}
}

func (n *node) awaitEvents(count int64) {
	n.t.Helper()
	n.await(fmt.Sprintf("%d events", count), func(s v1.Status) bool { return s.Events >= count })
}

// stored returns how many commands the node has stored.
func (n *node) stored() int64 {
	n.t.Helper()
	s, err := n.Client().Status(n.t.Context())
	if err != nil {
		n.t.Fatal(err)
	}
	return s.Events
}

func (n *node) awaitPeers(count int) {
	n.t.Helper()
	n.await(fmt.Sprintf("%d connected peers", count), func(s v1.Status) bool { return s.Peers.Connected >= count })
}

// caro runs a command of the node, which has to succeed, and returns its stdout.
func (n *node) caro(args ...string) string {
	n.t.Helper()
	out, err := n.Run(n.t.Context(), args...)
	if err != nil {
		n.t.Fatalf("%v; the node's log:\n%s", err, n.Log())
	}
	return string(out)
}

// caroJSON runs a command with --json and decodes its document.
func (n *node) caroJSON(into any, args ...string) {
	n.t.Helper()
	out := n.caro(append(args, "--json")...)
	if err := json.Unmarshal([]byte(out), into); err != nil {
		n.t.Fatalf("%s --json printed no JSON document: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// query asks the mesh, and waits for answers for as long as a person may: on a busy machine they take seconds.
func (n *node) query(into *v1.QueryResult, args ...string) {
	n.t.Helper()
	n.caroJSON(into, append([]string{"query", "--timeout", "10s"}, args...)...)
}

// history returns the stored commands, oldest first.
func (n *node) history() []v1.Event {
	n.t.Helper()
	var page v1.EventPage
	n.caroJSON(&page, "history", "--limit", "1000")
	out := make([]v1.Event, 0, len(page.Events))
	for i := len(page.Events) - 1; i >= 0; i-- {
		out = append(out, page.Events[i])
	}
	return out
}

// observe records commands that started yesterday at noon UTC, one second apart.
func (n *node) observe(commands ...string) {
	n.t.Helper()
	start := time.Now().UTC().Truncate(24 * time.Hour).Add(-12 * time.Hour)
	for i, c := range commands {
		n.caro("observe", "--shell", "bash", "--exit", "0", "--duration-ms", "10", "--cwd", "/srv/project",
			"--at", start.Add(time.Duration(i)*time.Second).Format(time.RFC3339), "--", c)
	}
}

// eventually waits until there is no complaint any more.
func eventually(t *testing.T, complaint func() string) {
	t.Helper()
	meshtest.Settles(t, patience, complaint)
}

// introduce makes nodes keep a connection to each other with the same trust in both directions.
func introduce(trust string, nodes ...*node) {
	for _, n := range nodes {
		var grants []nodeproc.Grant
		for _, o := range nodes {
			if o != n {
				grants = append(grants, nodeproc.Grant{To: o.Node, Trust: trust})
			}
		}
		n.configure("", grants...)
	}
}
