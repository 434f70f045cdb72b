package redact

import (
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// corpus reads a file of commands, one a line, "⏎" standing for a newline, by the "# family" that it stands under. Lines
// that begin with "## " are notes for the reader.
func corpus(t testing.TB, path string) map[string][]string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]string{}
	family := ""
	for line := range strings.SplitSeq(string(b), "\n") {
		if line == "" || strings.HasPrefix(line, "## ") {
			continue
		}
		if name, ok := strings.CutPrefix(line, "# "); ok {
			family = name
			continue
		}
		out[family] = append(out[family], strings.ReplaceAll(line, "⏎", "\n"))
	}
	return out
}

func TestHarmlessCommandsStayByteIdentical(t *testing.T) {
	for _, file := range []string{"testdata/harmless.txt", "testdata/harmless_unseen.txt"} {
		n := 0
		for family, cmds := range corpus(t, file) {
			for _, cmd := range cmds {
				n++
				if clean, kinds := Redact(cmd); clean != cmd || kinds != nil {
					t.Errorf("%s: %q\n became %q %v", family, cmd, clean, kinds)
				}
			}
		}
		if n < 300 {
			t.Errorf("%s holds %d commands, not 300", file, n)
		}
		t.Logf("%s: %d commands", file, n)
	}
}

var fillers = map[byte]string{'n': "0123456789", 'h': "0123456789abcdef", 'l': "0123456789abcdefghijklmnopqrstuvwxyz",
	'u': "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", 'a': "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"}

// fill expands <a36> and its like in a pattern; the secrets of the corpus are not written out, because tools that look
// for leaked secrets would find them. m and H are a and h with letters and digits certain to be mixed, d and b are URL and
// standard base64, B is base64 without padding that starts with letters of both cases.
func fill(r *rand.Rand, pattern string) string {
	var out strings.Builder
	for {
		open := strings.IndexByte(pattern, '<')
		if open < 0 {
			return out.String() + pattern
		}
		end := strings.IndexByte(pattern[open:], '>')
		n, err := 0, error(nil)
		if end > 2 {
			n, err = strconv.Atoi(pattern[open+2 : open+end])
		}
		if end <= 2 || err != nil {
			out.WriteString(pattern[:open+1])
			pattern = pattern[open+1:]
			continue
		}
		out.WriteString(pattern[:open])
		out.WriteString(random(r, pattern[open+1], n))
		pattern = pattern[open+end+1:]
	}
}

func random(r *rand.Rand, class byte, n int) string {
	prefix, chars := "", fillers[class]
	switch class {
	case 'd':
		chars = fillers['a'] + "_-"
	case 'b':
		chars = fillers['a'] + "+/"
	case 'B':
		prefix, chars = "aZ4b", fillers['a']+"+/"
	case 'm':
		prefix, chars = "a4Zb7Qx2"[:min(n, 8)], fillers['a']
	case 'H':
		prefix, chars = "a4f7", fillers['h']
	}
	b := []byte(prefix)
	for len(b) < n {
		b = append(b, chars[r.IntN(len(chars))])
	}
	return string(b)
}

// example is a line of the corpus of secrets: «kind|pattern» stands for a secret.
type example struct {
	cmd, want string
	kinds     []string
	secrets   []string
}

func parseExample(r *rand.Rand, line string) example {
	var e example
	for {
		before, rest, found := strings.Cut(line, "«")
		before = fill(r, before)
		e.cmd += before
		e.want += before
		if !found {
			break
		}
		var body string
		body, line, _ = strings.Cut(rest, "»")
		kind, pattern, _ := strings.Cut(body, "|")
		secret := fill(r, pattern)
		if secret == "" {
			continue
		}
		e.cmd += secret
		e.want += marker + kind
		e.kinds = append(e.kinds, kind)
		e.secrets = append(e.secrets, secret)
	}
	slices.Sort(e.kinds)
	e.kinds = slices.Compact(e.kinds)
	return e
}

func TestEachFamilyOfTheCorpusHasTenExamplesAndTenCounterExamples(t *testing.T) {
	families, counter := corpus(t, "testdata/secrets.txt"), corpus(t, "testdata/harmless.txt")
	for family, lines := range families {
		if len(lines) < 10 || len(counter[family]) < 10 {
			t.Errorf("family %s has %d examples and %d counter-examples, not 10", family, len(lines), len(counter[family]))
		}
	}
}

func TestSecretsAreReplacedAndNothingElse(t *testing.T) {
	for _, file := range []string{"testdata/secrets.txt", "testdata/secrets_unseen.txt"} {
		checkSecrets(t, file)
	}
}

func checkSecrets(t *testing.T, file string) {
	t.Helper()
	n := 0
	families := corpus(t, file)
	for family, lines := range families {
		for i, line := range lines {
			n++
			e := parseExample(rand.New(rand.NewPCG(uint64(i), 7)), line)
			clean, kinds := Redact(e.cmd)
			if clean != e.want || !slices.Equal(kinds, e.kinds) {
				t.Errorf("%s: %q\n became %q %v\n wanted %q %v", family, e.cmd, clean, kinds, e.want, e.kinds)
			}
			if again, more := Redact(clean); again != clean || more != nil {
				t.Errorf("%s: redacting %q again gave %q %v", family, clean, again, more)
			}
		}
	}
	if n < 300 {
		t.Errorf("%s holds %d commands, not 300", file, n)
	}
	t.Logf("%s: %d commands with secrets in %d families", file, n, len(families))
}
