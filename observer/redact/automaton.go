package redact

import "strings"

// automaton finds many short literals in one pass over a text, without regard to case (Aho and Corasick's machine
// with a full transition table). The common harmless command costs this pass and nothing else.
type automaton struct {
	class [256]uint8 // byte to column; 0 for bytes that occur in no literal
	width int
	next  []uint16   // state*width+class to state
	found [][]uint16 // state to the literals that end there
}

// newAutomaton compiles the literals; a hit is reported as the literal's index. The literals are lower case.
func newAutomaton(literals []string) *automaton {
	a := &automaton{width: 1}
	for _, l := range literals {
		for i := range len(l) {
			if a.class[l[i]] == 0 {
				a.class[l[i]] = uint8(a.width)
				a.width++
			}
		}
	}
	for b := 'A'; b <= 'Z'; b++ {
		a.class[b] = a.class[b+'a'-'A']
	}
	a.addState()
	for id, l := range literals {
		if l == "" || l != strings.ToLower(l) {
			panic("redact: literal must be lower case and not empty: " + l)
		}
		state := 0
		for i := range len(l) {
			at := state*a.width + int(a.class[l[i]])
			if a.next[at] == 0 {
				a.next[at] = uint16(a.addState())
			}
			state = int(a.next[at])
		}
		a.found[state] = append(a.found[state], uint16(id))
	}
	a.link()
	return a
}

func (a *automaton) addState() int {
	a.next = append(a.next, make([]uint16, a.width)...)
	a.found = append(a.found, nil)
	if len(a.found) > 1<<16 {
		panic("redact: too many literals")
	}
	return len(a.found) - 1
}

// link walks the states by depth and completes each one's transitions from its longest proper suffix.
func (a *automaton) link() {
	suffix := make([]uint16, len(a.found))
	queue := []uint16{0}
	for len(queue) > 0 {
		state := queue[0]
		queue = queue[1:]
		for c := range a.width {
			at := int(state)*a.width + c
			child := a.next[at]
			fallback := uint16(0)
			if state != 0 {
				fallback = a.next[int(suffix[state])*a.width+c]
			}
			if child == 0 {
				a.next[at] = fallback
				continue
			}
			suffix[child] = fallback
			a.found[child] = append(a.found[child], a.found[fallback]...)
			queue = append(queue, child)
		}
	}
}

// scan calls hit for each literal found, with the index after its last byte.
func (a *automaton) scan(s string, hit func(literal uint16, end int)) {
	state := 0
	for i := range len(s) {
		state = int(a.next[state*a.width+int(a.class[s[i]])])
		if a.found[state] == nil {
			continue
		}
		for _, id := range a.found[state] {
			hit(id, i+1)
		}
	}
}
