package shellparse

import (
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"path"
	"strings"
)

// output is what run i prints, known where the line alone determines it.
func (w *walker) output(i int) Source {
	r := &w.cmd.Runs[i]
	out := Source{From: []int{i}}
	text, known := w.text(r)
	if known && w.spend(len(text)) {
		out.Text, out.Known = text, true
	}
	return out
}

func (w *walker) text(r *Run) (string, bool) {
	switch r.Name {
	case "echo":
		return echoed(r.Args)
	case "printf":
		return formatted(r.Args)
	case "print":
		return printed(r.Args)
	case "string":
		if w.fish {
			return fishString(r.Args)
		}
	case "true", ":", "cd", "export", "set", "unset", "local", "alias", "sleep", "wait", "shopt", "umask", "mkdir",
		"rm", "touch":
		return "", true
	case "cat", "tee", "head", "tail", "sort", "uniq", "pv", "buffer", "sponge", "less", "more":
		return w.input(r, r.Name == "tee")
	case "base64", "gbase64":
		if r.Has("-d") || r.Has("--decode") || r.Has("-D") || r.Has("-di") || r.Has("-id") {
			return decode(w.input(r, false))
		}
	case "base32":
		if text, ok := w.input(r, false); ok && (r.Has("-d") || r.Has("--decode")) {
			b, err := base32.StdEncoding.DecodeString(strings.TrimSpace(text))
			return string(b), err == nil
		}
	case "openssl":
		if (r.Has("base64") || r.Has("-base64") || r.Has("-a")) && r.Has("-d") && r.Stdin.Known {
			return decode(r.Stdin.Text, true)
		}
	case "xxd":
		if strings.Contains(r.Line(), " -r") && r.Stdin.Known {
			return unhex(r.Stdin.Text)
		}
	case "rev":
		if r.Stdin.Known {
			return reversed(r.Stdin.Text), true
		}
	case "tac":
		if r.Stdin.Known {
			lines := strings.SplitAfter(r.Stdin.Text, "\n")
			var b strings.Builder
			for k := len(lines) - 1; k >= 0; k-- {
				b.WriteString(lines[k])
			}
			return b.String(), true
		}
	case "tr":
		if r.Stdin.Known {
			return translated(r.Stdin.Text, r.Args)
		}
	case "sed":
		if r.Stdin.Known && len(r.Args) == 1 {
			return edited(r.Stdin.Text, r.Arg(0))
		}
	case "which", "command", "type":
		if n := len(r.Args); n > 0 && (r.Name != "command" || n > 1) {
			return r.Args[n-1].Text, !r.Args[n-1].Open
		}
	case "basename":
		if len(r.Args) == 1 && !r.Args[0].Open {
			return path.Base(r.Arg(0)), true
		}
	case "dirname":
		if len(r.Args) == 1 && !r.Args[0].Open {
			return path.Dir(r.Arg(0)), true
		}
	default:
		if lang := language(r.Name); lang != "" && r.Code.Known {
			return w.programText(r, lang)
		}
	}
	return "", false
}

// input is what a filter passes on: its operands where it has some, else its input.
func (w *walker) input(r *Run, ignoreOperands bool) (string, bool) {
	if !ignoreOperands {
		var b strings.Builder
		found := false
		for _, a := range r.Args {
			if a.Text == "-" || strings.HasPrefix(a.Text, "-") || isFD(a.Text) {
				continue
			}
			if a.Text == "/dev/null" {
				found = true
				continue
			}
			f := w.file(a.Text)
			if f == nil || !f.content.Known {
				return "", false
			}
			found = true
			b.WriteString(f.content.Text)
		}
		if found {
			return b.String(), true
		}
	}
	return r.Stdin.Text, r.Stdin.Known
}

func known(args []Word) bool {
	for i := range args {
		if len(args[i].From) > 0 && args[i].Open {
			return false
		}
	}
	return true
}

func echoed(args []Word) (string, bool) {
	if !known(args) {
		return "", false
	}
	escapes, newline := false, "\n"
	for len(args) > 0 {
		a := args[0].Text
		if len(a) < 2 || a[0] != '-' || strings.Trim(a[1:], "neE") != "" {
			break
		}
		escapes = escapes || strings.Contains(a, "e")
		if strings.Contains(a, "n") {
			newline = ""
		}
		args = args[1:]
	}
	var b strings.Builder
	for i := range args {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(args[i].Text)
	}
	text := b.String()
	if escapes {
		text = unescape(text, escapeEcho)
	}
	return text + newline, true
}

// formatted is what printf prints.
func formatted(args []Word) (string, bool) {
	if len(args) > 0 && args[0].Text == "--" {
		args = args[1:]
	}
	if len(args) == 0 || !known(args) {
		return "", false
	}
	format, args := args[0].Text, args[1:]
	var b strings.Builder
	for first := true; first || len(args) > 0; first = false {
		before := len(args)
		for i := 0; i < len(format); i++ {
			c := format[i]
			if c != '%' || i+1 >= len(format) {
				b.WriteByte(c)
				continue
			}
			j := i + 1
			for j < len(format) && strings.IndexByte("-+ #0123456789.", format[j]) >= 0 {
				j++
			}
			if j >= len(format) {
				b.WriteString(format[i:])
				break
			}
			i = j
			if format[j] == '%' {
				b.WriteByte('%')
				continue
			}
			value := ""
			if len(args) > 0 {
				value, args = args[0].Text, args[1:]
			}
			if format[j] == 'b' {
				value = unescape(value, escapeEcho)
			}
			b.WriteString(value)
		}
		if len(args) == before || b.Len() > maxInput {
			break
		}
	}
	return unescape(b.String(), escapeC), true
}

func decode(text string, ok bool) (string, bool) {
	if !ok {
		return "", false
	}
	text = strings.TrimRight(strings.Join(strings.Fields(text), ""), "=")
	b, err := base64.RawStdEncoding.DecodeString(text)
	return string(b), err == nil
}

func unhex(text string) (string, bool) {
	text = strings.NewReplacer(`\x`, "", "0x", "", " ", "", "\n", "").Replace(text)
	b, err := hex.DecodeString(text)
	return string(b), err == nil
}

// reversed turns every line around.
func reversed(text string) string {
	lines := strings.Split(text, "\n")
	for k, l := range lines {
		runes := []rune(l)
		for i, j := 0, len(runes)-1; i < j; i, j = i+1, j-1 {
			runes[i], runes[j] = runes[j], runes[i]
		}
		lines[k] = string(runes)
	}
	return strings.Join(lines, "\n")
}

// translated is what tr prints.
func translated(text string, args []Word) (string, bool) {
	remove := false
	for len(args) > 0 && strings.HasPrefix(args[0].Text, "-") && len(args[0].Text) > 1 {
		remove = remove || args[0].Text == "-d"
		args = args[1:]
	}
	if len(args) == 0 || args[0].Open {
		return "", false
	}
	from := expandSet(args[0].Text)
	if remove {
		return strings.Map(func(c rune) rune {
			if strings.ContainsRune(from, c) {
				return -1
			}
			return c
		}, text), true
	}
	if len(args) < 2 {
		return "", false
	}
	to := expandSet(args[1].Text)
	if to == "" {
		return "", false
	}
	out := []byte(text)
	for i, c := range out {
		if k := strings.IndexByte(from, c); k >= 0 {
			out[i] = to[min(k, len(to)-1)]
		}
	}
	return string(out), true
}

// expandSet expands the ranges and escapes of a tr set.
func expandSet(s string) string {
	s = unescape(s, escapeC)
	for class, set := range map[string]string{"[:upper:]": "A-Z", "[:lower:]": "a-z", "[:digit:]": "0-9",
		"[:space:]": " \t\n"} {
		s = strings.ReplaceAll(s, class, set)
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if i+2 < len(s) && s[i+1] == '-' && s[i] <= s[i+2] {
			for c := int(s[i]); c <= int(s[i+2]); c++ {
				b.WriteByte(byte(c))
			}
			i += 2
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// edited is what sed prints for a substitution of plain text.
func edited(text, program string) (string, bool) {
	if len(program) < 4 || program[0] != 's' {
		return "", false
	}
	parts := strings.Split(program[2:], program[1:2])
	if len(parts) != 3 || strings.ContainsAny(parts[0], `\.*[]^$+?&`) || strings.ContainsAny(parts[1], `\&`) ||
		parts[0] == "" {
		return "", false
	}
	n := 1
	if strings.Contains(parts[2], "g") {
		n = -1
	}
	return strings.Replace(text, parts[0], parts[1], n), true
}
