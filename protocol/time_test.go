package protocol

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // the test must not depend on the machine

	"pgregory.net/rapid"
)

// drawTime returns a moment between 1700 and 2200, in some zone.
func drawTime(t *rapid.T, label string) time.Time {
	const century = 100 * 365 * 24 * 3600
	zone := time.FixedZone("", rapid.IntRange(-14*3600, 14*3600).Draw(t, label+" zone"))
	return time.Unix(rapid.Int64Range(-2*century, 2*century).Draw(t, label), rapid.Int64Range(0, 999_999_999).Draw(t, label+" ns")).In(zone)
}

func TestTimestampKeepsEveryNanosecondInUTC(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		moment := drawTime(t, "time")
		ts := At(moment)
		if !ts.Time().Equal(moment) || ts.Time().Location() != time.UTC {
			t.Fatalf("%s became %s", moment, ts.Time())
		}
		var back Timestamp
		if err := json.Unmarshal(must(json.Marshal(ts)), &back); err != nil || back != ts {
			t.Fatalf("%s came back as %s from JSON: %v", ts, back, err)
		}
	})
	if got, want := At(fixedNow.In(time.FixedZone("", 3600))).String(), "2026-11-23T12:34:56.789012345Z"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestTimeOutsideTheRangeBecomesTheNearestInside(t *testing.T) {
	for in, want := range map[time.Time]Timestamp{
		{}: math.MinInt64,
		time.Date(1600, 1, 1, 0, 0, 0, 0, time.UTC):   math.MinInt64,
		time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC): math.MaxInt64,
		time.Unix(0, math.MaxInt64):                   math.MaxInt64,
		time.Unix(0, math.MinInt64):                   math.MinInt64,
		time.Unix(0, math.MaxInt64-1):                 math.MaxInt64 - 1,
	} {
		if got := At(in); got != want {
			t.Errorf("%s became %d, not %d", in, got, want)
		}
	}
}

func TestTimestampTextOutsideTheRangeIsRefused(t *testing.T) {
	for _, bad := range []string{"", "yesterday", "2026-11-23", "2026-11-23 12:00:00Z", "1677-12-31T23:59:59Z", "2262-01-01T00:00:00Z", "0001-01-01T00:00:00Z"} {
		ts := Timestamp(7)
		if err := ts.UnmarshalText([]byte(bad)); err == nil || ts != 7 {
			t.Errorf("%q became %s, %v", bad, ts, err)
		}
	}
	for _, good := range []string{"1678-01-01T00:00:00Z", "2261-12-31T23:59:59.999999999Z", "2026-11-23T13:00:00+01:00"} {
		var ts Timestamp
		if err := ts.UnmarshalText([]byte(good)); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
}

func drawGranularity(t *rapid.T) Granularity {
	return rapid.SampledFrom([]Granularity{Hourly, Daily, Weekly}).Draw(t, "granularity")
}

func TestPeriodsAreAlignedAndTileTime(t *testing.T) {
	length := map[Granularity]time.Duration{Hourly: time.Hour, Daily: 24 * time.Hour, Weekly: 7 * 24 * time.Hour}
	rapid.Check(t, func(t *rapid.T) {
		moment, g := drawTime(t, "time"), drawGranularity(t)
		p := PeriodAt(moment, g)
		if err := p.Validate(); err != nil {
			t.Fatal(err)
		}
		start, end := p.Start.Time(), p.End.Time()
		if !p.Contains(moment) || p.Granularity != g || end.Sub(start) != length[g] {
			t.Fatalf("%s period %s to %s around %s", g, start, end, moment)
		}
		if !p.Contains(start) || p.Contains(end) || !p.Contains(end.Add(-1)) || p.Contains(start.Add(-1)) {
			t.Fatalf("period %s to %s is not start inclusive, end exclusive", start, end)
		}
		if start.Minute() != 0 || start.Second() != 0 || start.Nanosecond() != 0 || (g != Hourly && start.Hour() != 0) || (g == Weekly && start.Weekday() != time.Monday) {
			t.Fatalf("%s period starts at %s, a %s", g, start, start.Weekday())
		}
		before := p.Previous()
		if before.End != p.Start || before.Granularity != g || before.Validate() != nil {
			t.Fatalf("before %+v comes %+v", p, before)
		}
		if next := PeriodAt(end, g); next.Previous() != p {
			t.Fatalf("after %+v comes %+v", p, next)
		}
	})
}

func TestPeriodThatIsNotAlignedIsRefused(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := PeriodAt(drawTime(t, "time"), drawGranularity(t))
		shift := rapid.SampledFrom([]time.Duration{1, -1, time.Second, time.Minute, 30 * time.Minute, -30 * time.Minute}).Draw(t, "shift")
		for _, bad := range []Period{
			{Start: p.Start + Timestamp(shift), End: p.End, Granularity: p.Granularity},
			{Start: p.Start, End: p.End + Timestamp(shift), Granularity: p.Granularity},
			{Start: p.Start + Timestamp(shift), End: p.End + Timestamp(shift), Granularity: p.Granularity},
			{Start: p.End, End: p.Start, Granularity: p.Granularity},
			{Start: p.Start, End: p.End, Granularity: "monthly"},
		} {
			if bad.Validate() == nil {
				t.Fatalf("%+v is accepted", bad)
			}
		}
	})
	tuesday := time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)
	if (Period{Start: At(tuesday), End: At(tuesday.AddDate(0, 0, 7)), Granularity: Weekly}).Validate() == nil {
		t.Error("a week that starts on a Tuesday is accepted")
	}
}

func TestNoPeriodReachesBeyondTheRangeOfTimestamps(t *testing.T) {
	for _, at := range []Timestamp{math.MinInt64, math.MaxInt64} {
		for _, g := range []Granularity{Hourly, Daily, Weekly} {
			if p := PeriodAt(at.Time(), g); p.Validate() == nil {
				t.Errorf("%s period %s to %s is accepted", g, p.Start, p.End)
			}
		}
	}
}

func TestDaylightSavingDoesNotMoveAPeriod(t *testing.T) {
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	// 2:30 exists twice in this night, an hour apart in UTC.
	night := time.Date(2026, 10, 25, 0, 30, 0, 0, time.UTC).In(zone)
	first, second := PeriodAt(night, Hourly), PeriodAt(night.Add(time.Hour), Hourly)
	if night.Hour() != night.Add(time.Hour).Hour() || second.Previous() != first {
		t.Errorf("hours %v and %v", first, second)
	}
	if d := PeriodAt(night, Daily); d.End.Time().Sub(d.Start.Time()) != 24*time.Hour || d.Start.String() != "2026-10-25T00:00:00Z" {
		t.Errorf("day %v", d)
	}
}

func TestWeekdaysAreNumberedFromMonday(t *testing.T) {
	for d, want := range map[time.Weekday]int{time.Monday: 0, time.Tuesday: 1, time.Wednesday: 2, time.Thursday: 3, time.Friday: 4, time.Saturday: 5, time.Sunday: 6} {
		if got := MondayIndex(d); got != want {
			t.Errorf("%s is %d, not %d", d, got, want)
		}
	}
}

func TestTimeRangeHasWholeHoursInOrderAndALimit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		start := drawTime(t, "start").Truncate(time.Hour)
		hours := rapid.Int64Range(1, int64(MaxQueryRange/time.Hour)).Draw(t, "hours")
		good := TimeRange{Start: At(start), End: At(start.Add(time.Duration(hours) * time.Hour))}
		if err := good.Validate(); err != nil {
			t.Fatal(err)
		}
		off := Timestamp(rapid.Int64Range(1, int64(time.Hour)-1).Draw(t, "off"))
		for what, bad := range map[string]TimeRange{
			"not before":   {Start: good.End, End: good.Start},
			"not on whole": {Start: good.Start + off, End: good.End + Timestamp(time.Hour)},
			"whole UTC":    {Start: good.Start, End: good.End + off},
		} {
			if err := bad.Validate(); err == nil || !strings.Contains(err.Error(), what) {
				t.Fatalf("%s: %+v gives %v", what, bad, err)
			}
		}
	})
	start := At(fixedNow.Truncate(time.Hour))
	longest := TimeRange{Start: start, End: start + Timestamp(MaxQueryRange)}
	if err := longest.Validate(); err != nil {
		t.Errorf("exactly MaxQueryRange: %v", err)
	}
	longest.End += Timestamp(time.Hour)
	if longest.Validate() == nil {
		t.Error("an hour more than MaxQueryRange is accepted")
	}
	if (TimeRange{Start: start, End: start}).Validate() == nil {
		t.Error("an empty range is accepted")
	}
	extreme := TimeRange{Start: math.MinInt64 / Timestamp(time.Hour) * Timestamp(time.Hour), End: math.MaxInt64 / Timestamp(time.Hour) * Timestamp(time.Hour)}
	if extreme.Validate() == nil {
		t.Error("a range whose length overflows is accepted")
	}
}
