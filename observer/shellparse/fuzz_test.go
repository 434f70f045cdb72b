package shellparse

import (
	"strings"
	"testing"

	"github.com/caro-mesh/caro-node/protocol/vocabulary"
)

var seeds = []string{
	"", "rm -rf /", "sudo -u x env A=b nice rm", "a=(b c); ${a[@]:1:2} ${x//y/z} ${!z} ${#q}",
	"cat <<E | sh\nrm $(ls)\nE", "f(){ f|f& };f",
	"for i in {1..9}; do x $i; done", "find . -exec sh -c 'rm {}' \\;",
	"echo a | base64 -d | xxd -r -p | tr a-z b-za | rev | sh", "if a; b; end",
	"for x (a b) rm $x", "$'\\x41\\u1F600\\777'", "printf '%d %s\\n' 1 2 3", "xargs -I{} sh -c 'x {}' <<< y",
	"parallel rm ::: a", "x=$x$x; eval $x$x",
	"((1+(2*3)))", "case x in a|b) c;; esac", "[[ a =~ b ]] && c", "exec 3<>/dev/tcp/a/1; sh <&3", "python3 -c \"os.system('a')\"", "\x00\xff`'\"$(", "IFS=; a", "docker run -v a:b --entrypoint c d e",
	"alias a=b; a; a", "env -S 'a \"b' c", "sed '1e rm' x | awk 'BEGIN{system(\"y\")}'", "curl -o a b; ./a", "set -- a b; $1 $2 $@", "a <(b) >(c)", "~/x ~y '~'", "r${x}y $@z ${a:-$(b)}",
}

// FuzzParse: whatever the input, resolution ends, does not panic (the recovery of Parse is left out), and its result is
// consistent.
func FuzzParse(f *testing.F) {
	for _, s := range seeds {
		for _, shell := range []string{"bash", "zsh", "fish", "other"} {
			f.Add(s, shell)
		}
	}
	f.Fuzz(func(t *testing.T, line, shell string) {
		if len(line) > 4<<10 {
			return
		}
		w := newWalker(line, vocabulary.ParseShell(shell))
		w.code(line, Source{})
		w.uncalled()
		check(t, w.cmd)
	})
}

// FuzzTokens: the same for the tokeniser alone, which otherwise sees only what the grammar refuses.
func FuzzTokens(f *testing.F) {
	for _, s := range seeds {
		f.Add(s, true)
		f.Add(s, false)
	}
	f.Fuzz(func(t *testing.T, line string, fish bool) {
		if len(line) > 4<<10 {
			return
		}
		shell := vocabulary.ShellBash
		if fish {
			shell = vocabulary.ShellFish
		}
		w := newWalker(line, shell)
		w.tokens(line, Source{})
		w.uncalled()
		check(t, w.cmd)
	})
}

func check(t *testing.T, c *Command) {
	t.Helper()
	if len(c.Runs) > maxRuns {
		t.Fatalf("%d runs", len(c.Runs))
	}
	for i := range c.Runs {
		r := &c.Runs[i]
		if r.Parent >= i {
			t.Fatalf("run %d has parent %d", i, r.Parent)
		}
		if r.Depth < 0 || r.Depth > 2*maxDepth {
			t.Fatalf("run %d has depth %d", i, r.Depth)
		}
		for _, from := range append(append([]int(nil), r.Stdin.From...), r.Code.From...) {
			if from < 0 || from >= len(c.Runs) {
				t.Fatalf("run %d reads from %d", i, from)
			}
		}
		if len(c.Upstream(r.Stdin)) > maxUpstream {
			t.Fatal("upstream without bound")
		}
		_ = r.Line()
	}
}

// FuzzMatch: matching ends in bounded time and never panics.
func FuzzMatch(f *testing.F) {
	f.Add("a*[b-c]?", "abc")
	f.Add("[", "]")
	f.Fuzz(func(t *testing.T, pattern, s string) {
		if len(s) <= maxPattern && !Match("*", s) {
			t.Fatalf("* does not match %q", s)
		}
		if Match(pattern, s) && len(s) > maxPattern {
			t.Fatal("matched beyond the bound")
		}
		if c := Clean(s); Clean(c) != c {
			t.Fatalf("Clean(%q) = %q is not clean", s, c)
		}
		if n := len(unescape(s, escapeC)) + len(unescape(s, escapeEcho)); n > 2*len(s) {
			t.Fatalf("%q grew to %d bytes", s, n)
		}
	})
}

func TestEveryBoundHoldsForAMegabyteOfAnything(t *testing.T) {
	const size = 1 << 20
	units := []string{
		"a;", "(", "$(", "a ", "a|", "a && ", "{a,b}", "x=$x$x;", "eval ", "`", "'\"", "\x00\xff", "sudo ", "${x%%a*b*c*}", "$((1+", "$", "case x in a) ",
		"cat <a ", "alias a=b;", "echo a > f;sh f;", "$(echo a)", "x (", "function f; ", "a\n", "\\", "<<E ", ">(",
		"for i in a; do ", "xargs ", "ssh h ", "{1..9}", "${", "$a[", "x\"", "function 'f; ", "end; ",
		"repeat 3 ", "$((1?", "((1?1:", "((-", "((a=", "[[ a && ", "[[ ( ", "a[a[", "let a[", "${a[", "x=([",
		"${a/", "$[", "[[ -n ", "((1+(", "sh -c '",
	}
	for _, u := range units {
		line := "echo " + strings.Repeat(u, size/len(u))
		for shell, length := range map[vocabulary.ShellType]int{
			vocabulary.ShellBash: size, vocabulary.ShellZsh: size / 8, vocabulary.ShellFish: size / 8,
			vocabulary.ShellOther: smallText,
		} {
			if c := Parse(line[:min(length, len(line))], shell); len(c.Runs) > maxRuns {
				t.Errorf("%q: %d runs", u, len(c.Runs))
			}
		}
	}
	doubling := "x=" + strings.Repeat("a", 64) + ";" + strings.Repeat("x=$x$x;", 60) + "eval $x"
	calls := strings.Builder{}
	for c := 'a'; c < 'z'; c++ {
		calls.WriteString(string(c) + "(){ " + string(c+1) + ";" + string(c+1) + "; };")
	}
	for _, line := range []string{doubling, calls.String() + "a", strings.Repeat("eval ", 5000) + "x", "f(){ f; f; }; f"} {
		Parse(line, vocabulary.ShellBash)
	}
}
