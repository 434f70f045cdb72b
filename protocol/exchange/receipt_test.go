package exchange_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caro-mesh/caro-node/internal/meshtest"
	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/protocol/exchange"
)

// receiptedEcho is echo with a third message.
func receiptedEcho() exchange.Rules {
	r := echo()
	r.Receipt, r.ReceiptLimit = protocol.MsgQueryReceipt, 1024
	return r
}

// receiptedPair is pair where b sends the receipts that it takes to the channel.
func receiptedPair(t *testing.T, ao, bo meshtest.Options) (a, b *meshtest.Node, server *exchange.Server, taken <-chan string) {
	t.Helper()
	a, b = meshtest.New(t, ao), meshtest.New(t, bo)
	client := a.Greets(nil)
	b.Greets(nil)
	all := make(chan string, 8)
	server = b.Endpoint.ServeReceipted(receiptedEcho(), func(ctx context.Context, f exchange.From, p []byte) ([]byte, func(context.Context, []byte) error, error) {
		answer, err := reply(ctx, f, p)
		return answer, func(_ context.Context, receipt []byte) error { all <- string(receipt); return nil }, err
	})
	b.OnClose(server.Close)
	meshtest.Meet(t, a, client, b)
	return a, b, server, all
}

func TestAReceiptFollowsTheAnswerThatItIsFor(t *testing.T) {
	a, b, _, taken := receiptedPair(t, meshtest.Options{}, meshtest.Options{})
	for _, word := range []string{"one", "two"} {
		answer, err := a.Endpoint.AskReceipted(t.Context(), b.Key.NodeID(), receiptedEcho(), []byte(word), func(answer *exchange.Answer) ([]byte, error) {
			return append([]byte("got "), answer.Payload...), nil
		})
		if err != nil || string(answer.Payload) != "re: "+word {
			t.Fatalf("answer %+v, %v", answer, err)
		}
		if got := <-taken; got != "got re: "+word {
			t.Errorf("receipt %q", got)
		}
	}
}

func TestAnAnswerThatTheAskerRefusesGetsNoReceipt(t *testing.T) {
	a, b, _, taken := receiptedPair(t, meshtest.Options{}, meshtest.Options{})
	mine := errors.New("not what I asked for")
	if answer, err := a.Endpoint.AskReceipted(t.Context(), b.Key.NodeID(), receiptedEcho(), nil, func(*exchange.Answer) ([]byte, error) {
		return []byte("never"), mine
	}); answer != nil || !errors.Is(err, mine) {
		t.Errorf("answer %+v, %v", answer, err)
	}
	meshtest.Eventually(t, func() error {
		if c := count(b); c.Served != 1 || c.Refused != 0 || len(taken) != 0 || count(a).Failed != 1 {
			return fmt.Errorf("counted %+v and %+v, %d receipts", c, count(a), len(taken))
		}
		return nil
	})
}

func TestReceiptsClimbTheLadderToo(t *testing.T) {
	for name, c := range map[string]struct {
		receipt func(t *testing.T, a *meshtest.Node) []byte
		want    error
	}{
		"too large": {func(*testing.T, *meshtest.Node) []byte { return []byte{0x81, 0x08} }, protocol.ErrTooLarge}, // 1025
		"another type": {func(t *testing.T, a *meshtest.Node) []byte {
			return frame(seal(t, a.Sealer, protocol.MsgQuery, []byte("x")))
		}, protocol.ErrType},
		"noise": {func(*testing.T, *meshtest.Node) []byte { return frame([]byte("noise of some length")) }, protocol.ErrMagic},
	} {
		t.Run(name, func(t *testing.T) {
			a, b, _, taken := receiptedPair(t, meshtest.Options{}, meshtest.Options{})
			s := raw(t, a, b)
			if _, err := s.Write(frame(seal(t, a.Sealer, protocol.MsgQuery, []byte("hi")))); err != nil {
				t.Fatal(err)
			}
			if _, err := protocol.ReadFrame(s, 4096); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Write(c.receipt(t, a)); err != nil {
				t.Fatal(err)
			}
			meshtest.Eventually(t, func() error {
				if all := b.Refusals(); len(all) != 1 || !errors.Is(all[0].Err, c.want) || !all[0].Hostile() {
					return fmt.Errorf("refused %v, want %w", all, c.want)
				}
				return nil
			})
			if len(taken) != 0 {
				t.Error("it was taken")
			}
		})
	}
}

func TestASilentAskerIsWaitedForFiveSecondsAndIsNotBlamed(t *testing.T) {
	inNoTime(t, func(t *testing.T, on func(int) meshtest.Options) {
		a, b, _, taken := receiptedPair(t, on(1), on(2))
		s := raw(t, a, b)
		if _, err := s.Write(frame(seal(t, a.Sealer, protocol.MsgQuery, []byte("hi")))); err != nil {
			t.Fatal(err)
		}
		if _, err := protocol.ReadFrame(s, 4096); err != nil {
			t.Fatal(err)
		}
		answered := time.Now()
		if _, err := s.Read(make([]byte, 1)); !errors.Is(err, io.EOF) { // the other side is closed at once …
			t.Errorf("after the answer: %v", err)
		}
		synctest.Wait()
		if c := count(b); c.Served != 0 {
			t.Errorf("counted %+v before the receipt could come", c)
		}
		time.Sleep(5 * time.Second) //nolint:forbidigo // the bubble's clock, which jumps
		synctest.Wait()
		if c := count(b); c.Served != 1 || c.Refused != 0 || len(taken)+len(b.Refusals()) != 0 {
			t.Errorf("counted %+v after %s, refused %v", c, time.Since(answered), b.Refusals())
		}
	})
}

func TestANodeThatStopsWaitsForNoReceipt(t *testing.T) {
	a, b, server, taken := receiptedPair(t, meshtest.Options{}, meshtest.Options{})
	s := raw(t, a, b)
	if _, err := s.Write(frame(seal(t, a.Sealer, protocol.MsgQuery, []byte("hi")))); err != nil {
		t.Fatal(err)
	}
	if _, err := protocol.ReadFrame(s, 4096); err != nil {
		t.Fatal(err)
	}
	server.Close() // returns when the exchange has ended
	if c := count(b); c.Served != 1 || c.Refused != 0 || len(taken) != 0 {
		t.Errorf("counted %+v", c)
	}
}

func TestWhoOwesAReceiptKeepsNobodyFromBeingAnswered(t *testing.T) {
	inNoTime(t, func(t *testing.T, on func(int) meshtest.Options) {
		r := receiptedEcho()
		r.PerPeer, r.Total = 1, 1
		debtor, honest, b := meshtest.New(t, on(1)), meshtest.New(t, on(2)), meshtest.New(t, on(3))
		b.Greets(nil)
		b.OnClose(b.Endpoint.ServeReceipted(r, func(ctx context.Context, f exchange.From, p []byte) ([]byte, func(context.Context, []byte) error, error) {
			answer, err := reply(ctx, f, p)
			return answer, func(context.Context, []byte) error { return nil }, err
		}).Close)
		for _, n := range []*meshtest.Node{debtor, honest} {
			meshtest.Meet(t, n, n.Greets(nil), b)
		}
		for n := range 5 { // one of these is waited for, the others are not
			s := raw(t, debtor, b)
			if _, err := s.Write(frame(seal(t, debtor.Sealer, r.Request, nil))); err != nil {
				t.Fatal(err)
			}
			if _, err := protocol.ReadFrame(s, r.AnswerLimit); err != nil {
				t.Errorf("question %d of who owes receipts: %v", n+1, err)
			}
			synctest.Wait()
			if _, err := honest.Endpoint.Ask(t.Context(), b.Key.NodeID(), r, nil); err != nil {
				t.Errorf("with %d receipts owed by another, a question got %v", n+1, err)
			}
			synctest.Wait()
		}
	})
}
