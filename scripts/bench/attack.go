package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/google/uuid"

	v1 "github.com/caro-mesh/caro-node/api/v1"
	"github.com/caro-mesh/caro-node/node/identity"
	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/protocol/query"
	"github.com/caro-mesh/caro-node/scripts/hostile"
	"github.com/caro-mesh/caro-node/scripts/nodeproc"
)

// attacks by name, and whether it takes a peer that the node trusts.
var attacks = []struct {
	name, what string
	trusted    bool
	run        func(context.Context, *hostile.Peer, hostile.Target) string
}{
	{"knock", "1,000 connections a second from an untrusted key", false, func(ctx context.Context, p *hostile.Peer, t hostile.Target) string {
		k := p.Knock(ctx, t, 1000)
		return fmt.Sprintf("%d tried, %d got as far as TLS, %d skipped", k.Tried, k.Let, k.Skipped)
	}},
	{"park", "300 silent and dripping connections", false, func(ctx context.Context, _ *hostile.Peer, t hostile.Target) string {
		opened, closed := hostile.Park(ctx, t, 300)
		return fmt.Sprintf("%d opened, %d closed by the node", opened, closed)
	}},
	{"drip", "a trusted peer's dripping streams", true, uses((*hostile.Peer).Drip)},
	{"giants", "a trusted peer's giant and nested messages", true, uses((*hostile.Peer).Giants)},
	{"nonces", "a trusted peer's pings without pause", true, uses((*hostile.Peer).Nonces)},
}

func uses(attack func(*hostile.Peer, context.Context, hostile.Target) hostile.Uses) func(context.Context, *hostile.Peer, hostile.Target) string {
	return func(ctx context.Context, p *hostile.Peer, t hostile.Target) string {
		u := attack(p, ctx, t)
		return fmt.Sprintf("%d streams, %d not opened, %s", u.Streams, u.Refused, mib(u.Sent))
	}
}

// beAttacker is the attacker's process. It runs at the lowest priority: real attackers have processors of their own.
func beAttacker(ctx context.Context, name, keyFile, target string, d time.Duration) error {
	if err := syscall.Setpriority(syscall.PRIO_PROCESS, 0, 19); err != nil {
		return err
	}
	key, err := identity.Load(keyFile)
	if err != nil {
		return err
	}
	t, err := hostile.ParseTarget(target)
	if err != nil {
		return err
	}
	p, err := hostile.NewPeer(key)
	if err != nil {
		return err
	}
	for _, a := range attacks {
		if a.name == name {
			ctx, stop := context.WithTimeout(ctx, d)
			defer stop()
			fmt.Println(a.run(ctx, p, t))
			return p.Close()
		}
	}
	return fmt.Errorf("there is no attack %q", name)
}

// friends are how many trusted peers ask the node, four times a second each.
const friends = 10

// benchAttack measures how long a node with stored commands takes to answer its trusted peers, quiet and under each attack.
func benchAttack(ctx context.Context, bin, dir string, events int, d time.Duration) (err error) {
	n, err := nodeproc.New(ctx, bin, filepath.Join(dir, "besieged"), "besieged")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, n.Stop()) }()
	// Each attack has a key of its own: a node keeps one outside for a while that it has cut off.
	mallory, trusted := filepath.Join(dir, "mallory"), manyQueries
	if err := os.Mkdir(mallory, 0o700); err != nil {
		return err
	}
	for _, a := range attacks {
		key, _, err := identity.LoadOrCreate(keyOf(mallory, a.name), time.Now)
		if err != nil {
			return err
		}
		if a.trusted {
			trusted += fmt.Sprintf("[[policy.nodes]]\nid = %q\ntrust = \"peer\"\n", key.NodeID())
		}
	}
	var all []*hostile.Peer
	for range friends {
		p, err := hostile.NewPeer(nil)
		if err != nil {
			return err
		}
		defer func() { _ = p.Close() }() // the figures are printed
		all = append(all, p)
		trusted += fmt.Sprintf("[[policy.nodes]]\nid = %q\ntrust = \"peer\"\n", p.Key.NodeID())
	}
	if err := errors.Join(n.Configure(trusted), seed(n.Home, events), n.Start()); err != nil {
		return err
	}
	if err := n.Await(ctx, "all commands", func(s v1.Status) bool { return s.Events >= int64(events) && s.Health == v1.HealthOK }); err != nil {
		return err
	}
	t, err := hostile.ParseTarget(n.Address())
	if err != nil {
		return err
	}
	for _, p := range all {
		if err := p.Meet(ctx, t); err != nil {
			return err
		}
	}
	fmt.Printf("\nanswers to %d trusted peers, p99, under attack by\n", friends)
	for _, a := range attacks {
		// The machine is not the same from one minute to the next: each attack has a quiet time of its own to compare with.
		quiet, idle, err := askAll(ctx, n, all, t, d)
		if err != nil {
			return err
		}
		took, busy, report, err := askUnderAttack(ctx, n, all, t, a.name, keyOf(mallory, a.name), n.Address(), d)
		if err != nil {
			return fmt.Errorf("%s: %w", a.name, err)
		}
		before, after := quiet[len(quiet)*99/100], took[len(took)*99/100]
		row(a.what, ms(after), fmt.Sprintf("3 × quiet, is %.1f × %s (p50 %s, quiet %s; processor %.0f %%, quiet %.0f %%): %s", float64(after)/float64(before), ms(before),
			ms(took[len(took)/2]), ms(quiet[len(quiet)/2]), 100*busy, 100*idle, report))
		// The door counts who says nothing for five seconds, and all come from one address here.
		if err := pause(ctx, 6*time.Second); err != nil {
			return err
		}
	}
	u, err := n.Usage()
	if err != nil {
		return err
	}
	row(fmt.Sprintf("most resident memory in all attacks, %d commands", events), mib(u.Peak), "64 MB")
	return nil
}

func keyOf(dir, attack string) string { return filepath.Join(dir, attack+".key") }

// askUnderAttack measures while an attacker's process runs.
func askUnderAttack(ctx context.Context, n *nodeproc.Node, all []*hostile.Peer, t hostile.Target, name, keyFile, address string, d time.Duration) (took []time.Duration, busy float64, report string, err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, 0, "", err
	}
	cmd := exec.CommandContext(ctx, self, "-attack", name, "-under-attack", d.String(), keyFile, address)
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, os.Stderr
	if err := cmd.Start(); err != nil {
		return nil, 0, "", err
	}
	took, busy, err = askAll(ctx, n, all, t, d)
	err = errors.Join(err, cmd.Wait())
	return took, busy, strings.TrimSpace(out.String()), err
}

// askAll lets all peers ask for d, and returns how long each answer took, sorted, and how much of one processor the node
// used meanwhile. An answer that is missing is an error.
func askAll(ctx context.Context, n *nodeproc.Node, all []*hostile.Peer, t hostile.Target, d time.Duration) (took []time.Duration, busy float64, err error) {
	before, err := n.Usage()
	if err != nil {
		return nil, 0, err
	}
	ctx, stop := context.WithTimeout(ctx, d+10*time.Second)
	defer stop()
	start := time.Now()
	end := start.Add(d)
	var mu sync.Mutex
	var failed error
	var wg sync.WaitGroup
	for i, p := range all {
		wg.Go(func() {
			for n := 0; time.Now().Before(end); n++ {
				next := time.Now().Add(250 * time.Millisecond)
				if n == 0 {
					next = time.Now().Add(time.Duration(i) * 25 * time.Millisecond) // they do not ask in chorus
				} else {
					one, err := ask(ctx, p, t)
					mu.Lock()
					took, failed = append(took, one), errors.Join(failed, err)
					mu.Unlock()
				}
				if pause(ctx, time.Until(next)) != nil {
					return
				}
			}
		})
	}
	wg.Wait()
	slices.Sort(took)
	if failed == nil && len(took) == 0 {
		failed = errors.New("nobody asked")
	}
	after, err := n.Usage()
	return took, float64(after.CPU-before.CPU) / float64(time.Since(start)), errors.Join(failed, err)
}

func ask(ctx context.Context, p *hostile.Peer, t hostile.Target) (time.Duration, error) {
	end := time.Now().UTC().Truncate(time.Hour).Add(time.Hour)
	q := &protocol.MeshQuery{QueryID: uuid.NewString(), Requester: p.Key.NodeID(), QueryType: protocol.QueryToolUsage,
		TimeRange: protocol.TimeRange{Start: protocol.At(end.AddDate(0, 0, -7)), End: protocol.At(end)}}
	start := time.Now()
	wire, err := protocol.SignQuery(q, p.Key, start)
	if err != nil {
		return 0, err
	}
	r, err := query.Ask(ctx, p.Endpoint, p.Key, t.ID, q, wire)
	if err != nil {
		return 0, err
	}
	if r.Status != protocol.StatusSuccess {
		return 0, fmt.Errorf("answered %s: %s", r.Status, r.Reason)
	}
	return time.Since(start), nil
}
