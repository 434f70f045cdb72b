package guard

import (
	"path/filepath"
	"testing"

	"pgregory.net/rapid"

	"github.com/caro-mesh/caro-node/observer/risk"
	"github.com/caro-mesh/caro-node/observer/risk/corpus"
	"github.com/caro-mesh/caro-node/observer/shellparse"
	"github.com/caro-mesh/caro-node/protocol/vocabulary"
)

// entries reads the labelled command lines whose file names match.
func entries(t testing.TB, pattern string) []corpus.Entry {
	t.Helper()
	names, err := filepath.Glob(filepath.Join("..", "risk", "corpus", pattern))
	if err != nil || len(names) == 0 {
		t.Fatalf("no corpus: %v", err)
	}
	var all []corpus.Entry
	for _, n := range names {
		e, err := corpus.ReadFile(n)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, e...)
	}
	return all
}

func judged(line string, sh vocabulary.ShellType) vocabulary.RiskLevel {
	return risk.Assess(shellparse.Parse(line, sh)).Level
}

func TestNoDangerousLinePassesUnseen(t *testing.T) {
	n := 0
	for _, e := range entries(t, "*.tsv") {
		if e.Level < vocabulary.RiskHigh && judged(e.Command, e.Shell) < vocabulary.RiskHigh {
			continue
		}
		n++
		if !Suspect(e.Command) {
			t.Errorf("%s: %q passes although it is labelled %v and judged %v", e.Origin, e.Command, e.Level,
				judged(e.Command, e.Shell))
		}
	}
	if n < 900 {
		t.Errorf("only %d dangerous lines were tried", n)
	}
}

func TestMostOrdinaryLinesNeedNoCheck(t *testing.T) {
	all, passed := 0, 0
	for _, e := range entries(t, "ordinary-*.tsv") {
		if e.Level != vocabulary.RiskSafe {
			continue
		}
		all++
		if !Suspect(e.Command) {
			passed++
		}
	}
	t.Logf("%d of %d safe lines pass without a check (%.0f %%)", passed, all, 100*float64(passed)/float64(all))
	if 2*passed < all {
		t.Error("fewer than half of them")
	}
}

func TestNoDangerousLinePassesBesideOthersOrInQuotes(t *testing.T) {
	var dangerous, ordinary []corpus.Entry
	for _, e := range entries(t, "*.tsv") {
		switch {
		case len(e.Command) > 500:
		case judged(e.Command, e.Shell) >= vocabulary.RiskHigh:
			dangerous = append(dangerous, e)
		default:
			ordinary = append(ordinary, e)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		d := rapid.SampledFrom(dangerous).Draw(t, "dangerous")
		o := rapid.SampledFrom(ordinary).Draw(t, "ordinary").Command
		line := rapid.SampledFrom([]string{d.Command + "; " + o, o + "\n" + d.Command, o + " && " + d.Command,
			d.Command + " | " + o,
			"sudo " + d.Command, "\\" + d.Command, "'" + d.Command[:1] + "'" + d.Command[1:], "nohup " + d.Command + " &",
			"/usr/bin/" + d.Command, "( " + d.Command + " )"}).Draw(t, "line")
		if level := judged(line, d.Shell); level >= vocabulary.RiskHigh && !Suspect(line) {
			t.Fatalf("%q passes although it is judged %v", line, level)
		}
	})
}
