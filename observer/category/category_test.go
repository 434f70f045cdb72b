package category

import (
	"testing"

	"github.com/caro-mesh/caro-node/observer/shellparse"
	"github.com/caro-mesh/caro-node/protocol"
)

func TestTheCommandThatDoesTheWorkIsCounted(t *testing.T) {
	tests := map[string]protocol.CommandCategory{
		"git status":                                   protocol.CategoryGit,
		"sudo docker ps":                               protocol.CategoryDocker,
		"cd /srv/app && git pull":                      protocol.CategoryGit,
		"time kubectl get pods | grep web":             protocol.CategoryKubernetes,
		"FOO=bar npm test":                             protocol.CategoryNPM,
		"env A=b nice -n 5 cargo build":                protocol.CategoryCargo,
		"watch -n 2 'kubectl get pods'":                protocol.CategoryKubernetes,
		"bash -c 'git fetch && git status'":            protocol.CategoryGit,
		"find . -name x | xargs rm":                    protocol.CategoryFileOps,
		"git ls-files | xargs vim":                     protocol.CategoryGit,
		"vim $(git ls-files -m)":                       protocol.CategoryEditor,
		"rm -rf dist && npm run build":                 protocol.CategoryNPM,
		"for i in 1 2; do curl -s http://x/$i; done":   protocol.CategoryNetwork,
		"doas systemctl restart nginx":                 protocol.CategorySystem,
		"ssh host docker ps":                           protocol.CategoryNetwork,
		"docker exec -it db psql":                      protocol.CategoryDocker,
		"terraform plan":                               "other:terraform",
		"python3.12 x.py":                              "other:python",
		"./release-the-secret-product.sh --now":        protocol.CategoryOther,
		"cat a | ./my-private-tool":                    protocol.CategoryOther,
		"make -j8":                                     "other:make",
		"k get pods":                                   protocol.CategoryKubernetes,
		"echo hello":                                   protocol.CategoryOther,
		"":                                             protocol.CategoryOther,
		"# only a comment":                             protocol.CategoryOther,
		"f() { git pull; }; f":                         protocol.CategoryGit,
		"if true; then docker ps; fi":                  protocol.CategoryDocker,
		"npx tsc":                                      protocol.CategoryNPM,
		"poetry run pytest -q":                         "other:pytest",
		"cat x | ssh host 'cat > y'":                   protocol.CategoryNetwork,
		"sudo su - postgres -c 'psql -c \"select 1\"'": "other:psql",
	}
	for line, want := range tests {
		got := Of(shellparse.Parse(line, protocol.ShellBash))
		if got != want {
			t.Errorf("%s: %s, want %s", line, got, want)
		}
		if err := got.Validate(); err != nil {
			t.Errorf("%s: %v", line, err)
		}
	}
}

func TestPatternKeepsTheShapeAndNoValue(t *testing.T) {
	tests := map[string]string{
		"git commit -m 'fix the secret thing'":       "git commit -m _",
		"git commit -am x":                           "git commit -a -m _",
		"rm -rf a b c":                               "rm -f -r _",
		"rm -fr x":                                   "rm -f -r _",
		"sudo apt install vim":                       "sudo apt install _",
		"kubectl -n prod get pods -o wide | grep x":  "kubectl get pods -n -o _ | grep _",
		"cd x && make -j8":                           "cd _ && make -j",
		"head -20 file":                              "head -# _",
		"curl -H 'Authorization: x' https://y":       "curl -H _",
		"FOO=secret ./run.sh --token=abc":            "_=_ run.sh --token",
		"cat <<EOF > out.txt\nsecret\nEOF":           "cat > _ << _",
		"docker compose up -d":                       "docker compose up -d",
		"aws s3 cp a s3://b/c":                       "aws s3 cp _",
		"find . -name '*.go'":                        "find -name _",
		"echo $(git log -1)":                         "echo _",
		"gcc -O2 x.c":                                "gcc -O# _",
		"":                                           "",
		"kubectl logs my-secret-pod":                 "kubectl logs _",
		"nohup ./server > log 2>&1 &":                "nohup server > _",
		"git push origin main; git push origin main": "git push _ ; git push _",
	}
	for line, want := range tests {
		if got := Pattern(shellparse.Parse(line, protocol.ShellBash)); got != want {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
}
