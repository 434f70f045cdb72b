package identity

import (
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"time"
)

// FileName is the usual name of the key file inside the data folder.
const FileName = "identity.key"

// Refusals of a key file. Each error that wraps one of them says in one sentence what to do; none of them may be
// answered by making a new key, because that would be another node, which nobody trusts.
var (
	ErrDamaged = errors.New("the key file is damaged")
	ErrExposed = errors.New("the key file is not private")
)

// maxFile bounds what is read: a PKCS#8 Ed25519 key in PEM takes 119 bytes, the line above it about 80.
const maxFile = 16 << 10

const pemType = "PRIVATE KEY"

// LoadOrCreate loads the key file at path, or makes a key and the file (0600, in a folder that is made 0700) when there
// is none. created tells which; now is the clock for a new key's time of creation. When two processes start at once,
// both end up with the same key.
func LoadOrCreate(path string, now func() time.Time) (id *Identity, created bool, err error) {
	id, err = Load(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return id, false, err
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, false, fmt.Errorf("make the data folder %s: %w", dir, err)
	}
	if err := checkFolder(dir); err != nil {
		return nil, false, err
	}
	fresh, err := New(now())
	if err != nil {
		return nil, false, err
	}
	switch err := writeNew(path, fresh); {
	case err == nil:
		return fresh, true, nil
	case errors.Is(err, fs.ErrExist):
		// Another start was faster; its key counts.
		id, err := Load(path)
		return id, false, err
	default:
		return nil, false, fmt.Errorf("write the key file %s: %w", path, err)
	}
}

// Load reads the key file at path. It returns an error that wraps [fs.ErrNotExist] when there is none, [ErrExposed] when
// others may read or replace it, and [ErrDamaged] when it does not hold one Ed25519 key.
func Load(path string) (*Identity, error) {
	raw, modified, err := readPrivate(path)
	if err != nil {
		return nil, err
	}
	key, err := decode(raw)
	if err != nil {
		return nil, fmt.Errorf("%w: %s %w; put a backup in its place, or move it away to start as a new node that nobody trusts yet",
			ErrDamaged, path, err)
	}
	return fromKey(key, createdAt(raw, modified))
}

// readPrivate opens first and checks the open file, so that nobody can exchange it in between.
func readPrivate(path string) (raw []byte, modified time.Time, err error) {
	f, err := openNoFollow(path)
	if err != nil {
		if linked, lerr := os.Lstat(path); lerr == nil && linked.Mode()&fs.ModeSymlink != 0 {
			return nil, time.Time{}, fmt.Errorf("%w: %s is a symbolic link; put the file itself there", ErrExposed, path)
		}
		return nil, time.Time{}, fmt.Errorf("open the key file: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	st, err := f.Stat()
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("look at the key file: %w", err)
	}
	if !st.Mode().IsRegular() {
		return nil, time.Time{}, fmt.Errorf("%w: %s is not a file; move it away", ErrDamaged, path)
	}
	if err := checkOwner(path, st); err != nil {
		return nil, time.Time{}, err
	}
	if st.Mode().Perm()&0o077 != 0 {
		return nil, time.Time{}, fmt.Errorf("%w: %s may be read or written by others (mode %04o); run \"chmod 600 %s\", and make a new key if others could have copied it",
			ErrExposed, path, st.Mode().Perm(), path)
	}
	if err := checkFolder(filepath.Dir(path)); err != nil {
		return nil, time.Time{}, err
	}
	raw, err = io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("read the key file: %w", err)
	}
	return raw, st.ModTime(), nil
}

// checkFolder refuses a folder in which somebody else could replace the key file.
func checkFolder(dir string) error {
	st, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("look at the data folder: %w", err)
	}
	if !st.IsDir() {
		return fmt.Errorf("%s is not a folder; move it away", dir)
	}
	if st.Mode().Perm()&0o022 != 0 && st.Mode()&fs.ModeSticky == 0 {
		return fmt.Errorf("%w: others may replace it, because they may write to the folder %s (mode %04o); run \"chmod 700 %s\"",
			ErrExposed, dir, st.Mode().Perm(), dir)
	}
	return nil
}

func decode(raw []byte) (ed25519.PrivateKey, error) {
	if len(raw) > maxFile {
		return nil, fmt.Errorf("is larger than %d bytes", maxFile)
	}
	block, rest := pem.Decode(raw)
	switch {
	case block == nil:
		return nil, errors.New("holds no PEM block")
	case block.Type != pemType:
		return nil, fmt.Errorf("holds a %q block instead of a %q", block.Type, pemType)
	case len(bytes.TrimSpace(rest)) > 0:
		return nil, errors.New("holds something after the key")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, errors.New("holds no readable PKCS#8 key")
	}
	key, ok := parsed.(ed25519.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("holds a key of another kind (%T), not Ed25519", parsed)
	}
	return key, nil
}

func encode(id *Identity) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(id.key)
	if err != nil {
		return nil, fmt.Errorf("encode the key: %w", err)
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "caro-node identity, created %s. Keep this file secret.\n", id.created.Format(time.RFC3339))
	if err := pem.Encode(&b, &pem.Block{Type: pemType, Bytes: der}); err != nil {
		return nil, fmt.Errorf("encode the key: %w", err)
	}
	return b.Bytes(), nil
}

var createdLine = regexp.MustCompile(`^caro-node identity, created (\S+)\. `)

// createdAt reads the line above the key; a file that other software wrote has none, and then the file's time counts.
func createdAt(raw []byte, modified time.Time) time.Time {
	if m := createdLine.FindSubmatch(raw); m != nil {
		if t, err := time.Parse(time.RFC3339, string(m[1])); err == nil {
			return t
		}
	}
	return modified
}

// writeNew puts the key at path, complete and on disk, or fails with [fs.ErrExist] when something is there already.
// A link, unlike a rename, does not replace.
func writeNew(path string, id *Identity) (err error) {
	data, err := encode(id)
	if err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".identity-*.tmp") // 0600
	if err != nil {
		return err
	}
	defer func() {
		if rerr := os.Remove(tmp.Name()); rerr != nil && !errors.Is(rerr, fs.ErrNotExist) {
			err = errors.Join(err, rerr)
		}
	}()
	if err := writeAndSync(tmp, data); err != nil {
		return err
	}
	if err := os.Link(tmp.Name(), path); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return err
		}
		// A file system without hard links: not atomic, but still never over an existing file, and a file that was
		// cut off by a crash is refused as damaged.
		f, oerr := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if oerr != nil {
			return oerr
		}
		if err := writeAndSync(f, data); err != nil {
			return err
		}
	}
	return syncFolder(filepath.Dir(path))
}

func writeAndSync(f *os.File, data []byte) error {
	_, err := f.Write(data)
	return errors.Join(err, f.Sync(), f.Close())
}

func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
