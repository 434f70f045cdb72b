package shellparse

import (
	"strings"
)

// git runs commands for rebase --exec, bisect run, submodule foreach, and aliases that start with "!".
func (w *walker) git(i int, r Run) {
	for j, a := range r.Args {
		t := a.Text
		next := Word{}
		if j+1 < len(r.Args) {
			next = r.Args[j+1]
		}
		switch {
		case (t == "-x" || t == "--exec") && r.Has("rebase"):
			w.child(i, next, Source{}, nil)
		case t == "foreach" && r.Has("submodule"):
			rest := r.Args[j+1:]
			for len(rest) > 0 && strings.HasPrefix(rest[0].Text, "-") {
				rest = rest[1:]
			}
			w.child(i, joined(rest), Source{}, nil)
			return
		case t == "run" && r.Has("bisect"):
			w.childWords(i, r.Args[j+1:], Source{}, nil)
			return
		case strings.HasPrefix(t, "alias.") && !strings.Contains(t, "=") && next.Text != "":
			w.gitAlias(t[len("alias."):], next)
			if strings.HasPrefix(next.Text, "!") {
				next.Text = next.Text[1:]
				w.childIn(i, next, Source{}, nil, func(c *context) { c.deferred = true })
			}
		case strings.HasPrefix(t, "alias."):
			name, v, _ := strings.Cut(t[len("alias."):], "=")
			w.gitAlias(name, Word{Text: v, Open: a.Open, From: a.From})
		case r.Has("config") && next.Text != "" && !strings.HasPrefix(t, "-") && gitCommandKey(strings.ToLower(t)):
			w.plantCode(i, strings.TrimPrefix(next.Text, "!"))
			return
		case strings.HasPrefix(t, "ext::"): // a transport that is a command
			w.child(i, Word{Text: strings.ReplaceAll(t[len("ext::"):], "% ", " "), Open: a.Open, From: a.From},
				Source{}, nil)
		case strings.HasPrefix(t, "--upload-pack=") || strings.HasPrefix(t, "--receive-pack="):
			_, v, _ := strings.Cut(t, "=")
			w.child(i, Word{Text: v, Open: a.Open, From: a.From}, Source{}, nil)
		case (t == "--tree-filter" || t == "--index-filter" || t == "--msg-filter" || t == "--env-filter") &&
			next.Text != "":
			w.childIn(i, next, Source{}, nil, func(c *context) { c.place = PlaceThrowaway })
		case strings.Contains(t, "=") && j > 0 && r.Args[j-1].Text == "-c":
			if key, v, _ := strings.Cut(t, "="); gitCommandKey(strings.ToLower(key)) {
				w.child(i, Word{Text: strings.TrimPrefix(v, "!"), Open: a.Open, From: a.From}, Source{}, nil)
			}
		}
	}
	w.gitNamed(i, r)
}

func (w *walker) gitAlias(name string, value Word) {
	if len(w.gitNames) < maxFields {
		w.gitNames = append(w.gitNames, variable{name, []Word{value}})
	}
}

// gitNamed runs the alias that a line defined and now calls.
func (w *walker) gitNamed(i int, r Run) {
	sub, at := r.Operand(0)
	for k := range w.gitNames {
		a := &w.gitNames[k]
		if a.name != sub || len(a.values) == 0 {
			continue
		}
		value := a.values[0]
		a.values = nil // an alias does not call itself
		code := "git " + value.Text
		if shell, ok := strings.CutPrefix(value.Text, "!"); ok {
			code = shell
		}
		for _, arg := range r.Args[at+1:] {
			code += " " + quote(arg)
		}
		w.child(i, Word{Text: code, Open: value.Open, From: value.From}, Source{}, nil)
		w.gitNames[k].values = []Word{value}
		return
	}
}
