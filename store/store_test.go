package store

import (
	"context"
	"database/sql"
	"encoding/base64"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/caro-mesh/caro-node/policy/audit"
	"github.com/caro-mesh/caro-node/protocol"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(writerDirVariable); dir != "" {
		os.Exit(writeUntilKilled(dir))
	}
	flag.Parse()
	if raceDetector { // single-threaded tests find no races; what runs at the same time is tested in full
		if err := flag.Set("rapid.checks", "10"); err != nil {
			panic(err)
		}
	}
	goleak.VerifyTestMain(m)
}

func open(tb testing.TB, o Options) *Store {
	tb.Helper()
	return openAt(tb, filepath.Join(tb.TempDir(), "caro.db"), o)
}

func openAt(tb testing.TB, path string, o Options) *Store {
	tb.Helper()
	s, err := Open(tb.Context(), path, o)
	check(tb, err)
	tb.Cleanup(func() { check(tb, s.Close()) })
	return s
}

func check(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

func wantErr(tb testing.TB, err, want error) {
	tb.Helper()
	if !errors.Is(err, want) {
		tb.Fatalf("got error %v, want %v", err, want)
	}
}

// sound fails the test when the database contradicts itself.
func sound(tb testing.TB, s *Store) {
	tb.Helper()
	problems, err := s.Check(context.Background())
	check(tb, err)
	for _, p := range problems {
		tb.Error(p)
	}
	v, err := s.VerifyAudit(context.Background())
	check(tb, err)
	if !v.OK {
		tb.Errorf("audit log: %s", v.Reason)
	}
}

// raw is a connection beside the store, as another program would have it.
func raw(tb testing.TB, path string) *sql.DB {
	tb.Helper()
	db := mustOpen(path, "mode=rw", "foreign_keys(1)")
	tb.Cleanup(func() { check(tb, db.Close()) })
	return db
}

func nodeID(n byte) protocol.NodeID {
	key := make([]byte, 32)
	key[0] = n
	return protocol.NodeID(protocol.NodeIDPrefix + base64.StdEncoding.EncodeToString(key))
}

func auditCount(tb testing.TB, s *Store) int64 {
	tb.Helper()
	z, err := s.Sizes(context.Background())
	check(tb, err)
	return z.AuditEntries
}

var (
	noon      = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	generated = audit.Event{Type: protocol.AuditSummaryGenerated, Success: true}
	shared    = audit.Event{Type: protocol.AuditSummaryShared, Success: true}
	changed   = audit.Event{Type: protocol.AuditTrustChanged, Success: true}
)

func fixedClock(t time.Time) func() time.Time { return func() time.Time { return t } }
