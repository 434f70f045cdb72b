package summary_test

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/caro-mesh/caro-node/internal/meshtest"
	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/protocol/exchange"
	"github.com/caro-mesh/caro-node/protocol/summary"
)

// signAnything signs what [protocol.SignSummary] would not: the bytes are those that the document describes.
func signAnything(t *testing.T, n *meshtest.Node, s *protocol.NodeSummary) []byte {
	t.Helper()
	body := encode(t, s)
	now := protocol.At(time.Now())
	fingerprint := n.Key.NodeID().Fingerprint()
	value, err := n.Key.Sign(append([]byte("caro-mesh summary v1\x00"), encode(t, []any{body, fingerprint, now})...))
	if err != nil {
		t.Fatal(err)
	}
	return encode(t, map[int]any{1: body, 2: map[int]any{1: fingerprint, 2: value, 3: now}})
}

func encode(t *testing.T, v any) []byte {
	t.Helper()
	b, err := protocol.Encode(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestASummaryThatContradictsItselfIsRefusedForThatReason sends well signed summaries whose counts cannot be. The receiver
// reports each refusal as hostile, which the node puts on record with the reason.
func TestASummaryThatContradictsItselfIsRefusedForThatReason(t *testing.T) {
	for reason, edit := range map[string]func(s *protocol.NodeSummary){
		"": func(*protocol.NodeSummary) {}, // what is sent this way is accepted if nothing is wrong
		"categories add up to 4, not to the 3 commands": func(s *protocol.NodeSummary) { s.CategoryStats[0].Count, s.CategoryStats[0].FailureRate = 4, 0.25 },
		"counts by hour do not add up":                  func(s *protocol.NodeSummary) { s.HourlyActivity[3] = 1 },
		"counts by weekday do not add up":               func(s *protocol.NodeSummary) { s.DailyActivity[weekday(s)]++ },
		"counts commands on another weekday": func(s *protocol.NodeSummary) {
			d := weekday(s)
			s.DailyActivity[d], s.DailyActivity[(d+1)%7] = 2, 1
		},
		"counts commands in another hour of the day": func(s *protocol.NodeSummary) {
			s.Period = protocol.PeriodAt(s.Period.Start.Time().Add(8*time.Hour), protocol.Hourly)
		},
		"counts by risk level do not add up":                 func(s *protocol.NodeSummary) { s.SafetyStats.ByRisk.Critical = 1 },
		"category git: average or rate contradicts":          func(s *protocol.NodeSummary) { s.CategoryStats[0].FailureRate = 1.5 },
		"category git: average or rate contradicts its sums": func(s *protocol.NodeSummary) { s.CategoryStats[0].FailureRate = -0.5 },
		"category git: more timed or failed":                 func(s *protocol.NodeSummary) { s.CategoryStats[0].FailureCount, s.CategoryStats[0].FailureRate = 6, 2 },
		"category git: a duration without":                   func(s *protocol.NodeSummary) { s.CategoryStats[0].DurationMSSum = 9 },
		"NaN":                                                func(s *protocol.NodeSummary) { s.CategoryStats[0].FailureRate = math.NaN() },
		"4 unique patterns among 3":                          func(s *protocol.NodeSummary) { s.UniquePatterns = 4 },
		"4 blocked commands among 3":                         func(s *protocol.NodeSummary) { s.SafetyStats.BlockedCount = 4 },
		"is not aligned": func(s *protocol.NodeSummary) {
			s.Period.Start, s.Period.End = s.Period.Start+3600e9, s.Period.End+3600e9
		},
		"hourly period": func(s *protocol.NodeSummary) { s.Period.Granularity = protocol.Hourly },
		"unknown command category \"other:our-private-script\"": func(s *protocol.NodeSummary) { s.CategoryStats[0].Category = "other:our-private-script" },
		"replaces itself": func(s *protocol.NodeSummary) { s.Replaces = s.ID },
	} {
		t.Run(reason, func(t *testing.T) {
			a, b := meet(t)
			b.OnClose(summary.Serve(b.Endpoint, nil, func(context.Context, exchange.From, *protocol.NodeSummary, []byte) (summary.Verdict, error) {
				if reason != "" {
					t.Error("accept was asked")
				}
				return summary.Verdict{Status: summary.StatusAccepted}, nil
			}).Close)
			s := &protocol.NodeSummary{ID: uuid.NewString(), NodeID: a.Key.NodeID(), Period: protocol.PeriodAt(time.Now(), protocol.Daily).Previous(),
				CategoryStats: []protocol.CategoryStat{{Category: protocol.CategoryGit, Count: 3, FailureCount: 1}}, TotalCommands: 3, GeneratedAt: protocol.At(time.Now())}
			s.HourlyActivity[9], s.DailyActivity[weekday(s)], s.SafetyStats.ByRisk.Safe = 3, 3, 3
			s.CategoryStats[0].Derive()
			edit(s)
			v, err := summary.Push(t.Context(), a.Endpoint, b.Key.NodeID(), s.ID, signAnything(t, a, s))
			all := b.Refusals()
			if reason == "" {
				if err != nil || v.Status != summary.StatusAccepted || len(all) != 0 {
					t.Errorf("%+v, %v, refused %v", v, err, all)
				}
				return
			}
			if !errors.Is(err, exchange.ErrViolation) {
				t.Errorf("push: %+v, %v", v, err)
			}
			if len(all) != 1 || !all[0].Hostile() || !strings.Contains(all[0].Err.Error(), reason) {
				t.Errorf("refused %v", all)
			}
		})
	}
}
