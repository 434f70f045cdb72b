// Package hostile holds the attackers of the tests and benchmarks: they speak the protocols of the mesh and keep to none of
// its rules. They attack nodes on loopback only, and each attack ends with its context.
package hostile

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	libp2p "github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/core/sec"
	"github.com/libp2p/go-libp2p/core/transport"
	basichost "github.com/libp2p/go-libp2p/p2p/host/basic"
	"github.com/libp2p/go-libp2p/p2p/host/eventbus"
	"github.com/libp2p/go-libp2p/p2p/host/peerstore/pstoremem"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	"github.com/libp2p/go-libp2p/p2p/net/upgrader"
	libp2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"github.com/caro-mesh/caro-node/node/identity"
	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/protocol/exchange"
	"github.com/caro-mesh/caro-node/protocol/hello"
)

// Target is a node under attack.
type Target struct {
	ID   protocol.NodeID
	info peer.AddrInfo
	tcp  netip.AddrPort
}

// ParseTarget reads a multiaddr with /p2p/<peer ID>. Only loopback is attacked.
func ParseTarget(address string) (Target, error) {
	info, err := peer.AddrInfoFromString(address)
	if err != nil {
		return Target{}, err
	}
	a, err := manet.ToNetAddr(info.Addrs[0])
	if err != nil {
		return Target{}, err
	}
	at, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return Target{}, err
	}
	if !at.Addr().IsLoopback() {
		return Target{}, fmt.Errorf("%s is not on loopback", address)
	}
	id, err := protocol.NodeIDFromPeerID(info.ID)
	return Target{ID: id, info: *info, tcp: at}, err
}

// Peer is an attacker: a node of the mesh without any limits of its own.
type Peer struct {
	Key       *identity.Identity
	Endpoint  *exchange.Endpoint
	Sealer    *protocol.Sealer
	Registry  *hello.Registry
	Host      host.Host
	transport transport.Transport
	greeter   *exchange.Server
	client    *hello.Client
}

type counter struct{ n atomic.Uint64 }

func (c *counter) Next() (uint64, error) { return c.n.Add(1), nil }

// NewPeer makes an attacker, which listens on loopback and serves Hello. A nil key means a new one.
func NewPeer(key *identity.Identity) (p *Peer, err error) {
	if key == nil {
		if key, err = identity.New(time.Now()); err != nil {
			return nil, err
		}
	}
	p = &Peer{Key: key}
	if p.Host, p.transport, err = Assemble(key, nil); err != nil {
		return nil, err
	}
	p.Registry = hello.NewRegistry(p.Host, hello.Hooks{}, 0)
	seq := &counter{}
	seq.n.Store(uint64(time.Now().UnixMicro()))
	p.Sealer = protocol.NewSealer(key, seq, time.Now)
	p.Endpoint, err = exchange.New(exchange.Config{Host: p.Host, Sealer: p.Sealer, Opener: protocol.NewOpener(time.Now), Admitted: p.Registry.Admitted, Now: time.Now})
	if err != nil {
		return nil, errors.Join(err, p.Host.Close())
	}
	local := hello.Local{Identity: p.identity, X25519: key.X25519(), NextDigest: key.X25519(), // any 32 bytes
		Admit: func(context.Context, protocol.NodeID, netip.Addr, hello.Introduction) error { return nil }}
	p.greeter = hello.Serve(p.Endpoint, p.Registry, local)
	p.client = hello.NewClient(p.Endpoint, p.Registry, local)
	return p, nil
}

func (p *Peer) identity() protocol.NodeIdentity {
	id := p.Key.NodeID()
	return protocol.NodeIdentity{NodeID: id, Fingerprint: id.Fingerprint(), DisplayName: "mallory", CreatedAt: protocol.At(p.Key.CreatedAt()),
		Capabilities: protocol.NodeCapabilities{ProtocolVersion: protocol.Version, CaroVersion: "hostile", MaxShareLevel: protocol.LevelSummarized}}
}

// Close ends the attacker.
func (p *Peer) Close() error {
	p.greeter.Close()
	err := p.Host.Close()
	p.Registry.Close()
	return err
}

// Meet connects to the target and is admitted, which needs its trust.
func (p *Peer) Meet(ctx context.Context, t Target) error {
	// A connection that was lost while it was being written to counts as admitted for some seconds more.
	if p.Host.Network().Connectedness(t.info.ID) == network.Connected && p.Registry.Admitted(ctx, t.ID) {
		return nil
	}
	// An attacker does not wait for the swarm's backoff after a dial that was refused.
	if err := p.Host.Connect(network.WithForceDirectDial(ctx, "attack"), t.info); err != nil {
		return err
	}
	_, err := p.client.Greet(ctx, t.ID)
	return err
}

// Assemble builds a plain libp2p host on a free port of loopback, without gate and limits. wrap (may be nil) changes the
// secure transport.
func Assemble(id *identity.Identity, wrap func(*libp2ptls.Transport) sec.SecureTransport) (host.Host, transport.Transport, error) {
	key := id.HostKey()
	pid, err := peer.IDFromPrivateKey(key)
	if err != nil {
		return nil, nil, err
	}
	ps, err := pstoremem.NewPeerstore()
	if err != nil {
		return nil, nil, err
	}
	if err := errors.Join(ps.AddPrivKey(pid, key), ps.AddPubKey(pid, key.GetPublic())); err != nil {
		return nil, nil, err
	}
	bus := eventbus.NewBus()
	sw, err := swarm.NewSwarm(pid, ps, bus)
	if err != nil {
		return nil, nil, err
	}
	muxers := []upgrader.StreamMuxer{{ID: yamux.ID, Muxer: yamux.DefaultTransport}}
	tls, err := libp2ptls.New(libp2ptls.ID, key, muxers)
	if err != nil {
		return nil, nil, err
	}
	secure := sec.SecureTransport(tls)
	if wrap != nil {
		secure = wrap(tls)
	}
	up, err := upgrader.New([]sec.SecureTransport{secure}, muxers, nil, &network.NullResourceManager{}, nil)
	if err != nil {
		return nil, nil, err
	}
	tr, err := tcp.NewTCPTransport(up, &network.NullResourceManager{}, nil)
	if err != nil {
		return nil, nil, err
	}
	if err := sw.AddTransport(tr); err != nil {
		return nil, nil, err
	}
	h, err := basichost.NewHost(sw, &basichost.HostOpts{EventBus: bus, UserAgent: "caro/1"})
	if err != nil {
		return nil, nil, err
	}
	if err := sw.Listen(ma.StringCast("/ip4/127.0.0.1/tcp/0")); err != nil {
		return nil, nil, err
	}
	h.Start()
	return h, tr, nil
}

// stream opens a stream to the target over a connection that is there.
func (p *Peer) stream(ctx context.Context, t Target, protos ...libp2p.ID) (network.Stream, error) {
	return p.Host.NewStream(network.WithNoDial(ctx, "attacks on streams use a connection"), t.info.ID, protos...)
}
