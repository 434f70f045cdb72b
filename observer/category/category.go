package category

import (
	"strings"
	"sync"

	"github.com/caro-mesh/caro-node/observer/shellparse"
	"github.com/caro-mesh/caro-node/observer/wordset"
	"github.com/caro-mesh/caro-node/protocol"
)

// Of returns the category of a command line. It is always one that [protocol.CommandCategory.Validate] accepts, and
// holds no name that is not public.
func Of(c *shellparse.Command) protocol.CommandCategory {
	i := Main(c)
	if i < 0 {
		return protocol.CategoryOther
	}
	return ofProgram(c.Runs[i].Name)
}

// Main returns the index of the run that does the work of a command line, -1 where nothing runs.
func Main(c *shellparse.Command) int {
	best := mainOf(c, -1, -1)
	for range maxDescent {
		if best < 0 || !hands.Has(c.Runs[best].Name) {
			break
		}
		// sh -c, eval, watch: what they run does the work.
		inner := mainOf(c, best, -1)
		if inner < 0 {
			break
		}
		best = inner
	}
	return best
}

const maxDescent = 8

// mainOf chooses among the runs that the given one started; -1 stands for the typed line.
func mainOf(c *shellparse.Command, parent, best int) int {
	tier, depth := worthless+1, 0
	for i := range c.Runs {
		r := &c.Runs[i]
		if r.Parent != parent || r.Name == "" || parent < 0 && inSubstitution(c, i) {
			continue
		}
		t := tierOf(r.Name)
		if best < 0 || t < tier || t == tier && r.Depth < depth {
			best, tier, depth = i, t, r.Depth
		}
	}
	return best
}

// inSubstitution reports whether the output of run i is an argument of another one.
func inSubstitution(c *shellparse.Command, i int) bool {
	if c.Runs[i].Depth == 0 {
		return false
	}
	for j := i + 1; j < len(c.Runs) && j <= i+maxLook; j++ {
		r := &c.Runs[j]
		if r.Depth >= c.Runs[i].Depth {
			continue
		}
		for k := range r.Args {
			for _, from := range r.Args[k].From {
				if from == i {
					return true
				}
			}
		}
	}
	return false
}

const maxLook = 16

// Tiers: what prepares or filters does the work only if there is nothing better.
const (
	works = iota
	moves
	filters
	worthless
)

func tierOf(name string) int {
	if t, ok := tiers()[name]; ok {
		return t
	}
	return works
}

var tiers = sync.OnceValue(func() map[string]int {
	m := map[string]int{}
	for tier, list := range map[int]string{
		moves: `mkdir touch cp mv rm rmdir ln chmod ls cat install`,
		filters: `grep egrep fgrep rg head tail sort uniq wc cut tr tee less more column sed awk gawk jq yq xargs
			paste nl tac rev fold fmt bat seq yes`,
		worthless: `cd echo printf true false : [ [[ test sleep export set unset source . read pushd popd exit return
			clear wait local declare typeset readonly alias shift trap umask shopt date pwd`,
	} {
		for _, n := range strings.Fields(list) {
			m[n] = tier
		}
	}
	return m
})

// hands are programs that only hand a command line on.
var hands = wordset.Of(`sh bash zsh dash ksh mksh ash fish eval su runuser watch script flock trap
		hyperfine concurrently nix-shell sg`)

func ofProgram(name string) protocol.CommandCategory {
	if c, ok := byName()[name]; ok {
		return c
	}
	switch canonical := shellparse.Canonical(name); {
	case canonical != name && !protocol.IsPublicTool(name):
		return ofProgram(canonical)
	case strings.HasPrefix(name, "git-"):
		return protocol.CategoryGit
	case strings.HasPrefix(name, "docker-"):
		return protocol.CategoryDocker
	case strings.HasPrefix(name, "kubectl-"):
		return protocol.CategoryKubernetes
	case strings.HasPrefix(name, "cargo-"):
		return protocol.CategoryCargo
	case strings.HasPrefix(name, "mkfs"):
		return protocol.CategorySystem
	}
	if versioned := strings.TrimRight(name, "0123456789.-"); versioned != name && !protocol.IsPublicTool(name) &&
		versioned != "" {
		return protocol.OtherCategory(versioned) // python3.12, gcc-13
	}
	return protocol.OtherCategory(name)
}

var byName = sync.OnceValue(func() map[string]protocol.CommandCategory {
	m := map[string]protocol.CommandCategory{}
	for c, list := range map[protocol.CommandCategory]string{
		protocol.CategoryGit:    `git g gitk lazygit hub gitui git-cliff`,
		protocol.CategoryDocker: `docker docker-compose podman podman-compose nerdctl dive ctop lazydocker colima`,
		protocol.CategoryKubernetes: `kubectl k helm k9s kustomize minikube kind k3d k3s kubeadm kubectx kubens stern
			eksctl istioctl flux helmfile velero kops kubeseal microk8s linkerd cilium`,
		protocol.CategoryNPM:   `npm npx`,
		protocol.CategoryCargo: `cargo cross`,
		protocol.CategoryFileOps: `ls cd cp mv rm mkdir rmdir touch cat find chmod chown chgrp ln tar zip unzip gzip
			gunzip bzip2 xz zstd 7z unxz zcat less more head tail
			grep egrep fgrep sort uniq wc cut paste tee du df stat file tree diff cmp patch split truncate shred
			readlink realpath basename dirname pwd pushd popd rename
			dd install md5sum tac nl rev column tr xargs eza exa lsd bat zgrep ack ag locate updatedb rsnapshot cpio ar
			ranger nnn mc yazi trash trash-put rmdir unlink lsattr chattr getfacl setfacl ncdu dust comm join fold fmt
			unrar sponge`,
		protocol.CategoryNetwork: `curl wget ssh scp sftp rsync ping ping6 dig nslookup host nc ncat netcat socat telnet
			ftp nmap ip ifconfig netstat ss route arp traceroute tracepath mtr whois tcpdump tshark
			iptables ip6tables nft ufw firewall-cmd nmcli iw iwconfig ethtool wg wg-quick openvpn tailscale ngrok aria2c
			ssh-keygen ssh-copy-id ssh-add ssh-agent mosh resolvectl dhclient iperf iperf3 lynx w3m rclone cloudflared
			lsof-net xh websocat grpcurl arping bridge tc ab wrk hey k6`,
		protocol.CategorySystem: `ps top htop btop kill killall pkill pgrep systemctl service journalctl dmesg uname
			uptime free vmstat iostat mount umount lsblk blkid fdisk parted mkfs fsck apt apt-get aptitude apt-cache
			dpkg yum rpm pacman yay zypper apk brew
			snap flatpak sudo su doas useradd usermod userdel groupadd groupdel passwd who w whoami id last crontab at
			shutdown reboot poweroff halt init sysctl modprobe lsmod insmod rmmod lsof env export unset set source .
			alias unalias history clear exit logout
			which whereis type command man help date cal hostname hostnamectl timedatectl localectl loginctl lscpu lspci
			lsusb lshw dmidecode nproc ulimit jobs fg bg disown wait trap eval exec nohup nice renice watch swapon
			swapoff chroot
			launchctl defaults diskutil pmset softwareupdate sw_vers mdadm lvs vgs pvs lvcreate lvremove wipefs smartctl
			zpool zfs btrfs printenv stty reset tput locale read local declare typeset readonly umask test [ [[ true
			false : sleep dnf nix-env fuser pstree pidof chsh getent groups update-grub grub-install update-alternatives
			visudo logrotate auditctl ausearch virsh vmstat sar cryptsetup losetup sync hash shopt setopt bind fc
			xdg-open open pbcopy pbpaste`,
		protocol.CategoryEditor: `vim vi nvim nano emacs emacsclient code codium subl hx helix micro ed ex kak kate
			gedit idea pycharm webstorm goland clion rubymine phpstorm atom zed cursor joe pico mcedit view sudoedit
			vimdiff mate notepad xed pluma windsurf`,
	} {
		for _, n := range strings.Fields(list) {
			if other, twice := m[n]; twice && other != c {
				panic("two categories for " + n)
			}
			m[n] = c
		}
	}
	return m
})
