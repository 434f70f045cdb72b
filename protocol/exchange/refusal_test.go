package exchange_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/network"

	"github.com/caro-mesh/caro-node/internal/meshtest"
	"github.com/caro-mesh/caro-node/internal/wiretest"
	"github.com/caro-mesh/caro-node/node/identity"
	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/protocol/exchange"
)

// forger writes envelopes that may be wrong in one way.
type forger struct {
	t    *testing.T
	key  *identity.Identity
	next uint64
}

func newForger(t *testing.T, key *identity.Identity) *forger {
	return &forger{t: t, key: key, next: uint64(time.Now().UnixNano())}
}

// right returns an envelope in which nothing is wrong.
func (f *forger) right() wiretest.Envelope {
	f.next++
	nonce := make([]byte, protocol.NonceSize)
	_, _ = rand.Read(nonce) // never fails
	return wiretest.Envelope{Type: protocol.MsgQuery, Sender: f.key.NodeID(), Timestamp: protocol.At(time.Now()), Nonce: nonce, Sequence: f.next, Payload: []byte("payload")}
}

// sealed signs e with key.
func (f *forger) sealed(e wiretest.Envelope, key protocol.Signer) []byte {
	f.t.Helper()
	_, data := e.Seal(func(msg []byte) []byte {
		sig, err := key.Sign(msg)
		if err != nil {
			f.t.Fatal(err)
		}
		return sig
	})
	return data
}

// say sends an envelope on a stream of its own, and returns the error with which the stream ended (nil: it was answered).
func say(t *testing.T, a, b *meshtest.Node, data []byte) error {
	t.Helper()
	s := raw(t, a, b)
	if _, err := s.Write(frame(data)); err != nil {
		t.Fatal(err)
	}
	_, err := protocol.ReadFrame(s, 4096)
	_ = s.Reset()
	return err
}

// Each way in which a message can be a replay or a forgery has an error and a counter of its own, and is reported as
// hostile where it shows intent: a wrong clock does not.
func TestEachReplayAndForgeryIsRefusedByItsOwnErrorCountedAndToldFromBadLuck(t *testing.T) {
	thief, err := identity.New(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	const window = 1024 // sequence numbers that the receiver remembers
	for _, c := range []struct {
		name    string
		forge   func(f *forger, good wiretest.Envelope) []byte // good was accepted before
		want    error
		reason  exchange.Reason
		hostile bool
	}{
		{"older than five minutes", func(f *forger, _ wiretest.Envelope) []byte {
			e := f.right()
			e.Timestamp = protocol.At(time.Now().Add(-protocol.MaxSkew - time.Second))
			return f.sealed(e, f.key)
		}, protocol.ErrTooOld, "too_old", false},
		{"from the future", func(f *forger, _ wiretest.Envelope) []byte {
			e := f.right()
			e.Timestamp = protocol.At(time.Now().Add(protocol.MaxSkew + time.Minute))
			return f.sealed(e, f.key)
		}, protocol.ErrFromFuture, "from_future", false},
		{"the same envelope again", func(f *forger, good wiretest.Envelope) []byte { return f.sealed(good, f.key) }, protocol.ErrSequence, "sequence", true},
		{"a repeated nonce", func(f *forger, good wiretest.Envelope) []byte {
			e := f.right()
			e.Nonce = good.Nonce
			return f.sealed(e, f.key)
		}, protocol.ErrNonce, "nonce", true},
		{"a repeated sequence number", func(f *forger, good wiretest.Envelope) []byte {
			e := f.right()
			e.Sequence = good.Sequence
			return f.sealed(e, f.key)
		}, protocol.ErrSequence, "sequence", true},
		{"a sequence that goes back", func(f *forger, good wiretest.Envelope) []byte {
			e := f.right()
			e.Sequence = good.Sequence - window
			return f.sealed(e, f.key)
		}, protocol.ErrSequence, "sequence", true},
		{"a wrong sender", func(f *forger, _ wiretest.Envelope) []byte {
			e := f.right()
			e.Sender = thief.NodeID()
			return f.sealed(e, thief)
		}, protocol.ErrSender, "sender", true},
		{"a message of another stream", func(f *forger, _ wiretest.Envelope) []byte {
			e := f.right()
			e.Type = protocol.MsgSummaryPush
			return f.sealed(e, f.key)
		}, protocol.ErrType, "type", true},
		{"a foreign signature", func(f *forger, _ wiretest.Envelope) []byte { return f.sealed(f.right(), thief) }, protocol.ErrSignature, "signature", true},
		{"an altered byte", func(f *forger, _ wiretest.Envelope) []byte {
			return bytes.Replace(f.sealed(f.right(), f.key), []byte("payload"), []byte("paYload"), 1)
		}, protocol.ErrSignature, "signature", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, b := pair(t, meshtest.Options{}, meshtest.Options{}, echo(), reply)
			f := newForger(t, a.Key)
			good := f.right()
			if err := say(t, a, b, f.sealed(good, f.key)); err != nil {
				t.Fatalf("nothing wrong, and refused: %v", err)
			}
			var reset *network.StreamError
			if err := say(t, a, b, c.forge(f, good)); !errors.As(err, &reset) || reset.ErrorCode != network.StreamProtocolViolation {
				t.Errorf("the peer saw %v", err)
			}
			all := b.Refusals()
			if len(all) != 1 || !errors.Is(all[0].Err, c.want) || all[0].Reason() != c.reason || all[0].Hostile() != c.hostile || all[0].Peer != a.Key.NodeID() {
				t.Errorf("refused %v, want %v as %s, hostile %v", all, c.want, c.reason, c.hostile)
			}
			want := map[exchange.Reason]uint64{c.reason: 1}
			if got := counted(b); !maps.Equal(got, want) {
				t.Errorf("counted %v, want %v", got, want)
			}
			if err := say(t, a, b, f.sealed(f.right(), f.key)); err != nil {
				t.Errorf("after that an honest message got %v", err)
			}
		})
	}
}

// counted are the counters of refusals that are not zero.
func counted(n *meshtest.Node) map[exchange.Reason]uint64 {
	out := n.Endpoint.Refused()
	maps.DeleteFunc(out, func(_ exchange.Reason, n uint64) bool { return n == 0 })
	return out
}

func TestEveryErrorHasAReasonOfTheList(t *testing.T) {
	all := exchange.Reasons()
	if slices.Sort(all); len(slices.Compact(slices.Clone(all))) != len(all) {
		t.Errorf("a reason stands twice in %v", all)
	}
	for err, want := range map[error]exchange.Reason{
		protocol.ErrTooLarge: "too_large", protocol.ErrFrame: "frame", protocol.ErrMagic: "magic", protocol.ErrVersion: "version",
		protocol.ErrMalformed: "malformed", protocol.ErrNotDeterministic: "not_deterministic", protocol.ErrType: "type", protocol.ErrSender: "sender",
		protocol.ErrTooOld: "too_old", protocol.ErrFromFuture: "from_future", protocol.ErrSequence: "sequence", protocol.ErrNonce: "nonce",
		protocol.ErrNonceQuota: "nonce_quota", protocol.ErrSignature: "signature", errors.Join(protocol.ErrSignature, protocol.ErrSigner): "signer",
		exchange.ErrRateLimited: "rate", exchange.ErrNotAdmitted: "not_admitted", exchange.ErrBusy: "busy", exchange.ErrClosing: "closing",
		exchange.ErrNotConnected: "gone", context.DeadlineExceeded: "too_late", io.EOF: "broken_off", io.ErrUnexpectedEOF: "broken_off",
		&network.StreamError{Remote: true}: "broken_off", exchange.Farewell(nil, errors.New("no")): "declined", errors.New("disk full"): "failed",
		exchange.Farewell(nil, protocol.ErrTooOld): "too_old",
	} {
		r := exchange.Refusal{Err: fmt.Errorf("on a stream: %w", err)}
		if got := r.Reason(); got != want || !slices.Contains(all, got) {
			t.Errorf("%v is %q, want %q", err, got, want)
		}
	}
}

func TestABadAnswerIsCountedByItsReason(t *testing.T) {
	a, b := meshtest.New(t, meshtest.Options{}), meshtest.New(t, meshtest.Options{})
	client := a.Greets(nil)
	b.Greets(nil)
	meshtest.Meet(t, a, client, b)
	b.Host.SetStreamHandler(echo().Protocol, func(s network.Stream) {
		_, _ = protocol.ReadFrame(s, 4096)
		_ = protocol.WriteFrame(s, seal(t, b.Sealer, protocol.MsgPong, nil))
		_ = s.CloseWrite()
	})
	if _, err := a.Endpoint.Ask(t.Context(), b.Key.NodeID(), echo(), nil); !errors.Is(err, protocol.ErrType) {
		t.Fatal(err)
	}
	if got, want := counted(a), (map[exchange.Reason]uint64{"type": 1}); !maps.Equal(got, want) {
		t.Errorf("counted %v, want %v", got, want)
	}
}

func TestAFurtherRequestReachesItsOwnHandlerAndHasNoAnswer(t *testing.T) {
	a, b := meshtest.New(t, meshtest.Options{}), meshtest.New(t, meshtest.Options{})
	client := a.Greets(nil)
	b.Greets(nil)
	var got []string
	r := echo()
	b.OnClose(b.Endpoint.Serve(r, reply, exchange.Route{Request: protocol.MsgSummaryPush, Handler: func(_ context.Context, from exchange.From, p []byte) error {
		if got = append(got, string(p)); string(p) == "bad" {
			return protocol.ErrMalformed
		}
		return nil
	}}).Close)
	meshtest.Meet(t, a, client, b)
	further := exchange.Rules{Protocol: r.Protocol, Request: protocol.MsgSummaryPush}
	if answer, err := a.Endpoint.Ask(t.Context(), b.Key.NodeID(), further, []byte("good")); err != nil || answer.Payload != nil {
		t.Errorf("answered %+v, %v", answer, err)
	}
	if _, err := a.Endpoint.Ask(t.Context(), b.Key.NodeID(), further, []byte("bad")); !errors.Is(err, exchange.ErrViolation) {
		t.Errorf("error %v", err)
	}
	if answer, err := a.Endpoint.Ask(t.Context(), b.Key.NodeID(), r, []byte("hi")); err != nil || string(answer.Payload) != "re: hi" {
		t.Errorf("the first kind was answered with %+v, %v", answer, err)
	}
	if !slices.Equal(got, []string{"good", "bad"}) {
		t.Errorf("the second handler was told %q", got)
	}
}

// What one peer floods with, right or wrong, changes nothing for another: every message of the honest one is accepted.
func TestAFloodingPeerDoesNotHurtAnothersAcceptance(t *testing.T) {
	r := echo()
	flooder, b := pair(t, meshtest.Options{}, meshtest.Options{}, r, reply)
	honest := meshtest.New(t, meshtest.Options{})
	meshtest.Meet(t, honest, honest.Greets(nil), b)

	stop := make(chan struct{})
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() { // bounded by the messages of the honest one
			replayed := seal(t, flooder.Sealer, r.Request, []byte("again"))
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				s, err := flooder.Host.NewStream(t.Context(), b.Host.ID(), r.Protocol)
				if err != nil {
					continue
				}
				switch (n + i) % 3 {
				case 0:
					_ = protocol.WriteFrame(s, replayed)
				case 1:
					_ = protocol.WriteFrame(s, []byte("noise"))
				default:
					sealed, err := flooder.Sealer.Seal(r.Request, []byte("valid"))
					if err == nil {
						_ = protocol.WriteFrame(s, sealed)
					}
				}
				_, _ = protocol.ReadFrame(s, 4096)
				_ = s.Reset()
			}
		})
	}
	for n := range 300 {
		question := []byte(fmt.Sprintf("question %d", n))
		answer, err := honest.Endpoint.Ask(t.Context(), b.Key.NodeID(), r, question)
		if err != nil || !bytes.Equal(answer.Payload, append([]byte("re: "), question...)) {
			t.Errorf("question %d: %v", n, err)
			break
		}
	}
	close(stop)
	wg.Wait()
	for _, ref := range b.Refusals() {
		if ref.Peer == honest.Key.NodeID() {
			t.Errorf("refused the honest peer: %v", ref.Err)
		}
	}
	if n := counted(b)["sequence"]; n == 0 {
		t.Error("nothing of the flood was refused, so nothing was shown")
	}
}

func TestAPeerThatGoesOnCausingRefusalsIsCutOffAndOthersAreNot(t *testing.T) {
	inNoTime(t, func(t *testing.T, on func(int) meshtest.Options) {
		r := echo()
		flooder, b := pair(t, on(1), on(2), r, reply)
		honest := meshtest.New(t, on(3))
		meshtest.Meet(t, honest, honest.Greets(nil), b)
		sent := 0
		for ; sent < 1000 && flooder.Host.Network().Connectedness(b.Host.ID()) == network.Connected; sent++ {
			_ = broken(t, flooder, b, frame([]byte("noise"))) // it may be cut off by now
			synctest.Wait()
		}
		if sent != 201 {
			t.Errorf("cut off by message %d, want 201", sent)
		}
		told := 0
		for _, r := range b.Refusals() {
			if r.CutOff {
				told++
			}
		}
		if told != 1 {
			t.Errorf("it was told %d times that the peer was cut off", told)
		}
		if _, err := honest.Endpoint.Ask(t.Context(), b.Key.NodeID(), r, nil); err != nil {
			t.Errorf("the honest peer: %v", err)
		}
		// It may come again, and is cut off by the first thing that shows that it has not changed.
		meshtest.Dial(t, flooder, b)
		_ = broken(t, flooder, b, frame([]byte("noise")))
		synctest.Wait()
		if flooder.Host.Network().Connectedness(b.Host.ID()) == network.Connected {
			t.Error("it came again, went on, and was not cut off")
		}
	})
}

func TestAPeerWithBadLuckIsNotCutOff(t *testing.T) {
	r := echo()
	r.PerPeer = 1
	inside, release := make(chan struct{}, 1), make(chan struct{})
	a, b := pair(t, meshtest.Options{}, meshtest.Options{}, r, func(ctx context.Context, _ exchange.From, _ []byte) ([]byte, error) {
		inside <- struct{}{}
		select {
		case <-release:
		case <-ctx.Done():
		}
		return nil, ctx.Err()
	})
	first := make(chan error, 1)
	go func() {
		_, err := a.Endpoint.Ask(t.Context(), b.Key.NodeID(), r, nil)
		first <- err
	}()
	<-inside
	for range 300 {
		if _, err := a.Endpoint.Ask(t.Context(), b.Key.NodeID(), r, nil); !errors.Is(err, exchange.ErrBusy) {
			t.Fatal(err)
		}
	}
	close(release)
	if err := <-first; err != nil {
		t.Errorf("the first question, with 300 others refused meanwhile: %v", err)
	}
}
