package api

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/caro-mesh/caro-node/protocol"
)

func TestSpansAndTimesAreRead(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 30, 15, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"90m": now.Add(-90 * time.Minute), "12h": now.Add(-12 * time.Hour), "7d": now.AddDate(0, 0, -7), "2w": now.AddDate(0, 0, -14), "1d12h": now.Add(-36 * time.Hour),
		"30s": now.Add(-30 * time.Second), "0s": now, "2026-11-01T00:00:00Z": time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC),
		"2026-11-01T00:00:00.5+02:00": time.Date(2026, 10, 31, 22, 0, 0, 5e8, time.UTC),
	} {
		if got, err := ParseMoment(text, now); err != nil || !got.Equal(want) {
			t.Errorf("%q is %s, %v, want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"", "7", "d", "7x", "-7d", "7d ", "7 d", "1.5h", "99999999999999999999d", "4000000000d", "101y", "36601d", "yesterday", "2026-11-01", "0001-01-01T00:00:00Z", "9999-01-01T00:00:00Z", "7dd"} {
		if got, err := ParseMoment(text, now); err == nil {
			t.Errorf("%q was read as %s", text, got)
		}
	}
}

func TestAcceptedMomentsFitTimestamps(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 30, 15, 0, time.UTC)
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.StringMatching(`([0-9]{1,12}[smhdwx]){1,4}`), rapid.StringMatching(`[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:00:00Z`), rapid.String()).Draw(t, "text")
		if got, err := ParseMoment(text, now); err == nil && !protocol.At(got).Time().Equal(got) {
			t.Fatalf("%q became %s, which does not survive the wire", text, got)
		}
	})
}

func TestWholeHoursContainTheRangeAndAreValid(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 30, 15, 0, time.UTC)
	rapid.Check(t, func(t *rapid.T) {
		end := now.Add(time.Duration(rapid.Int64Range(0, int64(48*time.Hour)).Draw(t, "end")))
		span := time.Duration(rapid.Int64Range(1, int64(protocol.MaxQueryRange)).Draw(t, "span"))
		r := wholeHours(end.Add(-span), end)
		if err := r.Validate(); err != nil {
			t.Fatal(err)
		}
		if r.End.Time().Before(end) {
			t.Fatalf("%s ends before %s", r.End, end)
		}
		if span < protocol.MaxQueryRange-2*time.Hour && r.Start.Time().After(end.Add(-span)) {
			t.Fatalf("%s starts after %s", r.Start, end.Add(-span))
		}
	})
}
