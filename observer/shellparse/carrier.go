package shellparse

import (
	"strings"
)

// carrier resolves programs that run another command somewhere else: on a host, in a container, in a terminal
// multiplexer, in every repository. It reports whether the program is one.
func (w *walker) carrier(i int, r Run) bool {
	switch r.Name {
	case "ssh", "autossh", "mosh", "slogin", "dropbear":
		w.ssh(i, r)
	case "docker", "podman", "nerdctl", "docker-compose", "podman-compose":
		w.container(i, r)
	case "kubectl", "oc", "k", "microk8s", "k3s", "minikube":
		w.pod(i, r)
	case "lxc", "incus", "multipass", "machinectl", "crictl", "distrobox", "toolbox":
		w.behindSub(i, r, PlaceContainer, "exec", "shell", "enter", "run")
	case "cmd":
		w.behindCommand(i, r)
	case "wsl":
		w.operands(i, r, wrapper{value: "due", long: "--distribution --user --cd --exec"}, PlaceHere)
	case "npx", "bunx", "pnpx":
		w.operands(i, r, wrapper{value: "pc", long: "--package --call"}, PlaceHere)
	case "npm", "pnpm", "yarn", "bun":
		if r.Name == "bun" && (r.Has("-e") || r.Has("--eval") || r.Has("-p")) {
			return false
		}
		w.behindSub(i, r, PlaceHere, "exec", "dlx", "x")
	case "nix", "flatpak", "snap", "pipx", "uvx":
		w.behindOption(i, r, "-c", "--command")
	case "tmux", "screen":
		w.multiplexer(i, r)
	case "aws":
		w.option(i, r, PlaceRemote, "--command")
		for _, a := range r.Args {
			if k := strings.Index(a.Text, "commands="); k >= 0 {
				a.Text = strings.Trim(a.Text[k+len("commands="):], "[]\"' ")
				w.child(i, a, Source{}, at(PlaceRemote))
			}
		}
	case "vagrant", "gcloud", "fly", "flyctl", "az":
		w.option(i, r, PlaceRemote, "-c", "--command", "-C", "--scripts")
	case "adb":
		w.remoteAfter(i, r, "shell")
	case "heroku":
		w.remoteAfter(i, r, "run", "run:detached")
	case "salt", "salt-ssh", "salt-call":
		w.salt(i, r)
	case "pdsh", "pssh", "parallel-ssh", "clush", "dsh":
		w.operandsCode(i, r, "whluepPtxfo", PlaceRemote)
	case "ansible":
		w.ansible(i, r)
	case "git":
		w.git(i, r)
	case "tar", "gtar", "bsdtar":
		w.tar(i, r)
	case "make", "gmake":
		w.recipes(i, r)
		return false
	case "gdb", "lldb", "rr", "capsh":
		for j, a := range r.Args {
			if (a.Text == "--args" || a.Text == "--") && j+1 < len(r.Args) {
				rest := r.Args[j+1:]
				if strings.HasPrefix(rest[0].Text, "-") { // capsh hands options to a shell
					rest = append([]Word{{Text: "bash"}}, rest...)
				}
				w.childWords(i, rest, r.Stdin, nil)
				return false
			}
		}
		return false
	case "rsync":
		w.option(i, r, PlaceHere, "-e", "--rsh")
	case "vim", "vi", "nvim", "ex", "view":
		w.vim(i, r)
	default:
		return false
	}
	return true
}

func at(p Place) func(*context) { return func(c *context) { c.place = p; c.dir = "" } }

func (w *walker) ssh(i int, r Run) {
	rest, ok := behind(&Run{}, "ssh", wrapper{value: "bcDEeFIiJLlmOopQRSWwBP", skip: 1}, append([]Word{{}}, r.Args...))
	for j, a := range r.Args {
		if v, found := strings.CutPrefix(a.Text, "ProxyCommand="); found || strings.HasPrefix(a.Text,
			"-oProxyCommand=") {
			if !found {
				v = strings.TrimPrefix(a.Text, "-oProxyCommand=")
			}
			if j == 0 || !strings.HasPrefix(v, "none") {
				w.child(i, Word{Text: v, Open: a.Open, From: a.From}, Source{}, nil)
			}
		}
	}
	switch {
	case ok:
		w.child(i, joined(rest), r.Stdin, at(PlaceRemote))
	case r.Stdin.Present():
		saved := w.ctx.place
		w.ctx.place = PlaceRemote
		w.runSource(i, r.Stdin, nil)
		w.ctx.place = saved
	}
}

// dockerFlags are the options of docker run and exec that take no value; all others do.
const dockerFlags = "-d -i -t -it -ti -dit -itd -dti -tid -id -di -td -dt -q -P --detach --interactive --tty --rm --privileged --init --publish-all --read-only " +
	"--no-healthcheck --disable-content-trust --oom-kill-disable --sig-proxy --quiet --help --no-deps --service-ports --build --use-aliases -T --no-TTY --replace --tls-verify"

func (w *walker) container(i int, r Run) {
	args := r.Args
	j := 0
	for j < len(args) {
		t := args[j].Text
		switch {
		case t == "compose" || t == "container":
		case strings.HasPrefix(t, "-"):
			if !strings.Contains(t, "=") &&
				hasField("-f -p -H -c -l --file --project-name --host --context --config --profile --env-file --project-directory --log-level", t) {
				j++
			}
		default:
			goto sub
		}
		j++
	}
	return
sub:
	sub := args[j].Text
	place := PlaceContainer
	if sub == "run" {
		place = PlaceThrowaway
	} else if sub != "exec" {
		return
	}
	var entry []Word
	for j++; j < len(args); j++ {
		t := args[j].Text
		if t == "--" {
			continue
		}
		if !strings.HasPrefix(t, "-") {
			break
		}
		if v, ok := strings.CutPrefix(t, "--entrypoint="); ok {
			entry = []Word{{Text: v}}
		}
		if strings.Contains(t, "=") || hasField(dockerFlags, t) {
			continue
		}
		j++
		if t == "--entrypoint" && j < len(args) {
			entry = []Word{args[j]}
		}
	}
	if j+1 <= len(args) {
		j++ // the container, service or image
	}
	words := append(entry, args[min(j, len(args)):]...)
	first := len(w.cmd.Runs)
	w.childWords(i, words, r.Stdin, at(place))
	if sub == "run" {
		w.mounted(first, mounts(r.Args))
	}
}

func (w *walker) pod(i int, r Run) {
	running := false
	for j, a := range r.Args {
		switch a.Text {
		case "exec", "debug", "run":
			running = true
		case "--":
			if running {
				w.childWords(i, r.Args[j+1:], r.Stdin, at(PlaceContainer))
			}
			return
		}
	}
	if r.Arg(0) == "exec" { // the old form without "--"
		rest, ok := behind(&Run{}, "kubectl", wrapper{value: "ncf",
			long: "--namespace --container --context --filename", skip: 1}, r.Args)
		if ok {
			w.childWords(i, rest, r.Stdin, at(PlaceContainer))
		}
	}
}

// behindSub runs what stands behind a sub-command and "--" or its first operand.
func (w *walker) behindSub(i int, r Run, place Place, subs ...string) {
	for j, a := range r.Args {
		if strings.HasPrefix(a.Text, "-") {
			continue
		}
		for _, s := range subs {
			if a.Text != s {
				continue
			}
			rest := r.Args[j+1:]
			for k := range rest {
				if rest[k].Text == "--" {
					w.childWords(i, rest[k+1:], r.Stdin, at(place))
					return
				}
			}
			if place == PlaceHere {
				if words, ok := behind(&Run{}, r.Name, wrapper{value: "pc", long: "--package"}, append([]Word{{}},
					rest...)); ok {
					w.childWords(i, words, r.Stdin, nil)
				}
			}
			return
		}
		return
	}
}

func (w *walker) operands(i int, r Run, spec wrapper, place Place) {
	if words, ok := behind(&Run{}, r.Name, spec, append([]Word{{}}, r.Args...)); ok {
		words = append([]Word(nil), words...)
		if k := strings.LastIndexByte(words[0].Text, '@'); k > 0 { // npx tool@version
			words[0].Text = words[0].Text[:k]
		}
		w.childWords(i, words, r.Stdin, func(c *context) { c.place = max(c.place, place) })
	}
}

func (w *walker) operandsCode(i int, r Run, value string, place Place) {
	if words, ok := behind(&Run{}, r.Name, wrapper{value: value}, append([]Word{{}}, r.Args...)); ok {
		w.child(i, joined(words), r.Stdin, at(place))
	}
}

// behindOption runs the words behind an option: nix develop -c make.
func (w *walker) behindOption(i int, r Run, names ...string) {
	for j, a := range r.Args {
		for _, n := range names {
			if a.Text == n {
				w.childWords(i, r.Args[j+1:], r.Stdin, nil)
				return
			}
		}
	}
}

// option runs the value of an option as shell code.
func (w *walker) option(i int, r Run, place Place, names ...string) {
	for j, a := range r.Args {
		for _, n := range names {
			code := a
			if v, ok := strings.CutPrefix(a.Text, n+"="); ok {
				code.Text = v
			} else if a.Text == n && j+1 < len(r.Args) {
				code = r.Args[j+1]
			} else {
				continue
			}
			change := at(place)
			if place == PlaceHere {
				change = nil
			}
			w.child(i, code, Source{}, change)
			return
		}
	}
}

func (w *walker) remoteAfter(i int, r Run, subs ...string) {
	for j, a := range r.Args {
		for _, s := range subs {
			if a.Text == s && j+1 < len(r.Args) {
				rest := r.Args[j+1:]
				for len(rest) > 0 && (rest[0].Text == "--" || strings.HasPrefix(rest[0].Text, "-")) {
					rest = rest[1:]
				}
				if r.Name == "adb" && len(rest) > 2 && rest[0].Text == "su" { // the shell there sees no quotes of here
					rest = rest[2:]
				}
				if len(rest) > 0 {
					w.child(i, joined(rest), r.Stdin, at(PlaceRemote))
				}
				return
			}
		}
	}
}

// multiplexer handles tmux new-session 'cmd', send-keys 'cmd' Enter, and screen -dm cmd.
func (w *walker) multiplexer(i int, r Run) {
	if r.Name == "screen" {
		if words, ok := behind(&Run{}, "screen", wrapper{value: "SceshtTp"}, append([]Word{{}}, r.Args...)); ok &&
			!r.Has("-X") && !strings.HasPrefix(words[0].Text, "/dev/") {
			w.childWords(i, words, Source{}, nil)
		}
		for j, a := range r.Args {
			if a.Text == "stuff" && j+1 < len(r.Args) {
				w.child(i, r.Args[j+1], Source{}, nil)
			}
		}
		return
	}
	starts := false
	for j, a := range r.Args {
		switch a.Text {
		case "new", "new-session", "neww", "new-window", "split-window", "splitw", "respawn-pane", "run-shell", "run",
			"if-shell", "display-popup", "popup":
			starts = true
			rest, ok := behind(&Run{}, "tmux", wrapper{value: "ceFnstxylp"}, r.Args[j:])
			if ok {
				w.child(i, joined(rest), Source{}, nil)
			}
		case "send-keys", "send":
			starts = true
			rest, ok := behind(&Run{}, "tmux", wrapper{value: "tN"}, r.Args[j:])
			for ok && len(rest) > 0 && (rest[len(rest)-1].Text == "Enter" || rest[len(rest)-1].Text == "C-m") {
				rest = rest[:len(rest)-1]
			}
			if ok && len(rest) > 0 {
				w.child(i, joined(rest), Source{}, nil)
			}
		}
		if starts {
			return
		}
	}
}

func (w *walker) tar(i int, r Run) {
	for j, a := range r.Args {
		for _, name := range [...]string{"--checkpoint-action=exec=", "--to-command=", "--use-compress-program=",
			"--info-script="} {
			if v, ok := strings.CutPrefix(a.Text, name); ok {
				a.Text = v
				w.child(i, a, Source{}, nil)
			}
		}
		if a.Text == "-I" && j+1 < len(r.Args) {
			w.child(i, r.Args[j+1], Source{}, nil)
		}
	}
}

// vim runs what stands behind "!" in -c and + commands.
func (w *walker) vim(i int, r Run) {
	for j, a := range r.Args {
		v := a
		switch {
		case (a.Text == "--cmd" || len(a.Text) < 7 && strings.HasPrefix(a.Text, "-") && strings.HasSuffix(a.Text, "c")) && j+1 < len(r.Args):
			v = r.Args[j+1]
		case strings.HasPrefix(a.Text, "+"):
			v.Text = a.Text[1:]
		default:
			continue
		}
		w.exCommand(i, v)
	}
}

// exCommand finds the shell command in a command of the line editor: !cmd, silent !cmd, %!cmd, r !cmd, call system("cmd").
func (w *walker) exCommand(i int, v Word) {
	text := strings.TrimLeft(v.Text, ": ")
	for _, p := range [...]string{"silent!", "silent", "sil!", "sil", "%", ".", "0", "$", "read", "r", "write ", "w ", "terminal ", "term "} {
		rest, found := strings.CutPrefix(text, p)
		if text = strings.TrimLeft(rest, " "); found && strings.HasPrefix(p, "term") {
			text = "!" + text
		}
	}
	if code, ok := strings.CutPrefix(text, "!"); ok {
		v.Text = code
		w.child(i, v, Source{}, nil)
		return
	}
	w.foreign(i, v.Text, "vim")
}
