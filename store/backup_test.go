package store

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/caro-mesh/caro-node/policy"
	"github.com/caro-mesh/caro-node/protocol"
)

func TestABackupIsOneStateOfADatabaseThatIsBeingWritten(t *testing.T) {
	s := open(t, Options{})
	check(t, s.Append(t.Context(), newGenerator(1, noon, 1e9).batch(2000)))
	ctx, stop := context.WithCancel(t.Context())
	var writing errgroup.Group
	writing.Go(func() error {
		g := newGenerator(2, noon.Add(time.Hour), 1e9)
		for ctx.Err() == nil {
			if err := s.Append(ctx, g.batch(20)); err != nil && !errors.Is(err, context.Canceled) {
				return err
			}
		}
		return nil
	})
	path := filepath.Join(t.TempDir(), "backup.db")
	err := s.Backup(t.Context(), path)
	stop()
	check(t, writing.Wait())
	check(t, err)
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the backup has mode %v (%v)", info.Mode(), err)
	}
	wantErr(t, s.Backup(t.Context(), path), fs.ErrExist)
	b := openAt(t, path, Options{})
	if n, err := b.CountEvents(t.Context()); err != nil || n < 2000 {
		t.Errorf("the backup has %d events (%v)", n, err)
	}
	sound(t, b)
}

func TestARestoredBackupDoesNotLetTheNodeContradictItself(t *testing.T) {
	dir := t.TempDir()
	path, backup := filepath.Join(dir, "caro.db"), filepath.Join(dir, "backup.db")
	later := noon.AddDate(0, 1, 0)
	s, err := Open(t.Context(), path, Options{Now: fixedClock(later)})
	check(t, err)
	g := newGenerator(1, noon, 1e9)
	check(t, s.Append(t.Context(), g.batch(10)))
	check(t, s.Backup(t.Context(), backup))
	check(t, s.Append(t.Context(), g.batch(5)))
	sum, wire := summary(t, newKey(1), noon, protocol.Hourly, 5)
	check(t, s.SaveSummary(t.Context(), sum, wire, generated))
	check(t, s.SetGrant(t.Context(), policy.Grant{Node: nodeID(3), Deny: true}, changed))
	kept, err := s.SaveCommitment(t.Context(), nodeID(9), protocol.KeyDigest{4})
	check(t, err)
	used, err := s.ReserveSequence(t.Context(), 100)
	check(t, err)
	check(t, s.Close())

	r, err := Restore(t.Context(), path, backup, fixedClock(noon)) // the clock was put back
	check(t, err)
	if !r.Restored || r.part("commands").Saved != 10 || !strings.Contains(r.Sentence(), r.KeptAs) {
		t.Errorf("%+v", r)
	}
	s = openAt(t, path, Options{Now: fixedClock(noon), Repair: true})
	if s.Repaired() != nil {
		t.Errorf("the restored database was repaired: %s", s.Repaired().Sentence())
	}
	if n, err := s.CountEvents(t.Context()); err != nil || n != 10 {
		t.Errorf("%d events (%v)", n, err)
	}
	if next, err := s.ReserveSequence(t.Context(), 1); err != nil || next < used+100 {
		t.Errorf("sequence %d follows %d to %d (%v)", next, used, used+99, err)
	}
	if own, err := s.SummaryForPeriod(t.Context(), sum.Period); err != nil || own.Summary.ID != sum.ID {
		t.Errorf("the signed summary is gone: %v", err)
	}
	if d, err := s.Commitment(t.Context(), nodeID(9)); err != nil || d != kept {
		t.Errorf("the announced key is gone: %v", err)
	}
	if grants, err := s.Grants(t.Context()); err != nil || len(grants) != 1 || !grants[0].Deny {
		t.Errorf("the denial is gone: %+v (%v)", grants, err)
	}
	list, err := s.AuditRecords(t.Context(), AuditFilter{NewestFirst: true, Limit: 1})
	if err != nil || len(list) != 1 || list[0].Details["action"] != "database_restored" || list[0].Details["replaced_entries"] != "2" {
		t.Errorf("the audit log tells %+v (%v)", list, err)
	}
	sound(t, s)
	before := openAt(t, r.KeptAs, Options{})
	if n, err := before.CountEvents(t.Context()); err != nil || n != 15 {
		t.Errorf("what was there before has %d events (%v)", n, err)
	}
}

func TestABackupThatCannotBeBelievedChangesNothing(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "caro.db")
	s, err := Open(t.Context(), path, Options{})
	check(t, err)
	check(t, s.Append(t.Context(), newGenerator(1, noon, 1e9).batch(3000)))
	check(t, s.Close())
	whole, err := os.ReadFile(path)
	check(t, err)
	damaged, foreign := filepath.Join(t.TempDir(), "damaged.db"), filepath.Join(t.TempDir(), "foreign.db")
	check(t, os.WriteFile(damaged, append(whole[:len(whole)/2:len(whole)/2], make([]byte, len(whole)/2)...), 0o600))
	check(t, os.WriteFile(foreign, []byte(strings.Repeat("no database ", 100)), 0o600))
	before := content(t, dir)
	for name, want := range map[string]error{damaged: ErrDamaged, foreign: ErrForeign, filepath.Join(dir, "none"): fs.ErrNotExist} {
		_, err := Restore(t.Context(), path, name, time.Now)
		wantErr(t, err, want)
	}
	sameContent(t, dir, before)
}

func TestWhatIsNotDamagedCanBePutTogetherAnewWithoutLoss(t *testing.T) {
	c := newDamageCase(t, true)
	dir := t.TempDir()
	path := filepath.Join(dir, "caro.db")
	check(t, os.WriteFile(path, c.files["caro.db"], 0o600))
	r, err := Rebuild(t.Context(), path, "its user says so", fixedClock(damageClock))
	check(t, err)
	if !r.Whole() {
		t.Errorf("something is missing: %s", r.Sentence())
	}
	for name, want := range map[string]int{"commands": len(c.events), "summaries": len(c.summaries), "peers": len(c.peers), "grants of trust": len(c.grants),
		"audit records": int(c.audit), "receipts of answers": c.receipts, "announced next keys": len(c.peers), "positions in spool files": 1} {
		if got := r.part(name).Saved; got != int64(want) {
			t.Errorf("%d %s were saved, there were %d", got, name, want)
		}
	}
	s := openAt(t, path, Options{})
	sound(t, s)
	if v, err := s.VerifyAudit(t.Context()); err != nil || v.Entries != c.audit+1 {
		t.Errorf("%+v, %v", v, err)
	}
}
