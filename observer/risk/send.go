package risk

import (
	"strings"

	"github.com/caro-mesh/caro-node/observer/shellparse"
	"github.com/caro-mesh/caro-node/observer/wordset"
)

// sending judges runs that send data to other machines.
func (a *assessor) sending() {
	r := a.at
	kind := a.foundSecrets(r)
	switch r.Name {
	case "curl", "http", "xh", "https", "wget", "httpie":
		kind = max(kind, a.uploaded(r))
		if local(r) {
			return
		}
	case "nc", "ncat", "netcat", "nc.traditional", "nc.openbsd", "socat", "telnet", "openssl", "ftp", "tftp", "mail",
		"mailx", "mutt", "sendmail", "msmtp", "swaks", "nslookup", "dig", "host", "ping", "logger":
		if r.Name == "openssl" && !r.Has("s_client") {
			return
		}
		kind = max(a.upstreamSecrets(r.Stdin.From), secrecy(r.Stdin.File, r.Dir))
		if r.Stdin.File != "" {
			kind = max(kind, a.filled(r.Stdin.File, r.Dir))
		}
		for i := range r.Args {
			if strings.Contains(r.Args[i].Text, "$().") && a.reads(r.Args[i].From) {
				a.hit("network.send-secrets")
			}
			kind = max(kind, a.upstreamSecrets(r.Args[i].From))
			if r.Name == "mail" || r.Name == "mailx" || r.Name == "mutt" || r.Name == "socat" {
				kind = max(kind, secrecy(strings.TrimPrefix(strings.TrimPrefix(r.Args[i].Text, "FILE:"), "OPEN:"),
					r.Dir))
			}
		}
		if kind == notSecret && a.bulk(r.Stdin.From) && r.Name != "logger" {
			a.hit("network.send-bulk")
			return
		}
	case "ssh":
		switch max(a.upstreamSecrets(r.Stdin.From), secrecy(r.Stdin.File, r.Dir)) {
		case grave:
			a.hit("network.exfiltrate")
		case secret:
			a.hit("network.send-secrets")
		default:
			if host := hostOf(r); bareAddress(host) && !private(host) && a.bulk(r.Stdin.From) {
				a.hit("network.send-bulk")
			}
		}
		return
	case "scp", "rsync", "sftp":
		a.copied(r)
		return
	case "aws", "gsutil", "gcloud", "rclone", "s3cmd", "mc", "azcopy", "az", "gh", "dropbox_uploader.sh", "croc",
		"wormhole", "transfer", "ffsend", "gist", "pastebinit", "b2", "magic-wormhole", "termbin":
		if !(r.Has("cp") || r.Has("sync") || r.Has("mv") || r.Has("copy") || r.Has("put") || r.Has("create") ||
			r.Has("send") || r.Has("rsync") || r.Has("upload") || r.Name == "gist" || r.Name == "pastebinit") {
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
	case kind >= secret || kind == personal && r.Name != "aws" && r.Name != "rclone" && r.Name != "gsutil" &&
		r.Name != "mc" && r.Name != "s3cmd" && r.Name != "mail":
		a.hit("network.exfiltrate")
	case kind == personal:
		a.hit("network.send-secrets")
	}
}

// filled grades what the line itself put into a file before run a.index.
func (a *assessor) filled(path, dir string) secretKind {
	c := pathOf(strings.TrimPrefix(path, "@"), dir)
	kind := notSecret
	for i := 0; i < a.index; i++ {
		r := &a.cmd.Runs[i]
		for j := range r.Redirs {
			if rd := &r.Redirs[j]; rd.Writes() && pathOf(rd.Target.Text, r.Dir) == c {
				kind = max(kind, carries(r), a.upstreamSecrets(r.Stdin.From))
			}
		}
		if !packs.Has(r.Name) {
			continue
		}
		for j := range r.Args {
			if pathOf(r.Args[j].Text, r.Dir) == c || strings.TrimPrefix(r.Args[j].Text, "of=") == c {
				kind = max(kind, carries(r), a.upstreamSecrets(r.Stdin.From))
			}
		}
	}
	return kind
}

// packs are programs that write what they read into another file.
var packs = wordset.Of("tar zip 7z cp mv gpg openssl tee dd gzip xz zstd rsync install cat age base64 sqlite3 pg_dump mysqldump gcore rar bsdtar cpio")

// reads reports whether the content of a file flows in.
func (a *assessor) reads(from []int) bool {
	for _, i := range a.cmd.Upstream(shellparse.Source{From: from}) {
		switch a.cmd.Runs[i].Name {
		case "cat", "head", "tail", "base64", "base32", "xxd", "od", "hexdump", "tar", "sed", "grep":
			return true
		}
	}
	return false
}

// private reports whether an address belongs to a private network or this machine.
func private(host string) bool {
	for _, p := range [...]string{"10.", "192.168.", "127.", "169.254.", "172.16.", "172.17.", "172.18.", "172.19.",
		"172.20.", "172.2",
		"172.30.", "172.31."} {
		if strings.HasPrefix(host, p) {
			return true
		}
	}
	return false
}

// foundSecrets grades what a search looks for whose results the run is given one by one.
func (a *assessor) foundSecrets(r *shellparse.Run) secretKind {
	if r.Parent < 0 || !isFind(a.cmd.Runs[r.Parent].Name) || !fetchers.Has(r.Name) && r.Name != "scp" {
		return notSecret
	}
	return carries(&a.cmd.Runs[r.Parent])
}

// uploaded grades what curl and the like send.
func (a *assessor) uploaded(r *shellparse.Run) secretKind {
	kind := notSecret
	for i := range r.Args {
		t := r.Args[i].Text
		prev := r.Arg(i - 1)
		value := t
		if option, attached := clustered(prev); option != "" && attached == "" {
			prev = option
		}
		if _, v, ok := strings.Cut(t, "="); ok && strings.HasPrefix(t, "--") {
			prev, value = t[:strings.IndexByte(t, '=')], v
		}
		if option, attached := clustered(t); attached != "" {
			prev, value = option, attached
		}
		switch prev {
		case "-d", "--data", "--data-binary", "--data-raw", "--data-urlencode", "-F", "--form", "--json":
			if at := strings.IndexByte(value, '@'); at >= 0 && (at == 0 || value[at-1] == '=') {
				file, _, _ := strings.Cut(value[at+1:], ";")
				if file == "-" {
					a.bulkUpload(r)
					kind = max(kind, a.upstreamSecrets(r.Stdin.From), secrecy(r.Stdin.File, r.Dir))
				} else {
					kind = max(kind, secrecy(file, r.Dir), a.filled(file, r.Dir), a.upstreamSecrets(r.Args[i].From))
				}
				continue
			}
			if at := strings.IndexByte(value, '<'); at > 0 && value[at-1] == '=' {
				kind = max(kind, secrecy(value[at+1:], r.Dir))
			}
			kind = max(kind, a.upstreamSecrets(r.Args[i].From))
			if r.Args[i].Open && len(value) > 1 && value[0] == '$' && secretName(value[1:]) {
				kind = secret
			}
			if r.Args[i].Open && misdirected(value, r) {
				kind = secret
			}
		case "--post-data", "--body-data":
			kind = max(kind, a.upstreamSecrets(r.Args[i].From))
		case "-T", "--upload-file", "--post-file", "--body-file":
			if value == "-" || value == "." {
				a.bulkUpload(r)
				kind = max(kind, a.upstreamSecrets(r.Stdin.From), secrecy(r.Stdin.File, r.Dir))
			}
			kind = max(kind, secrecy(value, r.Dir), a.filled(value, r.Dir))
		case "-H", "--header", "-u", "--user", "-o", "--output", "-E", "--cert", "--key", "--cacert", "-b", "--cookie",
			"-K", "--config":
		default:
			if !strings.HasPrefix(t, "-") { // a URL with the output of a command in it
				kind = max(kind, a.upstreamSecrets(r.Args[i].From))
				if r.Args[i].Open && misdirected(t, r) {
					kind = secret
				}
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

// storePorts are ports of servers whose data are deleted over HTTP.
var storePorts = [...]string{":5984/", ":9200/", ":9201/", ":8086/", ":8500/v1/kv", ":6333/collections",
	":7700/indexes", ":8108/collections",
	":15672/api/queues", ":15672/api/vhosts", ":6443/api", ":8529/_api", ":8091/pools", ":8983/solr", ":2379/v",
	":19530/", ":5000/v2/",
	":8080/v1/namespaces", ":4646/v1/job", ":8123/", ":2375/volumes", ":2375/containers"}

// storeURL reports whether a request goes to such a server, and whether it names a whole database of it.
func storeURL(t string) (whole, store bool) {
	for _, p := range storePorts {
		_, rest, ok := strings.Cut(t, p)
		if !ok {
			continue
		}
		rest, _, _ = strings.Cut(rest, "?")
		rest = strings.Trim(rest, "/")
		switch p {
		case ":5984/", ":9200/", ":9201/":
			return rest != "" && !strings.Contains(rest, "/") && (p == ":5984/" || rest == "*" || rest == "_all"), true
		}
		return false, true
	}
	return false, false
}

// clustered splits a bundle of curl's short options whose last one takes a value: -sd is -d, -sdx is -d with x.
func clustered(t string) (option, attached string) {
	if len(t) < 2 || t[0] != '-' || t[1] == '-' {
		return "", ""
	}
	for i := 1; i < len(t); i++ {
		if strings.IndexByte("dFTHuobAeEKcCmPQrtUwxXyYzD", t[i]) >= 0 {
			return "-" + t[i:i+1], t[i+1:]
		}
		if strings.IndexByte("sSkLfvigGIjnNaBqR0123456#OJpM", t[i]) < 0 {
			return "", ""
		}
	}
	return "", ""
}

// owners are parts of the addresses to which a secret of the environment may go.
var owners = []struct{ name, hosts string }{
	{"GITHUB_TOKEN", "github"}, {"GH_TOKEN", "github"}, {"GITLAB_TOKEN", "gitlab"}, {"CI_JOB_TOKEN", "gitlab $CI"},
	{"NPM_TOKEN", "npm"},
	{"AWS_SECRET", "amazonaws"}, {"AWS_ACCESS_KEY", "amazonaws"}, {"AWS_SESSION", "amazonaws"}, {"VAULT_TOKEN",
		"vault $VAULT"},
	{"OPENAI_API_KEY", "openai"}, {"ANTHROPIC_API_KEY", "anthropic"}, {"STRIPE_SECRET", "stripe"},
	{"DIGITALOCEAN_TOKEN", "digitalocean"},
	{"CLOUDFLARE_API", "cloudflare"}, {"HEROKU_API_KEY", "heroku"}, {"DOCKER_PASSWORD", "docker"}, {"PYPI_TOKEN", "pypi"},
	{"KUBE_TOKEN", "kube"}, {"AZURE_CLIENT_SECRET", "microsoft azure"}, {"GOOGLE_APPLICATION_CREDENTIALS", "google"},
	{"SSH_PRIVATE_KEY", "~"},
	{"DATABASE_URL", "~"}, {"DB_PASSWORD", "~"}, {"SECRET_KEY_BASE", "~"}, {"PGPASSWORD", "~"}, {"MYSQL_PWD", "~"},
	{"JWT_SECRET", "~"},
}

// misdirected reports whether a value holds a well-known secret of the environment and goes to somebody else than its owner.
func misdirected(value string, r *shellparse.Run) bool {
	for _, o := range owners {
		i := strings.Index(value, o.name)
		if i < 1 || value[i-1] != '$' && value[i-1] != '{' && value[i-1] != '_' {
			continue
		}
		if !ownedBy(o.hosts, r.Line()) {
			return true
		}
	}
	return false
}

// ownedBy reports whether a text names one of the hosts, parted by blanks, to which a secret may go.
func ownedBy(hosts, text string) bool {
	for hosts != "" {
		var h string
		if h, hosts, _ = strings.Cut(hosts, " "); strings.Contains(text, h) {
			return true
		}
	}
	return false
}

// copied judges scp, rsync and sftp: secrets that leave this machine.
func (a *assessor) copied(r *shellparse.Run) {
	ops := operandsOf(r,
		"-i -P -F -o -l -c -S -J -e --rsh --exclude --include --exclude-from --include-from --files-from --filter -f --rsync-path -b")
	if len(ops) < 2 || !strings.Contains(ops[len(ops)-1].Text, ":") {
		return
	}
	for _, w := range ops[:len(ops)-1] {
		if strings.Contains(w.Text, ":") {
			continue
		}
		if p := placeOf(w, r.Dir); (p == placeHome || p == placeRoot || p == placeSystem) && bareAddress(hostOf(r)) && !private(hostOf(r)) {
			a.hit("network.send-bulk")
		}
		switch kind := max(secrecy(w.Text, r.Dir), a.filled(w.Text, r.Dir)); {
		case kind == grave:
			a.hit("network.exfiltrate")
		case kind == secret || kind == personal && isHistory(w.Text, r.Dir):
			a.hit("network.send-secrets")
		}
	}
}

// bulkUpload notes an upload of a whole home or system folder.
func (a *assessor) bulkUpload(r *shellparse.Run) {
	if a.bulk(r.Stdin.From) {
		a.hit("network.send-bulk")
	}
}

// bulk reports whether a whole home or system folder flows in.
func (a *assessor) bulk(from []int) bool {
	for _, i := range a.cmd.Upstream(shellparse.Source{From: from}) {
		u := &a.cmd.Runs[i]
		if u.Name == "mysqldump" || u.Name == "pg_dump" || u.Name == "pg_dumpall" || u.Name == "mongodump" ||
			u.Name == "mariadb-dump" ||
			u.Name == "docker" && u.Has("save") || u.Name == "tcpdump" || u.Name == "tshark" || u.Name == "slapcat" ||
			u.Name == "redis-dump" || u.Name == "etcdctl" {
			return true
		}
		if u.Name != "tar" && u.Name != "zip" && u.Name != "cpio" && u.Name != "dd" {
			continue
		}
		for j := range u.Args {
			w := u.Args[j]
			w.Text = strings.TrimPrefix(w.Text, "if=")
			if p := placeOf(w, u.Dir); p == placeHome || p == placeSystem || p == placeRoot || p == placeDisk ||
				p == placeVital {
				return true
			}
		}
	}
	return false
}

// cloudAPIs are parts of the addresses behind which platforms and servers keep whole resources.
var cloudAPIs = []string{"api.cloudflare.com/", "api.digitalocean.com/", "api.hetzner.cloud/", "api.linode.com/", "api.vultr.com/",
	"management.azure.com/", ".googleapis.com/", "api.heroku.com/", "api.fly.io/", "api.machines.dev/", "api.vercel.com/", "api.netlify.com/",
	"cloud.mongodb.com/api", "api.fastly.com/", "api.scaleway.com/", "api.supabase.com/", "graph.microsoft.com/", ".okta.com/api",
	".auth0.com/api", "api.pagerduty.com/", "api.datadoghq.", "api.render.com/", "api.planetscale.com/", "api.confluent.cloud/",
	"/v1/sys/mounts", "/v1/sys/auth", "/service/rest/v1/repositories", "/artifactory/api/repositories", "/api/v2.0/projects", "/admin/realms",
	"/api/datasources", "/api/orgs/", "/api/admin/users", "/v2/_catalog", "/apis/", "/redfish/v1"}

func curlCommand(a *assessor, r *shellparse.Run) {
	a.dockerAPI(r)
	a.sentStatements(r)
	for i := range r.Args {
		switch t := r.Args[i].Text; {
		case t == "-o" || t == "--output" || t == "-O" && r.Name == "wget" || t == "--output-document":
			if i+1 < len(r.Args) {
				a.written(r.Args[i+1], r, false)
			}
		}
	}
	deletes := false
	for i := range r.Args {
		t := r.Args[i].Text
		deletes = deletes || strings.EqualFold(t, "-XDELETE") || strings.EqualFold(t, "DELETE") || strings.EqualFold(t,
			"--request=DELETE") || strings.HasPrefix(t, "--method=DELETE")
	}
	for i := range r.Args {
		if t := r.Args[i].Text; strings.HasSuffix(t, "/shutdown") || strings.HasSuffix(t, "/_shutdown") || strings.HasSuffix(t, "/quitquitquit") ||
			strings.HasSuffix(t, "/agent/leave") || strings.HasSuffix(t, "/doDelete") || strings.HasSuffix(t, "/_bulk_delete") {
			if r.Has("-XPOST") || r.Has("-XPUT") || r.Has("POST") || r.Has("PUT") || r.Has("--post") {
				a.hit("http.shutdown")
			}
		}
		if t := r.Args[i].Text; strings.Contains(t, "/admin/tsdb/delete_series") || strings.Contains(t, "/_update_by_query") || strings.Contains(t, "<delete>") {
			a.hit("search.delete")
		}
	}
	if !deletes {
		return
	}
	for i := range r.Args {
		t := r.Args[i].Text
		if whole, store := storeURL(t); store {
			a.pick(whole, "sql.drop-database", "search.delete")
		}
		if strings.Contains(t, ":9200/") || strings.Contains(t, "/_all") || strings.Contains(t, "elastic") ||
			strings.Contains(t, "/indices/") || strings.Contains(t, "/_index") || strings.HasSuffix(t, "/*") {
			a.hit("search.delete")
		}
		if strings.Contains(t, "/api/v4/projects/") || strings.Contains(t, "/api/v4/groups/") || strings.Contains(t, "/manifests/") ||
			strings.Contains(t, "/api/v1/namespaces/") || strings.Contains(t, "/2.0/repositories/") {
			a.hit("git.repo-delete")
		}
		if anyIn(t, cloudAPIs) {
			a.hit("http.delete-resource")
		}
		if strings.Contains(t, "api.github.com/repos/") && strings.Count(t, "/") == 5 {
			a.hit("git.repo-delete")
		}
	}
	a.hit("http.delete")
}
