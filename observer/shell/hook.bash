# caro-node: reports finished commands to the local observer. bash 4.4 or newer; starts no process.
#
# How it works: PS0 is expanded after a line was read and before it runs; its arithmetic notes the time and the history
# number. PROMPT_COMMAND then takes the line's text back from the history. A line that is not in the history stays unknown.
# Whether an unchanged history means "hidden by a blank or HISTIGNORE" or "the same command again" is told by the first
# simple command of the line, which a DEBUG trap notes; the trap is set only where HISTCONTROL and HISTIGNORE allow both.

__caro_dir=@SPOOL@
__caro_pause_file=@PAUSE@

caro_pause() { __caro_paused=1; }
caro_resume() { __caro_paused=; }

# First in PROMPT_COMMAND. Returns the status that it found, except under `set -e`, where that would end the shell.
__caro_prompt() {
  local e=$?
  if [[ ${__caro_t0-} ]]; then
    __caro_finish "$e" 2>/dev/null || :
  fi
  __caro_ready 2>/dev/null || :
  [[ $- != *e* ]] || return 0
  return "$e"
}

# Notes the state in which the next line will be typed.
__caro_ready() {
  __caro_t0= __caro_armed= __caro_first= __caro_n0=$HISTCMD __caro_cwd=$PWD
  if [[ ${EPOCHREALTIME-} ]]; then __caro_tp=${EPOCHREALTIME//[!0-9]}; else builtin printf -v __caro_tp '%(%s)T000000' -1; fi
  if [[ ${PS0-} != *__caro_t0=* && $BASHOPTS == *promptvars* ]]; then
    PS0='${BASH_VERSION:0:$((__caro_t0='$__caro_now',__caro_n1=HISTCMD,__caro_armed=1,0))}'${PS0-}
  fi
  if [[ $__caro_settings != "${HISTCONTROL-}/${HISTIGNORE-}/$SHELLOPTS" ]]; then __caro_configure; fi
}

# Decides what HISTCONTROL and HISTIGNORE make possible. __caro_todo is evaluated by PROMPT_COMMAND outside any function,
# because only there bash shows and keeps a DEBUG trap.
__caro_configure() {
  __caro_settings=${HISTCONTROL-}/${HISTIGNORE-}/$SHELLOPTS
  __caro_dups= __caro_hides=
  case ":${HISTCONTROL-}:" in *:ignoredups:* | *:ignoreboth:* | *:erasedups:*) __caro_dups=1 ;; esac
  case ":${HISTCONTROL-}:" in *:ignorespace:* | *:ignoreboth:*) __caro_hides=1 ;; esac
  if [[ ${HISTIGNORE-} ]]; then
    __caro_hides=1
    [[ $HISTIGNORE != *'&'* ]] || __caro_dups=1
  fi
  case ":$SHELLOPTS:" in *:history:*) __caro_history=on ;; *) __caro_history=${__caro_history:-never} ;; esac
  [[ $__caro_history == on && :$SHELLOPTS: != *:history:* ]] && __caro_off=1 || __caro_off=
  if [[ $__caro_dups && $__caro_hides || $__caro_history == never ]]; then __caro_trap=1; __caro_todo=$__caro_look; else __caro_trap=; fi
}

__caro_look='{ builtin trap -p DEBUG >|"$__caro_line" && __caro_chain && builtin trap -- "$__caro_new" DEBUG || :; __caro_todo=; } 2>/dev/null'

# Reads the present DEBUG trap and puts ours behind it, or fails where it is there already. The trap of the person sees the same $?, $_ and BASH_COMMAND as
# before, and its status, which `shopt -s extdebug` heeds, is kept.
__caro_chain() {
  local text
  IFS= builtin read -r -d '' text <"$__caro_line"
  : >|"$__caro_line"
  [[ $text != *__caro_debug* ]] || return 1
  builtin eval "set -- $text"
  if [[ ${3-} ]]; then
    __caro_new=$3$'\n''__caro_debug "$?" "$_"'
  else
    __caro_new='[[ ${__caro_armed-} != 1 ]] || __caro_debug 0 "$_"'
  fi
}

# Notes the first simple command of a line. "$_" is its last argument so that $_ survives.
__caro_debug() {
  if [[ ${__caro_armed-} == 1 && $BASH_COMMAND != __caro_prompt ]]; then
    __caro_armed=2 __caro_first=$BASH_COMMAND
  fi
  return "$1"
}

__caro_finish() {
  local e=$1 t0=$__caro_t0 n1=$__caro_n1 first= t1 text= number= stamp=0 flags= added= same=
  if [[ ${EPOCHREALTIME-} ]]; then t1=${EPOCHREALTIME//[!0-9]}; else builtin printf -v t1 '%(%s)T000000' -1; fi
  if [[ $__caro_armed == 2 ]]; then
    first=$__caro_first
  elif [[ $__caro_trap ]]; then
    __caro_todo=$__caro_look # perhaps somebody replaced the trap
  fi

  if [[ $__caro_history == never ]]; then
    text=$first
  else
    # The history can only be printed: to a scratch file, empty before and after.
    {
      HISTTIMEFORMAT=$'%s\n' builtin history 1
      IFS=' ' builtin read -r number stamp
      IFS= builtin read -r -d '' text
    } 1<>"$__caro_line" <"$__caro_line"
    : >|"$__caro_line"
    text=${text%$'\n'} number=${number%\*}
    [[ $stamp && $stamp != *[!0-9]* ]] || stamp=0

    # Was the line added? Its number moved, or (erasedups) the last text changed, and the entry is younger than the
    # prompt: other sessions' lines, merged by `history -n` in PROMPT_COMMAND, are not. A clock set back proves nothing.
    if [[ $n1 != "$__caro_n0" || $text != "$__caro_last" ]]; then
      local tp=${__caro_tp%??????} s=${t0%??????}
      ((stamp > tp || s < tp || (stamp >= tp - 1 && s - tp <= 1))) && added=1
    fi
    # The line itself may have changed the history (`history -c`): then its first simple command has to do.
    if [[ $n1 != "$__caro_n0" && $number != "$((n1 - 1))" ]]; then
      [[ $number ]] && added= || added=1 text=$first
    fi
    if [[ ! $added && $text == "$__caro_last" && $__caro_dups ]]; then
      if [[ ! $__caro_hides ]] || [[ $first && $first == "$__caro_prev" ]]; then same=1; fi
    fi
    __caro_last=$text
    [[ $added || $same ]] || return 0
    __caro_prev=$first
  fi

  [[ $text && $text != [[:blank:]]* && ! $__caro_off ]] || return 0
  [[ ! ${__caro_paused-} && ! -e $__caro_pause_file ]] || return 0
  # A line break would make bash write the record in pieces.
  if [[ $text == *$'\n'* ]]; then text=${text@Q} flags=q; fi
  builtin printf '\0\2C1\0%s\0%s\0%s\0%s\0bash\0%s\0%s\0\3\0' \
    "$t0" "$((t1 - t0))" "$e" "$flags" "$__caro_cwd" "$text" >>"$__caro_file"
}

# Second in PROMPT_COMMAND: what must be evaluated outside any function, and the hook again where somebody assigned the
# first element of the array.
__caro_later='[[ ! ${__caro_t0-}${__caro_todo-} ]] || builtin eval "${__caro_t0:+__caro_prompt;}${__caro_todo-}" || :'

# Puts the hook into PROMPT_COMMAND. From bash 5.1 on that may be an array, whose elements each find $?, $_ and PIPESTATUS
# as the line left them.
__caro_install() {
  if [[ ${PROMPT_COMMAND@a} == *r* ]]; then
    builtin printf 'caro-node: PROMPT_COMMAND is read-only in this shell, so commands are not recorded here\n' >&2
  elif [[ ${PROMPT_COMMAND[*]-} == *__caro_prompt* ]]; then
    return 0
  elif ((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] >= 501)); then
    PROMPT_COMMAND=(__caro_prompt "$__caro_later" "${PROMPT_COMMAND[@]}")
  else
    PROMPT_COMMAND="__caro_prompt;$__caro_later${PROMPT_COMMAND:+;$PROMPT_COMMAND}"
  fi
}

# A child inherits variables after `set -a`, but never a session: its process number differs.
if [[ $- == *i* && ${__caro_pid-} != "$$" ]] && ((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] >= 404)); then
  __caro_pid=$$ __caro_paused= __caro_settings= __caro_history= __caro_off= __caro_trap= __caro_todo= __caro_new=
  __caro_t0= __caro_n0= __caro_n1= __caro_armed= __caro_first= __caro_prev= __caro_last= __caro_cwd= __caro_tp=0
  if [[ ${EPOCHREALTIME-} ]]; then
    __caro_now='${EPOCHREALTIME//[!0-9]}'
    __caro_file=bash-$$-${EPOCHREALTIME//[!0-9]}-$RANDOM$RANDOM
  else # bash 4.4 and 5.0 without a clock for builtins in parameters: whole seconds
    __caro_now='$(builtin printf "%(%s)T000000" -1)'
    builtin printf -v __caro_file 'bash-%s-%(%s)T000000-%s' "$$" -1 "$RANDOM$RANDOM"
  fi
  __caro_line=$__caro_dir/lines/$__caro_file
  __caro_file=$__caro_dir/$__caro_file.spool
  __caro_install
fi
