package shell

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// omzLike are hooks as the frameworks for zsh set them: functions in the arrays and under the plain names, a widget around
// accept-line, and their usual options.
const omzLike = `
autoload -Uz add-zsh-hook
setopt prompt_subst auto_cd extended_history hist_expire_dups_first hist_ignore_dups hist_ignore_space hist_verify share_history
omz_title() { print -n "" }
omz_precmd() { omz_title "$?"; omz_last=$? }
omz_preexec() { emulate -L zsh; setopt extended_glob; local CMD="${1[(wr)^(*=*|sudo|ssh|mosh|rake|-*)]:gs/%/%%}"; omz_title "$CMD" "$2" }
add-zsh-hook precmd omz_precmd
add-zsh-hook preexec omz_preexec
precmd() { omz_plain=1 }
preexec() { omz_started=$SECONDS }
chpwd() { omz_where=$PWD }
omz-accept() { zle .accept-line }
zle -N accept-line omz-accept
alias -g G='| grep'
alias md='mkdir -p'`

// starshipLikeZsh and starshipLikeFish read the status where the prompt program starship reads it.
const starshipLikeZsh = `
autoload -Uz add-zsh-hook
star_precmd() { STAR_STATUS=$? STAR_PIPE=("${pipestatus[@]}"); unset STAR_START }
star_preexec() { STAR_START=$EPOCHREALTIME }
add-zsh-hook precmd star_precmd
add-zsh-hook preexec star_preexec
zle-keymap-select() { zle reset-prompt }
zle -N zle-keymap-select`

const starshipLikeFish = `
function star_pre --on-event fish_preexec; set -g star_running 1; end
function star_post --on-event fish_postexec; set -g star_status $status; set -g star_took $CMD_DURATION; end
function star_prompt --on-event fish_prompt; set -g star_last $status; end
function fish_right_prompt; end`

func TestRecordingWorksBesideOtherHooks(t *testing.T) {
	bash := map[string]string{"starship": starshipLike, "preexec frameworks": preexecLike, "timer": timerLike,
		"string PROMPT_COMMAND": "PROMPT_COMMAND='history -a; echo -n'", "array PROMPT_COMMAND": "PROMPT_COMMAND+=('true' 'history -a')"}
	for shell, others := range map[string]map[string]string{
		"bash": bash,
		"zsh":  {"oh-my-zsh": omzLike, "starship": starshipLikeZsh},
		"fish": {"starship": starshipLikeFish},
	} {
		for name, other := range others {
			for _, c := range []config{{before: other}, {after: other}} {
				when := "before"
				if c.before == "" {
					when = "after"
				}
				t.Run(shell+"/"+name+" "+when, func(t *testing.T) {
					t.Parallel()
					c.before = ignoreboth(shell) + "\n" + c.before
					recordsAll(t, shell, c)
				})
			}
		}
	}
}

// recordsAll types what is told apart with difficulty, and fails unless each line is recorded once, with its status.
func recordsAll(t *testing.T, shell string, c config) {
	t.Helper()
	s := start(t, shell, c)
	sub := "(exit 3)"
	if shell == "fish" {
		sub = "sh -c 'exit 3'"
	}
	lines := []string{"echo a", "false", "false", " echo hidden", sub, "true | false", "echo b; echo c", "cd /", "pwd"}
	status := []int{0, 1, 1, 3, 1, 0, 0, 0}
	s.enter(lines...)
	want := slices.DeleteFunc(lines, func(l string) bool { return strings.HasPrefix(l, " ") })
	s.want(want...)
	if t.Failed() {
		return
	}
	for i, r := range s.records() {
		if r.Exit == nil || *r.Exit != status[i] {
			t.Errorf("%q: exit status %v, want %d", r.Command, value(r.Exit), status[i])
		}
	}
}

// bashPreexecLike does what bash-preexec is known for: it installs itself at the first prompt, out of the first element of
// PROMPT_COMMAND, removes the DEBUG trap on the way, appends an element that makes the trap expect a typed command, and takes
// the first command after that for one unless it is a part of PROMPT_COMMAND. It shows the line as the history has it.
const bashPreexecLike = `
__bp_interactive_mode() { bp_expected=1; }
__bp_part() {
  local part IFS=$'\n;' parts
  read -rd '' -a parts <<<"${PROMPT_COMMAND[*]}"
  for part in "${parts[@]}"; do [[ $part != "$1" ]] || return 0; done
  return 1
}
__bp_debug() {
  local line
  [[ ${bp_expected-} ]] || return 0
  bp_expected=
  ! __bp_part "$BASH_COMMAND" || return 0
  line=$(HISTTIMEFORMAT= builtin history 1)
  [[ ! $line ]] || preexec "${line#*[0-9]  }"
}
__bp_precmd() { local e=$?; ( exit $e ); precmd; return $e; }
__bp_install() {
  [[ ${PROMPT_COMMAND[*]} != *__bp_precmd* ]] || return 1
  trap __bp_debug DEBUG
  local before=${PROMPT_COMMAND//"$bp_later"/:}
  PROMPT_COMMAND=$'__bp_precmd\n'$before
  PROMPT_COMMAND+=(__bp_interactive_mode)
  __bp_precmd
  __bp_interactive_mode
}
bp_later=$'trap - DEBUG\n__bp_install'
PROMPT_COMMAND=${PROMPT_COMMAND:+$PROMPT_COMMAND$'\n'}$bp_later`

func TestBashPreexecAndTheHookBothSeeEachCommand(t *testing.T) {
	kinds := map[string]string{"an imitation": bashPreexecLike}
	file := os.Getenv("BASH_PREEXEC")
	for _, usual := range []string{"/usr/share/bash-preexec/bash-preexec.sh", filepath.Join(os.Getenv("HOME"), ".bash-preexec.sh")} {
		if file == "" && exists(usual) {
			file = usual
		}
	}
	if file == "" {
		t.Log("BASH_PREEXEC does not name bash-preexec.sh, and it is in none of the usual places: only an imitation is tested")
	} else {
		kinds["the original"] = ". " + quotePOSIX(file)
	}
	for kind, other := range kinds {
		other += "\npreexec() { echo \"$1\" >>~/preexec; }; precmd() { echo \"$?\" >>~/precmd; }"
		for _, control := range []string{"", "ignoredups", "ignoreboth"} {
			for when, c := range map[string]config{"before": {before: other}, "after": {after: other}} {
				t.Run(kind+" "+when+"/"+control, func(t *testing.T) {
					t.Parallel()
					c.before = "HISTCONTROL=" + control + "\n" + c.before
					recordsAll(t, "bash", c)
					s := start(t, "bash", c)
					s.enter("echo a", "sh -c 'exit 3'", "true")
					for file, want := range map[string]string{"preexec": "echo a\nsh -c 'exit 3'\ntrue\n", "precmd": "0\n3\n0\n"} {
						b, err := os.ReadFile(filepath.Join(s.home, file))
						if err != nil || file == "preexec" && string(b) != want || !strings.HasSuffix(string(b), want) {
							t.Errorf("its %s saw %q (%v), want %q", file, b, err, want)
						}
					}
				})
			}
		}
	}
}

func TestTheHookChangesNothingThatFishScriptsSee(t *testing.T) {
	t.Parallel()
	see := `echo "$status|$pipestatus|$CMD_DURATION" | string replace -r '\|\d+$' '|n' >>~/log`
	lines := []string{"false", see, "true | false | true", see, "sh -c 'exit 7'", "", see, "nonexistent 2>/dev/null", see, " false", see,
		"set -l x 1; and " + see, "begin; false; end", see, "function f; return 6; end; f", see, "echo (count $argv) $argv >>~/log"}
	var logs [2]string
	for i := range logs {
		s := start(t, "fish", config{bare: i == 0, before: `
function p1 --on-event fish_preexec; echo "pre $status $argv" >>~/log; end
function p2 --on-event fish_postexec; echo "post $status $pipestatus $argv" >>~/log; end
function p3 --on-event fish_prompt; echo "prompt $status" >>~/log; end`})
		s.enter(lines...)
		b, err := os.ReadFile(filepath.Join(s.home, "log"))
		if err != nil {
			t.Fatal(err)
		}
		logs[i] = string(b)
	}
	if logs[0] != logs[1] {
		t.Errorf("without the hook:\n%s\nwith it:\n%s", logs[0], logs[1])
	}
}
