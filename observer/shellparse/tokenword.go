package shellparse

import (
	"strings"
)

// word reads one word and expands it.
func (l *lexer) word() []Word {
	var b builder
	start := l.pos
	for l.pos < len(l.s) {
		ch := l.s[l.pos]
		switch ch {
		case ' ', '\t', '\r', '\n', ';', '&', '|', ')', '<', '>':
			b.flush()
			return b.fields
		case '\\':
			if l.pos+1 < len(l.s) {
				if l.s[l.pos+1] != '\n' {
					b.add(l.s[l.pos+1 : l.pos+2])
				}
				l.pos++
			}
			l.pos++
		case '\'':
			end := l.index(l.pos+1, '\'')
			text := l.s[l.pos+1:]
			if end >= 0 {
				text = text[:end]
			}
			if l.pos == start && strings.HasPrefix(text, "~") {
				b.add("./")
			}
			b.add(text)
			l.pos += 1 + len(text)
			if end >= 0 {
				l.pos++
			}
		case '"':
			l.double(&b)
		case '$':
			l.dollar(&b, false)
		case '`':
			end := l.index(l.pos+1, '`')
			if end < 0 {
				l.pos++
				continue
			}
			code := l.s[l.pos+1 : l.pos+1+end]
			l.pos += end + 2
			out := l.w.nested(nil, func() Source { return l.w.code(code, Source{}) })
			l.w.insert(&b, outputWord(out), false, true)
		case '(':
			l.w.insert(&b, l.substitution(), false, true)
		default:
			if ch == '*' || ch == '?' || ch == '[' {
				b.glob = true
			}
			b.add(l.s[l.pos : l.pos+1])
			l.pos++
		}
	}
	b.flush()
	return b.fields
}

// substitution resolves a command substitution; the lexer stands at its bracket.
func (l *lexer) substitution() Word {
	inFunc, before := l.inFunc, l.pos
	out := l.w.nested(nil, func() Source { return l.group(Source{}) })
	l.inFunc = inFunc
	if l.pos == before { // nested too deeply to be read
		l.pos++
	}
	return outputWord(out)
}

func outputWord(out Source) Word {
	if out.Known {
		return Word{Text: strings.TrimRight(out.Text, "\n"), From: out.From}
	}
	return Word{Text: "$()", Open: true, From: out.From}
}

func (l *lexer) double(b *builder) {
	b.has = true
	l.pos++
	for l.pos < len(l.s) {
		switch ch := l.s[l.pos]; ch {
		case '"':
			l.pos++
			return
		case '\\':
			if l.pos+1 < len(l.s) {
				if strings.IndexByte("$`\"\\", l.s[l.pos+1]) < 0 {
					b.add(`\`)
				}
				b.add(l.s[l.pos+1 : l.pos+2])
				l.pos++
			}
			l.pos++
		case '$':
			l.dollar(b, true)
		default:
			b.add(l.s[l.pos : l.pos+1])
			l.pos++
		}
	}
}

// maxBraced bounds the text between the brackets of an expansion.
const maxBraced = 1 << 10

// dollar reads an expansion.
func (l *lexer) dollar(b *builder, quoted bool) {
	l.pos++
	if l.pos >= len(l.s) {
		b.add("$")
		return
	}
	name := ""
	switch ch := l.s[l.pos]; {
	case ch == '(':
		l.w.insert(b, l.substitution(), quoted, true)
		return
	case ch == '\'' && !quoted:
		end := l.pos + 1
		for end < len(l.s) && l.s[end] != '\'' {
			if l.s[end] == '\\' {
				end++
			}
			end++
		}
		end = min(end, len(l.s))
		b.add(unescape(l.s[l.pos+1:end], escapeC))
		l.pos = min(end+1, len(l.s))
		return
	case ch == '{':
		if l.index(l.pos, '}') < 0 {
			b.add("$")
			return
		}
		end := l.pos + matching(l.s[l.pos:min(len(l.s), l.pos+maxBraced)], 0)
		inner := l.s[l.pos+1 : min(end, len(l.s))]
		l.pos = min(end+1, len(l.s))
		for len(name) < len(inner) && isNameByte(inner[len(name)]) {
			name = inner[:len(name)+1]
		}
		if len(name) < len(inner) || name == "" {
			for i, v := range l.braced(inner, 0) {
				if i > 0 {
					b.flush()
				}
				l.w.insert(b, v, quoted, false)
			}
			return
		}
	case strings.IndexByte("@*#?$!-", ch) >= 0:
		name = l.s[l.pos : l.pos+1]
		l.pos++
	default:
		end := l.pos
		for end < len(l.s) && isNameByte(l.s[end]) {
			end++
		}
		name = l.s[l.pos:end]
		l.pos = end
	}
	if name == "" {
		b.add("$")
		return
	}
	values, known := l.w.lookup(name)
	if !known {
		values = []Word{unknown(name, l.w.ctx.dir)}
	}
	if l.w.fish && l.pos < len(l.s) && l.s[l.pos] == '[' { // $list[1]
		if end := l.index(l.pos, ']'); end >= 0 {
			l.pos += end + 1
		}
	}
	for i, v := range values {
		if i > 0 {
			b.flush()
		}
		l.w.insert(b, v, quoted, !l.w.fish)
	}
}
