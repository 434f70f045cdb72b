package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/caro-mesh/caro-node/policy"
	"github.com/caro-mesh/caro-node/protocol"
)

// damageRounds and damageSeed let a longer run be asked for, and a failed one be repeated.
const (
	damageRoundsVariable = "CARO_TEST_DAMAGE_ROUNDS"
	damageSeedVariable   = "CARO_TEST_DAMAGE_SEED"
)

// damageCase is a database with everything in it, as files, and what was stored in it.
type damageCase struct {
	name      string
	files     map[string][]byte
	closed    bool // in an orderly way
	events    []string
	summaries []string
	peers     []protocol.NodeID
	grants    []protocol.NodeID
	receipts  int
	audit     uint64
	sequence  uint64 // highest number that was handed out
	offset    int64  // of spool file "a"
}

// late is after the latest time in the database, early before it: sequence numbers must rise even when the clock was put back.
var (
	damageClock = noon.AddDate(0, 2, 0)
	earlyClock  = noon.AddDate(-1, 0, 0)
	smallPacks  = packing{events: 60, bytes: 8 << 10}
)

// newDamageCase fills a database. Unless it is closed, its files are those of a process that was killed.
func newDamageCase(t *testing.T, closed bool) *damageCase {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "caro.db")
	c := &damageCase{name: "killed", closed: closed}
	s, err := Open(t.Context(), path, Options{Now: fixedClock(damageClock), packing: &smallPacks})
	check(t, err)
	g := newGenerator(5, noon, time.Minute)
	fill := func(events, others int) {
		for i := range events / 20 {
			list := g.batch(20)
			list[3].Command = strings.Repeat("echo a long one; ", 20+12*i) // some reach over several pages
			for _, e := range list {
				c.events = append(c.events, e.ID)
			}
			c.offset += 100
			check(t, s.AppendFromSpool(t.Context(), "a", c.offset, list))
		}
		for range others {
			c.addOthers(t, s)
		}
		first, err := s.ReserveSequence(t.Context(), 100)
		check(t, err)
		c.sequence = first + 99
	}
	fill(300, 12)
	if closed {
		c.name = "closed"
		check(t, s.Close())
	} else {
		check(t, s.emptyLog(t.Context(), "test"))
		fill(100, 5) // is in the log alone
	}
	c.files = make(map[string][]byte)
	entries, err := os.ReadDir(dir)
	check(t, err)
	for _, e := range entries {
		c.files[e.Name()], err = os.ReadFile(filepath.Join(dir, e.Name()))
		check(t, err)
	}
	if !closed {
		check(t, s.Close())
	}
	return c
}

// addOthers stores one of everything but events.
func (c *damageCase) addOthers(t *testing.T, s *Store) {
	t.Helper()
	n := byte(len(c.peers) + 1)
	at := noon.Add(time.Duration(n) * time.Hour)
	mine, wire := summary(t, newKey(1), at, protocol.Hourly, 5)
	check(t, s.SaveSummary(t.Context(), mine, wire, generated))
	theirs, wire := summary(t, newKey(n+10), at, protocol.Hourly, 5)
	_, err := s.SaveReceivedSummary(t.Context(), Arrival{Summary: theirs, Wire: wire}, shared)
	check(t, err)
	check(t, s.MarkPushed(t.Context(), mine.ID, nodeID(7), shared))
	check(t, s.SavePeer(t.Context(), Peer{ID: nodeID(n), DisplayName: "peer", Addrs: []string{"/ip4/10.0.0.1/tcp/9238"}, Source: "manual", FirstSeen: at}))
	check(t, s.SetGrant(t.Context(), policy.Grant{Node: nodeID(n), Trust: protocol.TrustPeer, At: at}, changed))
	_, err = s.SaveCommitment(t.Context(), nodeID(n), protocol.KeyDigest{n})
	check(t, err)
	_, err = s.SaveReceipt(t.Context(), fmt.Sprint("q", n), wire, wire, responseSent(n, nil))
	check(t, err)
	c.receipts++
	c.summaries = append(c.summaries, mine.ID, theirs.ID)
	c.peers, c.grants = append(c.peers, nodeID(n)), append(c.grants, nodeID(n))
	c.audit = uint64(auditCount(t, s))
}

// spoil writes the files into a new folder and does damage to one of them. It says what it did.
func (c *damageCase) spoil(t *testing.T, r *rand.Rand) (path, what string) {
	t.Helper()
	dir := t.TempDir()
	path = filepath.Join(dir, "caro.db")
	for name, b := range c.files {
		check(t, os.WriteFile(filepath.Join(dir, name), b, 0o600))
	}
	if c.closed { // as the close left it
		check(t, leaveMarker(path))
	}
	victim := "caro.db"
	if !c.closed && r.IntN(2) == 0 {
		victim = "caro.db-wal"
	}
	b := append([]byte(nil), c.files[victim]...)
	switch r.IntN(6) {
	case 0:
		n := r.IntN(len(b))
		b, what = b[:n], fmt.Sprintf("cut to %d of %d bytes", n, len(b))
	case 1:
		from := r.IntN(len(b))
		size := min(1+r.IntN(6000), len(b)-from)
		clear(b[from : from+size])
		what = fmt.Sprintf("%d zeros at %d", size, from)
	case 2:
		from := r.IntN(len(b))
		size := min(1+r.IntN(600), len(b)-from)
		for i := range size {
			b[from+i] = byte(r.Uint32())
		}
		what = fmt.Sprintf("%d random bytes at %d", size, from)
	default:
		for range 1 + r.IntN(3) {
			at := r.IntN(len(b))
			if r.IntN(4) == 0 { // where trees and the map of pages are
				at = at / pageSize * pageSize
				at += min(r.IntN(40), len(b)-at-1)
			}
			bit := byte(1) << r.IntN(8)
			b[at] ^= bit
			what += fmt.Sprintf("bit %#x at %d flipped ", bit, at)
		}
	}
	check(t, os.WriteFile(filepath.Join(dir, victim), b, 0o600))
	return path, c.name + ", " + victim + ": " + what
}

// told is what an opening said about losses.
type told struct {
	repair  *Repair
	notices []string
}

func (w told) covers(name string, missing int) bool {
	if missing == 0 {
		return true
	}
	for _, n := range w.notices {
		if strings.Contains(n, "log") {
			return true
		}
	}
	if w.repair == nil {
		return false
	}
	p := w.repair.part(name)
	lost := p.Lost
	if name == "commands" { // one whose ID has changed is missing under the old one
		lost += w.repair.part(incompleteEvents).Lost
	}
	return p.Uncounted || lost >= int64(missing)
}

func TestADamagedDatabaseAlwaysOpensAndNeverSilentlyReturnsLess(t *testing.T) {
	rounds, seed := 240, rand.Uint64()
	if raceDetector || testing.Short() { // make unit runs all of them without the detector
		rounds = 6
	}
	if v := os.Getenv(damageRoundsVariable); v != "" {
		var err error
		rounds, err = strconv.Atoi(v)
		check(t, err)
	}
	if v := os.Getenv(damageSeedVariable); v != "" {
		var err error
		seed, err = strconv.ParseUint(v, 10, 64)
		check(t, err)
	}
	t.Logf("%s=%d repeats this run", damageSeedVariable, seed)
	r := rand.New(rand.NewPCG(seed, 1))
	cases := []*damageCase{newDamageCase(t, true), newDamageCase(t, false)}
	repaired, noticed, whole := 0, 0, 0
	for round := range rounds {
		c := cases[round%len(cases)]
		path, what := c.spoil(t, r)
		w := c.survives(t, path, fmt.Sprintf("round %d, %s", round, what))
		switch {
		case w.repair != nil && w.repair.Whole():
			whole++
		case w.repair != nil:
			repaired++
		case len(w.notices) > 0:
			noticed++
		}
		check(t, os.RemoveAll(filepath.Dir(path)))
		if t.Failed() {
			return
		}
	}
	t.Logf("%d rounds: %d repaired without loss, %d with losses that are told, %d noticed only, %d without a trace", rounds, whole, repaired, noticed, rounds-whole-repaired-noticed)
}

// survives opens a damaged database and compares what it returns with what it tells.
func (c *damageCase) survives(t *testing.T, path, what string) told {
	t.Helper()
	ctx := context.Background()
	s, err := Open(ctx, path, Options{Now: fixedClock(earlyClock), Repair: true, packing: &smallPacks})
	if err != nil {
		t.Errorf("%s: %v", what, err)
		return told{}
	}
	w := told{s.Repaired(), s.Notices()}
	fail := func(format string, args ...any) {
		t.Helper()
		sentence := "nothing"
		if w.repair != nil {
			sentence = w.repair.Sentence()
		}
		t.Errorf("%s: %s; it told %s, %q", what, fmt.Sprintf(format, args...), sentence, w.notices)
	}
	expect := func(name string, missing int, err error) {
		t.Helper()
		switch {
		case err != nil:
			fail("%s cannot be read: %v", name, err)
		case !w.covers(name, missing):
			fail("%d %s are silently missing", missing, name)
		}
	}
	missing, err := missingEvents(ctx, s, c.events)
	expect("commands", missing, err)
	missing, err = missingSummaries(ctx, s, c.summaries)
	expect("summaries", missing, err)
	peers, err := s.Peers(ctx)
	expect("peers", len(c.peers)-len(peers), err)
	grants, err := s.Grants(ctx)
	expect("grants of trust", len(c.grants)-len(grants), err)
	offset, err := s.SpoolOffset(ctx, "a")
	gone := 0
	if offset < c.offset {
		gone = 1
	}
	expect("positions in spool files", gone, err)
	digests, err := commitments(ctx, s)
	expect("announced next keys", len(c.peers)-digests, err)
	receipts, err := s.Receipts(ctx, ReceiptFilter{Limit: 1000})
	expect("receipts of answers", c.receipts-len(receipts), err)
	c.compareAudit(ctx, s, w, fail, expect)
	if first, err := s.ReserveSequence(ctx, 1); err != nil || first <= c.sequence && len(w.notices) == 0 {
		fail("sequence %d was handed out again, up to %d were (%v)", first, c.sequence, err)
	}
	if err := s.Append(ctx, newGenerator(9, noon, 1e9).batch(3)); err != nil {
		fail("nothing can be stored: %v", err)
	}
	if problems, err := s.Check(ctx); err != nil || len(problems) > 0 {
		fail("it is not sound: %q %v", problems, err)
	}
	if err := s.Close(); err != nil {
		fail("%v", err)
	}
	if w.repair != nil {
		if kept, err := os.Stat(w.repair.KeptAs); err != nil || !kept.Mode().IsRegular() {
			fail("the damaged file is not kept: %v", err)
		}
	}
	return w
}

func missingEvents(ctx context.Context, s *Store, ids []string) (missing int, err error) {
	listed := make(map[string]bool)
	f := EventFilter{Limit: 500}
	for {
		list, next, err := s.Events(ctx, f)
		if err != nil {
			return 0, err
		}
		for _, e := range list {
			listed[e.ID] = true
		}
		if f.Cursor = next; next == "" {
			break
		}
	}
	for i, id := range ids {
		if !listed[id] {
			missing++
			continue
		}
		if i%10 > 0 {
			continue
		}
		if _, err := s.Event(ctx, id); err != nil {
			return 0, err
		}
	}
	if n, err := s.CountEvents(ctx); err != nil || n != int64(len(listed)) {
		return 0, fmt.Errorf("%d are counted, %d listed (%w)", n, len(listed), err)
	}
	return missing, nil
}

func missingSummaries(ctx context.Context, s *Store, ids []string) (missing int, err error) {
	if _, _, err := s.Summaries(ctx, SummaryFilter{Limit: MaxSummaries}); err != nil {
		return 0, err
	}
	for _, id := range ids {
		if _, err := s.Summary(ctx, id); errors.Is(err, ErrNotFound) {
			missing++
		} else if err != nil {
			return 0, err
		}
	}
	return missing, nil
}

// commitments are counted, not looked up: a letter of a node ID that has become another one can be told by nothing.
func commitments(ctx context.Context, s *Store) (n int, err error) {
	return n, s.readers.QueryRowContext(ctx, `SELECT count(*) FROM commitment`).Scan(&n)
}

// compareAudit looks at the log: it verifies, unless a notice says that somebody changed it, and tells of its gap.
func (c *damageCase) compareAudit(ctx context.Context, s *Store, w told, fail func(string, ...any), expect func(string, int, error)) {
	v, err := s.VerifyAudit(ctx)
	switch {
	case err != nil:
		fail("the audit log cannot be verified: %v", err)
	case !v.OK && len(w.notices) == 0:
		fail("the audit log does not verify: %s", v.Reason)
	}
	list, err := s.AuditRecords(ctx, AuditFilter{Limit: MaxAuditRecords})
	saved, noted := 0, false
	for _, r := range list {
		if r.Details["action"] == "database_repaired" {
			noted = true
		} else if r.Details["action"] != "database_log_cut" {
			saved++
		}
	}
	if w.repair != nil {
		saved += int(w.repair.part("audit records out of order").Saved)
		if !noted {
			fail("the audit log does not tell of the repair")
		}
	}
	expect("audit records", int(c.audit)-saved, err)
}

func TestWhatIsDamagedIsKeptAsideAndTheNextStartFindsAllWell(t *testing.T) {
	c := newDamageCase(t, true)
	dir := t.TempDir()
	path := filepath.Join(dir, "caro.db")
	b := append([]byte(nil), c.files["caro.db"]...)
	for at := len(b) / 2; at < len(b)/2+3*pageSize; at++ {
		b[at] = 0xff
	}
	check(t, os.WriteFile(path, b, 0o600))
	s, err := Open(t.Context(), path, Options{Now: fixedClock(damageClock), Repair: true, packing: &smallPacks})
	check(t, err)
	r := s.Repaired()
	if r == nil {
		t.Fatal("nothing was repaired")
	}
	kept, err := os.ReadFile(r.KeptAs)
	if err != nil || !bytes.Equal(kept, b) || r.KeptAs != path+".damaged-20260504T120000Z" {
		t.Errorf("kept %d of %d bytes as %s (%v)", len(kept), len(b), r.KeptAs, err)
	}
	list, err := s.Repairs(t.Context())
	if err != nil || len(list) != 1 || list[0].Sentence() != r.Sentence() || list[0].KeptAs != r.KeptAs {
		t.Errorf("remembered are %+v (%v)", list, err)
	}
	for _, part := range []string{"was damaged", "saved ", "commands", "lost ", r.KeptAs} {
		if !strings.Contains(r.Sentence(), part) || strings.Contains(r.Sentence(), "\n") {
			t.Errorf("%q does not say %q in one sentence", r.Sentence(), part)
		}
	}
	sound(t, s)
	check(t, s.Close())
	s, err = Open(t.Context(), path, Options{Now: fixedClock(damageClock), Repair: true})
	check(t, err)
	if s.Repaired() != nil || len(s.Notices()) > 0 || s.Damage() != nil {
		t.Errorf("the second start tells %+v %q %v", s.Repaired(), s.Notices(), s.Damage())
	}
	check(t, s.Close())
}

func TestARepairThatWasInterruptedIsFinishedByTheNextStart(t *testing.T) {
	for _, at := range []string{"while it was made", "before it took the place", "after the old log went"} {
		t.Run(at, func(t *testing.T) {
			c := newDamageCase(t, false)
			dir := t.TempDir()
			path := filepath.Join(dir, "caro.db")
			for name, b := range c.files {
				check(t, os.WriteFile(filepath.Join(dir, name), b, 0o600))
			}
			made := filepath.Join(t.TempDir(), "made.db")
			s, err := Open(t.Context(), made, Options{})
			check(t, err)
			check(t, s.Append(t.Context(), newGenerator(1, noon, 1e9).batch(7)))
			check(t, s.Close())
			want := int64(7)
			switch at {
			case "while it was made":
				check(t, copyNew(made, makingPath(path)))
				want = int64(len(c.events))
			case "after the old log went":
				check(t, os.Remove(path+"-wal"))
				fallthrough
			default:
				check(t, copyNew(made, madePath(path)))
			}
			s, err = Open(t.Context(), path, Options{Repair: true})
			check(t, err)
			if n, err := s.CountEvents(t.Context()); err != nil || n != want {
				t.Errorf("%d events, want %d (%v)", n, want, err)
			}
			sound(t, s)
			check(t, s.Close())
			for _, name := range []string{makingPath(path), madePath(path)} {
				if _, err := os.Stat(name); err == nil {
					t.Errorf("%s is left", name)
				}
			}
		})
	}
}

func TestAnAuditRecordThatSomebodyChangedIsToldAndNotMended(t *testing.T) {
	path := filepath.Join(t.TempDir(), "caro.db")
	s, err := Open(t.Context(), path, Options{})
	check(t, err)
	for range 5 {
		_, err := s.AuditLog().Append(t.Context(), changed)
		check(t, err)
	}
	check(t, s.Close())
	db := raw(t, path)
	for _, q := range []string{`DROP TRIGGER audit_no_update`, `UPDATE audit SET success = 0 WHERE sequence = 3`} {
		_, err = db.ExecContext(t.Context(), q)
		check(t, err)
	}
	check(t, db.Close())
	s = openAt(t, path, Options{Repair: true})
	if s.Repaired() != nil || len(s.Notices()) != 1 || !strings.Contains(s.Notices()[0], "entry 3") {
		t.Errorf("told are %+v and %q", s.Repaired(), s.Notices())
	}
	if v, err := s.VerifyAudit(t.Context()); err != nil || v.OK {
		t.Errorf("the log is taken for whole: %+v, %v", v, err)
	}
}

func TestAFileThatAnOrderlyCloseLeftIsNotReadAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "caro.db")
	s, err := Open(t.Context(), path, Options{})
	check(t, err)
	check(t, s.Append(t.Context(), newGenerator(1, noon, 1e9).batch(20)))
	check(t, s.Close())
	c, err := conditionOf(path)
	if err != nil || !c.clean {
		t.Errorf("after a close the file is %+v (%v)", c, err)
	}
	s = openAt(t, path, Options{})
	check(t, s.Append(t.Context(), newGenerator(2, noon, 1e9).batch(20)))
	if c, err = conditionOf(path); err != nil || c.clean {
		t.Errorf("while it is open the file is %+v (%v)", c, err)
	}
	check(t, s.emptyLog(t.Context(), "test"))
	if c, err = conditionOf(path); err != nil || c.clean {
		t.Errorf("after a write and without a close the file is %+v (%v)", c, err)
	}
}
