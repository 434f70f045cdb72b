package export

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// ErrForeign means that the file holds something else than this export; nothing is overwritten.
var ErrForeign = errors.New("the file holds something else than this export; move it away, and the export goes on in a new one")

// File is a file to which lines are appended. It may be moved away or truncated at any time, as log rotation does; what
// comes next goes into a new one.
func File(path string) (Target, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("export to a file: %w", err)
	}
	return fileTarget(abs), nil
}

type fileTarget string

func (t fileTarget) name() string { return string(t) }

func (t fileTarget) open(offset int64) sink { return &fileSink{path: string(t), offset: offset} }

// fileSink appends lines and keeps to what was written before.
type fileSink struct {
	path   string
	f      *os.File // nil: not open yet
	offset int64    // where the delivered lines end
}

func (*fileSink) message() bool { return false }

// put appends the lines. What stands behind the delivered ones already, because a process was killed before it could
// acknowledge them, must be the beginning of the same lines and is not written again.
func (s *fileSink) put(_ context.Context, lines [][]byte) error {
	if err := s.reopen(); err != nil {
		return fmt.Errorf("export to a file: %w", err)
	}
	info, err := s.f.Stat()
	if err != nil {
		return fmt.Errorf("export to a file: %w", err)
	}
	s.offset = min(s.offset, info.Size()) // it was truncated
	data := append(bytes.Join(lines, []byte("\n")), '\n')
	there := min(info.Size()-s.offset, int64(len(data)))
	if err := s.compare(data[:there]); err != nil {
		return err
	}
	if rest := data[there:]; len(rest) > 0 {
		if _, err := s.f.Write(rest); err != nil {
			return fmt.Errorf("export to a file: %w", err)
		}
		if err := s.f.Sync(); err != nil {
			return fmt.Errorf("export to a file: %w", err)
		}
	}
	s.offset += int64(len(data))
	return nil
}

// compare checks that want stands at the offset.
func (s *fileSink) compare(want []byte) error {
	have := make([]byte, len(want))
	if _, err := s.f.ReadAt(have, s.offset); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("export to a file: %w", err)
	}
	if !bytes.Equal(have, want) {
		return fmt.Errorf("%w (%s, from byte %d on)", ErrForeign, s.path, s.offset)
	}
	return nil
}

// reopen makes sure that the open file is the one that has the name.
func (s *fileSink) reopen() error {
	if s.f != nil {
		named, err := os.Stat(s.path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		open, openErr := s.f.Stat()
		if openErr != nil {
			return openErr
		}
		if err == nil && os.SameFile(named, open) {
			return nil
		}
		if err := s.f.Close(); err != nil {
			return err
		}
		s.f, s.offset = nil, 0
	}
	f, err := os.OpenFile(s.path, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	s.f = f
	return syncFolder(filepath.Dir(s.path))
}

func (s *fileSink) position() int64 { return s.offset }

// settled is true at once: put returns when the lines are on the disk.
func (*fileSink) settled() (bool, error) { return true, nil }

func (s *fileSink) close() error {
	if s.f == nil {
		return nil
	}
	f := s.f
	s.f = nil
	return f.Close()
}

// Stream is a writer to which lines are written, such as standard output. What was written counts as delivered.
func Stream(w io.Writer) Target { return streamTarget{w} }

type streamTarget struct{ w io.Writer }

func (streamTarget) name() string           { return "-" }
func (t streamTarget) open(int64) sink      { return t }
func (streamTarget) message() bool          { return false }
func (streamTarget) position() int64        { return 0 }
func (streamTarget) settled() (bool, error) { return true, nil }
func (streamTarget) close() error           { return nil }
func (t streamTarget) put(_ context.Context, lines [][]byte) error {
	_, err := t.w.Write(append(bytes.Join(lines, []byte("\n")), '\n'))
	return err
}
