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
	plain   bool   // the operand may also be name=value, which is for the rules of names
	takes   string // other options with a value in the next word, so that operands are counted right
	flags   string // one-letter options without a value, that may stand before a one-letter option in the same word
	needs   string // one of these options must be there, see anyWord
	with    string // the value is one only if it holds this
	all     bool   // every operand name=value holds a secret, unless it is one of plainNames
	named   string // operands name=value, also several with commas between, name=value with one of these names ("*.key": or endings) hold a secret
	host    bool   // behind the secret of a pair goes "@host"
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
	{names: "etcdctl", sub: "user add", pair: "operand"},
	{names: "mysqlsh", pair: "operand --uri", host: true},
	{names: "pt-online-schema-change pt-archiver pt-table-sync pt-table-checksum pt-duplicate-key-checker pt-heartbeat pt-kill pt-slave-delay pt-show-grants pt-query-digest", named: "p"},
	{names: "db2", sub: "using", operand: 1},
	{names: "tsql fisql", next: "-P", glued: "-P"},
	{names: "vsql", next: "-w", glued: "-w"},
	{names: "nzsql", next: "-pw"},
	{names: "hdbsql", next: "-p", glued: "-p"},

	// Web clients.
	{names: "curl", pair: "-u --user -U --proxy-user", flags: curlFlags, kind: kindAuthorization},
	{names: "curl", next: "-b --cookie", glued: "-b", flags: curlFlags, with: "=", kind: kindCookie},
	{names: "curl", pair: "-E --cert --proxy-cert"},
	{names: "curl", next: "--pass --proxy-pass --key-passphrase"},
	{names: "curl", next: "--oauth2-bearer", kind: kindToken},
	{names: "http https xh xhs", pair: "-a --auth", kind: kindAuthorization},
	{names: "http https xh xhs", needs: "bearer --auth-type=bearer -Abearer", next: "-a --auth", kind: kindToken},
	{names: "ab", pair: "-A -P", kind: kindAuthorization},
	{names: "hey oha", pair: "-a", kind: kindAuthorization},
	{names: "lftp", pair: "-u --user", sep: ","},
	{names: "open", pair: "-u --user", sep: ","}, // a line for lftp
	{names: "curlftpfs", pair: "operand -o", host: true},
	{names: "ncftpput ncftpget ncftpls ncftp", glued: "-p"},
	{names: "yt-dlp youtube-dl gallery-dl", next: "-p --video-password"},
	{names: "httpx", needs: "-auth", operand: 2},
	{names: "sqlmap", pair: "--auth-cred --proxy-cred", kind: kindAuthorization},
	{names: "nikto", pair: "-id", kind: kindAuthorization},
	{names: "wfuzz", pair: "--basic --digest --ntlm", kind: kindAuthorization},
	{names: "gobuster", next: "-P"},
	{names: "ncftp ncftpget ncftpput ncftpls", next: "-p"},
	{names: "wget2 aria2c", next: "--http-passwd --ftp-passwd --rpc-secret"},
	{names: "newman", next: "--postman-api-key", kind: kindAPIKey},

	// Remote access.
	{names: "sshpass", next: "-p", glued: "-p"},
	{names: "plink pscp psftp putty kitty winscp", next: "-pw"},
	{names: "xfreerdp xfreerdp3 wlfreerdp sdl-freerdp", glued: "/p: /password: /gp:"},
	{names: "rdesktop", next: "-p", glued: "-p"},
	{names: "vncdo vncdotool", next: "-p"},
	{names: "teamviewer", sub: "passwd", operand: 1},
	{names: "openfortivpn", next: "-p"},
	{names: "pppd", sub: "password", operand: 1},
	{names: "winrs", glued: "-p: /p:"},
	{names: "psexec psexec64", next: "-p"},
	{names: "schtasks", next: "/rp /RP /p"},
	{names: "wmic", glued: "/password: /PASSWORD:"},
	{names: "vmrun", next: "-gp -vp"},
	{names: "hydra medusa", next: "-p", glued: "-p"},
	{names: "smbclient rpcclient smbget nmblookup winexe smbcacls smbtree", pair: "-U --user", sep: "%"},
	{names: "smbclient", operand: 2, takes: "-U -c -W -I -p -m -O -D -A -s -l -d -R -B -T -t -b -i -n --user --command --workgroup --port --authentication-file --configfile"},
	{names: "net", pair: "-U --user", sep: "%"},
	{names: "smbmap crackmapexec netexec nxc evil-winrm kerbrute bloodhound-python", next: "-p"},
	{names: "secretsdump.py psexec.py wmiexec.py smbexec.py smbclient.py impacket-secretsdump impacket-psexec impacket-wmiexec impacket-smbclient impacket-smbexec GetUserSPNs.py GetNPUsers.py getTGT.py getST.py mssqlclient.py dcomexec.py atexec.py lookupsid.py samrdump.py reg.py ticketer.py addcomputer.py impacket-GetUserSPNs impacket-GetNPUsers impacket-getTGT impacket-mssqlclient impacket-dcomexec impacket-atexec impacket-lookupsid", pair: "operand"},
	{names: "ldapsearch ldapadd ldapmodify ldapdelete ldapwhoami ldapcompare ldapmodrdn ldapexop ldapvi", next: "-w", glued: "-w"},
	{names: "ldappasswd", next: "-w -s -a", glued: "-w -s -a"},
	{names: "slappasswd", next: "-s", glued: "-s"},
	{names: "kadmin", next: "-w"},
	{names: "addprinc change_password cpw", next: "-pw"}, // a line for kadmin
	{names: "samba-tool", sub: "user create", operand: 2},
	{names: "samba-tool", sub: "user add", operand: 2},
	{names: "net", sub: "rpc password", operand: 2},
	{names: "net", sub: "use", operand: 3},
	{names: "radtest", operand: 2},
	{names: "radtest", operand: 5},
	{names: "ipmitool", next: "-P", glued: "-P"},
	{names: "racadm redfishtool", next: "-p"},
	{names: "snmpwalk snmpget snmpset snmpbulkwalk snmpgetnext", next: "-A -X"},
	{names: "x11vnc", next: "-passwd"},
	{names: "svn", next: "--password"},
	{names: "wpa_passphrase", operand: 2},
	{names: "nmcli", sub: "password", operand: 1},
	{names: "iwctl", next: "--passphrase"},
	{names: "iw iwconfig", sub: "key", operand: 1, with: ":"},
	{names: "uci", sub: "set", named: "*.key *.password *.psk"},
	{names: "networksetup", needs: "-setairportnetwork", operand: -1, least: 3},
	{names: "net", sub: "user", operand: 2},

	// Archives and keys.
	{names: "7z 7za 7zr 7zz p7zip rar unrar", glued: "-p -hp"},
	{names: "zip unzip zipcloak zipinfo", next: "-P", glued: "-P"},
	{names: "openssl", next: "-k -K -hmac"},
	{names: "pk12util", next: "-W -K"},
	{names: "signtool", next: "/p"},
	{names: "pkcs11-tool pkcs15-tool pkcs15-init", next: "--pin --so-pin --new-pin --puk -p"},
	{names: "ykman", sub: "access", next: "-P -n -p -m -N --pin --new-pin --puk --new-puk --management-key --new-management-key"},
	{names: "ccrypt ccencrypt ccdecrypt", next: "-K --key"},
	{names: "aescrypt msoffcrypto-tool mutool", next: "-p", glued: "-p"},
	{names: "veracrypt truecrypt", next: "-p"},
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
	{names: "qpdf", sub: "--encrypt", operand: 1},
	{names: "qpdf", sub: "--encrypt", operand: 2},
	{names: "pdftk", sub: "user_pw", operand: 1},
	{names: "pdftk", sub: "owner_pw", operand: 1},
	{names: "pdftk", sub: "input_pw", operand: 1},
	{names: "sops", sub: "set", operand: 3, kind: kindSecret},
	{names: "virsh", sub: "secret-set-value", operand: 2, kind: kindSecret},
	{names: "qemu-img qemu-io qemu-nbd qemu-system-x86_64", named: "data"},
	{names: "pdftotext pdfinfo pdftoppm pdfimages", next: "-upw -opw"},
	{names: "steghide outguess", next: "-p"},
	{names: "rclone", sub: "obscure", operand: 1},
	{names: "ykman", sub: "accounts add", operand: 2, takes: "-o -d -a -c -i -P -p --oath-type --digits --algorithm --counter --issuer --period --password", kind: kindSecret},
	{names: "oathtool", operand: 1, takes: "-d -s -S -N -c -w --digits --time-step-size --start-time --now --counter --window", kind: kindSecret},
	{names: "ansible-vault", sub: "encrypt_string", operand: 1, takes: "--name -n --vault-id --vault-password-file --encrypt-vault-id", kind: kindSecret},

	// Accounts on this machine.
	{names: "useradd usermod adduser groupadd", next: "-p", glued: "-p"},
	{names: "caddy", sub: "hash-password", next: "--plaintext -p"},
	{names: "htpasswd", needs: "-*b", operand: -1, least: 2, takes: "-C"},
	{names: "dscl", sub: "-passwd", operand: -1},
	{names: "cmdkey", glued: "/pass:"},

	// Mail and messages.
	{names: "swaks", next: "-ap"},
	{names: "sendemail sendEmail", next: "-xp"},
	{names: "irssi", next: "-w"},
	{names: "mqttx", next: "-P"},
	{names: "mqtt", next: "-pw"},
	{names: "p4", next: "-P"},

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
	{names: "az", sub: "flexible-server create", next: "-p"},
	{names: "az", sub: "server update", next: "-p"},
	{names: "az", sub: "flexible-server update", next: "-p"},
	{names: "az", sub: "acr login", next: "-p"},
	{names: "aws", sub: "secretsmanager", next: "--secret-string", kind: kindSecret},
	{names: "aws", sub: "ssm put-parameter", next: "--value", needs: "SecureString --type=SecureString", kind: kindSecret},
	{names: "mc mcli", sub: "alias set", operand: 4, kind: kindSecret},
	{names: "mc", sub: "config host add", operand: 4, kind: kindSecret},
	{names: "b2", sub: "account authorize", operand: 2, kind: kindAPIKey},
	{names: "b2", sub: "authorize-account", operand: 2, kind: kindAPIKey},
	{names: "swift", next: "-K --key", kind: kindAPIKey},
	{names: "knife", next: "-P"},
	{names: "duplicacy", sub: "set", needs: "password ssh_password b2_key s3_secret", next: "-value"},
	{names: "kubectl oc", sub: "create secret", pair: "--from-literal", sep: "=", kind: kindSecret},
	{names: "vault bao", sub: "login", operand: 1, plain: true, takes: "-method -path", kind: "vault_token"},
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
	{names: "dotnet", sub: "nuget add source", next: "-p"},
	{names: "dotnet", sub: "nuget update source", next: "-p"},
	{names: "xcrun", sub: "altool", next: "-p"},
	{names: "composer", sub: "config", operand: -1, least: 2, needs: "github-oauth.github.com gitlab-token.gitlab.com gitlab-oauth.gitlab.com", kind: kindToken},
	{names: "bw", sub: "unlock", operand: 1},
	{names: "bw", sub: "login", operand: 2},
	{names: "bw", sub: "create", operand: 2, kind: kindSecret},
	{names: "bw", sub: "edit", operand: 3, kind: kindSecret},
	{names: "tailscale", sub: "up", next: "--authkey --auth-key", kind: kindToken},
	{names: "linear-cli sentry-cli codecov codecovcli", next: "-t --auth-token --token", kind: kindToken},
	{names: "cypress", sub: "run", next: "--key -k", kind: kindToken},
	{names: "circleci", sub: "setup", next: "--token", kind: kindToken},
	{names: "wrangler", sub: "secret put", operand: 2, kind: kindSecret},
	{names: "pulumi", sub: "config set", needs: "--secret", operand: 2, takes: "-s --stack -C --cwd"},
}
