package store

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
)

// marker remembers how the database file was left by an orderly close. While the file is still like that, nobody has
// touched it since, and a start need not read all of it.
type marker struct {
	Size    int64 `json:"size"`
	ModTime int64 `json:"mod_time"` // ns since 1970
}

func markerPath(path string) string { return path + "-closed" }

func leaveMarker(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	b, err := json.Marshal(marker{info.Size(), info.ModTime().UnixNano()})
	if err != nil {
		return err
	}
	next := markerPath(path) + ".new"
	if err := os.WriteFile(next, b, 0o600); err != nil {
		return err
	}
	return os.Rename(next, markerPath(path))
}

func removeMarker(path string) error {
	if err := os.Remove(markerPath(path)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// condition is what can be told of a database file without reading it.
type condition struct {
	size    int64
	logSize int64
	marked  bool // it was closed in an orderly way before
	clean   bool // it is as the last orderly close left it
	live    bool // another process may be writing
	altered bool // it was closed in an orderly way, and changed since by something else than this program
}

func conditionOf(path string) (c condition, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return c, err
	}
	c.size = info.Size()
	if c.logSize, err = fileSize(path + "-wal"); err != nil {
		return c, err
	}
	b, err := os.ReadFile(markerPath(path))
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err != nil {
		return c, err
	}
	c.marked = true
	var m marker
	same := json.Unmarshal(b, &m) == nil && m == marker{info.Size(), info.ModTime().UnixNano()}
	c.clean, c.altered = same && c.logSize == 0, !same && c.logSize == 0
	return c, nil
}
