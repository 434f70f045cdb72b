package shellparse

import (
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// file is a file that the line itself writes.
type file struct {
	name    string
	content Source
}

// redirs resolves redirections and returns those to files, and the input that they leave the command with.
func (w *walker) redirs(rs []*syntax.Redirect, stdin Source) ([]Redirect, Source) {
	var out []Redirect
	for _, r := range rs {
		switch r.Op {
		case syntax.Hdoc, syntax.DashHdoc:
			text := Word{}
			if r.Hdoc != nil {
				text = w.heredoc(r)
			}
			stdin = Source{Text: text.Text, Known: !text.Open || len(text.From) == 0, From: text.From}
			continue
		case syntax.WordHdoc:
			text := w.word(r.Word, true)
			if r.N != nil && r.N.Value != "0" {
				w.write("/dev/fd/"+r.N.Value, Source{Text: text.Text + "\n", Known: !text.Open, From: text.From}, false)
				continue
			}
			stdin = Source{Text: text.Text + "\n", Known: !text.Open || len(text.From) == 0, From: text.From}
			continue
		}
		rd := Redirect{Op: r.Op.String(), Target: w.word(r.Word, false)}
		if r.N != nil {
			rd.FD = r.N.Value
		}
		if r.Op == syntax.RdrIn && (rd.FD == "" || rd.FD == "0") {
			stdin = w.fileSource(rd.Target)
		}
		if (rd.Op == ">&" || rd.Op == "<&") && isFD(rd.Target.Text) {
			if f := w.file("/dev/fd/" + rd.Target.Text); f != nil && rd.Op == "<&" && (rd.FD == "" || rd.FD == "0") {
				stdin = f.content
			}
			continue // 2>&1
		}
		out = append(out, rd)
	}
	return out, stdin
}

func isFD(s string) bool {
	s = strings.TrimSuffix(s, "-")
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// heredoc returns the body: literal where the delimiter is quoted, expanded otherwise.
func (w *walker) heredoc(r *syntax.Redirect) Word {
	for _, p := range r.Word.Parts {
		if lit, ok := p.(*syntax.Lit); !ok || strings.Contains(lit.Value, "\\") {
			return Word{Text: literal(r.Hdoc)}
		}
	}
	return w.word(r.Hdoc, true)
}

// literal joins the literal parts of a body that is not expanded.
func literal(word *syntax.Word) string {
	var b strings.Builder
	for _, p := range word.Parts {
		if l, ok := p.(*syntax.Lit); ok {
			b.WriteString(l.Value)
		}
	}
	return b.String()
}

// fileSource is what reading the named file gives: known where the line wrote it.
func (w *walker) fileSource(name Word) Source {
	if f := w.file(name.Text); f != nil {
		return f.content
	}
	if len(name.From) > 0 {
		return Source{From: name.From, File: name.Text}
	}
	return Source{File: name.Text}
}

// fileName is how a file is remembered: as seen from the folder in which the line began.
func (w *walker) fileName(name string) string {
	if name == "" || name[0] == '/' || name[0] == '~' || name[0] == '$' {
		return name
	}
	if w.ctx.dir != "" {
		return Clean(w.ctx.dir + "/" + name)
	}
	return strings.TrimPrefix(name, "./")
}

func (w *walker) file(name string) *file {
	if len(w.files) == 0 {
		return nil
	}
	name = w.fileName(name)
	for i := len(w.files) - 1; i >= 0; i-- {
		f := &w.files[i]
		if f.name == name {
			return f
		}
		if folder, ok := strings.CutSuffix(f.name, "/*"); ok && (folder == "." && name != "" && name[0] != '/' ||
			strings.HasPrefix(name, folder+"/")) {
			return f
		}
	}
	return nil
}

// installedAs finds a file that the line wrote into a folder in which programs are searched.
func (w *walker) installedAs(name string) *file {
	for i := range w.files {
		if rest, ok := strings.CutSuffix(w.files[i].name, "/bin/"+name); ok && name != "" &&
			strings.IndexByte("/~", (rest + "/")[0]) >= 0 {
			return &w.files[i]
		}
	}
	return nil
}

func (w *walker) write(name string, content Source, appendTo bool) {
	if name == "" || len(w.files) >= maxFields {
		return
	}
	f := w.file(name)
	name = w.fileName(name)
	if f != nil && f.name == name {
		if appendTo {
			content = join(f.content, content, false)
		}
		f.content = content
		return
	}
	if appendTo {
		content.Known = false
	}
	w.files = append(w.files, file{name, content})
}

// capture remembers what a redirection wrote, for a later command that runs the file.
func (w *walker) capture(redirs []Redirect, out Source) {
	for _, r := range redirs {
		if r.Writes() && (r.FD == "" || r.FD == "1") && !strings.HasPrefix(r.Target.Text, "/dev/") {
			w.write(r.Target.Text, out, r.Appends())
		}
	}
}

// sends reports whether standard output goes to a file and not to the next command.
func sends(redirs []Redirect) bool {
	for _, r := range redirs {
		if !r.Writes() || r.FD != "" && r.FD != "1" {
			continue
		}
		switch r.Target.Text {
		case "/dev/stdout", "/dev/stderr", "/dev/fd/63": // still read by somebody
		default:
			return true
		}
	}
	return false
}
