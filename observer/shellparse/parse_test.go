package shellparse

import (
	"slices"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/caro-mesh/caro-node/protocol/vocabulary"
)

// lines returns what runs, one string per named run, in order.
func lines(c *Command) []string {
	var out []string
	for i := range c.Runs {
		if c.Runs[i].Name != "" {
			out = append(out, c.Runs[i].Name+strings.TrimPrefix(c.Runs[i].Line(), c.Runs[i].Path))
		}
	}
	return out
}

func TestALineIsResolvedIntoTheCommandsThatRun(t *testing.T) {
	tests := []struct {
		name, line string
		want       []string
	}{
		{"quotes", `r\m 'a b' "c"d $'\x65'`, []string{"rm a b cd e"}},
		{"comment", `# rm x`, nil},
		{"sequence", `a; b && c || d & e`, []string{"a", "b", "c", "d", "e"}},
		{"pipe", `a | b |& c`, []string{"a", "b", "c"}},
		{"path", `/usr/bin/Git.exe status`, []string{"Git status"}},
		{"sudo", `sudo -u bob -H FOO=1 rm -f x`, []string{"rm -f x"}},
		{"sudo bundle", `sudo -Hu bob rm x`, []string{"rm x"}},
		{"env", `env -i -u HOME A=b C=d rm x`, []string{"rm x"}},
		{"env -S", `env -S 'rm -f x' y`, []string{"rm -f x y"}},
		{"nested wrappers", `nohup nice -n 5 timeout -k 1 10 ionice -c3 rm x`, []string{"rm x"}},
		{"command -v runs nothing", `command -v rm`, []string{"command -v rm"}},
		{"xargs known", `printf 'a\nb\n' | xargs -n1 rm -f`, []string{`printf a\nb\n`, "rm -f a b"}},
		{"xargs unknown", `ls | xargs rm`, []string{"ls", "rm $()"}},
		{"xargs mark", `echo a | xargs -I% mv % %.bak`, []string{"echo a", "mv a a.bak"}},
		{"parallel", `parallel rm {} ::: a b`, []string{"rm a b"}},
		{"find exec", `find . -name x -exec rm -f {} \; -exec echo {} +`, []string{"find . -name x -exec rm -f {} ; -exec echo {} +", "rm -f {}", "echo {}"}},
		{"sh -c", `bash -euo pipefail -c 'rm "$1"' _ a`, []string{`bash -euo pipefail -c rm "$1" _ a`, "rm a"}},
		{"eval", `eval "rm" '-f x'`, []string{"eval rm -f x", "rm -f x"}},
		{"here-document", "sh <<E\nrm x\nE", []string{"sh", "rm x"}},
		{"here-document expands", "X=y\nsh <<E\nrm $X\nE", []string{"sh", "rm y"}},
		{"quoted delimiter does not", "X=y\ncat <<'E' > f\nrm $X\nE", []string{"cat"}},
		{"here-string", `bash <<< 'rm x'`, []string{"bash", "rm x"}},
		{"pipe into shell", `echo 'rm x' | sh`, []string{"echo rm x", "sh", "rm x"}},
		{"base64", `echo cm0geA== | base64 -d | sh`, []string{"echo cm0geA==", "base64 -d", "sh", "rm x"}},
		{"hex", `echo 726d2078 | xxd -r -p | sh`, []string{"echo 726d2078", "xxd -r -p", "sh", "rm x"}},
		{"tr", `echo ez k | tr a-z n-za-m | sh`, []string{"echo ez k", "tr a-z n-za-m", "sh", "rm x"}},
		{"variables", `C=rm; A="-f x"; $C $A "$A"`, []string{"rm -f x -f x"}},
		{"append", `a=r; a+=m; $a x`, []string{"rm x"}},
		{"array", `a=(rm -f "x y"); "${a[@]}"`, []string{"rm -f x y"}},
		{"defaults", `${X:-rm} ${Y:=z}`, []string{"rm z"}},
		{"slices and patterns", `p=/a/b.c; rm ${p%.*} ${p##*/} ${p:1:1} ${p/b/x}`, []string{"rm /a/b b.c a /a/x.c"}},
		{"indirect", `x=y; y=z; rm ${!x}`, []string{"rm z"}},
		{"unset in a word", `r${nothing}m r$@m`, []string{"rm r$@m"}},
		{"IFS", `rm${IFS}-f$IFS'x'`, []string{"rm -f x"}},
		{"own IFS", `IFS=,; c=rm,-f,x; $c`, []string{"rm -f x"}},
		{"braces", `{rm,-f,a{1,2}}`, []string{"rm -f a1 a2"}},
		{"substitution", `rm $(echo a b) "$(echo c d)"`, []string{"echo a b", "echo c d", "rm a b c d"}},
		{"unknown substitution", `rm $(ls)`, []string{"ls", "rm $()"}},
		{"process substitution", `bash <(echo rm x)`, []string{"echo rm x", "bash /dev/fd/63", "rm x"}},
		{"function", `f() { rm "$1"; }; f x`, []string{"rm x"}},
		{"function never called", `f() { rm x; }`, []string{"rm x"}},
		{"alias", `alias d='rm -f'; d x`, []string{"alias d=rm -f", "rm -f", "rm -f x"}},
		{"loop", `for i in a b; do rm $i; done`, []string{"rm a b"}},
		{"branches", `if a; then b; elif c; then d; else e; fi`, []string{"a", "b", "c", "d", "e"}},
		{"case", `case $x in a) b;; *) c;; esac`, []string{"b", "c"}},
		{"written then run", `echo 'rm x' > f; chmod +x f; ./f`, []string{"echo rm x", "chmod +x f", "f", "rm x"}},
		{"written by tee", `echo 'rm x' | tee f; sh f`, []string{"echo rm x", "tee f", "sh f", "rm x"}},
		{"python", `python3 -c "import os; os.system('rm x')"`, []string{"python3 -c import os; os.system('rm x')", "rm x"}},
		{"python list", `python3 -c "subprocess.run(['rm', '-f', 'x'])"`, []string{"python3 -c subprocess.run(['rm', '-f', 'x'])", "rm -f x"}},
		{"perl backquotes", "perl -e 'print `rm x`'", []string{"perl -e print `rm x`", "rm x"}},
		{"ssh", `ssh -p 22 h 'rm x; ls'`, []string{"ssh -p 22 h rm x; ls", "rm x", "ls"}},
		{"docker exec", `docker exec -it -u 0 c rm x`, []string{"docker exec -it -u 0 c rm x", "rm x"}},
		{"kubectl exec", `kubectl -n a exec p -c b -- rm x`, []string{"kubectl -n a exec p -c b -- rm x", "rm x"}},
		{"su", `su - bob -c 'rm x'`, []string{"su - bob -c rm x", "rm x"}},
		{"trap", `trap 'rm x' EXIT`, []string{"trap rm x EXIT", "rm x"}},
		{"crontab", `echo '0 3 * * * rm x' | crontab -`, []string{"echo 0 3 * * * rm x", "crontab -", "rm x"}},
		{"data", `echo rm x; git commit -m 'rm x'; grep 'rm x' f`, []string{"echo rm x", "git commit -m rm x", "grep rm x f"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := Parse(tt.line, vocabulary.ShellBash)
			if c.Fallback || c.Truncated {
				t.Errorf("fallback %v, truncated %v", c.Fallback, c.Truncated)
			}
			if got := lines(c); !slices.Equal(got, tt.want) {
				t.Errorf("%s\n got %q\nwant %q", tt.line, got, tt.want)
			}
		})
	}
}

func TestFishIsRead(t *testing.T) {
	tests := map[string][]string{
		`for f in a b; rm $f; end`:                {"rm a b"},
		`if test -f x; rm x; else; ls; end`:       {"test -f x", "rm x", "ls"},
		`set x y; rm $x`:                          {"set x y", "rm y"},
		`rm (echo a)`:                             {"echo a", "rm a"},
		`begin; rm x; end`:                        {"rm x"},
		`ls; and rm x; or true`:                   {"ls", "rm x", "true"},
		`function f; rm $argv; end; f x`:          {"rm x"},
		`function f; if a; rm $argv; end; end; f`: {"a", "rm"},
		`echo "a (rm x) $HOME"`:                   {"echo a (rm x) ~"},
		`git status`:                              {"git status"},
		`while true; rm x; end`:                   {"true", "rm x"},
	}
	for line, want := range tests {
		if got := lines(Parse(line, vocabulary.ShellFish)); !slices.Equal(got, want) {
			t.Errorf("%s\n got %q\nwant %q", line, got, want)
		}
	}
}

func TestZshIsRead(t *testing.T) {
	tests := map[string][]string{
		`for f (a b) rm $f`: {"rm a b"},
		`noglob rm x`:       {"rm x"},
		`=rm x`:             {"rm x"},
		`repeat 3 rm x`:     {"rm x"},
		`rm *(.om[1])`:      {"rm *(.om[1])"},
		`() { rm x }`:       {"rm x"},
	}
	for line, want := range tests {
		if got := lines(Parse(line, vocabulary.ShellZsh)); !slices.Equal(got, want) {
			t.Errorf("%s\n got %q\nwant %q", line, got, want)
		}
	}
}

func TestWhatCannotBeParsedIsStillTokenised(t *testing.T) {
	tests := map[string][]string{
		`rm -rf "unfinished`:             {"rm -rf unfinished"},
		`ls; rm x )`:                     {"ls", "rm x"},
		`a && (b; c`:                     {"a", "b", "c"},
		"cat <<E\nrm x\nE\nrm y 'z":      {"cat", "rm y z"},
		`sudo rm $(echo a`:               {"echo a", "rm a"},
		`if true; then rm x`:             {"true", "rm x"},
		`echo 'rm x' | sh; 'unfinished`:  {"echo rm x", "sh", "rm x", "unfinished"},
		`X=a; rm $X ${X} "$X" '$X' "b`:   {"rm a a a $X b"},
		`rm x > "/dev/sda`:               {"rm x"},
		`bash -c 'rm x' "`:               {"bash -c rm x ", "rm x"},
		"echo `echo a` \"b":              {"echo a", "echo a b"},
		`cat <(rm x) "`:                  {"rm x", "cat /dev/fd/63 "},
		`rm $'\x61' "`:                   {"rm a "},
		`for x in a; do rm $x; done; 'b`: {"rm a", "b"},
	}
	for line, want := range tests {
		c := Parse(line, vocabulary.ShellBash)
		if !c.Fallback {
			t.Errorf("%s: no fallback", line)
		}
		if got := lines(c); !slices.Equal(got, want) {
			t.Errorf("%s\n got %q\nwant %q", line, got, want)
		}
	}
}

func find(t *testing.T, c *Command, name string) *Run {
	t.Helper()
	for i := range c.Runs {
		if c.Runs[i].Name == name {
			return &c.Runs[i]
		}
	}
	t.Fatalf("%s: no run %s", c.Text, name)
	return nil
}

func TestARunKnowsItsSurroundings(t *testing.T) {
	c := Parse("cd /srv && sudo nice rm -rf x > /dev/null 2>&1 &", vocabulary.ShellBash)
	r := find(t, c, "rm")
	if !r.Root || r.Dir != "/srv" || !r.Background || r.Joint != "&&" || !slices.Equal(r.Via, []string{"sudo", "nice"}) {
		t.Errorf("%+v", *r)
	}
	if len(r.Redirs) != 1 || r.Redirs[0].Target.Text != "/dev/null" || !r.Redirs[0].Writes() || r.Redirs[0].Appends() {
		t.Errorf("redirections %+v", r.Redirs)
	}
	places := map[string]Place{
		"rm x": PlaceHere, "ssh h rm x": PlaceRemote, "docker exec c rm x": PlaceContainer,
		"docker run i rm x":      PlaceThrowaway,
		"kubectl exec p -- rm x": PlaceContainer, "chroot /mnt rm x": PlaceChroot,
		"ssh h docker run i rm x": PlaceThrowaway,
	}
	for line, want := range places {
		if r := find(t, Parse(line, vocabulary.ShellBash), "rm"); r.Place != want {
			t.Errorf("%s: place %d, want %d", line, r.Place, want)
		}
	}
	if r := find(t, Parse("f() { rm x; }", vocabulary.ShellBash), "rm"); !r.Deferred {
		t.Error("a function that is never called runs nothing")
	}
	if r := find(t, Parse("f() { rm x; }; f", vocabulary.ShellBash), "rm"); r.Deferred {
		t.Error("a function that is called runs")
	}
}

func TestWordsTellWhatIsUnknown(t *testing.T) {
	r := find(t, Parse(`rm "$HOME/a" ~/b '~/c' $X "$Y"/z ${Z:?} * '*' "$(ls)" $PWD`, vocabulary.ShellBash), "rm")
	want := []Word{
		{Text: "~/a"}, {Text: "~/b"}, {Text: "./~/c"}, {Text: "$X", Open: true}, {Text: "$Y/z", Open: true},
		{Text: "$Z", Open: true, Guarded: true}, {Text: "*", Glob: true}, {Text: "*"}, {Text: "$()", Open: true,
			From: []int{0}}, {Text: "."},
	}
	for i, w := range want {
		got := r.Args[i]
		if got.Text != w.Text || got.Open != w.Open || got.Guarded != w.Guarded || got.Glob != w.Glob ||
			!slices.Equal(got.From, w.From) {
			t.Errorf("argument %d: %+v, want %+v", i, got, w)
		}
	}
}

func TestUpstreamFollowsPipesSubstitutionsAndFiles(t *testing.T) {
	for _, line := range []string{
		"curl u | tee f | sed s/a/b/ | sh", "sh <(curl u)", `sh -c "$(curl u)"`, "x=$(curl u); eval $x", "curl u > f; sh f", "curl -o f u && sh ./f",
		"wget http://h/f; sh f", "curl u | (cat; echo) | sh", "bash -c 'curl u' | sh",
		"curl -o f u; chmod +x f; mv f g; ./g",
	} {
		c := Parse(line, vocabulary.ShellBash)
		last := &c.Runs[len(c.Runs)-1]
		found := false
		for _, i := range c.Upstream(Source{From: append(append([]int(nil), last.Code.From...), last.Stdin.From...)}) {
			found = found || c.Runs[i].Name == "curl" || c.Runs[i].Name == "wget"
		}
		if !found {
			t.Errorf("%s: the download is not upstream of %s", line, last.Line())
		}
	}
}

func TestSelfSpawningIsSeen(t *testing.T) {
	for line, want := range map[string]bool{
		":(){ :|:& };:": true, "f() { f & f; }; f": true, "while true; do x & done": true,
		"for ((;;)); do x & done": true, "$0 & $0": true,
		"f() { a | b; }; f": false, "while true; do x & wait; done": false, "for i in 1 2; do x & done": false,
		"walk() { for d in *; do walk $d; done; }": false,
		"while read l; do x $l & done":             false,
	} {
		if got := Parse(line, vocabulary.ShellBash).SelfSpawning; got != want {
			t.Errorf("%s: %v", line, got)
		}
	}
	if !Parse("function f; f | f &; end; f", vocabulary.ShellFish).SelfSpawning {
		t.Error("fish")
	}
}

func TestParsersAreSafeForConcurrentUse(t *testing.T) {
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 200 {
				line := "echo " + strings.Repeat("x", (g*i)%97) + "; sh -c 'rm y'"
				if got := lines(Parse(line, vocabulary.ShellBash)); got[len(got)-1] != "rm y" {
					t.Errorf("got %q", got)
				}
			}
		})
	}
	wg.Wait()
}

func TestQuotingAWordDoesNotChangeIt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.StringMatching(`[a-zA-Z0-9 /.*?$"\\;&|<>(){}\[\]#!%^,=+:@_-]{1,20}`).Draw(t, "word")
		quoted := "'" + word + "'"
		r := Parse("rm "+quoted, vocabulary.ShellBash).Runs[0]
		want := word
		if len(r.Args) != 1 || r.Args[0].Text != want || r.Args[0].Open || r.Args[0].Glob {
			t.Fatalf("%s became %+v", quoted, r.Args)
		}
	})
}

func TestWrappersDoNotChangeWhatRuns(t *testing.T) {
	wraps := []string{"sudo ", "sudo -u root ", "env A=b ", "nohup ", "nice -n 3 ", "time ", "command ", "exec ",
		"timeout 5 ", "stdbuf -oL ", "setsid ", "doas ", "ionice -c 3 "}
	rapid.Check(t, func(t *rapid.T) {
		line := "rm -f x"
		for range rapid.IntRange(0, 6).Draw(t, "depth") {
			line = rapid.SampledFrom(wraps).Draw(t, "wrapper") + line
		}
		got := lines(Parse(line, vocabulary.ShellBash))
		if len(got) != 1 || got[0] != "rm -f x" {
			t.Fatalf("%s became %q", line, got)
		}
	})
}

func TestMatchAgreesWithTheShell(t *testing.T) {
	for _, tt := range []struct {
		pattern, s string
		want       bool
	}{
		{"*", "", true}, {"a*c", "abc", true}, {"a*c", "abd", false}, {"?", "", false}, {"r?", "rm", true}, {"[a-c]x",
			"bx", true}, {"[!a]x", "ax", false},
		{"[", "[", true}, {`\*`, "*", true}, {`\*`, "a", false}, {"*a*b*", "xaxbx", true}, {"[]a]", "]", true}, {"", "", true},
	} {
		if got := Match(tt.pattern, tt.s); got != tt.want {
			t.Errorf("Match(%q, %q) = %v", tt.pattern, tt.s, got)
		}
	}
}

func TestCleanShortensPaths(t *testing.T) {
	for in, want := range map[string]string{
		"/": "/", "//": "/", "/./": "/", "/usr/..": "/", "/../..": "/", "a/../b": "b", "./a/": "a", ".": ".",
		"..": "..", "../..": "../..", "~/": "~", "~/..": "~/..",
		"./~": "./~", "$X/../a": "$X/../a", "": "", "/a//b": "/a/b",
	} {
		if got := Clean(in); got != want {
			t.Errorf("Clean(%q) = %q, want %q", in, got, want)
		}
	}
}
