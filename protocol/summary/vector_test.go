package summary

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/caro-mesh/caro-node/internal/wiretest"
	"github.com/caro-mesh/caro-node/protocol"
)

const summaryID = "01939f2e-6c00-7000-8000-0000000000aa"

var (
	pushMessage = wiretest.Message{Type: protocol.MsgSummaryPush, Reread: func(payload []byte) ([]byte, error) {
		s, err := protocol.OpenSummary(payload)
		if err != nil {
			return nil, err
		}
		return protocol.SignSummary(s, wiretest.Sender{}, s.Signature.Timestamp.Time())
	}}
	ackMessage = wiretest.Message{Type: protocol.MsgSummaryAck, Reread: wiretest.Reread[ack]}
)

// hour is a summary of n commands.
func hour(n uint64) *protocol.NodeSummary {
	s := &protocol.NodeSummary{ID: summaryID, NodeID: wiretest.Sender{}.NodeID(), Period: protocol.PeriodAt(wiretest.Now.Add(-3600e9), protocol.Hourly),
		CategoryStats: []protocol.CategoryStat{}, TotalCommands: n, GeneratedAt: protocol.At(wiretest.Now)}
	if n > 0 {
		s.CategoryStats = append(s.CategoryStats, protocol.CategoryStat{Category: protocol.CategoryGit, Count: n, DurationMSSum: 10 * n, TimedCount: n, FailureCount: 1})
		s.CategoryStats[0].Derive()
	}
	s.HourlyActivity[11], s.DailyActivity[0], s.SafetyStats.ByRisk.Safe = n, n, n
	return s
}

// correction takes the place of an hour.
func correction(n uint64) *protocol.NodeSummary {
	s := hour(n)
	s.ID, s.Replaces = "01939f2e-6c00-7000-8000-0000000000ac", summaryID
	return s
}

func sign(t *testing.T, s *protocol.NodeSummary) []byte {
	t.Helper()
	b, err := protocol.SignSummary(s, wiretest.Sender{}, wiretest.Now)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestSummaryPushHasItsVectors(t *testing.T) {
	good := sign(t, hour(3))
	pushMessage.Check(t, map[string][]byte{
		"an hour":                   good,
		"an hour without commands":  sign(t, hour(0)),
		"the correction of an hour": sign(t, correction(4)),
	}, map[string][]byte{
		"a correction of itself": func() []byte {
			c := correction(4)
			b := sign(t, c)
			return bytes.Replace(b, []byte(summaryID), []byte(c.ID), 1)
		}(),
		"another ID than was signed":   bytes.Replace(good, []byte(summaryID), []byte("01939f2e-6c00-7000-8000-0000000000ab"), 1),
		"another node than has signed": bytes.Replace(good, []byte(wiretest.Sender{}.NodeID()), []byte("caro:ed25519:gTl3Dqh9F19Wo1Rmw0x+zMuNipG07jeiXfYPW4/Js5Q="), 1),
		"a part of its signature gone": bytes.Replace(good, good[len(good)-40:len(good)-30], make([]byte, 10), 1),
	})
}

func TestSummaryAckHasItsVectors(t *testing.T) {
	ackMessage.Check(t, map[string][]byte{
		"accepted":              wiretest.Encode(t, &ack{SummaryID: summaryID, Status: StatusAccepted}),
		"duplicate":             wiretest.Encode(t, &ack{SummaryID: summaryID, Status: StatusDuplicate}),
		"refused":               wiretest.Encode(t, &ack{SummaryID: summaryID, Status: StatusRefused, Reason: "another summary of this period is here already"}),
		"refused with its code": wiretest.Encode(t, &ack{SummaryID: summaryID, Status: StatusRefused, Reason: "this node keeps no more of your summaries", Code: CodeFull}),
	}, map[string][]byte{
		"unknown status":            wiretest.Encode(t, &ack{SummaryID: summaryID, Status: "perhaps"}),
		"accepted with a reason":    wiretest.Encode(t, &ack{SummaryID: summaryID, Status: StatusAccepted, Reason: "but"}),
		"unknown code":              wiretest.Encode(t, &ack{SummaryID: summaryID, Status: StatusRefused, Reason: "no", Code: "because"}),
		"accepted with a code":      wiretest.Encode(t, &ack{SummaryID: summaryID, Status: StatusAccepted, Code: CodeFull}),
		"refused without a reason":  wiretest.Encode(t, &ack{SummaryID: summaryID, Status: StatusRefused}),
		"an ID that is no UUID":     wiretest.Encode(t, &ack{SummaryID: "../../etc", Status: StatusAccepted}),
		"an ID in upper case":       wiretest.Encode(t, &ack{SummaryID: "01939F2E-6C00-7000-8000-0000000000AA", Status: StatusAccepted}),
		"a reason that moves lines": wiretest.Encode(t, &ack{SummaryID: summaryID, Status: StatusRefused, Reason: "a\nb"}),
	})
}

func TestTheReasonOfARefusalHasItsLimitOnBothSides(t *testing.T) {
	of := func(n int) error {
		return (&ack{SummaryID: summaryID, Status: StatusRefused, Reason: strings.Repeat("x", n)}).Validate()
	}
	if err := of(protocol.MaxReason); err != nil {
		t.Errorf("%d bytes, the limit: %v", protocol.MaxReason, err)
	}
	if of(protocol.MaxReason+1) == nil {
		t.Error("one byte above the limit is accepted")
	}
}

func TestEverySummaryPushSurvivesTheWire(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b, err := protocol.SignSummary(hour(rapid.Uint64Range(1, protocol.MaxCount/10).Draw(t, "commands")), wiretest.Sender{}, wiretest.Now)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := pushMessage.Reread(b); err != nil || !bytes.Equal(again, b) {
			t.Fatalf("%x became %x (%v)", b, again, err)
		}
	})
}

func TestEverySummaryAckSurvivesTheWire(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := ack{SummaryID: uuid.Must(uuid.FromBytes(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "id"))).String(),
			Status: rapid.SampledFrom([]Status{StatusAccepted, StatusDuplicate, StatusRefused}).Draw(t, "status")}
		if a.Status == StatusRefused {
			a.Reason = rapid.StringMatching(`[a-z ]{1,100}`).Draw(t, "reason")
			a.Code = rapid.SampledFrom(append([]Code{""}, codes...)).Draw(t, "code")
		}
		ackMessage.Survives(t, &a)
	})
}

func FuzzSummaryAck(f *testing.F) { ackMessage.Fuzz(f) }

func TestTheDocumentDescribesThisProtocol(t *testing.T) {
	document := wiretest.Document(t, "../..")
	wiretest.Row(t, document, "`"+ID+"`", rules.Rate, rules.Burst, rules.PerPeer, rules.Total)
	wiretest.Fields(t, document, "SummaryAck", ack{})
}
