package e2e

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	v1 "github.com/caro-mesh/caro-node/api/v1"
	"github.com/caro-mesh/caro-node/protocol"
)

func TestAProgramReportsWhatItRanForAPerson(t *testing.T) {
	n := newNode(t, "anna")
	n.start()
	at := time.Now().UTC().Truncate(time.Hour).Add(-time.Hour).Format(time.RFC3339) // one hour, whatever the clock does
	secret := newCanary(t, "secret")
	body := `{"events":[
		{"command":"git status","shell":"zsh","cwd":"/srv","exit_code":0,"duration_ms":12,"timestamp":"` + at + `"},
		{"command":"rm -rf /","shell":"bash","caro_generated":true,"blocked":true,"timestamp":"` + at + `"},
		{"command":"sudo rm -rf /var/lib/x","shell":"bash","caro_generated":true,"user_confirmed":true,"exit_code":0,"timestamp":"` + at + `"},
		{"command":"mysql -psecret -e 'select 1' --password=` + secret + `","id":"0199a000-0000-7000-8000-00000000002a","exit_code":1,"caro_executed":true,"timestamp":"` + at + `"},
		{"command":" echo hidden","timestamp":"` + at + `"}]}`
	token, err := os.ReadFile(filepath.Join(n.Home, "api.token"))
	if err != nil {
		t.Fatal(err)
	}
	post := func() v1.StoredEvents {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+n.APIAddr+"/api/v1/events", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close() // read to its end
		var doc v1.StoredEvents
		if err != nil || resp.StatusCode != http.StatusOK || json.Unmarshal(raw, &doc) != nil {
			t.Fatalf("%s: %s, %v", resp.Status, raw, err)
		}
		return doc
	}
	doc := post()
	if doc.Stored != 4 || doc.Ignored != 1 || doc.Redacted != 1 || len(doc.Events) != 4 || doc.AlreadyStored != 0 {
		t.Fatalf("answered %+v", doc)
	}
	for i, want := range []struct {
		category protocol.CommandCategory
		risk     protocol.RiskLevel
		executed bool
	}{{"git", protocol.RiskSafe, false}, {"file_ops", protocol.RiskCritical, false}, {"file_ops", protocol.RiskHigh, true}} {
		if e := doc.Events[i]; e.Category != want.category || e.RiskLevel < want.risk || e.CaroExecuted != want.executed || e.ID == "" {
			t.Errorf("event %d is %+v", i, e)
		}
	}
	if e := doc.Events[3]; strings.Contains(e.Command, secret) || !slices.Contains(e.Redactions, "password") || !e.CaroExecuted || e.ID != "0199a000-0000-7000-8000-00000000002a" {
		t.Errorf("event 3 is %+v", e)
	}
	stored := n.history()
	if len(stored) != 4 {
		t.Errorf("the history holds %s", commandsOf(stored))
	}
	for _, e := range stored {
		i := slices.IndexFunc(doc.Events, func(o v1.Event) bool { return o.ID == e.ID })
		if i < 0 || !jsonEqual(t, e, doc.Events[i]) {
			t.Errorf("stored is %+v, which was not answered", e)
		}
	}
	// A repetition stores only what has no ID to know it by.
	if again := post(); again.AlreadyStored != 1 || again.Stored != 3 {
		t.Errorf("the second time %+v", again)
	}

	// People and programs are told apart in what is counted.
	n.caro("observe", "--shell", "bash", "--caro-generated", "--blocked", "--at", at, "--", "mkfs.ext4 /dev/sda")
	n.caro("observe", "--shell", "bash", "--executed", "--exit", "0", "--at", at, "--", "make")
	n.awaitEvents(9)
	var preview v1.SummaryPreview
	n.caroJSON(&preview, "summary", "preview", "--granularity", "hourly", "--at", at)
	s := preview.Summary.SafetyStats
	if preview.Summary.TotalCommands != 9 || s.BlockedCount != 3 || s.CaroGenerated != 5 || s.CaroExecuted != 4 || s.UserConfirmedRisky != 2 {
		t.Errorf("counted %d commands, %+v", preview.Summary.TotalCommands, s)
	}
	n.stop()
	if found := n.filesWith(secret); found != nil {
		t.Errorf("the secret is in %v", found)
	}
}

func jsonEqual(t *testing.T, a, b any) bool {
	t.Helper()
	x, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	y, err := json.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Equal(x, y)
}

func TestTheHistoryIsSearchedByWordsAndEachFilter(t *testing.T) {
	n := newNode(t, "anna")
	n.start()
	day := someDay()
	for i, exit := range []string{"0", "1", "130", "1"} {
		n.caro("observe", "--shell", "bash", "--cwd", "/srv", "--exit", exit, "--at", day.Add(time.Duration(i)*time.Hour).Format(time.RFC3339), "--", "make target"+exit)
	}
	n.caro("observe", "--shell", "bash", "--cwd", "/srv", "--at", day.Format(time.RFC3339), "--", "make unknown")
	n.caro("observe", "--shell", "bash", "--cwd", "/home/anna/web/api", "--exit", "0", "--at", day.Format(time.RFC3339), "--", "git push --force origin Main")
	n.caro("observe", "--shell", "bash", "--cwd", "/home/anna/website", "--exit", "0", "--at", day.Format(time.RFC3339), "--", "git status")
	n.awaitEvents(7)
	for args, want := range map[string]int{"--exit 1": 2, "--exit 130": 1, "--exit 0": 3, "--exit 7": 0, "--failed": 3, "--exit 1 --until " + day.Add(2*time.Hour).Format(time.RFC3339): 1,
		"--since " + day.Add(90*time.Minute).Format(time.RFC3339): 2, "--exit 0 --failed": 0,
		"--search MAIN": 1, "--search git": 2, "--search nowhere": 0, "--search make --exit 130": 1,
		"--cwd /home/anna": 2, "--cwd /home/anna/web": 1, "--cwd /home": 2, "--cwd /home/ann": 0,
		"--risk high": 1, "--risk critical": 0, "--category git": 2, "--category git --cwd /srv": 0, "--category docker": 0} {
		var page v1.EventPage
		n.caroJSON(&page, append([]string{"history"}, strings.Fields(args)...)...)
		if len(page.Events) != want {
			t.Errorf("history %s shows %s, want %d", args, commandsOf(page.Events), want)
		}
	}
	n.exits(2, "history", "--exit", "many")
}
