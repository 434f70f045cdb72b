package node

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/caro-mesh/caro-node/policy"
	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/store"
)

func TestASummaryThatDamageHasTakenIsMadeAgainAsItsCorrection(t *testing.T) {
	b := newBench(t, policy.Document{})
	path := filepath.Join(t.TempDir(), "caro.db")
	reopen := func() {
		db, err := store.Open(t.Context(), path, store.Options{Now: b.clock, Repair: true})
		if err != nil {
			t.Fatal(err)
		}
		b.db = db
	}
	reopen()
	hour := noon.Add(-5 * time.Hour)
	b.typed(4, protocol.CategoryGit, protocol.RiskSafe, hour)
	generate(t, b.publisher(nil))
	period := protocol.PeriodAt(hour, protocol.Hourly)
	lost, err := b.db.SummaryForPeriod(t.Context(), period)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.db.Close(); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(file, lost.Wire)
	if at < 0 {
		t.Fatal("the summary is not in the file in one piece")
	}
	file[at+len(lost.Wire)-1] ^= 1
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	reopen()
	defer func() {
		if err := b.db.Close(); err != nil {
			t.Error(err)
		}
	}()
	if r := b.db.Repaired(); r == nil || r.Whole() {
		t.Fatalf("repaired is %+v", r)
	}
	for range 2 {
		generate(t, b.publisher(nil))
		again, err := b.db.SummaryForPeriod(t.Context(), period)
		if err != nil || again.Summary.Replaces != lost.Summary.ID || again.Summary.TotalCommands != 4 {
			t.Errorf("made again is %+v (%v), lost was %s", again.Summary, err, lost.Summary.ID)
		}
	}
	if current, replaced := signed(t, b, protocol.Hourly); current != 1 || replaced != 0 {
		t.Errorf("%d summaries, %d replaced", current, replaced)
	}
}
