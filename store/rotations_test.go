package store

import (
	"bytes"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/caro-mesh/caro-node/policy/audit"
	"github.com/caro-mesh/caro-node/protocol"
)

var rotated = audit.Event{Type: protocol.AuditKeyRotated, Success: true}

// rotation leads from one key to another and commits to a third.
func rotation(tb testing.TB, from, to, next byte, generation uint64) *protocol.KeyRotation {
	tb.Helper()
	at := protocol.At(noon)
	r := &protocol.KeyRotation{OldID: newKey(from).NodeID(), NewID: newKey(to).NodeID(), Generation: generation, IssuedAt: at, ValidFrom: at,
		OldExpires: protocol.At(noon.Add(time.Hour)), NextDigest: protocol.DigestOf(newKey(next).NodeID()), Reason: protocol.RotationScheduled}
	_, err := protocol.SignRotation(r, newKey(from), newKey(to), noon)
	check(tb, err)
	return r
}

func TestTheFirstCommitmentOfANodeStaysUntilItIsForgotten(t *testing.T) {
	s := open(t, Options{})
	first, second := protocol.KeyDigest{1}, protocol.KeyDigest{2}
	_, err := s.Commitment(t.Context(), nodeID(1))
	wantErr(t, err, ErrNotFound)
	for _, d := range []protocol.KeyDigest{first, second, first} {
		if kept, err := s.SaveCommitment(t.Context(), nodeID(1), d); err != nil || kept != first {
			t.Errorf("kept %s, %v", kept, err)
		}
	}
	if kept, err := s.Commitment(t.Context(), nodeID(1)); err != nil || kept != first {
		t.Errorf("read %s, %v", kept, err)
	}
	check(t, s.ForgetCommitment(t.Context(), nodeID(1)))
	check(t, s.ForgetCommitment(t.Context(), nodeID(1)))
	if kept, err := s.SaveCommitment(t.Context(), nodeID(1), second); err != nil || kept != second {
		t.Errorf("kept %s after forgetting, %v", kept, err)
	}
	if _, err := s.SaveCommitment(t.Context(), "bob", first); err == nil {
		t.Error("something that is no node has a next key")
	}
}

func TestASuccessionCarriesOverWhatIsKnownOfTheOldKey(t *testing.T) {
	s := open(t, Options{Now: fixedClock(noon)})
	r := rotation(t, 1, 2, 3, 1)
	sum, wire := summary(t, newKey(50), noon.Add(-time.Hour), protocol.Hourly, 3)
	check(t, s.SaveSummary(t.Context(), sum, wire, generated))
	check(t, s.MarkPushed(t.Context(), sum.ID, r.OldID, shared))
	bob := Peer{ID: r.OldID, DisplayName: "bob", Addrs: []string{"/ip4/10.0.0.5/tcp/9238"}, Source: "manual", FirstSeen: noon}
	check(t, s.SavePeer(t.Context(), bob))
	check(t, s.SavePeer(t.Context(), Peer{ID: r.NewID, Source: "pending", Addrs: []string{"/ip4/10.0.0.5/tcp/40000"}, FirstSeen: noon.Add(time.Hour)}))
	_, err := s.SaveCommitment(t.Context(), r.NewID, protocol.KeyDigest{9})
	check(t, err)
	check(t, s.SaveSuccession(t.Context(), r, rotated))

	bob.ID = r.NewID
	if all, err := s.Peers(t.Context()); err != nil || !reflect.DeepEqual(all, []Peer{bob}) {
		t.Errorf("peers %+v, %v", all, err)
	}
	if d, err := s.Commitment(t.Context(), r.NewID); err != nil || d != r.NextDigest {
		t.Errorf("next key %s, %v", d, err)
	}
	if waiting, err := s.UnpushedSummaries(t.Context(), r.NewID, noon.AddDate(0, 0, -30)); err != nil || len(waiting) != 0 {
		t.Errorf("%d summaries would be pushed again, %v", len(waiting), err)
	}
	if list, err := s.Successions(t.Context()); err != nil || len(list) != 1 || !reflect.DeepEqual(list[0], r) {
		t.Errorf("read %+v, %v", list, err)
	}
	sound(t, s)
}

func TestAPeerThatIsKnownUnderItsNewKeyKeepsItsRow(t *testing.T) {
	s := open(t, Options{})
	r := rotation(t, 1, 2, 3, 1)
	check(t, s.SavePeer(t.Context(), Peer{ID: r.OldID, Source: "manual", Addrs: []string{}, FirstSeen: noon}))
	known := Peer{ID: r.NewID, Source: "manual", Addrs: []string{"/ip4/10.0.0.6/tcp/9238"}, FirstSeen: noon}
	check(t, s.SavePeer(t.Context(), known))
	check(t, s.SaveSuccession(t.Context(), r, rotated))
	if all, err := s.Peers(t.Context()); err != nil || !reflect.DeepEqual(all, []Peer{known}) {
		t.Errorf("peers %+v, %v", all, err)
	}
}

func TestAKeyHasOneSuccessorAndSucceedsOneKey(t *testing.T) {
	s := open(t, Options{})
	check(t, s.SaveSuccession(t.Context(), rotation(t, 1, 2, 3, 1), rotated))
	check(t, s.SaveSuccession(t.Context(), rotation(t, 2, 3, 4, 2), rotated))
	for name, r := range map[string]*protocol.KeyRotation{"another successor": rotation(t, 1, 9, 3, 1), "another key before": rotation(t, 9, 2, 3, 1), "the same again": rotation(t, 1, 2, 3, 1)} {
		if err := s.SaveSuccession(t.Context(), r, rotated); err == nil {
			t.Errorf("%s was stored", name)
		} else {
			wantErr(t, err, ErrConflictingSuccession)
		}
	}
	unsigned := *rotation(t, 5, 6, 7, 1)
	if err := s.SaveSuccession(t.Context(), &protocol.KeyRotation{OldID: unsigned.OldID, NewID: unsigned.NewID}, rotated); err == nil {
		t.Error("an unsigned statement was stored")
	}
	if n := auditCount(t, s); n != 2 {
		t.Errorf("%d audit records for two successions", n)
	}
}

func TestAStoredRotationIsVerifiedWhenItIsRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "caro.db")
	s := openAt(t, path, Options{})
	r := rotation(t, 1, 2, 3, 1)
	check(t, s.SaveSuccession(t.Context(), r, rotated))
	check(t, s.SaveOwnRotations(t.Context(), []*protocol.KeyRotation{r}, nil))
	bad := bytes.Clone(r.Wire())
	bad[len(bad)/2] ^= 1
	db := raw(t, path)
	for _, table := range []string{"succession", "own_rotation"} {
		_, err := db.ExecContext(t.Context(), `UPDATE `+table+` SET wire = ?`, bad)
		check(t, err)
	}
	_, err := s.Successions(t.Context())
	wantErr(t, err, ErrDamaged)
	_, err = s.OwnRotations(t.Context())
	wantErr(t, err, ErrDamaged)
}

func TestOwnRotationsAreKeptInOrderAndNeverReplacedByAnother(t *testing.T) {
	s := open(t, Options{})
	first, second := rotation(t, 1, 2, 3, 1), rotation(t, 2, 3, 4, 2)
	check(t, s.SaveOwnRotations(t.Context(), []*protocol.KeyRotation{first}, &rotated))
	check(t, s.SaveOwnRotations(t.Context(), []*protocol.KeyRotation{first, second}, &rotated))
	wantErr(t, s.SaveOwnRotations(t.Context(), []*protocol.KeyRotation{rotation(t, 1, 9, 3, 1)}, &rotated), ErrConflictingSuccession)
	is := func(want ...*protocol.KeyRotation) {
		t.Helper()
		if got, err := s.OwnRotations(t.Context()); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%+v, %v", got, err)
		}
	}
	is(first, second)
	if d, err := s.Commitment(t.Context(), second.NewID); err != nil || d != second.NextDigest {
		t.Errorf("own next key %s, %v", d, err)
	}
	if n := auditCount(t, s); n != 2 {
		t.Errorf("%d audit records", n)
	}
	other := rotation(t, 7, 8, 9, 1)
	check(t, s.ReplaceOwnRotations(t.Context(), []*protocol.KeyRotation{other}))
	is(other)
	check(t, s.ReplaceOwnRotations(t.Context(), nil))
	is()
}
