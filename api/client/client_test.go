package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/caro-mesh/caro-node/api"
	"github.com/caro-mesh/caro-node/api/client"
	"github.com/caro-mesh/caro-node/api/internal/fake"
	v1 "github.com/caro-mesh/caro-node/api/v1"
	"github.com/caro-mesh/caro-node/protocol"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var noon = time.Date(2026, 11, 23, 12, 30, 0, 0, time.UTC)

// node runs a server and returns its backend, and a client for each way in.
func node(t *testing.T) (*fake.Backend, map[string]*client.Client) {
	t.Helper()
	dir := t.TempDir()
	token, err := api.TokenFile(filepath.Join(dir, "api.token"))
	if err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(dir, "api.sock")
	s, err := api.Listen(t.Context(), api.Config{Socket: socket, Listen: "127.0.0.1:0", Token: token, Now: func() time.Time { return noon }})
	if err != nil {
		t.Fatal(err)
	}
	b := fake.Sample(noon)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx, b) }()
	clients := map[string]*client.Client{"socket": client.New(socket), "tcp": client.NewTCP(s.Endpoints().Listen, token)}
	t.Cleanup(func() {
		for _, c := range clients {
			c.Close()
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return b, clients
}

func TestEveryCallReturnsWhatTheNodeSaid(t *testing.T) {
	b, clients := node(t)
	b.Stored = []v1.Summary{{NodeSummary: b.Preview.Summary, Own: true, PushedTo: []protocol.Fingerprint{"0011223344556677"}}}
	b.Records = []v1.AuditRecord{{ID: "a", Sequence: 1, EventType: protocol.AuditTrustChanged, Timestamp: noon, Details: map[string]string{"rule": "deny"}}}
	b.Left = []v1.Receipt{{Number: 17, Name: "bob", Timestamp: noon, Problems: []string{}}}
	b.Rules = v1.Policy{MaxLevel: protocol.LevelSummarized, Rules: []v1.PolicyRule{{Rule: v1.Rule{Name: "deny", Source: "config.toml", Line: 3}, Kind: "deny", Match: "*"}}}
	for way, c := range clients {
		b.Known, b.Grants = fake.Sample(noon).Known, nil
		ctx := t.Context()
		check := func(what string, got, want any, err error) {
			t.Helper()
			if err != nil {
				t.Errorf("%s over %s: %v", what, way, err)
			}
			if g, w := jsonOf(t, got), jsonOf(t, want); g != w {
				t.Errorf("%s over %s:\n got %s\nwant %s", what, way, g, w)
			}
		}
		id, err := c.Identity(ctx)
		check("identity", id.PeerID, b.Self.PeerID, err)
		status, err := c.Status(ctx)
		check("status", status.Database, b.Node.Database, err)
		check("ready", nil, nil, c.Ready(ctx))
		failed := true
		events, err := c.Events(ctx, client.EventQuery{Search: "go test", CWD: "/home/anna", Since: "30d", Until: "2026-11-24T00:00:00Z", MinRisk: "safe", Category: "other:go", Failed: &failed, Limit: 2})
		check("events", events.Events[1].ID, b.Commands[17].ID, err)
		more, err := c.Events(ctx, client.EventQuery{Search: "go test", Limit: 2, Cursor: events.NextCursor})
		check("more events", more.Events[0].ID, b.Commands[32].ID, err)
		own := true
		summaries, err := c.Summaries(ctx, client.SummaryQuery{Own: &own, Granularity: protocol.Daily, Node: "anna", Limit: 3})
		check("summaries", summaries.Summaries, b.Stored, err)
		summary, err := c.Summary(ctx, b.Stored[0].ID)
		check("summary", summary.Summary, b.Stored[0], err)
		preview, err := c.PreviewSummary(ctx, protocol.Weekly, noon.AddDate(0, 0, -7))
		check("preview", preview.Summary.Period, protocol.PeriodAt(noon.AddDate(0, 0, -7), protocol.Weekly), err)
		preview, err = c.PreviewSummary(ctx, "", time.Time{})
		check("preview of today", preview.Summary.Period, protocol.PeriodAt(noon, protocol.Daily), err)
		peers, err := c.Peers(ctx)
		check("peers", peers.Peers, b.Known, err)
		peer, err := c.AddPeer(ctx, "/ip4/10.0.0.1/tcp/9238/p2p/x")
		check("add peer", peer.Addresses, []string{"/ip4/10.0.0.1/tcp/9238/p2p/x"}, err)
		ping, err := c.PingPeer(ctx, string(fake.NodeID(2))) // contains / and + like any base64
		check("ping", ping.RTTMS, 1.5, err)
		removed, err := c.RemovePeer(ctx, string(fake.NodeID(2)))
		check("remove peer", removed.NodeID, fake.NodeID(2), err)
		grant, err := c.SetTrust(ctx, v1.TrustChange{NodeID: string(fake.NodeID(9)), Trust: "peer", Name: "eve"})
		check("set trust", grant.Trust, protocol.TrustPeer, err)
		trust, err := c.Trust(ctx)
		check("trust", trust.Grants, b.Grants, err)
		policy, err := c.Policy(ctx)
		check("policy", policy.Rules, b.Rules.Rules, err)
		reload, err := c.ReloadPolicy(ctx)
		check("reload", reload.Kept, 2, err)
		diff, err := c.DiffPolicy(ctx, v1.PolicyFile{Name: "x.toml", Text: strings.Repeat("# \"\n", 100_000)})
		check("diff", len(diff.Changes[0].Subject), 400_000, err)
		replay, err := c.ReplayPolicy(ctx, v1.PolicyReplayRequest{PolicyFile: v1.PolicyFile{Name: "x.toml"}, Days: 9})
		check("replay", replay.Queries, 9, err)
		get, err := c.PreviewPolicy(ctx, "bob", "2d")
		check("policy preview", get.TimeRange.Start.Time(), noon.Truncate(time.Hour).AddDate(0, 0, -2), err)
		records, err := c.Audit(ctx, client.AuditQuery{Types: []protocol.AuditEventType{protocol.AuditTrustChanged, protocol.AuditKeyRotated}, Peer: "bob", Ascending: true, Limit: 5})
		check("audit", records.Records, b.Records, err)
		verdict, err := c.VerifyAudit(ctx)
		check("verify audit", verdict.Head, b.Verdict.Head, err)
		receipts, err := c.Receipts(ctx, client.ReceiptQuery{Node: "bob", Since: "7d", Limit: 5})
		check("receipts", receipts.Receipts, b.Left, err)
		receipt, err := c.Receipt(ctx, "17")
		check("receipt", receipt.ResponseText, "{}", err)
	}
}

func jsonOf(t *testing.T, v any) string {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return strings.NewReplacer(":null", ":[]").Replace(string(raw)) // nil lists arrive as empty ones
}

func TestQueryDataArrivesInItsOwnType(t *testing.T) {
	b, clients := node(t)
	for _, data := range []v1.Data{
		&v1.ToolUsage{ByCategory: map[protocol.CommandCategory]v1.CategoryUsage{"git": {Count: 3, NodeCount: 2, AvgDurationMS: 1.5, FailureRate: 0.25}}, TotalCommands: 3},
		&v1.SafetyPosture{RiskDistribution: v1.RiskDistribution{Safe: 75, High: 25}, BlockedCount: 1, ConfirmedRisky: 2, Coverage: 100, TotalCommands: 4},
		&v1.ActivityPatterns{HourlyPattern: [24]float64{9: 1}, DailyPattern: [7]float64{2: 1}, PeakHours: []int{9}, ActiveNodes: 2},
		&v1.Anomalies{Anomalies: []v1.Anomaly{{AnomalyType: protocol.AnomalyRepeatedRisky, Severity: 7, NodeFingerprint: "0011223344556677", DetectedAt: noon, Description: "x"}}},
		&v1.NodeHealth{Nodes: []v1.NodeState{{Fingerprint: "0011223344556677", Online: true, LastSeen: noon, UptimeSeconds: 5}}},
	} {
		b.Change(func(b *fake.Backend) {
			b.Result = v1.QueryResult{QueryID: "q", Status: protocol.StatusSuccess, Data: data, Contributors: []protocol.Fingerprint{"0011223344556677"}}
			b.Result.Coverage.Add(v1.NodeOutcome{Fingerprint: "0011223344556677", Outcome: v1.OutcomeAnswered})
			b.Result.Coverage.Add(v1.NodeOutcome{Fingerprint: "8899aabbccddeeff", Outcome: v1.OutcomeDenied, Reason: "default_trust"})
		})
		got, err := clients["socket"].Query(t.Context(), v1.QueryRequest{QueryType: data.QueryType(), Since: "1d",
			Filters: []protocol.Filter{{Field: "category", Operator: protocol.OpEquals, Value: "git"}}})
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got.Data, data) {
			t.Errorf("data %#v, want %#v", got.Data, data)
		}
		if c := got.Coverage; c.Asked != 2 || c.Answered != 1 || c.Denied != 1 || len(c.Nodes) != 2 || c.Nodes[1].Reason != "default_trust" {
			t.Errorf("coverage %+v", c)
		}
	}
	b.Change(func(b *fake.Backend) { b.Result = v1.QueryResult{Status: protocol.StatusNoData} })
	got, err := clients["tcp"].Query(t.Context(), v1.QueryRequest{QueryType: protocol.QueryToolUsage})
	if err != nil || got.Data != nil || got.Status != protocol.StatusNoData {
		t.Errorf("no data: %+v, %v", got, err)
	}
}

func TestDaemonThatIsNotRunningIsRecognised(t *testing.T) {
	dir := t.TempDir()
	stale := filepath.Join(dir, "stale.sock")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: stale, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	free, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err := errors.Join(err, l.Close(), free.Close()); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]*client.Client{
		"no socket": client.New(filepath.Join(dir, "api.sock")), "no folder": client.New(filepath.Join(dir, "no", "api.sock")),
		"stale socket": client.New(stale), "free port": client.NewTCP(free.Addr().String(), "x"),
	} {
		if _, err := c.Status(t.Context()); !errors.Is(err, client.ErrNotRunning) {
			t.Errorf("%s: %v", name, err)
		}
		c.Close()
	}
}

func TestRefusalsAreTypedAndReadable(t *testing.T) {
	b, clients := node(t)
	c := clients["socket"]
	refused := func(err error) *client.Error {
		t.Helper()
		var e *client.Error
		if !errors.As(err, &e) {
			t.Fatalf("not a refusal: %v", err)
		}
		return e
	}
	_, err := c.Summary(t.Context(), "7b0c1c7a-54a2-4f6e-9d55-0d2f3c1f9a11")
	if e := refused(err); !e.NotFound() || e.Denied() || e.Title != "Not Found" || !strings.Contains(err.Error(), "7b0c1c7a") {
		t.Errorf("%+v", e)
	}
	_, err = c.Events(t.Context(), client.EventQuery{Limit: 5000})
	if e := refused(err); e.Status != 422 || !strings.Contains(err.Error(), "query.limit") {
		t.Errorf("%v", err)
	}
	b.Change(func(b *fake.Backend) { b.Failure = api.Refuse(api.ErrDenied, "max_level raw shares nothing") })
	_, err = c.Query(t.Context(), v1.QueryRequest{QueryType: protocol.QueryToolUsage})
	if e := refused(err); !e.Denied() || err.Error() != "max_level raw shares nothing" {
		t.Errorf("%v", err)
	}
}

func TestWrongTokenIsARefusal(t *testing.T) {
	dir := t.TempDir()
	s, err := api.Listen(t.Context(), api.Config{Socket: filepath.Join(dir, "s"), Listen: "127.0.0.1:0", Token: strings.Repeat("t", 43)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx, fake.Sample(noon)) }()
	c := client.NewTCP(s.Endpoints().Listen, strings.Repeat("u", 43))
	_, err = c.Status(t.Context())
	var e *client.Error
	if !errors.As(err, &e) || e.Status != http.StatusUnauthorized {
		t.Errorf("%v", err)
	}
	c.Close()
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestStrangersAtTheAddressAreRecognised(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"web page": func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") },
		"redirect": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) },
		"broken": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, "{")
		},
		"plain error": func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusTeapot) },
		"broken refusal": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", v1.ProblemMediaType)
			w.WriteHeader(http.StatusInternalServerError)
		},
		"hangs up": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		s := httptest.NewServer(h)
		addr := s.Listener.Addr().String()
		c := client.NewTCP(addr, "x")
		_, err := c.Status(t.Context())
		var e *client.Error
		if err == nil || errors.As(err, &e) || errors.Is(err, client.ErrNotRunning) || !strings.Contains(err.Error(), addr) {
			t.Errorf("%s: %v", name, err)
		}
		c.Close()
		s.Close()
	}
}

func TestCallsEndWithTheirContext(t *testing.T) {
	b, clients := node(t)
	entered := make(chan struct{})
	b.Change(func(b *fake.Backend) { b.Entered, b.Waiting = entered, make(chan struct{}) })
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-entered; cancel() }()
	if _, err := clients["socket"].Query(ctx, v1.QueryRequest{QueryType: protocol.QueryToolUsage}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func TestSocketOfAnotherUserIsTold(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root may open every socket")
	}
	dir := filepath.Join(t.TempDir(), "closed")
	if err := os.Mkdir(dir, 0); err != nil {
		t.Fatal(err)
	}
	c := client.New(filepath.Join(dir, "api.sock"))
	defer c.Close()
	if _, err := c.Status(t.Context()); err == nil || !strings.Contains(err.Error(), "another user") {
		t.Errorf("%v", err)
	}
}
