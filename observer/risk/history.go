package risk

import (
	"strings"

	"github.com/caro-mesh/caro-node/observer/shellparse"
	"github.com/caro-mesh/caro-node/observer/wordset"
)

// historyFiles hold what was typed.
var historyFiles = wordset.Of(`.bash_history .zsh_history .zhistory .history .sh_history fish_history .python_history
	.mysql_history .psql_history .lesshst .node_repl_history .rediscli_history .sqlite_history .histfile
	.ash_history`)

func isHistory(path, dir string) bool {
	if path == "$HISTFILE" {
		return true
	}
	base := path[strings.LastIndexByte(path, '/')+1:]
	return historyFiles.Has(base) || strings.HasPrefix(base, ".bash_histor") || strings.HasPrefix(base, ".zsh_histor") ||
		base == ".*_history" || base == ".*history" || strings.HasPrefix(base, ".histor") && dir == "~"
}

// isLog reports whether a path is a log of the system.
func isLog(path, dir string) bool {
	c := pathOf(path, dir)
	return c == "/var/log" || strings.HasPrefix(c, "/var/log/") || strings.HasPrefix(c, "/private/var/log") ||
		c == "/var/run/utmp" || c == "/run/utmp" || strings.HasPrefix(c, "/run/log/journal")
}

func historyCommand(a *assessor, r *shellparse.Run) {
	switch {
	case r.Name == "fc":
		if r.Has("-p") && len(r.Args) == 1 {
			a.hit("log.history-off")
		}
	case hasOption(r, []string{"-c"}) || r.Arg(0) == "clear" || r.Arg(0) == "clear-session":
		a.hit("log.history-wipe")
	case hasOption(r, []string{"-d"}) || r.Arg(0) == "delete":
		a.pick(strings.Contains(r.Line(), "-1000") || strings.Contains(r.Line(), " 1-"), "log.history-wipe",
			"log.history-entry")
	}
}

// echoCommand judges showing secrets of the environment.
func echoCommand(a *assessor, r *shellparse.Run) {
	for i := range r.Args {
		if t := r.Args[i].Text; r.Args[i].Open && len(t) > 1 && t[0] == '$' && secretName(t[1:]) &&
			len(r.Redirs) == 0 && a.index == len(a.cmd.Runs)-1 {
			a.hit("secret.read")
		}
	}
}

func setCommand(a *assessor, r *shellparse.Run) {
	switch r.Name {
	case "set":
		if i := indexOf(r, "+o"); i >= 0 && r.Arg(i+1) == "history" || r.Has("+H") && r.Has("history") {
			a.hit("log.history-off")
		}
		for i, w := range r.Args { // fish: set -x HISTFILE …
			if i > 0 && w.Text == "fish_history" || w.Text == "HISTFILE" {
				a.hit("log.history-off")
			}
		}
	case "unset":
		if r.Has("HISTFILE") || r.Has("HISTSIZE") || r.Has("HISTFILESIZE") || r.Has("PROMPT_COMMAND") && r.Has("-f") {
			a.hit("log.history-off")
		}
	case "shopt":
		if r.Has("-u") && r.Has("histappend") {
			a.hit("log.history-entry")
		}
	default:
		for _, w := range r.Args {
			if name, value, ok := strings.Cut(w.Text, "="); ok {
				a.assigned(name, value)
			}
		}
	}
}

func (a *assessor) assignments() {
	for _, as := range a.at.Assigns {
		a.assigned(as.Name, as.Value.Text)
	}
}

// assigned judges variables that turn protection off.
func (a *assessor) assigned(name, value string) {
	switch name {
	case "HISTFILE":
		if value == "/dev/null" || value == "" {
			a.hit("log.history-off")
		}
	case "HISTSIZE", "HISTFILESIZE", "SAVEHIST":
		if value == "0" || value == "" {
			a.hit("log.history-off")
		}
	case "LD_PRELOAD", "DYLD_INSERT_LIBRARIES":
		if strings.HasPrefix(value, "/tmp/") || strings.HasPrefix(value, "./") || strings.HasPrefix(value, "/dev/shm") {
			a.hit("account.preload")
		}
	case "http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY":
		if bareAddress(value) && !private(strings.TrimPrefix(strings.TrimPrefix(value, "http://"), "https://")) {
			a.hit("network.poison")
		}
	case "NODE_TLS_REJECT_UNAUTHORIZED":
		if value == "0" {
			a.hit("network.no-tls-check")
		}
	}
}
