//go:build unix

package identity

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/caro-mesh/caro-node/protocol"
)

var _ protocol.Signer = (*Identity)(nil)

var then = time.Date(2026, 1, 31, 12, 0, 0, 123456, time.UTC)

func clock() time.Time { return then }

// home returns a private folder; the test's own may be open to the group under a loose umask.
func home(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "caro")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestFirstStartMakesAPrivateKeyFileAndLaterStartsKeepIt(t *testing.T) {
	path := filepath.Join(home(t), "data", "caro", FileName)
	first, created, err := LoadOrCreate(path, clock)
	if err != nil || !created {
		t.Fatalf("first start: created=%v, %v", created, err)
	}
	for name, want := range map[string]fs.FileMode{path: 0o600, filepath.Dir(path): 0o700} {
		if st, err := os.Stat(name); err != nil || st.Mode().Perm() != want {
			t.Errorf("%s: mode %v, want %v (%v)", name, st.Mode().Perm(), want, err)
		}
	}
	later := func() time.Time { return then.Add(time.Hour) }
	second, created, err := LoadOrCreate(path, later)
	if err != nil || created {
		t.Fatalf("second start: created=%v, %v", created, err)
	}
	if first.NodeID() != second.NodeID() || first.X25519() != second.X25519() {
		t.Error("the second start is another node")
	}
	if want := then.Truncate(time.Second); !first.CreatedAt().Equal(want) || !second.CreatedAt().Equal(want) {
		t.Errorf("created %v, then %v, want %v", first.CreatedAt(), second.CreatedAt(), want)
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 {
		t.Errorf("the folder holds %v (%v), want only the key", entries, err)
	}
}

func TestStartsAtTheSameTimeEndUpWithOneKey(t *testing.T) {
	path := filepath.Join(home(t), FileName)
	const starts = 16
	ids := make([]protocol.NodeID, starts)
	made := make([]bool, starts)
	var wg sync.WaitGroup
	for i := range starts {
		wg.Go(func() {
			id, created, err := LoadOrCreate(path, clock)
			if err != nil {
				t.Errorf("start %d: %v", i, err)
				return
			}
			ids[i], made[i] = id.NodeID(), created
		})
	}
	wg.Wait()
	creators := 0
	for i := range starts {
		if ids[i] != ids[0] {
			t.Errorf("start %d has %s, start 0 has %s", i, ids[i], ids[0])
		}
		if made[i] {
			creators++
		}
	}
	if creators != 1 {
		t.Errorf("%d starts say that they made the key", creators)
	}
}

func TestBadKeyFilesAreRefusedWithAdviceAndLeftAlone(t *testing.T) {
	good := pemOf(t, mustKey(t))
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		name   string
		data   []byte
		mode   fs.FileMode
		dir    fs.FileMode
		want   error
		advice string
	}{
		{name: "empty", want: ErrDamaged, advice: "put a backup in its place"},
		{name: "noise", data: bytes.Repeat([]byte{0xff, 0}, 100), want: ErrDamaged, advice: "holds no PEM block"},
		{name: "cut off", data: good[:len(good)-30], want: ErrDamaged, advice: "put a backup in its place"},
		{name: "altered", data: bytes.Replace(good, []byte("MC4C"), []byte("MC4D"), 1), want: ErrDamaged, advice: "no readable PKCS#8 key"},
		{name: "another kind of key", data: pemOf(t, other), want: ErrDamaged, advice: "not Ed25519"},
		{name: "another kind of block", data: pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: []byte{1}}), want: ErrDamaged, advice: `"EC PRIVATE KEY"`},
		{name: "two keys", data: append(good[:len(good):len(good)], good...), want: ErrDamaged, advice: "something after the key"},
		{name: "huge", data: append(bytes.Repeat([]byte{'\n'}, maxFile), good...), want: ErrDamaged, advice: "larger than"},
		{name: "readable by the group", data: good, mode: 0o640, want: ErrExposed, advice: "chmod 600"},
		{name: "readable by all", data: good, mode: 0o604, want: ErrExposed, advice: "chmod 600"},
		{name: "replaceable by the group", data: good, dir: 0o770, want: ErrExposed, advice: "chmod 700"},
		{name: "replaceable by all", data: good, dir: 0o707, want: ErrExposed, advice: "chmod 700"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			dir := home(t)
			path := filepath.Join(dir, FileName)
			write(t, path, c.data, orMode(c.mode, 0o600))
			if err := os.Chmod(dir, orMode(c.dir, 0o700)); err != nil {
				t.Fatal(err)
			}
			refused(t, path, c.want, c.advice)
			if after, err := os.ReadFile(path); err != nil || !bytes.Equal(after, c.data) {
				t.Errorf("the file was changed (%v)", err)
			}
		})
	}
}

func TestAKeyFileThatIsNoFileIsRefused(t *testing.T) {
	t.Run("symbolic link", func(t *testing.T) {
		dir := home(t)
		real := filepath.Join(dir, "elsewhere")
		write(t, real, pemOf(t, mustKey(t)), 0o600)
		path := filepath.Join(dir, FileName)
		if err := os.Symlink(real, path); err != nil {
			t.Fatal(err)
		}
		refused(t, path, ErrExposed, "symbolic link")
	})
	t.Run("dangling link", func(t *testing.T) {
		path := filepath.Join(home(t), FileName)
		if err := os.Symlink("nowhere", path); err != nil {
			t.Fatal(err)
		}
		refused(t, path, ErrExposed, "symbolic link")
	})
	t.Run("folder", func(t *testing.T) {
		path := filepath.Join(home(t), FileName)
		if err := os.Mkdir(path, 0o700); err != nil {
			t.Fatal(err)
		}
		refused(t, path, ErrDamaged, "is not a file")
	})
	t.Run("named pipe", func(t *testing.T) {
		path := filepath.Join(home(t), FileName)
		if err := syscall.Mkfifo(path, 0o600); err != nil {
			t.Fatal(err)
		}
		refused(t, path, ErrDamaged, "is not a file")
	})
}

func TestAKeyFileOfAnotherUserIsRefused(t *testing.T) {
	if err := checkUID("k", 1000, 1000); err != nil {
		t.Errorf("the own file: %v", err)
	}
	if err := checkUID("k", 1000, 0); !errors.Is(err, ErrExposed) || !strings.Contains(err.Error(), "user 1000") {
		t.Errorf("a file of user 1000 for user 0: %v", err)
	}
	if os.Geteuid() != 0 {
		t.Log("not run as root: the file system part of this test was left out")
		return
	}
	path := filepath.Join(home(t), FileName)
	write(t, path, pemOf(t, mustKey(t)), 0o600)
	if err := os.Chown(path, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	refused(t, path, ErrExposed, "run it as the owner")
}

func TestLoadTellsAMissingFileFromABadOne(t *testing.T) {
	if _, err := Load(filepath.Join(home(t), FileName)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error is %v", err)
	}
}

func TestAKeyFromOtherSoftwareIsAccepted(t *testing.T) {
	key := mustKey(t)
	path := filepath.Join(home(t), FileName)
	write(t, path, pemOf(t, key), 0o600)
	if err := os.Chtimes(path, then, then); err != nil {
		t.Fatal(err)
	}
	id, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if id.NodeID() != protocol.NewNodeID(key.Public().(ed25519.PublicKey)) {
		t.Error("it became another node")
	}
	if !id.CreatedAt().Equal(then.Truncate(time.Second)) {
		t.Errorf("created %v, want the file's time %v", id.CreatedAt(), then)
	}
}

// The derivation must never change: a node with another X25519 key could not read what was encrypted for it.
func TestKeysFollowFromTheSeedAsTheyAlwaysDid(t *testing.T) {
	seed := make([]byte, ed25519.SeedSize)
	for i := range seed {
		seed[i] = byte(i)
	}
	id, err := fromKey(ed25519.NewKeyFromSeed(seed), then)
	if err != nil {
		t.Fatal(err)
	}
	x := id.X25519()
	if got, want := hex.EncodeToString(x[:]), "0bb2a688b5bfa7199dea1b7ce85d8d22bdbcea1784aa2b3547e3e7616fcffe0a"; got != want {
		t.Errorf("X25519 key %s, want %s", got, want)
	}
	if got, want := id.NodeID(), protocol.NodeID("caro:ed25519:A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg="); got != want {
		t.Errorf("node ID %s, want %s", got, want)
	}
	pid, err := id.NodeID().PeerID()
	if err != nil || !pid.MatchesPrivateKey(id.HostKey()) {
		t.Errorf("the libp2p key belongs to another peer (%v)", err)
	}
}

func TestTwoNodesShareASecretThatAThirdDoesNot(t *testing.T) {
	a, b, c := fresh(t), fresh(t), fresh(t)
	ab, err1 := a.Exchange(b.X25519())
	ba, err2 := b.Exchange(a.X25519())
	cb, err3 := c.Exchange(b.X25519())
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(ab, ba) || bytes.Equal(ab, cb) {
		t.Error("secrets do not pair")
	}
	if _, err := a.Exchange([32]byte{}); err == nil {
		t.Error("a key of low order was accepted")
	}
}

func TestSignaturesVerifyUnderTheNodeID(t *testing.T) {
	a := fresh(t)
	sig, err := a.Sign([]byte("hello"))
	if err != nil || !ed25519.Verify(a.NodeID().PublicKey(), []byte("hello"), sig) {
		t.Errorf("signature does not verify (%v)", err)
	}
}

func refused(t *testing.T, path string, want error, advice string) {
	t.Helper()
	_, err := Load(path)
	_, created, err2 := LoadOrCreate(path, clock)
	for _, err := range []error{err, err2} {
		if !errors.Is(err, want) || !strings.Contains(err.Error(), advice) || strings.Contains(err.Error(), "\n") {
			t.Errorf("error is %q, want one line that is %q and says %q", err, want, advice)
		}
	}
	if created {
		t.Error("a new key was made")
	}
}

func orMode(m, otherwise fs.FileMode) fs.FileMode {
	if m == 0 {
		return otherwise
	}
	return m
}

func write(t *testing.T, path string, data []byte, mode fs.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

func mustKey(t *testing.T) ed25519.PrivateKey {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func fresh(t *testing.T) *Identity {
	t.Helper()
	id, err := New(then)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func pemOf(t *testing.T, key any) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}
