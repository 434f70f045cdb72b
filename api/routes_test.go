package api_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/caro-mesh/caro-node/api"
	"github.com/caro-mesh/caro-node/api/internal/fake"
	v1 "github.com/caro-mesh/caro-node/api/v1"
	"github.com/caro-mesh/caro-node/protocol"
)

func TestEveryDocumentCarriesTheSchemaVersion(t *testing.T) {
	r := start(t)
	r.backend.Change(func(b *fake.Backend) { b.Stored = []v1.Summary{{NodeSummary: b.Preview.Summary, Own: true}} })
	documents := map[string]answer{
		"query":      r.viaUnix("POST", "/api/v1/query", `{"query_type":"tool_usage"}`),
		"add peer":   r.viaUnix("POST", "/api/v1/peers", `{"address":"/ip4/10.0.0.1/tcp/9238/p2p/x"}`),
		"rotate":     r.viaUnix("POST", "/api/v1/identity/rotate", `{"grace_seconds":0}`),
		"diff":       r.viaUnix("POST", "/api/v1/policy/diff", `{"name":"x.toml","text":""}`),
		"replay":     r.viaUnix("POST", "/api/v1/policy/replay", `{"name":"x.toml","text":"","days":3}`),
		"reload":     r.viaUnix("POST", "/api/v1/policy/reload", ""),
		"ping":       r.viaUnix("POST", "/api/v1/peers/ping", `{"peer":"bob-desktop"}`),
		"set trust":  r.viaUnix("PUT", "/api/v1/trust", fmt.Sprintf(`{"node_id":%q,"trust":"peer"}`, fake.NodeID(7))),
		"report":     r.viaUnix("POST", "/api/v1/events", `{"events":[{"id":"7b0c1c7a-54a2-4f6e-9d55-0d2f3c1f9a10","command":"ls"}]}`),
		"one event":  r.viaUnix("GET", "/api/v1/events/7b0c1c7a-54a2-4f6e-9d55-0d2f3c1f9a10", ""),
		"delete":     r.viaUnix("DELETE", "/api/v1/events?id=7b0c1c7a-54a2-4f6e-9d55-0d2f3c1f9a10", ""),
		"remove":     r.viaUnix("DELETE", "/api/v1/peers?peer=bob-desktop", ""),
		"one":        r.viaUnix("GET", "/api/v1/summaries/7b0c1c7a-54a2-4f6e-9d55-0d2f3c1f9a10", ""),
		"audit page": r.viaUnix("GET", "/api/v1/audit", ""),
	}
	for _, path := range append(probes[:2:2], secret...) {
		if path != "/metrics" && !strings.HasSuffix(path, ".json") {
			documents[path] = r.viaUnix("GET", path, "")
		}
	}
	for name, a := range documents {
		var d struct {
			SchemaVersion int `json:"schema_version"`
		}
		a.into(t, &d)
		if a.status != http.StatusOK || d.SchemaVersion != 1 {
			t.Errorf("%s: status %d, %s", name, a.status, a.body)
		}
		if strings.Contains(a.text(), ":null") && name != "query" {
			t.Errorf("%s shows null: %s", name, a.body)
		}
	}
	var s v1.Status
	r.viaUnix("GET", "/api/v1/status", "").into(t, &s)
	r.backend.Change(func(b *fake.Backend) { b.Node.Database.SchemaVersion = 17 })
	r.viaUnix("GET", "/api/v1/status", "").into(t, &s)
	if s.Database.SchemaVersion != 17 {
		t.Errorf("the database's schema version became %d", s.Database.SchemaVersion)
	}
}

func TestAFileThatThePageDoesNotHaveIsAProblem(t *testing.T) {
	r := start(t)
	a := r.viaUnix("GET", "/assets/none.js", "")
	var p v1.Problem
	a.into(t, &p)
	if a.status != http.StatusNotFound || p.Status != http.StatusNotFound || p.Detail == "" || a.header.Get("Content-Type") != v1.ProblemMediaType {
		t.Errorf("%d %v %s", a.status, a.header, a.body)
	}
	if a := r.viaUnix("GET", "/assets/app.js", ""); a.status != http.StatusOK || a.text() != "<!doctype html>the page" {
		t.Errorf("a file that is there: %d %s", a.status, a.body)
	}
}

func TestEmptyListsAreListsAndNotNull(t *testing.T) {
	r := start(t)
	r.backend.Change(func(b *fake.Backend) {
		b.Commands, b.Known, b.Stored = []v1.Event{{ID: "x"}}, []v1.Peer{{}}, []v1.Summary{{}}
	})
	for path, list := range map[string]string{"/api/v1/events": `"redactions":[]`, "/api/v1/events?search=nothing+like+this": `"events":[]`, "/api/v1/peers": `"addresses":[]`,
		"/api/v1/audit": `"records":[]`, "/api/v1/audit/receipts": `"receipts":[]`, "/api/v1/summaries": `"category_stats":[]`, "/api/v1/policy": `"rules":[]`, "/api/v1/trust": `"grants":[]`, "/api/v1/status": `"health_reasons":[]`} {
		if a := r.viaUnix("GET", path, ""); !strings.Contains(a.text(), list) {
			t.Errorf("%s: no %s in %s", path, list, a.body)
		}
	}
}

func TestEventsAreFilteredAndPaged(t *testing.T) {
	r := start(t)
	var first, second v1.EventPage
	r.viaUnix("GET", "/api/v1/events?limit=40", "").into(t, &first)
	r.viaUnix("GET", "/api/v1/events?limit=1000&cursor="+first.NextCursor, "").into(t, &second)
	if len(first.Events) != 40 || len(second.Events) != 50 || second.NextCursor != "" {
		t.Fatalf("pages of %d and %d events, then %q", len(first.Events), len(second.Events), second.NextCursor)
	}
	all := append(first.Events, second.Events...)
	for query, keep := range map[string]func(v1.Event) bool{
		"min_risk=high":              func(e v1.Event) bool { return e.RiskLevel >= protocol.RiskHigh },
		"failed=true":                func(e v1.Event) bool { return e.ExitCode != nil && *e.ExitCode != 0 },
		"exit_code=130":              func(e v1.Event) bool { return e.ExitCode != nil && *e.ExitCode == 130 },
		"exit_code=0":                func(e v1.Event) bool { return e.ExitCode != nil && *e.ExitCode == 0 },
		"failed=false":               func(e v1.Event) bool { return e.ExitCode == nil || *e.ExitCode == 0 },
		"search=DOCKER":              func(e v1.Event) bool { return strings.Contains(e.Command, "docker") },
		"cwd=/home/anna/src/shop":    func(e v1.Event) bool { return strings.HasPrefix(e.CWD, "/home/anna/src/shop") },
		"category=other:go":          func(e v1.Event) bool { return e.Category == "other:go" },
		"since=1h30m":                func(e v1.Event) bool { return !e.Timestamp.Before(noon.Add(-90 * time.Minute)) },
		"until=2026-11-23T11:00:00Z": func(e v1.Event) bool { return e.Timestamp.Before(noon.Truncate(time.Hour).Add(-time.Hour)) },
		"min_risk=moderate&failed=true": func(e v1.Event) bool {
			return e.RiskLevel >= protocol.RiskModerate && e.ExitCode != nil && *e.ExitCode != 0
		},
		"since=2026-11-23T12:00:00%2B00:00": func(e v1.Event) bool { return !e.Timestamp.Before(noon.Truncate(time.Hour)) },
	} {
		var got v1.EventPage
		r.viaUnix("GET", "/api/v1/events?limit=1000&"+query, "").into(t, &got)
		want := 0
		for _, e := range all {
			if keep(e) {
				want++
			}
		}
		if len(got.Events) != want || want == 0 || want == len(all) {
			t.Errorf("%s: %d events, want %d of %d", query, len(got.Events), want, len(all))
		}
		var count v1.EventCount
		r.viaUnix("GET", "/api/v1/events/count?"+query, "").into(t, &count)
		if count.Count != int64(want) {
			t.Errorf("%s: counted %d events, want %d", query, count.Count, want)
		}
	}
}

func TestWrongRequestsAreToldWhatIsWrong(t *testing.T) {
	r := start(t)
	for _, c := range []struct {
		method, path, body string
		status             int
		words              string
	}{
		{"GET", "/api/v1/events?limit=0", "", 422, "limit"},
		{"GET", "/api/v1/events?limit=1001", "", 422, "limit"},
		{"GET", "/api/v1/events?limit=many", "", 422, "limit"},
		{"GET", "/api/v1/events?serach=git", "", 422, "serach"},
		{"GET", "/api/v1/events?min_risk=deadly", "", 422, "critical"},
		{"GET", "/api/v1/events?category=other:my-private-script", "", 422, "my-private-script"},
		{"GET", "/api/v1/events?since=yesterday", "", 422, "7d"},
		{"GET", "/api/v1/events?until=5", "", 422, "until"},
		{"GET", "/api/v1/events?cursor=nonsense", "", 422, "cursor"},
		{"GET", "/api/v1/summaries/12", "", 422, "id"},
		{"GET", "/api/v1/summaries/7b0c1c7a-54a2-4f6e-9d55-0d2f3c1f9a11", "", 404, "7b0c1c7a"},
		{"GET", "/api/v1/summaries?granularity=yearly", "", 422, "granularity"},
		{"GET", "/api/v1/audit?type=lunch", "", 422, "lunch"},
		{"GET", "/api/v1/audit/receipts?since=soon", "", 422, "since"},
		{"GET", "/api/v1/audit/receipts?peer=bob", "", 422, "peer"},
		{"GET", "/api/v1/audit/receipts/17", "", 404, "17"},
		{"GET", "/api/v2/status", "", 404, "openapi.json"},
		{"GET", "/docs", "", 404, ""},
		{"GET", "/api/v1/status/", "", 404, ""},
		{"POST", "/api/v1/status", "{}", 405, "GET"},
		{"PUT", "/api/v1/events", "", 405, "GET"},
		{"GET", "/api/v1/events?exit_code=many", "", 422, "exit_code"},
		{"GET", "/api/v1/events?exit_code=99999999999", "", 422, "exit code"},
		{"GET", "/api/v1/events/count?limit=3", "", 422, "limit"},
		{"GET", "/api/v1/events/12", "", 422, "id"},
		{"GET", "/api/v1/events/7b0c1c7a-54a2-4f6e-9d55-0d2f3c1f9a11", "", 404, "7b0c1c7a"},
		{"DELETE", "/api/v1/events", "", 422, "what to delete"},
		{"DELETE", "/api/v1/events?search=", "", 422, "what to delete"},
		{"DELETE", "/api/v1/events?search=++%09", "", 422, "what to delete"},
		{"DELETE", "/api/v1/events?min_risk=safe", "", 422, "what to delete"},
		{"DELETE", "/api/v1/events?serach=git", "", 422, "serach"},
		{"DELETE", "/api/v1/events?limit=3", "", 422, "limit"},
		{"DELETE", "/api/v1/events?id=17", "", 422, "uuid"},
		{"DELETE", "/api/v1/events?id=7b0c1c7a-54a2-4f6e-9d55-0d2f3c1f9a11,17", "", 422, "uuid"},
		{"DELETE", "/api/v1/events?id=7b0c1c7a-54a2-4f6e-9d55-0d2f3c1f9a11&search=git", "", 422, "not both"},
		{"DELETE", "/api/v1/events?until=soon", "", 422, "until"},
		{"POST", "/api/v1/events", "", 400, ""},
		{"POST", "/api/v1/events", `{"events":[]}`, 422, "events"},
		{"POST", "/api/v1/events", `{"events":[{"command":""}]}`, 422, "command"},
		{"POST", "/api/v1/events", `{"events":[{"cwd":"/"}]}`, 422, "command"},
		{"POST", "/api/v1/events", `{"events":[{"command":"ls","risk_level":"safe"}]}`, 422, "risk_level"},
		{"POST", "/api/v1/events", `{"events":[{"command":"ls","id":"17"}]}`, 422, "id"},
		{"POST", "/api/v1/events", `{"events":[{"command":"ls","shell":"tcsh"}]}`, 422, "shell"},
		{"POST", "/api/v1/events", `{"events":[{"command":"ls","duration_ms":-1}]}`, 422, "duration_ms"},
		{"POST", "/api/v1/events", `{"events":[{"command":"ls"},{"command":"ls","blocked":true,"caro_executed":true}]}`, 422, "events[1]"},
		{"POST", "/api/v1/events", `{"events":[{"command":"ls","timestamp":"0001-01-01T00:00:00Z"}]}`, 422, "1970"},
		{"POST", "/api/v1/events", `{"events":[{"command":"ls","timestamp":"yesterday"}]}`, 422, "timestamp"},
		{"POST", "/api/v1/events", `{"events":[{"command":"ls","redactions":["a,b"]}]}`, 422, "redactions"},
		{"PATCH", "/", "", 405, "GET"},
		{"DELETE", "/api/v1/peers", "", 422, "peer"},
		{"DELETE", "/api/v1/peers?peer=nobody", "", 404, "nobody"},
		{"POST", "/api/v1/peers", `{"address":"10.0.0.1:9238"}`, 422, "/p2p/"},
		{"POST", "/api/v1/peers", `{"addr":"x"}`, 422, "addr"},
		{"POST", "/api/v1/peers/ping", `{"peer":"nobody"}`, 503, "offline"},
		{"PUT", "/api/v1/trust", `{"node_id":"x","trust":"friend"}`, 422, "trust"},
		{"PUT", "/api/v1/trust", `{"node_id":"x","trust":"peer"}`, 422, "caro-node id"},
		{"PUT", "/api/v1/trust", `{"node_id":"x","trust":"peer","name":"a\u001b[2Jb"}`, 422, "unprintable"},
		{"POST", "/api/v1/query", `{"query_type":"everything"}`, 422, "query_type"},
		{"POST", "/api/v1/query", `{"query_type":"tool_usage","since":"soon"}`, 422, "since"},
		{"POST", "/api/v1/query", `{"query_type":"tool_usage","since":"2026-11-24T00:00:00Z"}`, 422, "future"},
		{"POST", "/api/v1/query", `{"query_type":"tool_usage","since":"400d"}`, 422, "longer"},
		{"POST", "/api/v1/query", `{"query_type":"tool_usage","since":"1d","time_range":{"start":"2026-11-01T00:00:00Z","end":"2026-11-02T00:00:00Z"}}`, 422, "not both"},
		{"POST", "/api/v1/query", `{"query_type":"tool_usage","time_range":{"start":"2026-11-01T00:00:30Z","end":"2026-11-02T00:00:00Z"}}`, 422, "whole"},
		{"POST", "/api/v1/query", `{"query_type":"tool_usage","filters":[{"field":"category","operator":"resembles","value":"git"}]}`, 422, "resembles"},
		{"POST", "/api/v1/query", `{"query_type":"tool_usage","timeout_ms":-1}`, 422, "timeout_ms"},
		{"POST", "/api/v1/query", `{"query_type":`, 400, ""},
		{"POST", "/api/v1/query", ``, 400, ""},
	} {
		detail := r.viaUnix(c.method, c.path, c.body).wantProblem(t, c.status)
		if !strings.Contains(detail, c.words) {
			t.Errorf("%s %s %s: %q does not name %q", c.method, c.path, c.body, detail, c.words)
		}
	}
	if a := r.viaUnix("PUT", "/api/v1/events", ""); !strings.Contains(a.header.Get("Allow"), "GET") {
		t.Errorf("no Allow header with 405: %v", a.header)
	}
}

func TestRefusalsAreToldAndInternalErrorsAreLoggedOnly(t *testing.T) {
	r := start(t)
	for _, c := range []struct {
		err    error
		status int
		told   string
	}{
		{api.Refuse(api.ErrNotFound, "no such thing as x"), 404, "no such thing as x"},
		{api.Refuse(api.ErrInvalid, "x is wrong"), 422, "x is wrong"},
		{api.Refuse(api.ErrConflict, "x is taken"), 409, "x is taken"},
		{api.Refuse(api.ErrDenied, "max_level raw shares nothing"), 403, "max_level raw shares nothing"},
		{api.Refuse(api.ErrUnavailable, "the mesh is starting: %w", errors.New("no listener yet")), 503, "the mesh is starting: no listener yet"},
		{api.Refuse(api.ErrTimeout, "nobody answered: %w", api.ErrNotFound), 504, "nobody answered: not found"},
		{fmt.Errorf("ask: %w", api.Refuse(api.ErrDenied, "no")), 403, "no"},
		{fmt.Errorf("row 7 of /home/anna/caro.db: %w", api.ErrNotFound), 404, "there is no such thing"},
		{errors.New("disk I/O error at /home/anna/caro.db"), 500, "log"},
	} {
		r.backend.Change(func(b *fake.Backend) { b.Failure = c.err })
		detail := r.viaUnix("GET", "/api/v1/policy", "").wantProblem(t, c.status)
		if !strings.Contains(detail, c.told) || strings.Contains(detail, "/home/anna") {
			t.Errorf("%v was told as %q", c.err, detail)
		}
	}
	if !strings.Contains(r.log.String(), "disk I/O error at /home/anna/caro.db") {
		t.Errorf("the internal error is not in the log: %s", r.log)
	}
}

func TestReadySaysNoWithoutAReason(t *testing.T) {
	r := start(t)
	r.backend.Change(func(b *fake.Backend) {
		b.NotReady = api.Refuse(api.ErrUnavailable, "the database of /home/anna is locked")
	})
	if detail := r.tcp("GET", "/api/v1/ready", "").wantProblem(t, 503); strings.Contains(detail, "anna") {
		t.Errorf("an open path tells %q", detail)
	}
	if a := r.tcp("GET", "/api/v1/health", ""); a.status != 200 {
		t.Errorf("health: %d", a.status)
	}
}

func TestQueriesReachTheBackendWithWholeHours(t *testing.T) {
	r := start(t)
	at := func(s string) protocol.Timestamp {
		v, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return protocol.At(v)
	}
	for body, want := range map[string]protocol.TimeRange{
		`{"query_type":"tool_usage"}`:                                                                            {Start: at("2026-11-16T12:00:00Z"), End: at("2026-11-23T13:00:00Z")},
		`{"query_type":"tool_usage","since":"7d"}`:                                                               {Start: at("2026-11-16T12:00:00Z"), End: at("2026-11-23T13:00:00Z")},
		`{"query_type":"tool_usage","since":"90m"}`:                                                              {Start: at("2026-11-23T11:00:00Z"), End: at("2026-11-23T13:00:00Z")},
		`{"query_type":"tool_usage","since":"2w"}`:                                                               {Start: at("2026-11-09T12:00:00Z"), End: at("2026-11-23T13:00:00Z")},
		`{"query_type":"tool_usage","since":"366d"}`:                                                             {Start: at("2025-11-22T13:00:00Z"), End: at("2026-11-23T13:00:00Z")},
		`{"query_type":"tool_usage","since":"2026-11-01T03:30:00Z"}`:                                             {Start: at("2026-11-01T03:00:00Z"), End: at("2026-11-23T13:00:00Z")},
		`{"query_type":"tool_usage","time_range":{"start":"2026-11-01T00:00:00Z","end":"2026-11-02T00:00:00Z"}}`: {Start: at("2026-11-01T00:00:00Z"), End: at("2026-11-02T00:00:00Z")},
	} {
		if a := r.viaUnix("POST", "/api/v1/query", body); a.status != 200 {
			t.Fatalf("%s: %d %s", body, a.status, a.body)
		}
		r.backend.Change(func(b *fake.Backend) {
			if *b.LastQuery.TimeRange != want || b.LastQuery.Since != "" {
				t.Errorf("%s asks for %+v, want %+v", body, b.LastQuery.TimeRange, want)
			}
		})
	}
}

func TestPanicsBecomeProblemsAndTheServerGoesOn(t *testing.T) {
	r := start(t)
	r.backend.Change(func(b *fake.Backend) { b.Panic = "secret cause" })
	if detail := r.viaUnix("GET", "/api/v1/identity", "").wantProblem(t, 500); strings.Contains(detail, "secret") {
		t.Errorf("the cause was told: %s", detail)
	}
	if !strings.Contains(r.log.String(), "secret cause") {
		t.Error("the cause is not in the log")
	}
	r.backend.Change(func(b *fake.Backend) { b.Panic = "" })
	if a := r.viaUnix("GET", "/api/v1/identity", ""); a.status != 200 {
		t.Errorf("after the panic: %d", a.status)
	}
}

func TestMetricsTellTheNodeAndItsProcess(t *testing.T) {
	r := start(t)
	text := r.tcp("GET", "/metrics", "", withToken).text()
	for _, want := range []string{"caro_events_total 48213", "caro_peers_connected 2", `caro_build_info{version="0.1.0"} 1`, "process_resident_memory_bytes", "go_goroutines", "caro_healthy 1",
		"caro_refused_connections_total 40", `caro_refused_messages_total{reason="signature"} 2`, `caro_refused_messages_total{reason="nonce"} 0`} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in the metrics", want)
		}
	}
	r.backend.Change(func(b *fake.Backend) { b.Failure = errors.New("disk I/O error") })
	a := r.tcp("GET", "/metrics", "", withToken)
	if a.status != 200 || strings.Contains(a.text(), "disk") || !strings.Contains(a.text(), "process_resident_memory_bytes") {
		t.Errorf("with a failing backend: %d %s", a.status, a.body)
	}
}

func TestDescriptionNamesEveryPathAndNoOtherHost(t *testing.T) {
	r := start(t)
	a := r.tcp("GET", "/api/v1/openapi.json", "", withToken)
	var doc struct {
		OpenAPI string                                `json:"openapi"`
		Paths   map[string]map[string]json.RawMessage `json:"paths"`
		Parts   struct {
			Schemas map[string]struct {
				Properties map[string]json.RawMessage `json:"properties"`
			} `json:"schemas"`
		} `json:"components"`
	}
	a.into(t, &doc)
	for path, methods := range map[string][]string{"/api/v1/health": {"get"}, "/api/v1/ready": {"get"}, "/api/v1/identity": {"get"}, "/api/v1/identity/rotate": {"post"}, "/api/v1/status": {"get"}, "/api/v1/events": {"get", "post", "delete"},
		"/api/v1/events/{id}": {"get"}, "/api/v1/events/count": {"get"},
		"/api/v1/summaries": {"get"}, "/api/v1/summaries/{id}": {"get"}, "/api/v1/summaries/preview": {"get"}, "/api/v1/peers": {"get", "post", "delete"}, "/api/v1/peers/ping": {"post"},
		"/api/v1/trust": {"get", "put"}, "/api/v1/policy": {"get"}, "/api/v1/query": {"post"}, "/api/v1/audit": {"get"}, "/api/v1/audit/verify": {"get"},
		"/api/v1/audit/checkpoint": {"post"}, "/api/v1/audit/accept": {"post"},
		"/api/v1/audit/receipts": {"get"}, "/api/v1/audit/receipts/{id}": {"get"}} {
		for _, m := range methods {
			if doc.Paths[path][m] == nil {
				t.Errorf("%s %s is not described", m, path)
			}
		}
	}
	if n := strings.Count(string(doc.Parts.Schemas["QueryResult"].Properties["data"]), "$ref"); n != 5 {
		t.Errorf("data of a query is one of %d shapes, want 5", n)
	}
	for _, name := range []string{"ToolUsage", "SafetyPosture", "ActivityPatterns", "Anomalies", "NodeHealth"} {
		if len(doc.Parts.Schemas[name].Properties) == 0 {
			t.Errorf("no schema %s", name)
		}
	}
	for _, level := range []string{`"timestamp":{"description":"when the command started","format":"date-time","type":"string"}`, `"risk_level":{"enum":["safe","moderate","high","critical"]`} {
		if !strings.Contains(a.text(), level) {
			t.Errorf("no %s in the description", level)
		}
	}
	if doc.OpenAPI != "3.1.0" || strings.Contains(a.text(), "unpkg") {
		t.Errorf("description %q", doc.OpenAPI)
	}
}

func TestErrorsOfTheBackendAreExplainedForAllOperations(t *testing.T) {
	r := start(t)
	r.backend.Change(func(b *fake.Backend) { b.Failure = fmt.Errorf("store: %w", errNoSpace) })
	for path, a := range map[string]answer{
		"status": r.viaUnix("GET", "/api/v1/status", ""), "trust": r.viaUnix("PUT", "/api/v1/trust", fmt.Sprintf(`{"node_id":%q,"trust":"peer"}`, fake.NodeID(7))),
	} {
		if detail := a.wantProblem(t, http.StatusServiceUnavailable); detail != "free some space" {
			t.Errorf("%s: %q", path, detail)
		}
	}
}
