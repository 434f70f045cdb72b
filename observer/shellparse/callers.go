package shellparse

import (
	"slices"
	"strings"

	"github.com/caro-mesh/caro-node/observer/wordset"
)

// maxForeign bounds the program text in another language that is searched for commands.
const maxForeign = 64 << 10

// callers are the names behind which a language runs its argument as a command.
var callers = strings.Fields(`os.system os.popen os.execvp os.execvpe os.execv os.execve os.execl os.execlp os.execle
	os.spawnl os.spawnlp os.spawnv os.spawnvp os.posix_spawn os.spawn pty.spawn commands.getoutput commands.getstatusoutput
	subprocess.run subprocess.call subprocess.Popen subprocess.check_call subprocess.check_output subprocess.getoutput
	subprocess.getstatusoutput create_subprocess_shell create_subprocess_exec
	system system2 popen popen3 exec execSync spawn spawnSync execFile execFileSync shell_exec passthru proc_open pcntl_exec
	os.execute io.popen Kernel.system Kernel.exec Process.spawn IO.popen Open3.capture2 Open3.capture2e Open3.capture3
	Open3.popen3 qx %x Bun.spawn Bun.spawnSync Deno.Command Deno.run exec.Command Command::new
	System.cmd System.shell os.cmd os:cmd ProcessBuilder Sys.command callCommand shell-command shell-command-to-string
	call-process run-program uiop:run-program shelljs.exec execa execaSync`)

// phrases are callers of more than one word.
var phrases = []string{"do shell script"}

// pythonCallers adds the names that "from subprocess import" brings in.
var pythonCallers = append([]string{"run", "call", "Popen", "check_call", "check_output", "getoutput"}, callers...)

// foreign looks for shell commands in the program text of another language: constants, or lists of them, behind a name that
// runs commands, and backquotes where the language has them.
func (w *walker) foreign(i int, code, lang string) {
	if !w.spend(len(code)) {
		return
	}
	if len(code) > maxForeign {
		code, w.cmd.Truncated = code[:maxForeign], true
	}
	names := callers
	switch lang {
	case "python":
		if strings.Contains(code, "subprocess") {
			names = pythonCallers
		}
	case "osascript":
		names = phrases
	case "julia":
		names = []string{"run", "read", "pipeline"}
	case "tclsh", "expect":
		w.toolCommands(i, code)
		return
	}
	var seen []string // what callers were given
	for at, n := 0, 0; at < len(code) && n < maxFields && w.step(); n++ {
		name, end := nextCaller(code, at, names)
		if end < 0 {
			break
		}
		at = end
		list, next := argument(code, end, name == "qx" || name == "%x")
		if next > at {
			at = next
		}
		w.called(i, list)
		if len(list) > 0 {
			seen = append(seen, list[0].Text)
		}
	}
	w.executed(i, code)
	if containsAny(code, runners) || containsAny(code, indirect) {
		w.spoken(i, code, seen)
	}
	if lang == "awk" {
		w.awkPipes(i, code)
	}
	w.decoded(i, code, lang)
	if lang == "node" { // Bun and zx run what stands behind $
		parts := strings.Split(code, "$`")
		for _, p := range parts[1:] {
			if text, _, ok := strings.Cut(p, "`"); ok {
				w.childCode(i, text, Source{}, nil, nil)
			}
		}
	}
	if lang == "perl" || lang == "ruby" || lang == "php" {
		parts := strings.Split(code, "`")
		for k := 1; k+1 < len(parts); k += 2 {
			w.childCode(i, parts[k], Source{}, nil, nil)
		}
	}
}

// called runs what a caller was given: a program and its arguments, or a command line.
func (w *walker) called(i int, list []Word) {
	switch {
	case len(list) == 0 || list[0].Text == "":
	case len(list) > 1 && !strings.ContainsAny(list[0].Text, " ;|&"):
		w.childWords(i, list, Source{}, nil)
	default:
		w.childCode(i, list[0].Text, Source{}, nil, nil)
	}
}

// indirect are further signs that a program text runs commands: through a module under another name, or a pipe.
var indirect = []string{"child_process", "import os", "os import", "getline", `| "sh"`, `|"sh"`, `| "bash"`, `|"bash"`, `"|sh`, `"| sh`, "|bash",
	"getattr(", "Open3", "process.", "ProcessBuilder"}

// spoken runs the constants of a program text that are command lines of programs which destroy or send something, whatever
// variable or name they reach the shell through. Constants that are the direct argument of a caller were seen already.
func (w *walker) spoken(i int, code string, seen []string) {
	for at, n := 0, 0; at < len(code) && n < maxFields && w.step(); n++ {
		k := strings.IndexAny(code[at:], "'\"`")
		if k < 0 {
			return
		}
		text, end := stringLiteral(code, at+k)
		at = max(end, at+k+1)
		first, rest, ok := strings.Cut(text, " ")
		if ok && strings.Trim(rest, " ") != "" && commanding.Has(first) && code[at-1] != '`' && !slices.Contains(seen, text) {
			w.childCode(i, text, Source{}, nil, nil)
		}
	}
}

// commanding are programs with which such a constant begins. Words that prose begins with are not among them.
var commanding = wordset.Of(`rm /bin/rm /usr/bin/rm sudo dd mkfs mkfs.ext4 mkfs.xfs mke2fs shred wipefs blkdiscard curl wget nc ncat bash sh zsh
	/bin/sh /bin/bash chmod chown killall pkill iptables userdel crontab dropdb systemctl kubectl terraform docker scp rsync ssh
	sgdisk cryptsetup lvremove vgremove zfs zpool psql mysql`)

// executed finds Groovy's "command".execute() and Scala's "command".!
func (w *walker) executed(i int, code string) {
	for _, call := range [...]string{".execute()", ".!"} {
		k := strings.Index(code, call)
		if k < 2 || strings.IndexByte("'\"", code[k-1]) < 0 {
			continue
		}
		if start := strings.LastIndexByte(code[:k-1], code[k-1]); start >= 0 {
			w.childCode(i, code[start+1:k-1], Source{}, nil, nil)
		}
	}
}

// awkPipes finds the commands that awk reads from or writes to: "command" | getline and print | "command".
func (w *walker) awkPipes(i int, code string) {
	for at := 0; at < len(code) && w.step(); {
		k := strings.IndexByte(code[at:], '"')
		if k < 0 {
			return
		}
		if k += at; pipedName(code, k) {
			text, end := stringLiteral(code, k)
			at = max(end, k+1)
			w.childCode(i, text, Source{}, nil, nil)
			continue
		}
		text, end := stringLiteral(code, k)
		at = max(end, k+1)
		before := strings.TrimRight(code[:k], " &")
		after := strings.TrimLeft(code[min(end, len(code)):], " ")
		if strings.HasSuffix(before, "|") || strings.HasPrefix(after, "|") && strings.Contains(after[:min(len(after), 12)], "getline") {
			if !strings.HasPrefix(text, "/inet/") {
				w.childCode(i, text, Source{}, nil, nil)
			}
		}
	}
}

// pipedName reports whether the constant at k is given to a variable that a program of awk reads from or writes to.
func pipedName(code string, k int) bool {
	name := strings.TrimRight(code[:k], " ")
	if !strings.HasSuffix(name, "=") {
		return false
	}
	name = strings.TrimRight(name[:len(name)-1], " ")
	start := len(name)
	for start > 0 && isNameByte(name[start-1]) {
		start--
	}
	if name = name[start:]; name == "" {
		return false
	}
	rest := strings.ReplaceAll(code[k:], " ", "")
	return strings.Contains(rest, name+"|getline") || strings.Contains(rest, "|"+name) || strings.Contains(rest, name+"|&getline")
}

// toolCommands finds exec and spawn of Tcl, whose arguments are words and not constants.
func (w *walker) toolCommands(i int, code string) {
	for _, name := range [...]string{"exec", "spawn", "system"} {
		for at := 0; w.step(); {
			_, end := nextCaller(code, at, []string{name})
			if end < 0 {
				break
			}
			at = end
			rest := code[end:]
			if k := strings.IndexAny(rest, ";]}\n"); k >= 0 {
				rest = rest[:k]
			}
			w.childCode(i, strings.Trim(rest, " {\""), Source{}, nil, nil)
		}
	}
}

// runners are parts of the names with which a language runs text that it has computed.
var runners = []string{"exec", "eval", "system", "popen", "Popen", "subprocess", "spawn", "compile(", "Function(", "passthru",
	"os.cmd", "import_module", "assert(", "loads("}

// decoderCalls begin calls that turn encoded text back.
var decoderCalls = []string{"b64decode(", "base64_decode(", "decode_base64(", "atob(", "Buffer.from(", "decode64(", "fromhex(",
	"unhexlify(", "hex2bin("}

// decoded looks into constants that the program text decodes and runs: they are commands, or program text again.
func (w *walker) decoded(i int, code, lang string) {
	if w.ctx.depth >= maxDepth || !containsAny(code, runners) {
		return
	}
	for _, name := range decoderCalls {
		at := strings.Index(code, name)
		if at < 0 {
			continue
		}
		list, _ := argument(code, at+len(name), false)
		if len(list) == 0 || list[0].Open {
			continue
		}
		inner, ok := decode(list[0].Text, true)
		if strings.Contains(name, "hex") {
			inner, ok = unhex(list[0].Text)
		}
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

func containsAny(s string, parts []string) bool {
	for _, p := range parts {
		if strings.Contains(s, p) {
			return true
		}
	}
	return false
}
