package protocol

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var someCategories = append(Categories(), "other:terraform", "other:python3", "other:make", "other:g++", "other:R")

func drawText(limit int) *rapid.Generator[string] {
	return rapid.StringOfN(rapid.SampledFrom([]rune("abc xyz-09.,:/äßж漢字🙂%'\"<>&")), 0, limit/4, limit)
}

func drawUUID(t *rapid.T) string {
	b := rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "id")
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

func drawRange(t *rapid.T) TimeRange {
	start := PeriodAt(drawTime(t, "range"), Hourly).Start
	return TimeRange{Start: start, End: start + onHourAfter(rapid.Int64Range(1, 366*24).Draw(t, "hours"))}
}

func onHourAfter(hours int64) Timestamp { return Timestamp(hours * 3_600_000_000_000) }

// drawSplit splits total into n parts.
func drawSplit(t *rapid.T, total uint64, n int, label string) []uint64 {
	parts := make([]uint64, n)
	left := total
	for i := range parts[:n-1] {
		parts[i] = rapid.Uint64Range(0, left).Draw(t, label)
		left -= parts[i]
	}
	parts[n-1] = left
	return parts
}

func drawSummary(t *rapid.T) *NodeSummary {
	s := &NodeSummary{ID: drawUUID(t), NodeID: anna.NodeID(), Period: PeriodAt(drawTime(t, "period"), drawGranularity(t)),
		CategoryStats: []CategoryStat{}, GeneratedAt: At(drawTime(t, "generated"))}
	cats := rapid.SliceOfDistinct(rapid.SampledFrom(someCategories), rapid.ID[CommandCategory]).Draw(t, "categories")
	slices.Sort(cats)
	for _, c := range cats {
		st := CategoryStat{Category: c, Count: rapid.Uint64Range(0, 1<<40).Draw(t, "count")}
		st.TimedCount, st.FailureCount = rapid.Uint64Range(0, st.Count).Draw(t, "timed"), rapid.Uint64Range(0, st.Count).Draw(t, "failed")
		if st.TimedCount > 0 {
			st.DurationMSSum = rapid.Uint64Range(0, MaxCount).Draw(t, "duration")
		}
		st.Derive()
		s.CategoryStats = append(s.CategoryStats, st)
		s.TotalCommands += st.Count
	}
	start := s.Period.Start.Time()
	if s.Period.Granularity == Hourly {
		s.HourlyActivity[start.Hour()] = s.TotalCommands
	} else {
		copy(s.HourlyActivity[:], drawSplit(t, s.TotalCommands, 24, "hourly"))
	}
	if s.Period.Granularity != Weekly {
		s.DailyActivity[MondayIndex(start.Weekday())] = s.TotalCommands
	} else {
		copy(s.DailyActivity[:], drawSplit(t, s.TotalCommands, 7, "daily"))
	}
	r := drawSplit(t, s.TotalCommands, 4, "risk")
	upTo := func(label string) uint64 { return rapid.Uint64Range(0, s.TotalCommands).Draw(t, label) }
	s.SafetyStats = SafetyStats{RiskCounts{r[0], r[1], r[2], r[3]}, upTo("blocked"), upTo("confirmed"), upTo("generated"), upTo("executed")}
	s.UniquePatterns = upTo("patterns")
	if rapid.Bool().Draw(t, "correction") {
		s.Replaces = drawUUID(t)
	}
	return s
}

func drawQuery(t *rapid.T) *MeshQuery {
	q := &MeshQuery{QueryID: drawUUID(t), Requester: anna.NodeID(), QueryType: rapid.SampledFrom(QueryTypes()).Draw(t, "type"), TimeRange: drawRange(t), Filters: []Filter{}}
	for range rapid.IntRange(0, MaxFilters).Draw(t, "filters") {
		q.Filters = append(q.Filters, Filter{
			Field:    "f" + drawText(MaxFilterField-1).Draw(t, "field"),
			Operator: rapid.SampledFrom([]FilterOperator{OpEquals, OpNotEquals, OpContains, OpGreaterThan, OpLessThan, OpInList}).Draw(t, "operator"),
			Value:    drawText(MaxFilterValue).Draw(t, "value"),
		})
	}
	return q
}

func drawResponse(t *rapid.T) *MeshResponse {
	r := &MeshResponse{QueryID: drawUUID(t), Responder: anna.NodeID(), Reason: drawText(MaxReason).Draw(t, "reason"), Timestamp: At(drawTime(t, "time")), Contributors: []Fingerprint{}}
	for i := range rapid.IntRange(0, 20).Draw(t, "contributors") {
		r.Contributors = append(r.Contributors, Fingerprint(fmt.Sprintf("%016x", uint64(i)*0x0123456789)))
	}
	r.Status = rapid.SampledFrom([]ResponseStatus{StatusSuccess, StatusSuccess, StatusSuccess, StatusAccessDenied, StatusNotSupported, StatusError, StatusNoData}).Draw(t, "status")
	if r.Status == StatusSuccess {
		r.Data = drawData(t)
	}
	return r
}

func drawData(t *rapid.T) *ResponseData {
	upTo := func(n uint64, label string) uint64 { return rapid.Uint64Range(0, n).Draw(t, label) }
	total := upTo(MaxCount, "total")
	switch rapid.SampledFrom(QueryTypes()).Draw(t, "data") {
	case QueryToolUsage:
		u := &ToolUsage{ByCategory: []CategorySums{}, TimeRange: drawRange(t)}
		cats := rapid.SliceOfDistinct(rapid.SampledFrom(someCategories), rapid.ID[CommandCategory]).Draw(t, "categories")
		slices.Sort(cats)
		for _, c := range cats {
			sums := CategorySums{Category: c, Count: upTo(1<<40, "count"), NodeCount: upTo(MaxContributors, "nodes")}
			sums.TimedCount, sums.FailureCount = upTo(sums.Count, "timed"), upTo(sums.Count, "failed")
			if sums.TimedCount > 0 {
				sums.DurationMSSum = upTo(MaxCount, "duration")
			}
			u.ByCategory, u.TotalCommands = append(u.ByCategory, sums), u.TotalCommands+sums.Count
		}
		return &ResponseData{ToolUsage: u}
	case QuerySafetyPosture:
		r := drawSplit(t, upTo(total, "assessed"), 4, "risk")
		return &ResponseData{Safety: &SafetySums{RiskCounts{r[0], r[1], r[2], r[3]}, upTo(total, "blocked"), upTo(total, "confirmed"), total}}
	case QueryActivityPatterns:
		a := &ActivitySums{ActiveNodes: upTo(MaxContributors, "nodes")}
		copy(a.Hourly[:], drawSplit(t, total, 24, "hourly"))
		copy(a.Daily[:], drawSplit(t, total, 7, "daily"))
		return &ResponseData{Activity: a}
	case QueryAnomalies:
		a := &Anomalies{Items: []Anomaly{}}
		for range rapid.IntRange(0, 5).Draw(t, "anomalies") {
			a.Items = append(a.Items, Anomaly{Type: AnomalyUnusualTiming, Severity: rapid.Uint8Range(1, 10).Draw(t, "severity"),
				NodeFingerprint: anna.NodeID().Fingerprint(), DetectedAt: At(drawTime(t, "detected")), Description: drawText(MaxReason).Draw(t, "description")})
		}
		return &ResponseData{Anomalies: a}
	case QueryNodeHealth:
	}
	return &ResponseData{Health: &NodeHealth{Fingerprint: anna.NodeID().Fingerprint(), Online: rapid.Bool().Draw(t, "online"), LastSeen: At(drawTime(t, "seen")),
		ProtocolVersion: rapid.Uint8().Draw(t, "version"), UptimeSeconds: upTo(MaxCount, "uptime"), EventCount24h: upTo(MaxCount, "events")}}
}

func drawHealth(t *rapid.T) *NodeHealthStatus {
	h := &NodeHealthStatus{NodeID: anna.NodeID(), Sequence: rapid.Uint64Min(1).Draw(t, "sequence"), Timestamp: At(drawTime(t, "time")),
		ProtocolVersion: rapid.Uint8Min(1).Draw(t, "version"), CaroVersion: drawText(MaxVersionText).Draw(t, "caro"),
		UptimeSeconds: rapid.Uint64Range(0, MaxCount).Draw(t, "uptime"), State: rapid.SampledFrom([]HealthState{HealthOK, HealthDegraded}).Draw(t, "state")}
	if rapid.Bool().Draw(t, "counted") {
		n := rapid.Uint64Range(0, MaxCount).Draw(t, "events")
		h.EventCount24h = &n
	}
	return h
}

func drawIdentity(t *rapid.T) *NodeIdentity {
	id := NewNodeID(drawPublicKey(t, "seed"))
	queries := rapid.SliceOfDistinct(rapid.SampledFrom(QueryTypes()), rapid.ID[QueryType]).Draw(t, "queries")
	return &NodeIdentity{NodeID: id, Fingerprint: id.Fingerprint(), DisplayName: drawText(MaxDisplayName).Draw(t, "name"), CreatedAt: At(drawTime(t, "created")),
		Capabilities: NodeCapabilities{ProtocolVersion: rapid.Uint8Min(1).Draw(t, "version"), CaroVersion: drawText(MaxVersionText).Draw(t, "caro"),
			MaxShareLevel: DataLevel(rapid.Uint8Range(0, 2).Draw(t, "level")), CanAggregate: rapid.Bool().Draw(t, "aggregate"), SupportedQueries: append([]QueryType{}, queries...)}}
}

func sameAfter[T any](t *rapid.T, before, after T, err error) {
	if err != nil {
		t.Fatalf("%v: %+v", err, before)
	}
	if !reflect.DeepEqual(before, after) {
		t.Fatalf("came back as\n%+v, was\n%+v", after, before)
	}
}

// sameInJSON checks that the JSON form loses nothing either: the command line and the API show it.
func sameInJSON[T any](t *rapid.T, before *T) {
	var after T
	err := json.Unmarshal(must(json.Marshal(before)), &after)
	sameAfter(t, before, &after, err)
}

func TestSummariesSurviveTheWire(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSummary(t)
		wire, err := SignSummary(s, anna, fixedNow)
		if err != nil {
			t.Fatal(err)
		}
		back, err := OpenSummary(wire)
		sameAfter(t, s, back, err)
		sameInJSON(t, s)
	})
}

func TestQueriesSurviveTheWire(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		q := drawQuery(t)
		wire, err := SignQuery(q, anna, fixedNow)
		if err != nil {
			t.Fatal(err)
		}
		back, err := OpenQuery(wire)
		sameAfter(t, q, back, err)
		sameInJSON(t, q)
	})
}

func TestResponsesSurviveTheWire(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := drawResponse(t)
		wire, err := SignResponse(r, anna, fixedNow)
		if err != nil {
			t.Fatal(err)
		}
		back, err := OpenResponse(wire)
		sameAfter(t, r, back, err)
		sameInJSON(t, r)
	})
}

func TestHealthStatusesSurviveTheWire(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := drawHealth(t)
		wire, err := SignHealth(h, anna)
		if err != nil {
			t.Fatal(err)
		}
		back, err := OpenHealth(wire, nil)
		sameAfter(t, h, back, err)
		sameInJSON(t, h)
	})
}

func TestIdentitiesSurviveTheWire(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := drawIdentity(t)
		var back NodeIdentity
		err := Decode(must(Encode(n)), &back)
		sameAfter(t, n, &back, err)
		sameInJSON(t, n)
	})
}

// Each case makes one thing wrong; the error must name it, since a person reads it.
func TestContradictionsInASummaryAreNamed(t *testing.T) {
	for want, edit := range map[string]func(*NodeSummary){
		"summary ID":                      func(s *NodeSummary) { s.ID = "7" },
		"replaced summary ID":             func(s *NodeSummary) { s.Replaces = "7" },
		"replaces itself":                 func(s *NodeSummary) { s.Replaces = s.ID },
		"not a node ID":                   func(s *NodeSummary) { s.NodeID = "anna" },
		"unknown granularity":             func(s *NodeSummary) { s.Period.Granularity = "" },
		"is not aligned":                  func(s *NodeSummary) { s.Period.End++ },
		"unknown command category":        func(s *NodeSummary) { s.CategoryStats[0].Category = "database" },
		"not sorted":                      func(s *NodeSummary) { slices.Reverse(s.CategoryStats) },
		"appears twice":                   func(s *NodeSummary) { s.CategoryStats[1].Category = CategoryGit },
		"more timed or failed":            func(s *NodeSummary) { s.CategoryStats[0].TimedCount = 8 },
		"category git: more timed":        func(s *NodeSummary) { s.CategoryStats[0].FailureCount = 8 },
		"a duration without":              func(s *NodeSummary) { s.CategoryStats[1].DurationMSSum = 1 },
		"contradicts its sums":            func(s *NodeSummary) { s.CategoryStats[0].AvgDurationMS++ },
		"git: average or rate":            func(s *NodeSummary) { s.CategoryStats[0].FailureRate = math.NaN() },
		"other: average or rate":          func(s *NodeSummary) { s.CategoryStats[1].FailureRate = math.Copysign(0, -1) },
		"categories add up to 13":         func(s *NodeSummary) { s.CategoryStats[1].Count++ },
		"13 unique patterns among 12":     func(s *NodeSummary) { s.UniquePatterns = 13 },
		"counts by hour do not add up":    func(s *NodeSummary) { s.HourlyActivity[3]++ },
		"counts by weekday do not add up": func(s *NodeSummary) { s.DailyActivity[3]++ },
		"counts by risk level do not":     func(s *NodeSummary) { s.SafetyStats.ByRisk.High++ },
		"13 blocked commands among 12":    func(s *NodeSummary) { s.SafetyStats.BlockedCount = 13 },
		"13 confirmed commands among 12":  func(s *NodeSummary) { s.SafetyStats.UserConfirmedRisky = 13 },
		"13 generated commands among 12":  func(s *NodeSummary) { s.SafetyStats.CaroGenerated = 13 },
		"13 executed commands among 12":   func(s *NodeSummary) { s.SafetyStats.CaroExecuted = 13 },
		"by hour do not add up to the 12": func(s *NodeSummary) { // sums that would come out right after an overflow
			s.HourlyActivity[0], s.HourlyActivity[1] = math.MaxUint64, 1
		},
	} {
		t.Run(want, func(t *testing.T) {
			s := summaryFixture()
			if err := s.Validate(); err != nil {
				t.Fatal(err)
			}
			edit(s)
			if err := s.Validate(); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v", err)
			}
			if wire, err := SignSummary(s, anna, fixedNow); err == nil || wire != nil || s.Signature != nil {
				t.Error("it can be signed")
			}
		})
	}
}

func TestCountsOutsideItsPeriodAreNotSigned(t *testing.T) {
	for want, edit := range map[string]func(*NodeSummary){
		"daily summary from 2026-11-22T00:00:00Z counts commands on another weekday": func(s *NodeSummary) {
			s.DailyActivity[5], s.DailyActivity[6] = 1, 11
		},
		"hourly summary from 2026-11-22T08:00:00Z counts commands in another hour": func(s *NodeSummary) {
			s.Period = PeriodAt(s.Period.Start.Time().Add(8*time.Hour), Hourly)
		},
	} {
		t.Run(want, func(t *testing.T) {
			s := summaryFixture()
			edit(s)
			if err := s.FitsPeriod(); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v", err)
			}
			if wire, err := SignSummary(s, anna, fixedNow); err == nil || wire != nil || s.Signature != nil {
				t.Error("it can be signed")
			}
		})
	}
}

func TestContradictionsInAQueryAreNamed(t *testing.T) {
	for want, edit := range map[string]func(*MeshQuery){
		"query ID":                     func(q *MeshQuery) { q.QueryID = strings.ToUpper(q.QueryID) },
		"not a node ID":                func(q *MeshQuery) { q.Requester = "" },
		"unknown query type":           func(q *MeshQuery) { q.QueryType = "" },
		"not on whole UTC hours":       func(q *MeshQuery) { q.TimeRange.End++ },
		"filter without a field":       func(q *MeshQuery) { q.Filters[0].Field = "" },
		"unknown filter operator":      func(q *MeshQuery) { q.Filters[1].Operator = "" },
		"field contains the unprintab": func(q *MeshQuery) { q.Filters[0].Field = "a\tb" },
		"value contains the unprintab": func(q *MeshQuery) { q.Filters[0].Value = "a\nb" },
		"value is not valid UTF-8":     func(q *MeshQuery) { q.Filters[0].Value = "a\xff" },
	} {
		t.Run(want, func(t *testing.T) {
			q := queryFixture()
			if err := q.Validate(); err != nil {
				t.Fatal(err)
			}
			edit(q)
			if err := q.Validate(); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v", err)
			}
			if q.Requester = anna.NodeID(); want == "not a node ID" {
				return
			}
			if wire, err := SignQuery(q, anna, fixedNow); err == nil || wire != nil || q.Signature != nil {
				t.Error("it can be signed")
			}
		})
	}
}

func TestContradictionsInAResponseAreNamed(t *testing.T) {
	for _, c := range []struct {
		of, want string
		edit     func(*MeshResponse)
	}{
		{"access denied", "query ID", func(r *MeshResponse) { r.QueryID = "" }},
		{"access denied", "not a node ID", func(r *MeshResponse) { r.Responder += "=" }},
		{"access denied", "unknown response status", func(r *MeshResponse) { r.Status = "" }},
		{"access denied", "status success and data present=false", func(r *MeshResponse) { r.Status = StatusSuccess }},
		{"access denied", "reason contains the unprintable", func(r *MeshResponse) { r.Reason = "\x1b[31m" }},
		{"tool usage", "status no_data and data present=true", func(r *MeshResponse) { r.Status = StatusNoData }},
		{"tool usage", "contributors are not sorted", func(r *MeshResponse) { slices.Reverse(r.Contributors) }},
		{"tool usage", "appears twice", func(r *MeshResponse) { r.Contributors[1] = r.Contributors[0] }},
		{"tool usage", "is not 16 lower-case hex digits", func(r *MeshResponse) { r.Contributors = []Fingerprint{"anna"} }},
		{"tool usage", "answers 0 query types", func(r *MeshResponse) { *r.Data = ResponseData{} }},
		{"tool usage", "answers 2 query types", func(r *MeshResponse) { r.Data.Safety = &SafetySums{} }},
		{"tool usage", "not on whole UTC hours", func(r *MeshResponse) { r.Data.ToolUsage.TimeRange.Start++ }},
		{"tool usage", "categories are not sorted", func(r *MeshResponse) { slices.Reverse(r.Data.ToolUsage.ByCategory) }},
		{"tool usage", "category git appears twice", func(r *MeshResponse) { r.Data.ToolUsage.ByCategory[1].Category = CategoryGit }},
		{"tool usage", "unknown command category", func(r *MeshResponse) { r.Data.ToolUsage.ByCategory[1].Category = "other:acme" }},
		{"tool usage", "more timed or failed", func(r *MeshResponse) { r.Data.ToolUsage.ByCategory[1].TimedCount = 5 }},
		{"tool usage", "more timed or failed", func(r *MeshResponse) { r.Data.ToolUsage.ByCategory[1].FailureCount = 5 }},
		{"tool usage", "a duration without timed", func(r *MeshResponse) { r.Data.ToolUsage.ByCategory[1].TimedCount = 0 }},
		{"tool usage", "categories add up to 11, not to the 12", func(r *MeshResponse) { r.Data.ToolUsage.TotalCommands++ }},
		{"safety posture", "more assessed, blocked or confirmed", func(r *MeshResponse) { r.Data.Safety.ByRisk.High = 2 }},
		{"safety posture", "more assessed, blocked or confirmed", func(r *MeshResponse) { r.Data.Safety.ByRisk.High = math.MaxUint64 }},
		{"safety posture", "more assessed, blocked or confirmed", func(r *MeshResponse) { r.Data.Safety.BlockedCount = 14 }},
		{"safety posture", "more assessed, blocked or confirmed", func(r *MeshResponse) { r.Data.Safety.ConfirmedRisky = 14 }},
		{"activity patterns", "by hour adds up to 304, by weekday to 303", func(r *MeshResponse) { r.Data.Activity.Hourly[1]++ }},
		{"activity patterns", "an activity count is above", func(r *MeshResponse) { // equal after an overflow
			r.Data.Activity.Hourly[0], r.Data.Activity.Daily[0] = math.MaxUint64, math.MaxUint64
		}},
		{"anomalies", "severity 0", func(r *MeshResponse) { r.Data.Anomalies.Items[0].Severity = 0 }},
		{"anomalies", "unknown anomaly type", func(r *MeshResponse) { r.Data.Anomalies.Items[0].Type = "" }},
		{"anomalies", "is not 16 lower-case hex digits", func(r *MeshResponse) { r.Data.Anomalies.Items[0].NodeFingerprint = "" }},
		{"anomalies", "description contains the unprintable", func(r *MeshResponse) { r.Data.Anomalies.Items[0].Description = "\r" }},
		{"node health", "is not 16 lower-case hex digits", func(r *MeshResponse) { r.Data.Health.Fingerprint = "" }},
	} {
		t.Run(c.of+": "+c.want, func(t *testing.T) {
			r := responseFixtures()[c.of]
			if err := r.Validate(); err != nil {
				t.Fatal(err)
			}
			c.edit(r)
			if err := r.Validate(); err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v", err)
			}
			if wire, err := SignResponse(r, anna, fixedNow); err == nil || wire != nil || r.Signature != nil {
				t.Error("it can be signed")
			}
		})
	}
}

func TestContradictionsInAHealthStatusAreNamed(t *testing.T) {
	for want, edit := range map[string]func(*NodeHealthStatus){
		"not a node ID":          func(h *NodeHealthStatus) { h.NodeID = "" },
		"sequence number 0":      func(h *NodeHealthStatus) { h.Sequence = 0 },
		"protocol version 0":     func(h *NodeHealthStatus) { h.ProtocolVersion = 0 },
		"caro version contains":  func(h *NodeHealthStatus) { h.CaroVersion = "1.0\x1b" },
		"unknown health state":   func(h *NodeHealthStatus) { h.State = "fine" },
		"uptime of":              func(h *NodeHealthStatus) { h.UptimeSeconds = math.MaxUint64 },
		"events in a day, at mo": func(h *NodeHealthStatus) { *h.EventCount24h = math.MaxUint64 },
	} {
		t.Run(want, func(t *testing.T) {
			h := healthFixture()
			edit(h)
			if err := h.Validate(); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v", err)
			}
			if h.NodeID = anna.NodeID(); want == "not a node ID" {
				return
			}
			if wire, err := SignHealth(h, anna); err == nil || wire != nil || h.Signature != nil {
				t.Error("it can be signed")
			}
		})
	}
}

func TestWhatIsNotWantedIsRefusedBeforeItIsVerified(t *testing.T) {
	wire := signBytes(contextHealth, must(Encode(healthFixture())), bob) // does not verify
	unwanted := errors.New("not wanted")
	h, err := OpenHealth(wire, func(h *NodeHealthStatus) error {
		if h.NodeID != anna.NodeID() {
			t.Errorf("asked about %s", h.NodeID)
		}
		return unwanted
	})
	if h != nil || !errors.Is(err, unwanted) {
		t.Errorf("%+v, %v", h, err)
	}
	if h, err := OpenHealth(wire, func(*NodeHealthStatus) error { return nil }); h != nil || !errors.Is(err, ErrSignature) {
		t.Errorf("%+v, %v", h, err)
	}
}

func TestAHealthStatusIsSignedWhenItWasMade(t *testing.T) {
	h := healthFixture()
	h.Timestamp++
	if _, err := OpenHealth(signBytes(contextHealth, must(Encode(h)), anna), nil); !errors.Is(err, ErrMalformed) {
		t.Errorf("made a nanosecond after it was signed: %v", err)
	}
}

func TestContradictionsInAnIdentityAreNamed(t *testing.T) {
	for want, edit := range map[string]func(*NodeIdentity){
		"not a node ID":                  func(n *NodeIdentity) { n.NodeID = "" },
		"does not belong to node":        func(n *NodeIdentity) { n.Fingerprint = bob.NodeID().Fingerprint() },
		"display name contains":          func(n *NodeIdentity) { n.DisplayName = "anna\n" },
		"protocol version 0":             func(n *NodeIdentity) { n.Capabilities.ProtocolVersion = 0 },
		"caro version contains":          func(n *NodeIdentity) { n.Capabilities.CaroVersion = "1.0\x00" },
		"unknown data level 3":           func(n *NodeIdentity) { n.Capabilities.MaxShareLevel = 3 },
		"6 supported queries, at most 5": func(n *NodeIdentity) { n.Capabilities.SupportedQueries = append(QueryTypes(), QueryAnomalies) },
		"unknown query type":             func(n *NodeIdentity) { n.Capabilities.SupportedQueries[1] = "" },
		"tool_usage appears twice":       func(n *NodeIdentity) { n.Capabilities.SupportedQueries[1] = QueryToolUsage },
	} {
		t.Run(want, func(t *testing.T) {
			n := identityFixture()
			edit(n)
			if err := n.Validate(); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v", err)
			}
			if err := Decode(must(Encode(n)), new(NodeIdentity)); !errors.Is(err, ErrMalformed) {
				t.Errorf("from the wire: %v", err)
			}
		})
	}
}

func TestTextFromPeersCannotDriveATerminal(t *testing.T) {
	for _, bad := range []string{"\x00", "\a", "\x1b]0;x\a", "a\rb", "a\nb", "\u0085", "\u200b", "\u202e", "\u2028", "\ufeff", "\x80", "\xed\xa0\x80", "\u00a0", "\U000E0041"} {
		if CheckText("text", "x"+bad, 64) == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
	for _, good := range []string{"", "anna", "Änne's laptop", "研究室", "🙂", "a b", "<b>&\"'"} {
		if err := CheckText("text", good, 64); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
}

func TestResponseDataNamesTheQueryItAnswers(t *testing.T) {
	for name, r := range responseFixtures() {
		if r.Data == nil {
			continue
		}
		if got, err := r.Data.Type(); err != nil || strings.ReplaceAll(string(got), "_", " ") != name {
			t.Errorf("%s answers %q, %v", name, got, err)
		}
	}
}

func TestRiskCountsAreAddedByLevel(t *testing.T) {
	var c RiskCounts
	for i, r := range RiskLevels() {
		*c.At(r) = uint64(i + 1)
	}
	if c != (RiskCounts{1, 2, 3, 4}) || c.Total() != 10 {
		t.Errorf("%+v", c)
	}
	c.Add(RiskCounts{10, 20, 30, 40})
	if c != (RiskCounts{11, 22, 33, 44}) || c.At(4) != nil {
		t.Errorf("%+v", c)
	}
}

func TestRatioOfNothingIsZero(t *testing.T) {
	for want, got := range map[float64]float64{0: Ratio(5, 0), 0.25: Ratio(1, 4), 2: Ratio(6, 3)} {
		if got != want {
			t.Errorf("%v, expected %v", got, want)
		}
	}
}
