package risk

import (
	"strings"

	"github.com/caro-mesh/caro-node/observer/shellparse"
)

// netcat judges programs that connect a program to a socket.
func netcat(a *assessor, r *shellparse.Run) {
	switch r.Name {
	case "socat":
		program, network := false, false
		for _, w := range r.Args {
			up := strings.ToUpper(w.Text)
			program = program || strings.HasPrefix(up, "EXEC:") || strings.HasPrefix(up, "SYSTEM:") ||
				strings.HasPrefix(up, "SHELL:") || strings.Contains(up, "OPENSSL") && strings.Contains(up, "EXEC")
			network = network || strings.HasPrefix(up, "TCP") || strings.HasPrefix(up, "UDP") || strings.HasPrefix(up,
				"OPENSSL") || strings.HasPrefix(up, "SSL") || strings.HasPrefix(up, "SCTP") || strings.HasPrefix(up,
				"VSOCK")
		}
		if program && network {
			a.hit("network.reverse-shell")
		}
	case "telnet", "openssl":
	default:
		if anyIn(strings.ToLower(r.Stdin.Text), []string{"flush_all", "flushall", "flushdb"}) {
			a.hit("redis.flush")
		}
		for i, w := range r.Args {
			t := w.Text
			switch {
			case t == "--exec" || t == "--sh-exec" || t == "--lua-exec" || strings.HasPrefix(t, "--exec=") ||
				strings.HasPrefix(t, "--sh-exec="):
				a.hit("network.reverse-shell")
			case len(t) > 1 && t[0] == '-' && t[1] != '-' && (strings.HasSuffix(t, "e") || strings.HasSuffix(t, "c")) &&
				len(t) <= 8 && programLike(r.Arg(i+1)):
				a.hit("network.reverse-shell")
			}
		}
	}
}

// programLike reports whether a word can be the program that netcat starts.
func programLike(s string) bool {
	first, _, _ := strings.Cut(s, " ")
	base := first[strings.LastIndexByte(first, '/')+1:]
	return strings.HasPrefix(s, "/") || shells.Has(base) || base == "cmd" || strings.HasPrefix(base, "cmd.") ||
		base == "python" || base == "python3" || base == "perl" || base == "powershell" || s == "$SHELL"
}

// connects reports whether a run is a plain connection to another machine.
func connects(r *shellparse.Run) bool {
	switch r.Name {
	case "nc", "ncat", "netcat", "nc.traditional", "nc.openbsd", "telnet", "socat", "rustcat", "rcat", "websocat":
		return true
	case "openssl":
		return r.Has("s_client") || r.Has("s_server")
	case "ssh":
		return false
	}
	return false
}

// interactive reports whether a run is a shell that takes its commands from its input.
func interactive(r *shellparse.Run) bool {
	if !shells.Has(r.Name) || r.Code.Known || r.Name == "busybox" {
		return false
	}
	for _, w := range r.Args {
		if !strings.HasPrefix(w.Text, "-") && w.Text != "/dev/stdin" {
			return false // a script
		}
	}
	return true
}

// sockets finds shells whose input or output is a connection, however the parts are spread over the line, and secrets
// that are written to a connection opened earlier.
func (a *assessor) sockets() {
	socket, fifo := false, false
	for i := range a.cmd.Runs {
		r := &a.cmd.Runs[i]
		fifo = fifo || r.Name == "mkfifo" || r.Name == "mknod" && r.Has("p")
		for j := range r.Redirs {
			if t := r.Redirs[j].Target.Text; strings.HasPrefix(t, "/dev/tcp/") || strings.HasPrefix(t, "/dev/udp/") {
				socket = true
				if interactive(r) {
					a.hit("network.reverse-shell")
				}
			}
		}
		if r.Name == "ztcp" {
			socket = true
		}
	}
	for i := range a.cmd.Runs {
		r := &a.cmd.Runs[i]
		if socket && r.Name != "" {
			kind := carries(r)
			for j := range r.Args {
				kind = max(kind, a.upstreamSecrets(r.Args[j].From))
			}
			if kind >= secret {
				a.hit("network.exfiltrate")
			}
		}
		switch {
		case interactive(r) && fromCoprocess(r) && a.connected():
			a.hit("network.reverse-shell")
		case socket && (interactive(r) || strings.HasPrefix(r.Path, "$") && r.Path != "$()" && r.Name != "sh"):
			a.hit("network.reverse-shell")
		case connects(r):
			for _, j := range a.cmd.Upstream(r.Stdin) {
				if u := &a.cmd.Runs[j]; interactive(u) && (fifo || u.Stdin.Present() || hasOption(u, []string{"-i"})) {
					a.hit("network.reverse-shell")
				}
			}
		case interactive(r) && len(r.Stdin.From) > 0:
			for _, j := range a.cmd.Upstream(r.Stdin) {
				if connects(&a.cmd.Runs[j]) {
					a.hit("network.reverse-shell")
				}
			}
		case r.Name == "xterm" && hasOption(r, []string{"-display"}):
			a.hit("network.reverse-shell")
		}
	}
}

// fromCoprocess reports whether a run reads from a coprocess.
func fromCoprocess(r *shellparse.Run) bool {
	for i := range r.Redirs {
		if strings.Contains(r.Redirs[i].Target.Text, "COPROC") {
			return true
		}
	}
	return false
}

// connected reports whether some run of the line is a plain connection.
func (a *assessor) connected() bool {
	for i := range a.cmd.Runs {
		if connects(&a.cmd.Runs[i]) {
			return true
		}
	}
	return false
}
