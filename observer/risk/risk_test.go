package risk

import (
	"testing"

	"github.com/caro-mesh/caro-node/observer/shellparse"
	"github.com/caro-mesh/caro-node/protocol/vocabulary"
)

func level(line string) vocabulary.RiskLevel {
	return Assess(shellparse.Parse(line, vocabulary.ShellBash)).Level
}

func TestTextThatIsOnlyDataIsSafe(t *testing.T) {
	for _, line := range []string{
		`echo "rm -rf /"`, `grep -r "rm -rf /" .`, `git commit -m "remove rm -rf / from the script"`, `# rm -rf /`,
		`printf '%s\n' 'dd if=/dev/zero of=/dev/sda'`,
		"cat <<'EOF' > notes.md\nrm -rf /\nEOF", `git log --grep='reset --hard'`, `X="rm -rf /"`, `man rm`,
		`which rm dd mkfs`, `echo ':(){ :|:& };:'`, `rg 'curl .* \| bash' docs`,
	} {
		if got := level(line); got != vocabulary.RiskSafe {
			t.Errorf("%s: %s", line, got)
		}
	}
}

func TestWhatRunsIsJudgedHoweverItIsWritten(t *testing.T) {
	for _, line := range []string{
		`rm -rf /`, `sudo rm -rf -- / `, `bash -c 'rm -rf /'`, `rm -fr /`, `rm -r -f /`, `rm --recursive --force /`,
		`r\m -rf /`, `'rm' -rf /`, `/bin/rm -rf //`, `rm -rf /*`, `rm -rf ~`, `rm -rf "$HOME"/`,
		`X=/; rm -rf $X`, `env A=b nohup rm -rf / &`, `echo / | xargs rm -rf`, `eval "rm -rf /"`,
		"sh <<EOF\nrm -rf /\nEOF", `bash <<< 'rm -rf /'`, `echo 'rm -rf /' | sh`, `$(echo rm) -rf /`,
		`cd / && rm -rf *`, `find / -delete`,
		`timeout 9 sudo -u root rm -rf /etc`, `rm -rf ../../../../../`, `{ rm -rf /; }`, `(rm -rf /)`,
		`true && rm -rf /`, `if true; then rm -rf /; fi`, `echo cm0gLXJmIC8K | base64 -d | bash`, `rm$IFS-rf$IFS/`,
	} {
		if got := level(line); got != vocabulary.RiskCritical {
			t.Errorf("%s: %s", line, got)
		}
	}
}
