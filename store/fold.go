package store

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// fold appends text in the form in which it is searched: lower case, with bytes that are not UTF-8 left alone, and
// without the separator of packed commands.
func fold(dst []byte, text string) []byte {
	for i := 0; i < len(text); {
		c := text[i]
		if c < utf8.RuneSelf {
			switch {
			case 'A' <= c && c <= 'Z':
				c += 'a' - 'A'
			case c == separator:
				c = separator + 1
			}
			dst = append(dst, c)
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(text[i:])
		if r == utf8.RuneError && n == 1 {
			dst = append(dst, c)
		} else {
			dst = utf8.AppendRune(dst, unicode.ToLower(r))
		}
		i += n
	}
	return dst
}

// searchWords splits what a person searches for at white space and folds it. The longest word comes first, because it
// is likely to be the rarest.
func searchWords(search string) [][]byte {
	var words [][]byte
	for _, w := range strings.Fields(search) {
		words = append(words, fold(nil, w))
		if last := len(words) - 1; len(words[last]) > len(words[0]) {
			words[0], words[last] = words[last], words[0]
		}
	}
	return words
}
