package shellparse

import (
	"mvdan.cc/sh/v3/syntax"
)

type variable struct {
	name   string
	values []Word
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
