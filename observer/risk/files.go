package risk

import (
	"strings"

	"github.com/caro-mesh/caro-node/observer/shellparse"
	"github.com/caro-mesh/caro-node/protocol"
)

const (
	safe     = protocol.RiskSafe
	moderate = protocol.RiskModerate
	high     = protocol.RiskHigh
	critical = protocol.RiskCritical
)

var fileRules = []Rule{
	{ID: "file.remove-root", Level: critical, Reason: "It deletes everything from the root folder down.", Suggestion: "Name the one folder that shall go, and look at it with ls first."},
	{ID: "file.remove-system", Level: critical, Reason: "It deletes a folder that the system needs to run.", Suggestion: "Remove software with the package manager, and single files by their full name."},
	{ID: "file.remove-home", Level: critical, Reason: "It deletes a whole home folder.", Suggestion: "Name the folder inside the home folder that shall go, or make a backup first."},
	{ID: "file.remove-vital", Level: critical, Reason: "It deletes files without which the system does not start or nobody can log in.", Suggestion: "Copy the file aside before changing it, and let the package manager remove it."},
	{ID: "file.remove-keys", Level: high, Reason: "It deletes keys, settings or personal folders of an account.", Suggestion: "Move it aside with mv, and delete it later."},
	{ID: "file.remove-unset", Level: high, Reason: "If the variable is empty, this deletes from the root folder.", Suggestion: "Write ${NAME:?} so that the shell stops when the variable is empty."},
	{ID: "file.remove-inside-system", Level: high, Reason: "It deletes files or folders inside a system folder.", Suggestion: "Use the package manager, or move the folder aside first."},
	{ID: "file.remove-here", Level: high, Reason: "It deletes everything in the current folder, or the folder itself.", Suggestion: "Check where you are with pwd and ls, and name what shall go."},
	{ID: "file.remove-tree", Level: high, Reason: "It deletes a folder with everything in it; there is no way back.", Suggestion: "Look with ls first, or move it to a trash folder with mv or trash."},
	{ID: "file.remove-unknown", Level: high, Reason: "It deletes recursively what is only known when it runs.", Suggestion: "Print the list first, and delete when it is right."},
	{ID: "file.remove", Level: moderate, Reason: "It deletes files.", Suggestion: "Use rm -i, or move the files to a trash folder."},
	{ID: "file.remove-made", Level: moderate, Reason: "It deletes what a build, an installation or a cache makes again.", Suggestion: "Most tools have a clean command of their own."},
	{ID: "file.find-delete-root", Level: critical, Reason: "It searches from a system folder or a home folder and deletes what it finds.", Suggestion: "Start the search in the one folder that is meant, and run it with -print first."},
	{ID: "file.find-delete", Level: high, Reason: "It deletes everything that a search finds, and the search is not limited by name.", Suggestion: "Run it with -print first, and limit it with -name and -maxdepth."},
	{ID: "file.find-delete-named", Level: moderate, Reason: "It deletes the files that a search finds.", Suggestion: "Run it with -print first."},
	{ID: "file.move-system", Level: critical, Reason: "It moves a folder away that the system or an account needs.", Suggestion: "Copy it, and never move system folders of a running system."},
	{ID: "file.move-to-null", Level: high, Reason: "It moves files to the null device, where they are lost.", Suggestion: "Delete them with rm, so that the intention is clear."},
	{ID: "file.move-over", Level: moderate, Reason: "It replaces files without asking.", Suggestion: "Use mv -n or mv -i."},
	{ID: "file.overwrite-vital", Level: critical, Reason: "It overwrites a file without which the system does not start or nobody can log in.", Suggestion: "Edit a copy, check it (visudo -c, mount -a, sshd -t), and then move it in place."},
	{ID: "file.overwrite-account", Level: high, Reason: "It overwrites settings or keys of an account.", Suggestion: "Append with >>, or keep a copy."},
	{ID: "file.write-system", Level: moderate, Reason: "It writes to a system folder.", Suggestion: "Keep a copy of what was there."},
	{ID: "file.truncate", Level: moderate, Reason: "It empties a file.", Suggestion: "Keep a copy if the content may be needed."},
	{ID: "file.shred", Level: high, Reason: "It overwrites files so that nothing can bring them back.", Suggestion: "Check the names with ls first."},
	{ID: "file.permissions-root", Level: critical, Reason: "It changes permissions or ownership of the whole system or of a folder that it needs.", Suggestion: "Name the one folder that is meant."},
	{ID: "file.permissions-home", Level: high, Reason: "It changes permissions or ownership of a whole home folder or of keys in it.", Suggestion: "Name the one file that is meant."},
	{ID: "file.world-writable", Level: high, Reason: "It lets every user of the machine change the files.", Suggestion: "Use 755 for folders and programs, 644 for files, or give a group the right."},
	{ID: "file.permissions-none", Level: high, Reason: "It takes away all permissions of a tree.", Suggestion: "Name the files, and leave the owner's rights."},
	{ID: "file.setuid", Level: high, Reason: "It lets everybody run the program with its owner's rights.", Suggestion: "Use sudo rules or capabilities for the one thing that is needed."},
	{ID: "file.setuid-shell", Level: critical, Reason: "It gives everybody a shell with root's rights.", Suggestion: "Never set this on a shell or an interpreter."},
	{ID: "file.permissions-tree", Level: moderate, Reason: "It changes permissions or ownership of a tree.", Suggestion: "Check the folder, and keep the old modes with getfacl -R."},
	{ID: "file.permissions", Level: moderate, Reason: "It changes who may use a file.", Suggestion: "Give no more than is needed."},
	{ID: "file.sync-delete", Level: moderate, Reason: "It deletes at the destination what is missing at the source.", Suggestion: "Run it with --dry-run first."},
	{ID: "file.sync-delete-root", Level: critical, Reason: "It deletes in a system or home folder what is missing at the source.", Suggestion: "Run it with --dry-run first, and check both paths."},
	{ID: "file.sync-empty", Level: high, Reason: "It empties the destination by mirroring an empty folder.", Suggestion: "Check the destination with ls first."},
	{ID: "file.link-over-system", Level: high, Reason: "It replaces a system file or a log by a link.", Suggestion: "Keep the file and change its content."},
	{ID: "file.fill-disk", Level: high, Reason: "It writes without end until the disk is full.", Suggestion: "Give a size with head -c or dd count=."},
	{ID: "file.unpack-root", Level: high, Reason: "It unpacks an archive over the root folder or a system folder.", Suggestion: "Unpack into an empty folder and look at it first."},
	{ID: "file.immutable", Level: moderate, Reason: "It changes file attributes below the permissions.", Suggestion: "Check with lsattr first.", when: []string{"chattr ~+i|-i|+a|-a"}},
}

func init() {
	register(removeFiles, "rm", "unlink", "rmdir", "rimraf", "trash", "del", "erase", "rd", "Remove-Item", "ri", "grm", "srm", "wipe", "del-cli", "trash-put")
	register(shredFiles, "shred", "gshred")
	register(findFiles, "find", "fd")
	register(moveFiles, "mv")
	register(copyFiles, "cp", "install", "ln")
	register(changeMode, "chmod")
	register(changeOwner, "chown", "chattr", "setfacl")
	register(syncFiles, "rsync")
	register(teeFiles, "tee", "sponge")
	register(truncateFiles, "truncate")
	register(unpackFiles, "tar", "unzip", "cpio", "bsdtar")
	register(editFiles, "sed", "perl", "ed", "ex")
}

// checks are the rules in code, by program.
var checks map[string]func(*assessor, *shellparse.Run)

func register(f func(*assessor, *shellparse.Run), names ...string) {
	if checks == nil {
		checks = map[string]func(*assessor, *shellparse.Run){}
	}
	for _, n := range names {
		if checks[n] != nil {
			panic("two checks for " + n)
		}
		checks[n] = f
	}
}

// operandsOf returns the words that are no options, and whether a short or long option of the lists is among the others.
func operandsOf(r *shellparse.Run, values string) []shellparse.Word {
	out := make([]shellparse.Word, 0, len(r.Args))
	ended := false
	for i := 0; i < len(r.Args); i++ {
		t := r.Args[i].Text
		if !ended && t == "--" {
			ended = true
			continue
		}
		if !ended && len(t) > 1 && t[0] == '-' {
			if fieldOf(values, t) {
				i++
			}
			continue
		}
		out = append(out, r.Args[i])
	}
	return out
}

func removeFiles(a *assessor, r *shellparse.Run) {
	if r.Name == "rmdir" && !hasOption(r, []string{"/s", "/S"}) && !r.Has("/s") || hasOption(r, []string{"--help", "--version"}) {
		return
	}
	windows := r.Has("/s") || r.Has("/S") || r.Has("/q") || r.Has("/Q")
	recursive := windows || hasOption(r, []string{"-r", "-R", "--recursive", "-Recurse", "-rf", "-fr", "-recurse"}) || r.Name == "rimraf" || r.Name == "Remove-Item" && r.Has("-r")
	trash := r.Name == "trash" || r.Name == "trash-put"
	seen := false
	for _, w := range operandsOf(r, "") {
		if windows && len(w.Text) == 2 && w.Text[0] == '/' {
			continue
		}
		seen = true
		if trash {
			a.hit("file.remove")
			continue
		}
		a.removal(w, r, recursive)
	}
	if !seen && r.Has("--no-preserve-root") {
		a.hit("file.remove-unknown")
	}
}

// removal judges the deletion of one path.
func (a *assessor) removal(w shellparse.Word, r *shellparse.Run, recursive bool) {
	if strings.Contains(w.Text, "{}") && r.Started("find") && r.Parent >= 0 && isFind(a.cmd.Runs[r.Parent].Name) {
		return // judged with the search
	}
	p := placeOf(w, r.Dir)
	if isHistory(w.Text, r.Dir) {
		a.hit("log.history-wipe")
		return
	}
	if isLog(w.Text, r.Dir) && p >= placeWhole {
		a.hit("log.wipe")
		return
	}
	wildcard := strings.HasSuffix(w.Text, "/*") || isStar(w.Text)
	switch p {
	case placeNothing:
	case placeRoot:
		a.pick(recursive || wildcard, "file.remove-root", "file.remove")
	case placeSystem:
		a.pick(recursive || wildcard, "file.remove-system", "file.remove")
	case placeHome:
		a.pick(recursive, "file.remove-home", "file.remove-here")
	case placeDisk:
		a.hit("disk.remove-device")
	case placeVital:
		switch c := pathOf(w.Text, r.Dir); {
		case c[0] == '~' && (recursive || strings.HasPrefix(c, "~/.ssh/") || strings.HasPrefix(c, "~/.gnupg/")):
			a.pick(strings.Contains(c, "known_hosts"), "file.remove", "file.remove-keys")
		case c[0] == '~':
			a.hit("file.remove")
		default:
			a.hit("file.remove-vital")
		}
	case placeUnset:
		a.pick(recursive, "file.remove-unset", "file.remove")
	case placeDeep:
		a.pick(recursive || wildcard, "file.remove-inside-system", "file.remove")
	case placeWhole:
		a.pick(recursive || wildcard, "file.remove-here", "file.remove")
	case placeOpen:
		a.pick(recursive, "file.remove-unknown", "file.remove")
	case placeDisposed:
		a.pick(recursive, "file.remove-made", "file.remove")
	case placePlain:
		a.pick(recursive, "file.remove-tree", "file.remove")
	}
}

// pick records one of two findings.
func (a *assessor) pick(yes bool, then, otherwise string) {
	if yes {
		a.hit(then)
	} else {
		a.hit(otherwise)
	}
}

func isFind(name string) bool {
	return name == "find" || name == "gfind" || name == "fd" || name == "fdfind"
}

func shredFiles(a *assessor, r *shellparse.Run) {
	for _, w := range operandsOf(r, "-n --iterations -s --size --random-source") {
		switch placeOf(w, r.Dir) {
		case placeDisk:
			a.hit("disk.overwrite")
		case placeRoot, placeSystem:
			a.hit("file.remove-system")
		case placeVital:
			a.hit("file.remove-vital")
		case placeHome:
			a.hit("file.remove-home")
		default:
			if isHistory(w.Text, r.Dir) {
				a.hit("log.history-wipe")
				continue
			}
			a.hit("file.shred")
		}
	}
}

// findFiles judges deletions by search.
func findFiles(a *assessor, r *shellparse.Run) {
	deletes, moves := r.Has("-delete"), false
	for j := a.index + 1; j < len(a.cmd.Runs); j++ {
		c := &a.cmd.Runs[j]
		if c.Parent != a.index {
			continue
		}
		switch c.Name {
		case "rm", "shred", "unlink", "rmdir", "srm", "grm":
			deletes = true
		case "mv":
			moves = moves || lastIs(c, "/dev/null")
		case "sh", "bash":
			for k := j + 1; k < len(a.cmd.Runs); k++ {
				if d := &a.cmd.Runs[k]; d.Parent == j && (d.Name == "rm" || d.Name == "shred") {
					deletes = true
				}
			}
		case "chmod", "chown":
			for _, s := range starts(r) {
				if p := placeOf(s, r.Dir); (p == placeRoot || p == placeSystem) && !limited(r) {
					a.hit("file.permissions-root")
				}
			}
		}
	}
	if !deletes && !moves {
		return
	}
	for _, s := range starts(r) {
		p := placeOf(s, r.Dir)
		switch {
		case isLog(s.Text, r.Dir):
			a.pick(aged(r), "file.find-delete-named", "log.wipe")
		case p == placeRoot || p == placeSystem || p == placeHome || p == placeVital || p == placeUnset:
			switch {
			case !limited(r):
				a.hit("file.find-delete-root")
			case p == placeHome || p == placeVital:
				a.pick(precise(r), "file.find-delete-named", "file.find-delete")
			default:
				a.pick(precise(r) && p != placeRoot, "file.find-delete-named", "file.find-delete")
			}
		case p == placeDisposed:
			a.hit("file.find-delete-named")
		case limited(r):
			a.hit("file.find-delete-named")
		default:
			a.hit("file.find-delete")
		}
	}
}

// starts are the folders in which a search begins; the current one if none is named.
func starts(r *shellparse.Run) []shellparse.Word {
	var out []shellparse.Word
	for i := range r.Args {
		t := r.Args[i].Text
		if len(out) == 0 && (t == "-H" || t == "-L" || t == "-P" || strings.HasPrefix(t, "-O")) {
			continue
		}
		if strings.HasPrefix(t, "-") || t == "(" || t == "!" || isFind(r.Name) && r.Name[0] == 'f' && r.Name[1] == 'd' {
			break
		}
		out = append(out, r.Args[i])
	}
	if len(out) == 0 {
		out = []shellparse.Word{{Text: "."}}
	}
	return out
}

// limited reports whether a search names what it looks for, by name, age, size or kind other than "any file".
func limited(r *shellparse.Run) bool {
	return aged(r) || precise(r) || r.Name == "fd" || r.Name == "fdfind"
}

func precise(r *shellparse.Run) bool {
	for i := range r.Args {
		switch r.Args[i].Text {
		case "-name", "-iname", "-path", "-ipath", "-regex", "-iregex", "-wholename":
			if n := r.Arg(i + 1); n != "*" && n != "*.*" && n != ".*" && n != "?*" {
				return true
			}
		case "-empty", "-xtype", "-inum", "-samefile":
			return true
		}
	}
	return false
}

func aged(r *shellparse.Run) bool {
	for i := range r.Args {
		switch r.Args[i].Text {
		case "-mtime", "-ctime", "-atime", "-mmin", "-cmin", "-amin", "-newer", "-size":
			return true
		}
	}
	return false
}

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
		case p == placeRoot || p == placeSystem || p == placeHome || p == placeVital && !strings.HasPrefix(pathOf(w.Text, r.Dir), "~"):
			a.hit("file.move-system")
		case target == "/dev/null":
			a.hit("file.move-to-null")
		}
	}
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
			if p := placeOf(target, r.Dir); p == placeVital && !strings.HasPrefix(pathOf(target.Text, r.Dir), "~") || isLog(target.Text, r.Dir) {
				a.hit("file.link-over-system")
			}
		}
		return
	}
	if r.Name == "install" && hasOption(r, []string{"-d"}) {
		return
	}
	a.written(target, r, false)
	if ops[0].Text == "/dev/null" {
		a.pick(isLog(target.Text, r.Dir) || isHistory(target.Text, r.Dir), "log.wipe", "file.truncate")
	}
}

// written judges writing to a path as a whole (append: to its end).
func (a *assessor) written(w shellparse.Word, r *shellparse.Run, appends bool) {
	if w.Text == "" || strings.Contains(w.Text, ":") && !strings.HasPrefix(w.Text, "/") {
		return
	}
	c := pathOf(w.Text, r.Dir)
	switch p := placeOf(w, r.Dir); {
	case p == placeDisk:
		a.hit("disk.overwrite")
	case c == "/proc/sysrq-trigger":
		a.hit("kernel.sysrq")
	case strings.HasPrefix(c, "/sys/firmware/efi"):
		a.hit("kernel.boot-loader")
	case c == "/etc/sudoers" || strings.HasPrefix(c, "/etc/sudoers.d/"):
		a.pick(appends || c != "/etc/sudoers", "account.sudoers", "file.overwrite-vital")
	case c == "/etc/ld.so.preload" || c == "/etc/profile" && !appends:
		a.hit("file.overwrite-vital")
	case vitalFiles[c] || strings.HasPrefix(c, "/etc/pam.d/"):
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
		a.pick(strings.HasPrefix(w.Text, "/root") || r.Root, "account.root-key", "account.key")
	case accountFiles[c] && !appends && redirected(r):
		a.hit("file.overwrite-account")
	case strings.HasPrefix(c, "/etc/cron") || strings.HasPrefix(c, "/var/spool/cron"):
		a.hit("service.cron-write")
	case isHistory(w.Text, r.Dir) && !appends:
		a.hit("log.history-wipe")
	case isLog(w.Text, r.Dir) && !appends:
		a.pick(redirected(r) && !strings.HasPrefix(r.Name, "tee"), "log.wipe", "file.write-system")
	case strings.HasPrefix(c, "/etc/") || strings.HasPrefix(c, "/usr/") || strings.HasPrefix(c, "/lib") || strings.HasPrefix(c, "/sys/") || strings.HasPrefix(c, "/proc/") || strings.HasPrefix(c, "/opt/") && r.Root || strings.HasPrefix(c, "/bin/") || strings.HasPrefix(c, "/sbin/"):
		a.hit("file.write-system")
	}
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
var accountFiles = set(`~/.bashrc ~/.zshrc ~/.profile ~/.bash_profile ~/.zprofile ~/.zshenv ~/.gitconfig ~/.ssh/config ~/.ssh/id_rsa ~/.ssh/id_ed25519 ~/.ssh/id_ecdsa
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
		if a.hits == 0 && r.Name == "" && len(r.Assigns) == 0 && !rd.Appends() && !r.Stdin.Present() && rd.Op != "<>" && placeOf(rd.Target, r.Dir) > placeDisposed {
			a.hit("file.truncate")
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
	return r.Name == "yes" || (r.Name == "cat" || r.Name == "cp") && (r.Has("/dev/zero") || r.Has("/dev/urandom") || r.Has("/dev/random") || r.Stdin.File == "/dev/zero" || r.Stdin.File == "/dev/urandom")
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
		case placeOf(w, r.Dir) == placeVital:
			a.hit("file.overwrite-vital")
		case placeOf(w, r.Dir) == placeDisk:
			a.hit("disk.overwrite")
		default:
			a.hit("file.truncate")
		}
	}
}

// widely reports whether a mode lets everybody write.
func widely(mode string) bool {
	if strings.ContainsAny(mode, "ugoa+=") {
		for _, part := range strings.Split(mode, ",") {
			who, what, ok := cutAny(part, "+=")
			if ok && (who == "" && strings.Contains(what, "rwx") || strings.ContainsAny(who, "oa")) && strings.Contains(what, "w") {
				return true
			}
		}
		return false
	}
	n := len(mode)
	return n >= 3 && strings.Trim(mode, "01234567") == "" && strings.IndexByte("2367", mode[n-1]) >= 0
}

func cutAny(s, chars string) (string, string, bool) {
	if i := strings.IndexAny(s, chars); i >= 0 {
		return s[:i], s[i+1:], true
	}
	return s, "", false
}

// setsUserID reports whether a mode sets the setuid or setgid bit.
func setsUserID(mode string) bool {
	if strings.Trim(mode, "01234567") == "" {
		m := strings.TrimLeft(mode, "0")
		return len(m) == 4 && m[0] >= '2' && m[0] != '1'
	}
	_, what, ok := cutAny(mode, "+=")
	return ok && strings.Contains(what, "s")
}

func changeMode(a *assessor, r *shellparse.Run) {
	recursive := hasOption(r, []string{"-R", "--recursive"})
	ops := modeOperands(r)
	if len(ops) < 2 {
		return
	}
	mode := ops[0].Text
	for _, w := range ops[1:] {
		p := placeOf(w, r.Dir)
		c := pathOf(w.Text, r.Dir)
		system := p == placeRoot || p == placeSystem || p == placeVital && c[0] != '~' || p == placeDisk
		switch {
		case setsUserID(mode) && shells[c[strings.LastIndexByte(c, '/')+1:]]:
			a.hit("file.setuid-shell")
		case setsUserID(mode) && !strings.HasPrefix(mode, "2") && !strings.HasPrefix(mode, "g"):
			a.hit("file.setuid")
		case recursive && system && !(p == placeVital && !widely(mode)):
			a.hit("file.permissions-root")
		case system && widely(mode):
			a.hit("file.permissions-root")
		case system && (mode == "000" || mode == "0" || mode == "-x" || mode == "a-x" || mode == "a-rwx"):
			a.hit("file.permissions-root")
		case recursive && p == placeHome, c[0] == '~' && p == placeVital && widely(mode):
			a.hit("file.permissions-home")
		case widely(mode) && p != placeDisposed:
			a.hit("file.world-writable")
		case recursive && (mode == "000" || mode == "0" || mode == "a-rwx"):
			a.hit("file.permissions-none")
		case widely(mode) || recursive && p != placeDisposed:
			a.hit("file.permissions-tree")
		case p == placeDeep || system:
			a.hit("file.permissions")
		}
	}
}

// modeOperands returns the operands of chmod, whose mode may begin with a minus.
func modeOperands(r *shellparse.Run) []shellparse.Word {
	var out []shellparse.Word
	for _, w := range r.Args {
		t := w.Text
		if len(t) > 1 && t[0] == '-' && (len(out) > 0 || t[1] == '-' || strings.Trim(t[1:], "rwxXst,ugoa+=-") != "" || strings.Trim(t[1:], "R") == "") {
			continue
		}
		out = append(out, w)
	}
	return out
}

func changeOwner(a *assessor, r *shellparse.Run) {
	recursive := hasOption(r, []string{"-R", "--recursive"})
	ops := operandsOf(r, "--from --reference -m -x")
	if len(ops) == 0 {
		return
	}
	if len(ops) > 1 && r.Name != "setfacl" {
		ops = ops[1:]
	}
	for _, w := range ops {
		c := pathOf(w.Text, r.Dir)
		switch p := placeOf(w, r.Dir); {
		case recursive && (p == placeRoot || p == placeSystem && c != "/usr/local" && c != "/var/www" && c != "/usr/local/lib" && c != "/usr/local/bin" && c != "/usr/local/share"):
			a.hit("file.permissions-root")
		case p == placeVital && c[0] != '~' && r.Name != "chattr":
			a.hit("file.permissions-root")
		case recursive:
			a.hit("file.permissions-tree")
		default:
			a.hit("file.permissions")
		}
	}
}

func syncFiles(a *assessor, r *shellparse.Run) {
	if !hasOption(r, []string{"--delete", "--delete-after", "--delete-before", "--delete-during", "--delete-excluded", "--del"}) || hasOption(r, []string{"-n", "--dry-run"}) {
		return
	}
	ops := operandsOf(r, "-e --rsh --exclude --include --exclude-from --include-from --files-from --filter -f --rsync-path")
	if len(ops) < 2 {
		return
	}
	target := ops[len(ops)-1]
	local := target
	if i := strings.IndexByte(target.Text, ':'); i >= 0 {
		local.Text = target.Text[i+1:]
	}
	p := placeOf(local, r.Dir)
	switch {
	case p == placeRoot || p == placeSystem || p == placeHome:
		a.hit("file.sync-delete-root")
	case strings.Contains(strings.ToLower(ops[0].Text), "empty") || strings.HasPrefix(ops[0].Text, "/dev/null"):
		a.hit("file.sync-empty")
	default:
		a.hit("file.sync-delete")
	}
}

func unpackFiles(a *assessor, r *shellparse.Run) {
	for i := range r.Args {
		t := r.Args[i].Text
		if (t == "-C" || t == "--directory" || t == "-d" && r.Name == "unzip") && i+1 < len(r.Args) && strings.Contains(r.Line(), "x") {
			if p := placeOf(r.Args[i+1], r.Dir); p == placeRoot || p == placeSystem && !strings.HasPrefix(pathOf(r.Arg(i+1), ""), "/usr/local") && r.Arg(i+1) != "/opt" && r.Arg(i+1) != "/srv" {
				a.pick(p == placeRoot || !creates(r), "file.unpack-root", "file.write-system")
			}
		}
	}
	if r.Name == "tar" && hasOption(r, []string{"--remove-files"}) {
		a.hit("file.remove-tree")
	}
}

// creates reports whether tar writes an archive instead of unpacking one.
func creates(r *shellparse.Run) bool {
	return hasOption(r, []string{"-c", "--create"}) || strings.HasPrefix(r.Arg(0), "c")
}

// editFiles judges editing in place.
func editFiles(a *assessor, r *shellparse.Run) {
	inPlace := false
	for _, w := range r.Args {
		t := w.Text
		inPlace = inPlace || strings.HasPrefix(t, "-i") || t == "--in-place" || r.Name == "perl" && strings.HasPrefix(t, "-pi")
	}
	if !inPlace {
		return
	}
	for _, w := range operandsOf(r, "-e -f") {
		c := pathOf(w.Text, r.Dir)
		switch {
		case c == "/etc/passwd" || c == "/etc/shadow" || c == "/etc/sudoers":
			a.hit("account.edit")
		case strings.HasPrefix(c, "/etc/") || strings.HasPrefix(c, "/usr/") || strings.HasPrefix(c, "/boot/"):
			a.hit("file.write-system")
		case isHistory(w.Text, r.Dir) || isLog(w.Text, r.Dir) && strings.Contains(r.Line(), "/d"):
			a.hit("log.edit")
		}
	}
}
