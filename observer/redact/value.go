package redact

import "strings"

// place says how sure the position alone makes it that a value is a secret.
type place uint8

const (
	placeSearch place = iota // what somebody looks for: grep token=x
	placeText                // prose, code or data within an argument
	placeFile                // what goes into a file or to a program: here-documents, echo … > file
	placeWord                // a word of its own: NAME=value, --name=value, --name value
	placeSure                // an option or header that holds nothing but a secret
)

// marker introduces the name of the kind in what replaces a secret. It is one shell word without any character that
// is special to a shell, in quotes or outside, so that the line parses as before.
const marker = "REDACTED:"

// Marker returns what stands in a command in the place of a secret of that kind.
func Marker(kind string) string { return marker + kind }

// markerAt returns the end of the marker that begins at s[i:], or -1.
func markerAt(s string, i int) int {
	if !strings.HasPrefix(s[i:], marker) {
		return -1
	}
	end := i + len(marker)
	for end < len(s) && is(s[end], setWord) {
		end++
	}
	if kindNames()[s[i+len(marker):end]] {
		return end
	}
	return -1
}

// look bounds how much of a value is looked at; a longer one is judged by its beginning.
const look = 512

// secret decides about w.text[from:to], the value of a name of class c.
func (w *word) secret(from, to int, c class, p place, sep byte, quoted bool) bool {
	if from >= to || c == classNone {
		return false
	}
	v := w.text[from:min(to, from+look)]
	if markerAt(w.text, from) == to || w.reference(from, to) {
		return false
	}
	if p == placeSure {
		return !placeholder(v)
	}
	if dull(v, c) || placeholder(v) {
		return false
	}
	switch {
	case p == placeSearch || c == classWeak:
		return looksRandom(v)
	case c == classQualified:
		return len(v) >= 6 && notAWord(v) && !pathLike(v) && (quoted || !codeLike(v))
	case pathLike(v) && c != classPassword, pathLike(v) && strings.Contains(v[1:], "/"):
		return false
	case p == placeWord:
		return !regexLike(v)
	case !quoted && codeLike(v) || typeWords.Has(strings.ToLower(strings.TrimRight(v, "?"))):
		return false
	}
	firm := sep == '=' || quoted
	switch {
	case c == classPassword && p == placeFile:
		return len(v) >= 3
	case c == classPassword:
		return len(v) >= 3 && (firm || notAWord(v))
	case p == placeFile && firm:
		return len(v) >= 4
	}
	return quoted && len(v) >= 3 || len(v) >= 6 && (notAWord(v) || len(v) >= 24)
}

// cookies decides about the content of a cookie header: name=value pairs, of which one at least is no reference.
func (w *word) cookies(from, to int) bool {
	for from < to {
		end := from
		for end < to && w.text[end] != ';' {
			end++
		}
		value := from
		if k := strings.IndexByte(w.text[from:end], '='); k >= 0 {
			value = from + k + 1
		}
		if value < end && markerAt(w.text, value) != end && !w.reference(value, end) && !placeholder(w.text[value:min(end, value+look)]) {
			return true
		}
		from = end + 1
	}
	return false
}

// reference reports whether the value only refers to a secret: $TOKEN, $(pass show x), {{ .Values.token }}, @file.
func (w *word) reference(from, to int) bool {
	to = min(to, from+look)
	live, letters := false, 0
	for k := w.segmentIndex(from); k < len(w.segs) && w.segs[k].at < to; k++ {
		s := &w.segs[k]
		if s.form == formLive {
			live = true
			continue
		}
		for i := max(from, s.at); i < min(s.at+s.length, to); i++ {
			if is(w.text[i], setAlnum) || w.text[i] >= 0x80 {
				letters++
			}
		}
	}
	if live {
		if first := w.segment(from); first.form == formLive && first.at+first.length < to && pathLike(w.text[first.at+first.length:to]) {
			return true // $HOME/keys/x.json
		}
		// "$user-$host" is made of references, "prefix4711$x" is not.
		return letters < 4
	}
	return refersByText(w.text[from:to], w.formAt(from) == formBare)
}

// refersByText judges a value in which the shell itself expands nothing, but another program may.
func refersByText(v string, bare bool) bool {
	switch v[0] {
	case '$':
		if len(v) == 1 {
			return true
		}
		if v[1] == '{' || v[1] == '(' || v[1] == '$' && len(v) == 2 {
			return true
		}
		return isVariable(v[1:])
	case '`':
		return true
	case '<', '{', '[', '(':
		return len(v) == 1 || closes(v[0]) == v[len(v)-1] && wordsOnly(v) || strings.HasPrefix(v, "{{") || strings.HasPrefix(v, "<%")
	case '%':
		return len(v) <= 3 || v[1] == '(' || v[len(v)-1] == '%' || v[1] == 's' || v[1] == 'q'
	case '#':
		return len(v) > 1 && v[1] == '{'
	case '@':
		return len(v) == 1 || v[1] == '/' || v[1] == '.' || v[1] == '~' || v[1] == '-' || (bare || v[len(v)-1] == '@') && !strings.ContainsAny(v, "!#$%^&*")
	}
	for _, p := range referenceSchemes {
		if strings.HasPrefix(v, p) {
			return true
		}
	}
	return false
}

// referenceSchemes begin values that say where the secret is kept.
var referenceSchemes = []string{"env:", "file:", "fd:", "op://", "vault:", "arn:", "secretref:", "ref+", "keyring:", "ssm:",
	"sm://", "aws-sm:", "aws-ssm:", "gcp-sm:", "azurekv:", "kv://", "bw://", "keychain:", "awssm:", "process.env", "os.environ",
	"os.getenv", "!vault", "projects/", "secretsmanager:", "ENC[", "ENV[", "secret://", "k8s://"}

// wordsOnly reports a text of letters, blanks and punctuation that names have.
func wordsOnly(v string) bool {
	for i := 1; i < len(v)-1; i++ {
		if !is(v[i], setIdent|setSpace) || is(v[i], setDigit) {
			return false
		}
	}
	return true
}

func closes(open byte) byte {
	switch open {
	case '<':
		return '>'
	case '{':
		return '}'
	case '[':
		return ']'
	}
	return ')'
}

// isVariable reports a name that variables have: TOKEN_2 or my_token, but not ecret1.
func isVariable(s string) bool {
	upper, lower, digits := false, false, false
	for i := range len(s) {
		switch c := s[i]; {
		case c == '_':
		case 'A' <= c && c <= 'Z':
			upper = true
		case 'a' <= c && c <= 'z':
			lower = true
		case is(c, setDigit):
			digits = true
		default:
			return false
		}
	}
	return !lower || !upper && !digits || digits && len(s) == 1
}
