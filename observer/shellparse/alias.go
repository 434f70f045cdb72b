package shellparse

import (
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"github.com/caro-mesh/caro-node/protocol/vocabulary"
)

// Alias is a name that a shell replaces by its value where it stands for a program.
type Alias struct{ Name, Value string }

// aliasSeparator stands between the definitions that a hook hands over.
const aliasSeparator = "\x1f"

// maxAliases bounds the definitions that are read.
const maxAliases = 256

// ParseAliases reads definitions of the form name=value with the byte \x1f between them. What has no name is left out.
func ParseAliases(definitions string) []Alias {
	var all []Alias
	for d := range strings.SplitSeq(definitions, aliasSeparator) {
		name, value, ok := strings.Cut(d, "=")
		if ok && name != "" && len(all) < maxAliases {
			all = append(all, Alias{name, value})
		}
	}
	return all
}

// Expand returns the command line as a shell with these aliases reads it: an unquoted name in the place of a program is
// replaced by its value, and by what the value's own aliases stand for, but none within itself; a value that ends in a blank
// makes the word behind it a name, too. Of a line that the grammar refuses, and of any line in fish, only the first word is
// replaced. The result is bounded; where it would be longer, names stay.
func Expand(cmd string, shell vocabulary.ShellType, aliases []Alias) string {
	x := expander{fish: shell == vocabulary.ShellFish, dialect: syntax.LangBash, values: map[string]string{}, room: maxInput}
	if shell == vocabulary.ShellZsh {
		x.dialect = syntax.LangZsh
	}
	for _, a := range aliases {
		x.values[a.Name] = a.Value
	}
	if len(x.values) == 0 || len(cmd) > streamFrom {
		return cmd
	}
	return x.line(cmd)
}

type expander struct {
	fish    bool
	dialect syntax.LangVariant
	values  map[string]string // of the names that are not being expanded
	room    int               // bytes that values may still add
}

// value returns what a name stands for, wholly expanded, and whether the next word is a name as well.
func (x *expander) value(name string) (text string, next, ok bool) {
	text, ok = x.values[name]
	if !ok || len(text) > x.room {
		return "", false, false
	}
	x.room -= len(text)
	next = strings.HasSuffix(text, " ") || strings.HasSuffix(text, "\t")
	delete(x.values, name) // an alias is not expanded within itself
	expanded := x.line(text)
	x.values[name] = text
	return expanded, next, true
}

func (x *expander) line(text string) string {
	if x.fish || openings(text) > maxOpenings {
		return x.first(text)
	}
	pool := &bashParsers
	if x.dialect == syntax.LangZsh {
		pool = &zshParsers
	}
	p := pool.Get().(*pooled)
	p.reader.Reset(text)
	f, err := p.parser.Parse(&p.reader, "")
	p.reader.Reset("")
	pool.Put(p)
	if err != nil {
		return x.first(text)
	}
	var b strings.Builder
	done := 0 // bytes of text that were read
	syntax.Walk(f, func(n syntax.Node) bool {
		call, is := n.(*syntax.CallExpr)
		if !is {
			return true
		}
		for _, w := range call.Args {
			from, to := int(w.Pos().Offset()), int(w.End().Offset())
			if from < done || to > len(text) || from >= to { // here-documents stand behind what follows them
				break
			}
			value, next, ok := x.value(text[from:to])
			if !ok {
				break
			}
			b.WriteString(text[done:from])
			b.WriteString(value)
			done = to
			if !next {
				break
			}
		}
		return true
	})
	b.WriteString(text[done:])
	return b.String()
}

// first expands the first word alone.
func (x *expander) first(text string) string {
	name := text
	if end := strings.IndexAny(text, " \t\n;&|()<>"); end >= 0 {
		name = text[:end]
	}
	value, next, ok := x.value(name)
	if !ok {
		return text
	}
	rest := text[len(name):]
	if blanks := len(rest) - len(strings.TrimLeft(rest, " \t")); next && blanks > 0 {
		rest = rest[:blanks] + x.first(rest[blanks:])
	}
	return value + rest
}
