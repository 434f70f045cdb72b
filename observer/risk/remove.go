package risk

import (
	"strings"

	"github.com/caro-mesh/caro-node/observer/shellparse"
	"github.com/caro-mesh/caro-node/observer/wordset"
)

func removeFiles(a *assessor, r *shellparse.Run) {
	if r.Name == "rmdir" && !hasOption(r, []string{"/s", "/S"}) && !r.Has("/s") || hasOption(r, []string{"--help",
		"--version"}) {
		return
	}
	windows := r.Has("/s") || r.Has("/S") || r.Has("/q") || r.Has("/Q")
	recursive := windows || hasOption(r, []string{"-r", "-R", "--recursive", "-Recurse", "-rf", "-fr", "-recurse"}) ||
		r.Name == "rimraf" || r.Name == "Remove-Item" && r.Has("-r")
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
	if !seen && recursive && (r.Name == "Remove-Item" || r.Name == "ri") {
		a.pick(a.listsRoot(shellparse.Word{From: r.Stdin.From}), "windows.destroy", "file.remove-unknown")
	}
	if !seen && r.Has("--no-preserve-root") {
		a.hit("file.remove-unknown")
	}
}

// removal judges the deletion of one path.
func (a *assessor) removal(w shellparse.Word, r *shellparse.Run, recursive bool) {
	if f := a.searchBehind(w); f != nil {
		a.foundRemoval(f, recursive)
		return
	}
	if a.listsTracked(w) {
		a.hit("file.remove-here")
		return
	}
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
	if base := w.Text[strings.LastIndexByte(w.Text, '/')+1:]; secrecy(w.Text, r.Dir) == grave && p != placeDisposed && p < placeHome &&
		!recursive || base == "terraform.tfstate" || base == "*.tfstate" || base == "*.tfstate*" ||
		strings.HasSuffix(w.Text, "/.kube/config") {
		a.hit("file.remove-keys")
		return
	}
	if base, _, deep := strings.Cut(w.Text, "/**"); deep && !recursive {
		switch placeOf(shellparse.Word{Text: base + "/"}, r.Dir) {
		case placeRoot, placeSystem, placeHome, placeVital:
			a.hit("file.find-delete")
			return
		}
	}
	if c := a.listsStore(w); c != "" {
		a.pick(strings.Contains(c, "backup"), "backup.delete", "file.remove-data")
		return
	}
	if base := w.Text[strings.LastIndexByte(w.Text, '/')+1:]; w.Glob && p != placeDisposed && strings.HasPrefix(base, "*.") &&
		contentNames.Has(strings.ToLower(base[2:])) && hasOption(r, []string{"-f", "--force"}) {
		a.hit("file.remove-kind")
		return
	}
	wildcard := strings.HasSuffix(w.Text, "/*") || isStar(w.Text)
	c := pathOf(strings.TrimSuffix(w.Text, "/*"), r.Dir)
	switch {
	case p == placeUnset && a.listsRoot(w):
		a.hit("file.remove-root")
		return
	case p == placeDisposed:
	case holdsData(c) && (recursive || wildcard), wholeStore(c) && recursive && p != placeSystem:
		a.hit("file.remove-data")
		return
	}
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
		case personalFolders.Has(c) && recursive:
			a.hit("file.remove-personal")
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

// personalFolders hold what a person has made and cannot get again.
var personalFolders = wordset.Of(`~/Documents ~/Desktop ~/Pictures ~/Library ~/Photos ~/Movies ~/Videos ~/Music ~/.ssh ~/.gnupg
	~/.password-store ~/Dropbox ~/OneDrive ~/Nextcloud`)

// listsTracked reports whether a word stands for all files that git knows.
func (a *assessor) listsTracked(w shellparse.Word) bool {
	for _, i := range w.From {
		if r := &a.cmd.Runs[i]; r.Name == "git" && r.Has("ls-files") && !hasOption(r, []string{"-d", "--deleted", "-m", "-u"}) &&
			!hasOption(r, []string{"-i", "--ignored"}) && countOperands(r) == 1 {
			return true
		}
	}
	return false
}

// listsStore returns the folder of backups or of a server's data whose listing a word stands for, empty if it is none.
func (a *assessor) listsStore(w shellparse.Word) string {
	for _, i := range a.cmd.Upstream(shellparse.Source{From: w.From}) {
		r := &a.cmd.Runs[i]
		if r.Name != "ls" {
			continue
		}
		for j := range r.Args {
			if c := pathOf(r.Args[j].Text, r.Dir); holdsData(c) || wholeStore(strings.TrimSuffix(c, "/*")) {
				return c
			}
		}
	}
	return ""
}

// listsRoot reports whether a word stands for what a listing of the root folder gives.
func (a *assessor) listsRoot(w shellparse.Word) bool {
	for _, i := range a.cmd.Upstream(shellparse.Source{From: w.From}) {
		if r := &a.cmd.Runs[i]; r.Name == "ls" || r.Name == "dir" || r.Name == "gci" || r.Name == "Get-ChildItem" ||
			isFind(r.Name) || r.Name == "eza" || r.Name == "exa" {
			for j := range r.Args {
				if placeOf(r.Args[j], r.Dir) == placeRoot {
					return true
				}
			}
		}
	}
	return false
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
			if holdsData(pathOf(w.Text, r.Dir)) {
				a.hit("file.remove-data")
				continue
			}
			if isLog(w.Text, r.Dir) {
				a.hit("log.wipe")
			}
			if isHistory(w.Text, r.Dir) {
				a.hit("log.history-wipe")
				continue
			}
			a.hit("file.shred")
		}
	}
}
