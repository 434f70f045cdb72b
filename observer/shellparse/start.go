package shellparse

import (
	"strings"
)

// start resolves what run i starts in turn: the code of an interpreter, the command of a carrier.
func (w *walker) start(i int) {
	r := w.cmd.Runs[i]
	switch r.Name {
	case "eval":
		w.child(i, joined(r.Args), Source{}, nil)
	case "source", ".":
		switch {
		case len(r.Args) > 0:
			w.runFile(i, r.Args[0], r.Args[1:])
		case r.Stdin.Present(): // fish
			w.runSource(i, r.Stdin, nil)
		}
	case "iex", "Invoke-Expression":
		switch {
		case len(r.Args) > 0:
			w.child(i, joined(r.Args), Source{}, nil)
		case r.Stdin.Present():
			w.cmd.Runs[i].Code = r.Stdin
		}
	case "trap":
		if len(r.Args) > 1 {
			always := r.Has("DEBUG") || r.Has("ERR")
			w.childIn(i, r.Args[0], Source{}, nil, func(c *context) { c.deferred, c.planted = true, always })
		}
	case "alias":
		for _, a := range r.Args {
			if _, v, ok := strings.Cut(a.Text, "="); ok {
				a.Text = v
				w.childIn(i, a, Source{}, nil, func(c *context) { c.deferred = true })
			}
		}
	case "sh", "bash", "zsh", "dash", "ksh", "mksh", "ash", "rbash", "fish", "csh", "tcsh", "oksh", "ksh93", "yash",
		"nu":
		w.shell(i, r)
	case "emulate": // zsh
		if n := len(r.Args); n > 2 && r.Args[n-2].Text == "-c" {
			w.child(i, r.Args[n-1], Source{}, nil)
		}
	case "su", "runuser", "sg", "newgrp", "script", "flock", "watch", "sudo", "doas", "hyperfine", "concurrently", "nix-shell",
		"at", "batch", "crontab":
		w.stringCommand(i, r)
	case "find", "gfind", "fd", "fdfind":
		w.finder(i, r)
	default:
		if strings.Contains(r.Path, "/") {
			if f := w.file(r.Path); f != nil { // what the line wrote is what runs, whatever it is called
				w.runFile(i, Word{Text: r.Path}, r.Args)
				return
			}
		}
		if len(w.files) > 0 && !strings.Contains(r.Path, "/") {
			if f := w.installedAs(r.Name); f != nil {
				w.runFile(i, Word{Text: f.name}, r.Args)
				return
			}
		}
		if w.carrier(i, r) {
			return
		}
		w.escape(i, r)
		if lang := language(r.Name); lang != "" {
			w.interpreter(i, r, lang)
		}
	}
}

// joined concatenates words with blanks, as eval and ssh do.
func joined(words []Word) Word {
	if len(words) == 1 {
		return words[0]
	}
	var b strings.Builder
	var v Word
	for i, a := range words {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(a.Text)
		v.Open = v.Open || a.Open
		v.From = append(v.From, a.From...)
	}
	v.Text = b.String()
	return v
}

// child runs shell code that run i was given as text.
func (w *walker) child(i int, code Word, stdin Source, change func(*context)) {
	w.childIn(i, code, stdin, nil, change)
}

func (w *walker) childIn(i int, code Word, stdin Source, args []Word, change func(*context)) {
	w.cmd.Runs[i].Code = Source{Text: code.Text, Known: true, From: code.From}
	w.childCode(i, code.Text, stdin, args, func(c *context) {
		c.unknown = code.From
		if change != nil {
			change(c)
		}
	})
}

func (w *walker) childCode(i int, code string, stdin Source, args []Word, change func(*context)) {
	r := &w.cmd.Runs[i]
	root, via, dir := r.Root, r.Via, w.ctx.dir
	w.nested(func(c *context) {
		c.parent, c.root, c.via = i, root, via
		if args != nil {
			c.args, c.argsSet = args, true
		}
		if change != nil {
			change(c)
		}
	}, func() Source { return w.code(code, stdin) })
	w.ctx.dir = dir
}

// childWords runs a command that run i starts directly.
func (w *walker) childWords(i int, words []Word, stdin Source, change func(*context)) {
	if len(words) == 0 {
		return
	}
	r := &w.cmd.Runs[i]
	root, via, name := r.Root, r.Via, r.Name
	w.nested(func(c *context) {
		c.parent, c.root = i, root
		c.via = append(via[:len(via):len(via)], name)
		if change != nil {
			change(c)
		}
	}, func() Source { return w.simple(words, nil, nil, stdin) })
}

// runFile runs a script file, as far as the line tells its content.
func (w *walker) runFile(i int, name Word, args []Word) {
	var src Source
	switch {
	case name.Text == "/dev/stdin" || name.Text == "-" || name.Text == "/dev/fd/0" || name.Text == "/proc/self/fd/0":
		src = w.cmd.Runs[i].Stdin
	default:
		src = w.fileSource(name)
	}
	w.runSource(i, src, args)
}

func (w *walker) runSource(i int, src Source, args []Word) {
	w.cmd.Runs[i].Code = src
	if !src.Known && src.Text == "" {
		return
	}
	if line, rest, _ := strings.Cut(src.Text, "\n"); strings.HasPrefix(line, "#!") {
		for _, f := range strings.Fields(strings.ReplaceAll(line[2:], "/", " ")) {
			if lang := language(f); lang != "" {
				w.foreign(i, rest, lang)
				return
			}
		}
	}
	w.childCode(i, src.Text, Source{}, args, nil)
}

// shell resolves what a shell runs: -c text, a script file, or its input.
func (w *walker) shell(i int, r Run) {
	command, fromInput := false, false
	j := 0
options:
	for ; j < len(r.Args); j++ {
		t := r.Args[j].Text
		switch {
		case t == "--" || t == "-":
			j++
			break options
		case strings.HasPrefix(t, "--"):
			switch t {
			case "--rcfile", "--init-file":
				j++
			case "--command":
				command = true
			case "--version", "--help":
				return
			}
		case len(t) > 1 && (t[0] == '-' || t[0] == '+'):
			command = command || strings.Contains(t, "c")
			fromInput = fromInput || strings.Contains(t, "s")
			if strings.HasSuffix(t, "o") || strings.HasSuffix(t, "O") {
				j++
			}
		default:
			break options
		}
	}
	operands := r.Args[min(j, len(r.Args)):]
	switch {
	case command && len(operands) > 0:
		args := []Word{}
		if len(operands) > 2 {
			args = operands[2:]
		}
		w.childIn(i, operands[0], r.Stdin, args, func(c *context) {
			c.arg0 = Word{}
			if len(operands) > 1 {
				c.arg0 = operands[1]
			}
		})
	case len(operands) > 0 && !fromInput:
		w.runFile(i, operands[0], operands[1:])
	case r.Stdin.Present():
		w.runSource(i, r.Stdin, operands)
	}
}

// stringCommand resolves programs that take a command line as one word, or start a shell for their operands.
func (w *walker) stringCommand(i int, r Run) {
	switch r.Name {
	case "su", "runuser", "sg", "newgrp":
		w.cmd.Runs[i].Root = true
		for j, a := range r.Args {
			if (a.Text == "-c" || a.Text == "--command") && j+1 < len(r.Args) {
				w.child(i, r.Args[j+1], r.Stdin, func(c *context) { c.root = true })
				return
			}
			if v, ok := strings.CutPrefix(a.Text, "--command="); ok {
				a.Text = v
				w.child(i, a, r.Stdin, func(c *context) { c.root = true })
				return
			}
			if a.Text == "--" && r.Name == "runuser" {
				w.childWords(i, r.Args[j+1:], r.Stdin, nil)
				return
			}
		}
		if r.Stdin.Present() {
			w.runSource(i, r.Stdin, nil)
		}
	case "sudo", "doas": // sudo -s, sudo -i, sudo su with input
		if r.Stdin.Present() && (r.Has("-s") || r.Has("-i") || r.Has("-S")) {
			w.cmd.Runs[i].Root = true
			w.runSource(i, r.Stdin, nil)
		}
	case "script", "nix-shell", "flock":
		for j, a := range r.Args {
			switch a.Text {
			case "-c", "--command", "--run", "-qc":
				if j+1 < len(r.Args) {
					w.child(i, r.Args[j+1], Source{}, nil)
					return
				}
			}
		}
		if r.Name == "flock" {
			if rest, ok := behind(&Run{}, "flock", wrapper{value: "wE", long: "--timeout --conflict-exit-code",
				skip: 1}, append([]Word{{}}, r.Args...)); ok {
				w.childWords(i, rest, r.Stdin, nil)
			}
		}
	case "watch":
		if rest, ok := behind(&Run{}, "watch", wrapper{value: "nq", long: "--interval --equexit"}, append([]Word{{}},
			r.Args...)); ok {
			w.child(i, joined(rest), Source{}, nil)
		}
	case "hyperfine", "concurrently":
		for _, a := range r.Args {
			if !strings.HasPrefix(a.Text, "-") && strings.Contains(a.Text, " ") {
				w.child(i, a, Source{}, nil)
			}
		}
	case "at", "batch":
		if r.Stdin.Present() {
			w.runSource(i, r.Stdin, nil)
		}
	case "crontab":
		if r.Stdin.Text != "" {
			w.cmd.Runs[i].Code = r.Stdin
			for _, line := range strings.Split(r.Stdin.Text, "\n") {
				if code := cronCommand(line); code != "" {
					w.childCode(i, code, Source{}, nil, nil)
				}
			}
		}
	}
}

// cronCommand strips the five time fields, or @daily and the like, from a line of a crontab.
func cronCommand(line string) string {
	line = strings.TrimSpace(line)
	n := 5
	switch {
	case line == "" || line[0] == '#':
		return ""
	case line[0] == '@':
		n = 1
	}
	for range n {
		i := strings.IndexAny(line, " \t")
		if i < 0 {
			return ""
		}
		line = strings.TrimLeft(line[i:], " \t")
	}
	return line
}

// finder resolves find -exec and fd -x.
func (w *walker) finder(i int, r Run) {
	for j := 0; j < len(r.Args); j++ {
		switch r.Args[j].Text {
		case "-exec", "-execdir", "-ok", "-okdir", "-x", "--exec", "-X", "--exec-batch":
			var words []Word
			for j++; j < len(r.Args); j++ {
				if t := r.Args[j].Text; t == ";" || t == "+" && len(words) > 0 {
					break
				}
				v := r.Args[j]
				if strings.Contains(v.Text, "{}") {
					v.Open, v.Guarded = true, true
				}
				words = append(words, v)
			}
			if len(words) > 0 && !strings.HasPrefix(r.Name, "f") || r.Name == "find" || r.Name == "gfind" {
				w.childWords(i, words, Source{}, nil)
				continue
			}
			w.childWords(i, append(words, Word{Text: "{}", Open: true, Guarded: true}), Source{}, nil)
		}
	}
}
