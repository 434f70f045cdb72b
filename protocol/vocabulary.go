package protocol

import (
	"fmt"
	"strings"

	"github.com/caro-mesh/caro-node/protocol/vocabulary"
)

// ShellType names the shell in which a command was typed.
type ShellType = vocabulary.ShellType

// The shells of the vocabulary; anything that is not one of the first four is [ShellOther].
const (
	ShellBash  = vocabulary.ShellBash
	ShellZsh   = vocabulary.ShellZsh
	ShellFish  = vocabulary.ShellFish
	ShellSh    = vocabulary.ShellSh
	ShellOther = vocabulary.ShellOther
)

// ParseShell maps the name of a shell to its type; unknown names become [ShellOther].
func ParseShell(name string) ShellType { return vocabulary.ParseShell(name) }

// RiskLevel orders how much damage a command can do.
type RiskLevel = vocabulary.RiskLevel

// Risk levels, in rising order.
const (
	RiskSafe     = vocabulary.RiskSafe
	RiskModerate = vocabulary.RiskModerate
	RiskHigh     = vocabulary.RiskHigh
	RiskCritical = vocabulary.RiskCritical
)

// RiskLevels lists every level in rising order.
func RiskLevels() []RiskLevel { return vocabulary.RiskLevels() }

// DataLevel says how far data may travel (design: L0, L1, L2).
type DataLevel uint8

// Data levels. Raw data never leaves the machine.
const (
	LevelRaw        DataLevel = 0
	LevelSummarized DataLevel = 1
	LevelAggregated DataLevel = 2
)

var levelNames = []string{"raw", "summarized", "aggregated"}

// String returns the level's vocabulary name.
func (l DataLevel) String() string { return nameOf("data level", levelNames, int(l)) }

// Validate reports a number outside the vocabulary.
func (l DataLevel) Validate() error { return checkIndex("data level", levelNames, int(l)) }

// MarshalText writes the vocabulary name.
func (l DataLevel) MarshalText() ([]byte, error) { return []byte(l.String()), l.Validate() }

// UnmarshalText reads a vocabulary name; on an unknown one the level is left as it was.
func (l *DataLevel) UnmarshalText(b []byte) error {
	i, err := indexOf("data level", levelNames, string(b))
	if err == nil {
		*l = DataLevel(i)
	}
	return err
}

// TrustLevel is what one node calls another. The levels are sets of permissions, not a ladder: see package policy.
type TrustLevel uint8

// Trust levels.
const (
	TrustUntrusted  TrustLevel = 0
	TrustShareTo    TrustLevel = 1
	TrustQueryFrom  TrustLevel = 2
	TrustPeer       TrustLevel = 3
	TrustSupervisor TrustLevel = 4
)

var trustNames = []string{"untrusted", "share_to", "query_from", "peer", "supervisor"}

// TrustNames lists the names a person may use, for help texts and completion.
func TrustNames() []string { return append([]string(nil), trustNames...) }

// String returns the level's vocabulary name.
func (t TrustLevel) String() string { return nameOf("trust level", trustNames, int(t)) }

// Validate reports a number outside the vocabulary.
func (t TrustLevel) Validate() error { return checkIndex("trust level", trustNames, int(t)) }

// MarshalText writes the vocabulary name.
func (t TrustLevel) MarshalText() ([]byte, error) { return []byte(t.String()), t.Validate() }

// UnmarshalText reads a vocabulary name; on an unknown one the level is left as it was.
func (t *TrustLevel) UnmarshalText(b []byte) error {
	i, err := indexOf("trust level", trustNames, string(b))
	if err == nil {
		*t = TrustLevel(i)
	}
	return err
}

// Granularity is the length of a summary's period.
type Granularity string

// Granularities; periods are aligned in UTC and weeks start on Monday.
const (
	Hourly Granularity = "hourly"
	Daily  Granularity = "daily"
	Weekly Granularity = "weekly"
)

// Validate reports a value outside the vocabulary.
func (g Granularity) Validate() error { return oneOf("granularity", g, Hourly, Daily, Weekly) }

// QueryType names what a query asks for.
type QueryType string

// Query types.
const (
	QueryToolUsage        QueryType = "tool_usage"
	QuerySafetyPosture    QueryType = "safety_posture"
	QueryActivityPatterns QueryType = "activity_patterns"
	QueryAnomalies        QueryType = "anomalies"
	QueryNodeHealth       QueryType = "node_health"
)

// QueryTypes lists the vocabulary in its documented order.
func QueryTypes() []QueryType {
	return []QueryType{QueryToolUsage, QuerySafetyPosture, QueryActivityPatterns, QueryAnomalies, QueryNodeHealth}
}

// Validate reports a value outside the vocabulary.
func (q QueryType) Validate() error { return oneOf("query type", q, QueryTypes()...) }

// FilterOperator compares a field with a value.
type FilterOperator string

// Filter operators. [OpInList] takes a comma-separated value.
const (
	OpEquals      FilterOperator = "equals"
	OpNotEquals   FilterOperator = "not_equals"
	OpContains    FilterOperator = "contains"
	OpGreaterThan FilterOperator = "greater_than"
	OpLessThan    FilterOperator = "less_than"
	OpInList      FilterOperator = "in_list"
)

// Validate reports a value outside the vocabulary.
func (o FilterOperator) Validate() error {
	return oneOf("filter operator", o, OpEquals, OpNotEquals, OpContains, OpGreaterThan, OpLessThan, OpInList)
}

// ResponseStatus says how a query was answered.
type ResponseStatus string

// Response statuses.
const (
	StatusSuccess      ResponseStatus = "success"
	StatusAccessDenied ResponseStatus = "access_denied"
	StatusNotSupported ResponseStatus = "not_supported"
	StatusError        ResponseStatus = "error"
	StatusNoData       ResponseStatus = "no_data"
)

// Validate reports a value outside the vocabulary.
func (s ResponseStatus) Validate() error {
	return oneOf("response status", s, StatusSuccess, StatusAccessDenied, StatusNotSupported, StatusError, StatusNoData)
}

// AnomalyType names a kind of unusual behaviour.
type AnomalyType string

// Anomaly types.
const (
	AnomalyUnusualPattern    AnomalyType = "unusual_pattern"
	AnomalyHighFailureRate   AnomalyType = "high_failure_rate"
	AnomalyUnusualTiming     AnomalyType = "unusual_timing"
	AnomalyRepeatedRisky     AnomalyType = "repeated_risky"
	AnomalyBaselineDeviation AnomalyType = "baseline_deviation"
)

// Validate reports a value outside the vocabulary.
func (a AnomalyType) Validate() error {
	return oneOf("anomaly type", a, AnomalyUnusualPattern, AnomalyHighFailureRate, AnomalyUnusualTiming,
		AnomalyRepeatedRisky, AnomalyBaselineDeviation)
}

// AuditEventType names what an audit record tells.
type AuditEventType string

// Audit event types.
const (
	AuditIdentityCreated  AuditEventType = "identity_created"
	AuditPeerConnected    AuditEventType = "peer_connected"
	AuditPeerDisconnected AuditEventType = "peer_disconnected"
	AuditQueryReceived    AuditEventType = "query_received"
	AuditResponseSent     AuditEventType = "response_sent"
	AuditPolicyViolation  AuditEventType = "policy_violation"
	AuditTrustChanged     AuditEventType = "trust_changed"
	AuditKeyRotated       AuditEventType = "key_rotated"
	AuditSummaryGenerated AuditEventType = "summary_generated"
	AuditSummaryShared    AuditEventType = "summary_shared"
)

// Validate reports a value outside the vocabulary.
func (a AuditEventType) Validate() error {
	return oneOf("audit event type", a, AuditIdentityCreated, AuditPeerConnected, AuditPeerDisconnected, AuditQueryReceived,
		AuditResponseSent, AuditPolicyViolation, AuditTrustChanged, AuditKeyRotated, AuditSummaryGenerated, AuditSummaryShared)
}

func oneOf[S ~string](what string, v S, allowed ...S) error {
	names := make([]string, len(allowed))
	for i, a := range allowed {
		if v == a {
			return nil
		}
		names[i] = string(a)
	}
	return fmt.Errorf("unknown %s %q (one of %s)", what, string(v), strings.Join(names, ", "))
}

func nameOf(what string, names []string, i int) string {
	if i < 0 || i >= len(names) {
		return fmt.Sprintf("unknown %s %d", what, i)
	}
	return names[i]
}

func checkIndex(what string, names []string, i int) error {
	if i < 0 || i >= len(names) {
		return fmt.Errorf("unknown %s %d", what, i)
	}
	return nil
}

func indexOf(what string, names []string, s string) (int, error) {
	for i, n := range names {
		if n == s {
			return i, nil
		}
	}
	return 0, fmt.Errorf("unknown %s %q (one of %s)", what, s, strings.Join(names, ", "))
}
