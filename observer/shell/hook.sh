# caro-node: reports finished commands to the local observer, for the shells that are called sh.
#
# ksh93 and mksh evaluate PS1 at each prompt and have fc: there the hook is automatic and starts no process. When a command
# began is not known there, only when it ended. mksh does not list its newest line, so each command is reported when the
# next one has been entered, and it keeps no line twice in a row.
#
# dash and other shells offer nothing to hook. For them caro_run runs a command and reports it (through caro-node, so this
# one does start a process):
#
#     caro_run make test
#
# runs `make test`, reports it with its exit status, and returns that status.

__caro_dir=@SPOOL@
__caro_pause_file=@PAUSE@
__caro_paused=

caro_pause() { __caro_paused=1; }
caro_resume() { __caro_paused=; }

caro_run() {
  if "$@"; then set -- 0 "$@"; else set -- "$?" "$@"; fi
  if [ -z "$__caro_paused" ] && [ ! -e "$__caro_pause_file" ]; then
    (
      __caro_exit=$1
      shift
      caro-node observe --shell sh --exit "$__caro_exit" -- "$*" >/dev/null 2>&1
    ) || :
  fi
  return "$1"
}

case $-/${KSH_VERSION-} in
*i*/*MIRBSD* | *i*/*LEGACY*) __caro_kind=mksh ;;
*i*/*' 93'*) __caro_kind=ksh ;;
*) __caro_kind= ;;
esac

# What only these shells can parse is kept from the others in a string.
if [ -n "$__caro_kind" ] && [ "${__caro_pid-}" != "$$" ]; then
  __caro_pid=$$ __caro_kept=0 __caro_number= __caro_exit= __caro_time= __caro_text= __caro_new= __caro_listed= __caro_out= __caro_cwd=$PWD __caro_where=$PWD
  eval '
    case $__caro_kind in
    mksh)
      # Sets __caro_now, __caro_new and __caro_text: the newest line that fc lists.
      __caro_newest() {
        __caro_now=${EPOCHREALTIME//[!0-9]} __caro_text=${ fc -l -1 2>/dev/null;}
        __caro_new=${__caro_text%%[!0-9]*}
      }
      __caro_write() {
        \builtin print -n "\0000\0002C1\0000$1\0000\0000$2\0000$5\0000sh\0000${3//\\/\\\\}\0000${4//\\/\\\\}\0000\0003\0000" >>"$__caro_file"
      }
      ;;
    ksh)
      __caro_newest() {
        __caro_now=${ printf "%(%s%6N)T" now;} __caro_new=$HISTCMD
        [[ $__caro_new == "$__caro_number" ]] || __caro_text=${ fc -l -0 2>/dev/null;}
      }
      __caro_write() {
        command printf "\0\2C1\0%s\0\0%s\0%s\0sh\0%s\0%s\0\3\0" "$1" "$2" "$5" "$3" "$4" >>"$__caro_file"
      }
      ;;
    esac
    __caro_prompt() {
      typeset e=$?
      { __caro_finish "$e"; } 2>/dev/null || :
      # mksh takes the status of the prompt for that of the line. ksh restores it by itself, and would take a status above
      # 256 (the line was interrupted) for a signal of its own.
      [[ $__caro_kind == ksh ]] || return "$e"
    }
    __caro_finish() {
      typeset text e=$1 t cwd=$__caro_where flags= out= was
      if [[ -n $__caro_paused || -e $__caro_pause_file ]]; then out=1; fi
      __caro_newest
      if [[ $__caro_new == "$__caro_number" || -z $__caro_number && $__caro_kind == ksh ]]; then
        # Of the first line in mksh, which is not listed yet, this is the end.
        [[ -n $__caro_listed ]] || __caro_time=$__caro_now __caro_exit=$e __caro_cwd=$__caro_where __caro_out=$out
        __caro_number=$__caro_new __caro_where=$PWD
        return 0
      fi
      __caro_listed=1
      t=$__caro_now
      if [[ $__caro_kind == mksh ]]; then
        # The line just listed ended at the prompt before.
        t=$__caro_time e=$__caro_exit cwd=$__caro_cwd was=$__caro_out
        __caro_time=$__caro_now __caro_exit=$1 __caro_cwd=$__caro_where __caro_out=$out
        out=$was
      fi
      __caro_number=$__caro_new __caro_where=$PWD
      # fc puts number and tab in front, and a tab before each further line.
      text=${__caro_text#*"	"}
      text=${text//"
	"/"
"}
      [[ -n $text ]] || return 0
      if [[ $text == [[:space:]]* || -n $out ]]; then
        __caro_kept=$((__caro_kept + 1)) # told with the next record
        return 0
      fi
      if ((__caro_kept)); then flags=k$__caro_kept; fi
      __caro_write "$t" "$e" "$cwd" "$text" "$flags" && __caro_kept=0
    }
    __caro_newest
    __caro_file=$__caro_dir/sh-$$-$__caro_now-$RANDOM$RANDOM.spool
    PS1='\''${ __caro_prompt;}'\''"$PS1"
  '
fi
