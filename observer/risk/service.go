package risk

import (
	"strings"

	"github.com/caro-mesh/caro-node/observer/shellparse"
	"github.com/caro-mesh/caro-node/observer/wordset"
)

var serviceRules = []Rule{
	{
		ID: "service.power", Level: high,
		Reason:     "It shuts the machine down or restarts it, with everything that runs on it.",
		Suggestion: "Check with who and uptime, and announce it with shutdown +5.",
		when: []string{
			"systemctl reboot|poweroff|halt|kexec|rescue|emergency|suspend|hibernate|soft-reboot",
			"systemctl isolate", "systemctl set-default rescue*|emergency*|poweroff*|reboot*|halt*|shutdown*",
			"init|telinit 0|1|6|s|S", "pm-suspend|pm-hibernate ...", "Stop-Computer|Restart-Computer ...",
			"kexec -e|-f", "ipmitool ... off|cycle|reset",
			"loginctl terminate-user|terminate-session|kill-user|poweroff|reboot",
			"salt|salt-ssh ~system.poweroff|system.halt|system.reboot|system.shutdown|system.init", "virsh reset", "xe host-shutdown|host-reboot|vm-reset-powerstate ...",
			"esxcli system shutdown|maintenanceMode|coredump", "nova|openstack ... ~--hard", "fence_node|fence_ipmilan|stonith|powerman ...",
			"busctl ~PowerOff|Reboot|Halt", "dbus-send ~PowerOff|Reboot|Stop|Halt", "rundll32 ~powrprof",
		},
	},
	{
		ID: "service.stop-vital", Level: high,
		Reason:     "It stops a service without which the machine cannot be reached or is not protected.",
		Suggestion: "Restart instead of stop, and keep a second way in.",
		when: []string{
			"fuser -k|--kill 5432/tcp|3306/tcp|6379/tcp|27017/tcp|9200/tcp|22/tcp|2379/tcp|9092/tcp|5672/tcp|443/tcp",
		},
	},
	{
		ID: "service.stop", Level: moderate,
		Reason:     "It stops, restarts or changes a service.",
		Suggestion: "Check with systemctl status who needs it.",
		when: []string{
			"systemctl stop|restart|disable|mask|kill|reload|start|enable|unmask|try-restart|reload-or-restart",
			"systemctl daemon-reload|daemon-reexec|set-default|edit|revert|set-property|reset-failed|link",
			"service * stop|restart|reload|start|force-reload",
			"rc-service|sv|svc|supervisorctl|s6-svc|initctl stop|restart|start|down|up|reload|shutdown|remove|-d",
			"rc-service|sv|svc|supervisorctl|s6-svc|initctl -t|-u", "rc-service * stop|restart|start",
			"rc-update add|del|delete", "update-rc.d|chkconfig|insserv ...",
			"launchctl unload|load|bootout|bootstrap|kickstart|stop|start|remove|disable|enable",
			"brew services stop|restart|start", "pm2 delete|stop|kill|restart|reload|start|flush",
			"monit stop|restart|unmonitor", "nginx|apachectl|httpd -s|-k",
			"apachectl|apache2ctl stop|restart|graceful", "pg_ctl|pg_ctlcluster ... stop|restart|reload|promote",
			"loginctl ... enable-linger", "invoke-rc.d ...", "net stop|start", "sc stop|delete|config",
			"Stop-Service|Restart-Service ...", "forever stop|stopall", "passenger-config restart-app",
			"timedatectl set-time|set-timezone|set-ntp", "date -s|--set", "hwclock -w|-s|--systohc|--hctosys",
			"rabbitmqctl stop", "nodetool decommission|removenode|drain|cleanup|assassinate",
		},
	},
	{
		ID: "service.cron-remove", Level: high,
		Reason:     "It deletes all scheduled jobs of the account.",
		Suggestion: "Save them first with crontab -l > file.",
		when: []string{
			"crontab -r",
		},
	},
	{
		ID: "service.cron", Level: moderate,
		Reason:     "It replaces the scheduled jobs of the account.",
		Suggestion: "Save them first with crontab -l > file.",
	},
	{
		ID: "service.cron-write", Level: moderate,
		Reason:     "It adds a job that runs on its own later.",
		Suggestion: "Check who owns the file, and what the job runs.",
	},
	{
		ID: "service.exhaust", Level: high,
		Reason:     "It uses up memory or processors until the machine stands still.",
		Suggestion: "Limit it with ulimit, timeout or systemd-run.",
		when: []string{
			"scontrol shutdown|takeover", "scontrol update ~state=down|State=DOWN|state=drain|State=DRAIN",
			"stress|stress-ng ... ~100%|--vm|--fork|--class",
		},
	},
	{
		ID: "process.kill-all", Level: high,
		Reason:     "It ends every process, or one that the system or a session needs.",
		Suggestion: "Name the one process by its ID.",
		when: []string{
			"qdel|bkill all|0", "condor_rm|scancel =-all|-a|--all", "scancel -u|--user root",
			"skill -KILL -u", "pm2 kill",
		},
	},
	{
		ID: "process.kill", Level: moderate,
		Reason:     "It ends processes.",
		Suggestion: "Look with ps or pgrep first.",
		when: []string{
			"tmux kill-session|kill-server|kill-window|kill-pane", "screen -X ~quit|kill",
			"zellij kill-session|kill-all-sessions|ka|k", "kill-port|fkill|killport ...",
			"am force-stop|kill|kill-all", "scancel|qdel|bkill|condor_rm ...", "wmctrl -c", "gh run cancel",
			"adb kill-server", "xkill ...", "jobs -x", "bkill 0",
		},
	},
	{
		ID: "kernel.sysrq", Level: critical,
		Reason:     "It makes the kernel crash, restart or kill at once, without saving anything.",
		Suggestion: "Use systemctl reboot.",
	},
	{
		ID: "kernel.module", Level: high,
		Reason:     "It loads code into the kernel, or removes some that may be in use.",
		Suggestion: "Use modprobe with modules of the distribution.",
		when: []string{
			"insmod|rmmod ...", "modprobe -r|--remove", "dkms remove|uninstall", "kldunload|kextunload ...",
			"kpatch load|install",
		},
	},
	{
		ID: "kernel.setting", Level: moderate,
		Reason:     "It changes settings of the kernel or the start of the system.",
		Suggestion: "Note the old value first.",
		when: []string{
			"sysctl -w|--write|-p|--system", "sysctl *=*", "modprobe ... !-n|--show-depends|-c",
			"update-initramfs|dracut|mkinitcpio|depmod|update-grub|grub-mkconfig|grub2-mkconfig|bootctl|dkms ...",
			"kernel-install|plymouth-set-default-theme ...",
			"localectl|hostnamectl set-locale|set-keymap|set-hostname",
			"update-alternatives --set|--config|--install|--remove", "tuned-adm profile", "cpupower ...",
			"udevadm control|trigger --reload*|-R|*", "udevadm control|trigger",
			"pmset|nvram|systemsetup|scutil|defaults write|delete|-a|--set", "defaults write|delete",
			"bless|softwareupdate -i|--install",
		},
	},
	{
		ID: "kernel.boot-loader", Level: high,
		Reason:     "It changes how the machine starts; a mistake leaves it unable to.",
		Suggestion: "Have a rescue medium at hand.",
		when: []string{
			"grub-install|grub2-install|lilo|extlinux|syslinux ...", "efibootmgr -B|-b|-c|-o|-O|-D", "bootctl remove",
			"bcdedit /delete|/set", "flashrom -w|-E|--write", "fwupdmgr install|update|downgrade|reinstall",
			"flash_erase|flashcp|mtd ...", "fastboot flash|erase|format|oem|flashing", "fastboot -w",
			"heimdall flash", "odin4|mtkclient|edl|rkdeveloptool ...", "esptool.py|esptool erase_flash",
			"csrutil disable", "nvram -c", "mokutil --disable-validation|--reset", "setpci|wrmsr ...",
			"grubby ~--remove-kernel", "update-initramfs -d", "kernel-install remove",
			"nvram ~boot-args|csr-active-config", "efivar|efitools|efi-updatevar -w|-f|-a|-d", "efibootmgr ~--delete|--bootorder|--bootnext",
			"sbctl reset|remove-file|enroll-keys", "installkernel|flexboot ...",
			"grubby ~--remove-args|init=|selinux=0", "rpi-eeprom-update -f|-d|-r", "bless ~--folder|--mount|--setBoot",
			"kexec -l|--load",
		},
	},
	{
		ID: "protection.quarantine", Level: moderate,
		Reason:     "It removes the mark of software that came from the network, so that it starts unchecked.",
		Suggestion: "Open it once through the system's dialogue.",
		when: []string{
			"xattr -d|-c|-cr|-dr|-rd",
		},
	},
	{
		ID: "protection.off", Level: high,
		Reason:     "It turns a protection of the system off.",
		Suggestion: "Find the rule that is in the way, and change only that.",
		when: []string{
			"setenforce 0|Permissive|permissive", "aa-disable|aa-teardown|aa-complain ...",
			"spctl --master-disable|--global-disable", "Set-MpPreference ~true|True",
			"sysctl ~kernel.randomize_va_space=0|kernel.yama.ptrace_scope=0|kernel.kptr_restrict=0", "tpm2_clear ...",
			"auditctl -e|-D", "Set-ExecutionPolicy ~Bypass|Unrestricted", "apparmor_parser -R",
			"chcon ... unconfined_u", "semanage permissive", "DisableRealtimeMonitoring ...",
		},
	},
}

func init() {
	register(shutdownCommand, "shutdown")
	register(stopService, "update-rc.d", "chkconfig", "rc-update", "insserv", "service", "rc-service", "launchctl",
		"sv", "initctl")
	register(killCommand, "kill", "killall", "pkill", "killall5", "skill", "fuser", "xkill", "taskkill")
	register(cronCommand, "crontab")
	register(removeJobs, "atrm", "at")
}

func shutdownCommand(a *assessor, r *shellparse.Run) {
	if hasOption(r, []string{"-c", "--help", "--show", "-k"}) {
		return
	}
	a.hit("service.power")
}

// vitalServices keep a machine reachable, protected, or in one piece.
var vitalServices = []string{"ssh", "sshd", "networking", "network", "NetworkManager", "systemd-networkd",
	"systemd-resolved", "firewalld", "ufw", "iptables", "nftables", "auditd", "rsyslog", "syslog", "systemd-journald",
	"fail2ban", "apparmor", "dbus", "systemd-logind", "docker", "containerd", "kubelet", "etcd", "crowdsec",
	"clamav-daemon", "falcon-sensor", "selinux", "postgresql", "mysql", "mysqld", "mariadb", "wpa_supplicant",
	"osqueryd", "pf", "ipfw", "npf", "ntpd", "syslogd", "securityd", "wazuh-agent", "crond", "cron",
	"systemd-timesyncd", "k3s", "mongod", "ossec", "snort"}

func stopService(a *assessor, r *shellparse.Run) {
	stops := false
	for _, v := range [...]string{"stop", "disable", "mask", "kill", "down", "unload", "bootout", "remove", "off",
		"del", "delete", "onestop", "forcestop", "faststop", "quietstop"} {
		stops = stops || r.Has(v)
	}
	if !stops {
		return
	}
	if r.Parent >= 0 && fleets.Has(a.cmd.Runs[r.Parent].Name) {
		a.hit("service.stop-many")
	}
	forGood := (r.Has("disable") || r.Has("mask")) && r.Has("--now") && !r.Has("--user")
	for i := range r.Args {
		name := strings.TrimSuffix(strings.TrimSuffix(r.Args[i].Text, ".service"), ".socket")
		if i := strings.IndexByte(name, '@'); i > 0 {
			name = name[:i]
		}
		for _, v := range vitalServices {
			if name == v && (r.Place == shellparse.PlaceHere || r.Place == shellparse.PlaceRemote) {
				a.hit("service.stop-vital")
			}
		}
		if forGood && servers.Has(name) {
			a.hit("service.stop-vital")
		}
		if name == "*" || name == "--all" {
			a.hit("service.stop-vital")
		}
	}
}

// servers are services that others use.
var servers = wordset.Of(`nginx apache2 httpd haproxy varnish redis redis-server rabbitmq-server kafka elasticsearch opensearch memcached
	php-fpm gunicorn uwsgi tomcat caddy traefik envoy squid postfix dovecot exim4 named bind9 unbound dnsmasq slapd vault consul nomad
	prometheus grafana-server jenkins minio influxdb clickhouse-server cassandra couchdb neo4j keepalived pacemaker corosync openvpn
	wg-quick nfs-server smbd libvirtd mongodb zookeeper chrony chronyd`)

// fleets run a command on many machines.
var fleets = wordset.Of(`ansible salt pdsh pssh parallel-ssh clush dsh`)

// vitalProcesses end a session or the system when they end.
var vitalProcesses = wordset.Of(`systemd init sshd dbus-daemon Xorg gnome-shell plasmashell WindowServer loginwindow launchd
	lightdm gdm gdm3 sddm systemd-logind kubelet containerd dockerd postgres mysqld kwin_wayland NetworkManager
	explorer.exe lsass.exe svchost.exe rsyslogd auditd falcon-sensor`)

func killCommand(a *assessor, r *shellparse.Run) {
	switch r.Name {
	case "killall5":
		a.hit("process.kill-all")
		return
	case "kill":
		if r.Has("-l") || r.Has("-L") || r.Has("--list") || r.Has("-0") {
			return
		}
		for i, w := range r.Args {
			signal := i == 0 || r.Arg(i-1) == "-s" || r.Arg(i-1) == "-n"
			switch {
			case w.Text == "-1" && (!signal || len(r.Args) == 1 || r.Arg(i-1) == "--"):
				a.hit("process.kill-all")
			case (w.Text == "1" && !signal || w.Text == "1" && len(r.Args) == 1) && !gentle(r) || w.Text == "0" &&
				i > 0 && !signal:
				a.hit("process.kill-all")
			}
		}
	case "fuser":
		if !hasOption(r, []string{"-k", "--kill"}) {
			return
		}
	default:
		if r.Has("-l") || r.Has("--list") || r.Has("-V") || r.Has("-0") {
			return
		}
		for i, w := range r.Args {
			user := r.Has("-u") || r.Has("-U") || hasOption(r, []string{"--user", "--euid", "--uid"}) || option(r, 'u') &&
				!strings.HasPrefix(r.Arg(0), "-USR")
			switch {
			case vitalProcesses.Has(w.Text):
				a.hit("process.kill-all")
			case user && countOperands(r) <= 1 && (w.Text == "root" || w.Text == "$USER" || w.Text == "0" ||
				strings.HasPrefix(r.Arg(i-1), "-u") || strings.HasPrefix(r.Arg(i-1), "-U") || r.Arg(i-1) == "--user"),
				user && w.Text == "root":
				a.hit("process.kill-all")
			case (r.Name == "pkill") && (w.Text == "." || w.Text == ".*" || w.Text == ""):
				a.hit("process.kill-all")
			}
		}
	}
	if a.hits == 0 && r.Name == "kill" && a.allProcesses(r) {
		a.hit("process.kill-all")
	}
	if a.hits == 0 {
		a.hit("process.kill")
	}
}

// allProcesses reports whether what is killed is a list of all processes that nothing has narrowed down.
func (a *assessor) allProcesses(r *shellparse.Run) bool {
	var from []int
	for i := range r.Args {
		from = append(from, r.Args[i].From...)
	}
	lists := false
	for _, i := range a.cmd.Upstream(shellparse.Source{From: from}) {
		switch u := &a.cmd.Runs[i]; u.Name {
		case "ps":
			lists = !hasOption(u, []string{"-C", "--pid", "-p", "--ppid", "-u", "-U", "-t"})
		case "pgrep":
			if vitalProcesses.Has(lastOperand(u)) {
				return true
			}
			lists = len(u.Args) > 0 && (u.Arg(len(u.Args)-1) == "." || u.Arg(len(u.Args)-1) == ".*")
		case "ls":
			lists = u.Has("/proc")
		case "pidof":
			for k := range u.Args {
				if vitalProcesses.Has(u.Args[k].Text) {
					return true
				}
			}
			return false
		case "grep", "rg", "egrep", "head", "tail", "fzf", "lsof", "fuser", "jobs", "ag", "sort", "ss", "netstat":
			return false
		case "awk", "gawk", "mawk", "sed":
			if strings.ContainsAny(u.Code.Text+u.Arg(0), "/~=><") {
				return false
			}
		}
	}
	return lists
}

// gentle reports whether kill sends a signal that asks for a reload or a report and ends nothing.
func gentle(r *shellparse.Run) bool {
	s := strings.TrimPrefix(strings.TrimPrefix(r.Arg(0), "-"), "SIG")
	if s == "s" {
		s = strings.TrimPrefix(r.Arg(1), "SIG")
	}
	switch s {
	case "HUP", "1", "USR1", "USR2", "WINCH", "CONT", "10", "12", "28", "18", "RTMIN+1":
		return true
	}
	return false
}

func countOperands(r *shellparse.Run) int {
	n := 0
	for i := range r.Args {
		if !strings.HasPrefix(r.Args[i].Text, "-") {
			n++
		}
	}
	return n
}

func cronCommand(a *assessor, r *shellparse.Run) {
	if hasOption(r, []string{"-l", "-e", "-r", "-V"}) {
		return
	}
	ops := operandsOf(r, "-u")
	switch {
	case len(ops) > 0 && ops[0].Text == "/dev/null", len(ops) <= 1 && emptied(r):
		a.hit("service.cron-remove")
	case len(ops) > 0 || r.Stdin.Present():
		a.hit("service.cron")
	}
}

// removeJobs judges deletions of all jobs that at has queued.
func removeJobs(a *assessor, r *shellparse.Run) {
	if r.Name == "at" && !r.Has("-r") && !r.Has("-d") {
		return
	}
	for i := range r.Args {
		for _, f := range r.Args[i].From {
			if n := a.cmd.Runs[f].Name; n == "atq" || n == "cut" || n == "awk" {
				a.hit("service.cron-remove")
			}
		}
	}
}
