package risk

import (
	"github.com/caro-mesh/caro-node/observer/shellparse"
	"github.com/caro-mesh/caro-node/observer/wordset"
)

var accountRules = []Rule{
	{
		ID: "account.delete", Level: high,
		Reason:     "It deletes an account or a group.",
		Suggestion: "Lock it with usermod -L first, and keep its files.",
		when: []string{
			"userdel|groupdel|delgroup|rmuser ...", "dscl ... ~-delete", "net user|localgroup ~/delete",
			"Remove-LocalUser ...", "realm leave", "ipa user-del|group-del|host-del", "ldapdelete ...",
			"smbpasswd -x",
		},
	},
	{
		ID: "account.change", Level: moderate,
		Reason:     "It changes or adds an account or a group.",
		Suggestion: "Check with id and getent first.",
		when: []string{
			"useradd|usermod|groupadd|addgroup|groupmod|gpasswd|chsh|chfn|chage|newusers|vipw|realm|sysadminctl ...",
			"ldapadd|ldapmodify ...", "smbpasswd -a", "htpasswd ...", "visudo !-c|--check",
		},
	},
	{
		ID: "account.password", Level: moderate,
		Reason:     "It changes a password.",
		Suggestion: "Keep a second session open until you have tried it.",
		when: []string{
			"passwd ... !-S|--status",
		},
	},
	{
		ID: "account.password-set", Level: high,
		Reason:     "It sets or removes the password of root or of several accounts.",
		Suggestion: "Use passwd for the one account.",
		when: []string{
			"chpasswd ...", "passwd root", "passwd -d|--delete|-u|--unlock", "passwd --stdin",
			"chage|usermod|chsh|passwd|faillock|pam_tally2 $root !-l|--list|-S|--status", "usermod $root", "passwd -l|-e|-x|--expire|--lock root",

			"mysqladmin password", "dscl ~-passwd|passwd",
			"pw usermod root", "kadmin|kadmin.local ~cpw|change_password", "smbpasswd root",
			"ldappasswd ...", "ipa passwd admin",
		},
	},
	{
		ID: "account.admin", Level: high,
		Reason:     "It gives an account root's rights.",
		Suggestion: "Give the one sudo rule that is needed.",
		when: []string{
			"usermod ... ~sudo|wheel|root|adm,|admin", "gpasswd -a ~sudo|wheel|root", "useradd ... =sudo|wheel|admin",
			"useradd * sudo|wheel|admin", "usermod -G|-aG|-a sudo|wheel|root|admin", "net localgroup ~dministrators",
			"dseditgroup ~admin",
			"dscl ~-append|append|-merge|merge ~/Groups/admin|/Groups/wheel", "dseditgroup ~admin|wheel", "sysadminctl ~-admin",
			"pw groupmod|usermod|useradd wheel|operator -m|*", "pw groupmod wheel", "pw usermod|useradd ~wheel",
			"addgroup|adduser * sudo|wheel|root|admin|docker|lxd|disk|shadow", "groupmems -a|-g ~wheel|sudo|root", "samba-tool group addmembers ~Admins",
			"net rpc group addmem", "ipa group-add-member admins", "ipa sudorule-add-*",
			"Add-ADGroupMember ~Admins", "gpasswd ~sudo|wheel -M",
		},
	},
	{
		ID: "account.backdoor", Level: critical,
		Reason:     "It makes a second root, or writes straight into the list of accounts.",
		Suggestion: "Use useradd and sudo rules.",
		when: []string{
			"useradd|usermod -o", "useradd|usermod =-u =0",
		},
	},
	{
		ID: "account.sudoers", Level: high,
		Reason:     "It changes who may become root; an error locks everybody out.",
		Suggestion: "Use visudo, which checks the file.",
	},
	{
		ID: "account.edit", Level: high,
		Reason:     "It edits the list of accounts, passwords or sudo rules in place.",
		Suggestion: "Use usermod, passwd or visudo.",
	},
	{
		ID: "account.key", Level: moderate,
		Reason:     "It lets the owner of a key log in.",
		Suggestion: "Check the key's fingerprint and comment.",
	},
	{
		ID: "account.root-key", Level: high,
		Reason:     "It lets the owner of a key log in as root.",
		Suggestion: "Log in as a user, and use sudo.",
		when: []string{
			"ssh-copy-id ~root@",
		},
	},
	{
		ID: "account.preload", Level: high, attack: true,
		Reason:     "It loads foreign code into programs.",
		Suggestion: "Do not load libraries from folders that others can write to.",
	},
	{
		ID: "account.capability", Level: high,
		Reason:     "It gives a program rights of root that everybody can use then.",
		Suggestion: "Give the one capability to the one service that needs it.",
		when: []string{
			"setcap ... !-r|-v",
		},
	},
	{
		ID: "account.root-shell", Level: moderate,
		Reason:     "It opens a shell with root's rights, in which nothing is asked any more.",
		Suggestion: "Use sudo for the single command.",
		when: []string{
			"su !-c|--command|--help", "sudo -i|-s|--login|--shell|-Es|-Hi", "doas -s", "machinectl shell",
			"pkexec bash|sh|zsh|/bin/sh|/bin/bash",
		},
	},
	{
		ID: "account.root-escape", Level: high,
		Reason:     "It starts a shell with root's rights from within another program, past the rules of sudo and its log.",
		Suggestion: "Open the shell with sudo -i, so that it is recorded.",
	},
	{
		ID: "account.elevated", Level: moderate,
		Reason:     "It runs a program that changes things with root's rights.",
		Suggestion: "Run it without sudo where that is enough.",
	},
}

// readers only look; running them as root changes nothing.
var readers = wordset.Of(`ls cat less more head tail grep egrep fgrep rg ag ack find fd locate stat file wc df du free top htop
	btop iotop iftop nethogs atop vmstat iostat mpstat sar ps pgrep pidof pstree lsof ss netstat
	ip ifconfig route arp dmesg journalctl last lastb lastlog who w id whoami uptime uname hostname lsblk blkid lscpu
	lsmod lspci lsusb lshw dmidecode smartctl fdisk parted sensors findmnt mount tcpdump tshark ngrep
	systemctl service docker podman kubectl crictl nerdctl crontab iptables ip6tables nft ufw firewall-cmd nginx
	apachectl apache2ctl sshd visudo getent groups date cal env printenv echo printf true false test [ sleep
	which whereis type command man help tree diff cmp md5sum sha1sum sha256sum strings hexdump xxd od nl sort uniq cut
	awk sed tr column jq yq git make cargo go npm node python python3 pip psql mysql redis-cli
	apt apt-get apt-cache dpkg dnf yum rpm pacman zypper snap flatpak apk brew strace ltrace gdb perf bpftrace nmap dig
	host nslookup ping traceroute mtr curl wget openssl ethtool iw nmcli resolvectl timedatectl hostnamectl
	loginctl localectl auditctl ausearch aureport semanage sestatus getenforce getsebool aa-status lvs vgs pvs lvdisplay
	vgdisplay pvdisplay zpool zfs btrfs mdadm cryptsetup swapon hdparm nvme exportfs showmount watch
	fail2ban-client ufw updatedb logrotate tail cd pwd bat exa eza ncdu duf procs glances sysctl lsns lsattr getfacl
	getcap tee vim vi nano emacs nvim sudoedit su sudo doas bash sh zsh dash fish crontab rkhunter lynis wg tailscale
	virsh lxc
	consul vault nomad etcdctl ceph gluster rabbitmqctl supervisorctl pm2 slapcat slabtop numastat turbostat powertop
	fio sync udevadm ipmitool multipass snapper kdump ltrace pmap nsenter unshare ctr tc bridge conntrack chronyc ntpq
	postqueue mailq exim doveadm varnishadm haproxy`)

// elevated notes what runs with root's rights and is not known to be harmless.
func (a *assessor) elevated() {
	r := a.at
	if !r.Root || r.Place == shellparse.PlaceThrowaway || readers.Has(r.Name) {
		switch {
		case r.Root && shells.Has(r.Name) && !r.Code.Known && !interactive(r):
			a.hit("account.elevated") // a script of which nothing is known
		case r.Root && interactive(r):
			p := r.Parent
			for p >= 0 && shells.Has(a.cmd.Runs[p].Name) && a.cmd.Runs[p].Root {
				p = a.cmd.Runs[p].Parent
			}
			a.pick(p >= 0 && (escapes(a.cmd.Runs[p].Name) || a.cmd.Runs[p].Name == "ssh" &&
				r.Place == shellparse.PlaceHere) ||
				r.Started("pkexec"), "account.root-escape", "account.root-shell")
		case r.Root && editors.Has(r.Name):
			a.hit("account.elevated")
		}
		return
	}
	a.hit("account.elevated")
}

// escapes reports whether a program that starts a shell is not one that is there to start shells.
func escapes(parent string) bool {
	return parent != "su" && parent != "sudo" && parent != "runuser" && !shells.Has(parent) && parent != "ssh" &&
		parent != "docker" && parent != "kubectl" && parent != "tmux" && parent != "screen" && parent != "script"
}

var editors = wordset.Of(`vim vi nano emacs nvim sudoedit ed micro hx joe pico gedit kate code`)
