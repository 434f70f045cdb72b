package risk

import (
	"strings"

	"github.com/caro-mesh/caro-node/observer/shellparse"
	"github.com/caro-mesh/caro-node/observer/wordset"
)

var listedRules = []Rule{
	{
		ID: "tool.destroy-listed", Level: high, data: true,
		Reason:     "It removes everything that the same tool lists.",
		Suggestion: "Print the list first, and remove what is meant by name.",
	},
	{
		ID: "tool.destroy-all", Level: critical, data: true,
		Reason:     "It destroys everything that the same tool lists, which is everything that an account has.",
		Suggestion: "Print the list first, and destroy what is meant by name.",
	},
	{
		ID: "tool.protection-off", Level: high,
		Reason:     "It turns off the tool's own protection, such as its check of who is asking.",
		Suggestion: "Leave it on, and give the one right that is needed.",
	},
	{
		ID: "service.stop-many", Level: high,
		Reason:     "It stops or removes a service on many machines at once.",
		Suggestion: "Try it on one machine first.",
		when: []string{
			"supervisorctl|pm2|monit|forever stop|delete|remove|kill all", "supervisorctl shutdown", "forever stopall",
			"pm2 kill", "systemctl stop|kill|disable|mask *[*]*",
		},
	},
}

// listing are sub-commands and options with which a tool lists what it keeps.
var listing = wordset.Of(`ls list ps get images query status inventory search find describe -l -q --quiet -aq -qa --list list-all containers`)

// ownLists are programs whose rules judge such lists themselves.
var ownLists = wordset.Of(`git g npm pnpm yarn pip pip3 brew gem apt apt-get dnf yum pacman snap flatpak zypper apk cargo kill ps rm find ls`)

// listed judges what is removed because the same tool listed it: foo delete $(foo list).
func (a *assessor) listed() {
	r := a.at
	if ownLists.Has(r.Name) {
		return
	}
	var from []int
	for i := range r.Args {
		from = append(from, r.Args[i].From...)
	}
	if len(from) == 0 {
		return
	}
	removes, destroys, shows := false, false, a.shown > 0
	for i := 0; i < len(r.Args) && i < 6; i++ {
		t := r.Args[i].Text
		destroys = destroys || destroying.Has(t) && t != "del" || strings.HasPrefix(t, "delete-") || strings.HasPrefix(t, "terminate-")
		removes = removes || takesAway(t) || destroying.Has(t) || takingAway.Has(t) || len(t) > 3 && t[0] != '-' && plainVerb(t) && affixed(t)
	}
	if !removes && !shows {
		return
	}
	name := shellparse.Canonical(r.Name)
	for _, i := range a.cmd.Upstream(shellparse.Source{From: from}) {
		u := &a.cmd.Runs[i]
		if u.Name == "fzf" || u.Name == "head" || u.Name == "tail" {
			return
		}
		if shellparse.Canonical(u.Name) != name || !lists(u) {
			continue
		}
		switch {
		case !removes:
			a.hit("secret.dump")
		case hasOption(u, []string{"-f", "--filter"}) && name == "docker" && nameOf(a.cmd.Text) != namesProduction:
		default:
			a.pick(destroys && !oneHost.Has(r.Name), "tool.destroy-all", "tool.destroy-listed")
		}
		return
	}
}

// oneHost are tools whose things are made again, so that less is lost with all of them.
var oneHost = wordset.Of(`docker podman nerdctl ctr crictl gh glab kubectl oc k minikube kind tmux screen redis-cli vagrant`)

// takingAway are sub-commands that end or remove a thing.
var takingAway = wordset.Of(`remove rm rmi uninstall kill revoke clean evict delete del stop -delete --delete --remove`)

// takesAway reports whether a sub-command such as stop-instances takes something out of use.
func takesAway(t string) bool {
	verb, _, ok := strings.Cut(t, "-")
	return ok && (verb == "stop" || verb == "terminate" || verb == "delete" || verb == "reboot" || verb == "deregister" || verb == "revoke" ||
		verb == "disable") || t == "deallocate" || t == "power-off"
}

func lists(r *shellparse.Run) bool {
	for i := range r.Args {
		if t := r.Args[i].Text; listing.Has(t) || strings.HasPrefix(t, "list-") || strings.HasPrefix(t, "describe-") || strings.HasSuffix(t, "-list") {
			return true
		}
	}
	return false
}

// shields are what a tool protects itself or others with.
var shields = wordset.Of(`auth authentication authorization rbac acl acls tls ssl mfa 2fa otp firewall waf audit auditing encryption protection
	deletion-protection termination-protection security guard tamper-protection antivirus edr shield verification integrity enforcement
	policy policies alarm alarms alerts safety safemode safe-mode versioning backups pitr quota-enforcement`)

// shieldsOff judges sub-commands and options that turn a protection off: foo auth disable, foo --no-auth.
func (a *assessor) shieldsOff() {
	r := a.at
	shield, off := false, false
	words := 0
	for i := 0; i < len(r.Args); i++ {
		t := r.Args[i].Text
		if strings.HasPrefix(t, "-") {
			if openDoors.Has(t) || t == "--auth" && r.Arg(i+1) == "none" {
				a.hit("tool.protection-off")
				return
			}
			continue
		}
		if words++; words > 5 {
			break
		}
		shield = shield || shields.Has(t)
		off = off || t == "disable" || t == "off" || t == "deactivate" || t == "suspend"
	}
	if shield && off {
		a.hit("tool.protection-off")
		return
	}
	if r.Has("set") || r.Has("SET") || r.Has("config") || r.Has("set-config") {
		for i := range r.Args {
			key, value, ok := strings.Cut(r.Args[i].Text, "=")
			if !ok {
				value = r.Arg(i + 1)
			}
			if weakKey(key) && weakValue.Has(value) {
				a.hit("tool.protection-off")
				return
			}
		}
	}
}

// openDoors are options with which a server asks nobody who they are.
var openDoors = wordset.Of(`--no-auth --noauth --disable-auth --disable-authentication --skip-auth --auth=none --without-auth --no-authentication
	--disable-acl --allow-anonymous --insecure-no-auth --no-password-check --disable-rbac --authorization-mode=AlwaysAllow
	--disable-security --no-acl`)

var weakValue = wordset.Of(`false False FALSE no No off Off OFF 0 none None disabled disable never optional`)

// Shields lists what a sub-command that turns something off protects with, whatever the program.
func Shields() []string { return shields.Words() }

// OpenDoors lists options with which a program asks nobody who they are.
func OpenDoors() []string { return openDoors.Words() }

// WeakValues lists the values with which a setting that protects is turned off.
func WeakValues() []string { return weakValue.Words() }

// weakKey reports whether a setting's name says that it protects.
func weakKey(key string) bool {
	if len(key) > 64 || strings.ContainsAny(key, " /") {
		return false
	}
	low := strings.ToLower(key)
	return anyIn(low, []string{"sslverify", "ssl_verify", "ssl.verify", "strict-ssl", "verify_ssl", "verify-ssl", "tls_verify", "tls.verify",
		"protected-mode", "security.enabled", "auth.enabled", "authentication.enabled", "auth_enabled", "require_auth", "requireauth",
		"require-auth", "signature_verification", "checksum_verification", "deletion_protection", "gpgcheck", "fsync",
		"full_page_writes", "acl.enabled", "rbac.enabled", "mfa_required", "encryption.enabled"})
}
