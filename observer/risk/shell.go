package risk

import "github.com/caro-mesh/caro-node/observer/wordset"

var shellRules = []Rule{
	{
		ID: "shell.fork-bomb", Level: critical,
		Reason:     "It starts copies of itself without end until the machine stands still.",
		Suggestion: "Do not run it; ulimit -u limits the number of processes.",
	},
	{
		ID: "shell.too-large", Level: high,
		Reason:     "It is too large or too deeply nested to be judged as a whole.",
		Suggestion: "Put it into a file and read it before running it.",
	},
	{
		ID: "shell.unparsed", Level: moderate,
		Reason:     "A command that can destroy things stands in a line that could not be read with certainty.",
		Suggestion: "Write the line in a simpler way.",
	},
	{
		ID: "code.remote", Level: high, attack: true,
		Reason:     "It runs a program from the network that nobody has looked at.",
		Suggestion: "Download it to a file, read it, and run it then.",
		when: []string{
			"deno run|install https:*|http:*", "npx|bunx|pnpx github:*|git+https:*|git+ssh:*|gist:*|https:*|http:*",
			"pnpm|yarn|npm dlx|exec|x github:*|git+https:*|git+ssh:*|gist:*|https:*|http:*", "bun x|run github:*|https:*|http:*",
			"pipx|uvx run git+https:*|git+ssh:*|https:*|http:*", "uvx git+https:*|https:*|http:*", "uvx --from ~git+|://", "pipx run --spec ~git+|://",
			"uv run https:*|http:*", "nix|nix-shell run|shell|develop|-p http:*", "jbang|groovy|bb|scala-cli|kotlin|lua|amm https:*|http:*",
			"java|javaws ~http:// -jar|-cp", "javaws http:*|https:*", "rundll32 ~http",
		},
	},
	{
		ID: "code.remote-root", Level: critical, attack: true,
		Reason:     "It runs a program from the network with root's rights.",
		Suggestion: "Download it to a file, check its signature or read it, and run it then.",
	},
	{
		ID: "code.remote-plain", Level: critical, attack: true,
		Reason:     "It runs a program that arrives without protection, so that anybody on the way can replace it.",
		Suggestion: "Use https with certificate checks, and read the program before running it.",
	},
	{
		ID: "code.decoded", Level: high, attack: true,
		Reason:     "It runs text that was encoded, so that nobody can see what it does.",
		Suggestion: "Decode it to the screen first.",
	},
	{
		ID: "code.decoded-root", Level: critical, attack: true,
		Reason:     "It runs encoded text with root's rights.",
		Suggestion: "Decode it to the screen first.",
	},
	{
		ID: "code.piped", Level: moderate,
		Reason:     "It runs the output of another command as a program.",
		Suggestion: "Look at the output first.",
	},
	{
		ID: "code.piped-root", Level: high,
		Reason:     "It runs the output of another command as a program with root's rights.",
		Suggestion: "Look at the output first.",
	},
	{
		ID: "code.foreign-remove", Level: high,
		Reason:     "The program text deletes a folder with everything in it.",
		Suggestion: "Print the path first.",
	},
	{
		ID: "code.foreign-destroy", Level: critical,
		Reason:     "The program text destroys system folders, a home folder or a disk.",
		Suggestion: "Do not run it.",
	},
	{
		ID: "log.history-wipe", Level: high,
		Reason:     "It deletes the record of what was typed.",
		Suggestion: "Delete the one entry that is wrong with history -d.",
	},
	{
		ID: "log.history-off", Level: high,
		Reason:     "It stops the recording of what is typed.",
		Suggestion: "Begin the one command with a blank instead.",
	},
	{
		ID: "log.history-entry", Level: moderate,
		Reason:     "It deletes an entry of the history.",
		Suggestion: "None is needed if the entry holds a secret.",
	},
	{
		ID: "log.wipe", Level: high,
		Reason:     "It deletes system logs, and with them the record of what happened.",
		Suggestion: "Let logrotate or journalctl --vacuum-time remove old entries.",
		when: []string{
			"journalctl --vacuum-time=1s|--vacuum-time=1|--vacuum-time=0*|--vacuum-size=1*K|--vacuum-size=1",
			"journalctl --vacuum-size=0*|--vacuum-files=0", "wevtutil cl|clear-log", "Clear-EventLog", "auditctl -D",
			"auditctl -e 0", "utmpdump|wtmpclean ...", "Clear-History", "log erase",
		},
	},
	{
		ID: "log.edit", Level: high,
		Reason:     "It removes entries from a log or a history.",
		Suggestion: "Leave logs as they are.",
	},
	{
		ID: "log.timestamp", Level: high,
		Reason:     "It sets a file's time back, which hides that it was changed.",
		Suggestion: "Leave times as they are; rsync -t and cp -p keep them where they must be kept.",
	},
	{
		ID: "log.rotate", Level: moderate,
		Reason:     "It removes old log entries.",
		Suggestion: "Keep as long as your rules ask.",
		when: []string{
			"journalctl --vacuum-time=*|--vacuum-size=*|--vacuum-files=*|--vacuum-time|--vacuum-size|--rotate",
			"journalctl --flush", "logrotate -f|--force", "dmesg -C|-c|--clear",
		},
	},
}

func init() {
	register(historyCommand, "history", "fc")
	register(echoCommand, "echo", "printf")
	register(setCommand, "set", "shopt", "unset", "export", "declare", "typeset", "setopt", "unsetopt")
}

var shells = wordset.Of(`sh bash zsh dash ksh mksh ash rbash fish csh tcsh ksh93 yash busybox pwsh powershell`)

// dangerous are programs whose mere presence in a line that could not be read is worth a warning.
var dangerous = wordset.Of(`rm dd mkfs mke2fs shred wipefs fdisk parted sgdisk chmod chown mv find kill killall pkill shutdown
	reboot halt poweroff init telinit
	iptables nft ufw crontab userdel usermod passwd nc ncat socat eval truncate format del rd diskutil blkdiscard sfdisk
	cryptsetup`)
