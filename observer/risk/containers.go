package risk

import (
	"strings"

	"github.com/caro-mesh/caro-node/observer/shellparse"
)

var containerRules = []Rule{
	{
		ID: "docker.prune-all", Level: high,
		Reason:     "It deletes all unused images, networks or data volumes.",
		Suggestion: "Run docker system df first, and prune one kind at a time.",
		when: []string{
			"docker system prune -a|--all|--volumes", "docker volume prune", "docker system reset",
			"docker machine reset|rm",
		},
	},
	{
		ID: "docker.prune", Level: moderate,
		Reason:     "It deletes stopped containers, networks or images that nothing uses.",
		Suggestion: "Look with docker system df first.",
		when: []string{
			"docker system|image|container|network|builder|buildx prune", "docker buildx rm|prune",
		},
	},
	{
		ID: "docker.volume-remove", Level: high, data: true,
		Reason:     "It deletes data volumes.",
		Suggestion: "Copy the data out first with docker run and tar.",
		when: []string{
			"docker volume rm|remove", "docker compose down -v|--volumes", "docker down -v|--volumes",
			"docker compose rm -v", "docker stack rm|remove|down", "docker swarm leave -f|--force",
			"docker compose down --rmi", "docker down --rmi",
		},
	},
	{
		ID: "docker.remove-all", Level: high,
		Reason:     "It removes or stops all containers or images at once.",
		Suggestion: "Name the containers.",
	},
	{
		ID: "docker.remove", Level: moderate,
		Reason:     "It stops or removes containers or images.",
		Suggestion: "Check with docker ps which ones they are.",
		when: []string{
			"docker rm|rmi|stop|kill|restart|pause|down",
			"docker container|image|network|service|config|secret rm|remove|stop|kill|restart|update|rollback",
			"docker context|node|pod rm|remove|stop|kill|restart|update|rollback",
			"docker compose down|rm|stop|kill|restart", "docker service scale", "docker swarm leave",
			"docker update|rename|commit|import|load", "ctr ... rm|delete|kill", "crictl rm|rmi|rmp|stop|stopp",
		},
	},
	{
		ID: "docker.privileged", Level: high,
		Reason:     "A privileged container can do everything on the machine.",
		Suggestion: "Give the one capability that is needed with --cap-add.",
	},
	{
		ID: "docker.host-root", Level: critical,
		Reason:     "The container gets the machine's whole file system, and with it root's rights.",
		Suggestion: "Mount the one folder that is needed, read-only if possible.",
	},
	{
		ID: "docker.host-system", Level: high,
		Reason:     "The container can change system folders of the machine.",
		Suggestion: "Mount read-only (:ro), or the one file that is needed.",
	},
	{
		ID: "docker.socket", Level: high,
		Reason:     "Who has docker's socket is root on the machine.",
		Suggestion: "Use a socket proxy, or mount it read-only where that is enough.",
	},
	{
		ID: "docker.keys", Level: moderate,
		Reason:     "The container can read your keys.",
		Suggestion: "Mount read-only, and only the one key that is needed.",
	},
	{
		ID: "docker.host-namespace", Level: moderate,
		Reason:     "The container shares the machine's processes or users, or reads docker's socket.",
		Suggestion: "Leave the container its own name spaces.",
	},
	{
		ID: "kubernetes.delete-namespace", Level: high,
		Reason:     "It deletes a namespace, a cluster, or objects with the data behind them.",
		Suggestion: "Run kubectl get all in it first, and take a backup.",
		when: []string{
			"kubectl delete ns|namespace|namespaces|ns/*|namespace/*|pv|pvc !--dry-run|--dry-run=client",
			"kubectl delete persistentvolume*|pv/*|pvc/*|crd|crds !--dry-run|--dry-run=client",
			"kubectl delete customresourcedefinition*|node|nodes|no|node/*|all !--dry-run|--dry-run=client",
			"kubectl delete project|secret|secrets|secret/*|statefulset*|sts|deploy !--dry-run|--dry-run=client",
			"kubectl delete deployment|deployments|deployment/*|deploy/*|service|svc !--dry-run|--dry-run=client",
			"kubectl delete service/*|svc/*|ingress*|ing|ds|daemonset*|clusterrole* !--dry-run|--dry-run=client",
			"kubectl delete sa|storageclass* !--dry-run|--dry-run=client",
			"kubectl delete ... --all|-A|--all-namespaces", "kubectl replace --force", "kubectl delete --force|--now",
			"kubectl delete --grace-period=0|--grace-period ~force", "kubectl drain ... !--dry-run|--dry-run=client",
			"kubectl delete -k|-f !--dry-run|--dry-run=client", "eksctl delete", "kubeadm reset",
			"k3s-uninstall.sh|k3s-killall.sh ...", "velero backup|restore delete",
			"argocd app|appset|proj|cluster delete", "flux uninstall", "kops delete", "rke remove",
			"istioctl uninstall", "kubectl patch ... ~finalizers", "talosctl reset", "nomad job stop|purge",
			"nomad system gc", "kubectl scale --replicas=0",
			"kubectl taint ... ~NoExecute|NoSchedule --all", "kubectl taint ... ~:NoExecute", "helm rollback --force", "kubectl * destroy|purge|hibernate|restore",
			"kubectl cordon|drain --all", "kubectl delete lease|leases|apiservice*|pdb|cronjob*|job*|configmap*|cm|pod|po|pods|rs --all",
			"kubectl scale ... ~--replicas=0", "kubectl certificate deny", "kubectl delete-all|nuke|bulk-action ...",
			"kubectl rook-ceph|cnpg|minio|vitess|mayastor ... ~delete|destroy|purge|zap", "kubectl patch ... ~persistentVolumeReclaimPolicy ~Delete", "k9s ~delete",
			"kubectl apply|create|replace -f ~raw.githubusercontent.com ~/main/|/master/|/HEAD/ !--dry-run|--dry-run=client|--dry-run=server",
			"kubectl replace ~/finalize",
		},
	},
	{
		ID: "kubernetes.delete-listed", Level: high, data: true,
		Reason:     "It deletes every object that another command lists.",
		Suggestion: "Print the list first, and delete with a label selector.",
	},
	{
		ID: "kubernetes.delete", Level: moderate,
		Reason:     "It deletes or restarts objects of a cluster.",
		Suggestion: "Run it with --dry-run=client first.",
		when: []string{
			"kubectl delete ...", "kubectl rollout restart|undo|pause",
			"kubectl cordon|taint|uncordon|scale|autoscale|set|annotate|label|patch|edit|evict",
			"nomad alloc stop|restart",
		},
	},
	{
		ID: "kubernetes.apply", Level: moderate,
		Reason:     "It changes objects of a cluster.",
		Suggestion: "Run kubectl diff first.",
		when: []string{
			"kubectl apply|create|replace|run|expose|cp !--dry-run|--dry-run=client|--dry-run=server",
			"helm install|upgrade !--dry-run", "argocd app sync|set|rollback", "flux reconcile|suspend|resume",
			"kubectl config delete-context|delete-cluster|unset|set-context|use-context", "helmfile apply|sync",
			"kustomize edit", "istioctl install", "skaffold delete", "nomad job run",
		},
	},
	{
		ID: "kubernetes.admin-binding", Level: high,
		Reason:     "It gives somebody all rights in the cluster.",
		Suggestion: "Bind a role with the rights that are needed, in one namespace.",
		when: []string{
			"kubectl create clusterrolebinding ~cluster-admin",
			"kubectl adm policy add-scc-to-user|add-scc-to-group ~privileged|anyuid|hostaccess", "kubectl adm policy add-cluster-role-to-user|add-cluster-role-to-group|add-role-to-user ~admin", "kubectl policy add-scc-to-user|add-role-to-user ~privileged|admin",
			"kubectl create rolebinding ~--clusterrole=cluster-admin", "kubectl set|edit|patch subject|clusterrolebinding|clusterrolebindings ~cluster-admin|system:anonymous",
			"kubectl --as=system:masters|--as-group=system:masters", "kubectl --as|--as-group =system:masters",
		},
	},
	{
		ID: "helm.uninstall", Level: high, data: true,
		Reason:     "It removes a release with everything that belongs to it.",
		Suggestion: "Run helm get manifest first, and keep the values.",
		when: []string{
			"helm uninstall|delete|del|un !--dry-run", "helmfile destroy|delete",
		},
	},
	{
		ID: "helm.rollback", Level: moderate,
		Reason:     "It puts an older revision in place.",
		Suggestion: "Compare with helm diff first.",
		when: []string{
			"helm rollback", "helm repo|plugin remove|rm|uninstall",
		},
	},
	{
		ID: "virtual.destroy", Level: high,
		Reason:     "It destroys a virtual machine or a container with its disks.",
		Suggestion: "Take a snapshot first, or shut it down.",
		when: []string{
			"vagrant destroy|box", "qemu-img snapshot -a|-d", "qemu-img resize --shrink", "qemu-img rebase -u",
			"crictl rm|rmi|rmp|stop|stopp -a|--all",
			"virsh destroy|undefine|vol-delete|pool-delete|vol-wipe|net-undefine|snapshot-delete",
			"VBoxManage unregistervm|controlvm|closemedium --delete", "VBoxManage unregistervm|closemedium",
			"lxc|incus delete|rm", "multipass delete|purge", "qm destroy|stop", "pct destroy|stop", "pvesh delete",
			"lxc-destroy ...", "limactl|colima delete", "xl destroy", "prlctl delete", "vim-cmd vmsvc/destroy",
			"govc vm.destroy|datastore.rm", "wsl --unregister", "machinectl terminate|remove|kill", "distrobox rm",
			"esxcli vm|vsan ... kill|remove|delete|leave", "vmrun deleteVM|stop|deleteSnapshot", "vboxmanage unregistervm|closemedium|controlvm",
			"qm|pct rollback|delsnapshot|reset|template|unlock|resize", "pvecm delnode|expected", "virt-sysprep|virt-sparsify|virt-format|guestfish ~--in-place|-a",
			"virt-format ...", "xe vm-uninstall|sr-forget|sr-destroy|pool-eject|snapshot-revert ...", "govc ... destroy|rm",
			"ovftool --overwrite", "onevm|onetemplate|oneimage|onedatastore ... terminate|delete|--hard", "onevm terminate|poweroff",
			"bhyvectl ~--destroy", "firecracker-ctl|ignite|lima delete|rm",
			"docker-machine|machine rm|kill", "proxmoxer|pveum ... delete", "podman machine|pod rm|reset -f|--force",
			"virsh snapshot-revert|snapshot-restore|restore|managedsave-remove|checkpoint-delete", "prlctl snapshot-switch", "tart delete",
		},
	},
}

func init() {
	register(dockerCommand, "docker")
	register(kubectlCommand, "kubectl")
	register(lxcCommand, "lxc", "incus")
}

func dockerCommand(a *assessor, r *shellparse.Run) {
	sub, at := r.Operand(0)
	if sub == "compose" || sub == "container" {
		sub, at = r.Operand(at + 1)
	}
	if sub == "service" || sub == "network" || sub == "stack" || sub == "secret" || sub == "config" || sub == "image" {
		sub, at = r.Operand(at + 1)
	}
	switch sub {
	case "rm", "rmi", "stop", "kill", "remove":
		for _, w := range r.Args[at+1:] {
			for _, f := range a.cmd.Upstream(shellparse.Source{From: w.From}) {
				u := &a.cmd.Runs[f]
				if (u.Name == "docker" || sameAs[u.Name] == "docker") && hasOption(u, []string{"-q", "--quiet"}) &&
					!hasOption(u, []string{"-f", "--filter"}) {
					a.hit("docker.remove-all")
				}
			}
		}
	case "run", "create":
		a.dockerRun(r)
	case "exec":
		if hasOption(r, []string{"--privileged"}) {
			a.hit("docker.privileged")
		}
	}
}

// kubectlCommand judges deletions of what another command lists; docker's counterpart is in dockerCommand.
func kubectlCommand(a *assessor, r *shellparse.Run) {
	sub, at := r.Operand(0)
	if sub == "get" {
		a.clusterSecrets(r, at)
	}
	if sub == "delete" {
		for _, w := range r.Args[at+1:] {
			if len(w.From) > 0 {
				a.hit("kubernetes.delete-listed")
				a.listedWhole(w)
			}
		}
	}
}

// listedWhole judges deletions of listed things that hold others: namespaces, volumes, kinds of objects.
func (a *assessor) listedWhole(w shellparse.Word) {
	for _, i := range a.cmd.Upstream(shellparse.Source{From: w.From}) {
		if u := &a.cmd.Runs[i]; u.Has("get") && (u.Has("ns") || u.Has("namespace") || u.Has("namespaces") || u.Has("pv") || u.Has("pvc") ||
			u.Has("crd") || u.Has("crds")) {
			a.hit("kubernetes.destroy")
		}
	}
}

// lxcCommand judges what a container of lxc is given of the machine.
func lxcCommand(a *assessor, r *shellparse.Run) {
	if !(r.Has("init") || r.Has("launch") || r.Has("config") || r.Has("create")) {
		return
	}
	for i := range r.Args {
		switch t := r.Args[i].Text; {
		case t == "source=/":
			a.hit("docker.host-root")
		case strings.HasSuffix(t, "security.privileged=true") || t == "security.privileged" && r.Arg(i+1) == "true":
			a.hit("docker.privileged")
		}
	}
}

// dockerRun judges what a container is given of the machine.
func (a *assessor) dockerRun(r *shellparse.Run) {
	privileged := false
	for i, w := range r.Args {
		key, value, ok := strings.Cut(w.Text, "=")
		if !ok {
			key, value = w.Text, r.Arg(i+1)
		}
		switch key {
		case "--privileged":
			privileged = value != "false"
		case "--cap-add":
			privileged = privileged || value == "ALL" || value == "SYS_ADMIN" || value == "SYS_MODULE" ||
				value == "SYS_RAWIO" || value == "DAC_READ_SEARCH" || value == "SYS_PTRACE" && containsText(r, []string{"--pid=host"})
		case "--pid", "--ipc", "--userns", "--uts":
			if value == "host" {
				a.hit("docker.host-namespace")
			}
		case "--device":
			if isDisk(strings.SplitN(value, ":", 2)[0]) {
				a.hit("docker.privileged")
			}
		case "-v", "--volume":
			source, rest, _ := strings.Cut(value, ":")
			a.mount(source, strings.HasSuffix(rest, ":ro"))
		case "--mount":
			source, readOnly := "", false
			for _, f := range strings.Split(value, ",") {
				k, v, _ := strings.Cut(f, "=")
				if !ok {
					k, v, _ = strings.Cut(f, "=")
				}
				if k == "source" || k == "src" {
					source = v
				}
				readOnly = readOnly || k == "readonly" || k == "ro"
			}
			if _, after, found := strings.Cut(w.Text, "source="); ok && found {
				source, _, _ = strings.Cut(after, ",")
			} else if _, after, found := strings.Cut(w.Text, "src="); ok && found {
				source, _, _ = strings.Cut(after, ",")
			}
			a.mount(source, readOnly)
		}
	}
	if privileged {
		a.hit("docker.privileged")
	}
}

// dockerAPI judges requests to docker's own interface.
func (a *assessor) dockerAPI(r *shellparse.Run) {
	if !containsText(r, []string{"docker.sock", "podman.sock", ":2375/", ":2376/", "containers/create", "/exec"}) ||
		!containsText(r,
			[]string{"containers/create", "/exec", "containers/"}) {
		return
	}
	for i := range r.Args {
		flat := strings.ReplaceAll(r.Args[i].Text, " ", "")
		if strings.Contains(flat, `"Privileged":true`) || strings.Contains(flat, `"Binds":["/:`) || strings.Contains(flat, `"PidMode":"host"`) {
			a.hit("docker.host-root")
		}
	}
}

func (a *assessor) mount(source string, readOnly bool) {
	switch {
	case source == "" || source[0] != '/' && source[0] != '~':
	case source == "/" || source == "//" || source == "/*":
		a.pick(readOnly, "docker.host-system", "docker.host-root")
	case strings.HasSuffix(source, "/docker.sock") || strings.HasSuffix(source, "containerd.sock") ||
		strings.HasSuffix(source, "podman.sock"):
		a.pick(readOnly, "docker.host-namespace", "docker.socket")
	case !readOnly && secrecy(source, "") >= secret:
		a.hit("docker.keys")
	case !readOnly:
		w := shellparse.Word{Text: source}
		if p := placeOf(w, ""); (p == placeSystem || p == placeVital && source[0] == '/') && source != "/opt" &&
			source != "/srv" && !strings.HasPrefix(source, "/var/lib") && !strings.HasPrefix(source, "/var/www") &&
			!strings.HasPrefix(source, "/dev") && !strings.HasPrefix(source, "/var/run") && !strings.HasPrefix(source,
			"/run") {
			a.hit("docker.host-system")
		}
	}
}
