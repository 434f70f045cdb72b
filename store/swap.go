package store

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// A new file takes the place of a database in steps, each of which a crash may interrupt: it is written under the name
// making, is complete once it is renamed to made, and from then on every start finishes the exchange. Until then the old
// one is untouched. What was there before gets a second name first, so that it is never without one.

func makingPath(path string) string { return path + ".making" }
func madePath(path string) string   { return path + ".made" }

const nameTime = "20060102T150405Z" // in the names of files that are kept

// freeName returns base, or base with a number, under which there is no file yet.
func freeName(base string) (string, error) {
	for n := 1; ; n++ {
		name := base
		if n > 1 {
			name = fmt.Sprintf("%s-%d", base, n)
		}
		if _, err := os.Lstat(name); errors.Is(err, fs.ErrNotExist) {
			return name, nil
		} else if err != nil {
			return "", err
		}
	}
}

// keepAside gives the database and its log a second name, which ends with word and the time, and returns the first one's.
func keepAside(path, word string, at time.Time) (kept string, err error) {
	base := fmt.Sprintf("%s.%s-%s", path, word, at.UTC().Format(nameTime))
	for n := 1; ; n++ {
		kept = base
		if n > 1 {
			kept = fmt.Sprintf("%s-%d", base, n)
		}
		err := secondName(path, kept)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return "", err
		}
		break
	}
	if err := secondName(path+"-wal", kept+"-wal"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	return kept, syncFolder(path)
}

// secondName links, or copies where the file system knows no links.
func secondName(from, to string) error {
	if err := os.Link(from, to); err == nil || errors.Is(err, fs.ErrExist) || errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return copyNew(from, to)
}

// copyNew copies into a file that must not exist, and makes it durable.
func copyNew(from, to string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	if err = errors.Join(err, out.Sync(), out.Close()); err != nil {
		err = errors.Join(err, os.Remove(to))
	}
	return err
}

// exchange puts the finished file at makingPath in the place of the database.
func exchange(path string) error {
	if err := syncFile(makingPath(path)); err != nil {
		return err
	}
	if err := os.Rename(makingPath(path), madePath(path)); err != nil {
		return err
	}
	if err := syncFolder(path); err != nil {
		return err
	}
	return finishExchange(path)
}

// finishExchange takes the last steps of an exchange that has begun, if there is one.
func finishExchange(path string) error {
	if err := removeIfThere(makingPath(path), makingPath(path)+"-wal", makingPath(path)+"-shm"); err != nil {
		return err
	}
	if _, err := os.Stat(madePath(path)); errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	// The old log must not be taken for the new file's.
	if err := removeIfThere(path+"-wal", path+"-shm", markerPath(path), madePath(path)+"-wal", madePath(path)+"-shm"); err != nil {
		return err
	}
	if err := syncFolder(path); err != nil {
		return err
	}
	if err := os.Rename(madePath(path), path); err != nil {
		return err
	}
	return syncFolder(path)
}

func removeIfThere(names ...string) error {
	for _, name := range names {
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

func syncFile(name string) error {
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

func syncFolder(path string) error {
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
