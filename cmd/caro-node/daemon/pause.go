package daemon

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Pause tells whether recording is paused in all shells. The hooks look only whether the marker file exists; what is in
// it is for the daemon, which removes it when the time is over.
type Pause struct {
	On    bool
	Until time.Time // zero: until somebody resumes
}

// String says it to a person, with the way out.
func (p Pause) String() string {
	switch {
	case !p.On:
		return "commands are recorded"
	case p.Until.IsZero():
		return `recording is paused in all shells; go on with "caro-node resume"`
	}
	at := p.Until.Local().Format("15:04")
	if time.Until(p.Until) > 20*time.Hour {
		at = p.Until.Local().Format("2006-01-02 15:04")
	}
	return fmt.Sprintf(`recording is paused in all shells until %s; go on sooner with "caro-node resume"`, at)
}

// ReadPause reads the marker file. Content that is not a time, such as that of a file made with touch, is a pause without
// an end.
func ReadPause(path string) (Pause, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Pause{}, nil
	}
	if err != nil {
		return Pause{On: true}, fmt.Errorf("find out until when recording is paused: %w", err)
	}
	until, err := time.Parse(time.RFC3339, strings.TrimSpace(string(b)))
	if err != nil {
		return Pause{On: true}, nil //nolint:nilerr // see above
	}
	return Pause{On: true, Until: until}, nil
}

// SetPause writes the marker file, in place of an earlier one. The zero time has no end.
func SetPause(path string, until time.Time) (err error) {
	text := ""
	if !until.IsZero() {
		text = until.UTC().Format(time.RFC3339) + "\n"
	}
	// Written aside and renamed, so that nobody reads half a time as a pause without an end.
	f, err := os.CreateTemp(filepath.Dir(path), ".paused-*")
	if err != nil {
		return fmt.Errorf("pause recording: %w", err)
	}
	_, err = f.WriteString(text)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("pause recording: %w", errors.Join(err, os.Remove(f.Name())))
	}
	return nil
}

// EndPause removes the marker file and tells what it said.
func EndPause(path string) (Pause, error) {
	p, err := ReadPause(path)
	if removal := os.Remove(path); removal != nil && !errors.Is(removal, fs.ErrNotExist) {
		return p, fmt.Errorf("resume recording: %w", removal)
	}
	if err != nil { // it could not be read, and is gone now
		p = Pause{On: true}
	}
	return p, nil
}

// lookForPause is how often the marker file is looked at. It bounds how late a pause ends whose end lies nearer than that
// when it begins, and after the machine slept; others end on time.
const lookForPause = 5 * time.Second

// endPauses removes the marker file when its time is over, until ctx ends. It returns nil.
func endPauses(ctx context.Context, path string, logger *slog.Logger) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	failed := false
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
		next, err := endPauseIfOver(path, time.Now(), logger)
		if err != nil && !failed {
			logger.Error("a pause of recording cannot be ended; commands are not recorded until this works", "error", err)
		}
		failed = err != nil
		timer.Reset(next)
	}
}

// endPauseIfOver returns when to look again.
func endPauseIfOver(path string, now time.Time, logger *slog.Logger) (time.Duration, error) {
	p, err := ReadPause(path)
	if err != nil || p.Until.IsZero() {
		return lookForPause, err
	}
	if left := p.Until.Sub(now); left > 0 {
		return min(left, lookForPause), nil
	}
	// Somebody may have begun a new pause since the file was read, so it is looked at once more out of everybody's way.
	aside := path + ".over"
	if err := os.Rename(path, aside); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		return lookForPause, err
	}
	p, err = ReadPause(aside)
	if err == nil && (p.Until.IsZero() || p.Until.After(now)) {
		return lookForPause, os.Rename(aside, path)
	}
	logger.Info("the pause is over, commands are recorded again")
	return lookForPause, errors.Join(err, os.Remove(aside))
}
