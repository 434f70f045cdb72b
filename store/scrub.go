package store

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
)

// SQLite overwrites what is deleted (secure_delete), but not the copies that stay behind in the unused middle of a page
// when its rows are moved to another one. The only remedy that it offers is to write the whole database anew, in memory
// or in a temporary file. scrub instead overwrites the unused parts of every page of tables and indexes, in place.
// The layout of pages is fixed and public: https://www.sqlite.org/fileformat2.html.

// scrubBatch is how many pages one transaction looks at, so that writers do not wait long.
const scrubBatch = 2000

func (s *Store) scrub(ctx context.Context, doing string) error {
	for first := int64(2); ; first += scrubBatch { // page 1 holds the names of tables and nothing else
		more := false
		if err := s.write(ctx, doing, func(t *tx) error {
			var pages int64
			// Not prepared: pragmas may be evaluated when they are compiled.
			if err := t.w.conn.QueryRowContext(t.ctx, `PRAGMA page_count`).Scan(&pages); err != nil {
				return err
			}
			more = first+scrubBatch <= pages
			return t.scrubPages(first, min(first+scrubBatch-1, pages))
		}); err != nil {
			return err
		}
		if !more {
			return nil
		}
	}
}

func (t *tx) scrubPages(first, last int64) error {
	m := pageMap{t: t}
	for n := first; n <= last; n++ {
		tree, err := m.isTree(n)
		if err != nil {
			return err
		}
		if !tree {
			continue
		}
		page, err := t.page(n)
		if err != nil {
			return err
		}
		changed, err := scrubPage(page)
		if err != nil {
			return fmt.Errorf("%w: page %d: %w", ErrDamaged, n, err)
		}
		if changed {
			if _, err := t.exec(`UPDATE sqlite_dbpage SET data = ? WHERE pgno = ?`, page, n); err != nil {
				return err
			}
		}
	}
	return nil
}

func (t *tx) page(n int64) ([]byte, error) {
	var page []byte
	err := t.get(`SELECT data FROM sqlite_dbpage WHERE pgno = ?`, []any{n}, &page)
	if errors.Is(err, sql.ErrNoRows) {
		err = fmt.Errorf("%w: page %d does not exist", ErrDamaged, n)
	}
	return page, err
}

// pageMap tells what pages are for. A database with auto_vacuum has pages of five-byte entries, a type and a number,
// one for each of the pages that follow: the first is page 2.
type pageMap struct {
	t       *tx
	at      int64 // number of the page that was read last
	entries []byte
}

// Types of entries. A root is the first page of a table or an index.
const (
	pageRoot = 1
	pageTree = 5
)

// lockByte is the place in the file that SQLite locks; the page there is never used.
const lockByte = 1 << 30

// isTree reports whether page n holds rows of a table or entries of an index, rather than free space or parts of one
// long row, which have no unused middle.
func (m *pageMap) isTree(n int64) (bool, error) {
	if m.entries == nil {
		var err error
		if m.entries, err = m.t.page(2); err != nil {
			return false, err
		}
		m.at = 2
	}
	size := int64(len(m.entries))
	span := size/5 + 1
	at := (n-2)/span*span + 2
	unused := lockByte/size + 1
	if at == unused {
		at++
	}
	if n <= at || n == unused { // a map, or the lock page
		return false, nil
	}
	if at != m.at {
		var err error
		if m.entries, err = m.t.page(at); err != nil {
			return false, err
		}
		m.at = at
	}
	kind := m.entries[5*(n-at-1)]
	return kind == pageRoot || kind == pageTree, nil
}

// scrubPage overwrites with zeros what page, which is part of a table or an index, does not use.
func scrubPage(page []byte) (changed bool, err error) {
	header := 8
	switch page[0] {
	case 2, 5: // inner pages of indexes and tables
		header = 12
	case 10, 13: // leaves
	default:
		return false, fmt.Errorf("type %d instead of a part of a table", page[0])
	}
	number := func(at int) int { return int(binary.BigEndian.Uint16(page[at:])) }
	wipe := func(from, to int) error {
		if from > to || to > len(page) {
			return fmt.Errorf("unused bytes from %d to %d", from, to)
		}
		for i := from; i < to; i++ {
			changed = changed || page[i] != 0
			page[i] = 0
		}
		return nil
	}
	content := number(5)
	if content == 0 {
		content = 1 << 16
	}
	if err := wipe(header+2*number(3), content); err != nil {
		return false, err
	}
	// Gaps between rows form a list: the place of the next one, their own size, then bytes without meaning.
	for at := number(1); at != 0; {
		if at+4 > len(page) {
			return false, fmt.Errorf("gap at %d", at)
		}
		next := number(at)
		if err := wipe(at+4, at+number(at+2)); err != nil {
			return false, err
		}
		if next != 0 && next <= at {
			return false, fmt.Errorf("gap at %d after gap at %d", next, at)
		}
		at = next
	}
	return changed, nil
}
