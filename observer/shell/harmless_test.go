package shell

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// transcript runs the same lines in a shell with and without the hook and returns what each printed.
func transcript(t *testing.T, name string, c config, lines []string) (bare, hooked string) {
	t.Helper()
	var out [2]string
	for i := range out {
		c.bare = i == 0
		s := start(t, name, c)
		s.enter(lines...)
		s.close()
		_, screen, _ := strings.Cut(s.screen(), "<1>$ ")   // what settings print when they are read is theirs
		screen = screen[:strings.LastIndex(screen, ">$ ")] // more may follow the last prompt, or not yet
		screen = strings.ReplaceAll(screen, s.home, "/home")
		screen = regexp.MustCompile(`\[(\d+)\] \d+`).ReplaceAllString(screen, "[$1] PID")
		out[i] = screen
	}
	return out[0], out[1]
}

func TestTheHookChangesNothingThatAPersonSees(t *testing.T) {
	lines := []string{"false", "echo $?", "echo a b", "echo $_", "true | false | true", "echo ${PIPESTATUS[@]} ${pipestatus[@]}", "sh -c 'exit 7'",
		"", "echo $?", "nonexistent", "echo $?", " echo hidden", "echo x", "echo x", "echo \"$HISTCONTROL|$HISTIGNORE|$HISTTIMEFORMAT|$IFS|$-|$SHELLOPTS|$(shopt 2>/dev/null)\"",
		"set -- 1 2 3", "echo $# $*", "echo $!", "(exit 5)", "echo $?", "f() { return 6; }; f", "echo $?"}
	type variant struct{ shell, name, before, after string } // "old" in the name: as before bash 5.1
	variants := []variant{
		{"bash", "plain", "", ""},
		{"bash", "ignoreboth", "HISTCONTROL=ignoreboth", ""},
		{"bash", "ignoreboth and more", "HISTCONTROL=ignoreboth:erasedups; HISTIGNORE='pwd'; HISTTIMEFORMAT='%F '; IFS=,; shopt -s extglob nullglob failglob nocasematch", ""},
		{"bash", "string PROMPT_COMMAND", `PROMPT_COMMAND='echo "[$? ${PIPESTATUS[*]} $_]"'`, ""},
		{"bash", "later string PROMPT_COMMAND", "", `PROMPT_COMMAND='echo "[$? $_]"'${PROMPT_COMMAND:+;$PROMPT_COMMAND}`},
		{"bash", "array PROMPT_COMMAND", `PROMPT_COMMAND=('echo "[$? ${PIPESTATUS[*]} $_]"' 'echo "[$? ${PIPESTATUS[*]} $_]"')`, ""},
		{"bash", "old, string PROMPT_COMMAND", `PROMPT_COMMAND='echo "[$? $_]"'`, ""},
		{"bash", "old, without PROMPT_COMMAND", "HISTCONTROL=ignoreboth", ""},
		{"bash", "old, no clock", "unset EPOCHREALTIME", ""},
		{"bash", "own PS0", "PS0='<running $?>'", ""},
		{"bash", "late PS0", "", "PS0='<running $?>'"},
		{"bash", "starship", starshipLike, ""},
		{"bash", "late starship", "", starshipLike},
		{"bash", "preexec", preexecLike, ""},
		{"bash", "late preexec", "", preexecLike},
		{"bash", "preexec and ignoreboth", "HISTCONTROL=ignoreboth\n" + preexecLike, ""},
		{"bash", "timer", timerLike, ""},
		{"bash", "strict", "set -u; set -o pipefail; set -o noclobber; set -o noglob", ""},
		{"bash", "posix", "set -o posix", ""},
		{"bash", "aliases", "alias history='echo hist' printf='echo pf' read='echo rd' local='echo lo' trap='echo tr' eval='echo ev' builtin='echo bi'", ""},
		{"bash", "functions", "printf() { echo pf; }; history() { echo hist; }; read() { echo rd; }; trap() { echo tr; }; eval() { echo ev; }", ""},
		{"bash", "no history", "set +o history", ""},
		{"zsh", "plain", "", ""},
		{"zsh", "options", "setopt ksh_arrays sh_word_split no_unset warn_create_global no_clobber no_append_create hist_ignore_space hist_ignore_all_dups c_bases octal_zeroes glob_subst interactive_comments", ""},
		{"zsh", "own hooks", `precmd() { print "[pre $? $_]" }; preexec() { print "[exec $? $1]" }`, `autoload -Uz add-zsh-hook; p2() { print "[p2 $?]" }; add-zsh-hook precmd p2`},
		{"zsh", "aliases", "alias sysopen='echo so' emulate='echo em' local='echo lo' typeset='echo ty'", ""},
	}
	for _, v := range variants {
		t.Run(v.shell+"/"+v.name, func(t *testing.T) {
			t.Parallel()
			ls := slices.Clone(lines)
			if v.name == "strict" {
				ls = slices.DeleteFunc(ls, func(l string) bool { return strings.Contains(l, "$!") || strings.Contains(l, "pipestatus") })
			}
			bare, hooked := transcript(t, v.shell, config{before: v.before, after: v.after, old: strings.HasPrefix(v.name, "old")}, ls)
			if bare != hooked {
				i := 0
				for i < min(len(bare), len(hooked)) && bare[i] == hooked[i] {
					i++
				}
				t.Errorf("after\n%s\nwithout the hook:\n%.300s\nwith it:\n%.300s", bare[max(0, i-300):i], bare[i:], hooked[i:])
			}
		})
	}
}

// As the prompt program starship hooks bash 4.4 and newer: the status and PIPESTATUS are read in PROMPT_COMMAND, the time is
// taken in PS0, and an earlier PROMPT_COMMAND is run from within.
const starshipLike = `
ps_before() { :; }
star_precmd() { STAR_STATUS=$? STAR_PIPE=("${PIPESTATUS[@]}"); echo "[star $STAR_STATUS ${STAR_PIPE[*]} started=${STAR_START:+yes}]"; unset STAR_START; star_status "$STAR_STATUS"; eval "$STAR_BEFORE"; }
star_status() { return "$1"; }
STAR_BEFORE=${PROMPT_COMMAND-}
PROMPT_COMMAND=star_precmd
PS0='${STAR_START:$((STAR_START=1,0)):0}'${PS0-}`

// The widespread timer: a DEBUG trap starts it, the last part of PROMPT_COMMAND stops it.
const timerLike = `
timer_start() { timer=${timer:-started}; }
timer_stop() { echo "[timer $timer]"; unset timer; }
trap 'timer_start' DEBUG
PROMPT_COMMAND=timer_stop`

// As the frameworks for preexec functions work: PROMPT_COMMAND begins with their precmd and ends with a command that makes
// the DEBUG trap expect a typed command; the trap tells one from the parts of PROMPT_COMMAND by comparing the texts.
const preexecLike = `
pl_precmd() { local status=$? pipe="${PIPESTATUS[*]}"; echo "[precmd $status]"; return $status; }
pl_expect() { pl_expected=1; }
pl_part() {
  local IFS=$'\n;' part parts
  read -rd '' -a parts <<<"${PROMPT_COMMAND[*]}"
  for part in "${parts[@]}"; do [[ $part != "$1" ]] || return 0; done
  return 1
}
pl_debug() {
  [[ ${pl_expected-} ]] || return 0
  pl_expected=
  pl_part "$BASH_COMMAND" || echo "[preexec $BASH_COMMAND]"
}
trap 'pl_debug "$_"' DEBUG
PROMPT_COMMAND="pl_precmd${PROMPT_COMMAND:+;$PROMPT_COMMAND}"
PROMPT_COMMAND+=(pl_expect)`
