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
	case strings.HasPrefix(program, "lua"), program == "osascript", program == "tclsh", program == "expect",
		program == "Rscript",
		program == "groovy", program == "pwsh", program == "powershell", program == "elixir", program == "raku",
		program == "julia":
		return program
	case program == "go":
		return "go"
	case program == "awk" || program == "gawk" || program == "mawk" || program == "nawk":
		return "awk"
	case program == "sed" || program == "gsed":
		return "sed"
	}
	return ""
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
		inline := false
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
			inline = len(t) > 1 && t[0] == '-' && t[1] != '-' && (strings.HasSuffix(t, "e") || strings.HasSuffix(t,
				"E"))
		case "node":
			inline = t == "-e" || t == "-p" || t == "-pe" || t == "--eval" || t == "--print" || t == "eval"
		case "php":
			inline = t == "-r" || t == "-R"
		case "expect":
			inline = t == "-c"
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
	for j, a := range r.Args {
		switch strings.ToLower(a.Text) {
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

// maxForeign bounds the program text in another language that is searched for commands.
const maxForeign = 64 << 10

// callers are the names behind which a language runs its argument as a command.
var callers = []string{"os.system", "os.popen", "subprocess.run", "subprocess.call", "subprocess.Popen",
	"subprocess.check_call",
	"subprocess.check_output", "subprocess.getoutput", "os.execvp", "os.execv", "os.execl", "os.execlp", "os.spawn",
	"pty.spawn", "commands.getoutput",
	"system", "popen", "exec", "execSync", "spawn", "spawnSync", "execFile", "execFileSync", "shell_exec", "passthru",
	"proc_open",
	"os.execute", "io.popen", "do shell script", "Kernel.system", "IO.popen", "Open3.capture2", "qx", "%x"}

// pythonCallers adds the names that "from subprocess import" brings in.
var pythonCallers = append([]string{"run", "call", "Popen", "check_call", "check_output", "getoutput"}, callers...)

// foreign looks for shell commands in the program text of another language: string literals, or lists of them, behind a
// name that runs commands, and backquotes where the language has them.
func (w *walker) foreign(i int, code, lang string) {
	if !w.spend(len(code)) {
		return
	}
	if len(code) > maxForeign {
		code, w.cmd.Truncated = code[:maxForeign], true
	}
	names := callers
	if lang == "python" && strings.Contains(code, "subprocess") {
		names = pythonCallers
	}
	for at, n := 0, 0; at < len(code) && n < maxFields && w.step(); n++ {
		name, end := nextCaller(code, at, names)
		if end < 0 {
			break
		}
		at = end
		text, list, next := argument(code, end, name == "qx" || name == "%x")
		if next > at {
			at = next
		}
		switch {
		case len(list) > 1:
			words := make([]Word, len(list))
			for k, s := range list {
				words[k] = Word{Text: s}
			}
			w.childWords(i, words, Source{}, nil)
		case text != "":
			w.childCode(i, text, Source{}, nil, nil)
		}
	}
	w.decoded(i, code, lang)
	if lang == "perl" || lang == "ruby" || lang == "php" {
		parts := strings.Split(code, "`")
		for k := 1; k+1 < len(parts); k += 2 {
			w.childCode(i, parts[k], Source{}, nil, nil)
		}
	}
}

// decoded looks into constants that the program text decodes: they are commands, or program text again.
func (w *walker) decoded(i int, code, lang string) {
	if w.ctx.depth >= maxDepth {
		return
	}
	for _, name := range [...]string{"b64decode(", "base64_decode(", "decode_base64(", "atob(", "Buffer.from("} {
		at := strings.Index(code, name)
		if at < 0 {
			continue
		}
		text, _, _ := argument(code, at+len(name), false)
		inner, ok := decode(text, text != "")
		if !ok || inner == "" {
			continue
		}
		w.ctx.depth++
		w.foreign(i, inner, lang)
		w.ctx.depth--
		if lang != "python" || !strings.Contains(inner, "import ") {
			w.childCode(i, inner, Source{}, nil, nil)
		}
	}
}

// nextCaller finds the next caller at or behind at, and where its argument starts; -1 for none.
func nextCaller(code string, at int, names []string) (string, int) {
	best, bestEnd := -1, -1
	name := ""
	for _, c := range names {
		from := at
		for {
			k := strings.Index(code[from:], c)
			if k < 0 {
				break
			}
			k += from
			if best >= 0 && k > best {
				break
			}
			end := k + len(c)
			if (k == 0 || !isNameByte(code[k-1])) && (end == len(code) || !isNameByte(code[end])) {
				if best < 0 || k < best || end > bestEnd {
					best, bestEnd, name = k, end, c
				}
				break
			}
			from = end
		}
	}
	return name, bestEnd
}

// argument reads the string literal, or the list of them, behind a caller's name.
func argument(code string, at int, quoted bool) (text string, list []string, next int) {
	for at < len(code) && strings.IndexByte(" (\t", code[at]) >= 0 {
		if quoted && code[at] == '(' {
			break
		}
		at++
	}
	if at >= len(code) {
		return "", nil, at
	}
	if quoted {
		closer := strings.IndexByte("({[</|!", code[at])
		if closer < 0 {
			return "", nil, at
		}
		end := strings.IndexByte(code[at+1:], ")}]>/|!"[closer])
		if end < 0 {
			return code[at+1:], nil, len(code)
		}
		return code[at+1 : at+1+end], nil, at + end + 2
	}
	depth := 0
	for at < len(code) {
		switch c := code[at]; c {
		case '\'', '"', '`':
			s, end := stringLiteral(code, at)
			list = append(list, s)
			at = end
			if len(list) > maxFields {
				return "", nil, at
			}
		case '[', '(':
			depth++
			at++
		case ' ', ',', '\t', '\n', '+', '.':
			at++
		case ']', ')':
			at++
			depth--
			if depth <= 0 {
				return first(list), list, at
			}
		default:
			// Prefixes such as r"…" and b"…" count as strings, everything else ends the constant part.
			if at+1 < len(code) && strings.IndexByte("rbfu", c) >= 0 && strings.IndexByte("'\"", code[at+1]) >= 0 {
				at++
				continue
			}
			return first(list), list, at
		}
	}
	return first(list), list, at
}

func first(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}

// stringLiteral reads the quoted string at at and returns its value and where it ends.
func stringLiteral(code string, at int) (string, int) {
	q := code[at]
	for k := at + 1; k < len(code); k++ {
		switch code[k] {
		case '\\':
			k++
		case q:
			s := code[at+1 : k]
			if q != '\'' || strings.Contains(s, `\x`) || strings.Contains(s, `\'`) {
				s = unescape(s, escapeC)
			}
			return s, k + 1
		}
	}
	return code[at+1:], len(code)
}
