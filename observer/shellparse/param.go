package shellparse

import (
	"strconv"
	"strings"

	"github.com/caro-mesh/caro-node/observer/wordset"

	"mvdan.cc/sh/v3/syntax"
)

// typical values stand in for variables of the environment where a line takes them apart: ${PATH:0:1} is a slash.
var typical = map[string]string{ //nolint:gosec // G101 takes "user" for a credential
	"HOME": "/home/user", "PATH": "/usr/local/bin:/usr/bin:/bin", "SHELL": "/bin/bash", "BASH": "/bin/bash",
	"PWD": "/home/user/dir", "OLDPWD": "/home/user", "TMPDIR": "/tmp", "IFS": " \t\n", "PS1": "$ ", "PS2": "> ",
	"PS4":  "+ ",
	"USER": "user", "LOGNAME": "user", "LANG": "en_US.UTF-8", "TERM": "xterm-256color", "OSTYPE": "linux-gnu",
	"HOSTTYPE": "x86_64", "MACHTYPE": "x86_64-pc-linux-gnu", "EUID": "1000", "UID": "1000",
}

// alwaysSet are variables that no shell leaves empty, so that their defaults do not count.
var alwaysSet = wordset.Of("HOME PATH SHELL PWD USER LOGNAME EUID UID IFS BASH PS1 PS2 PS4 HOSTTYPE OSTYPE MACHTYPE TERM")

func (w *walker) param(b *builder, p *syntax.ParamExp, quoted, split bool) {
	if p.Param == nil || p.Flags != nil || len(p.Modifiers) > 0 {
		w.zshParam(b, p, quoted)
		return
	}
	name := p.Param.Value
	if name == "IFS" && !quoted && split && p.Index == nil && p.Exp == nil && p.Slice == nil && p.Repl == nil &&
		!p.Length && !w.isSet("IFS") {
		b.flush()
		return
	}
	values := w.values(p, name)
	for i, v := range values {
		if i > 0 && split {
			b.flush()
		} else if i > 0 {
			b.add(" ")
		}
		if i > maxFields {
			w.cmd.Truncated = true
			break
		}
		w.insert(b, v, quoted, split)
	}
}

// values expands one parameter with its operators.
func (w *walker) values(p *syntax.ParamExp, name string) []Word {
	list, known := w.lookup(name)
	if p.Excl && known && len(list) == 1 && p.Names == 0 {
		list, known = w.lookup(list[0].Text)
	}
	if p.Length {
		if known && len(list) == 1 && !list[0].Open {
			return []Word{{Text: strconv.Itoa(len(list[0].Text))}}
		}
		return []Word{{Text: "$N", Open: true}}
	}
	if p.Index != nil && known {
		list = index(list, p.Index)
	}
	if name == "IFS" && !known {
		return []Word{{Text: " "}}
	}
	takenApart := p.Slice != nil || p.Repl != nil || (p.Exp != nil && !defaulting(p.Exp.Op))
	if !known && takenApart {
		if v, ok := typical[name]; ok {
			list, known = []Word{{Text: v}}, true
		}
	}
	if p.Exp != nil {
		list = w.expansion(list, known, name, p.Exp)
		return list
	}
	if !known {
		return []Word{unknown(name, w.ctx.dir)}
	}
	if p.Slice == nil && p.Repl == nil {
		return list
	}
	out := make([]Word, 0, len(list))
	for _, v := range list {
		if p.Slice != nil {
			v.Text = slice(v.Text, p.Slice)
		}
		if p.Repl != nil && !v.Open {
			v.Text = w.replace(v.Text, p.Repl)
		}
		out = append(out, v)
	}
	return out
}

// lookup returns the values that the line gave to a name.
func (w *walker) lookup(name string) ([]Word, bool) {
	switch name {
	case "@", "*", "argv":
		if w.ctx.argsSet {
			return w.ctx.args, true
		}
	case "0":
		if w.ctx.arg0.Text != "" {
			return []Word{w.ctx.arg0}, true
		}
	default:
		if len(name) == 1 && name[0] >= '1' && name[0] <= '9' && w.ctx.argsSet {
			if i := int(name[0] - '1'); i < len(w.ctx.args) {
				return w.ctx.args[i : i+1], true
			}
			return nil, true
		}
		for i := range w.vars {
			if w.vars[i].name == name {
				return w.vars[i].values, true
			}
		}
	}
	return nil, false
}

// unknown stands for a variable that the line does not assign.
func unknown(name, dir string) Word {
	switch name {
	case "HOME":
		return Word{Text: "~"}
	case "PWD":
		return Word{Text: orDot(dir)}
	case "TMPDIR", "TMP", "TEMP":
		return Word{Text: "/tmp"}
	case "XDG_CONFIG_HOME":
		return Word{Text: "~/.config"}
	case "XDG_CACHE_HOME":
		return Word{Text: "~/.cache"}
	case "XDG_DATA_HOME":
		return Word{Text: "~/.local/share"}
	case "PATH":
		return Word{Text: "$PATH", Open: true, Guarded: true}
	case "USER", "LOGNAME", "HOSTNAME", "UID", "RANDOM", "$", "?", "!", "SECONDS", "SHELL", "0", "BASH", "EDITOR":
		return Word{Text: "$" + name, Open: true, Guarded: true}
	}
	return Word{Text: "$" + name, Open: true}
}

// maxCut bounds the values and patterns of ${x%pattern} and the like, whose cost grows with the cube.
const maxCut = 256

func defaulting(op syntax.ParExpOperator) bool {
	switch op {
	case syntax.AlternateUnset, syntax.AlternateUnsetOrNull, syntax.DefaultUnset, syntax.DefaultUnsetOrNull,
		syntax.ErrorUnset, syntax.ErrorUnsetOrNull, syntax.AssignUnset, syntax.AssignUnsetOrNull:
		return true
	}
	return false
}

func (w *walker) expansion(list []Word, known bool, name string, e *syntax.Expansion) []Word {
	empty := !known || len(list) == 0 || (len(list) == 1 && list[0].Text == "")
	switch e.Op {
	case syntax.DefaultUnset, syntax.DefaultUnsetOrNull, syntax.AssignUnset, syntax.AssignUnsetOrNull:
		if !empty {
			return list
		}
		if e.Op == syntax.AssignUnset || e.Op == syntax.AssignUnsetOrNull {
			v := w.word(e.Word, false)
			w.set(name, []Word{v})
			return []Word{v}
		}
		if alwaysSet.Has(name) {
			return []Word{unknown(name, w.ctx.dir)}
		}
		return []Word{w.word(e.Word, false)}
	case syntax.AlternateUnset, syntax.AlternateUnsetOrNull:
		return []Word{w.word(e.Word, false)}
	case syntax.ErrorUnset, syntax.ErrorUnsetOrNull:
		if known {
			return list
		}
		v := unknown(name, w.ctx.dir)
		v.Guarded = true
		return []Word{v}
	}
	if !known {
		return []Word{unknown(name, w.ctx.dir)}
	}
	pattern := w.word(e.Word, true).Text
	out := make([]Word, 0, len(list))
	for _, v := range list {
		if !v.Open && len(pattern) <= maxCut && len(v.Text) <= maxCut && w.spend(8*len(v.Text)*(1+len(pattern))) {
			v.Text = transform(v.Text, e.Op, pattern)
		}
		out = append(out, v)
	}
	return out
}

// transform applies the operators that cut a value or change its case.
func transform(s string, op syntax.ParExpOperator, pattern string) string {
	switch op {
	case syntax.UpperFirst:
		return upperFirst(s, strings.ToUpper)
	case syntax.LowerFirst:
		return upperFirst(s, strings.ToLower)
	case syntax.UpperAll:
		return strings.ToUpper(s)
	case syntax.LowerAll:
		return strings.ToLower(s)
	case syntax.RemSmallPrefix:
		for i := 0; i <= len(s); i++ {
			if Match(pattern, s[:i]) {
				return s[i:]
			}
		}
	case syntax.RemLargePrefix:
		for i := len(s); i >= 0; i-- {
			if Match(pattern, s[:i]) {
				return s[i:]
			}
		}
	case syntax.RemSmallSuffix:
		for i := len(s); i >= 0; i-- {
			if Match(pattern, s[i:]) {
				return s[:i]
			}
		}
	case syntax.RemLargeSuffix:
		for i := 0; i <= len(s); i++ {
			if Match(pattern, s[i:]) {
				return s[:i]
			}
		}
	}
	return s
}

func upperFirst(s string, f func(string) string) string {
	if s == "" {
		return s
	}
	return f(s[:1]) + s[1:]
}

func slice(s string, sl *syntax.Slice) string {
	off, err := strconv.Atoi(arithmetic(sl.Offset))
	if err != nil {
		return s
	}
	if off < 0 {
		off += len(s)
	}
	off = min(max(off, 0), len(s))
	end := len(s)
	if sl.Length != nil {
		n, err := strconv.Atoi(arithmetic(sl.Length))
		if err != nil {
			return s[off:]
		}
		if n < 0 {
			end = max(off, len(s)+n)
		} else {
			end = min(off+n, len(s))
		}
	}
	return s[off:end]
}

func (w *walker) replace(s string, r *syntax.Replace) string {
	var from, to string
	if r.Orig != nil {
		from = w.word(r.Orig, true).Text
	}
	if r.With != nil {
		to = w.word(r.With, true).Text
	}
	if from == "" || !w.spend(len(s)*(1+len(to)/len(from))) {
		return s
	}
	n := 1
	if r.All {
		n = -1
	}
	if from == "?" && r.All {
		return strings.Repeat(to, len(s))
	}
	return strings.Replace(s, from, to, n)
}

// index picks an element; [@] and [*] keep all.
func index(list []Word, ix syntax.ArithmExpr) []Word {
	word, ok := ix.(*syntax.Word)
	if !ok {
		return list
	}
	n, err := strconv.Atoi(word.Lit())
	if err != nil {
		return list
	}
	if n < 0 {
		n += len(list)
	}
	if n < 0 || n >= len(list) {
		return nil
	}
	return list[n : n+1]
}

// arithmetic returns the value of a constant expression of numbers, "$N" where it is not one.
func arithmetic(x syntax.ArithmExpr) string {
	if n, ok := evaluate(x, 0); ok {
		return strconv.Itoa(n)
	}
	return "$N"
}

func evaluate(x syntax.ArithmExpr, depth int) (int, bool) {
	if depth > maxDepth {
		return 0, false
	}
	switch x := x.(type) {
	case *syntax.Word:
		n, err := strconv.ParseInt(x.Lit(), 0, 32)
		return int(n), err == nil
	case *syntax.ParenArithm:
		return evaluate(x.X, depth+1)
	case *syntax.UnaryArithm:
		n, ok := evaluate(x.X, depth+1)
		if x.Op == syntax.Minus {
			return -n, ok
		}
		return n, ok && x.Op == syntax.Plus
	case *syntax.BinaryArithm:
		a, oka := evaluate(x.X, depth+1)
		b, okb := evaluate(x.Y, depth+1)
		if !oka || !okb {
			return 0, false
		}
		switch x.Op {
		case syntax.Add:
			return a + b, true
		case syntax.Sub:
			return a - b, true
		case syntax.Mul:
			return a * b, true
		}
	}
	return 0, false
}
