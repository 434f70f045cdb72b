package corpus

import (
	"fmt"
	"strings"

	"github.com/caro-mesh/caro-node/observer/risk"
	"github.com/caro-mesh/caro-node/observer/shellparse"
	"github.com/caro-mesh/caro-node/protocol"
)

// Score counts judgements against labels.
type Score struct {
	// Counts[label][judged] is the number of entries with that label that were judged so.
	Counts [4][4]int
	// Wrong lists the entries whose judgement differs from their label.
	Wrong []Miss
	// Fallbacks counts the entries that the grammar refused.
	Fallbacks int
}

// Miss is an entry that was judged otherwise than it is labelled.
type Miss struct {
	Entry
	Judged protocol.RiskLevel
	Rules  []string // the rules that matched, most severe first
}

// Add judges the entries and counts them.
func (s *Score) Add(entries []Entry) {
	for _, e := range entries {
		c := shellparse.Parse(e.Command, e.Shell)
		a := risk.Assess(c)
		if c.Fallback {
			s.Fallbacks++
		}
		s.Counts[e.Level][a.Level]++
		if a.Level == e.Level {
			continue
		}
		m := Miss{Entry: e, Judged: a.Level}
		for _, f := range a.Findings {
			m.Rules = append(m.Rules, f.RuleID)
		}
		s.Wrong = append(s.Wrong, m)
	}
}

// Total is the number of entries.
func (s *Score) Total() int {
	n := 0
	for _, l := range protocol.RiskLevels() {
		n += s.labelled(l)
	}
	return n
}

func (s *Score) labelled(l protocol.RiskLevel) int {
	n := 0
	for _, c := range s.Counts[l] {
		n += c
	}
	return n
}

// Recall is the share of the entries labelled l that were judged l; 1 if there are none.
func (s *Score) Recall(l protocol.RiskLevel) float64 { return share(s.Counts[l][l], s.labelled(l)) }

// Precision is the share of the entries judged l that are labelled l; 1 if there are none.
func (s *Score) Precision(l protocol.RiskLevel) float64 {
	n := 0
	for label := range s.Counts {
		n += s.Counts[label][l]
	}
	return share(s.Counts[l][l], n)
}

// DangerRecall is the share of the entries labelled high or critical that were judged high or critical.
func (s *Score) DangerRecall() float64 {
	found, all := 0, 0
	for _, label := range []protocol.RiskLevel{protocol.RiskHigh, protocol.RiskCritical} {
		found += s.Counts[label][protocol.RiskHigh] + s.Counts[label][protocol.RiskCritical]
		all += s.labelled(label)
	}
	return share(found, all)
}

// FalseAlarms is the share of the entries labelled safe that were judged high or critical; 0 if there are none.
func (s *Score) FalseAlarms() float64 {
	n := s.Counts[protocol.RiskSafe][protocol.RiskHigh] + s.Counts[protocol.RiskSafe][protocol.RiskCritical]
	if n == 0 {
		return 0
	}
	return share(n, s.labelled(protocol.RiskSafe))
}

func share(part, whole int) float64 {
	if whole == 0 {
		return 1
	}
	return float64(part) / float64(whole)
}

// String is the score as a table.
func (s *Score) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-10s %8s %9s   judged: %6s %9s %6s %9s\n", "label", "recall", "precision", "safe", "moderate", "high", "critical")
	for _, l := range protocol.RiskLevels() {
		c := s.Counts[l]
		fmt.Fprintf(&b, "%-10s %8.4f %9.4f           %6d %9d %6d %9d\n", l, s.Recall(l), s.Precision(l), c[0], c[1], c[2], c[3])
	}
	fmt.Fprintf(&b, "\nhigh and critical found: %.4f (aim at least 0.98)\nfalse alarms on safe commands: %.4f (aim at most 0.005)\nentries: %d, of which the grammar refused %d\n",
		s.DangerRecall(), s.FalseAlarms(), s.Total(), s.Fallbacks)
	return b.String()
}
