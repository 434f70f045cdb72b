package shellparse

import (
	"encoding/base64"
	"strings"

	"github.com/caro-mesh/caro-node/observer/wordset"
)

// codeOptions lists, per program, the options whose value is a command line that the program runs.
var codeOptions = map[string]string{
	"zip": "-TT --unzip-command", "scp": "-S", "sftp": "-S", "tcpdump": "-z", "split": "--filter", "gsplit": "--filter",
	"sort": "--compress-program", "gsort": "--compress-program", "man": "-P --pager -H",
	"openvpn": "--up --down --route-up --ipchange --tls-verify",
	"wget":    "--use-askpass", "cpio": "--rsh-command", "nodemon": "--exec -x", "chokidar": "-c --command",
	"xterm": "-e", "konsole": "-e",
	"gnome-terminal": "-e --command", "alacritty": "-e --command", "urxvt": "-e", "rxvt": "-e", "st": "-e",
	"terminator": "-e -x",
	"tilix":      "-e", "lxterminal": "-e", "xfce4-terminal": "-e -x", "mate-terminal": "-e -x", "x-terminal-emulator": "-e",
	"aria2c":            "--on-download-complete --on-download-start --on-download-error",
	"start-stop-daemon": "--exec --startas -x -a",
	"make":              "--eval", "fzf": "--preview", "borg": "--rsh", "unison": "-sshcmd", "mutt": "-e", "lftp": "-c -e",
	"pidstat":     "-e",
	"cargo-watch": "-s", "sqlmap": "--os-cmd", "rlwrap": "-z", "gcc": "-wrapper", "cc": "-wrapper", "bpftrace": "-c",
	"schtasks": "/tr", "msfconsole": "-x", "eb": "-c --command",
	"restic": "--password-command -o",
	"kitty":  "-e", "foot": "-e", "npm": "--call", "az": "--scripts",
}

// commandMarks lists, per program, what begins a word of its own language that escapes to a shell.
var commandMarks = map[string][]string{
	"gdb": {"shell ", "!", "pipe "}, "lldb": {"platform shell ", "shell "}, "sqlite3": {".shell ", ".system "},
	"psql": {`\! `, `\!`}, "mysql": {`\! `, "system "}, "mariadb": {`\! `, "system "}, "less": {"+!", "!"}, "more": {"+!", "!"},
	"ftp": {"!"}, "sftp": {"!"}, "lftp": {"!"}, "ed": {"!"}, "dc": {"!"}, "nnn": {"!"}, "mutt": {"!"},
	"apt": {"APT::Update::Pre-Invoke::=", "APT::Update::Post-Invoke::=", "Dpkg::Pre-Invoke::=", "Dpkg::Post-Invoke::=",
		"DPkg::Pre-Invoke::="}, "apt-get": {"APT::Update::Pre-Invoke::=", "APT::Update::Post-Invoke::=",
		"Dpkg::Pre-Invoke::=",
		"Dpkg::Post-Invoke::=", "DPkg::Pre-Invoke::="},
	"socat": {"EXEC:", "SYSTEM:", "exec:", "system:", "SHELL:"}, "strace": {"|"}, "bc": {"!"}, "rsync": {"--rsh="},
}

// escape resolves the commands that a program's options or the words of its own language make it run. It is called for
// programs that are no carriers.
func (w *walker) escape(i int, r Run) {
	if options := codeOptions[r.Name]; options != "" {
		for j, a := range r.Args {
			name, value, attached := strings.Cut(a.Text, "=")
			switch {
			case attached && strings.HasPrefix(name, "--") && hasField(options, name):
				a.Text = value
				w.child(i, a, Source{}, nil)
			case hasField(options, a.Text) && j+1 < len(r.Args):
				if a.Text == "-e" || a.Text == "-x" { // terminals take the rest of the line
					w.child(i, joined(r.Args[j+1:]), Source{}, nil)
					return
				}
				w.child(i, r.Args[j+1], Source{}, nil)
			}
		}
	}
	marks := commandMarks[r.Name]
	if marks == nil {
		return
	}
	for j := range r.Args {
		w.marked(i, r.Args[j], marks)
	}
	if r.Stdin.Text != "" && len(r.Stdin.Text) < maxForeign {
		for _, line := range strings.SplitN(r.Stdin.Text, "\n", maxFields) {
			w.marked(i, Word{Text: line}, marks)
		}
	}
}

// recipes runs the commands of a makefile that the line itself tells.
func (w *walker) recipes(i int, r Run) {
	src := Source{}
	for j, a := range r.Args {
		if v, ok := strings.CutPrefix(a.Text, "SHELL="); ok && strings.Contains(v, " ") {
			a.Text = v
			w.child(i, a, Source{}, nil)
		}
		if (a.Text == "-f" || a.Text == "--file") && j+1 < len(r.Args) {
			src = w.fileSource(r.Args[j+1])
			if name := r.Args[j+1].Text; name == "-" || name == "/dev/stdin" {
				src = r.Stdin
			}
		}
	}
	if f := w.file("Makefile"); f != nil && src.Text == "" {
		src = f.content
	}
	if src.Text == "" || len(src.Text) > maxForeign {
		return
	}
	for n, line := range strings.Split(src.Text, "\n") {
		if code, ok := strings.CutPrefix(line, "\t"); ok && n < maxFields {
			w.childCode(i, strings.TrimLeft(code, "@-+ "), Source{}, nil, nil)
		}
	}
}

func (w *walker) marked(i int, a Word, marks []string) {
	for _, m := range marks {
		if code, ok := strings.CutPrefix(strings.TrimLeft(a.Text, " "), m); ok && code != "" {
			a.Text = strings.TrimRight(code, `";`)
			if m == "EXEC:" || m == "exec:" || m == "SYSTEM:" || m == "system:" {
				a.Text, _, _ = strings.Cut(code, ",")
				a.Text = strings.Trim(a.Text, `'"`)
			}
			w.childIn(i, a, Source{}, nil, nil)
			return
		}
	}
}

// programVariables hold a command that programs started with them run: a pager, an editor.
var programVariables = wordset.Of(`PAGER MANPAGER GIT_PAGER LESSOPEN EDITOR VISUAL SUDO_EDITOR GIT_EDITOR GIT_SEQUENCE_EDITOR
	GIT_SSH_COMMAND GIT_SSH GIT_EXTERNAL_DIFF GIT_ASKPASS SSH_ASKPASS SUDO_ASKPASS BROWSER MANOPT SYSTEMD_PAGER AWS_PAGER KUBE_EDITOR
	GIT_PROXY_COMMAND DELTA_PAGER BAT_PAGER PSQL_PAGER PERL5DB TAR_OPTIONS`)

// chosen resolves the commands that a run's own assignments make it run: EDITOR='tee -a' visudo.
func (w *walker) chosen(i int, assigns []Assign, stdin Source) {
	for _, as := range assigns {
		if !programVariables.Has(as.Name) || as.Value.Text == "" || !strings.ContainsAny(as.Value.Text, " /;|") {
			continue
		}
		code := as.Value
		if w.cmd.Runs[i].Name == "visudo" {
			code.Text += " /etc/sudoers"
		}
		w.childCode(i, code.Text, stdin, nil, nil)
	}
}

// encodedCommand decodes the text of PowerShell's -EncodedCommand: base64 of UTF-16.
func encodedCommand(text string) (string, bool) {
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(b) < 2 {
		return "", false
	}
	out := make([]byte, 0, len(b)/2)
	for k := 0; k+1 < len(b); k += 2 {
		if b[k+1] != 0 {
			return "", false
		}
		out = append(out, b[k])
	}
	return string(out), true
}
