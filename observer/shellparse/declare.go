package shellparse

import (
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// declare remembers a function, and notes one that starts copies of itself.
func (w *walker) declare(c *syntax.FuncDecl) {
	if c.Name == nil || len(w.funcs) >= maxFields {
		if c.Name == nil && len(c.Names) == 0 { // zsh runs an anonymous function at once
			w.nested(nil, func() Source { return w.stmt(c.Body, Source{}) })
		}
		return
	}
	name := c.Name.Value
	if spawnsItself(c.Body, name) {
		w.cmd.SelfSpawning = true
	}
	for i := range w.funcs {
		if w.funcs[i].name == name {
			w.funcs[i].body = c.Body
			return
		}
	}
	w.funcs = append(w.funcs, function{name: name, body: c.Body})
}

// uncalled walks the bodies of functions that the line only defines.
func (w *walker) uncalled() {
	for i := 0; i < len(w.funcs); i++ {
		if f := w.funcs[i]; !f.called {
			w.funcs[i].called, w.funcs[i].active = true, true
			w.nested(func(c *context) { c.deferred, c.planted = true, hookFunctions.Has(f.name) }, func() Source {
				if f.body == nil {
					return w.runText(f.name, f.text, Source{})
				}
				return w.stmt(f.body, Source{})
			})
			w.funcs[i].active = false
		}
	}
}

// spawnsItself reports whether a function body calls the function in a pipe or in the background.
func spawnsItself(body *syntax.Stmt, name string) bool {
	found := false
	syntax.Walk(body, func(n syntax.Node) bool {
		switch n := n.(type) {
		case *syntax.BinaryCmd:
			if (n.Op == syntax.Pipe || n.Op == syntax.PipeAll) && (calls(n.X, name) || calls(n.Y, name)) {
				found = true
			}
		case *syntax.Stmt:
			if n.Background && calls(n, name) {
				found = true
			}
		}
		return !found
	})
	return found
}

// calls reports whether a statement itself, or an end of its pipe, is a call of the named function.
func calls(s *syntax.Stmt, name string) bool {
	for range maxDepth {
		switch c := s.Cmd.(type) {
		case *syntax.CallExpr:
			return len(c.Args) > 0 && c.Args[0].Lit() == name
		case *syntax.BinaryCmd:
			if calls(c.Y, name) {
				return true
			}
			s = c.X
		case *syntax.Subshell:
			if len(c.Stmts) != 1 {
				return false
			}
			s = c.Stmts[0]
		case *syntax.Block:
			if len(c.Stmts) != 1 {
				return false
			}
			s = c.Stmts[0]
		default:
			return false
		}
	}
	return false
}

// endless notes a loop without end that starts processes in the background and never waits.
// It reports whether the loop has no end and never waits.
func (w *walker) endless(c *syntax.WhileClause) bool {
	if len(c.Cond) != 1 {
		return false
	}
	call, ok := c.Cond[0].Cmd.(*syntax.CallExpr)
	if !ok || len(call.Args) != 1 {
		if _, arithmetic := c.Cond[0].Cmd.(*syntax.ArithmCmd); !arithmetic {
			return false
		}
	} else if name := call.Args[0].Lit(); name != ":" && (name != "true" || c.Until) && (name != "false" || !c.Until) {
		return false
	}
	return w.endlessBody(c.Do)
}

// manyTurns is how often a loop has to turn to count as one without end where processes are started.
const manyTurns = 5000

// longList reports whether the list of a for loop is a long sequence of numbers: {1..100000}, $(seq 100000).
func longList(items []*syntax.Word) bool {
	if len(items) != 1 {
		return false
	}
	for _, p := range items[0].Parts {
		switch p := p.(type) {
		case *syntax.Lit: // braces are split later
			if _, last, ok := strings.Cut(strings.Trim(p.Value, "{}"), ".."); ok {
				n, err := strconv.Atoi(last)
				return err == nil && n >= manyTurns
			}
		case *syntax.CmdSubst:
			if len(p.Stmts) != 1 {
				return false
			}
			call, ok := p.Stmts[0].Cmd.(*syntax.CallExpr)
			if !ok || len(call.Args) < 2 || call.Args[0].Lit() != "seq" {
				return false
			}
			n, err := strconv.Atoi(call.Args[len(call.Args)-1].Lit())
			return err == nil && n >= manyTurns
		}
	}
	return false
}

func (w *walker) endlessBody(body []*syntax.Stmt) bool {
	spawns, waits := false, false
	for _, s := range body {
		syntax.Walk(s, func(n syntax.Node) bool {
			switch n := n.(type) {
			case *syntax.Stmt:
				if n.Background { // what waits there holds nothing up
					spawns = true
					return false
				}
			case *syntax.CallExpr:
				if len(n.Args) > 0 {
					switch n.Args[0].Lit() {
					case "sleep", "wait", "read", "break", "exit", "return", "inotifywait":
						waits = true
					}
				}
			}
			return true
		})
	}
	if spawns && !waits {
		w.cmd.SelfSpawning = true
	}
	return !waits
}
