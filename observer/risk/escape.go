package risk

import (
	"strings"

	"github.com/caro-mesh/caro-node/observer/shellparse"
	"github.com/caro-mesh/caro-node/observer/wordset"
)

var escapeRules = []Rule{
	{
		ID: "docker.escape", Level: critical,
		Reason:     "It steps out of a container into the machine, with root's rights.",
		Suggestion: "Log in to the machine itself, where it is recorded.",
		when: []string{
			"kubectl debug node/* ~chroot|nsenter", "kubectl run --overrides ~privileged",
			"kubectl run --overrides ~hostPID", "kubectl run --overrides ~hostPath",
			"kubectl run --overrides=* ~privileged|hostPID|hostPath", "kubectl run --privileged",
			"ctr run --privileged", "runc run|exec ~privileged",
		},
	},
	{
		ID: "docker.node-shell", Level: high,
		Reason:     "It opens a shell on a node of the cluster.",
		Suggestion: "Use kubectl debug on the one pod.",
		when: []string{"kubectl debug node/*", "kubectl debug node *", "kubectl node-shell|node_shell ...",
			"oc debug node/*"},
	},
	{
		ID: "network.open-control", Level: high,
		Reason:     "It opens something that gives full control of the machine to everybody on the network.",
		Suggestion: "Bind it to 127.0.0.1 or a socket, and turn its password check on.",
		when: []string{
			"dockerd ~tcp://0.0.0.0|tcp://:", "dockerd ~:2375", "kubectl proxy ~0.0.0.0",
			"kubectl proxy ~--accept-hosts=", "kubelet ~--anonymous-auth=true",
			"kube-apiserver ~--anonymous-auth=true|--insecure-bind-address=0", "redis-server --protected-mode ~no",
			"redis-server --bind ~0.0.0.0", "mongod --bind_ip_all|--noauth !--auth",
			"mysqld|mysqld_safe|mariadbd --skip-grant-tables", "jupyter|jupyter-lab|jupyter-notebook ~token=''",
			"jupyter|jupyter-lab|jupyter-notebook --NotebookApp.token=|--ServerApp.token=|--IdentityProvider.token=",
			"code-server|openvscode-server ~--auth=none|--without-connection-token", "code-server --auth none",
			"ttyd|gotty ~sh|bash|zsh|login", "gotty -w|--permit-write", "ttyd -W|--writable", "shellinaboxd ...",
			"wetty ~0.0.0.0", "x11vnc -nopw", "x11vnc =-nopw|-forever",
			"vncserver ~SecurityTypes=None|-SecurityTypes", "xhost +", "xhost =+", "tmate ...", "upterm host",
			"gs-netcat -l", "sshd =-o ~PermitEmptyPasswords=yes|PermitRootLogin=yes", "telnetd|in.telnetd ...",
			"rpcbind|rshd|rlogind ...", "adb tcpip", "systemsetup ~-setremotelogin ~on", "telnetd -l",
			"busybox telnetd", "nbd-server ...", "rsync --daemon ~0.0.0.0",
			"dlv ~--listen=0.0.0.0|--listen=:", "node --inspect=0.0.0.0*|--inspect-brk=0.0.0.0*",
			"etcd ~--listen-client-urls=http://0.0.0.0|http://0.0.0.0:2379",
			"consul agent ~enable_script_checks|0.0.0.0", "memcached ~0.0.0.0 -l", "smbd ~guest",
			"filebrowser ~--noauth",
			"kubectl port-forward ~0.0.0.0 svc/db|svc/postgres|svc/mysql|svc/redis|svc/mongo|svc/vault",
		},
	},
	{
		ID: "network.tunnel", Level: high,
		Reason:     "It lets others reach this machine or its network from outside, past the firewall.",
		Suggestion: "Ask for a VPN, and bind the remote end to its loopback.",
		when: []string{
			"ngrok tcp|tls", "bore local 22|3389|5900|445",
			"frpc|frps|rathole|gost|iodine|iodined|dnscat|dnscat2|ptunnel|ptunnel-ng ...", "gsocket|blitz ...",
			"ligolo-ng|ligolo|revsocks|rpivot|reGeorg|neoreg|icmptunnel|gs-netcat ...",
			"cloudflared tunnel ~ssh://|tcp://|rdp://|smb://", "cloudflared tunnel run --token|--token=*",
			"cloudflared service install", "chisel client ~R:", "chisel server --reverse", "pagekite ~22",
			"localxpose ~tcp", "zrok share ~tcp", "tailscale funnel|serve ~tcp:22", "inlets-pro|inlets tcp",
			"sish|serveo ...", "anydesk|teamviewer ~--set-password|passwd", "rustdesk --password", "plink -R",
			"wstunnel client ~-R",
		},
	},
}

// dropsIntoShell are ways out of programs that run as root and are no shells: a pager, an editor, a help text.
func (a *assessor) escaped() {
	r := a.at
	if !r.Root {
		return
	}
	switch {
	case r.User == "#-1" || r.User == "#4294967295" || r.User == "-1":
		a.hit("account.root-escape")
	case r.Name == "man" && hasOption(r, []string{"-P", "--pager"}):
		a.hit("account.root-escape")
	case r.Name == "git" && hasOption(r, []string{"-p", "--paginate"}) && r.Has("help"):
		a.hit("account.root-escape")
	case r.Name == "nmap" && (r.Has("--interactive") || scriptFromLine(r)):
		a.hit("account.root-escape")
	case interactive(r) && throughTool(r):
		a.hit("account.root-escape")
	case r.Name == "ed" && len(r.Args) == 0, r.Name == "ftp" && len(r.Args) == 0, r.Name == "mysql" && containsText(r, []string{`\!`}):
		a.hit("account.root-escape")
	}
}

// scriptFromLine reports whether nmap is given a script that the line makes.
func scriptFromLine(r *shellparse.Run) bool {
	for i := range r.Args {
		t := r.Args[i].Text
		if strings.HasPrefix(t, "--script=/") || strings.HasPrefix(t, "--script=$") || t == "--script" &&
			strings.HasPrefix(r.Arg(i+1),
				"/") {
			return true
		}
	}
	return false
}

// plainTools start a program and are no reason to have a shell with root's rights.
var plainTools = wordset.Of(`env nice ionice timeout stdbuf setarch strace ltrace taskset flock watch time nohup setsid unshare busybox chrt
	start-stop-daemon expect rlwrap script cpulimit valgrind perf gdb unbuffer xargs parallel linux32 linux64 choom prlimit`)

// throughTool reports whether a shell is started through a tool that is not there to start shells.
func throughTool(r *shellparse.Run) bool {
	root := false
	for _, v := range r.Via {
		if root && plainTools.Has(v) && len(r.Assigns) == 0 {
			return true
		}
		root = root || v == "sudo" || v == "doas"
	}
	return false
}

// opened judges shells that become root by themselves, and tunnels to sensitive ports.
func (a *assessor) opened() {
	a.escaped()
	r := a.at
	switch r.Name {
	case "socat":
		if t := r.Line(); strings.Contains(t, "LISTEN:") && strings.Contains(t, "0.0.0.0") {
			a.hit("network.tunnel")
		}
	case "tcpdump":
		if r.Root && r.Has("-z") {
			a.hit("account.root-escape")
		}
	case "ssh", "autossh":
		a.forwarded(r)
	case "nsenter", "chroot":
		a.leaves(r)
	}
	if r.Host && interactive(r) {
		a.hit("docker.escape")
	}
	if r.Started("nsenter") || r.Place == shellparse.PlaceThrowaway && (r.Started("chroot") || r.Name == "chroot") {
		a.leaves(r)
	}
}

// leaves judges commands that leave a container which was started for them.
func (a *assessor) leaves(r *shellparse.Run) {
	for p := r.Parent; p >= 0; p = a.cmd.Runs[p].Parent {
		u := &a.cmd.Runs[p]
		name := shellparse.Canonical(u.Name)
		if (name == "docker" || name == "kubectl") &&
			(containsText(u, []string{"--privileged", "--pid=host", "/:/"}) || u.Has("host") ||
				u.Has("debug")) {
			a.hit("docker.escape")
			return
		}
	}
}

// sensitive are ports that give control or data.
var sensitive = wordset.Of(`22 23 2375 2376 3306 5432 6379 27017 3389 5900 5985 445 6443 10250 9200 11211 1433 1521 2379 8500 8200`)

// forwarded judges ports of this machine or its network that ssh opens on the other side.
func (a *assessor) forwarded(r *shellparse.Run) {
	for i := range r.Args {
		spec := ""
		switch t := r.Args[i].Text; {
		case len(t) > 2 && strings.HasPrefix(t, "-R"):
			spec = t[2:]
		case len(t) > 1 && t[0] == '-' && t[1] != '-' && strings.HasSuffix(t, "R") && bundle(t):
			spec = r.Arg(i + 1)
		case t == "-D" && (strings.HasPrefix(r.Arg(i+1), "0.0.0.0:") ||
			strings.HasPrefix(r.Arg(i+1), "*:")), strings.HasPrefix(t,
			"-D0.0.0.0"), t == "-L" && (strings.HasPrefix(r.Arg(i+1), "0.0.0.0:") || strings.HasPrefix(r.Arg(i+1), "*:")) &&
			bareAddress(hostOf(r)):
			a.hit("network.tunnel")
		case strings.HasPrefix(t, "RemoteForward"):
			spec = strings.ReplaceAll(strings.TrimLeft(t[len("RemoteForward"):], " ="), " ", ":")
		}
		if spec == "" {
			continue
		}
		parts := strings.Split(spec, ":")
		switch {
		case len(parts) == 1: // a proxy into this network
			a.hit("network.tunnel")
		case len(parts) > 3 && (parts[0] == "" || parts[0] == "*" || parts[0] == "0.0.0.0"):
			a.hit("network.tunnel")
		case sensitive.Has(parts[len(parts)-1]) && len(parts) > 2:
			a.hit("network.tunnel")
		case len(parts) > 2 && bareAddress(hostOf(r)) && hasOption(r, []string{"-N", "-f"}):
			a.hit("network.tunnel")
		}
	}
}

func hostOf(r *shellparse.Run) string {
	for i := range r.Args {
		if _, host, ok := strings.Cut(r.Args[i].Text, "@"); ok {
			return host
		}
	}
	return lastOperand(r)
}

// clusterSecrets judges kubectl get secret; at is where the word get stands.
func (a *assessor) clusterSecrets(r *shellparse.Run, at int) {
	kind, next := r.Operand(at + 1)
	if kind != "secret" && kind != "secrets" {
		return
	}
	shown := hasOption(r, []string{"-o", "--output"})
	for i := range r.Args {
		t := r.Args[i].Text
		shown = shown || strings.HasPrefix(t, "-o")
		if (t == "-o" || t == "--output" || t == "-oname" || t == "-owide") && (r.Arg(i+1) == "name" ||
			r.Arg(i+1) == "wide") || t == "-owide" || t == "-oname" {
			return
		}
	}
	if !shown {
		return
	}
	name, _ := r.Operand(next + 1)
	a.pick(name == "" || hasOption(r, []string{"-A", "--all-namespaces"}), "secret.cluster", "secret.store-read")
}
