// Package wordset holds sets of words that are made when they are first asked. The guard starts a process for one line,
// and a person waits for it: most of the tables that judge commands are not needed for most lines.
package wordset

import (
	"strings"
	"sync"
)

// Set is a set of words that never changes. It is safe for concurrent use.
type Set struct{ made func() map[string]bool }

// Of returns the set of the blank separated words.
func Of(list string) Set {
	return Set{sync.OnceValue(func() map[string]bool {
		m := map[string]bool{}
		for w := range strings.FieldsSeq(list) {
			m[w] = true
		}
		return m
	})}
}

// Has reports whether the word is in the set.
func (s Set) Has(word string) bool { return s.made()[word] }

// Words returns the words in no particular order.
func (s Set) Words() []string {
	out := make([]string, 0, len(s.made()))
	for w := range s.made() {
		out = append(out, w)
	}
	return out
}
