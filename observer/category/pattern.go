package category

import (
	"slices"
	"strings"
	"sync"

	"github.com/caro-mesh/caro-node/observer/shellparse"
	"github.com/caro-mesh/caro-node/observer/wordset"
)

// maxPattern bounds a pattern in bytes; longer ones are cut, which only makes long scripts look more alike.
const maxPattern = 512

// Pattern returns the shape of a command line: programs, sub-commands, option names in order of the alphabet, and
// operators. Values of all kinds (operands, option values, numbers, assigned values, file names) are replaced by "_". Two lines of the
// same shape have the same pattern. It is empty where nothing runs.
func Pattern(c *shellparse.Command) string {
	var b strings.Builder
	for i := range c.Runs {
		r := &c.Runs[i]
		if r.Depth > 0 {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte(' ')
			if r.Joint != "" && r.Joint != ";" {
				b.WriteString(r.Joint)
			} else {
				b.WriteByte(';')
			}
			b.WriteByte(' ')
		}
		shape(&b, r)
		if b.Len() > maxPattern {
			return b.String()[:maxPattern]
		}
	}
	if b.Len() == 0 {
		for i := range c.Runs { // everything stands in functions
			if r := &c.Runs[i]; r.Name != "" {
				shape(&b, r)
				break
			}
		}
	}
	return strings.TrimSpace(b.String())
}

func shape(b *strings.Builder, r *shellparse.Run) {
	for _, via := range r.Via {
		b.WriteString(via)
		b.WriteByte(' ')
	}
	if len(r.Assigns) > 0 {
		b.WriteString("_=_ ")
	}
	b.WriteString(program(r))
	at, operands := 0, false
	for range depthOf(r) {
		word, i := r.Operand(at)
		if i < 0 || !isSubcommand(word) {
			break
		}
		if kind, _, ok := strings.Cut(word, "/"); ok { // kubectl get pod/name
			word = kind
		}
		b.WriteByte(' ')
		b.WriteString(word)
		at = i + 1
	}
	var options []string
	for i := range r.Args {
		t := r.Args[i].Text
		switch {
		case t == "-" || t == "--":
		case len(t) > 1 && t[0] == '-':
			options = appendOptions(options, r.Name, t)
		case i >= at:
			operands = true
		}
	}
	slices.Sort(options)
	for _, o := range slices.Compact(options) {
		b.WriteByte(' ')
		b.WriteString(o)
	}
	if operands {
		b.WriteString(" _")
	}
	for i := range r.Redirs {
		b.WriteByte(' ')
		b.WriteString(r.Redirs[i].Op)
		b.WriteString(" _")
	}
	if r.Stdin.Present() && len(r.Stdin.From) == 0 && r.Stdin.File == "" {
		b.WriteString(" << _")
	}
}

// program is the run's name; what is not known before it runs is a value.
func program(r *shellparse.Run) string {
	if r.Name == "" {
		return ""
	}
	if strings.HasPrefix(r.Name, "$") {
		return "_"
	}
	return r.Name
}

// depthOf says how many operands of a program are sub-commands.
func depthOf(r *shellparse.Run) int {
	name := shellparse.Canonical(r.Name)
	n := subcommands()[name]
	if first, _ := r.Operand(0); n == 1 && groups()[name+" "+first] {
		return 2
	}
	return n
}

var subcommands = sync.OnceValue(func() map[string]int {
	m := map[string]int{}
	for _, n := range strings.Fields(`git docker npm cargo go yarn bun deno systemctl apt apt-cache dnf pacman brew pip
		pip3 terraform helm poetry uv conda gem bundle
		rails mix dotnet nix flatpak snap zypper apk rustup ip nmcli ufw kind k3d minikube vagrant pulumi ansible-galaxy
		jj hg svn vault consul nomad packer
		journalctl loginctl hostnamectl timedatectl launchctl zfs zpool btrfs tmux firewall-cmd virsh heroku fly flyctl
		vercel netlify pm2 just mise asdf cmake flutter dart composer kubectl`) {
		m[n] = 1
	}
	for _, n := range strings.Fields(`aws gh glab az gcloud doctl oci ibmcloud openstack argocd istioctl`) {
		m[n] = 2
	}
	return m
})

// groups are sub-commands that have sub-commands of their own.
var groups = sync.OnceValue(func() map[string]bool {
	m := map[string]bool{}
	for tool, list := range map[string]string{
		"docker":  "compose container image volume network system buildx builder manifest stack service swarm secret config context plugin trust node",
		"kubectl": "get describe delete edit create rollout config top scale annotate label patch explain expose set auth api-resources wait",
		"git":     "remote stash worktree submodule bisect flow lfs reflog config notes", "go": "mod tool work",
		"npm": "config cache", "cargo": "install", "helm": "repo", "terraform": "state workspace",
		"uv": "pip tool", "nix": "profile flake store", "ip": "addr address link route a r neigh netns",
		"dotnet": "nuget tool ef", "brew": "services", "rustup": "toolchain target component",
		"vault": "kv secrets auth token", "flutter": "pub", "dart": "pub",
	} {
		for _, s := range strings.Fields(list) {
			m[tool+" "+s] = true
		}
	}
	return m
})

// isSubcommand reports whether a word looks like one: a short word of letters, and no path, number or expansion.
func isSubcommand(w string) bool {
	if len(w) == 0 || len(w) > 32 {
		return false
	}
	kind, _, _ := strings.Cut(w, "/")
	for i := 0; i < len(kind); i++ {
		c := kind[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && c != '-' && c != '_' && (c < '0' || c > '9' || i == 0) &&
			c != ':' {
			return false
		}
	}
	return kind != ""
}

// wordOptions are programs whose options are words behind one dash.
var wordOptions = wordset.Of(`find gfind terraform go java javac ffmpeg ffprobe openssl convert magick
		xcodebuild gcc g++ clang clang++ cc ld keytool qemu-system-x86_64 packer vault consul nomad xterm test mvn
		ssh-keygen tofu terragrunt`)

func appendOptions(list []string, program, t string) []string {
	if name, _, ok := strings.Cut(t, "="); ok {
		t = name
	}
	if strings.HasPrefix(t, "--") || wordOptions.Has(program) {
		return append(list, digits(t))
	}
	if t[1] >= '0' && t[1] <= '9' {
		return append(list, "-#")
	}
	for i := 1; i < len(t); i++ {
		c := t[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			break // the rest is a value
		}
		list = append(list, "-"+string(c))
	}
	return list
}

// digits replaces numbers in an option's name, so that -O2 and -O3 are alike.
func digits(s string) string {
	if len(s) > 48 {
		s = s[:48]
	}
	if !strings.ContainsAny(s, "0123456789") {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			b.WriteByte(s[i])
		} else if i == 0 || s[i-1] < '0' || s[i-1] > '9' {
			b.WriteByte('#')
		}
	}
	return b.String()
}
