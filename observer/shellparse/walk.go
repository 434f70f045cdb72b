package shellparse

import (
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"github.com/caro-mesh/caro-node/protocol/vocabulary"
)

// walker carries the state of one resolution.
type walker struct {
	cmd      *Command
	dialects []syntax.LangVariant
	fish     bool
	ctx      context
	vars     []variable
	funcs    []function
	aliases  []variable
	files    []file
	gitNames []variable // aliases of git
	joint    string     // operator before the next run of depth 0
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
	arg0       Word // $0, where sh -c was given one
	planted    bool
	endless    bool
	unknown    []int // the runs whose output stands as $() in the code
}

type function struct {
	name   string
	body   *syntax.Stmt
	text   string // instead of body, where the tokeniser read the function
	called bool
	active bool
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
			w.after(list[i-1])
		}
		if !w.step() {
			break
		}
		out = join(out, w.stmt(s, stdin), i == 0)
	}
	return out
}

// after sets the operator that stands between a statement and the next one.
func (w *walker) after(s *syntax.Stmt) {
	switch {
	case s == nil:
	case s.Background:
		w.joint = "&"
	default:
		w.joint = ";"
	}
}

// Bounds of what a list of commands prints together, so that a long list costs no more than its length.
const (
	maxJoined = 64 << 10
	maxFrom   = 64
)

// join concatenates what two commands print.
func join(a, b Source, first bool) Source {
	if first {
		return b
	}
	out := Source{Text: a.Text, Known: a.Known && b.Known, From: a.From}
	switch {
	case b.Text == "":
	case len(a.Text)+len(b.Text) > maxJoined:
		out.Known = false
	default:
		out.Text = a.Text + b.Text
	}
	if len(b.From) > 0 && len(a.From) < maxFrom {
		out.From = append(append(make([]int, 0, len(a.From)+len(b.From)), a.From...), b.From...)
	}
	return out
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
		before := w.ctx.endless
		w.ctx.endless = before || w.endless(c)
		w.stmts(c.Cond, input)
		out = w.stmts(c.Do, Source{From: input.From, File: input.File})
		w.ctx.endless = before
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
		if longList(l.Items) {
			w.endlessBody(c.Do)
		}
		values = append([]Word(nil), values...)
		for i := 1; i < len(values); i++ {
			values[i].Again = true
		}
		w.set(l.Name.Value, values)
	case *syntax.CStyleLoop:
		w.substitutions(l)
		if l.Cond == nil && w.endlessBody(c.Do) {
			before := w.ctx.endless
			w.ctx.endless = true
			defer func() { w.ctx.endless = before }()
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
	if w.cmd.Shell == vocabulary.ShellZsh {
		for i := range words {
			words[i].Text = unqualified(words[i].Text)
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

// unqualified removes the qualifiers of zsh behind a file pattern that leave it what it is, *(.D) and build(N), but not
// those that pick single files by age, size or number.
func unqualified(s string) string {
	if !strings.HasSuffix(s, ")") {
		return s
	}
	i := strings.LastIndexByte(s, '(')
	if i < 1 || len(s)-i > 16 || strings.Trim(s[i+1:len(s)-1], "#q.DNoOnrwx/@=*^-") != "" {
		return s
	}
	return s[:i]
}
