package api_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caro-mesh/caro-node/api"
)

func TestWhoReservedTheSocketKeepsDaemonsOut(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "new", "api.sock")
	release, err := api.Reserve(t.Context(), socket)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := listen(t, socket, ""); !errors.Is(err, api.ErrAlreadyRunning) || !strings.Contains(err.Error(), "importing") {
		t.Errorf("a daemon beside it: %v", err)
	}
	if _, err := api.Reserve(t.Context(), socket); !errors.Is(err, api.ErrAlreadyRunning) {
		t.Errorf("a second one beside it: %v", err)
	}
	if err := release(); err != nil {
		t.Fatal(err)
	}
	s, err := listen(t, socket, "")
	if err != nil {
		t.Fatalf("a daemon after it: %v", err)
	}
	if _, err := api.Reserve(t.Context(), socket); !errors.Is(err, api.ErrAlreadyRunning) {
		t.Errorf("beside a daemon: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if release, err = api.Reserve(t.Context(), socket); err != nil {
		t.Fatalf("after the daemon: %v", err)
	}
	if err := release(); err != nil {
		t.Error(err)
	}
}

func TestTheSocketOfAKilledDaemonDoesNotKeepFromReserving(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "api.sock")
	cmd := holder(t, socket)
	if _, err := api.Reserve(t.Context(), socket); !errors.Is(err, api.ErrAlreadyRunning) {
		t.Fatalf("beside a living daemon: %v", err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // "signal: killed"
	release, err := api.Reserve(t.Context(), socket)
	if err != nil {
		t.Fatalf("after the daemon was killed: %v", err)
	}
	if err := release(); err != nil {
		t.Error(err)
	}
}
