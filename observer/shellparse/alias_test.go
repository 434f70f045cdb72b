package shellparse

import (
	"strings"
	"testing"

	"github.com/caro-mesh/caro-node/protocol/vocabulary"
)

func TestAliasesAreExpandedAsTheShellDoes(t *testing.T) {
	aliases := ParseAliases("k=kubectl\x1fnuke=rm -rf /\x1fsudo=sudo \x1fll=ls -l\x1fls=ls --color\x1fa=b\x1fb=c\x1fc=a x\x1fstart=for i in\x1fgo=cd /; rm -f\x1f..=cd ..\x1f=x\x1fx")
	for _, c := range []struct{ line, want string }{
		{"k get pods", "kubectl get pods"},
		{"k", "kubectl"},
		{"cd x && k get pods | k apply -f -", "cd x && kubectl get pods | kubectl apply -f -"},
		{"false && nuke", "false && rm -rf /"},
		{"A=1 k x", "A=1 kubectl x"},
		{"(k a; { k b; }); if k c; then k d; fi", "(kubectl a; { kubectl b; }); if kubectl c; then kubectl d; fi"},
		{"echo $(k x) `k y` <(k z)", "echo $(kubectl x) `kubectl y` <(kubectl z)"},
		{"echo k; printf nuke", "echo k; printf nuke"},
		{`\k x; 'k' x; "k" x; k"" x; $k x; command k`, `\k x; 'k' x; "k" x; k"" x; $k x; command k`},
		{"sudo nuke", "sudo  rm -rf /"},
		{"sudo -n nuke", "sudo  -n nuke"},
		{"ll x", "ls --color -l x"},
		{"ls x", "ls --color x"},
		{"a", "a x"},
		{"go k", "cd /; rm -f k"},
		{".. ; ls", "cd .. ; ls --color"},
		{"echo 'k; nuke' # nuke", "echo 'k; nuke' # nuke"},
		{"cat <<E\nnuke\nE\nnuke", "cat <<E\nnuke\nE\nrm -rf /"},
		{"nuke && (", "rm -rf / && ("},
		{"sudo nuke && (", "sudo  rm -rf / && ("},
		{"start a b", "for i in a b"},
		{"grün; k", "grün; kubectl"},
	} {
		if got := Expand(c.line, vocabulary.ShellBash, aliases); got != c.want {
			t.Errorf("%q becomes %q, want %q", c.line, got, c.want)
		}
	}
	if got := Expand("k x; and k y", vocabulary.ShellFish, aliases); got != "kubectl x; and k y" {
		t.Errorf("fish: %q", got)
	}
	if got := Expand("for i in *(.); do k $i; done", vocabulary.ShellZsh, aliases); got != "for i in *(.); do kubectl $i; done" {
		t.Errorf("zsh: %q", got)
	}
}

func TestAnExpansionIsBounded(t *testing.T) {
	var all []Alias
	for i := range 40 {
		all = append(all, Alias{"a" + strings.Repeat("x", i), strings.Repeat("a"+strings.Repeat("x", i+1)+"; ", 8)})
	}
	if n := len(Expand("a", vocabulary.ShellBash, all)); n > 2*maxInput {
		t.Errorf("it has grown to %d bytes", n)
	}
}

func FuzzExpand(f *testing.F) {
	f.Add("k get; nuke <<E\nk\nE\n", "k=kubectl \x1fnuke=false && rm\x1fget=k")
	f.Fuzz(func(t *testing.T, line, definitions string) {
		for _, sh := range []vocabulary.ShellType{vocabulary.ShellBash, vocabulary.ShellZsh, vocabulary.ShellFish} {
			if n := len(Expand(line, sh, ParseAliases(definitions))); n > len(line)+2*maxInput {
				t.Errorf("%d bytes", n)
			}
		}
	})
}
