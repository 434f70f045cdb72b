package identity

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/caro-mesh/caro-node/protocol"
)

// Names of the other key files, beside the one of the current key.
const (
	// NextFileName holds the key that this node has committed to. It is needed for nothing but the next rotation, so it
	// may be kept elsewhere until then.
	NextFileName = "identity.next.key"
	// comingFileName holds, during a rotation, the key after the next one.
	comingFileName = "identity.coming.key"
)

// ErrOtherKey reports a key file that holds another key than the one that belongs there. Nothing is overwritten.
var ErrOtherKey = errors.New("the key file holds another key")

// Ring is a node's key files: the current key, the next one, and during a rotation the one after it. Every change is one
// rename, so that a crash leaves either what was or what will be. Processes that change it exclude each other by other
// means.
type Ring struct {
	path string
	now  func() time.Time
}

// NewRing returns the ring whose current key is in the file at path. It touches nothing; now is the clock for new keys.
func NewRing(path string, now func() time.Time) *Ring { return &Ring{path: path, now: now} }

// Path returns the file of the current key.
func (r *Ring) Path() string { return r.path }

// NextPath returns the file of the next key.
func (r *Ring) NextPath() string { return filepath.Join(filepath.Dir(r.path), NextFileName) }

func (r *Ring) comingPath() string { return filepath.Join(filepath.Dir(r.path), comingFileName) }

// Current loads the current key, or makes one: see [LoadOrCreate].
func (r *Ring) Current() (id *Identity, created bool, err error) { return LoadOrCreate(r.path, r.now) }

// Next loads the next key. It returns an error that wraps [fs.ErrNotExist] when it is kept elsewhere, or was not made.
func (r *Ring) Next() (*Identity, error) { return Load(r.NextPath()) }

// MakeNext makes a next key where there is none, and returns it.
func (r *Ring) MakeNext() (*Identity, error) {
	id, _, err := LoadOrCreate(r.NextPath(), r.now)
	return id, err
}

// PutNext stores a next key that was kept elsewhere. Another one that is there stays, and [ErrOtherKey] is returned.
func (r *Ring) PutNext(id *Identity) error {
	err := writeNew(r.NextPath(), id)
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	there, err := r.Next()
	if err != nil {
		return err
	}
	if there.NodeID() != id.NodeID() {
		return fmt.Errorf("%w: %s; move it away", ErrOtherKey, r.NextPath())
	}
	return nil
}

// MakeComing makes the key after the next one, and returns it. One that an unfinished rotation left is used.
func (r *Ring) MakeComing() (*Identity, error) {
	id, _, err := LoadOrCreate(r.comingPath(), r.now)
	return id, err
}

// TakeNext makes the next key, which has to be that of to, the current one. The current key is gone then. It does nothing
// when to is the current key already.
func (r *Ring) TakeNext(to protocol.NodeID) error {
	current, err := Load(r.path)
	if err != nil {
		return err
	}
	if current.NodeID() == to {
		return nil
	}
	next, err := r.Next()
	if err != nil {
		return err
	}
	if next.NodeID() != to {
		return fmt.Errorf("%w: %s is not that of %s", ErrOtherKey, r.NextPath(), to.Fingerprint())
	}
	return r.rename(r.NextPath(), r.path)
}

// TakeComing makes the key after the next one, if its digest is the given one, the next one. It does nothing when there is
// a next key, or no such coming one.
func (r *Ring) TakeComing(digest protocol.KeyDigest) error {
	coming, err := Load(r.comingPath())
	if errors.Is(err, fs.ErrNotExist) || err == nil && protocol.DigestOf(coming.NodeID()) != digest {
		return nil
	}
	if err != nil {
		return err
	}
	if _, err := os.Lstat(r.NextPath()); err == nil {
		return nil
	}
	return r.rename(r.comingPath(), r.NextPath())
}

func (r *Ring) rename(from, to string) error {
	if err := errors.Join(os.Rename(from, to), syncFolder(filepath.Dir(to))); err != nil {
		return fmt.Errorf("change the key files: %w", err)
	}
	return nil
}
