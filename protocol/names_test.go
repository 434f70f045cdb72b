package protocol

import (
	"fmt"
	"math/bits"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"
)

// The wire keys and JSON names of every field, written down a second time: a change of one is a change of the protocol.
func TestFieldsHaveTheirWireKeysAndJSONNames(t *testing.T) {
	for _, c := range []struct {
		message any
		want    string
	}{
		{Envelope{}, "1 2 3 4 5 6 7 8 9"},
		{signed{}, "1 2"},
		{Signature{}, "1=signer 2=value 3=timestamp"},
		{TimeRange{}, "1=start 2=end"},
		{Period{}, "1=start 2=end 3=granularity"},
		{NodeIdentity{}, "1=node_id 2=fingerprint 3?=display_name 4=capabilities 5=created_at"},
		{NodeCapabilities{}, "1=protocol_version 2=caro_version 3=max_share_level 4=can_aggregate 5=supported_queries"},
		{NodeSummary{}, "1=id 2=node_id 3=period 4=category_stats 5=hourly_activity 6=daily_activity 7=safety_stats 8=total_commands 9=unique_patterns 10=generated_at 11?=replaces -=signature"},
		{CategoryStat{}, "1=category 2=count 3=avg_duration_ms 4=failure_rate 5=duration_ms_sum 6=timed_count 7=failure_count"},
		{SafetyStats{}, "1=by_risk 2=blocked_count 3=user_confirmed_risky 4=caro_generated 5=caro_executed"},
		{RiskCounts{}, "1=safe 2=moderate 3=high 4=critical"},
		{MeshQuery{}, "1=query_id 2=requester 3=query_type 4=time_range 5=filters -=signature"},
		{Filter{}, "1=field 2=operator 3=value"},
		{MeshResponse{}, "1=query_id 2=responder 3=status 4?=reason 5?=data 6=contributors 7=timestamp -=signature"},
		{ResponseData{}, "1?=tool_usage 2?=safety_posture 3?=activity_patterns 4?=anomalies 5?=node_health"},
		{ToolUsage{}, "1=by_category 2=total_commands 3=time_range"},
		{CategorySums{}, "1=category 2=count 3=node_count 4=duration_ms_sum 5=timed_count 6=failure_count"},
		{SafetySums{}, "1=by_risk 2=blocked_count 3=confirmed_risky 4=total_commands"},
		{ActivitySums{}, "1=hourly 2=daily 3=active_nodes"},
		{Anomalies{}, "1=items"},
		{Anomaly{}, "1=anomaly_type 2=severity 3=node_fingerprint 4=detected_at 5=description"},
		{NodeHealth{}, "1=fingerprint 2=online 3=last_seen 4=protocol_version 5=uptime_seconds 6=event_count_24h"},
	} {
		typ := reflect.TypeOf(c.message)
		if got := fieldNames(typ); got != c.want {
			t.Errorf("%s has\n%s, expected\n%s", typ.Name(), got, c.want)
		}
	}
}

// fieldNames writes "key=json_name" for each field, "?" for those that may be left out of the wire, "-" for those that
// never are on it.
func fieldNames(typ reflect.Type) string {
	var names []string
	for i := range typ.NumField() {
		wire, json := strings.Split(typ.Field(i).Tag.Get("cbor"), ","), strings.Split(typ.Field(i).Tag.Get("json"), ",")
		name := wire[0]
		switch {
		case name != "-" && (len(wire) < 2 || wire[1] != "keyasint"):
			name = fmt.Sprintf("%s has no number", typ.Field(i).Name)
		case len(wire) == 3 && wire[2] == "omitempty":
			name += "?"
		}
		if json[0] != "" {
			name += "=" + json[0]
		}
		names = append(names, name)
	}
	return strings.Join(names, " ")
}

// The package comment is the specification; its numbers must be those of limits.go and envelope.go.
func TestSpecificationStatesTheNumbersOfTheCode(t *testing.T) {
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		fmt.Sprintf("Hello 0x%04x, HelloAck 0x%04x at most %s bytes", uint16(MsgHello), uint16(MsgHelloAck), grouped(MaxHello)),
		fmt.Sprintf("Capabilities 0x%04x (no answer) %s", uint16(MsgCapabilities), grouped(MaxHello)),
		fmt.Sprintf("Ping 0x%04x, Pong 0x%04x %s", uint16(MsgPing), uint16(MsgPong), grouped(MaxPing)),
		fmt.Sprintf("SummaryPush 0x%04x %s", uint16(MsgSummaryPush), grouped(MaxSummary)),
		fmt.Sprintf("SummaryAck 0x%04x %s", uint16(MsgSummaryAck), grouped(MaxSummaryAck)),
		fmt.Sprintf("Query 0x%04x %s", uint16(MsgQuery), grouped(MaxQuery)),
		fmt.Sprintf("QueryResponse 0x%04x %s", uint16(MsgQueryResponse), grouped(MaxResponse)),
		fmt.Sprintf("KeyRotation 0x%04x %s", uint16(MsgRotation), grouped(MaxRotation)),
		fmt.Sprintf("KeyRotationAck 0x%04x %s", uint16(MsgRotationAck), grouped(MaxRotationAck)),
		fmt.Sprintf("CheckpointPush 0x%04x %s", uint16(MsgCheckpointPush), grouped(MaxCheckpoint)),
		fmt.Sprintf("CheckpointAck 0x%04x %s", uint16(MsgCheckpointAck), grouped(MaxCheckpointAck)),
		fmt.Sprintf("a map of at most %d bytes: 1 body", MaxRotationStatement),
		fmt.Sprintf("from issued_at to %d days later", int(MaxGrace/(24*time.Hour))),
		fmt.Sprintf("from valid_from to %d days later", int(MaxGrace/(24*time.Hour))),
		fmt.Sprintf("Goodbye 0x%04X (no answer) %s", uint16(MsgGoodbye), grouped(MaxGoodbye)),
		fmt.Sprintf("nesting deeper than %d levels, lists of more than %s items", maxNesting, grouped(maxArrayElements)),
		fmt.Sprintf("list of at most %d: map of 1 field (1 to %d bytes), 2 operator, 3 value (at most %s bytes)", MaxFilters, MaxFilterField, grouped(MaxFilterValue)),
		fmt.Sprintf("display_name at most %d bytes", MaxDisplayName),
		fmt.Sprintf("caro_version (at most %d bytes)", MaxVersionText),
		fmt.Sprintf("reason at most %d bytes", MaxReason),
		fmt.Sprintf("items (list of at most %d:", MaxAnomalies),
		fmt.Sprintf("each once, at most %s: whose counts", grouped(MaxContributors)),
		fmt.Sprintf("at most %d days apart", int(MaxQueryRange/(24*time.Hour))),
		fmt.Sprintf("more than %d minutes from the receiver's clock", int(MaxSkew/time.Minute)),
		fmt.Sprintf("or %s or more below the highest", grouped(sequenceWindow)),
		fmt.Sprintf("used by this sender within the last %d minutes", int(replayWindow/time.Minute)),
		fmt.Sprintf("%s messages of this sender within the last %d minutes", grouped(maxNonces), int(replayWindow/time.Minute)),
		fmt.Sprintf("The quota (%d messages a second for %d minutes, and %d more)", MaxRate, int(replayWindow/time.Minute), MaxBurst),
		fmt.Sprintf("No count or sum in a message exceeds 2^%d", bits.TrailingZeros64(MaxCount)),
		fmt.Sprintf("byte string, %d random bytes", NonceSize),
	} {
		if !strings.Contains(squeezed(string(doc)), squeezed(line)) {
			t.Errorf("the package comment does not say %q", line)
		}
	}
}

// grouped writes n with commas between thousands.
func grouped(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// squeezed drops comment marks and what is only layout, upper and lower case included.
func squeezed(s string) string {
	return strings.ToLower(strings.Join(strings.Fields(strings.ReplaceAll(s, "//", "")), " "))
}
