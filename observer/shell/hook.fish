# caro-node: reports finished commands to the local observer. fish 3 or newer; starts no process per command.
#
# fish offers no clock to built-ins. Where /proc/uptime exists it counts the time: a record carries the clock at uptime 0 and
# the uptime, and its reader adds them up. Every 100 seconds the modification time of a scratch file (`path mtime`, fish 3.5,
# whole seconds) shows whether the clock was moved. That is the clock where there is no /proc/uptime. Where there is neither,
# the observer takes the spool file's time.
#
# An abbreviation is expanded before the line runs, and reported so. What an alias stands for is told where it is the first
# word of the line; of other functions nothing is told.
#
# What fish runs here is what a person waits for: 5 to 15 microseconds a built-in, 50 to 100 a command substitution or `math`.
# So the way of an ordinary command has few of the former and none of the latter, and whatever can be known before is.

if status is-interactive
    set -g __caro_dir @SPOOL@
    set -g __caro_pause_file @PAUSE@

    # A child inherits exported variables, but never a session: its process number differs.
    if not set -q __caro_pid; or test "$__caro_pid" != $fish_pid
        set -g __caro_pid $fish_pid
        set -g __caro_paused
        set -g __caro_confirmed
        set -g __caro_full # after a failed write: the uptime from which on to try again
        set -g __caro_to # the spool folder while a command is to be reported
        set -g __caro_start
        set -g __caro_what
        set -g __caro_defs # what the alias that begins the line stands for
        set -g __caro_known # names of the variables that say what functions stand for, if they are aliases
        set -g __caro_kept # an element for each line that was kept out since the last record
        set -g __caro_boot # the clock at uptime 0, in seconds
        set -g __caro_first '(?=\S)(?<__caro_word>[^\s;|&()<>{}$*?"\'\\\\]*)' # a line's first word
        set -g __caro_usual '(?!)' # matches uptime and line where neither needs a closer look
        set -g __caro_uptime /dev/null
        set -g __caro_now (date +%s.%N | string match -r '^\d+(?:\.\d{1,6})?')
        set -g __caro_session fish-$fish_pid-(math -s0 "$__caro_now * 1000000")-(random)(random)
        set -g __caro_file $__caro_dir/$__caro_session.spool
        set -g __caro_line $__caro_dir/lines/$__caro_session
        if test -r /proc/uptime; and read -l up rest </proc/uptime
            set -g __caro_uptime /proc/uptime
            set -g __caro_boot (math "$__caro_now - $up")
        end
    end

    # Sets __caro_stop, which exists as a file while nothing is to be reported, so that one test tells.
    function __caro_gate --on-variable fish_private_mode
        set -g __caro_stop $__caro_pause_file
        if test -n "$__caro_paused$__caro_full"; or set -q fish_private_mode
            set -g __caro_stop /
        end
    end
    __caro_gate

    function caro_pause
        set -g __caro_paused 1
        __caro_gate
    end

    function caro_resume
        set -g __caro_paused
        __caro_gate
    end

    # Sets __caro_start to the present time, which the uptime tells where there is one; else it may stay unknown.
    function __caro_clock
        set -l seen
        if builtin -q path; and test -w $__caro_dir/lines/
            true >$__caro_line
            set seen (path mtime $__caro_line) # the present second, as the file system knows it
        end
        if test -z "$argv[1]"
            set -g __caro_start ''
            test -z "$seen"; or set -g __caro_start "$seen"000000
            return
        end
        # Blanks in front, an empty line and exec are not usual, nor are other hundreds of seconds.
        set -l hundred (string replace -r '\d{1,2}(\..*)?$' '' -- $argv[1])
        set -g __caro_usual "^$hundred\d?\d\.\d* (?!exec )$__caro_first"
        __caro_forget
        # Sleep and NTP do not part the two clocks by more than the rounding; a clock that was set does.
        if test -n "$seen"
            set -l apart (math "$__caro_boot + $argv[1] - $seen")
            if test $apart -gt 3; or test $apart -lt -2
                set -g __caro_boot (math "$seen - $argv[1]")
            end
        end
        set -g __caro_start $__caro_boot+$argv[1]
    end

    function __caro_preexec --on-event fish_preexec
        if test -e $__caro_stop
            set -g __caro_to
            set -g __caro_defs
            if test -n "$__caro_full"
                __caro_retry $argv
            else
                __caro_keep "$argv[1]"
            end
            return
        end
        read -l up rest <$__caro_uptime
        if string match -q -r -- $__caro_usual "$up $argv[1]"
            set -g __caro_start $__caro_boot+$up
            set -g __caro_what "$__caro_confirmed" "$PWD" "$argv[1]"
            set -g __caro_to $__caro_dir/
            functions -q -- "$__caro_word"; and __caro_alias "$__caro_word"
        else
            __caro_note "$up" $argv
        end
    end

    # The same for any line, and at any time.
    function __caro_note
        set -g __caro_to
        set -g __caro_defs
        # fish hands a leading blank over.
        if not string match -q -r -- "^$__caro_first" "$argv[2]"
            __caro_keep "$argv[2]"
            return
        end
        __caro_clock $argv[1]
        set -l flags "$__caro_confirmed"
        if set -q __caro_kept[1]
            set flags $flags"k"(builtin count $__caro_kept)
            set -g __caro_kept
        end
        set -g __caro_what "$flags" "$PWD" "$argv[2]"
        set -g __caro_to $__caro_dir/
        functions -q -- "$__caro_word"; and __caro_alias "$__caro_word"
        # After `exec` there is no prompt. Where it fails, the shell goes on and has reported it already.
        if string match -q -r '^exec [^0-9<>&]' -- "$argv[2]"
            __caro_write '' ''
        end
    end

    # Counts a line that is kept out. The next one is not usual, since it tells of it.
    function __caro_keep
        test -n "$argv[1]"; or return
        set -ga __caro_kept x
        set -g __caro_usual '(?!)'
    end

    # Sets __caro_defs if the function is an alias; __caro_to is empty then, because the record has a field more. What was
    # found out is remembered until functions may have been defined anew.
    function __caro_alias
        set -l known __caro_is_$argv[1]
        if string match -q -r '^\w+$' -- $argv[1]
            if set -q $known
                set -g __caro_defs $$known
            else
                __caro_define $argv[1]
                set -g $known $__caro_defs
                set -ga __caro_known $known
            end
        else
            __caro_define $argv[1]
        end
        test -z "$__caro_defs"; or set -g __caro_to
        contains -- $argv[1] alias funcsave; and __caro_forget
    end

    function __caro_forget
        test -z "$__caro_known"; or set -e $__caro_known
        set -g __caro_known
    end

    # Sets __caro_defs to what a function stands for if it is an alias, and what the first word of that stands for. In fish
    # an alias is a function whose description begins so.
    function __caro_define
        set -g __caro_defs
        set -l seen
        set -l name $argv[1]
        while not contains -- "$name" '' $seen; and functions -q -- $name
            set -a seen $name
            set -l text (functions -- $name)
            string match -q -r -- '^function .*--description .?alias\b' $text; or return
            set text (string match -v -r -- '^(#|function |end$|\s*$)' $text | string replace -r ' ?\$argv;?$' '' | string collect)
            set text (string replace -r -- '^\s+(command |builtin )?' '' "$text" | string collect)
            test -z "$__caro_defs"; or set -g __caro_defs $__caro_defs\x1f
            set -g __caro_defs "$__caro_defs$name=$text"
            set name (string match -r -- '^[\w.+-]+' "$text")
        end
    end

    function __caro_postexec --on-event fish_postexec
        set -l e $status
        if test -w "$__caro_to"
            printf '\0\2C1\0%s\0%s000\0%s\0%s\0fish\0%s\0%s\0\3\0' $__caro_start "$CMD_DURATION" $e $__caro_what >>$__caro_file
            or __caro_failed
            set -g __caro_to
        else if test -n "$__caro_defs"
            __caro_write "$CMD_DURATION"000 $e
        end
    end

    # The line that ends the shell, or that runs while the terminal is closed.
    function __caro_exit --on-event fish_exit
        __caro_write '' ''
        if set -q __caro_kept[1]; and test -w $__caro_dir/
            printf '\0\2C1\0\0\0\0k%s\0fish\0\0\0\3\0' (builtin count $__caro_kept) >>$__caro_file
        end
    end

    # Reports the line that was noted. Duration in microseconds and status may be empty.
    function __caro_write
        if test -w "$__caro_to"
            printf '\0\2C1\0%s\0%s\0%s\0%s\0fish\0%s\0%s\0\3\0' $__caro_start $argv $__caro_what >>$__caro_file
            or __caro_failed
        else if test -n "$__caro_defs" -a -w $__caro_dir/
            printf '\0\2C1\0%s\0%s\0%s\0%sa\0fish\0%s\0%s\0%s\0\3\0' $__caro_start $argv $__caro_what $__caro_defs >>$__caro_file
            or __caro_failed
        end
        set -g __caro_to
        set -g __caro_defs
    end

    # On a full disk fish itself prints an error, so the next try waits a minute.
    function __caro_failed
        if read -l up rest <$__caro_uptime
            set -g __caro_full (math "$up + 60")
            __caro_gate
        end
    end

    function __caro_retry
        if read -l up rest <$__caro_uptime; and test "$up" -ge $__caro_full
            set -g __caro_full
            __caro_gate
            __caro_preexec $argv
        end
    end
end
