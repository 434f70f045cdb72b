package health_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	pb "github.com/libp2p/go-libp2p-pubsub/pb"
	"github.com/libp2p/go-libp2p/core/network"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	"github.com/caro-mesh/caro-node/internal/meshtest"
	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/protocol/health"
	"github.com/caro-mesh/caro-node/protocol/hello"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// member is a node that gossips.
type member struct {
	*meshtest.Node
	topic  *health.Topic
	client *hello.Client
	// distrusted are nodes that it does not trust.
	distrusted atomic.Pointer[protocol.NodeID]
}

func newMember(t *testing.T, o meshtest.Options) *member {
	t.Helper()
	m := &member{Node: meshtest.New(t, o)}
	var err error
	m.topic, err = m.Gossips(func(id protocol.NodeID) bool { return m.distrusted.Load() == nil || *m.distrusted.Load() != id })
	if err != nil {
		t.Fatal(err)
	}
	m.client = m.Greets(nil)
	return m
}

func (m *member) distrust(id protocol.NodeID) { m.distrusted.Store(&id) }

// mesh makes members in one process; each is connected to the one before.
func mesh(t *testing.T, n int) []*member {
	t.Helper()
	net := meshtest.NewNetwork()
	members := make([]*member, n)
	for i := range members {
		members[i] = newMember(t, meshtest.Options{Network: net, Listen: fmt.Sprintf("/memory/%d", i+1)})
		if i > 0 {
			meet(t, members[i-1], members[i])
		}
	}
	return members
}

func meet(t *testing.T, a, b *member) {
	t.Helper()
	meshtest.Meet(t, a.Node, a.client, b.Node)
	meshtest.Eventually(t, func() error {
		if !listens(a, b) || !listens(b, a) {
			return errors.New("they do not listen to each other")
		}
		return nil
	})
}

// listens reports whether a knows that b listens to the topic.
func listens(a, b *member) bool {
	for _, id := range a.topic.Neighbours() {
		if id == b.Key.NodeID() {
			return true
		}
	}
	return false
}

// pass lets time pass in a bubble, whose clock jumps.
func pass(d time.Duration) {
	time.Sleep(d) //nolint:forbidigo // the bubble's clock, which jumps
	synctest.Wait()
}

func say(t *testing.T, m *member, s health.Status) {
	t.Helper()
	if s.State == "" {
		s.State = protocol.HealthOK
	}
	if err := m.topic.Publish(t.Context(), s); err != nil {
		t.Fatal(err)
	}
}

func hears(t *testing.T, m *member, id protocol.NodeID) protocol.NodeHealthStatus {
	t.Helper()
	var h health.Heard
	meshtest.Eventually(t, func() (err error) {
		var ok bool
		if h, ok = m.topic.Heard(id); !ok {
			err = fmt.Errorf("nothing was heard of %s; %+v", id.Fingerprint(), m.topic.Counts())
		}
		return err
	})
	return h.Status
}

// liar is a node whose Hello was accepted and which then writes to the topic's stream whatever it likes.
type liar struct {
	*meshtest.Node
	t      *testing.T
	stream network.Stream
	seq    *meshtest.Sequence
}

// newLiar connects a liar to victim.
func newLiar(t *testing.T, victim *member, o meshtest.Options) *liar {
	t.Helper()
	l := &liar{Node: meshtest.New(t, o), t: t, seq: meshtest.NewSequence()}
	meshtest.Meet(t, l.Node, l.Greets(nil), victim.Node)
	var err error
	if l.stream, err = l.Host.NewStream(t.Context(), victim.Host.ID(), "/meshsub/1.1.0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.stream.Reset() })
	return l
}

// status returns what a node would truly say now; edit may change it before it is signed.
func status(t testing.TB, key protocol.Signer, seq *meshtest.Sequence, edit func(*protocol.NodeHealthStatus)) []byte {
	t.Helper()
	n, err := seq.Next()
	if err != nil {
		t.Fatal(err)
	}
	h := &protocol.NodeHealthStatus{NodeID: key.NodeID(), Sequence: n, Timestamp: protocol.At(time.Now()), ProtocolVersion: protocol.Version,
		CaroVersion: "1.2.3", UptimeSeconds: 60, State: protocol.HealthOK}
	if edit != nil {
		edit(h)
	}
	wire, err := protocol.SignHealth(h, key)
	if err != nil {
		t.Fatal(err)
	}
	return wire
}

func frame(t testing.TB, rpc *pb.RPC) []byte {
	t.Helper()
	b, err := proto.Marshal(rpc)
	if err != nil {
		t.Fatal(err)
	}
	return append(binary.AppendUvarint(nil, uint64(len(b))), b...)
}

func message(data []byte) *pb.Message { return &pb.Message{Data: data, Topic: proto.String(health.ID)} }

// publish writes messages in one RPC. The error of a stream that the victim has reset is for the caller.
func (l *liar) publish(messages ...*pb.Message) error {
	_, err := l.stream.Write(frame(l.t, &pb.RPC{Publish: messages}))
	return err
}

func (l *liar) must(messages ...*pb.Message) {
	l.t.Helper()
	if err := l.publish(messages...); err != nil {
		l.t.Fatal(err)
	}
}
