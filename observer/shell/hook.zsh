# caro-node: reports finished commands to the local observer. zsh 5.1 or newer; starts no process.
#
# preexec notes time, folder and text; precmd writes one record with one write(2). The backslashes keep the person's
# aliases out.

if [[ -o interactive ]] && \zmodload zsh/datetime zsh/system zsh/parameter 2>/dev/null; then
  \typeset -g __caro_dir=@SPOOL@ __caro_pause_file=@PAUSE@
  # A child inherits variables after `setopt allexport`, but never a session: its process number differs.
  if [[ "${__caro_pid-}" != "$$" ]]; then
    \typeset -g __caro_pid=$$ __caro_paused= __caro_command= __caro_cwd= __caro_file= __caro_confirmed= __caro_expanded=
    \typeset -gi 10 __caro_t0=0 __caro_t1=0 __caro_fd=0 __caro_kept=0
    (( __caro_t0 = EPOCHREALTIME * 1000000 ))
    __caro_file="$__caro_dir/zsh-$$-$__caro_t0-$RANDOM$RANDOM.spool"
  fi

  caro_pause() { \typeset -g __caro_paused=1 }
  caro_resume() { \typeset -g __caro_paused= }

  __caro_preexec() {
    \emulate -LR zsh
    # A line that zsh keeps out of its history arrives here empty, but one with a leading blank in full.
    if [[ -n "$1" && "$1" != [[:blank:]]* && -z "$__caro_paused" && ! -e "$__caro_pause_file" ]]; then
      __caro_command="$1" __caro_cwd="$PWD" __caro_expanded=
      if [[ "$3" != "$1" ]] && __caro_aliased "$1"; then __caro_expanded="$3"; fi
      (( __caro_t0 = EPOCHREALTIME * 1000000 ))
      # After `exec` there is no prompt. Where it fails, the shell goes on and has reported it already.
      if [[ "$1" == exec\ [^0-9\<\>\{\&]* ]]; then __caro_write; fi
    else
      (( ++__caro_kept )) # told with the next record
    fi
  }

  __caro_precmd() {
    \local e=$?
    \emulate -LR zsh
    [[ -n "$__caro_command" ]] || return 0
    (( __caro_t1 = EPOCHREALTIME * 1000000 ))
    __caro_write "$e" "$(( __caro_t1 - __caro_t0 ))"
  }

  # The line that ends the shell, or that runs while the terminal is closed.
  __caro_zshexit() {
    \local e=$?
    \emulate -LR zsh
    (( ZSH_SUBSHELL == 0 )) || return 0
    if [[ "$__caro_command" == (exit|logout)* ]]; then
      __caro_write "$e"
    elif [[ -n "$__caro_command" ]] || (( __caro_kept )); then
      __caro_write
    fi
  }

  # Succeeds where a word of the line is an alias. zsh rewrites every line that it hands over expanded (`a;b` on two lines),
  # so a difference alone proves nothing.
  __caro_aliased() {
    \local w
    for w in ${(z)1[1,2000]}; do
      if (( ${+aliases[$w]} || ${+galiases[$w]} || ${+saliases[${w:e}]} )); then return 0; fi
    done
    return 1
  }

  # Status and duration may be missing.
  __caro_write() {
    \local flags="${__caro_confirmed-}" more=
    if [[ -n "$__caro_expanded" ]]; then
      flags+=e more="$__caro_expanded"$'\0'
    elif [[ -n "${__caro_defs-}" ]]; then # of a line that the guard has stopped, which is not expanded yet
      flags+=a more="$__caro_defs"$'\0'
    fi
    if (( __caro_kept )); then flags+=k$__caro_kept; fi
    if [[ -z "$__caro_command" ]]; then __caro_t0=0 __caro_cwd=; fi # there is this alone to tell
    if \sysopen -a -w -o creat,cloexec -m 600 -u __caro_fd "$__caro_file" 2>/dev/null; then
      \syswrite -o $__caro_fd -- $'\0\2C1\0'"$__caro_t0"$'\0'"$2"$'\0'"$1"$'\0'"$flags"$'\0zsh\0'"$__caro_cwd"$'\0'"$__caro_command"$'\0'"$more"$'\3\0' 2>/dev/null
      \exec {__caro_fd}>&-
      __caro_kept=0
    fi
    __caro_command= __caro_confirmed= __caro_expanded=
  }

  \autoload -Uz add-zsh-hook
  \add-zsh-hook preexec __caro_preexec
  \add-zsh-hook precmd __caro_precmd
  \add-zsh-hook zshexit __caro_zshexit
  # First, so that the duration holds no other hook's time.
  precmd_functions=(__caro_precmd "${(@)precmd_functions:#__caro_precmd}")
fi
