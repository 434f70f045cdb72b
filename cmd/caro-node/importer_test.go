package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	v1 "github.com/caro-mesh/caro-node/api/v1"
	"github.com/caro-mesh/caro-node/observer"
	"github.com/caro-mesh/caro-node/observer/event"
	"github.com/caro-mesh/caro-node/protocol"
)

// collector is a sink of an import.
type collector struct {
	chunks [][]event.Event
	ids    map[string]bool
	fail   error // returned from the third chunk on
}

func (c *collector) store(_ context.Context, events []event.Event) (v1.StoredEvents, error) {
	if c.fail != nil && len(c.chunks) == 2 {
		return v1.StoredEvents{}, c.fail
	}
	var out v1.StoredEvents
	c.chunks = append(c.chunks, slices.Clone(events))
	for _, e := range events {
		if c.ids[e.ID] {
			out.AlreadyStored++
			continue
		}
		c.ids[e.ID] = true
		out.Stored++
	}
	return out, nil
}

func importText(t *testing.T, shell protocol.ShellType, text string, to *collector) (importDocument, error) {
	t.Helper()
	p, err := observer.NewPreparer(observer.Config{Annotate: func(e *event.Event) { e.Category = protocol.CategoryOther }})
	if err != nil {
		t.Fatal(err)
	}
	if to.ids == nil {
		to.ids = make(map[string]bool)
	}
	im := importer{shell: shell, preparer: p, store: to.store, progress: newProgress(io.Discard, os.Getenv, -1, time.Now())}
	err = im.run(t.Context(), strings.NewReader(text))
	return im.doc, err
}

func TestCommandsWithoutATimeGetThatOfTheOneBeforeOrNone(t *testing.T) {
	var to collector
	doc, err := importText(t, protocol.ShellZsh, "a\nb\n: 1700000000:1;c\nd\n: 253402300799:0;e\n: 1700000009:2;f\n", &to)
	if err != nil || doc.WithoutTime != 4 || doc.Stored != 6 {
		t.Fatalf("%+v, %v", doc, err)
	}
	at := time.Unix(1700000000, 0).UTC()
	for i, want := range []time.Time{time.Unix(0, 0).UTC(), time.Unix(0, 0).UTC(), at, at, at, at.Add(9 * time.Second)} {
		if e := to.chunks[0][i]; e.Timestamp.Truncate(time.Second) != want {
			t.Errorf("%q has the time %s, want %s", e.Command, e.Timestamp, want)
		}
	}
	if e := to.chunks[0][5]; *e.DurationMS != 2000 || e.ExitCode != nil {
		t.Errorf("%+v", e)
	}
}

func TestCommandsOfTheSameTimeKeepTheOrderOfTheFile(t *testing.T) {
	for what, line := range map[string]string{"no time": "make %d\n", "one time": "#1700000000\nmake %d\n"} {
		var text strings.Builder
		for i := range 3000 {
			fmt.Fprintf(&text, line, i)
		}
		var to collector
		if _, err := importText(t, protocol.ShellBash, text.String(), &to); err != nil {
			t.Fatal(err)
		}
		slices.Reverse(to.chunks) // as the store may get them
		all := slices.Concat(to.chunks...)
		slices.SortStableFunc(all, func(a, b event.Event) int { return a.Timestamp.Compare(b.Timestamp) })
		for i, e := range all {
			if want := fmt.Sprintf("make %d", i); e.Command != want {
				t.Fatalf("%s: command %d is %q, want %q", what, i, e.Command, want)
			}
		}
		if first, last := all[0].Timestamp, all[2999].Timestamp; first.Unix() != last.Unix() {
			t.Errorf("%s: what was of one time is from %s to %s", what, first, last)
		}
	}
}

func TestATransactionHoldsAThousandCommandsOrAMebibyte(t *testing.T) {
	var to collector
	doc, err := importText(t, protocol.ShellBash, strings.Repeat("ls\n", 2500)+strings.Repeat(strings.Repeat("x", 400<<10)+"\n", 5), &to)
	if err != nil {
		t.Fatal(err)
	}
	var sizes []int
	for _, c := range to.chunks {
		sizes = append(sizes, len(c))
	}
	if want := []int{1000, 1000, 502, 2, 1}; !slices.Equal(sizes, want) {
		t.Errorf("transactions of %v, want %v", sizes, want)
	}
	if doc.Read != 2505 || doc.Stored != 2505 {
		t.Errorf("%+v", doc)
	}
}

func TestAnInterruptedImportIsCompletedByTheNext(t *testing.T) {
	var text strings.Builder
	for i := range 4321 {
		fmt.Fprintf(&text, "#%d\nmake %d\n", 1700000000+i/3, i%5)
	}
	broken := errors.New("the disk is full")
	to := collector{fail: broken}
	doc, err := importText(t, protocol.ShellBash, text.String(), &to)
	if !errors.Is(err, broken) || doc.Stored != 2000 || doc.Read != 2000 {
		t.Fatalf("%+v, %v", doc, err)
	}
	to.fail = nil
	doc, err = importText(t, protocol.ShellBash, text.String(), &to)
	if err != nil || doc.Read != 4321 || doc.Stored != 2321 || doc.AlreadyStored != 2000 || len(to.ids) != 4321 {
		t.Errorf("%+v, %d stored in all, %v", doc, len(to.ids), err)
	}
}

func TestAnImportEndsWithItsContext(t *testing.T) {
	p, err := observer.NewPreparer(observer.Config{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var to collector
	to.ids = make(map[string]bool)
	im := importer{shell: protocol.ShellBash, preparer: p, progress: newProgress(io.Discard, os.Getenv, -1, time.Now())}
	im.store = func(ctx context.Context, events []event.Event) (v1.StoredEvents, error) {
		cancel()
		return to.store(ctx, events)
	}
	if err := im.run(ctx, strings.NewReader(strings.Repeat("ls\n", 50_000))); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if im.doc.Stored == 0 || im.doc.Stored > 5000 {
		t.Errorf("%d commands were stored", im.doc.Stored)
	}
}

func TestAsManyTransactionsAreUnderWayAsTheSinkTakes(t *testing.T) {
	p, err := observer.NewPreparer(observer.Config{Annotate: func(*event.Event) {}})
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for i := range 9500 {
		fmt.Fprintf(&text, "#%d\nmake %d\n", 1700000000+i, i)
	}
	to := collector{ids: make(map[string]bool)}
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		now, most := 0, 0
		im := importer{shell: protocol.ShellBash, preparer: p, together: 3, progress: newProgress(io.Discard, os.Getenv, -1, time.Now())}
		im.store = func(ctx context.Context, events []event.Event) (v1.StoredEvents, error) {
			mu.Lock()
			now++
			most = max(most, now)
			mu.Unlock()
			// Of three in a row the last ends first, so that they overtake each other.
			<-time.After(time.Duration(3-events[0].Timestamp.Unix()/1000%3) * time.Second)
			mu.Lock()
			defer mu.Unlock()
			now--
			return to.store(ctx, events)
		}
		if err := im.run(t.Context(), strings.NewReader(text.String())); err != nil {
			t.Fatal(err)
		}
		if most != 3 {
			t.Errorf("%d were under way at once, want 3", most)
		}
		if im.doc.Read != 9500 || im.doc.Stored != 9500 || len(to.ids) != 9500 {
			t.Errorf("%+v, %d stored in all", im.doc, len(to.ids))
		}
	})
}

func TestTheSizeInJSONIsNotUnderestimated(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := strings.ToValidUTF8(string(rapid.SliceOf(rapid.Byte()).Draw(t, "bytes"))+rapid.String().Draw(t, "text")+rapid.SampledFrom([]string{"", "\u2028", "<&>"}).Draw(t, "odd"), "\uFFFD")
		b, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		if n := jsonSize(s) + 2; n < len(b) || n > 6*len(s)+2 {
			t.Fatalf("%q takes %d bytes, estimated %d", s, len(b), n)
		}
	})
}

func TestNumbersAndBarsAreReadable(t *testing.T) {
	for n, want := range map[int]string{0: "0", 7: "7", 999: "999", 1000: "1,000", 123456: "123,456", 1234567: "1,234,567"} {
		if got := grouped(n); got != want {
			t.Errorf("%d is written %q", n, got)
		}
	}
	for f, want := range map[float64]string{-1: "[........................]   0%", 0.5: "[############............]  50%", 7: "[########################] 100%"} {
		if got := bar(f); got != want {
			t.Errorf("%v is drawn %q", f, got)
		}
	}
}

func TestABarIsDrawnOnATerminalOnly(t *testing.T) {
	var out bytes.Buffer
	p := newProgress(&out, os.Getenv, 100, time.Now().Add(-time.Hour))
	p.drawn = time.Time{}
	p.show(50, 1000)
	p.clear()
	if out.Len() > 0 {
		t.Errorf("a buffer got %q", out.String())
	}
	p.w = &out
	p.show(50, 1000)
	p.clear()
	if !strings.HasPrefix(out.String(), "\r[############............]  50%  1,000 commands") || !strings.HasSuffix(out.String(), " \r") {
		t.Errorf("a terminal got %q", out.String())
	}
}
