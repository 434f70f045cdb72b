package redact

import (
	"strings"

	"github.com/caro-mesh/caro-node/observer/wordset"
)

// value finds where the value behind the separator ends, looking at no more than limit bytes of it: a name that occurs
// a hundred thousand times in a text without a blank must not be read to the end each time.
func (f *finder) value(w *word, p *pair, c context, limit int) {
	if p.cut {
		p.from, p.quoted, p.cut = p.valueFrom, false, false
	}
	p.valueFrom = p.from
	nameFrom := p.nameFrom
	text := w.text[:min(len(w.text), p.from+limit)]
	defer func() { p.cut = p.to == len(text) && len(text) < len(w.text) }()
	i := p.from
	header := p.sep == ':' && (c.header || isHeader(p.name.kind))
	if i >= len(text) {
		p.to = i
		return
	}
	if p.sep == '>' {
		if end := strings.IndexByte(text[i:min(len(text), i+1<<13)], '<'); end >= 0 {
			p.to = i + end
			p.quoted = true
		}
		return
	}
	// password={{ 'x' | password_hash('sha512') }}, password=MD5('x')
	if k := max(jinjaLiteral(text, i), hashedLiteral(text, i)); k > i && p.name.class == classPassword {
		p.from, p.quoted = k, true
		p.to = closing(text, k, text[k-1:k])
		return
	}
	switch q := text[i]; {
	case strings.HasPrefix(text[i:], `\"`):
		p.from += 2
		p.quoted = true
		p.to = closing(text, p.from, `\"`)
	case nameFrom > 0 && q == text[nameFrom-1] && text[p.nameTo] != q && (q == '"' || q == '\''):
		p.to = i // "Password:" is a prompt, the mark closes it
	case (q == '"' || q == '\'' || q == '`') && !w.live(i):
		p.from++
		p.quoted = true
		p.to = closing(text, p.from, string([]byte{q}))
	case header && (c.header || nameFrom == 0):
		p.to = lineEnd(text, i)
	case header:
		p.to = until(text, i, stopsHeader, c.script)
	case nameFrom == 0 && w.form != formBody && w.form != formComment && p.from == i && !(w.data() && (p.sep == ':' || c.runs)):
		p.to = len(text)
		if q := w.quotedEnd(i); q > i {
			i = q
		}
		if !c.whole && i < len(text) {
			p.to = nextPair(text, i)
		}
	case p.sep == '=' && startsLine(text, nameFrom) && (w.form == formBody || c.lines):
		p.to = lineEnd(text, i)
		if k := strings.Index(text[i:p.to], " #"); k >= 0 {
			p.to = i + k
		}
	case p.sep == ':' && w.form == formBody && startsLine(text, nameFrom):
		p.to = lineEnd(text, i)
		if k := strings.Index(text[i:p.to], " #"); k >= 0 {
			p.to = i + k
		}
		if strings.IndexByte(text[i:p.to], ' ') >= 0 && afterScheme(text, i, p.to) == i {
			p.to = i // a sentence
		}
	default:
		p.to = until(text, i, stopsText, c.script)
		if s := afterScheme(text, i, len(text)); s > i {
			p.to = until(text, s, stopsText, c.script)
		}
	}
	if !p.quoted {
		p.to = escapedLineEnd(text, p.from, p.to)
	}
	for p.to > p.from && !p.quoted && (is(text[p.to-1], setSpace) || w.form == formBody && (text[p.to-1] == ',' || text[p.to-1] == ';')) {
		p.to--
	}
	p.from = afterScheme(text, p.from, p.to)
}

// jinjaLiteral returns where the text in quotes begins that a template {{ 'x' … }} at text[i:] begins with, or -1.
func jinjaLiteral(text string, i int) int {
	if !strings.HasPrefix(text[i:], "{{") {
		return -1
	}
	for i += 2; i < len(text) && text[i] == ' '; i++ {
	}
	if i+1 < len(text) && (text[i] == '\'' || text[i] == '"') {
		return i + 1
	}
	return -1
}

// hashers are the functions of databases that are given the password itself.
var hashers = wordset.Of("md5 sha sha1 sha2 sha224 sha256 sha384 sha512 crypt encrypt password old_password")

// hashedLiteral returns where the text in quotes begins that is given to a hasher at text[i:], or -1.
func hashedLiteral(text string, i int) int {
	k := i
	for k < len(text) && k-i < 16 && is(text[k], setWord) {
		k++
	}
	if k+2 < len(text) && text[k] == '(' && (text[k+1] == '\'' || text[k+1] == '"') && hashers.Has(strings.ToLower(text[i:k])) {
		return k + 2
	}
	return -1
}

func isHeader(kind string) bool { return kind == kindAuthorization || kind == kindCookie }

// closing returns where the text ends that the mark closes; an escaped mark does not.
func closing(text string, i int, mark string) int {
	for ; i < len(text); i++ {
		if strings.HasPrefix(text[i:], mark) {
			return i
		}
		if text[i] == '\\' && i+1 < len(text) {
			if text[i+1] == '"' && mark == `"` || text[i+1] == '\\' {
				i++
			}
		}
		if text[i] == '\n' {
			return i
		}
	}
	return len(text)
}

func lineEnd(text string, i int) int {
	if k := strings.IndexByte(text[i:], '\n'); k >= 0 {
		return i + k
	}
	return len(text)
}

// escapedLineEnd returns where an escaped line break (echo -e 'A=x\nB=y') ends the value text[from:to]: one with nothing
// behind it, or with the next setting or section.
func escapedLineEnd(text string, from, to int) int {
	for i := from; ; {
		k := strings.IndexByte(text[i:to], '\\')
		if k < 0 || i+k+1 >= to {
			return to
		}
		i += k
		next := i
		for next+1 < to && text[next] == '\\' && (text[next+1] == 'n' || text[next+1] == 'r') {
			next += 2
		}
		if next == i {
			i += 2
			continue
		}
		end := next
		for end < len(text) && end-next < maxName && is(text[end], setIdent) {
			end++
		}
		for end < len(text) && text[end] == ' ' {
			end++
		}
		if next == to || text[next] == '[' || end > next && end < len(text) && (text[end] == '=' || text[end] == ':') {
			return i
		}
		i = next
	}
}

// until returns the first of the stops, or of the delimiter of a script. A live expansion is passed as a whole by its
// characters, which is enough: it is judged by where it begins.
func until(text string, i int, stops *[256]bool, delimiter byte) int {
	for ; i < len(text); i++ {
		if stops[text[i]] || delimiter != 0 && text[i] == delimiter {
			return i
		}
	}
	return i
}

// Bytes that end a value, by what it stands in.
var (
	stopsText   = stopTable(" \t\n\r\"'`&;,)}]<>|")
	stopsBearer = stopTable(" \t\n\r\"'`&;,)}]<>|\\")
	stopsHeader = stopTable("\"'`\\")
	stopsWord   = stopTable(" \t\n\r\"'`")
	stopsHost   = stopTable(" \t\r\n\"'`<>\\|/?#")
	stopsPath   = stopTable(" \t\r\n\"'`<>\\|")
)

func stopTable(stops string) *[256]bool {
	var t [256]bool
	for i := range len(stops) {
		t[stops[i]] = true
	}
	return &t
}

// nextPair returns the end of a value that goes to the end of its word, unless another name=value follows.
func nextPair(text string, i int) int {
	for ; i < len(text); i++ {
		switch text[i] {
		case '&', ';', ',', ' ', '\n':
		default:
			continue
		}
		k := i + 1
		for k < len(text) && text[k] == ' ' && k-i < 4 {
			k++
		}
		start := k
		for k < len(text) && (is(text[k], setIdent) || text[k] == ' ' && text[i] == ';') && k-start < 40 {
			k++
		}
		if k > start && k < len(text) && text[k] == '=' && (k+1 == len(text) || text[k+1] != '=') {
			return i
		}
	}
	return i
}

// startsLine reports that only what may stand before a setting precedes text[i:] on its line.
func startsLine(text string, i int) bool {
	from := strings.LastIndexByte(text[max(0, i-64):i], '\n')
	if from < 0 && i > 64 {
		return false
	}
	before := strings.TrimSpace(text[max(0, i-64)+from+1 : i])
	switch before {
	case "", "-", "export", "set", "ENV", "ARG", "- name", "declare -x", "setenv", "SetEnv", "env", `"`, "'":
		return true
	}
	return false
}
