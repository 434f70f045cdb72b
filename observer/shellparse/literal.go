package shellparse

import (
	"strings"
)

// nextCaller finds the next caller at or behind at, and where its argument starts; -1 for none.
func nextCaller(code string, at int, names []string) (string, int) {
	best, bestEnd := -1, -1
	name := ""
	for _, c := range names {
		from := at
		for {
			k := strings.Index(code[from:], c)
			if k < 0 {
				break
			}
			k += from
			if best >= 0 && k > best {
				break
			}
			end := k + len(c)
			if (k == 0 || !isNameByte(code[k-1])) && (end == len(code) || !isNameByte(code[end])) {
				if best < 0 || k < best || end > bestEnd {
					best, bestEnd, name = k, end, c
				}
				break
			}
			from = end
		}
	}
	return name, bestEnd
}

// argument reads what a caller is given: one constant, or a list of them. What is not constant stands as $x, a home folder
// as ~, and constants that are joined with + or a dot are one.
func argument(code string, at int, quoted bool) (list []Word, next int) {
	for at < len(code) && strings.IndexByte(" (\t", code[at]) >= 0 {
		if quoted && code[at] == '(' {
			break
		}
		at++
	}
	if at >= len(code) {
		return nil, at
	}
	if quoted {
		closer := strings.IndexByte("({[</|!", code[at])
		if closer < 0 {
			return nil, at
		}
		end := strings.IndexByte(code[at+1:], ")}]>/|!"[closer])
		if end < 0 {
			return []Word{{Text: code[at+1:]}}, len(code)
		}
		return []Word{{Text: code[at+1 : at+1+end]}}, at + end + 2
	}
	var e elements
	depth := 0
	for at < len(code) && len(e.list) <= maxFields {
		switch c := code[at]; c {
		case '\'', '"', '`':
			s, end := stringLiteral(code, at)
			e.constant(interpolated(s, e.format || c == '`'))
			at = end
		case '[', '(', '{':
			depth++
			at++
		case ' ', '\t', '\n', '+', '.', '&':
			at++
		case ',':
			e.end()
			at++
		case ']', ')', '}', ';', '|':
			at++
			depth--
			if depth <= 0 || c == ';' || c == '|' {
				e.end()
				return e.list, at
			}
		default:
			word := identifier(code[at:])
			if word == "" {
				e.end()
				return e.list, at
			}
			at += len(word)
			if at < len(code) && len(word) <= 2 && strings.IndexByte("'\"", code[at]) >= 0 { // r"…", b"…", f"…"
				e.format = strings.ContainsAny(word, "fF")
				continue
			}
			if at < len(code) && code[at] == '=' || word == "shell" || word == "do" || word == "if" || word == "while" {
				e.drop() // a named argument, or the end of what matters
				return e.list, at
			}
			e.expression(word)
			at = skipCall(code, at)
		}
	}
	e.end()
	return e.list, at
}

// elements collects the arguments of a call.
type elements struct {
	list   []Word
	cur    Word
	has    bool
	solid  bool // some part of cur is constant
	format bool
}

func (e *elements) constant(v Word) {
	e.cur.Text += v.Text
	e.cur.Open = e.cur.Open || v.Open
	e.has, e.solid, e.format = true, true, false
}

func (e *elements) expression(word string) {
	e.has = true
	for _, h := range homeNames {
		if strings.HasPrefix(word, h) {
			e.cur.Text += "~"
			e.solid = true
			return
		}
	}
	e.cur.Text += "$x"
	e.cur.Open = true
}

func (e *elements) end() {
	if e.has && (e.solid || len(e.list) > 0) {
		e.list = append(e.list, e.cur)
	}
	e.drop()
}

func (e *elements) drop() { e.cur, e.has, e.solid, e.format = Word{}, false, false, false }

// homeNames are how languages name the home folder.
var homeNames = []string{"Dir.home", "os.path.expanduser", "Path.home", "process.env.HOME", "os.homedir", "ENV[",
	"os.environ[",
	"$ENV{HOME}", "System.getProperty"}

// interpolated replaces {name} in a format string, and #{name} or ${name} in others, by an unknown value.
func interpolated(s string, format bool) Word {
	if !strings.Contains(s, "{") {
		return Word{Text: s}
	}
	var b strings.Builder
	open := false
	for i := 0; i < len(s); i++ {
		marked := (s[i] == '#' || s[i] == '$') && i+1 < len(s) && s[i+1] == '{'
		if format && s[i] == '{' || marked {
			if end := strings.IndexByte(s[i:], '}'); end > 0 {
				b.WriteString("$x")
				open = true
				i += end
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return Word{Text: b.String(), Open: open}
}

// identifier returns the name at the start of the text, with the dots, brackets and sigils that belong to it.
func identifier(s string) string {
	i := 0
	for i < len(s) && (isNameByte(s[i]) || s[i] == '$' || s[i] == '@' || s[i] == ':' || i > 0 && s[i] == '.') {
		i++
	}
	if i > 0 && i < len(s) && (s[i] == '[' || s[i] == '{') && i < 16 {
		if end := strings.IndexAny(s[i:], "]}"); end > 0 && end < 32 {
			i += end + 1
		}
	}
	return s[:i]
}

// skipCall skips the bracketed arguments of a call inside an expression.
func skipCall(code string, at int) int {
	if at >= len(code) || code[at] != '(' {
		return at
	}
	depth := 0
	for i := at; i < len(code); i++ {
		switch code[i] {
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return len(code)
}

// stringLiteral reads the quoted string at at and returns its value and where it ends.
func stringLiteral(code string, at int) (string, int) {
	q := code[at]
	for k := at + 1; k < len(code); k++ {
		switch code[k] {
		case '\\':
			k++
		case q:
			s := code[at+1 : k]
			if q != '\'' || strings.Contains(s, `\x`) || strings.Contains(s, `\'`) {
				s = unescape(s, escapeC)
			}
			return s, k + 1
		}
	}
	return code[at+1:], len(code)
}
