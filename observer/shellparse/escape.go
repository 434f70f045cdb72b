package shellparse

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// Which escapes are resolved.
const (
	escapeC    = iota // $'…' and printf: \n \t \xHH \NNN \uHHHH
	escapeEcho        // echo -e: octal is \0NNN
)

// unescape resolves C-like escapes; what is not an escape stays as it is.
func unescape(s string, mode int) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 >= len(s) {
			out = append(out, s[i])
			continue
		}
		i++
		switch c := s[i]; c {
		case 'n':
			out = append(out, '\n')
		case 't':
			out = append(out, '\t')
		case 'r':
			out = append(out, '\r')
		case 'a', 'b', 'f', 'v', 'e', 'E':
			out = append(out, 0x1b)
		case '\\', '\'', '"', '?':
			out = append(out, c)
		case 'x':
			n := digits(s[i+1:], 16, 2)
			if n == 0 {
				out = append(out, '\\', c)
				continue
			}
			v, _ := strconv.ParseUint(s[i+1:i+1+n], 16, 8) // at most two hex digits: cannot fail
			out = append(out, byte(v))
			i += n
		case 'u', 'U':
			width := 4
			if c == 'U' {
				width = 8
			}
			n := digits(s[i+1:], 16, width)
			v, err := strconv.ParseUint("0"+s[i+1:i+1+n], 16, 32)
			if n == 0 || err != nil || v > utf8.MaxRune {
				out = append(out, '\\', c)
				continue
			}
			out = utf8.AppendRune(out, rune(v))
			i += n
		case '0', '1', '2', '3', '4', '5', '6', '7':
			at, width := i, 3
			if mode == escapeEcho {
				if c != '0' {
					out = append(out, '\\', c)
					continue
				}
				at, width = i+1, 3
			} else if c == '0' {
				width = 4
			}
			n := digits(s[at:], 8, width)
			v, _ := strconv.ParseUint("0"+s[at:at+n], 8, 16) // at most four octal digits: cannot fail
			out = append(out, byte(v))
			i = at + n - 1
		default:
			out = append(out, '\\', c)
		}
	}
	return string(out)
}

// digits counts the leading digits of the base, at most limit.
func digits(s string, base, limit int) int {
	n := 0
	for n < len(s) && n < limit {
		c := s[n]
		switch {
		case c >= '0' && c <= '9' && int(c-'0') < base:
		case base == 16 && (c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'):
		default:
			return n
		}
		n++
	}
	return n
}
