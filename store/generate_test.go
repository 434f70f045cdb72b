package store

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/caro-mesh/caro-node/observer/event"
	"github.com/caro-mesh/caro-node/protocol"
)

// generator makes events as a developer's shells do: few folders and sessions, commands that repeat and vary.
type generator struct {
	r  *rand.Rand
	at time.Time
	// step is the mean time between two commands.
	step time.Duration
}

func newGenerator(seed uint64, start time.Time, step time.Duration) *generator {
	return &generator{r: rand.New(rand.NewPCG(seed, 1)), at: start, step: step}
}

var generatorWords = []string{"main", "server", "client", "store", "event", "user", "login", "page", "config", "deploy", "prod", "staging",
	"test", "api", "core", "util", "parser", "index", "render", "cache", "queue", "worker", "mail", "auth", "token", "session"}

func (g *generator) word() string { return generatorWords[g.r.IntN(len(generatorWords))] }

// commandKinds have a category, a risk and a pattern that depend on nothing but the kind.
var commandKinds = []struct {
	category protocol.CommandCategory
	risk     protocol.RiskLevel
	pattern  string
	command  func(g *generator) string
}{
	{"file_ops", 0, "ls -la", func(*generator) string { return "ls -la" }},
	{"file_ops", 0, "cd _", func(g *generator) string { return "cd " + g.word() + "/" + g.word() }},
	{"git", 0, "git status", func(*generator) string { return "git status" }},
	{"git", 0, "git checkout _", func(g *generator) string {
		return fmt.Sprintf("git checkout feature/%s-%s-%d", g.word(), g.word(), g.r.IntN(5000))
	}},
	{"git", 0, "git commit -m _", func(g *generator) string {
		return fmt.Sprintf("git commit -m \"fix %s %s in the %s %s\"", g.word(), g.word(), g.word(), g.word())
	}},
	{"git", 2, "git push --force _ _", func(g *generator) string { return "git push --force origin " + g.word() }},
	{"docker", 0, "docker compose up -d _", func(g *generator) string { return "docker compose up -d " + g.word() }},
	{"docker", 0, "docker logs -f _", func(g *generator) string { return fmt.Sprintf("docker logs -f %012x", g.r.Uint64N(1<<48)) }},
	{"kubernetes", 0, "kubectl -n _ get pods -l _", func(g *generator) string {
		return "kubectl -n " + g.word() + " get pods -l app=" + g.word()
	}},
	{"kubernetes", 1, "kubectl -n _ delete pod _", func(g *generator) string {
		return fmt.Sprintf("kubectl -n %s delete pod %s-%09x-%05x", g.word(), g.word(), g.r.Uint64N(1<<36), g.r.Uint64N(1<<20))
	}},
	{"npm", 0, "npm run _", func(g *generator) string { return "npm run " + g.word() + ":" + g.word() }},
	{"cargo", 0, "cargo test --package _ -- _", func(g *generator) string {
		return "cargo test --package " + g.word() + " -- " + g.word() + "::" + g.word()
	}},
	{"editor", 0, "vim _", func(g *generator) string { return "vim src/" + g.word() + "/" + g.word() + "_" + g.word() + ".go" }},
	{"file_ops", 0, "grep -rn _ --include=_ _", func(g *generator) string {
		return "grep -rn '" + g.word() + g.word() + "' --include=*.ts src/" + g.word()
	}},
	{"network", 0, "curl -s _ | jq _", func(g *generator) string {
		return fmt.Sprintf("curl -s https://%s.example.com/api/v%d/%s?id=%d | jq .%s", g.word(), g.r.IntN(4), g.word(), g.r.IntN(1000000), g.word())
	}},
	{"network", 0, "ssh _", func(g *generator) string {
		return fmt.Sprintf("ssh %s@10.0.%d.%d", g.word(), g.r.IntN(255), g.r.IntN(255))
	}},
	{"other:go", 0, "go test _ -run _ -count=1", func(g *generator) string {
		return "go test ./" + g.word() + "/... -run Test" + g.word() + " -count=1"
	}},
	{"other:make", 0, "make _", func(g *generator) string { return "make " + g.word() }},
	{"system", 1, "sudo systemctl restart _", func(g *generator) string { return "sudo systemctl restart " + g.word() + ".service" }},
	{"file_ops", 3, "rm -rf _", func(g *generator) string { return "rm -rf /var/lib/" + g.word() }},
	{"other", 0, "for", func(g *generator) string {
		return fmt.Sprintf("for f in %s/*.%s; do python3 tools/%s.py --in $f --out out/%08x; done", g.word(), g.word(), g.word(), g.r.Uint32())
	}},
}

func (g *generator) next() event.Event {
	// Dangerous commands are rare.
	k := commandKinds[g.r.IntN(len(commandKinds))]
	if k.risk >= 2 && g.r.IntN(10) > 0 {
		k = commandKinds[0]
	}
	g.at = g.at.Add(time.Duration(g.r.Int64N(2 * int64(g.step))))
	e := event.Event{
		ID: event.NewID(g.at), Timestamp: g.at.Truncate(time.Microsecond), Shell: protocol.ShellBash, Command: k.command(g),
		CWD: "/home/user/src/" + g.word() + "/" + g.word(), Category: k.category, RiskLevel: k.risk, Pattern: k.pattern,
		Session: fmt.Sprintf("bash-%d-%d", 1000+g.r.IntN(4), g.at.Unix()/86400),
	}
	exit, duration := 0, int64(g.r.ExpFloat64()*400)
	if g.r.IntN(12) == 0 {
		exit = 1 + g.r.IntN(2)
	}
	e.ExitCode, e.DurationMS = &exit, &duration
	return e
}

func (g *generator) batch(n int) []event.Event {
	list := make([]event.Event, n)
	for i := range list {
		list[i] = g.next()
	}
	return list
}
