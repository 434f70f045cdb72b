package risk

import (
	"bufio"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/caro-mesh/caro-node/observer/shellparse"
	"github.com/caro-mesh/caro-node/protocol/vocabulary"
)

func rulesOf(line string) []string {
	var out []string
	for _, f := range Assess(shellparse.Parse(line, vocabulary.ShellBash)).Findings {
		out = append(out, f.RuleID)
	}
	return out
}

func TestEveryRuleMatchesWhatItMeansAndNotItsNeighbour(t *testing.T) {
	f, err := os.Open("testdata/rules.tsv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	must, mustNot := map[string]int{}, map[string]int{}
	sc := bufio.NewScanner(f)
	for sc.Scan() {
		if strings.HasPrefix(sc.Text(), "#") {
			continue
		}
		parts := strings.SplitN(sc.Text(), "\t", 3)
		if len(parts) != 3 {
			t.Fatalf("malformed line %q", sc.Text())
		}
		id, line := parts[0], parts[2]
		found := slices.Contains(rulesOf(line), id)
		if parts[1] == "+" {
			must[id]++
			if !found {
				t.Errorf("%s does not match %s (found %v)", id, line, rulesOf(line))
			}
		} else {
			mustNot[id]++
			if found {
				t.Errorf("%s matches %s", id, line)
			}
		}
	}
	for _, r := range Rules() {
		if r.ID == "shell.too-large" { // TestWhatIsTooLargeToJudgeIsNeverSafe
			continue
		}
		if must[r.ID] == 0 || mustNot[r.ID] == 0 {
			t.Errorf("rule %s has no example of what it must match, or of what it must not", r.ID)
		}
	}
}

func TestEveryRuleExplainsItselfInOneSentence(t *testing.T) {
	for _, r := range Rules() {
		for what, s := range map[string]string{"reason": r.Reason, "suggestion": r.Suggestion} {
			if !strings.HasSuffix(s, ".") || strings.Contains(strings.TrimSuffix(s, "."), ". ") || s[0] < 'A' ||
				s[0] > 'Z' {
				t.Errorf("%s: the %s is not one sentence: %q", r.ID, what, s)
			}
		}
		if r.Level == vocabulary.RiskSafe || r.Level.Validate() != nil {
			t.Errorf("%s: level %v", r.ID, r.Level)
		}
		if area, name, ok := strings.Cut(r.ID, "."); !ok || area == "" || name == "" {
			t.Errorf("rule ID %q is not area.name", r.ID)
		}
	}
}

func TestWhatIsTooLargeToJudgeIsNeverSafe(t *testing.T) {
	for name, line := range map[string]string{
		"commands": strings.Repeat("true;", 200_000) + "rm -rf /",
		"depth":    strings.Repeat("$(", 200) + "rm -rf /" + strings.Repeat(")", 200),
		"brackets": strings.Repeat("(", 100_000) + "rm -rf /",
		"length":   "echo " + strings.Repeat("x", 2<<20) + "; rm -rf /",
		"eval":     strings.Repeat("eval ", 100) + "rm -rf /",
	} {
		if got := level(line); got < vocabulary.RiskHigh {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestALargeHereDocumentOfTextStaysSafe(t *testing.T) {
	line := "cat > data.json <<'EOF'\n" + strings.Repeat("{\"if\": [1, (2)], \"rm -rf\": \"/\"}\n", 30_000) + "EOF\n"
	if got := level(line); got != vocabulary.RiskSafe {
		t.Errorf("%d bytes of JSON: %s", len(line), got)
	}
}

func TestFindingsComeMostSevereFirstAndEachRuleOnce(t *testing.T) {
	a := Assess(shellparse.Parse("rm a; git push -f; rm b; rm -rf /; rm -rf /usr; rm -rf /", vocabulary.ShellBash))
	if a.Level != vocabulary.RiskCritical || len(a.Findings) != 4 {
		t.Fatalf("level %v, findings %v", a.Level, a.Findings)
	}
	seen := map[string]bool{}
	for i, f := range a.Findings {
		if seen[f.RuleID] {
			t.Errorf("rule %s twice", f.RuleID)
		}
		seen[f.RuleID] = true
		if i > 0 && f.Level > a.Findings[i-1].Level {
			t.Errorf("finding %d is more severe than the one before", i)
		}
		if f.Reason == "" || f.Suggestion == "" {
			t.Errorf("rule %s without reason or suggestion", f.RuleID)
		}
	}
}

func TestAContainerLimitsTheDamage(t *testing.T) {
	tests := map[string]vocabulary.RiskLevel{
		"docker run --rm alpine rm -rf /":            vocabulary.RiskModerate,
		"docker exec web rm -rf /":                   vocabulary.RiskHigh,
		"docker run --rm -v /:/h alpine rm -rf /h":   vocabulary.RiskCritical,
		"kubectl exec pod -- rm -rf /":               vocabulary.RiskHigh,
		"ssh host rm -rf /":                          vocabulary.RiskCritical,
		"docker exec web ls":                         vocabulary.RiskSafe,
		"docker run --rm -v $PWD:/app node npm test": vocabulary.RiskSafe,
	}
	for line, want := range tests {
		if got := level(line); got != want {
			t.Errorf("%s: %s, want %s", line, got, want)
		}
	}
}

func TestAFallbackNeverCallsADangerousWordInCommandPositionSafe(t *testing.T) {
	for _, word := range dangerous.Words() {
		for _, line := range []string{word + " 'unfinished", "if true; " + word + " x; end; )", "ls; " + word + " \"a"} {
			c := shellparse.Parse(line, vocabulary.ShellBash)
			if !c.Fallback {
				t.Fatalf("%s: the grammar accepts it, so that it tests nothing", line)
			}
			if Assess(c).Level == vocabulary.RiskSafe {
				t.Errorf("%s: safe", line)
			}
		}
	}
}

func TestAProgramIsJudgedAlikeHoweverManyWereJudgedBefore(t *testing.T) {
	names := map[string]bool{"": true, "unheard-of": true}
	for _, r := range Rules() {
		for _, w := range r.when {
			for n := range strings.SplitSeq(strings.Fields(w)[0], "|") {
				names[n] = true
			}
		}
	}
	for alias := range sameAs {
		names[alias] = true
	}
	for n := range names {
		searched := compileAll(linesOf(n))
		lookups.Store(few)
		if looked := patternsOf(n); len(looked) != len(searched) || len(looked) > 0 && !reflect.DeepEqual(looked, searched) {
			t.Errorf("%q: a search finds %d patterns, the map %d", n, len(searched), len(looked))
		}
	}
}
