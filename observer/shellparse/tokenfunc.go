package shellparse

import (
	"strings"
)

// functionHere defines the function whose definition begins at the lexer's position, name() { … }, or runs an anonymous one
// of zsh, () { … } args. It reports whether there was one.
func (l *lexer) functionHere(stdin Source) (Source, bool) {
	s := l.s[l.pos:]
	n := 0
	for n < len(s) && (isNameByte(s[n]) || strings.IndexByte(":.-+@", s[n]) >= 0) {
		n++
	}
	name := s[:n]
	rest := strings.TrimLeft(s[n:], " \t")
	if !strings.HasPrefix(rest, "()") {
		return Source{}, false
	}
	rest = strings.TrimLeft(rest[2:], " \t\n")
	if !strings.HasPrefix(rest, "{") {
		return Source{}, false
	}
	start := len(l.s) - len(rest) + 1
	end := l.closing(start)
	body := l.s[start:end]
	l.pos = min(end+1, len(l.s))
	if name != "" {
		if len(l.w.funcs) < maxFields {
			l.w.funcs = append(l.w.funcs, function{name: name, text: body})
		}
		return Source{Known: true}, true
	}
	var args []Word
	for l.pos < len(l.s) && strings.IndexByte(";&|\n)<>", l.s[l.pos]) < 0 {
		before := l.pos
		args = append(args, l.word()...)
		if l.pos == before {
			l.pos++
		}
	}
	return l.w.nested(func(c *context) { c.args, c.argsSet = args, true }, func() Source {
		return l.w.runText("", body, stdin)
	}), true
}

// closing returns where the curly bracket ends that was opened before from, the end of the text if it does not.
func (l *lexer) closing(from int) int {
	depth := 1
	for i := from; i < len(l.s); i++ {
		switch c := l.s[i]; c {
		case '\\':
			i++
		case '\'', '"':
			end := strings.IndexByte(l.s[i+1:], c)
			if end < 0 {
				return len(l.s)
			}
			i += end + 1
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return len(l.s)
}
