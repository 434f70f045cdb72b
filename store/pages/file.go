package pages

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
)

// File is a database file with its write-ahead log, opened for reading only.
type File struct {
	file *os.File
	log  *log // nil: there is none
	size int  // of a page, in bytes
	n    uint32
	// entries caches the page of the map that was read last.
	mapAt   uint32
	entries []byte
}

// Open opens the file at path, whose pages have pageSize bytes, and path-wal beside it, if there is one.
func Open(path string, pageSize int) (*File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read the pages of a database: %w", err)
	}
	d := &File{file: f, size: pageSize}
	if err := d.open(path); err != nil {
		return nil, errors.Join(fmt.Errorf("read the pages of a database: %w", err), d.Close())
	}
	return d, nil
}

func (d *File) open(path string) error {
	info, err := d.file.Stat()
	if err != nil {
		return err
	}
	pages := (info.Size() + int64(d.size) - 1) / int64(d.size) // the last one may be cut
	if d.log, err = openLog(path+"-wal", d.size); err != nil {
		return err
	}
	if d.log != nil {
		for n := range d.log.at {
			pages = max(pages, int64(n))
		}
	}
	d.n = uint32(min(pages, math.MaxInt32))
	return nil
}

// Close closes the files.
func (d *File) Close() error {
	err := d.file.Close()
	if d.log != nil {
		err = errors.Join(err, d.log.file.Close())
	}
	return err
}

// Log tells how the write-ahead log was found.
func (d *File) Log() LogState {
	if d.log == nil {
		return LogState{}
	}
	return d.log.state
}

var errNoPage = errors.New("there is no such page")

// page returns the content of page n, counted from 1. What a cut file lacks of its last page is zero.
func (d *File) page(n uint32) ([]byte, error) {
	if n == 0 || n > d.n {
		return nil, errNoPage
	}
	b := make([]byte, d.size)
	if d.log != nil {
		if at, ok := d.log.at[n]; ok {
			_, err := d.log.file.ReadAt(b, at)
			return b, err
		}
	}
	if _, err := d.file.ReadAt(b, int64(n-1)*int64(d.size)); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return b, nil
}

// Kinds of pages, as the map tells.
const (
	kindRoot     = 1
	kindFree     = 2
	kindOverflow = 3 // the first page with the rest of a long row; parent is the page of the row
	kindMore     = 4 // a later one; parent is the one before
	kindTree     = 5 // a page of a table or index other than the root
)

// mapped returns what the map of pages tells about page n: its kind, 0 where the map says nothing that can be, and its parent.
func (d *File) mapped(n uint32) (kind byte, parent uint32) {
	if n < 3 {
		return 0, 0
	}
	span := uint32(d.size)/5 + 1
	at := (n-2)/span*span + 2
	if unused := uint32(1<<30/d.size) + 1; at == unused {
		at++
	}
	if n <= at {
		return 0, 0
	}
	if at != d.mapAt {
		entries, err := d.page(at)
		if err != nil {
			return 0, 0
		}
		d.mapAt, d.entries = at, entries
	}
	e := d.entries[5*(n-at-1):]
	kind, parent = e[0], binary.BigEndian.Uint32(e[1:5])
	if kind < kindRoot || kind > kindTree || parent > d.n || (parent == 0) != (kind == kindRoot || kind == kindFree) {
		return 0, 0
	}
	return kind, parent
}
