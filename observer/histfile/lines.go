package histfile

import (
	"bufio"
	"errors"
	"fmt"
	"io"
)

// line is one line without its newline; text is valid until the next call.
type line struct {
	text   []byte
	offset int64
	number int
	long   bool // longer than MaxCommand; text is the beginning
}

// lines reads a file line by line in bounded memory.
type lines struct {
	r      *bufio.Reader
	buf    []byte
	offset int64
	number int
}

func newLines(r io.Reader) *lines { return &lines{r: bufio.NewReaderSize(r, 64<<10)} }

// next returns the next line, or io.EOF.
func (l *lines) next() (line, error) {
	out := line{offset: l.offset, number: l.number + 1}
	l.buf = l.buf[:0]
	for {
		part, err := l.r.ReadSlice('\n')
		l.offset += int64(len(part))
		whole := err == nil
		if whole {
			part = part[:len(part)-1]
		}
		switch {
		case err != nil && !errors.Is(err, bufio.ErrBufferFull) && !errors.Is(err, io.EOF):
			return line{}, fmt.Errorf("read the history file: %w", err)
		case errors.Is(err, io.EOF) && l.offset == out.offset:
			return line{}, io.EOF
		}
		if whole && len(l.buf) == 0 { // the common case: no copy
			out.text = part
			l.number++
			return out, nil
		}
		if room := MaxCommand - len(l.buf); len(part) > room {
			out.long = true
			part = part[:room]
		}
		l.buf = append(l.buf, part...)
		if !errors.Is(err, bufio.ErrBufferFull) {
			out.text = l.buf
			l.number++
			return out, nil
		}
	}
}
