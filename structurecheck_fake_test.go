package caronode_test

import (
	"fmt"
	"strings"
	"testing"
)

// fake makes a graph from lines such as "policy: protocol fmt"; names with a slash in front are of other modules.
func fake(lines ...string) graph {
	g := graph{}
	full := func(name string) string {
		if other, ok := strings.CutPrefix(name, "/"); ok {
			return other
		}
		return importPath(name)
	}
	for _, line := range lines {
		name, imports, _ := strings.Cut(line, ":")
		p := &pkg{ImportPath: full(name)}
		for _, i := range strings.Fields(imports) {
			p.Imports = append(p.Imports, full(i))
		}
		g[p.ImportPath] = p
	}
	return g
}

// expect checks that there is one violation for each text, in order, and that it contains the text.
func expect(t *testing.T, got []string, want ...string) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%d violations, expected %d:\n%s", len(got), len(want), strings.Join(got, "\n"))
		return
	}
	for i, w := range want {
		if !strings.Contains(got[i], w) {
			t.Errorf("violation %q does not say %q", got[i], w)
		}
	}
}

func TestLayerCheckFindsWhatIsWrong(t *testing.T) {
	rules := []layer{
		{folder: "top", may: []string{anything}}, {folder: "mid", owns: "things", may: []string{"low/..."}}, {folder: "low"}, {folder: "low/a", may: []string{"low"}},
		{folder: "tests/...", may: []string{anything}, tool: true},
	}
	expect(t, checkLayers(fake("top: mid low low/a /fmt", "mid: low low/a", "low: /fmt /github.com/x/y", "low/a: low", "tests/x: top tests/y", "tests/y:"), rules))
	expect(t, checkLayers(fake("low: mid"), rules), "low () imports mid; it may import nothing of this module")
	expect(t, checkLayers(fake("mid: top low"), rules), "mid (things) imports top; it may import low/...")
	expect(t, checkLayers(fake("low/a: low/b", "low/b:"), rules), "low/a () imports low/b", "low/b has no place")
	expect(t, checkLayers(fake("top: tests/y"), rules), "top imports tests/y, which is for tests")
	expect(t, checkLayers(fake("lowest:"), rules), "lowest has no place")
	expect(t, checkLayers(fake(":"), rules), "the root package has no place")
	broken := fake("low:")
	broken[module+"/low"].Error = &struct{ Err string }{"expected 'package'"}
	expect(t, checkLayers(broken, rules), "low cannot be read, so its imports are unknown: expected 'package'")
}

func TestReachCheckFollowsEveryChain(t *testing.T) {
	rule := reach{from: []string{"wire/..."}, to: []string{"raw/..."}, why: "secrets stay here"}
	expect(t, checkReach(fake("wire: low", "wire/a: wire", "low: /fmt", "raw: wire", "raw/x:", "other: raw"), rule))
	expect(t, checkReach(fake("wire: raw", "raw:"), rule), "wire reaches raw (wire → raw), which it must not: secrets stay here")
	expect(t, checkReach(fake("wire/a: low", "low: lower", "lower: raw/x raw/y", "raw/x:", "raw/y:"), rule),
		"wire/a reaches raw/x (wire/a → low → lower → raw/x)", "wire/a reaches raw/y")
	expect(t, checkReach(fake("wire: /other.org/m", "/other.org/m: raw", "raw:"), rule), "wire → other.org/m → raw")
	// A folder that only begins with the same letters is another one.
	expect(t, checkReach(fake("wireless: raw", "wire: rawhide", "raw:", "rawhide:"), rule))
}

func TestDependencyCheckTellsTheChain(t *testing.T) {
	rules := []dependency{{"heavy.org/m", onlyItself, "it is heavy"}, {"heavy.org/tree", withEverythingBelow, "all of it is"}}
	expect(t, checkDependencies(fake("cmd: a", "a: /heavy.org/m/light", "/heavy.org/m/light: /fmt", "unused: /heavy.org/m", "/heavy.org/m:"), module+"/cmd", rules))
	expect(t, checkDependencies(fake("cmd: a", "a: /x.org/y", "/x.org/y: /heavy.org/m /heavy.org/tree/deep/er", "/heavy.org/m:"), module+"/cmd", rules),
		"the binary contains heavy.org/m (cmd → a → x.org/y → heavy.org/m): it is heavy", "heavy.org/tree/deep/er")
	expect(t, checkDependencies(fake("cmd: /heavy.org/treehouse"), module+"/cmd", rules))
}

func TestStreamCheckFindsEveryUse(t *testing.T) {
	for _, c := range []struct {
		imports, body string
		want          []string
	}{
		{`"strings"; "path/filepath"; "errors"`, `_ = strings.Join(nil, filepath.Join(errors.Join(nil).Error()))`, nil},
		{`"github.com/libp2p/go-libp2p/core/network"`, `var c network.Conn; c.Close(); _ = network.DirInbound`, nil},
		{`"github.com/libp2p/go-libp2p-pubsub"`, `ps, _ := pubsub.NewGossipSub(ctx, h, pubsub.WithPeerFilter(f)); _ = ps`, nil},
		{`"context"`, `bus.Subscribe(); bus.Publish(1); group.Wait()`, nil}, // of our own, no topic
		{`str "strings"`, `_ = str.Join(nil, "")`, nil},
		{`"example.org/go-list"; "example.org/text/v2"`, `list.Join(); text.Join()`, nil},

		{`"context"`, `s, err := h.NewStream(ctx, p, "/x")`, []string{"a/b.go:3:", "uses NewStream"}},
		{`"context"`, `n.host.SetStreamHandler("/x", handle)`, []string{"uses SetStreamHandler"}},
		{`"context"`, `h().SetStreamHandlerMatch("/x", match, handle)`, []string{"uses SetStreamHandlerMatch"}},
		{`"context"`, `open := h.NewStream; open(ctx, p)`, []string{"uses NewStream"}},
		{`"context"`, `topic, err := router.Join("caro/health/1")`, []string{"uses Join"}},
		{`"strings"`, `n.strings.Join("caro/health/1")`, []string{"uses Join"}},
		{`"github.com/libp2p/go-libp2p/core/network"`, `func(s network.Stream) {}(nil)`, []string{"uses Stream"}},
		{`n "github.com/libp2p/go-libp2p/core/network"`, `var f n.StreamHandler`, []string{"uses StreamHandler"}},
		{`. "github.com/libp2p/go-libp2p/core/network"`, `var s Stream`, []string{"imports all names of " + network}},
		{`"github.com/libp2p/go-libp2p-pubsub"`, `var x *pubsub.Topic`, []string{"uses Topic"}},
		{`"github.com/libp2p/go-libp2p-pubsub"`, `x.Publish(ctx, nil)`, []string{"uses Publish"}},
		{`ps "github.com/libp2p/go-libp2p-pubsub"`, `_ = ps.Subscription{}`, []string{"uses Subscription"}},
	} {
		source := fmt.Sprintf("package b; import (%s)\n\nfunc f() { %s }\n", c.imports, c.body)
		f, err := parseSource("a/b.go", []byte(source))
		if err != nil {
			t.Fatalf("%s: %v", source, err)
		}
		got := checkStreams(f)
		if (len(got) > 0) != (c.want != nil) || len(got) > 1 {
			t.Errorf("%s %s: %q, expected %q", c.imports, c.body, got, c.want)
			continue
		}
		for _, w := range c.want {
			if !strings.Contains(got[0], w) || !strings.Contains(got[0], onlyProtocol) {
				t.Errorf("%q does not say %q", got[0], w)
			}
		}
	}
}

func TestCommentAndLengthChecksFindWhatIsWrong(t *testing.T) {
	parse := func(path, source string) *file {
		f, err := parseSource(path, []byte(source))
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	expect(t, checkComments([]*file{
		parse("a/x.go", "package a\n"), parse("a/doc.go", "// Package a owns things.\npackage a\n"),
		parse("b/x.go", "// +build linux\n\npackage b\n"), parse("c/x.go", "//\npackage c\n"), parse("d/x_test.go", "// Package d tests.\npackage d\n"), parse("y.go", "package y\n"),
	}), "the root package has no package comment", "b has no package comment", "c has no package comment")

	lines := func(n int) string { return "package a\n" + strings.Repeat("\n", n-1) }
	expect(t, checkLength(parse("a/x.go", lines(maxLines))))
	expect(t, checkLength(parse("a/x_test.go", lines(maxLines+1))))
	expect(t, checkLength(parse("a/x.go", lines(maxLines+1))), "a/x.go has 451 lines, more than 450")
}
