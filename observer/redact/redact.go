// Package redact replaces secrets in commands, so that a command can be stored and the secret in it is not.
//
// What is replaced becomes "REDACTED:" and the name of the kind of secret, such as REDACTED:github_token: one shell
// word in which no character is special, so that the line still reads and parses as the command it was. Everything else
// stays byte for byte.
//
// Secrets are found in two ways. Some show what they are by their own form wherever they stand (the table shapes, and
// key files). Others are secrets only by their place: behind a name (PASSWORD=…, --token …, "client_secret": "…"), in a
// header, in a web address, as the operand or option of a tool for which that place means a secret (the table tools),
// or on the standard input of one (echo … | docker login --password-stdin). References ($TOKEN, $(pass show x),
// {{ .Values.token }}), paths, switches and placeholders in such places are no secrets and stay.
//
// The text is cut into words by a lexer of its own, which has an answer for every text, also one that no shell would
// accept. Time is linear in the length of the command; one that holds no literal of the rules costs a single pass.
package redact

import (
	"slices"
	"sort"
	"strings"
	"sync"
)

// maxPasses bounds how often the result is looked at again. Each pass replaces at least one byte that is not part of a
// marker; two passes are what real commands need.
const maxPasses = 8

// Redact returns cmd with each secret replaced by a marker, and the names of the kinds that were replaced, sorted, each
// once; see [Kinds]. Without secrets it returns cmd itself and nil. Redacting the result again changes nothing. The
// result is at most 24 times as long as cmd (a marker is longer than a password of one character). Any bytes are accepted, and those that are
// not part of a secret are kept, valid UTF-8 or not.
func Redact(cmd string) (clean string, kinds []string) {
	clean = cmd
	for range maxPasses {
		next, found := pass(clean)
		if len(found) == 0 {
			break
		}
		clean = next
		kinds = append(kinds, found...)
	}
	if kinds == nil {
		return clean, nil
	}
	sort.Strings(kinds)
	return clean, slices.Compact(kinds)
}

// span is a stretch of the command that is to be replaced.
type span struct {
	from, to int
	kind     string
	certain  bool // found by its own form, which names the kind better than the place does
}

// finder collects the spans of one command.
type finder struct {
	rules   *rules
	cmd     string
	spans   []span
	markers []span  // what an earlier redaction left
	printed []*word // what echo and printf print in the text being read, by position
}

// pass redacts once.
func pass(cmd string) (string, []string) {
	f := finder{rules: theRules(), cmd: cmd}
	if f.scan() {
		f.read(&source{text: cmd, runs: true})
	}
	f.fit()
	if len(f.spans) == 0 {
		return cmd, nil
	}
	return f.apply()
}

// mark notes that text[from:to] of the word is a secret.
func (f *finder) mark(w *word, from, to int, kind string) {
	if from >= to {
		return
	}
	for {
		from, to = w.origin(from, to)
		if w.src.parent == nil {
			break
		}
		w = w.src.parent
	}
	f.spans = append(f.spans, span{from: from, to: to, kind: kind})
}

// fit makes the spans respect the markers that already stand in the command: one that lies within a marker goes, one
// that cuts into it takes all of it.
func (f *finder) fit() {
	if len(f.markers) == 0 {
		return
	}
	kept := f.spans[:0]
	for _, s := range f.spans {
		k := sort.Search(len(f.markers), func(k int) bool { return f.markers[k].to > s.from })
		inside := false
		for ; k < len(f.markers) && f.markers[k].from < s.to; k++ {
			m := f.markers[k]
			if m.from <= s.from && s.to <= m.to {
				inside = true
				break
			}
			s.from, s.to = min(s.from, m.from), max(s.to, m.to)
		}
		if !inside {
			kept = append(kept, s)
		}
	}
	f.spans = kept
}

// apply joins overlapping spans and replaces each by its marker.
func (f *finder) apply() (string, []string) {
	sort.SliceStable(f.spans, func(i, j int) bool {
		a, b := f.spans[i], f.spans[j]
		if a.from != b.from {
			return a.from < b.from
		}
		return a.to > b.to
	})
	var out strings.Builder
	var found []string
	done := 0
	for i := 0; i < len(f.spans); {
		joined := f.spans[i]
		best := joined
		i++
		for {
			for ; i < len(f.spans) && f.spans[i].from <= joined.to; i++ {
				s := f.spans[i]
				joined.to = max(joined.to, s.to)
				if size, was := s.to-s.from, best.to-best.from; size > was || size == was && s.certain {
					best = s
				}
			}
			// The name in the marker must end where the marker ends.
			end := joined.to
			if m := markerAt(f.cmd, end); m >= 0 {
				joined.to = m
			}
			for joined.to < len(f.cmd) && is(f.cmd[joined.to], setWord) {
				joined.to++
			}
			if joined.to == end {
				break
			}
		}
		out.WriteString(f.cmd[done:joined.from])
		out.WriteString(marker)
		out.WriteString(best.kind)
		found = append(found, best.kind)
		done = joined.to
	}
	out.WriteString(f.cmd[done:])
	return out.String(), found
}

// rules is everything compiled from the tables, once, when the first command comes.
type rules struct {
	literals *automaton
	roles    []role // by literal
	shapes   []compiledShape
	tools    map[string][]toolRule
	feeds    map[string][]feedRule
}

// role is what a literal of the automaton means.
type role struct {
	shapes  []int // indexes of shapes with this anchor
	keyword bool  // part of a name
	tool    bool  // name of a tool, or the subcommand that makes it interesting
	address bool  // "://"
	file    bool  // a file whose lines hold secrets without names
	pem     bool
	marker  bool
}

type compiledShape struct {
	*shape
	tail, head []piece
}

var theRules = sync.OnceValue(compileRules)

var kindNames = sync.OnceValue(func() map[string]bool {
	m := map[string]bool{}
	for _, k := range allKinds {
		m[k.Name] = true
	}
	return m
})

func compileRules() *rules {
	r := &rules{tools: map[string][]toolRule{}, feeds: map[string][]feedRule{}}
	index := map[string]int{}
	var literals []string
	at := func(literal string) *role {
		literal = strings.ToLower(literal)
		k, ok := index[literal]
		if !ok {
			k = len(literals)
			index[literal] = k
			literals = append(literals, literal)
			r.roles = append(r.roles, role{})
		}
		return &r.roles[k]
	}
	for i := range shapes {
		s := &shapes[i]
		r.shapes = append(r.shapes, compiledShape{shape: s, tail: compile(s.tail), head: compile(s.head)})
		p := at(s.anchor)
		p.shapes = append(p.shapes, i)
	}
	for _, k := range keywords {
		at(k).keyword = true
	}
	for _, t := range tools {
		t.prepare()
		for _, name := range strings.Fields(t.names) {
			r.tools[name] = append(r.tools[name], t)
		}
		for _, word := range triggers(t.names, t.sub) {
			at(word).tool = true
		}
	}
	for _, t := range feeds {
		for _, name := range strings.Fields(t.names) {
			r.feeds[name] = append(r.feeds[name], t)
		}
		for _, word := range triggers(t.names, t.sub) {
			at(word).tool = true
		}
	}
	for _, word := range []string{"expect", "spawn"} { // see dialogue
		at(word).tool = true
	}
	at("://").address = true
	at("-----begin ").pem = true
	at("putty-user-key-file-").pem = true
	at(".pgpass").file = true
	at(marker).marker = true
	r.literals = newAutomaton(literals)
	return r
}
