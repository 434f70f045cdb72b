package redact

import (
	"math/rand/v2"
	"strings"
	"testing"

	"mvdan.cc/sh/v3/syntax"
	"pgregory.net/rapid"
)

// keepsTheRest reports whether everything of clean but the markers stands in cmd, in order and from end to end.
func keepsTheRest(cmd, clean string) bool {
	first := true
	for {
		k := nextMarker(clean)
		if k < 0 {
			if first {
				return cmd == clean
			}
			return strings.HasSuffix(cmd, clean)
		}
		part := clean[:k]
		if first && !strings.HasPrefix(cmd, part) {
			return false
		}
		at := strings.Index(cmd, part)
		if at < 0 {
			return false
		}
		cmd = cmd[at+len(part):]
		clean = clean[markerAt(clean, k):]
		first = false
	}
}

func nextMarker(s string) int {
	for i := 0; ; i++ {
		k := strings.Index(s[i:], marker)
		if k < 0 {
			return -1
		}
		i += k
		if markerAt(s, i) >= 0 {
			return i
		}
	}
}

// fragments are pieces of commands in which something goes on.
var fragments = append([]string{"git ", "curl ", "mysql ", "-phunter2 ", "-u a:b ", "--password ", "=", "hunter2", " ", "\n", "&", ";", "|", "password",
	"TOKEN", "api_key", "x", "1", ",", "@", "/", "https://a:b@c", "Authorization: Bearer abc", "echo ", "sudo -S ", "<<EOF\n", "EOF\n", "ghp_0123456789abcdefghijABCDEFGHIJ",
	"REDACTED:password", "REDACTED:", "REDACTED", "é", "\xff", "\x00", "{\"password\":\"abc\"}", "password: abc", "-----END PRIVATE KEY-----", "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo=",
	"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", "set -x ", "config set ", "${", "}", "$'", "\\n", "%20", "Cookie: a=b"}, hostile...)

func commandText() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		return strings.Join(rapid.SliceOfN(rapid.SampledFrom(fragments), 0, 24).Draw(t, "fragments"), "")
	})
}

func TestRedactionIsIdempotentBoundedAndKeepsTheRest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cmd := commandText().Draw(t, "cmd")
		checkPromises(t, cmd)
	})
}

func checkPromises(t interface {
	Helper()
	Fatalf(string, ...any)
}, cmd string) {
	t.Helper()
	clean, kinds := Redact(cmd)
	if (kinds == nil) != (clean == cmd) {
		t.Fatalf("%q became %q with kinds %v", cmd, clean, kinds)
	}
	if again, more := Redact(clean); again != clean || more != nil {
		t.Fatalf("%q\n became %q\n and then %q %v", cmd, clean, again, more)
	}
	if len(clean) > 24*len(cmd) {
		t.Fatalf("%q grew to %q", cmd, clean)
	}
	if !keepsTheRest(cmd, clean) {
		t.Fatalf("%q became %q, which holds bytes of no origin", cmd, clean)
	}
	for i, k := range kinds {
		if !kindNames()[k] || i > 0 && kinds[i-1] >= k {
			t.Fatalf("kinds %v are unknown or not sorted", kinds)
		}
	}
}

// places are commands with a place for a secret (%), in which it must be found whatever the secret looks like.
var places = []string{"mysql -u root -p% app", "export DB_PASSWORD=%", "DB_PASSWORD=% ./run", "./run --password %", "./run --password=%",
	"./run --token=% -v", "curl -u anna:% https://example.com", "sshpass -p % ssh -p 22 host", "echo % | docker login -u a --password-stdin",
	"docker login -u a -p %", "docker run -e API_KEY=% app", "curl -H Authorization:\\ Bearer\\ % https://example.com", "redis-cli -a % ping",
	"vault kv put secret/db password=%", "kubectl create secret generic x --from-literal=k=%", "gh secret set X --body %",
	"sudo -S id <<< %", "set -gx MY_SECRET %", "aws configure set aws_secret_access_key %", "http a.example.com password=%"}

// wrappings put a command into another one; the command is quoted by hand where quotes would not do.
var wrappings = []func(string) (string, bool){
	func(c string) (string, bool) { return c, true },
	func(c string) (string, bool) { return "cd /tmp && " + c + " && echo done", true },
	func(c string) (string, bool) { return "(" + c + ") > log 2>&1", true },
	func(c string) (string, bool) { return "X=$(" + c + ")", true },
	func(c string) (string, bool) { return "if " + c + "; then echo up; fi", true },
	func(c string) (string, bool) { return "sudo bash -c '" + c + "'", !strings.Contains(c, "'") },
	func(c string) (string, bool) {
		return `ssh host "` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, `$`, `\$`).Replace(c) + `"`, !strings.Contains(c, "`")
	},
	func(c string) (string, bool) { return "bash <<'EOF'\n" + c + "\nEOF\n", true },
}

// quotings write a secret as a shell word.
var quotings = []func(string) (string, bool){
	func(s string) (string, bool) {
		return s, strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.+%,:^@/-") == ""
	},
	func(s string) (string, bool) { return "'" + s + "'", !strings.Contains(s, "'") },
	func(s string) (string, bool) {
		return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, `$`, `\$`, "`", "\\`").Replace(s) + `"`, true
	},
}

func passwords() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		s := rapid.StringMatching(`[a-zA-Z][a-zA-Z0-9]{2,8}[a-zA-Z0-9!#%&()*+,.:;=?@^_~ -]{2,12}[a-z0-9]{2}`).Draw(t, "secret")
		return s
	})
}

// A secret in such a place is gone, however it is quoted and wherever the command stands, and where a shell can parse
// the command it still finds the same number of commands and words in it.
func TestSecretsInSurePlacesAreGoneAndTheParseStays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		secret := passwords().Draw(t, "secret")
		written, ok := rapid.SampledFrom(quotings).Draw(t, "quoting")(secret)
		if !ok || pathLike(secret) || placeholder(secret) {
			t.Skip("this secret cannot be written so, or reads as a file name")
		}
		cmd := strings.Replace(rapid.SampledFrom(places).Draw(t, "place"), "%", written, 1)
		cmd, ok = rapid.SampledFrom(wrappings).Draw(t, "wrapping")(cmd)
		if !ok {
			t.Skip("this command cannot be wrapped so")
		}
		clean, kinds := Redact(cmd)
		if kinds == nil || strings.Contains(clean, secret) || strings.Contains(clean, written) {
			t.Fatalf("%q became %q %v", cmd, clean, kinds)
		}
		before, err := shapeOf(cmd)
		if err != nil {
			t.Skip("no shell can parse the command")
		}
		after, err := shapeOf(clean)
		if err != nil || after != before {
			t.Fatalf("%q became %q: parsed as %s before and %s after (%v)", cmd, clean, before, after, err)
		}
		checkPromises(t, cmd)
	})
}

// shapeOf describes the commands of a text by their numbers of words, assignments and redirections.
func shapeOf(cmd string) (string, error) {
	f, err := syntax.NewParser().Parse(strings.NewReader(cmd), "")
	if err != nil {
		return "", err
	}
	var b strings.Builder
	syntax.Walk(f, func(n syntax.Node) bool {
		switch n := n.(type) {
		case *syntax.CallExpr:
			b.WriteString("c" + strings.Repeat("w", len(n.Args)) + strings.Repeat("a", len(n.Assigns)))
		case *syntax.Redirect:
			b.WriteString("r")
		case *syntax.BinaryCmd:
			b.WriteString(n.Op.String())
		}
		return true
	})
	return b.String(), nil
}

// The parse of the corpus stays as well.
func TestTheCorpusParsesAsBefore(t *testing.T) {
	parsed := 0
	families := corpus(t, "testdata/secrets.txt")
	for family, lines := range corpus(t, "testdata/secrets_unseen.txt") {
		families["unseen: "+family] = lines
	}
	for family, lines := range families {
		for i, line := range lines {
			e := parseExample(rand.New(rand.NewPCG(uint64(i), 11)), line)
			before, err := shapeOf(e.cmd)
			if err != nil {
				continue // fish and csh
			}
			parsed++
			clean, _ := Redact(e.cmd)
			if after, err := shapeOf(clean); err != nil || after != before {
				t.Errorf("%s: %q became %q: %s before, %s after, %v", family, e.cmd, clean, before, after, err)
			}
		}
	}
	if parsed < 400 {
		t.Errorf("only %d commands of the corpus parse", parsed)
	}
}

func FuzzRedact(f *testing.F) {
	for _, s := range fragments {
		f.Add(s)
	}
	for _, s := range places {
		f.Add(s)
	}
	f.Add("echo 'a'\\''b' | mysql -p\"x$(echo y)\" <<EOF\nTOKEN=abc\nEOF")
	f.Fuzz(func(t *testing.T, cmd string) { checkPromises(t, cmd) })
}
