package shellparse

// Operand returns the first word at or behind position from that is neither an option nor an option's value, and its
// position, -1 where there is none. Which options take a value is known for programs with sub-commands.
func (r *Run) Operand(from int) (string, int) {
	values := r.valued()
	for i := 0; i < len(r.Args); i++ {
		t := r.Args[i].Text
		if len(t) > 1 && t[0] == '-' {
			if values != "" && hasField(values, t) {
				i++
			}
			continue
		}
		if i >= from {
			return t, i
		}
	}
	return "", -1
}

// Operands appends the positions of all operands to buf and returns it.
func (r *Run) Operands(buf []int) []int {
	values := r.valued()
	for i := 0; i < len(r.Args); i++ {
		t := r.Args[i].Text
		if len(t) > 1 && t[0] == '-' {
			if values != "" && hasField(values, t) {
				i++
			}
			continue
		}
		buf = append(buf, i)
	}
	return buf
}

// valued lists the options of the program whose value is the next word.
func (r *Run) valued() string {
	if values, ok := valueOptions[r.Name]; ok {
		return values
	}
	if other := readAs[r.Name]; other != "" {
		return valueOptions[other]
	}
	return ""
}

// Canonical returns the name of the program whose command line the named one speaks: kubectl for oc and the usual alias
// k, docker for podman. Other names are returned as they are.
func Canonical(name string) string {
	if other := readAs[name]; other != "" {
		return other
	}
	return name
}

var readAs = map[string]string{
	"podman": "docker", "nerdctl": "docker", "docker-compose": "docker", "podman-compose": "docker", "oc": "kubectl",
	"k": "kubectl", "g": "git",
	"tf": "terraform", "tofu": "terraform", "terragrunt": "terraform", "pnpm": "npm", "apt-get": "apt", "yum": "dnf",
	"mariadb": "mysql", "gsutil": "gcloud",
}

// valueOptions lists, per program, the options whose value is the next word, as far as they can stand before an operand
// that matters.
var valueOptions = map[string]string{
	"git":       "-C -c --git-dir --work-tree --namespace -m -b -u --exec-path --author --date",
	"docker":    "-H -c --host --context --config --log-level -l -f --file -p --project-name --profile --env-file --filter",
	"kubectl":   "-n --namespace --context --kubeconfig --cluster --user -s --server -o --output -l --selector -f --filename -c --container --as --token --field-selector -k --timeout --grace-period",
	"helm":      "-n --namespace --kube-context --kubeconfig -f --values --set --version",
	"aws":       "--profile --region --output --query --endpoint-url",
	"gcloud":    "--project --account --format --zone --region --configuration -h -o",
	"az":        "--subscription --output -o -g --resource-group -n --name --query",
	"terraform": "",
	"npm":       "--prefix -w --workspace --registry -C --filter -F --dir",
	"yarn":      "--cwd",
	"systemctl": "-H --host -M --machine -t --type -s --signal -n --lines -o --output",
	"service":   "", "apt": "-t --target-release -o -c", "dnf": "-c --enablerepo --disablerepo", "pacman": "--config",
	"mysqladmin": "-u -h -P -S --user --host --port", "mount": "-t -o -L -U --types --options", "swapon": "-p",
	"psql": "-h -p -U -d -f -v -o -L", "mysql": "-h -P -D -u --host --port --user",
	"redis-cli": "-h -p -a -n -u --user --pass", "mongosh": "-u -p --host --port", "virsh": "-c --connect",
	"vault":  "-address -namespace",
	"heroku": "-a --app -r --remote", "fly": "-a --app -c", "flyctl": "-a --app -c", "doctl": "-t -c --context",
	"pulumi":   "-s --stack -C --cwd",
	"iptables": "-t", "nft": "-f", "ufw": "", "firewall-cmd": "", "userdel": "", "gh": "-R --repo",
	"cargo": "--manifest-path -p --package", "make": "-C -f -j", "bun": "--cwd",
	"rabbitmqctl": "-n -p", "etcdctl": "--endpoints --cacert --cert --key", "consul": "",
	"nomad": "-address -namespace", "zfs": "", "zpool": "", "openstack": "--os-cloud", "velero": "-n",
	"argocd": "--server", "flux": "-n --namespace", "eksctl": "--region --profile",
	"restic": "-r --repo -p --password-file", "borg": "", "rclone": "--config",
}
