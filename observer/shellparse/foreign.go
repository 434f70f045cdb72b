package shellparse

import (
	"strings"
)

// language names the language of an interpreter that is not a shell; empty for other programs.
func language(program string) string {
	switch {
	case strings.HasPrefix(program, "python"), strings.HasPrefix(program, "pypy"), program == "ipython":
		return "python"
	case strings.HasPrefix(program, "perl"):
		return "perl"
	case strings.HasPrefix(program, "ruby") && !strings.HasPrefix(program, "rubyg"), program == "irb",
		program == "jruby":
		return "ruby"
	case program == "node" || program == "nodejs" || program == "deno" || program == "bun" || program == "tsx" ||
		program == "ts-node":
		return "node"
	case strings.HasPrefix(program, "php") && len(program) <= len("php8.3"):
		return "php"
	case strings.HasPrefix(program, "lua"):
		return "lua"
	case program == "osascript", program == "tclsh", program == "expect",
		program == "Rscript",
		program == "groovy", program == "pwsh", program == "powershell", program == "elixir", program == "raku",
		program == "julia":
		return program
	case program == "go":
		return "go"
	case program == "awk" || program == "gawk" || program == "mawk" || program == "nawk" || program == "original-awk":
		return "awk"
	case inlineOptions[program] != "":
		return program
	case program == "sed" || program == "gsed":
		return "sed"
	}
	return ""
}

// inlineOptions lists the options behind which further interpreters take program text.
var inlineOptions = map[string]string{
	"R": "-e", "swift": "-e", "octave": "--eval", "erl": "-eval", "guile": "-c", "emacs": "--eval -eval", "emacsclient": "-e --eval",
	"ocaml": "-e", "gnuplot": "-e", "sbcl": "--eval", "clojure": "-e", "clj": "-e -M", "bb": "-e", "scala": "-e",
	"racket":  "-e",
	"crystal": "eval", "kotlin": "-e", "kotlinc": "-e", "swipl": "-g", "janet": "-e", "nim": "--eval", "ghc": "-e",
	"runghc": "-e",
	"jshell": "-s", "zx": "-e --eval", "csi": "-e", "rust-script": "-e", "micropython": "-c", "bpython": "-c", "sage": "-c",
}

// interpreter finds the program text that an interpreter is given and the shell commands in it.
func (w *walker) interpreter(i int, r Run, lang string) {
	switch lang {
	case "awk", "sed":
		w.filterProgram(i, r, lang)
		return
	case "pwsh", "powershell":
		w.behindCommand(i, r)
		return
	}
	for j := 0; j < len(r.Args); j++ {
		a := r.Args[j]
		t := a.Text
		if (lang == "ruby" || lang == "perl" || lang == "node" || lang == "lua") && (t == "-r" || t == "-I" ||
			t == "-l" && lang == "lua" ||
			t == "--require" || t == "--import") {
			j++
			continue
		}
		var inline bool
		switch lang {
		case "python":
			if t == "-m" { // a module is not program text
				return
			}
			inline = len(t) > 1 && t[0] == '-' && t[1] != '-' && strings.HasSuffix(t, "c")
			if t == "-W" || t == "-X" {
				j++
				continue
			}
		case "perl", "ruby", "lua", "luajit", "julia", "elixir", "Rscript", "osascript", "groovy", "raku":
			inline = len(t) > 1 && len(t) < 8 && t[0] == '-' && strings.IndexByte("-MmIr", t[1]) < 0 &&
				(strings.HasSuffix(t,
					"e") || strings.HasSuffix(t, "E"))
		case "node":
			inline = t == "-e" || t == "-p" || t == "-pe" || t == "--eval" || t == "--print" || t == "eval"
		case "php":
			inline = t == "-r" || t == "-R"
			if t == "-d" || t == "-c" {
				j++
				continue
			}
		case "expect":
			inline = t == "-c"
		default:
			inline = hasField(inlineOptions[lang], t)
		}
		if code, ok := attached(t, lang); ok {
			w.cmd.Runs[i].Code = Source{Text: code, Known: true, From: a.From}
			w.foreign(i, code, lang)
			return
		}
		switch {
		case inline && j+1 < len(r.Args):
			code := r.Args[j+1]
			w.cmd.Runs[i].Code = Source{Text: code.Text, Known: true, From: code.From}
			w.foreign(i, code.Text, lang)
			return
		case strings.HasPrefix(t, "-") && t != "-":
			continue
		case t == "run" && (lang == "node" || lang == "go"):
			continue
		case lang == "go" && j == 0: // go build, go test, …
			return
		}
		src := w.fileSource(a)
		if t == "-" || t == "/dev/stdin" {
			src = r.Stdin
		}
		w.cmd.Runs[i].Code = src
		if src.Known {
			w.foreign(i, src.Text, lang)
		}
		return
	}
	w.cmd.Runs[i].Code = r.Stdin
	if r.Stdin.Known {
		w.foreign(i, r.Stdin.Text, lang)
	}
}

// behindCommand runs what stands behind -Command or /c. PowerShell and cmd are read as if they were a shell: names and
// operands look alike.
func (w *walker) behindCommand(i int, r Run) {
	bare := r.Name != "cmd" && len(r.Args) > 0 && !strings.HasPrefix(r.Args[0].Text, "-") &&
		!strings.HasPrefix(r.Args[0].Text, "/") &&
		!strings.HasSuffix(r.Args[0].Text, ".ps1")
	if bare { // powershell Get-Item x
		w.child(i, joined(r.Args), Source{}, nil)
		return
	}
	for j, a := range r.Args {
		option := strings.ToLower(a.Text)
		if len(option) > 1 && option[0] == '-' && j+1 < len(r.Args) && (strings.HasPrefix("-encodedcommand", option) ||
			option == "-ec") {
			if text, ok := encodedCommand(r.Args[j+1].Text); ok {
				w.child(i, Word{Text: text}, Source{}, nil)
			} else {
				w.cmd.Runs[i].Code = Source{From: r.Args[j+1].From, Text: "", Known: true}
			}
			return
		}
		switch option {
		case "-c", "-command", "/c", "/k":
			if j+1 < len(r.Args) {
				w.child(i, joined(r.Args[j+1:]), Source{}, nil)
			}
			return
		}
	}
}

// attached returns the program text that follows its option in the same word: ruby -e'code'.
func attached(t, lang string) (string, bool) {
	letter := byte('e')
	switch lang {
	case "python":
		letter = 'c'
	case "php":
		letter = 'r'
	case "perl", "ruby", "lua", "node":
	default:
		return "", false
	}
	if len(t) < 4 || t[0] != '-' || t[1] == '-' {
		return "", false
	}
	k := strings.IndexByte(t, letter)
	if k < 0 || strings.Trim(t[1:k], "abcdefghijklmnopqrstuvwxyz0123456789") != "" || !strings.ContainsAny(t[k+1:],
		" (){};'\"`$<>") {
		return "", false
	}
	return t[k+1:], true
}

// filterProgram handles awk and sed, whose first operand is their program.
func (w *walker) filterProgram(i int, r Run, lang string) {
	for j := 0; j < len(r.Args); j++ {
		a := r.Args[j]
		switch t := a.Text; {
		case lang == "awk" && (t == "-F" || t == "-v"):
			j++
			continue
		case t == "-e" || t == "--expression":
			if j+1 < len(r.Args) {
				a = r.Args[j+1]
			}
		case t == "-f" || t == "--file":
			return
		case strings.HasPrefix(t, "-"):
			continue
		}
		w.cmd.Runs[i].Code = Source{Text: a.Text, Known: true, From: a.From}
		if lang == "awk" {
			w.foreign(i, a.Text, lang)
			return
		}
		// GNU sed: "1e command" runs a command.
		prog := strings.TrimLeft(a.Text, "0123456789,$ ")
		if code, ok := strings.CutPrefix(prog, "e "); ok {
			w.childCode(i, code, Source{}, nil, nil)
		}
		return
	}
}
