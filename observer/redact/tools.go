package redact

// toolRule says where a tool takes secrets on its command line. One line per tool and subcommand; everything in it is
// data, the code in tool.go knows no tool by name.
type toolRule struct {
	names string // the tool's names, without folder
	sub   string // operands that must come first, in this order: "login", "secrets set"
	glued string // options whose value stands in the same word: -pSECRET
	next  string // options whose value is the next word, or stands behind "="
	pair  string // options whose value is user, sep and secret, in the next word, glued, or behind "="
	sep   string // between user and secret, ":" if empty
	// operand is the number of the operand (behind sub) that is the secret, 0 for none, -1 for the last; with pair
	// "operand", it (the first, if 0) is a pair.
	operand int
	least   int    // number of operands (behind sub) that there must be
	most    int    // number that there may be, 0 for any
	takes   string // other options with a value in the next word, so that operands are counted right
	flags   string // one-letter options without a value, that may stand before a one-letter option in the same word
	needs   string // one of these options must be there, see anyWord
	with    string // the value is one only if it holds this
	all     bool   // every operand name=value holds a secret, unless it is one of plainNames
	named   string // operands name=value with one of these names hold a secret
	kind    string // password if empty

	gluedList, nextList, pairList, takesList, needsList, namedList []string
}

// curlFlags are curl's one-letter options without a value.
const curlFlags = "sSkLfgiIvnNjJORpqaBGl0123460#Z"

var tools = []toolRule{
	// Databases.
	{names: "mysql mysqldump mysqladmin mysqlimport mysqlcheck mysqlshow mysqlslap mysqlpump mysqlbinlog mysqlsh mariadb mariadb-dump mariadb-admin mariadb-import mariadb-check mariabackup xtrabackup innobackupex mycli mydumper myloader pt-query-digest pt-table-checksum",
		glued: "-p", flags: "sNBtvEHXACfnqrwbG"},
	{names: "mysqladmin mariadb-admin", sub: "password", operand: 1},
	{names: "mycli mydumper myloader", next: "-p"},
	{names: "mongo mongosh mongodump mongorestore mongoexport mongoimport mongostat mongotop mongofiles", next: "-p", glued: "-p"},
	{names: "redis-cli redis-benchmark keydb-cli valkey-cli", next: "-a --pass --requirepass"},
	{names: "redis-cli keydb-cli valkey-cli", sub: "auth", operand: -1},
	{names: "redis-cli keydb-cli valkey-cli", sub: "AUTH", operand: -1},
	{names: "AUTH", operand: -1, most: 2}, // a line of a here-document for redis-cli
	{names: "cqlsh clickhouse-client influx arangosh", next: "-p -password --password"},
	{names: "sqlcmd bcp osql isql", next: "-P", glued: "-P"},
	{names: "sqlplus rman sqlldr expdp impdp exp imp sqlcl", pair: "operand userid", sep: "/"},
	{names: "rman", sub: "target", pair: "operand", sep: "/"},
	{names: "influx", next: "-t", kind: kindToken},
	{names: "beeline", next: "-p"},
	{names: "neo4j-admin", sub: "set-initial-password", operand: -1},
	{names: "cypher-shell couchbase-cli cbbackupmgr", next: "-p"},
	{names: "rabbitmqctl", sub: "add_user", operand: 2},
	{names: "rabbitmqctl", sub: "change_password", operand: 2},
	{names: "rabbitmqctl", sub: "authenticate_user", operand: 2},
	{names: "rabbitmqadmin", next: "-p --password"},
	{names: "mosquitto_pub mosquitto_sub mosquitto_rr", next: "-P --pw"}, //nolint:misspell // the tool's name
	{names: "mosquitto_passwd", needs: "-b", operand: -1, least: 3},      //nolint:misspell // the tool's name
	{names: "etcdctl", pair: "--user"},

	// Web clients.
	{names: "curl", pair: "-u --user -U --proxy-user", flags: curlFlags, kind: kindAuthorization},
	{names: "curl", next: "-b --cookie", glued: "-b", flags: curlFlags, with: "=", kind: kindCookie},
	{names: "curl", pair: "-E --cert --proxy-cert"},
	{names: "curl", next: "--pass --proxy-pass --key-passphrase"},
	{names: "curl", next: "--oauth2-bearer", kind: kindToken},
	{names: "http https xh xhs", pair: "-a --auth", kind: kindAuthorization},
	{names: "ab", pair: "-A -P", kind: kindAuthorization},
	{names: "hey oha", pair: "-a", kind: kindAuthorization},
	{names: "lftp", pair: "-u --user", sep: ","},
	{names: "ncftp ncftpget ncftpput ncftpls", next: "-p"},
	{names: "wget2 aria2c", next: "--http-passwd --ftp-passwd --rpc-secret"},
	{names: "newman", next: "--postman-api-key", kind: kindAPIKey},

	// Remote access.
	{names: "sshpass", next: "-p", glued: "-p"},
	{names: "plink pscp psftp putty kitty winscp", next: "-pw"},
	{names: "xfreerdp xfreerdp3 wlfreerdp sdl-freerdp", glued: "/p: /password: /gp:"},
	{names: "rdesktop", next: "-p", glued: "-p"},
	{names: "smbclient rpcclient smbget nmblookup winexe smbcacls smbtree", pair: "-U --user", sep: "%"},
	{names: "smbclient", operand: 2, takes: "-U -c -W -I -p -m -O -D -A -s -l -d -R -B -T -t -b -i -n --user --command --workgroup --port --authentication-file --configfile"},
	{names: "net", pair: "-U --user", sep: "%"},
	{names: "smbmap crackmapexec netexec nxc evil-winrm kerbrute bloodhound-python", next: "-p"},
	{names: "secretsdump.py psexec.py wmiexec.py smbexec.py smbclient.py impacket-secretsdump impacket-psexec impacket-wmiexec impacket-smbclient impacket-smbexec", pair: "operand"},
	{names: "ldapsearch ldapadd ldapmodify ldapdelete ldapwhoami ldapcompare ldapmodrdn ldapexop", next: "-w", glued: "-w"},
	{names: "ldappasswd", next: "-w -s -a", glued: "-w -s -a"},
	{names: "ipmitool", next: "-P"},
	{names: "snmpwalk snmpget snmpset snmpbulkwalk snmpgetnext", next: "-A -X"},
	{names: "x11vnc", next: "-passwd"},
	{names: "svn", next: "--password"},
	{names: "wpa_passphrase", operand: 2},
	{names: "nmcli", sub: "password", operand: 1},
	{names: "iwctl", next: "--passphrase"},
	{names: "networksetup", needs: "-setairportnetwork", operand: -1, least: 3},
	{names: "net", sub: "user", operand: 2},

	// Archives and keys.
	{names: "7z 7za 7zr 7zz p7zip rar unrar", glued: "-p -hp"},
	{names: "zip unzip zipcloak zipinfo", next: "-P", glued: "-P"},
	{names: "openssl", next: "-k -K"},
	{names: "openssl", pair: "-pass -passin -passout -password -passwd -srppass", sep: "pass:"},
	{names: "openssl", sub: "passwd", operand: -1, takes: "-salt -in"},
	{names: "mkpasswd", operand: 1, takes: "-m -S -R -l -d -c -C --method --salt"},
	{names: "ssh-keygen", next: "-N -P"},
	{names: "keytool jarsigner", next: "-storepass -keypass -srcstorepass -deststorepass -new"},
	{names: "apksigner", pair: "--ks-pass --key-pass", sep: "pass:"},
	{names: "security", sub: "add-generic-password", next: "-w"},
	{names: "security", sub: "add-internet-password", next: "-w"},
	{names: "security", next: "-p -P", sub: "unlock-keychain"},
	{names: "security", next: "-p -P", sub: "create-keychain"},
	{names: "security", next: "-P", sub: "import"},
	{names: "qpdf", next: "--password"},
	{names: "pdftk", sub: "user_pw", operand: 1},
	{names: "pdftk", sub: "owner_pw", operand: 1},
	{names: "pdftk", sub: "input_pw", operand: 1},
	{names: "pdftotext pdfinfo pdftoppm pdfimages", next: "-upw -opw"},
	{names: "steghide outguess", next: "-p"},
	{names: "rclone", sub: "obscure", operand: 1},
	{names: "ykman", sub: "accounts add", operand: 2, takes: "-o -d -a -c -i -P -p --oath-type --digits --algorithm --counter --issuer --period --password", kind: kindSecret},
	{names: "oathtool", operand: 1, takes: "-d -s -S -N -c -w --digits --time-step-size --start-time --now --counter --window", kind: kindSecret},
	{names: "ansible-vault", sub: "encrypt_string", operand: 1, takes: "--name -n --vault-id --vault-password-file --encrypt-vault-id", kind: kindSecret},

	// Accounts on this machine.
	{names: "useradd usermod adduser groupadd", next: "-p", glued: "-p"},
	{names: "htpasswd", needs: "-*b", operand: -1, least: 2, takes: "-C"},
	{names: "dscl", sub: "-passwd", operand: -1},
	{names: "cmdkey", glued: "/pass:"},

	// Container registries.
	{names: "docker podman nerdctl buildah skopeo", sub: "login", next: "-p", glued: "-p"},
	{names: "helm", sub: "registry login", next: "-p"},
	{names: "oras", sub: "login", next: "-p"},
	{names: "crane", sub: "auth login", next: "-p"},
	{names: "skopeo podman buildah", pair: "--creds --src-creds --dest-creds"},

	// Clouds, deployment, code hosts.
	{names: "oc cf", sub: "login", next: "-p"},
	{names: "cf", sub: "auth", operand: 2},
	{names: "az", sub: "login", next: "-p"},
	{names: "az", sub: "keyvault secret set", next: "--value", kind: kindSecret},
	{names: "az", sub: "server create", next: "-p"},
	{names: "az", sub: "acr login", next: "-p"},
	{names: "aws", sub: "secretsmanager", next: "--secret-string", kind: kindSecret},
	{names: "aws", sub: "ssm put-parameter", next: "--value", needs: "SecureString --type=SecureString", kind: kindSecret},
	{names: "mc", sub: "alias set", operand: 4, kind: kindSecret},
	{names: "mc", sub: "config host add", operand: 4, kind: kindSecret},
	{names: "kubectl oc", sub: "create secret", pair: "--from-literal", sep: "=", kind: kindSecret},
	{names: "vault bao", sub: "login", operand: 1, takes: "-method -path", kind: "vault_token"},
	{names: "vault bao", sub: "kv put", all: true, kind: kindSecret},
	{names: "vault bao", sub: "kv patch", all: true, kind: kindSecret},
	{names: "vault bao", sub: "write", named: "secret_id", kind: kindSecret},
	{names: "vault bao", sub: "unseal", operand: 1, kind: kindSecret},
	{names: "vault bao", sub: "operator unseal", operand: 1, kind: kindSecret},
	{names: "consul nomad", next: "-token", kind: kindToken},
	{names: "fly flyctl", sub: "secrets set", all: true, kind: kindSecret},
	{names: "doppler supabase railway", sub: "secrets set", all: true, kind: kindSecret},
	{names: "gh", sub: "secret set", next: "-b --body", glued: "-b", kind: kindSecret},
	{names: "bundle bundler", sub: "config", needs: "*.*", operand: -1, pair: "operand"},
	{names: "java", needs: "*jenkins-cli.jar", pair: "-auth", kind: kindAuthorization},
	{names: "grafana-cli grafana", sub: "reset-admin-password", operand: 1},
	{names: "glab", sub: "variable set", next: "-v --value", kind: kindSecret},
	{names: "glab", sub: "auth login", next: "-t --token", kind: kindToken},
	{names: "travis", sub: "encrypt", all: true, kind: kindSecret},
	{names: "doctl", sub: "auth init", next: "-t", kind: kindToken},
	{names: "doctl hcloud linode-cli vultr-cli scw", next: "--access-token", kind: kindToken},
	{names: "ngrok", sub: "authtoken", operand: 1, kind: kindToken},
	{names: "ngrok", sub: "config add-authtoken", operand: 1, kind: kindToken},
	{names: "snyk", sub: "auth", operand: 1, kind: kindToken},
	{names: "wandb", sub: "login", operand: 1, kind: kindToken},
	{names: "huggingface-cli hf", sub: "login", next: "--token", kind: kindToken},
	{names: "cargo", sub: "login", operand: 1, takes: "--registry", kind: kindToken},
	{names: "vercel netlify surge", next: "-t --token --auth", kind: kindToken},
	{names: "poetry", sub: "config", operand: -1, least: 2, needs: "pypi-token.pypi pypi-token.testpypi", kind: kindToken},
	{names: "poetry composer", sub: "config", operand: -1, least: 3, needs: "http-basic.*"},
	{names: "twine", sub: "upload", next: "-p"},
	{names: "poetry", sub: "publish", next: "-p"},
	{names: "hatch", sub: "publish", next: "-a --auth", kind: kindToken},
	{names: "nuget", sub: "setapikey", operand: 1, kind: kindAPIKey},
	{names: "nuget", sub: "push", next: "-k --api-key -ApiKey", kind: kindAPIKey},
	{names: "dotnet", sub: "nuget push", next: "-k --api-key", kind: kindAPIKey},
	{names: "composer", sub: "config", operand: -1, least: 2, needs: "github-oauth.github.com gitlab-token.gitlab.com gitlab-oauth.gitlab.com", kind: kindToken},
	{names: "bw", sub: "unlock", operand: 1},
	{names: "bw", sub: "login", operand: 2},
	{names: "tailscale", sub: "up", next: "--authkey --auth-key", kind: kindToken},
	{names: "linear-cli sentry-cli codecov codecovcli", next: "-t --auth-token --token", kind: kindToken},
	{names: "circleci", sub: "setup", next: "--token", kind: kindToken},
	{names: "wrangler", sub: "secret put", operand: 2, kind: kindSecret},
	{names: "pulumi", sub: "config set", needs: "--secret", operand: 2, takes: "-s --stack -C --cwd"},
}

// feedRule says which tool reads a secret from its standard input.
type feedRule struct {
	names string
	sub   string
	needs string // one of these options must be there
	pairs bool   // lines of user:secret
	doubt bool   // only what no word is: letters with digits or symbols
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
	{names: "heroku fly flyctl", sub: "secrets import", kind: kindSecret},
	{names: "systemd-creds", sub: "encrypt", kind: kindSecret},
	{names: "ansible-vault", sub: "encrypt_string", kind: kindSecret},
}
