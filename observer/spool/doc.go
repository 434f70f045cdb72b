// Package spool owns the files through which shells hand finished commands to the observer.
//
// # Record
//
// One record is one command. It is built from shell built-ins alone, and written with one write(2) wherever the shell's
// own buffering allows it (bash splits records above 4 KiB, fish above 512 bytes):
//
//	\0 \x02 C1 \0 start \0 duration \0 exit \0 flags \0 shell \0 cwd \0 command \0 \x03 \0
//
// start is in microseconds since 1970 UTC, duration in microseconds, exit a decimal status; each may be empty for
// "unknown". Where a shell cannot add cheaply (fish), start is a sum a+b of two numbers of seconds with decimal places: when
// the system was started, and its uptime. flags is a set of letters:
//
//	g  caro_generated       e  more is the command as the shell expanded its aliases
//	x  executed             a  more is what the command's aliases stand for
//	c  confirmed            q  command and more are quoted the way a shell quotes a word ('…', $'…'), which keeps line
//	b  blocked                 breaks out of the bytes and thereby the record in one write
//
// and k with decimal digits behind it: so many lines were kept out by a blank, a pause or the shell's own history settings since
// the session's record before. A record that has this alone to tell has no start and no command.
//
// There is a field more with e or a alone, so that records without them are as they were before there was such a field.
// Aliases are written name=value, with the byte \x1f between them.
//
// No field can contain NUL. The marker in front and the end mark behind make a record that was cut short by a full disk or
// a killed shell recognisable, even when the next record follows it directly: a field that reads \x02C1 is the next
// record's marker. The end mark exists so that the next record's first NUL cannot complete a command that was cut.
//
// # Life of a file
//
// Every shell session appends to a file of its own, <shell>-<pid>-<start µs>-<random>.spool. The reader claims the file by
// renaming it to claimed/<uuid>-<name> before it reads; the shell's next record makes a new file. A claimed file is
// released (deleted) when all of it is stored durably and no writer can still hold it open. What cannot be read as a
// record is kept in torn/.
package spool
