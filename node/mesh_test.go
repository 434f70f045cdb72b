package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	libp2ppeer "github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/transport"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/caro-mesh/caro-node/internal/meshtest"
	"github.com/caro-mesh/caro-node/node/identity"
	"github.com/caro-mesh/caro-node/policy"
	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/protocol/ping"
	"github.com/caro-mesh/caro-node/store"
)

// start runs a whole node on loopback until the test ends.
func start(t *testing.T, key *identity.Identity, doc policy.Document, peers ...string) *Node {
	t.Helper()
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "caro.db"), store.Options{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	n, err := New(t.Context(), Config{Identity: key, NextDigest: key.X25519(), DisplayName: "node", Version: "test", Listen: []string{"/ip4/127.0.0.1/tcp/0"}, StaticPeers: peers,
		Policy: doc, Store: db, Now: time.Now, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(errors.Join(err, db.Close()))
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := errors.Join(<-done, db.Close()); err != nil {
			t.Error(err)
		}
	})
	return n
}

// pairOf runs two nodes that trust each other, and returns when they have met.
func pairOf(t *testing.T) (a, b *Node) {
	t.Helper()
	ka, kb := newKey(t), newKey(t)
	b = start(t, kb, trusting(ka.NodeID(), "peer"))
	a = start(t, ka, trusting(kb.NodeID(), "peer"), b.Addresses()...)
	meshtest.Eventually(t, func() error {
		if len(a.registry.Peers()) != 1 || len(b.registry.Peers()) != 1 {
			return errors.New("they have not met")
		}
		return nil
	})
	return a, b
}

func TestPeersLearnThatThisNodeSharesLessThanBefore(t *testing.T) {
	a, b := pairOf(t)
	doc := a.c.Policy
	doc.MaxLevel = "aggregated"
	engine, err := policy.New(doc, nil)
	if err != nil {
		t.Fatal(err)
	}
	a.gate.SetEngine(engine)
	a.Announce()
	meshtest.Eventually(t, func() error {
		p, ok := b.registry.Peer(a.c.Identity.NodeID())
		if got := p.Identity.Capabilities.MaxShareLevel; !ok || got != protocol.LevelAggregated {
			return fmt.Errorf("b knows %v, connected %v", got, ok)
		}
		return nil
	})
}

// early is a transport that lets somebody else act as soon as there is a port.
type early struct {
	transport.Transport
	act func()
}

func (e *early) Listen(a ma.Multiaddr) (transport.Listener, error) {
	l, err := e.Transport.Listen(a)
	if err == nil {
		go e.act()
	}
	return l, err
}

func TestWhoComesAsSoonAsThereIsAPortIsServed(t *testing.T) {
	lan := meshtest.NewNetwork()
	peer := meshtest.New(t, meshtest.Options{Network: lan, Listen: "/memory/2"})
	client := peer.Greets(nil)
	key := newKey(t)
	pid, err := key.NodeID().PeerID()
	if err != nil {
		t.Fatal(err)
	}
	met := make(chan error, 1)
	running(t, func(c *Config) {
		c.Identity, c.NextDigest, c.Listen = key, key.X25519(), []string{"/memory/1"}
		c.transport = func(up transport.Upgrader, rm network.ResourceManager) (transport.Transport, error) {
			inner, err := lan.Transport("/memory/1")(up, rm)
			return &early{inner, func() {
				err := peer.Host.Connect(t.Context(), libp2ppeer.AddrInfo{ID: pid, Addrs: []ma.Multiaddr{ma.StringCast("/memory/1")}})
				if err == nil {
					_, err = client.Greet(t.Context(), key.NodeID())
				}
				if err == nil {
					_, err = ping.Ping(t.Context(), peer.Endpoint, key.NodeID())
				}
				met <- err
			}}, err
		}
	})
	if err := <-met; err != nil {
		t.Error(err)
	}
}
