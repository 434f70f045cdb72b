package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	v1 "github.com/caro-mesh/caro-node/api/v1"
	"github.com/caro-mesh/caro-node/node/identity"
	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/protocol/exchange"
	"github.com/caro-mesh/caro-node/protocol/query"
	"github.com/caro-mesh/caro-node/protocol/summary"
	"github.com/caro-mesh/caro-node/scripts/hostile"
	"github.com/caro-mesh/caro-node/scripts/nodeproc"
)

// summaryOf makes a summary of yesterday with n commands that claims to be of id.
func summaryOf(id protocol.NodeID, n uint64) *protocol.NodeSummary {
	s := &protocol.NodeSummary{ID: newUUID(), NodeID: id, Period: protocol.PeriodAt(time.Now(), protocol.Daily).Previous(), TotalCommands: n,
		CategoryStats: []protocol.CategoryStat{{Category: protocol.CategoryGit, Count: n}}, GeneratedAt: protocol.At(time.Now())}
	s.HourlyActivity[9], s.DailyActivity[protocol.MondayIndex(s.Period.Start.Time().Weekday())], s.SafetyStats.ByRisk.Safe = n, n, n
	return s
}

// signedBy signs with a key that need not be the one of the node it is about.
type signedBy struct {
	*identity.Identity
	as protocol.NodeID
}

func (s signedBy) NodeID() protocol.NodeID { return s.as }

func TestForgedSummariesAreRefusedAndRecordedAndChangeNothing(t *testing.T) {
	anna, carol := newNode(t, "anna"), newKey(t) // carol is trusted too, and not there
	mallory := newAttacker(t)
	anna.configure(fmt.Sprintf("[[policy.nodes]]\nid = %q\ntrust = \"peer\"\n[[policy.nodes]]\nid = %q\ntrust = \"peer\"\n", mallory.Key.NodeID(), carol.NodeID()))
	anna.start()
	target, err := hostile.ParseTarget(anna.Address())
	if err != nil {
		t.Fatal(err)
	}
	sign := func(s *protocol.NodeSummary, key protocol.Signer) []byte {
		t.Helper()
		wire, err := protocol.SignSummary(s, key, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		return wire
	}
	genuine := summaryOf(carol.NodeID(), 666)
	own := summaryOf(mallory.Key.NodeID(), 3)
	altered := bytes.Replace(sign(own, mallory.Key), []byte(own.ID), []byte(newUUID()), 1)
	forgeries := map[string]struct {
		id   string
		wire []byte
		kind string
	}{
		"a genuine one of another node":         {genuine.ID, sign(genuine, carol), "sender"},
		"another's, signed with the liar's key": {genuine.ID, sign(genuine, signedBy{mallory.Key, carol.NodeID()}), "signature"},
		"its own, altered after it was signed":  {own.ID, altered, "signature"},
	}
	if err := mallory.Meet(t.Context(), target); err != nil {
		t.Fatal(err)
	}
	for name, f := range forgeries {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		_, err := summary.Push(ctx, mallory.Endpoint, target.ID, f.id, f.wire)
		cancel()
		if !errors.Is(err, exchange.ErrViolation) {
			t.Errorf("%s: %v", name, err)
		}
	}
	v, err := summary.Push(t.Context(), mallory.Endpoint, target.ID, own.ID, sign(own, mallory.Key))
	if err != nil || v.Status != summary.StatusAccepted {
		t.Errorf("an honest summary after that: %+v, %v", v, err)
	}
	var page v1.SummaryPage
	anna.caroJSON(&page, "summary", "list")
	if len(page.Summaries) != 1 || page.Summaries[0].ID != own.ID || page.Summaries[0].TotalCommands != 3 {
		t.Errorf("anna holds %+v", page.Summaries)
	}
	kinds := make(map[string]int)
	eventually(t, func() string {
		clear(kinds)
		for _, r := range auditOf(anna, protocol.AuditPolicyViolation) {
			if string(r.Peer) == string(mallory.Key.NodeID()) {
				kinds[r.Details["kind"]]++
			}
		}
		if kinds["sender"] == 1 && kinds["signature"] == 2 {
			return ""
		}
		return fmt.Sprintf("the violations on record are %v", kinds)
	})
}

func newKey(t *testing.T) *identity.Identity {
	t.Helper()
	k, err := identity.New(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestAPeerThatAnswersForAnotherIsAnErrorInTheCoverageAndCountsNothing(t *testing.T) {
	anna, bob := newNode(t, "anna"), newNode(t, "bob")
	mallory := newAttacker(t)
	anna.configure(fmt.Sprintf("[[policy.nodes]]\nid = %q\ntrust = \"peer\"\nname = \"mallory\"\n", mallory.Key.NodeID()), nodeproc.Grant{To: bob.Node, Trust: "peer"})
	bob.configure("", nodeproc.Grant{To: anna.Node, Trust: "peer"})
	bob.observe("git status", "git log")
	anna.start()
	bob.start()
	bob.awaitEvents(2)
	target, err := hostile.ParseTarget(anna.Address())
	if err != nil {
		t.Fatal(err)
	}
	if err := mallory.Meet(t.Context(), target); err != nil {
		t.Fatal(err)
	}
	anna.awaitPeers(2)

	bobs, err := protocol.ParseNodeID(bob.ID)
	if err != nil {
		t.Fatal(err)
	}
	carol := newKey(t)
	// lie answers with a success of 1,000 commands that name as responder and contributor whoever it likes.
	lie := func(q *protocol.MeshQuery, responder protocol.Signer, contributors ...protocol.Fingerprint) ([]byte, error) {
		return protocol.SignResponse(&protocol.MeshResponse{QueryID: q.QueryID, Responder: responder.NodeID(), Status: protocol.StatusSuccess,
			Data: &protocol.ResponseData{ToolUsage: &protocol.ToolUsage{TotalCommands: 1000, TimeRange: q.TimeRange,
				ByCategory: []protocol.CategorySums{{Category: protocol.CategoryGit, Count: 1000, NodeCount: 1}}}},
			Contributors: contributors, Timestamp: protocol.At(time.Now())}, responder, time.Now())
	}
	for name, answer := range map[string]func(q *protocol.MeshQuery) ([]byte, error){
		"with the response of another node": func(q *protocol.MeshQuery) ([]byte, error) { return lie(q, carol, carol.Fingerprint()) },
		"in the name of another node": func(q *protocol.MeshQuery) ([]byte, error) {
			return lie(q, signedBy{mallory.Key, bobs}, bobs.Fingerprint())
		},
		"with counts that it says are another's": func(q *protocol.MeshQuery) ([]byte, error) { return lie(q, mallory.Key, bobs.Fingerprint()) },
		"to another question": func(q *protocol.MeshQuery) ([]byte, error) {
			other := *q
			other.QueryID = newUUID()
			return lie(&other, mallory.Key, mallory.Key.Fingerprint())
		},
	} {
		t.Run(name, func(t *testing.T) {
			server := query.Serve(mallory.Endpoint, mallory.Key.NodeID(), func(_ context.Context, _ exchange.From, q *protocol.MeshQuery, _ []byte) ([]byte, query.Taken, error) {
				wire, err := answer(q)
				return wire, nil, err
			})
			defer server.Close()
			var r v1.QueryResult
			anna.query(&r, "tool_usage", "--since", "3d")
			usage, ok := r.Data.(*v1.ToolUsage)
			if !ok || usage.TotalCommands != 2 || len(r.Contributors) != 1 || string(r.Contributors[0]) != bob.Fingerprint {
				t.Errorf("bob typed 2 commands; anna learned %+v from %v", r.Data, r.Contributors)
			}
			if c := r.Coverage; c.Asked != 2 || c.Answered != 1 || c.Error != 1 {
				t.Errorf("coverage %+v", c)
			}
			for _, n := range r.Coverage.Nodes {
				if n.Fingerprint == mallory.Key.Fingerprint() && n.Reason == "" {
					t.Error("nothing says what was wrong with mallory's answer")
				}
			}
		})
	}
	eventually(t, func() string {
		n := 0
		for _, r := range auditOf(anna, protocol.AuditPolicyViolation) {
			if string(r.Peer) == string(mallory.Key.NodeID()) {
				n++
			}
		}
		if n == 4 {
			return ""
		}
		return fmt.Sprintf("%d of 4 lies are on record", n)
	})
}
