package v1

import (
	"time"

	"github.com/caro-mesh/caro-node/protocol"
)

// Data is what a query found, computed for people from exact sums: averages, percent and normalised patterns. It is
// one of the pointer types in this file.
type Data interface {
	// QueryType tells which question it answers.
	QueryType() protocol.QueryType
}

// ToolUsage answers tool_usage.
type ToolUsage struct {
	ByCategory    map[protocol.CommandCategory]CategoryUsage `json:"by_category"`
	TotalCommands uint64                                     `json:"total_commands"`
	TimeRange     protocol.TimeRange                         `json:"time_range"`
}

// CategoryUsage is how much one category was used.
type CategoryUsage struct {
	Count         uint64  `json:"count"`
	NodeCount     uint64  `json:"node_count" doc:"nodes on which it was used"`
	AvgDurationMS float64 `json:"avg_duration_ms" doc:"over the commands whose duration is known; 0 when none is"`
	FailureRate   float64 `json:"failure_rate" doc:"0 to 1"`
}

// SafetyPosture answers safety_posture.
type SafetyPosture struct {
	RiskDistribution RiskDistribution `json:"risk_distribution"`
	BlockedCount     uint64           `json:"blocked_count" doc:"commands that a guard stopped"`
	ConfirmedRisky   uint64           `json:"confirmed_risky" doc:"risky commands that a person confirmed"`
	Coverage         float64          `json:"coverage" doc:"percent of all commands that were assessed"`
	TotalCommands    uint64           `json:"total_commands"`
}

// RiskDistribution is the share of each risk level among the assessed commands, in percent.
type RiskDistribution struct {
	Safe     float64 `json:"safe"`
	Moderate float64 `json:"moderate"`
	High     float64 `json:"high"`
	Critical float64 `json:"critical"`
}

// ActivityPatterns answers activity_patterns; hours and weekdays are UTC.
type ActivityPatterns struct {
	HourlyPattern [24]float64 `json:"hourly_pattern" doc:"0 to 1, the busiest hour is 1"`
	DailyPattern  [7]float64  `json:"daily_pattern" doc:"Monday first; 0 to 1, the busiest day is 1"`
	PeakHours     []int       `json:"peak_hours" doc:"the busiest hours of the day, 0 to 23, busiest first"`
	ActiveNodes   uint64      `json:"active_nodes"`
}

// Anomalies answers anomalies.
type Anomalies struct {
	Anomalies []Anomaly `json:"anomalies"`
}

// Anomaly is one unusual thing, without personal data.
type Anomaly struct {
	AnomalyType     protocol.AnomalyType `json:"anomaly_type"`
	Severity        uint8                `json:"severity" minimum:"1" maximum:"10"`
	NodeFingerprint protocol.Fingerprint `json:"node_fingerprint"`
	DetectedAt      time.Time            `json:"detected_at"`
	Description     string               `json:"description"`
}

// NodeHealth answers node_health.
type NodeHealth struct {
	Nodes []NodeState `json:"nodes"`
}

// NodeState is how one node is.
type NodeState struct {
	Fingerprint     protocol.Fingerprint `json:"fingerprint"`
	Online          bool                 `json:"online"`
	LastSeen        time.Time            `json:"last_seen"`
	ProtocolVersion uint8                `json:"protocol_version"`
	UptimeSeconds   uint64               `json:"uptime_seconds"`
	EventCount24h   uint64               `json:"event_count_24h"`
}

// QueryType is tool_usage.
func (*ToolUsage) QueryType() protocol.QueryType { return protocol.QueryToolUsage }

// QueryType is safety_posture.
func (*SafetyPosture) QueryType() protocol.QueryType { return protocol.QuerySafetyPosture }

// QueryType is activity_patterns.
func (*ActivityPatterns) QueryType() protocol.QueryType { return protocol.QueryActivityPatterns }

// QueryType is anomalies.
func (*Anomalies) QueryType() protocol.QueryType { return protocol.QueryAnomalies }

// QueryType is node_health.
func (*NodeHealth) QueryType() protocol.QueryType { return protocol.QueryNodeHealth }

// newData returns the empty shape that answers q, or nil when there is none.
func newData(q protocol.QueryType) Data {
	for _, d := range []Data{&ToolUsage{}, &SafetyPosture{}, &ActivityPatterns{}, &Anomalies{}, &NodeHealth{}} {
		if d.QueryType() == q {
			return d
		}
	}
	return nil
}
