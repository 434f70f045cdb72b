package event

import (
	"fmt"
	"time"
)

// The first and the last moment that an event may have. Whoever reads events checks with [CheckTime] what it was told:
// what the store would refuse must not be accepted before it. The range is what a person can have lived through, so that
// a wrong unit is noticed; the store could hold the years 1686 to 2254.
var (
	MinTime = time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC)
	MaxTime = time.Date(2200, 12, 31, 23, 59, 59, 999_999_999, time.UTC)
)

// CheckTime returns an error for a time outside [MinTime] and [MaxTime].
func CheckTime(t time.Time) error {
	if t.Before(MinTime) || t.After(MaxTime) {
		return fmt.Errorf("the time %s is out of range (the years %d to %d)", t.UTC().Format(time.RFC3339), MinTime.Year(), MaxTime.Year())
	}
	return nil
}
