package config

import (
	"bytes"
	"crypto/ed25519"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caro-mesh/caro-node/policy/bundle"
)

const someBundle = "name = \"ACME\"\nversion = 1\nissued = 2026-01-01T00:00:00Z\nexpires = 2027-01-01T00:00:00Z\nmin_contributors = 8\n"

func signed(t *testing.T, seed byte) (*bundle.Bundle, []byte) {
	t.Helper()
	file, err := bundle.Sign([]byte(someBundle), ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize)))
	if err != nil {
		t.Fatal(err)
	}
	b, err := bundle.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	return b, file
}

func home(t *testing.T) Paths {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "home")
	return pathsIn(dir, dir, dir)
}

func TestAnAcceptedBundleIsKeptForItsUserAlone(t *testing.T) {
	p := home(t)
	if b, err := AcceptedBundle(p); b != nil || err != nil {
		t.Fatalf("without one: %v, %v", b, err)
	}
	b, file := signed(t, 1)
	if err := AcceptBundle(p, b, file); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{p.Bundle, p.Organisation} {
		if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", path, st, err)
		}
	}
	c := Default()
	if err := c.UseBundle(p, time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)); err != nil || c.Policy.MinContributors != 8 || c.Bundle == nil {
		t.Errorf("with it: %+v, %v", c.Policy, err)
	}
	if was, err := ForgetBundle(p); !was || err != nil {
		t.Errorf("taken back: %t, %v", was, err)
	}
	c = Default()
	if err := c.UseBundle(p, time.Now()); err != nil || c.Policy.MinContributors == 8 || c.Bundle != nil {
		t.Errorf("after that: %+v, %v", c.Policy, err)
	}
	entries, err := os.ReadDir(p.Data)
	for _, e := range entries {
		if !e.IsDir() {
			t.Errorf("%s stays behind", e.Name())
		}
	}
	if err != nil {
		t.Error(err)
	}
}

func TestABundleThatWasExchangedAfterwardsIsAnError(t *testing.T) {
	b, file := signed(t, 1)
	_, foreign := signed(t, 2)
	for what, c := range map[string]struct {
		path string
		data []byte
		says string
	}{
		"another key's":  {"bundle.toml", foreign, "is signed by the key"},
		"a changed one":  {"bundle.toml", bytes.Replace(file, []byte("= 8"), []byte("= 2"), 1), "changed after it was signed"},
		"an empty one":   {"bundle.toml", nil, "not signed"},
		"another pin":    {"organisation", []byte("00112233445566778899aabbccddeeff\n"), "was accepted"},
		"an empty pin":   {"organisation", nil, "was accepted"},
		"a gigantic one": {"bundle.toml", bytes.Repeat([]byte("#\n"), bundle.MaxSize), "at most"},
	} {
		p := home(t)
		if err := AcceptBundle(p, b, file); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(p.Data, c.path), c.data, 0o600); err != nil {
			t.Fatal(err)
		}
		conf := Default()
		err := conf.UseBundle(p, time.Now())
		if err == nil || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), "forget-bundle") {
			t.Errorf("%s: %v", what, err)
		}
	}
}
