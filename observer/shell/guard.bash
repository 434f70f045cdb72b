
# The guard: dangerous lines are stopped before they run. bash offers two places for it. A DEBUG trap under `shopt -s
# extdebug` can forbid a simple command, but it comes too late and sees too little. It fires for each simple command when
# those before it have run, and after the redirections of a compound command have emptied their files. In a subshell its
# answer is forgotten, and it never sees the whole line. extdebug turns on functrace and errtrace for the person's own
# functions, and there is one DEBUG trap, which is the person's. So Return is bound instead: to a function that sees the
# whole line as it was typed, and then to accept-line. The person's traps and options stay as they are. What does not go
# through Return (a file that is sourced, the editor's edit-and-execute-command) is not stopped.

\shopt -u expand_aliases
\typeset -gA __caro_words
__caro_words=(@WORDS@)
__caro_computed=@COMPUTED@ __caro_written=@WRITTEN@ __caro_program=@PROGRAM@
__caro_lines= __caro_asking= __caro_agreed= __caro_absent=

# Succeeds where the line has to be checked: see package guard, which this mirrors.
__caro_suspect() {
  local - LC_ALL=C IFS=' ' line=$1 text seen= needs= w t
  builtin set -f +eu
  ((${#line} <= @MAX@)) || return 0
  line=${line//$'\\\n'} line=${line//$'\t'/ }
  line=${line//[$'\001'-$'\037']/;} line=${line//'/dev/null'}
  [[ ! $line =~ $__caro_computed && ! $line =~ $__caro_written ]] || return 0
  text=${line//[\'\"\\]}
  case $text in @PARTS@) return 0 ;; esac
  text=${text//.\// }
  text=${text//[!a-zA-Z0-9_.+-]/ }
  for w in @MARKS@; do
    [[ $line != *"$w"* ]] || seen+=" $w"
  done
  seen+=" $text "
  for w in $text; do
    for t in "$w" "${w%%.*}"; do
      [[ $t ]] || continue
      t=${__caro_words[$t]-}
      [[ $t != '!' ]] || return 0
      needs+=" $t"
    done
  done
  for w in $needs; do
    [[ $seen != *" $w "* ]] || return 0
  done
  return 1
}

# Bound to Return, before accept-line. Empties a line that shall not run.
__caro_enter() {
  local full out IFS=$' \t\n'
  # While a command runs the line is an answer to it (`read -e`).
  if [[ ${__caro_t0-} ]]; then return 0; fi
  [[ ${PROMPT_COMMAND[*]-} == *__caro_prompt* ]] || __caro_lines=
  full=$__caro_lines$READLINE_LINE __caro_confirmed=
  __caro_lines=$full$'\n' # what follows if the shell finds the line incomplete
  __caro_aliases "$full"
  __caro_suspect "$full$__caro_values" || return 0
  if ((${#full} + ${#__caro_defs} > 30000)); then # more than can be handed over
    out=$'high\nshell.too-large\nIt is too large to be judged.\nPut it into a file and read it before running it.'
  else
    out=$(CARO_NODE_LINE=$full CARO_NODE_ALIASES=$__caro_defs "$__caro_program" check --guard bash 2>/dev/null) || :
  fi
  case $out in
  safe* | moderate*) return 0 ;;
  high* | critical*) ;;
  *)
    [[ $__caro_absent ]] || builtin printf 'caro-node: the guard cannot run %s, so it lets commands through\n' "$__caro_program" >&2
    __caro_absent=1
    return 0
    ;;
  esac
  if [[ $out != "$__caro_agreed" ]]; then # an answer holds for the lines that follow in the same command
    __caro_asking=$full
    if ! __caro_ask "$out"; then
      # At the secondary prompt only an interrupt drops the lines before. The rest is done before the next prompt.
      if [[ $full != "$READLINE_LINE" ]]; then builtin kill -INT "$$"; fi
      READLINE_LINE= READLINE_POINT=0
      return 0
    fi
    __caro_asking= __caro_agreed=$out
  fi
  __caro_confirmed=c
}

# Shows why the line was stopped, and succeeds where the person types what is asked for. An interrupt leaves it.
__caro_ask() {
  local level rule reason safer key answer= want=y
  {
    IFS= builtin read -r level
    if [[ $level == critical ]]; then want=yes; fi
    builtin printf 'caro-node: stopped, %s risk: %s\n' "$level" "${__caro_asking//[[:cntrl:]]/ }"
    while IFS= builtin read -r rule && IFS= builtin read -r reason && IFS= builtin read -r safer; do
      builtin printf '  %s: %s\n    safer: %s\n' "$rule" "$reason" "$safer"
    done
  } <<<"$1" >&2
  # What was typed before the question is no answer to it.
  while builtin read -t 0 2>/dev/null && IFS= builtin read -r -s -n 1 -t 0.1 key; do :; done
  builtin printf 'Type %s and Return to run it, anything else to leave it: ' "$want" >&2
  while IFS= builtin read -r -s -n 1 key; do
    case $key in
    '' | $'\r') break ;;
    $'\177' | $'\b')
      if [[ $answer ]]; then
        answer=${answer%?}
        builtin printf '\b \b' >&2
      fi
      ;;
    [[:cntrl:]])
      answer=
      break
      ;;
    *)
      answer+=$key
      builtin printf '%s' "$key" >&2
      ;;
    esac
  done
  builtin printf '\n' >&2
  [[ $answer == "$want" ]]
}

# Called before each prompt. Keeps a stopped line in the history, and reports it.
__caro_guard_ready() {
  local text=$__caro_asking flags=b
  __caro_lines= __caro_asking= __caro_agreed= __caro_confirmed=
  [[ $text && $text != [[:blank:]]* ]] || return 0
  if [[ :$SHELLOPTS: == *:history:* ]]; then
    builtin history -s -- "$text"
    __caro_last=$text __caro_prev=
  fi
  [[ ! $__caro_paused && ! -e $__caro_pause_file ]] || return 0
  __caro_aliases "$text"
  local defs=$__caro_defs
  [[ ! $defs ]] || flags+=a
  if [[ $text$defs == *$'\n'* ]]; then text=${text@Q} defs=${defs:+${defs@Q}} flags+=q; fi
  builtin printf "\\0\\2C1\\0%s\\0\\0\\0%s\\0bash\\0%s\\0%s\\0${defs:+%s\\0}\\3\\0" \
    "$__caro_t1" "$flags" "$PWD" "$text" ${defs:+"$defs"} >>"$__caro_file"
}

if [[ $- == *i* && ${__caro_pid-} == "$$" ]]; then
  if [[ ${BLE_VERSION-} ]]; then
    builtin printf 'caro-node: the guard cannot work beside ble.sh, so commands are not stopped in this shell\n' >&2
  else
    for __caro_map in emacs-standard vi-insert vi-command; do
      builtin bind -m "$__caro_map" -x '"\C-x\C-_c": __caro_enter'
      builtin bind -m "$__caro_map" '"\C-x\C-_a": accept-line'
      builtin bind -m "$__caro_map" '"\C-m": "\C-x\C-_c\C-x\C-_a"'
      builtin bind -m "$__caro_map" '"\C-j": "\C-x\C-_c\C-x\C-_a"'
    done 2>/dev/null
    builtin bind -m emacs-standard '"\C-x\C-_o": operate-and-get-next' 2>/dev/null
    builtin bind -m emacs-standard '"\C-o": "\C-x\C-_c\C-x\C-_o"' 2>/dev/null
  fi
fi
[[ ! $__caro_aliases ]] || shopt -s expand_aliases
