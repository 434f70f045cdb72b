package checkpoint_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"go.uber.org/goleak"

	"github.com/caro-mesh/caro-node/internal/meshtest"
	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/protocol/checkpoint"
	"github.com/caro-mesh/caro-node/protocol/exchange"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// two returns two nodes that have met.
func two(t *testing.T) (a, b *meshtest.Node) {
	t.Helper()
	a, b = meshtest.New(t, meshtest.Options{}), meshtest.New(t, meshtest.Options{})
	client := a.Greets(nil)
	b.Greets(nil)
	meshtest.Meet(t, a, client, b)
	return a, b
}

func note(t *testing.T, key protocol.Signer, size uint64) []byte {
	t.Helper()
	wire, err := protocol.SignCheckpoint(protocol.Checkpoint{Size: size, Root: [32]byte{5}}, key)
	if err != nil {
		t.Fatal(err)
	}
	return wire
}

func TestACheckpointIsVerifiedJudgedAndCosigned(t *testing.T) {
	a, b := two(t)
	wire, proof := note(t, a.Key, 12), [][32]byte{{1}, {2}}
	b.OnClose(checkpoint.Serve(b.Endpoint, func(_ context.Context, from exchange.From, s checkpoint.Shown) (checkpoint.Answer, error) {
		if from.ID != a.Key.NodeID() || string(s.Note) != string(wire) || s.Checkpoint.Size != 12 || s.OldSize != 7 || len(s.Proof) != 2 || s.Proof[1] != proof[1] {
			t.Errorf("%s shows %+v", from.ID, s)
		}
		value, err := protocol.Cosign(s.Note, b.Key, time.Now())
		return checkpoint.Answer{Status: checkpoint.StatusCosigned, Size: 12, Cosignature: value}, err
	}).Close)
	answer, err := checkpoint.Show(t.Context(), a.Endpoint, b.Key.NodeID(), wire, 7, proof)
	if err != nil || answer.Status != checkpoint.StatusCosigned || answer.Size != 12 {
		t.Fatalf("%+v, %v", answer, err)
	}
	if _, err := protocol.OpenCosignature(wire, b.Key.NodeID(), answer.Cosignature); err != nil {
		t.Error(err)
	}
}

func TestOtherAnswersArriveAsTheyWereGiven(t *testing.T) {
	for _, want := range []checkpoint.Answer{
		{Status: checkpoint.StatusStale, Size: 4},
		{Status: checkpoint.StatusStale},
		{Status: checkpoint.StatusConflict, Size: 40, Reason: "history was written anew"},
		{Status: checkpoint.StatusRefused, Reason: "this node vouches for its peers only"},
	} {
		a, b := two(t)
		b.OnClose(checkpoint.Serve(b.Endpoint, func(context.Context, exchange.From, checkpoint.Shown) (checkpoint.Answer, error) { return want, nil }).Close)
		got, err := checkpoint.Show(t.Context(), a.Endpoint, b.Key.NodeID(), note(t, a.Key, 12), 0, nil)
		if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%+v, %v; want %+v", got, err, want)
		}
	}
}

func TestCheckpointsThatTheSenderDidNotSignAreNotJudged(t *testing.T) {
	a, b := two(t)
	b.OnClose(checkpoint.Serve(b.Endpoint, func(context.Context, exchange.From, checkpoint.Shown) (checkpoint.Answer, error) {
		t.Error("it was judged")
		return checkpoint.Answer{Status: checkpoint.StatusStale}, nil
	}).Close)
	altered := []byte(strings.Replace(string(note(t, a.Key, 12)), "\n12\n", "\n13\n", 1))
	for name, c := range map[string]struct {
		note []byte
		old  uint64
		want error
	}{
		"of another node":          {note(t, b.Key, 12), 0, protocol.ErrSigner},
		"altered":                  {altered, 0, protocol.ErrSignature},
		"not a note":               {[]byte("hello"), 0, protocol.ErrMalformed},
		"with a proof from beyond": {note(t, a.Key, 12), 13, protocol.ErrMalformed},
	} {
		before := len(b.Refusals())
		if _, err := checkpoint.Show(t.Context(), a.Endpoint, b.Key.NodeID(), c.note, c.old, nil); !errors.Is(err, exchange.ErrViolation) {
			t.Errorf("%s: %v", name, err)
		}
		meshtest.Eventually(t, func() error {
			all := b.Refusals()
			if len(all) <= before || !errors.Is(all[len(all)-1].Err, c.want) || !all[len(all)-1].Hostile() {
				return fmt.Errorf("%s: refused %v, want %w", name, all, c.want)
			}
			return nil
		})
	}
}

func TestAnswersThatDoNotFitAreRefusedAndBlamedOnTheWitness(t *testing.T) {
	a, b := two(t)
	wire := note(t, a.Key, 12)
	foreign, err := protocol.Cosign(note(t, a.Key, 13), b.Key, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for name, fields := range map[string]map[int]any{
		"a cosignature of another checkpoint": {1: "cosigned", 2: 12, 3: foreign},
		"a cosignature of nothing":            {1: "cosigned", 2: 12, 3: make([]byte, protocol.CosignatureSize)},
		"none at all":                         {1: "cosigned", 2: 12},
		"an unknown status":                   {1: "perhaps", 2: 12},
		"a reason of controls":                {1: "refused", 2: 0, 4: "\x1b[2J"},
	} {
		t.Run(name, func(t *testing.T) {
			b.Host.SetStreamHandler(checkpoint.ID, func(s network.Stream) {
				if _, err := protocol.ReadFrame(s, protocol.MaxCheckpoint); err != nil {
					t.Error(err)
				}
				payload, err := protocol.Encode(fields)
				if err != nil {
					t.Error(err)
				}
				sealed, err := b.Sealer.Seal(protocol.MsgCheckpointAck, payload)
				if err != nil {
					t.Error(err)
				}
				_ = protocol.WriteFrame(s, sealed)
			})
			before := len(a.Refusals())
			if answer, err := checkpoint.Show(t.Context(), a.Endpoint, b.Key.NodeID(), wire, 0, nil); err == nil || answer.Status != "" {
				t.Errorf("%+v, %v", answer, err)
			}
			if n := len(a.Refusals()) - before; n != 1 {
				t.Errorf("blamed %d times", n)
			}
		})
	}
}

func TestANodeOfAnOlderVersionIsToldApart(t *testing.T) {
	a, b := two(t)
	if _, err := checkpoint.Show(t.Context(), a.Endpoint, b.Key.NodeID(), note(t, a.Key, 12), 0, nil); !errors.Is(err, exchange.ErrUnsupported) {
		t.Errorf("error %v", err)
	}
	if _, err := checkpoint.Show(t.Context(), a.Endpoint, b.Key.NodeID(), nil, 0, nil); err == nil || errors.Is(err, exchange.ErrUnsupported) {
		t.Errorf("nothing to show: %v", err)
	}
}
