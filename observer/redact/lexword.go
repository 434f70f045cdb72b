package redact

import "strings"

// wordEnd reports a byte that ends a bare word.
func wordEnd(c byte) bool {
	switch c {
	case ' ', '\t', '\r', '\n', ';', '&', '|', '(', ')', '<', '>':
		return true
	}
	return false
}

// word reads one word. It always moves on, and reports false where nothing but a line continuation was there.
func (l *lexer) word(closing byte) (word, bool) {
	w := word{src: l.src, from: l.i}
	plain := true
	mark := len(l.buf)
	for l.i < len(l.s) {
		c := l.s[l.i]
		if wordEnd(c) || (c == closing && c != 0) {
			break
		}
		switch {
		case c == '\\' && l.i+1 < len(l.s):
			plain = false
			if l.s[l.i+1] == '\n' {
				l.i += 2
				continue
			}
			l.put(&w, mark, l.s[l.i+1:l.i+2], segment{from: l.i, to: l.i + 2, form: formBare, open: l.i, close: l.i + 2})
			l.i += 2
		case c == '\'':
			plain = false
			l.single(&w, mark, 1)
		case c == '"':
			plain = false
			l.double(&w, mark)
		case c == '$' && l.at(1) == '\'':
			plain = false
			l.single(&w, mark, 2)
		case c == '$' && l.at(1) == '"':
			plain = false
			l.i++
			l.double(&w, mark)
		case c == '$' || c == '`':
			from := l.i
			if l.expansion(c) {
				plain = false
				l.put(&w, mark, liveText(l.s[from:l.i]), segment{from: from, to: l.i, form: formLive, open: from, close: l.i})
			} else {
				l.i++
				l.put(&w, mark, l.s[from:l.i], segment{from: from, to: l.i, open: from, close: l.i})
			}
		default:
			from := l.i
			for l.i < len(l.s) && !special(l.s[l.i]) && l.s[l.i] != closing {
				l.i++
			}
			if l.i == from {
				l.i++
			}
			l.put(&w, mark, l.s[from:l.i], segment{from: from, to: l.i, open: from, close: l.i})
		}
	}
	w.to = l.i
	if w.to == w.from { // an operator stands here: never stand still
		l.i++
		return w, false
	}
	if plain {
		w.segs = nil
		w.text = l.s[w.from:w.to]
	} else {
		w.text = string(l.buf[mark:])
	}
	l.buf = l.buf[:mark]
	return w, !plain || w.text != ""
}

// liveText is what stands for an expansion in the text of a word: a variable as written, since it may have a default
// value in it, and a mark for commands, which are read by themselves.
func liveText(s string) string {
	if s[0] == '`' || s[1] == '(' || strings.HasPrefix(s, "${ ") || strings.HasPrefix(s, "${|") || strings.HasPrefix(s, "${\n") {
		return "$()"
	}
	return s
}

// special reports a byte that ends a run of plain characters.
func special(c byte) bool {
	return wordEnd(c) || c == '\\' || c == '\'' || c == '"' || c == '$' || c == '`'
}

// put appends decoded text with its origin.
func (l *lexer) put(w *word, mark int, text string, s segment) {
	if text == "" {
		return
	}
	s.at, s.length = len(l.buf)-mark, len(text)
	l.buf = append(l.buf, text...)
	if n := len(w.segs); n > 0 {
		p := &w.segs[n-1]
		// Runs of the same quotation that continue each other are one segment.
		if p.form == s.form && p.to == s.from && p.length == p.to-p.from && s.length == s.to-s.from && s.form != formLive &&
			(s.form == formBare || p.open == s.open) {
			p.length += s.length
			p.to = s.to
			if s.form == formBare {
				p.close = s.close
			}
			return
		}
	}
	w.segs = append(w.segs, s)
}

// single reads '…' (marks 1) or $'…' (marks 2); without a closing mark it goes to the end.
func (l *lexer) single(w *word, mark, marks int) {
	open := l.i
	l.i += marks
	first := len(w.segs)
	for l.i < len(l.s) && l.s[l.i] != '\'' {
		from := l.i
		if marks == 2 && l.s[l.i] == '\\' && l.i+1 < len(l.s) {
			l.i += 2
			l.put(w, mark, ansi(l.s[from+1]), segment{from: from, to: l.i, form: formSingle, open: open})
			continue
		}
		for l.i < len(l.s) && l.s[l.i] != '\'' && (marks == 1 || l.s[l.i] != '\\' || l.i+1 >= len(l.s)) {
			l.i++
		}
		l.put(w, mark, l.s[from:l.i], segment{from: from, to: l.i, form: formSingle, open: open})
	}
	l.i++
	l.close(w, first)
}

// ansi decodes the usual one-letter escapes of $'…'; numeric ones keep their letters, which is enough to find secrets.
func ansi(c byte) string {
	switch c {
	case 'n':
		return "\n"
	case 't':
		return "\t"
	case 'r':
		return "\r"
	}
	return string([]byte{c})
}

// close notes where the quotation ends in each of its segments.
func (l *lexer) close(w *word, first int) {
	l.i = min(l.i, len(l.s))
	for k := first; k < len(w.segs); k++ {
		w.segs[k].close = l.i
	}
}

// double reads "…".
func (l *lexer) double(w *word, mark int) {
	open := l.i
	l.i++
	first := len(w.segs)
	for l.i < len(l.s) && l.s[l.i] != '"' {
		from := l.i
		c := l.s[l.i]
		switch {
		case c == '\\' && l.i+1 < len(l.s):
			l.i += 2
			switch e := l.s[from+1]; e {
			case '"', '\\', '$', '`':
				l.put(w, mark, string([]byte{e}), segment{from: from, to: l.i, form: formDouble, open: open})
			case '\n':
			default:
				l.put(w, mark, l.s[from:l.i], segment{from: from, to: l.i, form: formDouble, open: open})
			}
		case c == '$' || c == '`':
			if l.expansion(c) {
				l.put(w, mark, liveText(l.s[from:l.i]), segment{from: from, to: l.i, form: formLive, open: open, close: l.i})
				continue
			}
			l.i++
			l.put(w, mark, l.s[from:l.i], segment{from: from, to: l.i, form: formDouble, open: open})
		default:
			for l.i < len(l.s) && l.s[l.i] != '"' && l.s[l.i] != '\\' && l.s[l.i] != '$' && l.s[l.i] != '`' {
				l.i++
			}
			if l.i == from {
				l.i++
			}
			l.put(w, mark, l.s[from:l.i], segment{from: from, to: l.i, form: formDouble, open: open})
		}
	}
	l.i++
	l.close(w, first)
}

// expansion reads $name, ${…}, $(…) or `…` and reports whether one was there. Commands inside are read as commands.
func (l *lexer) expansion(c byte) bool {
	if l.depth >= maxNesting {
		return false
	}
	if c == '`' {
		return l.substitution(1, '`')
	}
	switch n := l.at(1); {
	case n == '(':
		return l.substitution(2, ')')
	case n == '{' && (l.at(2) == ' ' || l.at(2) == '\n' || l.at(2) == '|'): // bash 5.3: ${ command; }
		return l.substitution(3, '}')
	case n == '{':
		return l.brace()
	case is(n, setWord) && !is(n, setDigit):
		l.i += 2
		for l.i < len(l.s) && is(l.s[l.i], setWord) {
			l.i++
		}
		return true
	case is(n, setDigit), n == '@', n == '*', n == '?', n == '#', n == '!', n == '$':
		l.i += 2
		return true
	}
	return false
}

// substitution reads the commands of $(…) or `…`. The buffer and the pending here-documents of the outer word wait.
func (l *lexer) substitution(marks int, closing byte) bool {
	l.i += marks
	pending := l.pending
	l.pending = nil
	l.depth++
	l.list(closing)
	l.depth--
	l.flushHere()
	l.pending = pending
	l.i = min(l.i+1, len(l.s))
	return true
}

// brace reads ${…}. Without a closing mark it is no expansion, and neither is a later one: looking for the end again
// each time would take quadratic time.
func (l *lexer) brace() bool {
	if l.unclosed {
		return false
	}
	start := l.i
	l.i += 2
	l.depth++
	defer func() { l.depth-- }()
	for l.i < len(l.s) {
		switch c := l.s[l.i]; {
		case c == '}':
			l.i++
			return true
		case c == '\\':
			l.i += 2
		case c == '\'':
			l.i++
			for l.i < len(l.s) && l.s[l.i] != '\'' {
				l.i++
			}
			l.i++
		case (c == '$' || c == '`') && l.expansion(c):
		default:
			l.i++
		}
		l.i = min(l.i, len(l.s))
	}
	l.unclosed = true
	l.i = start
	return false
}
