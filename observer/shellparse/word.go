package shellparse

import (
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// builder assembles the fields of one word.
type builder struct {
	fields  []Word
	cur     []byte
	has     bool // a field is under way, be it an empty quoted one
	open    bool
	glob    bool
	unsafe  bool // an unknown part that is not guarded
	guarded bool
	from    []int
	again   bool
	tail    int // where an unknown variable at the end of cur begins, plus one
}

func (b *builder) add(s string) {
	if b.tail > 0 && s != "" {
		if isNameByte(s[0]) { // $x followed by y is ${x}y, not $xy
			name := string(b.cur[b.tail:])
			b.cur = append(append(append(b.cur[:b.tail], '{'), name...), '}')
		}
		b.tail = 0
	}
	b.cur = append(b.cur, s...)
	b.has = true
}

func (b *builder) flush() {
	if b.has {
		b.fields = append(b.fields, Word{
			Text: string(b.cur), Open: b.open, Glob: b.glob, Guarded: b.guarded && !b.unsafe, From: b.from,
			Again: b.again,
		})
	}
	*b = builder{fields: b.fields, cur: b.cur[:0]}
}

// addWord appends an expanded value to the field under way.
func (b *builder) addWord(v Word, quoted bool) {
	if v.Text == "" && !quoted && len(v.From) == 0 {
		return // an unquoted empty expansion leaves no field of its own
	}
	b.add(v.Text)
	if v.Open && len(v.Text) > 1 && v.Text[0] == '$' && isName(v.Text[1:]) {
		b.tail = len(b.cur) - len(v.Text) + 1
	}
	b.open = b.open || v.Open
	b.again = b.again || v.Again
	b.glob = b.glob || (v.Glob && !quoted)
	if v.Open {
		if v.Guarded {
			b.guarded = true
		} else {
			b.unsafe = true
		}
	}
	b.from = append(b.from, v.From...)
}

// words expands a word into its fields.
func (w *walker) words(word *syntax.Word) []Word { return w.appendWords(nil, word) }

func (w *walker) appendWords(dst []Word, word *syntax.Word) []Word {
	if !w.step() {
		return dst
	}
	if len(word.Parts) == 1 {
		if lit, ok := word.Parts[0].(*syntax.Lit); ok && plain(lit.Value) {
			return append(dst, Word{Text: lit.Value})
		}
	}
	if hasBrace(word) {
		for _, one := range w.braces(word) {
			dst = append(dst, w.split(one)...)
		}
		return dst
	}
	return append(dst, w.split(word)...)
}

// plain reports whether an unquoted literal stands for itself.
func plain(s string) bool { return !strings.ContainsAny(s, "\\*?[{~") }

func hasBrace(word *syntax.Word) bool {
	for _, p := range word.Parts {
		if l, ok := p.(*syntax.Lit); ok && strings.Contains(l.Value, "{") {
			return true
		}
	}
	return false
}

// braces expands brace lists into at most maxFields words. Of a sequence only its ends are kept: {1..1000} is two words.
func (w *walker) braces(word *syntax.Word) []*syntax.Word {
	done := make([]*syntax.Word, 0, 4)
	queue := []*syntax.Word{{Parts: append([]syntax.WordPart(nil), word.Parts...)}}
	if !syntax.SplitBraces(queue[0]) {
		return queue
	}
	for len(queue) > 0 {
		if len(queue)+len(done) > maxFields || !w.step() {
			w.cmd.Truncated = true
			break
		}
		one := queue[0]
		queue = queue[1:]
		at := -1
		var exp *syntax.BraceExp
		for i, p := range one.Parts {
			if e, ok := p.(*syntax.BraceExp); ok {
				at, exp = i, e
				break
			}
		}
		if exp == nil {
			done = append(done, one)
			continue
		}
		elems := exp.Elems
		if exp.Sequence && len(elems) > 2 {
			elems = elems[:2]
		}
		next := make([]*syntax.Word, 0, len(elems)+len(queue))
		for _, e := range elems {
			parts := make([]syntax.WordPart, 0, len(one.Parts)+len(e.Parts))
			parts = append(parts, one.Parts[:at]...)
			parts = append(parts, e.Parts...)
			parts = append(parts, one.Parts[at+1:]...)
			next = append(next, &syntax.Word{Parts: parts})
		}
		queue = append(next, queue...)
	}
	return done
}

// split expands a word without brace lists, with field splitting.
func (w *walker) split(word *syntax.Word) []Word {
	var b builder
	for i, part := range word.Parts {
		w.part(&b, part, false, true, i == 0)
	}
	b.flush()
	return b.fields
}

// word expands into exactly one field: redirection targets, assignments, here-documents.
func (w *walker) word(word *syntax.Word, quoted bool) Word {
	if word == nil || !w.step() {
		return Word{}
	}
	if len(word.Parts) == 1 {
		if lit, ok := word.Parts[0].(*syntax.Lit); ok && plain(lit.Value) {
			return Word{Text: lit.Value}
		}
	}
	var b builder
	for i, part := range word.Parts {
		w.part(&b, part, false, false, i == 0)
	}
	b.has = true
	b.flush()
	v := b.fields[0]
	if quoted {
		v.Glob = false
	}
	return v
}

func (w *walker) part(b *builder, part syntax.WordPart, quoted, split, first bool) {
	switch p := part.(type) {
	case *syntax.Lit:
		w.lit(b, p.Value, quoted, first)
	case *syntax.SglQuoted:
		text := p.Value
		if p.Dollar {
			text = unescape(text, escapeC)
		}
		if first && strings.HasPrefix(text, "~") {
			b.add("./")
		}
		b.add(text)
	case *syntax.DblQuoted:
		b.has = true
		for i, q := range p.Parts {
			if first && i == 0 {
				if l, ok := q.(*syntax.Lit); ok && strings.HasPrefix(l.Value, "~") {
					b.add("./")
				}
			}
			w.part(b, q, true, split, false)
		}
	case *syntax.ParamExp:
		w.param(b, p, quoted, split)
	case *syntax.CmdSubst:
		w.insert(b, w.substitute(p.Stmts), quoted, split)
	case *syntax.ArithmExp:
		w.substitutions(p)
		b.addWord(Word{Text: arithmetic(p.X), Open: arithmetic(p.X) == "$N"}, quoted)
	case *syntax.ProcSubst:
		if p.Op == syntax.CmdOut {
			w.later = append(w.later, p)
			b.addWord(Word{Text: "/dev/fd/63"}, quoted)
			return
		}
		out := w.nested(nil, func() Source { return w.stmts(p.Stmts, Source{}) })
		b.addWord(Word{Text: "/dev/fd/63", Open: true, From: out.From}, quoted)
		w.write("/dev/fd/63", out, false)
	case *syntax.ExtGlob:
		b.add(p.Op.String() + p.Pattern.Value + ")")
		b.glob = true
	case *syntax.BraceExp:
		for i, e := range p.Elems {
			if i > 0 {
				b.add(",")
			}
			for _, q := range e.Parts {
				w.part(b, q, quoted, split, false)
			}
		}
	}
}

// lit adds an unquoted literal, or one inside double quotes.
func (w *walker) lit(b *builder, s string, quoted, first bool) {
	if quoted {
		b.add(unquoteDouble(s))
		return
	}
	if first && strings.HasPrefix(s, "\\~") {
		b.add("./")
	}
	if !b.glob {
		b.glob = hasGlob(s)
	}
	if strings.IndexByte(s, '\\') < 0 {
		b.add(s)
		return
	}
	b.has = true
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
			if s[i] == '\n' {
				continue
			}
		}
		b.add(s[i : i+1])
	}
}

// hasGlob reports whether an unquoted literal holds an unescaped pattern character.
func hasGlob(s string) bool {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '*', '?', '[':
			return true
		}
	}
	return false
}

// unquoteDouble resolves the escapes that count inside double quotes.
func unquoteDouble(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			switch s[i+1] {
			case '$', '`', '"', '\\':
				i++
			case '\n':
				i++
				continue
			}
		}
		out = append(out, s[i])
	}
	return string(out)
}

// substitute runs the statements of a command substitution and returns what stands for their output.
func (w *walker) substitute(list []*syntax.Stmt) Word {
	if len(list) == 0 { // in code that is parsed again, $() stands for output that is not known
		return Word{Text: "$()", Open: true, From: w.ctx.unknown}
	}
	first := len(w.cmd.Runs)
	dir := w.ctx.dir
	joint := w.joint
	w.joint = ""
	out := w.nested(nil, func() Source { return w.stmts(list, Source{}) })
	w.joint = joint
	w.ctx.dir = dir
	if out.Known {
		return Word{Text: strings.TrimRight(out.Text, "\n"), From: out.From}
	}
	if len(w.cmd.Runs) == first+1 {
		switch r := &w.cmd.Runs[first]; r.Name {
		case "pwd":
			return Word{Text: orDot(w.ctx.dir)}
		case "whoami", "id", "logname":
			return Word{Text: "$USER", Open: true}
		case "mktemp":
			return Word{Text: "/tmp/$()", Open: true, Guarded: true}
		}
	}
	return Word{Text: "$()", Open: true, From: out.From}
}

func orDot(dir string) string {
	if dir == "" {
		return "."
	}
	return dir
}

// freeText is the length up to which an inserted value is not counted against maxComputed.
const freeText = 64

// insert adds an expanded value, split into fields at blanks where it is not quoted.
func (w *walker) insert(b *builder, v Word, quoted, split bool) {
	if len(v.Text) > freeText && !w.spend(len(v.Text)) {
		return
	}
	if quoted || !split || !strings.ContainsAny(v.Text, w.separators()) {
		if !quoted && !v.Open && hasGlob(v.Text) {
			v.Glob = true
		}
		b.addWord(v, quoted)
		return
	}
	seps := w.separators()
	if strings.IndexByte(seps, v.Text[0]) >= 0 {
		b.flush()
	}
	for i, field := range splitAny(v.Text, seps) {
		if i > 0 {
			b.flush()
		}
		if len(b.fields) > maxRuns {
			w.cmd.Truncated = true
			return
		}
		part := v
		part.Text = field
		part.Open = v.Open && strings.Contains(field, "$")
		part.Glob = hasGlob(field)
		b.addWord(part, false)
	}
	if strings.IndexByte(seps, v.Text[len(v.Text)-1]) >= 0 {
		b.flush()
	}
}

// separators is the value of IFS.
func (w *walker) separators() string {
	if v := w.get("IFS"); len(v) == 1 && !v[0].Open {
		return v[0].Text
	}
	return " \t\n"
}

// splitAny splits at each separator; runs of blanks count as one and leave no empty fields.
func splitAny(s, seps string) []string {
	if seps == "" {
		return []string{s}
	}
	return strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune(seps, r) })
}
