package risk

import (
	"strings"

	"github.com/caro-mesh/caro-node/observer/shellparse"
	"github.com/caro-mesh/caro-node/observer/wordset"
)

// interpreters run what they read from their input.
var interpreters = wordset.Of(`sh bash zsh dash ksh mksh ash rbash fish csh tcsh ksh93 yash eval source . python python2
	python3 perl ruby node nodejs php lua
	pwsh powershell iex Invoke-Expression osascript tclsh at batch crontab su sudo doas ssh bun deno Rscript expect`)

// fetchers print or write what they get from the network.
var fetchers = wordset.Of(`curl wget fetch aria2c http https xh lynx links w3m GET ftp tftp lwp-request lwp-download curlie
	axel nc ncat netcat telnet socat dig host nslookup Invoke-WebRequest iwr irm Invoke-RestMethod`)

// decoders turn encoded text back.
func decodes(r *shellparse.Run) bool {
	switch r.Name {
	case "base64", "gbase64", "base32", "basenc":
		return hasOption(r, []string{"-d", "-D", "--decode"})
	case "openssl":
		return hasWord(r, []string{"-d"}) || r.Has("enc") && r.Has("-d")
	case "xxd":
		return hasOption(r, []string{"-r"})
	case "uudecode", "rev":
		return true
	case "tr":
		return rotates(r)
	case "gpg":
		return hasOption(r, []string{"-d", "--decrypt"})
	}
	return false
}

// rotates reports whether tr exchanges letters for other letters, as rot13 does, and not merely cases.
func rotates(r *shellparse.Run) bool {
	from, to := r.Arg(0), r.Arg(1)
	return len(from) > 2 && len(to) > 2 && (strings.Contains(to, "n-z") || strings.Contains(to, "N-Z") ||
		strings.Contains(from, "n-z"))
}

// interpreted judges where the code comes from that a run interprets.
func (a *assessor) interpreted() {
	r := a.at
	if r.Name == "ssh" || r.Name == "crontab" && !r.Has("-") && !r.Code.Present() {
		return
	}
	// A file that the line wrote, or the output of a command in command position.
	executed := len(r.Code.From) > 0 && (strings.Contains(r.Path, "/") || strings.HasPrefix(r.Path, "$()"))
	a.foreign()
	if !interpreters.Has(r.Name) && !executed {
		return
	}
	if !r.Code.Present() || len(r.Code.From) == 0 {
		return
	}
	remote, plain, decoded := false, false, false
	for _, i := range a.cmd.Upstream(shellparse.Source{From: r.Code.From}) {
		u := &a.cmd.Runs[i]
		switch {
		case remoteSource(u):
			remote = true
			plain = plain || bareAddress(hostOf(u)) && !private(hostOf(u))
		case computes(u):
			decoded = true
		case fetchers.Has(u.Name) && !local(u), onSocket(u):
			remote = true
			plain = plain || insecure(u) || onSocket(u)
		case decodes(u), disguised(u):
			decoded = true
		}
	}
	switch {
	case remote && r.Root:
		a.hit("code.remote-root")
	case remote && (plain || decoded):
		a.hit("code.remote-plain")
	case remote:
		a.hit("code.remote")
	case decoded && r.Root:
		a.hit("code.decoded-root")
	case decoded:
		a.hit("code.decoded")
	case !r.Code.Known && shells.Has(r.Name) && r.Name != "source" && a.cmd.Runs[r.Code.From[0]].Depth <= r.Depth:
		a.pick(r.Root, "code.piped-root", "code.piped")
	}
}

// transforms are filters that make other text of what they read.
var transforms = wordset.Of(`cut sed gsed awk gawk jq yq tr fold paste column m4 envsubst iconv perl python python3 ruby head tail nl`)

// disguised reports whether a run makes other text of a constant, so that the line does not show what the text is.
func disguised(r *shellparse.Run) bool {
	return transforms.Has(r.Name) && (r.Stdin.Known && r.Stdin.Text != "" || r.Name == "jq" && option(r, 'n'))
}

// remoteSource reports whether a run prints or brings a file from another machine or a store, other than a fetcher.
func remoteSource(r *shellparse.Run) bool {
	switch r.Name {
	case "ssh":
		return r.Code.Present()
	case "scp", "rsync", "sftp", "lftp", "smbclient", "tftp":
		return r.Name == "tftp" || bareAddress(hostOf(r)) || containsText(r, []string{"@", "://"}) &&
			bareAddress(remoteHost(r))
	case "aws", "gsutil", "gcloud", "rclone", "mc", "s3cmd", "az", "oci":
		return r.Has("cat") || r.Has("-") && (r.Has("cp") || r.Has("get") || r.Has("download"))
	case "git":
		return r.Has("archive") && containsText(r, []string{"--remote"})
	}
	return false
}

// remoteHost is the host of the first word of the form user@host:path.
func remoteHost(r *shellparse.Run) string {
	for i := range r.Args {
		if host, _, ok := strings.Cut(r.Args[i].Text, ":"); ok {
			return host[strings.LastIndexByte(host, '@')+1:]
		}
	}
	return ""
}

// computes reports whether a run prints text that its own program puts together from codes of characters.
func computes(r *shellparse.Run) bool {
	if !r.Code.Known || shells.Has(r.Name) || len(r.Code.Text) > maxForeign {
		return false
	}
	return anyIn(r.Code.Text, []string{"pack(", ".pack", "chr(", "fromCharCode", "unpack", "Buffer.from", "decode", "unhexlify", "fromhex", `\x`,
		"atob(", "%c", "[::-1]", "reverse"})
}

// onSocket reports whether a run reads from a connection that the shell opens.
func onSocket(r *shellparse.Run) bool {
	if strings.HasPrefix(r.Stdin.File, "/dev/tcp/") {
		return true
	}
	for i := range r.Args {
		if strings.HasPrefix(r.Args[i].Text, "/dev/tcp/") {
			return true
		}
	}
	return false
}

// local reports whether a fetcher only talks to this machine or is only asked for its version.
func local(r *shellparse.Run) bool {
	for i := range r.Args {
		t := r.Args[i].Text
		if strings.Contains(t, "localhost") || strings.Contains(t, "127.0.0.1") || strings.HasPrefix(t, "file://") ||
			t == "--version" || t == "--help" {
			return true
		}
	}
	return false
}

// insecure reports whether a fetch is open to replacement on the way: plain http, a bare address, checks turned off.
func insecure(r *shellparse.Run) bool {
	if r.Name == "curl" && hasOption(r, []string{"-k", "--insecure"}) || r.Name == "wget" && hasOption(r,
		[]string{"--no-check-certificate"}) {
		return true
	}
	for i := range r.Args {
		t := r.Args[i].Text
		if strings.HasPrefix(t, "http://") || strings.HasPrefix(t, "ftp://") || bareAddress(t) {
			return true
		}
	}
	return r.Name == "nc" || r.Name == "ncat" || r.Name == "netcat" || r.Name == "telnet" || r.Name == "tftp" ||
		r.Name == "dig"
}

// bareAddress reports whether a URL or host is an IPv4 address.
func bareAddress(s string) bool {
	if i := strings.Index(s, "://"); i >= 0 {
		s = s[i+3:]
	}
	if i := strings.IndexAny(s, "/:"); i >= 0 {
		s = s[:i]
	}
	return strings.Count(s, ".") == 3 && strings.Trim(s, "0123456789.") == ""
}
