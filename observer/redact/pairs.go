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
	if closed && i < len(text) && text[i] == ']' {
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
		if p.sep == ':' && l > 0 && text[l-1] == '/' && !closed { // image/token:tag
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
var schemes = []string{"bearer", "basic", "token", "digest", "negotiate", "ntlm", "apikey", "api-key", "ssws", "splunk", "key",
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
		p.to = nextPair(text, i)
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
	for p.to > p.from && !p.quoted && (is(text[p.to-1], setSpace) || w.form == formBody && (text[p.to-1] == ',' || text[p.to-1] == ';')) {
		p.to--
	}
	p.from = afterScheme(text, p.from, p.to)
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
