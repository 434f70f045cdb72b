package main

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// typed is one command of a person's day.
type typed struct {
	text string
	cwd  string
	exit int
	took time.Duration
	at   time.Time
}

// habit is a command that a person types now and then: how often, how often it fails, and about how long it takes.
type habit struct {
	text     string
	weight   int
	failRate float64
	took     time.Duration
}

var everybody = []habit{
	{"git status", 30, 0, 20 * time.Millisecond},
	{"git diff", 14, 0, 30 * time.Millisecond},
	{"git add -p", 8, 0, 20 * time.Second},
	{"git commit -m '{message}'", 12, .05, 300 * time.Millisecond},
	{"git pull --rebase", 8, .1, 2 * time.Second},
	{"git push", 7, .08, 3 * time.Second},
	{"git log --oneline -20", 6, 0, 15 * time.Millisecond},
	{"git checkout -b {branch}", 3, 0, 40 * time.Millisecond},
	{"ls -la", 20, 0, 5 * time.Millisecond},
	{"cd {folder}", 22, .02, time.Millisecond},
	{"cat README.md", 4, 0, 4 * time.Millisecond},
	{"grep -rn '{word}' .", 9, .3, 80 * time.Millisecond},
	{"vim {file}", 14, 0, 3 * time.Minute},
	{"ssh {host}", 4, .1, 4 * time.Minute},
	{"curl -s https://{host}/health", 3, .2, 150 * time.Millisecond},
	{"rm {file}", 2, .05, 3 * time.Millisecond},
	{"rm -rf build", 2, 0, 60 * time.Millisecond},
	{"make test", 8, .25, 14 * time.Second},
	{"tmux attach", 1, .1, time.Hour},
}

var roles = map[string][]habit{
	"backend": {
		{"go test ./...", 18, .2, 9 * time.Second}, {"go build ./...", 8, .1, 3 * time.Second},
		{"docker compose up -d", 5, .1, 8 * time.Second}, {"docker ps", 6, 0, 40 * time.Millisecond},
		{"psql -h {host} app", 3, .05, 2 * time.Minute}, {"git push --force-with-lease", 2, 0, 3 * time.Second},
		{"docker system prune -af", 1, 0, 12 * time.Second},
	},
	"frontend": {
		{"npm run dev", 6, .05, 50 * time.Minute}, {"npm test", 12, .25, 11 * time.Second}, {"npm install", 5, .1, 20 * time.Second},
		{"npx playwright test", 4, .3, 40 * time.Second}, {"code .", 5, 0, 200 * time.Millisecond}, {"rm -rf node_modules", 2, 0, 4 * time.Second},
		{"git reset --hard origin/main", 1, 0, 100 * time.Millisecond},
	},
	"operations": {
		{"kubectl get pods -n {namespace}", 16, .05, 300 * time.Millisecond}, {"kubectl logs -f deploy/{word}", 8, .05, 40 * time.Second},
		{"terraform plan", 5, .15, 25 * time.Second}, {"sudo systemctl restart {word}", 4, .05, 2 * time.Second},
		{"journalctl -u {word} -n 200", 6, 0, 90 * time.Millisecond}, {"kubectl delete pod {word}-0", 2, .05, time.Second},
		{"sudo iptables -F", 1, 0, 20 * time.Millisecond}, {"helm upgrade {word} ./chart", 3, .1, 12 * time.Second},
		{"chmod -R 777 /srv/{word}", 1, 0, 50 * time.Millisecond},
	},
	"data": {
		{"python train.py --epochs 3", 6, .15, 12 * time.Minute}, {"pip install -r requirements.txt", 3, .1, 20 * time.Second},
		{"jupyter lab", 3, 0, 2 * time.Hour}, {"duckdb -c 'select count(*) from events'", 5, .05, 700 * time.Millisecond},
		{"pytest -q", 9, .25, 8 * time.Second}, {"rsync -av data/ {host}:/data/", 2, .05, 3 * time.Minute},
	},
	"rust": {
		{"cargo test", 14, .2, 18 * time.Second}, {"cargo clippy", 8, .2, 6 * time.Second}, {"cargo build --release", 5, .05, 50 * time.Second},
		{"cargo fmt", 7, 0, 300 * time.Millisecond}, {"nvim {file}", 10, 0, 4 * time.Minute}, {"git clean -fdx", 1, 0, 2 * time.Second},
	},
}

var words = map[string][]string{
	"{message}":   {"Fix the flaky test", "Handle empty input", "Rename the field", "Update the changelog", "Make errors clearer"},
	"{branch}":    {"fix-timeout", "retry-backoff", "page-size", "cleanup"},
	"{folder}":    {"src", "..", "~/work/app", "docs", "-"},
	"{word}":      {"billing", "search", "gateway", "timeout", "worker"},
	"{file}":      {"main.go", "notes.md", "config.yaml", "app.ts", "server.rs"},
	"{host}":      {"build1.internal", "db2.internal", "10.0.3.7"},
	"{namespace}": {"staging", "prod", "tools"},
}

// week makes n commands of one person over the seven days before now, mostly in working hours, oldest first.
func week(r *rand.Rand, role string, n int, now time.Time) []typed {
	habits := append(append([]habit(nil), everybody...), roles[role]...)
	total := 0
	for _, h := range habits {
		total += h.weight
	}
	out := make([]typed, 0, n)
	for i := range n {
		h := pick(r, habits, total)
		// Evenly spread days, hours around the middle of the working day, the latest before now.
		at := now.Add(-time.Duration(float64(7*24*time.Hour) * (1 - float64(i)/float64(n))))
		at = time.Date(at.Year(), at.Month(), at.Day(), 9+r.IntN(5)+r.IntN(5), r.IntN(60), r.IntN(60), 0, at.Location())
		if !at.Before(now) {
			at = now.Add(-time.Duration(1+r.IntN(3600)) * time.Second)
		}
		c := typed{text: fill(r, h.text), cwd: "/home/demo/work", at: at, took: time.Duration(float64(h.took) * (.5 + r.Float64()))}
		if r.Float64() < h.failRate {
			c.exit = 1 + r.IntN(2)
		}
		out = append(out, c)
	}
	return out
}

func pick(r *rand.Rand, habits []habit, total int) habit {
	n := r.IntN(total)
	for _, h := range habits {
		if n -= h.weight; n < 0 {
			return h
		}
	}
	panic(fmt.Sprintf("weights do not add up to %d", total))
}

func fill(r *rand.Rand, text string) string {
	for slot, choices := range words {
		if strings.Contains(text, slot) {
			text = strings.ReplaceAll(text, slot, choices[r.IntN(len(choices))])
		}
	}
	return text
}
