package meshtest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/transport"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

// Network connects hosts within the process, at addresses such as /memory/7, under the unchanged TLS and yamux of real
// hosts. With testing/synctest, whose clock real sockets would stop, hours pass in milliseconds.
type Network struct {
	delay time.Duration // of every byte, one way

	mu        sync.Mutex
	listeners map[string]*listener
	dials     int
}

// NewNetwork returns a network without hosts, on which everything arrives at once.
func NewNetwork() *Network { return NewSlowNetwork(0) }

// NewSlowNetwork returns a network without hosts, on which everything arrives after the delay, the end of a connection too.
func NewSlowNetwork(delay time.Duration) *Network {
	return &Network{delay: delay, listeners: make(map[string]*listener)}
}

// Dials returns how many connections were tried so far.
func (n *Network) Dials() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.dials
}

// Transport returns what host.Config.Transport wants, for a host whose connections come from the address local.
func (n *Network) Transport(local string) func(transport.Upgrader, network.ResourceManager) (transport.Transport, error) {
	return func(up transport.Upgrader, rm network.ResourceManager) (transport.Transport, error) {
		a, err := ma.NewMultiaddr(local)
		if err != nil {
			return nil, err
		}
		return &wire{net: n, up: up, rm: rm, local: a}, nil
	}
}

type wire struct {
	net   *Network
	up    transport.Upgrader
	rm    network.ResourceManager
	local ma.Multiaddr
}

var errNobody = errors.New("nobody listens there")

func (w *wire) Dial(ctx context.Context, to ma.Multiaddr, p peer.ID) (transport.CapableConn, error) {
	w.net.mu.Lock()
	w.net.dials++
	l := w.net.listeners[to.String()]
	w.net.mu.Unlock()
	if l == nil {
		return nil, errNobody
	}
	scope, err := w.rm.OpenConnection(network.DirOutbound, false, to)
	if err != nil {
		return nil, err
	}
	if err := scope.SetPeer(p); err != nil {
		scope.Done()
		return nil, err
	}
	ours, theirs := newLine(w.net.delay)
	select {
	case l.conns <- end{Conn: theirs, local: to, remote: w.local}:
	case <-l.closed:
		scope.Done()
		return nil, errNobody
	case <-ctx.Done():
		scope.Done()
		return nil, ctx.Err()
	}
	return w.up.Upgrade(ctx, w, end{Conn: ours, local: w.local, remote: to}, network.DirOutbound, p, scope)
}

func (w *wire) CanDial(a ma.Multiaddr) bool { return len(a) == 1 && a[0].Code() == ma.P_MEMORY }
func (w *wire) Protocols() []int            { return []int{ma.P_MEMORY} }
func (w *wire) Proxy() bool                 { return false }

func (w *wire) Listen(a ma.Multiaddr) (transport.Listener, error) {
	w.net.mu.Lock()
	defer w.net.mu.Unlock()
	if w.net.listeners[a.String()] != nil {
		return nil, fmt.Errorf("%s is taken", a)
	}
	l := &listener{net: w.net, addr: a, conns: make(chan manet.Conn), closed: make(chan struct{})}
	w.net.listeners[a.String()] = l
	return w.up.UpgradeGatedMaListener(w, w.up.GateMaListener(l)), nil
}

type listener struct {
	net    *Network
	addr   ma.Multiaddr
	conns  chan manet.Conn
	closed chan struct{}
	once   sync.Once
}

func (l *listener) Accept() (manet.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *listener) Close() error {
	l.once.Do(func() {
		close(l.closed)
		l.net.mu.Lock()
		defer l.net.mu.Unlock()
		delete(l.net.listeners, l.addr.String())
	})
	return nil
}

func (l *listener) Multiaddr() ma.Multiaddr { return l.addr }
func (l *listener) Addr() net.Addr          { return &net.TCPAddr{} }

type end struct {
	net.Conn
	local, remote ma.Multiaddr
}

func (e end) LocalMultiaddr() ma.Multiaddr  { return e.local }
func (e end) RemoteMultiaddr() ma.Multiaddr { return e.remote }
