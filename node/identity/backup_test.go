//go:build unix

package identity

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"filippo.io/age/armor"

	"github.com/caro-mesh/caro-node/protocol"
)

// cheap makes the passphrase quick to try; the file's form is the same.
const cheap = 10

func someKey(t *testing.T) *Identity {
	t.Helper()
	id, err := New(then)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// aBackup is of a node that has changed its key once.
func aBackup(t *testing.T) Backup {
	t.Helper()
	old, current, next := someKey(t), someKey(t), someKey(t)
	at := protocol.At(then)
	r := &protocol.KeyRotation{OldID: old.NodeID(), NewID: current.NodeID(), Generation: 1, IssuedAt: at, ValidFrom: at, OldExpires: at,
		NextDigest: protocol.DigestOf(next.NodeID()), Reason: protocol.RotationScheduled}
	if _, err := protocol.SignRotation(r, old, current, then); err != nil {
		t.Fatal(err)
	}
	return Backup{Current: current, Next: next, NextDigest: r.NextDigest, Rotations: []*protocol.KeyRotation{r}}
}

func sealed(t *testing.T, b Backup, passphrase string) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := b.seal(&out, passphrase, then, cheap); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestABackupComesBackAsItWasWithThePassphraseOnly(t *testing.T) {
	for name, edit := range map[string]func(*Backup){
		"with everything":               func(*Backup) {},
		"with the next key elsewhere":   func(b *Backup) { b.Next = nil },
		"of a node that never rotated":  func(b *Backup) { b.Rotations = nil },
		"of a node with nothing at all": func(b *Backup) { b.Rotations, b.Next = nil, nil },
	} {
		b := aBackup(t)
		edit(&b)
		text := sealed(t, b, "correct horse")
		if bytes.Contains(text, []byte("PRIVATE KEY")) || bytes.Contains(text, []byte(b.Current.NodeID())) || !strings.HasPrefix(string(text), "-----BEGIN AGE ENCRYPTED FILE-----") {
			t.Errorf("%s: the file reads\n%s", name, text)
		}
		got, err := OpenBackup(bytes.NewReader(text), "correct horse")
		if err != nil || !reflect.DeepEqual(got, b) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		if _, err := OpenBackup(bytes.NewReader(text), "correct house"); !errors.Is(err, ErrPassphrase) {
			t.Errorf("%s: another passphrase: %v", name, err)
		}
	}
}

func TestAnAlteredBackupIsNotOpened(t *testing.T) {
	text := sealed(t, aBackup(t), "correct horse")
	for i := 40; i < len(text); i += 97 {
		bad := bytes.Clone(text)
		if bad[i] == '\n' || bad[i] == '=' {
			continue
		}
		if bad[i]++; !strings.ContainsRune("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", rune(bad[i])) {
			bad[i] = 'A'
		}
		if got, err := OpenBackup(bytes.NewReader(bad), "correct horse"); err == nil || !errors.Is(err, ErrPassphrase) && !errors.Is(err, ErrNoBackup) {
			t.Fatalf("byte %d altered: %+v, %v", i, got, err)
		}
	}
	for name, other := range map[string][]byte{"nothing": nil, "text": []byte("caro"), "cut short": text[:len(text)/2]} {
		if _, err := OpenBackup(bytes.NewReader(other), "correct horse"); !errors.Is(err, ErrNoBackup) && !errors.Is(err, ErrPassphrase) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestABackupThatContradictsItselfIsRefused(t *testing.T) {
	for name, edit := range map[string]func(*Backup){
		"another next key":    func(b *Backup) { b.Next = someKey(t) },
		"another current key": func(b *Backup) { b.Current = someKey(t) },
		"a rotation twice":    func(b *Backup) { b.Rotations = append(b.Rotations, b.Rotations[0]) },
	} {
		b := aBackup(t)
		edit(&b)
		if _, err := OpenBackup(bytes.NewReader(sealed(t, b, "correct horse")), "correct horse"); !errors.Is(err, ErrNoBackup) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestASealedBackupIsHardToGuess(t *testing.T) {
	var out bytes.Buffer
	if err := aBackup(t).Seal(&out, "correct horse", then); err != nil {
		t.Fatal(err)
	}
	header, err := io.ReadAll(io.LimitReader(armor.NewReader(&out), 80))
	if err != nil || !regexp.MustCompile(`^age-encryption.org/v1\n-> scrypt \S+ 18\n`).Match(header) { // age's own default
		t.Errorf("the file begins with %q, %v", header, err)
	}
	if err := aBackup(t).Seal(&out, "", then); err == nil {
		t.Error("an empty passphrase was taken")
	}
}

// ring returns a ring in a folder of its own.
func ring(t *testing.T) *Ring {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data")
	return NewRing(filepath.Join(dir, FileName), func() time.Time { return then })
}

func TestRestoringKeepsWhatItReplaces(t *testing.T) {
	r, b := ring(t), aBackup(t)
	if err := r.Vacant(); err != nil {
		t.Fatal(err)
	}
	if kept, err := r.Restore(b); err != nil || len(kept) != 0 {
		t.Fatalf("kept %v, %v", kept, err)
	}
	is := func(b Backup) {
		t.Helper()
		current, err := Load(r.Path())
		if err != nil || current.NodeID() != b.Current.NodeID() {
			t.Errorf("current key %v", err)
		}
		next, err := r.Next()
		if b.Next == nil {
			if !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("next key %v", err)
			}
		} else if err != nil || next.NodeID() != b.Next.NodeID() {
			t.Errorf("next key %v", err)
		}
	}
	is(b)
	if err := r.Vacant(); !errors.Is(err, ErrKeyThere) || !strings.Contains(err.Error(), "--force") {
		t.Errorf("there is room: %v", err)
	}
	if _, err := r.MakeComing(); err != nil {
		t.Fatal(err)
	}
	other := aBackup(t)
	other.Next = nil
	kept, err := r.Restore(other)
	if err != nil || len(kept) != 3 {
		t.Fatalf("kept %v, %v", kept, err)
	}
	is(other)
	for _, name := range kept {
		st, err := os.Stat(name)
		if err != nil || st.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, st, err)
		}
	}
	if old, err := Load(kept[len(kept)-1]); err != nil || old.NodeID() != b.Current.NodeID() {
		t.Errorf("kept beside: %v", err)
	}
	if _, err := os.Lstat(r.comingPath()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the coming key stayed: %v", err)
	}
}

func TestARingMovesOnlyTheKeyThatIsNamed(t *testing.T) {
	r := ring(t)
	current, created, err := r.Current()
	if err != nil || !created {
		t.Fatal(created, err)
	}
	next, err := r.MakeNext()
	if err != nil {
		t.Fatal(err)
	}
	if err := r.TakeNext(someKey(t).NodeID()); !errors.Is(err, ErrOtherKey) {
		t.Errorf("another key became the current one: %v", err)
	}
	if err := r.TakeNext(current.NodeID()); err != nil {
		t.Errorf("the current key became the current one: %v", err)
	}
	if err := r.PutNext(someKey(t)); !errors.Is(err, ErrOtherKey) {
		t.Errorf("another next key: %v", err)
	}
	if err := r.PutNext(next); err != nil {
		t.Errorf("the same next key: %v", err)
	}
	coming, err := r.MakeComing()
	if err != nil {
		t.Fatal(err)
	}
	if err := r.TakeComing(protocol.DigestOf(coming.NodeID())); err != nil {
		t.Fatal(err)
	}
	if got, err := r.Next(); err != nil || got.NodeID() != next.NodeID() {
		t.Errorf("a coming key replaced the next one: %v", err)
	}
	for range 2 {
		if err := r.TakeNext(next.NodeID()); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.TakeComing(protocol.KeyDigest{1}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Next(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a coming key that nobody had committed to became the next one: %v", err)
	}
	for range 2 {
		if err := r.TakeComing(protocol.DigestOf(coming.NodeID())); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := r.Next(); err != nil || got.NodeID() != coming.NodeID() {
		t.Errorf("the coming key is not the next one: %v", err)
	}
}

func TestAKeyFileElsewhereIsReadWhoeverMayReadItThere(t *testing.T) {
	r := ring(t)
	id, err := r.MakeNext()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(r.NextPath(), 0o644); err != nil {
		t.Fatal(err)
	}
	if got, err := LoadCopy(r.NextPath()); err != nil || got.NodeID() != id.NodeID() || !got.CreatedAt().Equal(id.CreatedAt()) {
		t.Errorf("%v", err)
	}
	if _, err := LoadCopy(filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	if err := os.WriteFile(r.NextPath(), []byte("no key"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadCopy(r.NextPath()); !errors.Is(err, ErrDamaged) {
		t.Errorf("no key: %v", err)
	}
}
