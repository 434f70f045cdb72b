package risk

import (
	"strings"

	"github.com/caro-mesh/caro-node/observer/shellparse"
)

// findFiles judges deletions by search.
func findFiles(a *assessor, r *shellparse.Run) {
	deletes, moves, trees := r.Has("-delete"), false, false
	for j := a.index + 1; j < len(a.cmd.Runs); j++ {
		c := &a.cmd.Runs[j]
		if c.Parent != a.index {
			continue
		}
		switch c.Name {
		case "rm", "shred", "unlink", "rmdir", "srm", "grm":
			deletes = true
			trees = trees || hasOption(c, []string{"-r", "-R", "--recursive"})
		case "truncate":
			for _, s := range starts(r) {
				if isLog(s.Text, r.Dir) {
					a.hit("log.wipe")
				}
			}
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
	if deletes || moves {
		a.foundRemoval(r, trees)
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
	trees = trees && !disposedNames(r) && !(indexOf(r, "-type") >= 0 && r.Arg(indexOf(r, "-type")+1) == "f")
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
		case limited(r) && !trees:
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
	if r.Name == "fd" || r.Name == "fdfind" {
		pattern := r.Arg(0)
		return hasOption(r, []string{"-e", "--extension", "-g", "--glob", "-S", "--changed-within", "--changed-before"}) ||
			pattern != "" && pattern[0] != '-' && pattern != "." && pattern != ".*"
	}
	for i := range r.Args { // in "-name x -o -delete" the action belongs to what is not named
		if t := r.Args[i].Text; t == "-o" || t == "-or" {
			if next := r.Arg(i + 1); next == "-delete" || strings.HasPrefix(next, "-exec") || strings.HasPrefix(next, "-ok") {
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

func aged(r *shellparse.Run) bool {
	for i := range r.Args {
		switch r.Args[i].Text {
		case "-mtime", "-ctime", "-atime", "-mmin", "-cmin", "-amin", "-newer", "-size":
			return true
		}
	}
	return false
}
