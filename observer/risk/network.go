package risk

var networkRules = []Rule{
	{
		ID: "network.reverse-shell", Level: critical, attack: true,
		Reason:     "It gives somebody on the network a shell on this machine.",
		Suggestion: "Use ssh for remote work.",
	},
	{
		ID: "network.listener", Level: moderate,
		Reason:     "It opens a port or a tunnel into this machine.",
		Suggestion: "Bind to 127.0.0.1, and close it when done.",
		when: []string{
			"nc -l|-lp|-lvnp|--listen", "ssh|autossh -R",
			"ngrok|localtunnel|lt|bore|chisel|frpc|frps|cloudflared|pagekite|localxpose ...",
			"python|python3 -m ~http.server|SimpleHTTPServer", "php -S", "socat ~LISTEN", "tailscale funnel|serve",
			"telnetd|dropbear|vncserver|x11vnc ...", "gost ...",
			"kubectl port-forward ~0.0.0.0",
		},
	},
	{
		ID: "network.serve-home", Level: high,
		Reason:     "It offers a home folder, the root folder or keys to everybody who can reach the machine.",
		Suggestion: "Serve the one folder that is meant, and bind to 127.0.0.1.",
	},
	{
		ID: "secret.sniff", Level: high,
		Reason:     "It listens on the network for names and passwords of others.",
		Suggestion: "Capture headers only, and only with the owners' consent.",
		when: []string{"dsniff|urlsnarf|mailsnarf|filesnarf|net-creds|PCredz|sslstrip|sslsplit ...",
			"bettercap|mitmproxy ~arp.spoof|net.sniff"},
	},
	{
		ID: "network.exfiltrate", Level: critical, attack: true,
		Reason:     "It sends keys, passwords or other secrets to another machine.",
		Suggestion: "Keep secrets where they are; make a new key for the other machine.",
	},
	{
		ID: "network.send-secrets", Level: high, attack: true,
		Reason:     "It copies keys or settings with secrets to another machine.",
		Suggestion: "Use a secret store, or make a new key there.",
	},
	{
		ID: "network.send-bulk", Level: high, attack: true,
		Reason:     "It sends a whole home or system folder over an open connection.",
		Suggestion: "Use an encrypted backup tool.",
	},
	{
		ID: "secret.stage", Level: high, attack: true,
		Reason:     "It puts keys or passwords into a folder where everybody on the machine can read them.",
		Suggestion: "Keep them in the home folder, or encrypt them first.",
	},
	{
		ID: "secret.read", Level: moderate,
		Reason:     "It shows secrets on the screen.",
		Suggestion: "Use a password manager, and show only what is needed.",
	},
	{
		ID: "secret.commit", Level: moderate,
		Reason:     "It puts a file with secrets into the history of the repository, which keeps it for good.",
		Suggestion: "Add the file to .gitignore, and commit a template.",
	},
	{
		ID: "secret.read-system", Level: high,
		Reason:     "It reads the password hashes or secrets of the system.",
		Suggestion: "Use getent passwd for names; hashes are nobody's business.",
	},
	{
		ID: "secret.dump", Level: high,
		Reason:     "It exports private keys or all stored passwords.",
		Suggestion: "Export the one public key that is needed.",
		when: []string{
			"gpg --export-secret-keys|--export-secret-key|--export-secret-subkeys|--delete-secret-keys",
			"gpg --delete-secret-key|--delete-secret-and-public-key", "security dump-keychain|delete-keychain|export",
			"secretsdump.py|mimikatz|lazagne|hashdump|pypykatz ...", "unshadow ...",
			"john|hashcat * !--list|--list=*|--help|-I|--version|-b", "keyctl purge|clear", "lsadump ...", "reg save",
			"procdump|gcore ~lsass",
		},
	},
	{
		ID: "network.scan", Level: moderate,
		Reason:     "It scans or listens to other machines on the network.",
		Suggestion: "Ask the owner of the network first.",
		when: []string{
			"nmap|masscan|zmap|rustscan|nikto|arp-scan|netdiscover|wpscan|dirb|gobuster|ffuf ... ^localhost|127.0.0.1|::1",
		},
	},
	{
		ID: "network.attack", Level: high,
		Reason:     "It attacks other machines or services.",
		Suggestion: "Only with written permission.",
		when: []string{
			"hydra|medusa|ncrack|sqlmap|msfconsole|msfvenom|slowloris|aircrack-ng|aireplay-ng|crackmapexec ...",
			"evil-winrm|beef-xss|setoolkit|hping3|goldeneye|hulk|mdk4 ...",
		},
	},
	{
		ID: "network.no-tls-check", Level: moderate,
		Reason:     "It turns the check of certificates off.",
		Suggestion: "Install the right certificate.",
	},
	{
		ID: "network.firewall-off", Level: high,
		Reason:     "It turns the firewall off or removes all its rules.",
		Suggestion: "Save the rules first (iptables-save), and change one of them.",
		when: []string{
			"iptables -F|-X|--flush|--delete-chain", "iptables-legacy|iptables-nft|ebtables|arptables -F|-X",
			"nft flush|delete", "ufw disable|reset", "firewall-cmd --panic-on|--complete-reload", "pfctl -d|-F",
			"ipfw flush|disable", "ipfw -f flush", "ipset destroy|flush", "netsh advfirewall|firewall ~off|reset",
			"iptables-restore|ip6tables-restore|nft -f", "ipvsadm -C", "csf -x|-f", "shorewall clear|stop",
			"fail2ban-client stop|unban", "Set-NetFirewallProfile ~False",
		},
	},
	{
		ID: "network.firewall-lockout", Level: high,
		Reason:     "It can shut out everybody, including you.",
		Suggestion: "Allow your own connection first, and schedule a rollback with at.",
		when: []string{
			"iptables -P|--policy INPUT|FORWARD|OUTPUT DROP|REJECT", "ufw default deny|reject outgoing",
			"ufw deny|reject 22|22/tcp|ssh|OpenSSH",
			"iptables -A|-I ~DROP|REJECT !--dport|-s|--source|-i|-m|--in-interface", "iptables =--dport =22 =DROP",
			"firewall-cmd ~--remove-service=ssh|--remove-port=22/|--remove-interface", "firewall-cmd --zone=drop|--set-default-zone=drop|--set-default-zone=block",
			"ufw delete allow ssh|22|22/tcp|OpenSSH",
		},
	},
	{
		ID: "network.firewall-open", Level: high,
		Reason:     "It lets everything in.",
		Suggestion: "Open the one port that is needed.",
		when: []string{
			"iptables -P|--policy INPUT|FORWARD ACCEPT", "ufw default allow", "ufw allow from any|0.0.0.0/0",
			"firewall-cmd ~--zone=trusted|--set-default-zone=trusted",
			"firewall-cmd ~0.0.0.0/0 ~accept",
		},
	},
	{
		ID: "network.firewall", Level: moderate,
		Reason:     "It changes the firewall.",
		Suggestion: "Save the rules first.",
		when: []string{
			"iptables -A|-I|-D|-R|-N|-t !-F|-X|-L|-S|-n", "ufw allow|deny|delete|enable|limit|reject|insert|route",
			"firewall-cmd --add-port*|--add-service*|--remove-port*|--remove-service*|--reload|--add-rich-rule*",
			"firewall-cmd --permanent|--zone*", "nft add|insert|replace|create", "pfctl -f|-e",
			"ipset add|del|create", "fail2ban-client set|reload", "semanage port|fcontext|boolean|permissive",
		},
	},
	{
		ID: "network.down", Level: high,
		Reason:     "It cuts this machine off the network.",
		Suggestion: "Work from the console, or schedule a rollback.",
		when: []string{
			"ip link|l set ... down", "ip link|l delete|del", "ip addr|address|a flush",
			"ip addr|address|a del|delete", "ip route|r flush", "ip route|r del|delete default", "ifconfig * down",
			"ifdown ...", "nmcli networking|radio off", "nmcli n|r off",
			"nmcli con|connection|c|device|dev|d down|disconnect|delete|del", "route del|delete|flush default",
			"route delete default", "route flush", "route add ... reject|blackhole !-host",
			"ip route|r add blackhole|unreachable|prohibit default|0.0.0.0/0", "networksetup ~off", "rfkill block",
			"wg-quick down", "netplan apply", "dhclient -r", "brctl delbr|delif", "ovs-vsctl del-br|emer-reset",
			"tc qdisc add ... ~loss",
		},
	},
	{
		ID: "network.config", Level: moderate,
		Reason:     "It changes the network settings.",
		Suggestion: "Note the old settings first.",
		when: []string{
			"ip link set|add", "ip addr|address|a add|replace", "ip route|r add|replace|change|del|delete",
			"ifconfig * up|netmask|mtu", "ifconfig * *.*.*.*", "ifup|dhclient ...",
			"nmcli con|connection|c|device|dev|d up|add|modify|connect|reload", "route add",
			"hostnamectl set-hostname|hostname", "resolvectl dns|flush-caches", "netplan try|generate",
			"wg|wg-quick set|up", "tc qdisc|filter|class add|del|replace", "iwconfig * *",
			"iw ... set|connect|disconnect|del|add", "ethtool -s|-K|-G", "brctl addbr|addif",
			"networksetup ... !-list*|-get*|-showpppoestatus|-printcommands", "tailscale up|down|logout",
		},
	},
}

func init() {
	register(netcat, "nc", "socat", "telnet", "openssl")
	register(showFile, "cat", "less", "more", "head", "tail", "bat", "strings", "xxd", "base64", "nl", "tac", "od",
		"hexdump", "grep", "cut", "awk", "getent")
	register(serveFiles, "python", "python3", "php", "ruby", "npx", "busybox", "httpd", "darkhttpd", "http-server",
		"caddy", "twistd",
		"miniserve", "webfsd", "simple-http-server", "updog", "uploadserver", "droopy")
	register(listenTo, "tcpdump", "tshark", "ngrep", "ettercap", "snoop")
	register(filterRule, "nft")
	register(curlCommand, "curl", "wget", "http", "xh")
}
