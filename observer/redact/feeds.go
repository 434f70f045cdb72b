package redact

// feedRule says which tool reads a secret from its standard input.
type feedRule struct {
	names string
	sub   string
	needs string // one of these options must be there
	pairs bool   // lines of user:secret
	doubt bool   // only what no word is: letters with digits or symbols
	sep   string // between user and secret in pairs, ":" if empty
	line  string // the form of the lines that hold a secret: fields of which "*" is any and the last, "SECRET", is it
	named bool   // only if an operand of the tool is the name of a secret: read PASSWORD
	kind  string // password if empty
}

var feeds = []feedRule{
	{names: "docker podman nerdctl buildah skopeo", sub: "login", needs: "--password-stdin"},
	{names: "helm", sub: "registry login", needs: "--password-stdin"},
	{names: "oras crane", sub: "login", needs: "--password-stdin"},
	{names: "sudo doas", needs: "-*S --stdin"},
	{names: "passwd", needs: "--stdin -s"},
	{names: "passwd smbpasswd su kinit"},
	{names: "chpasswd", pairs: true},
	{names: "base64", pairs: true, doubt: true, kind: kindAuthorization},
	{names: "gh", sub: "auth login", needs: "--with-token", kind: kindToken},
	{names: "gh", sub: "secret set", kind: kindSecret},
	{names: "glab", sub: "auth login", needs: "--stdin", kind: kindToken},
	{names: "docker podman", sub: "secret create", kind: kindSecret},
	{names: "cryptsetup"},
	{names: "wg", sub: "pubkey", kind: kindPrivateKey},
	{names: "gpg gpg2", needs: "--passphrase-fd --passphrase-fd=0"},
	{names: "openssl", needs: "stdin fd:0"},
	{names: "vault bao", sub: "login", needs: "-", kind: "vault_token"},
	{names: "vault bao", sub: "kv put", kind: kindSecret},
	{names: "wrangler vercel", sub: "secret put", kind: kindSecret},
	{names: "vercel", sub: "env add", kind: kindSecret},
	{names: "gcloud", sub: "secrets", needs: "--data-file=- --data-file", kind: kindSecret},
	{names: "pass gopass", sub: "insert"},
	{names: "secret-tool", sub: "store", kind: kindSecret},
	{names: "pass-otp htpasswd", needs: "-i -ni -in"},
	{names: "sshpass", needs: "-d0"},
	{names: "keyctl", sub: "padd", kind: kindSecret},
	{names: "heroku fly flyctl", sub: "secrets import", pairs: true, sep: "=", kind: kindSecret},
	{names: "read", named: true},
	{names: "ftp tnftp lftp pftp", line: "user * SECRET"},
	{names: "telnet nc ncat openssl", line: "AUTH PLAIN SECRET", kind: kindAuthorization},
	{names: "telnet nc ncat openssl", line: "* LOGIN * SECRET"},
	{names: "telnet nc ncat openssl", line: "PASS SECRET"},
	{names: "debconf-set-selections", line: "* * password SECRET"},
	{names: "openconnect", needs: "--passwd-on-stdin"},
	{names: "encfs", needs: "--stdinpass -S"},
	{names: "gocryptfs"},
	{names: "sshfs", needs: "password_stdin *,password_stdin *password_stdin"},
	{names: "vncpasswd", needs: "-f"},
	{names: "anydesk", needs: "--set-password"},
	{names: "p4 lpass", sub: "login"},
	{names: "keyring", sub: "set"},
	{names: "pdbedit", needs: "-t"},
	{names: "ipa", needs: "--password"},
	{names: "systemd-creds", sub: "encrypt", kind: kindSecret},
	{names: "ansible-vault", sub: "encrypt_string", kind: kindSecret},
}
