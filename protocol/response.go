package protocol

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"
)

// MeshResponse answers a [MeshQuery].
type MeshResponse struct {
	QueryID   string         `cbor:"1,keyasint" json:"query_id"`
	Responder NodeID         `cbor:"2,keyasint" json:"responder"`
	Status    ResponseStatus `cbor:"3,keyasint" json:"status"`
	Reason    string         `cbor:"4,keyasint,omitempty" json:"reason,omitempty"`
	Data      *ResponseData  `cbor:"5,keyasint,omitempty" json:"data,omitempty"` // present if and only if Status is success
	// Contributors are the nodes whose counts are in Data, sorted.
	Contributors []Fingerprint `cbor:"6,keyasint" json:"contributors"`
	Timestamp    Timestamp     `cbor:"7,keyasint" json:"timestamp"`
	Signature    *Signature    `cbor:"-" json:"signature,omitempty"` // set by [SignResponse] and [OpenResponse]
}

// ResponseData holds exact sums, so that merging loses nothing; averages, percent and normalised patterns are
// computed once, at the end, for people. Exactly one field is set.
type ResponseData struct {
	ToolUsage *ToolUsage    `cbor:"1,keyasint,omitempty" json:"tool_usage,omitempty"`
	Safety    *SafetySums   `cbor:"2,keyasint,omitempty" json:"safety_posture,omitempty"`
	Activity  *ActivitySums `cbor:"3,keyasint,omitempty" json:"activity_patterns,omitempty"`
	Anomalies *Anomalies    `cbor:"4,keyasint,omitempty" json:"anomalies,omitempty"`
	Health    *NodeHealth   `cbor:"5,keyasint,omitempty" json:"node_health,omitempty"`
}

// ToolUsage answers tool_usage.
type ToolUsage struct {
	ByCategory    []CategorySums `cbor:"1,keyasint" json:"by_category"` // sorted by category, each once
	TotalCommands uint64         `cbor:"2,keyasint" json:"total_commands"`
	TimeRange     TimeRange      `cbor:"3,keyasint" json:"time_range"`
}

// CategorySums holds the sums of one category over NodeCount nodes.
type CategorySums struct {
	Category      CommandCategory `cbor:"1,keyasint" json:"category"`
	Count         uint64          `cbor:"2,keyasint" json:"count"`
	NodeCount     uint64          `cbor:"3,keyasint" json:"node_count"`
	DurationMSSum uint64          `cbor:"4,keyasint" json:"duration_ms_sum"`
	TimedCount    uint64          `cbor:"5,keyasint" json:"timed_count"`
	FailureCount  uint64          `cbor:"6,keyasint" json:"failure_count"`
}

// SafetySums answers safety_posture.
type SafetySums struct {
	ByRisk         RiskCounts `cbor:"1,keyasint" json:"by_risk"`
	BlockedCount   uint64     `cbor:"2,keyasint" json:"blocked_count"`
	ConfirmedRisky uint64     `cbor:"3,keyasint" json:"confirmed_risky"`
	// TotalCommands counts all commands; ByRisk those of them that were assessed.
	TotalCommands uint64 `cbor:"4,keyasint" json:"total_commands"`
}

// ActivitySums answers activity_patterns.
type ActivitySums struct {
	Hourly      [24]uint64 `cbor:"1,keyasint" json:"hourly"` // UTC
	Daily       [7]uint64  `cbor:"2,keyasint" json:"daily"`  // UTC, Monday first
	ActiveNodes uint64     `cbor:"3,keyasint" json:"active_nodes"`
}

// Anomalies answers anomalies.
type Anomalies struct {
	Items []Anomaly `cbor:"1,keyasint" json:"items"`
}

// Anomaly describes one signal, without personal data.
type Anomaly struct {
	Type            AnomalyType `cbor:"1,keyasint" json:"anomaly_type"`
	Severity        uint8       `cbor:"2,keyasint" json:"severity"` // 1 to 10
	NodeFingerprint Fingerprint `cbor:"3,keyasint" json:"node_fingerprint"`
	DetectedAt      Timestamp   `cbor:"4,keyasint" json:"detected_at"`
	Description     string      `cbor:"5,keyasint" json:"description"`
}

// NodeHealth answers node_health.
type NodeHealth struct {
	Fingerprint     Fingerprint `cbor:"1,keyasint" json:"fingerprint"`
	Online          bool        `cbor:"2,keyasint" json:"online"`
	LastSeen        Timestamp   `cbor:"3,keyasint" json:"last_seen"`
	ProtocolVersion uint8       `cbor:"4,keyasint" json:"protocol_version"`
	UptimeSeconds   uint64      `cbor:"5,keyasint" json:"uptime_seconds"`
	EventCount24h   uint64      `cbor:"6,keyasint" json:"event_count_24h"`
}

// Type returns the query type that the set field answers, or an error when not exactly one is set.
func (d *ResponseData) Type() (QueryType, error) {
	var types []QueryType
	if d.ToolUsage != nil {
		types = append(types, QueryToolUsage)
	}
	if d.Safety != nil {
		types = append(types, QuerySafetyPosture)
	}
	if d.Activity != nil {
		types = append(types, QueryActivityPatterns)
	}
	if d.Anomalies != nil {
		types = append(types, QueryAnomalies)
	}
	if d.Health != nil {
		types = append(types, QueryNodeHealth)
	}
	if len(types) != 1 {
		return "", fmt.Errorf("response data answers %d query types instead of one", len(types))
	}
	return types[0], nil
}

// Validate checks the set field.
func (d *ResponseData) Validate() error {
	if _, err := d.Type(); err != nil {
		return err
	}
	switch {
	case d.ToolUsage != nil:
		return d.ToolUsage.validate()
	case d.Safety != nil:
		return d.Safety.validate()
	case d.Activity != nil:
		return d.Activity.validate()
	case d.Anomalies != nil:
		return d.Anomalies.validate()
	case d.Health != nil:
		return d.Health.validate()
	}
	return nil
}

func (t *ToolUsage) validate() error {
	if err := t.TimeRange.Validate(); err != nil {
		return err
	}
	if len(t.ByCategory) > MaxCategories {
		return fmt.Errorf("%d categories, at most %d are allowed", len(t.ByCategory), MaxCategories)
	}
	if !slices.IsSortedFunc(t.ByCategory, func(a, b CategorySums) int { return cmp.Compare(a.Category, b.Category) }) {
		return errors.New("categories are not sorted")
	}
	var total uint64
	for i, c := range t.ByCategory {
		if err := c.Category.Validate(); err != nil {
			return err
		}
		switch {
		case i > 0 && t.ByCategory[i-1].Category == c.Category:
			return fmt.Errorf("category %s appears twice", c.Category)
		case c.Count > MaxCount || c.DurationMSSum > MaxCount || c.NodeCount > MaxContributors:
			return fmt.Errorf("category %s: a count is too large", c.Category)
		case c.TimedCount > c.Count || c.FailureCount > c.Count:
			return fmt.Errorf("category %s: more timed or failed commands than commands", c.Category)
		case c.TimedCount == 0 && c.DurationMSSum > 0:
			return fmt.Errorf("category %s: a duration without timed commands", c.Category)
		}
		total += c.Count
	}
	if total != t.TotalCommands || total > MaxCount {
		return fmt.Errorf("categories add up to %d, not to the %d commands, or to more than %d", total, t.TotalCommands, uint64(MaxCount))
	}
	return nil
}

func (s *SafetySums) validate() error {
	assessed, ok := sumOf([]uint64{s.ByRisk.Safe, s.ByRisk.Moderate, s.ByRisk.High, s.ByRisk.Critical})
	switch {
	case s.TotalCommands > MaxCount:
		return fmt.Errorf("%d commands, at most %d are allowed", s.TotalCommands, uint64(MaxCount))
	case !ok || assessed > s.TotalCommands || s.BlockedCount > s.TotalCommands || s.ConfirmedRisky > s.TotalCommands:
		return fmt.Errorf("more assessed, blocked or confirmed commands than the %d commands", s.TotalCommands)
	}
	return nil
}

func (a *ActivitySums) validate() error {
	hourly, okHourly := sumOf(a.Hourly[:])
	daily, okDaily := sumOf(a.Daily[:])
	switch {
	case !okHourly || !okDaily:
		return fmt.Errorf("an activity count is above %d", uint64(MaxCount))
	case hourly != daily:
		return fmt.Errorf("activity by hour adds up to %d, by weekday to %d", hourly, daily)
	case a.ActiveNodes > MaxContributors:
		return fmt.Errorf("%d active nodes, at most %d are allowed", a.ActiveNodes, MaxContributors)
	}
	return nil
}

func (h *NodeHealth) validate() error {
	if h.UptimeSeconds > MaxCount || h.EventCount24h > MaxCount {
		return fmt.Errorf("health of %s: a count is above %d", h.Fingerprint, uint64(MaxCount))
	}
	return h.Fingerprint.Validate()
}

func (a *Anomalies) validate() error {
	if len(a.Items) > MaxAnomalies {
		return fmt.Errorf("%d anomalies, at most %d are allowed", len(a.Items), MaxAnomalies)
	}
	for _, x := range a.Items {
		if x.Severity < 1 || x.Severity > 10 {
			return fmt.Errorf("anomaly severity %d is not within 1 to 10", x.Severity)
		}
		if err := x.Type.Validate(); err != nil {
			return err
		}
		if err := x.NodeFingerprint.Validate(); err != nil {
			return err
		}
		if err := CheckText("description", x.Description, MaxReason); err != nil {
			return err
		}
	}
	return nil
}

// Validate checks shape and vocabulary, and that data is there exactly when the status is success.
func (r *MeshResponse) Validate() error {
	if err := checkUUID("query", r.QueryID); err != nil {
		return err
	}
	if err := r.Responder.Validate(); err != nil {
		return err
	}
	if err := r.Status.Validate(); err != nil {
		return err
	}
	if err := CheckText("reason", r.Reason, MaxReason); err != nil {
		return err
	}
	if (r.Status == StatusSuccess) != (r.Data != nil) {
		return fmt.Errorf("response with status %s and data present=%t", r.Status, r.Data != nil)
	}
	if len(r.Contributors) > MaxContributors {
		return fmt.Errorf("%d contributors, at most %d are allowed", len(r.Contributors), MaxContributors)
	}
	if !slices.IsSorted(r.Contributors) {
		return errors.New("contributors are not sorted")
	}
	for i, f := range r.Contributors {
		if err := f.Validate(); err != nil {
			return err
		}
		if i > 0 && r.Contributors[i-1] == f {
			return fmt.Errorf("contributor %s appears twice", f)
		}
	}
	if r.Data != nil {
		return r.Data.Validate()
	}
	return nil
}

// SignResponse sets r.Signature and returns the bytes to send.
func SignResponse(r *MeshResponse, key Signer, now time.Time) ([]byte, error) {
	if r.Responder != key.NodeID() {
		return nil, fmt.Errorf("response of %s cannot be signed by %s", r.Responder.Fingerprint(), key.NodeID().Fingerprint())
	}
	if err := r.Validate(); err != nil {
		return nil, err
	}
	wire, sig, err := signBody(contextResponse, r, key, now)
	if err != nil {
		return nil, err
	}
	r.Signature = &sig
	return wire, nil
}

// OpenResponse decodes, validates and verifies a signed response; the caller compares its responder with the sender
// and its query ID with the question.
func OpenResponse(wire []byte) (*MeshResponse, error) {
	var r MeshResponse
	sig, err := openBody(contextResponse, wire, &r, func() NodeID { return r.Responder })
	if err != nil {
		return nil, err
	}
	r.Signature = &sig
	return &r, nil
}
