package health

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	pb "github.com/libp2p/go-libp2p-pubsub/pb"
	"github.com/libp2p/go-libp2p/core/peer"
	libp2p "github.com/libp2p/go-libp2p/core/protocol"
	"github.com/zeebo/blake3"

	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/protocol/exchange"
)

// carrier is the only version of gossipsub that is spoken. Later ones add what statuses of 300 bytes do not need.
const carrier = pubsub.GossipSubID_v11

// What the router holds, with the arithmetic for 1,000 nodes, each of which says something every 30 seconds: 33 statuses
// a second.
const (
	// queued messages to one neighbour that reads slowly: 4 seconds of the whole mesh. Messages are shared between the
	// queues, so 128 of them hold below 64 KiB.
	queued = 128
	// waiting messages that are not judged yet, of all neighbours: at 0.1 ms each, 26 ms.
	waiting = 256
	// seenTTL is how long a message ID is remembered, at least; the router sweeps once a minute. A message crosses a mesh
	// in seconds, and what comes later is told by its sequence number. 90 s × 33 × 200 bytes are below 600 KiB.
	seenTTL = 30 * time.Second
	// idSize of message IDs, in bytes: nobody finds a second message with the same 16.
	idSize = 16
	// shortest is below the size of the smallest status that is valid, so that a flood of tiny messages does not fill
	// the memory of seen ones.
	shortest = 160
	// subscriptions in one RPC; one topic needs one.
	subscriptions = 4
)

// params are gossipsub's for a small closed mesh. Where a neighbour is named, every trusted node is meant: scores, peer
// exchange and bootstrappers, which the defaults are made for, have no place here.
func params() pubsub.GossipSubParams {
	p := pubsub.DefaultGossipSubParams()
	// A status goes to 6 of the neighbours that listen, 4 to 10 after nodes came and went. With up to 10 neighbours, as
	// nearly everywhere, all of them are in.
	p.D, p.Dlo, p.Dhi, p.Dscore, p.Dout = 6, 4, 10, 4, 2
	p.Dlazy = 4
	// No connection is ever opened because a neighbour says so.
	p.Connectors, p.MaxPendingConnections, p.PrunePeers = 0, 0, 0
	// 3 seconds of the largest mesh are 100 statuses; four times that can be asked for in a second.
	p.MaxIHaveLength = 400
	// Not spoken, so nothing is remembered of who says it nevertheless.
	p.MaxIDontWantMessages, p.MaxIDontWantLength = 0, 0
	return p
}

func newRouter(ctx context.Context, d *door, inspect func(peer.ID, *pubsub.RPC) error) (*pubsub.PubSub, error) {
	quiet := slog.New(slog.DiscardHandler) // what matters is counted and reported by who is to blame
	return pubsub.NewGossipSubWithRouter(ctx, d, pubsub.DefaultGossipSubRouter(d),
		pubsub.WithLogger(quiet), pubsub.WithRPCLogger(quiet),
		pubsub.WithGossipSubParams(params()),
		pubsub.WithGossipSubProtocols([]libp2p.ID{carrier}, func(f pubsub.GossipSubFeature, _ libp2p.ID) bool { return f == pubsub.GossipSubFeatureMesh }),
		pubsub.WithFloodPublish(true), // own statuses reach every neighbour at once, whatever the mesh looks like yet
		pubsub.WithNoAuthor(), pubsub.WithMessageSignaturePolicy(pubsub.StrictNoSign),
		pubsub.WithMessageIdFn(messageID),
		pubsub.WithPeerFilter(func(p peer.ID, topic string) bool { return topic == ID && d.admits(p) }),
		pubsub.WithSubscriptionFilter(pubsub.WrapLimitSubscriptionFilter(pubsub.NewAllowlistSubscriptionFilter(ID), subscriptions)),
		pubsub.WithAppSpecificRpcInspector(inspect),
		pubsub.WithMaxMessageSize(protocol.MaxGossip), pubsub.WithMaxControlMessageSize(protocol.MaxGossip),
		pubsub.WithPeerOutboundQueueSize(queued), pubsub.WithValidateQueueSize(waiting), pubsub.WithValidateWorkers(1),
		pubsub.WithSeenMessagesTTL(seenTTL))
}

func messageID(m *pb.Message) string {
	sum := blake3.Sum256(m.GetData())
	return string(sum[:idSize])
}

// inspect refuses an RPC with a message that no honest neighbour sends, before anything of it is remembered.
func (t *Topic) inspect(from peer.ID, rpc *pubsub.RPC) error {
	for _, m := range rpc.GetPublish() {
		if err := misfit(m); err != nil {
			t.board.refuse()
			t.blame(from, err)
			return err
		}
	}
	return nil
}

func misfit(m *pb.Message) error {
	switch n := len(m.GetData()); {
	case m.GetTopic() != ID:
		return fmt.Errorf("%w: a message on another topic", protocol.ErrType)
	case n > protocol.MaxHealth:
		return fmt.Errorf("%w: %d bytes, limit %d", protocol.ErrTooLarge, n, protocol.MaxHealth)
	case n < shortest:
		return fmt.Errorf("%w: no status has only %d bytes", protocol.ErrMalformed, n)
	case m.From != nil || m.Seqno != nil || m.Signature != nil || m.Key != nil:
		return fmt.Errorf("%w: a message with an author beside the status", protocol.ErrMalformed)
	}
	return nil
}

// judge decides about one message, before it is passed on. It runs in the router's worker, or in [Topic.Publish].
func (t *Topic) judge(_ context.Context, from peer.ID, m *pubsub.Message) pubsub.ValidationResult {
	if from == t.door.ID() {
		return pubsub.ValidationAccept
	}
	err := t.board.take(m.GetData())
	switch {
	case err == nil:
		return pubsub.ValidationAccept
	case blames(err):
		t.blame(from, err)
		return pubsub.ValidationReject
	}
	return pubsub.ValidationIgnore
}

// blame reports a message as the doing of the neighbour who sent it.
func (t *Topic) blame(neighbour peer.ID, err error) {
	id, idErr := protocol.NodeIDFromPeerID(neighbour)
	if idErr != nil {
		err = errors.Join(err, idErr)
	}
	t.c.Endpoint.Report(exchange.Refusal{Peer: id, Addr: t.door.addrOf(neighbour), Protocol: ID, Err: err})
}
