package risk

import (
	"strings"

	"github.com/caro-mesh/caro-node/observer/shellparse"
)

var networkRules = []Rule{
	{ID: "network.reverse-shell", Level: critical, Reason: "It gives somebody on the network a shell on this machine.", Suggestion: "Use ssh for remote work."},
	{ID: "network.listener", Level: moderate, Reason: "It opens a port or a tunnel into this machine.", Suggestion: "Bind to 127.0.0.1, and close it when done.", when: []string{
		"nc -l|-lp|-lvnp|--listen", "ssh|autossh -R", "ngrok|localtunnel|lt|bore|chisel|frpc|frps|cloudflared|pagekite|localxpose ...", "python|python3 -m ~http.server|SimpleHTTPServer", "php -S", "socat ~LISTEN", "tailscale funnel|serve", "telnetd|dropbear|vncserver|x11vnc ...", "gost ...",
	}},
	{ID: "network.exfiltrate", Level: critical, Reason: "It sends keys, passwords or other secrets to another machine.", Suggestion: "Keep secrets where they are; make a new key for the other machine."},
	{ID: "network.send-secrets", Level: high, Reason: "It copies keys or settings with secrets to another machine.", Suggestion: "Use a secret store, or make a new key there."},
	{ID: "network.send-bulk", Level: high, Reason: "It sends a whole home or system folder over an open connection.", Suggestion: "Use an encrypted backup tool."},
	{ID: "secret.read", Level: moderate, Reason: "It shows secrets on the screen.", Suggestion: "Use a password manager, and show only what is needed."},
	{ID: "secret.read-system", Level: high, Reason: "It reads the password hashes or secrets of the system.", Suggestion: "Use getent passwd for names; hashes are nobody's business."},
	{ID: "secret.dump", Level: high, Reason: "It exports private keys or all stored passwords.", Suggestion: "Export the one public key that is needed.", when: []string{
		"gpg --export-secret-keys|--export-secret-key|--export-secret-subkeys|--delete-secret-keys|--delete-secret-key|--delete-secret-and-public-key", "security dump-keychain|delete-keychain|export", "secretsdump.py|mimikatz|lazagne|hashdump|pypykatz ...", "unshadow|john|hashcat ...", "ssh-keygen -R|-A ~never", "keyctl purge|clear", "lsadump ...", "reg save", "procdump|gcore ~lsass",
	}},
	{ID: "network.scan", Level: moderate, Reason: "It scans or listens to other machines on the network.", Suggestion: "Ask the owner of the network first.", when: []string{"nmap|masscan|zmap|rustscan|nikto|arp-scan|netdiscover|wpscan|dirb|gobuster|ffuf ...", "arpspoof|ettercap|bettercap|responder ..."}},
	{ID: "network.attack", Level: high, Reason: "It attacks other machines or services.", Suggestion: "Only with written permission.", when: []string{"hydra|medusa|ncrack|sqlmap|msfconsole|msfvenom|slowloris|aircrack-ng|aireplay-ng|crackmapexec|evil-winrm|beef-xss|setoolkit|hping3|goldeneye|hulk|mdk4 ..."}},
	{ID: "network.no-tls-check", Level: moderate, Reason: "It turns the check of certificates off.", Suggestion: "Install the right certificate."},
	{ID: "network.firewall-off", Level: high, Reason: "It turns the firewall off or removes all its rules.", Suggestion: "Save the rules first (iptables-save), and change one of them.", when: []string{
		"iptables -F|-X|--flush|--delete-chain", "iptables-legacy|iptables-nft|ebtables|arptables -F|-X", "nft flush|delete", "ufw disable|reset", "firewall-cmd --panic-on|--complete-reload", "pfctl -d|-F", "ipfw flush|disable", "ipfw -f flush", "ipset destroy|flush", "netsh advfirewall|firewall ~off|reset", "iptables-restore|ip6tables-restore|nft -f", "ipvsadm -C", "csf -x|-f", "shorewall clear|stop", "fail2ban-client stop|unban", "Set-NetFirewallProfile ~False",
	}},
	{ID: "network.firewall-lockout", Level: high, Reason: "It can shut out everybody, including you.", Suggestion: "Allow your own connection first, and schedule a rollback with at.", when: []string{"iptables -P|--policy INPUT|FORWARD|OUTPUT DROP|REJECT", "ufw default deny|reject outgoing", "ufw deny|reject 22|22/tcp|ssh|OpenSSH", "iptables -A|-I ~DROP|REJECT !--dport|-s|--source|-i|-m|--in-interface", "iptables =--dport =22 =DROP"}},
	{ID: "network.firewall-open", Level: high, Reason: "It lets everything in.", Suggestion: "Open the one port that is needed.", when: []string{"iptables -P|--policy INPUT|FORWARD ACCEPT", "ufw default allow", "ufw allow from any|0.0.0.0/0", "firewall-cmd ~--zone=trusted|--set-default-zone=trusted"}},
	{ID: "network.firewall", Level: moderate, Reason: "It changes the firewall.", Suggestion: "Save the rules first.", when: []string{"iptables -A|-I|-D|-R|-N|-t !-F|-X|-L|-S|-n", "ufw allow|deny|delete|enable|limit|reject|insert|route", "firewall-cmd --add-port*|--add-service*|--remove-port*|--remove-service*|--reload|--add-rich-rule*|--permanent|--zone*", "nft add|insert|replace|create", "pfctl -f|-e", "ipset add|del|create", "fail2ban-client set|reload", "semanage port|fcontext|boolean|permissive"}},
	{ID: "network.down", Level: high, Reason: "It cuts this machine off the network.", Suggestion: "Work from the console, or schedule a rollback.", when: []string{
		"ip link set ... down", "ip link delete|del", "ip addr|address|a flush", "ip addr|address|a del|delete", "ip route|r flush", "ip route|r del|delete default", "ifconfig * down", "ifdown ...", "nmcli networking|radio off", "nmcli n|r off", "nmcli con|connection|c|device|dev|d down|disconnect|delete|del", "route del|delete|flush default", "route delete default", "route flush", "networksetup ~off", "rfkill block", "wg-quick down", "netplan apply", "dhclient -r", "brctl delbr|delif", "ovs-vsctl del-br|emer-reset", "tc qdisc add ... ~loss",
	}},
	{ID: "network.config", Level: moderate, Reason: "It changes the network settings.", Suggestion: "Note the old settings first.", when: []string{"ip link set|add", "ip addr|address|a add|replace", "ip route|r add|replace|change|del|delete", "ifconfig * up|netmask|mtu", "ifconfig * *.*.*.*", "ifup|dhclient ...", "nmcli con|connection|c|device|dev|d up|add|modify|connect|reload", "route add", "hostnamectl set-hostname|hostname", "resolvectl dns|flush-caches", "netplan try|generate", "wg|wg-quick set|up", "tc qdisc|filter|class add|del|replace", "iwconfig|iw ...", "ethtool -s|-K|-G", "brctl addbr|addif", "networksetup ...", "tailscale up|down|logout"}},
}

func init() {
	register(netcat, "nc", "socat", "telnet", "openssl")
	register(showFile, "cat", "less", "more", "head", "tail", "bat", "strings", "xxd", "base64", "nl", "tac", "od", "hexdump", "grep", "cut", "awk", "getent")
	register(curlCommand, "curl", "wget", "http", "xh")
}

// secretKind grades how bad it is when others get a file.
type secretKind uint8

const (
	notSecret secretKind = iota
	personal             // settings that often hold secrets, account names
	secret               // keys and passwords
)

var secretNames = []struct {
	part string
	kind secretKind
}{
	{"/.ssh/id_", secret}, {"/.ssh/identity", secret}, {"/etc/shadow", secret}, {"/etc/gshadow", secret}, {"/etc/sudoers", personal}, {"/etc/passwd", personal}, {"/etc/master.passwd", secret},
	{"/.aws/credentials", secret}, {"/.aws/config", personal}, {"/.gnupg", secret}, {"/.kube/config", secret}, {"/.docker/config.json", secret}, {"/.netrc", secret},
	{"/.pgpass", secret}, {"/.git-credentials", secret}, {"/.npmrc", secret}, {"/.pypirc", secret}, {"/.config/gcloud", secret}, {"/.azure", secret}, {"/.config/gh/hosts.yml", secret},
	{"/.password-store", secret}, {"/.config/op", secret}, {"/.vault-token", secret}, {"/.terraform.d/credentials", secret}, {"Login Data", secret}, {"logins.json", secret}, {"key4.db", secret}, {"cookies.sqlite", secret}, {"/Cookies", secret},
	{"wallet.dat", secret}, {"/.bitcoin", secret}, {"/.ethereum/keystore", secret}, {"/.electrum", secret}, {"Library/Keychains", secret}, {"/etc/ssl/private", secret}, {"ssh_host_", secret}, {"/etc/kubernetes/admin.conf", secret}, {"/etc/krb5.keytab", secret},
	{"/var/run/secrets/kubernetes.io", secret}, {"/run/secrets/", secret}, {"/.mozilla", secret}, {"/.config/google-chrome", secret}, {"/.config/BraveSoftware", secret}, {"/.local/share/keyrings", secret}, {".kdbx", secret},
	{"id_rsa", secret}, {"id_ed25519", secret}, {"id_ecdsa", secret}, {"id_dsa", secret}, {"/.my.cnf", secret}, {"credentials.json", secret}, {"service-account.json", secret}, {"serviceaccount.json", secret}, {"/.s3cfg", secret}, {"/.boto", secret}, {"secrets.yml", secret}, {"secrets.yaml", secret}, {"/proc/self/environ", secret}, {"/.config/rclone", secret}, {"config/master.key", secret}, {".pem", secret}, {".p12", secret}, {".pfx", secret}, {".jks", secret}, {".ppk", secret}, {"/SAM", secret}, {"ntds.dit", secret},
}

// secrecy grades a path.
func secrecy(text, dir string) secretKind {
	text = strings.TrimPrefix(text, "@")
	if text == "" || strings.HasSuffix(text, ".pub") || strings.Contains(text, "known_hosts") || strings.Contains(text, "://") {
		return notSecret
	}
	c := pathOf(text, dir)
	switch base := c[strings.LastIndexByte(c, '/')+1:]; {
	case base == ".env" || strings.HasPrefix(base, ".env.") && base != ".env.example" && base != ".env.sample" && base != ".env.template" && base != ".env.dist":
		return secret
	case c == "~/.ssh" || c == "~/.ssh/*" || strings.HasPrefix(c, "~/.ssh/*"):
		return secret
	case isHistory(text, dir):
		return personal
	case strings.HasSuffix(base, ".key") && base != ".key" && !strings.Contains(base, "public"):
		return secret
	case base == "id_rsa" || base == "server.key" || base == "privkey.pem":
		return secret
	}
	for i := range secretNames {
		if s := &secretNames[i]; strings.Contains(c, s.part) {
			if s.part[0] == '.' && (!strings.HasSuffix(c, s.part) || strings.Contains(c, "cert") || strings.Contains(c, "chain") || strings.Contains(c, "ca.") || strings.Contains(c, "bundle")) {
				continue
			}
			return s.kind
		}
	}
	return notSecret
}

// carries grades what a run prints or reads: files with secrets, or the environment.
func carries(r *shellparse.Run) secretKind {
	best := notSecret
	switch r.Name {
	case "env", "printenv", "set", "history", "declare", "export":
		if len(r.Args) == 0 || r.Has("-p") || r.Name == "history" {
			best = secret
		} else if r.Name == "printenv" && secretName(r.Arg(0)) {
			best = secret
		}
	case "gpg":
		if hasOption(r, []string{"--export-secret-keys", "--export-secret-key"}) {
			return secret
		}
	case "security", "pass", "gopass", "op", "bw":
		if len(r.Args) > 0 && r.Arg(0) != "ls" && r.Arg(0) != "list" {
			return secret
		}
	case "getent":
		if r.Has("shadow") {
			return secret
		}
		return personal
	case "aws":
		if r.Has("configure") && r.Has("get") || r.Has("get-secret-value") {
			return secret
		}
	case "kubectl":
		if r.Has("get") && (r.Has("secret") || r.Has("secrets")) {
			return secret
		}
	case "vault":
		if r.Has("get") || r.Has("read") {
			return secret
		}
	case "mysqldump", "pg_dump", "pg_dumpall", "mongodump":
		best = personal
	}
	for i := range r.Args {
		best = max(best, secrecy(r.Args[i].Text, r.Dir))
	}
	return max(best, secrecy(r.Stdin.File, r.Dir))
}

// secretName reports whether a variable's name says that it holds a secret.
func secretName(name string) bool {
	name = strings.ToUpper(name)
	for _, part := range [...]string{"SECRET", "PASSWORD", "PASSWD", "TOKEN", "API_KEY", "APIKEY", "PRIVATE_KEY", "ACCESS_KEY", "CREDENTIAL"} {
		if strings.Contains(name, part) {
			return true
		}
	}
	return false
}

// upstreamSecrets grades everything that flows into a source.
func (a *assessor) upstreamSecrets(from []int) secretKind {
	best := notSecret
	for _, i := range a.cmd.Upstream(shellparse.Source{From: from}) {
		best = max(best, carries(&a.cmd.Runs[i]))
	}
	return best
}

// sending judges runs that send data to other machines.
func (a *assessor) sending() {
	r := a.at
	kind := notSecret
	switch r.Name {
	case "curl", "http", "xh", "https", "wget", "httpie":
		kind = a.uploaded(r)
		if local(r) {
			return
		}
	case "nc", "ncat", "netcat", "nc.traditional", "nc.openbsd", "socat", "telnet", "openssl", "ftp", "tftp", "mail", "mailx", "mutt", "sendmail", "msmtp", "swaks", "nslookup", "dig", "host", "ping", "logger":
		if r.Name == "openssl" && !r.Has("s_client") {
			return
		}
		kind = max(a.upstreamSecrets(r.Stdin.From), secrecy(r.Stdin.File, r.Dir))
		for i := range r.Args {
			kind = max(kind, a.upstreamSecrets(r.Args[i].From))
			if r.Name == "mail" || r.Name == "mailx" || r.Name == "mutt" || r.Name == "socat" {
				kind = max(kind, secrecy(strings.TrimPrefix(strings.TrimPrefix(r.Args[i].Text, "FILE:"), "OPEN:"), r.Dir))
			}
		}
		if kind == notSecret && a.bulk(r.Stdin.From) && r.Name != "logger" {
			a.hit("network.send-bulk")
			return
		}
	case "ssh":
		kind = min(max(a.upstreamSecrets(r.Stdin.From), secrecy(r.Stdin.File, r.Dir)), secret)
		if kind == secret {
			a.hit("network.send-secrets")
		}
		return
	case "scp", "rsync", "sftp":
		a.copied(r)
		return
	case "aws", "gsutil", "gcloud", "rclone", "s3cmd", "mc", "azcopy", "az", "gh", "dropbox_uploader.sh", "croc", "wormhole", "transfer", "ffsend", "gist", "pastebinit", "b2", "magic-wormhole", "termbin":
		if !(r.Has("cp") || r.Has("sync") || r.Has("mv") || r.Has("copy") || r.Has("put") || r.Has("create") || r.Has("send") || r.Has("rsync") || r.Has("upload") || r.Name == "gist" || r.Name == "pastebinit") {
			return
		}
		ops := operandsOf(r, "")
		for i, w := range ops {
			if i == len(ops)-1 && i > 0 && (r.Has("cp") || r.Has("sync") || r.Has("copy")) {
				break // the destination
			}
			kind = max(kind, secrecy(w.Text, r.Dir))
		}
		kind = max(kind, a.upstreamSecrets(r.Stdin.From))
		if r.Name == "gh" && r.Has("secret") {
			return
		}
	default:
		for i := range r.Redirs { // cat file > /dev/tcp/host/port
			if t := r.Redirs[i].Target.Text; strings.HasPrefix(t, "/dev/tcp/") || strings.HasPrefix(t, "/dev/udp/") {
				kind = max(kind, carries(r), a.upstreamSecrets(r.Stdin.From))
			}
		}
	}
	switch {
	case kind == secret || kind == personal && r.Name != "aws" && r.Name != "rclone" && r.Name != "gsutil" && r.Name != "mc" && r.Name != "s3cmd" && r.Name != "mail":
		a.hit("network.exfiltrate")
	case kind == personal:
		a.hit("network.send-secrets")
	}
}

// uploaded grades what curl and the like send.
func (a *assessor) uploaded(r *shellparse.Run) secretKind {
	kind := notSecret
	for i := range r.Args {
		t := r.Args[i].Text
		prev := r.Arg(i - 1)
		value := t
		if _, v, ok := strings.Cut(t, "="); ok && strings.HasPrefix(t, "--") {
			prev, value = t[:strings.IndexByte(t, '=')], v
		}
		if len(t) > 2 && (strings.HasPrefix(t, "-d") || strings.HasPrefix(t, "-F") || strings.HasPrefix(t, "-T")) && t[1] != '-' {
			prev, value = t[:2], t[2:]
		}
		switch prev {
		case "-d", "--data", "--data-binary", "--data-raw", "--data-urlencode", "-F", "--form", "--json":
			if at := strings.IndexByte(value, '@'); at >= 0 && (at == 0 || value[at-1] == '=') {
				file, _, _ := strings.Cut(value[at+1:], ";")
				if file == "-" {
					kind = max(kind, a.upstreamSecrets(r.Stdin.From), secrecy(r.Stdin.File, r.Dir))
				} else {
					kind = max(kind, secrecy(file, r.Dir), a.upstreamSecrets(r.Args[i].From))
				}
				continue
			}
			if at := strings.IndexByte(value, '<'); at > 0 && value[at-1] == '=' {
				kind = max(kind, secrecy(value[at+1:], r.Dir))
			}
			kind = max(kind, a.upstreamSecrets(r.Args[i].From))
			if strings.Contains(value, "$AWS_SECRET") || strings.Contains(value, "$AWS_ACCESS_KEY") || strings.Contains(value, "$GITHUB_TOKEN") && !strings.Contains(strings.Join(texts(r), " "), "github.com") {
				kind = secret
			}
		case "-T", "--upload-file", "--post-file", "--body-file":
			if value == "-" || value == "." {
				kind = max(kind, a.upstreamSecrets(r.Stdin.From), secrecy(r.Stdin.File, r.Dir))
			}
			kind = max(kind, secrecy(value, r.Dir))
		case "-H", "--header", "-u", "--user", "-o", "--output", "-E", "--cert", "--key", "--cacert", "-b", "--cookie", "-K", "--config":
		default:
			if !strings.HasPrefix(t, "-") { // a URL with the output of a command in it
				kind = max(kind, a.upstreamSecrets(r.Args[i].From))
				if r.Name == "http" || r.Name == "xh" {
					if _, file, ok := strings.Cut(t, "@"); ok {
						kind = max(kind, secrecy(file, r.Dir))
					}
				}
			}
		}
	}
	if r.Name != "curl" && r.Name != "wget" {
		kind = max(kind, a.upstreamSecrets(r.Stdin.From), secrecy(r.Stdin.File, r.Dir))
	}
	return kind
}

func texts(r *shellparse.Run) []string {
	out := make([]string, len(r.Args))
	for i := range r.Args {
		out[i] = r.Args[i].Text
	}
	return out
}

// copied judges scp, rsync and sftp: secrets that leave this machine.
func (a *assessor) copied(r *shellparse.Run) {
	ops := operandsOf(r, "-i -P -F -o -l -c -S -J -e --rsh --exclude --include --exclude-from --include-from --files-from --filter -f --rsync-path -b")
	if len(ops) < 2 || !strings.Contains(ops[len(ops)-1].Text, ":") {
		return
	}
	for _, w := range ops[:len(ops)-1] {
		if strings.Contains(w.Text, ":") {
			continue
		}
		switch kind := secrecy(w.Text, r.Dir); {
		case kind == secret && (strings.Contains(w.Text, "ssh") || strings.Contains(w.Text, "id_") || strings.Contains(w.Text, "shadow") || strings.Contains(w.Text, "gnupg") || strings.Contains(w.Text, ".aws")):
			a.hit("network.exfiltrate")
		case kind == secret || kind == personal && isHistory(w.Text, r.Dir):
			a.hit("network.send-secrets")
		}
	}
}

// bulk reports whether a whole home or system folder flows in.
func (a *assessor) bulk(from []int) bool {
	for _, i := range a.cmd.Upstream(shellparse.Source{From: from}) {
		u := &a.cmd.Runs[i]
		if u.Name != "tar" && u.Name != "zip" && u.Name != "cpio" && u.Name != "dd" {
			continue
		}
		for j := range u.Args {
			w := u.Args[j]
			w.Text = strings.TrimPrefix(w.Text, "if=")
			if p := placeOf(w, u.Dir); p == placeHome || p == placeSystem || p == placeRoot || p == placeDisk || p == placeVital {
				return true
			}
		}
	}
	return false
}

// showFile judges reading secrets to the screen or into a pipe.
func showFile(a *assessor, r *shellparse.Run) {
	for i := range r.Args {
		c := pathOf(r.Arg(i), r.Dir)
		switch {
		case c == "/etc/shadow" || c == "/etc/gshadow" || c == "/etc/master.passwd" || r.Name == "getent" && c == "shadow":
			a.hit("secret.read-system")
		case secrecy(r.Arg(i), r.Dir) == secret && (i > 0 || r.Name != "grep"):
			a.hit("secret.read")
		}
	}
	if r.Stdin.File != "" && secrecy(r.Stdin.File, r.Dir) == secret {
		a.hit("secret.read")
	}
	if endlessMemory(r) {
		a.hit("service.exhaust")
	}
}

// endlessMemory reports whether a run collects endless input in memory.
func endlessMemory(r *shellparse.Run) bool {
	return (r.Name == "tail" || r.Name == "tac" || r.Name == "grep") && (r.Has("/dev/zero") || r.Stdin.File == "/dev/zero")
}

func curlCommand(a *assessor, r *shellparse.Run) {
	deletes := false
	for i := range r.Args {
		t := r.Args[i].Text
		deletes = deletes || strings.EqualFold(t, "-XDELETE") || strings.EqualFold(t, "DELETE") || strings.EqualFold(t, "--request=DELETE") || strings.HasPrefix(t, "--method=DELETE")
	}
	if !deletes {
		return
	}
	for i := range r.Args {
		t := r.Args[i].Text
		if strings.Contains(t, ":9200/") || strings.Contains(t, "/_all") || strings.Contains(t, "elastic") || strings.Contains(t, "/indices/") || strings.Contains(t, "/_index") || strings.HasSuffix(t, "/*") {
			a.hit("search.delete")
		}
		if strings.Contains(t, "api.github.com/repos/") && strings.Count(t, "/") == 5 {
			a.hit("git.repo-delete")
		}
	}
	a.hit("http.delete")
}
