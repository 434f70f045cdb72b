
# The guard: dangerous lines are stopped before they run. The line editor's widgets that accept a line are wrapped; what
# wrapped them before is called as before, and what wraps them later calls the guard.

if [[ -o interactive && "${__caro_pid-}" == "$$" ]] && \zmodload zsh/zle 2>/dev/null; then
  \typeset -gA __caro_words
  __caro_words=(@WORDS@)
  \typeset -g __caro_computed=@COMPUTED@ __caro_written=@WRITTEN@ __caro_program=@PROGRAM@
  \typeset -g __caro_agreed= __caro_absent= __caro_confirmed=

  # Succeeds where the line has to be checked: see package guard, which this mirrors.
  __caro_suspect() {
    \emulate -L zsh
    \local LC_ALL=C line="$1" text seen= needs= w t
    (( ${#line} <= @MAX@ )) || return 0
    line=${line//$'\\\n'/} line=${line//$'\t'/ }
    line=${line//[$'\001'-$'\037']/;} line=${line//\/dev\/null/}
    if [[ "$line" =~ "$__caro_computed" || "$line" =~ "$__caro_written" ]]; then return 0; fi
    text=${line//[\'\"\\]/}
    case "$text" in @PARTS@) return 0 ;; esac
    text=${text//.\// }
    text=${text//[^a-zA-Z0-9_.+-]/ }
    for w in @MARKS@; do
      if [[ "$line" == *"$w"* ]]; then seen+=" $w"; fi
    done
    seen+=" $text "
    for w in ${=text}; do
      for t in "$w" "${w%%.*}"; do
        [[ -n "$t" ]] || continue
        t="${__caro_words[$t]-}"
        if [[ "$t" == '!' ]]; then return 0; fi
        needs+=" $t"
      done
    done
    for w in ${=needs}; do
      if [[ "$seen" == *" $w "* ]]; then return 0; fi
    done
    return 1
  }

  # Sets __caro_defs to what the aliases among the words of a line stand for, and the aliases among theirs, and
  # __caro_values to the same without names. Global and suffix aliases are not looked at.
  __caro_aliases() {
    \local w line="${1[1,2000]}" more
    __caro_defs= __caro_values=
    while [[ -n "$line" ]]; do
      more=
      for w in ${(z)line}; do
        if (( ${+aliases[$w]} )) && [[ $'\x1f'"$__caro_defs" != *$'\x1f'"$w="* ]]; then
          if [[ -n "$__caro_defs" ]]; then __caro_defs+=$'\x1f'; fi
          __caro_defs+="$w=$aliases[$w]" more+=$'\n'"$aliases[$w]"
        fi
      done
      line="${more[1,2000]}" __caro_values+="$more"
    done
  }

  # Succeeds where the line may run.
  __caro_guard() {
    \emulate -L zsh
    \local full="$PREBUFFER$BUFFER" out __caro_defs __caro_values
    __caro_confirmed=
    [[ "$CONTEXT" == cont ]] || __caro_agreed=
    # `vared` edits values, not commands.
    if [[ "$CONTEXT" != (start|cont) ]]; then return 0; fi
    __caro_aliases "$full"
    if ! __caro_suspect "$full$__caro_values"; then return 0; fi
    if (( ${#full} + ${#__caro_defs} > 30000 )); then # more than can be handed over
      out=$'high\nshell.too-large\nIt is too large to be judged.\nPut it into a file and read it before running it.'
    else
      out=$(CARO_NODE_LINE="$full" CARO_NODE_ALIASES="$__caro_defs" "$__caro_program" check --guard zsh 2>/dev/null)
    fi
    case "$out" in
    (safe*|moderate*) return 0 ;;
    (high*|critical*) ;;
    (*)
      if [[ -z "$__caro_absent" ]]; then
        \zle -I
        \print -ru2 -- "caro-node: the guard cannot run $__caro_program, so it lets commands through"
      fi
      __caro_absent=1
      return 0
      ;;
    esac
    if [[ "$out" != "$__caro_agreed" ]]; then # an answer holds for the lines that follow in the same command
      \zle -I
      {
        \local yes=
        if __caro_ask "$out" "$full"; then yes=1; fi
      } always {
        (( TRY_BLOCK_ERROR = 0, TRY_BLOCK_INTERRUPT = 0 )) # an interrupt is an answer
      }
      if [[ -z "$yes" ]]; then
        __caro_stopped "$full"
        BUFFER=
        # At the secondary prompt only a break drops the lines before.
        if [[ -n "$PREBUFFER" ]]; then \zle .send-break; else \zle .accept-line; fi
        return 1
      fi
      __caro_agreed="$out"
    fi
    __caro_confirmed=c
  }

  # Shows why the line was stopped, and succeeds where the person types what is asked for.
  __caro_ask() {
    \local -a found
    \local key answer= want=y i
    found=("${(@f)1}")
    if [[ "$found[1]" == critical ]]; then want=yes; fi
    \print -ru2 -- "caro-node: stopped, $found[1] risk: ${2//[[:cntrl:]]/ }"
    for (( i = 2; i + 2 <= ${#found}; i += 3 )); do
      \print -ru2 -- "  $found[i]: $found[i+1]"
      \print -ru2 -- "    safer: $found[i+2]"
    done
    # What was typed before the question is no answer to it.
    while \read -t 0 -s -k 1 key 2>/dev/null; do :; done
    \print -nru2 -- "Type $want and Return to run it, anything else to leave it: "
    while \read -s -k 1 key; do
      case "$key" in
      ($'\n'|$'\r') break ;;
      ($'\177'|$'\b') if [[ -n "$answer" ]]; then answer="${answer%?}"; \print -nu2 -- $'\b \b'; fi ;;
      ([[:cntrl:]]) answer=; break ;;
      (*) answer+="$key"; \print -nru2 -- "$key" ;;
      esac
    done
    \print -u2
    [[ "$answer" == "$want" ]]
  }

  # Keeps a stopped line in the history, and reports it.
  __caro_stopped() {
    \emulate -L zsh
    if [[ "$1" == [[:blank:]]* ]]; then return 0; fi
    \print -sr -- "$1"
    if [[ -n "$__caro_paused" || -e "$__caro_pause_file" ]]; then return 0; fi
    \local __caro_defs __caro_values
    __caro_aliases "$1"
    __caro_command="$1" __caro_cwd="$PWD" __caro_confirmed=b __caro_expanded=
    (( __caro_t0 = EPOCHREALTIME * 1000000 ))
    __caro_write
  }

  for __caro_widget in accept-line accept-and-hold accept-line-and-down-history accept-and-infer-next-history; do
    if [[ "${widgets[$__caro_widget]-}" != user:__caro_on_* ]]; then
      \zle -A "$__caro_widget" "__caro_before_$__caro_widget"
      \eval "__caro_on_$__caro_widget() { if __caro_guard; then \\zle __caro_before_$__caro_widget -- \"\$@\"; fi }"
      \zle -N "$__caro_widget" "__caro_on_$__caro_widget"
    fi
  done
fi
