package risk

import (
	"strings"

	"github.com/caro-mesh/caro-node/observer/shellparse"
	"github.com/caro-mesh/caro-node/observer/wordset"
)

// serveFiles judges small file servers by the folder that they offer.
func serveFiles(a *assessor, r *shellparse.Run) {
	if checkConsole.Has(r.Name) {
		appConsole(a, r)
	}
	switch r.Name {
	case "python", "python3", "twistd":
		if !containsText(r, []string{"http.server", "SimpleHTTPServer", "pyftpdlib", "updog", "uploadserver", "wsgidav"}) {
			return
		}
	case "php":
		if !r.Has("-S") {
			return
		}
	case "ruby":
		if !r.Has("-run") {
			return
		}
	case "npx":
		if !containsText(r, []string{"serve", "http-server"}) {
			return
		}
	case "busybox":
		if !r.Has("httpd") {
			return
		}
	case "caddy":
		if !r.Has("file-server") {
			return
		}
	}
	if local(r) {
		return
	}
	dir := r.Dir
	for i := range r.Args {
		t := r.Args[i].Text
		if v, ok := strings.CutPrefix(t, "--directory="); ok {
			dir = v
		}
		if (t == "-d" || t == "--directory" || t == "-t" || t == "-h" || t == "--root" || t == "--path" ||
			t == "-w") && i+1 < len(r.Args) {
			dir = r.Arg(i + 1)
		}
		if t != "" && (t[0] == '/' || t[0] == '~') {
			dir = t
		}
	}
	if dir == "" {
		return
	}
	w := shellparse.Word{Text: dir}
	if p := placeOf(w, ""); p == placeRoot || p == placeHome || p == placeSystem &&
		!strings.HasPrefix(dir, "/var/www") && !strings.HasPrefix(dir,
		"/srv") && dir != "/opt" || secrecy(dir, "") >= secret || p == placeVital {
		a.hit("network.serve-home")
	}
}

// checkConsole are programs whose program text is looked at as well.
var checkConsole = wordset.Of(`python python3 php ruby`)

// listenTo judges captures whose output is searched for passwords.
func listenTo(a *assessor, r *shellparse.Run) {
	for i := range r.Args {
		if low := strings.ToLower(r.Args[i].Text); r.Name == "ngrep" && anyIn(low, secretWords) {
			a.hit("secret.sniff")
		}
		if t := r.Args[i].Text; strings.Contains(t, "http.authbasic") || strings.Contains(t, "ftp.request.command") {
			a.hit("secret.sniff")
		}
	}
	for j := a.index + 1; j < len(a.cmd.Runs); j++ {
		g := &a.cmd.Runs[j]
		if (strings.Contains(g.Name, "grep") || g.Name == "rg" || g.Name == "awk") &&
			contains(a.cmd.Upstream(g.Stdin), a.index) {
			for k := range g.Args {
				if low := strings.ToLower(g.Args[k].Text); anyIn(low, secretWords) ||
					strings.Contains(low, "authorization") ||
					strings.Contains(low, "cookie") || strings.Contains(low, "pass") {
					a.hit("secret.sniff")
				}
			}
		}
	}
}
