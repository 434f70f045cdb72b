package node

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	ma "github.com/multiformats/go-multiaddr"

	"github.com/caro-mesh/caro-node/internal/meshtest"
	"github.com/caro-mesh/caro-node/node/discovery"
	"github.com/caro-mesh/caro-node/observer/event"
	"github.com/caro-mesh/caro-node/policy"
	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/protocol/health"
	"github.com/caro-mesh/caro-node/store"
)

// afar runs a node on a slow network, at the address /memory/<at>.
func afar(t *testing.T, lan *meshtest.Network, at int, named ...protocol.NodeID) *Node {
	t.Helper()
	where := fmt.Sprintf("/memory/%d", at)
	return running(t, func(c *Config) {
		c.Listen, c.transport = []string{where}, lan.Transport(where)
		for _, id := range named {
			c.Policy.Nodes = append(c.Policy.Nodes, policy.NodeRule{ID: string(id), Trust: "peer"})
		}
	})
}

// calls makes b a target of a, as peers add does with an address of a real network.
func calls(a, b *Node) {
	a.keeper.Add(discovery.Target{ID: b.id(), Addrs: []ma.Multiaddr{ma.StringCast(b.c.Listen[0])}})
}

// typedBefore stores commands of the day before.
func typedBefore(t *testing.T, n *Node, commands int) {
	t.Helper()
	at := n.c.Now().Add(-24 * time.Hour)
	var events []event.Event
	for range commands {
		events = append(events, event.Event{ID: event.NewID(at), Timestamp: at, Shell: protocol.ShellBash, Command: "git status", Category: protocol.CategoryGit})
	}
	if err := n.c.Store.Append(t.Context(), events); err != nil {
		t.Fatal(err)
	}
	n.CountsChanged() // as the observer tells
}

// Everything that nodes say to each other, on real hosts over pipes on which each byte takes that long, on a clock that
// jumps. A satellite adds 250 ms each way; the lab's network has none.
func TestNodesWorkTogetherOverASlowNetwork(t *testing.T) {
	for _, delay := range []time.Duration{200 * time.Millisecond, 400 * time.Millisecond} {
		t.Run(delay.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				lan := meshtest.NewSlowNetwork(delay)
				c, b := afar(t, lan, 3), afar(t, lan, 2)
				a := afar(t, lan, 1, c.id())
				typedBefore(t, b, 7)
				began := time.Now()
				calls(a, b)
				calls(b, c)

				pass(quietBefore + 10*time.Second) // until summaries are made and pushed
				for x, y := range map[*Node]*Node{a: b, b: a, c: b} {
					if p, ok := x.registry.Peer(y.id()); !ok || p.Since.Sub(began) < 4*delay || p.Since.Sub(began) > 16*delay {
						t.Errorf("Hello was accepted after %s: %+v", p.Since.Sub(began), p)
					}
				}
				if n := lan.Dials(); n != 2 {
					t.Errorf("%d connections were tried for two", n)
				}

				if r, err := a.Ping(t.Context(), b.id()); err != nil || r.RTT < 2*delay || r.RTT > 2*delay+50*time.Millisecond || r.Offset.Abs() > 50*time.Millisecond {
					t.Errorf("measured %+v, %v; the round trip takes %s and the clocks are the same", r, err, 2*delay)
				}

				end := time.Now().Truncate(time.Hour).Add(time.Hour)
				r, err := a.Ask(t.Context(), Question{Type: protocol.QueryToolUsage, Timeout: 2 * time.Second,
					Range: protocol.TimeRange{Start: protocol.At(end.AddDate(0, 0, -7)), End: protocol.At(end)}})
				if err != nil || r.Status != protocol.StatusSuccess || r.Data.ToolUsage.TotalCommands != 7 || !slices.ContainsFunc(r.Outcomes, func(o Asked) bool { return o.Node == b.id() && o.Outcome == Answered }) {
					t.Errorf("asked: %+v, %v", r, err)
				}

				got, _, err := a.c.Store.Summaries(t.Context(), store.SummaryFilter{Node: b.id()})
				if err != nil || len(got) == 0 || got[0].Summary.TotalCommands != 7 {
					t.Errorf("a has %+v of b, %v", got, err)
				}
				if left, err := b.c.Store.UnpushedSummaries(t.Context(), a.id(), began.AddDate(0, 0, -7)); err != nil || len(left) > 0 {
					t.Errorf("%d summaries of b are not acknowledged, %v", len(left), err)
				}

				pass(2 * health.Interval)
				if v := peerOf(t, a, c); !v.Online || v.State == PeerConnected || v.CaroVersion != "1.2.3" || v.Health != protocol.HealthOK {
					t.Errorf("a, which hears of c through b alone, sees it as %+v", v)
				}
			})
		})
	}
}

func TestAGoodbyeIsHeardOverASlowNetwork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lan := meshtest.NewSlowNetwork(400 * time.Millisecond)
		a, b := afar(t, lan, 1), afar(t, lan, 2)
		calls(a, b)
		pass(10 * time.Second)
		b.sayGoodbye(context.WithoutCancel(t.Context()))
		if p, ok := a.registry.Peer(b.id()); !ok || p.Goodbye == "" {
			t.Errorf("a heard nothing: %+v", p)
		}
	})
}
