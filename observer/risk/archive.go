package risk

import (
	"strings"

	"github.com/caro-mesh/caro-node/observer/shellparse"
)

func syncFiles(a *assessor, r *shellparse.Run) {
	if r.Has("--remove-source-files") && !hasOption(r, []string{"-n", "--dry-run"}) {
		for _, w := range operandsOf(r, "-e --rsh --exclude --include") {
			if p := placeOf(w, r.Dir); p == placeHome || p == placeVital || p == placeSystem || p == placeRoot {
				a.hit("file.remove-here")
				break
			}
		}
	}
	if !hasOption(r, []string{"--delete", "--delete-after", "--delete-before", "--delete-during", "--delete-excluded",
		"--del"}) || hasOption(r, []string{"-n", "--dry-run"}) {
		return
	}
	ops := operandsOf(r,
		"-e --rsh --exclude --include --exclude-from --include-from --files-from --filter -f --rsync-path")
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
		if (t == "-C" || t == "--directory" || t == "-d" && r.Name == "unzip" || t == "-D" &&
			r.Name == "cpio") && i+1 < len(r.Args) && !creates(r) {
			if p := placeOf(r.Args[i+1], r.Dir); p == placeRoot || p == placeSystem &&
				!strings.HasPrefix(pathOf(r.Arg(i+1), ""), "/usr/local") && r.Arg(i+1) != "/opt" &&
				r.Arg(i+1) != "/srv" {
				a.hit("file.unpack-root")
			}
		}
	}
	if r.Name == "unzip" && hasOption(r, []string{"-l", "-t", "-p", "-Z", "-v"}) {
		return
	}
	a.staged(r)
	if r.Name == "tar" && hasOption(r, []string{"--remove-files"}) {
		a.hit("file.remove-tree")
	}
}

// staged judges keys that are packed or copied into a folder where everybody can read.
func (a *assessor) staged(r *shellparse.Run) {
	open, kind := false, notSecret
	for i := range r.Args {
		t := strings.TrimPrefix(r.Arg(i), "--file=")
		open = open || temporary(t) || strings.HasPrefix(t, "/var/www/") || t == "/tmp"
		if !temporary(t) {
			kind = max(kind, secrecy(t, r.Dir))
		}
	}
	if open && kind >= secret {
		a.hit("secret.stage")
	}
}

// laidOpen judges secrets and dumps of databases that are written where everybody can read them.
func (a *assessor) laidOpen(c string, r *shellparse.Run) {
	web := strings.HasPrefix(c, "/var/www/") || strings.HasPrefix(c, "/srv/http/") || strings.HasPrefix(c, "/usr/share/nginx/") ||
		strings.Contains(c, "/public_html/") || strings.Contains(c, "/htdocs/")
	if !web && !temporary(c) || strings.HasPrefix(c, "/dev/") && !strings.HasPrefix(c, "/dev/shm/") {
		return
	}
	if web && (a.bulk(r.Stdin.From) || a.dumps(r)) || max(carries(r), a.upstreamSecrets(r.Stdin.From)) >= secret || makesKey(r) {
		a.hit("secret.stage")
	}
}

// dumps reports whether a run prints a whole database.
func (a *assessor) dumps(r *shellparse.Run) bool {
	switch r.Name {
	case "pg_dump", "pg_dumpall", "mysqldump", "mariadb-dump", "mongodump", "slapcat":
		return true
	}
	return false
}

// makesKey reports whether a run makes a key for an account and prints it.
func makesKey(r *shellparse.Run) bool {
	return r.Has("create-access-key") || r.Has("create-key-pair") || r.Has("create-for-rbac") || r.Has("service-accounts") && r.Has("create")
}

// packAndRemove judges archives that the originals are moved into.
func packAndRemove(a *assessor, r *shellparse.Run) {
	a.staged(r)
	if !(r.Name == "zip" && option(r, 'm') || r.Has("-sdel") || r.Name == "rar" && (r.Has("m") || r.Has("-df"))) {
		return
	}
	for _, w := range operandsOf(r, "-x -i") {
		switch p := placeOf(w, r.Dir); {
		case p == placeVital || p == placeHome || p == placeSystem || p == placeRoot || p == placeWhole:
			a.hit("file.remove-here")
		}
	}
	if a.hits == 0 {
		a.hit("file.remove")
	}
}

// creates reports whether tar or unzip writes or lists an archive instead of unpacking one.
func creates(r *shellparse.Run) bool {
	return hasOption(r, []string{"-c", "--create", "-t", "--list", "-l", "-p"}) || r.Name == "tar" &&
		len(r.Arg(0)) > 0 && strings.IndexByte("ct", r.Arg(0)[0]) >= 0
}

// editFiles judges editing in place.
func editFiles(a *assessor, r *shellparse.Run) {
	if !editsInPlace(r) {
		return
	}
	deletes, whole := strings.Contains(r.Line(), "/d"), erasesAll(r)
	for _, w := range operandsOf(r, "-e -f") {
		c := pathOf(w.Text, r.Dir)
		switch {
		case whole && (vitalFiles.Has(c) || holdsData(c)):
			a.hit("file.overwrite-vital")
		case c == "/etc/passwd" || c == "/etc/shadow" || c == "/etc/sudoers" || strings.HasPrefix(c, "/etc/sudoers.d/"):
			a.hit("account.edit")
		case isHistory(w.Text, r.Dir) || isLog(w.Text, r.Dir) && (deletes || whole || strings.Contains(r.Line(), "s/")):
			a.hit("log.edit")
		case strings.HasPrefix(c, "/etc/") || strings.HasPrefix(c, "/usr/") || strings.HasPrefix(c, "/boot/"):
			a.hit("file.write-system")
		case whole && (w.Glob || len(w.From) > 0):
			a.hit("file.empty-many")
		case whole && c != "" && c[0] == '/':
			a.hit("file.truncate")
		}
	}
}

// erasesAll reports whether an edit leaves nothing of a file.
func erasesAll(r *shellparse.Run) bool {
	for i := range r.Args {
		switch r.Args[i].Text {
		case "d", "1,$d", "0,$d", "/./d", "/.*/d", "/^/d", "s/.*//", "s/.*//g", "s/^.*$//", "/$/d", "2,$d":
			return true
		}
	}
	return false
}
