package shellparse

import "strings"

// fleetCalls says which command the modules and functions of configuration tools come to, by the end of their name. NAME
// stands for what they are given.
var fleetCalls = map[string]string{
	"service.stop": "systemctl stop NAME", "service.disable": "systemctl disable NAME", "service.mask": "systemctl mask NAME",
	"pkg.remove": "apt remove NAME", "pkg.purge": "apt purge NAME", "file.remove": "rm -rf NAME", "user.delete": "userdel -r NAME",
	"group.delete": "groupdel NAME", "system.reboot": "reboot", "system.poweroff": "poweroff", "system.halt": "poweroff",
	"system.shutdown": "poweroff", "mysql.db_remove": "mysqladmin drop NAME", "postgres.db_remove": "dropdb NAME",
	"docker.rm": "docker rm -f NAME", "lvm.lvremove": "lvremove NAME", "lvm.vgremove": "vgremove NAME", "disk.wipe": "wipefs -a NAME",
	"disk.format": "mkfs NAME", "iptables.flush": "iptables -F", "cron.rm": "crontab -r", "zfs.destroy": "zfs destroy -r NAME",
	"firewalld.stop": "systemctl stop firewalld", "selinux.setenforce": "setenforce NAME",
}

// salt handles functions that run a command, and those that remove or stop something.
func (w *walker) salt(i int, r Run) {
	for j, a := range r.Args {
		call, ok := fleetCalls[a.Text]
		if !ok {
			continue
		}
		var list []Word
		for f := range strings.FieldsSeq(call) {
			if f != "NAME" {
				list = append(list, Word{Text: f})
			} else if j+1 < len(r.Args) {
				name := r.Args[j+1]
				if k := strings.IndexByte(name.Text, '='); k > 0 {
					name.Text = name.Text[k+1:]
				}
				list = append(list, name)
			}
		}
		w.childWords(i, list, Source{}, at(PlaceRemote))
		return
	}
	w.remoteAfter(i, r, "cmd.run", "cmd.shell", "cmd.run_all", "cmd.run_stdout", "cmd.script", "cmd.exec_code")
}
