package guard

import (
	"slices"
	"strings"

	"github.com/caro-mesh/caro-node/observer/risk"
	"github.com/caro-mesh/caro-node/observer/shellparse"
)

// Words maps each word that makes a line suspect to what must also be in the line, as a word or as one of [Marks]; nil:
// the word is enough. The map is made anew for each call.
func Words() map[string][]string {
	needs := map[string][]string{}
	always := map[string]bool{}
	add := func(word string, with ...string) {
		if len(with) == 0 {
			always[word] = true
		}
		needs[word] = append(needs[word], with...)
	}
	for _, t := range risk.Triggers() {
		if covered(t.Texts) {
			continue
		}
		if !t.Coded {
			add(t.Program, t.Words...)
		} else if with, known := coded[t.Program]; known {
			add(t.Program, append(strings.Fields(with), never)...)
		} else {
			add(t.Program)
		}
	}
	add("awk", "inplace")
	add("gawk", "inplace")
	add("ansible", strings.Fields(coded["ansible"])...)
	for _, w := range shellparse.Wrappers() {
		add(w, strings.Fields(opaque)...)
	}
	for _, w := range strings.Fields(carriers) {
		add(w, strings.Fields(opaque)...)
	}
	for _, w := range append(strings.Fields(interpreters), shellparse.Languages()...) {
		add(w, strings.Fields(code)...)
	}
	add("bin", strings.Fields("cp ln install tee tar unzip rsync touch")...)
	for _, w := range strings.Fields(rewriters) {
		add(w, strings.Fields("* ? $ -r -R")...)
	}
	for _, w := range strings.Fields(plainTools) {
		add(w, strings.Fields("sh bash zsh dash ksh fish")...)
	}
	add("ssh", ":", "-R", "RemoteForward", "|")
	add("autossh", ":", "-R", "RemoteForward")
	add("sudo", "-1", "4294967295", "ed", "ftp")
	add("rsync", "-e", "--rsh")
	for _, w := range risk.Removers() {
		add(w, risk.Forcing()...)
	}
	for _, w := range risk.Takers() {
		add(w, risk.Owned()...)
	}
	for _, w := range strings.Fields("disable off deactivate suspend") {
		add(w, risk.Shields()...)
	}
	for _, w := range strings.Fields("set SET config set-config") {
		add(w, risk.WeakValues()...)
	}
	add("clone", "&", ";", "|")
	add("--auth", "none")
	for _, w := range strings.Fields("--role --roles --permission --permissions --access-level --grant --privilege --privileges role permission roles") {
		add(w, risk.AdminRoles()...)
	}
	for _, w := range strings.Fields(searchers) {
		add(w, strings.Fields("api-key ssh-rsa begin BEGIN keytab ovpn wp-config")...)
	}
	for _, w := range slices.Concat(strings.Fields(alone), risk.Verbs(), risk.OpenDoors()) {
		add(w)
	}
	out := make(map[string][]string, len(needs))
	for w, with := range needs {
		slices.Sort(with)
		out[w] = slices.Compact(with)
		if always[w] {
			out[w] = nil
		}
	}
	return out
}

// covered reports whether each of the texts, of which one must stand in the line, holds one of [Parts].
func covered(texts []string) bool {
	for _, text := range texts {
		if !slices.ContainsFunc(Parts(), func(p string) bool { return strings.Contains(text, p) }) {
			return false
		}
	}
	return len(texts) > 0
}

// never is no word of any line.
const never = "//"

// coded says what must stand beside a program whose rules are code, where that code needs certain words. What concerns
// paths and secrets is among the words that need nothing else, or among [Parts].
var coded = map[string]string{
	"git": "push -D -d --delete -f checkout help -c", "g": "push -D -d --delete -f checkout help -c",
	"systemctl": "stop disable mask kill link enable start down remove off",
	"redis-cli": "del DEL unlink UNLINK config CONFIG eval EVAL replicaof REPLICAOF slaveof SLAVEOF",
	"find":      "-delete -exec -execdir -ok -okdir", "gfind": "-delete -exec -execdir -ok -okdir",
	"ansible": "-a --args -m --module-name", "touch": "-r -t -d --reference --date --time -rf",
	"aws": "rm rb sync", "gcloud": "rm rb rsync", "gsutil": "rm rb rsync", "az": "delete-batch",
	"rclone": "delete purge sync", "mc": "rm rb mirror", "s3cmd": "del rb sync rm", "s5cmd": "rm rb sync",
	"oci": "bulk-delete",
	"b2":  "rm sync", "obsutil": "rm sync", "ossutil": "rm sync", "cos": "rm sync", "coscli": "rm sync",
	"etcdctl": "del", "consul": "delete",
	"python": "http.server --directory -d SimpleHTTPServer", "python3": "http.server --directory -d",
	"npx": "serve http-server",
	"npm": unlisted, "pip": unlisted, "brew": unlisted, "gem": unlisted, "cargo": unlisted, "apt": unlisted,
	"apt-get": unlisted, "dnf": unlisted,
	"yum": unlisted, "pacman": unlisted, "snap": unlisted, "flatpak": unlisted, "zypper": unlisted, "apk": unlisted,
	"pkg":  unlisted,
	"port": unlisted, "dpkg": unlisted, "rpm": unlisted, "pnpm": unlisted, "pip3": unlisted, "yay": unlisted,
	"paru":     unlisted,
	"aptitude": unlisted, "nala": unlisted, "microdnf": unlisted, "caddy": "file-server", "ping": "", "node": "",
	"ruby": "", "php": framework, "rails": framework, "rake": framework, "artisan": framework,
	"wp": framework, "bin/rails": framework, "manage.py": framework, "mix": framework, "iex": framework,
	"drush": framework, "bundle": framework,
	"heroku": framework, "flask": framework,
	"docker": "rm rmi stop kill run create exec", "podman": "rm rmi stop kill run create exec",
	"nerdctl": "rm rmi stop kill run create exec", "docker-compose": "rm stop kill run create exec",
	"podman-compose": "rm stop kill run create exec",
	"kubectl":        "delete", "oc": "delete", "k": "delete",
	"echo": "", "printf": "", "set": "", "shopt": "", "unset": "", "export": "", "declare": "", "typeset": "",
	"setopt": "", "unsetopt": "",
	"cat": "", "less": "", "more": "", "head": "", "tail": "", "bat": "", "strings": "", "nl": "", "tac": "",
	"od": "", "hexdump": "", "grep": "", "cut": "", "awk": "",
	"base64": "-d -D --decode", "xxd": "-r",
	"cp": "", "gcp": "", "install": "", "sed": "", "ed": "", "ex": "",
	"tar": "-C --directory --remove-files", "bsdtar": "-C --directory", "unzip": "-d",
	"rsync": "--delete --delete-after --delete-before --delete-during --delete-excluded --del :",
}

// unlisted are the sub-commands and options with which package managers remove.
const unlisted = `uninstall remove purge rm erase del -e -R -Rns -P --remove --purge --erase autoremove`

// framework are marks with which a framework's console is given program text.
const framework = `' " ( | <`

// opaque are marks with which the command behind a wrapper can be anything.
const opaque = "$ * ? [ {"

// carriers are keywords and programs, besides the wrappers, behind which a command stands.
const carriers = `then do else elif if while until not and or begin time ! in case ssh autossh mosh tmux screen npx
	vagrant adb heroku watch entr su runuser script`

// code are marks and options with which an interpreter is given program text, or a file that the line made.
const code = `| < ; & ' " ( \ $ -c -e -E -r -p -n - --eval --command`

const interpreters = `sh bash zsh dash ksh mksh ash rbash fish csh tcsh ksh93 yash source . python python2 python3 perl
	ruby node nodejs php lua osascript tclsh deno bun Rscript expect`

// alone are words that are enough: programs that run or hide what nobody sees, and folders and files that matter.
const alone = `eval xargs parallel pwsh powershell iex Invoke-Expression at batch busybox toybox ztcp zmodload xterm mkfifo
	mknod yes trap alias complete coproc enable hash function abbr
	etc dev boot sys proc usr var sbin lib lib64 root Windows System32 System Library efi
	curl wget fetch aria2c http https xh lynx nc ncat netcat telnet socat tftp ftp mail mailx mutt sendmail scp sftp
	xattr DROP TRUNCATE DELETE UPDATE ALTER GRANT REMOVE flush_all uudecode rev gpg openssl zf_rm zf_mv zf_chmod zf_chown zf_ln abbr pkexec FLUSHALL FLUSHDB`

// rewriters change files in place, and matter when they are given many.
const rewriters = `gzip bzip2 xz zstd lzma compress lz4 pigz pbzip2 lzip brotli gunzip bunzip2 unxz dos2unix unix2dos convmv detox
	rename prename mmv file-rename recode strip upx ccrypt chcon setfattr sd`

// plainTools start other programs; a shell behind them and sudo is a way around sudo's rules.
const plainTools = `env nice ionice timeout stdbuf setarch strace ltrace taskset flock watch time nohup setsid unshare chrt
	start-stop-daemon rlwrap script cpulimit valgrind perf gdb unbuffer linux32 linux64 choom prlimit nsenter chroot`

// searchers look for secrets, if they do, by the words of [Parts] and by some more.
const searchers = `rg ag ack grep egrep zgrep locate plocate mdfind findstr`

// Parts are texts that make a line suspect wherever they stand: names of what is secret, of logs and of histories.
func Parts() []string { return strings.Fields(parts) }

const parts = `history HIST hist .ssh id_ .env secret .pem .key .p12 .kdbx credential passw shadow token .aws .gnupg .kube
	.netrc .config .docker keychain wallet PRELOAD cookie Cookie Login --checkpoint --use-compress --no-preserve api_key apikey
	AKIA akia private Private stratum --donate tmp/. _GET _POST _REQUEST getRuntime ext:: .ovpn .pgpass .pfx wp-config EDITOR PAGER ASKPASS PROMPT VISUAL --receive-pack --upload-pack
	delete destroy purge wipe nuke teardown tear-down drop- -drop drop: :drop drop_
	db:reset db-reset reset-db resetdb -reset db:fresh -flush flush- decommission undeploy zeroize factory obliterate -terminate terminate- erase zap remove-
	deregister- release- revoke- disable- stop-logging public-read 0.0.0.0/0 AllUsers ::/0 deactivate- schedule-key-deletion allUsers
	allAuthenticated --no-deletion-protection size=0 instances=0 nodes=0
	forget- clear-all clean-db reset- recreate insteadOf insteadof hooksPath hookspath Delete Destroy Terminate Purge`

// Marks are the characters that count as words of their own, wherever they stand.
func Marks() string { return "$*?[{|<;&'\"(\\:" }
