package redact

// command is one simple command: its words, without redirections.
type command struct {
	words []word
	stdin []word // here-strings and here-documents
	// fed is the range of earlier commands whose output is piped in; empty when from equals to.
	fedFrom, fedTo int
	// writes reports that the output goes to a file, so that what it prints is what will be read later.
	writes  bool
	target  string // the file
	comment bool   // only a comment: its one word is the text
}

// lexer cuts a text into simple commands. It is no parser: it knows quotes, escapes, expansions, operators,
// redirections and here-documents, has an answer for every text, and visits each byte once.
type lexer struct {
	src     *source
	s       string
	i       int
	out     []command
	depth   int
	pending []hereDoc
	buf     []byte
	// unclosed: a ${ without its } was met.
	unclosed bool
}

type hereDoc struct {
	delimiter string
	indented  bool // <<-
	command   int  // index into out
}

// maxNesting bounds the recursion; deeper texts are read as plain characters.
const maxNesting = 10

func lex(src *source) []command {
	l := &lexer{src: src, s: src.text}
	for l.i < len(l.s) {
		l.list(0)
		l.i++ // a closing mark without an opening one
	}
	l.flushHere()
	return l.out
}

// list reads commands up to the closing mark (')' or '`'; 0 for the end of the text) and stands on it then.
func (l *lexer) list(closing byte) {
	element := len(l.out) // where the current element of the pipeline begins
	fedFrom, fedTo := 0, 0
	cur := -1
	open := func() int {
		if cur < 0 {
			l.out = append(l.out, command{fedFrom: fedFrom, fedTo: fedTo})
			cur = len(l.out) - 1
		}
		return cur
	}
	end := func(piped bool) {
		fedFrom, fedTo = 0, 0
		if piped {
			fedFrom, fedTo = element, len(l.out)
		}
		element, cur = len(l.out), -1
	}
	for l.i < len(l.s) {
		c := l.s[l.i]
		if c == closing && closing != 0 {
			return
		}
		switch c {
		case ' ', '\t', '\r':
			l.i++
		case '\n':
			l.i++
			l.flushHere()
			end(false)
		case ';':
			l.i++
			end(false)
		case '&':
			if l.at(1) == '>' {
				l.i++
				continue
			}
			l.i++
			if l.at(0) == '&' {
				l.i++
			}
			end(false)
		case '|':
			l.i++
			if l.at(0) == '|' {
				l.i++
				end(false)
				continue
			}
			if l.at(0) == '&' {
				l.i++
			}
			end(true)
		case '(':
			l.i++
			if l.depth < maxNesting {
				l.depth++
				l.list(')')
				l.depth--
				l.i++
			}
			cur = -1
		case ')':
			l.i++
			cur = -1
		case '<', '>':
			l.redirect(closing, open)
		case '#':
			start := l.i
			for l.i < len(l.s) && l.s[l.i] != '\n' {
				l.i++
			}
			l.out = append(l.out, command{comment: true, words: []word{{src: l.src, from: start, to: l.i,
				text: l.s[start:l.i], form: formComment}}})
		default:
			if c == '\\' && l.at(1) == '\n' {
				l.i += 2
				continue
			}
			if w, ok := l.word(closing); ok {
				k := open()
				l.out[k].words = append(l.out[k].words, w)
			}
		}
	}
}

func (l *lexer) at(n int) byte {
	if l.i+n < len(l.s) {
		return l.s[l.i+n]
	}
	return 0
}

// redirect reads the operator and what follows it.
func (l *lexer) redirect(closing byte, open func() int) {
	c := l.s[l.i]
	l.i++
	if c == '<' && l.at(0) == '<' {
		l.i++
		kind := l.at(0)
		if kind == '<' || kind == '-' {
			l.i++
		}
		w, ok := l.operand(closing)
		if !ok {
			return
		}
		k := open()
		if kind == '<' {
			l.out[k].stdin = append(l.out[k].stdin, w)
			return
		}
		l.pending = append(l.pending, hereDoc{delimiter: w.text, indented: kind == '-', command: k})
		return
	}
	if l.at(0) == '(' { // process substitution: its commands are read as those of a subshell
		return
	}
	for l.at(0) == '>' || l.at(0) == '|' || l.at(0) == '&' {
		l.i++
	}
	w, ok := l.operand(closing)
	if ok && c == '>' {
		k := open()
		l.out[k].writes = true
		l.out[k].target = w.text
	}
}

func (l *lexer) operand(closing byte) (word, bool) {
	for l.at(0) == ' ' || l.at(0) == '\t' || l.at(0) == '\\' && l.at(1) == '\n' {
		if l.at(0) == '\\' {
			l.i++
		}
		l.i++
	}
	if l.i >= len(l.s) || wordEnd(l.s[l.i]) || l.s[l.i] == closing {
		return word{}, false
	}
	return l.word(closing)
}

// flushHere reads the bodies of the here-documents that were announced on the line before.
func (l *lexer) flushHere() {
	for _, h := range l.pending {
		start := l.i
		end := len(l.s)
		for l.i < len(l.s) {
			line := l.i
			for l.i < len(l.s) && l.s[l.i] != '\n' {
				l.i++
			}
			text := l.s[line:l.i]
			if l.i < len(l.s) {
				l.i++
			}
			for h.indented && text != "" && text[0] == '\t' {
				text = text[1:]
			}
			if text == h.delimiter {
				end = line
				break
			}
		}
		if end > start {
			cmd := &l.out[h.command]
			cmd.stdin = append(cmd.stdin, word{src: l.src, from: start, to: end, text: l.s[start:end], form: formBody})
		}
	}
	l.pending = l.pending[:0]
}
