package health

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"testing"
	"testing/synctest"
	"time"

	pb "github.com/libp2p/go-libp2p-pubsub/pb"
	"google.golang.org/protobuf/proto"

	"github.com/caro-mesh/caro-node/node/identity"
	"github.com/caro-mesh/caro-node/protocol"
)

var update = flag.Bool("update", false, "write the vector of testdata anew; a change there is a change of the wire")

func everybody(protocol.NodeID) bool { return true }

// pass lets time pass in a bubble, whose clock jumps.
func pass(d time.Duration) {
	time.Sleep(d) //nolint:forbidigo // the bubble's clock, which jumps
}

func numbered(i int, sequence uint64) *protocol.NodeHealthStatus {
	return &protocol.NodeHealthStatus{NodeID: protocol.NodeID(fmt.Sprint("node ", i)), Sequence: sequence, Timestamp: protocol.At(time.Now())}
}

func TestTheMemoryOfNodesIsBoundedAndThoseThatSpeakKeepTheirPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBoard("self", time.Now, everybody)
		for i := range maxHeard {
			if err := b.remember(numbered(i, 1)); err != nil {
				t.Fatal(err)
			}
		}
		if err := b.remember(numbered(maxHeard, 1)); !errors.Is(err, errFull) {
			t.Errorf("one more: %v", err)
		}
		pass(forgetAfter / 2)
		if err := b.remember(numbered(7, 2)); err != nil {
			t.Fatal(err)
		}
		pass(forgetAfter / 2)
		if err := b.remember(numbered(maxHeard, 1)); err != nil {
			t.Errorf("after the others were silent for long: %v", err)
		}
		if _, ok := b.last("node 7"); !ok || len(b.heard) != 2 {
			t.Errorf("%d nodes are remembered, among them the one that spoke: %t", len(b.heard), ok)
		}
	})
}

func TestAfterALongSilenceAnyNumberIsAccepted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBoard("self", time.Now, everybody)
		if err := b.remember(numbered(1, 1000)); err != nil {
			t.Fatal(err)
		}
		pass(forgetAfter - time.Second)
		if err := b.check(numbered(1, 1000)); !errors.Is(err, errOld) {
			t.Errorf("the same number: %v", err)
		}
		pass(2 * time.Second)
		if err := errors.Join(b.check(numbered(1, 1)), b.remember(numbered(1, 1))); err != nil {
			t.Error(err)
		}
	})
}

func TestAClockIsAcceptedUpToTheSkewOnBothSides(t *testing.T) {
	now := time.Now()
	b := newBoard("self", func() time.Time { return now }, everybody)
	for off, want := range map[time.Duration]error{protocol.MaxSkew: nil, -protocol.MaxSkew: nil,
		protocol.MaxSkew + 1: protocol.ErrClockSkew, -protocol.MaxSkew - 1: protocol.ErrClockSkew} {
		h := numbered(1, 1)
		h.Timestamp = protocol.At(now.Add(off))
		if err := b.check(h); !errors.Is(err, want) {
			t.Errorf("%s: %v", off, err)
		}
	}
	if err := b.check(&protocol.NodeHealthStatus{NodeID: "self", Timestamp: protocol.At(now)}); !errors.Is(err, errOwn) {
		t.Errorf("own: %v", err)
	}
}

func TestAStatusThatDoesNotVerifyUsesUpNothing(t *testing.T) {
	v := readVector(t)
	made := time.Unix(0, v.Timestamp)
	b := newBoard("self", func() time.Time { return made }, everybody)
	forged := bytes.Clone(v.data(t))
	forged[len(forged)-20] ^= 1 // within the signature
	for range 5 {
		if err := b.take(forged); !errors.Is(err, protocol.ErrSignature) {
			t.Fatal(err)
		}
	}
	if err := b.take(v.data(t)); err != nil {
		t.Errorf("the true one: %v", err)
	}
}

// vector is what goes over the wire for one status, so that another implementation can be checked against it.
type vector struct {
	About     string `json:"about"`
	Timestamp int64  `json:"timestamp"`
	Data      string `json:"data"`
	MessageID string `json:"message_id"`
	Frame     string `json:"frame"`
}

func (v vector) data(t *testing.T) []byte {
	t.Helper()
	b, err := hex.DecodeString(v.Data)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

const vectorPath = "testdata/frame.json"

func readVector(t *testing.T) (v vector) {
	t.Helper()
	b, err := os.ReadFile(vectorPath)
	if err == nil {
		err = json.Unmarshal(b, &v)
	}
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// statusOfPackageProtocol is the vector of a status without the topic around it.
func statusOfPackageProtocol(t *testing.T) (wire []byte, made int64) {
	t.Helper()
	var f struct {
		Vectors []struct {
			Wire    string
			Message protocol.NodeHealthStatus
		}
	}
	b, err := os.ReadFile("../testdata/health.json")
	if err == nil {
		err = json.Unmarshal(b, &f)
	}
	if err == nil {
		wire, err = hex.DecodeString(f.Vectors[0].Wire)
	}
	if err != nil {
		t.Fatal(err)
	}
	return wire, int64(f.Vectors[0].Message.Timestamp)
}

func TestAStatusTravelsInTheFrameOfTheVector(t *testing.T) {
	data, made := statusOfPackageProtocol(t)
	topic := ID
	m := &pb.Message{Data: data, Topic: &topic}
	body, err := proto.Marshal(&pb.RPC{Publish: []*pb.Message{m}})
	if err != nil {
		t.Fatal(err)
	}
	want := vector{"one status as a neighbour sends it: an RPC of gossipsub with its length before it, and the ID by which neighbours know it",
		made, hex.EncodeToString(data), hex.EncodeToString([]byte(messageID(m))), hex.EncodeToString(append(binary.AppendUvarint(nil, uint64(len(body))), body...))}
	if *update {
		b, err := json.MarshalIndent(want, "", "  ")
		if err == nil {
			err = os.WriteFile(vectorPath, append(b, '\n'), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if got := readVector(t); got != want {
		t.Errorf("sent is %+v, the vector says %+v", want, got)
	}
}

func TestNoValidStatusIsShorterThanWhatTheInspectionRefuses(t *testing.T) {
	key, err := identity.New(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	data, err := protocol.SignHealth(&protocol.NodeHealthStatus{NodeID: key.NodeID(), Sequence: 1, ProtocolVersion: 1, State: protocol.HealthOK}, key)
	if err != nil || len(data) < shortest {
		t.Errorf("a status can have %d bytes, what has less than %d is refused (%v)", len(data), shortest, err)
	}
	for n, want := range map[int]error{shortest - 1: protocol.ErrMalformed, shortest: nil, protocol.MaxHealth: nil, protocol.MaxHealth + 1: protocol.ErrTooLarge} {
		topic := ID
		if err := misfit(&pb.Message{Data: make([]byte, n), Topic: &topic}); !errors.Is(err, want) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}

func FuzzTake(f *testing.F) {
	f.Add([]byte{0xa0})
	f.Fuzz(func(t *testing.T, data []byte) {
		b := newBoard("self", time.Now, everybody)
		if err := b.take(data); err == nil {
			t.Errorf("%x was believed", data)
		} else if c := b.counted(); c.Refused+c.Ignored != 1 || len(b.heard) != 0 {
			t.Errorf("counted %+v, remembers %d", c, len(b.heard))
		}
	})
}
