package identity

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"filippo.io/age"
	"filippo.io/age/armor"

	"github.com/caro-mesh/caro-node/protocol"
)

// Backup is everything that makes a node itself, to be kept encrypted with a passphrase (age, scrypt).
type Backup struct {
	Current *Identity
	// Next is the next key; nil when it is kept elsewhere.
	Next *Identity
	// NextDigest is what this node has committed to.
	NextDigest protocol.KeyDigest
	// Rotations led to the current key, oldest first.
	Rotations []*protocol.KeyRotation
}

// Refusals of a backup file.
var (
	// ErrPassphrase means that the file cannot be decrypted: the passphrase is wrong, or the file was altered.
	ErrPassphrase = errors.New("the passphrase does not open this backup")
	// ErrNoBackup means that the file is not a backup of a node, or contradicts itself.
	ErrNoBackup = errors.New("this is not a backup of a node's keys")
)

const (
	backupFormat = "caro-node keys 1"
	// maxBackup bounds what is read: two keys, and room for the rotations of centuries.
	maxBackup = 4 << 20
	// workFactor is that of age: a second on the machines of 2018, which makes guessing expensive.
	workFactor = 18
)

// backupFile is the encrypted content.
type backupFile struct {
	Format     string    `json:"format"`
	Made       time.Time `json:"made"`
	Current    string    `json:"current"` // the key file's text
	Next       string    `json:"next,omitempty"`
	NextDigest string    `json:"next_digest"`
	Rotations  [][]byte  `json:"rotations"`
}

// Seal writes the backup, as text, so that only the passphrase opens it. now is the time that it bears.
func (b Backup) Seal(w io.Writer, passphrase string, now time.Time) error {
	return b.seal(w, passphrase, now, workFactor)
}

func (b Backup) seal(w io.Writer, passphrase string, now time.Time, work int) (err error) {
	f := backupFile{Format: backupFormat, Made: now.UTC(), NextDigest: b.NextDigest.String(), Rotations: [][]byte{}}
	text, err := encode(b.Current)
	if err != nil {
		return err
	}
	f.Current = string(text)
	if b.Next != nil {
		if text, err = encode(b.Next); err != nil {
			return err
		}
		f.Next = string(text)
	}
	for _, r := range b.Rotations {
		f.Rotations = append(f.Rotations, r.Wire())
	}
	recipient, err := age.NewScryptRecipient(passphrase)
	if err != nil {
		return fmt.Errorf("use the passphrase: %w", err)
	}
	recipient.SetWorkFactor(work)
	armored := armor.NewWriter(w)
	sealed, err := age.Encrypt(armored, recipient)
	if err != nil {
		return fmt.Errorf("encrypt the backup: %w", err)
	}
	return errors.Join(json.NewEncoder(sealed).Encode(f), sealed.Close(), armored.Close())
}

// OpenBackup reads what Seal wrote, and verifies every statement in it.
func OpenBackup(r io.Reader, passphrase string) (Backup, error) {
	secret, err := age.NewScryptIdentity(passphrase)
	if err != nil {
		return Backup{}, fmt.Errorf("use the passphrase: %w", err)
	}
	secret.SetMaxWorkFactor(workFactor)
	opened, err := age.Decrypt(armor.NewReader(io.LimitReader(r, maxBackup)), secret)
	var wrong *age.NoIdentityMatchError
	if errors.As(err, &wrong) {
		return Backup{}, ErrPassphrase
	}
	if err != nil {
		return Backup{}, fmt.Errorf("%w: %w", ErrNoBackup, err)
	}
	plain, err := io.ReadAll(opened)
	if err != nil {
		return Backup{}, fmt.Errorf("%w: %w", ErrPassphrase, err)
	}
	var f backupFile
	if err := json.Unmarshal(plain, &f); err != nil || f.Format != backupFormat {
		return Backup{}, fmt.Errorf("%w: it is of the format %q", ErrNoBackup, f.Format)
	}
	b, err := f.check()
	if err != nil {
		return Backup{}, fmt.Errorf("%w: %w", ErrNoBackup, err)
	}
	return b, nil
}

// check turns the content into keys and statements, and requires that they belong together.
func (f backupFile) check() (b Backup, err error) {
	if b.Current, err = parse([]byte(f.Current), f.Made); err != nil {
		return b, err
	}
	if err := b.NextDigest.UnmarshalText([]byte(f.NextDigest)); err != nil {
		return b, err
	}
	if f.Next != "" {
		if b.Next, err = parse([]byte(f.Next), f.Made); err != nil {
			return b, err
		}
		if protocol.DigestOf(b.Next.NodeID()) != b.NextDigest {
			return b, errors.New("its next key is not the one that its digest names")
		}
	}
	for i, wire := range f.Rotations {
		r, err := protocol.OpenRotation(wire)
		if err != nil {
			return b, err
		}
		if i > 0 {
			if err := r.Follows(b.Rotations[i-1]); err != nil {
				return b, err
			}
		}
		b.Rotations = append(b.Rotations, r)
	}
	if n := len(b.Rotations); n > 0 && b.Rotations[n-1].NewID != b.Current.NodeID() {
		return b, errors.New("its rotations lead to another key")
	}
	return b, nil
}

func parse(text []byte, made time.Time) (*Identity, error) {
	key, err := decode(text)
	if err != nil {
		return nil, fmt.Errorf("a key %w", err)
	}
	return fromKey(key, createdAt(text, made))
}

// LoadCopy reads a key file from anywhere, such as a USB stick, whoever may read it there.
func LoadCopy(path string) (*Identity, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open the key file: %w", err)
	}
	raw, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("read the key file: %w", err)
	}
	id, err := parse(raw, time.Time{})
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrDamaged, path, err)
	}
	return id, nil
}

// ErrKeyThere means that a key is in the way of a restored one.
var ErrKeyThere = errors.New("this node has a key already")

// Vacant returns [ErrKeyThere] when any key is there.
func (r *Ring) Vacant() error {
	for _, path := range []string{r.path, r.NextPath(), r.comingPath()} {
		if _, err := os.Lstat(path); err == nil {
			return fmt.Errorf("%w: %s; with --force it is kept beside", ErrKeyThere, path)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("look at the key file: %w", err)
		}
	}
	return nil
}

// Restore puts the keys of b in the place of what is there, which is kept beside, and returns its names. At no moment is
// there no current key where there was one.
func (r *Ring) Restore(b Backup) (kept []string, err error) {
	places := []struct {
		path string
		id   *Identity
	}{{r.NextPath(), b.Next}, {r.comingPath(), nil}, {r.path, b.Current}}
	if err := os.MkdirAll(filepath.Dir(r.path), 0o700); err != nil {
		return nil, fmt.Errorf("make the data folder: %w", err)
	}
	suffix := ".replaced-" + r.now().UTC().Format("20060102T150405.000")
	for _, p := range places {
		aside, err := replaceFile(p.path, suffix, p.id)
		if err != nil {
			return kept, fmt.Errorf("restore the key file %s: %w", p.path, err)
		}
		if aside != "" {
			kept = append(kept, aside)
		}
	}
	return kept, syncFolder(filepath.Dir(r.path))
}

// replaceFile keeps what is at path under another name, and puts the key of id there, if there is one.
func replaceFile(path, suffix string, id *Identity) (aside string, err error) {
	old, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return "", err
	default:
		aside = path + suffix
		if err := writeFile(aside, old); err != nil {
			return "", err
		}
	}
	if id == nil {
		if aside == "" {
			return "", nil
		}
		return aside, os.Remove(path)
	}
	text, err := encode(id)
	if err != nil || bytes.Equal(old, text) {
		return aside, err
	}
	temporary := path + ".restored"
	if err := os.Remove(temporary); err != nil && !errors.Is(err, fs.ErrNotExist) { // of a restore that was cut short
		return aside, err
	}
	if err := writeFile(temporary, text); err != nil {
		return aside, err
	}
	return aside, os.Rename(temporary, path)
}

// writeFile makes a private file that was not there.
func writeFile(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	return writeAndSync(f, data)
}
