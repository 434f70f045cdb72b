package redact

import "strings"

// context is what is known about a word from the command that it belongs to.
type context struct {
	spaces  bool // the text holds blanks
	lines   bool // the text holds several lines
	search  bool // the command looks for text (grep)
	file    bool // the text goes into a file or to a program
	header  bool // the word is a header of a web request
	script  byte // the delimiter of a sed script, or 0
	runs    bool // the command runs quoted texts as commands
	objects bool // the command is one that keeps secrets under names
	whole   bool // the word is an assignment for a shell or a container: all behind "=" is the value
	naked   bool // the command is a web client whose operands may be name:value
}

// pair is a name in a text and the value behind it.
type pair struct {
	name     name
	nameFrom int
	nameTo   int
	from, to int // the value
	sep      byte
	quoted   bool
	literal  bool // already known to be no reference
	// cut: the value goes on behind the part that was looked at; valueFrom is where that part began.
	cut       bool
	valueFrom int
}

// pairs finds names of secrets in the text of a word, and marks the values behind them.
func (f *finder) pairs(w *word, c context) {
	text := w.text
	c.spaces = strings.ContainsAny(text, " \t\n")
	c.lines = strings.IndexByte(text, '\n') >= 0
	done := 0
	f.rules.literals.scan(text, func(literal uint16, end int) {
		if !f.rules.roles[literal].keyword || end <= done {
			return
		}
		p, ok := f.pairAt(w, end, c)
		done = max(done, p.nameTo)
		if !ok || p.from >= p.to {
			return
		}
		if !f.judge(w, p, c) {
			if p.name.class >= classToken {
				f.echoed(w, p.from, p.to, p.name.kind)
			}
			return
		}
		if p.cut {
			f.value(w, &p, c, len(text))
		}
		f.mark(w, p.from, p.to, p.name.kind)
		done = max(done, p.to)
	})
}

// pairAt reads the pair whose name holds the keyword that ended at end. Whatever it finds, nameTo is how far the name
// goes, so that it is not read again for its next keyword.
func (f *finder) pairAt(w *word, end int, c context) (p pair, ok bool) {
	text := w.text
	l, r := end-1, end
	live := w.live(l)
	charset := setIdent
	if live {
		charset = setWord
	}
	for l > 0 && is(text[l-1], charset) && end-l < maxName {
		l--
	}
	for r < len(text) && is(text[r], charset) && r-end < maxName {
		r++
	}
	p.nameFrom, p.nameTo = l, r
	if end-l >= maxName || r-end >= maxName || strings.HasSuffix(text[:l], marker) {
		return p, false
	}
	if strings.HasSuffix(text[:l], "${") {
		return p, f.defaultValue(text, l, &p)
	}
	if live {
		return p, false
	}
	p.name = classify(text[l:r])
	if p.name.class == classNone {
		return p, f.sqlIdentified(text, l, r, &p)
	}
	if !f.separator(text, l, r, w.form == formBody, &p) {
		return p, f.bare(text, l, r, &p, c)
	}
	f.value(w, &p, c, look)
	return p, true
}

// defaultValue reads ${NAME:-value} and its relatives.
func (f *finder) defaultValue(text string, l int, p *pair) bool {
	r := l
	for r < len(text) && is(text[r], setWord) && r-l < maxName {
		r++
	}
	p.nameTo = r
	p.name = classify(text[l:r])
	i := r
	if i < len(text) && text[i] == ':' {
		i++
	}
	if p.name.class == classNone || i >= len(text) || text[i] != '-' && text[i] != '=' {
		return false
	}
	end := strings.IndexByte(text[i:min(len(text), i+look)], '}')
	if end < 0 {
		return false
	}
	p.from, p.to, p.sep, p.quoted = i+1, i+end, '=', true
	for p.to-p.from >= 2 && (text[p.from] == '"' || text[p.from] == '\'') && text[p.to-1] == text[p.from] {
		p.from++
		p.to--
	}
	p.literal = true
	return p.to > p.from && refersDefault(text[p.from:p.to])
}

// refersDefault reports a default that is a value, not again a reference.
func refersDefault(v string) bool {
	return v[0] != '$' && v[0] != '`' && !placeholder(v) && !dull(v, classToken)
}

// separator finds what joins the name text[l:r] to its value and sets where the value begins. lax allows a blank behind
// "=" that has none before it.
func (f *finder) separator(text string, l, r int, lax bool, p *pair) bool {
	i := r
	xml := l > 0 && text[l-1] == '<'
	if xml && i < len(text) && text[i] == '>' {
		p.from, p.sep = i+1, '>'
		return true
	}
	closed := false
	if strings.HasPrefix(text[i:], `\"`) {
		i += 2
		closed = true
	} else if i < len(text) && (text[i] == '"' || text[i] == '\'') && l > 0 && (text[l-1] == text[i] || !is(text[l-1], setWord)) {
		i++
		closed = true
	}
	if i < len(text) && text[i] == ']' && (closed || l > 0 && text[l-1] == '[') {
		i++
	}
	space := i
	for i < len(text) && i-space < 12 && (text[i] == ' ' || text[i] == '\t') {
		i++
	}
	if i >= len(text) {
		return false
	}
	next := byte(0)
	if i+1 < len(text) {
		next = text[i+1]
	}
	if text[i] == '+' && next == '=' && i == r {
		i, next = i+1, 0
	}
	switch text[i] {
	case '=':
		if next == '=' || next == '~' {
			return false
		}
		p.sep = '='
		i++
		if next == '>' {
			i++
		}
	case ':':
		if next == ':' || next == '/' && i+2 < len(text) && text[i+2] == '/' {
			return false
		}
		p.sep = ':'
		i++
		if next == '=' {
			p.sep = '='
			i++
		}
		if p.sep == ':' && l > 0 && text[l-1] == '/' && !closed && next != ' ' { // image/token:tag
			return false
		}
	default:
		return false
	}
	if p.sep == '=' && i < len(text) && text[i] == ' ' && text[i-2] != ' ' && text[i-1] == '=' && is(text[i-2], setWord) && !lax {
		return false // "password= user=": an empty value
	}
	p.from = i
	for p.from < len(text) && p.from-i < 12 && (text[p.from] == ' ' || text[p.from] == '\t') {
		p.from++
	}
	return true
}

// schemes stand before the credential in an Authorization header.
var schemes = []string{"bearer", "basic", "token", "digest", "negotiate", "ntlm", "apikey", "api-key", "api-token", "ssws", "splunk", "key",
	"aws4-hmac-sha256", "googlelogin", "oauth", "geniekey", "pat", "jwt", "hmac", "signature", "bot"}

// afterScheme returns where the credential begins behind "Bearer " and the like.
func afterScheme(text string, from, to int) int {
	i := from
	for i < to && i-from < 20 && (is(text[i], setURL64)) {
		i++
	}
	if i == to || i == from || i-from > 16 || text[i] != ' ' {
		return from
	}
	for _, s := range schemes {
		if strings.EqualFold(text[from:i], s) {
			for i < to && text[i] == ' ' {
				i++
			}
			return i
		}
	}
	return from
}
