package lab

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	v1 "github.com/caro-mesh/caro-node/api/v1"
	"github.com/caro-mesh/caro-node/internal/meshtest"
	"github.com/caro-mesh/caro-node/scripts/lab/netlab"
	"github.com/caro-mesh/caro-node/scripts/nodeproc"
)

const (
	meshPort = 9238
	// patience is how long a test waits for what should take seconds, on a busy machine.
	patience = 90 * time.Second
)

// node is a caro-node on a host of the lab.
type node struct {
	*nodeproc.Node
	host *netlab.Host
	t    *testing.T
}

// newNetwork builds a network that the test removes.
func newNetwork(t *testing.T, hosts int) (*netlab.Lab, []*netlab.Host) {
	t.Helper()
	if err := netlab.Permitted(); err != nil {
		t.Skip(err)
	}
	l, err := netlab.New(hosts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l, l.Hosts()
}

// newNode makes a stopped node that knows no addresses of others. clock is how far its clock is ahead, such as "+4m".
func newNode(t *testing.T, h *netlab.Host, clock string) *node {
	t.Helper()
	// Not t.TempDir: the path of a unix socket must be short.
	dir, err := os.MkdirTemp("", "caro-lab-")
	if err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprintf("h%d", h.Index)
	n, err := nodeproc.New(t.Context(), program, filepath.Join(dir, name), name)
	if err != nil {
		t.Fatal(err)
	}
	n.Wrap = h.Wrap()
	if clock != "" {
		n.Extra = []string{"CARO_LAB_CLOCK=" + clock}
	}
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
	return &node{n, h, t}
}

// configure turns mDNS on and adds rules of trust.
func (n *node) configure(rules string) {
	n.t.Helper()
	text := fmt.Sprintf("[node]\nname = %q\n[network]\nlisten = [\"/ip4/0.0.0.0/tcp/%d\"]\nmdns = true\n[api]\nlisten = \"\"\n[log]\nformat = \"text\"\nlevel = \"debug\"\n%s",
		n.Name, meshPort, rules)
	if err := os.WriteFile(filepath.Join(n.Home, "config.toml"), []byte(text), 0o600); err != nil {
		n.t.Fatal(err)
	}
}

// bySubnet trusts everybody on the network of the lab.
const bySubnet = "[[policy.subnets]]\ncidr = \"10.77.0.0/24\"\ntrust = \"peer\"\n"

// byID trusts these nodes.
func byID(nodes ...*node) string {
	var b strings.Builder
	for _, n := range nodes {
		fmt.Fprintf(&b, "[[policy.nodes]]\nid = %q\ntrust = \"peer\"\nname = %q\n", n.ID, n.Name)
	}
	return b.String()
}

func (n *node) start() {
	n.t.Helper()
	if err := n.Start(); err != nil {
		n.t.Fatal(err)
	}
}

func (n *node) stop() {
	n.t.Helper()
	if err := n.Stop(); err != nil {
		n.t.Fatalf("%v; its log:\n%s", err, n.Log())
	}
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

// peers returns what the node knows of others; an error means that it does not answer yet.
func (n *node) peers() ([]v1.Peer, error) {
	page, err := n.Client().Peers(n.t.Context())
	return page.Peers, err
}

// peer returns what the node knows of another.
func (n *node) peer(of *node) v1.Peer {
	n.t.Helper()
	list, err := n.peers()
	if err != nil {
		n.t.Fatal(err)
	}
	i := slices.IndexFunc(list, func(p v1.Peer) bool { return string(p.NodeID) == of.ID })
	if i < 0 {
		return v1.Peer{StateReason: "not known"}
	}
	return list[i]
}

// is returns a complaint unless the node sees all the others in a state.
func (n *node) is(state v1.PeerState, others ...*node) string {
	list, err := n.peers()
	if err != nil {
		return fmt.Sprintf("%s: %v", n.Name, err)
	}
	for _, o := range others {
		i := slices.IndexFunc(list, func(p v1.Peer) bool { return string(p.NodeID) == o.ID })
		if i < 0 {
			return fmt.Sprintf("%s does not know %s", n.Name, o.Name)
		}
		if list[i].State != state {
			return fmt.Sprintf("%s sees %s %s (%s), want %s", n.Name, o.Name, list[i].State, list[i].StateReason, state)
		}
	}
	return ""
}

// allConnected returns a complaint unless each sees every other connected.
func allConnected(nodes ...*node) string {
	for i, n := range nodes {
		if c := n.is(v1.PeerConnected, append(slices.Clone(nodes[:i]), nodes[i+1:]...)...); c != "" {
			return c
		}
	}
	return ""
}

// query asks for tool usage and returns the answer's coverage.
func (n *node) query() v1.Coverage {
	n.t.Helper()
	var r struct {
		Coverage v1.Coverage `json:"coverage"`
	}
	if err := json.Unmarshal([]byte(n.caro("query", "tool_usage", "--timeout", "10s", "--json")), &r); err != nil {
		n.t.Fatal(err)
	}
	return r.Coverage
}

// observe records commands in a folder, as a shell would.
func (n *node) observe(folder string, commands ...string) {
	n.t.Helper()
	for _, c := range commands {
		n.caro("observe", "--shell", "bash", "--exit", "0", "--duration-ms", "10", "--cwd", folder, "--", c)
	}
}

// eventually waits until there is no complaint any more.
func eventually(t *testing.T, complaint func() string) {
	t.Helper()
	meshtest.Settles(t, patience, complaint)
}
