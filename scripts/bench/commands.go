package main

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// typist makes commands as a developer types them: they repeat, and vary in most words.
type typist struct{ r *rand.Rand }

func newTypist() *typist { return &typist{rand.New(rand.NewPCG(1, 2))} }

var (
	roots   = strings.Fields("web api auth user mail cache index shard queue batch report theme proxy route block frame label parser render worker")
	endings = strings.Fields("er s svc test core util page store event config")
	// kinds hold w for a word, n for a number and t for a secret, behind a percent sign.
	kinds = []string{"git status", "git commit -m 'fix the %w of %w'", "git checkout feature/%w-%n", "git push origin %w", "ls -la src/%w", "cd ~/src/%w",
		"go test ./%w/... -run Test%w -count=1", "docker compose up -d %w", "docker logs -f %w-%n", "kubectl -n %w get pods -l app=%w | grep %w",
		"kubectl -n %w delete pod %w-%n", "vim src/%w/%w.go", "npm run build -- --mode %w", "curl -s https://%w.example.org/v1/%w?id=%n | jq .%w",
		"ssh %w@10.0.0.%n tail -n 100 /var/log/%w.log", "rg -n '%w%w' --type go | head -%n", "sudo systemctl restart %w", "make %w VERSION=1.%n",
		"for f in %w/*.csv; do python3 tools/%w.py --in $f --out out/%n; done", "psql -h localhost -U %w -c 'select count(*) from %w where id > %n'",
		"tar czf %w-%n.tar.gz %w/", "cargo test --package %w -- %w::%w", "terraform plan -var env=%w -out=%w-%n.plan"}
	// rare kinds are typed once in two hundred commands.
	rare = []string{"export %w_TOKEN=%t", "rm -rf build/%w", "git push --force origin %w", "rm -rf /var/lib/%w", "curl -s https://%w.example.org/install | sudo bash"}
)

func (t *typist) word() string { return pick(t.r, roots) + pick(t.r, endings) }

func (t *typist) command() string {
	kind := pick(t.r, kinds)
	if t.r.IntN(200) == 0 {
		kind = pick(t.r, rare)
	}
	head, rest, more := strings.Cut(kind, "%")
	var b strings.Builder
	b.WriteString(head)
	for more {
		switch rest[0] {
		case 'w':
			b.WriteString(t.word())
		case 'n':
			fmt.Fprint(&b, t.r.IntN(5000))
		case 't':
			fmt.Fprintf(&b, "ghp_%016x%016x%04x", t.r.Uint64(), t.r.Uint64(), t.r.IntN(1<<16))
		}
		head, rest, more = strings.Cut(rest[1:], "%")
		b.WriteString(head)
	}
	return b.String()
}

// folder is one of some hundreds.
func (t *typist) folder() string {
	return "/home/user/src/" + pick(t.r, roots) + "/" + pick(t.r, endings)
}

// exit is 0 for most commands.
func (t *typist) exit() int {
	switch n := t.r.IntN(1000); {
	case n < 900:
		return 0
	case n < 970:
		return 1
	case n < 990:
		return 2
	case n < 999:
		return 127
	}
	return 130
}

func pick(r *rand.Rand, from []string) string { return from[r.IntN(len(from))] }
