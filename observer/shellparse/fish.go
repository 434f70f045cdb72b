package shellparse

import (
	"strings"
)

// needsFish reports whether a fish line uses words that the POSIX grammar accepts with another meaning.
func needsFish(text string) bool {
	for _, word := range [...]string{"end", "and ", "or ", "not ", "begin", "set "} {
		if strings.Contains(text, word) {
			return true
		}
	}
	return false
}

// fishWords are keywords before a command in fish; the grammar takes them for programs.
var fishWords = map[string]bool{"and": true, "or": true, "not": true, "begin": true, "if": true, "else": true,
	"while": true}

// blockWords begin a construct that "end" closes.
var blockWords = map[string]bool{"function": true, "if": true, "while": true, "for": true, "begin": true,
	"switch": true}

// spread expands brace lists, {a,b}c, one per word. Quotes are gone by now, so that what looks like data is left alone.
func spread(words []Word) []Word {
	for i, v := range words {
		open := strings.IndexByte(v.Text, '{')
		if open < 0 {
			continue
		}
		end := strings.IndexByte(v.Text[open:], '}')
		if end < 0 || !strings.Contains(v.Text[open:open+end], ",") || strings.ContainsAny(v.Text, " \"':\n$") {
			continue
		}
		out := append([]Word(nil), words[:i]...)
		for _, part := range strings.SplitN(v.Text[open+1:open+end], ",", maxFields) {
			w := v
			w.Text = v.Text[:open] + part + v.Text[open+end+1:]
			out = append(out, w)
		}
		return append(out, words[i+1:]...)
	}
	return words
}

// define reads the body of a function, up to the "end" that belongs to it, and remembers it.
func (l *lexer) define(name string) {
	start := l.pos
	depth, first := 1, true
	for l.pos < len(l.s) {
		switch c := l.s[l.pos]; c {
		case ';', '\n', '&', '|', '(':
			first = true
			l.pos++
			continue
		case ' ', '\t', ')':
			l.pos++
			continue
		case '\'', '"':
			end := l.index(l.pos+1, c)
			if end < 0 {
				l.pos = len(l.s)
				continue
			}
			l.pos += end + 2
			first = false
			continue
		}
		end := len(l.s)
		if n := strings.IndexAny(l.s[l.pos:], " \t;\n&|()'\""); n >= 0 {
			end = l.pos + n
		}
		word := l.s[l.pos:end]
		if first {
			if blockWords[word] {
				depth++
			} else if word == "end" {
				depth--
			}
			first = word == "and" || word == "or" || word == "not" || word == "else"
		}
		if depth == 0 {
			break
		}
		l.pos = max(end, l.pos+1)
	}
	if len(l.w.funcs) < maxFields {
		l.w.funcs = append(l.w.funcs, function{name: name, text: l.s[start:min(l.pos, len(l.s))]})
	}
}

// runText runs the body of a function that the tokeniser read.
func (w *walker) runText(name, body string, stdin Source) Source {
	if !w.spend(len(body)) {
		return Source{}
	}
	guess := w.ctx.guess
	w.ctx.guess = true
	l := &lexer{w: w, s: body, inFunc: name}
	out := l.list(stdin)
	w.ctx.guess = guess
	return out
}
