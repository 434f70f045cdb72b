package shellparse

import (
	"strings"
)

// emitBare records assignments or redirections without a command. Its output is nothing, except that a bare "< file"
// inside a substitution reads the file.
func (w *walker) emitBare(assigns []Assign, redirs []Redirect, stdin Source) Source {
	if len(assigns) == 0 && len(redirs) == 0 {
		return stdin
	}
	if len(redirs) > 0 || w.ctx.depth == 0 {
		w.emit(Run{Assigns: assigns, Redirs: redirs, Stdin: stdin})
	}
	if len(redirs) == 1 && redirs[0].Op == "<" {
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
	w.effects(&w.cmd.Runs[i])
	w.ctx.place = place
	out := w.output(i)
	w.keep(i, out)
	w.capture(redirs, out)
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
	s = strings.TrimSuffix(strings.TrimPrefix(s, "="), ".exe") // zsh: =rm is the path of rm
	if word.Glob {
		s = globName(s)
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
func (w *walker) effects(r *Run) {
	switch r.Name {
	case "cd", "pushd", "chdir":
		w.ctx.dir = resolveDir(w.ctx.dir, lastOperand(r))
	case "popd":
		w.ctx.dir = ""
	case "export", "declare", "typeset", "local", "readonly":
		for _, a := range r.Args {
			if name, value, ok := strings.Cut(a.Text, "="); ok && isName(name) && !w.isSet(name) {
				v := a
				v.Text = value
				w.set(name, []Word{v})
			}
		}
	case "unset":
		for _, a := range r.Args {
			w.set(a.Text, []Word{})
		}
	case "set":
		w.setBuiltin(r)
	case "read", "mapfile", "readarray":
		w.readBuiltin(r)
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
	case "cp", "mv", "ln":
		if n := len(r.Args); n >= 2 {
			if f := w.file(r.Args[n-2].Text); f != nil {
				w.write(r.Args[n-1].Text, f.content, false)
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
func (w *walker) readBuiltin(r *Run) {
	var names []string
	for i := 0; i < len(r.Args); i++ {
		a := r.Args[i].Text
		if strings.HasPrefix(a, "-") {
			if len(a) == 2 && strings.Contains("dnNptu", a[1:]) {
				i++
			}
			continue
		}
		names = append(names, a)
	}
	fields := splitAny(r.Stdin.Text, w.separators())
	for i, name := range names {
		v := Word{Text: "$" + name, Open: true, From: r.Stdin.From}
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

// resolveDir is where cd leads from dir; empty if that cannot be told.
func resolveDir(dir, to string) string {
	switch {
	case to == "-" || strings.HasPrefix(to, "$"):
		return ""
	case strings.HasPrefix(to, "/") || strings.HasPrefix(to, "~"):
		return Clean(to)
	case dir == "":
		return Clean(to)
	}
	return Clean(dir + "/" + to)
}

// Clean shortens a path without looking at the disk: "//", "." and ".." are resolved as far as the text allows.
// A leading ~ counts as a folder in a folder of /, so that ~/.. is "~/..".
func Clean(p string) string {
	if p == "" {
		return ""
	}
	if strings.IndexByte(p, '.') < 0 && !strings.Contains(p, "//") && !strings.HasSuffix(p, "/") {
		return p
	}
	rooted := p[0] == '/'
	out := make([]string, 0, 8)
	for _, part := range strings.Split(p, "/") {
		switch part {
		case "", ".":
		case "..":
			n := len(out)
			switch {
			case n > 0 && out[n-1] != ".." && !(n == 1 && strings.HasPrefix(out[0], "~")) &&
				!strings.HasPrefix(out[n-1], "$"):
				out = out[:n-1]
			case !rooted:
				out = append(out, part)
			}
		default:
			out = append(out, part)
		}
	}
	s := strings.Join(out, "/")
	if rooted {
		return "/" + s
	}
	if s == "" {
		return "."
	}
	if s[0] == '~' && p[0] != '~' {
		return "./" + s // a file that is called ~
	}
	return s
}
