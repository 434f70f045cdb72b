package redact

import "strings"

// bare reads the few forms in which a value follows a name with nothing but a blank between.
func (f *finder) bare(text string, l, r int, p *pair, c context) bool {
	i := r
	for i < len(text) && i-r < 8 && (text[i] == ' ' || text[i] == '\t') {
		i++
	}
	if i >= len(text) {
		return false
	}
	if f.namedValue(text, r, p) {
		return true
	}
	if i == r && text[i] != '(' {
		return false
	}
	before := strings.ToLower(text[max(0, l-200):l])
	low := strings.ToLower(text[l:r])
	p.sep = ' '
	if v := argument(text, l, r); v > 0 { // db.auth("user", "x")
		p.from, p.quoted, p.name = v, true, name{class: classPassword, kind: kindPassword}
		p.to = closing(text, v, text[v-1:v])
		return true
	}
	switch {
	case text[i] == '(' && i+3 < len(text) && (text[i+1] == '\'' || text[i+1] == '"') && p.name.class == classPassword: // set_password('y')
		p.from, p.quoted = i+2, true
		p.to = closing(text, p.from, text[i+1:i+2])
		v := text[p.from:p.to]
		return sqlBefore(before) || v != "" && notAWord(v) && !dull(v, classPassword) && !strings.ContainsAny(v, " :(,")
	case p.name.class == classPassword && strings.HasSuffix(before, "set ") && strings.HasPrefix(strings.ToLower(text[i:min(len(text), i+4)]), "for "): // SET PASSWORD FOR u = 'y'
		k := strings.Index(text[i:min(len(text), i+look)], "= '")
		if k < 0 {
			return false
		}
		p.from, p.quoted = i+k+len("= '"), true
		p.to = closing(text, p.from, "'")
		return true
	case text[i] == '\'' && p.name.class == classPassword && sqlBefore(before): // ALTER ROLE x PASSWORD 'y'
		p.from, p.quoted = i+1, true
		p.to = closing(text, p.from, "'")
		return true
	case low == "bearer":
		p.from, p.to = i, until(text, i, stopsBearer, c.script)
		p.name.class = classWeak
		return true
	case low == "requirepass" || low == "masterauth" || low == "password" && strings.Contains(before, "login "), // redis.conf, .netrc
		strings.HasSuffix(before, "env ") && startsLine(text, l-4), strings.HasSuffix(before, "arg ") && startsLine(text, l-4): // Dockerfile
		p.from, p.to = i, until(text, i, stopsWord, c.script)
		return true
	}
	return false
}

// argument returns where the second argument of db.auth("user", "x") or changeUserPassword("user", "x") begins, or 0.
func argument(text string, l, r int) int {
	if low := strings.ToLower(text[l:r]); low != "db.auth" && !strings.HasSuffix(low, ".changeuserpassword") || r >= len(text) || text[r] != '(' {
		return 0
	}
	rest := text[r:min(len(text), r+look)]
	k := strings.IndexByte(rest, ',')
	if k < 0 {
		return 0
	}
	for k++; k < len(rest) && rest[k] == ' '; k++ {
	}
	if k+1 < len(rest) && (rest[k] == '"' || rest[k] == '\'') {
		return r + k + 1
	}
	return 0
}

// namedValue reads a name and a value that stand side by side: {"name": "DB_PASSWORD", "value": "x"},
// ParameterKey=DBPassword,ParameterValue=x.
func (f *finder) namedValue(text string, r int, p *pair) bool {
	i := r
	for i < len(text) && i-r < 40 && strings.IndexByte("\"', \t\n;\\", text[i]) >= 0 {
		i++
	}
	rest := text[i:min(len(text), i+len("ParameterValue"))]
	var l int
	switch {
	case i == r:
		return false
	case strings.HasPrefix(rest, "value"), strings.HasPrefix(rest, "Value"):
		l = len("value")
	case rest == "ParameterValue":
		l = len(rest)
	default:
		return false
	}
	if !f.separator(text, i, i+l, true, p) {
		return false
	}
	q := text[min(p.from, len(text)-1)]
	switch {
	case strings.HasPrefix(text[p.from:], `\"`):
		p.from, p.quoted = p.from+2, true
		p.to = closing(text, p.from, `\"`)
	case q == '"' || q == '\'':
		p.from, p.quoted = p.from+1, true
		p.to = closing(text, p.from, string([]byte{q}))
	default:
		p.to = until(text, p.from, stopsText, 0)
	}
	p.sep = '='
	return p.to > p.from
}

func sqlBefore(before string) bool {
	for _, word := range []string{"alter ", "create ", "role ", "user ", "with ", "set "} {
		if strings.Contains(before, word) {
			return true
		}
	}
	return false
}

// sqlIdentified reads IDENTIFIED [WITH x] BY 'y'.
func (f *finder) sqlIdentified(text string, l, r int, p *pair) bool {
	if !strings.EqualFold(text[l:r], "identified") {
		return false
	}
	rest := text[r:min(len(text), r+80)]
	k := strings.Index(strings.ToLower(rest), " by ")
	if k < 0 {
		return false
	}
	i := r + k + len(" by ")
	for i < len(text) && text[i] == ' ' {
		i++
	}
	if i >= len(text) || text[i] != '\'' && text[i] != '"' {
		return false
	}
	p.name = name{class: classPassword, kind: kindPassword}
	p.sep, p.quoted, p.from = ' ', true, i+1
	p.to = closing(text, p.from, text[i:i+1])
	return true
}

// judge decides with all that is known.
func (f *finder) judge(w *word, p pair, c context) bool {
	text := w.text
	v := text[p.from:min(p.to, p.from+look)]
	n := p.name
	if n.class == classWeak && !isHeader(n.kind) && !looksRandom(v) {
		return false
	}
	if n.class == classWeak && n.kind == kindAPIKey && isDigest(v) && (p.nameFrom > 0 || p.sep != '=' || text[0] < 'A' || text[0] > 'Z' || len(v) < 32) {
		return false
	}
	if upper := text[p.nameFrom:p.nameTo]; (upper == "PWD" || upper == "OLDPWD") && v[0] == '/' {
		return false
	}
	if p.literal {
		return n.class != classWeak || looksRandom(v)
	}
	where := placeText
	switch {
	case c.search:
		where = placeSearch
	case c.header && p.sep == ':' && (n.class != classWeak || isHeader(n.kind)),
		p.sep == ':' && isHeader(n.kind) && exactHeader(text[p.nameFrom:p.nameTo]):
		where = placeSure
		n.class = classToken
	case w.form == formBody || c.file:
		where = placeFile
	case w.form == formComment:
	case p.sep == '=' && (!c.spaces || p.nameFrom == 0 && !w.data()):
		where = placeWord
	case p.sep == ':' && c.naked && !c.spaces:
		where = placeWord
	}
	if p.sep == ' ' && p.quoted { // SQL
		where = placeSure
	}
	if where == placeSure && n.kind == kindCookie {
		return markerAt(text, p.from) != p.to && w.cookies(p.from, p.to)
	}
	if c.objects && n.kind == kindSecret && text[p.nameFrom:p.nameTo] == "--secret" {
		return false // the name of a secret that the tool keeps
	}
	if p.sep == ':' && !p.quoted && where == placeText && !c.spaces && !w.data() {
		return looksRandom(v) // name:tag
	}
	if p.sep == ':' && !p.quoted && where == placeFile && p.to+1 < len(text) && text[p.to] == ' ' && is(text[p.to+1], setAlnum) && !notAWord(v) {
		return false // a sentence: "password: see the vault"
	}
	return w.secret(p.from, p.to, n.class, where, p.sep, p.quoted || p.sep == '>')
}

// exactHeader reports a name that only headers have.
func exactHeader(name string) bool {
	switch strings.ToLower(strings.Trim(name, "-")) {
	case "authorization", "proxy-authorization", "x-authorization", "cookie", "set-cookie":
		return true
	}
	return false
}
