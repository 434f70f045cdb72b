package risk

import (
	"strings"

	"github.com/caro-mesh/caro-node/observer/shellparse"
	"github.com/caro-mesh/caro-node/observer/wordset"
)

var persistRules = []Rule{
	{
		ID: "persist.code", Level: critical, attack: true,
		Reason:     "It leaves behind a command that runs on its own later and fetches, opens or sends something.",
		Suggestion: "Put a script that you have read into its place, and name it there.",
	},
	{
		ID: "persist.key", Level: high,
		Reason:     "It lets the owner of a key log in that stands in the line itself or comes from elsewhere.",
		Suggestion: "Check the key's fingerprint with its owner, and use ssh-copy-id.",
	},
	{
		ID: "persist.stranger-key", Level: critical,
		Reason:     "It lets somebody log in whose key comes from the network.",
		Suggestion: "Download the key, check its fingerprint with its owner, and add it then.",
	},
	{
		ID: "persist.unit", Level: high,
		Reason:     "It makes the system start something from a folder where everybody can write.",
		Suggestion: "Install the file in a system folder that only root can write to, and read it first.",
		when: []string{
			"launchctl load|bootstrap|submit|enable ~LaunchAgents/com.apple.|/tmp/|/var/tmp/|/Users/Shared/",
		},
	},
	{
		ID: "persist.system-hook", Level: critical,
		Reason:     "It makes the kernel or the loader run a program at every event.",
		Suggestion: "Leave these settings to the system.",
	},
	{
		ID: "persist.disguise", Level: high, attack: true,
		Reason:     "It makes the name of an everyday command do something else that destroys or listens.",
		Suggestion: "Use another name.",
	},
	{
		ID: "persist.option-name", Level: high,
		Reason:     "It makes a file whose name other commands take for an option when they are given all files.",
		Suggestion: "Begin no file name with a minus.",
	},
	{
		ID: "code.hidden", Level: critical, attack: true,
		Reason:     "It starts a program that is hidden in a folder for temporary files.",
		Suggestion: "Look at what it is with file and strings, and delete it.",
	},
	{
		ID: "code.shared-memory", Level: high, attack: true,
		Reason:     "It starts a program from a folder for temporary files that the line made or that lives only in memory.",
		Suggestion: "Install programs where only their owner can write.",
	},
}

func init() {
	register(aliasCommand, "alias", "abbr")
	register(touchFiles, "touch")
	register(unitCommand, "systemctl")
}

// everyday are commands that people type without thinking.
var everyday = wordset.Of(`ls ll la cd cat less more vim vi nano emacs git grep find cp mv rm echo pwd man ssh scp sudo su doas make docker
	kubectl npm node python python3 pip curl wget exit clear history ps top df du tar apt brew htop code passwd gpg`)

// asking are commands that ask for a password.
var asking = wordset.Of(`sudo su doas ssh passwd gpg login pkexec scp sftp kinit mysql psql`)

// destroyers delete or overwrite.
var destroyers = wordset.Of(`rm shred dd mkfs wipefs srm unlink truncate`)

// aliasCommand judges names that are made to mean something else.
func aliasCommand(a *assessor, r *shellparse.Run) {
	for i := range r.Args {
		name, value, ok := strings.Cut(r.Args[i].Text, "=")
		if !ok && i+1 < len(r.Args) { // fish
			name, value = r.Args[i].Text, r.Args[i+1].Text
		}
		first, rest, _ := strings.Cut(strings.TrimPrefix(value, "sudo "), " ")
		switch {
		case everyday.Has(name) && destroyers.Has(first) && name != first && (first != "rm" || strings.Contains(rest, "-")):
			a.hit("persist.disguise")
		case asking.Has(name) && standsAlone(value, "read"):
			a.hit("persist.disguise")
		}
	}
}

// touchFiles judges files with names like options, and times that are set back to hide a change.
func touchFiles(a *assessor, r *shellparse.Run) {
	backdated := hasOption(r, []string{"-r", "-t", "-d", "--reference", "--date", "--time"})
	for i := range r.Args {
		if t := r.Args[i].Text; optionNamed(t) && t != "--reference" && !strings.HasPrefix(t, "--reference=/") {
			a.hit("persist.option-name")
		}
	}
	if !backdated {
		return
	}
	for _, w := range operandsOf(r, "-r -t -d --reference --date") {
		c := pathOf(w.Text, r.Dir)
		base := c[strings.LastIndexByte(c, '/')+1:]
		hidden := strings.HasPrefix(base, ".") && len(base) > 1 && (strings.HasPrefix(c, "/tmp/") ||
			strings.HasPrefix(c, "/dev/shm/") ||
			strings.HasPrefix(c, "/var/tmp/"))
		switch p := placeOf(w, r.Dir); {
		case hidden || isLog(w.Text, r.Dir) || p == placeVital && c[0] == '/' || p == placeDeep ||
			strings.HasPrefix(c, "/usr/") ||
			strings.HasPrefix(c, "/etc/"):
			a.hit("log.timestamp")
		}
	}
}

// unitCommand judges units that lie where everybody can write.
func unitCommand(a *assessor, r *shellparse.Run) {
	if r.Has("link") || r.Has("enable") || r.Has("start") {
		for i := range r.Args {
			t := r.Args[i].Text
			if temporary(t) || len(t) > 1 && t[0] == '.' && t[1] != '/' && t[1] != '.' {
				a.hit("persist.unit")
			}
		}
	}
	stopService(a, r)
}

// temporary reports whether a path lies in a folder where everybody can write.
func temporary(p string) bool {
	return strings.HasPrefix(p, "/tmp/") || strings.HasPrefix(p, "/dev/shm/") || strings.HasPrefix(p, "/var/tmp/") ||
		strings.HasPrefix(p, "/run/shm/")
}

// hiddenPlace reports whether a program lies hidden in a folder for temporary files.
func hiddenPlace(p string) bool {
	if strings.HasPrefix(p, "/dev/tty") || strings.HasPrefix(p, "/dev/pts/") || strings.HasPrefix(p, "/dev/cu.") ||
		isDisk(p) {
		return false
	}
	return temporary(p) && strings.Contains(p, "/.") && !strings.Contains(p, "/./") && !strings.Contains(p, "/../") ||
		strings.HasPrefix(p, "/dev/") && !strings.HasPrefix(p, "/dev/fd/") && !strings.HasPrefix(p, "/dev/shm/") &&
			!strings.HasPrefix(p, "/dev/std")
}

// started judges where the program lies that a run starts, or the script that it is given.
func (a *assessor) started() {
	r := a.at
	p := r.Path
	if !r.Code.Known && len(r.Args) > 0 {
		s := firstOperand(r)
		if s != "" && s[0] == '/' && hiddenPlace(s) && !strings.HasPrefix(s, "/dev/") && interpreters.Has(r.Name) {
			p = s
		}
	}
	switch {
	case len(p) < 6 || p[0] != '/':
	case hiddenPlace(p):
		a.hit("code.hidden")
	case strings.HasPrefix(p, "/dev/shm/") || strings.HasPrefix(p, "/run/shm/"):
		a.hit("code.shared-memory")
	}
}

func firstOperand(r *shellparse.Run) string {
	for i := range r.Args {
		if t := r.Args[i].Text; t != "" && t[0] != '-' {
			return t
		}
	}
	return ""
}

// planting judges writing to a file that runs later on its own, where only the origin of what is written is known.
func (a *assessor) planting(w shellparse.Word, r *shellparse.Run) {
	c := pathOf(w.Text, r.Dir)
	remote, _ := a.origin(r)
	switch {
	case strings.HasSuffix(c, "/.ssh/authorized_keys"):
		a.key(w, r, remote)
	case remote && shellparse.RunsLater(c) && (c[0] == '/' || !strings.Contains(c, "fish")):
		a.hit("persist.code")
	}
}

// installed judges files that are copied from a folder where everybody can write to where they run later.
func (a *assessor) installed(from []shellparse.Word, to shellparse.Word, r *shellparse.Run) {
	for _, w := range from {
		src := pathOf(w.Text, r.Dir)
		if !temporary(src) {
			continue
		}
		name := src[strings.LastIndexByte(src, '/')+1:]
		c := pathOf(to.Text, r.Dir)
		if shellparse.RunsLater(c) || shellparse.RunsLater(strings.TrimSuffix(c, "/")+"/"+name) {
			a.hit("persist.unit")
		}
	}
}

// replaced are programs and libraries whose replacement gives everything to who replaces them.
var replaced = wordset.Of(`sshd sudo su login passwd bash sh dash zsh ls ps netstat ss top systemd init cron crond libc.so.6 pam_unix.so
	ld-linux-x86-64.so.2 libpam.so.0 ssh agetty getty systemd-logind dbus-daemon kubelet dockerd containerd libcrypto.so.3`)

// replaces judges copying over a program of the system.
func (a *assessor) replaces(from []shellparse.Word, to shellparse.Word, r *shellparse.Run) {
	c := pathOf(to.Text, r.Dir)
	if !strings.HasPrefix(c, "/usr/sbin") && !strings.HasPrefix(c, "/usr/bin") && !strings.HasPrefix(c, "/bin") &&
		!strings.HasPrefix(c,
			"/sbin") && !strings.HasPrefix(c, "/lib") && !strings.HasPrefix(c, "/usr/lib") {
		return
	}
	base := c[strings.LastIndexByte(c, '/')+1:]
	for _, w := range from {
		src := pathOf(w.Text, r.Dir)
		name := src[strings.LastIndexByte(src, '/')+1:]
		if replaced.Has(base) || replaced.Has(name) && (base == "bin" || base == "sbin" || base == "security") {
			a.hit("file.overwrite-vital")
		}
	}
}

// key judges an additional key for logging in.
func (a *assessor) key(w shellparse.Word, r *shellparse.Run, remote bool) {
	literal := r.Stdin.Known && strings.Contains(r.Stdin.Text, "ssh-") || strings.Contains(r.Line(), "ssh-rsa A") ||
		strings.Contains(r.Line(), "ssh-ed25519 A") || strings.Contains(r.Line(), "ecdsa-sha2-")
	switch {
	case remote:
		a.hit("persist.stranger-key")
	case strings.HasPrefix(w.Text, "/root") || r.Root:
		a.hit("account.root-key")
	case literal:
		a.hit("persist.key")
	default:
		a.hit("account.key")
	}
}

// origin reports whether what a run writes comes from the network, and whether it arrives without protection.
func (a *assessor) origin(r *shellparse.Run) (remote, plain bool) {
	if fetchers.Has(r.Name) && !local(r) {
		return true, insecure(r)
	}
	if len(r.Stdin.From) == 0 {
		return false, false
	}
	for _, i := range a.cmd.Upstream(shellparse.Source{From: r.Stdin.From}) {
		if u := &a.cmd.Runs[i]; fetchers.Has(u.Name) && !local(u) {
			remote, plain = true, plain || insecure(u)
		}
	}
	return remote, plain
}

// optionNamed reports whether a file's name reads like an option of tar, rsync, chown and the like.
func optionNamed(text string) bool {
	base := text[strings.LastIndexByte(text, '/')+1:]
	return strings.HasPrefix(base, "--checkpoint") || strings.HasPrefix(base, "--reference") || base == "-rf" ||
		base == "--no-preserve-root" || strings.HasPrefix(base, "-e sh") || strings.HasPrefix(base, "--use-compress")
}
