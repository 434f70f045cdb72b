package shellparse

import (
	"strings"
	"sync"

	"mvdan.cc/sh/v3/syntax"

	"github.com/caro-mesh/caro-node/protocol/vocabulary"
)

// Bounds. A command line is untrusted input: without them a megabyte of brackets would need a gigabyte of stack.
const (
	// maxInput is how much of a command line is read: the 1 MiB that the hooks accept, and slack.
	maxInput = 1<<20 + 64<<10
	// maxOpenings bounds what can nest. The grammar's parser descends up to 4.8 KiB of stack per level (arithmetic), so
	// that the worst input costs 20 MiB for a moment.
	maxOpenings = 4000
	// smallText is the size up to which operators need not be counted as well: at two bytes a level the worst is the same.
	smallText = 8 << 10
	// maxDepth bounds substitutions in substitutions, sh -c in sh -c, and functions in functions.
	maxDepth = 24
	// maxRuns bounds the result. An hour of typing does not reach it, a pasted data file does.
	maxRuns = 4096
	// maxComputed bounds the bytes of computed text (values, outputs, code that is parsed again).
	maxComputed = 4 << 20
	// maxSteps bounds the visited statements and words, so that nested functions cannot multiply work.
	maxSteps = 200_000
	// maxFields bounds the words that one word may become (brace lists, arrays, loops over lists).
	maxFields = 64
	// maxVars bounds the names that a line may assign, which are searched in order.
	maxVars = 256
)

// Parse resolves a command line as typed into the given shell. It never fails: where the grammar refuses the line,
// a tokeniser takes over and Fallback is set. It is safe for concurrent use.
func Parse(cmd string, shell vocabulary.ShellType) *Command {
	w := newWalker(cmd, shell)
	if len(cmd) > maxInput {
		cmd, w.cmd.Truncated = cmd[:maxInput], true
	}
	w.top(cmd)
	return w.cmd
}

func newWalker(cmd string, shell vocabulary.ShellType) *walker {
	w := &walker{cmd: &Command{Text: cmd, Shell: shell}, fish: shell == vocabulary.ShellFish, dialects: bashFirst}
	w.ctx.parent = -1
	switch shell {
	case vocabulary.ShellZsh:
		w.dialects = zshFirst
	case vocabulary.ShellOther:
		w.dialects = unknownIn
	}
	return w
}

// top resolves the typed line. A panic (none is known) must not take the observer down; what is left unread is marked.
func (w *walker) top(text string) {
	defer func() {
		if recover() != nil {
			w.cmd.Fallback, w.cmd.Truncated = true, true
		}
	}()
	w.code(text, Source{})
	w.uncalled()
}

// code resolves shell code: the typed line, or text that an interpreter is given. It returns what the code prints.
func (w *walker) code(text string, stdin Source) Source {
	if w.ctx.depth > maxDepth || !w.spend(len(text)) {
		w.cmd.Truncated = true
		return Source{}
	}
	if w.fish && needsFish(text) {
		return w.tokens(text, stdin)
	}
	if openings(text) <= maxOpenings {
		for _, dialect := range w.dialects {
			if out, ok := w.grammar(text, dialect, stdin); ok {
				return out
			}
		}
	}
	return w.tokens(text, stdin)
}

// Grammars to try, by shell. Zsh reads brackets as patterns where other shells see an error, so that it is tried only
// where it is meant, or where nobody knows.
var (
	bashFirst = []syntax.LangVariant{syntax.LangBash}
	zshFirst  = []syntax.LangVariant{syntax.LangZsh, syntax.LangBash}
	unknownIn = []syntax.LangVariant{syntax.LangBash, syntax.LangZsh}
)

// openings counts what could make the grammar's parser descend. It overestimates: quotes are not looked at. In a small
// text only brackets and keywords count; in a large one every character of an operator does, for arithmetic and tests
// descend on those as well.
func openings(text string) int {
	n := 0
	for _, c := range [...]string{"(", "{", "[", "`"} {
		n += strings.Count(text, c)
	}
	if len(text) > smallText {
		for _, c := range [...]string{"!", "|", "&", "?", "~", "=", "+", "-", "*", "<", ">"} {
			n += strings.Count(text, c)
		}
	}
	if n > maxOpenings {
		return n
	}
	for _, word := range [...]string{"if", "while", "until", "for", "case", "select", "time", "coproc"} {
		n += strings.Count(text, word)
	}
	return n
}

type pooled struct {
	parser *syntax.Parser
	reader strings.Reader
}

// One pool per dialect: a parser keeps its buffers from one line to the next.
var bashParsers = sync.Pool{New: func() any { return &pooled{parser: syntax.NewParser(syntax.Variant(syntax.LangBash))} }}
var zshParsers = sync.Pool{New: func() any { return &pooled{parser: syntax.NewParser(syntax.Variant(syntax.LangZsh))} }}

// streamFrom is the size from which a text is walked statement by statement, so that neither its tree is held in memory
// nor more of it parsed than the bounds let through.
const streamFrom = 32 << 10

// grammar walks the text as the dialect reads it; false where the grammar refuses it.
func (w *walker) grammar(text string, dialect syntax.LangVariant, stdin Source) (Source, bool) {
	pool := &bashParsers
	if dialect == syntax.LangZsh {
		pool = &zshParsers
	}
	p := pool.Get().(*pooled)
	p.reader.Reset(text)
	if len(text) < streamFrom {
		f, err := p.parser.Parse(&p.reader, "")
		p.reader.Reset("")
		pool.Put(p) // before the walk, which may need it; not after a panic: that parser is dropped
		if err != nil {
			return Source{}, false
		}
		return w.stmts(f.Stmts, stdin), true
	}
	mark := len(w.cmd.Runs)
	var out Source
	var prev *syntax.Stmt
	for s, err := range p.parser.StmtsSeq(&p.reader) {
		if err != nil {
			w.cmd.Runs = w.cmd.Runs[:mark]
			return Source{}, false
		}
		if !w.step() {
			break
		}
		w.after(prev)
		out = join(out, w.stmt(s, stdin), prev == nil)
		prev = s
	}
	return out, true // a large parser is not worth keeping
}
