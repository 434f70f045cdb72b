package redact

import (
	"strings"

	"github.com/caro-mesh/caro-node/observer/wordset"
)

// wrapper is a command whose argument is again a command.
type wrapper struct {
	takes    string // options with a value in the next word
	operands int    // operands before the command
	sub      string // the wrapper's own subcommand: "poetry run"
}

var wrappers = map[string]wrapper{
	"sudo":        {takes: "-u -g -h -p -C -r -t -T -U -D -R --user --group --host --prompt --chdir --chroot"},
	"doas":        {takes: "-u -C"},
	"env":         {takes: "-u -C --unset --chdir"},
	"time":        {takes: "-f -o"},
	"nice":        {takes: "-n"},
	"ionice":      {takes: "-c -n -p"},
	"nohup":       {},
	"setsid":      {},
	"command":     {},
	"builtin":     {},
	"exec":        {takes: "-a"},
	"stdbuf":      {takes: "-i -o -e"},
	"timeout":     {takes: "-k -s --signal --kill-after", operands: 1},
	"gtimeout":    {takes: "-k -s --signal --kill-after", operands: 1},
	"xargs":       {takes: "-I -n -P -L -s -d -E -a"},
	"watch":       {takes: "-n --interval"},
	"strace":      {takes: "-e -o -p -s -u"},
	"ltrace":      {takes: "-e -o -p -s -u"},
	"ssh":         {takes: "-p -i -l -o -L -R -D -F -J -W -b -c -E -e -I -m -O -Q -S -w -B", operands: 1},
	"mosh":        {operands: 1},
	"sshpass":     {takes: "-p -f -d -P"},
	"chroot":      {operands: 1},
	"runuser":     {takes: "-u -g -G"},
	"gosu":        {operands: 1},
	"su-exec":     {operands: 1},
	"flock":       {takes: "-w -E", operands: 1},
	"parallel":    {takes: "-j -P"},
	"proxychains": {takes: "-f"}, "proxychains4": {takes: "-f"},
	"torsocks": {}, "torify": {},
	"unbuffer":    {},
	"caffeinate":  {takes: "-t -w"},
	"systemd-run": {takes: "-p --unit -u --uid"},
	"taskset":     {operands: 1},
	"eatmydata":   {},
	"poetry":      {sub: "run"}, "pipenv": {sub: "run"}, "uv": {sub: "run"}, "rye": {sub: "run"},
	"bundle": {sub: "exec"}, "pnpm": {sub: "exec"}, "npx": {}, "bunx": {}, "mise": {sub: "exec"},
}

var (
	// reserved words stand before a command.
	reserved = wordset.Of(`if then elif else while until do ! { time coproc begin and or not case in function`)
	// runners run a command somewhere else, behind options that are too many to know.
	runners = wordset.Of(`docker podman nerdctl docker-compose podman-compose kubectl oc lxc incus multipass vagrant minikube flyctl
		fly heroku nomad gcloud az aws finch`)
	// bareFlags are options of runners without a value.
	bareFlags = wordset.Of(`-i -t -it -ti -d -T --rm --tty --interactive --detach --init --privileged --no-TTY --no-deps --stdin -- -itd
		-dit -c`)
	// shells take commands as text.
	shells = wordset.Of(`sh bash zsh dash ash ksh mksh fish rbash busybox eval ssh su watch trap tmux screen at batch xargs mosh runuser
		autossh expect script flock entr parallel hyperfine nsenter`)
	// declarers take assignments.
	declarers = wordset.Of("export declare typeset local readonly env setenv")
	searchers = wordset.Of(`grep egrep fgrep zgrep zegrep bzgrep xzgrep rg ripgrep ag ack pgrep pkill find fd fdfind locate mdfind apropos man
		whatis which type ugrep sift`)
	// speakers have options for prose.
	speakers = wordset.Of("git gh glab hub svn hg jj bzr arc tea gcloud-notes")
	printers = wordset.Of("echo printf print builtin-echo")
	clients  = wordset.Of("http https xh xhs")
)

// head is a command within a simple command: `sudo`, and `mysql` behind it.
type head struct {
	name string // without folder
	at   int    // index of the word
	to   int    // where its own arguments end: at the next head
}

// maxHeads bounds how many wrappers around a command are looked through.
const maxHeads = 12

// heads finds the commands of a simple command, the outermost first. What stands before them (assignments, reserved
// words, the times of a line of cron) is passed over.
func heads(ws []word, known func(string) bool) []head {
	var out []head
	i := 0
	for i < len(ws) && len(out) < maxHeads {
		text := ws[i].text
		if text == "" || reserved.Has(text) || isAssignment(text) || strings.Trim(text, "0123456789*,-/") == "" {
			i++
			continue
		}
		name := baseName(text)
		out = append(out, head{name: name, at: i, to: len(ws)})
		next := inner(ws, i, name, known)
		if next <= i || next >= len(ws) {
			break
		}
		out[len(out)-1].to = next
		i = next
	}
	return out
}

// inner returns the index of the command that the one at i runs, or -1.
func inner(ws []word, i int, name string, known func(string) bool) int {
	if x, ok := wrappers[name]; ok {
		k := i + 1
		if x.sub != "" {
			if k >= len(ws) || ws[k].text != x.sub {
				return -1
			}
			k++
		}
		need := x.operands
		for ; k < len(ws); k++ {
			text := ws[k].text
			switch {
			case text == "--":
			case strings.HasPrefix(text, "-") && len(text) > 1:
				if len(text) < 32 && strings.Contains(" "+x.takes+" ", " "+text+" ") {
					k++
				}
			case (name == "env" || name == "sudo" || name == "doas") && isAssignment(text):
			case need > 0:
				need--
			default:
				return k
			}
		}
		return -1
	}
	exec := name == "find" || name == "fd"
	for k := i + 1; k+1 < len(ws); k++ {
		text := ws[k].text
		if text == "--" || exec && (text == "-exec" || text == "-execdir" || text == "-ok" || text == "-x") {
			return k + 1
		}
	}
	if !runners.Has(name) {
		return -1
	}
	for k := i + 2; k < len(ws); k++ {
		before := ws[k-1].text
		if known(baseName(ws[k].text)) && (!strings.HasPrefix(before, "-") || bareFlags.Has(before) || before == "--entrypoint") {
			return k
		}
	}
	return -1
}

func baseName(s string) string {
	if k := strings.LastIndexByte(s, '/'); k >= 0 {
		s = s[k+1:]
	}
	return strings.TrimSuffix(s, ".exe")
}

// isAssignment reports NAME=value.
func isAssignment(s string) bool {
	k := strings.IndexByte(s, '=')
	if k <= 0 || k > maxName || is(s[0], setDigit) {
		return false
	}
	for i := range k {
		if !is(s[i], setWord) && !(s[i] == '+' && i == k-1) {
			return false
		}
	}
	return true
}
