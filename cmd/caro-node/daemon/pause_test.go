package daemon

import (
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

func marker(t *testing.T) string { return filepath.Join(t.TempDir(), "paused") }

func isPaused(t *testing.T, path string) bool {
	t.Helper()
	p, err := ReadPause(path)
	if err != nil {
		t.Fatal(err)
	}
	_, err = os.Stat(path)
	if p.On != (err == nil) {
		t.Errorf("paused is %v, but the hooks see %v", p.On, err)
	}
	return p.On
}

func TestAPauseLastsAsLongAsItsMarkerSays(t *testing.T) {
	path := marker(t)
	if isPaused(t, path) {
		t.Error("paused without a marker")
	}
	now := time.Now().Truncate(time.Second)
	for name, c := range map[string]struct {
		set  func() error
		left bool // after now
	}{
		"without an end":     {func() error { return SetPause(path, time.Time{}) }, true},
		"until later":        {func() error { return SetPause(path, now.Add(time.Second)) }, true},
		"until now":          {func() error { return SetPause(path, now) }, false},
		"over long ago":      {func() error { return SetPause(path, now.AddDate(-1, 0, 0)) }, false},
		"made by touch":      {func() error { return os.WriteFile(path, nil, 0o600) }, true},
		"made by hand":       {func() error { return os.WriteFile(path, []byte("lunch\n"), 0o600) }, true},
		"made by hand, over": {func() error { return os.WriteFile(path, []byte(" 2020-01-01T00:00:00+02:00 \n"), 0o600) }, false},
	} {
		if err := c.set(); err != nil || !isPaused(t, path) {
			t.Fatalf("%s: not paused, %v", name, err)
		}
		next, err := endPauseIfOver(path, now, quiet)
		if err != nil || next <= 0 || next > lookForPause {
			t.Errorf("%s: look again in %s, %v", name, next, err)
		}
		if got := isPaused(t, path); got != c.left {
			t.Errorf("%s: paused is %v afterwards", name, got)
		}
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) > 1 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

func TestAPauseEndsOnTime(t *testing.T) {
	path := marker(t)
	now := time.Now().Truncate(time.Second)
	if err := SetPause(path, now.Add(2*time.Second)); err != nil {
		t.Fatal(err)
	}
	next, err := endPauseIfOver(path, now.Add(500*time.Millisecond), quiet)
	if err != nil || next != 1500*time.Millisecond {
		t.Errorf("look again in %s, %v", next, err)
	}
}

func TestTheDaemonEndsAPauseAndStopsLookingWithItsContext(t *testing.T) {
	path := marker(t)
	if err := SetPause(path, time.Now().Add(-time.Minute)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- endPauses(ctx, path, quiet) }()
	deadline := time.NewTimer(10 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for isThere(path) {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatal("the marker is still there after ten seconds")
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func isThere(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func TestResumingTellsWhatWasPaused(t *testing.T) {
	path := marker(t)
	if p, err := EndPause(path); err != nil || p.On {
		t.Errorf("%+v, %v", p, err)
	}
	until := time.Now().Add(time.Hour).Truncate(time.Second)
	if err := SetPause(path, until); err != nil {
		t.Fatal(err)
	}
	if p, err := EndPause(path); err != nil || !p.On || !p.Until.Equal(until) || isThere(path) {
		t.Errorf("%+v, %v", p, err)
	}
}

func TestAPauseIsSaidWithTheWayOut(t *testing.T) {
	far, near := time.Now().Add(72*time.Hour), time.Now().Add(time.Hour)
	for want, p := range map[string]Pause{
		"commands are recorded":                                    {},
		`all shells; go on with "caro-node resume"`:                {On: true},
		"until " + near.Local().Format("15:04") + "; go on sooner": {On: true, Until: near},
		"until " + far.Local().Format("2006-01-02 15:04") + ";":    {On: true, Until: far},
	} {
		if !strings.Contains(p.String(), want) {
			t.Errorf("%+v is said as %q", p, p)
		}
	}
}
