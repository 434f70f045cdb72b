
# The guard: dangerous lines are stopped before they run. Return is bound to a function that executes the line, as Return
# does, where it may run. A stopped line stays in the command line to be edited, and goes into the history where fish
# lets a script add to it.

if status is-interactive; and test "$__caro_pid" = $fish_pid
    set -g __caro_words @WORDS@
    set -g __caro_needs @NEEDS@
    set -g __caro_computed @COMPUTED@
    set -g __caro_written @WRITTEN@
    set -g __caro_program @PROGRAM@
    set -g __caro_absent
    set -g __caro_confirmed
    set -g __caro_pending
    set -g __caro_want

    # Succeeds where the line has to be checked: see package guard, which this mirrors.
    function __caro_suspect
        set -l line "$argv[1]"
        test (string length -- "$line") -le @MAX@; or return 0
        set line (string replace -ra '\\\\\n' '' -- "$line" | string collect)
        set line (string replace -a \t ' ' -- "$line" | string collect)
        set line (string replace -ra '[\x01-\x1f]' ';' -- "$line" | string replace -a /dev/null '' | string collect)
        string match -qr -- $__caro_computed "$line"; and return 0
        string match -qr -- $__caro_written "$line"; and return 0
        set -l text (string replace -ra '[\'"\\\\]' '' -- "$line")
        string match -qr -- @PARTS@ "$text"; and return 0
        set -l found (string match -ra -- '[a-zA-Z0-9_.+-]+' (string replace -a ./ ' ' -- "$text"))
        set -l seen $found (string match -ra -- '[^a-zA-Z0-9_.+ -]' "$line")
        for w in $found (string replace -rf '\..*' '' -- $found)
            set -l at (contains -i -- "$w" $__caro_words); or continue
            set -l needs $__caro_needs[$at]
            test "$needs" = '!'; and return 0
            for n in (string split ' ' -- $needs)
                contains -- $n $seen; and return 0
            end
        end
        return 1
    end

    # Sets __caro_defs to what the alias stands for that begins the line.
    function __caro_seen_as
        set -g __caro_defs
        if string match -q -r -- "^\s*$__caro_first" "$argv[1]"; and functions -q -- "$__caro_word"
            __caro_define "$__caro_word"
        end
    end

    # Bound to Return.
    function __caro_enter
        set -g __caro_confirmed
        set -l line (commandline -b | string collect)
        if test -n "$__caro_pending" # what was typed is the answer
            set -l answer (string trim -- $line)
            set line $__caro_pending
            set -g __caro_pending
            commandline -r -- $line
            if test "$answer" = $__caro_want
                set -g __caro_confirmed c
                commandline -f execute
            else
                __caro_stopped $line
                commandline -f repaint
            end
            return
        end
        # In the pager and in a search Return chooses; a line that is not complete gets another one.
        if commandline -P; or begin; commandline -S 2>/dev/null; end; or not commandline --is-valid
            commandline -f execute
            return
        end
        __caro_seen_as "$line"
        set -l defs "$__caro_defs"
        set -g __caro_defs
        if not __caro_suspect "$line"(string replace -ra '(^|\x1f)[^=]*=' \n -- "$defs" | string collect)
            commandline -f execute
            return
        end
        set -l out
        if test (string length -- "$line$defs") -gt 30000 # more than can be handed over
            set out high shell.too-large 'It is too large to be judged.' 'Put it into a file and read it before running it.'
        else
            set -lx CARO_NODE_LINE "$line"
            set -lx CARO_NODE_ALIASES "$defs"
            set out ($__caro_program check --guard fish 2>/dev/null)
        end
        switch "$out[1]"
            case safe moderate
            case high critical
                __caro_ask "$line" $out
                return
            case '*'
                if test -z "$__caro_absent"
                    printf '\ncaro-node: the guard cannot run %s, so it lets commands through\n' $__caro_program >&2
                    commandline -f repaint
                end
                set -g __caro_absent 1
        end
        commandline -f execute
    end

    # Shows why the line was stopped, and leaves a blank command line for the answer, so that nothing is read from the
    # terminal behind the editor's back.
    function __caro_ask
        set -l level $argv[2]
        set -l found $argv[3..-1]
        set -g __caro_pending $argv[1]
        set -g __caro_want y
        test $level = critical; and set __caro_want yes
        printf '\ncaro-node: stopped, %s risk: %s\n' $level (string replace -ra '[[:cntrl:]]' ' ' -- "$argv[1]" | string collect) >&2
        while test -n "$found[1]" -a -n "$found[3]"
            printf '  %s: %s\n    safer: %s\n' $found[1..3] >&2
            set -e found[1..3]
        end
        printf 'Type %s and Return to run it, anything else to leave it:\n' $__caro_want >&2
        commandline -r ' ' # in an empty one fish would not tell of Ctrl-C
        commandline -f end-of-line repaint
    end

    # Ctrl-C is an answer, too.
    function __caro_cancel --on-event fish_cancel
        if test -n "$__caro_pending"
            __caro_stopped $__caro_pending
            set -g __caro_pending
        end
    end

    # Reports a stopped line.
    function __caro_stopped
        if string match -q -r '^\s' -- "$argv[1]"; or test -e $__caro_stop
            return
        end
        # Before fish 4 this is a search without a pager, which changes nothing.
        builtin history append -- "$argv[1]" >/dev/null 2>/dev/null
        read -l up rest <$__caro_uptime
        __caro_clock "$up"
        set -g __caro_what b "$PWD" "$argv[1]"
        __caro_seen_as "$argv[1]"
        set -g __caro_to
        test -n "$__caro_defs"; or set -g __caro_to $__caro_dir/
        __caro_write '' ''
    end

    # A confirmation holds for the line that followed it.
    function __caro_done --on-event fish_postexec
        set -g __caro_confirmed
    end

    for mode in default insert
        bind -M $mode \r __caro_enter
        bind -M $mode \n __caro_enter
    end
end
