package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/caro-mesh/caro-node/policy/bundle"
)

// ReadBundle reads and verifies a bundle that stands in any file, and returns its bytes, too.
func ReadBundle(path string) (*bundle.Bundle, []byte, error) {
	f, err := os.Open(filepath.Clean(path))
	if err != nil {
		return nil, nil, fmt.Errorf("read the bundle: %w", err)
	}
	data, err := io.ReadAll(io.LimitReader(f, bundle.MaxSize+1))
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, nil, fmt.Errorf("read the bundle: %w", err)
	}
	b, err := bundle.Open(data)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	return b, data, nil
}

// AcceptedBundle returns the bundle that the user has accepted; nil when there is none. One that was changed since, or is
// signed by another key than the one that was accepted, is an error: going on without it would lift what it caps.
func AcceptedBundle(p Paths) (*bundle.Bundle, error) {
	pinned, err := PinnedOrganisation(p)
	if err != nil {
		return nil, err
	}
	b, _, err := ReadBundle(p.Bundle)
	const hint = "import it again, or take it back with \"caro-node policy forget-bundle\""
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("the accepted bundle cannot be used: %w; %s", err, hint)
	case b.Fingerprint() != pinned:
		return nil, fmt.Errorf("the accepted bundle %s is signed by the key %s, and %s was accepted; %s", p.Bundle, b.Fingerprint(), pinned, hint)
	}
	return b, nil
}

// PinnedOrganisation returns the fingerprint of the organisation's key that the user has accepted; empty when there is none.
func PinnedOrganisation(p Paths) (bundle.Fingerprint, error) {
	data, err := os.ReadFile(p.Organisation)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("read the accepted organisation key: %w", err)
	}
	return bundle.Fingerprint(strings.TrimSpace(string(data))), nil
}

// AcceptBundle keeps a bundle that was verified as the accepted one, for the user alone to read, and its key as the
// organisation's.
func AcceptBundle(p Paths, b *bundle.Bundle, file []byte) error {
	if err := p.Create(); err != nil {
		return err
	}
	for _, f := range []struct {
		path string
		data []byte
	}{{p.Organisation, []byte(b.Fingerprint() + "\n")}, {p.Bundle, file}} {
		if err := replace(f.path, f.data); err != nil {
			return fmt.Errorf("keep the accepted bundle: %w", err)
		}
	}
	return nil
}

// replace writes a file at once or not at all.
func replace(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*") // 0600
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// ForgetBundle takes the accepted bundle and its key back, and reports whether there was something.
func ForgetBundle(p Paths) (bool, error) {
	was := false
	for _, path := range []string{p.Bundle, p.Organisation} {
		err := os.Remove(path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return was, fmt.Errorf("take the bundle back: %w", err)
		}
		was = was || err == nil
	}
	return was, nil
}

// UseBundle puts the accepted bundle, if there is one, together with the user's own policy at the time now.
func (c *Config) UseBundle(p Paths, now time.Time) error {
	b, err := AcceptedBundle(p)
	if err != nil {
		return err
	}
	c.Bundle, c.own = b, c.Policy
	c.Renew(now)
	return nil
}

// Renew makes the policy anew from the user's own and the bundle, which may have expired since.
func (c *Config) Renew(now time.Time) {
	if c.Bundle != nil {
		c.Policy = c.Bundle.Apply(c.own, now)
	}
}

// TryBundle puts a bundle that is not accepted, in its signed form, together with the user's own policy at the time now; ""
// is none.
func (c *Config) TryBundle(signed string, now time.Time) error {
	c.Bundle, c.own = nil, c.Policy
	if signed == "" {
		return nil
	}
	b, err := bundle.Open([]byte(signed))
	if err != nil {
		return err
	}
	c.Bundle = b
	c.Renew(now)
	return nil
}
