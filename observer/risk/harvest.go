package risk

import (
	"strings"

	"github.com/caro-mesh/caro-node/observer/shellparse"
	"github.com/caro-mesh/caro-node/observer/wordset"
)

var harvestRules = []Rule{
	{
		ID: "secret.metadata", Level: high,
		Reason:     "It asks the cloud's metadata service for the machine's credentials.",
		Suggestion: "Let the SDK fetch them; they are never needed on the screen.",
	},
	{
		ID: "secret.harvest", Level: high,
		Reason:     "It searches other people's folders or the whole system for keys and passwords.",
		Suggestion: "Search your own project with a secret scanner.",
	},
	{
		ID: "secret.process", Level: high,
		Reason:     "It reads the memory or the environment of other processes, which hold their secrets.",
		Suggestion: "Ask the program itself, or use its debug port.",
	},
	{
		ID: "secret.cluster", Level: high,
		Reason:     "It shows the secrets of a whole namespace or cluster.",
		Suggestion: "Name the one secret and the one key in it.",
		when: []string{
			"talosctl ... ~secrets.yaml", "etcdctl get /registry/secrets*", "vault kv get -r|-recursive|--recursive",
			"consul kv export",
		},
	},
	{
		ID: "secret.store-read", Level: moderate,
		Reason:     "It shows a secret from a store on the screen.",
		Suggestion: "Pass it straight to the program that needs it.",
		when: []string{
			"aws secretsmanager get-secret-value|batch-get-secret-value",
			"aws ssm get-parameter|get-parameters|get-parameters-by-path --with-decryption",
			"aws configure get|export-credentials", "aws sts get-session-token|assume-role",
			"gcloud secrets versions access", "gcloud auth application-default print-access-token",
			"az account get-access-token", "az keyvault secret show|download", "az storage account keys list",
			"az acr credential show", "vault kv get", "vault read ~secret|database|aws|pki", "vault print token",
			"op read|item|document get", "op read", "bw get", "bw export", "pass show|-c|*/*", "gopass show|*/*",
			"lpass show|export", "keepassxc-cli show|export|clip", "secret-tool lookup|search",
			"doppler secrets get|download", "infisical secrets|export ...", "chamber read|export|env",
			"age -d|--decrypt", "fly|flyctl secrets|tokens ...", "vercel env pull", "netlify env:get|env:list",
			"railway variables", "wrangler secret list", "gh auth token", "glab auth status -t|--show-token",
			"git credential fill", "npm token create|list", "kubectl config view --raw",
			"security find-generic-password|find-internet-password -w|-g|-wa|-ga", "kubectl create token",
			"oc whoami -t|--show-token", "argocd admin initial-password",
			"terraform output ~password|secret|token|-raw", "nmcli ... --show-secrets|-s", "wg showconf|genkey",
			"docker swarm join-token|unlock-key", "kubeadm token create|list", "consul acl token ...",
			"nomad acl token ...", "gpg --export-secret-subkeys", "rails credentials:show|credentials:edit",
			"mokutil ~--password", "netsh wlan show ~key=clear", "cmdkey /list",
		},
	},
	{
		ID: "secret.browser", Level: high,
		Reason:     "It takes the passwords, cookies or keys that a browser or the system's keychain keeps.",
		Suggestion: "Look them up in the browser or in Keychain Access.",
		when: []string{
			"security find-generic-password|find-internet-password ~Chrome|Safari|Firefox|Brave|Edge|Chromium",
			"security dump-trust-settings|unlock-keychain|set-keychain-settings -p",
			"firefox_decrypt.py|chrome-passwords|hackbrowserdata|LaZagne ...",
			"sqlite3 ~Login~Data|cookies.sqlite|key4.db|logins.json", "sqlite3 ~Cookies|TCC.db|KnowledgeC.db",
			"vaultcmd|rundll32 ~credentials|keymgr", "chainbreaker ...", "keychaindump ...", "dpapi ...",
			"ssh-add -D ~-never",
		},
	},
}

// printsSecrets reports whether a run prints a secret that a store or a command keeps.
func printsSecrets(r *shellparse.Run) bool {
	switch r.Name { // what is printed for a program, or of one's own
	case "aws":
		if r.Has("get-login-password") || r.Has("configure") && r.Has("get") {
			return true
		}
	case "gcloud":
		if r.Has("print-access-token") || r.Has("print-identity-token") {
			return true
		}
	case "heroku":
		return r.Has("config") || r.Has("config:get")
	case "ansible-vault":
		return r.Has("view") || r.Has("decrypt")
	case "sops":
		return hasOption(r, []string{"-d", "--decrypt"}) || r.Has("decrypt")
	}
	patterns := patternsOf(r.Name)
	var ops []int
	for i := range patterns {
		switch patterns[i].rule {
		case "secret.store-read", "secret.cluster", "secret.browser", "secret.dump":
			if ops == nil {
				ops = r.Operands(make([]int, 0, 8))
			}
			if patterns[i].matches(r, ops) {
				return true
			}
		}
	}
	return false
}

// metadataHosts serve the credentials of a machine in a cloud.
var metadataHosts = []string{"169.254.169.254", "metadata.google.internal", "100.100.100.200", "169.254.170.2",
	"169.254.170.23", "[fd00:ec2::254]", "metadata.azure.internal", "2852039166", "0xa9fea9fe", "instance-data/"}

// metadataSecrets are parts of the paths below which they lie.
var metadataSecrets = []string{"security-credentials", "/token", "user-data", "userdata", "v2/credentials", "oauth2",
	"iam/",
	"identity-credentials", "service-accounts", "recursive=true", "ramrole", "AWS_CONTAINER_CREDENTIALS", "/kube-env",
	"ssh-keys",
	"attributes/"}

// asksMetadata reports whether a run fetches credentials from the metadata service.
func asksMetadata(r *shellparse.Run) bool {
	for i := range r.Args {
		t := r.Args[i].Text
		if anyIn(t, metadataHosts) && anyIn(t, metadataSecrets) && !strings.HasSuffix(t, "/api/token") {
			return true
		}
	}
	return false
}

// secretWords are what somebody searches for who searches for secrets.
var secretWords = []string{"passw", "secret", "token", "credential", "api_key", "apikey", "api-key", "akia", "private key",
	"private_key", "aws_access", "begin rsa", "begin openssh", "ssh-rsa"}

// harvested judges searches for secrets in places that are not the searcher's own.
func (a *assessor) harvested() {
	r := a.at
	switch r.Name {
	case "grep", "egrep", "fgrep", "rg", "ag", "ack", "zgrep", "ggrep", "ugrep", "findstr":
		recursive := r.Name == "rg" || r.Name == "ag" || r.Name == "ack" || hasOption(r, []string{"-r", "-R", "--recursive",
			"--dereference-recursive"})
		if !recursive {
			return
		}
		wanted, wide := false, false
		for i := range r.Args {
			t := r.Args[i].Text
			wanted = wanted || anyIn(strings.ToLower(t), secretWords)
			if t != "" && (t[0] == '/' || t[0] == '~') {
				p := placeOf(r.Args[i], r.Dir)
				wide = wide || p == placeRoot || p == placeHome || p == placeSystem && t != "/etc" && t != "/opt" &&
					t != "/usr" ||
					t == "/mnt" || t == "/media"
			}
		}
		if wanted && wide {
			a.hit("secret.harvest")
		}
	case "find", "fd", "gfind", "fdfind", "locate", "mdfind", "plocate":
		a.searched(r)
	}
}

// keyFiles are names of files that hold keys and passwords.
var keyFiles = []string{"id_rsa", "id_dsa", "id_ed25519", "id_ecdsa", ".pem", ".kdbx", "credentials", "wallet.dat", ".ovpn",
	".pgpass", ".netrc", ".git-credentials", "shadow", ".p12", ".pfx", ".keychain", ".keytab", "id_*", ".env", "wp-config"}

func (a *assessor) searched(r *shellparse.Run) {
	keys := 0
	for i := range r.Args {
		if anyIn(r.Args[i].Text, keyFiles) {
			keys++
		}
	}
	if keys == 0 {
		return
	}
	wide := r.Name == "locate" || r.Name == "plocate" || r.Name == "mdfind"
	for _, s := range starts(r) {
		p := placeOf(s, r.Dir)
		wide = wide || p == placeRoot || p == placeSystem || p == placeHome
	}
	if !wide {
		return
	}
	for j := range a.cmd.Runs {
		c := &a.cmd.Runs[j]
		behind := c.Parent == a.index || contains(a.cmd.Upstream(c.Stdin), a.index)
		for k := range c.Args {
			behind = behind || contains(c.Args[k].From, a.index)
		}
		if behind && (printers.Has(c.Name) || c.Name == "cp" || c.Name == "tar" || c.Name == "zip" || c.Name == "rsync" ||
			c.Name == "mv" || fetchers.Has(c.Name) || c.Name == "scp") && c.Name != "tee" {
			for k := range c.Args {
				if len(c.Args[k].From) > 0 || strings.Contains(c.Args[k].Text, "{}") || c.Name == "tar" || c.Name == "zip" {
					a.hit("secret.harvest")
					return
				}
			}
		}
	}
}

func contains(list []int, v int) bool {
	for _, x := range list {
		if x == v {
			return true
		}
	}
	return false
}

// printers show or copy what is in a file.
var printers = wordset.Of(`cat less more head tail bat strings xxd base64 nl tac od hexdump grep egrep fgrep cut awk sed sort uniq rev fold
	paste pr dd tee diff`)

// lookers are programs that a path is given to without its content being shown.
var lookers = wordset.Of(`ls stat chmod chown chgrp chattr lsattr test [ [[ file wc getfacl setfacl restorecon rm shred unlink touch exa eza
	ll namei realpath readlink dirname basename du find fd echo printf cd sha256sum md5sum sha1sum cmp mv passwd chage inotifywait
	auditctl lsof fuser git vipw pwck grpck mount umount aide tripwire dpkg rpm cksum b2sum id export set declare alias which type
	man getent truncate sed tee mkdir`)

// anywhere judges what concerns a run of any program.
func (a *assessor) anywhere() {
	r := a.at
	a.started()
	a.harvested()
	a.attacks()
	a.weakened()
	a.opened()
	fetches := fetchers.Has(r.Name)
	if fetches && asksMetadata(r) {
		a.hit("secret.metadata")
	}
	switch r.Name {
	case "gcore", "gdb", "procdump", "memdump":
		if anyIn(a.cmd.Text, keepers) {
			a.hit("secret.process")
		}
	}
	if r.Endless && fills.Has(r.Name) && (r.Name != "mkdir" || a.descends()) && (r.Name != "dd" || !r.Has("of=/dev/null")) {
		a.hit("service.exhaust")
	}
	for i := range r.Args {
		w := &r.Args[i]
		if strings.IndexByte(w.Text, '/') < 0 {
			continue
		}
		if fetches && strings.Contains(w.Text, "/api/v1/") && strings.Contains(w.Text, "/secrets") {
			a.hit("secret.cluster")
		}
		if rule := shownSecret(a, r, w); rule != "" && !lookers.Has(r.Name) && !isFind(r.Name) {
			a.hit(rule)
		}
	}
}

// shownSecret returns the rule about what a program shows that is given a path, empty if there is none.
func shownSecret(a *assessor, r *shellparse.Run, w *shellparse.Word) string {
	t := w.Text
	switch {
	case strings.Contains(t, "/etc/") && hashes(t, r.Dir), w.Glob && t[0] == '/' && strings.ContainsAny(t, "?[") &&
		(shellparse.Match(t, "/etc/shadow") || shellparse.Match(t, "/etc/gshadow")):
		return "secret.read-system"
	case strings.HasPrefix(t, "/proc/") && (t == "/proc/kcore" || a.foreignProcess(t)), t == "/dev/mem", t == "/dev/kmem",
		t == "if=/dev/mem":
		return "secret.process"
	case w.Glob && (strings.HasPrefix(t, "/home/*") || strings.HasPrefix(t, "/Users/*")) && (isHistory(t, "") ||
		secrecy(strings.Replace(t, "*", "x", 1), "") >= secret):
		return "secret.harvest"
	case anyIn(t, browserFiles):
		return "secret.browser"
	}
	return ""
}

// fills are programs that use up a disk when they are repeated without end.
var fills = wordset.Of(`fallocate mkfile truncate dd mkdir`)

// descends reports whether the line changes into folders that it makes.
func (a *assessor) descends() bool {
	for i := range a.cmd.Runs {
		if r := &a.cmd.Runs[i]; r.Endless && (r.Name == "cd" || r.Name == "pushd") {
			return true
		}
	}
	return false
}

// browserFiles hold passwords and sessions.
var browserFiles = []string{"/Login Data", "key4.db", "logins.json", "cookies.sqlite", "/Local State",
	"Default/Cookies", "login.keychain",
	"Network/Cookies", "Login.keychain-db", "/Web Data"}

// keepers are programs that keep keys in memory.
var keepers = []string{"sshd", "ssh-agent", "gpg-agent", "keyring", "vault", "chrome", "firefox", "lsass", "kwallet",
	"1password", "keepass",
	"passw"}

// hashes reports whether a word names the password hashes of the system.
func hashes(text, dir string) bool {
	text = strings.TrimPrefix(text, "@")
	if i := strings.IndexByte(text, '='); i >= 0 && i+1 < len(text) && text[i+1] == '/' {
		text = text[i+1:]
	}
	switch pathOf(text, dir) {
	case "/etc/shadow", "/etc/gshadow", "/etc/master.passwd", "/etc/shadow-", "/etc/spwd.db", "/etc/security/passwd",
		"/etc/security/opasswd", "/etc/tcb":
		return true
	}
	return false
}

// foreignProcess reports whether a path below /proc shows what another process keeps to itself.
func (a *assessor) foreignProcess(p string) bool {
	rest := p[len("/proc/"):]
	who, what, ok := strings.Cut(rest, "/")
	if !ok || who == "self" || who == "$$" || who == "thread-self" {
		return false
	}
	switch what {
	case "environ":
		return strings.ContainsAny(who, "*?[$") || who == "1" || a.at.Root
	case "mem":
		return true
	}
	return strings.HasPrefix(what, "fd/") && a.at.Name == "cp"
}
