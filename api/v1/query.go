package v1

import (
	"encoding/json"
	"fmt"

	"github.com/caro-mesh/caro-node/protocol"
)

// QueryRequest is the body of POST /api/v1/query. Give since or time_range, not both; without either the last seven
// days are asked for.
type QueryRequest struct {
	QueryType protocol.QueryType  `json:"query_type" enum:"tool_usage,safety_posture,activity_patterns,anomalies,node_health"`
	Since     string              `json:"since,omitempty" maxLength:"32" doc:"a span up to now, such as 90m, 12h, 7d or 2w, or an RFC 3339 time; widened to whole UTC hours" example:"7d"`
	TimeRange *protocol.TimeRange `json:"time_range,omitempty" doc:"start inclusive, end exclusive, both on whole UTC hours"`
	Filters   []protocol.Filter   `json:"filters,omitempty" maxItems:"16"`
	TimeoutMS int                 `json:"timeout_ms,omitempty" minimum:"0" maximum:"10000" doc:"how long to wait for answers; 0 leaves it to the node"`
}

// QueryResult is the answer of POST /api/v1/query: the merged counts, and what became of everybody who was asked.
type QueryResult struct {
	SchemaVersion int                     `json:"schema_version"`
	QueryID       string                  `json:"query_id"`
	QueryType     protocol.QueryType      `json:"query_type" enum:"tool_usage,safety_posture,activity_patterns,anomalies,node_health"`
	Status        protocol.ResponseStatus `json:"status" enum:"success,access_denied,not_supported,error,no_data" doc:"success when at least one node contributed"`
	// Data is one of [*ToolUsage], [*SafetyPosture], [*ActivityPatterns], [*Anomalies] and [*NodeHealth], as the query
	// type says; nil unless Status is success.
	Data         Data                   `json:"data"`
	Contributors []protocol.Fingerprint `json:"contributors" doc:"nodes whose counts are in data, sorted"`
	Coverage     Coverage               `json:"coverage"`
	TimeRange    protocol.TimeRange     `json:"time_range"`
	TookMS       float64                `json:"took_ms"`
}

// Outcome says what became of one node that was asked.
type Outcome string

// Outcomes; each has its count of the same name in [Coverage].
const (
	OutcomeAnswered     Outcome = "answered"
	OutcomeDenied       Outcome = "denied"
	OutcomeNoData       Outcome = "no_data"
	OutcomeNotSupported Outcome = "not_supported"
	OutcomeOffline      Outcome = "offline"
	OutcomeTimedOut     Outcome = "timed_out"
	OutcomeSuppressed   Outcome = "suppressed" // answered, and left out of the sums to protect somebody
	OutcomeError        Outcome = "error"
)

// Coverage accounts for everybody who was asked: the outcomes add up to Asked.
type Coverage struct {
	Asked        int           `json:"asked"`
	Answered     int           `json:"answered"`
	Denied       int           `json:"denied"`
	NoData       int           `json:"no_data"`
	NotSupported int           `json:"not_supported"`
	Offline      int           `json:"offline"`
	TimedOut     int           `json:"timed_out"`
	Suppressed   int           `json:"suppressed"`
	Error        int           `json:"error"`
	Nodes        []NodeOutcome `json:"nodes"`
}

// NodeOutcome is what became of one node.
type NodeOutcome struct {
	Fingerprint protocol.Fingerprint `json:"fingerprint"`
	Name        string               `json:"name,omitempty"`
	Outcome     Outcome              `json:"outcome" enum:"answered,denied,no_data,not_supported,offline,timed_out,suppressed,error"`
	Reason      string               `json:"reason" doc:"one sentence; empty when it answered"`
}

// Add counts one node. An outcome outside the vocabulary counts as an error, so that the sums still add up.
func (c *Coverage) Add(n NodeOutcome) {
	c.Asked++
	c.Nodes = append(c.Nodes, n)
	switch n.Outcome {
	case OutcomeAnswered:
		c.Answered++
	case OutcomeDenied:
		c.Denied++
	case OutcomeNoData:
		c.NoData++
	case OutcomeNotSupported:
		c.NotSupported++
	case OutcomeOffline:
		c.Offline++
	case OutcomeTimedOut:
		c.TimedOut++
	case OutcomeSuppressed:
		c.Suppressed++
	default:
		c.Error++
	}
}

// UnmarshalJSON reads data as the query type tells.
func (r *QueryResult) UnmarshalJSON(b []byte) error {
	type plain QueryResult // without this method
	raw := struct {
		*plain
		Data json.RawMessage `json:"data"`
	}{plain: (*plain)(r)}
	r.Data = nil
	if err := json.Unmarshal(b, &raw); err != nil {
		return err
	}
	if len(raw.Data) == 0 || string(raw.Data) == "null" {
		return nil
	}
	data := newData(r.QueryType)
	if data == nil {
		return fmt.Errorf("query type %q is unknown to this version", string(r.QueryType))
	}
	if err := json.Unmarshal(raw.Data, data); err != nil {
		return fmt.Errorf("data of a %s result: %w", r.QueryType, err)
	}
	r.Data = data
	return nil
}
