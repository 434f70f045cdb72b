package risk

import (
	"strings"

	"github.com/caro-mesh/caro-node/observer/shellparse"
	"github.com/caro-mesh/caro-node/observer/wordset"
)

func init() {
	register(loadFilter, "iptables-restore", "ip6tables-restore")
	register(editSudoers, "visudo")
	register(vaultPolicy, "vault")
}

// loadFilter judges loading rules of the firewall: nothing, or what is not known.
func loadFilter(a *assessor, r *shellparse.Run) {
	a.pick(emptied(r), "network.firewall-off", "network.firewall")
}

// editSudoers judges visudo that takes its text from elsewhere than an editor.
func editSudoers(a *assessor, r *shellparse.Run) {
	if r.Stdin.Present() && !hasOption(r, []string{"-c", "--check"}) {
		a.hit("account.sudoers")
	}
}

// vaultPolicy judges policies that allow everything.
func vaultPolicy(a *assessor, r *shellparse.Run) {
	flat := strings.ReplaceAll(r.Stdin.Text, " ", "")
	if r.Has("policy") && r.Has("write") && (strings.Contains(flat, `path"*"`) || strings.Contains(flat, `"sudo"`)) {
		a.hit("cloud.admin")
	}
}

// adminRoles are what the roles with all rights are called.
var adminRoles = wordset.Of(`admin administrator owner superuser root cluster-admin superadmin super-admin maintainer-all Admin Owner
	Administrator sysadmin ADMIN OWNER global-admin`)

// AdminRoles lists what the roles with all rights are called.
func AdminRoles() []string { return adminRoles.Words() }

// grantingVerbs are sub-commands that give somebody something.
var grantingVerbs = wordset.Of(`create add set update grant assign invite new edit modify put patch attach bind adduser useradd api`)

// grantsAll judges options that give somebody a role with all rights: foo user create eve --role=admin.
func (a *assessor) grantsAll() {
	r := a.at
	grants := false
	for i := 0; i < len(r.Args); i++ {
		t := r.Args[i].Text
		if t == "" || t[0] != '-' {
			grants = grants || grantingVerbs.Has(t) || i < 3 && grantingVerbs.Has(t[strings.LastIndexAny(t, ":-")+1:])
		}
		name, value, ok := strings.Cut(strings.TrimLeft(t, "-"), "=")
		if !ok {
			value = r.Arg(i + 1)
		}
		switch name {
		case "role", "roles", "permission", "permissions", "access-level", "grant", "privilege", "privileges":
			if grants && adminRoles.Has(value) && (ok || t[0] == '-') {
				a.hit("cloud.admin")
				return
			}
		}
	}
}

// forReal reports whether the line says that the trial run is over: DRY_RUN=false, --no-dry-run.
func forReal(r *shellparse.Run) bool {
	for i := range r.Args {
		t := r.Args[i].Text
		if t == "--no-dry-run" || t == "--dry-run=false" || t == "--nodry-run" || untried(t) {
			return true
		}
	}
	for i := range r.Assigns {
		if untried(r.Assigns[i].Name + "=" + r.Assigns[i].Value.Text) {
			return true
		}
	}
	return false
}

func untried(t string) bool {
	switch t {
	case "DRY_RUN=false", "DRY_RUN=0", "DRY_RUN=no", "DRYRUN=false", "DRYRUN=0", "dry_run=false":
		return true
	}
	return false
}

// kernelWrites judges writing to files below /sys and /proc that are switches.
func (a *assessor) kernelWrites(c string) {
	switch {
	case strings.HasPrefix(c, "/sys/block/") && (strings.HasSuffix(c, "/device/delete") || strings.HasSuffix(c, "/device/state")):
		a.hit("disk.unmount-all")
	case c == "/sys/power/state" || c == "/sys/power/disk":
		a.hit("service.power")
	case strings.HasPrefix(c, "/sys/") && (strings.HasSuffix(c, "/remove") || strings.HasSuffix(c, "/unbind") || strings.HasSuffix(c, "/reset")):
		a.hit("kernel.module")
	case strings.HasPrefix(c, "/sys/devices/system/cpu/") && strings.HasSuffix(c, "/online"):
		a.hit("service.exhaust")
	}
}
