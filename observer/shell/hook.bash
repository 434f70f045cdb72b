# caro-node: reports finished commands to the local observer. bash 4.4 or newer; starts no process.
#
# How it works: PS0 is expanded after a line was read and before it runs; its arithmetic notes the time and the history
# number. PROMPT_COMMAND then takes the line's text back from the history. A line that is not in the history stays unknown.
# Whether an unchanged history means "hidden by a blank or HISTIGNORE" or "the same command again" is told by the first
# simple command of the line, which a DEBUG trap notes; the trap is set only where HISTCONTROL and HISTIGNORE allow both.
#
# Whoever assigns a whole new array to PROMPT_COMMAND after the hook was read removes it: it belongs at the end of ~/.bashrc.
# Anything else that is done to PROMPT_COMMAND, PS0 or the DEBUG trap it survives.
#
# In a shell that never had a history (`set +o history` in its settings) only the first simple command of a line is known.
# A history that is switched off later pauses the recording.

# The person's aliases must not be expanded in what follows; bash reads it command by command.
case $BASHOPTS in *expand_aliases*) __caro_aliases=1 ;; *) __caro_aliases= ;; esac
\shopt -u expand_aliases

__caro_dir=@SPOOL@
__caro_pause_file=@PAUSE@

caro_pause() { __caro_paused=1; }
caro_resume() { __caro_paused=; }

# First in PROMPT_COMMAND, with "$_" as argument so that $_ survives in what follows. Returns the status that it found,
# except under `set -e`, where that would end the shell.
__caro_prompt() {
  local e=$?
  __caro_status=$e __caro_underscore=${1-}
  {
    __caro_t1=${EPOCHREALTIME-}
    if [[ $__caro_t1 ]]; then __caro_t1=${__caro_t1/[^0-9]}; else __caro_clock; fi
    if [[ $__caro_t0 ]]; then
      __caro_finish "$e"
    elif [[ $BASHOPTS != *promptvars* && $HISTCMD != "$__caro_n0" ]]; then
      # Without promptvars PS0 notes nothing; then a line is known by its history number alone.
      __caro_t0=$__caro_t1 __caro_n1=$HISTCMD
      __caro_finish "$e"
    fi
    [[ ! ${__caro_program-} ]] || __caro_guard_ready
    # The state in which the next line will be typed.
    __caro_t0= __caro_armed= __caro_first= __caro_n0=$HISTCMD __caro_cwd=$PWD __caro_tp=$__caro_t1
    # Mostly nothing was changed since the last prompt, and one comparison tells it.
    [[ ${PS0-}/${PROMPT_COMMAND-}/${HISTCONTROL-}/${HISTIGNORE-}/$SHELLOPTS/$BASHOPTS == "$__caro_known" ]] || __caro_changed
  } 2>/dev/null || :
  [[ $- != *e* ]] || return 0
  return "$e"
}

# Sets __caro_t1 to the present time in microseconds.
__caro_clock() {
  if [[ ${EPOCHREALTIME-} ]]; then
    __caro_t1=${EPOCHREALTIME/[^0-9]}
  else
    builtin printf -v __caro_t1 '%(%s)T000000' -1
  fi
}

# Adapts the hook to what the line changed.
__caro_changed() {
  if [[ ${PS0-} != *__caro_t0=* && $BASHOPTS == *promptvars* ]]; then
    PS0='${BASH_VERSION:0:__caro_t0='$__caro_now',__caro_n1=HISTCMD,__caro_armed=1,0}'${PS0-}
  fi
  if [[ $__caro_settings != "${HISTCONTROL-}/${HISTIGNORE-}/$SHELLOPTS/$BASHOPTS" ]]; then __caro_configure; fi
  if [[ ${PROMPT_COMMAND-} != "$__caro_call" ]]; then __caro_look_around; fi
  __caro_known=${PS0-}/${PROMPT_COMMAND-}/${HISTCONTROL-}/${HISTIGNORE-}/$SHELLOPTS/$BASHOPTS
}

# Somebody put something beside the hook.
__caro_look_around() {
  # In front it must not hide the line's status from the hook.
  if [[ ${PROMPT_COMMAND-} == ?*"$__caro_call"* ]]; then
    PROMPT_COMMAND=${PROMPT_COMMAND/"$__caro_call;"}
    PROMPT_COMMAND=${PROMPT_COMMAND/";$__caro_call"}
    PROMPT_COMMAND="$__caro_call;${PROMPT_COMMAND/"$__caro_call"/:}"
  fi
  # bash-preexec is about to install itself, behind this and before __caro_later. From then on it takes the next command for
  # a typed one, which the parts of PROMPT_COMMAND are not.
  if [[ ${PROMPT_COMMAND-} == *__bp_install* ]]; then __caro_todo=$__caro_look';__bp_interactive_mode'; fi
}

# Decides what HISTCONTROL, HISTIGNORE and the shell's options make possible.
__caro_configure() {
  __caro_settings=${HISTCONTROL-}/${HISTIGNORE-}/$SHELLOPTS/$BASHOPTS
  __caro_dups= __caro_hides= __caro_trap= __caro_cmdhist=
  [[ $BASHOPTS != *cmdhist* ]] || __caro_cmdhist=1
  local others=${PROMPT_COMMAND[*]-}
  [[ ${others//history -[aw]} != *history* ]] || __caro_merges=1 # what only writes merges nothing
  case ":${HISTCONTROL-}:" in *:ignoredups:* | *:ignoreboth:* | *:erasedups:*) __caro_dups=1 ;; esac
  case ":${HISTCONTROL-}:" in *:ignorespace:* | *:ignoreboth:*) __caro_hides=1 ;; esac
  if [[ ${HISTIGNORE-} ]]; then
    __caro_hides=1
    [[ $HISTIGNORE != *'&'* ]] || __caro_dups=1
  fi
  case ":$SHELLOPTS:" in
  *:history:*) __caro_history=on ;;
  *) if [[ $__caro_history == o* ]]; then __caro_history=off; else __caro_history=never; fi ;;
  esac
  if [[ $__caro_dups && $__caro_hides || $__caro_history == never || $__caro_merges == 1 ]]; then __caro_trap=1; fi
  __caro_todo=$__caro_look
}

# Evaluated by PROMPT_COMMAND outside any function, because only there bash shows and keeps a DEBUG trap.
__caro_look='{ if [[ $__caro_trap ]] && \builtin trap -p DEBUG >|"$__caro_line" && __caro_chain; then \builtin trap -- "$__caro_new" DEBUG; fi
  if \builtin trap -p EXIT >|"$__caro_line" && [[ ! -s $__caro_line ]]; then \builtin trap __caro_exit EXIT; fi
  : >|"$__caro_line"; __caro_todo=; } 2>/dev/null'

# Reads the present DEBUG trap and puts ours behind it, or fails where it is there already. The person's trap sees the
# same $?, $_ and BASH_COMMAND as before, and its status, which `shopt -s extdebug` heeds, is kept.
__caro_chain() {
  local text quote="'\\''"
  IFS= builtin read -r -d '' text <"$__caro_line"
  case $text in
  *__caro_debug*) return 1 ;;
  '') __caro_new='[[ ${__caro_armed-} != 1 ]] || __caro_debug 0 "$_"' ;;
  "trap -- '"*"' DEBUG"*) # taken apart without eval, which under extdebug that very trap could forbid
    text=${text#"trap -- '"} text=${text%"' DEBUG"*}
    __caro_new=${text//"$quote"/"'"}$'\n''__caro_debug "$?" "$_"'
    ;;
  *) return 1 ;;
  esac
}

# Notes the first simple command of a line, but none of the hook and PROMPT_COMMAND. "$_" is its last argument so that $_
# survives.
__caro_debug() {
  if [[ ${__caro_armed-} == 1 && $BASH_COMMAND != *__caro_* && ${FUNCNAME[1]-} != __caro_* &&
    (${PROMPT_COMMAND-} == __caro_prompt* || ${PROMPT_COMMAND[*]-} != *"$BASH_COMMAND"*) ]]; then
    __caro_armed=2 __caro_first=$BASH_COMMAND
    # After `exec` there is no prompt. Where it fails, the shell goes on and has reported it already.
    [[ $__caro_first != 'exec '[!0-9\<\>\{\&]* ]] || __caro_finish '' 2>/dev/null || :
  fi
  return "$1"
}

# Reports the line that ends the shell, or that runs while the terminal is closed.
__caro_exit() {
  local e=$?
  {
    __caro_clock
    [[ ! $__caro_t0 ]] || __caro_finish "$e" last
    [[ ! $__caro_kept ]] || builtin printf '\0\2C1\0\0\0\0%s\0bash\0\0\0\3\0' "$__caro_kept" >>"$__caro_file"
  } 2>/dev/null || :
}

# Reports the line that ended with status $1, empty where there is none; $2 says that it is the shell's last.
__caro_finish() {
  local e=$1 t0=$__caro_t0 text= added= took= flags=${__caro_confirmed-}$__caro_kept
  # A trap that did not fire was perhaps replaced by somebody.
  [[ ! $__caro_trap || $__caro_armed == 2 ]] || __caro_todo=$__caro_look
  if [[ $__caro_history == on ]]; then
    __caro_read
    # Mostly the history grew by one entry, which is not older than the prompt, and nobody else adds any.
    if ((__caro_n1 == __caro_n0 + 1 && __caro_number == __caro_n0 && __caro_stamp >= __caro_tp / 1000000 - 1 && !__caro_merges)); then
      added=1
    else
      __caro_judge
    fi
    __caro_last=$text
    [[ $added ]] || { __caro_keep; return 0; }
    __caro_prev=$__caro_first
  elif [[ $__caro_history == off ]]; then
    __caro_keep
    return 0
  else
    text=$__caro_first
  fi
  if [[ ! $text || $text == [[:blank:]]* || $__caro_paused || -e $__caro_pause_file ]]; then
    [[ ! $text ]] || __caro_keep
    return 0
  fi
  # Of a line that ran when the shell was ended from outside, the status is not known.
  if [[ $e && (! ${2-} || $text == exit* || $text == logout*) ]]; then took=$((__caro_t1 - t0)); else e=; fi
  if ((${#BASH_ALIASES[@]})); then __caro_aliases "$text"; else __caro_defs=; fi
  if [[ $__caro_defs || $text == *$'\n'* ]]; then
    [[ ! $__caro_defs ]] || flags+=a
    # A line break would make bash write the record in pieces.
    if [[ $text$__caro_defs == *$'\n'* ]]; then text=${text@Q} __caro_defs=${__caro_defs:+${__caro_defs@Q}} flags+=q; fi
  fi
  __caro_t0= # an interrupt from here on must not report the line twice
  builtin printf "\\0\\2C1\\0%s\\0%s\\0%s\\0%s\\0bash\\0%s\\0%s\\0${__caro_defs:+%s\\0}\\3\\0" \
    "$t0" "$took" "$e" "$flags" "$__caro_cwd" "$text" ${__caro_defs:+"$__caro_defs"} >>"$__caro_file" && __caro_kept=
}

# Was the line added to the history? Its number moved, or (erasedups) the last text changed, and the entry is not older than
# the prompt. Where PROMPT_COMMAND merges other sessions' lines (`history -n`), which bear the time of the prompt, the entry
# has to be younger, or hold the line's first simple command. A clock set back proves nothing. Sets added and text of the caller.
__caro_judge() {
  local n1=$__caro_n1 stamp=$__caro_stamp first=$__caro_first
  if [[ $n1 != "$__caro_n0" || $text != "$__caro_last" ]]; then
    local tp=${__caro_tp%??????} s=${t0%??????}
    if ((n1 < __caro_n0 || n1 > __caro_n0 + 1)) && [[ $__caro_cmdhist ]]; then __caro_merges=1; fi
    if ((stamp > tp || s < tp || stamp >= tp - 1 && ! __caro_merges)); then
      added=1
    elif ((stamp >= tp - 1 && s - tp <= 1)) && [[ $first && $text == *"$first"* ]]; then
      added=1
    fi
  fi
  # The line itself may have changed the history: after `history -c` its first simple command has to do.
  if [[ $n1 != "$__caro_n0" && $__caro_number != "$((n1 - 1))" ]]; then
    added=
    if [[ ! $__caro_number ]]; then added=1 text=$first; fi
  fi
  if [[ ! $added && $text == "$__caro_last" && $__caro_dups ]]; then
    if [[ ! $__caro_hides || $first && $first == "$__caro_prev" ]]; then added=1; fi
  fi
}

# Counts a line that is kept out, for the flags of the next record.
__caro_keep() { __caro_kept=k$((${__caro_kept:+${__caro_kept#k} +} 1)); }

# Sets __caro_defs to what the aliases among the words of a line stand for, and the aliases among theirs, and __caro_values to
# the same without names. Which of them stand in the place of a program is left to the reader, who knows the grammar. bash makes BASH_ALIASES anew each time it is looked
# at, so that is done once for all words.
__caro_aliases() {
  local IFS=$' \t\n'
  local names=" ${!BASH_ALIASES[*]} "
  __caro_defs= __caro_values=
  [[ $names != '  ' ]] || return 0
  local w more line=$1
  ((${#line} <= 2000)) || line=${line:0:2000}
  while [[ $line ]]; do
    more=
    for w in ${line//[][\;\|\&\(\)\<\>\`\*\?\$\"\'\\\{\}=]/ }; do
      if [[ $names == *" $w "* && ${BASH_ALIASES[$w]-} && $BASHOPTS == *expand_aliases* ]]; then
        names=${names/" $w "/ }
        __caro_defs+=${__caro_defs:+$'\x1f'}$w=${BASH_ALIASES[$w]}
        more+=$'\n'${BASH_ALIASES[$w]}
      fi
    done
    line=${more:0:2000} __caro_values+=$more
  done
}

# Reads number, time stamp and text of the newest history entry. The history can only be printed: it goes through a
# scratch file, which is empty before and after.
__caro_read() {
  __caro_number= __caro_stamp=
  if [[ $__caro_cmdhist && (! ${HISTTIMEFORMAT+x} || ${HISTTIMEFORMAT@a} != *r*) ]]; then
    {
      HISTTIMEFORMAT=$'%s\n' builtin history 1
      IFS=' ' builtin read -r __caro_number __caro_stamp
      IFS= builtin read -r -d '' text
    } 1<>"$__caro_line" <"$__caro_line"
    # An entry that was edited bears an asterisk, and one without a time question marks.
    if [[ ! $__caro_stamp || $__caro_number$__caro_stamp == *[^0-9]* ]]; then
      __caro_number=${__caro_number%\*}
      [[ $__caro_stamp && $__caro_stamp != *[^0-9]* ]] || __caro_stamp=0
    fi
  else # each line of a command is an entry of its own, or the format of time stamps cannot be chosen
    __caro_number=$((HISTCMD - 1)) __caro_stamp=${t0%??????}
    {
      builtin fc -ln "-$((__caro_n1 > __caro_n0 && __caro_n1 - __caro_n0 < 1000 ? __caro_n1 - __caro_n0 : 1))" -1
      IFS= builtin read -r -d '' text
    } 1<>"$__caro_line" <"$__caro_line"
    text=${text#$'\t'[ *]} text=${text//$'\n\t'[ *]/$'\n'}
  fi
  : >|"$__caro_line"
  text=${text%$'\n'}
}

__caro_call='__caro_prompt "$_"'

# Second in PROMPT_COMMAND: what must be evaluated outside any function, and the hook again where somebody assigned the
# first element of the array.
__caro_later='case ${__caro_t0-}${__caro_todo-} in ?*) \builtin eval "${__caro_t0:+__caro_prompt;}${__caro_todo-}" ;; esac'

# Puts back $?, and as its argument $_, for what follows in one string.
__caro_back() {
  [[ $- != *e* ]] || return 0
  return "$__caro_status"
}

# Puts the hook into PROMPT_COMMAND. From bash 5.1 on that may be an array, whose elements each find $?, $_ and PIPESTATUS
# as the line left them.
__caro_install() {
  if [[ ${PROMPT_COMMAND+x} && ${PROMPT_COMMAND@a} == *r* ]]; then
    builtin printf 'caro-node: PROMPT_COMMAND is read-only in this shell, so commands are not recorded here\n' >&2
  elif [[ ${PROMPT_COMMAND[*]-} == *__caro_prompt* ]]; then
    return 0
  elif ((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] >= 501)) && [[ ${PROMPT_COMMAND-} == *__bp_install* ]]; then
    # bash-preexec takes its installation away from the first element alone; elsewhere it would remove its own trap each time.
    PROMPT_COMMAND=("$__caro_call"$'\n'"${PROMPT_COMMAND[0]}" "$__caro_later" "${PROMPT_COMMAND[@]:1}")
  elif ((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] >= 501)); then
    PROMPT_COMMAND=("$__caro_call" "$__caro_later" "${PROMPT_COMMAND[@]}")
  else
    PROMPT_COMMAND="$__caro_call;$__caro_later;__caro_back \"\$__caro_underscore\"${PROMPT_COMMAND:+;$PROMPT_COMMAND}"
  fi
}

# A child inherits variables after `set -a`, but never a session: its process number differs.
if [[ $- == *i* && ${__caro_pid-} != "$$" ]] && ((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] >= 404)); then
  __caro_pid=$$ __caro_paused= __caro_settings= __caro_history= __caro_known= __caro_cmdhist= __caro_trap= __caro_todo=__caro_prompt __caro_new= __caro_merges=0 __caro_defs= __caro_values=
  __caro_number= __caro_stamp=0 __caro_t0= __caro_n0= __caro_n1= __caro_armed= __caro_first= __caro_prev= __caro_last= __caro_cwd= __caro_tp=0 __caro_status=0 __caro_kept=
  __caro_now='${EPOCHREALTIME/[^0-9]}'
  [[ ${EPOCHREALTIME-} ]] || __caro_now='\D{%s}000000' # bash 4.4 knows whole seconds
  __caro_clock
  __caro_file=bash-$$-$__caro_t1-$RANDOM$RANDOM
  # The scratch file holds a line for an instant; in memory, where there is a folder for that.
  if [[ ${XDG_RUNTIME_DIR-} == /* && -d $XDG_RUNTIME_DIR && -O $XDG_RUNTIME_DIR && -w $XDG_RUNTIME_DIR ]]; then
    __caro_line=$XDG_RUNTIME_DIR/caro-$__caro_file
  else
    __caro_line=$__caro_dir/lines/$__caro_file
  fi
  __caro_file=$__caro_dir/$__caro_file.spool
  __caro_install
fi
[[ ! $__caro_aliases ]] || shopt -s expand_aliases
