package summary_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/libp2p/go-libp2p/core/network"
	"go.uber.org/goleak"

	"github.com/caro-mesh/caro-node/internal/meshtest"
	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/protocol/exchange"
	"github.com/caro-mesh/caro-node/protocol/summary"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func meet(t *testing.T) (a, b *meshtest.Node) {
	t.Helper()
	a, b = meshtest.New(t, meshtest.Options{}), meshtest.New(t, meshtest.Options{})
	client := a.Greets(nil)
	b.Greets(nil)
	meshtest.Meet(t, a, client, b)
	return a, b
}

// signed returns a summary of n over yesterday.
func signed(t *testing.T, n *meshtest.Node) (id string, wire []byte) {
	t.Helper()
	s := &protocol.NodeSummary{ID: uuid.NewString(), NodeID: n.Key.NodeID(), Period: protocol.PeriodAt(time.Now(), protocol.Daily).Previous(),
		CategoryStats: []protocol.CategoryStat{{Category: protocol.CategoryGit, Count: 3}}, TotalCommands: 3, UniquePatterns: 2,
		GeneratedAt: protocol.At(time.Now())}
	s.HourlyActivity[9], s.DailyActivity[weekday(s)], s.SafetyStats.ByRisk.Safe = 3, 3, 3
	wire, err := protocol.SignSummary(s, n.Key, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return s.ID, wire
}

func weekday(s *protocol.NodeSummary) int {
	return protocol.MondayIndex(s.Period.Start.Time().Weekday())
}

func TestAPushedSummaryArrivesByteForByte(t *testing.T) {
	a, b := meet(t)
	var got []byte
	b.OnClose(summary.Serve(b.Endpoint, nil, func(_ context.Context, from exchange.From, s *protocol.NodeSummary, wire []byte) (summary.Verdict, error) {
		if from.ID != a.Key.NodeID() || s.NodeID != from.ID || s.TotalCommands != 3 || s.Signature == nil {
			t.Errorf("accept was asked about %+v from %+v", s, from)
		}
		if got != nil {
			return summary.Verdict{Status: summary.StatusDuplicate}, nil
		}
		got = bytes.Clone(wire)
		return summary.Verdict{Status: summary.StatusAccepted}, nil
	}).Close)
	id, wire := signed(t, a)
	for _, want := range []summary.Status{summary.StatusAccepted, summary.StatusDuplicate} {
		if v, err := summary.Push(t.Context(), a.Endpoint, b.Key.NodeID(), id, wire); err != nil || v != (summary.Verdict{Status: want}) {
			t.Errorf("push: %+v %v, want %q", v, err, want)
		}
	}
	if !bytes.Equal(got, wire) {
		t.Error("other bytes arrived")
	}
}

func TestARefusalCarriesItsCodeAndReason(t *testing.T) {
	a, b := meet(t)
	refusal := summary.Verdict{Status: summary.StatusRefused, Code: summary.CodeConflict, Reason: "another summary of this period is here already"}
	b.OnClose(summary.Serve(b.Endpoint, nil, func(context.Context, exchange.From, *protocol.NodeSummary, []byte) (summary.Verdict, error) {
		return refusal, nil
	}).Close)
	id, wire := signed(t, a)
	v, err := summary.Push(t.Context(), a.Endpoint, b.Key.NodeID(), id, wire)
	if err != nil || v != refusal {
		t.Errorf("push: %+v %v", v, err)
	}
}

func TestSummariesThatAreNotTheSendersOwnAreRefused(t *testing.T) {
	third := meshtest.New(t, meshtest.Options{})
	for name, c := range map[string]struct {
		wire func(t *testing.T, a *meshtest.Node) (string, []byte)
		want error
	}{
		"of another node": {func(t *testing.T, _ *meshtest.Node) (string, []byte) { return signed(t, third) }, protocol.ErrSender},
		"altered": {func(t *testing.T, a *meshtest.Node) (string, []byte) {
			id, wire := signed(t, a)
			other := uuid.NewString()
			return other, bytes.Replace(wire, []byte(id), []byte(other), 1)
		}, protocol.ErrSignature},
		"not a summary": {func(t *testing.T, _ *meshtest.Node) (string, []byte) { return uuid.NewString(), []byte("x") }, protocol.ErrMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := meet(t)
			b.OnClose(summary.Serve(b.Endpoint, nil, func(context.Context, exchange.From, *protocol.NodeSummary, []byte) (summary.Verdict, error) {
				t.Error("accept was asked")
				return summary.Verdict{Status: summary.StatusAccepted}, nil
			}).Close)
			id, wire := c.wire(t, a)
			if _, err := summary.Push(t.Context(), a.Endpoint, b.Key.NodeID(), id, wire); !errors.Is(err, exchange.ErrViolation) {
				t.Errorf("push: %v", err)
			}
			if all := b.Refusals(); len(all) != 1 || !errors.Is(all[0].Err, c.want) || !all[0].Hostile() {
				t.Errorf("refused %v, want %v", all, c.want)
			}
		})
	}
}

func TestALostAnswerAndOurOwnErrorsLeaveTheSummaryToBePushedAgain(t *testing.T) {
	a, b := meet(t)
	b.OnClose(summary.Serve(b.Endpoint, nil, func(context.Context, exchange.From, *protocol.NodeSummary, []byte) (summary.Verdict, error) {
		return summary.Verdict{}, errors.New("the disk of anna is full")
	}).Close)
	id, wire := signed(t, a)
	_, err := summary.Push(t.Context(), a.Endpoint, b.Key.NodeID(), id, wire)
	if !errors.Is(err, exchange.ErrNoAnswer) || strings.Contains(err.Error(), "anna") {
		t.Errorf("push: %v", err)
	}
}

func TestAnswersThatDoNotFitAreRefused(t *testing.T) {
	a, b := meet(t)
	id, wire := signed(t, a)
	for name, fields := range map[string]map[int]any{
		"for another summary":       {1: uuid.NewString(), 2: "accepted"},
		"of an unknown status":      {1: id, 2: "perhaps"},
		"accepted with a reason":    {1: id, 2: "accepted", 3: "but"},
		"refused without a reason":  {1: id, 2: "refused"},
		"of an unknown code":        {1: id, 2: "refused", 3: "no", 4: "because"},
		"accepted with a code":      {1: id, 2: "accepted", 4: "full"},
		"with a reason of controls": {1: id, 2: "refused", 3: "\x1b[2J"},
		"with an ID of its own":     {1: "../../etc", 2: "accepted"},
	} {
		t.Run(name, func(t *testing.T) {
			b.Host.SetStreamHandler(summary.ID, func(s network.Stream) {
				if _, err := protocol.ReadFrame(s, protocol.MaxSummary); err != nil {
					t.Error(err)
				}
				payload, err := protocol.Encode(fields)
				if err != nil {
					t.Error(err)
				}
				sealed, err := b.Sealer.Seal(protocol.MsgSummaryAck, payload)
				if err != nil {
					t.Error(err)
				}
				_ = protocol.WriteFrame(s, sealed)
			})
			before := len(a.Refusals())
			if v, err := summary.Push(t.Context(), a.Endpoint, b.Key.NodeID(), id, wire); !errors.Is(err, protocol.ErrMalformed) || v != (summary.Verdict{}) {
				t.Errorf("push: %+v %v", v, err)
			}
			if n := len(a.Refusals()) - before; n != 1 {
				t.Errorf("blamed %d times", n)
			}
		})
	}
}

func TestTheLargestSummaryFitsAndOneByteMoreDoesNot(t *testing.T) {
	a, b := meet(t)
	b.OnClose(summary.Serve(b.Endpoint, nil, func(context.Context, exchange.From, *protocol.NodeSummary, []byte) (summary.Verdict, error) {
		return summary.Verdict{Status: summary.StatusAccepted}, nil
	}).Close)
	sealed, err := a.Sealer.Seal(protocol.MsgSummaryPush, make([]byte, protocol.MaxSummary-1000))
	if err != nil {
		t.Fatal(err)
	}
	around := len(sealed) - (protocol.MaxSummary - 1000) // what the envelope adds, within a byte of the sequence's length
	for size, want := range map[int]error{
		protocol.MaxSummary - around - 1: exchange.ErrViolation, // arrives, and is no summary
		protocol.MaxSummary - around + 2: protocol.ErrTooLarge,  // does not leave
	} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			if _, err := summary.Push(t.Context(), a.Endpoint, b.Key.NodeID(), uuid.NewString(), make([]byte, size)); !errors.Is(err, want) {
				t.Errorf("%d bytes: %v, want %v", size, err, want)
			}
		})
	}
}

func TestASummaryOfAFormerKeyIsForTheReceiverToJudge(t *testing.T) {
	a, b := meet(t)
	before := meshtest.New(t, meshtest.Options{})
	b.OnClose(summary.Serve(b.Endpoint, func(of, by protocol.NodeID) bool { return of == before.Key.NodeID() && by == a.Key.NodeID() },
		func(_ context.Context, from exchange.From, s *protocol.NodeSummary, _ []byte) (summary.Verdict, error) {
			if from.ID != a.Key.NodeID() || s.NodeID != before.Key.NodeID() {
				t.Errorf("accept was asked about a summary of %s from %s", s.NodeID, from.ID)
			}
			return summary.Verdict{Status: summary.StatusAccepted}, nil
		}).Close)
	id, wire := signed(t, before)
	if v, err := summary.Push(t.Context(), a.Endpoint, b.Key.NodeID(), id, wire); err != nil || v.Status != summary.StatusAccepted {
		t.Errorf("push: %+v %v", v, err)
	}
	id, wire = signed(t, b)
	if _, err := summary.Push(t.Context(), a.Endpoint, b.Key.NodeID(), id, wire); !errors.Is(err, exchange.ErrViolation) {
		t.Errorf("push of another node's: %v", err)
	}
}
