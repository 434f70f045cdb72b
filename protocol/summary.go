package protocol

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/google/uuid"
)

// NodeSummary (L1) holds signed counts of one node over one period. It contains no command text, path, user or host
// name, and no private tool name.
type NodeSummary struct {
	ID            string         `cbor:"1,keyasint" json:"id"` // UUID
	NodeID        NodeID         `cbor:"2,keyasint" json:"node_id"`
	Period        Period         `cbor:"3,keyasint" json:"period"`
	CategoryStats []CategoryStat `cbor:"4,keyasint" json:"category_stats"` // sorted by category, each once
	// HourlyActivity counts commands by UTC hour of day.
	HourlyActivity [24]uint64 `cbor:"5,keyasint" json:"hourly_activity"`
	// DailyActivity counts commands by UTC weekday, Monday first.
	DailyActivity [7]uint64   `cbor:"6,keyasint" json:"daily_activity"`
	SafetyStats   SafetyStats `cbor:"7,keyasint" json:"safety_stats"`
	TotalCommands uint64      `cbor:"8,keyasint" json:"total_commands"`
	// UniquePatterns counts distinct command shapes (commands without their values).
	UniquePatterns uint64    `cbor:"9,keyasint" json:"unique_patterns"`
	GeneratedAt    Timestamp `cbor:"10,keyasint" json:"generated_at"`
	// Replaces is set in a correction only: the ID of the summary of the same period that it takes the place of.
	Replaces  string     `cbor:"11,keyasint,omitempty" json:"replaces,omitempty"` // UUID
	Signature *Signature `cbor:"-" json:"signature,omitempty"`                    // set by [SignSummary] and [OpenSummary]
}

// CategoryStat holds the sums of one category. AvgDurationMS and FailureRate follow from the sums and travel for
// people's sake only.
type CategoryStat struct {
	Category      CommandCategory `cbor:"1,keyasint" json:"category"`
	Count         uint64          `cbor:"2,keyasint" json:"count"`
	AvgDurationMS float64         `cbor:"3,keyasint" json:"avg_duration_ms"` // DurationMSSum / TimedCount, or 0
	FailureRate   float64         `cbor:"4,keyasint" json:"failure_rate"`    // FailureCount / Count, 0..1
	DurationMSSum uint64          `cbor:"5,keyasint" json:"duration_ms_sum"`
	TimedCount    uint64          `cbor:"6,keyasint" json:"timed_count"` // commands whose duration is known
	FailureCount  uint64          `cbor:"7,keyasint" json:"failure_count"`
}

// RiskCounts counts commands per risk level.
type RiskCounts struct {
	Safe     uint64 `cbor:"1,keyasint" json:"safe"`
	Moderate uint64 `cbor:"2,keyasint" json:"moderate"`
	High     uint64 `cbor:"3,keyasint" json:"high"`
	Critical uint64 `cbor:"4,keyasint" json:"critical"`
}

// SafetyStats counts what concerns safety.
type SafetyStats struct {
	ByRisk             RiskCounts `cbor:"1,keyasint" json:"by_risk"`
	BlockedCount       uint64     `cbor:"2,keyasint" json:"blocked_count"`
	UserConfirmedRisky uint64     `cbor:"3,keyasint" json:"user_confirmed_risky"`
	CaroGenerated      uint64     `cbor:"4,keyasint" json:"caro_generated"`
	CaroExecuted       uint64     `cbor:"5,keyasint" json:"caro_executed"`
}

// At returns the counter of level r, or nil for a level outside the vocabulary.
func (c *RiskCounts) At(r RiskLevel) *uint64 {
	switch r {
	case RiskSafe:
		return &c.Safe
	case RiskModerate:
		return &c.Moderate
	case RiskHigh:
		return &c.High
	case RiskCritical:
		return &c.Critical
	}
	return nil
}

// Total returns the sum over all levels.
func (c *RiskCounts) Total() uint64 { return c.Safe + c.Moderate + c.High + c.Critical }

// Add adds other to c.
func (c *RiskCounts) Add(other RiskCounts) {
	c.Safe += other.Safe
	c.Moderate += other.Moderate
	c.High += other.High
	c.Critical += other.Critical
}

// Derive computes the average and the rate from the sums.
func (c *CategoryStat) Derive() {
	c.AvgDurationMS, c.FailureRate = Ratio(c.DurationMSSum, c.TimedCount), Ratio(c.FailureCount, c.Count)
}

// Ratio returns a/b, or 0 when b is 0.
func Ratio(a, b uint64) float64 {
	if b == 0 {
		return 0
	}
	return float64(a) / float64(b)
}

// Validate checks that the summary is well formed and that its counts agree with each other. Whether its period lies
// in the future and whether its node is the sender is for the receiver to check.
func (s *NodeSummary) Validate() error {
	if err := checkUUID("summary", s.ID); err != nil {
		return err
	}
	if s.Replaces != "" {
		if err := checkUUID("replaced summary", s.Replaces); err != nil {
			return err
		}
		if s.Replaces == s.ID {
			return fmt.Errorf("summary %s replaces itself", s.ID)
		}
	}
	if err := s.NodeID.Validate(); err != nil {
		return err
	}
	if err := s.Period.Validate(); err != nil {
		return err
	}
	if err := s.checkCategories(); err != nil {
		return err
	}
	if s.UniquePatterns > s.TotalCommands {
		return fmt.Errorf("%d unique patterns among %d commands", s.UniquePatterns, s.TotalCommands)
	}
	st := s.SafetyStats
	for _, c := range []struct {
		name   string
		counts []uint64
	}{
		{"hour", s.HourlyActivity[:]},
		{"weekday", s.DailyActivity[:]},
		{"risk level", []uint64{st.ByRisk.Safe, st.ByRisk.Moderate, st.ByRisk.High, st.ByRisk.Critical}},
	} {
		if sum, ok := sumOf(c.counts); !ok || sum != s.TotalCommands {
			return fmt.Errorf("counts by %s do not add up to the %d commands", c.name, s.TotalCommands)
		}
	}
	for _, c := range []struct {
		name  string
		count uint64
	}{
		{"blocked", st.BlockedCount}, {"confirmed", st.UserConfirmedRisky}, {"generated", st.CaroGenerated}, {"executed", st.CaroExecuted},
	} {
		if c.count > s.TotalCommands {
			return fmt.Errorf("%d %s commands among %d", c.count, c.name, s.TotalCommands)
		}
	}
	return nil
}

// FitsPeriod checks that a valid summary of an hour or a day counts nothing in another hour or on another weekday. It is for
// signers and receivers: what was received before receivers asked for it stays readable.
func (s *NodeSummary) FitsPeriod() error {
	start := s.Period.Start.Time()
	switch g := s.Period.Granularity; {
	case g == Hourly && s.HourlyActivity[start.Hour()] != s.TotalCommands:
		return fmt.Errorf("%s summary from %s counts commands in another hour of the day", g, s.Period.Start)
	case g != Weekly && s.DailyActivity[MondayIndex(start.Weekday())] != s.TotalCommands:
		return fmt.Errorf("%s summary from %s counts commands on another weekday", g, s.Period.Start)
	}
	return nil
}

func (s *NodeSummary) checkCategories() error {
	if len(s.CategoryStats) > MaxCategories {
		return fmt.Errorf("%d categories, at most %d are allowed", len(s.CategoryStats), MaxCategories)
	}
	if !slices.IsSortedFunc(s.CategoryStats, func(a, b CategoryStat) int { return cmp.Compare(a.Category, b.Category) }) {
		return errors.New("categories are not sorted")
	}
	var total uint64
	for i, c := range s.CategoryStats {
		if err := c.Category.Validate(); err != nil {
			return err
		}
		if i > 0 && s.CategoryStats[i-1].Category == c.Category {
			return fmt.Errorf("category %s appears twice", c.Category)
		}
		want := c
		want.Derive()
		switch {
		case c.Count > MaxCount || c.DurationMSSum > MaxCount:
			return fmt.Errorf("category %s: count or duration above %d", c.Category, uint64(MaxCount))
		case c.TimedCount > c.Count || c.FailureCount > c.Count:
			return fmt.Errorf("category %s: more timed or failed commands than commands", c.Category)
		case c.TimedCount == 0 && c.DurationMSSum > 0:
			return fmt.Errorf("category %s: a duration without timed commands", c.Category)
		case !sameFloat(want.AvgDurationMS, c.AvgDurationMS) || !sameFloat(want.FailureRate, c.FailureRate):
			return fmt.Errorf("category %s: average or rate contradicts its sums", c.Category)
		}
		total += c.Count
	}
	if total != s.TotalCommands || total > MaxCount {
		return fmt.Errorf("categories add up to %d, not to the %d commands, or to more than %d", total, s.TotalCommands, uint64(MaxCount))
	}
	return nil
}

// SignSummary sets s.Signature and returns the bytes to store and send. It refuses a summary that is not valid or
// belongs to another node, or does not fit its period.
func SignSummary(s *NodeSummary, key Signer, now time.Time) ([]byte, error) {
	if s.NodeID != key.NodeID() {
		return nil, fmt.Errorf("summary of %s cannot be signed by %s", s.NodeID.Fingerprint(), key.NodeID().Fingerprint())
	}
	if err := s.Validate(); err != nil {
		return nil, err
	}
	if err := s.FitsPeriod(); err != nil {
		return nil, err
	}
	wire, sig, err := signBody(contextSummary, s, key, now)
	if err != nil {
		return nil, err
	}
	s.Signature = &sig
	return wire, nil
}

// OpenSummary decodes, validates and verifies a signed summary. The signature is checked against the summary's own
// node ID; comparing that with the sender is the caller's task, because a summary may be relayed or stored.
func OpenSummary(wire []byte) (*NodeSummary, error) {
	var s NodeSummary
	sig, err := openBody(contextSummary, wire, &s, func() NodeID { return s.NodeID })
	if err != nil {
		return nil, err
	}
	s.Signature = &sig
	return &s, nil
}

// sameFloat compares bits: -0 equals 0 in Go, but would be a second spelling of the same summary.
func sameFloat(a, b float64) bool { return math.Float64bits(a) == math.Float64bits(b) }

// sumOf adds up to 2^15 counts; ok is false when one of them is above [MaxCount], so that the sum means nothing.
func sumOf(counts []uint64) (sum uint64, ok bool) {
	for _, n := range counts {
		if n > MaxCount {
			return 0, false
		}
		sum += n
	}
	return sum, true
}

func checkUUID(what, s string) error {
	u, err := uuid.Parse(s)
	if err != nil || u.String() != s {
		return fmt.Errorf("%s ID %q is not a UUID in its usual lower-case form", what, s)
	}
	return nil
}
