package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/caro-mesh/caro-node/node/discovery"
	"github.com/caro-mesh/caro-node/node/discovery/mdns"
	"github.com/caro-mesh/caro-node/node/host"
	"github.com/caro-mesh/caro-node/node/identity"
	"github.com/caro-mesh/caro-node/policy"
	"github.com/caro-mesh/caro-node/policy/audit"
	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/protocol/checkpoint"
	"github.com/caro-mesh/caro-node/protocol/exchange"
	"github.com/caro-mesh/caro-node/protocol/goodbye"
	"github.com/caro-mesh/caro-node/protocol/health"
	"github.com/caro-mesh/caro-node/protocol/hello"
	"github.com/caro-mesh/caro-node/protocol/ping"
	"github.com/caro-mesh/caro-node/protocol/query"
	"github.com/caro-mesh/caro-node/protocol/rotation"
	"github.com/caro-mesh/caro-node/protocol/summary"
	"github.com/caro-mesh/caro-node/store"
)

// Config is what a node is made of. Every field without "may" is required.
type Config struct {
	Identity    *identity.Identity
	NextDigest  protocol.KeyDigest // commits to the next key; see Keys
	Rotations   [][]byte           // that led to this key, as they are told to peers; may be empty
	Started     time.Time          // when the program started; may be zero: now
	DisplayName string             // shown to peers; may be empty
	Version     string             // of the program
	Listen      []string
	StaticPeers []string // may be empty
	AllowPublic bool
	MDNS        bool // find nodes of the local network, and be found
	Policy      policy.Document
	// Degraded tells whether a person should look at this node; the mesh is told. It must not block; may be nil.
	Degraded func() bool
	// CaughtUp returns once everything that was reported before the call is stored, or with the error of ctx; summaries of
	// periods that have ended wait for it. It may be nil: nothing is on its way.
	CaughtUp func(ctx context.Context) error
	Store    *store.Store
	Now      func() time.Time
	Logger   *slog.Logger

	transport host.Transport // in place of TCP, for tests
}

// goodbyeTimeout is how long a node that stops waits for its peers to hear it.
const goodbyeTimeout = time.Second

// Node is one member of the mesh.
type Node struct {
	c        Config
	started  time.Time
	gate     *audit.Gate
	door     *discovery.Gate
	host     *host.Host
	endpoint *exchange.Endpoint
	registry *hello.Registry
	keeper   *discovery.Keeper
	mdns     *mdns.Service // nil: nodes of the local network are not looked for
	denials  denials
	lineage  *lineage
	document atomic.Pointer[policy.Document] // the configured one, until SetPolicy replaces it
	trust    sync.Mutex                      // held while trust changes, so that what is stored last is in force last
	partings partings
	parting  sync.Map // node IDs of peers that are being told goodbye
	closing  sync.Once
	closed   error // of closing
	servers  []*exchange.Server

	publisher *publisher
	intake    *intake
	answerer  *answerer
	asker     *asker
	clerk     *clerk
	pinger    *pinger
	topic     *health.Topic
	pulse     *pulse
	announcer *announcer
	notary    *notary
	witness   *witness
	roaming   *roaming

	neighbours *discovery.Neighbours
}

// New builds a node that listens and answers; it connects to others, and makes and pushes summaries, once it runs. The
// caller calls Run or Close.
func New(ctx context.Context, c Config) (_ *Node, err error) {
	if c.NextDigest == (protocol.KeyDigest{}) {
		return nil, errors.New("a node has to know its next key")
	}
	n := &Node{c: c, started: c.Started}
	n.document.Store(&c.Policy)
	if n.started.IsZero() {
		n.started = c.Now()
	}
	if n.lineage, err = newLineage(ctx, c.Store, c.Now, c.Logger); err != nil {
		return nil, err
	}
	engine, err := n.compile(ctx)
	if err != nil {
		return nil, err
	}
	n.gate = audit.NewGate(engine, c.Store.AuditLog())
	n.clerk = newClerk(c.Store, c.Store.AuditLog(), c.Now, c.Logger)
	targets, err := discovery.ParseTargets(c.StaticPeers, c.AllowPublic)
	if err != nil {
		return nil, fmt.Errorf("network.static_peers: %w", err)
	}
	known, err := n.rememberedTargets(ctx)
	if err != nil {
		return nil, err
	}
	n.door = discovery.NewGate(discovery.GateConfig{Policy: n.gate, Knocked: n.clerk.knocked, Now: c.Now})
	if n.host, err = host.New(host.Config{Key: c.Identity.HostKey(), Listen: c.Listen, AllowPublic: c.AllowPublic, Gate: n.door, Trusted: n.door.Trusts, Transport: c.transport}); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, n.Close())
		}
	}()
	if err := n.connectParts(ctx); err != nil {
		return nil, err
	}
	for _, t := range append(targets, known...) {
		t.ID = n.lineage.heir(t.ID) // the configuration may still name an old key
		if t.ID != c.Identity.NodeID() {
			n.keeper.Add(t)
		}
	}
	// The last step: who comes as soon as there is a port finds everything in its place.
	if err := n.host.Listen(); err != nil {
		return nil, err
	}
	n.prepareMDNS()
	return n, nil
}

// connectParts builds the endpoint and the workers, which know each other through functions only.
func (n *Node) connectParts(ctx context.Context) error {
	c := n.c
	seq, err := newSequencer(ctx, c.Store)
	if err != nil {
		return err
	}
	n.registry = hello.NewRegistry(n.host, hello.Hooks{Up: n.peerUp, Changed: n.peerChanged, Down: n.peerDown}, 0)
	n.endpoint, err = exchange.New(exchange.Config{Host: n.host, Sealer: protocol.NewSealer(c.Identity, seq, c.Now),
		Opener: protocol.NewOpener(c.Now), Admitted: n.admitted, Refused: n.refused, Now: c.Now})
	if err != nil {
		return err
	}
	local := n.introduction()
	client := hello.NewClient(n.endpoint, n.registry, local)
	n.keeper = discovery.NewKeeper(discovery.KeeperConfig{Host: n.host, Policy: n.gate, Admitted: n.registry.Admitted,
		Greet:   func(ctx context.Context, id protocol.NodeID) error { _, err := client.Greet(ctx, id); return err },
		Changed: n.clerk.linkChanged, Expect: n.door.Expect, Now: c.Now})
	n.meetNeighbours()
	n.intake = newIntake(c.Store, n.gate, n.lineage.keys, c.Store.AuditLog(), c.Now, c.Logger)
	n.answerer = &answerer{key: c.Identity, gate: n.gate, heir: n.lineage.heir, counts: c.Store, kept: c.Store, now: c.Now, started: n.started, logger: c.Logger}
	n.publisher = newPublisher(c.Identity, n.gate, c.Store, c.Now, c.Logger)
	n.publisher.connected, n.publisher.push = n.targets, n.push
	if c.CaughtUp != nil {
		n.publisher.caughtUp = c.CaughtUp
	}
	n.asker = &asker{key: c.Identity, now: c.Now, logger: c.Logger, candidates: n.candidates,
		ask: func(ctx context.Context, to protocol.NodeID, q *protocol.MeshQuery, wire []byte) (*protocol.MeshResponse, error) {
			return query.Ask(ctx, n.endpoint, c.Identity, to, q, wire)
		}}
	n.notary = newNotary(c.Identity, n.gate, c.Store, c.Now, c.Logger)
	n.notary.connected = n.witnesses
	n.notary.show = func(ctx context.Context, to protocol.NodeID, note []byte, old uint64, proof [][32]byte) (checkpoint.Answer, error) {
		return checkpoint.Show(ctx, n.endpoint, to, note, old, proof)
	}
	n.witness = &witness{key: c.Identity, gate: n.gate, db: c.Store, ancestors: n.lineage.ancestors, now: c.Now, logger: c.Logger}
	n.pinger = newPinger(n.endpoint, n.registry, c.Logger)
	if err := n.joinHealth(seq); err != nil { // before the first Hello is answered
		return err
	}
	n.roaming = &roaming{addresses: net.InterfaceAddrs, end: n.host.CloseFrom, logger: c.Logger}
	n.announcer = newAnnouncer(n.registry.Peers, client.Announce, c.Logger)
	n.servers = []*exchange.Server{
		hello.Serve(n.endpoint, n.registry, local),
		ping.Serve(n.endpoint),
		summary.Serve(n.endpoint, n.former, n.takeSummary),
		rotation.Serve(n.endpoint, n.takeRotation),
		checkpoint.Serve(n.endpoint, n.witness.judge),
		goodbye.Serve(n.endpoint, func(from protocol.NodeID, why goodbye.Reason) { n.registry.SaidGoodbye(from, string(why)) }),
		query.Serve(n.endpoint, c.Identity.NodeID(), func(ctx context.Context, from exchange.From, q *protocol.MeshQuery, wire []byte) ([]byte, query.Taken, error) {
			return n.answerer.answer(ctx, from.ID, from.Addr, q, wire)
		}),
	}
	return nil
}

// joinHealth begins to hear how others are; pulse says how this node is.
func (n *Node) joinHealth(seq protocol.Sequencer) (err error) {
	c := n.c
	n.topic, err = health.Join(health.Config{Endpoint: n.endpoint, Key: c.Identity, Sequence: seq, Admitted: n.neighbour, Trusted: n.trusts})
	if err != nil {
		return err
	}
	n.pulse = &pulse{gate: n.gate, counts: c.Store, log: c.Store.AuditLog(), now: c.Now, started: n.started, version: c.Version,
		degraded: c.Degraded, publish: n.topic.Publish, logger: c.Logger}
	return nil
}

// introduction is what this node says of itself in Hello.
func (n *Node) introduction() hello.Local {
	return hello.Local{Identity: n.Identity, X25519: n.c.Identity.X25519(), NextDigest: n.c.NextDigest, Rotations: n.c.Rotations, Admit: n.admit}
}

// Identity introduces this node.
func (n *Node) Identity() protocol.NodeIdentity {
	id := n.c.Identity.NodeID()
	return protocol.NodeIdentity{
		NodeID: id, Fingerprint: id.Fingerprint(), DisplayName: n.c.DisplayName, CreatedAt: protocol.At(n.c.Identity.CreatedAt()),
		Capabilities: protocol.NodeCapabilities{ProtocolVersion: protocol.Version, CaroVersion: n.c.Version,
			MaxShareLevel: n.gate.Engine().MaxLevel(), CanAggregate: true, SupportedQueries: answerable()},
	}
}

// Run serves and connects until ctx ends, and returns when everything that it started has ended.
func (n *Node) Run(ctx context.Context) error {
	g, gctx := errgroup.WithContext(ctx)
	// The clerk outlives the others, so that what they report at the end is written down.
	clerkCtx, stopClerk := context.WithCancel(context.WithoutCancel(ctx))
	clerkDone := make(chan struct{})
	go func() {
		defer close(clerkDone)
		n.clerk.run(clerkCtx)
	}()
	g.Go(func() error { return n.keeper.Run(gctx) })
	g.Go(func() error { return n.runNeighbours(gctx) })
	g.Go(func() error { return n.publisher.run(gctx) })
	g.Go(func() error { return n.pinger.run(gctx) })
	g.Go(func() error { return n.topic.Run(gctx, n.pulse.beat) })
	g.Go(func() error { return n.announcer.run(gctx) })
	g.Go(func() error { return n.notary.run(gctx) })
	g.Go(func() error { return n.roaming.run(gctx) })
	g.Go(func() error { return n.endExpired(gctx) })
	err := g.Wait()
	n.sayGoodbye(context.WithoutCancel(ctx))
	err = errors.Join(err, n.Close())
	stopClerk()
	<-clerkDone
	return err
}

// sayGoodbye tells the connected peers that this node leaves on purpose, so that nobody takes it for a crash. It waits
// for them no longer than goodbyeTimeout.
func (n *Node) sayGoodbye(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, goodbyeTimeout)
	defer cancel()
	var wg sync.WaitGroup
	for _, p := range n.registry.Peers() {
		wg.Go(func() {
			if err := goodbye.Say(ctx, n.endpoint, p.Identity.NodeID, goodbye.ReasonShutdown); err != nil {
				n.c.Logger.Debug("goodbye was not heard", "peer", p.Identity.Fingerprint, "error", err)
			}
			n.registry.SaidGoodbye(p.Identity.NodeID, endedHere) // or the record would say that the peer vanished
		})
	}
	wg.Wait()
}

// Close ends all connections. Run does it itself; a second call does nothing.
func (n *Node) Close() error {
	n.closing.Do(func() {
		for _, s := range n.servers {
			s.Close()
		}
		if n.topic != nil {
			n.topic.Close()
		}
		n.closed = n.host.Close()
		if n.registry != nil {
			n.registry.Close()
		}
	})
	return n.closed
}

// Addresses returns the multiaddrs, with peer ID, under which others reach this node.
func (n *Node) Addresses() []string { return n.host.Multiaddrs(n.c.AllowPublic) }

// Started returns when the program started.
func (n *Node) Started() time.Time { return n.started }

// Gate returns the policy gate.
func (n *Node) Gate() *audit.Gate { return n.gate }

// Refused counts what other nodes were refused since the start: connections that were cut off at the gate, and messages
// by the reason.
func (n *Node) Refused() (connections uint64, messages map[exchange.Reason]uint64) {
	return n.door.Refused(), n.endpoint.Refused()
}

// Ask puts a question to every peer that this node trusts. An error means that nobody was asked.
func (n *Node) Ask(ctx context.Context, q Question) (*Result, error) { return n.asker.query(ctx, q) }

// PreviewSummary returns the signed summary of the period that contains at, with its wire bytes: the one that was made
// when the period had ended, else one of what is known by now. It stores nothing.
func (n *Node) PreviewSummary(ctx context.Context, g protocol.Granularity, at time.Time) (*protocol.NodeSummary, []byte, error) {
	return n.publisher.preview(ctx, g, at)
}

// CountsChanged tells the node that the counts of ended hours may have changed, so that it corrects summaries soon.
func (n *Node) CountsChanged() { n.publisher.disturb() }

// EventsStored tells the node that commands were stored, the oldest of which started at oldest. Commands of ended
// periods make it look for summaries soon, but not while more of them arrive.
func (n *Node) EventsStored(oldest time.Time) {
	if oldest.Before(protocol.PeriodAt(n.c.Now(), protocol.Hourly).Start.Time()) {
		n.publisher.disturb()
	}
}

// takeSummary hands a verified summary to the intake.
func (n *Node) takeSummary(ctx context.Context, from exchange.From, s *protocol.NodeSummary, wire []byte) (summary.Verdict, error) {
	return n.intake.accept(ctx, from.ID, from.Addr, s, wire)
}

// push sends one summary and waits for the acknowledgement.
func (n *Node) push(ctx context.Context, to protocol.NodeID, s store.StoredSummary) error {
	v, err := summary.Push(ctx, n.endpoint, to, s.Summary.ID, s.Wire)
	if errors.Is(err, exchange.ErrViolation) { // an older node, which cannot read it
		return fmt.Errorf("%w: %w", errRefusedSummary, err)
	}
	if err != nil {
		return err
	}
	return refusalOf(v)
}

// targets are the connected peers, each with the request that asks whether it may have summaries.
func (n *Node) targets() []target {
	peers := n.registry.Peers()
	out := make([]target, 0, len(peers))
	for _, p := range peers {
		id := p.Identity.NodeID
		out = append(out, target{id, policy.Request{Peer: id, Addr: p.Addr, Action: policy.ActionReceiveSummary, Now: n.c.Now()}})
	}
	return out
}

// candidates are all nodes that this one trusts at all, whether they are connected or not, and whoever dials whom.
func (n *Node) candidates(ctx context.Context) ([]candidate, error) {
	views, err := n.Peers(ctx)
	if err != nil {
		return nil, err
	}
	var out []candidate
	for _, v := range views {
		if v.State == PeerUntrusted || v.State == PeerPending {
			continue
		}
		out = append(out, candidate{id: v.ID, name: v.Name, connected: v.State == PeerConnected, refusedUs: v.State == PeerRefused, reason: v.Reason})
	}
	slices.SortFunc(out, func(a, b candidate) int { return compareIDs(a.id, b.id) })
	return out, nil
}

// admitted reports whether a peer's Hello was accepted and the policy in force still lets it connect; each inbound
// request asks it first.
func (n *Node) admitted(ctx context.Context, id protocol.NodeID) bool {
	if _, parting := n.parting.Load(id); parting {
		return n.registry.Admitted(ctx, id) // for the goodbye; queries and summaries ask the policy by themselves
	}
	return n.neighbour(ctx, id)
}

// neighbour is admitted for what is not asked for, such as topics: it ends at once when trust does.
func (n *Node) neighbour(ctx context.Context, id protocol.NodeID) bool {
	if !n.registry.Admitted(ctx, id) {
		return false
	}
	p, ok := n.registry.Peer(id)
	return ok && n.mayConnect(id, p.Addr)
}

// trusts reports whether the policy in force lets the node connect, from where it is connected now.
func (n *Node) trusts(id protocol.NodeID) bool {
	p, _ := n.registry.Peer(id)
	return n.mayConnect(id, p.Addr)
}

// refused notes what a peer was refused.
func (n *Node) refused(r exchange.Refusal) {
	if r.CutOff {
		n.door.Bar(r.Peer)
		n.registry.SaidGoodbye(r.Peer, cutOffHere)
	}
	n.clerk.refused(r)
}

func (n *Node) mayConnect(id protocol.NodeID, addr netip.Addr) bool {
	return n.gate.Peek(policy.Request{Peer: id, Addr: addr, Action: policy.ActionConnect, Now: n.c.Now()}).Allowed
}
