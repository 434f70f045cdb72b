package histfile

import (
	"bytes"
	"errors"
	"io"
)

// fishReader reads fish's format.
type fishReader struct {
	sink  *sink
	entry Entry
	skip  bool // the entry is left out; what belongs to it is passed over
	paths bool
}

func readFish(in *lines, s *sink) error {
	f := &fishReader{sink: s}
	for {
		l, err := in.next()
		if errors.Is(err, io.EOF) {
			return f.finish()
		}
		if err != nil {
			return err
		}
		if err := f.line(l); err != nil {
			return err
		}
	}
}

func (f *fishReader) line(l line) error {
	text := bytes.TrimSuffix(l.text, []byte("\r"))
	if cmd, ok := bytes.CutPrefix(text, []byte("- cmd:")); ok {
		if err := f.finish(); err != nil {
			return err
		}
		f.skip, f.paths = false, false
		cmd = bytes.TrimPrefix(cmd, []byte(" "))
		switch {
		case l.long:
			f.leaveOut(l, reasonLong)
		case bytes.IndexByte(cmd, 0) >= 0:
			f.leaveOut(l, reasonNUL)
		case len(cmd) == 0:
			f.leaveOut(l, "no command")
		default:
			f.entry = Entry{Command: unescapeFish(cmd), Offset: l.offset, Line: l.number}
		}
		return nil
	}
	switch {
	case len(text) == 0 || f.skip && text[0] == ' ':
	case f.entry.Line == 0:
		f.sink.problem(l.number, "text outside an entry")
	case bytes.HasPrefix(text, []byte("  when:")):
		start, ok := parseTime(bytes.TrimSpace(text[len("  when:"):]))
		if !ok {
			f.sink.problem(l.number, reasonTime)
			break
		}
		f.entry.Start = start
	case bytes.Equal(text, []byte("  paths:")):
		f.paths = true
	case f.paths && bytes.HasPrefix(text, []byte("    - ")):
	default:
		f.sink.problem(l.number, "neither a command nor something that is known of one")
	}
	return nil
}

func (f *fishReader) leaveOut(l line, reason string) {
	f.sink.problem(l.number, reason)
	f.skip = true
}

func (f *fishReader) finish() error {
	e := f.entry
	f.entry = Entry{}
	if e.Line == 0 {
		return nil
	}
	return f.sink.yield(e)
}

// unescapeFish decodes \n and \\; any other backslash stands for itself, as fish reads it.
func unescapeFish(text []byte) string {
	k := bytes.IndexByte(text, '\\')
	if k < 0 {
		return string(text)
	}
	out := make([]byte, k, len(text))
	copy(out, text)
	for i := k; i < len(text); i++ {
		if text[i] == '\\' && i+1 < len(text) {
			switch text[i+1] {
			case '\\':
				out = append(out, '\\')
				i++
				continue
			case 'n':
				out = append(out, '\n')
				i++
				continue
			}
		}
		out = append(out, text[i])
	}
	return string(out)
}
