package shell

import (
	"os"
	"strings"
	"testing"

	"github.com/caro-mesh/caro-node/observer/shellparse"
)

// expansions returns for each record what its aliases stand for; empty where nothing was told.
func (s *session) expansions() map[string]string {
	s.t.Helper()
	all := map[string]string{}
	for _, r := range s.records() {
		text := r.Expanded
		if r.Aliases != "" {
			text = shellparse.Expand(r.Command, r.Shell, shellparse.ParseAliases(r.Aliases))
		}
		all[r.Command] = text
	}
	return all
}

// aliases define what the tests type. nuke cannot do what it says.
const aliases = `
alias k='echo kubectl'
alias nuke='false && rm -rf /'
alias sudo='echo sudo '
alias ll='ls -l'
alias ls='ls -a'
alias multi='echo one
echo two'
alias quoted='echo "a  b" '\''c'\'''
`

var plain = strings.NewReplacer("; ", "\n", "  ", " ", "  # k", "", "sudo  ", "sudo ")

func TestTheRecordTellsWhatAliasesStandFor(t *testing.T) {
	each(t, automatic, func(t *testing.T, name string) {
		s := start(t, name, config{before: aliases + map[string]string{"bash": "HISTCONTROL=ignoreboth", "zsh": "alias -g W='| wc'; alias -s spool='echo opened'"}[name]})
		lines := map[string]string{
			"k get pods":       "echo kubectl get pods",
			"nuke":             "false && rm -rf /",
			"echo k":           "",
			"true":             "",
			"pwd; true  # k":   "", // a comment
			"ll /":             "ls -a -l /",
			"multi":            "echo one\necho two",
			"quoted":           `echo "a  b" 'c'`,
			"command k; \\k x": "", // neither is an alias
		}
		if name != "fish" {
			lines["false && nuke"] = "false && false && rm -rf /"
			lines["sudo nuke x"] = "echo sudo  false && rm -rf / x"
			lines["cd / && k apply"] = "cd / && echo kubectl apply"
			lines["echo 'it is\nk'; k"] = "echo 'it is\nk'; echo kubectl"
		}
		if name == "zsh" {
			lines["k x W"] = "echo kubectl x | wc"
			lines["./x.spool"] = "echo opened ./x.spool"
		}
		for l := range lines {
			s.enter(l)
		}
		got := s.expansions()
		for l, want := range lines {
			text, recorded := got[l]
			if !recorded {
				t.Errorf("%q was not recorded; %q", l, s.commands())
			}
			same := func(a, b string) bool { return a == b }
			if name == "zsh" { // which prints the line as it has understood it
				same = func(a, b string) bool { return plain.Replace(a) == plain.Replace(b) }
			}
			if same(text, l) {
				text = "" // words that are names, but not in the place of one
			}
			if !same(text, want) {
				t.Errorf("%q: told to stand for %q, want %q", l, text, want)
			}
		}
	})
}

func TestAnAliasThatIsDefinedLaterIsToldToo(t *testing.T) {
	each(t, automatic, func(t *testing.T, name string) {
		s := start(t, name, config{})
		if name == "fish" {
			s.enter("function k; end")
		} else {
			s.enter("k() { :; }")
		}
		s.enter("k 1", "alias k='echo kubectl'", "k 2", "alias k='echo kustomize'", "k 3")
		got := s.expansions()
		if got["k 1"] != "" || got["k 2"] != "echo kubectl 2" || got["k 3"] != "echo kustomize 3" {
			t.Errorf("%q", got)
		}
	})
}

func TestWithoutAliasesNothingMoreIsWritten(t *testing.T) {
	each(t, automatic, func(t *testing.T, name string) {
		s := start(t, name, config{})
		s.enter("echo a; echo b", "true && true; not_there 2>/dev/null", "echo $HOME | cat")
		for command, text := range s.expansions() {
			if text != "" {
				t.Errorf("%q stands for %q", command, text)
			}
		}
	})
}

func TestTheGuardSeesThroughAnAlias(t *testing.T) {
	each(t, automatic, func(t *testing.T, name string) {
		s := guarded(t, name, config{before: "alias nuke='rm -rf ~/keep'; alias n2=nuke; alias safe='echo safe'"})
		dir := s.keep()
		s.enter("safe x")
		for _, line := range []string{"nuke", "n2 # x"} {
			s.asked(line)
			if !strings.Contains(s.screen(), "file.remove-tree") {
				t.Errorf("the reason is not shown: %q", squeeze(s.screen()))
			}
			if name == "fish" {
				s.send("n\r")
				s.wait("the record of the stopped line", func() bool { return len(s.records()) > 1 })
				s.send("\x15")
				break
			}
			s.answer("n\r")
		}
		if !exists(dir) {
			t.Error("it ran")
		}
		if name != "fish" {
			s.asked("true && nuke")
			s.answer("n\r")
		}
		got := s.expansions()
		if got["safe x"] != "echo safe x" || got["nuke"] != "rm -rf ~/keep" {
			t.Errorf("%q", got)
		}
		if r := s.reported(); len(r) < 2 || r[1] != "nuke|b|unknown" {
			t.Errorf("%q", r)
		}
		if _, err := os.Stat(dir); err != nil {
			t.Error(err)
		}
	})
}
