package store

import (
	"database/sql"
	"math"
	"time"
)

// Moments other than an event's start are stored as nanoseconds since 1970; NULL is the zero time.

func nullTime(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return nanosSince1970(t)
}

func timeOrZero(n sql.NullInt64) time.Time {
	if !n.Valid {
		return time.Time{}
	}
	return time.Unix(0, n.Int64).UTC()
}

// nanosSince1970 is exact for the years 1678 to 2261, and the nearest end of that range for all others.
func nanosSince1970(t time.Time) int64 {
	switch {
	case t.Year() < 1678:
		return math.MinInt64
	case t.Year() > 2261:
		return math.MaxInt64
	}
	return t.UnixNano()
}
