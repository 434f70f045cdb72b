package corpus

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/caro-mesh/caro-node/protocol"
)

func TestTheRulesHoldTheirAims(t *testing.T) {
	total := 0
	// The authors of the fourth and fifth part draw the line between high and critical elsewhere.
	levels := map[string]float64{"first": 0.95, "second": 0.95, "third": 0.95, "fourth": 0.55, "fifth": 0.65, "sixth": 0.8, "seventh": 0.8, "eighth": 0.95,
		"ninth": 0.6, "tenth": 0.6, "eleventh": 0.85}
	for _, part := range slices.Sorted(maps.Keys(levels)) {
		var s Score
		for _, kind := range []string{"ordinary", "dangerous"} {
			entries, err := ReadFile(kind + "-" + part + ".tsv")
			if err != nil {
				t.Fatal(err)
			}
			s.Add(entries)
		}
		total += s.Total()
		if r := s.DangerRecall(); r < 0.98 {
			t.Errorf("%s part: %.4f of the high and critical ones are found, the aim is 0.98", part, r)
		}
		if f := s.FalseAlarms(); f > 0.005 {
			t.Errorf("%s part: %.4f of the safe ones raise an alarm, the aim is 0.005", part, f)
		}
		for _, l := range protocol.RiskLevels() {
			if s.Counts[l] == [4]int{} {
				continue // the part has none of this level
			}
			if c := s.Counts[l]; c[0]+c[1]+c[2]+c[3] < 20 {
				continue // too few for a share
			}
			if s.Recall(l) < levels[part] || s.Precision(l) < levels[part] {
				t.Errorf("%s part: %s has recall %.4f and precision %.4f", part, l, s.Recall(l), s.Precision(l))
			}
		}
		t.Logf("%s part\n%s", part, &s)
	}
	if total < 1500 {
		t.Errorf("the corpus has %d entries, it shall have at least 1,500", total)
	}
}

func TestNoCommandIsLabelledTwice(t *testing.T) {
	files, err := filepath.Glob("*.tsv")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]string{}
	for _, f := range files {
		entries, err := ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			key := string(e.Shell) + "\x00" + e.Command
			if other, twice := seen[key]; twice {
				t.Errorf("%s and %s are the same: %s", other, e.Origin, e.Command)
			}
			seen[key] = e.Origin
		}
	}
}

func TestEveryFormatIsRead(t *testing.T) {
	want := []Entry{
		{Level: protocol.RiskCritical, Shell: protocol.ShellBash, Command: "rm -rf /"},
		{Level: protocol.RiskModerate, Shell: protocol.ShellFish, Command: "rm (ls)"},
	}
	files := map[string]string{
		"a.tsv":   "# comment\n\ncritical\trm -rf /\nmoderate\tfish\trm (ls)\n",
		"b.jsonl": `{"command":"rm -rf /","level":"CRITICAL"}` + "\n\n" + `{"cmd":"rm (ls)","label":"medium","shell":"fish"}` + "\n",
		"c.json":  `[{"command":"rm -rf /","risk":"critical"},{"command":"rm (ls)","expected":"moderate","shell":"fish"}]`,
		"d.csv":   "shell,Risk_Level,command\nbash,critical,rm -rf /\nfish,moderate,rm (ls)\n",
	}
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := ReadFile(path)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if len(got) != len(want) {
			t.Errorf("%s: %d entries", name, len(got))
			continue
		}
		for i := range want {
			got[i].Origin = ""
			if got[i] != want[i] {
				t.Errorf("%s: entry %d is %+v, want %+v", name, i, got[i], want[i])
			}
		}
	}
}

func TestAMalformedEntryNamesItsLine(t *testing.T) {
	for name, content := range map[string]string{
		"a.tsv": "safe\tls\nnolevel\n", "b.tsv": "safe\tls\nawful\tls\n", "c.jsonl": "{\"command\":\"ls\",\"level\":\"safe\"}\n{\n", "d.jsonl": "\n{\"level\":\"safe\"}\n",
	} {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadFile(path); err == nil || !strings.Contains(err.Error(), name+":2") {
			t.Errorf("%s: error %v does not name the line", name, err)
		}
	}
	if _, err := ReadFile("does-not-exist.tsv"); !os.IsNotExist(err) {
		t.Errorf("missing file: %v", err)
	}
}

func TestTheScoreCountsRightly(t *testing.T) {
	var s Score
	s.Add([]Entry{
		{Level: protocol.RiskSafe, Shell: protocol.ShellBash, Command: "ls"},
		{Level: protocol.RiskSafe, Shell: protocol.ShellBash, Command: "rm -rf /"},
		{Level: protocol.RiskCritical, Shell: protocol.ShellBash, Command: "rm -rf /etc"},
		{Level: protocol.RiskHigh, Shell: protocol.ShellBash, Command: "rm -rf ~"},
		{Level: protocol.RiskHigh, Shell: protocol.ShellBash, Command: "ls -l"},
	})
	if s.Total() != 5 || len(s.Wrong) != 3 {
		t.Errorf("total %d, wrong %d", s.Total(), len(s.Wrong))
	}
	for what, pair := range map[string][2]float64{
		"false alarms": {s.FalseAlarms(), 0.5}, "danger recall": {s.DangerRecall(), 2.0 / 3}, "recall of critical": {s.Recall(protocol.RiskCritical), 1},
		"precision of critical": {s.Precision(protocol.RiskCritical), 1.0 / 3}, "recall of high": {s.Recall(protocol.RiskHigh), 0}, "recall of none": {s.Recall(protocol.RiskModerate), 1},
	} {
		if d := pair[0] - pair[1]; d > 1e-9 || d < -1e-9 {
			t.Errorf("%s: %f, want %f", what, pair[0], pair[1])
		}
	}
	if !strings.Contains(s.String(), "entries: 5") {
		t.Error(s.String())
	}
}
