package observer

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caro-mesh/caro-node/observer/event"
	"github.com/caro-mesh/caro-node/observer/spool"
	"github.com/caro-mesh/caro-node/protocol"
)

// appendRecord does what a hook does: open, one write, close.
func appendRecord(t *testing.T, path string, r spool.Record) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Error(err)
		return
	}
	if _, err := f.Write(spool.Encode(r)); err != nil {
		t.Error(err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
}

func TestTwoHundredSessionsAtOnceAreStoredOnceEach(t *testing.T) {
	const sessions, each = 200, 25
	sink := newMemorySink()
	_, dir := start(t, sink, nil)
	var wg sync.WaitGroup
	for s := range sessions {
		wg.Go(func() {
			path := filepath.Join(dir, fmt.Sprintf("zsh-%d-1-1.spool", s))
			for i := range each {
				appendRecord(t, path, spool.Record{Start: time.Now(), Shell: protocol.ShellZsh, Command: fmt.Sprintf("echo %d %d", s, i)})
			}
		})
	}
	wg.Wait()
	eventually(t, released(dir))
	seen := map[string]int{}
	for _, c := range sink.commands() {
		seen[c]++
	}
	for s := range sessions {
		for i := range each {
			if n := seen[fmt.Sprintf("echo %d %d", s, i)]; n != 1 {
				t.Errorf("record %d of session %d is stored %d times", i, s, n)
			}
		}
	}
}

// batchSink notes the largest batch.
type batchSink struct {
	*memorySink
	events, bytes int
}

func (s *batchSink) AppendFromSpool(ctx context.Context, file string, offset int64, events []event.Event) error {
	size := 0
	for i := range events {
		size += len(events[i].Command)
		events[i].Command = fmt.Sprint(len(events[i].Command)) // the test itself must not need the memory
	}
	s.mu.Lock()
	s.events, s.bytes = max(s.events, len(events)), max(s.bytes, size)
	s.mu.Unlock()
	return s.memorySink.AppendFromSpool(ctx, file, offset, events)
}

func TestABacklogIsReadInBoundedBatches(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "spool")
	if err := spool.Prepare(dir); err != nil {
		t.Fatal(err)
	}
	huge := "echo " + strings.Repeat("x", 1<<20)
	path := filepath.Join(dir, "bash-1-1-1.spool")
	for range 40 {
		appendRecord(t, path, spool.Record{Command: huge})
	}
	for i := range 3000 {
		appendRecord(t, path, spool.Record{Command: fmt.Sprint("echo ", i)})
	}
	sink := &batchSink{memorySink: newMemorySink()}
	startIn(t, dir, sink, func(c *Config) { c.Annotate = func(*event.Event) {} })
	eventually(t, released(dir))
	if n := len(sink.commands()); n != 3040 {
		t.Errorf("%d events are stored, want 3040", n)
	}
	if sink.bytes > 4<<20+len(huge) || sink.events > 500 {
		t.Errorf("a batch of %d events, and one of %d bytes", sink.events, sink.bytes)
	}
}

// BenchmarkPickUp measures from a record's write to its event in the sink, the pause that gathers bursts included.
func BenchmarkPickUp(b *testing.B) {
	dir := filepath.Join(b.TempDir(), "spool")
	sink := newMemorySink()
	o, err := New(Config{SpoolDir: dir, Sink: sink})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- o.Run(ctx) }()
	for spool.Write(dir, spool.Record{Command: "first"}) != nil || len(sink.commands()) == 0 {
		pause(ctx, time.Millisecond)
	}
	for b.Loop() {
		before := len(sink.commands())
		if err := spool.Write(dir, spool.Record{Start: time.Now(), Shell: protocol.ShellBash, Command: "git status"}); err != nil {
			b.Fatal(err)
		}
		for len(sink.commands()) == before {
			pause(ctx, 100*time.Microsecond)
		}
	}
	cancel()
	if err := <-done; err != nil {
		b.Error(err)
	}
}
