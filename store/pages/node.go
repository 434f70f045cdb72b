package pages

import (
	"encoding/binary"
	"errors"
)

// Types of pages of a tree.
const (
	innerIndex = 2
	innerTable = 5
	leafIndex  = 10
	leafTable  = 13
)

// node is a page of a table or index.
type node struct {
	page     uint32
	kind     byte
	children []uint32 // of inner pages, in order
	cells    []cell   // rows and entries; inner pages of tables have none
	bad      int      // cells that could not be read
}

// cell is a row of a table or an entry of an index.
type cell struct {
	rowID   int64 // of a table
	payload []byte
}

var errNoTree = errors.New("not a page of a table or index")

// isTree reports whether page n has the type of a page of a table, or of an index.
func (d *File) isTree(n uint32) (table, index bool) {
	b, err := d.page(n)
	if err != nil {
		return false, false
	}
	kind := b[headerAt(n)]
	return kind == innerTable || kind == leafTable, kind == innerIndex || kind == leafIndex
}

func headerAt(n uint32) int {
	if n == 1 {
		return 100
	}
	return 0
}

// node reads page n. Without content it reads no more of rows than it takes to count them.
func (d *File) node(n uint32, content bool) (*node, error) {
	b, err := d.page(n)
	if err != nil {
		return nil, err
	}
	head := headerAt(n)
	nd := &node{page: n, kind: b[head]}
	pointers := head + 8
	switch nd.kind {
	case innerIndex, innerTable:
		pointers = head + 12
	case leafIndex, leafTable:
	default:
		return nil, errNoTree
	}
	count := int(binary.BigEndian.Uint16(b[head+3:]))
	if pointers+2*count > len(b) {
		return nil, errNoTree
	}
	for i := range count {
		at := int(binary.BigEndian.Uint16(b[pointers+2*i:]))
		if at < pointers+2*count || at+4 > len(b) {
			nd.bad++
			continue
		}
		if err := d.cell(nd, b[at:], content); err != nil {
			nd.bad++
		}
	}
	if pointers == head+12 {
		nd.children = append(nd.children, binary.BigEndian.Uint32(b[head+8:]))
	}
	return nd, nil
}

var errCell = errors.New("a cell that cannot be")

// cell reads the one that begins with b, which reaches to the end of the page.
func (d *File) cell(nd *node, b []byte, content bool) error {
	if nd.kind == innerIndex || nd.kind == innerTable {
		nd.children = append(nd.children, binary.BigEndian.Uint32(b))
		if nd.kind == innerTable {
			return nil
		}
		b = b[4:]
	}
	size, n := varint(b)
	if n == 0 || size < 0 || size > int64(d.n)*int64(d.size) {
		return errCell
	}
	b = b[n:]
	var c cell
	if nd.kind == leafTable {
		if c.rowID, n = varint(b); n == 0 {
			return errCell
		}
		b = b[n:]
	}
	if content {
		var err error
		if c.payload, err = d.payload(nd, b, int(size)); err != nil {
			return err
		}
	}
	nd.cells = append(nd.cells, c)
	return nil
}

// payload puts a row together, whose rest may be on overflow pages.
func (d *File) payload(nd *node, b []byte, size int) ([]byte, error) {
	most := d.size - 35
	if nd.kind != leafTable {
		most = (d.size-12)*64/255 - 23
	}
	if size <= most {
		if size > len(b) {
			return nil, errCell
		}
		return b[:size], nil
	}
	least := (d.size-12)*32/255 - 23
	local := least + (size-least)%(d.size-4)
	if local > most {
		local = least
	}
	if local+4 > len(b) {
		return nil, errCell
	}
	out := append(make([]byte, 0, min(size, 1<<20)), b[:local]...)
	next, from := binary.BigEndian.Uint32(b[local:]), nd.page
	for len(out) < size {
		if kind, parent := d.mapped(next); kind != 0 && (kind != kindOverflow && kind != kindMore || parent != from) {
			return nil, errCell // it holds something else
		}
		page, err := d.page(next)
		if err != nil {
			return nil, errCell
		}
		out = append(out, page[4:4+min(size-len(out), d.size-4)]...)
		next, from = binary.BigEndian.Uint32(page), next
	}
	return out, nil
}

// varint reads SQLite's: big-endian, seven bits a byte, eight in the ninth. It returns 0 bytes where b is too short.
func varint(b []byte) (v int64, n int) {
	for i, c := range b {
		if i == 8 {
			return v<<8 | int64(c), 9
		}
		v = v<<7 | int64(c&0x7f)
		if c < 0x80 {
			return v, i + 1
		}
	}
	return 0, 0
}
