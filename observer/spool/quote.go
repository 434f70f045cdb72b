package spool

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// quote writes s as one $'…' word without any control byte.
func quote(s string) string {
	var b strings.Builder
	b.WriteString("$'")
	for i := range len(s) {
		switch c := s[i]; {
		case c == '\'' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c < 0x20 || c == 0x7f:
			fmt.Fprintf(&b, `\%03o`, c)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('\'')
	return b.String()
}

// unquote reads one shell word made of '…', $'…' and \c parts: what bash prints for ${x@Q} and [quote] writes.
func unquote(s string) (string, error) {
	var b strings.Builder
	b.Grow(len(s))
	for len(s) > 0 {
		switch {
		case s[0] == '\'':
			i := strings.IndexByte(s[1:], '\'')
			if i < 0 {
				return "", errors.New("quoted command without its closing quote")
			}
			b.WriteString(s[1 : 1+i])
			s = s[i+2:]
		case strings.HasPrefix(s, "$'"):
			rest, err := unquoteANSI(&b, s[2:])
			if err != nil {
				return "", err
			}
			s = rest
		case s[0] == '\\' && len(s) > 1:
			b.WriteByte(s[1])
			s = s[2:]
		default:
			return "", fmt.Errorf("unquoted text in a quoted command at %q", s[:min(len(s), 16)])
		}
	}
	return b.String(), nil
}

var ansiLetters = map[byte]byte{'a': 7, 'b': 8, 'e': 27, 'E': 27, 'f': 12, 'n': 10, 'r': 13, 't': 9, 'v': 11,
	'\\': '\\', '\'': '\'', '"': '"', '?': '?'}

// unquoteANSI decodes up to and including the closing quote and returns what follows it.
func unquoteANSI(b *strings.Builder, s string) (string, error) {
	for {
		i := strings.IndexAny(s, `\'`)
		if i < 0 {
			return "", errors.New("quoted command without its closing quote")
		}
		b.WriteString(s[:i])
		if s[i] == '\'' {
			return s[i+1:], nil
		}
		s = s[i+1:]
		if s == "" {
			return "", errors.New("quoted command ends in a backslash")
		}
		if c, ok := ansiLetters[s[0]]; ok {
			b.WriteByte(c)
			s = s[1:]
			continue
		}
		n, err := unquoteCode(b, s)
		if err != nil {
			return "", err
		}
		s = s[n:]
	}
}

// unquoteCode decodes the numeric escapes \nnn, \xHH, \uHHHH and \UHHHHHHHH and the control escape \cX, without their
// backslash, and returns the number of bytes used.
func unquoteCode(b *strings.Builder, s string) (int, error) {
	switch s[0] {
	case 'x':
		return codeByte(b, s, 1, 2, 16)
	case 'u':
		return codeRune(b, s, 4)
	case 'U':
		return codeRune(b, s, 8)
	case 'c':
		if len(s) < 2 {
			return 0, errors.New("quoted command ends in a control escape")
		}
		b.WriteByte(s[1] & 0x1f)
		return 2, nil
	}
	if s[0] >= '0' && s[0] <= '7' {
		return codeByte(b, s, 0, 3, 8)
	}
	return 0, fmt.Errorf("unknown escape \\%c in a quoted command", s[0])
}

func codeByte(b *strings.Builder, s string, from, most, base int) (int, error) {
	to := from + digits(s[from:], most, base)
	n, err := strconv.ParseUint(s[from:to], base, 16)
	if err != nil {
		return 0, fmt.Errorf("bad escape in a quoted command: %w", err)
	}
	b.WriteByte(byte(n))
	return to, nil
}

func codeRune(b *strings.Builder, s string, most int) (int, error) {
	to := 1 + digits(s[1:], most, 16)
	n, err := strconv.ParseUint(s[1:to], 16, 32)
	if err != nil {
		return 0, fmt.Errorf("bad escape in a quoted command: %w", err)
	}
	r := rune(n)
	if n > utf8.MaxRune || !utf8.ValidRune(r) {
		r = utf8.RuneError
	}
	b.WriteRune(r)
	return to, nil
}

func digits(s string, most, base int) int {
	n := 0
	for n < len(s) && n < most {
		c := s[n] | 0x20
		if (s[n] < '0' || s[n] > '9' || int(s[n]-'0') >= base) && (base != 16 || c < 'a' || c > 'f') {
			break
		}
		n++
	}
	return n
}
