package guard

import (
	"regexp"
	"strings"
	"sync"
)

// MaxLine is the length in bytes (fish: in characters) from which on a line is suspect whatever it holds, so that the look at the words costs
// little.
const MaxLine = 2000

// Computed matches a line that computes words, or the name of a program. It is an extended regular expression that
// bash, zsh, fish and Go read alike.
const Computed = "`|[$][({']|[<>=][(]|[(][[:blank:]]*[)]|<<|[$].*=|=.*[$]|(^|[;&|(!{}])[[:blank:]]*[^[:blank:];&|]*[]$*?[{]"

// Written matches a redirection into a hidden file, a home folder, an absolute path, or what a variable names.
const Written = `>[>&|!]*[[:blank:]]*["']?[~$./]`

// looks are made when [Suspect] is first called: the check of one line, which the person waits for, needs none of them.
var looks = sync.OnceValue(func() look {
	return look{regexp.MustCompile(Computed), regexp.MustCompile(Written), Words()}
})

type look struct {
	computed, written *regexp.Regexp
	words             map[string][]string
}

// Suspect reports whether the line has to be checked before it runs. False means that no rule of level high or critical
// can be about it.
func Suspect(line string) bool {
	if len(line) > MaxLine {
		return true
	}
	l := looks()
	line = strings.ReplaceAll(line, "\\\n", "")
	line = strings.Map(func(r rune) rune {
		if r < ' ' {
			return ';' // a line break parts commands, and nobody types other control characters
		}
		return r
	}, strings.ReplaceAll(line, "\t", " "))
	line = strings.ReplaceAll(line, "/dev/null", "")
	if l.computed.MatchString(line) || l.written.MatchString(line) {
		return true
	}
	text := strings.NewReplacer(`'`, "", `"`, "", `\`, "").Replace(line)
	for _, p := range Parts() {
		if strings.Contains(text, p) {
			return true
		}
	}
	text = strings.ReplaceAll(text, "./", " ") // so that a dot alone is the command
	text = strings.Map(func(r rune) rune {
		if r > 127 || !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.+-", r) {
			return ' '
		}
		return r
	}, text)
	seen := map[string]bool{}
	for _, m := range Marks() {
		seen[string(m)] = strings.ContainsRune(line, m)
	}
	var needs []string
	for _, w := range strings.Fields(text) {
		seen[w] = true
		stem, _, _ := strings.Cut(w, ".")
		for _, w := range [...]string{w, stem} {
			with, known := l.words[w]
			if known && with == nil {
				return true
			}
			needs = append(needs, with...)
		}
	}
	for _, n := range needs {
		if seen[n] {
			return true
		}
	}
	return false
}
