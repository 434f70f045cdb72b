package protocol

import (
	"fmt"
	"math"
	"time"
)

// Timestamp is a moment in nanoseconds since 1970-01-01T00:00:00Z. It is an integer on the wire and RFC 3339 with
// nanoseconds in UTC in JSON.
type Timestamp int64

// At converts a time; the location is dropped. A time outside the range of a Timestamp (the years 1678 to 2261 are
// inside), such as the zero time, becomes the nearest one inside: wrapped around it would pass for another moment.
func At(t time.Time) Timestamp {
	switch {
	case t.Before(Timestamp(math.MinInt64).Time()):
		return math.MinInt64
	case t.After(Timestamp(math.MaxInt64).Time()):
		return math.MaxInt64
	}
	return Timestamp(t.UnixNano())
}

// Time returns the moment in UTC.
func (t Timestamp) Time() time.Time { return time.Unix(0, int64(t)).UTC() }

// String returns the RFC 3339 form.
func (t Timestamp) String() string { return t.Time().Format(time.RFC3339Nano) }

// MarshalText writes RFC 3339 with nanoseconds.
func (t Timestamp) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText reads RFC 3339 within the range of a 64-bit count of nanoseconds (years 1678 to 2261).
func (t *Timestamp) UnmarshalText(b []byte) error {
	v, err := time.Parse(time.RFC3339Nano, string(b))
	if err != nil {
		return fmt.Errorf("time %q is not RFC 3339, such as 2026-01-31T12:00:00Z", b)
	}
	if y := v.UTC().Year(); y < 1678 || y > 2261 {
		return fmt.Errorf("time %q is outside the years 1678 to 2261", b)
	}
	*t = At(v)
	return nil
}

// TimeRange is a span of time, start inclusive and end exclusive.
type TimeRange struct {
	Start Timestamp `cbor:"1,keyasint" json:"start"`
	End   Timestamp `cbor:"2,keyasint" json:"end"`
}

// Validate requires a start before the end, both on whole UTC hours (finer ranges would single out commands), and
// a length of at most [MaxQueryRange].
func (r TimeRange) Validate() error {
	switch {
	case r.Start >= r.End:
		return fmt.Errorf("time range starts at %s, which is not before its end %s", r.Start, r.End)
	case !onHour(r.Start) || !onHour(r.End):
		return fmt.Errorf("time range %s to %s is not on whole UTC hours", r.Start, r.End)
	case r.End.Time().Sub(r.Start.Time()) > MaxQueryRange:
		return fmt.Errorf("time range %s to %s is longer than %s", r.Start, r.End, MaxQueryRange)
	}
	return nil
}

func onHour(t Timestamp) bool { return int64(t)%int64(time.Hour) == 0 }

// Period is a summary's span, aligned to its granularity in UTC.
type Period struct {
	Start       Timestamp   `cbor:"1,keyasint" json:"start"`
	End         Timestamp   `cbor:"2,keyasint" json:"end"`
	Granularity Granularity `cbor:"3,keyasint" json:"granularity"`
}

// PeriodAt returns the period of granularity g that contains t; an unknown granularity counts as [Daily].
func PeriodAt(t time.Time, g Granularity) Period {
	t = t.UTC()
	day := time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC)
	var start, end time.Time
	switch g {
	case Hourly:
		start = day.Add(time.Duration(t.Hour()) * time.Hour)
		end = start.Add(time.Hour)
	case Weekly:
		start = day.AddDate(0, 0, -MondayIndex(t.Weekday()))
		end = start.AddDate(0, 0, 7)
	default:
		start, end, g = day, day.AddDate(0, 0, 1), Daily
	}
	return Period{Start: At(start), End: At(end), Granularity: g}
}

// MondayIndex numbers weekdays from Monday=0 to Sunday=6.
func MondayIndex(d time.Weekday) int { return (int(d) + 6) % 7 }

// Previous returns the period of the same granularity that ends where p starts.
func (p Period) Previous() Period {
	return PeriodAt(p.Start.Time().Add(-time.Nanosecond), p.Granularity)
}

// Contains reports whether t lies in the period.
func (p Period) Contains(t time.Time) bool { return At(t) >= p.Start && At(t) < p.End }

// Validate requires a known granularity and bounds that are aligned to it.
func (p Period) Validate() error {
	if err := p.Granularity.Validate(); err != nil {
		return err
	}
	// Near the ends of the range of a Timestamp there are no whole periods.
	if want := PeriodAt(p.Start.Time(), p.Granularity); want != p || !onHour(p.Start) || !onHour(p.End) {
		return fmt.Errorf("%s period %s to %s is not aligned (expected %s to %s)", p.Granularity, p.Start, p.End, want.Start, want.End)
	}
	return nil
}
