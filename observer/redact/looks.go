package redact

import (
	"math"
	"strings"

	"github.com/caro-mesh/caro-node/observer/wordset"
)

var (
	// dullWords are values of switches and modes.
	dullWords = wordset.Of(`true false yes no on off null none nil undefined default auto required optional enabled disabled never
		always prompt ask stdin interactive keyring basic oauth oauth2 bearer digest ntlm negotiate kerberos plain md5 sha1
		sha224 sha256 sha384 sha512 bcrypt scrypt argon2 argon2id pbkdf2 string test-only anonymous guest-none always-ask empty unset manual jwt token oidc saml
		ldap apikey api_key in out`)
	// typeWords stand behind a colon in code.
	typeWords = wordset.Of(`string str int integer number bool boolean any bytes byte text varchar object array list dict map optional
		char float double null undefined void unknown never type required true false none self this`)
)

// dull reports a value that is a switch, a mode or a small number. People do choose three digits as a password.
func dull(v string, c class) bool {
	if dullWords.Has(strings.ToLower(v)) || v == "-" {
		return true
	}
	for i := range len(v) {
		if !is(v[i], setDigit) {
			return false
		}
	}
	return len(v) <= 2 || len(v) == 3 && c != classPassword
}

// placeholder reports text that stands where a secret would be put.
func placeholder(v string) bool {
	filler := true
	for i := range len(v) {
		switch v[i] {
		case 'x', 'X', '*', '.', '-', '_', '?', '#', '!':
		default:
			filler = false
		}
	}
	if filler {
		return true
	}
	if strings.HasPrefix(v, "***") || strings.HasPrefix(v, "...") || strings.HasPrefix(v, "\u2026") || strings.HasPrefix(v, "\u2022") {
		return true
	}
	if v == "FUZZ" {
		return true
	}
	if v[0] == '<' && strings.IndexByte(v, '>') > 0 {
		return true
	}
	if len(v) > 64 {
		return false
	}
	low := strings.ToLower(v)
	for _, p := range []string{"your_", "your-", "your ", "yourtoken", "yourpass", "yourkey", "yoursecret", "yourapi", "placeholder", "_here", "-here",
		"replace_me", "replace-me", "replaceme", "insert_", "xxxx", "redacted"} {
		if strings.Contains(low, p) {
			return true
		}
	}
	// DEMO_KEY, MY_API_TOKEN: a name in the place of a value.
	if v == strings.ToUpper(v) && strings.Contains(v, "_") {
		for _, p := range []string{"_KEY", "_TOKEN", "_SECRET", "_PASSWORD", "_PASS", "_PWD"} {
			if strings.HasSuffix(v, p) {
				return true
			}
		}
	}
	return false
}

// notAWord reports text with a letter and something that words do not have: a digit, or a symbol of passwords.
func notAWord(v string) bool {
	letter, other := false, false
	for i := range len(v) {
		switch c := v[i]; {
		case is(c, setDigit), strings.IndexByte("!@#$%^&*+=?~", c) >= 0:
			other = true
		case is(c, setAlnum), c >= 0x80:
			letter = true
		}
	}
	return letter && other && len(v) >= 5
}

// pathLike reports a path or a file name.
func pathLike(v string) bool {
	if strings.HasPrefix(v, "~/") || strings.HasPrefix(v, "./") || strings.HasPrefix(v, "../") {
		return true
	}
	if dot := strings.LastIndexByte(v, '.'); dot > 0 && fileEndings.Has(strings.ToLower(v[dot+1:])) && isName(strings.ReplaceAll(v, "/", "_")) {
		return true
	}
	if v[0] != '/' || len(v) < 3 {
		return false
	}
	for _, part := range strings.Split(v[1:], "/") {
		if len(part) > 40 || len(part) >= 16 && looksRandom(part) {
			return false
		}
		for i := range len(part) {
			if !is(part[i], setIdent) {
				return false
			}
		}
	}
	return true
}

var fileEndings = wordset.Of(`pem key json yaml yml txt pub crt cer cert p12 pfx jks conf cfg ini toml env sh py js ts go rb csv log md gpg
	asc age enc keystore der xml html sql tf properties`)

// regexLike reports a search pattern rather than a value.
func regexLike(v string) bool {
	return strings.HasPrefix(v, ".*") || strings.HasPrefix(v, ".+") || strings.HasPrefix(v, "[^") || strings.HasPrefix(v, "(.") ||
		strings.HasPrefix(v, `\`) || strings.HasPrefix(v, "(?") || strings.HasPrefix(v, "([") || strings.HasPrefix(v, "[a-") || strings.HasPrefix(v, "[A-") ||
		strings.HasPrefix(v, "[0-")
}

// codeLike reports an expression of a programming language, a pattern or a format.
func codeLike(v string) bool {
	if regexLike(v) {
		return true
	}
	switch v[0] {
	case '.', '(', '[', '{', '|', '>', ',', ';', ')', ']', '}', '%':
		return true
	case '*', '^', '!', '&', '/':
		if !notAWord(v) {
			return true
		}
	}
	if strings.IndexByte(v, '(') > 0 && is(v[strings.IndexByte(v, '(')-1], setWord) {
		return true
	}
	if k := strings.IndexByte(v, '['); k > 0 && is(v[k-1], setWord) && strings.IndexByte(v[k:], ']') > 0 {
		return true
	}
	// process.env.TOKEN, self.password, config.api_key
	parts := 0
	for _, part := range strings.Split(v, ".") {
		if part == "" || is(part[0], setDigit) {
			return false
		}
		for i := range len(part) {
			if !is(part[i], setWord) {
				return false
			}
			if is(part[i], setDigit) {
				return false
			}
		}
		parts++
	}
	return parts > 1
}

// looksRandom reports text that a machine made: long, of letters and digits in a mix that words, numbers, versions,
// dates, paths and identifiers do not show.
func looksRandom(v string) bool {
	if len(v) < 16 || isUUID(v) {
		return false
	}
	v = v[:min(len(v), 96)]
	var count [256]uint8
	distinct := 0
	for i := range len(v) {
		if !is(v[i], setLoose|setB64) && v[i] != '%' {
			return false
		}
		if count[v[i]] == 0 {
			distinct++
		}
		count[v[i]]++
	}
	if distinct < 9 { // no sixteen characters of so few have the entropy below
		return false
	}
	// One part between the usual separators must itself look made: long, and changing often between digits and
	// letters, or between the cases.
	for start := 0; start < len(v); {
		end := start
		for end < len(v) && is(v[end], setAlnum) {
			end++
		}
		if part := v[start:end]; len(part) >= 12 {
			changes, flips, digits := 0, 0, 0
			for i := range len(part) {
				d := is(part[i], setDigit)
				if d {
					digits++
				}
				if i > 0 && d != is(part[i-1], setDigit) {
					changes++
				} else if i > 0 && !d && (part[i] < 'a') != (part[i-1] < 'a') {
					flips++
				}
			}
			if digits >= 2 && changes >= 3 || (digits >= 1 || len(part) >= 20) && flips*3 >= len(part) {
				return entropyOf(&count, len(v)) >= 3
			}
		}
		start = end + 1
	}
	return false
}

// entropyOf returns the Shannon entropy of a text of n bytes, in bits a byte.
func entropyOf(count *[256]uint8, n int) float64 {
	entropy := 0.0
	for _, c := range count {
		if c > 0 {
			p := float64(c) / float64(n)
			entropy -= p * math.Log2(p)
		}
	}
	return entropy
}

func isUUID(v string) bool {
	if len(v) != 36 {
		return false
	}
	for i := range len(v) {
		if dash := i == 8 || i == 13 || i == 18 || i == 23; dash != (v[i] == '-') || !dash && !is(v[i], setAnyHex) {
			return false
		}
	}
	return true
}

// isDigest reports hexadecimal digits, alone or behind a prefix ("deps-3f2b…", "0x8D81…"): a digest, a commit, a
// fingerprint.
func isDigest(v string) bool {
	if k := strings.LastIndexAny(v, "-_:./"); k >= 0 {
		v = v[k+1:]
	}
	return isHex(strings.TrimPrefix(v, "0x"))
}

func isHex(v string) bool {
	for i := range len(v) {
		if !is(v[i], setAnyHex) {
			return false
		}
	}
	return v != ""
}
