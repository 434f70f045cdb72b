package spool

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// TornError reports bytes that are not a whole record: one cut short, or anything else that was written into the file.
type TornError struct {
	Offset int64 // in the file
	Bytes  []byte
	Reason string
}

// Error says where and why.
func (e *TornError) Error() string {
	return fmt.Sprintf("%d bytes at offset %d are not a whole record: %s", len(e.Bytes), e.Offset, e.Reason)
}

// Decoder reads records in sequence, in memory bounded by [MaxRecord].
type Decoder struct {
	r      io.Reader
	buf    []byte
	offset int64 // of buf[0] in the file
	eof    bool
}

// NewDecoder reads from r, whose first byte is at offset of its file.
func NewDecoder(r io.Reader, offset int64) *Decoder { return &Decoder{r: r, offset: offset} }

// Offset is where the next record begins: everything before it was returned, as a record or as torn bytes.
func (d *Decoder) Offset() int64 { return d.offset }

// Next returns the next record. A *[TornError] is followed by more; io.EOF ends the file, and io.ErrUnexpectedEOF ends it
// within a record that may still be completed (see [Decoder.Rest]).
func (d *Decoder) Next() (Record, error) {
	if err := d.fill(len(marker)); err != nil {
		return Record{}, err
	}
	switch {
	case len(d.buf) == 0:
		return Record{}, io.EOF
	case bytes.HasPrefix(d.buf, []byte(marker)):
		return d.record()
	case len(d.buf) < len(marker) && bytes.HasPrefix([]byte(marker), d.buf):
		return Record{}, io.ErrUnexpectedEOF
	}
	return Record{}, d.skip(1, "they do not begin with a record's marker")
}

// Rest returns the bytes behind the last whole record at the end of the file, at most [MaxRecord] of them.
func (d *Decoder) Rest() []byte { return d.buf }

// Discard gives up what [Decoder.Rest] returns: no one can complete it any more.
func (d *Decoder) Discard() *TornError {
	return d.take(len(d.buf), "the file ends within it")
}

func (d *Decoder) record() (Record, error) {
	var sizes [fields + 2]int // the fields, one that flags announce, and the end mark
	n := fields + 1
	pos := len(marker)
	for i := 0; i < n; i++ {
		size, err := d.field(pos)
		if err != nil {
			return Record{}, err
		}
		if size < 0 && d.eof {
			return Record{}, io.ErrUnexpectedEOF
		}
		if size < 0 {
			return Record{}, d.skip(1, "they are longer than any record")
		}
		switch text := d.buf[pos : pos+size]; {
		case string(text) == version: // the next record begins with the NUL before this field
			return Record{}, d.take(pos-1, "the record is cut short and another one follows")
		case i == flagField:
			n += extra(text)
		case i == n-1 && string(text) != end:
			return Record{}, d.skip(1, "the record has no end mark")
		}
		sizes[i] = size
		pos += size + 1
	}
	// Was only the last NUL cut? Then what ends the record here is the first byte of the next one.
	if err := d.fill(pos + len(marker) - 1); err != nil {
		return Record{}, err
	}
	size := pos
	if bytes.HasPrefix(d.buf[pos:], []byte(marker[1:])) {
		size--
	}
	// Filling may have moved the buffer, so the fields are cut only now.
	pos = len(marker)
	var f [fields + 1][]byte
	for i := range n - 1 {
		f[i] = d.buf[pos : pos+sizes[i]]
		pos += sizes[i] + 1
	}
	rec, err := parse(f[:n-1])
	if err != nil {
		return Record{}, d.take(size, err.Error())
	}
	d.drop(size)
	return rec, nil
}

// field returns the length of the field that starts at pos, or -1 if its end is beyond the file or MaxRecord.
func (d *Decoder) field(pos int) (int, error) {
	from := pos
	for {
		if i := bytes.IndexByte(d.buf[min(from, len(d.buf)):], 0); i >= 0 {
			return from + i - pos, nil
		}
		from = max(from, len(d.buf))
		if d.eof || len(d.buf) >= MaxRecord {
			return -1, nil
		}
		if err := d.fill(len(d.buf) + 1); err != nil {
			return 0, err
		}
	}
}

// skip gives up everything from the buffer's start to the next marker after at least n bytes, or all of it.
func (d *Decoder) skip(n int, reason string) error {
	for {
		if i := bytes.Index(d.buf[min(n, len(d.buf)):], []byte(marker)); i >= 0 {
			return d.take(n+i, reason)
		}
		if d.eof {
			// A marker's beginning at the very end may still become one.
			keep := 0
			for k := min(len(marker)-1, len(d.buf)-1); k > 0; k-- {
				if bytes.HasSuffix(d.buf, []byte(marker[:k])) {
					keep = k
					break
				}
			}
			return d.take(len(d.buf)-keep, reason)
		}
		if len(d.buf) >= MaxRecord {
			return d.take(len(d.buf)-len(marker), reason)
		}
		n = max(n, len(d.buf)-len(marker))
		if err := d.fill(len(d.buf) + 1); err != nil {
			return err
		}
	}
}

func (d *Decoder) take(n int, reason string) *TornError {
	t := &TornError{Offset: d.offset, Bytes: bytes.Clone(d.buf[:n]), Reason: reason}
	d.drop(n)
	return t
}

func (d *Decoder) drop(n int) {
	d.buf = d.buf[n:]
	d.offset += int64(n)
}

// fill makes the buffer hold at least n bytes unless the file ends before.
func (d *Decoder) fill(n int) error {
	for len(d.buf) < n && !d.eof {
		if cap(d.buf)-len(d.buf) < chunk/2 {
			grown := make([]byte, len(d.buf), 2*len(d.buf)+chunk)
			copy(grown, d.buf)
			d.buf = grown
		}
		m, err := d.r.Read(d.buf[len(d.buf):min(cap(d.buf), max(len(d.buf)+chunk/2, MaxRecord))])
		d.buf = d.buf[:len(d.buf)+m]
		if errors.Is(err, io.EOF) {
			d.eof = true
		} else if err != nil {
			return fmt.Errorf("read the spool file: %w", err)
		}
	}
	return nil
}

const chunk = 64 << 10
