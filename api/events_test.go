package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/caro-mesh/caro-node/api/internal/fake"
	v1 "github.com/caro-mesh/caro-node/api/v1"
	"github.com/caro-mesh/caro-node/protocol"
)

func (r *running) reported() []v1.EventReport {
	var events []v1.EventReport
	r.backend.Change(func(b *fake.Backend) { events = b.LastReports.Events })
	return events
}

func TestAReportIsCompletedBeforeItReachesTheNode(t *testing.T) {
	r := start(t)
	r.viaUnix("POST", "/api/v1/events", `{"events":[
		{"command":"ls"},
		{"command":"make","duration_ms":2500,"shell":"zsh","cwd":"/srv","exit_code":2,"timestamp":null},
		{"command":"rm -rf x","caro_generated":true,"exit_code":0},
		{"command":"rm -rf y","caro_generated":true,"blocked":true},
		{"command":"rm -rf z","caro_generated":true,"user_confirmed":true,"timestamp":"2026-11-20T10:00:00+02:00"},
		{"command":"git push","caro_executed":true}]}`)
	got := r.reported()
	if len(got) != 6 {
		t.Fatalf("%d reports", len(got))
	}
	at := time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)
	for i, want := range []struct {
		at       time.Time
		shell    protocol.ShellType
		executed bool
	}{{noon, "other", false}, {noon.Add(-2500 * time.Millisecond), "zsh", false}, {noon, "other", true}, {noon, "other", false}, {at, "other", false}, {noon, "other", true}} {
		if e := got[i]; !e.Timestamp.Equal(want.at) || e.Shell != want.shell || e.CaroExecuted != want.executed {
			t.Errorf("report %d became %+v at %s", i, e, e.Timestamp)
		}
	}
	if e := got[1]; *e.ExitCode != 2 || e.CWD != "/srv" || got[0].ExitCode != nil || !got[3].Blocked || !got[4].UserConfirmed {
		t.Errorf("reports %+v", got)
	}
}

func TestTheLongestReportsFitAndLongerOnesAreRefused(t *testing.T) {
	r := start(t)
	report := func(n int, command string) string {
		var b strings.Builder
		text, err := json.Marshal(command)
		if err != nil {
			t.Fatal(err)
		}
		b.WriteString(`{"events":[`)
		for i := range n {
			if i > 0 {
				b.WriteByte(',')
			}
			fmt.Fprintf(&b, `{"command":%s}`, text)
		}
		return b.String() + `]}`
	}
	for name, c := range map[string]struct {
		body   string
		status int
	}{
		"as many as there may be":   {report(v1.MaxReports, "make test"), http.StatusOK},
		"one more":                  {report(v1.MaxReports+1, "make test"), http.StatusUnprocessableEntity},
		"the longest, all escaped":  {report(1, strings.Repeat("\x01", v1.MaxCommand)), http.StatusOK},
		"the longest, in two bytes": {report(1, strings.Repeat("ä", v1.MaxCommand)), http.StatusOK},
		"one character more":        {report(1, strings.Repeat("x", v1.MaxCommand+1)), http.StatusUnprocessableEntity},
		"more than fits a body":     {report(9, strings.Repeat("x", v1.MaxCommand)), http.StatusRequestEntityTooLarge},
	} {
		if a := r.viaUnix("POST", "/api/v1/events", c.body); a.status != c.status {
			t.Errorf("%s: status %d, want %d: %.200s", name, a.status, c.status, a.body)
		}
	}
	// Other paths stay small.
	r.viaUnix("PUT", "/api/v1/trust", report(1, strings.Repeat("x", 1<<20))).wantProblem(t, http.StatusRequestEntityTooLarge)
}

func TestDeletionTakesWhatItNamesAndNothingElse(t *testing.T) {
	r := start(t)
	var all v1.EventPage
	r.viaUnix("GET", "/api/v1/events?limit=1000", "").into(t, &all)
	ids := []string{all.Events[3].ID, all.Events[51].ID, uuid.NewString()}
	var d v1.DeletedEvents
	r.viaUnix("DELETE", "/api/v1/events?id="+strings.Join(ids, ","), "").into(t, &d)
	if d.Deleted != 2 {
		t.Errorf("deleted %d by ID", d.Deleted)
	}
	r.viaUnix("GET", "/api/v1/events/"+ids[0], "").wantProblem(t, http.StatusNotFound)
	d = v1.DeletedEvents{}
	r.tcp("DELETE", "/api/v1/events?search=docker&min_risk=safe", "").wantProblem(t, http.StatusUnauthorized)
	r.tcp("DELETE", "/api/v1/events?search=docker&min_risk=safe", "", withToken, header("Origin", "http://evil.example")).wantProblem(t, http.StatusForbidden)
	r.tcp("DELETE", "/api/v1/events?search=docker&min_risk=safe", "", withToken).into(t, &d)
	if d.Deleted != 6 {
		t.Errorf("deleted %d by word", d.Deleted)
	}
	var rest v1.EventPage
	r.viaUnix("GET", "/api/v1/events?limit=1000", "").into(t, &rest)
	if len(rest.Events) != len(all.Events)-8 {
		t.Errorf("%d of %d are left", len(rest.Events), len(all.Events))
	}
}
