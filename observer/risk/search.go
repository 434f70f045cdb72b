package risk

import (
	"strings"

	"github.com/caro-mesh/caro-node/observer/shellparse"
	"github.com/caro-mesh/caro-node/observer/wordset"
)

// findFiles judges deletions by search.
func findFiles(a *assessor, r *shellparse.Run) {
	deletes, moves, trees := r.Has("-delete"), false, false
	for j := a.index + 1; j < len(a.cmd.Runs); j++ {
		c := &a.cmd.Runs[j]
		if !a.startedBy(j, a.index) {
			continue
		}
		if empties(c) {
			deletes = true
			a.emptiedLogs(r)
		}
		switch c.Name {
		case "rm", "shred", "unlink", "rmdir", "srm", "grm":
			deletes = true
			trees = trees || hasOption(c, []string{"-r", "-R", "--recursive"})
		case "mv":
			moves = moves || lastIs(c, "/dev/null")
		case "chmod", "chown":
			for _, s := range starts(r) {
				p := placeOf(s, r.Dir)
				if (p == placeRoot || p == placeSystem && !served.Has(s.Text)) && !limited(r) {
					a.hit("file.permissions-root")
				}
			}
		}
	}
	if deletes || moves {
		a.foundRemoval(r, trees)
	}
}

// startedBy reports whether run j was started by run i, directly or through a shell.
func (a *assessor) startedBy(j, i int) bool {
	for range 3 {
		p := a.cmd.Runs[j].Parent
		if p == i {
			return true
		}
		if p < 0 || !shells.Has(a.cmd.Runs[p].Name) {
			return false
		}
		j = p
	}
	return false
}

// empties reports whether a run that a search starts empties the file that it is given.
func empties(r *shellparse.Run) bool {
	found := func(t string) bool {
		return strings.Contains(t, "{}") || t == "$1" || t == "$f" || t == "$0" || t == "$@"
	}
	for i := range r.Redirs {
		if rd := &r.Redirs[i]; rd.Writes() && !rd.Appends() && rd.FD != "2" && found(rd.Target.Text) {
			return true
		}
	}
	switch r.Name {
	case "truncate":
		return true
	case "cp":
		return r.Has("/dev/null") || r.Stdin.File == "/dev/null"
	case "dd", "tee":
		for i := range r.Args {
			if found(strings.TrimPrefix(r.Args[i].Text, "of=")) && (r.Name == "dd" || emptied(r)) {
				return true
			}
		}
	}
	return false
}

// emptiedLogs notes searches among the system's logs.
func (a *assessor) emptiedLogs(r *shellparse.Run) {
	for _, s := range starts(r) {
		if isLog(s.Text, r.Dir) {
			a.hit("log.wipe")
		}
	}
}

// searchBehind returns the search whose result a word stands for, nil if it is none.
func (a *assessor) searchBehind(w shellparse.Word) *shellparse.Run {
	if !w.Open || w.Text != "$()" {
		return nil
	}
	for _, i := range w.From {
		if r := &a.cmd.Runs[i]; isFind(r.Name) {
			return r
		}
	}
	return nil
}

// foundRemoval judges the deletion of what a search finds, whole folders if trees is set.
func (a *assessor) foundRemoval(r *shellparse.Run, trees bool) {
	if i := indexOf(r, "-delete"); i >= 0 { // tests behind the action come too late
		before := *r
		before.Args = r.Args[:i]
		r = &before
	}
	trees = trees && !disposedNames(r) && !(indexOf(r, "-type") >= 0 && r.Arg(indexOf(r, "-type")+1) == "f")
	for _, s := range starts(r) {
		p := placeOf(s, r.Dir)
		c := pathOf(s.Text, r.Dir)
		switch {
		case isLog(s.Text, r.Dir):
			a.pick(aged(r), "file.find-delete-named", "log.wipe")
		case (holdsData(c) || wholeStore(c)) && !limited(r):
			a.hit("file.remove-data")
		case p == placeRoot || p == placeSystem || p == placeHome || p == placeVital || p == placeUnset:
			switch {
			case !limited(r):
				a.hit("file.find-delete-root")
			case systemPrograms.Has(topOf(c)) && !disposedNames(r), p == placeSystem && trees && !aged(r):
				a.hit("file.find-delete")
			case p == placeHome || p == placeVital:
				a.pick(precise(r), "file.find-delete-named", "file.find-delete")
			default:
				a.pick(precise(r) && p != placeRoot, "file.find-delete-named", "file.find-delete")
			}
		case p == placeDisposed, (c == "/tmp" || c == "/var/tmp" || c == "/var/cache" || c == "~/.cache") && limited(r):
			a.hit("file.find-delete-named")
		case limited(r) && !trees && !namesContent(r):
			a.hit("file.find-delete-named")
		default:
			a.hit("file.find-delete")
		}
	}
}

// systemPrograms are folders at the top that hold what the system runs.
var systemPrograms = wordset.Of(`usr bin sbin lib lib32 lib64 boot etc System Library Applications Windows`)

// topOf is the folder below the root folder in which a path lies.
func topOf(c string) string {
	top, _, _ := strings.Cut(strings.TrimPrefix(c, "/"), "/")
	return top
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
	if r.Name == "fd" || r.Name == "fdfind" {
		pattern := r.Arg(0)
		return hasOption(r, []string{"-e", "--extension", "-g", "--glob", "-S", "--changed-within", "--changed-before"}) ||
			pattern != "" && pattern[0] != '-' && pattern != "." && pattern != ".*"
	}
	for i := range r.Args { // in "-name x -o -delete" the action belongs to what is not named
		if t := r.Args[i].Text; t == "-o" || t == "-or" {
			if next := r.Arg(i + 1); next == "" || next == "-delete" || strings.HasPrefix(next, "-exec") ||
				strings.HasPrefix(next, "-ok") {
				return false
			}
		}
	}
	return aged(r) || precise(r)
}

func precise(r *shellparse.Run) bool {
	for i := range r.Args {
		switch r.Args[i].Text {
		case "-name", "-iname", "-path", "-ipath", "-regex", "-iregex", "-wholename":
			if n := r.Arg(i + 1); r.Arg(i-1) != "!" && r.Arg(i-1) != "-not" && n != "*" && n != "*.*" && n != ".*" &&
				n != "?*" {
				return true
			}
		case "-empty", "-xtype", "-inum", "-samefile":
			return true
		}
	}
	return false
}

// disposedNames reports whether all names that a search asks for are of things that are made again.
func disposedNames(r *shellparse.Run) bool {
	found := false
	for i := range r.Args {
		if t := r.Args[i].Text; t == "-name" || t == "-iname" || t == "-path" || t == "-wholename" {
			if !isDisposed(strings.TrimSuffix(r.Arg(i+1), "/*")) {
				return false
			}
			found = true
		}
	}
	return found
}

// namesContent reports whether a search asks for names that somebody wrote or keeps, such as *.txt or *.jpg.
func namesContent(r *shellparse.Run) bool {
	for i := range r.Args {
		var name string
		switch t := r.Args[i].Text; {
		case t == "-name" || t == "-iname" || t == "-path" || t == "-wholename":
			name = r.Arg(i + 1)
		case (t == "-e" || t == "--extension") && isFind(r.Name) && strings.HasPrefix(r.Name, "fd"):
			name = "*." + r.Arg(i+1)
		default:
			continue
		}
		if ext := strings.ToLower(name[strings.LastIndexByte(name, '.')+1:]); contentNames.Has(ext) && r.Arg(i-1) != "!" && r.Arg(i-1) != "-not" {
			return true
		}
	}
	return false
}

// contentNames end the names of files that no program makes again.
var contentNames = wordset.Of(`txt md doc docx odt pdf xls xlsx ods csv ppt pptx jpg jpeg png gif heic raw mp3 flac wav mp4 mkv mov avi
	py go rs c h cc cpp hpp java kt rb php js ts tsx jsx html css scss sh sql conf cfg ini yaml yml toml xml json tex org ipynb swift
	db sqlite sqlite3 dump kdbx key pem crt gpg qcow2 vmdk vdi img iso zip`)

func aged(r *shellparse.Run) bool {
	for i := range r.Args {
		switch r.Args[i].Text {
		case "-mtime", "-ctime", "-atime", "-mmin", "-cmin", "-amin", "-newer", "-size":
			return true
		}
	}
	return false
}
