package host

import (
	"fmt"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	rcmgr "github.com/libp2p/go-libp2p/p2p/host/resource-manager"
	"github.com/libp2p/go-libp2p/x/rate"
)

// The limits of the host, with their arithmetic. They bound what others can make this node hold; what one exchange may
// take is bounded by package exchange.
const (
	// maxPeers is how many nodes may be connected: at about 50 KiB each (measured), 512 take 25 MiB.
	maxPeers = 512
	// connsPerPeer: two nodes that dial each other at once have two connections for a moment, and a node that lost its
	// network may come back before the old connection is known to be dead.
	connsPerPeer = 4
	// handshakes that may be under way at once, inbound. One that says nothing takes about 20 KiB, so 256 take 5 MiB; no
	// address may have more than a quarter of them, and none longer than handshakeTime, which is 100 times what an honest
	// one takes.
	handshakes           = 256
	handshakesPerAddress = handshakes / 4
	handshakeTime        = 5 * time.Second
	// streamsPerPeer inbound: the slots of all protocols (hello 2, ping 2, summary 4, query 4 and as many that wait for their
	// receipts), identify and its push, two for topics, and room to open the next one before the last is closed.
	streamsPerPeer = 24
	// streamsPerStranger inbound, for a peer that is not trusted: Hello, identify and its push. The gate lets 25 of them in at
	// once, so that they hold 75 of unnamedStreams at most.
	streamsPerStranger = 3
	// window is what yamux reserves for a stream that is open: a peer may send so much before it is read.
	window = 256 << 10
	// unnamedStreams are inbound streams whose protocol is not negotiated yet. This bounds what strangers can park:
	// 128 windows are 32 MiB.
	unnamedStreams = 128
	// gossip is how many streams with all peers stay open for the health topic, one each way.
	gossip = 2 * maxPeers
	// streams in all. 512 peers with one stream each way at once are 1,024; twice that for bursts after a start.
	streams = 2048 + gossip
	// memory is the sum of reserved windows and messages. It is credit, not use: a stream whose messages are read at
	// once holds one frame. The windows of the gossip streams are 256 MiB. Those of the others are 512 MiB, of which a
	// third may be reserved at the same time; a node that asks 200 peers at once reserves 200 × (256 KiB + 1.1 MiB),
	// which is 270 MiB.
	memory = 384<<20 + gossip*window
	// peerMemory is the same for one peer: the windows of all its streams are 12 MiB, the messages of all its slots,
	// served and asked, 11 MiB, and the rest lets windows grow.
	peerMemory = 2*streamsPerPeer*window + 20<<20
	// maxWindow is how far yamux may grow a window: the largest message is 1 MiB.
	maxWindow = 2 << 20

	// perAddress: an office may stand behind one address, so one address may hold every connection, but open them no
	// faster than 50 a second after a first rush of all its nodes. At 1 ms of CPU per handshake that is 5 % of a core.
	perAddress       = maxPeers
	perAddressPerSec = 50
	perAddressBurst  = maxPeers
	// What counts as one address. libp2p takes an IPv6 /56 for one person; an office has a /64 or more.
	v4Source = 32
	v6Source = 64
)

func newResourceManager() (network.ResourceManager, error) {
	const conns = maxPeers + handshakes
	system := rcmgr.ResourceLimits{Conns: conns, ConnsInbound: conns, ConnsOutbound: conns, FD: conns,
		Streams: streams, StreamsInbound: streams, StreamsOutbound: streams, Memory: memory}
	transient := system
	transient.ConnsInbound, transient.StreamsInbound = handshakes, unnamedStreams
	peer := rcmgr.ResourceLimits{Conns: 2 * connsPerPeer, ConnsInbound: connsPerPeer, ConnsOutbound: connsPerPeer, FD: 2 * connsPerPeer,
		Streams: 2 * streamsPerPeer, StreamsInbound: streamsPerPeer, StreamsOutbound: streamsPerPeer,
		Memory: peerMemory}
	closed := rcmgr.ResourceLimits{Conns: rcmgr.BlockAllLimit, ConnsInbound: rcmgr.BlockAllLimit, ConnsOutbound: rcmgr.BlockAllLimit}
	// What is not named here (services, protocols, single streams) is bounded by the slots of package exchange, which
	// know the peers.
	limits := rcmgr.PartialLimitConfig{System: system, Transient: transient, PeerDefault: peer,
		AllowlistedSystem: closed, AllowlistedTransient: closed}

	rates := &rate.Limiter{SubnetRateLimiter: rate.SubnetLimiter{
		IPv4SubnetLimits: []rate.SubnetLimit{{PrefixLength: v4Source, Limit: rate.Limit{RPS: perAddressPerSec, Burst: perAddressBurst}}},
		IPv6SubnetLimits: []rate.SubnetLimit{{PrefixLength: v6Source, Limit: rate.Limit{RPS: perAddressPerSec, Burst: perAddressBurst}}},
		GracePeriod:      time.Minute,
	}}
	rm, err := rcmgr.NewResourceManager(rcmgr.NewFixedLimiter(limits.Build(rcmgr.InfiniteLimits)),
		rcmgr.WithMetricsDisabled(),
		rcmgr.WithLimitPerSubnet(
			[]rcmgr.ConnLimitPerSubnet{{PrefixLength: v4Source, ConnCount: perAddress}},
			[]rcmgr.ConnLimitPerSubnet{{PrefixLength: v6Source, ConnCount: perAddress}}),
		// Empty and not nil: libp2p exempts loopback, where several users' nodes may run beside a hostile program.
		rcmgr.WithNetworkPrefixLimit([]rcmgr.NetworkPrefixLimit{}, []rcmgr.NetworkPrefixLimit{}),
		rcmgr.WithConnRateLimiters(rates))
	if err != nil {
		return nil, fmt.Errorf("set up resource limits: %w", err)
	}
	return rm, nil
}
