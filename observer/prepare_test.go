package observer

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caro-mesh/caro-node/observer/event"
	"github.com/caro-mesh/caro-node/observer/redact"
	"github.com/caro-mesh/caro-node/observer/risk/corpus"
	"github.com/caro-mesh/caro-node/protocol"
)

func newPreparer(t testing.TB, ignore ...string) *Preparer {
	t.Helper()
	p, err := NewPreparer(Config{Redact: redact.Redact, Ignore: ignore})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestACommandThatRemovesCommandsIsNotKept(t *testing.T) {
	p := newPreparer(t)
	for command, kept := range map[string]bool{
		"caro-node delete --search hunter2":                   false,
		"/usr/local/bin/caro-node delete --id x":              false,
		"./bin/caro-node --config=/etc/c.toml delete --yes":   false,
		"caro-node delete":                                    false,
		"caro-node --config /etc/c.toml delete --yes":         false,
		"sudo -u anna caro-node delete --search hunter2":      false,
		"cd /tmp && caro-node delete --search hunter2":        false,
		"A=b caro-node --json delete --search hunter2":        false,
		"bash -c 'caro-node delete --search hunter2'":         false,
		"for s in a b; do caro-node delete --search $s; done": false,
		"command caro-node delete --search 'hunter2":          false, // unclosed
		"echo caro-node delete":                               true,
		"git commit -m 'Explain caro-node delete'":            true,
		"grep -r 'caro-node delete' docs":                     true,
		"caro-node --config delete history":                   true,
		"caro-node history --search delete":                   true,
		"caro-node-delete":                                    true,
		"kubectl delete pod caro-node delete":                 true,
		"caro-node deleted":                                   true,
		"git log; caro-node status":                           true,
	} {
		e := event.Event{Command: command, Shell: protocol.ShellBash}
		if got := p.Prepare(&e); got != kept {
			t.Errorf("%q: kept %v", command, got)
		}
	}
}

func TestAnExpansionIsJudgedAndForgotten(t *testing.T) {
	p := newPreparer(t, "pass *")
	secret := "ghp_" + strings.Repeat("aB3", 12)
	for _, c := range []struct {
		command, expanded string
		category          protocol.CommandCategory
		risk              protocol.RiskLevel
		pattern           string
	}{
		{"k get pods", "kubectl get pods", protocol.CategoryKubernetes, protocol.RiskSafe, "kubectl get"},
		{"nuke", "false && rm -rf /", protocol.CategoryFileOps, protocol.RiskCritical, "rm"},
		{"clone x", "git clone https://me:" + secret + "@example.org/x", protocol.CategoryGit, protocol.RiskSafe, "git clone"},
		{"git status", "git status", protocol.CategoryGit, protocol.RiskSafe, "git status"},
		{"git status", "", protocol.CategoryGit, protocol.RiskSafe, "git status"},
	} {
		e := event.Event{Command: c.command, Expanded: c.expanded, Shell: protocol.ShellBash}
		if !p.Prepare(&e) {
			t.Errorf("%q is not kept", c.command)
		}
		if e.Command != c.command || e.Expanded != "" || len(e.Redactions) > 0 {
			t.Errorf("%q became %+v", c.command, e)
		}
		if e.Category != c.category || e.RiskLevel < c.risk || !strings.Contains(e.Pattern, c.pattern) || strings.Contains(e.Pattern, secret) {
			t.Errorf("%q: %v, %v, %q", c.command, e.Category, e.RiskLevel, e.Pattern)
		}
	}
	for command, expanded := range map[string]string{"p show x": "pass show x", "forget": "caro-node delete --search x"} {
		if p.Prepare(&event.Event{Command: command, Expanded: expanded, Shell: protocol.ShellBash}) {
			t.Errorf("%q is kept although it stands for %q", command, expanded)
		}
	}
}

// sample returns n events with the commands of the corpus, secrets among them.
func sample(t testing.TB, n int) []event.Event {
	t.Helper()
	entries, err := corpus.ReadFile("risk/corpus/ordinary-first.tsv")
	if err != nil {
		t.Fatal(err)
	}
	events := make([]event.Event, n)
	at := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	for i := range events {
		e := entries[i%len(entries)]
		events[i] = event.Event{ID: event.NewID(at), Timestamp: at.Add(time.Duration(i) * time.Second), Shell: e.Shell, Command: e.Command, CWD: "/srv"}
		switch i % 50 {
		case 7:
			events[i].Command = fmt.Sprintf("export API_TOKEN=ghp_%036d", i)
		case 9:
			events[i].Command = " hidden"
		}
	}
	return events
}

func TestPreparingManyOnAllCoresIsPreparingEach(t *testing.T) {
	for _, n := range []int{0, 1, prepareTogether, prepareTogether + 1, 1000} {
		p := newPreparer(t, "docker *")
		var want []event.Event
		for _, e := range sample(t, n) {
			if p.Prepare(&e) {
				want = append(want, e)
			}
		}
		left := p.ignored.Load()
		all := sample(t, n)
		keep, err := p.PrepareAll(t.Context(), all)
		if err != nil {
			t.Fatal(err)
		}
		var got []event.Event
		for i := range all {
			if keep[i] {
				got = append(got, all[i])
			}
		}
		for i := range got {
			got[i].ID = ""
		}
		for i := range want {
			want[i].ID = ""
		}
		if len(got) != len(want) || len(got) > 0 && !reflect.DeepEqual(got, want) {
			t.Errorf("%d events together became %d, one by one %d", n, len(got), len(want))
		}
		if both := p.ignored.Load(); both != 2*left || n == 1000 && left == 0 {
			t.Errorf("%d were left out one by one, %d in the end", left, both)
		}
		if n == 1000 && !slices.ContainsFunc(got, func(e event.Event) bool { return len(e.Redactions) > 0 && !strings.Contains(e.Command, "ghp_") }) {
			t.Error("no secret was replaced")
		}
	}
}

func TestPreparingEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if kept, err := newPreparer(t).PrepareAll(ctx, sample(t, 1000)); !errors.Is(err, context.Canceled) || kept != nil {
		t.Errorf("%d events, %v", len(kept), err)
	}
}

func TestKindsOfSecretsThatTheReporterReplacedAreKept(t *testing.T) {
	secret := "ghp_" + strings.Repeat("a1B2", 9)
	e := event.Event{Command: "curl -H 'X: REDACTED:jwt' https://x; export T=" + secret, Shell: protocol.ShellBash, Redactions: []string{"pin", "jwt", "jwt"}}
	if !newPreparer(t).Prepare(&e) || !slices.Equal(e.Redactions, []string{"github_token", "jwt", "pin"}) || strings.Contains(e.Command, secret) {
		t.Errorf("prepared %+v", e)
	}
}

// BenchmarkPrepareAll is what an import does besides reading and storing.
func BenchmarkPrepareAll(b *testing.B) {
	p := newPreparer(b)
	n := 0
	for b.Loop() {
		b.StopTimer()
		events := sample(b, 1000)
		b.StartTimer()
		if _, err := p.PrepareAll(b.Context(), events); err != nil {
			b.Fatal(err)
		}
		n += len(events)
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "events/s(goal:20000)")
}
