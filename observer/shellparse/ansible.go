package shellparse

import (
	"strings"
)

// ansible handles the ad-hoc modules that take a command line, and those that remove or stop something.
func (w *walker) ansible(i int, r Run) {
	module, args := "command", ""
	for j, a := range r.Args {
		if (a.Text == "-m" || a.Text == "--module-name") && j+1 < len(r.Args) {
			module = r.Args[j+1].Text
		}
		if (a.Text == "-a" || a.Text == "--args") && j+1 < len(r.Args) {
			args = r.Args[j+1].Text
		}
	}
	set := map[string]string{}
	for _, f := range strings.Fields(args) {
		if k, v, ok := strings.Cut(f, "="); ok {
			set[k] = v
		}
	}
	var words []string
	module = module[strings.LastIndexByte(module, '.')+1:]
	switch module {
	case "command", "shell", "raw", "script", "win_shell", "win_command":
		w.option(i, r, PlaceRemote, "-a", "--args")
		return
	case "reboot", "win_reboot":
		words = []string{"reboot"}
	case "file", "win_file":
		if set["state"] == "absent" {
			words = []string{"rm", "-rf", set["path"] + set["dest"] + set["name"]}
		} else if set["mode"] != "" {
			words = []string{"chmod", set["mode"], set["path"] + set["dest"]}
		}
	case "apt", "yum", "dnf", "package", "apk", "pacman", "zypper":
		if set["state"] == "absent" || set["state"] == "removed" {
			if module == "package" || module == "yum" {
				module = "dnf"
			}
			words = []string{module, "remove", set["name"] + set["pkg"]}
		}
	case "service", "systemd", "systemd_service", "win_service":
		if set["state"] == "stopped" || set["enabled"] == "no" || set["enabled"] == "false" {
			words = []string{"systemctl", "stop", set["name"]}
		}
	case "user":
		if set["state"] == "absent" {
			words = []string{"userdel", "-r", set["name"]}
		}
		if g := set["groups"] + set["group"]; g != "" && len(words) == 0 {
			words = []string{"usermod", "-aG", g, set["name"]}
		}
	case "iptables":
		if set["flush"] != "" || set["policy"] == "ACCEPT" {
			words = []string{"iptables", "-F"}
		}
	case "ufw":
		if set["state"] == "disabled" || set["state"] == "reset" {
			words = []string{"ufw", "disable"}
		}
	case "selinux":
		if set["state"] == "disabled" || set["state"] == "permissive" {
			words = []string{"setenforce", "0"}
		}
	case "mysql_db", "postgresql_db", "mongodb_db":
		if set["state"] == "absent" {
			words = []string{"dropdb", set["name"]}
		}
	case "docker_volume":
		if set["state"] == "absent" {
			words = []string{"docker", "volume", "rm", set["name"]}
		}
	case "k8s":
		if set["state"] == "absent" {
			words = []string{"kubectl", "delete", set["kind"], set["name"]}
		}
	case "shutdown":
		words = []string{"poweroff"}
	case "parted":
		if set["state"] == "absent" {
			words = []string{"parted", set["device"], "rm", set["number"]}
		}
	case "zfs":
		if set["state"] == "absent" {
			words = []string{"zfs", "destroy", set["name"]}
		}
	case "filesystem":
		words = []string{"mkfs", set["dev"] + set["device"]}
	case "lvol", "lvg":
		if set["state"] == "absent" {
			words = []string{"lvremove", set["lv"] + set["vg"]}
		}
	}
	if len(words) > 0 {
		list := make([]Word, len(words))
		for k := range words {
			list[k].Text = words[k]
		}
		w.childWords(i, list, Source{}, at(PlaceRemote))
	}
}
