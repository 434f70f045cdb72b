package risk

import (
	"strings"

	"github.com/caro-mesh/caro-node/observer/shellparse"
	"github.com/caro-mesh/caro-node/observer/wordset"
)

// widely reports whether a mode lets everybody write.
func widely(mode string) bool {
	if strings.ContainsAny(mode, "ugoa+=") {
		for _, part := range strings.Split(mode, ",") {
			who, what, ok := cutAny(part, "+=")
			if ok && (who == "" && strings.Contains(what, "rwx") || strings.ContainsAny(who, "oa")) &&
				strings.Contains(what, "w") {
				return true
			}
		}
		return false
	}
	n := len(mode)
	return n >= 3 && strings.Trim(mode, "01234567") == "" && strings.IndexByte("2367", mode[n-1]) >= 0
}

// readable reports whether a mode lets everybody read.
func readable(mode string) bool {
	if n := len(mode); n >= 3 && strings.Trim(mode, "01234567") == "" {
		return (mode[n-1]-'0')&4 != 0
	}
	who, what, ok := cutAny(mode, "+=")
	return ok && strings.ContainsAny(who, "oa") && strings.Contains(what, "r")
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
		system := p == placeRoot || p == placeSystem && !served.Has(c) || p == placeVital && c[0] != '~' || p == placeDisk
		switch {
		case !system && readable(mode) && secrecy(w.Text, r.Dir) == grave:
			a.hit("file.permissions-home")
		case setsUserID(mode) && shells.Has(c[strings.LastIndexByte(c, '/')+1:]):
			a.hit("file.setuid-shell")
		case setsUserID(mode) && !strings.HasPrefix(mode, "2") && !strings.HasPrefix(mode, "g"):
			a.hit("file.setuid")
		case recursive && system && !(p == placeVital && !widely(mode)):
			a.hit("file.permissions-root")
		case system && widely(mode):
			a.hit("file.permissions-root")
		case system && (mode == "000" || mode == "0" || mode == "-x" || mode == "a-x" || mode == "a-rwx"):
			a.hit("file.permissions-root")
		case recursive && p == placeHome, p == placeVital && c[0] == '~' && widely(mode):
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

// served are folders at the top that hold what the administrator put there and not the system.
var served = wordset.Of(`/opt /srv /var/www /usr/local /var/lib/docker /var/lib/mysql /var/lib/postgresql`)

// modeOperands returns the operands of chmod, whose mode may begin with a minus.
func modeOperands(r *shellparse.Run) []shellparse.Word {
	var out []shellparse.Word
	for _, w := range r.Args {
		t := w.Text
		if len(t) > 1 && t[0] == '-' && (len(out) > 0 || t[1] == '-' || strings.Trim(t[1:], "rwxXst,ugoa+=-") != "" ||
			strings.Trim(t[1:], "R") == "") {
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
	owner := ""
	if len(ops) > 1 && r.Name != "setfacl" {
		owner, _, _ = strings.Cut(ops[0].Text, ":")
		ops = ops[1:]
	}
	for i := range r.Args {
		if who, what, ok := strings.Cut(r.Args[i].Text, "::"); ok && r.Name == "setfacl" && recursive &&
			(strings.HasSuffix(who, "o") || strings.HasSuffix(who, "other")) && strings.Contains(what, "w") {
			a.hit("file.world-writable")
		}
	}
	for _, w := range ops {
		c := pathOf(w.Text, r.Dir)
		switch p := placeOf(w, r.Dir); {
		case recursive && (p == placeRoot || p == placeSystem && !served.Has(c) && !strings.HasPrefix(c, "/usr/local")):
			a.hit("file.permissions-root")
		case p == placeVital && c[0] != '~' && r.Name != "chattr":
			a.hit("file.permissions-root")
		case recursive && p == placeHome && owner != "$USER" && !strings.HasSuffix(w.Text, "/"+owner):
			a.hit("file.permissions-home")
		case recursive:
			a.hit("file.permissions-tree")
		default:
			a.hit("file.permissions")
		}
	}
}
