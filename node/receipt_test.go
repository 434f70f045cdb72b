package node

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/caro-mesh/caro-node/internal/meshtest"
	"github.com/caro-mesh/caro-node/policy/audit"
	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/store"
)

func TestEveryAnswerLeavesAReceiptWithTheRuleAndTheExactBytes(t *testing.T) {
	asker := newKey(t)
	b := newBench(t, trusting(asker.NodeID(), "query_from"))
	b.typed(3, protocol.CategoryGit, protocol.RiskSafe, noon.Add(-2*time.Hour))
	r := b.ask(asker, protocol.QueryToolUsage)
	kept, err := b.db.ReceiptOfQuery(t.Context(), r.QueryID)
	if err != nil {
		t.Fatal(err)
	}
	e := kept.Verify()
	if len(e.Problems) > 0 || e.Response.Data.ToolUsage.TotalCommands != 3 || e.Query.Requester != asker.NodeID() || e.Countersignature != nil {
		t.Errorf("kept %+v", e)
	}
	d := kept.Record.Details
	if d["trust"] != "query_from" || d["rule"] == "" || d["source"] == "" || d["level"] != "summarized" || kept.Record.Peer != asker.NodeID() {
		t.Errorf("recorded %+v", kept.Record)
	}
}

func TestADeniedQueryLeavesNoReceipt(t *testing.T) {
	asker := newKey(t)
	b := newBench(t, trusting(asker.NodeID(), "share_to"))
	r := b.ask(asker, protocol.QueryToolUsage)
	if _, err := b.db.ReceiptOfQuery(t.Context(), r.QueryID); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("found %v", err)
	}
}

// full is a store that keeps nothing.
type full struct{ receipts }

func (full) SaveReceipt(context.Context, string, []byte, []byte, audit.Event) (audit.Record, error) {
	return audit.Record{}, errors.New("the disk is full")
}

func TestAnAnswerOfWhichNoReceiptCanBeKeptDoesNotLeave(t *testing.T) {
	asker := newKey(t)
	b := newBench(t, trusting(asker.NodeID(), "peer"))
	b.typed(3, protocol.CategoryGit, protocol.RiskSafe, noon.Add(-2*time.Hour))
	end := noon.Truncate(time.Hour)
	q := &protocol.MeshQuery{QueryID: uuid.NewString(), Requester: asker.NodeID(), QueryType: protocol.QueryToolUsage,
		TimeRange: protocol.TimeRange{Start: protocol.At(end.AddDate(0, 0, -7)), End: protocol.At(end)}}
	asked, err := protocol.SignQuery(q, asker, noon)
	if err != nil {
		t.Fatal(err)
	}
	a := b.answerer()
	a.kept = full{b.db}
	if wire, _, err := a.answer(t.Context(), asker.NodeID(), netip.Addr{}, q, asked); wire != nil || err == nil {
		t.Errorf("%d bytes left, %v", len(wire), err)
	}
}

func TestAnAskedNodeHoldsTheCountersignatureOfWhoAsked(t *testing.T) {
	a, b := pairOf(t)
	end := time.Now().Truncate(time.Hour).Add(time.Hour)
	res, err := a.Ask(t.Context(), Question{Type: protocol.QueryNodeHealth, Timeout: 30 * time.Second,
		Range: protocol.TimeRange{Start: protocol.At(end.Add(-24 * time.Hour)), End: protocol.At(end)}})
	if err != nil || res.Status != protocol.StatusSuccess {
		t.Fatalf("%+v, %v", res, err)
	}
	meshtest.Eventually(t, func() error {
		kept, err := b.c.Store.ReceiptOfQuery(t.Context(), res.QueryID)
		if err != nil {
			return err
		}
		e := kept.Verify()
		if len(e.Problems) > 0 || e.Countersignature == nil || e.Countersignature.Requester != a.c.Identity.NodeID() || e.Response.Responder != b.c.Identity.NodeID() {
			return fmt.Errorf("kept %+v", e)
		}
		return nil
	})
}
