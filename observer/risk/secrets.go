package risk

import (
	"strings"

	"github.com/caro-mesh/caro-node/observer/shellparse"
)

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
	{"/.ssh/id_", secret}, {"/.ssh/identity", secret}, {"/etc/shadow", secret}, {"/etc/gshadow", secret},
	{"/etc/sudoers", personal}, {"/etc/passwd", personal}, {"/etc/master.passwd", secret},
	{"/.aws/credentials", secret}, {"/.aws/config", personal}, {"/.gnupg", secret}, {"/.kube/config", secret},
	{"/.docker/config.json", secret}, {"/.netrc", secret},
	{"/.pgpass", secret}, {"/.git-credentials", secret}, {"/.npmrc", secret}, {"/.pypirc", secret}, {"/.config/gcloud",
		secret}, {"/.azure", secret}, {"/.config/gh/hosts.yml", secret},
	{"/.password-store", secret}, {"/.config/op", secret}, {"/.vault-token", secret}, {"/.terraform.d/credentials",
		secret}, {"Login Data", secret}, {"logins.json", secret}, {"key4.db", secret}, {"cookies.sqlite", secret},
	{"/Cookies", secret},
	{"wallet.dat", secret}, {"/.bitcoin", secret}, {"/.ethereum/keystore", secret}, {"/.electrum", secret},
	{"Library/Keychains", secret}, {"/etc/ssl/private", secret}, {"ssh_host_", secret},
	{"/etc/kubernetes/admin.conf", secret}, {"/etc/krb5.keytab", secret},
	{"/var/run/secrets/kubernetes.io", secret}, {"/run/secrets/", secret}, {"/.mozilla", secret},
	{"/.config/google-chrome", secret}, {"/.config/BraveSoftware", secret}, {"/.local/share/keyrings", secret},
	{".kdbx", secret},
	{"id_rsa", secret}, {"id_ed25519", secret}, {"id_ecdsa", secret}, {"id_dsa", secret}, {"/.my.cnf", secret},
	{"credentials.json", secret}, {"service-account.json", secret}, {"serviceaccount.json", secret}, {"/.s3cfg",
		secret}, {"/.boto", secret}, {"secrets.yml", secret}, {"secrets.yaml", secret}, {"/proc/self/environ", secret},
	{"/.config/rclone", secret}, {"config/master.key", secret}, {".pem", secret}, {".p12", secret}, {".pfx",
		secret}, {".jks", secret}, {".ppk", secret}, {"/SAM", secret}, {"ntds.dit", secret},
}

// secrecy grades a path.
func secrecy(text, dir string) secretKind {
	text = strings.TrimPrefix(text, "@")
	if text == "" || strings.HasSuffix(text, ".pub") || strings.Contains(text, "known_hosts") || strings.Contains(text,
		"://") {
		return notSecret
	}
	c := pathOf(text, dir)
	switch base := c[strings.LastIndexByte(c, '/')+1:]; {
	case base == ".env" || strings.HasPrefix(base, ".env.") && base != ".env.example" && base != ".env.sample" &&
		base != ".env.template" && base != ".env.dist":
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
	folder := c + "/" // a folder with secrets in it
	if c[0] == '~' {
		folder = folder[1:]
	}
	folder = strings.TrimSuffix(strings.TrimSuffix(folder, "/"), "/*") + "/"
	for i := range secretNames {
		s := &secretNames[i]
		if len(folder) > 5 && folder != "/etc/" && s.kind == secret && strings.HasPrefix(s.part, folder) {
			return secret
		}
		if strings.Contains(c, s.part) {
			if s.part[0] == '.' && (!strings.HasSuffix(c, s.part) || strings.Contains(c, "cert") || strings.Contains(c,
				"chain") || strings.Contains(c, "ca.") || strings.Contains(c, "bundle")) {
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
	}
	for i := range r.Args {
		best = max(best, secrecy(r.Args[i].Text, r.Dir))
	}
	return max(best, secrecy(r.Stdin.File, r.Dir))
}

// secretName reports whether a variable's name says that it holds a secret.
func secretName(name string) bool {
	name = strings.ToUpper(name)
	for _, part := range [...]string{"SECRET", "PASSWORD", "PASSWD", "TOKEN", "API_KEY", "APIKEY", "PRIVATE_KEY",
		"ACCESS_KEY", "CREDENTIAL"} {
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

// showFile judges reading secrets to the screen or into a pipe.
func showFile(a *assessor, r *shellparse.Run) {
	for i := range r.Args {
		c := pathOf(r.Arg(i), r.Dir)
		switch {
		case c == "/etc/shadow" || c == "/etc/gshadow" || c == "/etc/master.passwd" || r.Name == "getent" &&
			c == "shadow":
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
	return (r.Name == "tail" || r.Name == "tac" || r.Name == "grep") && (r.Has("/dev/zero") ||
		r.Stdin.File == "/dev/zero")
}
