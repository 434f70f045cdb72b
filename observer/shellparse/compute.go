package shellparse

import (
	"strconv"
	"strings"
)

// printed is what zsh's print prints.
func printed(args []Word) (string, bool) {
	separator, newline, escapes := " ", "\n", true
	for len(args) > 0 && strings.HasPrefix(args[0].Text, "-") {
		t := args[0].Text
		args = args[1:]
		if t == "-" || t == "--" {
			break
		}
		for _, c := range []byte(t[1:]) {
			switch c {
			case 'n':
				newline = ""
			case 'l':
				separator = "\n"
			case 'r', 'R':
				escapes = false
			case 's', 'z', 'v', 'u':
				return "", true // to the history, the editor, a variable, a file
			case 'f':
				return formatted(args)
			}
		}
	}
	if !known(args) {
		return "", false
	}
	texts := make([]string, len(args))
	for i := range args {
		texts[i] = args[i].Text
	}
	text := strings.Join(texts, separator)
	if escapes {
		text = unescape(text, escapeEcho)
	}
	return text + newline, true
}

// fishString is what fish's string prints for constant arguments.
func fishString(args []Word) (string, bool) {
	if len(args) < 2 || !known(args) {
		return "", false
	}
	sub, rest := args[0].Text, args[1:]
	count := -1
	for len(rest) > 0 && strings.HasPrefix(rest[0].Text, "-") && len(rest[0].Text) > 1 {
		if (rest[0].Text == "-n" || rest[0].Text == "--count") && len(rest) > 1 {
			count, _ = strconv.Atoi(rest[1].Text)
			rest = rest[1:]
		}
		rest = rest[1:]
	}
	if len(rest) == 0 {
		return "", false
	}
	texts := make([]string, len(rest))
	for i := range rest {
		texts[i] = rest[i].Text
	}
	switch sub {
	case "repeat":
		if count < 0 {
			count, _ = strconv.Atoi(texts[0])
			texts = texts[1:]
		}
		if len(texts) == 1 && count >= 0 && count*len(texts[0]) <= maxJoined {
			return strings.Repeat(texts[0], count), true
		}
	case "join":
		return strings.Join(texts[1:], texts[0]), true
	case "unescape", "trim", "collect":
		return strings.Join(texts, "\n"), true
	case "lower":
		return strings.ToLower(strings.Join(texts, "\n")), true
	case "upper":
		return strings.ToUpper(strings.Join(texts, "\n")), true
	case "replace":
		if len(texts) == 3 && texts[0] != "" && len(texts[2])*(1+len(texts[1])) <= maxJoined {
			return strings.ReplaceAll(texts[2], texts[0], texts[1]), true
		}
	}
	return "", false
}

// programText is what an interpreter prints whose program is given in the line and only prints constants.
func (w *walker) programText(r *Run, lang string) (string, bool) {
	code := strings.TrimSpace(r.Code.Text)
	if !r.Code.Known || code == "" || len(code) > maxForeign || len(r.Code.From) > 0 {
		return "", false
	}
	if lang == "awk" {
		rest, ok := strings.CutPrefix(code, "BEGIN")
		rest = strings.TrimSpace(rest)
		if !ok || !strings.HasPrefix(rest, "{") || !strings.HasSuffix(rest, "}") {
			return "", false
		}
		code = strings.TrimSpace(rest[1 : len(rest)-1])
	}
	for _, name := range [...]string{"printf", "println", "print", "puts", "echo", "console.log", "say",
		"process.stdout.write",
		"sys.stdout.write", "io.write", "$stdout.write", "STDOUT.write"} {
		rest, ok := strings.CutPrefix(strings.TrimPrefix(code, "import sys;"), name)
		if !ok {
			continue
		}
		args, ok := constants(rest)
		if !ok || len(args) == 0 {
			return "", false
		}
		if name == "printf" {
			return formattedBytes(args)
		}
		return strings.Join(args, " ") + "\n", true
	}
	for _, name := range decoderCalls {
		if k := strings.Index(code, name); k >= 0 && containsAny(code, printCalls) && !strings.Contains(code, "open(") {
			list, _ := argument(code, k+len(name), false)
			if len(list) == 1 && !list[0].Open {
				if strings.Contains(name, "hex") {
					return unhex(list[0].Text)
				}
				return decode(list[0].Text, true)
			}
		}
	}
	return "", false
}

var printCalls = []string{"print", "puts", "echo", "write(", "console.log", "say "}

// constants reads a list of strings, numbers and chr(number) up to the end; false if there is anything else.
func constants(s string) ([]string, bool) {
	var out []string
	cur, has := "", false
	for i := 0; i < len(s); {
		switch c := s[i]; {
		case c == ' ' || c == '(' || c == ')' || c == ';' || c == '.' || c == '+':
			i++
		case c == ',':
			if has {
				out = append(out, cur)
			}
			cur, has = "", false
			i++
		case c == '"' || c == '\'':
			text, end := stringLiteral(s, i)
			cur, has = cur+text, true
			i = end
		case c >= '0' && c <= '9':
			n := 1
			for i+n < len(s) && s[i+n] >= '0' && s[i+n] <= '9' {
				n++
			}
			cur, has = cur+s[i:i+n], true
			i += n
		case strings.HasPrefix(s[i:], "chr("):
			end := strings.IndexByte(s[i:], ')')
			if end < 0 {
				return nil, false
			}
			n, err := strconv.ParseUint(s[i+4:i+end], 0, 7)
			if err != nil {
				return nil, false
			}
			cur, has = cur+string(rune(n)), true
			i += end + 1
		default:
			return nil, false
		}
		if len(out) > maxFields {
			return nil, false
		}
	}
	if has {
		out = append(out, cur)
	}
	return out, true
}

// formattedBytes is what printf of a language prints, where %c of a number is a character.
func formattedBytes(args []string) (string, bool) {
	var b strings.Builder
	format, args := args[0], args[1:]
	for i := 0; i < len(format); i++ {
		if format[i] != '%' || i+1 >= len(format) {
			b.WriteByte(format[i])
			continue
		}
		i++
		if format[i] == '%' {
			b.WriteByte('%')
			continue
		}
		if len(args) == 0 {
			return "", false
		}
		value := args[0]
		args = args[1:]
		if n, err := strconv.ParseUint(value, 10, 7); format[i] == 'c' && err == nil {
			value = string(rune(n))
		}
		b.WriteString(value)
	}
	return unescape(b.String(), escapeC), true
}
