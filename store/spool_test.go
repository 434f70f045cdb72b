package store

import (
	"context"
	"os"
	"testing"

	"github.com/caro-mesh/caro-node/observer/event"
)

func TestAnOffsetThatIsStoredStoresNothingAgain(t *testing.T) {
	s := open(t, Options{})
	g := newGenerator(1, noon, 1e9)
	offset := func(want int64) {
		t.Helper()
		got, err := s.SpoolOffset(t.Context(), "a")
		check(t, err)
		if got != want {
			t.Errorf("offset %d, want %d", got, want)
		}
	}
	count := func(want int64) {
		t.Helper()
		got, err := s.CountEvents(t.Context())
		check(t, err)
		if got != want {
			t.Errorf("%d events, want %d", got, want)
		}
	}
	offset(0)
	check(t, s.AppendFromSpool(t.Context(), "a", 100, g.batch(3)))
	check(t, s.AppendFromSpool(t.Context(), "a", 100, g.batch(3)))
	check(t, s.AppendFromSpool(t.Context(), "a", 40, g.batch(3)))
	offset(100)
	count(3)
	check(t, s.AppendFromSpool(t.Context(), "b", 40, g.batch(1)))
	check(t, s.AppendFromSpool(t.Context(), "a", 150, nil)) // records that were set aside
	offset(150)
	count(4)
	check(t, s.ForgetSpool(t.Context(), "a"))
	check(t, s.ForgetSpool(t.Context(), "a"))
	offset(0)
	for _, o := range []int64{0, -1} {
		if err := s.AppendFromSpool(t.Context(), "c", o, g.batch(1)); err == nil {
			t.Errorf("offset %d was accepted: its records could never be told from new ones", o)
		}
	}
	count(4)
}

func TestARecordThatIsReadAgainUnderAnotherOffsetIsNotDoubled(t *testing.T) {
	s := open(t, Options{})
	batch := newGenerator(1, noon, 1e9).batch(10)
	check(t, s.AppendFromSpool(t.Context(), "a", 100, batch[:6]))
	check(t, s.AppendFromSpool(t.Context(), "a", 200, batch[4:]))
	check(t, s.Append(t.Context(), batch))
	check(t, s.Append(t.Context(), append(batch[:1:1], batch[0])))
	if n, err := s.CountEvents(t.Context()); err != nil || n != 10 {
		t.Errorf("%d events, %v", n, err)
	}
	sound(t, s)
}

func TestAnInvalidEventStoresNothingOfItsBatch(t *testing.T) {
	s := open(t, Options{})
	for name, spoil := range map[string]func(*event.Event){
		"no command":    func(e *event.Event) { e.Command = "" },
		"no UUID":       func(e *event.Event) { e.ID = "1" },
		"the year 9999": func(e *event.Event) { e.Timestamp = e.Timestamp.AddDate(8000, 0, 0) },
		"the year 1":    func(e *event.Event) { e.Timestamp = e.Timestamp.AddDate(-2020, 0, 0) },
		"risk":          func(e *event.Event) { e.RiskLevel = 9 },
	} {
		batch := newGenerator(1, noon, 1e9).batch(3)
		spoil(&batch[2])
		if err := s.AppendFromSpool(t.Context(), "a", 100, batch); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if n, err := s.CountEvents(t.Context()); err != nil || n != 0 {
		t.Errorf("%d events, %v", n, err)
	}
	if offset, err := s.SpoolOffset(t.Context(), "a"); err != nil || offset != 0 {
		t.Errorf("offset %d, %v", offset, err)
	}
}

func TestACancelledAppendStoresNothing(t *testing.T) {
	s := open(t, Options{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	g := newGenerator(1, noon, 1e9)
	wantErr(t, s.Append(ctx, g.batch(1)), context.Canceled)
	wantErr(t, s.Durable(ctx), context.Canceled)
	check(t, s.Append(t.Context(), g.batch(1)))
	if n, err := s.CountEvents(t.Context()); err != nil || n != 1 {
		t.Errorf("%d events, %v", n, err)
	}
}

// What a power failure takes away cannot be tested by writing and reading. What is tested is that SQLite is told to sync
// the write-ahead log with the transactions that promise it, and that there is something to sync.
func TestDurableTransactionsAreSynced(t *testing.T) {
	s := open(t, Options{})
	check(t, s.Append(t.Context(), newGenerator(1, noon, 1e9).batch(100)))
	synchronous := func() (mode int) {
		check(t, s.writer.conn.QueryRowContext(t.Context(), `PRAGMA synchronous`).Scan(&mode))
		return mode
	}
	const normal, full = 1, 2
	check(t, s.writeDurably(t.Context(), "test", func(*tx) error {
		if m := synchronous(); m != full {
			t.Errorf("synchronous is %d in a durable transaction", m)
		}
		return nil
	}))
	check(t, s.write(t.Context(), "test", func(*tx) error {
		if m := synchronous(); m != normal {
			t.Errorf("synchronous is %d in an ordinary transaction", m)
		}
		return nil
	}))
	before, err := os.Stat(s.Path() + "-wal")
	check(t, err)
	check(t, s.Durable(t.Context()))
	after, err := os.Stat(s.Path() + "-wal")
	check(t, err)
	if after.Size() <= before.Size() {
		t.Errorf("the log did not grow from %d bytes: nothing was committed, so nothing was synced", before.Size())
	}
}
