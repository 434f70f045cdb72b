package lab

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	v1 "github.com/caro-mesh/caro-node/api/v1"
	"github.com/caro-mesh/caro-node/scripts/lab/netlab"
)

// TestNodesOfOneNetworkMeetPartAndMeetAgain is the life of one network: nobody is told an address, and everything that
// crosses the cables of two hosts is read at the end.
func TestNodesOfOneNetworkMeetPartAndMeetAgain(t *testing.T) {
	t.Parallel()
	lab, hosts := newNetwork(t, 8)
	var nodes []*node
	for i, h := range hosts {
		nodes = append(nodes, newNode(t, h, map[int]string{6: "+4m", 7: "+6m"}[i]))
	}
	mesh, ahead, wrong := nodes[:6], nodes[6], nodes[7]
	for i, n := range nodes {
		switch {
		case i == 4 || i == 5: // these two trust by ID: each other and the first four
			n.configure(byID(append(slices.Clone(mesh[:i]), mesh[i+1:]...)...))
		default:
			n.configure(bySubnet)
		}
	}
	// Words that no command of a node may bring to others, in commands and paths.
	words := []string{"canary-7f3a91c4", "kanarie-55d0e2b8"}
	captures := make([]*netlab.Capture, 2)
	for i := range captures {
		c, err := hosts[i].Capture(filepath.Join(t.TempDir(), fmt.Sprintf("h%d.pcap", i+1)))
		if err != nil {
			t.Fatal(err)
		}
		captures[i] = c
	}

	start := time.Now()
	each(nodes, (*node).start)
	eventually(t, func() string { return allConnected(mesh...) })
	saw(t, "6 nodes find each other", "all connected %s after the start, 4 trust by subnet, 2 by ID", since(start))
	// A node that was connected by another may not have heard that one yet.
	eventually(t, func() string {
		for _, n := range mesh {
			for _, o := range mesh {
				if o != n && n.peer(o).Source != v1.SourceMDNS {
					return fmt.Sprintf("%s knows %s from %s", n.Name, o.Name, n.peer(o).Source)
				}
			}
		}
		return ""
	})

	pendingGrant(t, mesh[4], ahead)
	clocks(t, mesh[0], ahead, wrong)
	for _, n := range mesh {
		n.observe("/srv/"+words[1]+"/work", "git status", "echo "+words[0], "cat /home/"+words[1]+"/notes-"+words[0])
	}
	for _, n := range mesh {
		eventually(t, func() string {
			if !strings.Contains(n.caro("history"), words[0]) {
				return "the words were not recorded, so that searching for them would show nothing"
			}
			return ""
		})
	}
	lossy(t, lab, append(slices.Clone(mesh), ahead))
	parted(t, lab, mesh, ahead)

	each(nodes[:5], (*node).stop)
	total := make(map[string]int)
	for i, c := range captures {
		packets, err := c.Stop()
		if err != nil {
			t.Fatal(err)
		}
		for kind, n := range checkTraffic(t, packets, []netip.Addr{hosts[i].Addr, moved.Addr()}, words) {
			total[kind] += n
		}
	}
	if total["TLS"] < 100 || total["mDNS"] < 10 {
		t.Errorf("captured only %v", total)
	}
	saw(t, "all that crossed two cables", "%d packets of TLS, %d mDNS, %d ARP and NDP, %d about groups, no other; no canary; nobody outside was addressed",
		total["TLS"], total["mDNS"], total["ARP"]+total["NDP"], total["group membership"])
}

// each does the same with all at once.
func each(nodes []*node, do func(*node)) {
	var wg sync.WaitGroup
	for _, n := range nodes {
		wg.Go(func() { do(n) })
	}
	wg.Wait()
}

// pendingGrant shows that an unknown neighbour is listed and not connected, and connected at once after a grant.
func pendingGrant(t *testing.T, n, stranger *node) {
	t.Helper()
	eventually(t, func() string {
		if c := n.is(v1.PeerPending, stranger); c != "" || n.peer(stranger).Source == v1.SourceMDNS {
			return c
		}
		return "it knocked, and was not found yet"
	})
	p := n.peer(stranger)
	if p.Source != v1.SourceMDNS || len(p.Addresses) == 0 || !strings.Contains(p.Addresses[0], stranger.host.Addr.String()) {
		t.Errorf("the stranger is listed as %+v", p)
	}
	start := time.Now()
	n.caro("trust", "set", stranger.Fingerprint, "peer")
	eventually(t, func() string { return n.is(v1.PeerConnected, stranger) })
	saw(t, "an unknown neighbour", "listed as pending at %s; connected %s after trust set", p.Addresses[0], since(start))
}

// clocks shows that a clock four minutes ahead is warned about, and one six minutes ahead refused with both clocks.
func clocks(t *testing.T, n, ahead, wrong *node) {
	t.Helper()
	eventually(t, func() string {
		if c := n.is(v1.PeerConnected, ahead); c != "" {
			return c
		}
		for line := range strings.SplitSeq(n.Log(), "\n") {
			if strings.Contains(line, "the clocks of this node and a peer differ") && strings.Contains(line, ahead.Fingerprint) {
				return ""
			}
		}
		return "nobody warns of the clock that is 4 minutes ahead"
	})
	saw(t, "a clock 4 minutes ahead", "connected, and warned about")
	reason := ""
	eventually(t, func() string {
		if c := wrong.is(v1.PeerRefused, n); c != "" {
			return c
		}
		reason = wrong.peer(n).StateReason
		if strings.Count(reason, "Z") < 2 {
			return "the reason does not show both clocks: " + reason
		}
		return ""
	})
	if n.is(v1.PeerConnected, wrong) == "" {
		t.Error("a node whose clock is 6 minutes ahead is connected")
	}
	saw(t, "a clock 6 minutes ahead", "refused: %s", reason)
}

// lossy shows that questions are answered by everybody when every twentieth packet is lost.
func lossy(t *testing.T, lab *netlab.Lab, nodes []*node) {
	t.Helper()
	if err := lab.Lose(5); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	answered := 0
	for range 5 {
		c := nodes[0].query()
		if c.Answered != len(nodes)-1 && c.Answered+c.NoData != len(nodes)-1 {
			t.Errorf("with 5 %% of packets lost, %d of %d answered: %+v", c.Answered, len(nodes)-1, c)
		}
		answered += c.Answered
	}
	saw(t, "5 % of packets lost", "5 questions to %d nodes, %d answers in %s", len(nodes)-1, answered, since(start))
	if err := lab.Lose(0); err != nil {
		t.Fatal(err)
	}
}

// moved is the address that the second host has later.
var moved = netip.MustParsePrefix("10.77.0.102/24")

// parted shows a partition, a host that vanishes in it without goodbye, one that gets another address, and how all that
// are left meet again.
func parted(t *testing.T, lab *netlab.Lab, mesh []*node, ahead *node) {
	t.Helper()
	left, right, gone := mesh[:3], []*node{mesh[3], mesh[4], ahead}, mesh[5]
	start := time.Now()
	if err := lab.Part(hostsOf(left), append(hostsOf(right), gone.host)); err != nil {
		t.Fatal(err)
	}
	if err := gone.host.Unplug(); err != nil {
		t.Fatal(err)
	}
	if err := gone.Kill(); err != nil {
		t.Fatal(err)
	}
	// The second host gets another address from a network that nobody told it has changed.
	second := mesh[1]
	if err := second.host.AddAddr(moved); err != nil {
		t.Fatal(err)
	}
	if err := second.host.DelAddr(netip.PrefixFrom(second.host.Addr, 24)); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() string {
		if c := left[0].is(v1.PeerOffline, append(slices.Clone(right), gone)...); c != "" {
			return c
		}
		for _, n := range right {
			if c := n.is(v1.PeerOffline, left[0], left[2], gone); c != "" {
				return c
			}
		}
		return ""
	})
	saw(t, "a partition, and a host that vanishes", "noticed on both sides after %s; who is away is offline, not forgotten", since(start))
	eventually(t, func() string {
		if c := left[0].is(v1.PeerConnected, second); c != "" {
			return c
		}
		if p := left[0].peer(second); !slices.ContainsFunc(p.Addresses, func(a string) bool { return strings.Contains(a, moved.Addr().String()) }) {
			return fmt.Sprintf("h1 knows h2 at %v", p.Addresses)
		}
		return ""
	})
	saw(t, "a host that gets another address", "found and connected there, within the partition")
	start = time.Now()
	if err := lab.Heal(); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() string { return allConnected(append(slices.Clone(left), right...)...) })
	saw(t, "the partition heals", "all connected again after %s", since(start))
	for _, n := range mesh[:5] {
		if strings.Contains(n.Log(), "name=h6 goodbye=shutdown") {
			t.Errorf("%s heard a goodbye of the host that vanished", n.Name)
		}
	}
}

func hostsOf(nodes []*node) (out []*netlab.Host) {
	for _, n := range nodes {
		out = append(out, n.host)
	}
	return out
}
