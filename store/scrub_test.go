package store

import (
	"bytes"
	"database/sql"
	"fmt"
	"testing"
	"time"

	"github.com/caro-mesh/caro-node/observer/event"
)

func TestScrubbingLooksAtEveryPageOfTablesAndIndexesAndAtNoOther(t *testing.T) {
	s := open(t, Options{packing: &packing{events: 16, bytes: 1 << 20}})
	g := newGenerator(1, noon, time.Second)
	for range 30 {
		check(t, s.Append(t.Context(), g.batch(400)))
		g.at = g.at.Add(time.Second)
		check(t, s.Append(t.Context(), []event.Event{plainEvent(g.at, string(bytes.Repeat([]byte("long "), 20_000)))}))
	}
	_, err := s.DeleteMatching(t.Context(), EventFilter{Until: noon.Add(500 * time.Second)}) // leaves free pages
	check(t, err)
	trees := make(map[int64]bool)
	check(t, s.each(t.Context(), `SELECT pageno FROM dbstat WHERE pagetype IN ('leaf', 'internal')`, nil, func(rows *sql.Rows) error {
		var n int64
		err := rows.Scan(&n)
		trees[n] = true
		return err
	}))
	var pages int64
	check(t, s.readers.QueryRowContext(t.Context(), `PRAGMA page_count`).Scan(&pages))
	if pages <= scrubBatch || len(trees) < 100 {
		t.Fatalf("%d pages, %d of them parts of tables: too few for this test", pages, len(trees))
	}
	check(t, s.write(t.Context(), "test", func(tx *tx) error {
		m := pageMap{t: tx}
		for n := int64(2); n <= pages; n++ {
			got, err := m.isTree(n)
			if err != nil {
				return err
			}
			if got != trees[n] {
				return fmt.Errorf("page %d is part of a table: %v, but was taken for the opposite", n, trees[n])
			}
		}
		return nil
	}))
	check(t, s.scrub(t.Context(), "test"))
	sound(t, s)
}

func FuzzScrubPage(f *testing.F) {
	page := make([]byte, 512)
	page[0], page[4], page[5] = 13, 2, 1
	f.Add(page)
	f.Fuzz(func(t *testing.T, page []byte) {
		if len(page) != 512 {
			return
		}
		before := bytes.Clone(page)
		if _, err := scrubPage(page); err == nil && !bytes.Equal(before[:8], page[:8]) {
			t.Error("the header was changed")
		}
	})
}
