package risk

import (
	"strings"

	"github.com/caro-mesh/caro-node/observer/shellparse"
	"github.com/caro-mesh/caro-node/observer/wordset"
)

var configRules = []Rule{
	{
		ID: "protection.config", Level: high,
		Reason:     "It switches a protection off in a configuration file.",
		Suggestion: "Change the one setting that is in the way, and keep a copy of the file.",
	},
	{
		ID: "protection.login", Level: high,
		Reason:     "It changes how passwords are checked; an error lets everybody in or nobody.",
		Suggestion: "Keep a root shell open, and use pam-auth-update or authselect.",
		when: []string{
			"pam-auth-update --remove|--force|--package", "authconfig ~--disable|descrypt|--enablenullok|--enablenis",
			"authselect select|disable-feature|opt-out --force|--nobackup", "update-crypto-policies --set ~LEGACY|SHA1|EMPTY",
			"faillock|pam_tally2 --reset --user ~root", "fips-mode-setup --disable", "nscd|sssd|winbindd --invalidate",
		},
	},
	{
		ID: "protection.agent", Level: high,
		Reason:     "It stops or removes a program that watches over the machine's security.",
		Suggestion: "Ask those who run it; add an exception for what is in the way.",
		when: []string{
			"apt|dnf|pacman|zypper|apk ~auditd|osquery|falcon-sensor|wazuh-agent|sentinelone|mdatp =remove|purge|erase|del|-R",
			"rpm|dpkg ~auditd|osquery|falcon-sensor|wazuh-agent|sentinelone|mdatp =-e|--erase|-P|-r|--purge|--remove",
			"csagent|falconctl|sentinelctl|mdatp|s1ctl ~unload|disable|stop|uninstall|false",
			"osqueryctl|wazuh-control|ossec-control stop", "sc.exe|sc stop|delete ~WinDefend|Sense|wscsvc|EventLog",
			"freshclam|clamdscan --stop", "aide ~--update --no", "tripwire --update-policy",
			"jamf removeFramework|removeMdmProfile", "profiles remove|-R|-D", "auditctl -D|-e",
			"launchctl unload|bootout|disable ~crowdstrike|falcon|jamf|sentinel|com.apple.mdmclient|com.apple.XProtect|com.apple.security|auditd",
			"launchctl unload|bootout|disable ~/System/Library", "rcctl|service|sysrc ~pflogd|auditd stop|disable",
		},
	},
	{
		ID: "file.rewrite-system", Level: high,
		Reason:     "It changes many files of the system in place.",
		Suggestion: "Name the one file, and keep a copy of it.",
	},
	{
		ID: "file.rewrite-root", Level: critical,
		Reason:     "It changes every file of the system or of a home folder in place.",
		Suggestion: "Name the one folder that is meant.",
	},
	{
		ID: "file.encrypt", Level: critical, attack: true,
		Reason:     "It encrypts files and deletes the originals, as extortion does.",
		Suggestion: "Encrypt a copy, and keep the original until you have decrypted it once.",
	},
}

// weakening says which settings take a protection away, by the path of their file.
var weakening = []struct{ file, marks string }{
	{"sshd_config", "permitrootloginyes passwordauthenticationyes permitemptypasswordsyes strictmodesno permituserenvironmentyes usepamno"},
	{"selinux/config", "disabled permissive"}, {"sysconfig/selinux", "disabled permissive"},
	{"/default/grub", "selinux=0 apparmor=0 mitigations=off init=/bin/ audit=0 enforcing=0 nokaslr module.sig_enforce=0"},
	{"/boot/", "selinux=0 apparmor=0 init=/bin/ audit=0 enforcing=0"},
	{"pg_hba.conf", "0.0.0.0/0trust alltrust hostallall0.0.0.0/0 localallalltrust"},
	{"my.cnf", "skip-grant-tables skip_grant_tables"}, {"mysqld.cnf", "skip-grant-tables skip_grant_tables"},
	{"redis.conf", "protected-modeno bind0.0.0.0"}, {"mongod.conf", "authorization:disabled bindip:0.0.0.0"},
	{"docker/daemon.json", "tcp://0.0.0.0 insecure-registries"}, {"/etc/exports", "no_root_squash"}, {"doas.conf",
		"permitnopass"},
	{"polkit-1/", "polkit.result.yes"}, {"elasticsearch.yml", "xpack.security.enabled:false"}, {"apt.conf",
		"allowunauthenticated"},
	{"sources.list", "[trusted=yes]"}, {"/yum.repos.d/", "gpgcheck=0"}, {"yum.conf", "gpgcheck=0"}, {"dnf.conf",
		"gpgcheck=0"},
	{"pacman.conf", "siglevel=never"}, {"smb.conf", "guestok=yes maptoguest"}, {"vsftpd.conf", "anonymous_enable=yes"},
	{"modsecurity.conf", "secruleengineoff"}, {"fail2ban", "enabled=false"}, {"kubelet", "anonymous:enabled:true"},
	{"sysctl", "kernel.randomize_va_space=0 kernel.yama.ptrace_scope=0 kernel.kptr_restrict=0 fs.protected_symlinks=0"},
	{"ssh_config", "stricthostkeycheckingno"}, {"audit/rules.d", "-e0"}, {"login.defs", "pass_max_days99999"},
}

// weakened judges what a run writes into configuration files.
func (a *assessor) weakened() {
	r := a.at
	for i := range r.Redirs {
		if rd := &r.Redirs[i]; rd.Writes() && rd.FD != "2" {
			a.setting(pathOf(rd.Target.Text, r.Dir), a.textOf(r))
		}
	}
	switch r.Name {
	case "tee", "sponge":
		for _, w := range operandsOf(r, "") {
			a.setting(pathOf(w.Text, r.Dir), r.Stdin.Text)
		}
	case "sed", "gsed", "perl", "sd", "crudini", "augtool", "ex", "ed", "rpl", "replace", "yq", "jq", "rename", "prename":
		if !editsInPlace(r) && r.Name != "crudini" && r.Name != "sd" && r.Name != "augtool" && r.Name != "rename" &&
			r.Name != "prename" {
			return
		}
		text := replacements(r)
		for i := range r.Args {
			c := pathOf(r.Arg(i), r.Dir)
			if strings.HasPrefix(c, "/") && !strings.ContainsAny(c, " ;{") {
				a.setting(c, text)
			}
		}
	}
	a.rewritten()
}

// replacements is what the scripts of an edit put into a file: the second half of substitutions, and other commands whole.
func replacements(r *shellparse.Run) string {
	var b strings.Builder
	for i := range r.Args {
		for _, cmd := range strings.Split(r.Args[i].Text, ";") {
			at := 0
			if cmd != "" && cmd[0] == '/' { // an address
				if end := strings.IndexByte(cmd[1:], '/'); end >= 0 {
					at = end + 2
				}
			}
			s := strings.TrimLeft(cmd[at:], " 0123456789,$")
			if len(s) > 3 && s[0] == 's' && !isWordByte(s[1]) && s[1] != ' ' && s[1] != '-' {
				if parts := strings.Split(s[2:], s[1:2]); len(parts) > 1 {
					s = parts[1]
				}
			}
			b.WriteString(s)
			b.WriteByte('\n')
		}
	}
	return b.String()
}

// textOf is what a run prints, as far as it is written in the line.
func (a *assessor) textOf(r *shellparse.Run) string {
	switch r.Name {
	case "echo", "printf", "print":
		return r.Line()
	}
	return r.Stdin.Text
}

// setting judges a text that goes into a file.
func (a *assessor) setting(c, text string) {
	if text == "" || c == "" || len(text) > maxForeign {
		return
	}
	if strings.HasPrefix(c, "/etc/pam.d/") || c == "/etc/pam.conf" {
		a.hit("protection.login")
	}
	if (strings.Contains(c, ".php") || strings.Contains(c, ".jsp") || strings.Contains(c, ".asp") ||
		strings.Contains(c, ".py") ||
		strings.Contains(c, ".phtml") || strings.Contains(c, "/www/") || strings.Contains(c, "htdocs")) && webShell(text) {
		a.hit("network.web-shell")
	}
	if strings.Contains(text, "LD_PRELOAD=") && (c == "/etc/environment" || shellparse.RunsLater(c)) {
		a.hit("account.preload")
	}
	if c == "/etc/hosts.deny" && strings.Contains(strings.ToUpper(text), "ALL") {
		a.hit("network.firewall-lockout")
	}
	if c == "/etc/hosts" && poisons(text) {
		a.hit("network.poison")
	}
	switch c {
	case "/proc/sys/kernel/core_pattern", "/proc/sys/kernel/modprobe", "/proc/sys/kernel/hotplug",
		"/sys/kernel/uevent_helper",
		"/proc/sys/fs/binfmt_misc/register":
		if strings.Contains(text, "/") {
			a.hit("persist.system-hook")
		}
	case "/proc/sys/kernel/randomize_va_space", "/sys/fs/selinux/enforce":
		if strings.Contains(text, " 0") || strings.HasPrefix(text, "0") {
			a.hit("protection.off")
		}
	}
	if strings.HasSuffix(c, "/release_agent") {
		a.hit("persist.system-hook")
	}
	if strings.HasPrefix(c, "/sys/block/") && strings.HasSuffix(c, "/delete") {
		a.hit("disk.remove-device")
	}
	if strings.HasPrefix(c, "/sys/bus/") && (strings.HasSuffix(c, "/unbind") || strings.HasSuffix(c, "/remove")) ||
		strings.HasPrefix(c,
			"/sys/bus/pci/devices/") && strings.HasSuffix(c, "/remove") {
		a.hit("kernel.module")
	}
	flat := ""
	for _, w := range weakening {
		if !strings.Contains(c, w.file) {
			continue
		}
		if flat == "" {
			flat = flattened(text)
		}
		for rest := w.marks; rest != ""; {
			var mark string
			mark, rest, _ = strings.Cut(rest, " ")
			if strings.Contains(flat, mark) {
				a.hit("protection.config")
			}
		}
	}
}

// flattened takes blanks, quotes and the escapes of an edit out of a text, in lower case.
func flattened(text string) string {
	return strings.ToLower(strings.NewReplacer(" ", "", "\t", "", `\s`, "", `\t`, "", `"`, "", `'`, "", `\`, "", "#", "").Replace(text))
}

// wellKnown are parts of names that programs and people trust.
var wellKnown = []string{"pypi.org", "pythonhosted", "github", "gitlab", "npmjs", "google", "ubuntu.com",
	"debian.org", "microsoft",
	"apple.com", "amazonaws", "docker.io", "docker.com", "rubygems", "crates.io", "golang.org", "paypal", "facebook",
	"bank",
	"windowsupdate", "mozilla", "cloudflare", "letsencrypt", "slack.com", "okta", "office"}

// poisons reports whether lines for /etc/hosts give a well-known name an address in the public network.
func poisons(text string) bool {
	for _, line := range strings.Split(text, "\n") {
		fields := strings.Fields(strings.Trim(strings.TrimPrefix(line, "echo "), `'"`))
		for len(fields) > 0 && strings.HasPrefix(fields[0], "-") {
			fields = fields[1:]
		}
		if len(fields) < 2 || !bareAddress(fields[0]) {
			continue
		}
		ip := fields[0]
		if strings.HasPrefix(ip, "127.") || strings.HasPrefix(ip, "0.") || strings.HasPrefix(ip, "10.") ||
			strings.HasPrefix(ip,
				"192.168.") || strings.HasPrefix(ip, "172.1") || strings.HasPrefix(ip, "172.2") ||
			strings.HasPrefix(ip, "172.3") {
			continue
		}
		if anyIn(strings.Join(fields[1:], " "), wellKnown) {
			return true
		}
	}
	return false
}

func editsInPlace(r *shellparse.Run) bool {
	for i := range r.Args {
		t := r.Args[i].Text
		if strings.HasPrefix(t, "-i") || strings.HasPrefix(t, "--in-pl") || t == "inplace" || len(t) > 2 &&
			len(t) < 8 && t[0] == '-' &&
			t[1] != '-' && (r.Name == "perl" || r.Name == "ruby" || r.Name == "sed") &&
			strings.IndexByte(t, 'i') > 0 && bundle(t) {
			return true
		}
	}
	return r.Name == "ed" || r.Name == "ex"
}

// packers replace each file by a packed one.
var packers = wordset.Of(`gzip bzip2 xz zstd lzma compress lz4 pigz pbzip2 lzip brotli gunzip bunzip2 unxz dos2unix unix2dos convmv detox
	rename prename mmv file-rename recode strip upx ccrypt sponge chcon setfattr`)

// rewritten judges programs that change files in place when they are given whole system folders.
func (a *assessor) rewritten() {
	r := a.at
	switch {
	case packers.Has(r.Name):
		if hasOption(r, []string{"-c", "--stdout", "-k", "--keep", "-t", "-l", "--list", "--test", "-n", "--dry-run"}) {
			return
		}
	case r.Name == "sed" || r.Name == "gsed" || r.Name == "perl" || r.Name == "ruby" || r.Name == "awk" ||
		r.Name == "gawk" ||
		r.Name == "sd":
		if !editsInPlace(r) && r.Name != "sd" {
			return
		}
	default:
		return
	}
	recursive := hasOption(r, []string{"-r", "-R", "--recursive"})
	if r.Parent >= 0 && isFind(a.cmd.Runs[r.Parent].Name) {
		f := &a.cmd.Runs[r.Parent]
		for _, s := range starts(f) {
			switch p := placeOf(s, f.Dir); {
			case p == placeRoot:
				a.pick(precise(f), "file.rewrite-system", "file.rewrite-root")
			case p == placeSystem && s.Text != "/opt" && s.Text != "/srv" &&
				!strings.HasPrefix(s.Text, "/var/www"), p == placeHome && !precise(f):
				a.hit("file.rewrite-system")
			}
		}
		return
	}
	for i := range r.Args {
		w := r.Args[i]
		if w.Text == "" || w.Text[0] != '/' && w.Text[0] != '~' || strings.ContainsAny(w.Text, " ;") {
			continue
		}
		p := placeOf(w, r.Dir)
		whole := recursive || strings.ContainsAny(w.Text, "*?")
		switch {
		case (p == placeRoot || p == placeHome) && whole:
			a.hit("file.rewrite-root")
		case p == placeUnset && recursive || p == placeSystem && recursive && strings.Count(w.Text, "/") == 1:
			a.hit("file.rewrite-root")
		case p == placeSystem && whole:
			a.hit("file.rewrite-system")
		}
	}
}
