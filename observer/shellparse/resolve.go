package shellparse

import (
	"path"
	"strings"
)

// emitBare records assignments or redirections without a command. Its output is nothing, except that a bare "< file"
// inside a substitution reads the file.
func (w *walker) emitBare(assigns []Assign, redirs []Redirect, stdin Source) Source {
	if len(assigns) == 0 && len(redirs) == 0 {
		return stdin
	}
	i := -1
	if len(redirs) > 0 || w.ctx.depth == 0 {
		i = w.emit(Run{Assigns: assigns, Redirs: redirs, Stdin: stdin})
		for _, as := range assigns {
			w.plantAssigned(i, as.Name, as.Value.Text)
		}
		w.plantWritten(i, redirs, stdin)
	}
	if len(redirs) == 1 && redirs[0].Op == "<" {
		if i >= 0 {
			stdin.From = append(stdin.From[:len(stdin.From):len(stdin.From)], i)
		}
		return stdin
	}
	w.capture(redirs, stdin)
	return Source{Known: true}
}

// emit appends a run in the present context and returns its index, -1 where the bound is reached.
func (w *walker) emit(r Run) int {
	if len(w.cmd.Runs) >= maxRuns {
		w.cmd.Truncated = true
		return -1
	}
	r.Parent, r.Depth, r.Place = w.ctx.parent, w.ctx.depth, w.ctx.place
	r.Root = r.Root || w.ctx.root
	r.Planted, r.Endless = w.ctx.planted, w.ctx.endless
	r.Deferred, r.Guess, r.Background, r.Dir = w.ctx.deferred, w.ctx.guess, w.ctx.background, w.ctx.dir
	if len(w.ctx.via) > 0 {
		r.Via = append(append([]string(nil), w.ctx.via...), r.Via...)
	}
	if r.Depth == 0 {
		r.Joint, w.joint = w.joint, ""
	}
	w.cmd.Runs = append(w.cmd.Runs, r)
	return len(w.cmd.Runs) - 1
}

// simple resolves one simple command: behind its wrappers, into what it starts in turn. It returns what it prints.
func (w *walker) simple(words []Word, assigns []Assign, redirs []Redirect, stdin Source) Source {
	if !w.step() {
		return Source{}
	}
	for len(words) > 0 && words[0].Text == "" {
		words = words[1:]
	}
	if len(words) == 0 {
		return w.emitBare(assigns, redirs, stdin)
	}
	if out, ok := w.invoke(words, redirs, stdin); ok {
		return out
	}
	if words[0].Text == "$0" && (w.ctx.background || w.joint == "|" || w.joint == "&") {
		w.cmd.SelfSpawning = true // $0 & $0
	}
	r := Run{Assigns: assigns, Redirs: redirs, Stdin: stdin}
	place := w.ctx.place
	words = w.unwrap(&r, words)
	r.Path = words[0].Text
	r.Name = programName(words[0])
	r.Args = words[1:]
	if words[0].Open && len(words[0].From) > 0 { // the output of a command names what runs
		r.Code = Source{From: words[0].From}
	}
	if len(r.Via) > 0 {
		if out, ok := w.invoke(words, redirs, r.Stdin); ok {
			return out
		}
	}
	i := w.emit(r)
	if i < 0 {
		return Source{}
	}
	w.start(i)
	if len(r.Assigns) > 0 {
		w.chosen(i, r.Assigns, r.Stdin)
	}
	w.effects(i)
	w.ctx.place = place
	out := w.output(i)
	w.keep(i, out)
	w.capture(redirs, out)
	if len(redirs) > 0 {
		w.plantWritten(i, redirs, out)
	}
	if sends(redirs) {
		return Source{Known: true, From: out.From}
	}
	return out
}

// invoke runs a function or an alias of the line.
func (w *walker) invoke(words []Word, redirs []Redirect, stdin Source) (Source, bool) {
	name := words[0].Text
	for i := range w.funcs {
		f := &w.funcs[i]
		if f.name != name || f.active {
			continue
		}
		f.called, f.active = true, true
		body, text := f.body, f.text
		out := w.nested(func(c *context) { c.args, c.argsSet = words[1:], true }, func() Source {
			if body == nil {
				return w.runText(name, text, stdin)
			}
			return w.stmt(body, stdin)
		})
		w.funcs[i].active = false // the slice may have moved
		if len(redirs) > 0 {
			w.emitBare(nil, redirs, out)
		}
		return out, true
	}
	for i := range w.aliases {
		if a := w.aliases[i]; a.name == name && len(a.values) == 1 {
			w.aliases[i].values = nil // an alias is not expanded within itself
			text := a.values[0].Text
			for _, v := range words[1:] {
				text += " " + quote(v)
			}
			out := w.nested(func(c *context) { c.depth-- }, func() Source { return w.code(text, stdin) })
			w.aliases[i].values = a.values
			return out, true
		}
	}
	return Source{}, false
}

// quote writes a word so that it reads as itself when parsed again; what is open stays an expansion.
func quote(v Word) string {
	if v.Open || v.Glob || v.Text != "" && !strings.ContainsAny(v.Text, " \t\n'\"\\$`;&|<>(){}*?[]#!") {
		return v.Text
	}
	return "'" + strings.ReplaceAll(v.Text, "'", `'\''`) + "'"
}

// programName reduces the first word of a command to the name of a program.
func programName(word Word) string {
	s := word.Text
	switch s {
	case "$SHELL", "$BASH", "$0":
		return "sh"
	case "$EDITOR", "$VISUAL":
		return "vi"
	}
	if word.Open {
		s = dropUnknown(s)
	}
	if i := strings.LastIndexByte(s, '/'); i >= 0 {
		s = s[i+1:]
	}
	if i := strings.LastIndexByte(s, '\\'); i >= 0 {
		s = s[i+1:]
	}
	s = strings.TrimPrefix(s, "=") // zsh: =rm is the path of rm
	if n := len(s) - len(".exe"); n > 0 && s[n] == '.' && strings.EqualFold(s[n:], ".exe") {
		s = s[:n]
	}
	if rest, ok := strings.CutPrefix(s, "zf_"); ok && rest != "" { // zsh/files: zf_rm is rm
		s = rest
	}
	if word.Glob {
		s = globName(s)
	}
	if s == "" {
		return word.Text[strings.LastIndexByte(word.Text, '/')+1:]
	}
	return s
}

// dropUnknown removes the unknown parts of a program word where something remains: r${x}m is rm, for x is most
// likely unset.
func dropUnknown(s string) string {
	var out []byte
	for i := 0; i < len(s); i++ {
		if s[i] != '$' {
			out = append(out, s[i])
			continue
		}
		j := i + 1
		switch {
		case j < len(s) && s[j] == '(':
			j += 2
		case j < len(s) && s[j] == '{':
			j += strings.IndexByte(s[j:], '}') + 1
		case j < len(s) && strings.IndexByte("@*#?!$-", s[j]) >= 0:
			j++
		default:
			for j < len(s) && isNameByte(s[j]) {
				j++
			}
		}
		i = j - 1
	}
	if len(out) == 0 || string(out) == "/" {
		return s
	}
	return string(out)
}

func isNameByte(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// globbed are the programs that a glob in command position is tried against: nobody globs a command name but to hide it.
var globbed = []string{"rm", "dd", "sh", "bash", "nc", "mkfs.ext4", "mkfs", "cat", "curl", "wget", "chmod", "chown",
	"shred", "python3", "python", "perl", "wipefs", "find", "sudo", "kill", "shutdown", "reboot", "nc.traditional",
	"base64"}

func globName(s string) string {
	for _, name := range globbed {
		if Match(s, name) {
			return name
		}
	}
	return s
}

// effects applies what builtins change for the rest of the line.
func (w *walker) effects(i int) {
	r := &w.cmd.Runs[i]
	switch r.Name {
	case "cd", "pushd", "chdir":
		w.ctx.dir = resolveDir(w.ctx.dir, lastOperand(r))
	case "popd":
		w.ctx.dir = ""
	case "export", "declare", "typeset", "local", "readonly":
		args := r.Args
		for _, a := range args {
			name, value, ok := strings.Cut(a.Text, "=")
			if !ok || !isName(name) {
				continue
			}
			if !w.isSet(name) {
				v := a
				v.Text = value
				w.set(name, []Word{v})
			}
			w.plantAssigned(i, name, value)
		}
	case "unset":
		for _, a := range r.Args {
			w.set(a.Text, []Word{})
		}
	case "set":
		w.setBuiltin(r)
	case "read", "mapfile", "readarray":
		w.readBuiltin(i)
	case "printf":
		if r.Arg(0) == "-v" && len(r.Args) > 2 {
			text, known := formatted(r.Args[2:])
			w.set(r.Arg(1), []Word{{Text: text, Open: !known}})
		}
	case "alias":
		for _, a := range r.Args {
			if name, value, ok := strings.Cut(a.Text, "="); ok && len(w.aliases) < maxFields {
				w.aliases = append(w.aliases, variable{name, []Word{{Text: value}}})
			}
		}
	case "cp", "mv", "ln", "install":
		if n := len(r.Args); n >= 2 {
			if f := w.file(r.Args[n-2].Text); f != nil {
				content, to := f.content, r.Args[n-1].Text
				if strings.HasSuffix(to, "/") {
					to += path.Base(f.name)
				}
				w.write(to, content, false)
				w.plant(i, to, content)
			}
		}
	}
}

// setBuiltin handles set -- a b c, and fish's set name values.
func (w *walker) setBuiltin(r *Run) {
	if w.fish {
		args := r.Args
		for len(args) > 0 && strings.HasPrefix(args[0].Text, "-") {
			args = args[1:]
		}
		if len(args) > 0 && isName(args[0].Text) {
			w.set(args[0].Text, args[1:])
		}
		return
	}
	for i, a := range r.Args {
		if a.Text == "--" {
			w.ctx.args, w.ctx.argsSet = r.Args[i+1:], true
			return
		}
	}
	if len(r.Args) > 0 && !strings.HasPrefix(r.Arg(0), "-") && !strings.HasPrefix(r.Arg(0), "+") {
		w.ctx.args, w.ctx.argsSet = r.Args, true
	}
}

// readBuiltin sets the variables that read fills; from a here-string their values are known.
func (w *walker) readBuiltin(run int) {
	r := &w.cmd.Runs[run]
	var names []string
	from := r.Stdin.From
	for i := 0; i < len(r.Args); i++ {
		a := r.Args[i].Text
		if strings.HasPrefix(a, "-") {
			if strings.IndexByte(a, 's') > 0 { // typed unseen: a password
				from = append(from[:len(from):len(from)], run)
			}
			if r.Name == "read" && takesNext(a, "dnNptui") || r.Name != "read" && takesNext(a, "dnOsuCc") {
				i++
			}
			continue
		}
		names = append(names, a)
	}
	if r.Name != "read" && len(names) > 0 && r.Stdin.Known { // an array of lines
		var lines []Word
		for _, line := range splitAny(r.Stdin.Text, "\n") {
			if len(lines) < maxFields {
				lines = append(lines, Word{Text: line, From: from})
			}
		}
		w.set(names[len(names)-1], lines)
		return
	}
	fields := splitAny(r.Stdin.Text, w.separators())
	for i, name := range names {
		v := Word{Text: "$" + name, Open: true, From: from}
		if r.Stdin.Known {
			v = Word{}
			if i < len(fields) {
				v.Text = fields[i]
				if i == len(names)-1 {
					v.Text = strings.Join(fields[i:], " ")
				}
			}
		}
		w.set(name, []Word{v})
	}
}

func isName(s string) bool {
	for i := 0; i < len(s); i++ {
		if !isNameByte(s[i]) {
			return false
		}
	}
	return s != "" && (s[0] < '0' || s[0] > '9')
}

func lastOperand(r *Run) string {
	for i := len(r.Args) - 1; i >= 0; i-- {
		if a := r.Args[i].Text; !strings.HasPrefix(a, "-") || a == "-" {
			return a
		}
	}
	return "~"
}
