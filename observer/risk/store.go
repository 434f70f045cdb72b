package risk

import (
	"strings"

	"github.com/caro-mesh/caro-node/observer/shellparse"
	"github.com/caro-mesh/caro-node/observer/wordset"
)

var storeRules = []Rule{
	{
		ID: "file.remove-data", Level: critical,
		Reason:     "It deletes or empties the files in which a database, a mail server or a backup keeps everything it has.",
		Suggestion: "Stop the server, take a backup, and move the folder aside instead.",
	},
	{
		ID: "sql.drop-database", Level: critical, data: true,
		Reason:     "It deletes a whole database with everything in it.",
		Suggestion: "Take a dump first, and rename the database before dropping it.",
		when: []string{
			"dropdb ... !--help", "mysqladmin drop", "mongosh ~dropDatabase", "influx bucket delete",
			"influx delete --bucket ~--start", "influx ~DROP~DATABASE", "curl ~DROP+DATABASE|DROP%20DATABASE",
			"neo4j-admin database drop", "cockroach ~DROP~DATABASE", "createdb --drop", "pscale database|db delete",
			"turso db destroy", "neonctl|neon projects|branches|databases delete",
			"atlas clusters|deployments delete|drop", "mongocli atlas clusters delete", "couchdb ~DELETE",
			"surreal ~REMOVE~DATABASE", "pg_resetwal|pg_resetxlog -f|--force",
			"pg_resetwal|pg_resetxlog ... !-n|--dry-run", "pg_dropcluster ...", "nodetool clearsnapshot|truncate",
			"sstableutil -c", "myisamchk --force", "arangosh ~_dropDatabase", "rethinkdb ~dbDrop",
			"gcloud firestore databases delete", "gcloud sql databases delete", "aws dynamodb delete-table",
			"curl ~/_sql ~DROP", "clickhouse-client|clickhouse-local ~DROP~DATABASE",
			"riak-admin cluster leave|force-remove", "redis-cli ... flushall|FLUSHALL|FlushAll",
			"cbq ~DROP~|TRUNCATE~|drop~|DELETE~FROM", "cbq|couchbase-cli bucket-delete|bucket-flush ...", "dqlite|rqlite ~DROP",
			"kafka-storage|kafka-storage.sh format", "mysqld|mariadbd --initialize|--initialize-insecure --datadir", "vtctl|vtctlclient|vtctldclient ~Delete",
			"pg_rewind|pg_archivecleanup ...",
		},
	},
	{
		ID: "cloud.destroy", Level: critical, data: true,
		Reason:     "It deletes a whole bucket, database, project or cluster in the cloud, with no way back.",
		Suggestion: "Take a final snapshot or export, and turn on deletion protection.",
		when: []string{
			"aws s3 rb --force",
			"aws rds delete-db-instance|delete-db-cluster|delete-global-cluster --skip-final-snapshot !--dry-run",
			"aws rds|docdb|neptune|redshift ... --skip-final-snapshot|--skip-final-cluster-snapshot",
			"aws kms schedule-key-deletion|disable-key",
			"aws organizations close-account|leave-organization|delete-organization", "aws eks|ecs delete-cluster",
			"aws backup delete-backup-vault|delete-recovery-point", "aws efs delete-file-system",
			"aws secretsmanager delete-secret --force-delete-without-recovery",
			"aws ec2 delete-snapshot|delete-volume ~$(", "aws glacier delete-vault|delete-archive",
			"aws opensearch|es delete-domain|delete-elasticsearch-domain", "aws cognito-idp delete-user-pool",
			"aws route53 delete-hosted-zone", "aws fsx delete-file-system|delete-volume", "gcloud projects delete",
			"gcloud sql instances delete", "gcloud container clusters delete",
			"gcloud spanner instances|databases delete", "gcloud kms keys versions destroy",
			"gcloud bigtable instances delete", "gcloud compute disks|snapshots delete",
			"gcloud filestore instances delete", "gcloud alloydb clusters delete", "bq rm -r|--recursive",
			"bq rm -f -d", "az group delete", "az keyvault purge|delete", "az storage account delete",
			"az sql|postgres|mysql|cosmosdb ... delete", "az aks delete", "az deployment mg|sub delete",
			"az storage container delete", "az storage fs|share delete", "az backup vault delete",
			"az keyvault key|secret|certificate purge", "az vm disk|snapshot delete",
			"doctl databases|db delete|rm|d", "doctl kubernetes|k8s cluster delete|rm", "doctl projects delete",
			"doctl volume delete", "hcloud volume|network delete",
			"linode-cli volumes|databases|lke delete|cluster-delete", "heroku apps:destroy|destroy|pg:reset",
			"heroku addons:destroy", "fly|flyctl apps|volumes|postgres destroy|delete", "fly|flyctl destroy",
			"supabase projects delete", "wrangler d1|r2|kv ... delete", "wrangler d1|r2|kv:namespace delete",
			"firebase projects:delete", "scw rdb|k8s|instance ... delete", "scw rdb instance delete",
			"exo dbaas delete", "vultr-cli database|kubernetes|block-storage delete",
			"civo database|kubernetes|volume remove|delete|rm",
			"yc managed-postgresql|managed-mysql|managed-kubernetes cluster delete", "avn service terminate",
			"avn project delete", "confluent kafka|environment cluster|topic delete", "confluent environment delete",
			"upctl database|storage delete", "oci db|os ... delete|terminate", "oci os bucket delete",
			"oci iam compartment delete", "openstack project|volume|server delete",
			"openstack container delete -r|--recursive", "ibmcloud resource service-instance-delete",
			"ibmcloud cos bucket-delete", "ibmcloud ks cluster rm", "eksctl delete cluster",
			"kops delete cluster --yes", "kops delete --yes", "rosa delete cluster", "clusterctl delete --all",
			"openshift-install destroy", "gcloud composer environments delete", "swift delete -a|--all",
			"rclone purge", "b2 delete-bucket|bucket delete", "mc rb --force", "s3cmd rb -r|-f|--recursive|--force",
			"gcloud rb -f", "railway delete", "render services delete", "vercel project rm|remove",
			"netlify sites:delete", "dokku apps:destroy", "platform environment:delete|project:delete",
			"cf delete-org|delete-space", "aliyun rds DeleteDBInstance", "aliyun ecs DeleteDisk",
			"tccli cdb IsolateDBInstance", "ovhcloud ... delete", "pulumi stack rm -f|--force",
			"gcloud services disable",
		},
	},
	{
		ID: "iac.destroy-unasked", Level: critical, data: true,
		Reason:     "It destroys infrastructure without showing the plan and asking.",
		Suggestion: "Leave out the automatic approval, and read the plan.",
		when: []string{
			"terraform destroy =-auto-approve|--auto-approve|-auto-approve=true|-force",
			"terraform apply =-destroy =-auto-approve|--auto-approve", "terraform run-all|run destroy",
			"terraform run --all", "terraform destroy --terragrunt-non-interactive",
			"pulumi destroy -y|--yes|--skip-preview", "cdk destroy -f|--force", "cdktf destroy --auto-approve",
			"sst remove --stage ~prod", "nixops destroy --confirm", "juju kill-controller -y|--no-prompt",
			"juju destroy-controller|destroy-model -y|--no-prompt|--destroy-all-models|--destroy-storage",
			"bosh delete-deployment|delete-env|clean-up --force|-n|--all", "kops delete --yes",
		},
	},
	{
		ID: "kubernetes.destroy", Level: critical, data: true,
		Reason:     "It deletes a namespace, volumes, or everything in a namespace or a cluster.",
		Suggestion: "List what is in it, take a backup with velero, and delete what is meant by name.",
		when: []string{
			"kubectl delete ns|namespace|namespaces|ns/*|namespace/*|pv|pvc|persistentvolume*|pv/*|pvc/*|project !--dry-run|--dry-run=client",
			"kubectl delete all --all !--dry-run|--dry-run=client",
			"kubectl delete ... -A|--all-namespaces !--dry-run|--dry-run=client",
			"kubectl delete crd|crds|customresourcedefinition* --all", "kubectl delete nodes|node|no --all",
			"talosctl reset", "kubectl delete * --all ~kube-system", "velero backup|backup-location delete --all",
			"k3s-uninstall.sh|k3s-agent-uninstall.sh|rke2-uninstall.sh ...",
		},
	},
	{
		ID: "cluster.local", Level: moderate,
		Reason:     "It deletes a cluster or a virtual machine on this machine that is there for trying things out.",
		Suggestion: "Export what you want to keep first.",
		when: []string{
			"kind|minikube|microk8s delete|reset|stop", "k3d cluster delete|stop", "kind delete cluster|clusters",
			"colima|limactl|rancher-desktop stop", "ctlptl delete", "minikube delete --all",
			"xcrun|simctl ... erase|delete|shutdown", "simctl erase|delete|shutdown",
		},
	},
	{
		ID: "app.data-delete", Level: high, data: true,
		Reason:     "The program text deletes all records of a kind, or the tables themselves.",
		Suggestion: "Narrow the query, count what it finds, and run it in a transaction.",
	},
}

func init() {
	register(objectStore, "aws", "s3cmd", "s5cmd", "mc", "rclone", "gcloud", "b2", "az", "oci", "obsutil", "ossutil",
		"cos", "coscli")
	register(keyValue, "etcdctl", "consul")
	register(appConsole, "rails", "rake", "artisan", "node", "wp", "bin/rails", "manage.py", "mix", "iex",
		"drush", "bundle", "heroku", "flask")
}

// stores are folders in which servers keep their data, by the start of the path.
var stores = []string{"/var/lib/mysql", "/var/lib/postgresql", "/var/lib/pgsql", "/var/lib/mongodb", "/var/lib/mongo",
	"/var/lib/redis",
	"/var/lib/etcd", "/var/lib/cassandra", "/var/lib/elasticsearch", "/var/lib/opensearch", "/var/lib/clickhouse",
	"/var/lib/influxdb",
	"/var/lib/rabbitmq", "/var/lib/kafka", "/var/lib/zookeeper", "/var/lib/couchdb", "/var/lib/neo4j", "/var/lib/ldap",
	"/var/lib/docker/volumes", "/var/lib/containers/storage/volumes", "/var/lib/libvirt/images", "/var/lib/vault",
	"/var/lib/consul",
	"/var/lib/gitlab", "/var/opt/gitlab", "/var/lib/jenkins", "/var/lib/nextcloud", "/var/lib/prometheus",
	"/var/lib/grafana",
	"/var/lib/mariadb", "/var/lib/scylla", "/var/lib/arangodb3", "/var/lib/samba/private", "/var/vmail", "/var/mail",
	"/var/spool/mail",
	"/var/lib/minio", "/var/lib/ceph", "/var/lib/glusterd", "/var/lib/longhorn", "/var/lib/rancher", "/var/lib/loki",
	"/var/lib/victoria",
	"/var/lib/timescaledb", "/var/lib/proxysql", "/var/lib/questdb", "/var/lib/meilisearch", "/var/lib/typesense",
	"/var/lib/machines",
	"/var/backups", "/usr/local/mysql/data", "/usr/local/var/postgres", "/opt/homebrew/var/postgres",
	"/opt/homebrew/var/mysql",
	"/usr/local/pgsql/data", "/var/db/mysql", "/var/db/postgres", "/var/lib/pacemaker", "/var/lib/kubelet/pods",
	"/var/lib/registry"}

// storeFolders are folders below / that people make for their data.
var storeFolders = wordset.Of(`data backup backups storage store export exports nas pool tank nfs share shares archive archives pgdata prod
	mysql postgres db database databases repo repos git www vol volume volumes vmail`)

// holdsData reports whether a path is, or lies in, a folder in which a server keeps its data.
func holdsData(c string) bool {
	if strings.HasPrefix(c, "/var/") || strings.HasPrefix(c, "/usr/local/") || strings.HasPrefix(c, "/opt/homebrew/var") {
		for _, s := range stores {
			if rest, ok := strings.CutPrefix(c, s); ok && (rest == "" || rest[0] == '/' || rest[0] == '-') {
				return true
			}
		}
	}
	return false
}

// wholeStore reports whether a path stands for all data of a machine or a backup: a folder below / that is there for data, a
// mounted disk, what is called production.
func wholeStore(c string) bool {
	low := strings.ToLower(c)
	parts := strings.Split(strings.Trim(low, "/"), "/")
	switch {
	case low == "" || low[0] != '/':
		return false
	case len(parts) == 1:
		return storeFolders.Has(parts[0])
	case parts[0] == "volumes" && len(parts) == 2:
		return true
	case parts[0] == "mnt" || parts[0] == "media":
		return len(parts) == 2 && len(parts[1]) > 1 && !isDisposed(low) && !standsAlone(parts[1], "tmp") &&
			!standsAlone(parts[1], "test") ||
			len(parts) <= 3 && (strings.Contains(low, "backup") || production(low))
	}
	return production(low) && !isDisposed(low) && (storeFolders.Has(parts[0]) || parts[0] == "srv") || len(parts) == 2 &&
		parts[0] != "tmp" &&
		strings.Contains(parts[1], "backup") && (parts[0] == "srv" || parts[0] == "opt" || parts[0] == "home" ||
		parts[0] == "var")
}

// objectStore judges removals from buckets: all that is in one, or a part.
func objectStore(a *assessor, r *shellparse.Run) {
	if hasOption(r, []string{"--dryrun", "--dry-run", "-n"}) {
		return
	}
	var removes, recursive bool
	mirrors := hasOption(r, []string{"--delete", "--remove", "--delete-removed", "-d"})
	switch r.Name {
	case "rclone":
		removes, recursive = r.Has("delete") || r.Has("purge"), true
		mirrors = r.Arg(0) == "sync" || r.Has("sync")
	case "az":
		if r.Has("delete-batch") && r.Has("blob") && !hasOption(r, []string{"--pattern"}) {
			a.hit("cloud.destroy")
		}
		return
	case "oci":
		if r.Has("bulk-delete") && !hasOption(r, []string{"--prefix"}) {
			a.hit("cloud.destroy")
		}
		return
	default:
		removes = r.Has("rm") || r.Has("del") || r.Has("rb")
		recursive = hasOption(r, []string{"-r", "-R", "--recursive", "--force"}) || r.Name == "s5cmd" ||
			strings.HasSuffix(lastOperand(r), "/**")
		mirrors = mirrors && (r.Has("sync") || r.Has("rsync") || r.Has("mirror"))
	}
	switch {
	case removes && recursive:
		for i := range r.Args {
			if wholeBucket(r.Args[i].Text) {
				a.hit("cloud.destroy")
			}
		}
	case mirrors:
		ops := operandsOf(r, "--exclude --include --profile --region -x")
		if len(ops) > 2 && wholeBucket(ops[len(ops)-1].Text) &&
			strings.Contains(strings.ToLower(ops[len(ops)-2].Text), "empty") {
			a.hit("cloud.destroy")
		}
	}
}

// wholeBucket reports whether a word names a bucket and nothing in it.
func wholeBucket(t string) bool {
	for _, scheme := range [...]string{"s3://", "gs://", "oss://", "cos://", "obs://", "b2://", "r2://"} {
		if rest, ok := strings.CutPrefix(t, scheme); ok {
			rest = strings.TrimRight(rest, "/*")
			return !strings.Contains(rest, "/")
		}
	}
	if remote, rest, ok := strings.Cut(t, ":"); ok && remote != "" && !strings.ContainsAny(remote, "/.-") { // rclone, mc
		return rest != "" && !strings.Contains(strings.Trim(rest, "/"), "/") && !strings.HasPrefix(rest, "//")
	}
	return false
}

// keyValue judges removals of all keys of a store.
func keyValue(a *assessor, r *shellparse.Run) {
	if r.Name == "etcdctl" && r.Has("get") && hasOption(r, []string{"--prefix", "--from-key"}) &&
		!hasOption(r, []string{"--keys-only",
			"--count-only"}) || r.Has("get") && r.Has("--keys-only=false") {
		if r.Has("") || r.Has("/") || containsText(r, []string{"/registry"}) {
			a.hit("secret.cluster")
		}
	}
	if !(r.Has("del") || r.Has("delete") || r.Has("rm")) {
		return
	}
	all := hasOption(r, []string{"--from-key", "--from-key=true"}) || r.Has("--prefix") && (r.Has("") || r.Has("/")) ||
		hasOption(r, []string{"-recurse", "--recurse"}) && (lastOperand(r) == "" || lastOperand(r) == "/" ||
			lastOperand(r) == "delete") ||
		r.Has("-recurse") && r.Arg(len(r.Args)-1) == ""
	if all {
		a.hit("cloud.destroy")
	}
}

// wipers are calls with which frameworks delete all records of a kind.
var wipers = []string{".delete_all", ".destroy_all", "objects.all().delete()", ".truncate(", "::truncate()",
	"drop_all(", ".dropDatabase(",
	"deleteMany({})", "deleteMany()", "DB::table", "dropTable(", "drop_table", "Repo.delete_all", ".sync({force:true",
	".flushall",
	".flushdb", ".flushAll(", "destroy({where:{}", "destroy({truncate", ".remove({})", ".drop()",
	"ActiveRecord::Base.connection.execute",
	"->delete()", "::query()->delete"}

// appConsole judges program text that a framework's console runs.
func appConsole(a *assessor, r *shellparse.Run) {
	text := r.Code.Text + r.Stdin.Text
	if r.Name != "python" && r.Name != "python3" && r.Name != "node" && r.Name != "ruby" && r.Name != "php" ||
		!r.Code.Known {
		for i := range r.Args {
			if t := r.Args[i].Text; strings.ContainsAny(t, "(.:") && (strings.ContainsAny(t, " .") || strings.Contains(t, "::")) {
				text += "\n" + t
			}
		}
	}
	if len(text) < 8 || len(text) > maxForeign {
		return
	}
	flat := strings.ReplaceAll(text, " ", "")
	if anyIn(flat, wipers) && !strings.Contains(flat, "DB::table") && !strings.Contains(flat, "->delete()") ||
		strings.Contains(flat, "DB::table") &&
			(strings.Contains(flat, "truncate") || strings.Contains(flat, ")->delete()")) {
		a.hit("app.data-delete")
	}
	if strings.Contains(text, "execute(") || strings.Contains(text, "query(") || strings.Contains(text, "statement(") ||
		strings.Contains(text, "exec(") {
		a.embeddedSQL(text)
	}
}

// embeddedSQL judges the statements in the constants of a program text.
func (a *assessor) embeddedSQL(text string) {
	up := strings.ToUpper(text)
	for _, verb := range [...]string{"DROP ", "TRUNCATE ", "DELETE FROM ", "UPDATE "} {
		if i := strings.Index(up, verb); i > 0 {
			end := strings.IndexByte(text[i:], text[i-1])
			if strings.IndexByte("'\"`", text[i-1]) < 0 || end < 0 {
				continue
			}
			a.sql(text[i : i+end])
		}
	}
}
