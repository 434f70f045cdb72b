package risk

var desktopRules = []Rule{
	{
		ID: "macos.destroy", Level: critical,
		Reason:     "It erases a disk, its snapshots, or the settings with which a Mac starts.",
		Suggestion: "Make a backup with Time Machine, and check the disk with diskutil list.",
		when: []string{
			"asr restore|erase --erase", "asr erase", "diskutil apfs deleteContainer|deleteVolume|eraseVolume|deleteVolumeGroup",
			"diskutil cs|coreStorage delete|deleteVolume", "diskutil appleRAID|ar delete", "tmutil deletelocalsnapshots /",
			"tmutil delete -p|-d", "startosinstall --eraseinstall", "hdiutil create -ov ~/dev/", "newfs_apfs|newfs_hfs|newfs_msdos ...",
			"gpt destroy|remove|create", "firmwarepasswd -setpasswd|-delete", "nvram -c", "diskutil resetUserPermissions /",
			"systemextensionsctl reset", "bputil -n|-k|-s|-a", "resetpassword ...",
		},
	},
	{
		ID: "macos.settings", Level: high,
		Reason:     "It deletes or resets settings of the whole system or of all programs, or turns a protection off.",
		Suggestion: "Export them first with defaults export, and change the one key that is meant.",
		when: []string{
			"defaults delete NSGlobalDomain", "defaults delete -g|-globalDomain",
			"defaults delete-all ...", "tccutil reset All|all", "dscl ... =-delete|delete", "dscl ... =-passwd|passwd ~/Users/",
			"csrutil disable|clear|authenticated-root", "spctl --master-disable|--global-disable|--add|--disable", "spctl kext-consent disable",
			"tmutil disable|delete|deletelocalsnapshots|thinlocalsnapshots|removedestination", "fdesetup disable|removerecovery|remove",
			"sysadminctl ~-deleteUser|-resetPasswordFor|-secureTokenOff|-guestAccount", "profiles remove|-R|-D", "security delete-keychain|delete-certificate",
			"security authorizationdb write|remove", "security add-trusted-cert ~trustRoot|trustAsRoot", "kextunload|kmutil unload ...", "kmutil ... ~disable",
			"mdutil -E|-X", "mdutil ~-aE", "softwareupdate --ignore|--clear-catalog|--reset-ignored", "pwpolicy ~-clearaccountpolicies|-disableuser",
			"systemsetup ~-setremotelogin ~-f", "launchctl bootout|unload|disable|remove ~com.apple.", "launchctl bootout system|gui/501|system/*",
			"networksetup -setwebproxy|-setsecurewebproxy|-setautoproxyurl ...", "networksetup -setdnsservers ...",
			"/System/Library/CoreServices/RemoteManagement/ARDAgent.app/Contents/Resources/kickstart ~-activate", "kickstart ~-activate",
			"defaults write ~LSQuarantine ~false|NO", "defaults write ~com.apple.loginwindow ~LoginHook", "defaults write ~com.apple.alf ~globalstate",
			"socketfilterfw --setglobalstate|--setblockall|--add off", "socketfilterfw ~--setglobalstate ~off", "scutil --dns ~--set",
			"chflags -R ~noschg|nouchg /|/System|/usr", "osascript ~keystroke ~password", "osascript ~hidden~answer", "periodic ~--delete",
			"lsregister -kill", "mount -uw /", "mount -o nobrowse|rw,suid /",
		},
	},
	{
		ID: "macos.change", Level: moderate,
		Reason:     "It changes a setting of the desktop, or ends one of its programs.",
		Suggestion: "Note the old value with defaults read.",
		when: []string{
			"defaults write|delete|import|rename ...", "tccutil reset", "mdutil -i|-E", "launchctl enable|load|bootstrap ...", "caffeinate -u",
			"hdiutil attach|detach|create|convert|resize|eject", "pmset ... !-g", "dscacheutil -flushcache", "lpadmin|cupsctl|cancel ...",
			"gsettings set|reset|reset-recursively", "dconf write|reset|load", "xfconf-query -s|--set|-r", "kwriteconfig5|kwriteconfig6 ...",
			"tmutil startbackup|enable|snapshot|localsnapshot", "killall Finder|Dock|SystemUIServer|cfprefsd", "scutil --set",
			"chflags ...", "xattr -w", "codesign -f|--force|--remove-signature", "installer -pkg", "pkgutil --forget", "duti|mas ...",
		},
	},
	{
		ID: "desktop.reset", Level: high,
		Reason:     "It resets all settings of the desktop or empties the trash for good.",
		Suggestion: "Save them first with dconf dump /.",
		when: []string{
			"dconf reset -f /", "dconf reset =-f =/", "gsettings reset-recursively", "gio trash --empty", "trash-empty ...",
			"rmtrash|empty-trash ...", "kwriteconfig5 ~--delete /", "flatpak uninstall --all", "snap remove --purge ~$(", "flatpak remove --all",
			"Clear-RecycleBin ...", "timeshift --restore", "snapper undochange|rollback", "akmods --purge",
		},
	},
	{
		ID: "bsd.disk", Level: critical,
		Reason:     "It destroys a partition table, a file system or an encrypted disk.",
		Suggestion: "Check the device with gpart show or disklabel, and keep a backup of its header.",
		when: []string{
			"gpart destroy|delete|recover -F|-f", "gpart destroy|delete|create|bootcode|restore", "geli kill|init|delkey|setkey|backup ^backup", "camcontrol format|security|sanitize",
			"newfs|newfs_msdos ... !-N", "bioctl -d|-c", "disklabel|bsdlabel -R|-E|-w|-B|-i", "vinum|gvinum|graid|gmirror destroy|clear|delete|remove",
			"zpool destroy|labelclear|export -f", "gstripe|gconcat|gnop|ggatec destroy|clear", "nvmecontrol format|sanitize", "nvmecontrol format-nvm|sanitize ...",
			"fdisk -i|-e|-B|-I", "installboot ...", "hammer prune-everything|rebalance", "hammer2 destroy", "mdconfig -d ~-o~force",
		},
	},
	{
		ID: "bsd.system", Level: high,
		Reason:     "It removes software, jails, accounts or services of the system.",
		Suggestion: "List first what is meant, and name it.",
		when: []string{
			"pkg delete|remove|autoremove -a|--all|-f", "pkg_delete -a|-X|-q", "pw userdel|groupdel|lock", "rcctl|service disable|stop pf|sshd|syslogd|ntpd",
			"sysrc ~firewall_enable=NO|pf_enable=NO|sshd_enable=NO|firewall_enable=no", "iocage|ezjail-admin|bastille|cbsd|pot destroy|delete|jdestroy",
			"jail -r *", "jail -r ~*", "bhyvectl --destroy|--force-poweroff", "vm destroy|poweroff", "freebsd-update rollback|install", "bectl destroy",
			"beadm destroy", "kldunload -f", "svcadm disable|mark", "zoneadm uninstall|halt", "zonecfg delete|destroy", "zonecfg -z ~delete",
			"sysupgrade -f|-n", "fw_update -d", "rmuser -y", "pkgin remove|autoremove -y", "svccfg delete",
			"chflags -R ~schg|sunlnk /|/usr|/bin", "crontab -r", "pfctl ~-Fa|-Fall|all -F", "pfctl -d", "ipf -Fa|-D", "npfctl flush|stop",
		},
	},
}
