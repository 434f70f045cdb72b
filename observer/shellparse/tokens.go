package shellparse

import (
	"strings"
)

// lexer is the fallback for text that the grammar refuses: fish, unfinished lines, other dialects. It knows words, quotes,
// operators, redirections and here-documents, skips the keywords of all shells, and never refuses anything.
type lexer struct {
	w      *walker
	s      string
	pos    int
	depth  int
	inFunc string // name of the function whose body is being read
	docs   []string
	absent [256]bool // characters that the rest of the text does not hold
}

// index finds c at or behind from, -1 if it is not there. What was not found once is not searched again, so that a text
// full of opening quotes costs no more than its length.
func (l *lexer) index(from int, c byte) int {
	if l.absent[c] || from >= len(l.s) {
		return -1
	}
	n := strings.IndexByte(l.s[from:], c)
	l.absent[c] = n < 0
	return n
}

// tokens resolves text that no grammar accepts.
func (w *walker) tokens(text string, stdin Source) Source {
	if w.ctx.depth == 0 {
		w.cmd.Fallback = true
	}
	saved := w.ctx
	w.ctx.guess = true
	l := &lexer{w: w, s: text}
	out := l.list(stdin)
	for l.pos < len(l.s) && w.step() { // an unmatched closing bracket ends a list early
		l.pos++
		out = join(out, l.list(stdin), false)
	}
	w.ctx = saved
	return out
}

// list reads commands up to a closing bracket or the end, and returns what they print.
func (l *lexer) list(stdin Source) Source {
	var total Source
	input, piped := stdin, false
	for l.w.step() {
		c := l.command(input)
		if c.closed && c.empty() {
			break
		}
		var out Source
		switch {
		case c.group && len(c.words) == 0:
			out = c.out
		case !c.empty():
			l.w.ctx.background = c.op == "&"
			if l.inFunc != "" && len(c.words) > 0 && c.words[0].Text == l.inFunc && (c.op == "|" || c.op == "&" ||
				piped) {
				l.w.cmd.SelfSpawning = true
			}
			out = l.w.simple(c.words, c.assigns, c.redirs, c.stdin)
			l.w.ctx.background = false
		default:
			out = Source{Known: true}
		}
		piped = c.op == "|"
		if piped {
			input = out
		} else {
			total = join(total, out, total.Text == "" && total.From == nil)
			input = stdin
		}
		if !c.empty() || c.group {
			l.w.joint = c.op
			if c.op == "\n" {
				l.w.joint = ";"
			}
		}
		if c.closed || l.pos >= len(l.s) {
			break
		}
	}
	return total
}

// parsed is one command as the lexer read it.
type parsed struct {
	words   []Word
	assigns []Assign
	redirs  []Redirect
	stdin   Source
	op      string // the operator that ended it
	closed  bool   // a closing bracket ended it
	group   bool   // it was a group in brackets, already resolved into out
	out     Source
}

func (p *parsed) empty() bool { return len(p.words) == 0 && len(p.assigns) == 0 && len(p.redirs) == 0 }

// silentWords stand where a command could stand and are followed by one.
var silentWords = map[string]bool{"if": true, "then": true, "else": true, "elif": true, "while": true, "until": true,
	"do": true,
	"!":  true, "{": true, "}": true, "begin": true, "and": true, "or": true, "not": true, "time": true, "coproc": true}

// loneWords end a construct, or head a line that holds no command.
var loneWords = map[string]bool{"end": true, "fi": true, "done": true, "esac": true, "case": true, "switch": true,
	"break": true, "continue": true}

func (l *lexer) command(stdin Source) parsed {
	c := parsed{stdin: stdin}
	for l.pos < len(l.s) {
		switch ch := l.s[l.pos]; ch {
		case ' ', '\t', '\r':
			l.pos++
		case '\n':
			l.pos++
			l.bodies(&c)
			c.op = "\n"
			return l.keywords(c)
		case ';':
			l.pos++
			for l.pos < len(l.s) && l.s[l.pos] == ';' {
				l.pos++
			}
			c.op = ";"
			return l.keywords(c)
		case '&':
			if l.redirect(&c) {
				continue
			}
			l.pos++
			c.op = "&"
			if l.pos < len(l.s) && l.s[l.pos] == '&' {
				l.pos++
				c.op = "&&"
			}
			return l.keywords(c)
		case '|':
			l.pos++
			c.op = "|"
			if l.pos < len(l.s) && l.s[l.pos] == '|' {
				l.pos++
				c.op = "||"
			} else if l.pos < len(l.s) && l.s[l.pos] == '&' {
				l.pos++
			}
			return l.keywords(c)
		case ')':
			if l.depth > 0 {
				l.pos++
				c.closed = true
				return l.keywords(c)
			}
			l.pos++
		case '(':
			if len(c.words) == 2 && c.words[0].Text == "for" { // zsh: for x (a b) command
				l.w.set(c.words[1].Text, l.bracketed())
				c.words = nil
				continue
			}
			if len(c.words) == 0 && len(c.assigns) == 0 {
				if !c.group {
					if out, ok := l.functionHere(stdin); ok {
						c.out, c.group = out, true
						continue
					}
				}
				c.out, c.group = l.group(stdin), true
				continue
			}
			c.words = append(c.words, l.word()...)
		case '#':
			for l.pos < len(l.s) && l.s[l.pos] != '\n' {
				l.pos++
			}
		case '<', '>':
			l.redirect(&c)
		default:
			if ch >= '0' && ch <= '9' && l.pos+1 < len(l.s) && (l.s[l.pos+1] == '>' || l.s[l.pos+1] == '<') &&
				l.redirect(&c) {
				continue
			}
			if len(c.words) == 0 && !c.group && !l.w.fish {
				if out, ok := l.functionHere(stdin); ok {
					c.out, c.group = out, true
					continue
				}
			}
			before := l.pos
			words := l.word()
			if l.w.fish {
				words = spread(words)
			}
			c.words = append(c.words, words...)
			if l.pos == before {
				l.pos++
			}
			if len(c.words) > maxRuns {
				l.w.cmd.Truncated = true
				return c
			}
		}
	}
	return l.keywords(c)
}

// bracketed reads a list of words in brackets.
func (l *lexer) bracketed() []Word {
	var out []Word
	for l.pos++; l.pos < len(l.s) && l.s[l.pos] != ')'; {
		before := l.pos
		out = append(out, l.word()...)
		if l.pos == before {
			l.pos++
		}
	}
	l.pos = min(l.pos+1, len(l.s))
	return out
}

// group resolves a list in brackets; the lexer stands at the opening one.
func (l *lexer) group(stdin Source) Source {
	l.pos++
	if l.depth >= maxDepth {
		l.w.cmd.Truncated = true
		return Source{}
	}
	l.depth++
	out := l.list(stdin)
	l.depth--
	return out
}

// keywords removes keywords in front of a command, and binds what loops and assignments bind.
func (l *lexer) keywords(c parsed) parsed {
	for len(c.words) > 0 {
		t := c.words[0].Text
		switch {
		case silentWords[t]:
			c.words = c.words[1:]
			continue
		case loneWords[t]:
			c.words = nil
		case t == "for" && len(c.words) > 2:
			l.w.set(c.words[1].Text, c.words[3:])
			c.words = nil
		case t == "[[" || t == "((": // zsh: if [[ … ]] { command }
			at := -1
			for i := range c.words {
				if c.words[i].Text == "{" {
					at = i
					break
				}
			}
			if at > 0 {
				c.words = c.words[at+1:]
				continue
			}
		case t == "function":
			if len(c.words) > 1 && l.w.fish {
				l.define(c.words[1].Text)
			}
			c.words = nil
		case isAssignment(t):
			name, value, _ := strings.Cut(t, "=")
			v := c.words[0]
			v.Text = value
			l.w.set(name, []Word{v})
			c.assigns = append(c.assigns, Assign{name, v})
			c.words = c.words[1:]
			continue
		}
		break
	}
	return c
}

// redirect reads a redirection; false if there is none.
func (l *lexer) redirect(c *parsed) bool {
	i := l.pos
	fd := ""
	if l.s[i] >= '0' && l.s[i] <= '9' {
		fd = l.s[i : i+1]
		i++
	}
	op := ""
	for _, o := range [...]string{"<<<", "<<-", "<<", "&>>", "&>", ">>", ">|", ">&", "<>", "<&", ">?", "<", ">"} {
		if strings.HasPrefix(l.s[i:], o) {
			op = o
			break
		}
	}
	if op == "" {
		return false
	}
	l.pos = i + len(op)
	if (op == "<" || op == ">") && l.pos < len(l.s) && l.s[l.pos] == '(' { // process substitution
		out := l.group(Source{})
		c.words = append(c.words, Word{Text: "/dev/fd/63", Open: true, From: out.From})
		return true
	}
	for l.pos < len(l.s) && (l.s[l.pos] == ' ' || l.s[l.pos] == '\t') {
		l.pos++
	}
	target := Word{}
	before := l.pos
	if words := l.word(); len(words) > 0 {
		target = words[0]
	}
	if l.pos == before {
		return true
	}
	switch op {
	case "<<", "<<-":
		l.docs = append(l.docs, target.Text)
	case "<<<":
		c.stdin = Source{Text: target.Text + "\n", Known: !target.Open, From: target.From}
	case "<":
		c.stdin = l.w.fileSource(target)
		c.redirs = append(c.redirs, Redirect{FD: fd, Op: op, Target: target})
	default:
		if (op == ">&" || op == "<&") && isFD(target.Text) {
			return true
		}
		c.redirs = append(c.redirs, Redirect{FD: fd, Op: op, Target: target})
	}
	return true
}

// bodies reads the here-documents that were announced on the line that just ended.
func (l *lexer) bodies(c *parsed) {
	for _, delim := range l.docs {
		var b strings.Builder
		for l.pos < len(l.s) {
			line, rest, _ := strings.Cut(l.s[l.pos:], "\n")
			l.pos = len(l.s) - len(rest)
			if strings.TrimLeft(line, "\t") == delim {
				break
			}
			b.WriteString(line)
			b.WriteByte('\n')
		}
		c.stdin = Source{Text: b.String(), Known: true}
	}
	l.docs = nil
}
