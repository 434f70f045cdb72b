# caro-node: reports finished commands to the local observer. fish 3 or newer; starts no process per command.
#
# fish offers no clock to built-ins. Where /proc/uptime exists it counts the time, from one look at the clock when the shell
# starts; every 100 seconds the modification time of a scratch file (`path mtime`, fish 3.5, whole seconds) shows whether
# the clock was moved. That is the clock where there is no /proc/uptime. Where there is neither, the observer takes the
# spool file's time.

if status is-interactive
    set -g __caro_dir @SPOOL@
    set -g __caro_pause_file @PAUSE@

    # A child inherits exported variables, but never a session: its process number differs.
    if not set -q __caro_pid; or test "$__caro_pid" != $fish_pid
        set -g __caro_pid $fish_pid
        set -g __caro_paused
        set -g __caro_command
        set -g __caro_t0
        set -g __caro_offset
        set -g __caro_retry 0
        set -g __caro_hundred -
        set -g __caro_started (date +%s.%N | string match -r '^\d+(?:\.\d{1,6})?')
        set -g __caro_session fish-$fish_pid-(math -s0 "$__caro_started * 1000000")-(random)(random)
        set -g __caro_file $__caro_dir/$__caro_session.spool
        set -g __caro_line $__caro_dir/lines/$__caro_session
        if test -r /proc/uptime; and read -l up rest </proc/uptime
            set -g __caro_offset (math "$__caro_started - $up")
        end
    end

    function caro_pause
        set -g __caro_paused 1
    end

    function caro_resume
        set -g __caro_paused
    end

    # Sets __caro_t0 to the present time in microseconds, or to nothing where nothing tells it.
    function __caro_clock
        set -g __caro_t0
        if test -n "$__caro_offset"; and read -l up rest </proc/uptime
            if not string match -q -- "$__caro_hundred??.*" $up
                set -g __caro_hundred (string replace -r '..\..*$' '' -- $up)
                __caro_seen
                # Sleep and NTP do not part the two clocks by more than the rounding; a clock that was set does.
                if test -n "$__caro_mtime"
                    set -l apart (math "$__caro_offset + $up - $__caro_mtime")
                    if test $apart -gt 3; or test $apart -lt -2
                        set -g __caro_offset (math "$__caro_mtime - $up")
                    end
                end
            end
            set -g __caro_t0 (math -s0 "($__caro_offset + $up) * 1000000")
        else if __caro_seen
            set -g __caro_t0 "$__caro_mtime"000000
        end
    end

    # Sets __caro_mtime to the present second, as the file system knows it.
    function __caro_seen
        set -g __caro_mtime
        builtin -q path; and test -d $__caro_dir/lines -a -w $__caro_dir/lines
        or return
        true >$__caro_line
        set -g __caro_mtime (path mtime $__caro_line)
    end

    function __caro_preexec --on-event fish_preexec
        set -g __caro_command
        if test -n "$__caro_paused"; or test -e $__caro_pause_file; or set -q fish_private_mode
            return
        end
        # fish hands a leading blank over.
        if string match -q -r '^\s' -- "$argv[1]"; or test -z "$argv[1]"
            return
        end
        set -g __caro_command "$argv[1]"
        set -g __caro_cwd $PWD
        __caro_clock
        # After `exec` there is no prompt. Where it fails, the shell goes on and has reported it already.
        if string match -q -r '^exec [^0-9<>&]' -- "$__caro_command"
            __caro_write '' ''
        end
    end

    function __caro_postexec --on-event fish_postexec
        set -l e $status
        set -l duration $CMD_DURATION
        if test -n "$__caro_command"
            __caro_write "$duration"000 $e
        end
    end

    # The line that ends the shell, or that runs while the terminal is closed.
    function __caro_exit --on-event fish_exit
        if test -n "$__caro_command"
            __caro_write '' ''
        end
    end

    # Duration and status may be empty.
    function __caro_write
        # On a full disk fish itself prints an error, so the next try waits a minute.
        if test -d $__caro_dir -a -w $__caro_dir; and begin; test -z "$__caro_t0"; or test "$__caro_t0" -ge $__caro_retry; end
            printf '\0\2C1\0%s\0%s\0%s\0%s\0fish\0%s\0%s\0\3\0' "$__caro_t0" $argv[1] $argv[2] "$__caro_confirmed" "$__caro_cwd" "$__caro_command" >>$__caro_file
            or set -g __caro_retry (math -s0 "$__caro_t0 + 60000000")
        end
        set -g __caro_command
        set -g __caro_confirmed
    end
end
