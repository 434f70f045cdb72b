package risk

import (
	"path"
	"strings"

	"github.com/caro-mesh/caro-node/observer/shellparse"
	"github.com/caro-mesh/caro-node/observer/wordset"
)

// place says what a path stands for, in the order of how much its loss hurts.
type place uint8

const (
	placeNothing  place = iota // an option, or empty
	placeDisposed              // temporary files, caches, and what a build makes again
	placePlain                 // anything else
	placeOpen                  // unknown, but not empty
	placeWhole                 // the current folder, everything in it, or the one above
	placeDeep                  // inside a system folder
	placeUnset                 // $VAR/ or $VAR/*: the root folder if the variable is empty
	placeVital                 // one file or folder without which the system or an account breaks
	placeHome                  // a home folder
	placeSystem                // a system folder
	placeRoot                  // the root folder
	placeDisk                  // a disk or partition
)

// systemTop are the folders right below / that a system needs.
var systemTop = wordset.Of(`bin boot dev etc lib lib32 lib64 libx32 lost+found opt proc root run sbin srv sys usr var snap nix
	System Library Applications Volumes private cores Users home Windows`)

// systemSecond are needed folders one level further down.
var systemSecond = wordset.Of(`/usr/bin /usr/sbin /usr/lib /usr/lib64 /usr/lib32 /usr/libexec /usr/local /usr/share
	/usr/include /usr/local/bin /usr/local/lib
	/var/lib /var/log /var/spool /var/run /var/db /var/www /var/mail /var/backups /etc/ssh /etc/pam.d /etc/systemd
	/etc/init.d /etc/ssl /etc/security /etc/apt /etc/default /etc/network
	/lib/modules /lib/systemd /usr/lib/modules /usr/lib/systemd /lib/x86_64-linux-gnu /usr/lib/x86_64-linux-gnu
	/boot/efi /boot/grub /boot/grub2 /boot/loader /var/lib/dpkg /var/lib/rpm /var/lib/pacman
	/System/Library /Library/Preferences /private/etc /private/var /Windows/System32 /var/lib/docker /var/lib/mysql
	/var/lib/postgresql /var/lib/kubelet /var/lib/etcd /nix/store`)

// vitalFiles break a system or an account when they are lost or replaced.
var vitalFiles = wordset.Of(`/etc/passwd /etc/shadow /etc/group /etc/gshadow /etc/sudoers /etc/fstab /etc/crypttab
	/etc/ld.so.preload /etc/ld.so.conf
	/etc/pam.d /etc/pam.conf /etc/inittab /etc/mtab /etc/ssh/sshd_config /etc/nsswitch.conf /etc/machine-id
	/etc/sudoers.d /etc/security/access.conf /etc/master.passwd /etc/login.defs`)

// disposed are folders and files that a build, an installation or a program makes again.
var disposed = wordset.Of(`node_modules dist build out target coverage .cache .next .nuxt .turbo .parcel-cache .vite .venv venv
	__pycache__ .pytest_cache
	.mypy_cache .ruff_cache .tox .nox .gradle .terraform .DS_Store tmp temp .tmp vendor bin obj Pods DerivedData .eggs
	htmlcov _site .angular
	.svelte-kit .serverless cdk.out .dart_tool .stack-work dist-newstyle elm-stuff _build deps bower_components
	CMakeFiles CMakeCache.txt
	.nyc_output .sass-cache .bundle cache caches .coverage test-results playwright-report storybook-static .expo .output
	.webpack .rollup.cache
	.terraform.lock.hcl Cargo.lock poetry.lock Gemfile.lock go.sum composer.lock uv.lock bun.lockb Pipfile.lock mix.lock Podfile.lock
	.eslintcache .stylelintcache .tsbuildinfo tsconfig.tsbuildinfo package-lock.json yarn.lock pnpm-lock.yaml
	.ipynb_checkpoints target-docker lib-cov .hypothesis
	.yarn .pnp.cjs .docusaurus .mypy .bazel bazel-out bazel-bin zig-cache zig-out .zig-cache nimcache Debug Release x64
	artifacts generated gen .aws-sam .vercel .netlify .wrangler
	.idea .vscode-test logs log .log thumbs.db .scannerwork .jekyll-cache .cargo-cache .ccache .metals .bloop .cpcache
	.lein-repl-history resources/_gen result`)

var disposedSuffixes = []string{".pyc", ".pyo", ".o", ".obj", ".class", ".tmp", ".temp", ".swp", ".swo", ".bak~", "~",
	".egg-info", ".tsbuildinfo", ".log", ".orig", ".rej", ".pid", ".cache", ".test", ".prof", ".coverage", "-tmp",
	"_tmp", ".dSYM"}

// placeOf classifies a path that a command in dir is given.
func placeOf(w shellparse.Word, dir string) place {
	text := w.Text
	if text == "" {
		return placeNothing
	}
	if text = strings.TrimPrefix(text, "file://"); text == "" {
		return placeNothing
	}
	if isWindowsRoot(text) {
		return placeRoot
	}
	if w.Open && text[0] == '$' {
		return placeOfOpen(w, text)
	}
	relative := text[0] != '/' && text[0] != '~'
	if relative && dir != "" && !strings.HasPrefix(dir, "$") {
		text = dir + "/" + text
	}
	slash := strings.HasSuffix(text, "/")
	p := shellparse.Clean(text)
	star := false
	for isStar(path.Base(p)) { // what everything in a folder is, the folder is
		if !strings.Contains(p, "/") {
			return wholeOrUp(".")
		}
		p, star = path.Dir(p), true
	}
	switch {
	case w.Open && strings.HasPrefix(p, "$"): // "./$X"
		return placeOfOpen(w, p)
	case w.Open && strings.Contains(p, "$"):
		return placeOfPartlyOpen(p)
	}
	if strings.Contains(p, "{}") {
		return placeOpen
	}
	if p[0] == '/' {
		return placeOfAbsolute(p, star || slash)
	}
	if p[0] == '~' {
		return placeOfHome(p)
	}
	if wholeOrUp(p) != placeNothing {
		return wholeOrUp(p)
	}
	if isDisposed(p) {
		return placeDisposed
	}
	return placePlain
}

// isStar reports whether a path element matches everything in its folder.
func isStar(s string) bool {
	switch s {
	case "*", ".*", "**", "?*", "*.*", "..?*", ".??*", ".[!.]*", "*~", "[a-z]*", "{*,.*}", "[!.]*", ".[^.]*":
		return s != "*~"
	}
	return false
}

func wholeOrUp(p string) place {
	switch {
	case p == ".":
		return placeWhole
	case p == "..", p == "../..":
		return placeWhole
	case strings.HasPrefix(p, "../../..") && strings.Trim(p, "./") == "":
		return placeRoot // no folder is that deep by accident
	case strings.HasPrefix(p, "../../../"):
		rest := strings.TrimLeft(p, "./")
		if systemTop.Has(rest) || strings.HasPrefix(rest, "etc/") {
			return placeSystem
		}
	}
	return placeNothing
}

func isWindowsRoot(s string) bool {
	if len(s) < 2 || s[1] != ':' {
		return false
	}
	rest := strings.Trim(s[2:], `\/*.`)
	return rest == "" || strings.EqualFold(rest, "windows") || strings.EqualFold(rest, `windows\system32`) ||
		strings.EqualFold(rest, "users")
}

// placeOfOpen classifies what begins with something unknown.
func placeOfOpen(w shellparse.Word, text string) place {
	if w.Guarded {
		return placeOpen
	}
	i := strings.IndexByte(text, '/')
	if i < 0 {
		return placeOpen
	}
	rest := strings.Trim(text[i:], "/")
	switch {
	case rest == "" || isStar(rest):
		return placeUnset
	case systemTop.Has(rest) || systemSecond.Has("/"+rest):
		return placeUnset
	}
	if isDisposed(rest) {
		return placeDisposed
	}
	return placeOpen
}

// placeOfPartlyOpen classifies a path with something unknown further inside.
func placeOfPartlyOpen(p string) place {
	head := p[:strings.IndexByte(p, '$')]
	tail := p[len(head):]
	deeper := strings.Contains(tail, "/")
	switch {
	case head == "/dev/" && !strings.Contains(tail, "/"):
		return placeDisk
	case head == "/": // "/$X"
		return placeUnset
	case head == "/home/" || head == "/Users/":
		if deeper {
			return placePlain
		}
		return placeHome
	case strings.HasPrefix(head, "/tmp") || strings.HasPrefix(head, "/var/tmp") || strings.HasPrefix(head, "~/.cache"):
		return placeDisposed
	case strings.HasPrefix(head, "/boot/") || strings.HasPrefix(head, "/lib/modules/") ||
		strings.HasPrefix(head, "/usr/bin/") ||
		strings.HasPrefix(head, "/usr/sbin/"):
		return placeVital
	case head[0] == '/':
		if top, _, _ := strings.Cut(head[1:], "/"); systemTop.Has(top) && top != "home" && top != "Users" {
			return placeDeep
		}
	case isDisposed(strings.Trim(head, "/")):
		return placeDisposed
	}
	return placeOpen
}

func placeOfAbsolute(p string, whole bool) place {
	if p == "/" {
		return placeRoot
	}
	if isDisk(p) {
		return placeDisk
	}
	parts := strings.Split(p[1:], "/")
	switch parts[0] {
	case "tmp":
		if len(parts) == 1 && !whole {
			return placeWhole
		}
		return placeDisposed
	case "home", "Users":
		switch {
		case len(parts) == 1:
			return placeSystem
		case len(parts) == 2:
			if parts[1] == "Shared" {
				return placePlain
			}
			return placeHome
		}
		return placeOfHome("~/" + strings.Join(parts[2:], "/"))
	case "root":
		if len(parts) == 1 {
			return placeHome
		}
		return placeOfHome("~/" + strings.Join(parts[1:], "/"))
	case "mnt", "media":
		if len(parts) == 1 {
			return placeWhole
		}
		if parts[0] == "mnt" && len(parts) > 2 && len(parts[1]) == 1 && strings.EqualFold(parts[2], "windows") {
			return placeSystem
		}
		if parts[0] == "mnt" && len(parts) <= 3 && len(parts[1]) == 1 { // a Windows drive
			if len(parts) == 2 || strings.EqualFold(parts[2], "windows") || strings.EqualFold(parts[2], "users") {
				return placeSystem
			}
		}
		return placePlain
	}
	if len(parts) == 1 {
		if systemTop.Has(parts[0]) || strings.ContainsAny(parts[0], "*?[") {
			return placeSystem
		}
		return placePlain
	}
	if vitalFiles.Has(p) || parts[0] == "boot" || strings.HasPrefix(p, "/lib/modules/") {
		return placeVital
	}
	if systemSecond.Has(p) {
		return placeSystem
	}
	switch {
	case strings.HasPrefix(p, "/var/tmp/"), strings.HasPrefix(p, "/var/cache/"), strings.HasPrefix(p, "/dev/shm/"),
		strings.HasPrefix(p, "/var/crash/"),
		strings.HasPrefix(p, "/private/tmp/"), strings.HasPrefix(p, "/run/user/"), strings.HasPrefix(p,
			"/var/lib/apt/lists"), strings.HasPrefix(p, "/private/var/folders/"):
		return placeDisposed
	case p == "/var/tmp" || p == "/var/cache":
		return placeWhole
	case parts[0] == "opt" || parts[0] == "srv" || strings.HasPrefix(p, "/var/www/") || strings.HasPrefix(p,
		"/usr/local/") || strings.HasPrefix(p, "/usr/src/"):
		if isDisposed(p) {
			return placeDisposed
		}
		return placePlain
	case strings.HasPrefix(p, "/usr/bin/"), strings.HasPrefix(p, "/usr/sbin/"), parts[0] == "bin", parts[0] == "sbin",
		parts[0] == "lib", parts[0] == "lib64":
		return placeVital
	}
	if systemTop.Has(parts[0]) {
		return placeDeep
	}
	if isDisposed(p) {
		return placeDisposed
	}
	return placePlain
}

// vitalHome are parts of a home folder that hold keys, accounts, or everything that a person has.
var vitalHome = wordset.Of(`~/.ssh ~/.gnupg ~/.aws ~/.kube ~/.config ~/.local ~/.local/share ~/.password-store ~/.docker
	~/.azure ~/Documents ~/Desktop ~/Pictures ~/Library
	~/Downloads ~/Music ~/Videos ~/Movies ~/.mozilla ~/.thunderbird ~/.bashrc ~/.zshrc ~/.profile ~/.bash_profile
	~/.gitconfig ~/projects ~/work ~/src ~/code ~/dev`)

func placeOfHome(p string) place {
	if i := strings.IndexByte(p, '/'); i < 0 || p[i:] == "/.." {
		return placeHome
	}
	if vitalHome.Has(p) {
		return placeVital
	}
	if strings.HasPrefix(p, "~/.ssh/") || strings.HasPrefix(p, "~/.gnupg/") {
		return placeVital
	}
	if strings.HasPrefix(p, "~/.cache") || strings.HasPrefix(p, "~/Library/Caches") || strings.HasPrefix(p, "~/.npm") ||
		strings.HasPrefix(p, "~/.local/share/Trash") || strings.HasPrefix(p, "~/Downloads/") || isDisposed(p) {
		return placeDisposed
	}
	return placePlain
}

func isDisposed(p string) bool {
	base := path.Base(p)
	if disposed.Has(base) || strings.HasPrefix(base, "cmake-build-") || strings.HasPrefix(base, "bazel-") || discarded(base) {
		return true
	}
	for _, s := range disposedSuffixes {
		if strings.HasSuffix(base, s) && len(base) > len(s) {
			return true
		}
	}
	// Something inside a folder that is made again.
	for rest := p; ; {
		i := strings.LastIndexByte(rest, '/')
		if i <= 0 {
			return false
		}
		rest = rest[:i]
		switch b := path.Base(rest); b {
		case "node_modules", "__pycache__", "dist", "build", "target", ".cache", ".next", "tmp", ".venv", "venv",
			".terraform", "coverage", "out", "_build":
			return true
		}
	}
}

// diskPrefixes begin the names of block devices.
var diskPrefixes = []string{"sd", "hd", "vd", "xvd", "nvme", "mmcblk", "disk", "rdisk", "dm-", "md", "mapper/", "loop",
	"sr", "nbd", "zd", "vg", "ram", "rbd", "da", "ada", "nda", "nvd", "rsd", "rwd", "wd", "ld", "vtbd", "mfid",
	"aacd", "dsk/", "rdsk/",
	"zvol/", "md/", "drbd", "pmem", "sg", "st0", "fd0", "gpt/", "label/", "ufs/", "mtd", "mtdblock", "bcache",
	"cciss/", "block/"}

// isDisk reports whether a path names a block device, a partition, or the raw memory of the machine.
func isDisk(p string) bool {
	name, ok := strings.CutPrefix(p, "/dev/")
	if !ok {
		return false
	}
	if strings.HasPrefix(name, "disk/by-") || name == "mem" || name == "kmem" || name == "port" {
		return true
	}
	for _, prefix := range diskPrefixes {
		if rest, ok := strings.CutPrefix(name, prefix); ok && !strings.HasPrefix(rest, "out") &&
			(strings.Contains(prefix, "/") || rest != "" || strings.ContainsAny(name, "*?[$")) {
			return true
		}
	}
	return strings.HasPrefix(name, "$") || strings.HasPrefix(name, "[") || strings.HasPrefix(name, "?d")
}

// pathOf cleans a path for comparison with fixed ones, as seen from dir.
func pathOf(text, dir string) string {
	if text != "" && text[0] != '/' && text[0] != '~' && dir != "" {
		text = dir + "/" + text
	}
	if strings.HasPrefix(text, "/root/") {
		text = "~" + text[5:]
	}
	if strings.HasPrefix(text, "/home/") || strings.HasPrefix(text, "/Users/") {
		if i := strings.IndexByte(text[1:], '/') + 1; i > 0 {
			if j := strings.IndexByte(text[i+1:], '/'); j >= 0 {
				text = "~" + text[i+1+j:]
			}
		}
	}
	return shellparse.Clean(text)
}
