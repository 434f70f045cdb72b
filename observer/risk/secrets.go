package risk

import (
	"strings"

	"github.com/caro-mesh/caro-node/observer/shellparse"
	"github.com/caro-mesh/caro-node/observer/wordset"
)

// secretKind grades how bad it is when others get a file.
type secretKind uint8

const (
	notSecret secretKind = iota
	personal             // settings that often hold secrets, account names
	secret               // keys and passwords
	grave                // private keys of people, password hashes, keys of clouds
)

// secretParts are parts of paths, by what they give away; the first that fits counts.
var secretParts = []struct {
	kind  secretKind
	parts []string
}{
	{grave, []string{"/.ssh/id_", "/.ssh/identity", "id_rsa", "id_ed25519", "id_ecdsa", "id_dsa", "ssh_host_", "/.gnupg",
		"/etc/shadow", "/etc/gshadow", "/etc/master.passwd", "/etc/ssl/private", "/.aws/credentials", "/.password-store",
		".kdbx", "wallet.dat", "Library/Keychains", "System32/config/SAM", "ntds.dit"}},
	{secret, []string{"/.kube/config", "/.docker/config.json", "/.netrc", "/.pgpass", "/.my.cnf", "/.git-credentials",
		"/.npmrc", "/.pypirc", "/.config/gcloud", "/.config/gh/hosts.yml", "/.config/op", "/.config/rclone", "/.azure",
		"/.s3cfg", "/.boto", "/.vault-token", "/.terraform.d/credentials", "/.bitcoin", "/.ethereum/keystore", "/.electrum",
		"/.mozilla", "/.config/google-chrome", "/.config/BraveSoftware", "/.local/share/keyrings", "Login Data",
		"logins.json", "key4.db", "cookies.sqlite", "/Cookies", "/etc/kubernetes/admin.conf", "/etc/krb5.keytab",
		"/var/run/secrets/kubernetes.io", "/run/secrets/", "/proc/self/environ", "credentials.json",
		"service-account.json", "serviceaccount.json", "secrets.yml", "secrets.yaml", "config/master.key"}},
	{personal, []string{"/etc/sudoers", "/etc/passwd", "/.aws/config"}},
}

// keySuffixes end the names of files with private keys, unless the rest of the name says certificate.
var keySuffixes = []string{".pem", ".p12", ".pfx", ".jks", ".ppk", ".key"}

// secrecy grades a path.
func secrecy(text, dir string) secretKind {
	text = strings.TrimPrefix(text, "@")
	if text == "" || strings.HasSuffix(text, ".pub") || strings.Contains(text, "://") ||
		strings.Contains(text, "known_hosts") {
		return notSecret
	}
	c := pathOf(text, dir)
	base := c[strings.LastIndexByte(c, '/')+1:]
	switch {
	case base == ".env" || strings.HasPrefix(base, ".env.") && !templates.Has(base):
		return secret
	case c == "~/.ssh" || strings.HasPrefix(c, "~/.ssh/*"):
		return grave
	case isHistory(text, dir):
		return personal
	}
	folder := strings.TrimSuffix(strings.TrimPrefix(c, "~"), "/*") + "/"
	for _, group := range secretParts {
		for _, part := range group.parts {
			inside := len(folder) > 5 && folder != "/etc/" && group.kind >= secret && strings.HasPrefix(part, folder)
			if inside || strings.Contains(c, part) {
				return group.kind
			}
		}
	}
	if !anyIn(base, []string{"cert", "chain", "ca.", "bundle", "public"}) {
		for _, s := range keySuffixes {
			if strings.HasSuffix(base, s) && len(base) > len(s) {
				return secret
			}
		}
	}
	return notSecret
}

// templates are environment files without secrets.
var templates = wordset.Of(`.env.example .env.sample .env.template .env.dist .env.defaults`)

// carries grades what a run prints or reads: files with secrets, or the environment.
func carries(r *shellparse.Run) secretKind {
	best := notSecret
	if printsSecrets(r) {
		best = secret
	}
	if fetchers.Has(r.Name) && asksMetadata(r) {
		return grave
	}
	switch r.Name {
	case "read":
		if option(r, 's') {
			return secret
		}
	case "echo", "printf", "print":
		for i := range r.Args {
			if t := r.Args[i].Text; r.Args[i].Open && len(t) > 1 && t[0] == '$' && isName(t[1:]) && secretName(t[1:]) {
				return secret
			}
		}
	case "env", "printenv", "set", "history", "declare", "export":
		if len(r.Args) == 0 || r.Has("-p") || r.Name == "history" {
			best = secret
		} else if r.Name == "printenv" && secretName(r.Arg(0)) {
			best = secret
		}
	case "gpg":
		if hasOption(r, []string{"--export-secret-keys", "--export-secret-key"}) {
			return grave
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

// isName reports whether a text can be a variable's name.
func isName(s string) bool {
	for i := range len(s) {
		if !isWordByte(s[i]) {
			return false
		}
	}
	return s != ""
}

// option reports whether a short option is given, alone or in a bundle, be its value in the same word.
func option(r *shellparse.Run, letter byte) bool {
	for i := range r.Args {
		if t := r.Args[i].Text; len(t) > 1 && t[0] == '-' && t[1] != '-' && strings.IndexByte(t, letter) > 0 {
			return true
		}
	}
	return false
}

// secretName reports whether a variable's name says that it holds a secret.
func secretName(name string) bool {
	name = strings.ToUpper(name)
	for _, part := range [...]string{"SECRET", "PASSWORD", "PASSWD", "TOKEN", "API_KEY", "APIKEY", "PRIVATE_KEY",
		"ACCESS_KEY", "CREDENTIAL", "DEPLOY_KEY", "SSH_KEY", "PASSPHRASE", "SIGNING_KEY", "ENCRYPTION_KEY", "MASTER_KEY"} {
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
		case strings.HasPrefix(c, "/var/run/secrets/kubernetes.io") || strings.HasPrefix(c, "/run/secrets/kubernetes.io") ||
			c == "/etc/kubernetes/admin.conf":
			a.hit("secret.read-system")
		case secrecy(r.Arg(i), r.Dir) >= secret && (i > 0 || r.Name != "grep"):
			a.hit("secret.read")
		}
	}
	if r.Stdin.File != "" && secrecy(r.Stdin.File, r.Dir) >= secret {
		a.hit("secret.read")
	}
	if endlessMemory(r) {
		a.hit("service.exhaust")
	}
}

// endlessMemory reports whether a run collects endless input in memory.
func endlessMemory(r *shellparse.Run) bool {
	return (r.Name == "tail" || r.Name == "tac" || r.Name == "grep" || r.Name == "sort") && (r.Has("/dev/zero") ||
		r.Has("/dev/urandom") ||
		r.Stdin.File == "/dev/zero" || r.Stdin.File == "/dev/urandom")
}
