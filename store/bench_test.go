package store

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/caro-mesh/caro-node/observer/event"
	"github.com/caro-mesh/caro-node/policy/audit"
	"github.com/caro-mesh/caro-node/protocol"
)

var benchStart = time.Date(2026, 6, 1, 8, 0, 0, 0, time.UTC)

// bareTable is the floor: the same library and settings, one ordinary table with the columns of an event and its ID
// as the key.
func bareTable(b *testing.B) (*sql.Conn, *sql.Stmt) {
	b.Helper()
	path := filepath.Join(b.TempDir(), "bare.db")
	check(b, createPrivate(path))
	w, err := openWriter(b.Context(), path)
	check(b, err)
	b.Cleanup(func() {
		_, err := w.close()
		check(b, err)
	})
	check(b, w.acquire(b.Context()))
	defer w.release()
	_, err = w.conn.ExecContext(b.Context(), `CREATE TABLE bare (id BLOB PRIMARY KEY, started INTEGER, shell TEXT, cwd TEXT, session TEXT, exit_code INTEGER,
		duration_ms INTEGER, category TEXT, risk INTEGER, flags INTEGER, redactions TEXT, pattern TEXT, command TEXT)`)
	check(b, err)
	st, err := w.conn.PrepareContext(b.Context(), `INSERT INTO bare VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`)
	check(b, err)
	b.Cleanup(func() { check(b, st.Close()) })
	return w.conn, st
}

func bareInsert(b *testing.B, conn *sql.Conn, st *sql.Stmt, events []event.Event) {
	exec := func(q string) {
		if _, err := conn.ExecContext(context.Background(), q); err != nil {
			b.Fatal(err)
		}
	}
	if len(events) > 1 {
		exec("BEGIN IMMEDIATE")
		defer exec("COMMIT")
	}
	for i := range events {
		e := &events[i]
		id := uuid.MustParse(e.ID)
		if _, err := st.Exec(id[:], e.Timestamp.UnixNano(), string(e.Shell), e.CWD, e.Session, *e.ExitCode, *e.DurationMS, string(e.Category),
			int64(e.RiskLevel), 0, nil, e.Pattern, e.Command); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkAppendOne stores events one by one, as they come from a shell, in turns with the floor.
func BenchmarkAppendOne(b *testing.B) {
	s := open(b, Options{Now: fixedClock(benchStart)}) // commands that were just typed are of no ended hour
	conn, st := bareTable(b)
	g := newGenerator(1, benchStart, 2*time.Second)
	for i := range 2000 { // past the first pages
		check(b, s.AppendFromSpool(b.Context(), "warm", int64(i+1), g.batch(1)))
		bareInsert(b, conn, st, g.batch(1))
	}
	ours, floor := make([]time.Duration, 0, b.N), make([]time.Duration, 0, b.N)
	for i := 0; b.Loop(); i++ {
		events := g.batch(1)
		start := time.Now()
		check(b, s.AppendFromSpool(b.Context(), "bash-1", int64(i+1)*100, events))
		ours = append(ours, time.Since(start))
		start = time.Now()
		bareInsert(b, conn, st, events)
		floor = append(floor, time.Since(start))
	}
	micros := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 }
	b.ReportMetric(micros(percentile(ours, 50)), "p50-µs(goal:60)")
	b.ReportMetric(micros(percentile(ours, 99)), "p99-µs(goal:500)")
	b.ReportMetric(micros(percentile(floor, 50)), "floor-p50-µs")
	b.ReportMetric(micros(percentile(floor, 99)), "floor-p99-µs")
	b.ReportMetric(float64(percentile(ours, 50))/float64(percentile(floor, 50)), "ratio-p50(goal:2)")
}

// BenchmarkAppendBatch stores events in transactions of 1,000, as an import does, in turns with the floor.
func BenchmarkAppendBatch(b *testing.B) {
	s := open(b, Options{})
	conn, st := bareTable(b)
	g := newGenerator(2, benchStart, 2*time.Second)
	var ours, floor time.Duration
	var stored int
	for b.Loop() {
		events := g.batch(1000)
		start := time.Now()
		check(b, s.Append(b.Context(), events))
		ours += time.Since(start)
		start = time.Now()
		bareInsert(b, conn, st, events)
		floor += time.Since(start)
		stored += len(events)
	}
	z, err := s.Sizes(b.Context())
	check(b, err)
	b.ReportMetric(float64(stored)/ours.Seconds(), "events/s(goal:80000)")
	b.ReportMetric(float64(stored)/floor.Seconds(), "floor-events/s")
	b.ReportMetric(ours.Seconds()/floor.Seconds(), "ratio(goal:2)")
	b.ReportMetric(float64(z.DatabaseBytes)/float64(stored), "bytes/event")
}

const million = 1_000_000

// filled returns a store with 1,000,000 events of 30 days.
func filled(b *testing.B) *Store {
	b.Helper()
	s := open(b, Options{})
	g := newGenerator(3, benchStart, 30*24*time.Hour/million)
	start := time.Now()
	for range million / 1000 {
		check(b, s.Append(b.Context(), g.batch(1000)))
	}
	z, err := s.Sizes(b.Context())
	check(b, err)
	b.Logf("1,000,000 events generated and stored in %.1f s, %d bytes per event", time.Since(start).Seconds(), z.DatabaseBytes/million)
	return s
}

// BenchmarkImportMillion stores 1,000,000 events in transactions of 1,000, in turns with the floor, and looks at the memory
// of the process after each tenth: what was once needed must do for all the rest.
func BenchmarkImportMillion(b *testing.B) {
	for b.Loop() {
		s := open(b, Options{})
		conn, st := bareTable(b)
		g := newGenerator(4, benchStart, 30*24*time.Hour/million)
		var ours, floor time.Duration
		var memory []float64
		for i := range million / 1000 {
			events := g.batch(1000)
			start := time.Now()
			check(b, s.Append(b.Context(), events))
			ours += time.Since(start)
			start = time.Now()
			bareInsert(b, conn, st, events)
			floor += time.Since(start)
			if (i+1)%(million/10_000) == 0 {
				memory = append(memory, residentMiB(b))
			}
		}
		z, err := s.Sizes(b.Context())
		check(b, err)
		var pages, size int64
		check(b, conn.QueryRowContext(b.Context(), `SELECT page_count, page_size FROM pragma_page_count, pragma_page_size`).Scan(&pages, &size))
		b.ReportMetric(million/ours.Seconds(), "events/s(goal:20000)")
		b.ReportMetric(million/floor.Seconds(), "floor-events/s")
		b.ReportMetric(float64(z.DatabaseBytes)/million, "bytes/event")
		b.ReportMetric(float64(pages*size)/million, "floor-bytes/event")
		b.ReportMetric(memory[0], "MiB-at-100000")
		b.ReportMetric(memory[4], "MiB-at-500000")
		b.ReportMetric(memory[9], "MiB-at-1000000")
	}
}

// residentMiB is what the process has in memory, after what is unused was given back.
func residentMiB(b *testing.B) float64 {
	b.Helper()
	debug.FreeOSMemory()
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		b.Skipf("this system does not tell the memory of a process: %v", err)
	}
	var all, resident float64
	_, err = fmt.Sscan(string(text), &all, &resident)
	check(b, err)
	return resident * float64(os.Getpagesize()) / (1 << 20)
}

// BenchmarkMillion reads a store of 1,000,000 events.
func BenchmarkMillion(b *testing.B) {
	s := filled(b)
	day := benchStart.AddDate(0, 0, 14).Truncate(24 * time.Hour)
	ctx := b.Context()
	b.Run("summary of a day, goal 50 ms", func(b *testing.B) {
		for b.Loop() {
			r, err := s.Rollups(ctx, day, day.AddDate(0, 0, 1))
			check(b, err)
			n, err := s.UniquePatterns(ctx, day, day.AddDate(0, 0, 1), func(c protocol.CommandCategory) bool { return c == "docker" })
			check(b, err)
			if len(r) < 100 || n < 10 {
				b.Fatalf("%d counts, %d patterns", len(r), n)
			}
		}
	})
	b.Run("floor of a day: counting its events", func(b *testing.B) {
		for b.Loop() {
			var n int64
			check(b, s.readers.QueryRowContext(ctx, `SELECT count(*) FROM event WHERE key >= ? AND key < ?`, firstKey(day), firstKey(day.AddDate(0, 0, 1))).Scan(&n))
		}
	})
	b.Run("summary of all 30 days", func(b *testing.B) {
		for b.Loop() {
			_, err := s.Rollups(ctx, benchStart, benchStart.AddDate(0, 0, 30))
			check(b, err)
		}
	})
	b.Run("count, last 24 hours and all", func(b *testing.B) {
		for b.Loop() {
			_, err := s.CountEvents(ctx)
			check(b, err)
			_, err = s.CountEventsSince(ctx, benchStart.AddDate(0, 0, 29).Add(17*time.Minute))
			check(b, err)
		}
	})
	failed := true
	for name, f := range map[string]EventFilter{
		"a frequent word":                  {Search: "git"},
		"a rare word":                      {Search: "feature/mail-auth-42"},
		"what does not occur":              {Search: "zzzqqq"},
		"two letters":                      {Search: "xq"},
		"parts that never meet":            {Search: "kubectl compose"},
		"a frequent word, rare risk":       {Search: "lib", MinRisk: 3},
		"a frequent word in a folder":      {Search: "git", CWD: "/home/user/src/mail/auth"},
		"a folder and a failure":           {CWD: "/home/user/src/mail", Failed: &failed},
		"a category that does not occur":   {Category: "other:terraform"},
		"the newest":                       {},
		"a page of the past":               {Until: day, Limit: 1000},
		"an hour of the past with a word":  {Until: day, Since: day.Add(-time.Hour), Search: "make"},
		"rare risk over the whole history": {MinRisk: 3, Limit: 5000},
	} {
		b.Run("search "+name+", goal 100 ms", func(b *testing.B) {
			found := 0
			for b.Loop() {
				list, _, err := s.Events(ctx, f)
				check(b, err)
				found = len(list)
			}
			b.ReportMetric(float64(found), "found")
		})
	}
	b.Run("search floor: reading every packed command", func(b *testing.B) {
		for b.Loop() {
			var n int
			check(b, s.each(ctx, `SELECT commands FROM segment`, nil, func(rows *sql.Rows) error {
				var c sql.RawBytes
				err := rows.Scan(&c)
				n += len(c)
				return err
			}))
		}
	})
}

// BenchmarkDeleteOneOfAMillion includes that the whole file is looked through for traces.
func BenchmarkDeleteOneOfAMillion(b *testing.B) {
	s := filled(b)
	for b.Loop() {
		b.StopTimer()
		list, _, err := s.Events(b.Context(), EventFilter{Limit: 1, Until: benchStart.AddDate(0, 0, 10)})
		check(b, err)
		b.StartTimer()
		n, err := s.DeleteEvents(b.Context(), []string{list[0].ID})
		check(b, err)
		if n != 1 {
			b.Fatal("nothing was deleted")
		}
	}
}

// BenchmarkLateEvents stores what many shells wrote while nobody read it: each file spans the same week.
func BenchmarkLateEvents(b *testing.B) {
	s := open(b, Options{})
	week := 7 * 24 * time.Hour
	check(b, s.Append(b.Context(), newGenerator(1, benchStart, week/10_000).batch(10_000)))
	stored := 0
	var spent time.Duration
	for i := 0; b.Loop(); i++ {
		events := newGenerator(uint64(i), benchStart, week/500).batch(500)
		start := time.Now()
		check(b, s.AppendFromSpool(b.Context(), fmt.Sprint("file", i), 1, events))
		spent += time.Since(start)
		stored += len(events)
	}
	b.ReportMetric(float64(stored)/spent.Seconds(), "events/s")
}

// BenchmarkVerifyAudit checks a long log.
func BenchmarkVerifyAudit(b *testing.B) {
	s := open(b, Options{})
	const n = 50_000
	check(b, s.write(b.Context(), "fill", func(t *tx) error {
		for i := range n {
			if _, err := t.audit(audit.Event{Type: protocol.AuditResponseSent, Peer: nodeID(1), Details: map[string]string{"query_id": fmt.Sprint(i), "rule": "node bob", "source": "config.toml"}}); err != nil {
				return err
			}
		}
		return nil
	}))
	for b.Loop() {
		v, err := s.VerifyAudit(b.Context())
		check(b, err)
		if !v.OK {
			b.Fatal(v.Reason)
		}
	}
	b.ReportMetric(b.Elapsed().Seconds()/float64(b.N)*1e6/n, "s/million(goal:10)")
}

// BenchmarkAppendAudit writes records one by one; the goal is 200 µs each.
func BenchmarkAppendAudit(b *testing.B) {
	s := open(b, Options{})
	e := audit.Event{Type: protocol.AuditResponseSent, Peer: nodeID(1), Details: map[string]string{"query_id": "x", "rule": "node bob"}, Success: true}
	for b.Loop() {
		_, err := s.AuditLog().Append(b.Context(), e)
		check(b, err)
	}
}

func percentile(d []time.Duration, p int) time.Duration {
	slices.Sort(d)
	return d[len(d)*p/100]
}

// BenchmarkReceipt stores an answer of usual size with its record, and the countersignature: what a query costs the node
// that is asked, beside BenchmarkAppendAudit.
func BenchmarkReceipt(b *testing.B) {
	s := open(b, Options{})
	e := audit.Event{Type: protocol.AuditResponseSent, Peer: nodeID(1), Details: map[string]string{"query_id": "x", "rule": "node bob"}, Success: true}
	query, response, receipt := make([]byte, 350), make([]byte, 900), make([]byte, 316)
	for b.Loop() {
		r, err := s.SaveReceipt(b.Context(), "x", query, response, e)
		check(b, err)
		check(b, s.Countersign(b.Context(), r.Sequence, receipt))
	}
}
