// Package shell makes the hooks that report each finished command to the spool (package spool), one script per shell,
// to be evaluated by `eval "$(caro-node shell init bash)"` and the like.
//
// A hook starts no process per command, prints nothing, and leaves the shell as it found it: exit status, $_, PIPESTATUS,
// history settings, traps and other hooks. A line that begins with a blank, a line that the shell's own settings keep out
// of its history, and everything while recording is paused is not written anywhere.
//
// Recording is paused for one session by caro_pause (and resumed by caro_resume), for all by a file named "paused"
// beside the spool folder.
package shell
