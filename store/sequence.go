package store

import (
	"context"
	"fmt"
	"math"
)

// ReserveSequence returns the first of n numbers that were never handed out and never will be again, not after a crash
// or a power failure either. They are above the current time in microseconds, so that even a node whose database was
// lost, or replaced by an older one, goes on above what its peers have seen.
func (s *Store) ReserveSequence(ctx context.Context, n uint64) (first uint64, err error) {
	const doing = "reserve sequence numbers"
	if n == 0 || n > math.MaxInt32 {
		return 0, fmt.Errorf("%s: %d at once", doing, n)
	}
	err = s.writeDurably(ctx, doing, func(t *tx) error {
		return t.get(`UPDATE sequence SET next = max(next, ?) + ? RETURNING next - ?`,
			[]any{max(1, s.now().UnixMicro()), int64(n), int64(n)}, &first)
	})
	if err != nil {
		return 0, err
	}
	return first, nil
}
