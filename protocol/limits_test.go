package protocol

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"
)

// sealedOfSize returns an envelope of bob whose encoding has exactly size bytes.
func sealedOfSize(t testing.TB, m MsgType, size int) []byte {
	t.Helper()
	seal := func(payload int) []byte {
		return must(NewSealer(bob, &counter{}, clock).Seal(m, make([]byte, payload)))
	}
	payload := size - len(seal(0))
	for payload > 0 && len(seal(payload)) > size {
		payload-- // the length of the payload takes more bytes the longer it is
	}
	data := seal(payload)
	if len(data) != size {
		t.Fatalf("no envelope has exactly %d bytes, the nearest has %d", size, len(data))
	}
	return data
}

func TestMessageSizeLimitsHoldOnBothSides(t *testing.T) {
	for m, limit := range sizes {
		t.Run(m.String(), func(t *testing.T) {
			data := sealedOfSize(t, m, limit)
			if _, err := NewOpener(clock).Open(data, MaxSize(m), bob.NodeID(), m); err != nil {
				t.Errorf("%d bytes, the limit: %v", len(data), err)
			}
			var stream bytes.Buffer
			if err := WriteFrame(&stream, data); err != nil {
				t.Fatal(err)
			}
			if got, err := ReadFrame(bytes.NewReader(stream.Bytes()), limit); err != nil || !bytes.Equal(got, data) {
				t.Errorf("frame of %d bytes, the limit: %v", len(data), err)
			}
			over := sealedOfSize(t, m, limit+1)
			if _, err := NewOpener(clock).Open(over, MaxSize(m), bob.NodeID(), m); !errors.Is(err, ErrTooLarge) {
				t.Errorf("%d bytes, one above the limit: %v", len(over), err)
			}
			stream.Reset()
			if err := WriteFrame(&stream, over); err != nil {
				t.Fatal(err)
			}
			if _, err := ReadFrame(&stream, limit); !errors.Is(err, ErrTooLarge) {
				t.Errorf("frame of %d bytes, one above the limit: %v", len(over), err)
			}
		})
	}
}

// The arithmetic beside each size limit, checked with the largest message that validates.
func TestLargestValidMessageFitsItsLimit(t *testing.T) {
	for name, m := range map[string]struct {
		build       func() ([]byte, error)
		limit, most int // most: what limits.go says such a message takes
	}{
		"identity": {func() ([]byte, error) {
			n := largestIdentity()
			return must(Encode(n)), n.Validate()
		}, MaxHello, 360},
		"rotations": {func() ([]byte, error) {
			return must(Encode(slices.Repeat([][]byte{largestRotation().Wire()}, MaxRotations))), largestRotation().Validate()
		}, MaxRotation, MaxRotations*(432+3) + 1},
		"summary":                  {func() ([]byte, error) { return SignSummary(largestSummary(), anna, fixedNow) }, MaxSummary, 103 << 10},
		"query":                    {func() ([]byte, error) { return SignQuery(largestQuery(), anna, fixedNow) }, MaxQuery, 18 << 10},
		"health status":            {func() ([]byte, error) { return SignHealth(largestHealth(), anna) }, MaxHealth, 310},
		"receipt":                  {func() ([]byte, error) { return SignReceipt(largestReceipt(), anna, fixedNow) }, MaxReceipt, 316},
		"response with tool usage": {func() ([]byte, error) { return SignResponse(largestResponse(largestToolUsage()), anna, fixedNow) }, MaxResponse, 311 << 10},
		"response with anomalies":  {func() ([]byte, error) { return SignResponse(largestResponse(largestAnomalies()), anna, fixedNow) }, MaxResponse, 311 << 10},
	} {
		t.Run(name, func(t *testing.T) {
			payload, err := m.build()
			if err != nil {
				t.Fatal(err)
			}
			data := must(NewSealer(anna, &counter{}, clock).Seal(MsgQuery, payload))
			t.Logf("%d bytes as payload, %d in its envelope; limit %d", len(payload), len(data), m.limit)
			if len(payload) > m.most {
				t.Errorf("%d bytes, limits.go says %d", len(payload), m.most)
			}
			if len(data) > m.limit {
				t.Errorf("%d bytes do not fit %d", len(data), m.limit)
			}
		})
	}
}

// longestCategories returns the n longest names that exist, sorted.
func longestCategories(n int) []CommandCategory {
	all := allCategories()
	slices.SortStableFunc(all, func(a, b CommandCategory) int { return len(b) - len(a) })
	all = all[:min(n, len(all))]
	slices.Sort(all)
	return all
}

func largestIdentity() *NodeIdentity {
	n := identityFixture()
	n.DisplayName = strings.Repeat("a", MaxDisplayName)
	n.Capabilities.CaroVersion = strings.Repeat("v", MaxVersionText)
	n.Capabilities.SupportedQueries = QueryTypes()
	n.CreatedAt = math.MinInt64
	return n
}

func largestReceipt() *QueryReceipt {
	r := receiptFixture()
	r.Timestamp = math.MinInt64
	return r
}

func largestSummary() *NodeSummary {
	s := summaryFixture()
	s.CategoryStats = nil
	cats := longestCategories(MaxCategories)
	each := uint64(MaxCount) / uint64(len(cats)) // nine bytes
	var total uint64
	for _, c := range cats {
		st := CategoryStat{Category: c, Count: each, TimedCount: each - 1, FailureCount: each - 2, DurationMSSum: MaxCount - 1}
		st.Derive()
		s.CategoryStats = append(s.CategoryStats, st)
		total += each
	}
	s.TotalCommands, s.UniquePatterns = total, total
	spread := func(into []uint64) {
		for i := range into {
			into[i] = total / uint64(len(into))
		}
		into[0] += total % uint64(len(into))
	}
	s.Period = PeriodAt(fixedNow.AddDate(0, 0, -7), Weekly) // the only one that spreads over the weekdays
	spread(s.HourlyActivity[:])
	spread(s.DailyActivity[:])
	risks := make([]uint64, 4)
	spread(risks)
	s.SafetyStats = SafetyStats{ByRisk: RiskCounts{risks[0], risks[1], risks[2], risks[3]}, BlockedCount: total, UserConfirmedRisky: total, CaroGenerated: total, CaroExecuted: total}
	return s
}

func largestQuery() *MeshQuery {
	q := queryFixture()
	q.Filters = slices.Repeat([]Filter{{Field: strings.Repeat("f", MaxFilterField), Operator: OpGreaterThan, Value: strings.Repeat("v", MaxFilterValue)}}, MaxFilters)
	return q
}

func largestHealth() *NodeHealthStatus {
	h, n := healthFixture(), uint64(MaxCount)
	h.Sequence, h.Timestamp, h.ProtocolVersion, h.CaroVersion = math.MaxUint64, math.MinInt64, math.MaxUint8, strings.Repeat("v", MaxVersionText)
	h.UptimeSeconds, h.EventCount24h, h.State = n, &n, HealthDegraded
	return h
}

func largestResponse(d *ResponseData) *MeshResponse {
	r := &MeshResponse{QueryID: queryFixture().QueryID, Responder: anna.NodeID(), Status: StatusSuccess, Reason: strings.Repeat("r", MaxReason),
		Data: d, Timestamp: At(fixedNow)}
	for i := range MaxContributors {
		r.Contributors = append(r.Contributors, Fingerprint(fmt.Sprintf("%016x", i)))
	}
	return r
}

func largestToolUsage() *ResponseData {
	u := &ToolUsage{TimeRange: rangeFixture()}
	cats := longestCategories(MaxCategories)
	each := uint64(MaxCount) / uint64(len(cats))
	for _, c := range cats {
		u.ByCategory = append(u.ByCategory, CategorySums{Category: c, Count: each, NodeCount: MaxContributors, DurationMSSum: MaxCount, TimedCount: each, FailureCount: each})
		u.TotalCommands += each
	}
	return &ResponseData{ToolUsage: u}
}

func largestAnomalies() *ResponseData {
	return &ResponseData{Anomalies: &Anomalies{Items: slices.Repeat([]Anomaly{{Type: AnomalyBaselineDeviation, Severity: 10,
		NodeFingerprint: anna.NodeID().Fingerprint(), DetectedAt: math.MinInt64, Description: strings.Repeat("d", MaxReason)}}, MaxAnomalies)}}
}

// atLimit is a boundary: the value at the limit validates, the one beyond does not.
func TestCountAndLengthLimitsHoldOnBothSides(t *testing.T) {
	text := func(n int) string { return strings.Repeat("x", n) }
	total := func(n uint64) *NodeSummary {
		s := emptySummaryFixture()
		s.Period = PeriodAt(fixedNow.AddDate(0, 0, -7), Weekly)
		s.CategoryStats = []CategoryStat{{Category: CategoryGit, Count: n}}
		s.TotalCommands, s.SafetyStats.ByRisk.Safe, s.HourlyActivity[0], s.DailyActivity[0] = n, n, n, n
		return s
	}
	for name, limit := range map[string]struct {
		limit uint64
		check func(n uint64) error
	}{
		"filters": {MaxFilters, func(n uint64) error {
			q := queryFixture()
			q.Filters = slices.Repeat(q.Filters[:1], int(n))
			return q.Validate()
		}},
		"filter field": {MaxFilterField, func(n uint64) error { return Filter{text(int(n)), OpEquals, "x"}.Validate() }},
		"filter value": {MaxFilterValue, func(n uint64) error { return Filter{"x", OpEquals, text(int(n))}.Validate() }},
		"display name": {MaxDisplayName, func(n uint64) error {
			i := identityFixture()
			i.DisplayName = text(int(n))
			return i.Validate()
		}},
		"caro version": {MaxVersionText, func(n uint64) error {
			i := identityFixture()
			i.Capabilities.CaroVersion = text(int(n))
			return i.Validate()
		}},
		"reason": {MaxReason, func(n uint64) error {
			r := responseFixtures()["access denied"]
			r.Reason = text(int(n))
			return r.Validate()
		}},
		"contributors": {MaxContributors, func(n uint64) error {
			r := largestResponse(responseFixtures()["safety posture"].Data)
			r.Contributors = append(r.Contributors, "ffffffffffffffff")[:n]
			return r.Validate()
		}},
		"anomalies": {MaxAnomalies, func(n uint64) error {
			d := largestAnomalies()
			d.Anomalies.Items = append(d.Anomalies.Items, d.Anomalies.Items[0])[:n]
			return d.Validate()
		}},
		"anomaly description": {MaxReason, func(n uint64) error {
			d := largestAnomalies()
			d.Anomalies.Items[0].Description = text(int(n))
			return d.Validate()
		}},
		"anomaly severity": {10, func(n uint64) error {
			d := largestAnomalies()
			d.Anomalies.Items[0].Severity = uint8(n)
			return d.Validate()
		}},
		"active nodes": {MaxContributors, func(n uint64) error { return (&ResponseData{Activity: &ActivitySums{ActiveNodes: n}}).Validate() }},
		"node count": {MaxContributors, func(n uint64) error {
			d := largestToolUsage()
			d.ToolUsage.ByCategory[0].NodeCount = n
			return d.Validate()
		}},
		"duration in an answer": {MaxCount, func(n uint64) error {
			d := largestToolUsage()
			d.ToolUsage.ByCategory[0].DurationMSSum = n
			return d.Validate()
		}},
		"commands in tool usage": {MaxCount, func(n uint64) error {
			return (&ResponseData{ToolUsage: &ToolUsage{TotalCommands: n, TimeRange: rangeFixture(),
				ByCategory: []CategorySums{{Category: CategoryGit, Count: n - 1, NodeCount: 1}, {Category: CategoryNPM, Count: 1, NodeCount: 1}}}}).Validate()
		}},
		"commands in safety posture": {MaxCount, func(n uint64) error { return (&ResponseData{Safety: &SafetySums{TotalCommands: n}}).Validate() }},
		"activity": {MaxCount, func(n uint64) error {
			a := &ActivitySums{ActiveNodes: 1}
			a.Hourly[0], a.Daily[0] = n, n
			return (&ResponseData{Activity: a}).Validate()
		}},
		"uptime": {MaxCount, func(n uint64) error {
			return (&ResponseData{Health: &NodeHealth{Fingerprint: anna.NodeID().Fingerprint(), UptimeSeconds: n}}).Validate()
		}},
		"events in a day": {MaxCount, func(n uint64) error {
			return (&ResponseData{Health: &NodeHealth{Fingerprint: anna.NodeID().Fingerprint(), EventCount24h: n}}).Validate()
		}},
		"uptime in a health status": {MaxCount, func(n uint64) error {
			h := healthFixture()
			h.UptimeSeconds = n
			return h.Validate()
		}},
		"events in a health status": {MaxCount, func(n uint64) error {
			h := healthFixture()
			h.EventCount24h = &n
			return h.Validate()
		}},
		"caro version in a health status": {MaxVersionText, func(n uint64) error {
			h := healthFixture()
			h.CaroVersion = text(int(n))
			return h.Validate()
		}},
		"commands in summary": {MaxCount, func(n uint64) error { return total(n).Validate() }},
		"commands in two categories": {MaxCount, func(n uint64) error {
			s := total(n - 1)
			s.CategoryStats = append(s.CategoryStats, CategoryStat{Category: CategoryNPM, Count: 1})
			s.TotalCommands, s.SafetyStats.ByRisk.Critical, s.HourlyActivity[1], s.DailyActivity[1] = n, 1, 1, 1
			return s.Validate()
		}},
		"duration in summary": {MaxCount, func(n uint64) error {
			s := total(2)
			s.CategoryStats[0].TimedCount, s.CategoryStats[0].DurationMSSum = 1, n
			s.CategoryStats[0].Derive()
			return s.Validate()
		}},
	} {
		t.Run(name, func(t *testing.T) {
			if err := limit.check(limit.limit); err != nil {
				t.Errorf("%d, the limit: %v", limit.limit, err)
			}
			if limit.check(limit.limit+1) == nil {
				t.Errorf("%d, one above the limit, is accepted", limit.limit+1)
			}
		})
	}
}

// More categories than exist cannot validate, but their number must be refused before each is looked at.
func TestTooManyCategoriesAreRefusedByTheirNumber(t *testing.T) {
	for name, check := range map[string]func(n int) error{
		"summary": func(n int) error { return (&NodeSummary{CategoryStats: make([]CategoryStat, n)}).checkCategories() },
		"tool usage": func(n int) error {
			return (&ToolUsage{ByCategory: make([]CategorySums, n), TimeRange: rangeFixture()}).validate()
		},
	} {
		const tooMany = "at most 1024"
		if err := check(MaxCategories); err == nil || strings.Contains(err.Error(), tooMany) {
			t.Errorf("%s: the limit: %v", name, err)
		}
		if err := check(MaxCategories + 1); err == nil || !strings.Contains(err.Error(), tooMany) {
			t.Errorf("%s: one above the limit: %v", name, err)
		}
	}
}

func TestSumsOverTheLargestMeshDoNotOverflow(t *testing.T) {
	if hi := uint64(math.MaxInt64) / MaxContributors; hi < MaxCount {
		t.Errorf("MaxContributors × MaxCount exceeds 63 bits")
	}
	if maxNonces != 30_200 || replayWindow != 10*time.Minute || sequenceWindow%64 != 0 {
		t.Errorf("the arithmetic of limits.go is out of date: %d nonces, window %s, %d sequence numbers", maxNonces, replayWindow, sequenceWindow)
	}
}
