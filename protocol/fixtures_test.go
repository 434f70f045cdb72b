package protocol

import (
	"bytes"
	"crypto/ed25519"
	"sync/atomic"
	"time"
)

// fixedNow is the clock of every test that needs one.
var fixedNow = time.Date(2026, 11, 23, 12, 34, 56, 789012345, time.UTC)

func clock() time.Time { return fixedNow }

// testKey signs with an Ed25519 key whose seed is one byte, 32 times.
type testKey struct{ private ed25519.PrivateKey }

func newTestKey(seed byte) testKey {
	return testKey{ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))}
}

func (k testKey) NodeID() NodeID {
	return NewNodeID(k.private.Public().(ed25519.PublicKey))
}

func (k testKey) Sign(msg []byte) ([]byte, error) { return ed25519.Sign(k.private, msg), nil }

var (
	anna = newTestKey(1)
	bob  = newTestKey(2)
)

// counter is a Sequencer that starts at 1.
type counter struct{ n atomic.Uint64 }

func (c *counter) Next() (uint64, error) { return c.n.Add(1), nil }

func identityFixture() *NodeIdentity {
	return &NodeIdentity{
		NodeID: anna.NodeID(), Fingerprint: anna.NodeID().Fingerprint(), DisplayName: "anna-laptop",
		Capabilities: NodeCapabilities{
			ProtocolVersion: Version, CaroVersion: "0.1.0", MaxShareLevel: LevelSummarized, CanAggregate: true,
			SupportedQueries: []QueryType{QueryToolUsage, QuerySafetyPosture},
		},
		CreatedAt: At(fixedNow.Add(-48 * time.Hour)),
	}
}

func summaryFixture() *NodeSummary {
	s := &NodeSummary{
		ID: "01939f2e-6c00-7000-8000-0000000000aa", NodeID: anna.NodeID(),
		Period: PeriodAt(fixedNow.AddDate(0, 0, -1), Daily), // Sunday, 22 November 2026
		CategoryStats: []CategoryStat{
			{Category: CategoryGit, Count: 7, DurationMSSum: 1000, TimedCount: 6, FailureCount: 1},
			{Category: CategoryOther, Count: 1},
			{Category: "other:terraform", Count: 4, DurationMSSum: 90_000, TimedCount: 4, FailureCount: 2},
		},
		SafetyStats:   SafetyStats{ByRisk: RiskCounts{Safe: 9, Moderate: 2, Critical: 1}, BlockedCount: 1, UserConfirmedRisky: 2, CaroGenerated: 3, CaroExecuted: 2},
		TotalCommands: 12, UniquePatterns: 5, GeneratedAt: At(fixedNow.Add(-12 * time.Hour)),
	}
	for i := range s.CategoryStats {
		s.CategoryStats[i].Derive()
	}
	s.HourlyActivity[9], s.HourlyActivity[23], s.DailyActivity[6] = 10, 2, 12
	return s
}

func emptySummaryFixture() *NodeSummary {
	return &NodeSummary{ID: "01939f2e-6c00-7000-8000-0000000000ab", NodeID: anna.NodeID(),
		Period: PeriodAt(fixedNow.Add(-time.Hour), Hourly), GeneratedAt: At(fixedNow), CategoryStats: []CategoryStat{}}
}

// correctionFixture takes the place of summaryFixture: one command more was found.
func correctionFixture() *NodeSummary {
	s := summaryFixture()
	s.ID, s.Replaces, s.GeneratedAt = "01939f2e-6c00-7000-8000-0000000000ac", s.ID, At(fixedNow)
	s.CategoryStats[1].Count++
	s.CategoryStats[1].Derive()
	s.HourlyActivity[23]++
	s.DailyActivity[6]++
	s.SafetyStats.ByRisk.Safe++
	s.TotalCommands++
	return s
}

func rangeFixture() TimeRange {
	end := fixedNow.Truncate(time.Hour)
	return TimeRange{Start: At(end.AddDate(0, 0, -7)), End: At(end)}
}

func queryFixture() *MeshQuery {
	return &MeshQuery{QueryID: "01939f2e-6c00-7000-8000-0000000000bb", Requester: anna.NodeID(), QueryType: QueryToolUsage, TimeRange: rangeFixture(),
		Filters: []Filter{{Field: "category", Operator: OpInList, Value: "git,docker"}, {Field: "risk_level", Operator: OpNotEquals, Value: "safe"}}}
}

func healthFixture() *NodeHealthStatus {
	n := uint64(1234)
	return &NodeHealthStatus{NodeID: anna.NodeID(), Sequence: 1_795_437_296_000_001, Timestamp: At(fixedNow), ProtocolVersion: Version, CaroVersion: "0.1.0",
		UptimeSeconds: 86_400, EventCount24h: &n, State: HealthOK}
}

func receiptFixture() *QueryReceipt {
	return &QueryReceipt{QueryID: queryFixture().QueryID, Requester: anna.NodeID(), Responder: bob.NodeID(),
		Response: DigestOfResponse([]byte("a response of bob")), Timestamp: At(fixedNow)}
}

// responseFixtures holds one response for each kind of data, and one denial.
func responseFixtures() map[string]*MeshResponse {
	fp, other := anna.NodeID().Fingerprint(), bob.NodeID().Fingerprint()
	both := []Fingerprint{min(fp, other), max(fp, other)}
	answer := func(d *ResponseData, contributors ...Fingerprint) *MeshResponse {
		return &MeshResponse{QueryID: queryFixture().QueryID, Responder: anna.NodeID(), Status: StatusSuccess, Data: d,
			Contributors: contributors, Timestamp: At(fixedNow)}
	}
	activity := &ActivitySums{ActiveNodes: 1}
	activity.Hourly[0], activity.Hourly[23], activity.Daily[0], activity.Daily[6] = 3, 300, 103, 200
	return map[string]*MeshResponse{
		"tool usage": answer(&ResponseData{ToolUsage: &ToolUsage{TotalCommands: 11, TimeRange: rangeFixture(), ByCategory: []CategorySums{
			{Category: CategoryGit, Count: 7, NodeCount: 1, DurationMSSum: 1000, TimedCount: 6, FailureCount: 1},
			{Category: "other:terraform", Count: 4, NodeCount: 2, DurationMSSum: 90_000, TimedCount: 4, FailureCount: 2},
		}}}, both...),
		"safety posture": answer(&ResponseData{Safety: &SafetySums{ByRisk: RiskCounts{Safe: 9, Moderate: 2, Critical: 1}, BlockedCount: 1,
			ConfirmedRisky: 2, TotalCommands: 13}}, fp),
		"activity patterns": answer(&ResponseData{Activity: activity}, fp),
		"anomalies": answer(&ResponseData{Anomalies: &Anomalies{Items: []Anomaly{{Type: AnomalyHighFailureRate, Severity: 7, NodeFingerprint: fp,
			DetectedAt: At(fixedNow), Description: "failures rose from 3 % to 41 %"}}}}, fp),
		"node health": answer(&ResponseData{Health: &NodeHealth{Fingerprint: fp, Online: true, LastSeen: At(fixedNow), ProtocolVersion: Version,
			UptimeSeconds: 86_400, EventCount24h: 1234}}, fp),
		"access denied": {QueryID: queryFixture().QueryID, Responder: anna.NodeID(), Status: StatusAccessDenied,
			Reason: "trust level share_to may not query", Contributors: []Fingerprint{}, Timestamp: At(fixedNow)},
	}
}
