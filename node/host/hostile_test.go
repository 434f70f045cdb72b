package host_test

import (
	"context"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/sec"
	"github.com/libp2p/go-libp2p/core/transport"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	"github.com/libp2p/go-libp2p/p2p/net/upgrader"
	libp2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	manet "github.com/multiformats/go-multiaddr/net"
	multistream "github.com/multiformats/go-multistream"

	"github.com/caro-mesh/caro-node/internal/meshtest"
	"github.com/caro-mesh/caro-node/node/host"
	"github.com/caro-mesh/caro-node/node/identity"
)

// attacker speaks the protocols and keeps to no limit.
func attacker(t *testing.T) transport.Transport {
	t.Helper()
	id, err := identity.New(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	muxers := []upgrader.StreamMuxer{{ID: yamux.ID, Muxer: yamux.DefaultTransport}}
	tls, err := libp2ptls.New(libp2ptls.ID, id.HostKey(), muxers)
	if err != nil {
		t.Fatal(err)
	}
	up, err := upgrader.New([]sec.SecureTransport{tls}, muxers, nil, &network.NullResourceManager{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	tr, err := tcp.NewTCPTransport(up, &network.NullResourceManager{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

func attack(t *testing.T, tr transport.Transport, h *host.Host) (transport.CapableConn, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c, err := tr.Dial(ctx, h.Network().ListenAddresses()[0], h.ID())
	if err == nil {
		t.Cleanup(func() { _ = c.Close() })
	}
	return c, err
}

func TestStreamsBeyondAPeersShareAreReset(t *testing.T) {
	h := newHost(t, loopback())
	var held atomic.Int64
	h.SetStreamHandler("/hold", func(network.Stream) { held.Add(1) })
	c, err := attack(t, attacker(t), h)
	if err != nil {
		t.Fatal(err)
	}
	refused := 0
	for range 200 {
		s, err := c.OpenStream(t.Context())
		if err != nil {
			refused++
			continue
		}
		if err := s.SetDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		if multistream.SelectProtoOrFail("/hold", s) != nil {
			refused++
		}
	}
	if n := held.Load(); n == 0 || n > 24 || refused < 200-24 {
		t.Errorf("%d streams are held, %d were refused", n, refused)
	}
}

func TestStreamsThatNameNoProtocolAreBounded(t *testing.T) {
	h := newHost(t, loopback())
	c, err := attack(t, attacker(t), h)
	if err != nil {
		t.Fatal(err)
	}
	open := 0
	for range 200 {
		s, err := c.OpenStream(t.Context())
		if err != nil {
			continue
		}
		if err := s.SetDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		_, _ = s.Write([]byte{19}) // the first byte of a name
		// A stream that is held answers with its own greeting, one that was refused with a reset.
		if n, _ := s.Read(make([]byte, 1)); n == 1 {
			open++
		}
	}
	if open > 24 {
		t.Errorf("%d streams are open", open)
	}
}

func TestConnectionsBeyondAPeersShareAreClosed(t *testing.T) {
	h := newHost(t, loopback())
	tr := attacker(t)
	for range 20 {
		_, _ = attack(t, tr, h) // the server decides after the client's handshake
	}
	var id peer.ID
	meshtest.Eventually(t, func() error {
		for _, p := range h.Network().Peers() {
			id = p
		}
		if n := len(h.Network().ConnsToPeer(id)); n > 4 {
			t.Fatalf("%d connections of one peer", n)
		}
		if id == "" {
			return io.ErrNoProgress
		}
		return nil
	})
}

func TestSilentConnectionsDoNotKeepOthersOut(t *testing.T) {
	h := newHost(t, loopback())
	_, addr, err := manet.DialArgs(h.Network().ListenAddresses()[0])
	if err != nil {
		t.Fatal(err)
	}
	for range 300 {
		c, err := (&net.Dialer{Timeout: time.Minute}).DialContext(t.Context(), "tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
	}
	// From another address of this machine, as from another machine.
	d := net.Dialer{Timeout: time.Minute, LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}
	c, err := d.DialContext(t.Context(), "tcp", addr)
	if errors.Is(err, syscall.EADDRNOTAVAIL) {
		t.Skip("this system has no second loopback address to come from")
	}
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if err := multistream.SelectProtoOrFail("/tls/1.0.0", c); err != nil {
		t.Errorf("a newcomer: %v", err)
	}
}
