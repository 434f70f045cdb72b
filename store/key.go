package store

import (
	"math"
	"time"
)

// A key is the microsecond in which an event started, times keysPerMicro, plus a number that tells the events of that
// microsecond apart in the order of their arrival. 63 bits hold the years 1685 to 2255, and with them all times that an
// event may have (event.CheckTime).
const (
	keyShift     = 10
	keysPerMicro = 1 << keyShift
	maxKeyMicro  = math.MaxInt64 >> keyShift

	// noKey is below every key.
	noKey = math.MinInt64
)

// firstKey returns the first key of t's microsecond. Times outside the range of keys get its nearest end.
func firstKey(t time.Time) int64 {
	switch { // UnixMicro overflows for years that are far away
	case t.Year() > 2255:
		return maxKeyMicro << keyShift
	case t.Year() < 1685:
		return -maxKeyMicro << keyShift
	}
	return max(-maxKeyMicro, min(maxKeyMicro, t.UnixMicro())) << keyShift
}

// nanosOf returns what key leaves of t, in nanoseconds.
func nanosOf(t time.Time, key int64) int64 {
	return int64(t.Sub(time.UnixMicro(key >> keyShift)))
}

// timeOf is the time of the event with this key and nanos.
func timeOf(key, nanos int64) time.Time {
	return time.UnixMicro(key >> keyShift).Add(time.Duration(nanos)).UTC()
}

// hourOf numbers UTC hours from 1970-01-01T00:00Z.
func hourOf(t time.Time) int64 {
	s := t.Unix()
	h := s / 3600
	if s%3600 < 0 {
		h--
	}
	return h
}

func timeOfHour(h int64) time.Time { return time.Unix(h*3600, 0).UTC() }

// hoursWithin returns the hours that start in [start, end).
func hoursWithin(start, end time.Time) (first, next int64) {
	return hourAtOrAfter(start), hourAtOrAfter(end)
}

func hourAtOrAfter(t time.Time) int64 {
	h := hourOf(t)
	if timeOfHour(h).Before(t) {
		h++
	}
	return h
}
