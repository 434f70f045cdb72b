package risk

import (
	"strings"

	"github.com/caro-mesh/caro-node/observer/shellparse"
)

var shellRules = []Rule{
	{ID: "shell.fork-bomb", Level: critical, Reason: "It starts copies of itself without end until the machine stands still.", Suggestion: "Do not run it; ulimit -u limits the number of processes."},
	{ID: "shell.too-large", Level: high, Reason: "It is too large or too deeply nested to be judged as a whole.", Suggestion: "Put it into a file and read it before running it."},
	{ID: "shell.unparsed", Level: moderate, Reason: "A command that can destroy things stands in a line that could not be read with certainty.", Suggestion: "Write the line in a simpler way."},
	{ID: "code.remote", Level: high, Reason: "It runs a program from the network that nobody has looked at.", Suggestion: "Download it to a file, read it, and run it then."},
	{ID: "code.remote-root", Level: critical, Reason: "It runs a program from the network with root's rights.", Suggestion: "Download it to a file, check its signature or read it, and run it then."},
	{ID: "code.remote-plain", Level: critical, Reason: "It runs a program that arrives without protection, so that anybody on the way can replace it.", Suggestion: "Use https with certificate checks, and read the program before running it."},
	{ID: "code.decoded", Level: high, Reason: "It runs text that was encoded, so that nobody can see what it does.", Suggestion: "Decode it to the screen first."},
	{ID: "code.decoded-root", Level: critical, Reason: "It runs encoded text with root's rights.", Suggestion: "Decode it to the screen first."},
	{ID: "code.piped", Level: moderate, Reason: "It runs the output of another command as a program.", Suggestion: "Look at the output first."},
	{ID: "code.foreign-remove", Level: high, Reason: "The program text deletes a folder with everything in it.", Suggestion: "Print the path first."},
	{ID: "code.foreign-destroy", Level: critical, Reason: "The program text destroys system folders, a home folder or a disk.", Suggestion: "Do not run it."},
	{ID: "log.history-wipe", Level: high, Reason: "It deletes the record of what was typed.", Suggestion: "Delete the one entry that is wrong with history -d."},
	{ID: "log.history-off", Level: high, Reason: "It stops the recording of what is typed.", Suggestion: "Begin the one command with a blank instead."},
	{ID: "log.history-entry", Level: moderate, Reason: "It deletes an entry of the history.", Suggestion: "None is needed if the entry holds a secret."},
	{ID: "log.wipe", Level: high, Reason: "It deletes system logs, and with them the record of what happened.", Suggestion: "Let logrotate or journalctl --vacuum-time remove old entries.", when: []string{
		"journalctl --vacuum-time=1s|--vacuum-time=1|--vacuum-time=0*|--vacuum-size=1*K|--vacuum-size=1|--vacuum-size=0*|--vacuum-files=0", "wevtutil cl|clear-log", "Clear-EventLog", "auditctl -D", "auditctl -e 0", "utmpdump|wtmpclean ...", "Clear-History", "log erase",
	}},
	{ID: "log.edit", Level: high, Reason: "It removes entries from a log or a history.", Suggestion: "Leave logs as they are."},
	{ID: "log.rotate", Level: moderate, Reason: "It removes old log entries.", Suggestion: "Keep as long as your rules ask.", when: []string{"journalctl --vacuum-time=*|--vacuum-size=*|--vacuum-files=*|--vacuum-time|--vacuum-size|--rotate|--flush", "logrotate -f|--force", "dmesg -C|-c|--clear"}},
}

func init() {
	register(historyCommand, "history", "fc")
	register(setCommand, "set", "shopt", "unset", "export", "declare", "typeset", "setopt", "unsetopt")
}

var shells = set(`sh bash zsh dash ksh mksh ash rbash fish csh tcsh ksh93 yash busybox pwsh powershell`)

// interpreters run what they read from their input.
var interpreters = set(`sh bash zsh dash ksh mksh ash rbash fish csh tcsh ksh93 yash eval source . python python2 python3 perl ruby node nodejs php lua
	pwsh powershell iex Invoke-Expression osascript tclsh at batch crontab su sudo doas ssh bun deno Rscript expect`)

// dangerous are programs whose mere presence in a line that could not be read is worth a warning.
var dangerous = set(`rm dd mkfs mke2fs shred wipefs fdisk parted sgdisk chmod chown mv find kill killall pkill shutdown reboot halt poweroff init telinit
	iptables nft ufw systemctl crontab userdel usermod passwd curl wget nc ncat socat bash sh eval sudo su doas git docker kubectl terraform psql mysql truncate rsync format del rd diskutil`)

// historyFiles hold what was typed.
var historyFiles = set(`.bash_history .zsh_history .zhistory .history .sh_history fish_history .python_history .mysql_history .psql_history .lesshst .node_repl_history .rediscli_history .sqlite_history .histfile .ash_history`)

func isHistory(path, dir string) bool {
	if path == "$HISTFILE" {
		return true
	}
	base := path[strings.LastIndexByte(path, '/')+1:]
	return historyFiles[base] || strings.HasPrefix(base, ".bash_histor") || strings.HasPrefix(base, ".zsh_histor") || base == ".*_history" || base == ".*history" || strings.HasPrefix(base, ".histor") && dir == "~"
}

// isLog reports whether a path is a log of the system.
func isLog(path, dir string) bool {
	c := pathOf(path, dir)
	return c == "/var/log" || strings.HasPrefix(c, "/var/log/") || strings.HasPrefix(c, "/private/var/log") || c == "/var/run/utmp" || c == "/run/utmp" || strings.HasPrefix(c, "/run/log/journal")
}

func historyCommand(a *assessor, r *shellparse.Run) {
	switch {
	case r.Name == "fc":
		if r.Has("-p") && len(r.Args) == 1 {
			a.hit("log.history-off")
		}
	case hasOption(r, []string{"-c"}) || r.Arg(0) == "clear" || r.Arg(0) == "clear-session":
		a.hit("log.history-wipe")
	case hasOption(r, []string{"-d"}) || r.Arg(0) == "delete":
		a.pick(strings.Contains(r.Line(), "-1000") || strings.Contains(r.Line(), " 1-"), "log.history-wipe", "log.history-entry")
	}
}

func setCommand(a *assessor, r *shellparse.Run) {
	switch r.Name {
	case "set":
		if i := indexOf(r, "+o"); i >= 0 && r.Arg(i+1) == "history" || r.Has("+H") && r.Has("history") {
			a.hit("log.history-off")
		}
		for i, w := range r.Args { // fish: set -x HISTFILE …
			if i > 0 && w.Text == "fish_history" || w.Text == "HISTFILE" {
				a.hit("log.history-off")
			}
		}
	case "unset":
		if r.Has("HISTFILE") || r.Has("HISTSIZE") || r.Has("HISTFILESIZE") || r.Has("PROMPT_COMMAND") && r.Has("-f") {
			a.hit("log.history-off")
		}
	case "shopt":
		if r.Has("-u") && r.Has("histappend") {
			a.hit("log.history-entry")
		}
	default:
		for _, w := range r.Args {
			if name, value, ok := strings.Cut(w.Text, "="); ok {
				a.assigned(name, value)
			}
		}
	}
}

func (a *assessor) assignments() {
	for _, as := range a.at.Assigns {
		a.assigned(as.Name, as.Value.Text)
	}
}

// assigned judges variables that turn protection off.
func (a *assessor) assigned(name, value string) {
	switch name {
	case "HISTFILE":
		if value == "/dev/null" || value == "" {
			a.hit("log.history-off")
		}
	case "HISTSIZE", "HISTFILESIZE", "SAVEHIST":
		if value == "0" || value == "" {
			a.hit("log.history-off")
		}
	case "LD_PRELOAD", "DYLD_INSERT_LIBRARIES":
		if strings.HasPrefix(value, "/tmp/") || strings.HasPrefix(value, "./") || strings.HasPrefix(value, "/dev/shm") {
			a.hit("account.preload")
		}
	case "NODE_TLS_REJECT_UNAUTHORIZED":
		if value == "0" {
			a.hit("network.no-tls-check")
		}
	}
}

// fetchers print or write what they get from the network.
var fetchers = set(`curl wget fetch aria2c http https xh lynx links w3m GET ftp tftp lwp-request lwp-download curlie axel nc ncat netcat telnet socat dig host nslookup Invoke-WebRequest iwr irm Invoke-RestMethod`)

// decoders turn encoded text back.
func decodes(r *shellparse.Run) bool {
	switch r.Name {
	case "base64", "gbase64", "base32", "basenc":
		return hasOption(r, []string{"-d", "-D", "--decode"})
	case "openssl":
		return hasWord(r, []string{"-d"}) || r.Has("enc") && r.Has("-d")
	case "xxd":
		return hasOption(r, []string{"-r"})
	case "uudecode", "rev":
		return true
	case "tr":
		return rotates(r)
	case "gpg":
		return hasOption(r, []string{"-d", "--decrypt"})
	}
	return false
}

// rotates reports whether tr exchanges letters for other letters, as rot13 does, and not merely cases.
func rotates(r *shellparse.Run) bool {
	from, to := r.Arg(0), r.Arg(1)
	return len(from) > 2 && len(to) > 2 && (strings.Contains(to, "n-z") || strings.Contains(to, "N-Z") || strings.Contains(from, "n-z"))
}

// interpreted judges where the code comes from that a run interprets.
func (a *assessor) interpreted() {
	r := a.at
	if r.Name == "ssh" || r.Name == "crontab" && !r.Has("-") && !r.Code.Present() {
		a.foreign()
		return
	}
	executed := strings.Contains(r.Path, "/") && len(r.Code.From) > 0 // a file that the line wrote
	if !interpreters[r.Name] && !executed {
		return
	}
	a.foreign()
	if !r.Code.Present() || len(r.Code.From) == 0 {
		return
	}
	remote, plain, decoded := false, false, false
	for _, i := range a.cmd.Upstream(shellparse.Source{From: r.Code.From}) {
		u := &a.cmd.Runs[i]
		switch {
		case fetchers[u.Name] && !local(u):
			remote = true
			plain = plain || insecure(u)
		case decodes(u):
			decoded = true
		}
	}
	switch {
	case remote && r.Root:
		a.hit("code.remote-root")
	case remote && (plain || decoded):
		a.hit("code.remote-plain")
	case remote:
		a.hit("code.remote")
	case decoded && r.Root:
		a.hit("code.decoded-root")
	case decoded:
		a.hit("code.decoded")
	case !r.Code.Known && shells[r.Name] && r.Name != "source" && a.cmd.Runs[r.Code.From[0]].Depth <= r.Depth:
		a.hit("code.piped")
	}
}

// local reports whether a fetcher only talks to this machine or is only asked for its version.
func local(r *shellparse.Run) bool {
	for i := range r.Args {
		t := r.Args[i].Text
		if strings.Contains(t, "localhost") || strings.Contains(t, "127.0.0.1") || strings.HasPrefix(t, "file://") || t == "--version" || t == "--help" {
			return true
		}
	}
	return false
}

// insecure reports whether a fetch is open to replacement on the way: plain http, a bare address, checks turned off.
func insecure(r *shellparse.Run) bool {
	if r.Name == "curl" && hasOption(r, []string{"-k", "--insecure"}) || r.Name == "wget" && hasOption(r, []string{"--no-check-certificate"}) {
		return true
	}
	for i := range r.Args {
		t := r.Args[i].Text
		if strings.HasPrefix(t, "http://") || strings.HasPrefix(t, "ftp://") || bareAddress(t) {
			return true
		}
	}
	return r.Name == "nc" || r.Name == "ncat" || r.Name == "netcat" || r.Name == "telnet" || r.Name == "tftp" || r.Name == "dig"
}

// bareAddress reports whether a URL or host is an IPv4 address.
func bareAddress(s string) bool {
	if i := strings.Index(s, "://"); i >= 0 {
		s = s[i+3:]
	}
	if i := strings.IndexAny(s, "/:"); i >= 0 {
		s = s[:i]
	}
	return strings.Count(s, ".") == 3 && strings.Trim(s, "0123456789.") == ""
}

// foreign judges program text in other languages.
func (a *assessor) foreign() {
	r := a.at
	if !r.Code.Known || shells[r.Name] || r.Name == "eval" || r.Name == "ssh" || r.Name == "su" {
		return
	}
	code := r.Code.Text
	for _, name := range [...]string{"rmtree(", "rmtree ", "rm_rf", "rm_r", "rmSync(", "rmdirSync(", "removeSync(", "remove_tree(", "unlinkSync(", "os.remove(", "os.unlink(", "unlink glob", "unlink(", "rimraf(", "rimraf.sync(", "fs.rm(", "fs.rmdir(", "deltree", "os.removedirs(", "File.delete("} {
		for rest := code; ; {
			i := strings.Index(rest, name)
			if i < 0 {
				break
			}
			rest = rest[i+len(name):]
			a.foreignRemoval(rest, strings.Contains(name, "nlink") || name == "os.remove(" || name == "File.delete(")
		}
	}
	if i := strings.Index(code, "/dev/"); i >= 0 && (strings.Contains(code, "open(") || strings.Contains(code, "writeFile") || strings.Contains(code, "'w") || strings.Contains(code, "createWriteStream")) {
		end := strings.IndexAny(code[i:], "'\"`")
		if end > 0 && isDisk(code[i:i+end]) && (strings.Contains(code, "'w") || strings.Contains(code, `"w`) || strings.Contains(code, "write") || strings.Contains(code, "'r+") || strings.Contains(code, ">")) {
			a.hit("code.foreign-destroy")
		}
	}
	flat := strings.ReplaceAll(code, " ", "")
	if strings.Contains(flat, "os.fork()") && strings.Contains(flat, "while") || strings.Contains(flat, "forkwhilefork") || strings.Contains(flat, "fork()while") || strings.Contains(flat, "forkwhile1") || strings.Contains(flat, "loop{fork") || strings.Contains(flat, "while(1){fork") || strings.Contains(flat, "while(true){require('child_process')") {
		a.hit("shell.fork-bomb")
	}
	if (strings.Contains(flat, "exec(") || strings.Contains(flat, "eval(")) && (strings.Contains(flat, "b64decode(") || strings.Contains(flat, "base64_decode(") || strings.Contains(flat, "decode_base64(") || strings.Contains(flat, "'base64'") || strings.Contains(flat, "fromhex(") || strings.Contains(flat, "Base64.decode") || strings.Contains(flat, "atob(")) {
		a.pick(r.Root, "code.decoded-root", "code.decoded")
	}
	if (strings.Contains(flat, "exec(") || strings.Contains(flat, "eval(")) && (strings.Contains(flat, "urlopen(") || strings.Contains(flat, "requests.get(") || strings.Contains(flat, "file_get_contents('http") || strings.Contains(flat, "http.get(")) {
		a.pick(r.Root, "code.remote-root", "code.remote")
	}
	a.foreignShell(flat)
}

// foreignRemoval judges the path at the start of an argument list.
func (a *assessor) foreignRemoval(args string, single bool) {
	args = strings.TrimLeft(args, " ([qwb")
	for _, p := range [...]string{"os.path.expanduser(", "path.expanduser(", "Path(", "glob(", "Dir.glob(", "Dir["} {
		args = strings.TrimPrefix(args, p)
	}
	w := shellparse.Word{Text: "$x", Open: true, Guarded: true}
	if args != "" && strings.IndexByte(`'"`+"`", args[0]) >= 0 {
		if end := strings.IndexByte(args[1:], args[0]); end >= 0 {
			w = shellparse.Word{Text: args[1 : 1+end]}
		}
	} else if strings.HasPrefix(args, "os.environ['HOME']") || strings.HasPrefix(args, `os.environ["HOME"]`) || strings.HasPrefix(args, "Path.home()") || strings.HasPrefix(args, "process.env.HOME") || strings.HasPrefix(args, "os.homedir()") || strings.HasPrefix(args, "Dir.home") || strings.HasPrefix(args, "ENV['HOME']") || strings.HasPrefix(args, "$ENV{HOME}") {
		w = shellparse.Word{Text: "~"}
	}
	switch p := placeOf(w, a.at.Dir); {
	case p == placeRoot || p == placeSystem || p == placeHome || p == placeDisk || p == placeVital && !strings.HasPrefix(w.Text, "~"):
		a.hit("code.foreign-destroy")
	case single || p == placeDisposed:
		a.hit("file.remove")
	default:
		a.hit("code.foreign-remove")
	}
}
