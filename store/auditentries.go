package store

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"unicode/utf8"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/caro-mesh/caro-node/policy/audit"
)

// entriesPerBatch are handed over at once: enough that handing over costs nothing, about 300 KB.
const entriesPerBatch = 512

// entries merges records and tree, both by rising sequence. A record without its hashes comes without them, and hashes
// without their record as removed. An entry is valid until the next one.
//
// To read takes as long as to decode and verify, so another goroutine reads ahead. It has ended when the iteration has:
// one at a time uses the transaction.
func entries(ctx context.Context, r *sql.Tx) iter.Seq2[audit.Entry, error] {
	return func(yield func(audit.Entry, error) bool) {
		ctx, stop := context.WithCancel(ctx)
		full, free := make(chan *entryBatch), make(chan *entryBatch, 3)
		for range cap(free) {
			free <- new(entryBatch)
		}
		var failed error
		go func() {
			defer close(full)
			failed = readEntries(ctx, r, full, free)
		}()
		defer func() {
			stop()
			for range full { // until the reader has ended
			}
		}()
		for b := range full {
			for i := range b.rows {
				if !yield(b.entry(i)) {
					return
				}
			}
			free <- b
		}
		if failed != nil {
			yield(audit.Entry{}, failed)
		}
	}
}

// entryBatch holds entries as they are stored, in memory that is used again.
type entryBatch struct {
	rows    []entryRow
	details []byte
	hashes  []tlog.Hash
}

// entryRow is an entry whose details and hashes stand in the batch.
type entryRow struct {
	record                   audit.Record
	removed                  bool
	err                      error
	details, detailsEnd      int
	hashesStart, hashesAfter int
}

func (b *entryBatch) reset() { b.rows, b.details, b.hashes = b.rows[:0], b.details[:0], b.hashes[:0] }

func (b *entryBatch) entry(i int) (audit.Entry, error) {
	row := &b.rows[i]
	e := audit.Entry{Record: row.record, Removed: row.removed, Tree: b.hashes[row.hashesStart:row.hashesAfter]}
	if row.err != nil || row.removed {
		return e, row.err
	}
	details := b.details[row.details:row.detailsEnd]
	if err := readDetails(&e.Record, details); err != nil {
		return e, err
	}
	return e, plain(&e.Record, details)
}

// plain refuses details that are stored in another way than this program does: other readers could take them for others,
// for example where a key is there twice.
func plain(r *audit.Record, details []byte) error {
	if tidy(details) {
		return nil
	}
	want, err := json.Marshal(r.Details)
	if err == nil && !bytes.Equal(want, details) {
		err = fmt.Errorf("record %d: %w: its details can be read in more than one way", r.Sequence, audit.ErrUnreadable)
	}
	return err
}

// tidy reports whether an object of strings has rising keys without escapes, and nothing between its parts: nearly all
// have, and to look is much faster than to write the object anew.
func tidy(object []byte) bool {
	rest, ok := bytes.CutPrefix(object, []byte("{"))
	ok = ok && utf8.Valid(object)
	last := []byte(nil)
	for ok {
		key, after, found := bytes.Cut(rest, []byte(`":"`))
		if !found || len(key) < 2 || key[0] != '"' || bytes.IndexByte(key[1:], '"') >= 0 || bytes.IndexByte(key, '\\') >= 0 || bytes.Compare(last, key) >= 0 {
			return false
		}
		end := bytes.IndexByte(after, '"')
		if end < 0 || bytes.IndexByte(after[:end], '\\') >= 0 {
			return false
		}
		last = key
		if rest, ok = bytes.CutPrefix(after[end+1:], []byte(",")); !ok {
			return string(after[end+1:]) == "}"
		}
	}
	return false
}

// readEntries sends all entries in batches. An error comes after the entries before it.
func readEntries(ctx context.Context, r *sql.Tx, full, free chan *entryBatch) (err error) {
	m := entryMerge{batch: new(entryBatch), hand: func(b *entryBatch) (*entryBatch, error) {
		select {
		case full <- b:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		select {
		case b = <-free:
			b.reset()
			return b, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}}
	err = m.merge(ctx, r)
	if m.batch == nil || len(m.batch.rows) == 0 {
		return err
	}
	_, handErr := m.hand(m.batch)
	return errors.Join(err, handErr)
}

// entryMerge reads records and tree side by side.
type entryMerge struct {
	batch *entryBatch
	hand  func(*entryBatch) (*entryBatch, error) // over, for an empty one

	tree   *sql.Rows
	at     uint64 // where the tree is read to; 0: at its end
	hashes []tlog.Hash
}

func (m *entryMerge) merge(ctx context.Context, r *sql.Tx) (err error) {
	tree, err := r.QueryContext(ctx, `SELECT sequence, hashes FROM audit_tree ORDER BY sequence`)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, tree.Err(), tree.Close()) }()
	m.tree = tree
	if err := m.next(); err != nil {
		return err
	}
	rows, err := r.QueryContext(ctx, selectAudit+` ORDER BY sequence`)
	if err != nil {
		return err
	}
	if err := drain(rows, m.record); err != nil {
		return err
	}
	return m.removed(1 << 63)
}

// next goes on to the next hashes of the tree.
func (m *entryMerge) next() error {
	if m.at = 0; !m.tree.Next() {
		return m.tree.Err()
	}
	var hashes sql.RawBytes
	if err := m.tree.Scan(&m.at, &hashes); err != nil {
		return fmt.Errorf("%w: the tree over the log: %w", audit.ErrUnreadable, err)
	}
	var err error
	m.hashes, err = unpackHashes(m.hashes[:0], hashes)
	return err
}

// removed adds what the tree has before a record.
func (m *entryMerge) removed(until uint64) error {
	for m.at != 0 && m.at < until {
		if err := m.add(entryRow{record: audit.Record{Sequence: m.at}, removed: true}, nil, m.hashes); err != nil {
			return err
		}
		if err := m.next(); err != nil {
			return err
		}
	}
	return nil
}

func (m *entryMerge) record(rows *sql.Rows) error {
	var row entryRow
	var details sql.RawBytes
	details, row.err = scanColumns(rows, &row.record)
	if err := m.removed(row.record.Sequence); err != nil {
		return err
	}
	if m.at == 0 || m.at != row.record.Sequence {
		return m.add(row, details, nil)
	}
	if err := m.add(row, details, m.hashes); err != nil {
		return err
	}
	return m.next()
}

func (m *entryMerge) add(row entryRow, details []byte, hashes []tlog.Hash) (err error) {
	b := m.batch
	row.details, row.hashesStart = len(b.details), len(b.hashes)
	b.details, b.hashes = append(b.details, details...), append(b.hashes, hashes...)
	row.detailsEnd, row.hashesAfter = len(b.details), len(b.hashes)
	if b.rows = append(b.rows, row); len(b.rows) == entriesPerBatch {
		m.batch, err = m.hand(b)
	}
	return err
}
