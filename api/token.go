package api

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

const (
	tokenBytes = 32
	minToken   = 43 // 32 bytes in base64 without padding
)

// TokenFile returns the token in the file at path, and creates the file with a new random token when there is none.
// The file belongs to the user alone (0600); one that others can read, or that holds something else, is refused with a
// sentence that says what to do, and is left as it is. Two processes that create it at once get the same token.
func TokenFile(path string) (string, error) {
	token, err := readToken(path)
	if !errors.Is(err, os.ErrNotExist) {
		return token, err
	}
	if err := createToken(path); err != nil && !errors.Is(err, os.ErrExist) {
		return "", fmt.Errorf("create the API token: %w", err)
	}
	return readToken(path)
}

// PageURL returns the address of the page with the token in its fragment, which browsers do not send: the page's script
// takes it from there. listen is the TCP address of [Server.Endpoints].
func PageURL(listen, token string) string { return "http://" + listen + "/#token=" + token }

func readToken(path string) (_ string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("open the API token: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	fi, err := f.Stat()
	if err != nil {
		return "", fmt.Errorf("look at the API token: %w", err)
	}
	if !fi.Mode().IsRegular() {
		return "", fmt.Errorf("%s is not a file; move it away", path)
	}
	if fi.Mode().Perm()&0o077 != 0 {
		return "", fmt.Errorf("API token %s can be read by others (mode %04o); delete it, and the next start makes a new one", path, fi.Mode().Perm())
	}
	raw, err := io.ReadAll(io.LimitReader(f, 1<<10))
	if err != nil {
		return "", fmt.Errorf("read the API token: %w", err)
	}
	token := strings.TrimSpace(string(raw))
	if b, err := base64.RawURLEncoding.Strict().DecodeString(token); err != nil || len(b) != tokenBytes {
		return "", fmt.Errorf("API token %s is damaged; delete it, and the next start makes a new one", path)
	}
	return token, nil
}

// createToken writes the whole file before it gets its name, so that a crash leaves no half token.
func createToken(path string) (err error) {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	var raw [tokenBytes]byte
	if _, err := rand.Read(raw[:]); err != nil {
		return fmt.Errorf("read random bytes: %w", err)
	}
	f, err := os.CreateTemp(dir, ".token-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(f.Name())) }()
	_, werr := f.WriteString(base64.RawURLEncoding.EncodeToString(raw[:]) + "\n")
	if err := errors.Join(werr, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Link(f.Name(), path) // fails when somebody else was faster
}
