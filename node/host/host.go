package host

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"syscall"
	"time"

	"github.com/libp2p/go-libp2p/core/connmgr"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
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

	"github.com/caro-mesh/caro-node/node/internal/scope"
	"github.com/caro-mesh/caro-node/protocol"
)

// dialTimeout bounds one connection attempt, handshake included; on a local network an answer takes milliseconds.
const dialTimeout = 10 * time.Second

// Config says what the host is made of.
type Config struct {
	// Key is the node's Ed25519 key (identity.Identity.HostKey).
	Key crypto.PrivKey
	// Listen holds multiaddrs such as /ip4/127.0.0.1/tcp/9238; none means that the node only dials.
	Listen []string
	// AllowPublic lifts the limit to loopback, link-local and private ranges (network.allow_public).
	AllowPublic bool
	// Gate decides which nodes may connect (discovery.Gate). Nil lets everybody in, who then still has to say Hello.
	Gate connmgr.ConnectionGater
	// Trusted reports whether the policy in force lets a node connect from the address of one of its connections. Who is not
	// trusted may hold few streams. Nil: everybody is.
	Trusted func(p peer.ID, from ma.Multiaddr) bool
	// Transport replaces TCP, for simulated meshes in one process; nil means TCP.
	Transport Transport
}

// Transport makes what carries the connections.
type Transport = func(transport.Upgrader, network.ResourceManager) (transport.Transport, error)

// Host is a libp2p host. Close it to stop.
type Host struct {
	*basichost.BasicHost
	swarm  *swarm.Swarm
	listen []ma.Multiaddr
}

// ParseListen checks addresses to listen on: /ip4 or /ip6 with /tcp, and inside the closed network unless allowPublic.
// The unspecified addresses 0.0.0.0 and :: are fine. The error is one sentence about the first bad address.
func ParseListen(addrs []string, allowPublic bool) ([]ma.Multiaddr, error) {
	out := make([]ma.Multiaddr, 0, len(addrs))
	for _, s := range addrs {
		a, err := ma.NewMultiaddr(s)
		if err != nil {
			return nil, fmt.Errorf("network.listen: %q: %w", s, scope.ErrForm)
		}
		if err := scope.CheckListen(a, allowPublic); err != nil {
			return nil, fmt.Errorf("network.listen: %w", err)
		}
		out = append(out, a)
	}
	return out, nil
}

// New assembles a host, which neither listens nor dials before [Host.Listen].
func New(c Config) (_ *Host, err error) {
	var listen []ma.Multiaddr
	if c.Transport == nil {
		if listen, err = ParseListen(c.Listen, c.AllowPublic); err != nil {
			return nil, err
		}
	} else {
		for _, s := range c.Listen {
			a, err := ma.NewMultiaddr(s)
			if err != nil {
				return nil, fmt.Errorf("listen on %q: %w", s, err)
			}
			listen = append(listen, a)
		}
	}
	h, sw, err := assemble(c)
	if err != nil {
		return nil, fmt.Errorf("assemble the mesh host: %w", err)
	}
	return &Host{BasicHost: h, swarm: sw, listen: listen}, nil
}

// Listen begins to listen on every address of the configuration. Call it once, when the protocols have their handlers:
// identify tells each peer what this node speaks, and whoever came earlier would be told that it speaks nothing. An
// address that cannot be listened on is an error, after which the host is to be closed.
func (h *Host) Listen() error {
	h.Start()
	for _, a := range h.listen {
		if err := h.swarm.AddListenAddr(a); err != nil {
			return listenError(a, err)
		}
	}
	return nil
}

func listenError(a ma.Multiaddr, err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("listen on %s: another program uses this port; stop it (is caro-node running already?) or choose another port in network.listen: %w", a, err)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Errorf("listen on %s: this machine does not have the address; correct network.listen: %w", a, err)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("listen on %s: not permitted; choose a port above 1023 in network.listen: %w", a, err)
	}
	return fmt.Errorf("listen on %s: %w", a, err)
}

func assemble(c Config) (*basichost.BasicHost, *swarm.Swarm, error) {
	id, err := peer.IDFromPrivateKey(c.Key)
	if err != nil {
		return nil, nil, err
	}
	store, err := pstoremem.NewPeerstore()
	if err != nil {
		return nil, nil, err
	}
	if err := errors.Join(store.AddPrivKey(id, c.Key), store.AddPubKey(id, c.Key.GetPublic())); err != nil {
		return nil, nil, errors.Join(err, store.Close())
	}
	base, err := newResourceManager()
	if err != nil {
		return nil, nil, errors.Join(err, store.Close())
	}
	resources := &strangers{ResourceManager: base, open: make(map[peer.ID]int)}
	var inner connmgr.ConnectionGater = open{}
	if c.Gate != nil {
		inner = c.Gate
	}
	gate := scoped{ConnectionGater: inner, allowPublic: c.AllowPublic, door: newDoorway()}
	bus := eventbus.NewBus()
	sw, err := swarm.NewSwarm(id, store, bus,
		swarm.WithConnectionGater(gate),
		swarm.WithResourceManager(resources),
		swarm.WithMultiaddrResolver(noNames{}),
		swarm.WithDialTimeout(dialTimeout),
		swarm.WithDialTimeoutLocal(dialTimeout),
		// These learn from failed dials that a whole kind of address is hopeless. Here a node decides for itself.
		swarm.WithUDPBlackHoleSuccessCounter(nil),
		swarm.WithIPv6BlackHoleSuccessCounter(nil))
	if err != nil {
		return nil, nil, errors.Join(err, resources.Close(), store.Close())
	}
	if c.Trusted != nil {
		resources.trusted = func(p peer.ID) bool {
			return slices.ContainsFunc(sw.ConnsToPeer(p), func(conn network.Conn) bool { return c.Trusted(p, conn.RemoteMultiaddr()) })
		}
	}
	if err := addTransport(sw, c, resources, gate); err != nil {
		return nil, nil, errors.Join(err, sw.Close(), resources.Close(), store.Close())
	}
	h, err := basichost.NewHost(sw, &basichost.HostOpts{
		EventBus:                bus,
		UserAgent:               fmt.Sprintf("caro/%d", protocol.Version),
		DisableSignedPeerRecord: true,
		AddrsFactory:            func([]ma.Multiaddr) []ma.Multiaddr { return nil },
	})
	if err != nil {
		return nil, nil, errors.Join(err, sw.Close(), resources.Close(), store.Close())
	}
	return h, sw, nil
}

func addTransport(sw *swarm.Swarm, c Config, resources network.ResourceManager, gate connmgr.ConnectionGater) error {
	mux := *yamux.DefaultTransport
	mux.MaxStreamWindowSize = maxWindow
	mux.MaxIncomingStreams = streamsPerPeer * 2 // the resource manager refuses earlier, and says why
	muxers := []upgrader.StreamMuxer{{ID: yamux.ID, Muxer: &mux}}
	tls, err := libp2ptls.New(libp2ptls.ID, c.Key, muxers)
	if err != nil {
		return err
	}
	up, err := upgrader.New([]sec.SecureTransport{tls}, muxers, nil, resources, gate, upgrader.WithAcceptTimeout(handshakeTime))
	if err != nil {
		return err
	}
	if c.Transport != nil {
		t, err := c.Transport(up, resources)
		if err != nil {
			return err
		}
		return sw.AddTransport(t)
	}
	// Without port reuse a second program on the same port is an error, instead of taking half of the connections.
	// Go sets TCP_NODELAY on every connection by itself.
	t, err := tcp.NewTCPTransport(up, resources, nil, tcp.DisableReuseport(), tcp.WithConnectionTimeout(dialTimeout))
	if err != nil {
		return err
	}
	return sw.AddTransport(t)
}

// CloseFrom ends the connections whose own address is lost, and returns how many.
func (h *Host) CloseFrom(lost func(netip.Addr) bool) (closed int) {
	for _, c := range h.Network().Conns() {
		if ip, err := scope.IP(c.LocalMultiaddr()); err == nil && lost(ip) {
			closed++
			_ = c.Close() // nothing more can be done with it
		}
	}
	return closed
}

// Multiaddrs returns the addresses that others can dial, each with the node's peer ID, such as
// /ip4/10.0.0.5/tcp/9238/p2p/12D3…; an unspecified listen address is spelt out for each interface. Public addresses
// are left out unless they are allowed, and so is what cannot be dialled (IPv6 link-local needs a zone).
func (h *Host) Multiaddrs(allowPublic bool) []string {
	addrs, err := h.Network().InterfaceListenAddresses()
	if err != nil {
		addrs = h.Network().ListenAddresses()
	}
	var out []string
	for _, a := range addrs {
		ip, err := scope.IP(a)
		if !inProcess(a) && (err != nil || scope.Check(a, allowPublic) != nil || ip.Is6() && ip.IsLinkLocalUnicast()) {
			continue
		}
		out = append(out, a.String()+"/p2p/"+h.ID().String())
	}
	return out
}
