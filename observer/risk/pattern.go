package risk

import (
	"strings"
	"sync"
	"sync/atomic"

	"github.com/caro-mesh/caro-node/observer/shellparse"
	"github.com/caro-mesh/caro-node/observer/wordset"
)

// A pattern describes commands by their words, in a line of text:
//
//	git push -f|--force !--dry-run
//
// The first word names the programs. The others must all hold:
//
//	word|word    the next operand is one of these (operands are the words that are no options, in order)
//	...          operands may be left out up to the next one named
//	-x|--long    one of these options is given; -x is also found in a bundle such as -ax, and --long also cut short
//	             where the program takes that
//	=-word       exactly this word is given, for programs with long options behind one dash
//	!-x|--long   none of these options is given
//	~text        some word contains text; a second ~ stands for a blank
//	$word|word   the last operand is one of these
//	^word|word   no operand is one of these
//
// Words may hold * as in the shell.
type pattern struct {
	rule  string
	terms []term
}

type term struct {
	kind  byte // 'o' operand, '.' gap, '-' option, and the marks of the notation
	words []string
	stars bool // some word holds *
}

// line is one pattern as it is written, without the names of the programs.
type line struct{ rule, text string }

// linesOf searches the rules for what is about a program.
func linesOf(name string) []line {
	other := sameAs[name]
	var first, own []line
	for _, rules := range ruleGroups {
		for i := range rules {
			for _, when := range rules[i].when {
				names, text, _ := strings.Cut(when, " ")
				for n := range strings.SplitSeq(names, "|") {
					switch n {
					case name:
						own = append(own, line{rules[i].ID, text})
					case other:
						first = append(first, line{rules[i].ID, text})
					}
				}
			}
		}
	}
	return append(first, own...)
}

// programs holds all programs that a pattern is about; what it says of each is compiled when it is judged first.
var programs = sync.OnceValue(func() map[string]func() []pattern {
	m := map[string]func() []pattern{}
	add := func(name string) {
		if m[name] == nil {
			m[name] = sync.OnceValue(func() []pattern { return compileAll(linesOf(name)) })
		}
	}
	for _, rules := range ruleGroups {
		for i := range rules {
			for _, when := range rules[i].when {
				names, _, _ := strings.Cut(when, " ")
				for n := range strings.SplitSeq(names, "|") {
					add(n)
				}
			}
		}
	}
	for alias, name := range sameAs {
		if m[name] != nil {
			add(alias)
		}
	}
	return m
})

// few is how many programs are looked up by a search. A process that judges one line, for which somebody waits, needs no
// more; one that judges many is better served by the map of all programs, which takes twenty searches to make.
const few = 16

var lookups atomic.Int32

// patternsOf returns the patterns that are about the program.
func patternsOf(name string) []pattern {
	if lookups.Load() < few && lookups.Add(1) <= few {
		return compileAll(linesOf(name))
	}
	if patterns := programs()[name]; patterns != nil {
		return patterns()
	}
	return nil
}

// sameAs lists programs that are judged by the rules of another one.
var sameAs = map[string]string{
	"podman": "docker", "nerdctl": "docker", "docker-compose": "docker", "podman-compose": "docker",
	"oc": "kubectl", "k": "kubectl", "g": "git", "tf": "terraform", "tofu": "terraform", "terragrunt": "terraform",
	"opentofu": "terraform",
	"grm":      "rm", "srm": "rm", "gfind": "find", "gdd": "dd", "dcfldd": "dd", "dc3dd": "dd", "gshred": "shred",
	"mariadb": "mysql", "mycli": "mysql", "pgcli": "psql", "cockroach": "psql", "mongo": "mongosh",
	"valkey-cli": "redis-cli", "keydb-cli": "redis-cli",
	"ncat": "nc", "netcat": "nc", "nc.traditional": "nc", "nc.openbsd": "nc", "cryptcat": "nc", "sbd": "nc", "dbd": "nc",
	"pwncat": "nc", "pwncat-cs": "nc", "rustcat": "nc", "rcat": "nc", "powercat": "nc", "ncat.exe": "nc", "gmv": "mv",
	"gcp":    "cp",
	"gchmod": "chmod", "gchown": "chown", "chgrp": "chown",
	"apt-get": "apt", "aptitude": "apt", "nala": "apt", "yum": "dnf", "microdnf": "dnf", "yay": "pacman",
	"paru": "pacman", "pip3": "pip", "pnpm": "npm", "ip6tables": "iptables",
	"fdfind": "fd", "deluser": "userdel", "adduser": "useradd", "halt": "shutdown", "poweroff": "shutdown",
	"reboot": "shutdown", "gsutil": "gcloud",
}

func compileAll(lines []line) []pattern {
	out := make([]pattern, len(lines))
	for i, l := range lines {
		out[i] = compile(l)
	}
	return out
}

func compile(l line) pattern {
	p := pattern{rule: l.rule}
	for f := range strings.FieldsSeq(l.text) {
		t := term{kind: 'o', words: strings.Split(f, "|")}
		switch {
		case f == "...":
			t = term{kind: '.'}
		case f[0] == '-':
			t.kind = '-'
		case strings.IndexByte("!=~$^", f[0]) >= 0:
			t = term{kind: f[0], words: strings.Split(f[1:], "|")}
			if t.kind == '~' {
				for i := range t.words {
					t.words[i] = strings.ReplaceAll(t.words[i], "~", " ")
				}
			}
		}
		t.stars = strings.IndexByte(f, '*') >= 0
		p.terms = append(p.terms, t)
	}
	return p
}

// matches reports whether the pattern means a run; ops are the positions of its operands.
func (p *pattern) matches(r *shellparse.Run, ops []int) bool {
	next, gap := 0, false
	for i := range p.terms {
		t := &p.terms[i]
		switch t.kind {
		case '.':
			gap = true
		case 'o':
			found := false
			for next < len(ops) && !found {
				at := ops[next]
				found = t.any(r.Args[at].Text)
				next++
				if !gap && (at == 0 || !mayTakeValue(r.Args[at-1].Text)) {
					break
				}
			}
			if !found {
				return false
			}
			gap = false
		case '-':
			if !hasOption(r, t.words) {
				return false
			}
		case '!':
			if hasOption(r, t.words) {
				return false
			}
		case '=':
			if !hasWord(r, t.words) {
				return false
			}
		case '~':
			if !containsText(r, t.words) {
				return false
			}
		case '$':
			if !t.any(lastOperand(r)) {
				return false
			}
		case '^':
			for _, at := range ops {
				if t.any(r.Args[at].Text) {
					return false
				}
			}
		}
	}
	return true
}

// mayTakeValue reports whether a word is an option whose value may be the next word: of most programs that is not known.
func mayTakeValue(t string) bool {
	return len(t) > 1 && t[0] == '-' && t != "--" && strings.IndexByte(t, '=') < 0
}

// maxList bounds the words that are taken apart at commas.
const maxList = 256

func (t *term) any(w string) bool {
	for _, x := range t.words {
		if x == w || t.stars && strings.IndexByte(x, '*') >= 0 && shellparse.Match(x, w) {
			return true
		}
	}
	if i := strings.IndexByte(w, ','); i >= 0 && i+1 < len(w) && len(w) <= maxList { // kubectl delete svc,deploy
		return t.any(w[:i]) || t.any(w[i+1:])
	}
	return false
}

// hasOption reports whether one of the options is given: a long one alone or with a value, a short one alone or bundled.
func hasOption(r *shellparse.Run, options []string) bool {
	for i := range r.Args {
		t := r.Args[i].Text
		if len(t) < 2 || t[0] != '-' {
			continue
		}
		if t == "--" {
			return false
		}
		for _, o := range options {
			if t == o {
				return true
			}
			switch {
			case len(o) == 2 && t[1] != '-':
				if strings.IndexByte(t[1:], o[1]) > 0 && bundle(t) {
					return true
				}
				if t[1] == o[1] && bundle(t) {
					return true
				}
			case len(o) > 2 && len(t) > len(o) && t[len(o)] == '=' && t[:len(o)] == o:
				return true
			case len(t) > 2 && len(t) < len(o) && t[1] == '-' && abbreviating.Has(r.Name) && !whole.Has(t) &&
				strings.HasPrefix(o, t):
				return true
			case strings.IndexByte(o, '*') >= 0 && shellparse.Match(o, t):
				return true
			}
		}
	}
	return false
}

// abbreviating are programs that take long options cut short: rm --rec.
var abbreviating = wordset.Of(`rm chmod chown chgrp cp mv ln shred truncate tee git tar useradd usermod userdel groupdel passwd wipefs
	wget iptables ip6tables systemctl mount umount swapoff sort sed grep grm gchmod gchown base64 sgdisk
	cryptsetup parted sfdisk dpkg rpm pacman `)

// whole are long options that are no abbreviations of longer ones.
var whole = wordset.Of(`--force --all --delete --prune --reset --hard --soft --mixed --keep --merge --mirror --tags --tag --remove --user
	--group --append --create --list --help --version --directory --recursive --exclude --include --file --data --time --size --no
	--output --quiet --verbose --now --cached --staged --abort --continue --output-document --decode --reference --vacuum`)

// bundle reports whether a word can be a bundle of short options: letters and digits only, and not longer than such are.
func bundle(t string) bool {
	if len(t) > 8 {
		return false
	}
	for i := 1; i < len(t); i++ {
		c := t[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') {
			return false
		}
	}
	return true
}

func lastOperand(r *shellparse.Run) string {
	for i := len(r.Args) - 1; i >= 0; i-- {
		if t := r.Args[i].Text; t == "-" || t == "" || t[0] != '-' {
			return t
		}
	}
	return ""
}

func hasWord(r *shellparse.Run, words []string) bool {
	for i := range r.Args {
		for _, w := range words {
			if r.Args[i].Text == w || strings.IndexByte(w, '*') >= 0 && shellparse.Match(w, r.Args[i].Text) {
				return true
			}
		}
	}
	return false
}

func containsText(r *shellparse.Run, texts []string) bool {
	for i := range r.Args {
		for _, x := range texts {
			if strings.Contains(r.Args[i].Text, x) {
				return true
			}
		}
	}
	return false
}

// fieldOf reports whether a blank separated list holds the word.
func fieldOf(list, word string) bool {
	for list != "" {
		var f string
		f, list, _ = strings.Cut(list, " ")
		if f == word {
			return true
		}
	}
	return false
}
