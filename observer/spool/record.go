package spool

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caro-mesh/caro-node/observer/event"
	"github.com/caro-mesh/caro-node/protocol"
)

const (
	version   = "\x02C1" // first field of a record
	end       = "\x03"   // last field of a record
	marker    = "\x00" + version + "\x00"
	fields    = 7 // between version and end
	flagField = 3 // which of them holds the flags
	longDigit = 20
)

// MaxRecord bounds one record in bytes: a 1 MiB command of which every byte was escaped to four, doubled. What is longer is
// not a record and is moved to torn/.
const MaxRecord = 8 << 20

// Record is one command as a shell, or another program, reports it.
type Record struct {
	Start         time.Time      // microsecond precision, within event.CheckTime's range; zero: unknown
	Duration      *time.Duration // nil: unknown
	Exit          *int           // nil: unknown, or the command did not run
	CaroGenerated bool
	CaroExecuted  bool
	UserConfirmed bool
	Blocked       bool
	Shell         protocol.ShellType
	CWD           string
	Command       string
	// Expanded is Command as the shell expanded its aliases, and Aliases is what they stand for where the shell tells only
	// that ([shellparse.ParseAliases] reads it). At most one of them is set; none where the command holds no alias, or
	// where the shell does not tell.
	Expanded, Aliases string
	// Kept is how many lines the shell has kept out since its record before, 0 to [MaxKept]. Command may be empty, and then
	// nothing else is set but Shell, where there is only this to tell.
	Kept int
}

// MaxKept is the most that [Record.Kept] can be.
const MaxKept = 999_999

// Encode returns the bytes of one record. A NUL in the working directory, which no system allows, becomes U+FFFD.
func Encode(r Record) []byte {
	flags := make([]byte, 0, 6)
	for _, f := range []struct {
		on     bool
		letter byte
	}{{r.CaroGenerated, 'g'}, {r.CaroExecuted, 'x'}, {r.UserConfirmed, 'c'}, {r.Blocked, 'b'}} {
		if f.on {
			flags = append(flags, f.letter)
		}
	}
	if r.Kept > 0 {
		flags = append(flags, 'k')
		flags = strconv.AppendInt(flags, int64(min(r.Kept, MaxKept)), 10)
	}
	texts := []string{r.Command}
	switch {
	case r.Expanded != "":
		flags, texts = append(flags, 'e'), append(texts, r.Expanded)
	case r.Aliases != "":
		flags, texts = append(flags, 'a'), append(texts, r.Aliases)
	}
	if slices.ContainsFunc(texts, func(s string) bool { return s == version || s == end || strings.ContainsRune(s, 0) }) {
		for i := range texts {
			texts[i] = quote(texts[i])
		}
		flags = append(flags, 'q')
	}
	cwd := strings.ReplaceAll(r.CWD, "\x00", "\uFFFD")
	if cwd == version {
		cwd = "./" + cwd
	}
	var start, duration, exit string
	if !r.Start.IsZero() {
		start = strconv.FormatInt(r.Start.UnixMicro(), 10)
	}
	if r.Duration != nil {
		duration = strconv.FormatInt(r.Duration.Microseconds(), 10)
	}
	if r.Exit != nil {
		exit = strconv.Itoa(*r.Exit)
	}
	b := make([]byte, 0, len(r.Command)+len(r.Expanded)+len(r.Aliases)+len(cwd)+64)
	b = append(b, marker...)
	for _, f := range append(append([]string{start, duration, exit, string(flags), string(r.Shell), cwd}, texts...), end) {
		b = append(b, f...)
		b = append(b, 0)
	}
	return b
}

// parse reads the fields between version and end mark, [fields] and as many more as [extra] says.
func parse(f [][]byte) (Record, error) {
	var r Record
	start, err := moment(f[0])
	if err != nil {
		return r, err
	}
	if start != nil {
		r.Start = time.UnixMicro(*start)
		if err := event.CheckTime(r.Start); err != nil {
			return r, fmt.Errorf("start time %d µs: %w", *start, err)
		}
	}
	duration, err := number(f[1], "duration")
	if err != nil {
		return r, err
	}
	// A clock that was set back while the command ran yields a negative duration: unknown, not an error.
	if duration != nil && *duration >= 0 && *duration < int64(1<<62)/int64(time.Microsecond) {
		d := time.Duration(*duration) * time.Microsecond
		r.Duration = &d
	}
	exit, err := number(f[2], "exit status")
	if err != nil {
		return r, err
	}
	if exit != nil {
		if int64(int32(*exit)) != *exit {
			return r, fmt.Errorf("exit status %d is out of range", *exit)
		}
		e := int(*exit)
		r.Exit = &e
	}
	quoted := false
	var more *string
	flags := f[flagField]
	if at := bytes.IndexByte(flags, 'k'); at >= 0 {
		digits := flags[at+1:]
		if rest := bytes.TrimLeft(digits, "0123456789"); len(rest) > 0 {
			digits = digits[:len(digits)-len(rest)]
		}
		if r.Kept, err = strconv.Atoi(string(digits)); err != nil || r.Kept == 0 || r.Kept > MaxKept {
			return r, fmt.Errorf("%q is not a number of lines that were kept out", digits)
		}
		flags = slices.Concat(flags[:at], flags[at+1+len(digits):])
	}
	for _, c := range flags {
		switch c {
		case 'g':
			r.CaroGenerated = true
		case 'x':
			r.CaroExecuted = true
		case 'c':
			r.UserConfirmed = true
		case 'b':
			r.Blocked = true
		case 'q':
			quoted = true
		case 'e':
			more = &r.Expanded
		case 'a':
			more = &r.Aliases
		default:
			return r, fmt.Errorf("unknown flag %q", c)
		}
	}
	r.Shell = protocol.ParseShell(string(f[4]))
	r.CWD = string(f[5])
	r.Command = string(f[6])
	if more != nil {
		*more = string(f[fields])
	}
	if quoted {
		for _, text := range []*string{&r.Command, more} {
			if text == nil {
				continue
			}
			if *text, err = unquote(*text); err != nil {
				return r, err
			}
		}
	}
	if r.Command == "" && r.Kept == 0 {
		return r, fmt.Errorf("no command")
	}
	return r, nil
}

// extra returns how many fields follow the command: one with either of the flags e and a.
func extra(flags []byte) int {
	if bytes.ContainsAny(flags, "ea") {
		return 1
	}
	return 0
}

// moment reads a start time: microseconds, or two numbers of seconds to be added up. An empty field, and a sum of which a
// part is missing, are nil.
func moment(b []byte) (*int64, error) {
	boot, up, sum := bytes.Cut(b, []byte("+"))
	if !sum {
		return number(b, "start time")
	}
	if len(boot) == 0 || len(up) == 0 {
		return nil, nil
	}
	var start int64
	for _, part := range [][]byte{boot, up} {
		us, err := seconds(part)
		if err != nil {
			return nil, err
		}
		start += us
	}
	return &start, nil
}

// seconds reads seconds with an optional sign and fraction, and returns microseconds.
func seconds(b []byte) (int64, error) {
	const places, most = 6, 12 // two times 10^12 seconds do not overflow
	whole, fraction, _ := strings.Cut(string(b), ".")
	padded := fraction + "000000"
	n, err := strconv.ParseInt(whole+padded[:places], 10, 64)
	if err != nil || whole == "" || len(whole) > most || strings.Trim(padded[places:], "0123456789") != "" {
		return 0, fmt.Errorf("start time %q is not a number of seconds", b)
	}
	return n, nil
}

// number reads a decimal integer; an empty field is nil.
func number(b []byte, what string) (*int64, error) {
	if len(b) == 0 {
		return nil, nil
	}
	if len(b) > longDigit {
		return nil, fmt.Errorf("%s of %d digits", what, len(b))
	}
	n, err := strconv.ParseInt(string(bytes.TrimSpace(b)), 10, 64)
	if err != nil {
		return nil, fmt.Errorf("%s %q is not a number", what, b)
	}
	return &n, nil
}
