package api_test

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/caro-mesh/caro-node/api"
)

func TestTokenIsMadeOnceAndKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "api.token")
	first, err := api.TokenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if raw, err := base64.RawURLEncoding.DecodeString(first); err != nil || len(raw) != 32 {
		t.Errorf("token %q has %d bytes, %v", first, len(raw), err)
	}
	again, err := api.TokenFile(path)
	if err != nil || again != first {
		t.Errorf("second start: %q, %v, want %q", again, err, first)
	}
	other, err := api.TokenFile(filepath.Join(t.TempDir(), "api.token"))
	if err != nil || other == first {
		t.Errorf("another folder: %q, %v", other, err)
	}
	fi, err := os.Stat(path)
	if err != nil || fi.Mode() != 0o600 {
		t.Errorf("mode %s, %v", fi.Mode(), err)
	}
	if entries, err := os.ReadDir(filepath.Dir(path)); err != nil || len(entries) != 1 {
		t.Errorf("besides the token there is more: %v, %v", entries, err)
	}
}

func TestTwoStartsAtOnceShareOneToken(t *testing.T) {
	path := filepath.Join(t.TempDir(), "api.token")
	var all sync.WaitGroup
	tokens := make([]string, 16)
	for i := range tokens {
		all.Go(func() {
			var err error
			if tokens[i], err = api.TokenFile(path); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for _, tok := range tokens {
		if tok != tokens[0] {
			t.Fatalf("tokens differ: %q", tokens)
		}
	}
}

func TestUnsafeOrDamagedTokenIsRefusedAndKept(t *testing.T) {
	good := token + "\n"
	for name, c := range map[string]struct {
		content string
		mode    os.FileMode
		words   string
	}{
		"readable by the group": {good, 0o640, "read by others"},
		"readable by all":       {good, 0o604, "read by others"},
		"empty":                 {"", 0o600, "damaged"},
		"cut":                   {good[:20], 0o600, "damaged"},
		"not base64":            {strings.Repeat("!", 43), 0o600, "damaged"},
		"two":                   {good + good, 0o600, "damaged"},
	} {
		path := filepath.Join(t.TempDir(), "api.token")
		if err := os.WriteFile(path, []byte(c.content), c.mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, c.mode); err != nil {
			t.Fatal(err)
		}
		if _, err := api.TokenFile(path); err == nil || !strings.Contains(err.Error(), c.words) || !strings.Contains(err.Error(), "delete it") || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", name, err)
		}
		if b, err := os.ReadFile(path); string(b) != c.content {
			t.Errorf("%s: the file was changed to %q, %v", name, b, err)
		}
	}
	if _, err := api.TokenFile(t.TempDir()); err == nil {
		t.Error("a folder was taken for a token")
	}
}

func TestPageURLKeepsTheTokenOutOfRequests(t *testing.T) {
	if u := api.PageURL("127.0.0.1:9237", "abc"); u != "http://127.0.0.1:9237/#token=abc" {
		t.Error(u)
	}
}
