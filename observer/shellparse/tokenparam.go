package shellparse

import (
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// braced expands what stands between the brackets of ${…} where the grammar gave up: zsh's flags, nested expansions and
// modifiers, and the defaults that all shells have. It returns the fields.
func (l *lexer) braced(inner string, depth int) []Word {
	if depth > 8 {
		return []Word{{Text: "$x", Open: true}}
	}
	flags := ""
	if strings.HasPrefix(inner, "(") {
		if end := strings.IndexByte(inner, ')'); end > 0 {
			flags, inner = inner[1:end], inner[end+1:]
		}
	}
	inner = strings.TrimLeft(inner, "=~^+")
	var values []Word
	var rest string
	switch {
	case strings.HasPrefix(inner, "${"):
		end := matching(inner, 1)
		values = l.braced(inner[2:end], depth+1)
		rest = inner[min(end+1, len(inner)):]
	case strings.HasPrefix(inner, "$("):
		end := matching(inner, 1)
		out := l.w.nested(nil, func() Source { return l.w.code(inner[2:end], Source{}) })
		values = []Word{outputWord(out)}
		rest = inner[min(end+1, len(inner)):]
	default:
		n := 0
		for n < len(inner) && isNameByte(inner[n]) {
			n++
		}
		name := inner[:n]
		rest = inner[n:]
		known := false
		if name != "" {
			values, known = l.w.lookup(name)
		}
		if !known {
			values = nil
			if name != "" {
				values = []Word{unknown(name, l.w.ctx.dir)}
			}
			if word, ok := defaultWord(rest); ok && (name == "" || typical[name] == "") {
				values, rest = l.texts(word), ""
			}
		}
	}
	return flagged(values, flags, rest)
}

// zshParam expands a parameter as zsh writes it: with flags, nested, without a name, with modifiers.
func (w *walker) zshParam(b *builder, p *syntax.ParamExp, quoted bool) {
	var values []Word
	switch {
	case p.NestedParam != nil:
		var inner builder
		w.part(&inner, p.NestedParam, quoted, false, false)
		inner.flush()
		values = inner.fields
	case p.Param != nil:
		values = append(values, w.values(p, p.Param.Value)...)
	case p.Exp != nil:
		values = []Word{w.word(p.Exp.Word, false)}
	}
	flags, rest := "", ""
	if p.Flags != nil {
		flags = p.Flags.Value
	}
	if len(p.Modifiers) > 0 {
		rest = ":" + strings.TrimPrefix(p.Modifiers[0].Value, ":")
	}
	for i, v := range flagged(values, flags, rest) {
		if i > 0 {
			b.flush()
		}
		w.insert(b, v, quoted, false)
	}
}

// defaultWord is the word behind :- := - or = in an expansion.
func defaultWord(rest string) (string, bool) {
	for _, op := range [...]string{":-", ":=", "::=", "-", "="} {
		if word, ok := strings.CutPrefix(rest, op); ok {
			return word, true
		}
	}
	return "", false
}

// texts expands a word inside an expansion.
func (l *lexer) texts(word string) []Word {
	inner := &lexer{w: l.w, s: strings.ReplaceAll(word, " ", `\ `)}
	if fields := inner.word(); len(fields) > 0 {
		return fields
	}
	return []Word{{}}
}

// matching returns where the bracket at position at ends.
func matching(s string, at int) int {
	open, closer := s[at], byte('}')
	if open == '(' {
		closer = ')'
	}
	depth := 0
	for i := at; i < len(s); i++ {
		switch s[i] {
		case open:
			depth++
		case closer:
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return len(s)
}

// flagged applies the flags and modifiers of zsh that change what a value says.
func flagged(values []Word, flags, rest string) []Word {
	values = append([]Word(nil), values...)
	for i := range values {
		v := &values[i]
		if v.Open {
			continue
		}
		switch {
		case strings.Contains(flags, "#"):
			if n, err := strconv.ParseUint(v.Text, 0, 7); err == nil {
				v.Text = string(rune(n))
			}
		case strings.Contains(flags, "L"):
			v.Text = strings.ToLower(v.Text)
		case strings.Contains(flags, "U"):
			v.Text = strings.ToUpper(v.Text)
		}
		if strings.HasPrefix(flags, "j::") || strings.HasPrefix(flags, "s: :j::") {
			v.Text = strings.ReplaceAll(v.Text, " ", "")
		}
		switch {
		case strings.HasPrefix(rest, ":t"):
			v.Text = v.Text[strings.LastIndexByte(v.Text, '/')+1:]
		case strings.HasPrefix(rest, ":h"):
			v.Text = v.Text[:max(strings.LastIndexByte(v.Text, '/'), 0)]
		case strings.HasPrefix(rest, ":l"):
			v.Text = strings.ToLower(v.Text)
		case strings.HasPrefix(rest, "//"):
			if from, to, ok := strings.Cut(rest[2:], "/"); ok && from != "" && len(v.Text)*(1+len(to)) < maxJoined {
				v.Text = strings.ReplaceAll(v.Text, from, to)
			}
		}
	}
	if strings.ContainsAny(flags, "zwf") && !strings.Contains(flags, "j") || strings.HasPrefix(flags, "s: :") {
		var out []Word
		for _, v := range values {
			for _, f := range strings.Fields(v.Text) {
				out = append(out, Word{Text: f, Open: v.Open && strings.Contains(f, "$"), Glob: hasGlob(f), From: v.From})
			}
		}
		return out
	}
	return values
}
