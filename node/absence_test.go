package node

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caro-mesh/caro-node/observer"
	"github.com/caro-mesh/caro-node/observer/event"
	"github.com/caro-mesh/caro-node/policy"
	"github.com/caro-mesh/caro-node/protocol"
)

// planted returns commands as a shell reports them, with a word of its own in every place where something private can
// stand, and these words.
func planted(at time.Time) (events []event.Event, words []string) {
	word := func() string {
		words = append(words, fmt.Sprintf("qzcanary%dxjv", len(words)))
		return words[len(words)-1]
	}
	for i, command := range []string{
		"git commit -m '" + word() + "'",
		"ssh " + word() + "@" + word() + ".example",
		"./" + word() + ".sh --" + word(),
		"/opt/" + word() + "/bin/" + word() + " run",
		word() + " deploy", // a private tool
		"docker run " + word() + "/" + word() + ":latest",
		word() + "=1 make " + word(),
		"sudo -u " + word() + " rm -rf /home/" + word(),
		"curl https://" + word() + ".example/" + word() + "?token=" + word(),
		"echo " + word() + " | " + word(),
		"kubectl -n " + word() + " delete pod " + word(),
	} {
		ms := int64(10)
		e := event.Event{ID: event.NewID(at), Timestamp: at.Add(time.Duration(i) * time.Second), Shell: protocol.ShellBash, Command: command,
			CWD: "/home/" + word() + "/" + word(), DurationMS: &ms}
		e.Session = word()
		events = append(events, e)
	}
	return events, words
}

func TestASummaryHoldsNothingThatWasTyped(t *testing.T) {
	b := newBench(t, policy.Document{})
	at := noon.Add(-26 * time.Hour)
	events, words := planted(at)
	prepare, err := observer.NewPreparer(observer.Config{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range events {
		session := events[i].Session
		if !prepare.Prepare(&events[i]) {
			t.Fatalf("%q is not kept, so nothing is known about it", events[i].Command)
		}
		events[i].Session = session
		if events[i].Pattern == "" {
			t.Errorf("%q has no pattern, so nothing is known about patterns", events[i].Command)
		}
	}
	if err := b.db.Append(t.Context(), events); err != nil {
		t.Fatal(err)
	}
	if n, err := b.db.CountEvents(t.Context()); err != nil || n != int64(len(events)) {
		t.Fatalf("%d events, %v", n, err)
	}
	for _, g := range everyGranularity {
		s, wire, err := b.publisher(nil).preview(t.Context(), g, at)
		if err != nil || s.TotalCommands != uint64(len(events)) || s.UniquePatterns == 0 {
			t.Fatalf("%+v, %v", s, err)
		}
		document, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		for name, text := range map[string][]byte{"signed bytes": wire, "JSON": document} {
			text = bytes.ToLower(text)
			for _, w := range append(words, "canary") {
				for _, form := range []string{w, hex.EncodeToString([]byte(w)), strings.ToLower(base64.StdEncoding.EncodeToString([]byte(w))[:8])} {
					if bytes.Contains(text, []byte(form)) {
						t.Errorf("the %s of the %s summary hold %q, a form of %q", name, g, form, w)
					}
				}
			}
		}
		onlyCounts(t, document)
	}
}

// onlyCounts checks a summary's document against everything that may stand in one: numbers, and text of the few kinds
// that say whose they are, of when, and in which public category.
func onlyCounts(t *testing.T, document []byte) {
	t.Helper()
	texts := map[string]*regexp.Regexp{
		"id":                  regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`),
		"replaces":            regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`),
		"node_id":             regexp.MustCompile(`^caro:ed25519:[A-Za-z0-9+/]{43}=$`),
		"period.start":        regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:00:00Z$`),
		"period.end":          regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:00:00Z$`),
		"period.granularity":  regexp.MustCompile(`^(hourly|daily|weekly)$`),
		"generated_at":        regexp.MustCompile(`^\d{4}-\d\d-\d\dT[\d:.]+Z$`),
		"signature.signer":    regexp.MustCompile(`^[0-9a-f]{16}$`),
		"signature.value":     regexp.MustCompile(`^[A-Za-z0-9+/]{86}==$`),
		"signature.timestamp": regexp.MustCompile(`^\d{4}-\d\d-\d\dT[\d:.]+Z$`),
	}
	var walk func(path string, v any)
	walk = func(path string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for name, inner := range v {
				walk(strings.TrimPrefix(path+"."+name, "."), inner)
			}
		case []any:
			for _, inner := range v {
				walk(path+"[]", inner)
			}
		case string:
			if path == "category_stats[].category" {
				c := protocol.CommandCategory(v)
				if tool, isOther := strings.CutPrefix(v, "other:"); isOther && !protocol.IsPublicTool(tool) || !isOther && !slices.Contains(protocol.Categories(), c) {
					t.Errorf("category %q is not public", v)
				}
				return
			}
			if allowed := texts[path]; allowed == nil || !allowed.MatchString(v) {
				t.Errorf("%s is the text %q", path, v)
			}
		case float64:
			if path == "unique_patterns" && (v != float64(uint64(v)) || v < 0) {
				t.Errorf("unique_patterns is %v, not a count", v)
			}
		default:
			t.Errorf("%s is %T %v", path, v, v)
		}
	}
	var fields map[string]any
	if err := json.Unmarshal(document, &fields); err != nil {
		t.Fatal(err)
	}
	if _, isNumber := fields["unique_patterns"].(float64); !isNumber {
		t.Errorf("unique_patterns is %T, not a number", fields["unique_patterns"])
	}
	walk("", fields)
}

func TestAnEventWithAPrivateCategoryIsInNoSummary(t *testing.T) {
	b := newBench(t, policy.Document{})
	at := noon.Add(-2 * time.Hour)
	e := event.Event{ID: event.NewID(at), Timestamp: at, Shell: protocol.ShellBash, Command: "qzcanary deploy", Category: "other:qzcanary"}
	stored := b.db.Append(t.Context(), []event.Event{e})
	s, wire, err := b.publisher(nil).preview(t.Context(), protocol.Hourly, at)
	if stored == nil && err == nil {
		t.Errorf("it was stored and is summarized as %+v", s)
	}
	if bytes.Contains(wire, []byte("qzcanary")) {
		t.Error("its name would leave")
	}
}
