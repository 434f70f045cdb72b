package store

import (
	"context"
	"errors"
	"io/fs"
	"os"
)

// Sizes tells how much is stored.
type Sizes struct {
	SchemaVersion int
	DatabaseBytes int64 // of the database after its last transaction; a part may be in the log alone as yet
	FreeBytes     int64 // of these, in pages that removed rows have left and that are used again
	WALBytes      int64 // of the write-ahead log beside it
	Events        int64
	Summaries     int64 // own and received
	AuditEntries  int64
}

// Sizes returns how much is stored.
func (s *Store) Sizes(ctx context.Context) (Sizes, error) {
	z := Sizes{SchemaVersion: int(latestVersion)}
	err := s.readers.QueryRowContext(ctx, `SELECT `+countAll+`, (SELECT count(*) FROM summary),
		(SELECT coalesce(max(sequence), 0) FROM audit), (SELECT page_count FROM pragma_page_count), (SELECT freelist_count FROM pragma_freelist_count)`).
		Scan(&z.Events, &z.Summaries, &z.AuditEntries, &z.DatabaseBytes, &z.FreeBytes)
	z.DatabaseBytes, z.FreeBytes = z.DatabaseBytes*pageSize, z.FreeBytes*pageSize
	if err == nil {
		z.WALBytes, err = fileSize(s.path + "-wal")
	}
	return z, s.explain("measure the database", err)
}

func fileSize(path string) (int64, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}
