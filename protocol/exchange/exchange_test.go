package exchange_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"go.uber.org/goleak"
	"golang.org/x/time/rate"

	"github.com/caro-mesh/caro-node/internal/meshtest"
	"github.com/caro-mesh/caro-node/node/identity"
	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/protocol/exchange"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// echo is a protocol of its own; only the numbers of its messages are borrowed.
func echo() exchange.Rules {
	return exchange.Rules{Protocol: "/caro/test/1.0.0", Request: protocol.MsgQuery, RequestLimit: 4096,
		Answer: protocol.MsgQueryResponse, AnswerLimit: 4096, Rate: 1000, Burst: 1000, PerPeer: 8, Total: 16}
}

func reply(_ context.Context, _ exchange.From, payload []byte) ([]byte, error) {
	return append([]byte("re: "), payload...), nil
}

// pair returns two nodes that have admitted each other; b answers with h.
func pair(t testing.TB, ao, bo meshtest.Options, r exchange.Rules, h exchange.Handler) (a, b *meshtest.Node) {
	t.Helper()
	a, b = meshtest.New(t, ao), meshtest.New(t, bo)
	client := a.Greets(nil)
	b.Greets(nil)
	b.OnClose(b.Endpoint.Serve(r, h).Close)
	meshtest.Meet(t, a, client, b)
	return a, b
}

func TestAnAnswerArrivesWithWhatIsKnownOfItsSender(t *testing.T) {
	var from exchange.From
	a, b := pair(t, meshtest.Options{}, meshtest.Options{}, echo(), func(ctx context.Context, f exchange.From, p []byte) ([]byte, error) {
		from = f
		return reply(ctx, f, p)
	})
	answer, err := a.Endpoint.Ask(t.Context(), b.Key.NodeID(), echo(), []byte("hi"))
	if err != nil {
		t.Fatal(err)
	}
	if got := string(answer.Payload); got != "re: hi" {
		t.Errorf("answer %q", got)
	}
	if from.ID != a.Key.NodeID() || !from.Addr.IsLoopback() || !from.Inbound {
		t.Errorf("the handler was told %+v", from)
	}
	if answer.From.ID != b.Key.NodeID() || answer.From.Inbound || answer.Received.Before(answer.Sent) {
		t.Errorf("the asker was told %+v", answer)
	}
	meshtest.Eventually(t, func() error { // the answer is counted after it was sent
		for name, n := range map[string]*meshtest.Node{"a": a, "b": b} {
			if c := count(n); c.Served+c.Asked != 1 || c.Refused+c.Failed != 0 {
				return fmt.Errorf("%s counts %+v", name, c)
			}
		}
		return nil
	})
}

// inNoTime runs f on a network within the process, on a clock that jumps: however busy the machine is, nothing takes time but
// what waits for it to pass.
func inNoTime(t *testing.T, f func(t *testing.T, on func(at int) meshtest.Options)) {
	synctest.Test(t, func(t *testing.T) {
		lan := meshtest.NewNetwork()
		f(t, func(at int) meshtest.Options {
			return meshtest.Options{Network: lan, Listen: fmt.Sprintf("/memory/%d", at)}
		})
	})
}

// raw opens a stream as a peer that keeps to nothing would.
func raw(t *testing.T, a, b *meshtest.Node) network.Stream {
	t.Helper()
	s, err := a.Host.NewStream(t.Context(), b.Host.ID(), echo().Protocol)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Reset() })
	if err := s.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	return s
}

// broken sends data, which will be refused, on a stream of its own, and returns the error with which that ends. A refusal
// before anything is read may come while the protocol is still negotiated, which it is where identify has not told it yet.
func broken(t *testing.T, a, b *meshtest.Node, data []byte) error {
	t.Helper()
	s, err := a.Host.NewStream(t.Context(), b.Host.ID(), echo().Protocol)
	if err != nil {
		return err
	}
	defer func() { _ = s.Reset() }()
	if err := s.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Write(data); err != nil {
		return err
	}
	_, err = io.ReadAll(s)
	return err
}

func seal(t *testing.T, s *protocol.Sealer, m protocol.MsgType, payload []byte) []byte {
	t.Helper()
	b, err := s.Seal(m, payload)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func frame(data []byte) []byte {
	var b bytes.Buffer
	_ = protocol.WriteFrame(&b, data) // a buffer takes everything
	return b.Bytes()
}

func TestEachStepOfTheLadderRefusesWithItsOwnError(t *testing.T) {
	thief, err := identity.New(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	foreign := protocol.NewSealer(thief, meshtest.NewSequence(), time.Now)
	cases := []struct {
		name    string
		bytes   func(t *testing.T, a *meshtest.Node) []byte
		want    error
		hostile bool
		code    network.StreamErrorCode
	}{
		{"a frame that announces too much", func(*testing.T, *meshtest.Node) []byte { return []byte{0x81, 0x20} }, // 4097
			protocol.ErrTooLarge, true, network.StreamProtocolViolation},
		{"a length without end", func(*testing.T, *meshtest.Node) []byte { return bytes.Repeat([]byte{0xff}, 11) },
			protocol.ErrFrame, true, network.StreamProtocolViolation},
		{"noise", func(*testing.T, *meshtest.Node) []byte { return frame([]byte("GET / HTTP/1.1")) },
			protocol.ErrMagic, true, network.StreamProtocolViolation},
		{"a broken envelope", func(t *testing.T, a *meshtest.Node) []byte {
			b := seal(t, a.Sealer, protocol.MsgQuery, []byte("x"))
			return frame(append(b, 0))
		}, protocol.ErrMalformed, true, network.StreamProtocolViolation},
		{"a type of another stream", func(t *testing.T, a *meshtest.Node) []byte {
			return frame(seal(t, a.Sealer, protocol.MsgPing, []byte("x")))
		}, protocol.ErrType, true, network.StreamProtocolViolation},
		{"an answer instead of a question", func(t *testing.T, a *meshtest.Node) []byte {
			return frame(seal(t, a.Sealer, protocol.MsgQueryResponse, []byte("x")))
		}, protocol.ErrType, true, network.StreamProtocolViolation},
		{"a foreign sender", func(t *testing.T, _ *meshtest.Node) []byte {
			return frame(seal(t, foreign, protocol.MsgQuery, []byte("x")))
		}, protocol.ErrSender, true, network.StreamProtocolViolation},
		{"an altered byte", func(t *testing.T, a *meshtest.Node) []byte {
			b := seal(t, a.Sealer, protocol.MsgQuery, []byte("payload"))
			return frame(bytes.Replace(b, []byte("payload"), []byte("pAyload"), 1))
		}, protocol.ErrSignature, true, network.StreamProtocolViolation},
		{"a clock that is six minutes off", func(t *testing.T, a *meshtest.Node) []byte {
			late := protocol.NewSealer(a.Key, meshtest.NewSequence(), func() time.Time { return time.Now().Add(-6 * time.Minute) })
			return frame(seal(t, late, protocol.MsgQuery, []byte("x")))
		}, protocol.ErrClockSkew, false, network.StreamProtocolViolation},
		{"half a frame", func(t *testing.T, a *meshtest.Node) []byte {
			return frame(seal(t, a.Sealer, protocol.MsgQuery, []byte("x")))[:20]
		}, io.ErrUnexpectedEOF, false, network.StreamNoError},
		{"nothing", func(*testing.T, *meshtest.Node) []byte { return nil }, io.EOF, false, network.StreamNoError},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			a, b := pair(t, meshtest.Options{}, meshtest.Options{}, echo(), reply)
			s := raw(t, a, b)
			_, err := s.Write(c.bytes(t, a))
			if err == nil { // else the answer, a reset, is here already
				_ = s.CloseWrite()
				_, err = io.ReadAll(s)
			}
			var reset *network.StreamError
			if !errors.As(err, &reset) || !reset.Remote || reset.ErrorCode != c.code {
				t.Errorf("the peer saw %v, want a reset with code 0x%x", err, c.code)
			}
			meshtest.Eventually(t, func() error {
				if n := len(b.Refusals()); n != 1 {
					return fmt.Errorf("%d refusals, want one", n)
				}
				return nil
			})
			r := b.Refusals()[0]
			if !errors.Is(r.Err, c.want) || r.Hostile() != c.hostile || r.Peer != a.Key.NodeID() || r.Protocol != string(echo().Protocol) {
				t.Errorf("refusal %+v, want %v, hostile %v", r, c.want, c.hostile)
			}
			if c := count(b); c.Refused != 1 || c.Served != 0 {
				t.Errorf("counts %+v", c)
			}
			if _, err := a.Endpoint.Ask(t.Context(), b.Key.NodeID(), echo(), []byte("still there?")); err != nil {
				t.Errorf("after that an honest question got %v", err)
			}
		})
	}
}

func TestTheSameBytesAreAcceptedOnce(t *testing.T) {
	a, b := pair(t, meshtest.Options{}, meshtest.Options{}, echo(), reply)
	data := frame(seal(t, a.Sealer, protocol.MsgQuery, []byte("pay me")))
	for i := range 3 {
		s := raw(t, a, b)
		if _, err := s.Write(data); err != nil {
			t.Fatal(err)
		}
		_, err := protocol.ReadFrame(s, 4096)
		if (err == nil) != (i == 0) {
			t.Errorf("time %d: %v", i+1, err)
		}
	}
	meshtest.Eventually(t, func() error {
		if c := count(b); c.Served != 1 || c.Refused != 2 {
			return fmt.Errorf("counts %+v", c)
		}
		return nil
	})
	for _, r := range b.Refusals() {
		if !errors.Is(r.Err, protocol.ErrSequence) || !r.Hostile() {
			t.Errorf("refusal %v", r.Err)
		}
	}
}

func TestAStreamThatDripsIsCutOffAtTheDeadline(t *testing.T) {
	inNoTime(t, func(t *testing.T, on func(int) meshtest.Options) {
		a, b := pair(t, on(1), on(2), echo(), reply)
		began := time.Now()
		s := raw(t, a, b)
		var dripping sync.WaitGroup
		defer dripping.Wait()
		dripping.Go(func() { // until it is cut off: "a hundred bytes follow", one a second
			for err := error(nil); err == nil; <-time.After(time.Second) {
				_, err = s.Write([]byte{100})
			}
		})
		if _, err := s.Read(make([]byte, 1)); err == nil {
			t.Error("an answer to nothing")
		}
		if took := time.Since(began); took != exchange.DefaultTimeout {
			t.Errorf("cut off after %s", took)
		}
		synctest.Wait()
		if all := b.Refusals(); len(all) != 1 || all[0].Hostile() || !errors.Is(all[0].Err, context.DeadlineExceeded) {
			t.Errorf("refused %v", all)
		}
	})
}

func TestNobodyIsServedBeforeHello(t *testing.T) {
	a, b := meshtest.New(t, meshtest.Options{}), meshtest.New(t, meshtest.Options{})
	asked := false
	b.OnClose(b.Endpoint.Serve(echo(), func(context.Context, exchange.From, []byte) ([]byte, error) {
		asked = true
		return []byte("secret"), nil
	}).Close)
	meshtest.Dial(t, a, b)
	for i, way := range []string{"of a protocol that identify told", "of one that is negotiated first"} {
		if i == 1 {
			if err := a.Host.Peerstore().SetProtocols(b.Host.ID()); err != nil {
				t.Fatal(err)
			}
		}
		err := broken(t, a, b, frame(seal(t, a.Sealer, protocol.MsgQuery, []byte("x"))))
		var reset *network.StreamError
		if !errors.As(err, &reset) || reset.ErrorCode != network.StreamGated {
			t.Errorf("on a stream %s the peer saw %v", way, err)
		}
		meshtest.Eventually(t, func() error {
			if n := len(b.Refusals()); n != i+1 {
				return fmt.Errorf("%d refusals", n)
			}
			return nil
		})
		if r := b.Refusals()[i]; !errors.Is(r.Err, exchange.ErrNotAdmitted) || !r.Hostile() || asked {
			t.Errorf("on a stream %s refused for %v, handler asked: %v", way, r.Err, asked)
		}
	}
	if _, err := a.Endpoint.Ask(t.Context(), b.Key.NodeID(), echo(), nil); !errors.Is(err, exchange.ErrNotAdmitted) {
		t.Errorf("our own side asked before hello: %v", err)
	}
}

func TestAskingWithoutAConnectionFailsAtOnce(t *testing.T) {
	a, b := meshtest.New(t, meshtest.Options{}), meshtest.New(t, meshtest.Options{})
	if _, err := a.Endpoint.Ask(t.Context(), b.Key.NodeID(), echo(), nil); !errors.Is(err, exchange.ErrNotConnected) {
		t.Errorf("error %v", err)
	}
}

func TestAPeerThatAsksTooOftenIsLimitedAndOthersAreNot(t *testing.T) {
	r := echo()
	r.Rate, r.Burst = 0.001, 3
	a, b := pair(t, meshtest.Options{}, meshtest.Options{}, r, reply)
	c := meshtest.New(t, meshtest.Options{})
	meshtest.Meet(t, c, c.Greets(nil), b)
	for i := range 6 {
		_, err := a.Endpoint.Ask(t.Context(), b.Key.NodeID(), r, nil)
		if i < 3 && err != nil || i >= 3 && !errors.Is(err, exchange.ErrRateLimited) {
			t.Errorf("question %d: %v", i+1, err)
		}
	}
	for i := range 3 {
		if _, err := c.Endpoint.Ask(t.Context(), b.Key.NodeID(), r, nil); err != nil {
			t.Errorf("question %d of another peer: %v", i+1, err)
		}
	}
}

func TestSlotsAreBoundedPerPeerAndAreGivenBack(t *testing.T) {
	r := echo()
	r.PerPeer = 2
	inside, release := make(chan struct{}, 8), make(chan struct{})
	a, b := pair(t, meshtest.Options{}, meshtest.Options{}, r, func(ctx context.Context, _ exchange.From, _ []byte) ([]byte, error) {
		inside <- struct{}{}
		select {
		case <-release:
		case <-ctx.Done():
		}
		return nil, ctx.Err()
	})
	results := make(chan error, 2)
	for range 2 {
		go func() {
			_, err := a.Endpoint.Ask(t.Context(), b.Key.NodeID(), r, nil)
			results <- err
		}()
		<-inside
	}
	if _, err := a.Endpoint.Ask(t.Context(), b.Key.NodeID(), r, nil); !errors.Is(err, exchange.ErrBusy) {
		t.Errorf("the third at once: %v", err)
	}
	close(release)
	for range 2 {
		if err := <-results; err != nil {
			t.Errorf("one of the first two: %v", err)
		}
	}
	if _, err := a.Endpoint.Ask(t.Context(), b.Key.NodeID(), r, nil); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func TestTheTextOfAnInternalErrorStaysInside(t *testing.T) {
	a, b := pair(t, meshtest.Options{}, meshtest.Options{}, echo(), func(context.Context, exchange.From, []byte) ([]byte, error) {
		return nil, errors.New("open /home/anna/secret.db: no such file")
	})
	_, err := a.Endpoint.Ask(t.Context(), b.Key.NodeID(), echo(), nil)
	if !errors.Is(err, exchange.ErrNoAnswer) || strings.Contains(err.Error(), "anna") {
		t.Errorf("the peer was told %v", err)
	}
	if all := b.Refusals(); len(all) != 1 || !strings.Contains(all[0].Err.Error(), "anna") || all[0].Hostile() {
		t.Errorf("the local log got %v", all)
	}
}

func TestAFarewellIsReadBeforeTheConnectionCloses(t *testing.T) {
	a, b := pair(t, meshtest.Options{}, meshtest.Options{}, echo(), func(context.Context, exchange.From, []byte) ([]byte, error) {
		return nil, exchange.Farewell([]byte("go away"), errors.New("they are rude"))
	})
	answer, err := a.Endpoint.Ask(t.Context(), b.Key.NodeID(), echo(), nil)
	if err != nil || string(answer.Payload) != "go away" {
		t.Fatalf("the peer was told %v, %v", answer, err)
	}
	meshtest.Eventually(t, func() error {
		if c := a.Host.Network().Connectedness(b.Host.ID()); c != network.NotConnected {
			return fmt.Errorf("still %v", c)
		}
		return nil
	})
	if all := b.Refusals(); len(all) != 1 || all[0].Err.Error() != "they are rude" {
		t.Errorf("the local log got %v", all)
	}
}

func TestCancellingTheQuestionEndsItAtOnce(t *testing.T) {
	inside := make(chan struct{})
	a, b := pair(t, meshtest.Options{}, meshtest.Options{}, echo(), func(ctx context.Context, _ exchange.From, _ []byte) ([]byte, error) {
		close(inside)
		<-ctx.Done()
		return nil, ctx.Err()
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-inside
		cancel()
	}()
	if _, err := a.Endpoint.Ask(ctx, b.Key.NodeID(), echo(), nil); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func TestAnUnansweredQuestionEndsWithTheDeadline(t *testing.T) {
	inNoTime(t, func(t *testing.T, on func(int) meshtest.Options) {
		hasty := on(1)
		hasty.Timeout = 100 * time.Millisecond
		a, b := pair(t, hasty, on(2), echo(), func(ctx context.Context, _ exchange.From, _ []byte) ([]byte, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		})
		began := time.Now()
		if _, err := a.Endpoint.Ask(t.Context(), b.Key.NodeID(), echo(), nil); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != hasty.Timeout {
			t.Errorf("after %s: error %v", time.Since(began), err)
		}
	})
}

func TestClosingAServerBreaksOffWhatIsUnderWay(t *testing.T) {
	a, b := meshtest.New(t, meshtest.Options{}), meshtest.New(t, meshtest.Options{})
	client := a.Greets(nil)
	b.Greets(nil)
	inside := make(chan struct{})
	server := b.Endpoint.Serve(echo(), func(ctx context.Context, _ exchange.From, _ []byte) ([]byte, error) {
		close(inside)
		<-ctx.Done()
		return nil, ctx.Err()
	})
	meshtest.Meet(t, a, client, b)
	result := make(chan error, 1)
	go func() {
		_, err := a.Endpoint.Ask(t.Context(), b.Key.NodeID(), echo(), nil)
		result <- err
	}()
	<-inside
	server.Close()
	server.Close()
	if err := <-result; !errors.Is(err, exchange.ErrClosing) {
		t.Errorf("the question under way got %v", err)
	}
	if _, err := a.Endpoint.Ask(t.Context(), b.Key.NodeID(), echo(), nil); !errors.Is(err, exchange.ErrUnsupported) {
		t.Errorf("the next question got %v", err)
	}
}

func TestBadAnswersAreRefusedAndBlamedOnTheirSender(t *testing.T) {
	thief, err := identity.New(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	foreign := protocol.NewSealer(thief, meshtest.NewSequence(), time.Now)
	var replay []byte
	cases := []struct {
		name  string
		bytes func(t *testing.T, b *meshtest.Node) []byte
		want  error
	}{
		{"sealed by somebody else", func(t *testing.T, _ *meshtest.Node) []byte {
			return frame(seal(t, foreign, protocol.MsgQueryResponse, nil))
		}, protocol.ErrSender},
		{"of another type", func(t *testing.T, b *meshtest.Node) []byte {
			return frame(seal(t, b.Sealer, protocol.MsgPong, nil))
		}, protocol.ErrType},
		{"too large", func(*testing.T, *meshtest.Node) []byte { return []byte{0xff, 0xff, 0xff, 0x0f} }, protocol.ErrTooLarge},
		{"the first time", func(t *testing.T, b *meshtest.Node) []byte {
			replay = frame(seal(t, b.Sealer, protocol.MsgQueryResponse, nil))
			return replay
		}, nil},
		{"the second time", func(*testing.T, *meshtest.Node) []byte { return replay }, protocol.ErrSequence},
	}
	a, b := meshtest.New(t, meshtest.Options{}), meshtest.New(t, meshtest.Options{})
	client := a.Greets(nil)
	b.Greets(nil)
	meshtest.Meet(t, a, client, b)
	want := 0
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			b.Host.SetStreamHandler(echo().Protocol, func(s network.Stream) {
				if _, err := protocol.ReadFrame(s, 4096); err != nil {
					t.Error(err)
				}
				if _, err := s.Write(c.bytes(t, b)); err != nil {
					t.Error(err)
				}
				_ = s.CloseWrite()
			})
			_, err := a.Endpoint.Ask(t.Context(), b.Key.NodeID(), echo(), nil)
			if !errors.Is(err, c.want) {
				t.Errorf("error %v, want %v", err, c.want)
			}
			if c.want != nil {
				want++
			}
			if all := a.Refusals(); len(all) != want || want > 0 && all[want-1].Peer != b.Key.NodeID() {
				t.Errorf("blamed %v", all)
			}
		})
	}
}

func TestAFloodOfRefusalsIsCountedInFullAndReportedInPart(t *testing.T) {
	inNoTime(t, func(t *testing.T, on func(int) meshtest.Options) {
		a, b := pair(t, on(1), on(2), echo(), reply)
		const flood = 40
		for range flood {
			if err := broken(t, a, b, frame([]byte("noise"))); err == nil {
				t.Error("noise was answered")
			}
		}
		synctest.Wait()
		if c := count(b); c.Refused != flood {
			t.Errorf("counts %+v", c)
		}
		if n := len(b.Refusals()); n != 10 {
			t.Errorf("%d of %d were reported", n, flood)
		}
	})
}

func count(n *meshtest.Node) exchange.Count {
	for _, c := range n.Endpoint.Counts() {
		if c.Protocol == string(echo().Protocol) {
			return c
		}
	}
	return exchange.Count{}
}

// One signed question and one signed answer over an open connection: two signatures, two verifications, one stream.
func BenchmarkAsk(b *testing.B) {
	r := echo()
	r.Rate, r.Burst = rate.Inf, 1
	x, y := pair(b, meshtest.Options{}, meshtest.Options{}, r, reply)
	payload := make([]byte, 1000)
	for b.Loop() {
		if _, err := x.Endpoint.Ask(b.Context(), y.Key.NodeID(), r, payload); err != nil {
			b.Fatal(err)
		}
	}
}
