package risk

var gearRules = []Rule{
	{
		ID: "gear.erase", Level: critical,
		Reason:     "It erases the configuration or the firmware of a network device.",
		Suggestion: "Save the running configuration elsewhere first.",
		when: []string{
			"write|wr erase", "erase startup-config|nvram:|flash:|running-config|startup-configuration|all", "delete flash:*|/force|/recursive ~flash:|nvram:",
			"request system zeroize|reboot|halt|power-off", "request system software ~rollback|delete", "execute factoryreset|formatlogdisk|factoryreset2|erase-disk",
			"/system reset-configuration", "/system/reset-configuration ...", "system reset-configuration", "reset saved-configuration", "factory-reset all", "restore factory-defaults|default",
			"configure ~factory", "load factory-default", "nvram erase", "nvram clear ~reset", "firstboot -y", "firstboot ...", "jffs2reset -y|-r", "mtd erase|write|-r|unlock",
			"sysupgrade -n|-F", "ubiformat|flash_eraseall|nandwrite ...", "set-default ~--confirm", "mca-cli-op set-default", "syswrapper.sh restore-default", "vtysh ~write~erase|erase~startup",
			"ipmitool ... ~raw~0x06", "racadm racresetcfg|systemerase", "perccli|perccli64|ssacli|hpssacli|arcconf ~delete|del", "ssacli ... delete", "clear config all",
			"format flash:|disk0:|bootflash:", "no vlan|router|interface|ip ...", "undo interface|vlan|bgp|ospf ...", "snmpset ~ciscoFlash|reset", "wlc-reset ...",
		},
	},
	{
		ID: "gear.change", Level: high,
		Reason:     "It restarts a network device or takes routes or neighbours out of service.",
		Suggestion: "Use commit confirmed or reload in, and keep a console at hand.",
		when: []string{
			"vtysh ~no~router|clear~ip~bgp|clear~bgp|no~network|shutdown", "birdc disable|down|restart", "birdc configure ~undo", "gobgp ... del", "gobgp global del|rib", "clear bgp|ip|crypto|counters *|bgp *",
			"swconfig dev|switch0 ~reset", "snmpset ...", "ovs-vsctl del-br|emer-reset|del-port|del-controller", "ovs-ofctl del-flows|mod-port", "bgpctl neighbor|reload|fib ~down|decouple",
			"ospfctl|ldpctl|iscsictl fib|-R|-Ra decouple", "iscsiadm ... ~--logout|-u|delete", "multipath -F|-W", "bridge fdb|vlan flush|del", "conntrack -F|--flush", "ip netns|vrf delete|del",
			"ip xfrm|rule flush|flushall", "ip xfrm state|policy flush|deleteall", "pihole disable|uninstall|-r", "unbound-control stop|flush_zone|local_zones_remove", "rndc stop|halt|flush|delzone", "pdnsutil delete-zone|delete-rrset",
			"knotc zone-purge|stop", "nsupdate ...", "samba-tool dns delete", "kea-shell ~lease4-wipe", "named-journalprint ~--delete", "route -f|flush", "netstat -rn ~flush", "ipsec stop|purge|down", "swanctl --terminate|--terminate-all",
			"wg set ... remove", "keepalived ~--signal", "haproxy ~-sf", "pcs cluster|resource|stonith destroy|delete|fence|stop", "crm configure erase|delete", "crm_resource|crm_node -D|-R|--delete", "stonith_admin --fence|--reboot|-F|-B|-O", "corosync-cfgtool -k",
			"uhubctl -a|-p", "pdu|apcupsd|upscmd ~load.off|shutdown", "upsdrvctl shutdown", "wakeonlan-off ...", "ipmitool ... ~power~off|chassis~power", "ipmitool chassis|power off|cycle|reset|power|bootdev", "racadm serveraction|racreset ...",
		},
	},
	{
		ID: "mail.delete", Level: high, data: true,
		Reason:     "It deletes mail, or the mail that waits to be sent.",
		Suggestion: "List the queue or the folder first, and delete by ID.",
		when: []string{
			"postsuper -d ALL|all", "postsuper ~ALL -d", "exim|exim4 -Mrm", "exiqgrep ~-z|-f -i", "doveadm expunge|mailbox ...", "doveadm expunge|purge|kick", "doveadm mailbox delete", "cyradm|cyr_expire ... ~dm|delete",
			"qmHandle|qmail-remove -D|-d", "sendmail ~-qQ", "rspamc ... ~--clear", "notmuch|neomutt ~--delete", "zmprov da|deleteAccount|dd|deleteDistributionList|deleteDomain", "zmmailbox ~emptyFolder|deleteFolder|ef|df", "mbox-purge|archivemail ~--delete", "imapsync ~--delete2|--delete1|--expunge1",
			"gam ~delete|wipe", "m365 ... remove", "Remove-Mailbox|Remove-MailboxDatabase|Search-Mailbox ...", "mmdf|mailman ... ~rmlist", "rmlist|list_members ~-a", "mbsync ~--expunge", "maildirmake ~--delete", "stalwart-cli ~delete",
		},
	},
	{
		ID: "directory.delete", Level: high, data: true,
		Reason:     "It deletes or replaces entries of a directory, and with them accounts and groups.",
		Suggestion: "Export the branch first with ldapsearch or slapcat.",
		when: []string{
			"ldapdelete ... !-n", "ldapmodify|ldapadd ~delete", "slapadd|slapindex ... ~-c|-b", "samba-tool domain|user|group|computer|ou|gpo delete|demote|remove", "samba-tool user|group|computer|ou delete",
			"dsdelete|dsidm|dsconf|dsctl ... ~delete|remove", "dsctl ... remove", "ipa user-del|group-del|host-del|service-del|dnszone-del|sudorule-del", "ipa-server-install --uninstall", "ipactl stop", "realm leave|deny",
			"net ads|rpc leave", "kadmin|kadmin.local ~delprinc|delete_principal|delpol|cpw", "kdb5_util destroy|load", "authselect ~--force", "sss_cache|sssctl ~cache-remove", "sssctl cache-remove", "keycloak|kcadm.sh delete", "kcadm.sh delete ...",
			"okta|auth0 ... delete", "auth0 ... delete", "ory|hydra ~delete~oauth2", "vsphere|dcli ~delete", "adtool ... delete", "smbldap-userdel|smbldap-groupdel ...", "cpu userdel|groupdel", "lldap ~delete",
		},
	},
	{
		ID: "ci.delete", Level: high,
		Reason:     "It deletes a pipeline, its runs, its runners or its secrets.",
		Suggestion: "Export the definition first.",
		when: []string{
			"jenkins-cli|jenkins-cli.jar delete-job|delete-builds|delete-node|delete-view|delete-credentials|safe-shutdown|shutdown|clear-queue", "java ~jenkins-cli ~delete-|shutdown|groovy", "fly -t|--target ~destroy-|prune-worker",
			"gh workflow|run|cache|secret|variable|release|repo disable|delete|delete-asset|rm|remove", "gh secret|variable|cache|ssh-key|gpg-key|release|repo|run|codespace|label|gist delete|remove", "gh workflow disable",
			"gh api ~DELETE", "gh api -X|--method DELETE", "glab ci|pipeline|variable|repo|release|schedule delete", "glab api ~DELETE", "gitlab-runner unregister|uninstall|stop", "gitlab-rake|gitlab-ctl ~cleanse|remove-accounts|uninstall|reset", "gitlab-ctl cleanse|uninstall|remove-accounts|stop",
			"gitlab-rails ~destroy|delete_all", "drone|woodpecker-cli repo|secret rm|disable|chown", "circleci ~delete|context", "circleci context|orb delete|remove-secret", "travis disable|env ~clear|unset", "buildkite-agent|bk ~delete", "argo delete|terminate --all|-A", "argo delete|archive ...", "tkn ... delete",
			"tea repos|releases|labels|milestones delete|rm", "gitea admin user|repo delete", "gitea admin ~delete", "az pipelines|devops|repos delete", "az pipelines|repos|devops ... delete", "teamcity|spin ... delete", "spin application|pipeline delete", "octo delete-*", "harness ~delete", "act_runner ~unregister",
			"sentry-cli releases|files|projects delete", "sonar-scanner ~--delete", "nexus|jf rt delete|del", "jf|jfrog rt|rt-del del|delete", "helm cm-push ~--force --delete", "crane|skopeo|regctl|oras delete|tag", "regctl tag|repo|manifest delete|rm", "reg rm", "docker trust revoke",
		},
	},
	{
		ID: "gear.reload", Level: moderate,
		Reason:     "It reloads or commits the configuration of a network device or a server.",
		Suggestion: "Check it first, with the tool's own test.",
		when: []string{
			"rndc reload|reconfig|addzone", "unbound-control reload", "birdc configure", "postqueue -f|-s", "postfix reload|stop|start|flush", "postmap|newaliases|postconf -e", "postconf ~=", "doveadm reload|stop|kick", "opkg install|remove|update|upgrade", "uci set|commit|delete|add", "wifi ...",
			"service network reload", "squid|named ~-k", "exim|exim4 -qff|-qf", "samba-tool user|group create|add|setpassword", "smbcontrol ...", "pcs resource|node ...", "crm resource|node ...", "chronyc makestep|burst", "ntpdate ...",
		},
	},
}
