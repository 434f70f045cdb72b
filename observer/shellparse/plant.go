package shellparse

import (
	"strings"

	"github.com/caro-mesh/caro-node/observer/wordset"
)

// planted says how a file that runs later on its own holds its commands.
type planted uint8

const (
	plantedNot planted = iota
	plantedShell
	plantedTable // crontab
	plantedUser  // crontab with a user in each line
	plantedUnit  // systemd units and desktop entries: Exec=…
	plantedList  // property lists of launchd
	plantedRule  // udev
	plantedGit
	plantedSSH
)

// startFiles run when somebody logs in or opens a shell, by base name.
var startFiles = wordset.Of(`.bashrc .bash_profile .bash_login .bash_logout .bash_aliases .profile .zshrc .zprofile .zshenv .zlogin
	.zlogout .kshrc .mkshrc .shrc .cshrc .tcshrc .login .xinitrc .xprofile .xsession .xsessionrc .envrc .inputrc config.fish`)

// startFolders hold scripts that run on their own.
var startFolders = []string{"/.git/hooks/", "/.husky/", "/git/hooks/", "/.config/fish/conf.d/", "/.config/fish/functions/",
	"/.oh-my-zsh/custom/", "/etc/profile.d/", "/etc/rc.d/", "/etc/init.d/", "/etc/rc.local", "/etc/update-motd.d/",
	"/etc/cron.daily/", "/etc/cron.hourly/", "/etc/cron.weekly/", "/etc/cron.monthly/", "/etc/NetworkManager/dispatcher.d/",
	"/etc/network/if-", "/etc/dhcp/dhclient-", "/etc/ppp/ip-up", "/etc/acpi/", "/etc/zsh", "/etc/bash.bashrc",
	"/etc/bashrc",
	"/etc/profile", "/etc/ssh/sshrc", "/.ssh/rc", "/.config/plasma-workspace/env/", "/etc/local.d/", "/etc/periodic/",
	"/usr/lib/systemd/system-sleep/", "/etc/apt/apt.conf.d/", "/.config/autostart-scripts/", "/etc/X11/Xsession.d/"}

// RunsLater reports whether what is written to the path runs later on its own: when somebody logs in, when the machine
// starts, at a certain time, with every commit.
func RunsLater(path string) bool { return plantedAs(path) != plantedNot }

func plantedAs(name string) planted {
	if len(name) < 4 || strings.IndexByte(name, '/') < 0 && name[0] != '.' {
		return plantedNot
	}
	p := name
	if p[0] != '/' && p[0] != '~' {
		p = "/" + p
	}
	base := p[strings.LastIndexByte(p, '/')+1:]
	switch {
	case startFiles.Has(base):
		return plantedShell
	case base == ".gitconfig" || strings.HasSuffix(p, "/.git/config") || strings.HasSuffix(p, "/git/config"):
		return plantedGit
	case strings.HasSuffix(p, "/.ssh/config") || strings.HasSuffix(p, "/.ssh/authorized_keys") || strings.HasPrefix(p,
		"/etc/ssh/ssh"):
		return plantedSSH
	case p == "/etc/crontab" || strings.Contains(p, "/etc/cron.d/"):
		return plantedUser
	case strings.Contains(p, "/spool/cron/") || strings.HasPrefix(p, "/var/cron/tabs/"):
		return plantedTable
	case strings.Contains(p, "/systemd/") && (strings.HasSuffix(p, ".service") || strings.HasSuffix(p, ".conf") ||
		strings.HasSuffix(p, ".timer")), strings.HasSuffix(p, ".desktop"):
		return plantedUnit
	case strings.Contains(p, "/LaunchAgents/") || strings.Contains(p, "/LaunchDaemons/"):
		return plantedList
	case strings.Contains(p, "/udev/rules.d/"):
		return plantedRule
	}
	for _, f := range startFolders {
		if strings.Contains(p, f) {
			return plantedShell
		}
	}
	return plantedNot
}

// plant resolves what a file holds that run i wrote and that runs later on its own.
func (w *walker) plant(i int, name string, content Source) {
	if content.Text == "" || i < 0 || i >= len(w.cmd.Runs) || w.ctx.planted {
		return
	}
	kind := plantedAs(name)
	if kind == plantedNot || len(content.Text) > maxForeign {
		return
	}
	switch kind {
	case plantedShell:
		w.plantCode(i, content.Text)
		return
	case plantedList:
		w.plantCode(i, tagged(content.Text, "<string>"))
		return
	case plantedRule:
		for _, key := range [...]string{`RUN+="`, `RUN="`, `PROGRAM="`, `RUN{program}+="`} {
			if _, rest, ok := strings.Cut(content.Text, key); ok {
				code, _, _ := strings.Cut(rest, `"`)
				w.plantCode(i, code)
			}
		}
		return
	}
	for n, line := range strings.Split(content.Text, "\n") {
		if n > maxFields {
			break
		}
		line = strings.TrimSpace(line)
		code := ""
		switch kind {
		case plantedTable:
			code = cronCommand(line)
		case plantedUser:
			code = cronCommand(line)
			if k := strings.IndexAny(code, " \t"); k > 0 && !strings.ContainsAny(code[:k], "/=$(") {
				code = code[k+1:]
			}
		case plantedUnit:
			if key, value, ok := strings.Cut(line, "="); ok && strings.HasPrefix(key, "Exec") {
				code = strings.TrimLeft(value, "-@+!: ")
			}
		case plantedGit:
			if _, value, ok := strings.Cut(line, "="); ok {
				code = strings.TrimLeft(value, " !\"")
			}
		case plantedSSH:
			code = sshCommand(line)
		}
		if code != "" {
			w.plantCode(i, code)
		}
	}
}

// sshCommand finds the command in a line of the client's configuration or of authorized_keys.
func sshCommand(line string) string {
	for _, key := range [...]string{"ProxyCommand", "LocalCommand", "RemoteCommand", "KnownHostsCommand"} {
		if rest, ok := strings.CutPrefix(line, key); ok {
			return strings.TrimLeft(rest, " =")
		}
	}
	if _, rest, ok := strings.Cut(line, `command="`); ok {
		code, _, _ := strings.Cut(rest, `"`)
		return code
	}
	return ""
}

// tagged joins what stands behind each opening tag.
func tagged(text, open string) string {
	var words []string
	for len(words) < maxFields {
		_, rest, ok := strings.Cut(text, open)
		if !ok {
			break
		}
		word, after, _ := strings.Cut(rest, "<")
		words = append(words, quote(Word{Text: word}))
		text = after
	}
	for k, word := range words { // the label stands before the program
		if strings.Contains(word, "/") || word == "sh" || word == "bash" || word == "curl" {
			words = words[k:]
			break
		}
	}
	return strings.Join(words, " ")
}

// plantCode resolves shell code that run i leaves behind to be run later.
func (w *walker) plantCode(i int, code string) {
	w.childCode(i, code, Source{}, nil, func(c *context) {
		c.planted, c.deferred, c.dir = true, true, ""
	})
}

// hookVariables hold commands that a shell runs at every prompt.
var hookVariables = wordset.Of(`PROMPT_COMMAND PS0 precmd_functions preexec_functions`)

// plantAssigned resolves the value of a variable that the shell runs at every prompt.
func (w *walker) plantAssigned(i int, name, value string) {
	if i >= 0 && hookVariables.Has(name) && value != "" {
		w.plantCode(i, value)
	}
}

// hookFunctions are functions that shells call on their own.
var hookFunctions = wordset.Of(`precmd preexec chpwd periodic zshexit fish_prompt fish_right_prompt fish_greeting fish_preexec
	command_not_found_handle command_not_found_handler`)

// plantWritten resolves what redirections of run i wrote into files that run later.
func (w *walker) plantWritten(i int, redirs []Redirect, out Source) {
	for _, r := range redirs {
		if r.Writes() && (r.FD == "" || r.FD == "1") {
			w.plant(i, r.Target.Text, out)
		}
	}
}

// gitKeys are settings of git whose value is a command.
func gitCommandKey(key string) bool {
	switch key {
	case "core.pager", "core.editor", "core.sshcommand", "core.fsmonitor", "core.askpass", "diff.external",
		"sequence.editor", "gpg.program", "core.gitproxy", "uploadpack.packobjectshook", "credential.helper", "web.browser":
		return true
	}
	switch {
	case strings.HasPrefix(key, "filter.") && (strings.HasSuffix(key, ".clean") || strings.HasSuffix(key, ".smudge") ||
		strings.HasSuffix(key, ".process")), strings.HasPrefix(key, "pager."), strings.HasSuffix(key, ".textconv"),
		strings.HasSuffix(key, ".cmd"), strings.HasSuffix(key, ".command"), strings.HasSuffix(key, ".helper"),
		strings.HasPrefix(key, "merge.") && strings.HasSuffix(key, ".driver"):
		return true
	}
	return false
}
