package store

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/caro-mesh/caro-node/protocol"
)

// EventFilter chooses events; all conditions must hold, and the zero value of each chooses all.
type EventFilter struct {
	// Search holds words, separated by white space, that the command contains in any order and any case; a word may be
	// any part of the command.
	Search string
	// CWD is a folder; commands that were typed in it or below it are chosen.
	CWD      string
	Since    time.Time // inclusive; like Until to the microsecond
	Until    time.Time // exclusive
	MinRisk  protocol.RiskLevel
	Category protocol.CommandCategory
	Failed   *bool // true: exit code known and not 0; false: all others
	ExitCode *int  // exit code known, and this one
	// Limit is the number of events of a page, 1 to MaxEvents; 0 means DefaultEvents.
	Limit int
	// Cursor is what the page before returned; empty for the first.
	Cursor string
}

// Page sizes of [Store.Events].
const (
	DefaultEvents = 100
	MaxEvents     = 10_000
)

func (f *EventFilter) limit() int {
	if f.Limit <= 0 {
		return DefaultEvents
	}
	return min(f.Limit, MaxEvents)
}

// traits are what of an event, besides its command, a search may ask for.
type traits struct {
	key, folder, category int64
	risk                  protocol.RiskLevel
	failed                bool
	exit                  sql.NullInt64 // not valid: unknown, or read from a segment, which holds its mark alone
	mark                  byte          // of the exit code, see markOf
}

// markOf tells most exit codes apart in five bits, which is what a segment has room for; 0 for success and unknown.
func markOf(exit sql.NullInt64) byte {
	if !exit.Valid || exit.Int64 == 0 {
		return 0
	}
	return byte(1 + uint64(exit.Int64)%31)
}

// matcher is an EventFilter with names resolved to numbers.
type matcher struct {
	low, high int64 // range of keys, low inclusive, high exclusive
	words     [][]byte
	folders   idSet // nil: all
	category  int64 // 0: all
	minRisk   protocol.RiskLevel
	failed    *bool
	exit      *int // implies failed
	mark      byte // of exit
}

// newMatcher returns ok false when nothing can match.
func newMatcher(ctx context.Context, r *sql.Tx, f *EventFilter) (m matcher, ok bool, err error) {
	m = matcher{low: noKey + 1, high: math.MaxInt64, words: searchWords(f.Search), minRisk: f.MinRisk, failed: f.Failed, exit: f.ExitCode}
	if f.ExitCode != nil {
		failed := *f.ExitCode != 0
		if f.Failed != nil && *f.Failed != failed {
			return m, false, nil
		}
		m.failed, m.mark = &failed, markOf(sql.NullInt64{Int64: int64(*f.ExitCode), Valid: true})
	}
	if !f.Since.IsZero() {
		m.low = firstKey(f.Since)
	}
	if !f.Until.IsZero() {
		m.high = firstKey(f.Until)
	}
	if f.Cursor != "" {
		last, err := parseCursor(f.Cursor)
		if err != nil {
			return m, false, err
		}
		m.high = min(m.high, last)
	}
	if f.Category != "" {
		err := r.QueryRowContext(ctx, `SELECT id FROM category WHERE name = ?`, string(f.Category)).Scan(&m.category)
		if errors.Is(err, sql.ErrNoRows) {
			return m, false, nil
		}
		if err != nil {
			return m, false, err
		}
	}
	if f.CWD != "" {
		if m.folders, err = foldersBelow(ctx, r, f.CWD); err != nil || len(m.folders) == 0 {
			return m, false, err
		}
	}
	return m, m.low < m.high, nil
}

func foldersBelow(ctx context.Context, r *sql.Tx, dir string) (ids idSet, err error) {
	if dir != "/" {
		dir = strings.TrimRight(dir, "/")
	}
	below := strings.TrimRight(dir, "/") + "/"
	end := below[:len(below)-1] + "0" // the byte after the slash
	err = eachRow(ctx, r, `SELECT id FROM folder WHERE path = ? UNION SELECT id FROM folder WHERE path >= ? AND path < ?`,
		[]any{dir, below, end}, func(rows *sql.Rows) error {
			var id int64
			err := rows.Scan(&id)
			ids.add(id)
			return err
		})
	return ids, err
}

// idSet is a set of small numbers.
type idSet []uint64

func (s *idSet) add(id int64) {
	for int(id/64) >= len(*s) {
		*s = append(*s, 0)
	}
	(*s)[id/64] |= 1 << (id % 64)
}

func (s idSet) has(id int64) bool {
	return id >= 0 && int(id/64) < len(s) && s[id/64]&(1<<(id%64)) != 0
}

// onlyTime reports that the range of keys is the only condition.
func (m *matcher) onlyTime() bool { return len(m.words) == 0 && !m.hasTraits() }

// hasTraits reports conditions besides words and time.
func (m *matcher) hasTraits() bool {
	return m.folders != nil || m.category != 0 || m.minRisk != 0 || m.failed != nil
}

func (m *matcher) matches(t *traits) bool {
	return t.key >= m.low && t.key < m.high && t.risk >= m.minRisk &&
		(m.category == 0 || t.category == m.category) &&
		(m.failed == nil || t.failed == *m.failed) &&
		(m.mark == 0 || t.mark == 0 || t.mark == m.mark) &&
		(m.folders == nil || m.folders.has(t.folder))
}

// exited reports whether the exit code is the one that is asked for, if any.
func (m *matcher) exited(code sql.NullInt64) bool {
	return m.exit == nil || code.Valid && code.Int64 == int64(*m.exit)
}

// contains reports whether the folded command contains every word from the given one on.
func (m *matcher) contains(command []byte, from int) bool {
	for _, w := range m.words[min(from, len(m.words)):] {
		if !bytes.Contains(command, w) {
			return false
		}
	}
	return true
}

// A cursor is the key of the last event of a page.
func cursorOf(key int64) string { return strconv.FormatInt(key, 36) }

func parseCursor(s string) (int64, error) {
	key, err := strconv.ParseInt(s, 36, 64)
	if err != nil {
		return 0, fmt.Errorf("%w: %q", ErrCursor, s)
	}
	return key, nil
}
