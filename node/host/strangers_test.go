package host_test

import (
	"errors"
	"io"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/transport"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/caro-mesh/caro-node/internal/meshtest"
	"github.com/caro-mesh/caro-node/node/host"
)

// holdsStreams opens streams that name no protocol, and returns those that the host did not reset: a stream that it holds is
// answered with its own greeting.
func holdsStreams(t *testing.T, c transport.CapableConn, tries int) (held []network.MuxedStream) {
	t.Helper()
	for range tries {
		s, err := c.OpenStream(t.Context())
		if err != nil {
			continue
		}
		if err := s.SetDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		_, _ = s.Write([]byte{19}) // the first byte of a name
		if n, _ := s.Read(make([]byte, 1)); n == 1 {
			held = append(held, s)
		}
	}
	return held
}

func TestAStrangerHoldsThreeStreamsAndItsUsualShareTheMomentItIsTrusted(t *testing.T) {
	var trusted atomic.Bool
	config := loopback()
	config.Trusted = func(peer.ID, ma.Multiaddr) bool { return trusted.Load() }
	h := newHost(t, config)
	c, err := attack(t, attacker(t), h)
	if err != nil {
		t.Fatal(err)
	}
	held := holdsStreams(t, c, 10)
	if len(held) != 3 {
		t.Fatalf("a stranger holds %d streams", len(held))
	}
	if err := held[0].Reset(); err != nil {
		t.Fatal(err)
	}
	meshtest.Eventually(t, func() error { // the host learns of it a moment later
		if len(holdsStreams(t, c, 1)) != 1 {
			return errors.New("the place of a stream that ended was not given back")
		}
		return nil
	})
	trusted.Store(true)
	if n := len(holdsStreams(t, c, 40)); n != 24-3 {
		t.Errorf("beside its first three streams it holds %d now that it is trusted", n)
	}
}

func TestStrangersTogetherDoNotKeepATrustedPeerFromBeginningAStream(t *testing.T) {
	friend := newHost(t, host.Config{})
	config := loopback()
	config.Trusted = func(p peer.ID, _ ma.Multiaddr) bool { return p == friend.ID() }
	h := newHost(t, config)
	h.SetStreamHandler("/friendly", func(s network.Stream) { _ = s.Close() })
	const strangers = 25 // as many as the gate lets in at once
	for range strangers {
		c, err := attack(t, attacker(t), h)
		if err != nil {
			t.Fatal(err)
		}
		holdsStreams(t, c, 24)
	}
	if err := dial(t, friend, h); err != nil {
		t.Fatal(err)
	}
	for n := range 20 {
		s, err := friend.NewStream(t.Context(), h.ID(), "/friendly")
		if err != nil {
			t.Fatalf("stream %d: %v", n+1, err)
		}
		if err := s.SetDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadAll(s); err != nil { // its handler ends it
			t.Fatalf("stream %d: %v", n+1, err)
		}
		_ = s.Reset()
	}
}
