package histfile

import (
	"bytes"
	"errors"
	"io"
	"time"
)

// meta is the byte by which zsh says that the next one has bit 5 flipped.
const (
	meta    = 0x83
	metaBit = 0x20
)

// zshReader reads zsh's formats, plain and extended, also mixed in one file.
type zshReader struct {
	sink  *sink
	buf   []byte
	entry Entry
	open  bool   // the lines so far end in a backslash: the entry goes on
	bad   string // why the entry will be left out
}

func readZsh(in *lines, s *sink) error {
	z := &zshReader{sink: s}
	for {
		l, err := in.next()
		if errors.Is(err, io.EOF) {
			z.restoreBackslash()
			return z.finish()
		}
		if err != nil {
			return err
		}
		if err := z.line(l); err != nil {
			return err
		}
	}
}

func (z *zshReader) line(l line) error {
	if z.open {
		// Old versions wrote no blank behind a final backslash, so that it swallows the entry that follows.
		if _, _, _, ok := extended(l.text); !ok {
			z.take(l)
			return z.finishUnless()
		}
		z.restoreBackslash()
		if err := z.finish(); err != nil {
			return err
		}
	}
	z.buf, z.bad = z.buf[:0], ""
	z.entry = Entry{Offset: l.offset, Line: l.number}
	text := l.text
	if start, took, rest, ok := extended(text); ok {
		z.entry.Start = start
		if took > 0 {
			z.entry.Duration = &took
		}
		text = rest
	} else if claimsTime(text) {
		z.bad = reasonTime
	} else if len(text) > 1 && text[0] == '\\' && text[1] == ':' {
		text = text[1:]
	}
	l.text = text
	z.take(l)
	return z.finishUnless()
}

// restoreBackslash takes back that the last backslash was one before a newline: nothing follows.
func (z *zshReader) restoreBackslash() {
	if z.open && z.bad == "" {
		z.buf[len(z.buf)-1] = '\\'
	}
}

// take appends a line; z.open says afterwards whether another one follows.
func (z *zshReader) take(l line) {
	z.open = len(l.text) > 0 && l.text[len(l.text)-1] == '\\' && !l.long
	if l.long || len(z.buf)+len(l.text) > MaxCommand {
		z.bad = reasonLong
	}
	if z.bad != "" {
		return
	}
	z.buf = append(z.buf, l.text...)
	if z.open {
		z.buf[len(z.buf)-1] = '\n'
	}
}

func (z *zshReader) finishUnless() error {
	if z.open {
		return nil
	}
	return z.finish()
}

// finish emits the entry.
func (z *zshReader) finish() error {
	if z.entry.Line == 0 {
		return nil
	}
	e := z.entry
	z.entry, z.open = Entry{}, false
	if z.bad != "" {
		z.sink.problem(e.Line, z.bad)
		return nil
	}
	text := z.buf
	if bare := bytes.TrimRight(text, " "); len(bare) < len(text) && len(bare) > 0 && bare[len(bare)-1] == '\\' {
		text = text[:len(text)-1]
	}
	text, whole := unmetafy(text)
	switch {
	case !whole:
		z.sink.problem(e.Line, reasonMeta)
	case bytes.IndexByte(text, 0) >= 0:
		z.sink.problem(e.Line, reasonNUL)
	case len(text) == 0 && !e.Start.IsZero():
		z.sink.problem(e.Line, reasonEmpty)
	case len(text) > 0:
		e.Command = string(text)
		return z.sink.yield(e)
	}
	return nil
}

// unmetafy takes the escapes off, in place; whole is false if the text ends within one.
func unmetafy(text []byte) (out []byte, whole bool) {
	k := bytes.IndexByte(text, meta)
	if k < 0 {
		return text, true
	}
	out = text[:k]
	for i := k; i < len(text); i++ {
		if text[i] != meta {
			out = append(out, text[i])
			continue
		}
		i++
		if i == len(text) {
			return out, false
		}
		out = append(out, text[i]^metaBit)
	}
	return out, true
}

// extended reads ": <time>:<seconds>;" and returns what follows.
func extended(text []byte) (start time.Time, took time.Duration, rest []byte, ok bool) {
	if !claimsTime(text) {
		return time.Time{}, 0, nil, false
	}
	text = bytes.TrimLeft(text[1:], " ")
	stamp, text, found := bytes.Cut(text, []byte(":"))
	if !found {
		return time.Time{}, 0, nil, false
	}
	n := bytes.IndexByte(text, ';')
	if n < 1 || n > 9 {
		return time.Time{}, 0, nil, false
	}
	seconds := int64(0)
	for _, d := range text[:n] {
		if d < '0' || d > '9' {
			return time.Time{}, 0, nil, false
		}
		seconds = seconds*10 + int64(d-'0')
	}
	start, ok = parseTime(stamp)
	return start, time.Duration(seconds) * time.Second, text[n+1:], ok
}

// claimsTime reports a line that begins as one with a time does. A command that begins so has a backslash before it.
func claimsTime(text []byte) bool {
	if len(text) < 3 || text[0] != ':' || text[1] != ' ' {
		return false
	}
	text = bytes.TrimLeft(text[1:], " ")
	return len(text) > 0 && text[0] >= '0' && text[0] <= '9'
}
