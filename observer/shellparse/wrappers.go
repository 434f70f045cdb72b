package shellparse

import (
	"strings"

	"github.com/caro-mesh/caro-node/observer/wordset"
)

// unwrap strips the wrappers in front of a command and notes them in r. It returns the words of the innermost program,
// never none.
func (w *walker) unwrap(r *Run, words []Word) []Word {
	for range maxDepth {
		name := programName(words[0])
		var rest []Word
		var ok bool
		switch name {
		case "xargs":
			rest, ok = w.xargs(r, words)
		case "zargs": // zsh: zargs -- files -- command
			rest, ok = zargs(words)
		case "parallel":
			rest, ok = w.parallel(r, words)
		case "ip": // ip netns exec NAME command
			k := 1
			for k < len(words) && strings.HasPrefix(words[k].Text, "-") {
				k++
			}
			if k+4 > len(words) || !strings.HasPrefix("netns", words[k].Text) || words[k+1].Text != "exec" {
				return words
			}
			rest, ok = words[k+3:], true
		case "python", "python3", "python2", "py":
			if len(words) < 3 || words[1].Text != "-m" || !modules.Has(words[2].Text) {
				return words
			}
			rest, ok = words[2:], true
		default:
			spec, known := wrappers[name]
			if w.fish && fishWords[name] {
				spec, known = wrapper{}, true
			}
			if !known {
				return words
			}
			rest, ok = behind(r, name, spec, words)
			if n := len(rest); ok && name == "repeat" && n > 2 && rest[0].Text == "{" && rest[n-1].Text == "}" { // zsh
				rest = rest[1 : n-1]
			}
			if ok && name == "nsenter" {
				r.Host = r.Host || hostSpaces(words[:len(words)-len(rest)])
			}
			if ok && spec.root {
				r.Root = true
			}
			if ok && spec.place != PlaceHere {
				w.ctx.place = spec.place
			}
		}
		if !ok || len(rest) == 0 {
			return words
		}
		for _, as := range r.Assigns { // env X=y sh -c '$X'
			w.set(as.Name, []Word{as.Value})
		}
		r.Via = append(r.Via, name)
		words = rest
	}
	w.cmd.Truncated = true
	return words
}

// modules are programs of their own that are also started with python -m.
var modules = wordset.Of(`pip twine pytest poetry black mypy ruff flake8 tox nox celery flask django
		alembic uvicorn gunicorn pipx virtualenv isort pylint jupyter hatch pdm`)

// behind finds the command behind one wrapper; false where it starts none.
func behind(r *Run, name string, spec wrapper, words []Word) ([]Word, bool) {
	i := 1
	if spec.sub != "" {
		for i < len(words) && strings.HasPrefix(words[i].Text, "-") {
			i++
		}
		if i >= len(words) || !hasField(spec.sub, words[i].Text) {
			return nil, false
		}
		i++
	}
	if spec.dashes {
		for ; i < len(words); i++ {
			if words[i].Text == "--" {
				return words[i+1:], i+1 < len(words)
			}
		}
		return nil, false
	}
	skip := spec.skip
	ended := false
	for ; i < len(words); i++ {
		t := words[i].Text
		switch {
		case !ended && t == "--":
			ended = true
			continue
		case !ended && strings.HasPrefix(t, "--"):
			if v, ok := strings.CutPrefix(t, "--user="); ok {
				r.User = v
			}
			if !strings.Contains(t, "=") && hasField(spec.long, t) {
				i++
				if t == "--user" && i < len(words) {
					r.User = words[i].Text
				}
			}
			continue
		case !ended && len(t) > 1 && t[0] == '-':
			if name == "command" && strings.ContainsAny(t, "vV") || name == "sudo" && strings.ContainsAny(t[1:],
				"lvkKVe") && !strings.ContainsAny(t, "uSnE") {
				return nil, false
			}
			if name == "env" && strings.HasPrefix(t, "-S") || name == "env" && strings.HasSuffix(t, "S") {
				return splitString(words, i), true
			}
			if spec.root && len(t) > 1 && t[1] == 'u' {
				r.User = t[2:]
			}
			if takesNext(t, spec.value) {
				i++
				if spec.root && strings.HasSuffix(t, "u") && i < len(words) {
					r.User = words[i].Text
				}
			}
			continue
		case spec.assign && isAssignment(t):
			key, value, _ := strings.Cut(t, "=")
			v := words[i]
			v.Text = value
			r.Assigns = append(r.Assigns, Assign{key, v})
			continue
		case t == "" && !words[i].Open:
			continue
		}
		if skip > 0 {
			skip--
			for i+1 < len(words) && words[i+1].Again {
				i++
			}
			continue
		}
		return words[i:], true
	}
	return nil, false
}

// hostSpaces reports whether the options of nsenter name the first process and its file systems.
func hostSpaces(options []Word) bool {
	first, mount := false, false
	for i, o := range options {
		switch t := o.Text; {
		case (t == "-t" || t == "--target") && i+1 < len(options):
			first = options[i+1].Text == "1"
		case t == "-t1" || t == "--target=1":
			first = true
		case t == "--mount" || t == "--all" || len(t) > 1 && t[0] == '-' && t[1] != '-' && strings.ContainsAny(t, "ma"):
			mount = true
		}
	}
	return first && mount
}

// splitString resolves env -S 'cmd args' rest.
func splitString(words []Word, i int) []Word {
	text := strings.TrimPrefix(words[i].Text, "-S")
	if strings.HasPrefix(words[i].Text, "-") && strings.HasSuffix(words[i].Text, "S") {
		i++
		if i >= len(words) {
			return nil
		}
		text = words[i].Text
	}
	var out []Word
	for _, f := range strings.Fields(text) {
		if len(out) == 0 && isAssignment(f) {
			continue
		}
		out = append(out, Word{Text: strings.Trim(f, `"'`), Open: words[i].Open})
	}
	return append(out, words[i+1:]...)
}

// takesNext reports whether a cluster of short options ends in one whose value is the next word.
func takesNext(cluster, value string) bool {
	for j := 1; j < len(cluster); j++ {
		if strings.IndexByte(value, cluster[j]) >= 0 {
			return j == len(cluster)-1
		}
	}
	return false
}

func isAssignment(s string) bool {
	name, _, ok := strings.Cut(s, "=")
	return ok && isName(name)
}

// hasField reports whether a blank separated list holds the word.
func hasField(list, word string) bool {
	for list != "" {
		var f string
		f, list, _ = strings.Cut(list, " ")
		if f == word {
			return word != ""
		}
	}
	return false
}

// xargs returns the command that xargs starts, with the arguments that it reads, as far as they are known.
func (w *walker) xargs(r *Run, words []Word) ([]Word, bool) {
	replace, delim := "", " \t\n"
	i := 1
	for ; i < len(words); i++ {
		t := words[i].Text
		if t == "--" {
			i++
			break
		}
		if len(t) < 2 || t[0] != '-' {
			break
		}
		switch {
		case strings.HasPrefix(t, "--replace"):
			replace = "{}"
			if _, v, ok := strings.Cut(t, "="); ok {
				replace = v
			}
		case t == "--null" || t == "-0" || t == "-0r" || t == "-r0":
			delim = "\x00\n"
		case t == "-i":
			replace = "{}"
		case strings.HasPrefix(t, "-I"):
			replace = t[2:]
			if replace == "" && i+1 < len(words) {
				i++
				replace = words[i].Text
			}
		case strings.HasPrefix(t, "--"):
			if !strings.Contains(t, "=") &&
				hasField("--arg-file --delimiter --eof --max-args --max-lines --max-procs --max-chars", t) {
				i++
			}
		case strings.HasSuffix(t, "I") && i+1 < len(words):
			i++
			replace = words[i].Text
		case takesNext(t, "adEeLlnPs"):
			i++
		}
	}
	rest := append([]Word(nil), words[min(i, len(words)):]...)
	if len(rest) == 0 {
		return nil, false
	}
	var extra []Word
	if r.Stdin.Known {
		for _, f := range splitAny(r.Stdin.Text, delim) {
			if len(extra) >= maxFields {
				break
			}
			extra = append(extra, Word{Text: strings.Trim(f, `"'`)})
		}
	} else {
		extra = []Word{{Text: "$()", Open: true, Guarded: true, From: r.Stdin.From}}
	}
	r.Stdin = Source{}
	if replace == "" {
		return append(rest, extra...), true
	}
	return substituteMark(rest, replace, extra), true
}

// zargs returns the command of zsh's zargs with the words that it is given.
func zargs(words []Word) ([]Word, bool) {
	first := -1
	for i := 1; i < len(words); i++ {
		if words[i].Text != "--" && words[i].Text != "-i--" {
			continue
		}
		if first >= 0 && i+1 < len(words) {
			rest := append([]Word(nil), words[i+1:]...)
			return append(rest, words[first:i]...), true
		}
		first = i + 1
	}
	return nil, false
}

// substituteMark replaces the mark in every word by the first value, and appends the others where the word is the mark.
func substituteMark(words []Word, mark string, values []Word) []Word {
	out := make([]Word, 0, len(words)+len(values))
	for _, v := range words {
		switch {
		case v.Text == mark && len(values) > 0:
			out = append(out, values...)
		case mark != "" && strings.Contains(v.Text, mark) && len(values) > 0:
			v.Text = strings.ReplaceAll(v.Text, mark, values[0].Text)
			v.Open = v.Open || values[0].Open
			v.From = append(append([]int(nil), v.From...), values[0].From...)
			out = append(out, v)
		default:
			out = append(out, v)
		}
	}
	return out
}

// parallel returns the command of GNU parallel, whose arguments stand behind ":::" or come from its input.
func (w *walker) parallel(r *Run, words []Word) ([]Word, bool) {
	i := 1
	for ; i < len(words); i++ {
		t := words[i].Text
		if len(t) < 2 || t[0] != '-' {
			break
		}
		if takesNext(t, "jPNnaISd") ||
			hasField("--jobs --colsep --arg-file --delay --timeout --results --joblog --sshlogin --max-args", t) {
			i++
		}
	}
	end := len(words)
	for j := i; j < len(words); j++ {
		if strings.HasPrefix(words[j].Text, ":::") {
			end = j
			break
		}
	}
	rest := append([]Word(nil), words[min(i, end):end]...)
	if len(rest) == 0 && end+1 < len(words) { // the arguments are the commands
		rest, end = []Word{{Text: "sh"}, {Text: "-c"}, words[end+1]}, len(words)
		r.Stdin = Source{Known: true}
	}
	if len(rest) == 0 {
		return nil, false
	}
	var extra []Word
	switch {
	case end < len(words):
		extra = words[end+1:]
	case r.Stdin.Known:
		for _, f := range splitAny(r.Stdin.Text, "\n") {
			if len(extra) < maxFields {
				extra = append(extra, Word{Text: f})
			}
		}
	default:
		extra = []Word{{Text: "$()", Open: true, Guarded: true, From: r.Stdin.From}}
	}
	r.Stdin = Source{}
	if len(rest) == 1 && strings.ContainsAny(rest[0].Text, " ;|&") {
		rest = []Word{{Text: "sh"}, {Text: "-c"}, rest[0]}
	}
	marked := false
	for k := range rest {
		for _, mark := range [...]string{"{1}", "{2}", "{.}", "{/}", "{//}", "{/.}"} {
			rest[k].Text = strings.ReplaceAll(rest[k].Text, mark, "{}")
		}
		marked = marked || strings.Contains(rest[k].Text, "{}")
	}
	if marked {
		return substituteMark(rest, "{}", extra), true
	}
	return append(rest, extra...), true
}
