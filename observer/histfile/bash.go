package histfile

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"time"

	"mvdan.cc/sh/v3/syntax"
)

const (
	// maxStampedLines bounds the lines of one command under a time. A file in which so many follow without another
	// time was written with HISTTIMEFORMAT at first and without it later.
	maxStampedLines = 1000
	// maxJoinedLines and maxJoinedBytes bound how far the end of an incomplete command is looked for where the file
	// has no times; each further line costs a parse of all.
	maxJoinedLines = 50
	maxJoinedBytes = 16 << 10
)

// bashEntry is the command being put together.
type bashEntry struct {
	text    []byte
	ends    []int // where each of its lines ends in text
	numbers []int // their line numbers
	offsets []int64
	start   time.Time
	stamp   *line // its time's position; nil without one
	blank   int   // empty lines seen since, which count only if the command goes on
}

// bashReader reads bash's format.
type bashReader struct {
	sink    *sink
	cur     bashEntry
	pending time.Time // a time whose command is still to come
	stamp   *line
	// stamped: the file begins with a time, by which bash decides that commands may have several lines.
	stamped bool
	// loose: the lines before were too many for one command; until the next time each line is one.
	loose  bool
	parser *syntax.Parser
}

func readBash(in *lines, s *sink) error {
	b := &bashReader{sink: s, parser: syntax.NewParser(syntax.Variant(syntax.LangBash))}
	for {
		l, err := in.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if err := b.line(l); err != nil {
			return err
		}
	}
	if b.stamp != nil {
		s.problem(b.stamp.number, reasonEmpty)
	}
	return b.finish()
}

func (b *bashReader) line(l line) error {
	l.text = bytes.TrimSuffix(l.text, []byte("\r"))
	if t, ok := bashTime(l.text); ok {
		if err := b.finish(); err != nil {
			return err
		}
		if b.stamp != nil {
			b.sink.problem(b.stamp.number, reasonEmpty)
		}
		if l.number == 1 {
			b.stamped = true
		}
		b.pending, b.stamp, b.loose = t, &line{offset: l.offset, number: l.number}, false
		return nil
	}
	switch {
	case l.long:
		b.sink.problem(l.number, reasonLong)
	case bytes.IndexByte(l.text, 0) >= 0:
		b.sink.problem(l.number, reasonNUL)
	case len(l.text) == 0 && b.stamp != nil: // a time and nothing: the command begins with an empty line
		return nil
	case len(l.text) == 0:
		b.cur.blank++
		return nil
	default:
		return b.command(l)
	}
	b.pending, b.stamp = time.Time{}, nil
	return b.finish()
}

// command takes a line that is a command or goes on with one.
func (b *bashReader) command(l line) error {
	if b.stamp == nil && len(b.cur.ends) > 0 && b.goesOn() {
		if len(b.cur.text)+b.cur.blank+len(l.text) < MaxCommand && len(b.cur.ends) < b.limit() {
			b.add(l)
			return nil
		}
		return b.split(l)
	}
	if err := b.finish(); err != nil {
		return err
	}
	b.cur.start, b.cur.stamp = b.pending, b.stamp
	b.pending, b.stamp = time.Time{}, nil
	b.add(l)
	return nil
}

func (b *bashReader) limit() int {
	if b.always() {
		return maxStampedLines
	}
	return maxJoinedLines
}

// always reports that the lines under a time are one command without further ado.
func (b *bashReader) always() bool { return b.stamped && b.cur.stamp != nil && !b.loose }

// goesOn reports that the next line belongs to the command.
func (b *bashReader) goesOn() bool {
	return b.always() || len(b.cur.text) <= maxJoinedBytes && b.incomplete()
}

func (b *bashReader) add(l line) {
	c := &b.cur
	if len(c.ends) > 0 {
		c.text = append(c.text, strings.Repeat("\n", 1+c.blank)...)
	}
	c.blank = 0
	c.text = append(c.text, l.text...)
	c.ends = append(c.ends, len(c.text))
	c.numbers = append(c.numbers, l.number)
	c.offsets = append(c.offsets, l.offset)
}

// split gives up on joining: each line is a command of its own.
func (b *bashReader) split(l line) error {
	if b.always() {
		b.sink.problem(b.cur.numbers[0], "no time for a thousand lines; they were read as a command each")
		b.loose = true
	}
	if err := b.each(); err != nil {
		return err
	}
	b.add(l)
	return nil
}

// each emits the lines of the current command one by one, the first with the time.
func (b *bashReader) each() error {
	c := b.cur
	from := 0
	for i, end := range c.ends {
		e := Entry{Command: string(bytes.Trim(c.text[from:end], "\n")), Offset: c.offsets[i], Line: c.numbers[i]}
		if i == 0 {
			e.Start = c.start
			if c.stamp != nil {
				e.Offset, e.Line = c.stamp.offset, c.stamp.number
			}
		}
		if err := b.sink.yield(e); err != nil {
			return err
		}
		from = end
	}
	b.reset()
	return nil
}

// finish emits what was put together.
func (b *bashReader) finish() error {
	c := &b.cur
	if len(c.ends) == 0 {
		c.blank = 0
		return nil
	}
	if len(c.ends) > 1 && !b.always() && b.incomplete() {
		return b.each()
	}
	e := Entry{Command: string(c.text), Start: c.start, Offset: c.offsets[0], Line: c.numbers[0]}
	if c.stamp != nil {
		e.Offset, e.Line = c.stamp.offset, c.stamp.number
	}
	b.reset()
	return b.sink.yield(e)
}

func (b *bashReader) reset() {
	c := &b.cur
	c.text, c.ends, c.numbers, c.offsets = c.text[:0], c.ends[:0], c.numbers[:0], c.offsets[:0]
	c.start, c.stamp, c.blank = time.Time{}, nil, 0
}

// incomplete reports that a shell would ask for more after the current command.
func (b *bashReader) incomplete() bool {
	text := b.cur.text
	if !bytes.ContainsAny(text, "'\"`({<") && text[len(text)-1] != '\\' && !beginsBlock(text) {
		return false
	}
	if n := len(text); text[n-1] == '\\' && (n == 1 || text[n-2] != '\\') {
		return true
	}
	_, err := b.parser.Parse(bytes.NewReader(append(text, '\n')), "")
	return err != nil && syntax.IsIncomplete(err)
}

// beginsBlock reports a first word that opens a block.
func beginsBlock(text []byte) bool {
	word, _, _ := bytes.Cut(bytes.TrimLeft(text, " \t"), []byte(" "))
	switch string(word) {
	case "for", "while", "until", "if", "case", "select", "function":
		return true
	}
	return false
}

// bashTime reads a line "#1700000000". Fewer than eight digits are a comment that somebody typed: no bash existed then.
func bashTime(text []byte) (time.Time, bool) {
	if len(text) < 9 || text[0] != '#' {
		return time.Time{}, false
	}
	return parseTime(text[1:])
}
