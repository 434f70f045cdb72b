package exchange

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	manet "github.com/multiformats/go-multiaddr/net"

	"github.com/caro-mesh/caro-node/protocol"
)

// DefaultTimeout is how long one exchange may take when [Config.Timeout] is zero. It is a cap: callers give shorter
// contexts.
const DefaultTimeout = 10 * time.Second

// Config is what all protocols of one node share.
type Config struct {
	Host   host.Host
	Sealer *protocol.Sealer
	Opener *protocol.Opener
	// Admitted reports whether the peer's Hello was accepted. While a Hello with the peer is under way it may wait for
	// its end, at most until ctx is done. Required: hello.Registry has it.
	Admitted func(ctx context.Context, peer protocol.NodeID) bool
	// Refused is told about what was refused or failed because of a peer: the first ten times per peer, then
	// every ten seconds, so that a flood of refusals does not become a flood of records. It must not block. May be nil.
	Refused func(Refusal)
	// Timeout caps one exchange on either side; zero means [DefaultTimeout].
	Timeout time.Duration
	// Now is the node's clock, for what is said to peers. Deadlines and rates use the machine's.
	Now func() time.Time
}

// Endpoint is one node's end of all its streams. It is safe for concurrent use.
type Endpoint struct {
	c Config

	reports *limiter // what is reported of each peer
	strikes *limiter // hostile refusals that each peer may cause before it is cut off
	cutOffs *limiter // how often it is reported that a peer was cut off

	mu         sync.Mutex
	counts     map[string]*Count
	refusals   map[Reason]uint64
	unreported uint64
	forgot     time.Time // when replay memory was last thinned out
}

// How often one peer's refusals are reported.
const (
	reportsAtOnce    = 10
	reportsPerSecond = 0.1
	cutOffsPerSecond = 1. / 60
)

// How many hostile refusals a peer may cause before its connections are closed: refusing costs little, but a peer that opens
// thousands of streams a second, each of which is refused, takes a processor from the others. After that each connection
// that it makes anew ends with the first refusal, until it was quiet for a while; how fast it may connect anew is
// limited by the host. An honest peer comes nowhere near: what it sends too fast it sends later.
const (
	strikesAtOnce    = 200
	strikesPerSecond = 1
)

// Count says how many exchanges of one protocol went how.
type Count struct {
	Protocol string
	Served   uint64 // answered for others
	Refused  uint64 // refused to others, or broken off
	Asked    uint64 // answered by others
	Failed   uint64 // asked without a valid answer
}

// New returns an endpoint. Protocols start serving on it with [Endpoint.Serve].
func New(c Config) (*Endpoint, error) {
	if c.Host == nil || c.Sealer == nil || c.Opener == nil || c.Admitted == nil || c.Now == nil {
		return nil, errors.New("an endpoint needs a host, a sealer, an opener, an admission check and a clock")
	}
	if c.Timeout <= 0 {
		c.Timeout = DefaultTimeout
	}
	return &Endpoint{c: c, counts: make(map[string]*Count), refusals: make(map[Reason]uint64),
		reports: newLimiter(Rules{Rate: reportsPerSecond, Burst: reportsAtOnce}),
		strikes: newLimiter(Rules{Rate: strikesPerSecond, Burst: strikesAtOnce}),
		cutOffs: newLimiter(Rules{Rate: cutOffsPerSecond, Burst: 1})}, nil
}

// Now returns the time of the node's clock.
func (e *Endpoint) Now() time.Time { return e.c.Now() }

// Host returns the host whose streams these are.
func (e *Endpoint) Host() host.Host { return e.c.Host }

// Counts returns a copy of the counters, in no particular order.
func (e *Endpoint) Counts() []Count {
	e.mu.Lock()
	defer e.mu.Unlock()
	out := make([]Count, 0, len(e.counts))
	for _, c := range e.counts {
		out = append(out, *c)
	}
	return out
}

// open opens an envelope, and lets the opener forget silent senders about once a minute.
func (e *Endpoint) open(data []byte, limit int, from protocol.NodeID, allowed ...protocol.MsgType) (*protocol.Envelope, error) {
	now := time.Now()
	e.mu.Lock()
	due := now.Sub(e.forgot) > time.Minute
	if due {
		e.forgot = now
	}
	e.mu.Unlock()
	if due {
		e.c.Opener.Forget()
	}
	return e.c.Opener.Open(data, limit, from, allowed...)
}

func (e *Endpoint) count(protocol string, add func(*Count)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	c := e.counts[protocol]
	if c == nil {
		c = &Count{Protocol: protocol}
		e.counts[protocol] = c
	}
	add(c)
}

// Report counts and reports what a protocol refused outside of an exchange, such as a message on a topic, within the same
// bounds. It does not block.
func (e *Endpoint) Report(r Refusal) {
	e.count(r.Protocol, func(c *Count) { c.Refused++ })
	e.refused(r)
}

func (e *Endpoint) refused(r Refusal) {
	report := e.reports.allow(r.Peer)
	if r.CutOff = r.Hostile() && !e.strikes.allow(r.Peer); r.CutOff {
		defer e.cutOff(r.Peer)
		report = report || e.cutOffs.allow(r.Peer)
	}
	e.mu.Lock()
	e.refusals[r.Reason()]++
	if report {
		r.Unreported, e.unreported = e.unreported, 0
	} else {
		e.unreported++
	}
	e.mu.Unlock()
	if report && e.c.Refused != nil {
		e.c.Refused(r)
	}
}

// cutOff closes all connections of a peer.
func (e *Endpoint) cutOff(id protocol.NodeID) {
	pid, err := id.PeerID()
	if err != nil {
		return // its key is not Ed25519, and no gate lets it in
	}
	for _, c := range e.c.Host.Network().ConnsToPeer(pid) {
		_ = c.CloseWithError(network.ConnRateLimited) // closed already is as good
	}
}

// From is the authenticated peer at the other end of a stream.
type From struct {
	ID   protocol.NodeID
	Addr netip.Addr // zero when the transport has no IP addresses
	// Inbound tells that the peer dialled us.
	Inbound bool
	// Skew is how far the peer's clock is ahead of ours, known once an envelope was opened.
	Skew time.Duration
}

func fromConn(c network.Conn) (From, error) {
	id, err := protocol.NodeIDFromPeerID(c.RemotePeer())
	if err != nil {
		return From{}, err
	}
	return From{ID: id, Addr: AddrOf(c), Inbound: c.Stat().Direction == network.DirInbound}, nil
}

// AddrOf returns the IP address that a connection comes from, IPv4 never written as IPv6; the zero Addr when its
// transport has none.
func AddrOf(c network.ConnMultiaddrs) netip.Addr {
	ip, err := manet.ToIP(c.RemoteMultiaddr())
	if err != nil {
		return netip.Addr{}
	}
	addr, ok := netip.AddrFromSlice(ip)
	if !ok {
		return netip.Addr{}
	}
	return addr.Unmap()
}
