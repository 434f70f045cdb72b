package risk_test

import (
	"strings"
	"testing"

	"mvdan.cc/sh/v3/syntax"

	"github.com/caro-mesh/caro-node/observer/category"
	"github.com/caro-mesh/caro-node/observer/risk"
	"github.com/caro-mesh/caro-node/observer/shellparse"
	"github.com/caro-mesh/caro-node/protocol/vocabulary"
)

// typical are lines as people type them all day; their mean is what one event costs.
var typical = []string{
	"git status",
	"ls -la",
	"cd ~/src/api && git pull",
	"docker compose up -d --build",
	"kubectl -n prod get pods -o wide | grep -v Running",
	`git commit -m "Fix the login redirect"`,
	"sudo systemctl restart nginx",
	"rm -rf node_modules && npm install",
	`for f in *.jpg; do convert "$f" "${f%.jpg}.png"; done`,
	`curl -s -H "Authorization: Bearer $TOKEN" https://api.example.com/v1/me | jq .name`,
}

// BenchmarkTypical shows the whole judgement of one line beside its floor, the grammar's parser alone with a reused parser.
func BenchmarkTypical(b *testing.B) {
	b.Run("floor-grammar-only", func(b *testing.B) {
		p := syntax.NewParser(syntax.Variant(syntax.LangBash))
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			if _, err := p.Parse(strings.NewReader(typical[i%len(typical)]), ""); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("parse", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			shellparse.Parse(typical[i%len(typical)], vocabulary.ShellBash)
		}
	})
	b.Run("assess", func(b *testing.B) {
		var parsed []*shellparse.Command
		for _, line := range typical {
			parsed = append(parsed, shellparse.Parse(line, vocabulary.ShellBash))
		}
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			risk.Assess(parsed[i%len(parsed)])
		}
	})
	b.Run("category-and-pattern", func(b *testing.B) {
		var parsed []*shellparse.Command
		for _, line := range typical {
			parsed = append(parsed, shellparse.Parse(line, vocabulary.ShellBash))
		}
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			c := parsed[i%len(parsed)]
			category.Of(c)
			category.Pattern(c)
		}
	})
	b.Run("all", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			c := shellparse.Parse(typical[i%len(typical)], vocabulary.ShellBash)
			risk.Assess(c)
			category.Of(c)
			category.Pattern(c)
		}
	})
}

// BenchmarkLarge judges lines of 1 MiB: the largest that the hooks hand over.
func BenchmarkLarge(b *testing.B) {
	const size = 1 << 20
	for name, unit := range map[string]string{
		"one word": "x", "many words": "a ", "many commands": "a;", "brackets": "(", "substitutions": "$(a) ",
		"pipes": "a|", "quotes": `"$x" `,
	} {
		line := "echo " + strings.Repeat(unit, size/len(unit)) + "a"
		b.Run(strings.ReplaceAll(name, " ", "-"), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				risk.Assess(shellparse.Parse(line, vocabulary.ShellBash))
			}
		})
	}
}
