package health

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	libp2p "github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/p2p/host/eventbus"
	"golang.org/x/time/rate"

	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/protocol/exchange"
)

// admissionWait is how long a neighbour's stream waits for the end of a Hello that is under way.
const admissionWait = 10 * time.Second

// door is the host as the router sees it: nobody exists but admitted neighbours, and it can dial nobody. The router
// would open and serve streams as soon as libp2p has a connection, which is before Hello.
type door struct {
	host.Host
	ctx      context.Context
	endpoint *exchange.Endpoint
	admitted func(context.Context, protocol.NodeID) bool
	bus      event.Bus
	appeared event.Emitter

	mu       sync.Mutex
	watching bool      // the router follows the bus
	early    []peer.ID // who appeared before
}

func newDoor(ctx context.Context, e *exchange.Endpoint, admitted func(context.Context, protocol.NodeID) bool) (*door, error) {
	d := &door{Host: e.Host(), ctx: ctx, endpoint: e, admitted: admitted, bus: eventbus.NewBus()}
	var err error
	if d.appeared, err = d.bus.Emitter(new(event.EvtPeerProtocolsUpdated)); err != nil {
		return nil, fmt.Errorf("make the gossip router's events: %w", err)
	}
	return d, nil
}

func (d *door) close() {
	d.Host.RemoveStreamHandler(carrier)
	_ = d.appeared.Close() // only fails when closed twice
}

// open lets the router know of a neighbour.
func (d *door) open(p peer.ID) {
	d.mu.Lock()
	if !d.watching {
		d.early = append(d.early, p)
	}
	d.mu.Unlock()
	_ = d.appeared.Emit(event.EvtPeerProtocolsUpdated{Peer: p, Added: []libp2p.ID{carrier}}) // fails after the end only
}

// EventBus returns the bus on which neighbours appear when they are admitted.
func (d *door) EventBus() event.Bus { return d.bus }

// Network returns the host's network as the router sees it.
func (d *door) Network() network.Network { return room{d.Host.Network(), d} }

// room is the host's network with admitted neighbours only.
type room struct {
	network.Network
	door *door
}

// Peers returns who was admitted before the router followed the bus. The router asks once, when it does.
func (r room) Peers() []peer.ID {
	r.door.mu.Lock()
	defer r.door.mu.Unlock()
	early := r.door.early
	r.door.watching, r.door.early = true, nil
	return early
}

// Connect refuses: connections are for package discovery to make.
func (d *door) Connect(context.Context, peer.AddrInfo) error {
	return errors.New("topics use connections and make none")
}

// NewStream opens the stream on which this node speaks to a neighbour.
func (d *door) NewStream(ctx context.Context, p peer.ID, protocols ...libp2p.ID) (network.Stream, error) {
	id, err := protocol.NodeIDFromPeerID(p)
	if err != nil {
		return nil, err
	}
	if !d.admits(p) {
		return nil, exchange.ErrNotAdmitted
	}
	s, err := d.Host.NewStream(network.WithNoDial(ctx, "topics use connections and make none"), p, protocols...)
	if err != nil {
		return nil, err
	}
	return d.guard(s, id), nil
}

// SetStreamHandler serves the streams of admitted neighbours only.
func (d *door) SetStreamHandler(name libp2p.ID, serve network.StreamHandler) {
	d.Host.SetStreamHandler(name, func(s network.Stream) {
		id, err := d.enter(s)
		if err != nil {
			_ = s.ResetWithError(network.StreamGated) // gone either way
			d.endpoint.Report(exchange.Refusal{Peer: id, Addr: exchange.AddrOf(s.Conn()), Protocol: ID, Err: err})
			return
		}
		serve(d.guard(s, id))
	})
}

func (d *door) enter(s network.Stream) (protocol.NodeID, error) {
	id, err := protocol.NodeIDFromPeerID(s.Conn().RemotePeer())
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(d.ctx, admissionWait)
	defer cancel()
	switch {
	case d.admitted(ctx, id):
		return id, nil
	case d.ctx.Err() != nil:
		return id, exchange.ErrClosing
	}
	return id, exchange.ErrNotAdmitted
}

// admits reports whether a peer is an admitted neighbour at this moment.
func (d *door) admits(p peer.ID) bool {
	id, err := protocol.NodeIDFromPeerID(p)
	return err == nil && d.admitted(atOnce, id)
}

// atOnce makes admission checks answer without waiting.
var atOnce = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()

func (d *door) addrOf(p peer.ID) netip.Addr {
	for _, c := range d.Host.Network().ConnsToPeer(p) {
		return exchange.AddrOf(c)
	}
	return netip.Addr{}
}

// guarded is a neighbour's stream that asks for admission with every frame, and is read no faster than a neighbour may
// speak.
type guarded struct {
	network.Stream
	door  *door
	id    protocol.NodeID
	pace  *rate.Limiter
	ctx   context.Context
	close context.CancelFunc
}

func (d *door) guard(s network.Stream, id protocol.NodeID) network.Stream {
	ctx, cancel := context.WithCancel(d.ctx)
	return &guarded{Stream: s, door: d, id: id, pace: rate.NewLimiter(protocol.GossipRate, protocol.GossipBurst), ctx: ctx, close: cancel}
}

// Read reads, and waits until the neighbour may say more.
func (g *guarded) Read(b []byte) (int, error) {
	n, err := g.Stream.Read(b[:min(len(b), protocol.GossipBurst)])
	if n > 0 && !g.allowed() {
		return 0, exchange.ErrNotAdmitted
	}
	if werr := g.pace.WaitN(g.ctx, n); werr != nil && err == nil {
		err = werr
	}
	return n, err
}

// Write writes, unless the neighbour may hear no more.
func (g *guarded) Write(b []byte) (int, error) {
	if !g.allowed() {
		return 0, exchange.ErrNotAdmitted
	}
	return g.Stream.Write(b)
}

func (g *guarded) allowed() bool {
	if g.door.admitted(atOnce, g.id) {
		return true
	}
	g.close()
	_ = g.Stream.ResetWithError(network.StreamGated) // gone either way
	return false
}

// Close ends the stream.
func (g *guarded) Close() error {
	g.close()
	return g.Stream.Close()
}

// Reset breaks the stream off.
func (g *guarded) Reset() error {
	g.close()
	return g.Stream.Reset()
}
