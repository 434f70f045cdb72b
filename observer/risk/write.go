package risk

import (
	"path"
	"strings"

	"github.com/caro-mesh/caro-node/observer/shellparse"
	"github.com/caro-mesh/caro-node/observer/wordset"
)

func lastIs(r *shellparse.Run, text string) bool {
	return len(r.Args) > 0 && r.Args[len(r.Args)-1].Text == text
}

func moveFiles(a *assessor, r *shellparse.Run) {
	ops := operandsOf(r, "-S --suffix")
	target := ""
	if i := indexOf(r, "-t"); i >= 0 {
		target = r.Arg(i + 1)
	} else if len(ops) > 1 {
		target = ops[len(ops)-1].Text
		ops = ops[:len(ops)-1]
	}
	for _, w := range ops {
		p := placeOf(w, r.Dir)
		switch {
		case p == placeRoot || p == placeSystem || p == placeHome || p == placeVital &&
			!strings.HasPrefix(pathOf(w.Text, r.Dir), "~"):
			a.hit("file.move-system")
		case p == placeVital && temporary(target+"/"):
			a.hit("file.remove-keys")
		case target == "/dev/null":
			a.hit("file.move-to-null")
		}
	}
	a.installed(ops, shellparse.Word{Text: target}, r)
	a.replaces(ops, shellparse.Word{Text: target}, r)
	a.written(shellparse.Word{Text: target}, r, false)
	if a.hits == 0 && hasOption(r, []string{"-f", "--force"}) {
		a.hit("file.move-over")
	}
}

func indexOf(r *shellparse.Run, word string) int {
	for i := range r.Args {
		if r.Args[i].Text == word {
			return i
		}
	}
	return -1
}

func copyFiles(a *assessor, r *shellparse.Run) {
	ops := operandsOf(r, "-m -o -g --mode --owner --group -t -S")
	if len(ops) < 2 {
		return
	}
	target := ops[len(ops)-1]
	if r.Name == "ln" {
		if isHistory(target.Text, r.Dir) && strings.HasPrefix(ops[0].Text, "/dev/null") {
			a.hit("log.history-off")
			return
		}
		if hasOption(r, []string{"-f", "--force"}) {
			p := placeOf(target, r.Dir)
			switch {
			case p == placeVital && !strings.HasPrefix(pathOf(target.Text, r.Dir), "~"):
				a.hit("file.overwrite-vital")
			case isLog(target.Text, r.Dir), strings.HasPrefix(ops[0].Text, "/dev/null") && p == placeDeep &&
				!strings.Contains(target.Text, "systemd/"):
				a.hit("file.link-over-system")
			}
		}
		return
	}
	if r.Name == "install" && hasOption(r, []string{"-d"}) {
		return
	}
	if i := indexOf(r, "-m"); r.Name == "install" && i >= 0 && setsUserID(r.Arg(i+1)) {
		a.pick(shells.Has(path.Base(ops[0].Text)), "file.setuid-shell", "file.setuid")
	}
	a.installed(ops[:len(ops)-1], target, r)
	a.replaces(ops[:len(ops)-1], target, r)
	a.written(target, r, false)
	if ops[0].Text == "/dev/null" {
		if accountFiles.Has(pathOf(target.Text, r.Dir)) {
			a.hit("file.overwrite-account")
		}
		a.pick(isLog(target.Text, r.Dir) || isHistory(target.Text, r.Dir), "log.wipe", "file.truncate")
	}
}

// written judges writing to a path as a whole (append: to its end).
func (a *assessor) written(w shellparse.Word, r *shellparse.Run, appends bool) {
	if w.Text == "" || strings.Contains(w.Text, ":") && !strings.HasPrefix(w.Text, "/") {
		return
	}
	c := pathOf(w.Text, r.Dir)
	if optionNamed(w.Text) {
		a.hit("persist.option-name")
	}
	a.planting(w, r)
	a.kernelWrites(c)
	a.laidOpen(c, r)
	switch p := placeOf(w, r.Dir); {
	case p == placeDisk:
		a.hit("disk.overwrite")
	case holdsData(c) && !appends && redirected(r):
		a.hit("file.remove-data")
	case c == "/proc/sysrq-trigger":
		a.hit("kernel.sysrq")
	case strings.HasPrefix(c, "/sys/firmware/efi"):
		a.hit("kernel.boot-loader")
	case c == "/etc/sudoers" || strings.HasPrefix(c, "/etc/sudoers.d/"):
		a.pick(appends || c != "/etc/sudoers", "account.sudoers", "file.overwrite-vital")
	case c == "/etc/ld.so.preload" || c == "/etc/profile" && !appends:
		a.hit("file.overwrite-vital")
	case vitalFiles.Has(c) || strings.HasPrefix(c, "/etc/pam.d/"):
		switch {
		case !appends && c != "/etc/mtab":
			a.hit("file.overwrite-vital")
		case c == "/etc/passwd" || c == "/etc/shadow" || c == "/etc/group":
			a.hit("account.backdoor")
		default:
			a.hit("file.write-system")
		}
	case strings.HasPrefix(c, "/boot/") || c == "/boot":
		a.pick(appends || !redirected(r), "file.write-system", "file.overwrite-vital")
	case p == placeVital && !appends && redirected(r) && c[0] != '~':
		a.hit("file.overwrite-vital")
	case strings.HasSuffix(c, "/.ssh/authorized_keys"):
		if !appends && emptied(r) {
			a.hit("file.overwrite-account")
		}
	case accountFiles.Has(c) && !appends && redirected(r):
		a.hit("file.overwrite-account")
	case strings.HasPrefix(c, "/etc/cron") || strings.HasPrefix(c, "/var/spool/cron"):
		a.hit("service.cron-write")
	case isHistory(w.Text, r.Dir) && !appends:
		a.hit("log.history-wipe")
	case isLog(w.Text, r.Dir) && !appends:
		a.pick(redirected(r) && (!strings.HasPrefix(r.Name, "tee") || emptied(r) ||
			recordsLogins(c)), "log.wipe", "file.write-system")
	case strings.HasPrefix(c, "/etc/") || strings.HasPrefix(c, "/usr/") || strings.HasPrefix(c, "/lib") ||
		strings.HasPrefix(c, "/sys/") || strings.HasPrefix(c, "/proc/") || strings.HasPrefix(c, "/opt/") && r.Root ||
		strings.HasPrefix(c, "/bin/") || strings.HasPrefix(c, "/sbin/"):
		a.hit("file.write-system")
	}
}

// emptied reports whether nothing is written, so that only the old content goes.
func emptied(r *shellparse.Run) bool {
	switch {
	case r.Stdin.File == "/dev/null" || r.Has("/dev/null"):
		return true
	case r.Name == "" || r.Name == ":" || r.Name == "true":
		return !r.Stdin.Present()
	case r.Name == "echo" || r.Name == "printf":
		return len(r.Args) == 0 || len(r.Args) == 1 && (r.Arg(0) == "" || r.Arg(0) == "-n")
	}
	return r.Stdin.Known && strings.TrimSpace(r.Stdin.Text) == ""
}

// recordsLogins reports whether a log is one that says who logged in and what they did.
func recordsLogins(c string) bool {
	switch c[strings.LastIndexByte(c, '/')+1:] {
	case "auth.log", "secure", "wtmp", "btmp", "lastlog", "faillog", "audit.log", "utmp", "syslog", "messages", "kern.log":
		return true
	}
	return false
}

// redirected reports whether a run writes by replacing content, as redirections and tee do, and not by copying a file.
func redirected(r *shellparse.Run) bool {
	switch r.Name {
	case "cp", "mv", "install", "ln":
		return false
	}
	return true
}

// accountFiles are the settings and keys of an account that are lost when something is written over them.
var accountFiles = wordset.Of(`~/.bashrc ~/.zshrc ~/.profile ~/.bash_profile ~/.zprofile ~/.zshenv ~/.gitconfig ~/.ssh/config
	~/.ssh/id_rsa ~/.ssh/id_ed25519 ~/.ssh/id_ecdsa
	~/.kube/config ~/.aws/credentials ~/.aws/config ~/.config/fish/config.fish ~/.vimrc ~/.netrc ~/.pgpass`)

// redirections judges where the run's output goes.
func (a *assessor) redirections() {
	r := a.at
	for i := range r.Redirs {
		rd := &r.Redirs[i]
		if !rd.Writes() || rd.FD == "2" && !isDisk(rd.Target.Text) {
			continue
		}
		if rd.Op == "<>" && strings.HasPrefix(rd.Target.Text, "/dev/tcp/") {
			continue
		}
		a.written(rd.Target, r, rd.Appends())
		if a.hits == 0 && (r.Name == "" || r.Name == ":" || r.Name == "true") && len(r.Assigns) == 0 && !rd.Appends() &&
			!r.Stdin.Present() && rd.Op != "<>" && !strings.HasPrefix(rd.Target.Text, "/dev/") &&
			!strings.HasPrefix(rd.Target.Text, "/tmp/") {
			a.pick(rd.Target.Glob && !isDisposed(rd.Target.Text), "file.empty-many", "file.truncate")
		}
		if endlessSource(a, r) && !strings.HasPrefix(rd.Target.Text, "/dev/") {
			a.hit("file.fill-disk")
		}
	}
}

// endlessSource reports whether a run prints without end.
func endlessSource(a *assessor, r *shellparse.Run) bool {
	if r.Background && r.Name == "yes" {
		return false
	}
	return r.Name == "yes" || (r.Name == "cat" || r.Name == "cp") && (r.Has("/dev/zero") || r.Has("/dev/urandom") ||
		r.Has("/dev/random") || r.Stdin.File == "/dev/zero" || r.Stdin.File == "/dev/urandom")
}

func teeFiles(a *assessor, r *shellparse.Run) {
	for _, w := range operandsOf(r, "") {
		a.written(w, r, hasOption(r, []string{"-a", "--append"}))
	}
}

func truncateFiles(a *assessor, r *shellparse.Run) {
	for _, w := range operandsOf(r, "-s --size -r --reference") {
		switch {
		case isHistory(w.Text, r.Dir):
			a.hit("log.history-wipe")
		case isLog(w.Text, r.Dir):
			a.hit("log.wipe")
		case placeOf(w, r.Dir) == placeDisk:
			a.hit("disk.overwrite")
		case holdsData(pathOf(w.Text, r.Dir)):
			a.hit("file.remove-data")
		case accountFiles.Has(pathOf(w.Text, r.Dir)):
			a.hit("file.overwrite-account")
		case placeOf(w, r.Dir) == placeVital:
			a.hit("file.overwrite-vital")
		case strings.Contains(w.Text, "{}") && r.Parent >= 0 && isFind(a.cmd.Runs[r.Parent].Name):
		default:
			a.pick(w.Glob && !isDisposed(w.Text) && placeOf(w, r.Dir) != placeDisposed, "file.empty-many", "file.truncate")
		}
	}
}
