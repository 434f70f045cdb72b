package risk

import (
	"strings"

	"github.com/caro-mesh/caro-node/observer/shellparse"
)

var attackRules = []Rule{
	{
		ID: "network.flood", Level: high, attack: true,
		Reason:     "It floods or deceives other machines on the network.",
		Suggestion: "Only in a laboratory network of your own.",
		when: []string{
			"masscan|zmap ~0.0.0.0/0", "masscan|zmap ~--rate", "zmap -p",
			"arpspoof|ettercap|bettercap|responder|dnsspoof|dnschef ...",
			"macof|yersinia|dhcpstarv|thc-ssl-dos|slowhttptest|t50|mdk3|airbase-ng|wifite|reaver|bully|fluxion|mitm6 ...",
			"nmap =--script ~exploit|brute|dos",
			"nmap --script=*exploit*|--script=*brute*|--script=*dos*", "nping --flood|--rate",
			"hping3 --flood", "ping|ping6 =-f", "fping -f ~--loop", "Responder.py|responder.py ...", "scapy ~sendp",
			"tcpkill|tcpnice ...", "siege ~-c1000",
		},
	},
	{
		ID: "network.exploit", Level: high, attack: true,
		Reason:     "The request holds an attack on the server that it goes to.",
		Suggestion: "Only with the owner's written permission.",
	},
	{
		ID: "network.intrude", Level: high, attack: true,
		Reason:     "It breaks into other machines or takes their accounts.",
		Suggestion: "Only with written permission.",
		when: []string{
			"psexec.py|smbexec.py|wmiexec.py|atexec.py|dcomexec.py|ntlmrelayx.py|GetUserSPNs.py|GetNPUsers.py|secretsdump.py ...",
			"impacket-psexec|impacket-wmiexec|impacket-smbexec|impacket-secretsdump|impacket-ntlmrelayx|impacket-GetUserSPNs ...",
			"ticketer.py|getTGT.py|mssqlclient.py|kerbrute|netexec|nxc|cme|rubeus|Rubeus|certipy|certipy-ad|bloodhound-python ...",
			"bloodhound|SharpHound|sharphound|patator|crowbar|commix|xsser|weevely|dnscat2|sliver|sliver-server|empire|havoc ...",
			"msfdb|msfd|msfrpcd|armitage|meterpreter|chisel-server|linpeas.sh|linpeas|pspy|pspy64|les.sh|traitor ...",
			"linux-exploit-suggester.sh|pwnkit|dirtycow|dirtypipe|PrintSpoofer|JuicyPotato|winPEAS|winpeas.exe ...",
			"hydra|medusa|ncrack|sqlmap|msfconsole|msfvenom|searchsploit-run ...", "trufflehog ~--org=",
			"evilginx|evilginx2|gophish ...", "xfreerdp ~/pth:", "pth-winexe|pth-smbclient ...",
			"smbclient ~--pw-nt-hash", "sshuttle ~0/0", "cupp|crunch ...",
		},
	},
	{
		ID: "code.miner", Level: critical, attack: true,
		Reason:     "It uses the machine to mine coins for somebody.",
		Suggestion: "Look who started it, and remove it.",
		when: []string{
			"xmrig|minerd|cpuminer|cpuminer-multi|ethminer|nbminer|lolMiner|t-rex|phoenixminer|PhoenixMiner|gminer|teamredminer ...",
			"xmr-stak|xmr-stak-rx|cgminer|bfgminer|ccminer|srbminer|SRBMiner-MULTI|kinsing|kdevtmpfsi|cryptonight|nanominer|wildrig ...",
			"claymore|ewbf|bzminer|rigel|xmrig-proxy|p2pool|cpuminer-opt|minergate|minergate-cli ...",
		},
	},
	{
		ID: "network.web-shell", Level: critical, attack: true,
		Reason:     "It puts a page on a web server through which everybody can run commands.",
		Suggestion: "Do not run it.",
	},
	{
		ID: "network.poison", Level: high, attack: true,
		Reason:     "It makes this machine take another address for a well-known server.",
		Suggestion: "Ask the name service, or use a name of your own.",
	},
}

// attacks judges requests and programs that attack, by what their words hold.
func (a *assessor) attacks() {
	r := a.at
	switch r.Name {
	case "curl", "wget", "http", "https", "xh", "httpie", "ab", "siege", "nc", "ncat", "printf", "echo":
		if r.Name != "echo" && r.Name != "printf" && !local(r) && exploits(r) {
			a.hit("network.exploit")
		}
	}
	for i := range r.Args {
		t := r.Args[i].Text
		if strings.Contains(t, "stratum+") || t == "--donate-level" || strings.HasPrefix(t, "--donate-level=") ||
			strings.HasPrefix(t, "--coin=") && r.Has("-o") {
			if !printers.Has(r.Name) && r.Name != "echo" && !seeks(r.Name) {
				a.hit("code.miner")
			}
		}
	}
}

func seeks(name string) bool {
	return name == "pgrep" || name == "pkill" || name == "ag" || name == "rg" || name == "ack" || name == "git" ||
		name == "ps" ||
		name == "find" || name == "man" || name == "docker" || name == "journalctl"
}

// exploitMarks are parts of requests that no client sends that means well.
var exploitMarks = []string{"${jndi:", "() { :", "<?php", "union select", "union+select", "union%20select",
	"' or 1=1", "' or '1'='1",
	"%27%20or%20", "/etc/passwd", "%2fetc%2fpasswd", "cmd.exe", "/bin/sh", "/bin/bash", "ognlutil",
	"class.module.classloader",
	";wget", ";curl", "%3bwget", "%3bcurl", "|sh", "%7csh", "xp_cmdshell", "eval-stdin.php", "autodiscover.json?@",
	"..%2f..%2f", "%2e%2e/%2e%2e", "../../../", "cgi-bin/.%2e", "php://input", "php://filter", "expect://", "<script>alert",
	"runtime.getruntime", "getruntime().exec", "system($_", "base64_decode($_", "!!javax.script", "%{(#",
	"__import__('os')",
	"shell.php?", "cmd.php?", "c99.php", "r57.php", "wso.php", "cmd=whoami", "cmd=id", "exec=id", "?c=id"}

// exploits reports whether a request holds an attack.
func exploits(r *shellparse.Run) bool {
	if r.Name == "nc" || r.Name == "ncat" {
		return false
	}
	for i := range r.Args {
		t := r.Args[i].Text
		if len(t) < 4 || len(t) > 8<<10 || t[0] == '-' && !strings.Contains(t, "=") {
			continue
		}
		low := strings.ToLower(t)
		prev := r.Arg(i - 1)
		if prev == "-o" || prev == "-O" || prev == "--output" || prev == "-w" || prev == "--cacert" || prev == "--key" ||
			strings.HasPrefix(t, "@") || prev == "-T" || prev == "-P" {
			continue
		}
		url := strings.Contains(low, "://") || strings.Contains(low, "?")
		for _, m := range exploitMarks {
			if strings.Contains(low, m) && (url || m[0] == '$' || m[0] == '(' || prev == "-d" || prev == "--data" ||
				prev == "-H" ||
				prev == "--data-raw" || prev == "-A" || prev == "--data-binary" || prev == "--data-urlencode" ||
				prev == "-F" ||
				prev == "-b") {
				return true
			}
		}
	}
	return false
}

// webShell reports whether a page runs what its visitor sends.
func webShell(text string) bool {
	low := strings.ToLower(strings.ReplaceAll(text, " ", ""))
	if strings.Contains(low, "<?php") || strings.Contains(low, "<?=") || strings.Contains(low, "<?@") {
		return anyIn(low, []string{"system($_", "exec($_", "passthru($_", "eval($_", "`$_", "assert($_", "shell_exec($_", "popen($_",
			"eval(base64_decode(", "proc_open($_", "@$_", "call_user_func($_", "file_get_contents($_"})
	}
	return strings.Contains(low, "getruntime().exec(request.getparameter") || strings.Contains(low, "eval(request") ||
		strings.Contains(low, "eval(request.item") || strings.Contains(low, "wscript.shell") && strings.Contains(low, "request") ||
		strings.Contains(low, "os.popen(request.args") || strings.Contains(low, "os.system(request.args")
}

// together judges what only several commands of the line mean together.
func (a *assessor) together() {
	commits, pushes, last := false, false, -1
	for i := range a.cmd.Runs {
		if r := &a.cmd.Runs[i]; (r.Name == "git" || r.Name == "g") && r.Has("push") {
			last = i
		}
	}
	for i := 0; i <= last; i++ {
		r := &a.cmd.Runs[i]
		if r.Name != "git" && r.Name != "g" {
			continue
		}
		pushes = pushes || commits && r.Has("push")
		if r.Has("add") || r.Has("commit") {
			for j := range r.Args {
				commits = commits || secrecy(r.Args[j].Text, r.Dir) >= secret
			}
		}
	}
	if pushes {
		a.hit("network.exfiltrate")
	}
	a.cloned()
	a.encrypted()
}

// cloned finds scripts that are run from a repository which the line fetches, and programs that are freed from the mark of
// where they came from and then started.
func (a *assessor) cloned() {
	folder, freed := "", ""
	for i := range a.cmd.Runs {
		r := &a.cmd.Runs[i]
		switch {
		case r.Name == "git" && r.Arg(0) == "clone":
			ops := operandsOf(r, "-b --branch --depth -o -c -j")
			if len(ops) == 2 && strings.Contains(ops[1].Text, "://") {
				url := strings.TrimSuffix(strings.TrimSuffix(ops[1].Text, "/"), ".git")
				folder = url[strings.LastIndexByte(url, '/')+1:]
			} else if len(ops) == 3 {
				folder = strings.TrimSuffix(ops[2].Text, "/")
			}
		case r.Name == "xattr" && containsText(r, []string{"com.apple.quarantine", "-c"}):
			freed = lastOperand(r)
		case folder != "" && shells.Has(r.Name) && len(r.Args) > 0 && strings.HasPrefix(firstOperand(r), folder+"/"),
			folder != "" && strings.HasPrefix(r.Path, folder+"/"):
			a.hit("code.remote")
		case freed != "" && (r.Name == "open" && r.Has(freed) || strings.HasPrefix(r.Path, freed)):
			a.hit("code.remote")
		}
	}
}

// encrypted finds lines that encrypt files one after the other and delete the originals.
func (a *assessor) encrypted() {
	encrypts, deletes, parent := false, false, -1
	for i := range a.cmd.Runs {
		r := &a.cmd.Runs[i]
		switch r.Name {
		case "openssl":
			encrypts = encrypts || r.Has("enc") && !r.Has("-d")
		case "gpg", "gpg2", "age", "ccrypt", "ccencrypt", "7z", "7za", "mcrypt", "bcrypt", "rage":
			if !hasOption(r, []string{"-d", "--decrypt"}) && (r.Parent >= 0 || len(r.Via) > 0 || looped(r)) {
				encrypts = true
			}
			deletes = deletes || r.Has("-sdel")
		case "rm", "shred", "srm":
			deletes = deletes || encrypts
		case "find", "fd":
			parent = i
		}
	}
	if encrypts && deletes && (parent >= 0 || a.loops()) {
		a.hit("file.encrypt")
	}
}

func looped(r *shellparse.Run) bool {
	for i := range r.Args {
		if r.Args[i].Glob || r.Args[i].Open {
			return true
		}
	}
	return false
}

// loops reports whether the line deletes what a pattern or a search finds.
func (a *assessor) loops() bool {
	for i := range a.cmd.Runs {
		if r := &a.cmd.Runs[i]; destroyers.Has(r.Name) && looped(r) {
			return true
		}
	}
	return false
}
