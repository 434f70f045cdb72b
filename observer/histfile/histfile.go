// Package histfile reads the history files that shells write, for import.
//
// The formats:
//
//   - bash: a command a line. With HISTTIMEFORMAT set, a line "#" and the Unix time precedes each command, and a
//     command that holds newlines keeps them: everything up to the next time belongs to it, as bash itself reads it.
//     Without times nothing in the file says where a command ends; lines that no shell could run by themselves (an open
//     quote, a here-document) are joined with those that complete them.
//   - zsh: a command a line, a backslash before each newline within it; with EXTENDED_HISTORY preceded by
//     ": <Unix time>:<seconds it took>;". Some bytes are written as 0x83 and the byte with bit 5 flipped ("metafied").
//     A command that ends in a backslash gets a blank, one that begins with a colon a backslash before it.
//   - fish: "- cmd: <command>" with \n and \\ as escapes, below it "  when: <Unix time>" and a list of paths.
//
// Reading is streaming: one entry is held at a time, and none larger than [MaxCommand].
package histfile

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/caro-mesh/caro-node/protocol"
)

// MaxCommand is the longest command that is read, in bytes; a longer one is reported and left out.
const MaxCommand = 1 << 20

// Entry is one command of a history file.
type Entry struct {
	Command string    // never empty; bytes as typed, valid UTF-8 or not; newlines within are kept
	Start   time.Time // in UTC, to the second; zero when the file does not tell
	// Duration is how long the command ran, to the second; nil when the file does not tell. zsh writes 0 both for "less
	// than a second" and for "not measured", which is nil here.
	Duration *time.Duration
	// Offset and Line say where the entry begins (with its time, where that stands on a line of its own): bytes from
	// the beginning of the file, and lines from 1.
	Offset int64
	Line   int
}

// ErrShell reports a shell whose history format is not known; import bash, zsh or fish.
var ErrShell = errors.New("no history format is known for this shell, use bash, zsh or fish")

// Problem is a part of a history file that could not be read.
type Problem struct {
	Line   int // from 1
	Reason string
}

// MalformedError reports the parts of a history file that could not be read. All others were: it is a warning.
type MalformedError struct {
	Problems []Problem // the first hundred
	Total    int
}

// maxProblems bounds what is remembered of a file that is no history file at all.
const maxProblems = 100

// Error names the number of problems and the first one.
func (e *MalformedError) Error() string {
	first := e.Problems[0]
	if e.Total == 1 {
		return fmt.Sprintf("line %d of the history file was left out: %s", first.Line, first.Reason)
	}
	return fmt.Sprintf("%d parts of the history file were left out, the first in line %d: %s", e.Total, first.Line, first.Reason)
}

// Read calls yield for each entry of a history file, in the order of the file. An error of yield stops it and is
// returned as it is. Malformed parts are left out and do not stop it; they are reported together, as a
// [*MalformedError], after the rest was read. [protocol.ShellSh] is read like bash; an unknown shell is [ErrShell].
func Read(r io.Reader, shell protocol.ShellType, yield func(Entry) error) error {
	s := &sink{yield: yield}
	in := newLines(r)
	var err error
	switch shell {
	case protocol.ShellBash, protocol.ShellSh:
		err = readBash(in, s)
	case protocol.ShellZsh:
		err = readZsh(in, s)
	case protocol.ShellFish:
		err = readFish(in, s)
	default:
		return fmt.Errorf("%q: %w", shell, ErrShell)
	}
	if err != nil {
		return err
	}
	if s.malformed.Total > 0 {
		return &s.malformed
	}
	return nil
}

// sink takes the entries and the problems of one file.
type sink struct {
	yield     func(Entry) error
	malformed MalformedError
}

// problem notes a part that is left out.
func (s *sink) problem(line int, reason string) {
	s.malformed.Total++
	if len(s.malformed.Problems) < maxProblems {
		s.malformed.Problems = append(s.malformed.Problems, Problem{Line: line, Reason: reason})
	}
}

// The reasons that several formats share.
const (
	reasonLong  = "the command is longer than 1 MiB"
	reasonNUL   = "NUL bytes, as a crash leaves them"
	reasonTime  = "the time cannot be read"
	reasonMeta  = "an escape at the end"
	reasonEmpty = "a time without a command"
)

// parseTime reads Unix seconds between 0 and the year 9999.
func parseTime(digits []byte) (time.Time, bool) {
	const year10000 = 253402300800
	n := int64(0)
	if len(digits) == 0 || len(digits) > 12 {
		return time.Time{}, false
	}
	for _, d := range digits {
		if d < '0' || d > '9' {
			return time.Time{}, false
		}
		n = n*10 + int64(d-'0')
	}
	if n >= year10000 {
		return time.Time{}, false
	}
	return time.Unix(n, 0).UTC(), true
}
