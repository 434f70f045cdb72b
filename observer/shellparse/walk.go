package shellparse

import (
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// walker carries the state of one resolution.
type walker struct {
	cmd      *Command
	dialect  syntax.LangVariant
	fish     bool
	ctx      context
	vars     []variable
	funcs    []function
	aliases  []variable
	files    []file
	joint    string // operator before the next run of depth 0
	later    []*syntax.ProcSubst
	steps    int
	computed int
}

// context is what nested code inherits; it is copied where code nests and restored behind it.
type context struct {
	parent     int
	depth      int
	via        []string
	root       bool
	place      Place
	deferred   bool
	guess      bool
	background bool
	dir        string
	args       []Word // positional parameters
	argsSet    bool
	unknown    []int // the runs whose output stands as $() in the code
}

type variable struct {
	name   string
	values []Word
}

type function struct {
	name   string
	body   *syntax.Stmt
	called bool
	active bool
}

// file is a file that the line itself writes.
type file struct {
	name    string
	content Source
}

func (w *walker) step() bool {
	w.steps++
	if w.steps > maxSteps || len(w.cmd.Runs) >= maxRuns {
		w.cmd.Truncated = true
		return false
	}
	return true
}

func (w *walker) spend(n int) bool {
	w.computed += n
	if w.computed > maxComputed {
		w.cmd.Truncated = true
		return false
	}
	return true
}

// nested runs f in a context that change may alter.
func (w *walker) nested(change func(*context), f func() Source) Source {
	if w.ctx.depth >= maxDepth {
		w.cmd.Truncated = true
		return Source{}
	}
	saved, later := w.ctx, w.later
	w.later = nil
	w.ctx.depth++
	if change != nil {
		change(&w.ctx)
	}
	out := f()
	w.ctx, w.later = saved, later
	return out
}

func (w *walker) stmts(list []*syntax.Stmt, stdin Source) Source {
	var out Source
	for i, s := range list {
		if i > 0 {
			if list[i-1].Background {
				w.joint = "&"
			} else {
				w.joint = ";"
			}
		}
		if !w.step() {
			break
		}
		out = join(out, w.stmt(s, stdin), i == 0)
	}
	return out
}

// join concatenates what two commands print.
func join(a, b Source, first bool) Source {
	if first {
		return b
	}
	return Source{
		Text:  a.Text + b.Text,
		Known: a.Known && b.Known,
		From:  append(append([]int(nil), a.From...), b.From...),
	}
}

func (w *walker) stmt(s *syntax.Stmt, stdin Source) Source {
	background := w.ctx.background
	w.ctx.background = s.Background || s.Coprocess || background
	defer func() { w.ctx.background = background }()
	if call, ok := s.Cmd.(*syntax.CallExpr); ok {
		return w.call(call, s.Redirs, stdin)
	}
	redirs, input := w.redirs(s.Redirs, stdin)
	var out Source
	switch c := s.Cmd.(type) {
	case nil:
		return w.emitBare(nil, redirs, input)
	case *syntax.BinaryCmd:
		out = w.binary(c, input)
	case *syntax.Subshell:
		dir := w.ctx.dir
		out = w.stmts(c.Stmts, input)
		w.ctx.dir = dir
	case *syntax.Block:
		out = w.stmts(c.Stmts, input)
	case *syntax.IfClause:
		for ; c != nil; c = c.Else {
			out = join(out, w.stmts(c.Cond, input), false)
			out = join(out, w.stmts(c.Then, input), false)
		}
		out.Known = false
	case *syntax.WhileClause:
		w.endless(c)
		w.stmts(c.Cond, input)
		out = w.stmts(c.Do, Source{From: input.From, File: input.File})
		out.Known = false
	case *syntax.ForClause:
		out = w.loop(c, input)
	case *syntax.CaseClause:
		w.word(c.Word, false)
		for _, item := range c.Items {
			out = join(out, w.stmts(item.Stmts, input), false)
		}
		out.Known = false
	case *syntax.FuncDecl:
		w.declare(c)
	case *syntax.DeclClause:
		return w.decl(c, redirs)
	case *syntax.TimeClause:
		if c.Stmt != nil {
			out = w.stmt(c.Stmt, input)
		}
	case *syntax.CoprocClause:
		out = w.stmt(c.Stmt, input)
	case *syntax.TestClause:
		w.substitutions(c)
		out = Source{Known: true}
	case *syntax.ArithmCmd:
		w.substitutions(c)
		out = Source{Known: true}
	case *syntax.LetClause:
		w.substitutions(c)
		out = Source{Known: true}
	case *syntax.TestDecl:
		out = w.stmt(c.Body, input)
	}
	if len(redirs) > 0 {
		w.emitBare(nil, redirs, Source{From: out.From, Text: out.Text, Known: out.Known})
		w.capture(redirs, out)
		if sends(redirs) {
			out = Source{Known: true}
		}
	}
	return out
}

// binary walks a chain of operators. The grammar nests chains to the left; recursion goes only as deep as pipes nest.
func (w *walker) binary(c *syntax.BinaryCmd, stdin Source) Source {
	switch c.Op {
	case syntax.Pipe, syntax.PipeAll:
		left := w.stmt(c.X, stdin)
		w.joint = "|"
		return w.stmt(c.Y, left)
	default:
		// a && b && c is ((a && b) && c): collect the right sides, so that long chains need no stack.
		var rights []*syntax.BinaryCmd
		left := c.X
		for {
			rights = append(rights, c)
			b, ok := left.Cmd.(*syntax.BinaryCmd)
			if !ok || len(left.Redirs) > 0 || b.Op == syntax.Pipe || b.Op == syntax.PipeAll {
				break
			}
			c, left = b, b.X
		}
		out := w.stmt(left, stdin)
		for i := len(rights) - 1; i >= 0; i-- {
			if !w.step() {
				break
			}
			w.joint = rights[i].Op.String()
			right := w.stmt(rights[i].Y, stdin)
			if rights[i].Op == syntax.OrStmt && out.Known {
				continue // the left side is taken to succeed where text is computed
			}
			out = join(out, right, false)
		}
		return out
	}
}

func (w *walker) loop(c *syntax.ForClause, stdin Source) Source {
	switch l := c.Loop.(type) {
	case *syntax.WordIter:
		var values []Word
		for _, item := range l.Items {
			values = append(values, w.words(item)...)
			if len(values) > maxFields {
				values = values[:maxFields]
				w.cmd.Truncated = true
				break
			}
		}
		if !l.InPos.IsValid() {
			values = []Word{{Text: "$@", Open: true}}
		}
		w.set(l.Name.Value, values)
	case *syntax.CStyleLoop:
		w.substitutions(l)
		if l.Cond == nil {
			w.endlessBody(c.Do)
		}
	}
	out := w.stmts(c.Do, stdin)
	out.Known = false
	return out
}

// substitutions resolves the command substitutions below a node whose own meaning does not matter here.
func (w *walker) substitutions(n syntax.Node) {
	syntax.Walk(n, func(n syntax.Node) bool {
		switch n := n.(type) {
		case *syntax.CmdSubst:
			w.nested(nil, func() Source { return w.stmts(n.Stmts, Source{}) })
			return false
		case *syntax.ProcSubst:
			w.nested(nil, func() Source { return w.stmts(n.Stmts, Source{}) })
			return false
		}
		return true
	})
}

// decl handles export, declare, local, readonly, typeset.
func (w *walker) decl(c *syntax.DeclClause, redirs []Redirect) Source {
	var args []Word
	for _, a := range c.Args {
		if a.Naked && a.Name == nil {
			args = append(args, w.words(a.Value)...)
			continue
		}
		as := w.assign(a)
		if as.Value.Text == "" && a.Naked {
			args = append(args, Word{Text: as.Name})
			continue
		}
		v := as.Value
		v.Text = as.Name + "=" + v.Text
		args = append(args, v)
	}
	words := append([]Word{{Text: c.Variant.Value}}, args...)
	return w.simple(words, nil, redirs, Source{})
}

func (w *walker) assign(a *syntax.Assign) Assign {
	if a.Name == nil {
		return Assign{}
	}
	as := Assign{Name: a.Name.Value}
	switch {
	case a.Array != nil:
		var values []Word
		for _, e := range a.Array.Elems {
			if e.Value != nil && len(values) < maxFields {
				values = append(values, w.words(e.Value)...)
			}
		}
		if a.Append {
			values = append(w.get(as.Name), values...)
		}
		w.set(as.Name, values)
		if len(values) > 0 {
			as.Value = values[0]
		}
	case a.Value != nil:
		as.Value = w.word(a.Value, true)
		if a.Append {
			if old := w.get(as.Name); len(old) == 1 && w.spend(len(old[0].Text)) {
				as.Value = concat(old[0], as.Value)
			}
		}
		w.set(as.Name, []Word{as.Value})
	case !a.Naked:
		w.set(as.Name, []Word{{}})
	}
	return as
}

func concat(a, b Word) Word {
	return Word{
		Text: a.Text + b.Text, Open: a.Open || b.Open, Glob: a.Glob || b.Glob,
		From: append(append([]int(nil), a.From...), b.From...),
	}
}

func (w *walker) call(c *syntax.CallExpr, rs []*syntax.Redirect, stdin Source) Source {
	var assigns []Assign
	for _, a := range c.Assigns {
		if as := w.assign(a); as.Name != "" {
			assigns = append(assigns, as)
		}
	}
	words := make([]Word, 0, len(c.Args))
	for _, a := range c.Args {
		words = w.appendWords(words, a)
		if len(words) > maxRuns {
			w.cmd.Truncated = true
			break
		}
	}
	redirs, input := w.redirs(rs, stdin)
	if len(words) == 0 {
		return w.emitBare(assigns, redirs, input)
	}
	later := w.later
	w.later = nil
	out := w.simple(words, assigns, redirs, input)
	for _, p := range later {
		w.nested(nil, func() Source { return w.stmts(p.Stmts, out) })
	}
	return out
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

func (w *walker) file(name string) *file {
	name = strings.TrimPrefix(name, "./")
	for i := len(w.files) - 1; i >= 0; i-- {
		if w.files[i].name == name {
			return &w.files[i]
		}
	}
	return nil
}

func (w *walker) write(name string, content Source, appendTo bool) {
	name = strings.TrimPrefix(name, "./")
	if name == "" || len(w.files) >= maxFields {
		return
	}
	if f := w.file(name); f != nil {
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

func (w *walker) get(name string) []Word {
	for i := len(w.vars) - 1; i >= 0; i-- {
		if w.vars[i].name == name {
			return w.vars[i].values
		}
	}
	return nil
}

func (w *walker) isSet(name string) bool {
	for i := range w.vars {
		if w.vars[i].name == name {
			return true
		}
	}
	return false
}

func (w *walker) set(name string, values []Word) {
	for i := range w.vars {
		if w.vars[i].name == name {
			w.vars[i].values = values
			return
		}
	}
	if len(w.vars) < maxVars {
		w.vars = append(w.vars, variable{name, values})
	}
}
