package shellparse

import (
	"strings"

	"github.com/caro-mesh/caro-node/protocol/vocabulary"
)

// Command is a command line, resolved.
type Command struct {
	Text  string               // as given to [Parse]
	Shell vocabulary.ShellType // as given to [Parse]
	// Fallback is set where the grammar refused the line, and Runs come from a tolerant tokeniser.
	Fallback bool
	// Truncated is set where a bound was reached, so that some part of the line was not looked at.
	Truncated bool
	// SelfSpawning is set where a function, or an endless loop, starts copies of itself without bound.
	SelfSpawning bool
	// Runs lists the simple commands in the order in which they were met. A command inside a substitution stands
	// before the command whose argument it is.
	Runs []Run
}

// Run is one simple command that really runs, after expansion and behind all wrappers.
type Run struct {
	// Name is the program's base name, without folder and ".exe"; empty for a bare redirection or assignment.
	Name string
	// Path is the program as it was invoked, expanded.
	Path string
	// Args are the words after the program.
	Args []Word
	// Assigns are the assignments in front of the program, or alone.
	Assigns []Assign
	// Redirs are its redirections, without here-documents and here-strings (they are in Stdin).
	Redirs []Redirect
	// Via names the wrappers through which it is started, outermost first: sudo, env, nohup, xargs, …
	Via []string
	// Root is set where a wrapper (sudo, doas, su, …) gives it the rights of another user, root if nothing else is said.
	Root bool
	// Host is set where nsenter gives it the file systems of the machine's first process.
	Host bool
	// User is the user whom sudo was told, as it was written; empty if none was.
	User string
	// Place says where it runs.
	Place Place
	// Parent is the index of the run that starts this one (sh -c, ssh, find -exec, …), -1 for none.
	Parent int
	// Depth counts the substitutions, interpreters and carriers around it; 0 is what the person typed.
	Depth int
	// Joint is the operator before it ("|", "&&", "||", ";", "&"), empty for the first.
	Joint string
	// Background is set for a command that is followed by "&".
	Background bool
	// Deferred is set inside a function that the line defines and never calls, an alias, or a trap.
	Deferred bool
	// Planted is set inside code that the line leaves behind to run later on its own: in a start-up file of a shell, a
	// crontab, a unit, a hook of git. Deferred is set as well.
	Planted bool
	// Endless is set inside a loop without end that never waits.
	Endless bool
	// Guess is set where the tokeniser found it and not the grammar.
	Guess bool
	// Dir is the folder in which it runs, where an earlier cd in the line tells; empty if unknown.
	Dir string
	// Stdin is what it reads.
	Stdin Source
	// Code is the program text that an interpreter runs: a shell, eval, python -c, a script file, …
	Code Source
}

// Place says where a run takes place.
type Place uint8

// Places.
const (
	PlaceHere      Place = iota // on this machine
	PlaceRemote                 // on another machine (ssh and the like)
	PlaceContainer              // in a container or pod that lives on
	PlaceThrowaway              // in a container that is started for this command
	PlaceChroot                 // below another root folder
)

// Word is one expanded argument.
type Word struct {
	// Text is the value. What is unknown stands as $NAME, or $() for the output of a command; the home folder is
	// always written ~, and a literal tilde at the start of a word ./~.
	Text string
	// Open is set where Text holds something unknown.
	Open bool
	// Glob is set where Text holds a pattern that the shell matches against files.
	Glob bool
	// Guarded is set where every unknown part was written ${NAME:?}, so that it cannot be empty.
	Guarded bool
	// Again is set where a loop gives the word another value: it stands beside the value before it, and only one of them is
	// there at a time.
	Again bool
	// From are the runs whose output stands in Text as $().
	From []int
}

// Assign is an assignment.
type Assign struct {
	Name  string
	Value Word
}

// Redirect is a redirection to or from a file.
type Redirect struct {
	FD     string // as written: "", "1", "2", …
	Op     string // ">", ">>", ">|", "<", "<>", "&>", "&>>", ">&", "<&"
	Target Word
}

// Writes reports whether the redirection writes to its target.
func (r Redirect) Writes() bool { return strings.Contains(r.Op, ">") }

// Appends reports whether the redirection keeps what the target held.
func (r Redirect) Appends() bool { return strings.Contains(r.Op, ">>") || r.Op == "<>" }

// Source says where bytes come from that a run reads. The zero value is the terminal, or nothing.
type Source struct {
	Text  string // the bytes if Known, otherwise the parts of them that are known
	Known bool
	From  []int  // the runs whose output it is
	File  string // the file from which it is read
}

// Present reports whether there is anything to read.
func (s Source) Present() bool { return s.Known || len(s.From) > 0 || s.File != "" }

// Upstream lists the runs that the bytes of s went through, each once, nearest first.
func (c *Command) Upstream(s Source) []int {
	var seen []int
	queue := append([]int(nil), s.From...)
	for len(queue) > 0 {
		i := queue[0]
		queue = queue[1:]
		if i < 0 || i >= len(c.Runs) || contains(seen, i) {
			continue
		}
		seen = append(seen, i)
		if len(seen) >= maxUpstream {
			break
		}
		r := &c.Runs[i]
		queue = append(queue, r.Stdin.From...)
		queue = append(queue, r.Code.From...)
		for _, a := range r.Args {
			queue = append(queue, a.From...)
		}
		// What a child writes, its parent writes (sh -c, ssh).
		for j := i + 1; j < len(c.Runs) && j <= i+maxUpstream; j++ {
			if c.Runs[j].Parent == i {
				queue = append(queue, j)
			}
		}
	}
	return seen
}

const maxUpstream = 64

func contains(list []int, v int) bool {
	for _, x := range list {
		if x == v {
			return true
		}
	}
	return false
}

// Has reports whether one of the arguments is exactly text.
func (r *Run) Has(text string) bool {
	for i := range r.Args {
		if r.Args[i].Text == text {
			return true
		}
	}
	return false
}

// Arg returns the text of argument i, or "" where there is none.
func (r *Run) Arg(i int) string {
	if i < 0 || i >= len(r.Args) {
		return ""
	}
	return r.Args[i].Text
}

// Started reports whether the run was started through the named wrapper or carrier.
func (r *Run) Started(by string) bool {
	for _, v := range r.Via {
		if v == by {
			return true
		}
	}
	return false
}

// Line returns the run's words joined with blanks: for messages and for tools that join their arguments themselves.
func (r *Run) Line() string {
	var b strings.Builder
	b.WriteString(r.Path)
	for i := range r.Args {
		b.WriteByte(' ')
		b.WriteString(r.Args[i].Text)
	}
	return b.String()
}
