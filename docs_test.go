package caronode_test

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// link finds inline links and images, reference definitions, and the href and src of HTML.
var link = regexp.MustCompile(`\]\(\s*<?([^)\s>]+)>?[^)]*\)|(?m:^ {0,3}\[[^\]]+\]:\s*<?(\S+?)>?(?:\s|$))|(?:href|src)="([^"]+)"`)

// fence is a block or a span of code, in which nothing is a link.
var fence = regexp.MustCompile("(?ms)^```.*?^```|`[^`\n]*`")

func TestEveryRelativeLinkOfTheDocumentsLeadsSomewhere(t *testing.T) {
	docs, err := filepath.Glob("docs/*.md")
	if err != nil || len(docs) == 0 {
		t.Fatal(docs, err)
	}
	checked := 0
	for _, doc := range append([]string{"README.md", "CONTRIBUTING.md", "CHANGELOG.md"}, docs...) {
		text, err := os.ReadFile(doc)
		if err != nil {
			t.Fatal(err)
		}
		n, broken := brokenLinks(filepath.Dir(doc), doc, string(text))
		checked += n
		for _, b := range broken {
			t.Errorf("%s: %s", doc, b)
		}
	}
	if checked == 0 {
		t.Error("no link was found, so nothing was checked")
	}
	t.Logf("%d links lead somewhere", checked)
}

func TestABrokenLinkIsNoticed(t *testing.T) {
	text := "# One two\n[a](docs/architecture.md) [b](no-such.md) [c](#one-two) [d](#three) ![e](none.png \"title\") [f](https://example.org/x)\n" +
		"[g]: missing.md\n`[h](in-code.md)`\n```\n[i](fenced.md)\n```\n<img src=\"nowhere.svg\"> [j](docs/architecture.md#who-gets-in) [k](docs/architecture.md#nobody) [l](docs)"
	n, broken := brokenLinks(".", "README.md", text)
	got := strings.Join(broken, " ")
	for _, want := range []string{"no-such.md", "#three", "none.png", "missing.md", "nowhere.svg", "#nobody"} {
		if !strings.Contains(got, want) {
			t.Errorf("%s was not noticed", want)
		}
	}
	if n != 10 || len(broken) != 6 {
		t.Errorf("%d links, broken: %q", n, broken)
	}
}

// brokenLinks checks the relative links of one document, and returns how many there are.
func brokenLinks(dir, name, text string) (n int, broken []string) {
	for _, m := range link.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
		target := m[1] + m[2] + m[3]
		u, err := url.Parse(target)
		if err != nil {
			broken = append(broken, fmt.Sprintf("%s cannot be read: %v", target, err))
			continue
		}
		if u.IsAbs() || u.Host != "" {
			continue // the documents of others are not looked up
		}
		n++
		to, content := name, text
		if u.Path != "" {
			to = filepath.Join(dir, filepath.FromSlash(u.Path))
			info, err := os.Stat(to)
			if err != nil {
				broken = append(broken, fmt.Sprintf("%s leads nowhere: %v", target, err))
				continue
			}
			if info.IsDir() || u.Fragment == "" {
				continue
			}
			b, err := os.ReadFile(to)
			if err != nil {
				broken = append(broken, err.Error())
				continue
			}
			content = string(b)
		}
		if u.Fragment != "" && strings.HasSuffix(to, ".md") && !headings(content)[u.Fragment] {
			broken = append(broken, fmt.Sprintf("%s: %s has no such heading", target, to))
		}
	}
	return n, broken
}

// headings returns the anchors of a document's headings as code hosts make them.
func headings(text string) map[string]bool {
	out := make(map[string]bool)
	for line := range strings.SplitSeq(text, "\n") {
		title := strings.TrimLeft(line, "#")
		if title == line || !strings.HasPrefix(title, " ") {
			continue
		}
		anchor := regexp.MustCompile(`[^\p{L}\p{N} _-]`).ReplaceAllString(strings.ToLower(strings.TrimSpace(title)), "")
		out[strings.ReplaceAll(anchor, " ", "-")] = true
	}
	return out
}
