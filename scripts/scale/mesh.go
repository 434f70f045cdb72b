package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/caro-mesh/caro-node/internal/meshtest"
	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/protocol/health"
	"github.com/caro-mesh/caro-node/protocol/hello"
)

// neighbours is how many others each host is connected to: it dials half of them and is dialled by the other half.
const neighbours = 8

// minHosts is the smallest mesh in which everybody finds that many, with luck that comes soon.
const minHosts = 3 * neighbours

// member is one host of the mesh, with everything that a node needs to take part in it except what it stores.
type member struct {
	*meshtest.Node
	client *hello.Client
	topic  *health.Topic
}

// mesh is many hosts in this process.
type mesh struct {
	members []*member
	links   int
}

// newMesh starts n hosts, connects each to eight others by Hello, and returns once all of them listen to each other.
func newMesh(ctx context.Context, n int) (_ *mesh, err error) {
	if n < minHosts {
		return nil, fmt.Errorf("%d hosts are too few to connect each to %d others; take at least %d", n, neighbours, minHosts)
	}
	m := &mesh{members: make([]*member, n)}
	defer func() {
		if err != nil {
			m.close()
		}
	}()
	net := meshtest.NewNetwork()
	err = inParallel(ctx, n, func(i int) error {
		node, err := meshtest.Start(meshtest.Options{Network: net, Listen: fmt.Sprintf("/memory/%d", i+1)})
		if err != nil {
			return err
		}
		m.members[i] = &member{Node: node, client: node.Greets(nil)}
		m.members[i].topic, err = node.Gossips(nil)
		return err
	})
	if err != nil {
		return nil, err
	}
	links := someLinks(n)
	m.links = len(links)
	if err := inParallel(ctx, len(links), func(i int) error { return m.connect(ctx, links[i]) }); err != nil {
		return nil, err
	}
	err = m.await(ctx, patience, func() error {
		for i, member := range m.members {
			if got := len(member.topic.Neighbours()); got != neighbours {
				return fmt.Errorf("host %d has %d of %d neighbours", i, got, neighbours)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return m, m.warmUp(ctx)
}

// settle is more than the routers need to agree about who passes on to whom, which they do once a second.
const settle = 3 * time.Second

// warmUp returns when everybody has heard the first host, which speaks again while somebody has not: what is said before
// the routers agree can be lost.
func (m *mesh) warmUp(ctx context.Context) error {
	for began := time.Now(); ; {
		if err := pause(ctx, settle); err != nil {
			return err
		}
		_, err := m.spread(ctx, 0, protocol.HealthEvery)
		if err == nil || ctx.Err() != nil || time.Since(began) > patience {
			return err
		}
	}
}

// someLinks returns the edges of four circles, each through all hosts in an order of its own, that share no edge.
func someLinks(n int) [][2]int {
	used := make(map[[2]int]bool)
	var links [][2]int
	for len(links) < n*neighbours/2 {
		order, circle := rand.Perm(n), make([][2]int, n)
		for i := range order {
			circle[i] = [2]int{order[i], order[(i+1)%n]}
		}
		if slices.ContainsFunc(circle, func(l [2]int) bool { return used[l] || used[[2]int{l[1], l[0]}] }) {
			continue
		}
		for _, l := range circle {
			used[l] = true
		}
		links = append(links, circle...)
	}
	return links
}

// connect tries a few times, as a node would: on a machine that is busy otherwise, a handshake may take longer than the
// other side waits.
func (m *mesh) connect(ctx context.Context, link [2]int) (err error) {
	for range 5 {
		if err = m.tryToConnect(ctx, link); err == nil || ctx.Err() != nil {
			return err
		}
	}
	return err
}

func (m *mesh) tryToConnect(ctx context.Context, link [2]int) error {
	a, b := m.members[link[0]], m.members[link[1]]
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := a.Host.Connect(ctx, peer.AddrInfo{ID: b.Host.ID(), Addrs: b.Host.Network().ListenAddresses()}); err != nil {
		return fmt.Errorf("connect hosts %d and %d: %w", link[0], link[1], err)
	}
	if _, err := a.client.Greet(ctx, b.Key.NodeID()); err != nil {
		return fmt.Errorf("hello between hosts %d and %d: %w", link[0], link[1], err)
	}
	return nil
}

// spread lets one host speak, and returns how long after that each of the others had accepted it, in rising order. It
// waits for them no longer than most.
func (m *mesh) spread(ctx context.Context, from int, most time.Duration) ([]time.Duration, error) {
	speaker := m.members[from]
	start := time.Now()
	if err := speaker.topic.Publish(ctx, health.Status{CaroVersion: "scale", Uptime: time.Hour, State: protocol.HealthOK}); err != nil {
		return nil, err
	}
	took := make([]time.Duration, 0, len(m.members)-1)
	// Looking costs processor time, so it is done seldom: each host knows by itself when it has heard.
	err := m.await(ctx, most, func() error {
		took = took[:0]
		for i, listener := range m.members {
			if i == from {
				continue
			}
			h, ok := listener.topic.Heard(speaker.Key.NodeID())
			if !ok || h.At.Before(start) {
				return fmt.Errorf("host %d has not heard host %d", i, from)
			}
			took = append(took, h.At.Sub(start))
		}
		return nil
	})
	slices.Sort(took)
	return took, err
}

// patience is how long anything may take on a slow machine.
const patience = 2 * time.Minute

// await asks ten times a second until done returns nil, and returns its last error when that takes longer than most.
func (m *mesh) await(ctx context.Context, most time.Duration, done func() error) error {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		err := done()
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		}
	}
}

func (m *mesh) close() {
	_ = inParallel(context.Background(), len(m.members), func(i int) error {
		if m.members[i] != nil {
			m.members[i].Close()
		}
		return nil
	})
}

// inParallel runs f for 0 to n-1, a few at a time, and returns the first error.
func inParallel(ctx context.Context, n int, f func(int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	next := make(chan int)
	var wg sync.WaitGroup
	for range 2 * runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for i := range next {
				if err := f(i); err != nil {
					cancel(err)
				}
			}
		})
	}
	for i := range n {
		if ctx.Err() != nil {
			break
		}
		next <- i
	}
	close(next)
	wg.Wait()
	return context.Cause(ctx)
}
