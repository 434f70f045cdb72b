package node

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caro-mesh/caro-node/node/identity"
	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/store"
)

// These make the test binary the process that is killed in the middle of a rotation.
const (
	rotatorDirVariable  = "CARO_NODE_TEST_ROTATOR"
	rotatorStepVariable = "CARO_NODE_TEST_ROTATOR_STEP"
)

// keysIn opens the keys of a folder.
func keysIn(ctx context.Context, dir string) (*Keys, error) {
	db, err := store.Open(ctx, filepath.Join(dir, "caro.db"), store.Options{})
	if err != nil {
		return nil, err
	}
	return &Keys{Ring: identity.NewRing(filepath.Join(dir, identity.FileName), time.Now), Store: db, Now: time.Now}, nil
}

// rotateUntilKilled rotates the key of dir, and kills this process at a step.
func rotateUntilKilled(dir, at string) int {
	ctx := context.Background()
	k, err := keysIn(ctx, dir)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	k.step = func(step string) error {
		if step != at {
			return nil
		}
		p, err := os.FindProcess(os.Getpid())
		if err == nil {
			err = p.Kill()
		}
		if err != nil {
			return err
		}
		select {} // until the signal arrives
	}
	_, err = k.Rotate(ctx, RotateOptions{})
	fmt.Fprintln(os.Stderr, "not killed:", err)
	return 1
}

func openKeys(t *testing.T, dir string) *Keys {
	t.Helper()
	k, err := keysIn(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := k.Store.Close(); err != nil {
			t.Error(err)
		}
	})
	return k
}

func stand(t *testing.T, k *Keys) Standing {
	t.Helper()
	s, err := k.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// files returns which key files are in dir, by the fingerprints of their keys.
func files(t *testing.T, dir string) map[string]protocol.Fingerprint {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.key"))
	if err != nil {
		t.Fatal(err)
	}
	out := make(map[string]protocol.Fingerprint)
	for _, n := range names {
		id, err := identity.Load(n)
		if err != nil {
			t.Fatal(err)
		}
		out[filepath.Base(n)] = id.Fingerprint()
	}
	return out
}

func TestARotationThatIsKilledIsFinishedOrDidNotBegin(t *testing.T) {
	for step, stated := range map[string]bool{"made": false, "stated": true, "announced": true, "taken": true} {
		t.Run(step, func(t *testing.T) {
			dir := t.TempDir()
			first := openKeys(t, dir)
			before := stand(t, first)
			next, err := first.Ring.Next()
			if err != nil {
				t.Fatal(err)
			}
			if err := first.Store.Close(); err != nil {
				t.Fatal(err)
			}
			cmd := exec.CommandContext(t.Context(), os.Args[0])
			cmd.Env = append(os.Environ(), rotatorDirVariable+"="+dir, rotatorStepVariable+"="+step)
			if out, err := cmd.CombinedOutput(); err == nil || strings.Contains(string(out), "not killed") {
				t.Fatalf("%s %v", out, err)
			}

			k := openKeys(t, dir)
			after := stand(t, k)
			if stated != (after.Identity.NodeID() == next.NodeID()) || stated != (len(after.Rotations) == 1) {
				t.Fatalf("the key is %s (before %s, next %s), %d rotations", after.Identity.Fingerprint(), before.Identity.Fingerprint(), next.Fingerprint(), len(after.Rotations))
			}
			if !after.NextHere || stated == (after.NextDigest == before.NextDigest) {
				t.Errorf("next key here: %v, digest before %s, now %s", after.NextHere, before.NextDigest, after.NextDigest)
			}
			if again := stand(t, k); again.Identity.NodeID() != after.Identity.NodeID() || again.NextDigest != after.NextDigest {
				t.Error("it stands elsewhere when it is opened once more")
			}
			r, err := k.Rotate(t.Context(), RotateOptions{})
			if err != nil || r.OldID != after.Identity.NodeID() {
				t.Fatalf("the next rotation: %+v, %v", r, err)
			}
			if got := files(t, dir); len(got) != 2 || got[identity.FileName] != r.NewID.Fingerprint() {
				t.Errorf("key files %v", got)
			}
		})
	}
}

func TestTheNextKeyMayBeKeptElsewhere(t *testing.T) {
	dir, elsewhere := t.TempDir(), filepath.Join(t.TempDir(), "usb.key")
	if err := os.Chmod(filepath.Dir(elsewhere), 0o700); err != nil {
		t.Fatal(err)
	}
	k := openKeys(t, dir)
	s := stand(t, k)
	if !s.NextHere || !s.Created {
		t.Errorf("at first %+v", s)
	}
	if err := os.Rename(k.Ring.NextPath(), elsewhere); err != nil {
		t.Fatal(err)
	}
	if again := stand(t, k); again.NextHere || again.NextDigest != s.NextDigest {
		t.Errorf("with the next key elsewhere %+v", again)
	}
	if _, err := os.Stat(k.Ring.NextPath()); !errors.Is(err, fs.ErrNotExist) {
		t.Error("another next key was made")
	}
	if _, err := k.Rotate(t.Context(), RotateOptions{}); !errors.Is(err, ErrNextKey) || !strings.Contains(err.Error(), "--next") {
		t.Errorf("without it: %v", err)
	}
	wrong, err := identity.New(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.Rotate(t.Context(), RotateOptions{Next: wrong}); !errors.Is(err, ErrNextKey) || !strings.Contains(err.Error(), "committed") {
		t.Errorf("with another one: %v", err)
	}
	next, err := identity.Load(elsewhere)
	if err != nil {
		t.Fatal(err)
	}
	r, err := k.Rotate(t.Context(), RotateOptions{Next: next})
	if err != nil || r.NewID != next.NodeID() {
		t.Errorf("with it: %+v, %v", r, err)
	}
	if now := stand(t, k); now.Identity.NodeID() != next.NodeID() || !now.NextHere || now.NextDigest != r.NextDigest {
		t.Errorf("after it %+v", now)
	}
}

func TestRotationsFollowOneAnotherEvenWhenTheClockIsSetBack(t *testing.T) {
	k := openKeys(t, t.TempDir())
	for i, now := range []time.Time{noon, noon.Add(-time.Hour), noon.Add(time.Hour)} {
		k.Now = func() time.Time { return now }
		if r, err := k.Rotate(t.Context(), RotateOptions{Grace: time.Hour}); err != nil || r.Generation != uint64(i+1) {
			t.Fatalf("rotation %d: %+v, %v", i+1, r, err)
		}
	}
	s := stand(t, k)
	if chain, err := protocol.OpenRotations(s.Wires(), s.Identity.NodeID()); err != nil || len(chain) != 3 {
		t.Errorf("%d links, %v", len(chain), err)
	}
}

func TestPeersAreToldTheLatestRotationsOnly(t *testing.T) {
	k := openKeys(t, t.TempDir())
	for range protocol.MaxRotations + 2 {
		if _, err := k.Rotate(t.Context(), RotateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	s := stand(t, k)
	chain, err := protocol.OpenRotations(s.Wires(), s.Identity.NodeID())
	if err != nil || len(chain) != protocol.MaxRotations || chain[0].Generation != 3 || len(s.Rotations) != protocol.MaxRotations+2 {
		t.Errorf("%d links from generation %d, %v", len(chain), chain[0].Generation, err)
	}
}

func TestAFormerKeyInThePlaceOfTheCurrentOneIsRefused(t *testing.T) {
	dir := t.TempDir()
	k := openKeys(t, dir)
	stand(t, k)
	former, err := os.ReadFile(k.Ring.Path())
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := k.Rotate(t.Context(), RotateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(k.Ring.Path(), former, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := k.Open(t.Context()); err == nil || !strings.Contains(err.Error(), "former key") || !strings.Contains(err.Error(), "restore") {
		t.Errorf("opened: %v", err)
	}
	// A key that has nothing to do with these rotations is another node's, and begins anew.
	if err := os.Remove(k.Ring.Path()); err != nil {
		t.Fatal(err)
	}
	if s := stand(t, k); len(s.Rotations) != 0 || !s.Created {
		t.Errorf("another identity stands at %+v", s)
	}
}
