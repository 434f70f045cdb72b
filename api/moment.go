package api

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// maxSpan keeps spans, and with them all times made of them, far from the ends of the representable range.
const maxSpan = 100 * 366 * 24 * time.Hour

var spanUnits = map[byte]time.Duration{
	's': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour, 'w': 7 * 24 * time.Hour,
}

// ParseMoment reads an RFC 3339 time, or a span back from now: numbers with the units s, m, h, d and w, such as "7d" or
// "1h30m".
func ParseMoment(text string, now time.Time) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339Nano, text); err == nil {
		if y := t.UTC().Year(); y < 1678 || y > 2261 {
			return time.Time{}, fmt.Errorf("%q is outside the years 1678 to 2261", text)
		}
		return t, nil
	}
	span, ok := parseSpan(text)
	if !ok {
		return time.Time{}, fmt.Errorf("%q is neither a span such as 90m, 12h, 7d or 2w (of at most 100 years) nor an RFC 3339 time such as 2026-01-31T12:00:00Z", text)
	}
	return now.Add(-span), nil
}

// ParseSpan reads a span of time: numbers with the units s, m, h, d and w, such as "90m" or "1d12h", at most 100 years.
func ParseSpan(text string) (time.Duration, error) {
	span, ok := parseSpan(text)
	if !ok {
		return 0, fmt.Errorf("%q is not a span such as 90m, 12h, 7d or 2w (of at most 100 years)", text)
	}
	return span, nil
}

func parseSpan(text string) (time.Duration, bool) {
	var total time.Duration
	for rest := text; rest != ""; {
		digits := strings.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' })
		if digits <= 0 {
			return 0, false
		}
		n, err := strconv.ParseInt(rest[:digits], 10, 32)
		unit, known := spanUnits[rest[digits]]
		if err != nil || !known || time.Duration(n) > maxSpan/unit {
			return 0, false
		}
		if total += time.Duration(n) * unit; total > maxSpan {
			return 0, false
		}
		rest = rest[digits+1:]
	}
	return total, text != ""
}
