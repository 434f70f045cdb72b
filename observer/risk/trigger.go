package risk

import (
	"maps"
	"slices"
	"strings"
)

// Trigger names a program that a rule of level high or critical can be about.
type Trigger struct {
	Program string
	// Words holds operands of which one must stand in the line for the rule to hold; nil where the program is enough,
	// and where only code can tell.
	Words []string
	// Texts holds pieces of text of which one must stand in the line, where Words is nil and the rule says so.
	Texts []string
	// Coded says that the rules of the program are code, which may look at anything.
	Coded bool
}

// Triggers lists what rules of level high or critical can be about, sorted by program, one entry per pattern. What it
// does not hold are rules that concern a line as a whole, its redirections and its assignments.
func Triggers() []Trigger {
	var out []Trigger
	for _, name := range slices.Sorted(maps.Keys(programs())) {
		for _, p := range programs()[name]() {
			if ruleByID()[p.rule].Level >= high || raised.Has(p.rule) {
				t := Trigger{Program: name, Words: p.needs(!abbreviating.Has(name))}
				switch {
				case ruleByID()[p.rule].Level < high && stops.Has(p.rule): // only beside a word that stops something
					t.Words = stopping.Words()
				case t.Words == nil:
					t.Texts = p.texts()
				}
				out = append(out, t)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(checks)) {
		out = append(out, Trigger{Program: name, Coded: true})
		for _, alias := range slices.Sorted(maps.Keys(sameAs)) {
			if sameAs[alias] == name && checks[alias] == nil {
				out = append(out, Trigger{Program: alias, Coded: true})
			}
		}
	}
	slices.SortStableFunc(out, func(a, b Trigger) int {
		switch {
		case a.Program < b.Program:
			return -1
		case a.Program > b.Program:
			return 1
		}
		return 0
	})
	return out
}

// needs returns the words of the last operand that the pattern demands and that can be told from its spelling; where it
// demands none, and options is set, those of its long options or exact words.
func (p *pattern) needs(options bool) []string {
	for _, t := range slices.Backward(p.terms) {
		if t.kind != 'o' {
			continue
		}
		out := slices.Clone(t.words)
		for i, w := range out {
			w = strings.TrimSuffix(w, ":*")
			out[i] = w[strings.LastIndexByte(w, ':')+1:] // db:drop counts as two words
		}
		if !slices.ContainsFunc(out, func(w string) bool { return !plain(w) }) {
			return out
		}
	}
	for _, t := range slices.Backward(p.terms) {
		if !options || t.kind != '-' && t.kind != '=' {
			continue
		}
		var out []string
		for _, w := range t.words {
			w, _, _ = strings.Cut(w, "=")
			if !plain(w) || t.kind == '-' && !strings.HasPrefix(w, "--") {
				out = nil
				break
			}
			out = append(out, w)
		}
		if out != nil {
			return out
		}
	}
	return nil
}

// texts returns pieces of text of which one stands in every line that the pattern means; nil where it does not say.
func (p *pattern) texts() []string {
	for _, t := range p.terms {
		if t.kind != '~' && t.kind != 'o' && t.kind != '=' {
			continue
		}
		out := make([]string, 0, len(t.words))
		for _, w := range t.words {
			longest := ""
			for piece := range strings.SplitSeq(w, "*") {
				if len(piece) > len(longest) {
					longest = piece
				}
			}
			if len(longest) < 4 || strings.ContainsAny(longest, " \"'\\[?") {
				out = nil
				break
			}
			out = append(out, longest)
		}
		if out != nil {
			return out
		}
	}
	return nil
}

// plain reports whether a word holds only characters that no shell takes for anything else.
func plain(w string) bool {
	for _, c := range []byte(w) {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_' && c != '-' && c != '.' &&
			c != '+' {
			return false
		}
	}
	return w != ""
}
