package e2e

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	v1 "github.com/caro-mesh/caro-node/api/v1"
	"github.com/caro-mesh/caro-node/observer/spool"
	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/protocol/health"
)

// TestNoRawCommandLeavesTheProcess plants unique words in everything that a person types, gives a peer the most trust
// there is, lets it have every answer and summary, and searches every byte that the node sent, after decryption, for the
// words in many disguises. Meanwhile the node's sockets are watched: it must talk to that peer alone.
func TestNoRawCommandLeavesTheProcess(t *testing.T) {
	n := newNode(t, "open-name")
	peer := newTap(t)
	n.configure(fmt.Sprintf("[policy]\nshare_event_count = true\n[[policy.nodes]]\nid = %q\ntrust = \"peer\"\nname = %q\n", peer.id.NodeID(), newCanary(t, "petname")))
	// The peer stands in static_peers through the API below, so that the configuration needs no free port.

	words := map[string]string{}
	word := func(kind string) string {
		words[kind] = newCanary(t, kind)
		return words[kind]
	}
	typed := []string{
		"echo " + word("argument"),
		"git commit -m '" + word("message") + "'",
		"./" + word("script") + ".sh --flag",
		word("tool") + " run",
		"cat /home/" + word("user") + "/notes.txt",
		"ssh " + word("host") + ".internal",
		word("variable") + "=1 make",
		"rm -rf /srv/" + word("folder"),
		"docker run --rm " + word("image"),
		"curl -H 'Authorization: Bearer " + word("secret") + "' http://10.0.0.1/",
		"sudo " + word("sudotool") + " --now",
		"echo $(" + word("substituted") + ")",
		"alias x=" + word("alias"),
		"# " + word("comment"),
	}
	cwd := "/home/" + word("cwduser") + "/" + word("cwdproject")
	plant(t, n, cwd, typed, "make "+word("torn"))

	n.start()
	watch := watchSockets(t, n.PID(), n.meshPort(), netip.MustParseAddrPort(n.APIAddr), peer.port())
	n.caro("peers", "add", peer.address())
	n.awaitPeers(1)
	n.awaitEvents(int64(2 * len(typed)))
	n.caro("observe", "--shell", "zsh", "--exit", "1", "--cwd", cwd, "--", "fg "+word("live"))
	n.awaitEvents(int64(2*len(typed) + 1))
	n.caro("history", "--search", words["argument"])
	n.caro("summary", "preview")
	n.await("one torn record", func(s v1.Status) bool { return s.Spool.Torn == 1 })

	eventually(t, func() string {
		if got := len(peer.received()); got < 2 {
			return fmt.Sprintf("%d summaries were pushed", got)
		}
		return ""
	})
	eventually(t, func() string {
		if h, ok := peer.topic.Heard(protocol.NodeID(n.ID)); !ok || h.Status.EventCount24h == nil {
			return fmt.Sprintf("the node said %+v of its health", h)
		}
		return ""
	})
	for _, qt := range protocol.QueryTypes() {
		peer.ask(protocol.NodeID(n.ID), qt)
	}
	usage := peer.ask(protocol.NodeID(n.ID), protocol.QueryToolUsage, protocol.Filter{Field: "category", Operator: protocol.OpContains, Value: "o"})
	peer.ask(protocol.NodeID(n.ID), protocol.QueryToolUsage, protocol.Filter{Field: "command", Operator: protocol.OpContains, Value: "canary"})
	n.stop()

	if usage.Data == nil || usage.Data.ToolUsage.TotalCommands == 0 {
		t.Fatalf("the peer learned nothing (%+v), so nothing is shown", usage)
	}
	heard := peer.evidence()
	// The search must be able to see what was sent at all.
	for _, expected := range []string{n.ID, "open-name", "tool_usage", health.ID, string(protocol.CategoryDocker)} {
		if !slices.ContainsFunc(heard, func(b []byte) bool { return bytes.Contains(b, []byte(expected)) }) {
			t.Errorf("%q was sent and is not in what was heard", expected)
		}
	}
	for kind, w := range words {
		if how := find(heard, w); how != nil {
			t.Errorf("the word planted as %s left the node: %v", kind, how)
		}
	}
	if strangers := watch(); len(strangers) > 0 {
		t.Errorf("the node talked to %v", strangers)
	}
	total := 0
	for _, b := range heard {
		total += len(b)
	}
	t.Logf("searched %d bytes in %d buffers for %d words", total, len(heard), len(words))
}

// plant writes the commands into the spool as a hook would, once for yesterday and once for today, and torn into one more
// file, which ends in the middle of the record.
func plant(t *testing.T, n *node, cwd string, commands []string, torn string) {
	t.Helper()
	yesterday := time.Now().UTC().Truncate(24 * time.Hour).Add(-12 * time.Hour)
	code, took := 0, 120*time.Millisecond
	var b []byte
	for _, start := range []time.Time{yesterday, time.Now().Add(-time.Minute)} {
		for i, c := range commands {
			b = append(b, spool.Encode(spool.Record{Start: start.Add(time.Duration(i) * time.Second), Duration: &took, Exit: &code,
				Shell: protocol.ShellBash, CWD: cwd, Command: c})...)
		}
	}
	dir := filepath.Join(n.Home, "spool")
	half := spool.Encode(spool.Record{Start: yesterday, Shell: protocol.ShellBash, CWD: cwd, Command: torn})
	for name, content := range map[string][]byte{"bash-1-1-1.spool": b, "bash-1-2-2.spool": half[:len(half)-2]} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
