package aggregate

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caro-mesh/caro-node/protocol"
)

// Row counts the commands of one category and one risk level in one UTC hour of one node.
type Row struct {
	Hour          time.Time // start of the hour, UTC
	Category      protocol.CommandCategory
	Risk          protocol.RiskLevel
	Count         uint64
	TimedCount    uint64 // commands whose duration is known
	DurationMSSum uint64
	FailureCount  uint64
	Blocked       uint64
	Confirmed     uint64 // risky commands that the person confirmed
	CaroGenerated uint64
	CaroExecuted  uint64
}

// The fields a filter may name.
const (
	FieldCategory = "category"
	FieldRisk     = "risk_level"
)

// FilterError says why a filter cannot be applied; its text may be shown to the asker.
type FilterError struct {
	Filter protocol.Filter
	Reason string
}

// Error is one sentence.
func (e *FilterError) Error() string {
	return fmt.Sprintf("filter %s:%s:%s cannot be applied: %s", e.Filter.Field, e.Filter.Operator, e.Filter.Value, e.Reason)
}

// Predicate selects rows.
type Predicate func(Row) bool

// Compile turns filters into one predicate, which accepts a row when every filter does. "category" is compared as
// text (equals, not_equals, contains, in_list), "risk_level" by rank with every operator but contains.
func Compile(filters []protocol.Filter) (Predicate, error) {
	preds := make([]Predicate, 0, len(filters))
	for _, f := range filters {
		p, err := compileOne(f)
		if err != nil {
			return nil, err
		}
		preds = append(preds, p)
	}
	return func(r Row) bool {
		for _, p := range preds {
			if !p(r) {
				return false
			}
		}
		return true
	}, nil
}

func compileOne(f protocol.Filter) (Predicate, error) {
	switch f.Field {
	case FieldCategory:
		return compileCategory(f)
	case FieldRisk:
		return compileRisk(f)
	}
	return nil, &FilterError{f, fmt.Sprintf("unknown field (use %s or %s)", FieldCategory, FieldRisk)}
}

func compileCategory(f protocol.Filter) (Predicate, error) {
	switch f.Operator {
	case protocol.OpEquals:
		return func(r Row) bool { return string(r.Category) == f.Value }, nil
	case protocol.OpNotEquals:
		return func(r Row) bool { return string(r.Category) != f.Value }, nil
	case protocol.OpContains:
		return func(r Row) bool { return strings.Contains(string(r.Category), f.Value) }, nil
	case protocol.OpInList:
		list := splitList(f.Value)
		return func(r Row) bool { return slices.Contains(list, string(r.Category)) }, nil
	}
	return nil, &FilterError{f, "a category can be compared with equals, not_equals, contains and in_list only"}
}

func compileRisk(f protocol.Filter) (Predicate, error) {
	if f.Operator == protocol.OpContains {
		return nil, &FilterError{f, "a risk level has an order, use equals, not_equals, greater_than, less_than or in_list"}
	}
	var levels []protocol.RiskLevel
	values := []string{f.Value}
	if f.Operator == protocol.OpInList {
		values = splitList(f.Value)
	}
	for _, v := range values {
		l, err := parseRisk(v)
		if err != nil {
			return nil, &FilterError{f, err.Error()}
		}
		levels = append(levels, l)
	}
	switch f.Operator {
	case protocol.OpNotEquals:
		return func(r Row) bool { return r.Risk != levels[0] }, nil
	case protocol.OpGreaterThan:
		return func(r Row) bool { return r.Risk > levels[0] }, nil
	case protocol.OpLessThan:
		return func(r Row) bool { return r.Risk < levels[0] }, nil
	default:
		return func(r Row) bool { return slices.Contains(levels, r.Risk) }, nil
	}
}

// parseRisk accepts a level's name or number.
func parseRisk(s string) (protocol.RiskLevel, error) {
	if n, err := strconv.ParseUint(s, 10, 8); err == nil {
		l := protocol.RiskLevel(n)
		return l, l.Validate()
	}
	var l protocol.RiskLevel
	err := l.UnmarshalText([]byte(s))
	return l, err
}

func splitList(s string) []string {
	parts := strings.Split(s, ",")
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	return parts
}
